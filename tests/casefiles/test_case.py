"""A case as its users meet it: acquire, analyze, go on, refuse."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from acquire.acquisition import acquire as real_acquire
from acquire.errors import CaseError, ContainerError, DestinationError, DiskFullError, SourceError, UsageError
from acquire.exhibit import ExhibitHeader, Plan
from casefiles import acquiring, analyzing, query
from casefiles.case import Case


@pytest.fixture
def case(tmp_path):
    with Case.create(tmp_path / "case", number="2026-014", examiner="A. Examiner", agency="Lab") as made:
        yield made


def actions(case: Case) -> list[str]:
    return [event["action"] for event in query.custody(case)]


# Acquiring


@pytest.mark.parametrize(("form", "name"), [("e01", "EX 1.E01"), ("raw", "EX 1.iso")])
def test_an_acquired_exhibit_is_recorded_as_it_is(case, disc, form, name):
    """Digests and sizes by hashlib from the source; the files' own from the folder."""
    made = case.acquire(disc, "EX 1", Plan(format=form), description="a disc")
    data = disc.read_bytes()
    (exhibit,) = query.evidence(case)
    assert (exhibit["label"], exhibit["description"], exhibit["acquired_by"]) == (
        "EX 1",
        "a disc",
        "A. Examiner",
    )
    assert (exhibit["source"], exhibit["source_path"]) == (str(disc), str(disc.resolve()))
    assert exhibit["source_kind"] == "file"
    (row,) = query.acquisitions(case, exhibit["id"])
    for digest in ("md5", "sha1", "sha256"):
        assert row[digest] == hashlib.new(digest, data).hexdigest() == made.digests[digest]
    assert (row["sha512"], row["blake2b"]) == (None, None)
    assert (row["state"], row["format"], row["path"]) == ("complete", form, f"evidence/EX 1/{name}")
    assert (row["size_bytes"], row["sector_count"], row["sectors_read"]) == (
        len(data),
        len(data) // 2048,
        len(data) // 2048,
    )
    assert (row["sectors_unread"], row["sectors_filled"], row["unread"], row["verified"], row["resumed"]) == (
        0,
        0,
        [],
        1,
        0,
    )
    assert row["record"]["digests"] == made.digests
    listed = {item["path"]: (item["size_bytes"], item["sha256"]) for item in row["files"]}
    folder = case.folder.root / "evidence" / "EX 1"
    assert listed == {
        f"evidence/EX 1/{path.name}": (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in folder.iterdir()
    }
    assert row["files"][0]["path"] == row["path"]
    assert actions(case) == ["case-created", "acquire-started", "acquire-finished"]


@pytest.mark.tools
def test_the_case_is_in_the_header_of_the_e01(case, disc, tool):
    """What ewfinfo shows: case number, examiner, label and description, without being given twice."""
    case.acquire(disc, "EX-7", Plan(format="e01"), description="found in drawer 3")
    shown = subprocess.run(
        [tool("ewfinfo"), case.folder.root / "evidence" / "EX-7" / "EX-7.E01"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for words in ("2026-014", "A. Examiner", "EX-7", "found in drawer 3"):
        assert words in shown


def test_a_header_that_is_given_is_taken(case, disc):
    header = ExhibitHeader(
        case_number="X", evidence_number="Y", description="Z", examiner="B. Other", notes="N"
    )
    case.acquire(disc, "EX-1", Plan(format="raw", header=header))
    (exhibit,) = query.evidence(case)
    assert exhibit["acquired_by"] == "B. Other"
    started = next(event for event in query.custody(case) if event["action"] == "acquire-started")
    assert started["detail"]["plan"]["header"] == header._asdict()


@pytest.mark.parametrize("label", ["EX-1", "ex-1", "Ex-1"])
def test_a_label_is_used_once(case, disc, label):
    case.acquire(disc, "EX-1", Plan(format="raw"))
    before = sorted((case.folder.root / "evidence").rglob("*"))
    with pytest.raises(CaseError, match=r"already"):
        case.acquire(disc, label, Plan(format="raw"))
    assert sorted((case.folder.root / "evidence").rglob("*")) == before
    assert len(query.evidence(case)) == 1


@pytest.mark.parametrize("label", ["", "a/b", "../x", "x.partial", "a\nb", "\udcff"])
def test_a_bad_label_leaves_nothing(case, disc, label):
    with pytest.raises(UsageError):
        case.acquire(disc, label)
    assert query.evidence(case) == []
    assert actions(case) == ["case-created"]


@pytest.mark.parametrize("source", ["/no/such/file", "nul\0byte", "sur\udcffrogate"])
def test_a_missing_source_leaves_nothing(case, source):
    with pytest.raises(SourceError) as caught:
        case.acquire(source, "EX-1")
    assert str(caught.value).isprintable()
    assert query.evidence(case) == []
    assert list((case.folder.root / "evidence").iterdir()) == []
    assert actions(case) == ["case-created"]


def test_a_source_that_cannot_be_read_leaves_nothing_but_the_log(case, tmp_path, disc):
    """A folder is no disc: the attempt is told in the log, and the label is free for the right source."""
    with pytest.raises(SourceError):
        case.acquire(tmp_path, "EX-1")
    assert query.evidence(case) == []
    assert actions(case) == ["case-created", "acquire-started", "acquire-stopped"]
    case.acquire(disc, "EX-1", Plan(format="raw"))
    assert [check for check in case.verify() if not check.ok] == []


def test_a_folder_that_the_case_does_not_know_is_not_touched(case, disc):
    for name in ("EX-1", "EX-2.partial"):
        folder = case.folder.root / "evidence" / name
        folder.mkdir()
        (folder / "something").write_text("mine")
        with pytest.raises(CaseError, match="knows nothing of"):
            case.acquire(disc, name.removesuffix(".partial"))
        assert (folder / "something").read_text() == "mine"


class Interrupted(KeyboardInterrupt):
    """Stands for the user's Ctrl-C."""


def interrupt_after(monkeypatch, calls: int) -> None:
    """Stop the acquisition by its own progress, as a key press does."""

    def acquire(source, folder, label, plan, *, progress=None):
        seen = 0

        def stop(value):
            nonlocal seen
            seen += 1
            if seen > calls:
                raise Interrupted

        return real_acquire(source, folder, label, plan, progress=stop)

    monkeypatch.setattr(acquiring, "acquire", acquire)


def test_an_interrupted_acquisition_goes_on_from_the_same_source_only(case, disc, tmp_path, monkeypatch):
    interrupt_after(monkeypatch, 0)
    with pytest.raises(Interrupted):
        case.acquire(disc, "EX-1", Plan(format="raw"))
    monkeypatch.undo()
    assert actions(case)[-1] == "acquire-stopped"
    other = Path(shutil.copy(disc, tmp_path / "other.iso"))
    with pytest.raises(CaseError) as caught:
        case.acquire(other, "EX-1", Plan(format="raw"))
    assert str(disc.resolve()) in str(caught.value)
    assert str(other) in str(caught.value)
    with pytest.raises(CaseError, match="not finished"):
        case.analyze("EX-1")
    notes = [check for check in case.verify() if check.severity == "note"]
    assert [note.message for note in notes] == [
        "Its acquisition is not finished: nothing of it is covered by the log yet"
    ]
    link = tmp_path / "link.iso"
    link.symlink_to(disc)
    case.acquire(link, "EX-1", Plan(format="raw"))  # the same source by another name
    assert actions(case)[-2:] == ["acquire-resumed", "acquire-finished"]
    assert [check for check in case.verify() if not check.ok] == []


def test_an_acquisition_killed_between_its_rename_and_its_rows_is_taken_up(case, disc, monkeypatch):
    """The exhibit is whole, the case has not heard: its own record is read, and nothing again."""

    def killed(*arguments, **words):
        real_acquire(*arguments, **words)
        raise Interrupted

    monkeypatch.setattr(acquiring, "acquire", killed)
    with pytest.raises(Interrupted):
        case.acquire(disc, "EX-1", Plan(format="e01"))
    monkeypatch.undo()
    assert query.acquisitions(case, 1)[0]["state"] == "running"
    monkeypatch.setattr(acquiring, "acquire", None)  # must not be called
    made = case.acquire(disc, "EX-1", Plan(format="e01"))
    assert made.digests["sha256"] == hashlib.sha256(disc.read_bytes()).hexdigest()
    assert query.acquisitions(case, 1)[0]["state"] == "complete"
    assert [check for check in case.verify() if not check.ok] == []


def test_a_record_that_cannot_be_read_is_not_guessed_at(case, disc, monkeypatch):
    def killed(*arguments, **words):
        real_acquire(*arguments, **words)
        raise Interrupted

    monkeypatch.setattr(acquiring, "acquire", killed)
    with pytest.raises(Interrupted):
        case.acquire(disc, "EX-1", Plan(format="raw"))
    monkeypatch.undo()
    record = case.folder.root / "evidence" / "EX-1" / "EX-1.json"
    record.chmod(0o644)
    record.write_text('{"digests": ')
    with pytest.raises(CaseError, match="record of the exhibit 'EX-1' cannot be read"):
        case.acquire(disc, "EX-1", Plan(format="raw"))


def test_a_full_disk_for_the_database_is_said_and_the_same_command_goes_on(case, disc, monkeypatch):
    """The exhibit was read; its rows find no room. Nothing is lost, nothing is read again."""
    plan = Plan(format="raw")
    case.database.execute(f"PRAGMA max_page_count = {case.database.value('PRAGMA page_count')}")
    labels = iter(f"EX-{number}" for number in range(50))
    label = next(labels)
    try:
        while True:  # until no page is left for the rows of another
            case.acquire(disc, label, plan)
            label = next(labels)
    except DiskFullError as error:
        sentence = str(error)
    assert "same command again" in sentence
    case.database.execute("PRAGMA max_page_count = 1000000")
    case.acquire(disc, label, plan)
    case.analyze()
    assert len(query.evidence(case)) == int(label[3:]) + 1
    assert [check for check in case.verify() if not check.ok] == []


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_really_full_disk_is_said_and_the_same_commands_go_on(tmp_path, disc):
    """Of 3 MiB, and full: acquire and analyze stop with a sentence, and go on when there is room."""
    mount = tmp_path / "small"
    mount.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", mount], check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with Case.create(mount / "case", number="1", examiner="E") as case:
            filler = mount / "filler"
            for keep, act in (
                (150_000, lambda: case.acquire(disc, "E", Plan(format="raw"))),
                (8_000, case.analyze),
            ):
                with filler.open("wb") as file:
                    free = os.statvfs(mount).f_bavail * os.statvfs(mount).f_bsize
                    file.write(bytes(free - keep))
                with pytest.raises(DestinationError) as caught:
                    act()
                assert isinstance(caught.value, DiskFullError) or "space" in str(caught.value).lower()
                filler.unlink()
                act()
            assert [check for check in case.verify() if not check.ok] == []
            assert query.chain(case)["ok"]
    finally:
        subprocess.run(["umount", mount], check=True)


# Analyzing


def test_an_analysis_says_what_it_recorded(case, disc, disc_files):
    case.acquire(disc, "EX-1", Plan(format="raw"))
    (made,) = case.analyze()
    assert made.label == "EX-1"
    assert (made.volumes, made.entries, made.anomalies, made.already) == (
        2,
        2 * (len(disc_files) + 3),
        0,
        False,
    )
    assert (made.digested, made.content_unread) == (2 * len(disc_files), 0)
    assert made.sectors_owned + made.sectors_unowned == disc.stat().st_size // 2048
    (row,) = query.analyses(case, 1)
    assert (row["state"], row["entries"], row["sectors_owned"]) == (
        "complete",
        made.entries,
        made.sectors_owned,
    )
    assert row["started"] < row["ended"]
    assert len(row["content_sha256"]) == 64


def test_a_complete_analysis_is_left_alone(case, disc):
    case.acquire(disc, "EX-1", Plan(format="raw"))
    (first,) = case.analyze()
    log = actions(case)
    (second,) = case.analyze()
    assert second == first._replace(already=True)
    assert actions(case) == log


def test_examining_again_replaces_the_rows_in_one_step_and_keeps_the_history(case, disc):
    case.acquire(disc, "EX-1", Plan(format="raw"))
    case.acquire(disc, "EX-2", Plan(format="raw"))
    case.analyze()
    (made,) = case.analyze("EX-1", again=True)
    assert not made.already
    assert [(row["state"], row["id"]) for row in query.analyses(case, 1)] == [
        ("replaced", 1),
        ("complete", 3),
    ]
    assert [row["state"] for row in query.analyses(case, 2)] == ["complete"]
    assert case.database.value("SELECT count(*) FROM entries") == 2 * made.entries
    assert (
        case.database.value("SELECT count(*) FROM extents WHERE entry_id NOT IN (SELECT id FROM entries)")
        == 0
    )
    assert len(list(query.search(case, "file003"))) == 4
    case.database.execute("INSERT INTO entries_fts (entries_fts) VALUES ('integrity-check')")
    assert [
        event["detail"]["again"] for event in query.custody(case) if event["action"] == "analyze-started"
    ] == [
        False,
        False,
        True,
    ]
    assert [check for check in case.verify() if not check.ok] == []


def test_a_second_examination_that_fails_leaves_the_first(case, disc, monkeypatch):
    """The rows are replaced in the walk's transaction: until it ends, the old ones are there and proven."""
    case.acquire(disc, "EX-1", Plan(format="raw"))
    (first,) = case.analyze()

    def broken(image):
        yield from ()
        raise SourceError("The container cannot be read")

    monkeypatch.setattr(analyzing, "examine", broken)
    with pytest.raises(SourceError):
        case.analyze(again=True)
    monkeypatch.undo()
    assert case.database.value("SELECT count(*) FROM entries") == first.entries
    assert [check for check in case.verify() if not check.ok] == []
    assert [check.message for check in case.verify() if check.severity == "note"] == [
        "Its analysis is not finished: what it recorded is not covered by the log yet"
    ]
    (second,) = case.analyze()
    assert second == first
    assert actions(case).count("analyze-resumed") == 1


def test_only_what_is_asked_for_is_analyzed(case, disc):
    for label in ("EX-1", "EX-2"):
        case.acquire(disc, label, Plan(format="raw"))
    assert [made.label for made in case.analyze("ex-2")] == ["EX-2"]
    assert query.analyses(case, 1) == []
    assert [made.label for made in case.analyze()] == ["EX-1", "EX-2"]


def test_there_must_be_something_to_analyze(case, disc):
    with pytest.raises(CaseError, match="no evidence yet"):
        case.analyze()
    case.acquire(disc, "EX-1", Plan(format="raw"))
    with pytest.raises(CaseError, match=r"No exhibit 'EX-9'.*Its exhibits: EX-1"):
        case.analyze("EX-9")
    with pytest.raises(CaseError, match="No exhibit"):
        case.verify("EX-9")


def test_a_container_that_is_gone_is_said(case, disc):
    case.acquire(disc, "EX-1", Plan(format="e01"))
    (case.folder.root / "evidence" / "EX-1" / "EX-1.E01").unlink()
    with pytest.raises((SourceError, ContainerError)):
        case.analyze()
    assert actions(case)[-2:] == ["analyze-started", "analyze-stopped"]


def _interrupt(recorder: object, image: object) -> None:
    raise KeyboardInterrupt


def test_an_analysis_by_another_version_starts_its_walk_anew(case, disc, monkeypatch):
    """A walk by one version and digests by another would be nobody's result."""
    case.acquire(disc, "EX-1", Plan(format="raw"))
    monkeypatch.setattr(analyzing.ContentRecorder, "run", _interrupt)
    with pytest.raises(KeyboardInterrupt):
        case.analyze()
    monkeypatch.undo()
    assert query.analyses(case, 1)[0]["entries"] is not None
    monkeypatch.setattr(analyzing, "tool_version", lambda: "99.0")
    case.analyze()
    assert [(row["state"], row["tool_version"]) for row in query.analyses(case, 1)] == [("complete", "99.0")]
    assert [check for check in case.verify() if not check.ok] == []


# The rest


def test_a_report_that_was_written_is_in_the_log(case):
    path = case.folder.reports / "report.html"
    path.write_bytes(b"<html>")
    case.report_written(path, "html")
    event = list(query.custody(case))[-1]
    assert (event["action"], event["detail"]) == (
        "report-written",
        {
            "path": "reports/report.html",
            "format": "html",
            "size_bytes": 6,
            "sha256": hashlib.sha256(b"<html>").hexdigest(),
        },
    )
    with pytest.raises(SourceError):
        case.report_written(path.with_name("other"), "html")


def test_a_disk_that_fails_while_a_case_is_made_leaves_nothing(tmp_path, monkeypatch):
    def full(self, version):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        with self._errors():
            raise error

    monkeypatch.setattr("casefiles.database.Database.migrate", full)
    with pytest.raises(DiskFullError):
        Case.create(tmp_path / "case", number="1", examiner="E")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    Case.create(tmp_path / "case", number="1", examiner="E").close()


def test_closing_twice_does_nothing(case):
    case.close()
    case.close()
    Case.open(case.folder.root).close()

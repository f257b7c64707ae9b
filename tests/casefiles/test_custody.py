"""The custody log: its form, its two copies, and that no edit of either goes unnoticed."""

import contextlib
import hashlib
import json
import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acquire.errors import CaseError, DiskFullError
from casefiles import custody as custody_module
from casefiles import query
from casefiles.case import Case
from casefiles.custody import CustodyLog, check_chain, check_mirror

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "custody.md"
COLUMNS = ("id", "at", "actor", "action", "detail", "previous_sha256", "sha256")


def program(name: str, folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run a program as it stands in the document, by a Python that knows nothing of this project."""
    text = next(
        t for t in re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL) if f"# {name}\n" in t
    )
    path = tmp_path / name
    path.write_text(text)
    return subprocess.run(
        [sys.executable, "-I", "-S", path, folder], capture_output=True, text=True, check=False, cwd=tmp_path
    )


def events(folder: Path) -> list[dict]:
    """The events as SQLite gives them."""
    connection = sqlite3.connect(folder / "case.db")
    rows = connection.execute("SELECT * FROM custody ORDER BY id").fetchall()
    connection.close()
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def test_the_log_of_a_case_tells_its_story(finished_case):
    assert [event["action"] for event in events(finished_case)] == [
        "case-created",
        "acquire-started",
        "acquire-finished",
        "acquire-started",
        "acquire-finished",
        "analyze-started",
        "analyze-finished",
        "analyze-started",
        "analyze-finished",
    ]
    for event in events(finished_case):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", event["at"])
        assert event["actor"] == "tester@bench"
        made = datetime.fromisoformat(event["at"])
        assert timedelta(0) <= datetime.now(UTC) - made < timedelta(hours=2)


def test_every_event_is_hashed_as_the_document_says(finished_case):
    """Computed here from the words of the document, not by the program's own functions."""
    previous = "0" * 64
    for number, event in enumerate(events(finished_case), 1):
        assert event["id"] == number
        assert event["previous_sha256"] == previous
        words = {name: json.dumps(event[name]) for name in ("action", "actor", "at", "previous_sha256")}
        words |= {"detail": event["detail"], "id": str(number)}
        rest = "{" + ",".join(f'"{name}":{words[name]}' for name in sorted(words)) + "}"
        previous = hashlib.sha256(rest.encode()).hexdigest()
        assert event["sha256"] == previous


def test_every_action_is_documented(finished_case):
    text = DOCUMENT.read_text()
    for event in events(finished_case):
        assert f"`{event['action']}`" in text


def test_who_acts_is_the_account_unless_a_name_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "carla")
    monkeypatch.setattr("socket.gethostname", lambda: "lab3")
    with Case.create(tmp_path / "case", number="1", examiner="E") as case:
        case.record("seen", {})
    with Case.open(tmp_path / "case", actor="B. Boss") as case:
        case.record("seen", {})
        assert [event["actor"] for event in query.custody(case)] == ["carla@lab3", "carla@lab3", "B. Boss"]


def test_an_account_without_a_name_is_told_by_its_number(tmp_path, monkeypatch):
    def nobody():
        raise OSError("No username set in the environment")

    monkeypatch.setattr("getpass.getuser", nobody)
    with Case.create(tmp_path / "case", number="1", examiner="E") as case:
        assert re.match(r"uid\d+@", next(query.custody(case))["actor"])


def test_hostile_words_are_recorded_and_the_chain_holds(tmp_path):
    words = 'a\ud800b\x1b[31m\u202e\n\0</script>"\\é\U0001f4bf\u2028\x85'
    with Case.create(tmp_path / "case", number=words, examiner=words, notes=words, actor=words) as case:
        case.record("said", {"words": [words, {"deep": words}], "number": -(2**70), "truth": True})
        assert query.chain(case)["ok"]
        last = list(query.custody(case))[-1]
        assert last["detail"]["words"][0] == words.replace("\ud800", "\\ud800")
        assert last["detail"]["number"] == -(2**70)
        assert [check for check in case.verify() if not check.ok] == []
    assert program("check_log.py", tmp_path / "case", tmp_path).returncode == 0


def test_fractions_have_no_canonical_form_and_are_refused(case_folder):
    with Case.open(case_folder) as case:
        before = query.chain(case)["events"]
        with pytest.raises(TypeError):
            case.record("measured", {"seconds": 1.5})
        assert query.chain(case)["events"] == before


# The programs of the document


def test_the_documents_programs_agree_with_verify(case_folder, tmp_path):
    with Case.open(case_folder) as case:
        assert [check for check in case.verify() if not check.ok] == []
        chain = query.chain(case)
    done = program("check_log.py", case_folder, tmp_path)
    assert done.stdout == f"{chain['events']} events, head {chain['head_sha256']}\n", done.stderr
    done = program("check_rows.py", case_folder, tmp_path)
    assert done.stdout == "4 acts, as recorded\n", done.stderr


@pytest.mark.parametrize(
    ("sql", "table"),
    [
        ("UPDATE entries SET modified = '1999-01-01T00:00:00' WHERE id = 7", "entries"),
        ("UPDATE extents SET start_lba = start_lba + 1 WHERE entry_id = 9", "extents"),
        ("DELETE FROM sessions WHERE evidence_id = 2", "sessions"),
        (
            "UPDATE acquisitions SET sectors_unread = 0, md5 = 'd41d8cd98f00b204' WHERE id = 1",
            "acquisitions",
        ),
        ("UPDATE blocks SET sha256 = 'x' WHERE acquisition_id = 2 AND offset_bytes = 0", "blocks"),
        ("UPDATE evidence SET description = 'another disc' WHERE id = 2", "evidence"),
        ("UPDATE seals SET rows = 0 WHERE id = 1", "seals"),
    ],
)
def test_the_documents_second_program_finds_a_changed_row(case_folder, tamper, tmp_path, sql, table):
    tamper(sql)
    done = program("check_rows.py", case_folder, tmp_path)
    assert done.returncode == 1
    assert table in done.stdout


# Edits of the database's copy


def first_bad(folder: Path, tmp_path: Path) -> int:
    """The event that verify names; the document's program must name the same, and `chain` too."""
    with Case.open(folder, write=False) as case:
        checks = [check for check in case.verify() if not check.ok and check.subject == "custody log"]
        assert len(checks) == 1, checks
        named = int(re.match(r"custody, id (\d+)$", checks[0].where)[1])
        chain = query.chain(case)
        assert not chain["ok"]
        assert f"Event {named} " in chain["message"]
    done = program("check_log.py", folder, tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"event {named} is the first bad link\n", done.stderr
    return named


@pytest.mark.parametrize("number", [1, 5, 9])
@pytest.mark.parametrize(
    "edit",
    [
        ("at", "'2001-01-01T00:00:00.000000+00:00'"),
        ("at", "at || ' '"),
        ("actor", "'somebody@else'"),
        ("action", "'case-closed'"),
        ("detail", "'{}'"),
        ("detail", "detail || ' '"),
        ("detail", "'not JSON'"),
        ("detail", "'[1]'"),
        ("detail", "NULL"),
        ("detail", "CAST(detail AS BLOB)"),
        ("detail", "replace(detail, ':', ': ')"),
        ("detail", "'{\"a\":1.50}'"),
        ("previous_sha256", "'g' || substr(previous_sha256, 2)"),
        ("previous_sha256", "upper(previous_sha256) || 'A'"),
        ("sha256", "'0000000000000000000000000000000000000000000000000000000000000000'"),
        ("sha256", "upper(sha256) || ''"),
        ("sha256", "NULL"),
        ("actor", "7"),
    ],
)
def test_an_edit_of_any_column_of_any_event_is_named(case_folder, tamper, tmp_path, number, edit):
    """First, middle and last event; the first bad link is that event."""
    column, value = edit
    tamper(f"UPDATE custody SET {column} = {value} WHERE id = ?", number)
    assert first_bad(case_folder, tmp_path) == number


@pytest.mark.parametrize("number", [1, 2, 5, 8])
def test_a_removed_event_is_named(case_folder, tamper, tmp_path, number):
    tamper("DELETE FROM custody WHERE id = ?", number)
    assert first_bad(case_folder, tmp_path) == number


@pytest.mark.parametrize("number", [1, 5])
def test_a_removed_event_is_named_though_the_rest_is_renumbered(case_folder, tamper, tmp_path, number):
    tamper("DELETE FROM custody WHERE id = ?", number)
    for later in range(number + 1, 10):
        tamper("UPDATE custody SET id = id - 1 WHERE id = ?", later)
    assert first_bad(case_folder, tmp_path) == number


def test_the_removal_of_the_last_event_is_seen_in_the_second_copy(case_folder, tamper, tmp_path, differences):
    """The chain that is left is whole: only the copy, and what the event sealed, still tell."""
    tamper("DELETE FROM custody WHERE id = 9")
    found = {(check.subject, check.where) for check in differences()}
    assert ("custody log, second copy", "log/custody.jsonl, line 9") in found
    assert any("analyses" in where for _, where in found)
    done = program("check_log.py", case_folder, tmp_path)
    assert done.stderr == "event 9 is the first bad link\n"


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 7), (8, 9)])
def test_two_events_in_each_others_place_are_named(case_folder, tamper, tmp_path, one, other):
    for sql in ("UPDATE custody SET id = 1000 WHERE id = ?", "UPDATE custody SET id = ? WHERE id = ?"):
        tamper(sql, *((one,) if sql.count("?") == 1 else (one, other)))
    tamper("UPDATE custody SET id = ? WHERE id = 1000", other)
    assert first_bad(case_folder, tmp_path) == one


def test_an_event_put_in_at_the_end_without_its_copy_is_seen(case_folder, tamper, differences):
    """Even one that continues the chain perfectly: the second copy does not have it."""
    last = events(case_folder)[-1]
    rest = {
        "id": 10,
        "at": last["at"],
        "actor": "x",
        "action": "y",
        "detail": {},
        "previous_sha256": last["sha256"],
    }
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    tamper("INSERT INTO custody VALUES (10, ?, 'x', 'y', '{}', ?, ?)", last["at"], last["sha256"], digest)
    assert [check.subject for check in differences()] == ["custody log, second copy"]


def test_an_emptied_log_is_named(case_folder, tamper, tmp_path):
    tamper("DELETE FROM custody")
    assert first_bad(case_folder, tmp_path) == 1


def test_a_log_that_was_wholly_rewritten_is_seen_in_the_second_copy(case_folder, tamper, differences):
    """Somebody recomputes every digest from event 3 on: the chain is whole, the copy disagrees from there."""
    previous = None
    for event in events(case_folder):
        if event["id"] == 3:
            event["actor"] = "nobody@nowhere"
        if previous is not None and event["id"] > 3:
            event["previous_sha256"] = previous
        rest = {k: v for k, v in event.items() if k != "sha256"} | {"detail": json.loads(event["detail"])}
        text = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        previous = hashlib.sha256(text.encode()).hexdigest()
        tamper(
            "UPDATE custody SET actor = ?, previous_sha256 = ?, sha256 = ? WHERE id = ?",
            event["actor"],
            event["previous_sha256"],
            previous,
            event["id"],
        )
    found = differences()
    assert [(check.subject, check.where) for check in found] == [
        ("custody log, second copy", "log/custody.jsonl, line 3")
    ]
    assert "nobody@nowhere" in found[0].expected
    assert "tester@bench" in found[0].seen


def test_the_database_refuses_what_does_not_continue_the_log(case_folder):
    """Accidents by other programs: UPDATE, DELETE, INSERT and REPLACE fail with a sentence."""
    connection = sqlite3.connect(case_folder / "case.db", isolation_level=None)
    zeros = "0" * 64
    for sql in (
        "UPDATE custody SET actor = 'x'",
        "UPDATE custody SET id = 77 WHERE id = 9",
        "DELETE FROM custody WHERE id = 9",
        f"INSERT INTO custody VALUES (11, 'a', 'b', 'c', '{{}}', '{zeros}', '{zeros}')",
        f"INSERT INTO custody VALUES (10, 'a', 'b', 'c', '{{}}', '{zeros}', '{zeros}')",
        f"INSERT OR REPLACE INTO custody VALUES (9, 'a', 'b', 'c', '{{}}', '{zeros}', '{zeros}')",
        f"INSERT INTO custody (at) VALUES ('{zeros}')",
    ):
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|continues the log"):
            connection.execute(sql)
    connection.close()
    assert len(events(case_folder)) == 9


def test_a_chain_that_cannot_be_continued_is_said_in_a_sentence(case_folder, tamper):
    tamper("UPDATE custody SET sha256 = x'00' WHERE id = 9")
    with Case.open(case_folder) as case:
        with pytest.raises(CaseError, match="verify"):
            case.record("seen", {})
        found = [check.message for check in case.verify() if not check.ok]  # says it, and all else
    assert found[0].startswith("Event 9 was changed")
    assert found[-1].startswith("This verification could not be recorded")


def test_a_clock_that_went_back_is_noted(case_folder, monkeypatch):
    monkeypatch.setattr(custody_module, "utc_now", lambda: "1999-01-01T00:00:00.000000+00:00")
    with Case.open(case_folder) as case:
        log = CustodyLog(case.database, case.folder.custody, clock=custody_module.utc_now)
        log.catch_up()
        with log.transaction():
            log.add("seen", {})
    with Case.open(case_folder, write=False) as case:
        notes = [check for check in case.verify() if check.severity == "note" and check.where]
        assert [(note.subject, note.where) for note in notes] == [("custody log", "custody, id 10")]
        assert query.chain(case)["ok"]


# Edits of the second copy


@pytest.mark.parametrize("line", [0, 4, 8])
@pytest.mark.parametrize("change", ["edit", "delete", "double", "space", "reorder"])
def test_an_edit_of_any_line_of_the_copy_is_named(case_folder, tmp_path, differences, line, change):
    path = case_folder / "log" / "custody.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1]
    assert len(lines) == 9
    first = line
    if change == "edit":
        lines[line] = lines[line].replace(b"tester", b"TESTER")
    elif change == "delete":
        del lines[line]
    elif change == "double":
        lines.insert(line, lines[line])
        first += 1
    elif change == "space":
        lines[line] += b" "
    else:
        first = min(line, 7)
        lines[first], lines[first + 1] = lines[first + 1], lines[first]
    path.write_bytes(b"\n".join(lines) + b"\n")
    found = differences()
    assert [(check.subject, check.where) for check in found] == [
        ("custody log, second copy", f"log/custody.jsonl, line {first + 1}")
    ]
    done = program("check_log.py", case_folder, tmp_path)
    assert done.stderr == f"event {first + 1} is the first bad link\n"


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", b"{}\n", None, b"\x00" * 100_000])
def test_a_copy_that_is_something_else_is_seen(case_folder, differences, content):
    path = case_folder / "log" / "custody.jsonl"
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert [(check.subject, check.where) for check in differences()] == [
        ("custody log, second copy", "log/custody.jsonl, line 1")
    ]


@pytest.mark.parametrize("kind", ["folder", "link"])
def test_a_copy_that_is_no_file_is_seen(case_folder, differences, kind):
    path = case_folder / "log" / "custody.jsonl"
    path.unlink()
    path.mkdir() if kind == "folder" else path.symlink_to("nowhere")
    assert "custody log, second copy" in {check.subject for check in differences()}


def test_more_lines_than_events_are_seen_and_never_overwritten(case_folder, tamper, differences):
    """Rows deleted from the database: later events are appended after the lines that tell of it."""
    lines = (case_folder / "log" / "custody.jsonl").read_bytes()
    for number in (9, 8):
        tamper("DELETE FROM custody WHERE id = ?", number)
    with Case.open(case_folder) as case:
        case.record("seen", {})
        bad = [check for check in case.verify() if check.subject == "custody log, second copy"]
        assert [(check.ok, check.where) for check in bad] == [(False, "log/custody.jsonl, line 8")]
    after = (case_folder / "log" / "custody.jsonl").read_bytes()
    assert after.startswith(lines)
    assert after[len(lines) :].count(b"\n") == 2
    assert any(check.where == "log/custody.jsonl, line 8" for check in differences())


# Between the two copies


@pytest.mark.parametrize("lost", [1, 60, "line", "torn", "file"])
def test_a_copy_cut_short_is_completed_by_the_next_writer_and_that_is_told_for_ever(case_folder, lost):
    """What a crash between the two writes leaves; the verification that finds it does not call it well."""
    path = case_folder / "log" / "custody.jsonl"
    whole = path.read_bytes()
    last = whole.rindex(b"\n", 0, -1) + 1
    if lost == "file":
        path.unlink()
    else:
        cut = {"line": last, "torn": last + 5}.get(lost) or len(whole) - lost
        path.write_bytes(whole[:cut])
    with Case.open(case_folder) as case:
        made = list(query.custody(case))
        assert made[-1]["action"] == "mirror-completed"
        first, lacked = (1, 9) if lost == "file" else (9, 1)
        assert made[-1]["detail"] == {"first_id": first, "lacked_events": lacked}
        assert path.read_bytes().startswith(whole)
        found = [check for check in case.verify() if check.subject == "custody log, second copy"]
        assert [check.severity for check in found] == ["note", "differs", "ok"]
    with Case.open(case_folder) as case:
        found = [check for check in case.verify() if check.subject == "custody log, second copy"]
        assert [check.severity for check in found] == ["note", "ok"]
        assert "completed" in found[0].message


def test_a_reader_completes_nothing(case_folder, differences):
    path = case_folder / "log" / "custody.jsonl"
    cut = path.read_bytes()[:-30]
    path.write_bytes(cut)
    assert [check.subject for check in differences()] == ["custody log, second copy"]
    assert path.read_bytes() == cut


def test_a_disk_that_is_full_for_the_copy_leaves_it_as_it_was(case_folder, monkeypatch):
    """The event is in the database; the copy keeps whole lines, and the next opening completes it."""
    path = case_folder / "log" / "custody.jsonl"
    with Case.open(case_folder) as case:
        before = path.read_bytes()

        def full(handle):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(DiskFullError):
            case.record("seen", {})
        monkeypatch.undo()
        assert path.read_bytes() == before
        case.record("seen again", {})  # the same process completes it, too
        assert [json.loads(line)["action"] for line in path.read_bytes().splitlines()][-2:] == [
            "seen",
            "seen again",
        ]
        assert query.chain(case)["ok"]


def test_a_transaction_that_fails_leaves_no_event_in_either_copy(case_folder):
    path = case_folder / "log" / "custody.jsonl"
    before = path.read_bytes()
    with Case.open(case_folder) as case:
        log = case._store.log
        with contextlib.suppress(ZeroDivisionError), log.transaction():
            log.add("half", {})
            raise ZeroDivisionError
        assert path.read_bytes() == before
        assert check_chain(case.database).events == 9
        assert check_mirror(case.database, path).kind == "same"

"""The whole path, verb by verb and in one command, on real images; judged by other programs."""

import hashlib
import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.tools


def sha256(path):
    """The digest of a file, by hashlib."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def rows(case, sql):
    """Rows of the case database, read as any other program would."""
    with sqlite3.connect(f"file:{case}/case.db?mode=ro", uri=True) as database:
        found = database.execute(sql).fetchall()
    database.close()
    return found


def test_new_makes_a_case(jewelcase, tmp_path):
    """The folders and the database that case-folder.md promises; every word of the call is in it."""
    case = tmp_path / "case"
    done = jewelcase(
        *("new", case, "--number", "2026-014", "--examiner", "Ä. Examiner", "--agency", "Lab"),
        *("--authority", "warrant 7", "--notes", "two\nlines"),
    )
    assert done.code == 0
    assert done.err == ""
    assert done.out == f"Case 2026-014 made in {case}\n"
    for name in ("evidence", "reports", "exports", "log"):
        assert (case / name).is_dir()
    found = rows(case, "SELECT number, examiner, agency, authority, notes FROM cases")
    assert found == [("2026-014", "Ä. Examiner", "Lab", "warrant 7", "two\nlines")]


def test_new_in_an_empty_folder_and_as_json(jewelcase, tmp_path):
    """An empty folder will do; --json gives the folder and the number."""
    case = tmp_path / "case"
    case.mkdir()
    done = jewelcase("new", case, "--number", "7", "--examiner", "E", "--json")
    assert done.code == 0
    assert json.loads(done.out) == {"case": str(case), "number": "7"}


def test_verb_by_verb(jewelcase, case, iso, tree, tool):
    """Acquire, analyze, verify, report: digests by hashlib, entries by the source, container by ewfverify."""
    done = jewelcase(
        "acquire", iso, "--case", case, "--evidence", "DISC-1", "--description", "a disc", "--json"
    )
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made["evidence"] == "DISC-1"
    assert made["format"] == "e01"
    assert made["digests"]["sha256"] == sha256(iso)
    assert made["digests"]["md5"] == hashlib.md5(iso.read_bytes()).hexdigest()
    assert made["sectors_read"] == made["sector_count"] == iso.stat().st_size // 2048
    assert made["sectors_unread"] == made["sectors_filled"] == 0
    assert made["verified"] is True
    container = case / "evidence" / "DISC-1" / "DISC-1.E01"
    checked = subprocess.run(
        [tool("ewfverify"), "-q", container], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr

    done = jewelcase("analyze", "--case", case, "--json")
    assert done.code == 0, done.err
    (summary,) = json.loads(done.out)
    files = [path for path in tree.rglob("*") if path.is_file() and not path.is_symlink()]
    assert summary["label"] == "DISC-1"
    assert summary["volumes"] == 2
    assert summary["digested"] == 2 * len(files) + 1  # Joliet lists the link as an empty file, isoinfo says
    recorded = dict(rows(case, "SELECT path, sha256 FROM entries WHERE volume_id = 1 AND kind = 'file'"))
    assert recorded == {f"/{path.relative_to(tree)}": sha256(path) for path in files}

    done = jewelcase("verify", "--case", case)
    assert done.code == 0, done.out
    assert re.search(r"^\d+ checks, 0 differ$", done.out, re.MULTILINE)

    done = jewelcase("report", "--case", case)
    assert done.code == 0, done.err
    report = done.out.removesuffix("\n")
    assert report.startswith(f"{case}/reports/report-")
    text = Path(report).read_text(encoding="utf-8")
    assert "<html" in text
    assert "Größe.txt" in text
    assert sha256(iso) in text
    (event,) = rows(case, "SELECT detail FROM custody WHERE action LIKE 'report%'")
    assert hashlib.sha256(text.encode()).hexdigest() in event[0]


def test_a_second_report_does_not_replace_the_first(jewelcase, case, iso):
    """Each report has a name of its own, within the same second too; --json gives it."""
    assert jewelcase("acquire", iso, "--case", case, "--evidence", "D", "--format", "raw").code == 0
    paths = {json.loads(jewelcase("report", "--case", case, "--json").out)["report"] for _ in range(3)}
    assert len(paths) == 3
    assert len(list((case / "reports").iterdir())) == 3


def test_raw_with_other_digests(jewelcase, case, iso):
    """--format raw is the image itself; --digest replaces the default set; --no-verify is told as such."""
    done = jewelcase(
        *("acquire", iso, "--case", case, "--evidence", "RAW", "--format", "raw"),
        *("--digest", "sha512", "--digest", "blake2b", "--no-verify"),
    )
    assert done.code == 0, done.err
    assert (case / "evidence" / "RAW" / "RAW.iso").read_bytes() == iso.read_bytes()
    data = iso.read_bytes()
    assert re.search(rf"^sha512 +{hashlib.sha512(data).hexdigest()}$", done.out, re.MULTILINE)
    assert re.search(rf"^blake2b +{hashlib.blake2b(data).hexdigest()}$", done.out, re.MULTILINE)
    assert "md5" not in done.out
    assert re.search(r"^verified +no\. .*not asked", done.out, re.MULTILINE)


def test_segments_and_compression(jewelcase, case, tmp_path):
    """--segment-size cuts the E01 into files no larger than that; --compression none stores it whole."""
    source = tmp_path / "random.iso"
    source.write_bytes(b"".join(hashlib.sha512(b"%d" % n).digest() for n in range(3 << 14)))
    done = jewelcase(
        *(
            "acquire",
            source,
            "--case",
            case,
            "--evidence",
            "S",
            "--compression",
            "none",
            "--segment-size",
            "1MiB",
        )
    )
    assert done.code == 0, done.err
    segments = sorted((case / "evidence" / "S").glob("S.E*"))
    assert [path.suffix for path in segments][:3] == [".E01", ".E02", ".E03"]
    assert all(path.stat().st_size <= 1 << 20 for path in segments)


def test_analyze_one_or_all(jewelcase, case, iso, hostile_iso):
    """A label means that exhibit; none means all; what is done stays done; --again does it anew."""
    for label, image in (("A", iso), ("B", hostile_iso)):
        assert jewelcase("acquire", image, "--case", case, "--evidence", label).code == 0
    (one,) = json.loads(jewelcase("analyze", "--case", case, "B", "--json").out)
    assert (one["label"], one["already"]) == ("B", False)
    both = json.loads(jewelcase("analyze", "--case", case, "--json").out)
    assert [(each["label"], each["already"]) for each in both] == [("A", False), ("B", True)]
    again = json.loads(jewelcase("analyze", "--case", case, "A", "--again", "--json").out)
    assert [(each["label"], each["already"]) for each in again] == [("A", False)]
    assert again[0] | {"already": False} == both[0]
    assert jewelcase("analyze", "--case", case).out.count("examined before") == 2


def test_verify_names_what_differs_first(jewelcase, case, iso):
    """One changed byte in the container: exit code 1, the first line names the file, JSON says where."""
    assert jewelcase("acquire", iso, "--case", case, "--evidence", "D", "--format", "raw").code == 0
    container = case / "evidence" / "D" / "D.iso"
    container.chmod(0o644)
    with container.open("r+b") as file:
        file.seek(300_000)
        byte = file.read(1)[0]
        file.seek(300_000)
        file.write(bytes([byte ^ 1]))
    done = jewelcase("verify", "--case", case)
    assert done.code == 1
    assert done.out.splitlines()[0].startswith("differs")
    assert "D.iso" in done.out.splitlines()[0]
    checks = json.loads(jewelcase("verify", "--case", case, "D", "--json").out)
    order = [check["ok"] for check in checks]
    assert order == sorted(order)
    assert checks[0]["severity"] == "differs"


def test_verify_of_a_case_that_cannot_be_written(jewelcase, case, iso, tmp_path):
    """On a read-only medium (here: as a user who may only read) it checks all the same, and says so."""
    assert jewelcase("acquire", iso, "--case", case, "--evidence", "D").code == 0
    before = rows(case, "SELECT count(*) FROM custody")
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    if subprocess.run(["mount", "-o", "bind", case, mounted], capture_output=True, check=False).returncode:
        pytest.skip("no bind mount here: not root")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", mounted], capture_output=True, check=True)
        done = jewelcase("verify", "--case", mounted)
        assert done.code == 0, done.out + done.err
        assert done.err == "The case cannot be written: this verification is not in its custody log\n"
        refused = jewelcase("acquire", iso, "--case", mounted, "--evidence", "E")
        assert refused.code == 2
        assert "Traceback" not in refused.err
        assert len(refused.err.splitlines()) == 1
    finally:
        subprocess.run(["umount", mounted], check=True)
    assert rows(case, "SELECT count(*) FROM custody") == before


def test_run_is_the_same_in_one_command(jewelcase, tmp_path, iso):
    """The JSON has each step's result; the report is there; the case verifies."""
    case = tmp_path / "case"
    words = ("run", iso, case, "--number", "9", "--examiner", "E", "--evidence", "DISC-1", "--agency", "Lab")
    done = jewelcase(*words, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert set(told) == {"case", "evidence", "acquisition", "analyses", "checks", "report"}
    assert told["acquisition"]["digests"]["sha256"] == sha256(iso)
    assert told["analyses"][0]["entries"] > 0
    assert all(check["ok"] for check in told["checks"])
    assert (case / "reports").joinpath(told["report"].rsplit("/", 1)[1]).is_file()
    assert rows(case, "SELECT agency FROM cases") == [("Lab",)]
    assert jewelcase("verify", "--case", case).code == 0

    again = jewelcase(*words)
    assert again.code == 0, again.err
    assert "Going on with case 9" in again.err
    assert "Skipped: DISC-1 is acquired already" in again.err
    assert "Skipped: DISC-1 is examined already" in again.err
    assert len(list((case / "reports").iterdir())) == 2

    other = jewelcase("run", iso, case, "--number", "9", "--examiner", "E", "--evidence", "DISC-2")
    assert other.code == 0, other.err
    assert [label for (label,) in rows(case, "SELECT label FROM evidence ORDER BY id")] == [
        "DISC-1",
        "DISC-2",
    ]


def test_run_refuses_what_does_not_belong_together(jewelcase, tmp_path, iso, hostile_iso):
    """Another number in that folder, another source under that label: one sentence, nothing changed."""
    case = tmp_path / "case"
    words = ("--examiner", "E", "--evidence", "D")
    assert jewelcase("run", iso, case, "--number", "1", *words).code == 0
    events = rows(case, "SELECT count(*) FROM custody")
    done = jewelcase("run", iso, case, "--number", "2", *words)
    assert done.code == 2
    assert "The case in this folder is '1', not '2'" in done.sentence()
    done = jewelcase("run", iso, case, "--number", "1", "--examiner", "F", "--evidence", "OTHER")
    assert done.code == 2
    assert "The examiner of the case in this folder is 'E', not 'F'" in done.sentence()
    done = jewelcase("run", hostile_iso, case, "--number", "1", *words)
    assert done.code == 2
    assert f"The exhibit 'D' of this case is acquired already, from {iso}" in done.err.splitlines()[-1]
    assert rows(case, "SELECT count(*) FROM custody") == events


def test_run_goes_on_when_the_source_is_gone(jewelcase, tmp_path, iso):
    """What is acquired needs its source no more."""
    source = tmp_path / "disc.iso"
    source.write_bytes(iso.read_bytes())
    case = tmp_path / "case"
    words = ("run", source, case, "--number", "1", "--examiner", "E", "--evidence", "D")
    assert jewelcase(*words).code == 0
    source.unlink()
    assert jewelcase(*words).code == 0


def test_an_anomaly_ends_every_verb_that_meets_it_with_1(jewelcase, tmp_path, iso):
    """A flipped bit in a both-endian field: run and analyze end with 1, and the case is whole."""
    data = bytearray(iso.read_bytes())
    data[16 * 2048 + 84] ^= 1  # volume space size, big-endian copy (ECMA-119 8.4.8)
    damaged = tmp_path / "damaged.iso"
    damaged.write_bytes(data)
    case = tmp_path / "case"
    done = jewelcase("run", damaged, case, "--number", "1", "--examiner", "E", "--evidence", "D")
    assert done.code == 1, done.err
    assert re.search(r"^anomalies +[1-9]", done.out, re.MULTILINE)
    assert jewelcase("analyze", "--case", case).code == 1
    assert jewelcase("verify", "--case", case).code == 0


def test_demo_needs_nothing_and_is_clean(jewelcase, tmp_path):
    """Exit code 0, two sessions, the file that session 2 left out in the case, and a report."""
    folder = tmp_path / "demo"
    done = jewelcase("demo", folder)
    assert done.code == 0, done.err
    assert re.search(r"^report +/.*/report-.*\.html$", done.out, re.MULTILINE)
    case = folder / "case"
    found = rows(
        case,
        "SELECT v.session, count(*) FROM entries e JOIN volumes v ON v.id = e.volume_id"
        " WHERE e.path = '/accounts/2004/paid in cash.txt' AND NOT e.deleted GROUP BY v.session",
    )
    assert [session for session, _ in found] == [1]
    assert jewelcase("demo", folder).code == 0
    (folder / "harbour.iso").write_bytes(b"something else")
    refused = jewelcase("demo", folder)
    assert refused.code == 2
    assert "Another file stands where the demonstration disc belongs" in refused.sentence()


def test_hostile_names_stay_harmless_all_the_way(jewelcase, tmp_path, hostile_iso):
    """Terminal escapes, markup and newlines in names: no verb writes one raw, the report holds no script."""
    case = tmp_path / "case"
    done = jewelcase(
        "run", hostile_iso, case, "--number", "1\x1b[31m", "--examiner", "E\u202e", "--evidence", "H"
    )
    assert done.code in (0, 1), done.err
    for stream in (done.out, done.err):
        assert all(line.isprintable() for line in stream.split("\n"))
    (report,) = (case / "reports").iterdir()
    text = report.read_text(encoding="utf-8")
    assert "<script>alert(1)" not in text
    assert not set(text) & {"\x1b", "\x07", "\u202e", "\u200b", "\x7f", "\x9b"}

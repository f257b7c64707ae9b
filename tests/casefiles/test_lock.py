"""One process writes to a case at a time; readers are not held up."""

import subprocess
import sys
from pathlib import Path

import pytest

from acquire.errors import CaseBusyError, CaseError
from casefiles import query
from casefiles.case import Case
from casefiles.lock import WriterLock

HOLD = """
import sys
from casefiles.case import Case
with Case.open(sys.argv[1]) as case:
    with case._store.log.transaction():
        case._store.log.add("held", {})
        print("held", flush=True)
        sys.stdin.read()
"""


def test_a_second_writer_is_told_who_writes_and_readers_are_let_in(case_folder: Path):
    """Another process writes, in the middle of a transaction: reading goes on with what was committed."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, case_folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(CaseBusyError, match=f"pid {child.pid} on") as caught:
            Case.open(case_folder)
        assert caught.value.exit_code == 2
        with Case.open(case_folder, write=False) as case:
            assert [row["label"] for row in query.evidence(case)] == ["E-1", "R-1"]
            assert all(event["action"] != "held" for event in query.custody(case))
        child.kill()
    with Case.open(case_folder) as case:  # the lock died with its holder, the open transaction with it
        assert all(event["action"] != "held" for event in query.custody(case))


def test_a_second_writer_in_the_same_process_is_refused_too(case_folder: Path):
    with Case.open(case_folder), pytest.raises(CaseBusyError):
        Case.open(case_folder)
    Case.open(case_folder).close()


def test_a_reader_cannot_write(case_folder: Path):
    with Case.open(case_folder, write=False) as case:
        with pytest.raises(CaseError, match="reading only"):
            case.record("something", {})
        with pytest.raises(CaseError, match="reading only"):
            case.analyze("E-1", again=True)


def test_a_released_lock_can_be_taken_and_a_second_release_does_nothing(tmp_path: Path):
    lock = WriterLock(tmp_path / "lock")
    lock.release()
    again = WriterLock(tmp_path / "lock")
    lock.release()
    with pytest.raises(CaseBusyError):
        WriterLock(tmp_path / "lock")
    again.release()


def test_a_lock_whose_text_is_hostile_is_shown_harmlessly(tmp_path: Path):
    (tmp_path / "lock").write_bytes(b"\x1b[31m\xff\n\0")
    lock = WriterLock(tmp_path / "lock")
    (tmp_path / "lock").write_bytes(b"\x1b[31m\xff\n\0pid")
    with pytest.raises(CaseBusyError) as caught:
        WriterLock(tmp_path / "lock")
    assert "\x1b" not in str(caught.value)
    lock.release()


def test_the_lock_does_not_follow_a_link(tmp_path: Path):
    (tmp_path / "precious").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "precious")
    with pytest.raises(Exception, match="lock"):
        WriterLock(tmp_path / "lock")
    assert (tmp_path / "precious").read_text() == "precious"

"""An opened case folder: made whole or not at all, opened by one writer, and its log as it ends early."""

import json
import sqlite3
import stat
from contextlib import closing

import pytest

from acquire.errors import CaseBusyError, CaseError, JewelcaseError, UsageError
from casefiles.store import CaseDescription, Store

DESCRIPTION = CaseDescription("2026-014", "A. Examiner", "Agency", None, "Notes")


def actions(root) -> list[str]:
    """What the custody log says was done, by sqlite3 alone."""
    with closing(sqlite3.connect(root / "case.db")) as db:
        return [row[0] for row in db.execute("SELECT action FROM custody ORDER BY id")]


@pytest.mark.parametrize("field", ["number", "examiner"])
@pytest.mark.parametrize("value", ["", " ", "\t\n", "\u2003"])
def test_a_case_without_a_number_or_an_examiner_is_not_made(tmp_path, field, value):
    """And its folder is not either."""
    with pytest.raises(UsageError, match=f"has no {field}"):
        Store.create(tmp_path / "case", DESCRIPTION._replace(**{field: value}))
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_no_unicode_is_recorded_as_its_escape(tmp_path):
    """A lone surrogate, as the command line gives for a byte that is no UTF-8."""
    Store.create(tmp_path / "case", DESCRIPTION._replace(examiner="M\udcfcller")).close()
    with closing(sqlite3.connect(tmp_path / "case" / "case.db")) as db:
        assert db.execute("SELECT examiner, authority FROM cases").fetchone() == ("M\\udcfcller", None)


def test_a_new_case_begins_with_its_own_making(tmp_path):
    """The first event has the row as it is in the database, and both copies of the log have it."""
    Store.create(tmp_path / "case", DESCRIPTION, actor="tester@bench").close()
    assert actions(tmp_path / "case") == ["case-created"]
    with closing(sqlite3.connect(tmp_path / "case" / "case.db")) as db:
        db.row_factory = sqlite3.Row
        row = dict(db.execute("SELECT * FROM cases").fetchone())
        event = dict(db.execute("SELECT * FROM custody").fetchone())
        assert db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    assert json.loads(event["detail"])["case"] == row
    assert event["actor"] == "tester@bench"
    assert event["previous_sha256"] == "0" * 64
    (line,) = (tmp_path / "case" / "log" / "custody.jsonl").read_text().splitlines()
    assert json.loads(line)["sha256"] == event["sha256"]


def test_no_temporary_name_is_left(tmp_path):
    Store.create(tmp_path / "case", DESCRIPTION).close()
    names = {path.name for path in (tmp_path / "case").rglob("*")}
    assert not [name for name in names if "tmp" in name or "partial" in name or "journal" in name]
    assert "case.db" in names


def test_a_case_is_not_made_over_what_is_there(tmp_path):
    """Neither over a case nor over anybody's files; both stay as they were."""
    Store.create(tmp_path / "case", DESCRIPTION).close()
    before = (tmp_path / "case" / "case.db").read_bytes()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_bytes(b"x")
    for name in ("case", "full"):
        with pytest.raises(JewelcaseError):
            Store.create(tmp_path / name, DESCRIPTION)
    assert (tmp_path / "case" / "case.db").read_bytes() == before
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]


def test_what_is_no_case_is_not_opened_nor_made(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("none", "empty"):
        for write in (False, True):
            with pytest.raises(CaseError):
                Store.open(tmp_path / name, write=write)
    assert [path.name for path in tmp_path.rglob("*")] == ["empty"]


def test_one_writer_and_any_number_of_readers(tmp_path):
    with closing(Store.create(tmp_path / "case", DESCRIPTION)) as store:
        assert store.writable
        with pytest.raises(CaseBusyError):
            Store.open(tmp_path / "case", write=True)
        with closing(Store.open(tmp_path / "case", write=False)) as reader:
            assert not reader.writable
            with pytest.raises(CaseError, match="reading only"):
                _ = reader.log
    Store.open(tmp_path / "case", write=True).close()


def test_what_ends_early_is_in_the_log_with_its_reason(tmp_path):
    """An error of the world and a request are recorded, and go on to whoever called."""
    with closing(Store.create(tmp_path / "case", DESCRIPTION)) as store:
        with pytest.raises(CaseError), store.stopping("failed", {"label": "E-1"}):
            raise CaseError("No disc", where="here")
        with pytest.raises(KeyboardInterrupt), store.stopping("stopped", {}):
            raise KeyboardInterrupt
        with pytest.raises(TypeError), store.stopping("never", {}):
            raise TypeError  # a mistake of the program's is no event of the case's
        with store.stopping("fine", {}):
            pass
    assert actions(tmp_path / "case") == ["case-created", "failed", "stopped"]
    with closing(sqlite3.connect(tmp_path / "case" / "case.db")) as db:
        details = [
            json.loads(row[0]) for row in db.execute("SELECT detail FROM custody WHERE id > 1 ORDER BY id")
        ]
    assert details[0]["reason"].startswith("No disc: here")
    assert details[0]["label"] == "E-1"
    assert details[1]["reason"] == "interrupted"


def test_a_case_that_is_read_only_can_be_read(tmp_path):
    """Files without write permission: reading changes neither them nor their modes."""
    Store.create(tmp_path / "case", DESCRIPTION).close()
    path = tmp_path / "case" / "case.db"
    path.chmod(0o444)
    before = path.read_bytes()
    Store.open(tmp_path / "case", write=False).close()
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o444

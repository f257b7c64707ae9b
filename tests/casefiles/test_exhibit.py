"""Exhibits as rows of a case: found by label without regard to case, chosen, and told when unknown."""

import sqlite3
from contextlib import closing

import pytest

from acquire.errors import CaseError
from casefiles.case import Case
from casefiles.database import Database
from casefiles.exhibit import chosen_exhibits, exhibits, find_exhibit


@pytest.fixture
def database(case_folder):
    with Database.open(case_folder / "case.db", write=False) as made:
        yield made


def test_exhibits_come_in_the_order_in_which_they_were_acquired(database, case_folder):
    """Each value against plain SQL on the file."""
    with closing(sqlite3.connect(case_folder / "case.db")) as db:
        stored = db.execute("SELECT id, label, source, source_path FROM evidence ORDER BY id").fetchall()
        paths = db.execute("SELECT id, state, format, path FROM acquisitions ORDER BY evidence_id").fetchall()
    found = exhibits(database)
    assert [tuple(each[:4]) for each in found] == stored
    assert [tuple(each[4:]) for each in found] == paths
    assert [each.label for each in found] == ["E-1", "R-1"]


def test_a_whole_exhibits_path_leads_to_its_container(database, case_folder):
    """The signature of an E01 (EVF, 09 0D 0A FF 00), and an ISO's CD001 in sector 16."""
    one, other = exhibits(database)
    assert one.complete
    assert other.complete
    assert (one.format, other.format) == ("e01", "raw")
    assert (case_folder / str(one.path)).read_bytes()[:8] == b"EVF\x09\x0d\x0a\xff\x00"
    assert (case_folder / str(other.path)).read_bytes()[32769:32774] == b"CD001"


@pytest.mark.parametrize("label", ["E-1", "e-1"])
def test_a_label_is_found_without_regard_to_case(database, label):
    """A file system that does not know case must not hold two exhibits of one name."""
    found = find_exhibit(database, label)
    assert found is not None
    assert found.label == "E-1"
    assert [each.label for each in chosen_exhibits(database, label)] == ["E-1"]


@pytest.mark.parametrize("label", ["", "E", "E-", "E-%", "E_1", "E-1 ", "' OR 1=1 --", "E-1\0", "é"])
def test_nothing_but_the_label_is_found(database, label):
    """No pattern, no SQL, no part of a label."""
    assert find_exhibit(database, label) is None
    with pytest.raises(CaseError, match="No exhibit") as caught:
        chosen_exhibits(database, label)
    assert str(caught.value).endswith("Its exhibits: E-1, R-1")
    assert "\0" not in str(caught.value)


def test_without_a_label_all_are_chosen(database):
    assert chosen_exhibits(database, None) == exhibits(database)


def test_an_unfinished_exhibit_is_not_complete(case_folder, tamper):
    tamper("UPDATE acquisitions SET state = 'running' WHERE evidence_id = 2")
    with Database.open(case_folder / "case.db", write=False) as database:
        assert [each.complete for each in exhibits(database)] == [True, False]


def test_a_case_without_exhibits_says_so(tmp_path):
    Case.create(tmp_path / "case", number="1", examiner="A").close()
    with Database.open(tmp_path / "case" / "case.db", write=False) as database:
        assert exhibits(database) == []
        assert chosen_exhibits(database, None) == []
        with pytest.raises(CaseError, match="none yet"):
            chosen_exhibits(database, "E-1")

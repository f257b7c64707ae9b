"""The case folder: labels, names, and what may lie where a case is to be made."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.errors import CaseError, DestinationError, UsageError
from casefiles.case import Case
from casefiles.folder import Folder, check_label


@pytest.mark.parametrize(
    "label", ["A", "7", "EX-1", "disc 1 of 2", "2026_014.b", "a" * 64, "CONTENTS", "com10", "NULL", "x.con"]
)
def test_labels_of_the_specification_are_taken(label):
    assert check_label(label) == label


@pytest.mark.parametrize(
    "label",
    [
        "",
        " ",
        "a" * 65,
        "-a",
        "a-",
        ".a",
        "a.",
        " a",
        "a ",
        "a/b",
        "a\\b",
        "a\nb",
        "a\n",
        "a\0",
        "..",
        "é",
        "１",
        "a:b",
        "a*",
        "a.partial",
        "A.PARTIAL",
        "a.tmp",
        "CON",
        "nul",
        "Lpt1",
        "com9.txt",
        "prn.E01",
        "a\u202eb",
        "../a",
        "a\x1b[31m",
    ],
)
def test_labels_that_a_file_system_would_refuse_or_show_wrongly_are_refused(label):
    with pytest.raises(UsageError, match="cannot be the label"):
        check_label(label)


@given(st.text(max_size=80))
def test_a_label_that_is_taken_is_one_plain_name(label):
    """Whatever text is given, what is taken stays inside the evidence folder and has no controls."""
    try:
        check_label(label)
    except UsageError as error:
        refusal = str(error)
    else:
        refusal = ""
    if refusal:
        assert refusal.isprintable()
        assert refusal.isascii()
        return
    assert Path("evidence", label).parent == Path("evidence")
    assert label.isascii()
    assert label.isprintable()
    assert len(label) <= 64


def test_a_new_case_holds_the_names_of_the_specification(tmp_path):
    with Case.create(tmp_path / "case", number="1", examiner="E"):
        names = {path.relative_to(tmp_path / "case").as_posix() for path in (tmp_path / "case").rglob("*")}
    assert names == {
        "case.db",
        "case.lock",
        "evidence",
        "reports",
        "exports",
        "log",
        "log/custody.jsonl",
    }


def test_a_case_is_made_in_an_empty_folder_and_in_a_path_that_is_not_there(tmp_path):
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "empty", tmp_path / "a" / "b" / "c"):
        Case.create(place, number="1", examiner="E").close()
        Case.open(place).close()


def test_a_folder_with_anything_in_it_is_refused_and_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(DestinationError, match="not empty"):
        Case.create(tmp_path, number="1", examiner="E")
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("name", ["evidence", "log", "reports"])
def test_a_folder_that_looks_like_a_case_but_holds_something_is_refused(tmp_path, name):
    """A custody log or evidence without its database is somebody's loss, not a place for a new case."""
    (tmp_path / name).mkdir()
    (tmp_path / name / "custody.jsonl").write_text("{}\n")
    with pytest.raises(DestinationError, match="not empty"):
        Case.create(tmp_path, number="1", examiner="E")
    assert (tmp_path / name / "custody.jsonl").read_text() == "{}\n"


def test_a_case_is_not_made_over_a_case(tmp_path):
    Case.create(tmp_path / "case", number="1", examiner="E").close()
    before = (tmp_path / "case" / "case.db").read_bytes()
    with pytest.raises(CaseError, match="a case in this folder already"):
        Case.create(tmp_path / "case", number="2", examiner="F")
    assert (tmp_path / "case" / "case.db").read_bytes() == before


def test_a_case_is_not_made_where_a_file_is(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "case"):
        with pytest.raises(DestinationError):
            Case.create(place, number="1", examiner="E")


@pytest.mark.parametrize(("number", "examiner"), [("", "E"), ("1", ""), (" \t", "E"), ("1", "\n")])
def test_a_case_without_number_or_examiner_is_not_made(tmp_path, number, examiner):
    with pytest.raises(UsageError, match="has no"):
        Case.create(tmp_path / "case", number=number, examiner=examiner)
    assert not (tmp_path / "case").exists()


def test_what_an_interrupted_creation_leaves_becomes_a_case(tmp_path):
    """Killed before case.db had its name: the folder says so, and the same command finishes it."""
    root = tmp_path / "case"
    folder = Folder(root)
    folder.begin()
    folder.lock.touch()
    folder.unfinished_database.write_bytes(b"half a database")
    folder.unfinished_database.with_name("case.db.tmp-journal").write_bytes(b"half a journal")
    with pytest.raises(CaseError, match="never finished being made"):
        Case.open(root)
    Case.create(root, number="1", examiner="E").close()
    assert not folder.unfinished_database.exists()
    with Case.open(root) as case:
        assert all(check.ok for check in case.verify())


@pytest.mark.parametrize("make", [Path.absolute, Path.mkdir, Path.touch])
def test_what_is_no_case_is_said_to_be_none(tmp_path, make):
    make(tmp_path / "case")
    with pytest.raises(CaseError, match=r"[Nn]o(t a| such) case folder") as caught:
        Case.open(tmp_path / "case")
    assert str(caught.value).count(".") >= 1
    assert "\n" not in str(caught.value)


def test_paths_are_recorded_relative_to_the_case(tmp_path, monkeypatch):
    (tmp_path / "case").mkdir()
    monkeypatch.chdir(tmp_path)
    folder = Folder(Path("case"))
    assert folder.relative(tmp_path / "case" / "reports" / "a.html") == "reports/a.html"
    assert folder.relative(Path("case/reports/a.html")) == "reports/a.html"
    assert folder.relative(Path("/elsewhere/a.html")) == "/elsewhere/a.html"
    monkeypatch.chdir("/")
    assert folder.database == tmp_path / "case" / "case.db"

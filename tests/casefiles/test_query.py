"""What a case holds, as plain dicts."""

import json
import sqlite3

import pytest

from acquire.errors import UsageError
from casefiles import query
from casefiles.case import Case
from casefiles.schema import COLUMNS


@pytest.fixture
def case(finished_case):
    with Case.open(finished_case, write=False) as made:
        yield made


def test_records_have_the_documented_columns(case):
    assert set(query.case_record(case)) == {*COLUMNS["cases"], "folder"}
    for exhibit in query.evidence(case):
        assert tuple(exhibit) == COLUMNS["evidence"]
        for function, table in (
            (query.acquisitions, "acquisitions"),
            (query.sessions, "sessions"),
            (query.tracks, "tracks"),
            (query.analyses, "analyses"),
            (query.volumes, "volumes"),
            (query.anomalies, "anomalies"),
            (query.findings, "findings"),
        ):
            rows = list(function(case, exhibit["id"]))
            if exhibit["label"] == "R-1" or table not in {"anomalies", "findings"}:
                assert rows, table
            for row in rows:
                assert tuple(row) == COLUMNS[table]
    assert {tuple(event) for event in query.custody(case)} == {COLUMNS["custody"]}


def test_columns_that_are_json_are_values(case):
    (acquired,) = query.acquisitions(case, 1)
    assert acquired["files"][0]["path"] == "evidence/E-1/E-1.E01"
    assert acquired["unread"] == []
    assert acquired["record"]["digests"]["md5"] == acquired["md5"]
    assert isinstance(query.volumes(case, 1)[0]["attributes"], dict)
    assert next(query.custody(case))["detail"]["case"]["number"] == "2026-014"


def test_a_column_that_is_no_json_any_more_is_given_as_it_is(case_folder, tamper):
    tamper("UPDATE volumes SET attributes = '{broken'")
    with Case.open(case_folder, write=False) as case:
        assert query.volumes(case, 1)[0]["attributes"] == "{broken"


def test_entries_come_by_path_and_are_read_as_they_are_used(case):
    rows = query.entries(case, 1)
    first = next(rows)
    assert not isinstance(rows, list)
    paths = [first["path"], *(row["path"] for row in rows)]
    assert paths == sorted(paths)
    assert set(first) >= {*COLUMNS["entries"], "start_lba", "extent_count"}


def test_a_directorys_children_are_those_below_it(case):
    top = list(query.children(case, 1, None, directories=True))
    assert [row["name"] for row in top] == ["dir0", "dir1", "dir2"]
    assert list(query.children(case, 1, None, directories=False)) == []
    assert query.child_counts(case, 1, None) == {"directory": 3}
    files = list(query.children(case, 1, top[1]["id"], directories=False))
    assert [row["path"] for row in files] == [f"/dir1/file{n:03d}.txt" for n in range(1, 24, 3)]
    assert query.child_counts(case, 1, top[1]["id"]) == {"file": 8}


def test_counts_are_those_of_the_rows(case, disc_files):
    counts = query.volume_counts(case, 2)
    assert counts == {
        "entries_by_kind": {"directory": 3, "file": 24},
        "files_by_content": {"complete": 24},
        "file_bytes": sum(map(len, disc_files.values())),
        "deleted": 0,
    }
    odd = list(query.anomalies(case, 2))
    assert sum(query.anomaly_counts(case, 2).values()) == len(odd) > 0
    assert set(query.anomaly_counts(case, 2)) == {row["code"] for row in odd}
    assert sum(query.finding_counts(case, 2).values()) == len(list(query.findings(case, 2))) > 0
    assert query.volume_counts(case, 99) == {
        "entries_by_kind": {},
        "files_by_content": {},
        "file_bytes": 0,
        "deleted": 0,
    }


def test_sizes_beyond_all_sense_are_summed_exactly(case_folder, tamper):
    tamper("UPDATE entries SET size_bytes = ~(1 << 63), deleted = 1 WHERE volume_id = 1 AND kind = 'file'")
    with Case.open(case_folder, write=False) as case:
        counts = query.volume_counts(case, 1)
    assert (counts["file_bytes"], counts["deleted"]) == (24 * (2**63 - 1), 24)


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("file003", 4),
        ("FILE003", 4),
        ("file003.txt", 4),
        ("txt", 96),
        ("dir1 file001", 4),
        ("dir2 file001", 0),
        ("/dir1/file001.txt", 4),
        ('"', None),
        ("", None),
        ("*", None),
        ("( OR", 0),
        ("file003 AND", 0),
        ("NOT file003", 0),
        ("path:file003", 0),
        ('file003" OR "file004', 0),
        ("file003\0", 4),
        ("file003\0txt", 4),
        ("file003\ud800", 0),
        ("file0*", 0),
        ("^file003", 4),
        ("- file003", 4),
        ("{file003}", 4),
    ],
)
def test_search_takes_words_literally(case, words, count):
    """Nothing that is typed is an operator, and nothing makes SQLite fail."""
    if count is None:
        with pytest.raises(UsageError):
            list(query.search(case, words))
        return
    assert len(list(query.search(case, words))) == count


def test_the_chain_is_told_in_a_sentence(case, case_folder, tamper):
    chain = query.chain(case)
    assert chain["ok"]
    assert chain["events"] == 9
    assert chain["message"] == "9 events, each continuing the one before; both copies agree."
    connection = sqlite3.connect(case_folder / "case.db")
    assert chain["head_sha256"] == connection.execute("SELECT sha256 FROM custody WHERE id = 9").fetchone()[0]
    connection.close()
    (case_folder / "log" / "custody.jsonl").write_bytes(b"")
    with Case.open(case_folder, write=False) as other:
        assert query.chain(other)["message"].startswith("The second copy differs from event 1 on")
    tamper("UPDATE custody SET actor = 'x' WHERE id = 2")
    with Case.open(case_folder, write=False) as other:
        assert query.chain(other)["message"].startswith("Event 2 was changed")


def test_everything_can_be_written_as_json(case):
    """For `--json` and for other programs: no value but bytes needs help."""
    for volume in query.volumes(case, 1):
        for row in query.entries(case, volume["id"]):
            row.pop("name_raw")
            json.dumps(row)
    json.dumps(
        [
            query.case_record(case),
            query.evidence(case),
            query.acquisitions(case, 1),
            list(query.custody(case)),
        ]
    )
    assert query.meta(case)["schema_version"] == "1"

"""Every question to a case, against plain SQL on its database file through sqlite3 alone."""

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from casefiles import query
from casefiles.case import Case

JSON_COLUMNS = {"files", "unread", "record", "attributes", "detail"}
"""docs/reference/database.md: columns of JSON (of the tables that have them under these names)."""
TABLES = {
    "acquisitions": query.acquisitions,
    "sessions": query.sessions,
    "tracks": query.tracks,
    "analyses": query.analyses,
    "volumes": query.volumes,
    "anomalies": query.anomalies,
    "findings": query.findings,
}


@pytest.fixture
def case(finished_case):
    with Case.open(finished_case, write=False) as made:
        yield made


@pytest.fixture
def db(finished_case):
    """The same file, read by sqlite3 alone."""
    with closing(sqlite3.connect(f"file:{finished_case}/case.db?mode=ro", uri=True)) as made:
        made.row_factory = sqlite3.Row
        yield made


def rows(db: sqlite3.Connection, sql: str, *values: object, read: bool = True) -> list[dict[str, Any]]:
    """Rows as dictionaries, columns of JSON read."""
    made = [dict(row) for row in db.execute(sql, values)]
    for row in made:
        for name in JSON_COLUMNS & set(row) if read else ():
            if row[name] is not None:
                row[name] = json.loads(row[name])
    return made


def ids(db: sqlite3.Connection, table: str) -> list[int]:
    """Every id of a table."""
    return [row[0] for row in db.execute(f"SELECT id FROM {table} ORDER BY id")]


def test_the_case_is_its_row_and_its_place(case, db, finished_case):
    (row,) = rows(db, "SELECT * FROM cases")
    assert query.case_record(case) == row | {"folder": str(finished_case)}


def test_meta_is_all_of_meta(case, db):
    assert query.meta(case) == {row["key"]: row["value"] for row in rows(db, "SELECT * FROM meta")}


def test_evidence_is_every_row(case, db):
    assert query.evidence(case) == rows(db, "SELECT * FROM evidence ORDER BY id")
    assert [row["label"] for row in query.evidence(case)] == ["E-1", "R-1"]


@pytest.mark.parametrize("table", list(TABLES))
def test_what_belongs_to_an_exhibit_is_all_of_it_and_no_others(case, db, table):
    """For each exhibit its rows; for all of them together, the table; for an unknown one, nothing."""
    seen = 0
    for exhibit in ids(db, "evidence"):
        sql = f"SELECT * FROM {table} WHERE evidence_id = ? ORDER BY id"
        expected = rows(db, sql, exhibit, read=table in {"acquisitions", "volumes"})
        assert list(TABLES[table](case, exhibit)) == expected
        seen += len(expected)
    assert seen == db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    assert list(TABLES[table](case, 999)) == []


def test_custody_is_the_whole_log_in_order(case, db):
    assert list(query.custody(case)) == rows(db, "SELECT * FROM custody ORDER BY id")


def test_entries_are_the_rows_with_their_first_sector_and_counts(case, db):
    """Each number by a question of its own, not by a join."""
    total = 0
    for volume in ids(db, "volumes"):
        given = list(query.entries(case, volume))
        total += len(given)
        assert [row["path"] for row in given] == sorted(row["path"] for row in given)
        for row in given:
            (stored,) = rows(db, "SELECT * FROM entries WHERE id = ?", row["id"])
            first = db.execute(
                "SELECT start_lba FROM extents WHERE entry_id = ? AND stream = '' AND ordinal = 0",
                (row["id"],),
            ).fetchone()
            count = "SELECT count(*) FROM {} WHERE entry_id = ?"
            assert row == stored | {
                "start_lba": first[0] if first else None,
                "extent_count": db.execute(
                    count.format("extents") + " AND stream = ''", (row["id"],)
                ).fetchone()[0],
                "stream_count": db.execute(count.format("streams"), (row["id"],)).fetchone()[0],
            }
    assert total == db.execute("SELECT count(*) FROM entries").fetchone()[0] > 0


def test_walking_down_the_directories_meets_every_entry_once(case, db):
    """From the root by `children` alone, level by level; counts are those of what is met."""
    for volume in ids(db, "volumes"):
        met: list[int] = []
        waiting: list[int | None] = [None]
        while waiting:
            parent = waiting.pop()
            below = list(query.children(case, volume, parent, directories=True))
            others = list(query.children(case, volume, parent, directories=False))
            assert {row["kind"] for row in below} <= {"directory"}
            assert "directory" not in {row["kind"] for row in others}
            assert sum(query.child_counts(case, volume, parent).values()) == len(below) + len(others)
            assert [row["name"] for row in below] == sorted(row["name"] for row in below)
            met += [row["id"] for row in below + others]
            waiting += [row["id"] for row in below]
        assert sorted(met) == [
            row[0] for row in db.execute("SELECT id FROM entries WHERE volume_id = ? ORDER BY id", (volume,))
        ]


def test_an_entry_whose_parent_is_no_directory_of_its_volume_is_in_the_root(case_folder, tamper):
    """Nothing can be hidden from the tree by pointing it at a file, at nothing or at another volume."""
    with closing(sqlite3.connect(case_folder / "case.db")) as db:
        one = [row[0] for row in db.execute("SELECT id FROM entries WHERE volume_id = 1 AND kind = 'file'")]
        foreign = db.execute("SELECT id FROM entries WHERE volume_id = 2 AND kind = 'directory'").fetchone()[
            0
        ]
    for child, parent in ((one[0], one[1]), (one[2], foreign)):
        tamper("UPDATE entries SET parent_id = ? WHERE id = ?", parent, child)
    with Case.open(case_folder, write=False) as case:
        found = {row["id"] for row in query.children(case, 1, None, directories=False)}
        assert found == {one[0], one[2]}
        assert query.child_counts(case, 1, None)["file"] == 2


def test_extents_and_streams_are_the_rows(case, db):
    for entry in ids(db, "entries"):
        sql = "SELECT * FROM extents WHERE entry_id = ? ORDER BY stream, ordinal"
        assert query.extents(case, entry) == rows(db, sql, entry)
        sql = "SELECT * FROM streams WHERE entry_id = ? ORDER BY stream"
        assert query.streams(case, entry) == rows(db, sql, entry)
    assert query.extents(case, 10**9) == query.streams(case, 10**9) == []


def test_extents_lead_to_the_bytes_of_the_files(case, disc, disc_files):
    """Read from the image itself at start_lba: what pycdlib was given."""
    image = disc.read_bytes()
    for row in query.entries(case, query.volumes(case, 1)[0]["id"]):
        if row["kind"] != "file":
            continue
        data = b"".join(
            image[each["start_lba"] * 2048 :][: each["length_bytes"]]
            for each in query.extents(case, row["id"])
        )
        name = row["path"].upper().split(";")[0]
        assert data[: row["size_bytes"]] == disc_files[name]


def test_counts_are_what_counting_gives(case, db):
    for volume in ids(db, "volumes"):
        stored = rows(
            db, "SELECT kind, content, size_bytes, deleted FROM entries WHERE volume_id = ?", volume
        )
        files = [row for row in stored if row["kind"] == "file"]
        counts = query.volume_counts(case, volume)
        assert counts["file_bytes"] == sum(row["size_bytes"] or 0 for row in files)
        assert counts["deleted"] == sum(bool(row["deleted"]) for row in stored)
        for name, of, column in (
            ("entries_by_kind", stored, "kind"),
            ("files_by_content", files, "content"),
        ):
            values = [row[column] for row in of]
            assert counts[name] == {value: values.count(value) for value in set(values)}
    for exhibit in ids(db, "evidence"):
        codes = [row["code"] for row in rows(db, "SELECT code FROM anomalies WHERE evidence_id = ?", exhibit)]
        assert query.anomaly_counts(case, exhibit) == {code: codes.count(code) for code in set(codes)}
        sql = "SELECT severity FROM findings WHERE evidence_id = ?"
        grades = [row["severity"] for row in rows(db, sql, exhibit)]
        assert query.finding_counts(case, exhibit) == {grade: grades.count(grade) for grade in set(grades)}


@pytest.mark.parametrize("word", ["file000", "dir1", "txt", "nothing"])
def test_searching_finds_what_like_finds(case, db, word):
    """For words that stand alone in these paths, LIKE gives the same entries."""
    sql = "SELECT id FROM entries WHERE path LIKE ? ORDER BY volume_id, path, id"
    assert [row["id"] for row in query.search(case, word)] == [
        row[0] for row in db.execute(sql, (f"%{word}%",))
    ]


def test_the_chains_head_is_the_last_rows(case, db):
    last = rows(db, "SELECT * FROM custody ORDER BY id DESC LIMIT 1")[0]
    chain = query.chain(case)
    assert (chain["ok"], chain["events"], chain["head_sha256"]) == (True, last["id"], last["sha256"])


def test_asking_changes_nothing(case_folder):
    """Every file of the case is, byte for byte, what it was before all was asked."""

    def files() -> dict[str, bytes]:
        return {str(path): path.read_bytes() for path in case_folder.rglob("*") if path.is_file()}

    before = files()
    with Case.open(case_folder, write=False) as case:
        for function in TABLES.values():
            list(function(case, 1))
        list(query.entries(case, 1))
        list(query.search(case, "txt"))
        list(query.custody(case))
        query.chain(case)
    after = files()
    assert {name: data for name, data in after.items() if name in before} == before

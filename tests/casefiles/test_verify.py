"""Verification: whatever was changed behind the program's back, which piece it is, and where."""

import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from acquire.errors import CaseError
from acquire.exhibit import Plan
from acquire.geometry import SectorRange
from casefiles import query
from casefiles.case import Case
from casefiles.schema import COLUMNS, KEYS
from casefiles.wholeness import _minus


def subjects(folder: Path, label: str | None = None) -> list[tuple[str, str]]:
    """Subject and place of every difference."""
    with Case.open(folder, write=False) as case:
        return [(check.subject, check.where) for check in case.verify(label) if not check.ok]


def test_a_case_that_nobody_touched_verifies_and_the_log_says_so(case_folder):
    with Case.open(case_folder) as case:
        checks = case.verify()
        assert {check.severity for check in checks} == {"ok"}
        assert all(check.ok and check.message for check in checks)
        event = list(query.custody(case))[-1]
        assert event["detail"] == {
            "label": None,
            "ok": True,
            "checks": len(checks),
            "notes": 0,
            "differs": [],
        }
    names = {check.subject for check in checks}
    assert {"custody log", "custody log, second copy", "case database", "exhibit E-1, media data"} <= names
    assert {f"evidence/{x}/{x}.json" for x in ("E-1", "R-1")} <= names


def test_a_failed_verification_is_in_the_log(case_folder):
    (case_folder / "evidence" / "R-1" / "R-1.map").unlink()
    with Case.open(case_folder) as case:
        case.verify("R-1")
        detail = list(query.custody(case))[-1]["detail"]
    assert (detail["label"], detail["ok"]) == ("R-1", False)
    assert detail["differs"] == [{"subject": "exhibit R-1", "where": "evidence/R-1/R-1.map"}]


def test_one_exhibit_can_be_verified_alone(case_folder):
    (case_folder / "evidence" / "R-1" / "R-1.map").unlink()
    assert subjects(case_folder, "E-1") == []
    assert subjects(case_folder, "r-1") == [("exhibit R-1", "evidence/R-1/R-1.map")]


# Rows

NAMED = {
    "id",
    "evidence_id",
    "volume_id",
    "acquisition_id",
    "entry_id",
    "parent_id",
    "stream",
    "ordinal",
    "name",
}


@pytest.mark.parametrize("table", [table for table in COLUMNS if table not in {"custody", "meta", "streams"}])
def test_an_edit_of_any_column_of_any_table_is_found(finished_case, tmp_path, table):
    """Every column in turn, set to something else in one row: a difference that names the table."""
    original = finished_case / "case.db"
    for column in COLUMNS[table]:
        folder = tmp_path / column
        folder.mkdir()
        connection = sqlite3.connect(original)
        target = sqlite3.connect(folder / "case.db", isolation_level=None)
        connection.backup(target)
        connection.close()
        for name in ("evidence", "log"):
            (folder / name).symlink_to(finished_case / name)
        key = KEYS[table]
        row = target.execute(f"SELECT {', '.join(key)} FROM {table} ORDER BY {', '.join(key)}").fetchone()
        where = " AND ".join(f"{name} = {value!r}" for name, value in zip(key, row, strict=True))
        kind = target.execute(f"SELECT typeof({column}) FROM {table} WHERE {where}").fetchone()[0]
        value = {"text": "'changed' || {0}", "integer": "{0} + 424242", "blob": "x'00'"}.get(kind, "'0'")
        if column == "name" and table == "seals":
            value = "'findings'"
        target.execute(f"UPDATE {table} SET {column} = {value.format(column)} WHERE {where}")
        target.close()
        found = subjects(folder)
        assert found, (table, column)
        said = " ".join(f"{subject} {place}" for subject, place in found)
        assert re.search(rf"{table}|exhibit|seals", said), (table, column, found)
        if column not in NAMED and table not in {"seals", "cases"}:
            assert any(table in place for _, place in found), (table, column, found)


@pytest.mark.parametrize(
    ("sql", "subject", "where"),
    [
        (
            "UPDATE entries SET size_bytes = 0 WHERE id = 5",
            "exhibit E-1, database",
            r"entries, volume 1: id 5 \(/dir0/file003\.txt\)",
        ),
        (
            "UPDATE entries SET deleted = 1 WHERE id IN (30, 31)",
            "exhibit E-1, database",
            r"entries, volume 2: id 30 \(/dir2\); id 31 \(/dir0/file000\.txt\)",
        ),
        ("DELETE FROM entries WHERE id = 9", "exhibit E-1, database", r"entries, volume 1: after id 8"),
        (
            "UPDATE extents SET start_lba = 1 WHERE entry_id = 63",
            "exhibit R-1, database",
            r"extents, volume 3: entry_id 63, stream , ordinal 0 \(/dir",
        ),
        (
            "INSERT INTO entries (id, volume_id, path) VALUES (5000, 4, '/planted')",
            "exhibit R-1, database",
            r"entries, volume 4: id 5000 \(/planted\)",
        ),
        ("DELETE FROM entries WHERE volume_id = 2", "exhibit E-1, database", r"entries, volume 2"),
        ("UPDATE volumes SET label = 'x' WHERE id = 3", "exhibit R-1, database", r"volumes: id 3"),
        ("DELETE FROM volumes WHERE id = 3", "exhibit R-1, database", r"volumes"),
        (
            "INSERT INTO anomalies (evidence_id, code, path) VALUES (1, 'planted', '/x')",
            "exhibit E-1, database",
            r"anomalies: id \d+ \(/x\)",
        ),
        (
            "UPDATE acquisitions SET sectors_unread = 5 WHERE id = 2",
            "exhibit R-1, database",
            r"acquisitions, id 2",
        ),
        (
            "UPDATE acquisitions SET record = '{}' WHERE id = 2",
            "exhibit R-1, database",
            r"acquisitions: id 2",
        ),
        ("UPDATE evidence SET source = '/dev/sr9' WHERE id = 1", "exhibit E-1, database", r"evidence, id 1"),
        ("UPDATE analyses SET sectors_unowned = 0 WHERE id = 2", "exhibit R-1, database", r"analyses, id 2"),
        ("DELETE FROM analyses WHERE id = 1", "exhibit E-1, database", r"analyses, id 1"),
        ("DELETE FROM acquisitions WHERE id = 1", "exhibit E-1, database", r"acquisitions"),
        ("DELETE FROM evidence WHERE id = 2", "exhibit R-1, database", r"evidence, id 2"),
        ("DELETE FROM seals WHERE id = 12", "exhibit E-1, database", r"seals"),
        ("DELETE FROM seals", "exhibit E-1, database", r"seals"),
        ("UPDATE cases SET examiner = 'M. Other'", "case database", r"cases\.examiner"),
        ("INSERT INTO cases (id, number) VALUES (2, 'x')", "case database", r"cases"),
        (
            "UPDATE meta SET value = 'jewelcase 99' WHERE key = 'created_by'",
            "case database",
            r"meta, key created_by",
        ),
        ("DELETE FROM meta WHERE key = 'folder_version'", "case database", r"meta, key folder_version"),
        (
            "INSERT INTO entries (id, volume_id, path) VALUES (5000, 99, '/lost')",
            "case database",
            r"entries\.volume_id",
        ),
        ("INSERT INTO extents VALUES (9999, '', 0, 1, 1, 0)", "case database", r"extents\.entry_id"),
        ("INSERT INTO volumes (evidence_id) VALUES (77)", "case database", r"volumes\.evidence_id"),
        ("INSERT INTO volumes (evidence_id) VALUES (NULL)", "case database", r"volumes\.evidence_id"),
        ("CREATE TABLE mine (x)", "case database", r"sqlite_master"),
        ("DROP INDEX entries_volume_id_path", "case database", r"sqlite_master"),
        ("CREATE TRIGGER t AFTER INSERT ON entries BEGIN SELECT 1; END", "case database", r"sqlite_master"),
    ],
)
def test_the_table_the_row_and_the_entry_are_named(case_folder, tamper, sql, subject, where):
    tamper(sql)
    found = subjects(case_folder)
    assert any(s == subject and re.search(where, place) for s, place in found), found


def test_what_was_and_what_is_are_both_said(case_folder, tamper):
    tamper("UPDATE acquisitions SET md5 = 'd41d8cd98f00b204e9800998ecf8427e' WHERE id = 1")
    before = query_value(case_folder, "SELECT detail ->> '$.acquisition.md5' FROM custody WHERE id = 3")
    with Case.open(case_folder, write=False) as case:
        (found,) = [check for check in case.verify() if not check.ok and "acquisitions.md5" in check.message]
    assert (found.seen, found.expected) == ("d41d8cd98f00b204e9800998ecf8427e", before)


def query_value(folder: Path, sql: str) -> object:
    connection = sqlite3.connect(folder / "case.db")
    try:
        return connection.execute(sql).fetchone()[0]
    finally:
        connection.close()


def test_a_path_that_a_search_no_longer_finds_is_missed(case_folder, tamper):
    """An entry taken out of the full-text index alone: `entries` is as it was, a search is not."""
    path = query_value(case_folder, "SELECT path FROM entries WHERE id = 5")
    tamper("INSERT INTO entries_fts (entries_fts, rowid, path) VALUES ('delete', 5, ?)", path)
    with Case.open(case_folder) as case:
        found = [(check.subject, check.where) for check in case.verify() if not check.ok]
    assert found == [("case database", "entries_fts")]


def test_an_index_that_cannot_be_compared_is_said_to_be_so(case_folder):
    """SQLite compares it by a statement that writes: a case open for reading only says it was not done."""
    with Case.open(case_folder, write=False) as case:
        notes = [check.message for check in case.verify() if check.severity == "note"]
    assert any("index by words was not compared" in message for message in notes)


def test_triggers_that_are_gone_are_missed(case_folder):
    connection = sqlite3.connect(case_folder / "case.db")
    connection.execute("DROP TRIGGER custody_no_delete")
    connection.commit()
    connection.close()
    assert subjects(case_folder) == [("case database", "sqlite_master")]


def test_a_page_that_is_damaged_is_said_and_nothing_crashes(case_folder):
    """The file overwritten page by page: verification ends, raises nothing, and is never content."""
    path = case_folder / "case.db"
    whole = path.read_bytes()
    size = int.from_bytes(whole[16:18], "big")
    refused: list[str] = []
    for page in range(2, len(whole) // size, 7):
        path.write_bytes(whole[: page * size] + b"\xa5" * size + whole[(page + 1) * size :])
        try:
            assert subjects(case_folder), page
        except CaseError as error:  # the page that says the version
            refused.append(str(error))
    assert len(refused) <= 2
    assert all("damaged" in sentence for sentence in refused)


@pytest.mark.parametrize("table", sorted(set(COLUMNS) - {"meta"}))
@pytest.mark.parametrize("left", ["nothing", "an empty table", "a view"])
def test_a_table_that_is_gone_or_something_else_is_said(case_folder, table, left):
    """Verification ends with differences, and never with an error, whatever became of the schema."""
    connection = sqlite3.connect(case_folder / "case.db")
    connection.execute(f"DROP TABLE {table}")
    if left == "an empty table":
        connection.execute(f"CREATE TABLE {table} (x)")
    elif left == "a view":
        connection.execute(f"CREATE VIEW {table} AS SELECT 1 AS id, 'x' AS detail")
    connection.commit()
    connection.close()
    found = subjects(case_folder)
    assert found
    if table != "custody":
        assert ("case database", "sqlite_master") in found


def test_rows_that_lead_in_circles_are_no_endless_loop(case_folder, tamper):
    tamper("UPDATE entries SET parent_id = id WHERE volume_id = 1")
    tamper("UPDATE extents SET ordinal = 9223372036854775807 WHERE entry_id = 3 AND ordinal = 0")
    assert subjects(case_folder)


# Files


def change(path: Path, offset: int, data: bytes) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def test_a_changed_byte_of_a_raw_image_is_found_with_its_sectors(case_folder):
    path = case_folder / "evidence" / "R-1" / "R-1.iso"
    change(path, 20 * 2048 + 5, b"\xff\xfe")
    found = subjects(case_folder)
    size = path.stat().st_size
    place = f"evidence/R-1/R-1.iso: bytes 0 to {size - 1} (LBA 0 to {size // 2048 - 1})"
    assert found[0] == ("evidence/R-1/R-1.iso", place)
    assert [subject for subject, _ in found[1:]] == ["exhibit R-1, media data"] * 3


def test_a_change_far_into_a_large_raw_image_is_found_to_the_mebibyte(tmp_path):
    source = tmp_path / "big.iso"
    with source.open("wb") as file:
        file.truncate(5 << 20)
    with Case.create(tmp_path / "case", number="1", examiner="E") as case:
        case.acquire(source, "B", Plan(format="raw"))
    change(tmp_path / "case/evidence/B/B.iso", (3 << 20) + 7, b"x")
    (subject, place), *_ = subjects(tmp_path / "case")
    assert subject == "evidence/B/B.iso"
    assert place == "evidence/B/B.iso: bytes 3145728 to 4194303 (LBA 1536 to 2047)"


@pytest.mark.parametrize("where", [0.0, 0.05, 0.3, 0.5, 0.7, 0.95, 0.999])
def test_a_changed_byte_anywhere_in_an_e01_is_found(case_folder, where):
    path = case_folder / "evidence" / "E-1" / "E-1.E01"
    offset = int(path.stat().st_size * where)
    change(path, offset, bytes([path.read_bytes()[offset] ^ 0x10]))
    found = subjects(case_folder)
    assert found[0][0] == "evidence/E-1/E-1.E01"
    assert "bytes 0 to" in found[0][1]


def test_a_damaged_chunk_of_an_e01_is_told_by_its_sectors(tmp_path):
    """One byte of a stored chunk: its checksum is wrong, and the sectors that it holds are named."""
    source = tmp_path / "big.iso"
    source.write_bytes(b"".join(bytes([n % 251]) * 2048 for n in range(1000)))
    with Case.create(tmp_path / "case", number="1", examiner="E") as case:
        case.acquire(source, "B", Plan(format="e01", compression="none"))
    path = tmp_path / "case/evidence/B/B.E01"
    at = path.read_bytes().index(bytes([100]) * 2048)
    change(path, at + 17, b"\xff")
    found = [place for subject, place in subjects(tmp_path / "case") if subject == "exhibit B, media data"]
    assert any(re.search(r"E01, byte \d+", place) for place in found)
    chunk = 100 * 2048 // 32768
    assert any(place.endswith(f"LBA {chunk * 16} to {chunk * 16 + 15}") for place in found), found


def test_an_e01_cut_short_or_replaced_is_found(case_folder):
    path = case_folder / "evidence" / "E-1" / "E-1.E01"
    path.chmod(0o644)
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"not an E01", whole + b"more"):
        path.write_bytes(content)
        found = subjects(case_folder)
        assert found[0] == ("evidence/E-1/E-1.E01", "evidence/E-1/E-1.E01")
    path.write_bytes(whole)
    assert subjects(case_folder) == []


@pytest.mark.parametrize("name", ["R-1.iso", "R-1.json", "R-1.log.jsonl", "R-1.log.txt", "R-1.map"])
def test_every_file_is_missed_and_every_changed_one_found(case_folder, name):
    path = case_folder / "evidence" / "R-1" / name
    whole = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert subjects(case_folder)[0][0] == f"evidence/R-1/{name}"
    path.write_bytes(whole[:-1])
    with Case.open(case_folder, write=False) as case:
        found = [check for check in case.verify() if not check.ok]
    assert (found[0].message, found[0].seen, found[0].expected) == (
        "Its size is not as recorded",
        str(len(whole) - 1),
        str(len(whole)),
    )
    path.unlink()
    assert ("exhibit R-1", f"evidence/R-1/{name}") in subjects(case_folder)


def test_things_that_were_not_there_are_found(case_folder):
    folder = case_folder / "evidence" / "R-1"
    (folder / "extra.txt").write_text("x")
    (folder / "link").symlink_to("R-1.iso")
    (folder / "sub").mkdir()
    assert subjects(case_folder) == [
        ("exhibit R-1", "evidence/R-1/link"),
        ("exhibit R-1", "evidence/R-1/sub"),
        ("exhibit R-1", "evidence/R-1/extra.txt"),
    ]


def test_a_file_replaced_by_a_link_is_found_though_the_bytes_are_the_same(case_folder, tmp_path):
    path = case_folder / "evidence" / "R-1" / "R-1.iso"
    path.rename(tmp_path / "elsewhere.iso")
    path.symlink_to(tmp_path / "elsewhere.iso")
    assert subjects(case_folder) == [("exhibit R-1", "evidence/R-1/R-1.iso")]


def test_a_folder_that_is_gone_is_found(case_folder):
    shutil.rmtree(case_folder / "evidence" / "E-1")
    assert ("exhibit E-1", "evidence/E-1") in subjects(case_folder)
    shutil.rmtree(case_folder / "evidence")
    assert ("case folder", "evidence") in subjects(case_folder)


def test_a_list_of_files_that_leads_elsewhere_is_not_followed(case_folder, tamper, tmp_path):
    (tmp_path / "secret").write_text("secret")
    for path in ("../../secret", "/etc/passwd", "evidence/E-1/E-1.E01", "evidence/R-1/..", "evidence/R-1/"):
        tamper(
            "UPDATE acquisitions"
            " SET files = json_array(json_object('path', ?, 'size_bytes', 1, 'sha256', 'x'))"
            " WHERE id = 2",
            path,
        )
        assert ("exhibit R-1", "acquisitions.files") in subjects(case_folder)


def test_other_folders_in_evidence_are_only_noted(case_folder):
    (case_folder / "evidence" / "found later").mkdir()
    with Case.open(case_folder, write=False) as case:
        checks = case.verify()
    assert all(check.ok for check in checks)
    assert [(check.severity, check.where) for check in checks if check.where] == [
        ("note", "evidence/found later")
    ]


def test_a_report_that_was_changed_is_found_and_one_that_is_gone_noted(case_folder):
    for name in ("a.html", "b.html", "c.html"):
        (case_folder / "reports" / name).write_text(name)
        with Case.open(case_folder) as case:
            case.report_written(case_folder / "reports" / name, "html")
    (case_folder / "reports" / "a.html").write_text("other")
    (case_folder / "reports" / "b.html").unlink()
    with Case.open(case_folder, write=False) as case:
        checks = [check for check in case.verify() if check.subject == "reports and exports"]
    assert [(check.severity, check.where or check.message) for check in checks] == [
        ("differs", "reports/a.html"),
        ("note", "reports/b.html"),
        ("ok", "reports/c.html is as it was written"),
    ]


def test_what_was_never_read_is_noted_beside_a_clean_verification(tmp_path, monkeypatch):
    """Coverage and verification are two statements: the digests are right, and some sectors are fill."""
    source = tmp_path / "a.iso"
    source.write_bytes(b"x" * 2048 * 40)
    real = __import__("casefiles.acquiring", fromlist=["acquire"]).acquire

    def with_gap(*arguments, **words):
        made = real(*arguments, **words)
        return made._replace(sectors_read=37, sectors_unread=3, sectors_filled=3, unread=(SectorRange(7, 3),))

    monkeypatch.setattr("casefiles.acquiring.acquire", with_gap)
    with Case.create(tmp_path / "case", number="1", examiner="E") as case:
        case.acquire(source, "A", Plan(format="raw"))
        checks = case.verify()
    assert all(check.ok for check in checks)
    (found,) = [check for check in checks if check.severity == "note"]
    assert (found.subject, found.where) == ("exhibit A, coverage", "LBA 7 to 9")
    assert "3 of 40 sectors were never read" in found.message


def test_progress_covers_every_byte_that_is_read(case_folder):
    seen = []
    with Case.open(case_folder, write=False) as case:
        case.verify("E-1", progress=seen.append)
    assert {value.phase for value in seen} == {"verify"}
    assert seen[-1].done == seen[-1].total > 0


@pytest.mark.parametrize(
    ("ranges", "known", "left"),
    [
        ([(0, 10)], [], [(0, 10)]),
        ([(0, 10)], [(0, 10)], []),
        ([(0, 10)], [(3, 2)], [(0, 3), (5, 5)]),
        ([(0, 10), (20, 5)], [(8, 14)], [(0, 8), (22, 3)]),
        ([(5, 5)], [(0, 6), (9, 9)], [(6, 3)]),
    ],
)
def test_ranges_are_subtracted(ranges, known, left):
    assert _minus(tuple(SectorRange(*r) for r in ranges), tuple(SectorRange(*k) for k in known)) == tuple(
        SectorRange(*part) for part in left
    )

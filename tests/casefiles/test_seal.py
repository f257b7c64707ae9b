"""Seals: the same digests by SQLite and by Python, and the row that differs is found."""

import contextlib
import hashlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from casefiles import seal as seal_module
from casefiles.database import Database
from casefiles.schema import COLUMNS, KEYS, SCHEMA_VERSION
from casefiles.seal import ANALYZE, changed_rows, content_sha256, read_seals, row_at, seal, write_seals

VALUES = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
)


@pytest.fixture
def database(tmp_path):
    """One exhibit with two volumes of entries, in two pieces each other's."""
    database = Database.create(tmp_path / "case.db")
    with database.transaction():
        database.insert("meta", {"key": "schema_version", "value": str(SCHEMA_VERSION)})
        database.insert("evidence", {"id": 1, "label": "E"})
        for volume in (1, 2):
            database.insert("volumes", {"id": volume, "evidence_id": 1, "kind": "iso9660"})
        for number in range(1, 21):
            database.insert(
                "entries",
                {
                    "id": number,
                    "volume_id": 1 + number // 11,
                    "path": f"/{number}",
                    "name_raw": bytes([number]) if number % 3 else None,
                },
            )
            for ordinal in range(number % 3):
                values = {
                    "entry_id": number,
                    "stream": "",
                    "ordinal": ordinal,
                    "start_lba": number,
                    "length_bytes": 1,
                }
                database.insert("extents", values)
    yield database
    database.close()


def by_hand(database: Database, name: str, where: str) -> str:
    """The digest as the document describes it: JSON Lines of the rows, BLOBs as {"hex": …}."""
    order = ", ".join(KEYS[name])
    whole = hashlib.sha256()
    for row in database.rows(f"SELECT * FROM {name} WHERE {where} ORDER BY {order}"):
        text = json.dumps(row, separators=(",", ":"), ensure_ascii=False, default=lambda b: {"hex": b.hex()})
        whole.update(text.encode() + b"\n")
    return whole.hexdigest()


@pytest.mark.parametrize("exact", [True, False])
def test_a_seal_is_the_documented_digest(database, exact):
    for volume, where in ((1, "id <= 10"), (2, "id > 10")):
        made = seal(database, "entries", 1, volume, exact=exact)
        assert made.sha256 == by_hand(database, "entries", where)
        assert (made.rows, made.columns, len(made.row_checks)) == (10, len(COLUMNS["entries"]), 40)
        made = seal(database, "extents", 1, volume, exact=exact)
        assert made.sha256 == by_hand(database, "extents", where.replace("id", "entry_id"))


def test_this_sqlite_is_fast_and_exact():
    """If a new SQLite wrote JSON in another way the slow path would be taken; this one need not."""
    assert seal_module._sqlite_writes_canonical()


def test_another_json_of_sqlites_is_noticed_and_not_used(database, monkeypatch):
    monkeypatch.setattr(seal_module, "_HOSTILE", "\x00x")  # what json_array of a cut text would give
    monkeypatch.setattr(seal_module, "row_text", str)
    seal_module._sqlite_writes_canonical.cache_clear()
    assert not seal_module._sqlite_writes_canonical()
    monkeypatch.undo()
    seal_module._sqlite_writes_canonical.cache_clear()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES, st.none() | st.binary(max_size=5)), min_size=1, max_size=5))
def test_sqlite_and_python_write_every_row_alike(database, rows):
    """Any text, any 64-bit integer, any bytes: both paths give one digest, and one check a row."""
    with contextlib.suppress(ZeroDivisionError), database.transaction():
        database.execute("DELETE FROM entries")
        for number, (size, path, raw) in enumerate(rows, 1):
            values = {"id": number, "volume_id": 1, "size_bytes": size, "path": path, "name_raw": raw}
            database.insert("entries", values)
        made = seal(database, "entries", 1, 1)
        assert made == seal(database, "entries", 1, 1, exact=True)
        assert made.rows == len(rows)
        raise ZeroDivisionError  # nothing needs to reach the disk


@pytest.mark.parametrize(
    ("sql", "positions"),
    [
        ("UPDATE entries SET path = '/x' WHERE id = 4", range(3, 4)),
        ("UPDATE entries SET deleted = 1 WHERE id IN (1, 10)", range(10)),
        ("UPDATE entries SET size_bytes = '7' WHERE id = 10", range(9, 10)),
        ("UPDATE entries SET name_raw = CAST(name_raw AS TEXT) WHERE id = 2", range(1, 2)),
        ("UPDATE entries SET path = CAST(path AS BLOB) WHERE id = 2", range(1, 2)),
        ("UPDATE entries SET name_raw = x'' WHERE id = 3", range(2, 3)),
        ("DELETE FROM entries WHERE id = 6", range(5, 5)),
        ("DELETE FROM entries WHERE id <= 10", range(0)),
        ("UPDATE entries SET volume_id = 2 WHERE id = 10", range(9, 9)),
    ],
)
def test_the_row_that_differs_is_found(database, sql, positions):
    before = seal(database, "entries", 1, 1)
    database.execute(sql)
    after = seal(database, "entries", 1, 1)
    assert after.sha256 != before.sha256
    assert changed_rows(before, after) == positions
    assert after == seal(database, "entries", 1, 1, exact=True)


def test_a_row_that_was_put_in_is_found(database):
    before = seal(database, "extents", 1, 1)
    database.insert("extents", {"entry_id": 5, "stream": "x", "ordinal": 0})
    after = seal(database, "extents", 1, 1)
    (position,) = changed_rows(before, after)
    assert row_at(database, "extents", 1, 1, position)[:3] == (5, "x", 0)


def test_equal_rows_have_no_difference(database):
    made = seal(database, "entries", 1, 2)
    assert changed_rows(made, made) == range(10, 10)


def test_columns_that_are_added_later_do_not_break_a_seal(database):
    before = seal(database, "entries", 1, 1)
    database.execute("ALTER TABLE entries ADD COLUMN colour TEXT")
    database.execute("UPDATE entries SET colour = 'red'")
    assert seal(database, "entries", 1, 1, columns=before.columns) == before


def test_seals_are_written_and_read_and_replaced(database):
    for _ in range(2):
        with database.transaction():
            content = write_seals(database, ANALYZE, 1)
        seals = read_seals(database, ANALYZE, 1)
        assert [(each.name, each.volume_id) for each in seals] == [
            ("sessions", None),
            ("tracks", None),
            ("volumes", None),
            ("anomalies", None),
            ("findings", None),
            ("entries", 1),
            ("extents", 1),
            ("streams", 1),
            ("entries", 2),
            ("extents", 2),
            ("streams", 2),
        ]
        assert content_sha256(seals) == content
        rows = [[*each[:5], {"hex": each.row_checks.hex()}] for each in seals]
        text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
        assert hashlib.sha256(text.encode()).hexdigest() == content


def test_checks_of_a_cut_blob_do_not_raise(database):
    made = seal(database, "entries", 1, 1)
    assert len(made._replace(row_checks=made.row_checks[:-1]).checks()) == 9
    assert len(made._replace(row_checks=b"").checks()) == 0

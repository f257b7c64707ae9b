"""Seals: digests over the rows that an act recorded; a later change is found (docs/reference/custody.md)."""

import hashlib
import sys
from array import array
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple
from zlib import crc32

from casefiles.canonical import row_text
from casefiles.database import BlobInJsonError, Database, Row
from casefiles.schema import BLOB_COLUMNS, COLUMNS, KEYS

ACQUIRE = "acquire"
ANALYZE = "analyze"

_OF_EXHIBIT = "evidence_id = :evidence"
_ENTRIES = (
    # A volume's entries lie together; `+` keeps SQLite from sorting them out of the index by path.
    "id BETWEEN (SELECT min(id) FROM entries WHERE volume_id = :volume)"
    " AND (SELECT max(id) FROM entries WHERE volume_id = :volume) AND +volume_id = :volume"
)
_OF_ENTRIES = "entry_id IN (SELECT id FROM entries WHERE volume_id = :volume)"
_WHERE = {
    "evidence": "id = :evidence",
    "acquisitions": _OF_EXHIBIT,
    "blocks": "acquisition_id IN (SELECT id FROM acquisitions WHERE evidence_id = :evidence)",
    "sessions": _OF_EXHIBIT,
    "tracks": _OF_EXHIBIT,
    "volumes": _OF_EXHIBIT,
    "anomalies": _OF_EXHIBIT,
    "findings": _OF_EXHIBIT,
    "entries": _ENTRIES,
    "extents": _OF_ENTRIES,
    "streams": _OF_ENTRIES,
}
TABLES = {
    ACQUIRE: ("evidence", "acquisitions", "blocks"),
    ANALYZE: ("sessions", "tracks", "volumes", "anomalies", "findings"),
}
"""What an act seals once for the exhibit."""
VOLUME_TABLES = ("entries", "extents", "streams")
"""What an analysis seals for each volume."""

_HOSTILE = "".join(map(chr, range(0x100))) + "\u2028\u2029\ufeff\uffff\U0001f4bf\"\\/</script>'"
_BLOB_MEMBER = "CASE typeof({}) WHEN 'blob' THEN json_object('hex', lower(hex({}))) ELSE {} END"
_BATCH_ROWS = 1000


class Seal(NamedTuple):
    """The digest of some rows of one table: their first `columns` columns, in the order of the key."""

    name: str
    volume_id: int | None
    columns: int
    rows: int
    sha256: str
    row_checks: bytes

    def checks(self) -> "array[int]":
        """The CRC-32 of each row."""
        values: array[int] = array("I")
        values.frombytes(self.row_checks[: len(self.row_checks) // 4 * 4])
        if sys.byteorder == "big":
            values.byteswap()
        return values


def seal(
    database: Database,
    name: str,
    evidence_id: int,
    volume_id: int | None = None,
    *,
    columns: int | None = None,
    exact: bool = False,
) -> Seal:
    """Digest the rows of table `name` that belong to the exhibit, or to one volume of it.

    `exact` does without SQLite's JSON: slower, and the last word before rows are said to differ.
    """
    count = len(COLUMNS[name]) if columns is None else columns
    try:
        digest, checks = _digest(_lines(database, name, evidence_id, volume_id, count, exact=exact))
    except BlobInJsonError:  # not where jewelcase put one
        digest, checks = _digest(_lines(database, name, evidence_id, volume_id, count, exact=True))
    if sys.byteorder == "big":
        checks.byteswap()
    return Seal(name, volume_id, count, len(checks), digest, checks.tobytes())


def _digest(lists: Iterator[list[bytes]]) -> "tuple[str, array[int]]":
    """The SHA-256 of all lines, and the CRC-32 of each."""
    digest = hashlib.sha256()
    checks: array[int] = array("I")
    for lines in lists:
        digest.update(b"\n".join(lines))
        digest.update(b"\n")
        checks.extend(map(crc32, lines))
    return digest.hexdigest(), checks


def content_sha256(seals: list[Seal]) -> str:
    """The one digest that stands for an act's seals."""
    return hashlib.sha256("".join(row_text(each) + "\n" for each in seals).encode()).hexdigest()


def schema_sha256(database: Database) -> str:
    """The digest of the database's schema."""
    return hashlib.sha256("".join(row_text(row) + "\n" for row in database.schema()).encode()).hexdigest()


def write_seals(database: Database, action: str, evidence_id: int) -> str:
    """Seal what `action` recorded of the exhibit, replacing its older seals; returns `content_sha256`."""
    assert database.in_transaction
    database.execute("DELETE FROM seals WHERE evidence_id = ? AND action = ?", (evidence_id, action))
    seals = [seal(database, name, evidence_id) for name in TABLES[action]]
    if action == ANALYZE:
        for (volume_id,) in list(
            database.rows("SELECT id FROM volumes WHERE evidence_id = ? ORDER BY id", (evidence_id,))
        ):
            seals += [seal(database, name, evidence_id, volume_id) for name in VOLUME_TABLES]
    for each in seals:
        database.insert("seals", each._asdict() | {"evidence_id": evidence_id, "action": action})
    return content_sha256(seals)


def read_seals(database: Database, action: str, evidence_id: int) -> list[Seal]:
    """The seals as recorded, in their order."""
    rows = database.rows(
        "SELECT name, volume_id, columns, rows, sha256, row_checks FROM seals"
        " WHERE evidence_id = ? AND action = ? ORDER BY id",
        (evidence_id, action),
    )
    return [Seal(*row) for row in rows]


def changed_rows(recorded: Seal, now: Seal) -> range:
    """Which rows differ, as far as their checks tell: positions in `now`.

    Empty where rows are only missing: then it stands where they were.
    """
    before, after = recorded.checks(), now.checks()
    first = 0
    shorter = min(len(before), len(after))
    while first < shorter and before[first] == after[first]:
        first += 1
    last = 0
    while last < shorter - first and before[-1 - last] == after[-1 - last]:
        last += 1
    return range(first, len(after) - last)


def row_at(
    database: Database, name: str, evidence_id: int, volume_id: int | None, position: int
) -> Row | None:
    """The row at `position` of those that are sealed together."""
    columns = COLUMNS[name]
    sql = _select(name, ", ".join(f'"{column}"' for column in columns))
    parameters = {"evidence": evidence_id, "volume": volume_id, "position": position}
    return database.row(f"{sql} LIMIT 1 OFFSET :position", parameters)


def _select(name: str, what: str) -> str:
    order = ", ".join(f'"{column}"' for column in KEYS[name])
    return f'SELECT {what} FROM "{name}" WHERE {_WHERE[name]} ORDER BY {order}'  # noqa: S608  names are ours


def _lines(
    database: Database, name: str, evidence_id: int, volume_id: int | None, columns: int, *, exact: bool
) -> Iterator[list[bytes]]:
    """The rows' canonical texts, in lists; `exact`: by Python's JSON, not by SQLite's."""
    names = database.columns(name)[:columns]
    parameters = {"evidence": evidence_id, "volume": volume_id}
    if exact or not _sqlite_writes_canonical():
        sql = _select(name, ", ".join(f'"{column}"' for column in names))
        for batch in database.batches(sql, parameters, size=_BATCH_ROWS):
            yield [row_text(row).encode() for row in batch]
        return
    members = ", ".join(
        _BLOB_MEMBER.replace("{}", f'"{column}"') if column in BLOB_COLUMNS else f'"{column}"'
        for column in names
    )
    for texts in database.batches(_select(name, f"json_array({members})"), parameters, size=_BATCH_ROWS):
        yield [text.encode() for (text,) in texts]


@cache
def _sqlite_writes_canonical() -> bool:
    """Whether this SQLite's json_array writes what `row_text` writes: three times faster for a row of 36."""
    values = (_HOSTILE, "", None, 0, -1, 2**63 - 1, -(2**63), b"\0\xff\x7f", b"", None)
    with Database.in_memory() as database:
        if not {"json_array", "json_object"} <= database.functions():
            return False
        members = ", ".join(["?"] * 7 + [_BLOB_MEMBER.replace("{}", f"?{n}") for n in (8, 9, 10)])
        return bool(database.value(f"SELECT json_array({members})", values) == row_text(values))

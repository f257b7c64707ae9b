"""Path tables (ECMA-119 6.9, 9.4): read, compared with each other and with the tree.

A path table lists every directory a second time. Where it knows one that the tree does not, somebody
or something cut it out of the tree.
"""

from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SectorRange
from acquire.layout import Layout
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660.blocks import Blocks
from analyze.iso9660.layout import (
    PATH_TABLE_RECORD_L,
    PATH_TABLE_RECORD_M,
    PathTableRecordL,
    PathTableRecordM,
    VolumeDescriptor,
)
from analyze.iso9660.record import position

MAXIMUM_BYTES = 64 << 20
"""A path table is read up to this size."""


class Table(NamedTuple):
    """One of up to four path tables: which, the block where it begins, its size, its byte order."""

    name: str
    block: int
    size_bytes: int
    big_endian: bool


class PathRecord(NamedTuple):
    """One directory as a path table has it. `number` counts from 1, the root; so does `parent`."""

    number: int
    block: int
    parent: int
    identifier: bytes
    offset: int


def tables(fields: VolumeDescriptor) -> list[Table]:
    """The path tables that a descriptor names (8.4.13 to 8.4.17); an optional one at block 0 is none."""
    size = fields.path_table_size
    named = [
        Table("L", int.from_bytes(fields.path_table_l, "little"), size, big_endian=False),
        Table("M", int.from_bytes(fields.path_table_m, "big"), size, big_endian=True),
    ]
    optional = int.from_bytes(fields.path_table_l_optional, "little")
    if optional:
        named.append(Table("optional L", optional, size, big_endian=False))
    optional = int.from_bytes(fields.path_table_m_optional, "big")
    if optional:
        named.append(Table("optional M", optional, size, big_endian=True))
    return named


class PathTables:
    """The path tables of one tree: `records` of the first that could be read, and what is wrong."""

    def __init__(self, blocks: Blocks, fields: VolumeDescriptor) -> None:
        """Read them all."""
        self.records: list[PathRecord] = []
        self.notes: list[Anomaly] = []
        self.structures: list[SectorRange] = []
        self.block = 0
        self._blocks = blocks
        first: Table | None = None
        for table in tables(fields):
            records = self._read(table)
            if records and first is None:
                self.records, self.block, first = records, table.block, table
            elif records and first is not None:
                self._compare(first, table, records)

    def place(self, record: PathRecord) -> tuple[int, int]:
        """LBA and offset of a record of `records`."""
        lba, offset = self._blocks.at(self.block)
        return position(lba, offset + record.offset)

    def _read(self, table: Table) -> list[PathRecord]:
        lba, offset = self._blocks.at(table.block)
        if not 0 < table.size_bytes <= MAXIMUM_BYTES or not self._blocks.reaches(
            table.block, table.size_bytes
        ):
            self.notes.append(
                kind.PATH_TABLE.at(
                    f"The {table.name} path table has an impossible place or size"
                    + (", it is read as far as it goes" if 0 < table.size_bytes <= MAXIMUM_BYTES else ""),
                    lba=lba,
                    seen=f"block {table.block}, {table.size_bytes} bytes",
                )
            )
        data = self._blocks.read(table.block, min(table.size_bytes, MAXIMUM_BYTES))
        if not data:
            return []
        self.structures.append(self._blocks.sectors(table.block, len(data)))
        records, broken = _split(data, table)
        if broken is not None:
            here, there = position(lba, offset + broken)
            self.notes.append(
                kind.PATH_TABLE_RECORD.at(
                    f"A record of the {table.name} path table is impossible: the rest is not read",
                    lba=here,
                    offset=there,
                    seen=data[broken : broken + 8].hex(),
                )
            )
        return records

    def _compare(self, first: Table, other: Table, records: list[PathRecord]) -> None:
        """6.9.2, 6.9.3: all tables of a volume say the same."""
        lba, offset = self._blocks.at(other.block)
        if len(records) != len(self.records):
            self.notes.append(
                kind.PATH_TABLE_COPY.at(
                    f"The {other.name} path table has another number of records than the {first.name} one",
                    lba=lba,
                    seen=len(records),
                    expected=len(self.records),
                )
            )
        if records == self.records:
            return
        for mine, theirs in zip(self.records, records, strict=False):
            if mine != theirs:
                here, there = position(lba, offset + theirs.offset)
                self.notes.append(
                    kind.PATH_TABLE_COPY.at(
                        f"Record {theirs.number} of the {other.name} and the {first.name} path table differ",
                        lba=here,
                        offset=there,
                        seen=_shown(theirs),
                        expected=_shown(mine),
                    )
                )


def _shown(record: PathRecord) -> str:
    return f"block {record.block}, parent {record.parent}, identifier {record.identifier.hex()}"


def _split(data: bytes, table: Table) -> tuple[list[PathRecord], int | None]:
    """The records of a table, and where it breaks off if it does (9.4, 9.4.6: padded to even lengths)."""
    layout: Layout[PathTableRecordL] | Layout[PathTableRecordM] = (
        PATH_TABLE_RECORD_M if table.big_endian else PATH_TABLE_RECORD_L
    )
    found: list[PathRecord] = []
    at = 0
    while at + layout.size <= len(data):
        length, _, block, parent = layout.read(data, at)
        start = at + layout.size
        if not length or not parent or start + length > len(data):
            return found, at
        number = len(found) + 1
        if parent > number:  # 6.9.1: parents come first
            return found, at
        found.append(PathRecord(number, block, parent, data[start : start + length], at))
        at = start + length + length % 2
    return found, at if at < len(data) and data[at:].strip(b"\0") else None


def unlisted(records: list[PathRecord], known: Iterator[int]) -> set[int]:
    """The blocks of `known` directories that no record of the table has."""
    listed = {record.block for record in records}
    return {block for block in known if block not in listed}

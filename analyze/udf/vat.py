"""Virtual allocation tables (UDF 2.2.11; UDF 1.50 2.2.10): the newest, and those before it.

On a write-once disc each closing of the disc writes a table, as a file whose file entry is the last
block, and leads to the table before. So each is a state of the disc: a generation.
"""

import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from analyze.timestamp import Timestamp
from analyze.udf.allocation import read_content
from analyze.udf.anomalies import VAT as VAT_CODE
from analyze.udf.anomalies import VAT_CHAIN, VAT_POSITION
from analyze.udf.attributes import read_attributes
from analyze.udf.blocks import Blocks
from analyze.udf.cs0 import decode_dstring, decode_identifier
from analyze.udf.icb import Icb, read_icb
from analyze.udf.layout import VAT, VAT_EXTENSION, VAT_TAIL_150, FileType, TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.partitions import UNUSED, PhysicalPartition
from analyze.udf.tag import check_tag

_TABLE_150 = "*UDF Virtual Alloc Tbl"
_EXTENSION = "*UDF VAT LVExtension"
_ENTRIES = frozenset((TagId.FILE_ENTRY, TagId.EXTENDED_FILE_ENTRY))
_LOW_BYTES = frozenset((TagId.FILE_ENTRY & 0xFF, TagId.EXTENDED_FILE_ENTRY & 0xFF))
_FILE_TYPE_AT = 27  # 4/14.6.6 in a file entry
_CHUNK_BLOCKS = 256
_MOST_TABLE_BYTES = 1 << 26
_MOST_GENERATIONS = 10_000


class VatGeneration(NamedTuple):
    """One virtual allocation table: a state in which the disc was closed, the newest being number 0.

    `block` is the absolute block of its file entry, `lba` the sector. `label`, `files` and
    `directories` are as the table states them, None where its version states nothing.
    """

    number: int
    block: int
    lba: int
    recorded: Timestamp | None
    entries: int
    previous: int | None
    label: str | None
    files: int | None
    directories: int | None


class Table(NamedTuple):
    """A table as read: its file entry, and its addresses."""

    generation: VatGeneration
    addresses: "array[int]"


class _Stated(NamedTuple):
    """What a table says besides its addresses."""

    previous: int
    label: str | None
    files: int | None
    directories: int | None


def find_tables(raw: LogicalVolume, index: int, physical: PhysicalPartition, end: int) -> list[Table]:
    """The newest table before absolute block `end`, and after it all that it leads back to.

    `raw` is the volume with physical partitions only, `index` the reference of the partition whose
    table it is. Only the newest keeps its addresses; `read_table` reads those of another.
    """
    newest = _newest(raw, index, physical, end)
    if newest is None:
        raw.log.note(
            VAT_CODE,
            "No virtual allocation table was found",
            seen=f"{max(end - physical.start, 0)} blocks searched before block {end}",
        )
        return []
    found = [newest]
    while (previous := found[-1].generation.previous) is not None and len(found) < _MOST_GENERATIONS:
        block = physical.start + previous
        older = None
        if block < found[-1].generation.block and raw.spend_bytes(found[-1].generation.entries * 4):
            older = read_table(raw, index, block - physical.start, len(found))
        if older is None:
            raw.log.note(
                VAT_CHAIN,
                "A virtual allocation table leads back to something that is none",
                at=(raw.blocks, found[-1].generation.block, 0),
                seen=f"partition block {previous}",
            )
            break
        found.append(Table(older.generation, array("I")))
    return found


def _newest(raw: LogicalVolume, index: int, physical: PhysicalPartition, end: int) -> Table | None:
    """The last table before `end` that belongs to this partition: its tag names its own place in it."""
    elsewhere: int | None = None
    for block in _candidates(raw.blocks, physical.start, end):
        data = raw.blocks.block(block)
        checked = check_tag(data, 0, _ENTRIES, None)
        if checked is None or not checked.usable:
            continue
        if checked.tag.location != block - physical.start:
            elsewhere = block if elsewhere is None else elsewhere
            continue
        table = read_table(raw, index, block - physical.start, 0)
        if table is not None:
            _note_position(raw, block, end)
            return table
    if elsewhere is None:
        return None
    table = read_table(raw, index, elsewhere - physical.start, 0)
    if table is not None:
        _note_position(raw, elsewhere, end)
    return table


def _note_position(raw: LogicalVolume, block: int, end: int) -> None:
    if block != end - 1:
        raw.log.note(
            VAT_POSITION,
            "The virtual allocation table is not in the last block",
            at=(raw.blocks, block, 0),
            seen=f"block {block}",
            expected=f"block {end - 1}",
        )


def _candidates(blocks: Blocks, start: int, end: int) -> Iterator[int]:
    """Blocks, from the last to the first, that begin like the file entry of a table."""
    size = blocks.size
    last = min(end, blocks.count)
    while last > start:
        first = max(last - _CHUNK_BLOCKS, start)
        data = blocks.read(first, last - first)
        second_bytes = data[1::size]
        if 1 in second_bytes:  # all tags of files have it
            for number in reversed(range(len(second_bytes))):
                at = number * size
                if (
                    second_bytes[number] == 1
                    and data[at] in _LOW_BYTES
                    and len(data) > at + _FILE_TYPE_AT
                    and data[at + _FILE_TYPE_AT] in (FileType.VAT, FileType.UNSPECIFIED)
                ):
                    yield first + number
        last = first


def read_table(raw: LogicalVolume, index: int, logical: int, number: int) -> Table | None:
    """The table whose file entry is at a block of the physical partition; None if it is none."""
    mark = raw.log.mark()
    icb = read_icb(raw, index, logical, None)
    table = None
    kinds = (FileType.VAT, FileType.UNSPECIFIED)
    if (
        icb is not None
        and icb.entry.file_type in kinds
        and raw.spend_bytes(min(icb.entry.information_length, _MOST_TABLE_BYTES))
    ):
        content = read_content(raw, icb, _MOST_TABLE_BYTES, None)
        if icb.entry.file_type == FileType.VAT:
            table = _table_2(raw, icb, content, number)
        else:
            table = _table_150(raw, icb, content, number)
    if table is None:
        raw.log.rewind(mark)  # it was no table; what is wrong with it does not matter
    return table


def _table_2(raw: LogicalVolume, icb: Icb, content: bytes, number: int) -> Table | None:
    """UDF 2.00 and later: a header, then the addresses."""
    if len(content) < VAT.size:
        return None
    header = VAT.read(content)
    if not VAT.size <= header.header_length <= len(content):
        return None
    label = decode_dstring(header.logical_volume_identifier)
    counts = header.files, header.directories
    body = content[header.header_length :]
    return _table(raw, icb, number, body, _Stated(header.previous_location, label, *counts))


def _table_150(raw: LogicalVolume, icb: Icb, content: bytes, number: int) -> Table | None:
    """UDF 1.50: the addresses, then an identifier and the address of the table before."""
    if len(content) < VAT_TAIL_150.size:
        return None
    tail = VAT_TAIL_150.read(content, len(content) - VAT_TAIL_150.size)
    if decode_identifier(tail.identifier) != _TABLE_150:
        return None
    stated = _Stated(tail.previous_location, None, None, None)
    for row in read_attributes(raw, icb, None).found:
        if row.identifier == _EXTENSION and len(row.payload) >= VAT_EXTENSION.size:
            extension = VAT_EXTENSION.read(row.payload)
            label = decode_dstring(extension.logical_volume_identifier)
            stated = _Stated(tail.previous_location, label, extension.files, extension.directories)
    return _table(raw, icb, number, content[: -VAT_TAIL_150.size], stated)


def _table(raw: LogicalVolume, icb: Icb, number: int, body: bytes, stated: _Stated) -> Table:
    """The table with its addresses, 32 bits each."""
    addresses = array("I")
    assert addresses.itemsize == 4
    addresses.frombytes(body[: len(body) // 4 * 4])
    if sys.byteorder == "big":
        addresses.byteswap()
    generation = VatGeneration(
        number,
        icb.block,
        raw.blocks.place(icb.block)[0],
        raw.times.valid(icb.entry.modification_time),
        len(addresses),
        None if stated.previous == UNUSED else stated.previous,
        stated.label,
        stated.files,
        stated.directories,
    )
    return Table(generation, addresses)

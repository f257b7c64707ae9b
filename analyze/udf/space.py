"""Space (4/10, UDF 2.3.3): which blocks of a partition are free, as its bitmap or table has it."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SectorRange
from analyze.udf.allocation import DescriptorSpace, descriptors
from analyze.udf.anomalies import SPACE as SPACE_CODE
from analyze.udf.file_layout import PARTITION_HEADER, SPACE_BITMAP, UNALLOCATED_ENTRY
from analyze.udf.icb import LENGTH_MASK
from analyze.udf.layout import PARTITION, TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.sequences import Descriptor

_ALIKE = re.compile(rb"\x00+|\xff+|[^\x00\xff]", re.DOTALL)
_FLAGS_AT = 34  # 4/14.6.8 in an ICB's first structure


class Space(NamedTuple):
    """A record of free blocks: `kind` "unallocated" or "freed", `form` "bitmap" or "table".

    `bits` are those of a bitmap, of which `length` count, `extents` the blocks of a table, first and
    number, both in logical blocks of the partition with reference number `partition`.
    """

    kind: str
    form: str
    partition: int
    free_blocks: int
    bits: bytes
    length: int
    extents: tuple[tuple[int, int], ...]

    def ranges(self) -> Iterator[tuple[int, int]]:
        """The free blocks in order: first and number."""
        if self.form == "table":
            yield from self.extents
        else:
            yield from _runs_of_ones(self.bits, self.length)


def read_space(raw: LogicalVolume, index: int, descriptor: Descriptor) -> Iterator[Space]:
    """Read the bitmaps and tables of the partition with reference number `index`."""
    header = PARTITION_HEADER.read(PARTITION.read(descriptor.data).contents_use)
    places = (
        ("unallocated", "bitmap", header.unallocated_bitmap_length, header.unallocated_bitmap),
        ("unallocated", "table", header.unallocated_table_length, header.unallocated_table),
        ("freed", "bitmap", header.freed_bitmap_length, header.freed_bitmap),
        ("freed", "table", header.freed_table_length, header.freed_table),
    )
    for kind, form, length, block in places:
        length &= LENGTH_MASK  # noqa: PLW2901  the type of the extent says nothing here
        if not length:
            continue
        found = _bitmap(raw, index, block, length) if form == "bitmap" else _table(raw, index, block)
        if found is not None:
            yield found._replace(kind=kind)


def _start(raw: LogicalVolume, index: int, logical: int, identifier: int, what: str) -> int | None:
    """The absolute block of a usable structure of the space record; None, with an anomaly, if none."""
    block = raw.resolve(index, logical, what, None)
    if block is None:
        return None
    data = raw.blocks.block(block)
    covered = int.from_bytes(data[10:12], "little") + 16
    if covered > raw.blocks.size:
        data = raw.blocks.read(block, -(-covered // raw.blocks.size))
    checked = raw.check(block, (identifier,), logical, what, data=data, code=SPACE_CODE)
    return None if checked is None else block


def _bitmap(raw: LogicalVolume, index: int, logical: int, length: int) -> Space | None:
    """A space bitmap (4/14.12): a bit that is one is a free block."""
    block = _start(raw, index, logical, TagId.SPACE_BITMAP, "A space bitmap")
    if block is None:
        return None
    size = raw.blocks.size
    partition = raw.partitions[index]
    most = min(length, partition.length // 8 + 1 + SPACE_BITMAP.size)
    data = raw.blocks.read(block, -(-most // size))
    if len(data) < SPACE_BITMAP.size:
        return None
    fixed = SPACE_BITMAP.read(data)
    raw.own(block, -(-len(data) // size))
    bits = data[SPACE_BITMAP.size : SPACE_BITMAP.size + fixed.byte_count]
    count = min(fixed.bit_count, len(bits) * 8, partition.length)
    if count < partition.length or fixed.bit_count > fixed.byte_count * 8:
        raw.log.note(
            SPACE_CODE,
            "A space bitmap does not cover its partition",
            at=(raw.blocks, block, 16),
            clause="4/14.12",
            seen=f"{fixed.bit_count} bits in {fixed.byte_count} bytes",
            expected=f"{partition.length} bits",
        )
    ones = int.from_bytes(bits, "little") & ((1 << count) - 1)
    return Space("", "bitmap", index, ones.bit_count(), bits, count, ())


def _runs_of_ones(bits: bytes, count: int) -> Iterator[tuple[int, int]]:
    """Runs of one bits among the first `count`, the lowest bit of each byte first (4/14.12.4)."""
    first = -1
    for match in _ALIKE.finditer(bits):
        start, end = match.span()
        byte = bits[start]
        if byte in (0x00, 0xFF):
            steps: tuple[tuple[int, int], ...] = ((start * 8, byte & 1),)
        else:
            steps = tuple((start * 8 + bit, byte >> bit & 1) for bit in range(8))
        for position, bit in steps:
            if bit and first < 0:
                first = position
            elif not bit and first >= 0:
                if first < count:
                    yield first, min(position, count) - first
                first = -1
        if end * 8 >= count:
            break
    if 0 <= first < count:
        yield first, count - first


def _table(raw: LogicalVolume, index: int, logical: int) -> Space | None:
    """A space table: an unallocated space entry with the extents that are free (4/10.1, 4/14.11)."""
    block = _start(raw, index, logical, TagId.UNALLOCATED_ENTRY, "An unallocated space entry")
    if block is None:
        return None
    raw.own(block)
    data = raw.blocks.block(block)
    if len(data) < UNALLOCATED_ENTRY.size:
        return None
    form = int.from_bytes(data[_FLAGS_AT : _FLAGS_AT + 2], "little") & 7
    end = min(UNALLOCATED_ENTRY.size + UNALLOCATED_ENTRY.read(data).descriptors_length, len(data))
    table = DescriptorSpace(form, index, block, data, UNALLOCATED_ENTRY.size, end)
    size = raw.blocks.size
    extents = sorted(
        (allocated.address.block, -(-allocated.length // size)) for allocated in descriptors(raw, table, None)
    )
    free = sum(count for _first, count in extents)
    return Space("", "table", index, free, b"", 0, tuple(extents))


def free_sectors(raw: LogicalVolume, space: Space) -> Iterator[SectorRange]:
    """The free blocks of a record as sectors of the disc; a sector that is free in part is left out."""
    for first, count in space.ranges():
        for run in raw.partitions[space.partition].runs(first, count):
            if run.block is None:
                continue
            lba, skip = raw.blocks.place(run.block)
            first_lba = lba + 1 if skip else lba
            end_lba = raw.blocks.place(run.block + run.length)[0]
            if end_lba > first_lba:
                yield SectorRange(first_lba, end_lba - first_lba)

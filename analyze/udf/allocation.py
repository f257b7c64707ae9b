"""Allocation descriptors (4/12, 4/14.14): where the content of a file entry is.

Embedded content, short, long and extended descriptors, and their continuation in allocation extents.
What is not recorded (types 1 and 2) reads as zeros and is a hole.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import HOLE, Extent
from analyze.udf.anomalies import ALLOCATION, CONTENT_SHORT, LIMIT, OUTSIDE
from analyze.udf.file_layout import ALLOCATION_EXTENT
from analyze.udf.icb import LENGTH_MASK, Icb
from analyze.udf.layout import TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.partitions import Address, PhysicalPartition

SHORT, LONG, EXTENDED, EMBEDDED = 0, 1, 2, 3
"""4/14.6.8, bits 0 to 2 of an ICB's flags."""
RECORDED, CONTINUED = 0, 3
"""4/14.14.1.1: types of extents; 1 is allocated but not recorded, 2 neither."""
_SHORT_AD = struct.Struct("<II")  # 4/14.14.1
_LONG_AD = struct.Struct("<IIH6x")  # 4/14.14.2
_EXTENDED_AD = struct.Struct("<IIIIH2x")  # 4/14.14.3, UDF 2.3.10
_WIDTHS = {SHORT: _SHORT_AD.size, LONG: _LONG_AD.size, EXTENDED: _EXTENDED_AD.size}
_MOST_PIECES = 1 << 18
"""Of one entry. A disc of 128 GB in the smallest packets of optical media has fewer fragments."""
_MOST_EXTENT_BYTES = 65536
"""Of an allocation extent; UDF 2.3.11 allows one block."""


class Allocated(NamedTuple):
    """An allocation descriptor: its type, `length` bytes that count, where it begins."""

    kind: int
    length: int
    address: Address


class DescriptorSpace(NamedTuple):
    """Allocation descriptors of a form in `data[start:end]`, belonging to a structure at `block`.

    Short ones are in the partition with reference number `partition`.
    """

    form: int
    partition: int
    block: int
    data: bytes
    start: int
    end: int


class Piece(NamedTuple):
    """Content in a row: `length_bytes` from byte `offset_bytes` of absolute block `block` on.

    `block` is None for zeros that are not on the disc. `address` is where the descriptor says it is.
    """

    block: int | None
    length_bytes: int
    address: Address
    offset_bytes: int = 0


def extents(volume: LogicalVolume, icb: Icb, path: str | None) -> tuple[Extent, ...]:
    """The content of an entry as extents of the disc; adjacent ones are joined."""
    form = icb.entry.flags & 7
    size = icb.entry.information_length
    if form == EMBEDDED and icb.end - icb.descriptors >= size:
        start = icb.descriptors - icb.start
        return (volume.blocks.extent(icb.block, size, start),) if size else ()
    table = DescriptorSpace(form, icb.partition, icb.block, icb.data, icb.descriptors, icb.end)
    single = _single_extent(volume, table, size)
    if single is not None:
        return (single,)
    found: list[Extent] = []
    blocks = volume.blocks
    end = -1  # of the last extent, in bytes of the volume
    for block, length, _address, offset in pieces(volume, icb, path):
        begin = -2 if block is None else block * blocks.size + offset
        if begin == end or (block is None and found and found[-1].start_lba == HOLE):
            lba, joined, skip = found[-1]
            found[-1] = Extent(lba, joined + length, skip)
        else:
            found.append(Extent(HOLE, length) if block is None else blocks.extent(block, length, offset))
        end = -1 if block is None else begin + length
    return tuple(found)


def _single_extent(volume: LogicalVolume, table: DescriptorSpace, size: int) -> Extent | None:
    """The extent of `size` bytes that one descriptor in a physical partition gives: the usual case, and fast.

    None if there are more descriptors, or there is anything about this one.
    """
    form, number, _block, data, at, end = table
    if form == SHORT and end - at == _SHORT_AD.size:
        word, block = _SHORT_AD.unpack_from(data, at)
    elif form == LONG and end - at == _LONG_AD.size:
        word, block, number = _LONG_AD.unpack_from(data, at)
        if number >= len(volume.partitions):
            return None
    else:
        return None
    partition = volume.partitions[number]
    blocks = volume.blocks
    if not 0 < size <= word <= LENGTH_MASK or not isinstance(partition, PhysicalPartition):
        return None
    if block + -(-size // blocks.size) > partition.length:
        return None
    return blocks.extent(partition.start + block, size)


def pieces(volume: LogicalVolume, icb: Icb, path: str | None) -> list[Piece]:
    """The content of an entry in pieces, cut to its size; fewer, with an anomaly, if it is damaged."""
    found: list[Piece] = []
    left = icb.entry.information_length
    if icb.entry.flags & 7 == EMBEDDED:
        length = min(icb.end - icb.descriptors, left)
        if length:
            address = Address(icb.partition, icb.logical)
            found.append(Piece(icb.block, length, address, icb.descriptors - icb.start))
        left -= length
    else:
        form = icb.entry.flags & 7
        table = DescriptorSpace(form, icb.partition, icb.block, icb.data, icb.descriptors, icb.end)
        for allocated in descriptors(volume, table, path):
            if left <= 0:
                break  # 4/12.1: the file tail, allocated but not part of the content
            length = min(allocated.length, left)
            if not _resolve(volume, allocated, length, found, path):
                break
            left -= length
            if left > 0 and allocated.length % volume.blocks.size:
                _note(volume, icb.block, "An extent that is not the last is no whole number of blocks", path)
    if left > 0:
        volume.log.note(
            CONTENT_SHORT,
            "The extents hold less than the size of the entry",
            at=(volume.blocks, icb.block, 56),
            seen=f"{icb.entry.information_length - left} bytes",
            expected=f"{icb.entry.information_length} bytes",
            path=path,
        )
    return found


def _resolve(
    volume: LogicalVolume, allocated: Allocated, length: int, found: list[Piece], path: str | None
) -> bool:
    """Add the pieces of one descriptor; False where the content cannot go on."""
    address = allocated.address
    if allocated.kind != RECORDED:
        found.append(Piece(None, length, address))
        return True
    if address.partition >= len(volume.partitions):
        volume.resolve(*address, "An extent", path)
        return False
    size = volume.blocks.size
    partition = volume.partitions[address.partition]
    count = -(-length // size)
    if address.block + count > partition.length and isinstance(partition, PhysicalPartition):
        volume.log.note(
            OUTSIDE,
            "An extent reaches past the end of its partition",
            seen=f"blocks {address.block} to {address.block + count - 1}",
            expected=f"less than {partition.length}",
            path=path,
        )
    position = 0
    for run in partition.runs(address.block, count):
        if run.block is None:
            volume.resolve(address.partition, address.block + position // size, "An extent", path)
            return False
        if len(found) >= _MOST_PIECES or not volume.spend(1):
            volume.log.note(LIMIT, "An entry has more extents than are read", path=path)
            return False
        taken = min(run.length * size, length - position)
        found.append(Piece(run.block, taken, Address(address.partition, address.block + position // size)))
        position += taken
    return True


def descriptors(volume: LogicalVolume, table: DescriptorSpace, path: str | None) -> Iterator[Allocated]:
    """The allocation descriptors of a table, those in allocation extents too (4/12.1, 4/14.5)."""
    form = table.form
    if form not in _WIDTHS:
        _note(volume, table.block, "The form of its allocation descriptors is not defined", path, str(form))
        return
    seen: set[Address] = set()
    while True:
        following: Allocated | None = None
        for allocated in _entries(table):
            if not volume.spend(1):
                return
            if allocated.kind == CONTINUED:
                following = allocated
                break
            yield allocated
        else:
            if (table.end - table.start) % _WIDTHS[form]:
                _note(volume, table.block, "Its allocation descriptors end inside one", path)
        if following is None:
            return
        if following.address in seen:
            _note(volume, table.block, "Its allocation extents lead back to one before", path)
            return
        seen.add(following.address)
        data = _allocation_extent(volume, following, path)
        table = table._replace(data=data, start=ALLOCATION_EXTENT.size, end=len(data))


def _entries(table: DescriptorSpace) -> Iterator[Allocated]:
    """The descriptors of a table, up to one of length 0, which ends them (4/12.1)."""
    form, partition, _block, data, start, end = table
    for at in range(start, end - _WIDTHS[form] + 1, _WIDTHS[form]):
        if form == SHORT:
            word, block = _SHORT_AD.unpack_from(data, at)
            length = word & LENGTH_MASK
        elif form == LONG:
            word, block, partition = _LONG_AD.unpack_from(data, at)
            length = word & LENGTH_MASK
        else:
            word, _recorded, information, block, partition = _EXTENDED_AD.unpack_from(data, at)
            length = word & LENGTH_MASK
            if length and word >> 30 != CONTINUED:
                length = min(length, information)
        if not word & LENGTH_MASK:
            return
        yield Allocated(word >> 30, length, Address(partition, block))


def _allocation_extent(volume: LogicalVolume, allocated: Allocated, path: str | None) -> bytes:
    """The bytes of an allocation extent, cut to its descriptors; b"" if it cannot be used."""
    address = allocated.address
    what = "An allocation extent"
    block = volume.resolve(*address, what, path)
    if block is None:
        return b""
    if volume.check(block, (TagId.ALLOCATION_EXTENT,), address.block, what, path) is None:
        other = volume.partitions[address.partition].other(address.block)
        if other is None or not volume.check(other, (TagId.ALLOCATION_EXTENT,), address.block, what, path):
            return b""
        volume.note_mirror(other, what, path)
        block = other
    size = volume.blocks.size
    count = max(min(allocated.length, _MOST_EXTENT_BYTES) // size, 1)
    volume.own(block, count)
    data = volume.blocks.read(block, count)
    if len(data) < ALLOCATION_EXTENT.size:
        return b""
    length = ALLOCATION_EXTENT.read(data).descriptors_length
    return data[: ALLOCATION_EXTENT.size + length]


def _note(volume: LogicalVolume, block: int, message: str, path: str | None, seen: str = "") -> None:
    volume.log.note(ALLOCATION, message, at=(volume.blocks, block, 0), seen=seen, path=path)


def read_content(volume: LogicalVolume, icb: Icb, most_bytes: int, path: str | None) -> bytes:
    """The content of an entry that is small by nature (links, tables), at most `most_bytes` of it."""
    parts: list[bytes] = []
    left = most_bytes
    for piece in pieces(volume, icb, path):
        length = min(piece.length_bytes, left)
        if length <= 0:
            break
        if piece.block is None:
            data = bytes(length)
        else:
            data = volume.blocks.read_bytes(piece.block * volume.blocks.size + piece.offset_bytes, length)
        parts.append(data)
        left -= length
        if len(data) < length:
            break
    return b"".join(parts)

"""File sets (4/8.3): each has a root directory; a volume has one, on write-once discs perhaps more."""

from collections.abc import Iterator
from typing import NamedTuple

from analyze.udf.anomalies import FILE_SET as FILE_SET_CODE
from analyze.udf.anomalies import ICB_TYPE, ROOT
from analyze.udf.directory import begins_with_parent
from analyze.udf.file_layout import FILE_SET, FileSetDescriptor, LongAllocation
from analyze.udf.icb import LENGTH_MASK, Icb, read_icb
from analyze.udf.layout import FileType, TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.partitions import Address
from analyze.udf.scan import find_tagged
from analyze.udf.tag import check_tag

_MOST_EXTENTS = 1024
_MOST_BLOCKS = 256
_MOST_FILE_SETS = 64
_FILE_TYPE_AT = 27  # 4/14.6.6 in a file entry
_MOST_ROOTS_TRIED = 100_000


class FileSet(NamedTuple):
    """A file set descriptor and the absolute block where it stands."""

    fixed: FileSetDescriptor
    block: int


def read_file_sets(volume: LogicalVolume, where: LongAllocation) -> list[FileSet]:
    """The file sets of a volume, the one with the highest number first (UDF 2.3.2: it is the default).

    Where the descriptor is not at `where`, it is looked for everywhere.
    """
    prevailing: dict[int, FileSet] = {}
    for found in _sequence(volume, where):
        older = prevailing.get(found.fixed.number)
        if older is None or found.fixed.descriptor_number >= older.fixed.descriptor_number:
            prevailing[found.fixed.number] = found
    if not prevailing:
        for block in find_tagged(volume.blocks, (TagId.FILE_SET,)):
            data = volume.blocks.block(block)
            if len(data) >= FILE_SET.size:
                volume.log.note(
                    FILE_SET_CODE, "A file set descriptor was found by scanning", at=(volume.blocks, block, 0)
                )
                volume.own(block)
                prevailing[0] = FileSet(FILE_SET.read(data), block)
                # The last one on the disc is the newest of a write-once disc.
    return sorted(prevailing.values(), key=lambda found: found.fixed.number, reverse=True)[:_MOST_FILE_SETS]


def _sequence(volume: LogicalVolume, where: LongAllocation) -> Iterator[FileSet]:
    """Yield the descriptors of the file set descriptor sequence (4/8.3.1)."""
    queue: list[LongAllocation] = [where]
    for extent in queue:
        length = extent.length & LENGTH_MASK
        if not length or len(queue) > _MOST_EXTENTS:
            break
        for number in range(min(max(length // volume.blocks.size, 1), _MOST_BLOCKS)):
            address = Address(extent.partition, extent.block + number)
            found = _file_set_at(volume, address, required=number == 0)
            if found is None:
                break
            yield found
            fixed = found.fixed
            if fixed.next_length & LENGTH_MASK:
                queue.append(
                    LongAllocation(fixed.next_length, fixed.next_block, fixed.next_partition, fixed.next_use)
                )
                break


def _file_set_at(volume: LogicalVolume, address: Address, *, required: bool) -> FileSet | None:
    """The file set descriptor at an address or its second place; None, with an anomaly if `required`."""
    what = "A file set descriptor"
    if required:
        block = volume.resolve(*address, what, None)
    else:
        block = volume.partitions[address.partition].at(address.block)
    if block is None:
        return None
    other = volume.partitions[address.partition].other(address.block)
    first = check_tag(volume.blocks.block(block), 0, (TagId.FILE_SET,), address.block)
    for place in (block, other):
        data = b"" if place is None else volume.blocks.block(place)
        checked = check_tag(data, 0, (TagId.FILE_SET,), address.block)
        if place is None or checked is None or not checked.usable or len(data) < FILE_SET.size:
            continue
        if place != block:
            volume.note_unusable(block, first, (TagId.FILE_SET,), what, code=FILE_SET_CODE)
            volume.note_mirror(place, what, None)
        volume.note_problems(place, 0, checked, what)
        volume.own(place)
        return FileSet(FILE_SET.read(data), place)
    if required:
        volume.note_unusable(block, first, (TagId.FILE_SET,), what, code=FILE_SET_CODE)
    elif first is not None and first.tag.identifier == TagId.TERMINATING:
        volume.own(block)
    return None


class Root(NamedTuple):
    """A root directory, and the address of its ICB."""

    icb: Icb
    address: Address


def read_root(volume: LogicalVolume, file_set: FileSet) -> Root | None:
    """The root directory of a file set, searched for where the descriptor leads to none.

    A root directory is one whose parent is itself (4/8.6).
    """
    fixed = file_set.fixed
    address = Address(fixed.root_partition, fixed.root_block)
    icb = read_icb(volume, *address, "/")
    if icb is not None and icb.entry.file_type == FileType.DIRECTORY:
        return Root(icb, address)
    if icb is not None and _is_own_parent(volume, icb, address):
        volume.log.note(
            ICB_TYPE,
            "The root directory has the file type of something else",
            at=(volume.blocks, icb.block, _FILE_TYPE_AT),
            seen=str(icb.entry.file_type),
            expected=str(FileType.DIRECTORY),
            path="/",
        )
        return Root(icb, address)
    volume.log.note(
        ROOT,
        "The root directory is not where the file set descriptor says",
        at=(volume.blocks, file_set.block, 400),
        seen=f"partition {fixed.root_partition}, block {fixed.root_block}"
        + ("" if icb is None else f": file type {icb.entry.file_type}"),
        expected="the file entry of a directory",
    )
    return find_root(volume)


def find_root(volume: LogicalVolume) -> Root | None:
    """Search all blocks for a directory that is its own parent; the last one that is."""
    found: Root | None = None
    tried = 0
    for block in find_tagged(volume.blocks, (TagId.FILE_ENTRY, TagId.EXTENDED_FILE_ENTRY)):
        data = volume.blocks.block(block)
        if len(data) <= _FILE_TYPE_AT or data[_FILE_TYPE_AT] != FileType.DIRECTORY:
            continue
        tried += 1
        if tried > _MOST_ROOTS_TRIED or not volume.spend(16):
            break
        logical = int.from_bytes(data[12:16], "little")
        mark = volume.log.mark()
        for address in _addresses(volume, logical, block):
            icb = read_icb(volume, address.partition, address.block, None)
            if icb is not None and _is_own_parent(volume, icb, address):
                found = Root(icb, address)
        volume.log.rewind(mark)  # most of what is tried is not a part of the volume
    if found is not None:
        volume.log.note(
            ROOT, "A root directory was found by scanning", at=(volume.blocks, found.icb.block, 0)
        )
    return found


def _addresses(volume: LogicalVolume, logical: int, block: int) -> list[Address]:
    """The addresses with this logical block that lead to the absolute block; at most one a partition."""
    return [
        Address(number, logical)
        for number, partition in enumerate(volume.partitions)
        if partition.at(logical) == block
    ][:1]


def _is_own_parent(volume: LogicalVolume, icb: Icb, address: Address) -> bool:
    parent = begins_with_parent(volume, icb)
    return parent is not None and (parent.icb_partition, parent.icb_block) == address

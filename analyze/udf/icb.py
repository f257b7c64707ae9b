"""Information control blocks: from the address of an ICB to the file entry that counts (4/8.10.1).

Strategy 4 has one entry; strategy 4096 (UDF 2.3.5.1) a chain of them, each followed by an indirect entry
that leads to its successor, the last of which counts. Other strategies are read as strategy 4.
"""

from typing import NamedTuple

from analyze.udf.anomalies import ICB, ICB_LENGTHS, LIMIT
from analyze.udf.file_layout import (
    EXTENDED_FILE_ENTRY,
    FILE_ENTRY,
    INDIRECT_ENTRY,
    ExtendedFileEntry,
    FileEntry,
)
from analyze.udf.layout import TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.partitions import Address
from analyze.udf.tag import TAG_BYTES, VERSIONS, check_tag, crc

FE, EFE, INDIRECT = TagId.FILE_ENTRY, TagId.EXTENDED_FILE_ENTRY, TagId.INDIRECT_ENTRY
_ENTRIES = frozenset((FE, EFE))
_EXPECTED = frozenset((FE, EFE, INDIRECT))
_FE_BYTES, _EFE_BYTES = FILE_ENTRY.size, EXTENDED_FILE_ENTRY.size
LENGTH_MASK = 0x3FFFFFFF
"""4/14.14.1.1: the two bits above are the type of the extent."""
_INDIRECT_AT = 36  # 4/14.7.3
_MOST_VERSIONS = 65536
STRATEGY_4096 = 4096


class Icb(NamedTuple):
    """A file entry and where it is: its address (`partition`, `logical`), and its absolute block.

    `data[attributes : descriptors]` are its extended attributes, `data[descriptors : end]` its
    allocation descriptors or embedded content; both lie inside its block. `start` is the entry's own
    place in `data`. `versions` counts the entries of the chain before it.
    """

    entry: FileEntry | ExtendedFileEntry
    partition: int
    logical: int
    block: int
    data: bytes
    start: int
    attributes: int
    descriptors: int
    end: int
    versions: int = 0


def read_icb(volume: LogicalVolume, partition: int, logical: int, path: str | None) -> Icb | None:
    """The file entry of the ICB at a logical block; None, with an anomaly, if there is none to use."""
    if partition < len(volume.partitions):
        place = volume.partitions[partition].at(logical)
        if place is not None:
            icb = _sound_entry(volume, partition, logical, place)
            if icb is not None and icb.entry.strategy != STRATEGY_4096:
                return icb
    return _any_entry(volume, Address(partition, logical), path)


def _sound_entry(volume: LogicalVolume, partition: int, logical: int, block: int) -> Icb | None:
    """The entry at `block` if everything about it is as it should be: the usual case, and fast."""
    blocks = volume.blocks
    data, start = blocks.locate(block)
    limit = start + blocks.size
    if len(data) < limit:
        return None
    entry: FileEntry | ExtendedFileEntry
    if data[start] == 0x05:
        entry = FILE_ENTRY.read(data, start)
        attributes = start + _FE_BYTES
        known = entry.tag_identifier == FE
    else:
        entry = EXTENDED_FILE_ENTRY.read(data, start)
        attributes = start + _EFE_BYTES
        known = entry.tag_identifier == EFE
    descriptors = attributes + entry.attributes_length
    end = descriptors + entry.descriptors_length
    covered = start + 16 + entry.tag_crc_length
    if (
        not known
        or (sum(data[start : start + 16]) - entry.tag_checksum) & 0xFF != entry.tag_checksum
        or end > limit
        or covered > limit
        or entry.tag_location != logical
        or entry.tag_version not in VERSIONS
        or crc(data[start + 16 : covered]) != entry.tag_crc
        or logical >= volume.partitions[partition].length
    ):
        return None
    volume.own(block)
    return Icb(entry, partition, logical, block, data, start, attributes, descriptors, end)


def _any_entry(volume: LogicalVolume, address: Address, path: str | None) -> Icb | None:
    """The entry that counts, by the long way: damaged, in its second place, or at the end of a chain."""
    seen: set[Address] = set()
    found: Icb | None = None
    following: Address | None = address
    while following is not None:
        if following in seen or len(seen) >= _MOST_VERSIONS or not volume.spend(1):
            volume.log.note(LIMIT, "A chain of ICB entries returns to itself or does not end", path=path)
            break
        seen.add(following)
        checked = _checked(volume, following, path)
        if checked is None:
            break
        block, identifier = checked
        volume.own(block)
        if identifier == INDIRECT:
            following = _successor(volume, block)
            continue
        found = _entry(volume, following, checked, path)._replace(versions=len(seen) - 1)
        if found.entry.strategy != STRATEGY_4096:
            break
        # UDF 2.3.5.1: the block after a direct entry holds the indirect entry, if there is one.
        indirect = check_tag(volume.blocks.block(block + 1), 0, (INDIRECT,), None)
        if indirect is None or not indirect.usable or indirect.tag.identifier != INDIRECT:
            break
        volume.own(block + 1)
        volume.note_problems(block + 1, 0, indirect, "An indirect entry", path)
        following = _successor(volume, block + 1)
    return found


def _successor(volume: LogicalVolume, block: int) -> Address | None:
    """Where the indirect entry at `block` leads; None if nowhere."""
    data = volume.blocks.block(block)
    if len(data) < _INDIRECT_AT + INDIRECT_ENTRY.size:
        return None
    indirect = INDIRECT_ENTRY.read(data, _INDIRECT_AT)
    return Address(indirect.partition, indirect.block) if indirect.length & LENGTH_MASK else None


def _checked(volume: LogicalVolume, address: Address, path: str | None) -> tuple[int, int] | None:
    """Block and tag identifier of a usable structure of the ICB at `address`, or at its second place."""
    partition, logical = address
    place = volume.resolve(partition, logical, "An ICB", path)
    if place is None:
        return None
    checked = check_tag(volume.blocks.block(place), 0, _EXPECTED, logical)
    if checked is not None and checked.usable and not checked.problems:
        return place, checked.identifier
    other = volume.partitions[partition].other(logical)
    if other is not None:
        second = check_tag(volume.blocks.block(other), 0, _EXPECTED, logical)
        if second is not None and second.usable and not second.problems:
            volume.note_unusable(place, checked, _EXPECTED, "A file entry", path)
            volume.note_mirror(other, "A file entry", path)
            return other, second.identifier
    if checked is None or not checked.usable:
        volume.note_unusable(place, checked, _EXPECTED, "A file entry", path)
        return None
    volume.note_problems(place, 0, checked, "A file entry", path)
    return place, checked.identifier


def _entry(volume: LogicalVolume, address: Address, checked: tuple[int, int], path: str | None) -> Icb:
    """Read the file entry at a checked block, whose lengths are cut to what its block holds."""
    block, identifier = checked
    size = volume.blocks.size
    layout = FILE_ENTRY if identifier == FE else EXTENDED_FILE_ENTRY
    data = _with_right_lengths(volume.blocks.block(block).ljust(size, b"\0"), layout.size)
    entry: FileEntry | ExtendedFileEntry = layout.read(data)
    attributes = layout.size
    descriptors = attributes + entry.attributes_length
    end = descriptors + entry.descriptors_length
    if end > size:
        volume.log.note(
            ICB_LENGTHS,
            "Extended attributes and allocation descriptors do not fit their file entry",
            at=(volume.blocks, block, attributes - 8),
            seen=f"{entry.attributes_length} and {entry.descriptors_length} bytes",
            expected=f"at most {size - attributes} together",
            path=path,
        )
        descriptors = min(descriptors, size)
        end = min(end, size)
    if entry.strategy not in (4, STRATEGY_4096):
        volume.log.note(
            ICB,
            "An ICB has a strategy that is not defined for UDF",
            at=(volume.blocks, block, 20),
            clause="UDF 2.3.5.1",
            seen=str(entry.strategy),
            expected="4 or 4096",
            path=path,
        )
    return Icb(entry, address.partition, address.block, block, data, 0, attributes, descriptors, end)


def _with_right_lengths(data: bytes, fixed: int) -> bytes:
    """The block of a damaged file entry, with one of its lengths put right if the CRC proves it.

    `fixed` is the length of the entry before its attributes. Its CRC covers all of it, so that each
    of the two lengths (4/14.9.19, 4/14.9.20) follows from the other.
    """
    entry = FILE_ENTRY.read(data) if fixed == FILE_ENTRY.size else EXTENDED_FILE_ENTRY.read(data)
    end = TAG_BYTES + entry.tag_crc_length
    first, second = entry.attributes_length, entry.descriptors_length
    if fixed + first + second == end or end > len(data):
        return data
    for at, length in ((fixed - 8, end - fixed - second), (fixed - 4, end - fixed - first)):
        if length >= 0:
            repaired = data[:at] + length.to_bytes(4, "little") + data[at + 4 :]
            if crc(repaired[TAG_BYTES:end]) == entry.tag_crc:
                return repaired
    return data

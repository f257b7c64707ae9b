"""The volume descriptor sequences, main and reserve (3/8.4.2), and the integrity sequence (3/8.8.2).

Each descriptor counts in its prevailing instance (3/8.4.3): sound before damaged, the highest sequence
number, main before reserve. What the two sequences do not agree on is an anomaly.
"""

from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from analyze.udf.anomalies import INTEGRITY as INTEGRITY_CODE
from analyze.udf.anomalies import SEQUENCE_MISMATCH, SEQUENCE_MISSING, SEQUENCE_SCAN, AnomalyLog
from analyze.udf.blocks import Blocks
from analyze.udf.layout import (
    ENTITY_IDENTIFIER,
    INTEGRITY,
    INTEGRITY_USE,
    PARTITION,
    VOLUME_POINTER,
    ExtentDescriptor,
    IntegrityDescriptor,
    IntegrityUse,
    TagId,
)
from analyze.udf.tag import TagCheck, check_tag

_IN_SEQUENCE = frozenset(range(1, 9))
_NEEDED = {
    TagId.PRIMARY_VOLUME: "primary volume descriptor",
    TagId.PARTITION: "partition descriptor",
    TagId.LOGICAL_VOLUME: "logical volume descriptor",
}
_MOST_BLOCKS = 4096
"""Of one sequence; UDF 2.2.3 wants 16 at least."""
_MOST_EXTENTS = 64
_MOST_DESCRIPTOR_BYTES = 65536 + 16
_SCAN_BLOCKS = 2048
_LEAST_BYTES = 512
_MOST_PARTITIONS_IN_TABLE = 4096

Key = tuple[int, int | bytes]


class Descriptor(NamedTuple):
    """A volume descriptor: its block, its tag identifier, its bytes, and whether its tag is right."""

    block: int
    identifier: int
    data: bytes
    sound: bool

    @property
    def sequence_number(self) -> int:
        """Volume Descriptor Sequence Number: the highest prevails (3/8.4.3)."""
        return int.from_bytes(self.data[16:20], "little")

    @property
    def key(self) -> Key:
        """What it describes: descriptors of one key replace each other. UDF 2.2.4: one logical volume."""
        if self.identifier == TagId.PARTITION:
            return self.identifier, PARTITION.read(self.data).number
        if self.identifier == TagId.PRIMARY_VOLUME:
            return self.identifier, int.from_bytes(self.data[20:24], "little")
        if self.identifier == TagId.IMPLEMENTATION_USE:
            return self.identifier, ENTITY_IDENTIFIER.read(self.data, 20).identifier
        return self.identifier, 0


class VolumeDescriptors(NamedTuple):
    """The prevailing descriptors of a volume by what they describe, and the extents they come from."""

    prevailing: dict[Key, Descriptor]
    extents: tuple[tuple[int, int], ...]

    def of(self, identifier: int) -> list[Descriptor]:
        """Those of one kind, the highest sequence number first."""
        found = [each for each in self.prevailing.values() if each.identifier == identifier]
        return sorted(found, key=lambda each: each.sequence_number, reverse=True)

    @property
    def complete(self) -> bool:
        """Whether there is what a volume cannot be opened without."""
        return bool(self.of(TagId.LOGICAL_VOLUME) and self.of(TagId.PARTITION))


def read_descriptor(blocks: Blocks, block: int) -> tuple[bytes, TagCheck | None]:
    """The bytes of the structure at `block`, as many as its CRC covers, and the check of its tag."""
    data = blocks.read(block)
    covered = int.from_bytes(data[10:12], "little") + 16
    if covered > len(data) and len(data) == blocks.size:
        data = blocks.read(block, -(-min(covered, _MOST_DESCRIPTOR_BYTES) // blocks.size))
    return data, check_tag(data, 0, _IN_SEQUENCE, block)


def read_sequences(
    blocks: Blocks, main: ExtentDescriptor, reserve: ExtentDescriptor, log: AnomalyLog
) -> VolumeDescriptors:
    """Read both sequences, compare them, and take the prevailing descriptors."""
    extents: list[tuple[int, int]] = []
    sequences = []
    for name, extent in (("main", main), ("reserve", reserve)):
        found = _prevailing(_read_sequence(blocks, name, extent, log, extents))
        lacking = [text for kind, text in _NEEDED.items() if not any(key[0] == kind for key in found)]
        if lacking:
            log.note(
                SEQUENCE_MISSING,
                f"The {name} volume descriptor sequence has no {', no '.join(lacking)}",
                at=(blocks, extent.location, 0),
                seen=f"{extent.length} bytes at {extent.location}",
            )
        sequences.append(found)
    first, second = sequences
    if all(any(key[0] == kind for key in each) for each in sequences for kind in _NEEDED):
        _compare(blocks, first, second, log)
    both = [*first.values(), *second.values()]
    return VolumeDescriptors(_prevailing(both), tuple(extents))


def _read_sequence(
    blocks: Blocks, name: str, extent: ExtentDescriptor, log: AnomalyLog, extents: list[tuple[int, int]]
) -> Iterator[Descriptor]:
    """Yield the descriptors of a sequence up to its end; its extents are added to `extents`."""
    queue, seen = [extent], 0
    while queue and seen < _MOST_EXTENTS:
        seen += 1
        length, first = queue.pop()
        count = min(length // blocks.size, _MOST_BLOCKS, max(blocks.count - first, 0))
        extents.append((first, count))
        block, end = first, first + count
        while block < end:
            data, checked = read_descriptor(blocks, block)
            what = f"A descriptor of the {name} sequence"
            if not any(data[:16]) and not blocks.unread(block):
                block += 1  # unrecorded: ends the sequence (3/8.4.2), unless something follows
                continue
            if checked is None or not checked.usable or len(data) < _LEAST_BYTES:
                _note_bad(blocks, block, checked, what, log)
                block += 1
                continue
            log.disagreements(checked.problems, what, (blocks, block, 0))
            if checked.identifier == TagId.TERMINATING:
                break
            if checked.identifier == TagId.VOLUME_POINTER:
                pointer = VOLUME_POINTER.read(data)
                queue = [ExtentDescriptor(pointer.next_length, pointer.next_location)]
                break
            yield Descriptor(block, checked.identifier, data, not checked.problems)
            block += max(-(-len(data) // blocks.size), 1)


def _note_bad(blocks: Blocks, block: int, checked: TagCheck | None, what: str, log: AnomalyLog) -> None:
    """Note a block of a sequence that holds no descriptor."""
    unread = blocks.unread(block)
    wrong = ", ".join(problem.code for problem in checked.problems) if checked else "cut short"
    log.note(
        SEQUENCE_MISSING,
        f"{what} {'was not read' if unread else 'cannot be used'}",
        at=(blocks, block, 0),
        seen="" if unread else f"tag {checked.tag.identifier if checked else ''} ({wrong})",
    )


def _prevailing(found: "Iterator[Descriptor] | list[Descriptor]") -> dict[Key, Descriptor]:
    """The prevailing descriptor for each key; the first of equals."""
    best: dict[Key, Descriptor] = {}
    for each in found:
        old = best.get(each.key)
        if old is None or (each.sound, each.sequence_number) > (old.sound, old.sequence_number):
            best[each.key] = each
    return best


def _compare(
    blocks: Blocks, main: dict[Key, Descriptor], reserve: dict[Key, Descriptor], log: AnomalyLog
) -> None:
    """Note the descriptors that differ between the sequences (3/8.4.2.2: they shall be equivalent)."""
    damaged = {each.identifier for each in (*main.values(), *reserve.values()) if not each.sound}
    for key in dict.fromkeys((*main, *reserve)):
        here, there = main.get(key), reserve.get(key)
        where = here if here is not None else reserve[key]
        if here is None or there is None:
            if key[0] in damaged:
                continue  # what is damaged is noted already, and may be what is missing here
            seen = "only in the " + ("main" if there is None else "reserve") + " sequence"
        else:
            # Not the tags: they hold the location, and so their checksums differ.
            if not (here.sound and there.sound) or here.data[16:] == there.data[16:]:
                continue
            byte = next(n for n in range(16, len(here.data)) if here.data[n : n + 1] != there.data[n : n + 1])
            seen = f"from byte {byte} on, other content than at block {there.block}"
        log.note(
            SEQUENCE_MISMATCH,
            f"The main and reserve sequences differ in a descriptor with tag {key[0]}",
            at=(blocks, where.block, 0),
            seen=seen,
            expected="equivalent sequences",
        )


def scan_descriptors(blocks: Blocks, ahead: int, log: AnomalyLog) -> VolumeDescriptors:
    """Volume descriptors near the start and the end, for a volume whose anchors are gone.

    `ahead` is how many sectors before the start of the volume the blocks begin to count.
    """
    found: list[Descriptor] = []
    first = ahead * SECTOR_BYTES // blocks.size
    near = range(first, min(first + _SCAN_BLOCKS, blocks.count))
    far = range(max(blocks.count - _SCAN_BLOCKS, near.stop), blocks.count)
    for block in (*near, *far):
        data = blocks.block(block)
        if len(data) < _LEAST_BYTES or data[1] or data[0] not in _IN_SEQUENCE:
            continue
        data, checked = read_descriptor(blocks, block)
        if checked is not None and checked.usable and not checked.problems:
            found.append(Descriptor(block, checked.identifier, data, sound=True))
    descriptors = VolumeDescriptors(_prevailing(found), tuple((each.block, 1) for each in found))
    if descriptors.complete:
        log.note(
            SEQUENCE_SCAN,
            "The volume descriptors were found by scanning",
            at=(blocks, found[0].block, 0),
            seen=f"{len(found)} descriptors",
        )
    return descriptors


class Integrity(NamedTuple):
    """The prevailing logical volume integrity descriptor: `closed`, and the figures it was closed with.

    `free` and `sizes` are blocks for each partition reference, None where not stated (0xFFFFFFFF).
    """

    fixed: IntegrityDescriptor
    use: IntegrityUse | None
    closed: bool
    free: tuple[int | None, ...]
    sizes: tuple[int | None, ...]
    extents: tuple[tuple[int, int], ...]


def read_integrity(blocks: Blocks, extent: ExtentDescriptor, log: AnomalyLog) -> Integrity | None:
    """The last usable descriptor of the integrity sequence; None, with an anomaly, if there is none."""
    queue, seen = [extent], 0
    extents: list[tuple[int, int]] = []
    last: Integrity | None = None
    while queue and seen < _MOST_EXTENTS:
        seen += 1
        length, first = queue.pop()
        count = min(length // blocks.size, _MOST_BLOCKS, max(blocks.count - first, 0))
        extents.append((first, count))
        for block in range(first, first + count):
            data = blocks.read(block, max(_LEAST_BYTES * 8 // blocks.size, 1))
            checked = check_tag(data, 0, (TagId.INTEGRITY,), block)
            if checked is None or not checked.usable or len(data) < INTEGRITY.size:
                break
            log.disagreements(checked.problems, "An integrity descriptor", (blocks, block, 0))
            last = _integrity(data)
            if last.fixed.next_length:
                queue = [ExtentDescriptor(last.fixed.next_length, last.fixed.next_location)]
                break
    if last is None and extent.length:
        log.note(
            INTEGRITY_CODE,
            "The logical volume integrity sequence has no usable descriptor",
            at=(blocks, extent.location, 0),
        )
    return None if last is None else last._replace(extents=tuple(extents))


def _integrity(data: bytes) -> Integrity:
    """Read an integrity descriptor with its tables (3/10.10.8 to 3/10.10.10)."""
    fixed = INTEGRITY.read(data)
    count = min(fixed.partition_count, _MOST_PARTITIONS_IN_TABLE, (len(data) - INTEGRITY.size) // 8)
    words = [
        int.from_bytes(data[at : at + 4], "little")
        for at in range(INTEGRITY.size, INTEGRITY.size + 8 * count, 4)
    ]
    figures = [None if word == 0xFFFFFFFF else word for word in words]
    at = INTEGRITY.size + 8 * count
    stated = fixed.implementation_use_length >= INTEGRITY_USE.size and at + INTEGRITY_USE.size <= len(data)
    use = INTEGRITY_USE.read(data, at) if stated else None
    free, sizes = tuple(figures[:count]), tuple(figures[count:])
    return Integrity(fixed, use, fixed.integrity_type == 1, free, sizes, ())

"""Opening: from a place on the disc to the logical volume that stands there, by every way there is."""

from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from acquire.image import Image
from analyze.udf.anchors import (
    BLOCK_SIZES,
    Anchors,
    Recognition,
    check_recognition,
    find_anchors,
    note_missing,
    read_recognition,
)
from analyze.udf.anomalies import BLOCK_SIZE, VOLUME, AnomalyLog
from analyze.udf.blocks import Blocks
from analyze.udf.layout import (
    LOGICAL_VOLUME,
    ExtentDescriptor,
    LogicalVolumeDescriptor,
    TagId,
)
from analyze.udf.logical import LogicalVolume
from analyze.udf.maps import Opened, open_partitions
from analyze.udf.sequences import (
    Descriptor,
    Integrity,
    VolumeDescriptors,
    read_integrity,
    read_sequences,
    scan_descriptors,
)
from analyze.udf.space import Space, read_space


class Place(NamedTuple):
    """Where a volume is looked for: a start, the session's number if known, sectors after its end."""

    image: Image
    start_lba: int
    session: int | None
    ends: tuple[int, ...]


class Found(NamedTuple):
    """Volume descriptors, and how they were found."""

    blocks: Blocks
    recognition: Recognition
    anchors: tuple[int, ...]
    descriptors: VolumeDescriptors


class Assembled(NamedTuple):
    """A logical volume with its partitions, and everything that was read on the way."""

    found: Found
    volume: LogicalVolume
    opened: Opened
    descriptor: Descriptor
    fixed: LogicalVolumeDescriptor
    integrity: Integrity | None
    spaces: tuple[Space, ...]


def place(image: Image, start_lba: int, session: int | None) -> Place:
    """The place of a volume; a session of a recorded table of contents has an end of its own."""
    ends: list[int] = []
    if image.disc.recorded:
        for each in image.disc.sessions:
            tracks = [track.start_lba + track.length_sectors for track in each.tracks]
            if each.number == session or each.start_lba <= start_lba < each.start_lba + each.length_sectors:
                ends += [*tracks, each.start_lba + each.length_sectors]
    whole = sorted({end for end in ends if start_lba < end <= image.sector_count}, reverse=True)
    return Place(image, start_lba, session, tuple(whole) or (image.sector_count,))


def find(where: Place, log: AnomalyLog) -> Found | None:
    """The volume descriptors of the volume at a place; None, with an anomaly if one is announced."""
    image, start_lba = where.image, where.start_lba
    recognition = read_recognition(image, start_lba)
    anchors = find_anchors(image, start_lba, where.ends, recognition, log)
    if anchors is not None:
        found = _follow(anchors, recognition, log)
        if found is not None:
            check_recognition(recognition, log, Blocks(image, SECTOR_BYTES, start_lba))
            return found
    if not recognition.announced:
        return None
    if anchors is None:
        note_missing(log, start_lba, recognition.announced)
    for size in BLOCK_SIZES:
        for base in dict.fromkeys((start_lba, 0)):
            blocks = Blocks(image, size, base)
            descriptors = scan_descriptors(blocks, start_lba - base, log)
            if descriptors.complete:
                return Found(blocks, recognition, (), descriptors)
    log.note(
        VOLUME,
        "A UDF volume is announced, but its volume descriptors are not to be found",
        at=(Blocks(image, SECTOR_BYTES, start_lba), 16, 0),
        seen=" ".join(recognition.identifiers),
    )
    return None


def _follow(anchors: Anchors, recognition: Recognition, log: AnomalyLog) -> Found | None:
    """The descriptors that the first anchor to have a complete set leads to."""
    blocks = anchors.blocks
    tried: set[tuple[ExtentDescriptor, ExtentDescriptor]] = set()
    for anchor in anchors.anchors:
        if (anchor.main, anchor.reserve) in tried:
            continue
        tried.add((anchor.main, anchor.reserve))
        descriptors = read_sequences(blocks, anchor.main, anchor.reserve, log)
        if descriptors.complete:
            return Found(blocks, recognition, tuple(each.block for each in anchors.anchors), descriptors)
    return None


def assemble(found: Found, where: Place, log: AnomalyLog) -> Assembled:
    """The logical volume of the descriptors: UDF allows one (2.2.4)."""
    blocks = found.blocks
    descriptor = found.descriptors.of(TagId.LOGICAL_VOLUME)[0]
    recorded = found.descriptors.of(TagId.PARTITION)
    fixed = LOGICAL_VOLUME.read(descriptor.data)
    if fixed.block_size != blocks.size:
        log.note(
            BLOCK_SIZE,
            "The logical block size is not that of the sectors which the anchors stand in",
            at=(blocks, descriptor.block, 212),
            seen=str(fixed.block_size),
            expected=str(blocks.size),
        )
    volume = LogicalVolume(blocks, log)
    end = (where.ends[0] - blocks.start_lba) * SECTOR_BYTES // blocks.size
    opened = open_partitions(volume, descriptor, recorded, end)
    integrity = read_integrity(
        blocks, ExtentDescriptor(fixed.integrity_length, fixed.integrity_location), log
    )
    spaces = _spaces(opened.raw, recorded)
    return Assembled(found, volume, opened, descriptor, fixed, integrity, spaces)


def _spaces(raw: LogicalVolume, recorded: list[Descriptor]) -> tuple[Space, ...]:
    """What each partition records of its free space, once for each partition number."""
    spaces: list[Space] = []
    done: set[int] = set()
    for descriptor in recorded:
        number = descriptor.key[1]
        indexes = [index for index, each in enumerate(raw.partitions) if each.number == number]
        if isinstance(number, int) and number not in done and indexes:
            done.add(number)
            spaces += read_space(raw, indexes[0], descriptor)
    return tuple(spaces)

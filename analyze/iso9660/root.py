"""From a descriptor to the root of its tree: block size, base of the block numbers, root, system use.

Where the descriptor is damaged, what it leads to decides: a directory's first record states its own
place, so a root can be recognised.
"""

from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from acquire.image import Image
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660 import susp
from analyze.iso9660.blocks import Blocks, Section
from analyze.iso9660.descriptors import Descriptor, DescriptorKind, both_endian
from analyze.iso9660.layout import DIRECTORY_RECORD, ROOT_OFFSET, VOLUME_DESCRIPTOR, DirectoryRecord
from analyze.iso9660.pathtable import PathTables
from analyze.iso9660.record import SELF, own_record
from analyze.iso9660.susp import XA_BYTES, Mark

BLOCK_SIZES = (512, 1024, 2048)
"""6.2.2: a power of two from 512 up to the logical sector's size."""
_MOST_RECORDS = 64
_ROCK_RIDGE = frozenset((b"RR", b"PX", b"NM", b"TF", b"SL"))


class Root(NamedTuple):
    """Where a tree begins, and how to read it."""

    blocks: Blocks
    section: Section
    path_tables: PathTables
    mark: Mark | None
    rock_ridge: bool


def find_root(image: Image, start_lba: int, descriptor: Descriptor, notes: list[Anomaly]) -> Root:
    """Find the root of the descriptor's tree; what is wrong on the way goes into `notes`."""
    fields, lba = descriptor.fields, descriptor.lba
    notes.extend(both_endian(VOLUME_DESCRIPTOR.disagreements(descriptor.raw), lba, "Volume descriptor"))
    record = descriptor.root_bytes()
    notes.extend(
        both_endian(
            DIRECTORY_RECORD.disagreements(record), lba, "The root's record in the descriptor", ROOT_OFFSET
        )
    )
    block_bytes = _block_size(descriptor, notes)
    root = DIRECTORY_RECORD.read(record)
    candidates = _candidates(record, root)
    blocks = Blocks(image, 0, block_bytes, image.size_bytes)
    bases = _bases(start_lba, root.extent, block_bytes)
    found = _recognised(blocks, bases, candidates)
    if found is None:
        blocks = blocks._replace(base_lba=bases[0])
        section = Section(root.extent, root.data_length, root.xattr_length)
        path_tables = PathTables(blocks, fields)
        section = _without_root_record(blocks, path_tables, section, descriptor, notes)
    else:
        base, section = found
        blocks = blocks._replace(base_lba=base)
        path_tables = PathTables(blocks, fields)
    _image_size(blocks, start_lba, descriptor, notes)
    mark, rock_ridge = None, False
    if descriptor.kind is not DescriptorKind.JOLIET:
        mark, rock_ridge = _system_use(blocks, section, notes)
    return Root(blocks, section, path_tables, mark, rock_ridge)


def _block_size(descriptor: Descriptor, notes: list[Anomaly]) -> int:
    stated = descriptor.fields.block_size
    other = int.from_bytes(descriptor.raw[130:132], "big")
    if stated in BLOCK_SIZES:
        return stated
    used = other if other in BLOCK_SIZES else SECTOR_BYTES
    notes.append(
        kind.BLOCK_SIZE.at(
            f"The logical block size is impossible; {used} is used",
            lba=descriptor.lba,
            offset=128,
            seen=stated,
            expected="512, 1024 or 2048",
        )
    )
    return used


def _candidates(record: bytes, root: DirectoryRecord) -> list[Section]:
    """The root's section, with each copy of its place and length that the record has."""
    extents = [root.extent, int.from_bytes(record[6:10], "big")]
    lengths = [root.data_length, int.from_bytes(record[14:18], "big")]
    choices = [Section(e, n, root.xattr_length) for n in lengths for e in extents]
    return list(dict.fromkeys(choices))


def _bases(start_lba: int, root_block: int, block_bytes: int) -> list[int]:
    """From where block numbers may count: the disc's start (sessions) or the volume's, likelier first.

    A session writes its root behind its own descriptors; a smaller number can only be relative.
    """
    if start_lba == 0:
        return [0]
    if root_block * block_bytes < (start_lba + 16) * SECTOR_BYTES:
        return [start_lba, 0]
    return [0, start_lba]


def _recognised(blocks: Blocks, bases: list[int], candidates: list[Section]) -> tuple[int, Section] | None:
    """The first base and section that lead to a directory which states the same of itself.

    Failing that, one that states its place; failing that, any directory.
    """
    found: list[tuple[int, int, Section]] = []
    for base in bases:
        for section in candidates:
            there = blocks._replace(base_lba=base)
            own = own_record(there, there.first_data_block(section))
            if own is not None:
                place = own[0] == section.block
                doubt = 0 if place and own[1] == section.length_bytes else 1 if place else 2
                found.append((doubt, base, section))
    if not found:
        return None
    _, base, section = min(found, key=lambda one: one[0])
    return base, section


def _without_root_record(
    blocks: Blocks, path_tables: PathTables, section: Section, descriptor: Descriptor, notes: list[Anomaly]
) -> Section:
    """The root by the path table, whose first record is the root's (6.9.1), if it is one there."""
    used = ""
    if path_tables.records:
        block = path_tables.records[0].block
        own = own_record(blocks, block)
        if own is not None and own[0] == block:
            section = Section(block, own[1])
            used = f"; the path table leads to one at block {block}, which is used"
    notes.append(
        kind.ROOT.at(
            "The root's record does not lead to a directory" + used,
            lba=descriptor.lba,
            offset=ROOT_OFFSET,
            seen=descriptor.root_bytes()[:18].hex(),
        )
    )
    return section


def _image_size(blocks: Blocks, start_lba: int, descriptor: Descriptor, notes: list[Anomaly]) -> None:
    """8.4.8 against the image. A session's size may count from its own start, so the smaller end counts."""
    stated = descriptor.fields.space_size * blocks.block_bytes
    end = stated + (blocks.base_lba if start_lba >= 0 else start_lba) * SECTOR_BYTES
    if end > blocks.image_bytes:
        notes.append(
            kind.IMAGE_SHORT.at(
                "The volume states more blocks than the image holds",
                lba=descriptor.lba,
                offset=80,
                seen=f"{stated} bytes",
                expected=f"at most {blocks.image_bytes - (end - stated)} bytes",
            )
        )


def _areas(blocks: Blocks, section: Section) -> Iterator[tuple[bytes, bytes]]:
    """Identifier and system use area of the first records of the root."""
    data = blocks.read(blocks.first_data_block(section), SECTOR_BYTES)
    at = 0
    for _ in range(_MOST_RECORDS):
        if at + 34 > len(data) or data[at] < 34 or at + data[at] > len(data):
            return
        length = data[at + 32]
        use = at + 33 + length + 1 - length % 2
        yield data[at + 33 : at + 33 + length], data[use : at + data[at]]
        at += data[at]


def _system_use(blocks: Blocks, section: Section, notes: list[Anomaly]) -> tuple[Mark | None, bool]:
    """Whether the tree follows SUSP and from where on (5.3), and whether it has Rock Ridge."""
    areas = list(_areas(blocks, section))
    mark, problem = None, ""
    if areas and areas[0][0] == SELF:
        mark, problem = susp.find_mark(areas[0][1])
    following = {
        skip: [area for identifier, area in areas[1:] if susp.follows_susp(area[skip:])]
        for skip in (0, XA_BYTES)
    }
    rock_ridge = any(
        area[skip : skip + 2] in _ROCK_RIDGE for skip, found in following.items() for area in found
    )
    lba, offset = blocks.at(blocks.first_data_block(section))
    if mark is not None:
        others = [area for _, area in areas[1:] if area]
        skips = [mark.skip_bytes, *following]
        fitting = [skip for skip in skips if any(susp.follows_susp(area[skip:]) for area in others)]
        if fitting and fitting[0] != mark.skip_bytes:
            problem = problem or f"{mark.skip_bytes} bytes to skip, where entries begin after {fitting[0]}"
            mark = mark._replace(skip_bytes=fitting[0])
        rock_ridge = rock_ridge or b"PX" in areas[0][1]
    elif rock_ridge:
        skip = 0 if following[0] else XA_BYTES
        mark, problem = Mark(skip, skip), "no SP entry, though Rock Ridge entries are there"
    if problem:
        notes.append(kind.SUSP_MARK.at(f"SUSP: {problem}", lba=lba, offset=offset))
    return mark, rock_ridge

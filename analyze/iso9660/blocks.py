"""From logical blocks to sectors of the image: the only place that knows block size and base.

ECMA-119 6.2.2: a logical block is 512, 1024 or 2048 bytes; 6.4: an extent is a run of them. Block
numbers of a later session count from the disc's start, those of an image inside an image from its own.
"""

from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES, Extent, SectorRange, sectors
from acquire.image import Image

MAXIMUM_PIECES = 1_000_000
"""More pieces of the interleaved file sections of one volume than this are not listed."""


class Section(NamedTuple):
    """A file section as its directory record describes it (6.4, 9.1.2 to 9.1.8)."""

    block: int
    length_bytes: int
    xattr_blocks: int = 0
    unit_blocks: int = 0
    gap_blocks: int = 0


class Blocks(NamedTuple):
    """Logical blocks of one volume on one image."""

    image: Image
    base_lba: int
    block_bytes: int
    image_bytes: int

    def at(self, block: int) -> tuple[int, int]:
        """Where a block is: LBA, and bytes into that sector."""
        position = self.base_lba * SECTOR_BYTES + block * self.block_bytes
        return position // SECTOR_BYTES, position % SECTOR_BYTES

    def reaches(self, block: int, length_bytes: int) -> bool:
        """Whether `length_bytes` bytes from `block` on are all inside the image."""
        start = self.base_lba * SECTOR_BYTES + block * self.block_bytes
        return start + length_bytes <= self.image_bytes

    def read(self, block: int, length_bytes: int, skip_bytes: int = 0) -> bytes:
        """Up to `length_bytes` bytes, `skip_bytes` after the start of `block`; fewer at the image's end."""
        position = self.base_lba * SECTOR_BYTES + block * self.block_bytes + skip_bytes
        lba, offset = divmod(position, SECTOR_BYTES)
        data = self.image.read(lba, sectors(offset + length_bytes))
        return data[offset : offset + length_bytes]

    def sectors(self, block: int, length_bytes: int) -> SectorRange:
        """The sectors that `length_bytes` bytes from `block` on touch."""
        lba, offset = self.at(block)
        return SectorRange(lba, sectors(offset + length_bytes))

    def first_data_block(self, section: Section) -> int:
        """Where the data begins: after the extended attribute record (6.4.6).

        In interleaved mode that record takes whole file units, each followed by its gap.
        """
        if not section.unit_blocks:
            return section.block + section.xattr_blocks
        units = -(-section.xattr_blocks // section.unit_blocks)
        return section.block + units * (section.unit_blocks + section.gap_blocks)

    def extents(self, section: Section, allowance: "Allowance") -> tuple[tuple[Extent, ...], str]:
        """The pieces of a section's data, in order, and a phrase if not all are given (6.4.3, 6.4.4).

        Of an interleaved section that leaves the image, the last piece given is the first outside.
        """
        if not section.length_bytes:
            return (), ""
        block = self.first_data_block(section)
        unit = section.unit_blocks * self.block_bytes
        if not section.gap_blocks or not unit:
            lba, offset = self.at(block)
            problem = "" if not section.gap_blocks else "an interleave gap without a file unit size"
            return (Extent(lba, section.length_bytes, offset),), problem
        if not allowance.take(-(-section.length_bytes // unit)):
            return (), f"more than {MAXIMUM_PIECES} pieces in the volume"
        pieces = []
        for done in range(0, section.length_bytes, unit):
            lba, offset = self.at(block)
            length = min(unit, section.length_bytes - done)
            pieces.append(Extent(lba, length, offset))
            if not self.reaches(block, length):
                break
            block += section.unit_blocks + section.gap_blocks
        return tuple(pieces), ""


class Allowance:
    """How many pieces of interleaved sections may still be listed."""

    def __init__(self) -> None:
        """None is listed yet."""
        self._left = MAXIMUM_PIECES

    def take(self, count: int) -> bool:
        """Whether `count` more may be; then they are counted."""
        if count > self._left:
            return False
        self._left -= count
        return True

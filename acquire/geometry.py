"""Addresses and sizes on a disc: arithmetic only.

An LBA counts sectors of the disc's user data from 0. On a CD, MSF 00:02:00 is LBA 0 (ECMA-130 §20,
MMC-6 table "LBA to MSF translation").
"""

from collections.abc import Iterable
from typing import NamedTuple

SECTOR_BYTES = 2048
"""User data of one data sector (ECMA-119 §6.1.2, ECMA-130 §14)."""
RAW_SECTOR_BYTES = 2352
"""A whole CD sector without sub-channel (ECMA-130 §14)."""


HOLE = -1
"""The `start_lba` of a piece that is not on the disc and reads as zeros (sparse, unrecorded extents)."""


class Extent(NamedTuple):
    """A piece of a stream's content: where it starts on the disc, and how many bytes of it count.

    `offset_bytes` is where in its first sector the piece begins: 0 but for content that does not
    start on a sector (512-byte blocks, data embedded in a structure). `start_lba` is HOLE for a piece
    of zeros that the disc does not hold.
    """

    start_lba: int
    length_bytes: int
    offset_bytes: int = 0

    @property
    def length_sectors(self) -> int:
        """Sectors touched, the first and last perhaps in part; 0 for a hole."""
        return 0 if self.start_lba == HOLE else sectors(self.offset_bytes + self.length_bytes)


class SectorRange(NamedTuple):
    """`length_sectors` sectors from `start_lba` on."""

    start_lba: int
    length_sectors: int

    @property
    def end_lba(self) -> int:
        """The first sector after the range."""
        return self.start_lba + self.length_sectors


def sectors(size_bytes: int, sector_bytes: int = SECTOR_BYTES) -> int:
    """How many sectors `size_bytes` take, the last one perhaps in part."""
    return -(-size_bytes // sector_bytes)


def merge(ranges: Iterable[SectorRange]) -> list[SectorRange]:
    """Sort ranges and join those that touch or overlap; empty ones are dropped."""
    merged: list[SectorRange] = []
    for start, count in sorted(ranges):
        if count <= 0:
            continue
        if merged and start <= merged[-1].end_lba:
            last = merged[-1]
            merged[-1] = SectorRange(last.start_lba, max(last.end_lba, start + count) - last.start_lba)
        else:
            merged.append(SectorRange(start, count))
    return merged


def msf(lba: int) -> str:
    """Write an LBA as minutes:seconds:frames, 75 frames a second, LBA 0 at 00:02:00."""
    frames = lba + 150
    sign = "-" if frames < 0 else ""
    minutes, rest = divmod(abs(frames), 75 * 60)
    seconds, frame = divmod(rest, 75)
    return f"{sign}{minutes:02d}:{seconds:02d}:{frame:02d}"

"""Coverage: which sectors belong to a volume's structures or to a file, and which to nobody.

Owned and unowned sectors add up to all sectors of the image, whatever the volumes claim: claims are
clipped to the image, and a sector that several volumes claim counts once. What nobody owns is where
further sessions are looked for, and what is carved.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from acquire.geometry import HOLE, SECTOR_BYTES, Extent, SectorRange, merge

_COMPACT_AT = 1 << 16
"""Pending claims are merged when there are so many: memory follows the gaps, not the files."""


class Coverage(NamedTuple):
    """The sectors of an image that something owns: `owned` is sorted, disjoint, inside the image."""

    owned: tuple[SectorRange, ...]
    sector_count: int

    @property
    def sectors_owned(self) -> int:
        """How many sectors belong to a structure or a file."""
        return sum(count for _, count in self.owned)

    @property
    def sectors_unowned(self) -> int:
        """How many sectors belong to nobody."""
        return self.sector_count - self.sectors_owned

    def unowned(self, start_lba: int = 0) -> Iterator[SectorRange]:
        """The gaps between the owned ranges from `start_lba` on, in order."""
        cursor = max(start_lba, 0)
        for start, count in self.owned:
            if start > cursor:
                yield SectorRange(cursor, start - cursor)
            cursor = max(cursor, start + count)
        if cursor < self.sector_count:
            yield SectorRange(cursor, self.sector_count - cursor)


class Claims:
    """Collects who owns what while volumes are walked; memory is proportional to the number of gaps."""

    def __init__(self, sector_count: int) -> None:
        """Nothing is owned yet of `sector_count` sectors."""
        self.sector_count = sector_count
        self._merged: list[SectorRange] = []
        self._pending: list[SectorRange] = []
        self._start = self._end = 0  # the run that the last claims formed: files mostly lie in a row
        self._long_start = self._long_end = 0  # the longest merged range: a second view claims it again

    def claim(self, start_lba: int, length_sectors: int) -> None:
        """Claim a range; what lies outside the image is dropped."""
        end = start_lba + length_sectors
        if start_lba == self._end <= end:
            self._end = end
        elif not (self._long_start <= start_lba and end <= self._long_end):
            self._pending.append(SectorRange(self._start, self._end - self._start))
            self._start, self._end = start_lba, end
            if len(self._pending) >= _COMPACT_AT:
                self._compact()

    def claim_extents(self, extents: Iterable[Extent]) -> int:
        """Claim every sector that the extents touch (holes touch none); the end of the furthest one, or 0."""
        furthest = 0
        for start, length, offset in extents:
            if start != HOLE and length > 0:
                end = start + (offset + length + SECTOR_BYTES - 1) // SECTOR_BYTES
                furthest = max(furthest, end)
                if start == self._end:
                    self._end = end
                else:
                    self.claim(start, end - start)
        return furthest

    def coverage(self) -> Coverage:
        """What is owned so far."""
        self._compact()
        return Coverage(tuple(self._merged), self.sector_count)

    def _compact(self) -> None:
        self._pending.append(SectorRange(self._start, self._end - self._start))
        last = self.sector_count
        clipped = (SectorRange(max(s, 0), min(s + n, last) - max(s, 0)) for s, n in self._pending)
        self._merged = merge([*self._merged, *clipped])
        self._pending.clear()
        self._start = self._end = 0
        longest = max(self._merged, key=lambda owned: owned.length_sectors, default=SectorRange(0, 0))
        self._long_start, self._long_end = longest.start_lba, longest.end_lba


class Overlap(NamedTuple):
    """Two pieces of content that share bytes and are not the same: their keys, and the shared bytes."""

    first: int
    second: int
    start_byte: int
    length_bytes: int


def overlaps(pieces: Iterable[tuple[int, Extent]]) -> Iterator[Overlap]:
    """Find pieces (key, extent) that share bytes without being identical; sorted by address, O(1) memory.

    Each piece is compared with the one before it that reaches furthest, which is enough to name every
    piece that overlaps an earlier one. The same extent again (hard links, several views) is no overlap.
    """
    holder = 0
    held_start = held_end = -1
    for key, (start_lba, length, offset) in pieces:
        if start_lba == HOLE or length <= 0:
            continue
        start = start_lba * SECTOR_BYTES + offset
        end = start + length
        if start < held_end and (start, end) != (held_start, held_end):
            yield Overlap(holder, key, start, min(end, held_end) - start)
        if end > held_end:
            holder, held_start, held_end = key, start, end

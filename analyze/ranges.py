"""RangeSet: sectors of a disc as sorted ranges, and what of an extent or a stream lies in them."""

from bisect import bisect_right
from collections.abc import Iterable

from acquire.geometry import HOLE, SECTOR_BYTES, Extent, SectorRange, merge


class RangeSet:
    """Sectors that share a property (not read, not blank); a look-up costs the logarithm of the ranges."""

    def __init__(self, ranges: Iterable[SectorRange] = ()) -> None:
        """Take ranges in any order; those that touch or overlap are joined."""
        self.ranges = tuple(merge(ranges))
        self._starts = [start for start, _ in self.ranges]

    def __bool__(self) -> bool:
        """Whether there is any sector in the set."""
        return bool(self.ranges)

    def within(self, span: SectorRange) -> list[SectorRange]:
        """The parts of `span` that are in the set, in order."""
        found: list[SectorRange] = []
        index = max(bisect_right(self._starts, span.start_lba) - 1, 0)
        while index < len(self.ranges):
            start, count = self.ranges[index]
            if start >= span.end_lba:
                break
            first, last = max(start, span.start_lba), min(start + count, span.end_lba)
            if first < last:
                found.append(SectorRange(first, last - first))
            index += 1
        return found

    def without(self, span: SectorRange) -> list[SectorRange]:
        """The parts of `span` that are not in the set, in order."""
        left: list[SectorRange] = []
        cursor = span.start_lba
        for start, count in self.within(span):
            if start > cursor:
                left.append(SectorRange(cursor, start - cursor))
            cursor = start + count
        if cursor < span.end_lba:
            left.append(SectorRange(cursor, span.end_lba - cursor))
        return left

    def touches(self, extents: Iterable[Extent]) -> bool:
        """Whether any byte of the extents lies in a sector of the set."""
        return any(
            start != HOLE
            and length > 0
            and self.within(SectorRange(start, (offset + length + SECTOR_BYTES - 1) // SECTOR_BYTES))
            for start, length, offset in extents
        )

    def bytes_of(self, extents: Iterable[Extent]) -> list[tuple[int, int]]:
        """The bytes of a stream that lie in the set: (offset in the stream, count), joined if they meet."""
        found: list[tuple[int, int]] = []
        position = 0
        for start, length, offset in extents:
            if start != HOLE and length > 0:
                touched = (offset + length + SECTOR_BYTES - 1) // SECTOR_BYTES
                for first_lba, count in self.within(SectorRange(start, touched)):
                    first = max((first_lba - start) * SECTOR_BYTES - offset, 0)
                    last = min((first_lba - start + count) * SECTOR_BYTES - offset, length)
                    if first >= last:
                        continue  # the sectors before the one that `offset` leads into
                    if found and sum(found[-1]) == position + first:
                        found[-1] = (found[-1][0], found[-1][1] + last - first)
                    else:
                        found.append((position + first, last - first))
            position += max(length, 0)
        return found

"""Claims: which bytes of the disc the content of live files takes, to tell what is left of deleted ones."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from acquire.geometry import HOLE, SECTOR_BYTES, Extent
from analyze.entry import Stream


class Claims:
    """Stretches of bytes, gathered in any order, asked about once all are there."""

    def __init__(self) -> None:
        """Nothing is claimed yet."""
        self._starts = array("q")
        self._ends = array("q")
        self._sorted = True

    def add_bytes(self, start: int, length: int) -> None:
        """Claim `length` bytes of the disc from byte `start` on."""
        self._starts.append(start)
        self._ends.append(start + length)
        self._sorted = False

    def add(self, streams: Iterable[Stream]) -> None:
        """Claim the content of streams."""
        for stream in streams:
            for lba, length, offset in stream.extents:
                if lba != HOLE:
                    self.add_bytes(lba * SECTOR_BYTES + offset, length)

    def taken(self, extents: Iterable[Extent]) -> int:
        """How many bytes of the extents are claimed."""
        if not self._sorted:
            self._join()
        total = 0
        for lba, length, offset in extents:
            if lba == HOLE:
                continue
            start = lba * SECTOR_BYTES + offset
            end = start + length
            index = max(bisect_right(self._starts, start) - 1, 0)
            while index < len(self._starts) and self._starts[index] < end:
                total += max(min(self._ends[index], end) - max(self._starts[index], start), 0)
                index += 1
        return total

    def _join(self) -> None:
        """Sort the stretches and join those that touch or overlap."""
        starts, ends = array("q"), array("q")
        for start, end in sorted(zip(self._starts, self._ends, strict=True)):
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        self._starts, self._ends, self._sorted = starts, ends, True

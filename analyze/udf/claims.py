"""Claims: which bytes of the disc the content of live files takes, to tell what is left of deleted ones."""

from array import array
from bisect import bisect_right
from collections.abc import Iterable

from acquire.geometry import HOLE, SECTOR_BYTES, Extent
from analyze.entry import Stream


class Claims:
    """Stretches of bytes from `starts` to `ends`, gathered in any order, asked about once all are there."""

    def __init__(self) -> None:
        """Nothing is claimed yet."""
        self.starts = array("q")
        self.ends = array("q")
        self._joined = 0

    def add(self, streams: Iterable[Stream]) -> None:
        """Claim the content of streams."""
        for stream in streams:
            for lba, length, offset in stream.extents:
                if lba != HOLE:
                    self.starts.append(lba * SECTOR_BYTES + offset)
                    self.ends.append(lba * SECTOR_BYTES + offset + length)

    def taken(self, extents: Iterable[Extent]) -> int:
        """How many bytes of the extents are claimed."""
        if self._joined != len(self.starts):
            self._join()
        total = 0
        for lba, length, offset in extents:
            if lba == HOLE:
                continue
            start = lba * SECTOR_BYTES + offset
            end = start + length
            index = max(bisect_right(self.starts, start) - 1, 0)
            while index < len(self.starts) and self.starts[index] < end:
                total += max(min(self.ends[index], end) - max(self.starts[index], start), 0)
                index += 1
        return total

    def _join(self) -> None:
        """Sort the stretches and join those that touch or overlap."""
        starts, ends = array("q"), array("q")
        for start, end in sorted(zip(self.starts, self.ends, strict=True)):
            if ends and start <= ends[-1]:
                ends[-1] = max(ends[-1], end)
            else:
                starts.append(start)
                ends.append(end)
        del self.starts[:], self.ends[:]  # not replaced: whoever appends to them goes on
        self.starts.extend(starts)
        self.ends.extend(ends)
        self._joined = len(starts)

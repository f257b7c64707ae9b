"""SectorMap: the status of every byte of a disc as runs; map files of GNU ddrescue in and out.

The map counts bytes, as GNU ddrescue's does, because a sector may be read in part (a disc whose device
reads 512 bytes at a time, a file that ends inside a sector). `unread` gives the
answer in whole sectors: a sector is read only if every byte of it is.

The format is described in the GNU ddrescue manual, "Mapfile structure": comments from `#` to the end of the
line; the status line `current_pos current_status [current_pass]`; then one line a block, `pos size
status`, contiguous and ascending. Numbers are C integers: decimal, 0x hexadecimal, 0 octal.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import StrEnum
from io import BytesIO
from pathlib import Path
from typing import NamedTuple, Self

from acquire.durable import write_whole
from acquire.errors import ContainerError, source_error
from acquire.geometry import SectorRange, merge, sectors


class Status(StrEnum):
    """The status of a block, by its sign in a map file."""

    NON_TRIED = "?"
    NON_TRIMMED = "*"
    NON_SCRAPED = "/"
    BAD = "-"
    FINISHED = "+"


class Run(NamedTuple):
    """`length_bytes` bytes from `start_bytes` on, all of one status."""

    start_bytes: int
    length_bytes: int
    status: Status

    @property
    def end_bytes(self) -> int:
        """The first byte after the run."""
        return self.start_bytes + self.length_bytes


MAX_MAP_BYTES = 64 << 20
"""The largest map file that is read: about two million blocks."""
_MAX_POSITION = (1 << 63) - 1

_NUMBER = rb"\+?(?:0[xX][0-9A-Fa-f]{1,32}|0[0-7]{0,32}|[1-9][0-9]{0,32})"
_STATUS_LINE = re.compile(rb"\s*(" + _NUMBER + rb")\s+([?*/\-FG+])(?:\s+([1-9][0-9]{0,8}))?\s*\Z")
_BLOCK_LINE = re.compile(rb"\s*(" + _NUMBER + rb")\s+(" + _NUMBER + rb")\s+([?*/\-+])\s*\Z")


def _number(text: bytes) -> int:
    """A C integer: 0x hexadecimal, 0 octal, else decimal."""
    digits = text.lstrip(b"+").lower()
    if digits.startswith(b"0x"):
        return int(digits, 16)
    return int(digits, 8 if digits.startswith(b"0") else 10)


class SectorMap:
    """Which bytes of `size_bytes` are read, bad or not yet tried."""

    def __init__(self, size_bytes: int, status: Status = Status.NON_TRIED) -> None:
        """Start with one run of `status`; no run for a size of 0."""
        self.size_bytes = size_bytes
        self.position_bytes = 0
        """Where reading stands: `current_pos` of the map file."""
        # Run i is from _starts[i] to _starts[i + 1], or to the end; neighbours differ in status.
        self._starts: list[int] = [0] if size_bytes else []
        self._statuses: list[Status] = [status] if size_bytes else []

    def mark(self, start_bytes: int, length_bytes: int, status: Status) -> None:
        """Give a stretch, which must lie in the map, another status."""
        end = start_bytes + length_bytes
        assert 0 <= start_bytes <= end <= self.size_bytes, "a stretch outside the map"
        if not length_bytes:
            return
        first = bisect_right(self._starts, start_bytes) - 1
        last = bisect_right(self._starts, end - 1) - 1
        pieces: list[tuple[int, Status]] = []
        if self._starts[first] < start_bytes:
            pieces.append((self._starts[first], self._statuses[first]))
        elif first and self._statuses[first - 1] == status:
            first -= 1  # joins the run before
            pieces.append((self._starts[first], status))
        if not pieces or pieces[-1][1] != status:
            pieces.append((start_bytes, status))
        run_end = self._starts[last + 1] if last + 1 < len(self._starts) else self.size_bytes
        if end < run_end:
            if self._statuses[last] != status:
                pieces.append((end, self._statuses[last]))
        elif last + 1 < len(self._starts) and self._statuses[last + 1] == status:
            last += 1  # joins the run after
        self._starts[first : last + 1] = [start for start, _ in pieces]
        self._statuses[first : last + 1] = [kind for _, kind in pieces]

    def runs(self) -> Iterator[Run]:
        """Yield every run in order; together they cover the map, and neighbours differ in status."""
        ends = [*self._starts[1:], self.size_bytes] if self._starts else []
        for start, end, status in zip(self._starts, ends, self._statuses, strict=True):
            yield Run(start, end - start, status)

    def status(self, position_bytes: int) -> Status:
        """The status of one byte in the map."""
        assert 0 <= position_bytes < self.size_bytes
        return self._statuses[bisect_right(self._starts, position_bytes) - 1]

    def count_bytes(self, *statuses: Status) -> int:
        """How many bytes have one of `statuses`."""
        return sum(run.length_bytes for run in self.runs() if run.status in statuses)

    def unread(self, sector_bytes: int) -> tuple[SectorRange, ...]:
        """The sectors of which any byte is not read, joined, in order."""
        touched = (
            SectorRange(
                start := run.start_bytes // sector_bytes, sectors(run.end_bytes, sector_bytes) - start
            )
            for run in self.runs()
            if run.status != Status.FINISHED
        )
        return tuple(merge(touched))

    @classmethod
    def parse(cls, text: bytes, *, where: object = "map") -> Self:
        """Read the text of a map file; `where` names it in an error.

        Stricter than GNU ddrescue, which passes over what follows on a line and over blocks of no size.

        Raises:
            ContainerError: not a map, or blocks that overlap or leave gaps, with the line's number.
        """
        if len(text) > MAX_MAP_BYTES:
            raise ContainerError(
                f"A map file of more than {MAX_MAP_BYTES} bytes",
                where=where,
                do="Check that it is a map file",
            )
        position: int | None = None
        blocks: list[Run] = []
        for number, line in enumerate(BytesIO(text), 1):
            content = line.partition(b"#")[0]
            if not content.strip():
                continue
            if position is None:
                position = _status_line(content, number, where)
            else:
                blocks.append(_block_line(content, number, where, blocks[-1].end_bytes if blocks else None))
        if position is None:
            raise ContainerError("Not a map file of GNU ddrescue: no status line", where=where)
        made = cls(blocks[-1].end_bytes if blocks else 0)
        made.position_bytes = position
        made._fill(blocks)
        return made

    def _fill(self, blocks: Iterable[Run]) -> None:
        """Take contiguous ascending blocks; what lies before the first stays non-tried."""
        for start, _, status in blocks:
            if not self._statuses or self._statuses[-1] != status:
                if start == 0:
                    self._starts.clear()
                    self._statuses.clear()
                self._starts.append(start)
                self._statuses.append(status)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the map file `path`.

        Raises:
            SourceError: it cannot be read.
            ContainerError: it is not a map file.
        """
        try:
            with path.open("rb") as file:
                text = file.read(MAX_MAP_BYTES + 1)
        except OSError as error:
            raise source_error(error, path) from error
        return cls.parse(text, where=path)

    def render(self, *, comments: Iterable[str] = ()) -> bytes:
        """The text of the map file, with `comments` at its head, each on one line."""
        finished = all(run.status in (Status.FINISHED, Status.BAD) for run in self.runs())
        lines = [f"# {_one_line(comment)}" for comment in comments]
        lines += [
            "# current_pos  current_status  current_pass",
            f"0x{self.position_bytes:08X}     {'+' if finished else '?'}               1",
            "#      pos        size  status",
        ]
        lines += [f"0x{run.start_bytes:08X}  0x{run.length_bytes:08X}  {run.status}" for run in self.runs()]
        return "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n"

    def save(self, path: Path, *, comments: Iterable[str] = ()) -> None:
        """Write the map file, whole or not at all.

        Raises:
            DestinationError: it cannot be written.
        """
        write_whole(path, self.render(comments=comments))


def _one_line(text: str) -> str:
    """`text` without anything that would end a comment."""
    return " ".join(text.split()).replace("\0", "")


def _status_line(content: bytes, number: int, where: object) -> int:
    found = _STATUS_LINE.match(content)
    if not found:
        raise ContainerError(
            f"Not a map file of GNU ddrescue: line {number} is not a status line", where=where
        )
    return _in_reach(_number(found[1]), number, where)


def _block_line(content: bytes, number: int, where: object, expected: int | None) -> Run:
    found = _BLOCK_LINE.match(content)
    if not found:
        raise ContainerError(f"A map file whose line {number} is not a block (pos size status)", where=where)
    start, length = _number(found[1]), _number(found[2])
    if not length:
        raise ContainerError(f"A map file whose line {number} is a block of no size", where=where)
    _in_reach(start + length, number, where)
    if expected is not None and start != expected:
        raise ContainerError(
            f"A map file whose blocks are not contiguous (line {number} is at byte {start}, not {expected})",
            where=where,
        )
    return Run(start, length, Status(found[3].decode()))


def _in_reach(position: int, number: int, where: object) -> int:
    if position > _MAX_POSITION:
        raise ContainerError(f"A map file whose line {number} reaches past 2^63 bytes", where=where)
    return position

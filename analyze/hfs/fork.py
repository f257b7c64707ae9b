"""Forks: where a file's bytes are, from extent records and the extents overflow file."""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES, Extent
from acquire.image import Image, read_bytes

DATA_FORK = 0x00  # IM 2-75, TN "Extents Overflow File Key"
RESOURCE_FORK = 0xFF

_HFS_EXTENTS = struct.Struct(">6H")
_PLUS_EXTENTS = struct.Struct(">16I")
_PLUS_FORK = struct.Struct(">QII")


class Run(NamedTuple):
    """Allocation blocks of one volume: first block and how many."""

    start: int
    blocks: int


class ForkData(NamedTuple):
    """A fork as a catalog record or volume header describes it; `blocks` is None in HFS."""

    size_bytes: int
    blocks: int | None
    runs: tuple[Run, ...]


def hfs_runs(raw: bytes) -> tuple[Run, ...]:
    """The three extents of an HFS extent record (IM 2-75); it ends at the first empty one."""
    numbers = _HFS_EXTENTS.unpack(raw)
    return _until_empty(Run(numbers[i], numbers[i + 1]) for i in (0, 2, 4))


def plus_runs(raw: bytes) -> tuple[Run, ...]:
    """The eight extents of an HFS+ extent record (TN "Fork Data Structure")."""
    numbers = _PLUS_EXTENTS.unpack(raw)
    return _until_empty(Run(numbers[i], numbers[i + 1]) for i in range(0, 16, 2))


def _until_empty(runs: Iterable[Run]) -> tuple[Run, ...]:
    kept = []
    for run in runs:
        if run.blocks == 0:
            break
        kept.append(run)
    return tuple(kept)


def plus_fork(raw: bytes) -> ForkData:
    """The 80 bytes of a fork (TN "Fork Data Structure")."""
    size, _clump, blocks = _PLUS_FORK.unpack_from(raw)
    return ForkData(size, blocks, plus_runs(raw[16:80]))


class Geometry(NamedTuple):
    """Where a volume's allocation blocks are: byte of block 0 on the disc, block size, how many."""

    first_byte: int
    block_bytes: int
    blocks: int

    def extents(self, runs: Sequence[Run], size_bytes: int) -> tuple[Extent, ...]:
        """The pieces of a fork on the disc, cut to its logical size; neighbours joined."""
        pieces: list[Extent] = []
        left = size_bytes
        end = -1
        for run in runs:
            length = min(run.blocks * self.block_bytes, left)
            if length <= 0:
                break
            at = self.first_byte + run.start * self.block_bytes
            if pieces and at == end:
                last = pieces[-1]
                pieces[-1] = last._replace(length_bytes=last.length_bytes + length)
            else:
                pieces.append(Extent(at // SECTOR_BYTES, length, at % SECTOR_BYTES))
            end = at + length
            left -= length
        return tuple(pieces)


class Fork:
    """A fork's bytes by position."""

    def __init__(self, image: Image, geometry: Geometry, runs: Sequence[Run], size_bytes: int) -> None:
        """Know the pieces; nothing is read yet."""
        self._image = image
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int]] = []
        position = 0
        for run in runs:
            length = min(run.blocks * geometry.block_bytes, size_bytes - position)
            if length <= 0:
                break
            self._starts.append(position)
            self._pieces.append((geometry.first_byte + run.start * geometry.block_bytes, length))
            position += length
        self.size_bytes = position
        """What the extents really hold, at most the logical size."""

    def place(self, offset: int) -> int:
        """The byte on the disc where the fork's byte `offset` is, -1 outside."""
        if not 0 <= offset < self.size_bytes:
            return -1
        piece = bisect_right(self._starts, offset) - 1
        return self._pieces[piece][0] + offset - self._starts[piece]

    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes of the fork from `offset`."""
        parts: list[bytes] = []
        while length > 0 and 0 <= offset < self.size_bytes:
            piece = bisect_right(self._starts, offset) - 1
            start, size = self._pieces[piece]
            skip = offset - self._starts[piece]
            part = read_bytes(self._image, start + skip, min(length, size - skip))
            if not part:
                break
            parts.append(part)
            offset += len(part)
            length -= len(part)
        return b"".join(parts)

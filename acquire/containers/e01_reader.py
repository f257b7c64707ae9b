"""Read an EWF-E01 container, checking every chunk's checksum, in parallel where it pays.

    with E01Image("EX-1.E01") as image:
        for block in image.blocks():   # the whole medium, in order, about 1 MiB at a time
            md5.update(block)
        for problem in image.problems:
            print(problem.what, problem.file, problem.offset)

A chunk that is damaged or missing reads as zeros, its sectors are in `unread`, and `problems` says where
it is stored: never an exception. What is read and what is refused: docs/reference/e01.md.
"""

import os
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from acquire.containers.e01_open import Contents, open_contents
from acquire.containers.e01_tables import Group, StoredChunk
from acquire.containers.ewf import AUDIO_TRACK, FIRST_SESSION_START
from acquire.containers.ewf_chunks import BLOCK_BYTES, unstore
from acquire.containers.problem import ContainerProblem
from acquire.geometry import SECTOR_BYTES, SectorRange, merge, sectors
from acquire.toc import Disc, Session, Track, TrackMode, single_track

_CACHED_BYTES = 8 << 20
_PARALLEL_CHUNKS = 16
"""A read that misses this many chunks is worth handing to several threads."""
_MAX_THREADS = 8


class E01Image:
    """An E01 container as an `Image` of 2048-byte sectors; any thread may read.

    `stored_md5` and `stored_sha1` are what the container records (hexadecimal) or None; `header` its
    case fields; `segments` its files; `problems` every problem met so far.
    """

    kind = "e01"

    def __init__(self, path: str | Path) -> None:
        """Open the container that the file `path` is part of.

        Raises:
            SourceError: a file is missing or unreadable.
            ContainerError: it is no E01, or has no usable volume section.
        """
        self._contents: Contents = open_contents(Path(path))
        self._structure = tuple(self._contents.problems)
        geometry = self._contents.geometry
        self.name = Path(path).name
        self.size_bytes = geometry.size_bytes
        self.sector_count = sectors(geometry.size_bytes)
        self.bytes_per_sector = geometry.bytes_per_sector
        self.chunk_bytes = geometry.chunk_bytes
        self.set_identifier = self._contents.volume.set_identifier
        self.header = self._contents.header
        self.stored_md5 = self._contents.md5
        self.stored_sha1 = self._contents.sha1
        self.segments = tuple(file.path for file in self._contents.files)
        self.disc = _disc(self._contents, self.sector_count)
        self._groups = self._contents.groups
        self._starts = [group.first or 0 for group in self._groups]
        self._unread = merge([*self._declared_unread(), *self._missing()])
        self._bad: set[int] = set()
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._cached_chunks = max(2, _CACHED_BYTES // self.chunk_bytes)
        self._lock = Lock()
        self._threads = min(_MAX_THREADS, len(os.sched_getaffinity(0)))
        self._pool: ThreadPoolExecutor | None = None

    @property
    def problems(self) -> tuple[ContainerProblem, ...]:
        """What is wrong with the container's structure, and with the chunks that were read so far."""
        return tuple(self._contents.problems)

    def check_structure(self) -> Iterator[ContainerProblem]:
        """What is wrong with the container apart from its chunks: headers, descriptors, tables, copies."""
        yield from self._structure

    def read(self, lba: int, count: int = 1) -> bytes:
        """Read `count` sectors of 2048 bytes from `lba`; see `Image.read`."""
        if lba < 0 or count <= 0:
            return b""
        return self.read_bytes(lba * SECTOR_BYTES, count * SECTOR_BYTES)

    def read_bytes(self, offset: int, size_bytes: int) -> bytes:
        """Media data at `offset`; fewer bytes where the medium ends. Bad chunks read as zeros."""
        size_bytes = min(size_bytes, self.size_bytes - offset)
        if offset < 0 or size_bytes <= 0:
            return b""
        first = offset // self.chunk_bytes
        last = (offset + size_bytes - 1) // self.chunk_bytes
        if first == last:
            start = offset - first * self.chunk_bytes
            return self._chunk(first)[start : start + size_bytes]
        pieces = self._several(first, last)
        pieces[0] = pieces[0][offset - first * self.chunk_bytes :]
        pieces[-1] = pieces[-1][: offset + size_bytes - last * self.chunk_bytes]
        return b"".join(pieces)

    def blocks(self) -> Iterator[bytes]:
        """All media data in order, in blocks of about 1 MiB (one chunk, if chunks are larger)."""
        step = max(1, BLOCK_BYTES // self.chunk_bytes)
        chunk_count = self._contents.geometry.chunk_count
        waiting: deque[Future[list[bytes | memoryview]]] = deque()
        with ThreadPoolExecutor(self._threads, thread_name_prefix="inflate") as pool:
            try:
                for first in range(0, chunk_count, step):
                    waiting.append(pool.submit(self._decode, first, min(first + step, chunk_count)))
                    if len(waiting) > 2 * self._threads:
                        yield b"".join(waiting.popleft().result())
                while waiting:
                    yield b"".join(waiting.popleft().result())
            finally:
                for future in waiting:
                    future.cancel()

    def unread(self) -> tuple[SectorRange, ...]:
        """Sectors that were not read when the container was made, and those of chunks lost since."""
        with self._lock:
            bad = [self._sectors_of(number) for number in self._bad]
            return tuple(merge([*self._unread, *bad]) if bad else self._unread)

    def close(self) -> None:
        """Give the files back."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        for file in self._contents.files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _chunk(self, number: int) -> bytes:
        """One chunk, from the cache if it is there."""
        with self._lock:
            found = self._cache.get(number)
            if found is not None:
                self._cache.move_to_end(number)
                return found
        return self._keep(number, self._decode(number, number + 1)[0])

    def _several(self, first: int, last: int) -> list[bytes | memoryview]:
        """The chunks `first` to `last`; many at once are inflated by several threads."""
        count = last + 1 - first
        if count < _PARALLEL_CHUNKS:
            with self._lock:
                known = all(number in self._cache for number in range(first, last + 1))
            if known:
                return [self._chunk(number) for number in range(first, last + 1)]
            pieces = self._decode(first, last + 1)
            for number, piece in enumerate(pieces, first):
                self._keep(number, piece)
        else:
            with self._lock:
                if self._pool is None:
                    self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="inflate")
            step = max(_PARALLEL_CHUNKS // 2, -(-count // self._threads))
            parts = [
                self._pool.submit(self._decode, start, min(start + step, last + 1))
                for start in range(first, last + 1, step)
            ]
            pieces = [piece for part in parts for piece in part.result()]
            self._keep(last, pieces[-1])  # what is read on from here begins in it
        return pieces

    def _keep(self, number: int, data: bytes | memoryview) -> bytes:
        """Put a chunk into the cache; a part of a larger buffer is copied out of it."""
        kept = bytes(data)
        with self._lock:
            self._cache[number] = kept
            while len(self._cache) > self._cached_chunks:
                self._cache.popitem(last=False)
        return kept

    def _decode(self, first: int, end: int) -> list[bytes | memoryview]:
        """The media data of chunks `first` up to `end`, read with as few calls as possible."""
        made: list[bytes | memoryview] = []
        while first < end:
            at = bisect_right(self._starts, first) - 1
            group = self._groups[at] if at >= 0 else None
            start = self._starts[at] if at >= 0 else 0
            if group is None or first >= start + len(group):  # missing: `_missing` has said so
                following = self._starts[at + 1] if at + 1 < len(self._starts) else end
                made += [bytes(self._chunk_size(number)) for number in range(first, min(end, following))]
                first = min(end, following)
                continue
            stop = min(end, start + len(group))
            made += self._decode_group(group, start, first, stop)
            first = stop
        return made

    def _decode_group(self, group: Group, start: int, first: int, stop: int) -> list[bytes | memoryview]:
        places = [group.chunk(number - start) for number in range(first, stop)]
        span = places[-1].offset + places[-1].size_bytes - places[0].offset
        stored = b""
        if all(0 < place.size_bytes <= self._stored_limit for place in places) and (
            0 < span <= len(places) * self._stored_limit
        ):
            stored = _read(group, places[0].offset, span)
        base = places[0].offset
        made: list[bytes | memoryview] = []
        for number, place in zip(range(first, stop), places, strict=True):
            size = self._chunk_size(number)
            if stored:
                at = place.offset - base
                seen = memoryview(stored)[at : at + place.size_bytes]
            elif 0 < place.size_bytes <= self._stored_limit:
                seen = memoryview(_read(group, place.offset, place.size_bytes))
            else:
                seen = memoryview(b"")
            if len(seen) < place.size_bytes or not seen:
                data: bytes | memoryview | str = "a chunk is not where its table says"
            else:
                data = unstore(seen, size, compressed=place.compressed)
            if isinstance(data, str):
                self._report(data, number, group, place)
                data = bytes(size)
            made.append(data)
        return made

    @property
    def _stored_limit(self) -> int:
        """More bytes than this no chunk can take: deflate adds 5 to each 64 KiB that it cannot shorten."""
        return 2 * self.chunk_bytes + 1024

    def _chunk_size(self, number: int) -> int:
        return min(self.chunk_bytes, self.size_bytes - number * self.chunk_bytes)

    def _report(self, what: str, number: int, group: Group, place: StoredChunk) -> None:
        with self._lock:
            if number in self._bad:
                return
            self._bad.add(number)
        lost = self._sectors_of(number)
        self._contents.problems.add(
            f"{what}: chunk {number}, sectors {lost.start_lba} to {lost.end_lba - 1}",
            group.file.name,
            place.offset,
            f"{place.size_bytes} bytes stored",
            f"{self._chunk_size(number)} bytes of media data",
        )

    def _sectors_of(self, number: int, count: int = 1) -> SectorRange:
        """The sectors of 2048 bytes that chunks touch."""
        start = number * self.chunk_bytes // SECTOR_BYTES
        end_bytes = min((number + count) * self.chunk_bytes, self.size_bytes)
        return SectorRange(start, sectors(end_bytes) - start)

    def _declared_unread(self) -> Iterator[SectorRange]:
        """What the acquisition recorded as unread, in sectors of 2048 bytes within the medium."""
        for first, count in self._contents.unread:
            start = first * self.bytes_per_sector // SECTOR_BYTES
            end = min(sectors((first + count) * self.bytes_per_sector), self.sector_count)
            yield SectorRange(start, end - start)

    def _missing(self) -> Iterator[SectorRange]:
        """The sectors of chunks that no table has."""
        position = 0
        for start, group in zip(self._starts, self._groups, strict=True):
            if start > position:
                yield self._sectors_of(position, start - position)
            position = max(position, start + len(group))
        chunk_count = self._contents.geometry.chunk_count
        if position < chunk_count:
            yield self._sectors_of(position, chunk_count - position)


def _read(group: Group, offset: int, size_bytes: int) -> bytes:
    """Bytes of a group's file; none where they cannot be read: its chunks are then bad."""
    try:
        return group.file.read(offset, size_bytes) if offset >= 0 else b""
    except OSError:
        return b""


def _disc(contents: Contents, sector_count: int) -> Disc:
    """Sessions and tracks as the session section has them.

    A data entry begins a session, an audio entry is a track of the session it stands in. A start is
    where the one before ends: the format has no lead-outs and gaps.
    """
    starts: list[tuple[int, bool]] = []
    for ordinal, (flags, first) in enumerate(contents.sessions):
        lba = first * contents.geometry.bytes_per_sector // SECTOR_BYTES
        if ordinal == 0 and first <= FIRST_SESSION_START:
            lba = 0
        if lba >= sector_count or (starts and lba <= starts[-1][0]):
            continue
        starts.append((lba, bool(flags & AUDIO_TRACK)))
    if not starts:
        return single_track(sector_count)
    ends = [lba for lba, _ in starts[1:]] + [sector_count]
    numbered: list[list[Track]] = []
    for number, ((lba, audio), end) in enumerate(zip(starts, ends, strict=True), 1):
        if not audio or not numbered:
            numbered.append([])
        mode = TrackMode.AUDIO if audio else TrackMode.DATA
        numbered[-1].append(Track(len(numbered), number, mode, lba, end - lba))
    return Disc(
        tuple(
            Session(
                tracks[0].session,
                tracks[0].start_lba,
                tracks[-1].start_lba + tracks[-1].length_sectors - tracks[0].start_lba,
                tuple(tracks),
            )
            for tracks in numbered
        ),
        recorded=True,
    )

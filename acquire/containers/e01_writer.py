"""Write an EWF-E01 container as EnCase 6 does: chunks deflated in parallel, resumable after any stop.

    with E01Writer(folder, "EX-1", size_bytes=…, bytes_per_sector=2048, header=…, guid=…, created=…) as e01:
        for data in source:
            e01.write(data)
        e01.finish(md5, sha1, unread=…)

Whatever stops it (SIGKILL, a full disk, no power), the same call with `resume=True` finds every whole
chunk again and goes on behind it; the files are then the same, byte for byte, as without the stop.
"""

import os
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from acquire.containers import ewf
from acquire.containers.e01_resume import Recovery
from acquire.containers.e01_segments import Preamble, SegmentWriter, segment_path
from acquire.containers.ewf import HeaderValues, MediaType
from acquire.containers.ewf_chunks import BLOCK_BYTES, Stored, compression_by_name, store
from acquire.containers.ewf_header import header2_payload, header_payload
from acquire.errors import DestinationError, UsageError, destination_error
from acquire.geometry import SECTOR_BYTES, SectorRange, merge
from acquire.toc import Session, TrackMode

MEDIA: Final = {
    "removable": MediaType.REMOVABLE,
    "fixed": MediaType.FIXED,
    "optical": MediaType.OPTICAL,
    "memory": MediaType.MEMORY,
}
_MAX_SECTOR_NUMBER = 0xFFFFFFFF
_MAX_THREADS = 16


class E01Writer:
    """Writes one container, sequentially. Not for several threads at once.

    `position` is how many bytes of media data are in the files: whole chunks of 32 KiB, but for the
    last one of the medium. Leaving the `with` block without `finish` leaves the files for a resume.
    """

    def __init__(
        self,
        folder: Path,
        stem: str,
        *,
        size_bytes: int,
        bytes_per_sector: int,
        header: HeaderValues,
        guid: uuid.UUID,
        created: datetime,
        media: str = "optical",
        physical: bool = True,
        compression: str = "fast",
        segment_size_bytes: int | None = None,
        threads: int | None = None,
        resume: bool = False,
        resume_bytes: int | None = None,
        replay: Callable[[bytes], None] | None = None,
    ) -> None:
        """Begin `stem`.E01 in `folder`, or with `resume` go on with what is there.

        `size_bytes` is the exact size of the medium, a multiple of `bytes_per_sector` (a power of two;
        see `ewf.sector_bytes_for`). `segment_size_bytes` None means one file. On resume everything must
        be as in the first call; `replay` is given the good media data in order, and no more than
        `resume_bytes` (a multiple of 32 KiB) of it are kept.

        Raises:
            UsageError: sizes or words that an E01 cannot have.
            DestinationError: a container is there already (or, on resume, another one), or the folder
                cannot be written to.
        """
        _check_sizes(size_bytes, bytes_per_sector, segment_size_bytes)
        if media not in MEDIA:
            raise UsageError(f"Unknown media type {media!r}", do=f"Choose from {', '.join(MEDIA)}")
        self._compression = compression_by_name(compression)
        self._size_bytes = size_bytes
        self._sector_bytes = bytes_per_sector
        volume = ewf.volume(
            media=MEDIA[media],
            physical=physical,
            size_bytes=size_bytes,
            bytes_per_sector=bytes_per_sector,
            compression_level=self._compression.declared,
            set_identifier=guid.bytes_le,
        )
        preamble = Preamble(header2_payload(header, created), header_payload(header, created), volume)
        self._files = SegmentWriter(folder, stem, preamble, segment_size_bytes)
        self._threads = threads or min(_MAX_THREADS, len(os.sched_getaffinity(0)))
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[Future[Stored]] = deque()
        self._pending = bytearray()
        self._accepted = 0
        self._failed = False
        if resume:
            keep = size_bytes if resume_bytes is None else min(size_bytes, resume_bytes)
            self._resume(folder, stem, preamble, keep, replay)
        else:
            self._files.begin()

    @property
    def position(self) -> int:
        """Bytes of media data in the files: where to go on after a resume."""
        return self._files.media_bytes

    @property
    def bytes_per_sector(self) -> int:
        """The sector size that the container declares."""
        return self._sector_bytes

    @property
    def paths(self) -> list[Path]:
        """The segment files so far, in order."""
        return self._files.paths

    def write(self, data: bytes | memoryview) -> None:
        """Take the next media data, of any length.

        A bytes object is not copied; any other buffer is, and may be used again when this returns.

        Raises:
            DestinationError: the files cannot be written (DiskFullError: no space); they are good for a
                resume.
        """
        assert not self._failed, "after a failure only a resume goes on"
        content = data if isinstance(data, bytes) else bytes(data)
        self._accepted += len(content)
        assert self._accepted <= self._size_bytes, "more media data than the medium has"
        at = 0
        while at < len(content):
            left = len(content) - at
            if not self._pending and left >= ewf.CHUNK_BYTES:
                taken = min(left // ewf.CHUNK_BYTES * ewf.CHUNK_BYTES, BLOCK_BYTES)
                self._submit(content, at, at + taken)
            else:
                taken = min(left, BLOCK_BYTES - len(self._pending))
                self._pending += content[at : at + taken]
                if len(self._pending) == BLOCK_BYTES:
                    self._submit_pending(BLOCK_BYTES)
            at += taken

    def checkpoint(self) -> int:
        """Make everything so far durable; returns the position that a kill or power loss leaves.

        After a failed `write` this is what was written before it.
        """
        if not self._failed:
            self._submit_pending(len(self._pending) // ewf.CHUNK_BYTES * ewf.CHUNK_BYTES)
            self._drain(0)
        self._files.sync()
        return self.position

    def finish(
        self,
        md5: str | None,
        sha1: str | None,
        *,
        unread: Sequence[SectorRange] = (),
        unread_sector_bytes: int | None = None,
        sessions: Sequence[Session] = (),
    ) -> list[Path]:
        """Close the container; all media data must have been given. Returns its files.

        `md5` and `sha1` are hexadecimal, of the media data. `unread` counts sectors of
        `unread_sector_bytes` (default: the container's own), `sessions` sectors of 2048 bytes.

        Raises:
            UsageError: a session has audio tracks; an E01 has no place for their sectors.
            DestinationError: as in `write`; a resume brings back here.
        """
        assert not self._failed, "after a failure only a resume goes on"
        tail: list[tuple[str, bytes]] = []
        if starts := self._session_starts(sessions):
            tail.append(("session", ewf.session(starts)))
        if ranges := self._unread_ranges(unread, unread_sector_bytes or self._sector_bytes):
            tail.append(("error2", ewf.error2(ranges)))
        if md5 or sha1:
            tail.append(("digest", ewf.digest(bytes.fromhex(md5 or ""), bytes.fromhex(sha1 or ""))))
        if md5:
            tail.append(("hash", ewf.hash_(bytes.fromhex(md5))))
        self._submit_pending(len(self._pending))
        self._drain(0)
        assert self.position == self._size_bytes, "media data is missing"
        self._files.finish(tail)
        self._end_threads()
        return self._files.paths

    def abort(self) -> None:
        """Stop writing; the files stay as they are, for a resume."""
        self._end_threads()
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _resume(
        self,
        folder: Path,
        stem: str,
        preamble: Preamble,
        keep_bytes: int,
        replay: Callable[[bytes], None] | None,
    ) -> None:
        recovery = Recovery(folder, stem, preamble, keep_bytes, compressed=bool(self._compression.library))
        blocks = recovery.blocks()
        with ThreadPoolExecutor(1) as ahead:  # the next block is found while this one is replayed
            found = ahead.submit(next, blocks, b"")
            while block := found.result():
                found = ahead.submit(next, blocks, b"")
                if replay is not None:
                    replay(block)
        if recovery.place is not None:
            self._files.go_on(recovery.place)
            self._accepted = self.position
            return
        first = segment_path(folder, stem, 1)
        try:
            first.unlink(missing_ok=True)
        except OSError as error:
            raise destination_error(error, first) from error
        self._files.begin()

    def _submit_pending(self, size_bytes: int) -> None:
        if size_bytes:
            self._submit(bytes(self._pending[:size_bytes]), 0, size_bytes)
            del self._pending[:size_bytes]

    def _submit(self, data: bytes, start: int, end: int) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="deflate")
        self._waiting.append(self._pool.submit(store, data, start, end, self._compression))
        self._drain(2 * self._threads)

    def _drain(self, most: int) -> None:
        """Write what is deflated, in order, until at most `most` blocks are still on the way."""
        while self._waiting and (len(self._waiting) > most or self._waiting[0].done()):
            stored = self._waiting.popleft().result()
            try:
                self._files.add(stored)
            except DestinationError:
                self._failed = True
                self._waiting.clear()
                raise

    def _end_threads(self) -> None:
        self._waiting.clear()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _session_starts(self, sessions: Sequence[Session]) -> list[tuple[int, int]]:
        """Flags and first sector of each session, as EnCase writes them."""
        if any(track.mode is TrackMode.AUDIO for session in sessions for track in session.tracks):
            raise UsageError(
                "An E01 has no place for audio sectors", do="Acquire with --format raw to keep them"
            )
        starts = [
            (0, min(session.start_lba * SECTOR_BYTES // self._sector_bytes, _MAX_SECTOR_NUMBER))
            for session in sorted(sessions, key=lambda session: session.start_lba)
        ]
        if starts and starts[0][1] == 0:  # but never beyond the next one: readers want ascending order
            starts[0] = (0, min([ewf.FIRST_SESSION_START, *(start for _, start in starts[1:2])]))
        return starts

    def _unread_ranges(self, unread: Sequence[SectorRange], sector_bytes: int) -> list[tuple[int, int]]:
        """Unread ranges in the container's sectors, within the medium; a sector touched is unread."""
        sector_count = self._size_bytes // self._sector_bytes
        ranges = []
        for start, count in unread:
            first = start * sector_bytes // self._sector_bytes
            end = -(-(start + count) * sector_bytes // self._sector_bytes)
            ranges.append(SectorRange(first, min(end, sector_count) - first))
        return [(start, count) for start, count in merge(ranges)]


def _check_sizes(size_bytes: int, bytes_per_sector: int, segment_size_bytes: int | None) -> None:
    if size_bytes <= 0:
        raise UsageError("An E01 cannot hold an empty medium", do="There is nothing to acquire")
    assert bytes_per_sector & (bytes_per_sector - 1) == 0, "a sector size is a power of two"
    assert 0 < bytes_per_sector <= ewf.CHUNK_BYTES, "a sector size is at most one chunk"
    assert size_bytes % bytes_per_sector == 0, "whole sectors: see ewf.sector_bytes_for"
    if size_bytes // bytes_per_sector > _MAX_SECTOR_NUMBER:
        raise UsageError(
            f"{size_bytes} bytes are more sectors of {bytes_per_sector} bytes than an E01 can number",
            do="Acquire with --format raw",
        )
    if segment_size_bytes is None:
        return
    most = segment_size_bytes * ewf.MAX_SEGMENTS
    if size_bytes + size_bytes // 1024 > most:
        raise UsageError(
            f"{size_bytes} bytes may need more than the {ewf.MAX_SEGMENTS} segments that have names",
            do="Choose a larger segment size",
        )

"""The segment files of an E01 that is being written: chunks in, sections closed where the format asks.

Where a section or a segment ends depends on the chunks alone, never on when they came: a run that was
stopped and resumed lays out the very same files as one that was not.
"""

import contextlib
import os
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from acquire.containers import ewf
from acquire.containers.ewf_chunks import Stored
from acquire.durable import sync_folder
from acquire.errors import DestinationError, UsageError, destination_error

_DESCRIPTOR_BYTES = ewf.DESCRIPTOR.size
_ONE_CHUNK_BYTES = ewf.CHUNK_BYTES + 4


class Preamble(NamedTuple):
    """What stands before the chunks: payloads of the header sections and of the volume section."""

    header2: bytes
    header: bytes
    volume: bytes

    def sections(self, number: int) -> tuple[tuple[str, bytes], ...]:
        """Kind and payload of the sections that segment `number` begins with."""
        if number > 1:
            return (("data", self.volume),)
        return (
            ("header2", self.header2),
            ("header2", self.header2),
            ("header", self.header),
            ("volume", self.volume),
        )

    def head(self, number: int) -> bytes:
        """The first bytes of segment `number`, up to its first sectors section."""
        head = ewf.file_header(number)
        for kind, payload in self.sections(number):
            head += ewf.section(kind, len(head), payload)
        return head


class Place(NamedTuple):
    """Where writing goes on: after a chunk in the open sectors section of a segment.

    `base_offset` is that section's descriptor, `entries` its table so far, `end_offset` the first byte
    after its last chunk, `media_bytes` what all chunks so far stand for.
    """

    number: int
    base_offset: int
    entries: "array[int]"
    end_offset: int
    media_bytes: int


def segment_path(folder: Path, stem: str, number: int) -> Path:
    """The name of segment `number`."""
    return folder / f"{stem}.{ewf.segment_extension(number)}"


class SegmentWriter:
    """Writes the segment files; `media_bytes` counts what their chunks stand for."""

    def __init__(self, folder: Path, stem: str, preamble: Preamble, limit_bytes: int | None) -> None:
        """Prepare to write `stem`.E01 …, none longer than `limit_bytes`; nothing is created yet."""
        self._folder = folder
        self._stem = stem
        self._preamble = preamble
        self._limit_bytes = limit_bytes
        self._number = 0
        self._handle = -1
        self._path = folder
        self._offset = 0
        self._base = 0
        self._entries = array("I")
        self._names_changed = False
        self.media_bytes = 0
        smallest = len(preamble.head(1)) + _DESCRIPTOR_BYTES + _ONE_CHUNK_BYTES + self._reserve(1)
        if limit_bytes is not None and limit_bytes < smallest:
            raise UsageError(
                f"A segment of {limit_bytes} bytes has no room for its header and one chunk",
                do=f"Choose a segment size of at least {smallest} bytes",
            )

    @property
    def paths(self) -> list[Path]:
        """The segment files so far, in order."""
        return [segment_path(self._folder, self._stem, number) for number in range(1, self._number + 1)]

    def begin(self) -> None:
        """Create the first segment.

        Raises:
            DestinationError: a file of that name is there, or the folder cannot be written to.
        """
        self._open_segment(1)
        self._open_sectors()

    def go_on(self, place: Place) -> None:
        """Open the segment of `place` and cut off everything behind it, later segments too."""
        self._number = place.number
        self._path = segment_path(self._folder, self._stem, place.number)
        self._base, self._offset = place.base_offset, place.end_offset
        self._entries = place.entries
        self.media_bytes = place.media_bytes
        try:
            for number in range(place.number + 1, ewf.MAX_SEGMENTS + 1):
                later = segment_path(self._folder, self._stem, number)
                if not later.exists():
                    break
                later.unlink()
                self._names_changed = True
            self._handle = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
            os.ftruncate(self._handle, self._offset)
        except OSError as error:
            raise destination_error(error, self._path) from error
        self._write_at(self._base, ewf.last_descriptor("sectors", self._base))

    def add(self, stored: Stored) -> None:
        """Append chunks, closing sections and segments where they are full.

        Raises:
            DestinationError: they could not be written (DiskFullError: no space). All chunks before
                the one that failed are in the files.
        """
        total = sum(stored.lengths)
        if self._fits(total, len(stored.lengths)):
            self._append_chunks(stored.parts, stored.lengths, stored.flags)
        else:
            self._add_one_by_one(stored)
        self.media_bytes += stored.media_bytes

    def finish(self, tail: Sequence[tuple[str, bytes]]) -> None:
        """Close the open section and segment; `tail` are kind and payload of the last sections."""
        self._close_sectors()
        sections = [*tail] if self._number > 1 else [("data", self._preamble.volume), *tail]
        if not self._room(
            sum(_DESCRIPTOR_BYTES + len(payload) for _, payload in sections) + _DESCRIPTOR_BYTES
        ):
            self._next_segment()
            sections = [*tail]
        for kind, payload in sections:
            self._append([ewf.section(kind, self._offset, payload)])
        self._append([ewf.last_descriptor("done", self._offset)])
        self._truncate()
        self.sync()
        self.close()

    def sync(self) -> None:
        """Make everything written so far durable."""
        try:
            os.fsync(self._handle)
            if self._names_changed:
                sync_folder(self._folder)
                self._names_changed = False
        except OSError as error:
            raise destination_error(error, self._path) from error

    def close(self) -> None:
        """Give the file back, as it is."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _reserve(self, entry_count: int) -> int:
        """Bytes that must stay free after the chunks: two tables, and the section that ends a segment."""
        return 2 * ewf.table_bytes(entry_count) + _DESCRIPTOR_BYTES

    def _room(self, size_bytes: int) -> bool:
        return self._limit_bytes is None or self._offset + size_bytes <= self._limit_bytes

    def _fits(self, size_bytes: int, count: int) -> bool:
        """Whether `count` more chunks of `size_bytes` together fit into the open section."""
        entry_count = len(self._entries) + count
        return entry_count <= ewf.MAX_TABLE_ENTRIES and self._room(size_bytes + self._reserve(entry_count))

    def _add_one_by_one(self, stored: Stored) -> None:
        parts = iter(stored.parts)
        for length, flag in zip(stored.lengths, stored.flags, strict=True):
            chunk = [next(parts)] if flag else [next(parts), next(parts)]
            if not self._fits(length, 1):
                self._close_sectors()
                if not self._room(_DESCRIPTOR_BYTES + length + self._reserve(1)):
                    self._next_segment()
                self._open_sectors()
            self._append_chunks(chunk, [length], [flag])

    def _append_chunks(
        self, parts: Sequence[bytes | memoryview], lengths: Sequence[int], flags: Sequence[int]
    ) -> None:
        at = self._offset - self._base
        self._append(parts)
        for length, flag in zip(lengths, flags, strict=True):
            self._entries.append(at | flag)
            at += length

    def _open_segment(self, number: int) -> None:
        path = segment_path(self._folder, self._stem, number)
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except FileExistsError as error:
            raise DestinationError(
                "A file of this name is already there", where=path, do="Choose another label or folder"
            ) from error
        except OSError as error:
            raise destination_error(error, path) from error
        self._number, self._path, self._offset = number, path, 0
        self._names_changed = True
        self._append([self._preamble.head(number)])

    def _next_segment(self) -> None:
        self._append([ewf.last_descriptor("next", self._offset)])
        self._truncate()
        self.sync()
        self.close()
        self._open_segment(self._number + 1)

    def _open_sectors(self) -> None:
        """Begin a sectors section: until it is closed its descriptor points to itself."""
        self._base = self._offset
        self._entries = array("I")
        self._append([ewf.last_descriptor("sectors", self._base)])

    def _close_sectors(self) -> None:
        payload = ewf.table(self._base, self._entries)
        size_bytes = self._offset - self._base - _DESCRIPTOR_BYTES
        table_at = self._offset
        table2_at = table_at + ewf.table_bytes(len(self._entries))
        self._append([ewf.section("table", table_at, payload), ewf.section("table2", table2_at, payload)])
        self._write_at(self._base, ewf.descriptor("sectors", self._base, size_bytes))

    def _append(self, parts: Sequence[bytes | memoryview]) -> None:
        """Write `parts` at the end; on failure the file is cut back to where it was."""
        left = list(parts)
        offset = self._offset
        try:
            while left:
                written = os.pwritev(self._handle, left, offset)
                offset += written
                while left and written >= len(left[0]):
                    written -= len(left.pop(0))
                if written:
                    left[0] = memoryview(left[0])[written:]
        except OSError as error:
            with contextlib.suppress(OSError):
                os.ftruncate(self._handle, self._offset)
            raise destination_error(error, self._path) from error
        self._offset = offset

    def _write_at(self, offset: int, data: bytes) -> None:
        try:
            done = 0
            while done < len(data):
                done += os.pwrite(self._handle, data[done:], offset + done)
        except OSError as error:
            raise destination_error(error, self._path) from error

    def _truncate(self) -> None:
        try:
            os.ftruncate(self._handle, self._offset)
        except OSError as error:
            raise destination_error(error, self._path) from error

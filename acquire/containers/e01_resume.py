"""What of an unfinished E01 is good: found again chunk by chunk, by the chunks' own checksums.

No table is needed, and none is believed: the last one is not written before its section is full.
"""

import os
from array import array
from collections.abc import Generator, Iterable, Iterator
from functools import partial
from itertools import repeat
from pathlib import Path

from acquire.containers import ewf, ewf_chunks
from acquire.containers.e01_segments import Place, Preamble, segment_path
from acquire.containers.ewf_walk import Window, chunks
from acquire.errors import DestinationError, destination_error

_DESCRIPTOR_BYTES = ewf.DESCRIPTOR.size


class Recovery:
    """Walks an unfinished container; after `blocks` is used up, `place` is where writing goes on.

    `place` is None if not even one chunk is good: then the container is begun anew.
    """

    def __init__(
        self, folder: Path, stem: str, preamble: Preamble, media_bytes: int, *, compressed: bool
    ) -> None:
        """Look for at most `media_bytes` of media data of the container `stem` in `folder`.

        `compressed` says whether its chunks may be streams at all.
        """
        self._compressed = compressed
        self._folder = folder
        self._stem = stem
        self._preamble = preamble
        self._left = media_bytes
        self._found = 0
        self.place: Place | None = None

    def blocks(self) -> Iterator[bytes]:
        """The good media data in order, about 1 MiB at a time.

        Raises:
            DestinationError: the files cannot be read, or another container was begun there.
        """
        for number in range(1, ewf.MAX_SEGMENTS + 1):
            path = segment_path(self._folder, self._stem, number)
            try:
                handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return
            except OSError as error:
                raise destination_error(error, path) from error
            try:
                window = Window(partial(_pread, handle), os.fstat(handle).st_size)
                whole = yield from self._segment(number, path, window)
            except OSError as error:
                raise destination_error(error, path) from error
            finally:
                os.close(handle)
            if not whole:
                return

    def _segment(self, number: int, path: Path, window: Window) -> Generator[bytes, None, bool]:
        """The good chunks of one segment; returns whether it is whole and another one follows."""
        if not self._has_head(number, path, window):
            return False
        offset = len(self._preamble.head(number))
        while self._left:
            end_offset = _end_of(window, offset, "sectors")
            if end_offset is None:
                return False
            at = yield from self._sectors(number, window, offset, end_offset)
            if at != end_offset:
                return False
            for kind in ("table", "table2"):
                end_offset = _end_of(window, at, kind)
                if end_offset is None:
                    return False
                at = end_offset
            if bytes(window.view(at, _DESCRIPTOR_BYTES)) == ewf.last_descriptor("next", at):
                return True
            offset = at
        return False

    def _sectors(
        self, number: int, window: Window, base: int, end_offset: int
    ) -> Generator[bytes, None, int]:
        """The good chunks of one sectors section; returns the offset after the last one."""
        at = base + _DESCRIPTOR_BYTES
        entries = array("I")
        block: list[bytes] = []
        flags = self._flags(window, base, end_offset)
        for found in chunks(window, at, end_offset, self._left, flags=flags):
            entries.append((at - base) | found.flag)
            at += found.stored_bytes
            self._left -= len(found.data)
            self._found += len(found.data)
            block.append(found.data)
            if len(block) * ewf.CHUNK_BYTES >= ewf_chunks.BLOCK_BYTES:
                yield b"".join(block)
                block.clear()
        if block:
            yield b"".join(block)
        if entries:
            self.place = Place(number, base, entries, at, self._found)
        return at

    def _flags(self, window: Window, base: int, end_offset: int) -> Iterable[int | None]:
        """How each chunk of a section is stored: as its table says, once that was written."""
        if not self._compressed:
            return repeat(0, ewf.MAX_TABLE_ENTRIES)
        table_end = _end_of(window, end_offset, "table")
        if table_end is not None:
            entry_bytes = table_end - end_offset - ewf.table_bytes(0)
            if 0 < entry_bytes <= 4 * ewf.MAX_TABLE_ENTRIES:
                payload = bytes(
                    window.view(end_offset + _DESCRIPTOR_BYTES, ewf.TABLE_HEADER.size + entry_bytes + 4)
                )
                entries = ewf.from_little_endian(payload[ewf.TABLE_HEADER.size : -4 - entry_bytes % 4])
                if payload == ewf.table(base, entries):
                    return [entry & ewf.COMPRESSED for entry in entries]
        return repeat(None, ewf.MAX_TABLE_ENTRIES)

    def _has_head(self, number: int, path: Path, window: Window) -> bool:
        """Whether the segment begins as this container's does; False if it was cut short there."""
        head = self._preamble.head(number)
        seen = bytes(window.view(0, len(head)))
        if seen == head:
            return True
        if head.startswith(seen.rstrip(b"\0")):
            return False
        raise DestinationError(
            "An unfinished container of other contents or settings is here",
            where=path,
            do="Give the same case fields and options as before, or move it away",
        )


def _pread(handle: int, offset: int, size_bytes: int) -> bytes:
    return os.pread(handle, size_bytes, offset)


def _end_of(window: Window, offset: int, kind: str) -> int | None:
    """Where the section `kind` at `offset` ends: at the end of the file if it was never closed."""
    seen = bytes(window.view(offset, _DESCRIPTOR_BYTES))
    if seen == ewf.last_descriptor("sectors", offset) and kind == "sectors":
        return window.size_bytes
    if len(seen) < _DESCRIPTOR_BYTES:
        return None
    size_bytes = ewf.DESCRIPTOR.read(seen).size_bytes
    if not _DESCRIPTOR_BYTES <= size_bytes <= window.size_bytes - offset:
        return None
    if seen != ewf.descriptor(kind, offset, size_bytes - _DESCRIPTOR_BYTES):
        return None
    return offset + size_bytes

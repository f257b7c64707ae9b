"""Chunks found again without a table, by their own checksums, one behind the other."""

from collections.abc import Callable, Iterable, Iterator

from acquire.containers.ewf import CHUNK_BYTES
from acquire.containers.ewf_chunks import Found, find

_WINDOW_BYTES = 4 << 20


class Window:
    """A file read forward, a few MiB at a time."""

    def __init__(self, read: Callable[[int, int], bytes], size_bytes: int) -> None:
        """Read a file of `size_bytes` by `read(offset, length)`."""
        self._read = read
        self._start = 0
        self._buffer = b""
        self.size_bytes = size_bytes

    def view(self, offset: int, size_bytes: int) -> memoryview:
        """The bytes at `offset`; fewer where the file ends."""
        if not self._start <= offset <= offset + size_bytes <= self._start + len(self._buffer):
            self._buffer = self._read(offset, max(_WINDOW_BYTES, size_bytes))
            self._start = offset
        at = offset - self._start
        return memoryview(self._buffer)[at : at + size_bytes]


def chunks(
    window: Window,
    offset: int,
    end_offset: int,
    media_bytes: int,
    *,
    flags: Iterable[int | None],
    chunk_bytes: int = CHUNK_BYTES,
) -> Iterator[Found]:
    """The chunks that stand one after another from `offset` on, for `media_bytes` of media data.

    `flags` says of each whether it is stored COMPRESSED (0: plainly, None: not known); no more chunks
    are looked for than it has. Ends at the first place where no chunk can be recognised beyond doubt.
    """
    for flag in flags:
        size_bytes = min(chunk_bytes, media_bytes)
        here = window.view(offset, max(0, min(size_bytes + 4, end_offset - offset)))
        found = find(here, size_bytes, flag) if size_bytes else None
        if found is None:
            return
        yield found
        offset += found.stored_bytes
        media_bytes -= size_bytes

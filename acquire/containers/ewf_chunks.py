"""Chunks of an E01: 32 KiB of media data into what is stored, and back.

A chunk is stored as a zlib stream where that is shorter, else as it is with its Adler-32 (Data chunk).
Deflate and inflate release the GIL; a task should have many chunks (1 MiB), as handing one over costs
about as much as deflating it.
"""

import zlib
from typing import Final, NamedTuple, cast

from isal import isal_zlib

from acquire.containers.ewf import CHUNK_BYTES, COMPRESSED
from acquire.errors import UsageError

BLOCK_BYTES: Final = 1 << 20
"""Media data of one task."""

_ZERO_CHUNK: Final = bytes(CHUNK_BYTES)
_ZERO_STREAM: Final = zlib.compress(_ZERO_CHUNK, 1)
# zlib's 163 bytes, not the 52 of a better match: every reader inflates them four times faster.


_IsalError = cast("type[Exception]", isal_zlib.error)  # its stub calls the class an instance


class Compression(NamedTuple):
    """A compression by its option's name: the level that the volume section declares, and how."""

    name: str
    declared: int
    library: str = ""
    level: int = 0


COMPRESSIONS: Final = {
    # isal 2: as small as zlib 1 (0.9 to 1.02 of it) at four times its speed.
    "none": Compression("none", 0),
    "fast": Compression("fast", 1, "isal", 2),
    "best": Compression("best", 2, "zlib", 7),
}


def compression_by_name(name: str) -> Compression:
    """The compression that an option names.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in COMPRESSIONS:
        raise UsageError(f"Unknown compression {name!r}", do=f"Choose from {', '.join(COMPRESSIONS)}")
    return COMPRESSIONS[name]


class Stored(NamedTuple):
    """Chunks as they go into a sectors section.

    `parts` are the buffers in order; each chunk is one or, with a checksum of its own, two of them.
    `lengths` are the chunks' stored sizes, `flags` COMPRESSED or 0, `media_bytes` what they stand for.
    """

    parts: list[bytes | memoryview]
    lengths: list[int]
    flags: list[int]
    media_bytes: int


def store(data: bytes, start: int, end: int, compression: Compression) -> Stored:
    """Turn `data[start:end]`, which begins at a chunk boundary, into chunks; only the last may be short."""
    parts: list[bytes | memoryview] = []
    lengths: list[int] = []
    flags: list[int] = []
    view = memoryview(data)
    deflate = isal_zlib.compress if compression.library == "isal" else zlib.compress
    for offset in range(start, end, CHUNK_BYTES):
        chunk = view[offset : min(offset + CHUNK_BYTES, end)]
        if compression.library:
            if data.startswith(_ZERO_CHUNK, offset, end):
                stream = _ZERO_STREAM
            else:
                stream = deflate(chunk, compression.level)
            if len(stream) < len(chunk):
                parts.append(stream)
                lengths.append(len(stream))
                flags.append(COMPRESSED)
                continue
        parts += (chunk, isal_zlib.adler32(chunk).to_bytes(4, "little"))
        lengths.append(len(chunk) + 4)
        flags.append(0)
    return Stored(parts, lengths, flags, end - start)


def inflate(stream: bytes | memoryview, size_bytes: int) -> tuple[bytes, int] | None:
    """Inflate a zlib stream that must give exactly `size_bytes`; never makes more than one byte more.

    Returns the data and the stream's own length, or None if the stream is broken, is not whole, fails
    its checksum or is of another size.
    """
    inflater = isal_zlib.decompressobj()
    try:
        data = inflater.decompress(stream, size_bytes + 1)
    except _IsalError:
        return None
    if len(data) != size_bytes or not inflater.eof:
        return None
    return data, len(stream) - len(inflater.unused_data)


def unstore(stored: memoryview, size_bytes: int, *, compressed: bool) -> bytes | memoryview | str:
    """The media data of one chunk, or a sentence that says why there is none.

    `stored` is all that the table gives to the chunk; it must be used up. Of a plain chunk the data is a
    part of `stored`, not a copy.
    """
    if compressed:
        if stored == _ZERO_STREAM and size_bytes == CHUNK_BYTES:
            return _ZERO_CHUNK
        found = inflate(stored, size_bytes)
        if found is None:
            return "a compressed chunk does not inflate to its size, or fails its checksum"
        if found[1] != len(stored):
            return "a compressed chunk ends before its place in the table does"
        return found[0]
    if len(stored) != size_bytes + 4:
        return "an uncompressed chunk is not of its size"
    data = stored[:-4]
    if isal_zlib.adler32(data).to_bytes(4, "little") != stored[-4:]:
        return "an uncompressed chunk fails its checksum"
    return data


class Found(NamedTuple):
    """A chunk found without a table: its media data, stored size, and flag (COMPRESSED or 0)."""

    data: bytes
    stored_bytes: int
    flag: int


def find(buffer: bytes | memoryview, size_bytes: int, flag: int | None = None) -> Found | None:
    """The chunk of `size_bytes` at the start of `buffer`, known by its own checksum.

    `buffer` has `size_bytes + 4` bytes or all that is left. `flag` says how the chunk is stored, if that
    is known. None if no chunk begins here, and also if it is not known how it is stored and the bytes
    would do both ways.
    """
    plain = stream = None
    if flag != COMPRESSED:
        data = bytes(buffer[:size_bytes])
        mark = isal_zlib.adler32(data).to_bytes(4, "little")
        if len(data) == size_bytes and mark == buffer[size_bytes : size_bytes + 4]:
            plain = Found(data, size_bytes + 4, 0)
    if flag != 0:
        found = inflate(buffer, size_bytes)
        if found is not None:
            stream = Found(found[0], found[1], COMPRESSED)
    return None if plain and stream else plain or stream

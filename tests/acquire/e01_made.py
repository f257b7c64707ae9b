"""Containers and their bytes for the E01 tests."""

import hashlib
import random
import struct
import uuid
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyewf

from acquire.containers.e01_reader import E01Image
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues, sector_bytes_for
from acquire.image import Image

CHUNK = 32768
GUID = uuid.UUID("12345678-90ab-4def-9234-567890abcdef")
CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
HEADER = HeaderValues(
    case_number="2026-014",
    evidence_number="EX-1",
    description="DVD-R, printed side scratched",
    examiner="A. Exämíner 検査官",
    notes="one\ttwo\nthree",
    model="BD-RE BH16",
    serial="S/N 123",
    system="Linux",
)


def media(size: int, seed: int = 7) -> bytes:
    """Bytes that deflate well, badly and not at all, in pieces that do not keep to chunk boundaries."""
    source = random.Random(seed)
    made = bytearray()
    while len(made) < size:
        kind = source.randrange(3)
        length = source.randrange(1, 90000)
        if kind == 0:
            made += bytes(length)
        elif kind == 1:
            made += source.randbytes(length)
        else:
            made += (source.randbytes(200) * (length // 200 + 1))[:length]
    return bytes(made[:size])


def dense(size: int, seed: int = 7) -> bytes:
    """Bytes of which no two sectors are alike: one read in another's place is noticed."""
    source = random.Random(seed)
    made = bytearray()
    while len(made) < size:
        length = source.randrange(1, 90000)
        noise = source.randbytes(length)
        made += noise if source.randrange(2) else noise[: length // 4].hex().encode()
    return bytes(made[:size])


def open_writer(folder: Path, data: bytes, **options: Any) -> E01Writer:
    """A writer for `data` with the values above."""
    return E01Writer(
        folder,
        "EX-1",
        size_bytes=len(data),
        bytes_per_sector=options.pop("bytes_per_sector", sector_bytes_for(len(data))),
        header=options.pop("header", HEADER),
        guid=options.pop("guid", GUID),
        created=CREATED,
        **options,
    )


def finish(writer: E01Writer, data: bytes, **tail: Any) -> list[Path]:
    """Close with the digests that hashlib gives for `data`."""
    return writer.finish(hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(), **tail)


def write(folder: Path, data: bytes, *, step: int = 1 << 20, tail: Any = None, **options: Any) -> list[Path]:
    """A finished container of `data`."""
    folder.mkdir(exist_ok=True)
    with open_writer(folder, data, **options) as writer:
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
        return finish(writer, data, **(tail or {}))


def read_with_pyewf(paths: list[Path]) -> bytes:
    """The media data as libewf's Python binding reads it."""
    handle = pyewf.handle()
    handle.open([str(path) for path in paths])
    try:
        pieces = []
        left = handle.get_media_size()
        while left:
            piece = handle.read_buffer(min(left, 1 << 20))
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        handle.close()


def files_in(folder: Path) -> dict[str, bytes]:
    """Names and bytes of the files in `folder`."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class Section(NamedTuple):
    """A section as the tests take it from the bytes themselves."""

    kind: bytes
    offset: int
    payload: bytes


def sections(file: bytes) -> list[Section]:
    """Walk the section descriptors (76 bytes: type 16, next 8, size 8, 40 zero, Adler-32)."""
    found = []
    offset = 13
    while True:
        kind, following, size, padding, mark = struct.unpack_from("<16sQQ40sI", file, offset)
        assert mark == zlib.adler32(file[offset : offset + 72])
        assert padding == bytes(40)
        found.append(Section(kind.rstrip(b"\0"), offset, file[offset + 76 : offset + max(size, 76)]))
        if following == offset:
            assert size == 0
            assert offset + 76 == len(file)
            return found
        assert following == offset + size
        offset = following


def offsets(path: Path, kind: str) -> list[int]:
    """Where the sections of `kind` begin."""
    return [section.offset for section in sections(path.read_bytes()) if section.kind == kind.encode()]


def section(kind: bytes, offset: int, payload: bytes, *, following: int | None = None) -> bytes:
    """A section by hand; `following` is where it says that the next one is."""
    size = 76 + len(payload)
    head = struct.pack("<16sQQ40x", kind, offset + size if following is None else following, size)
    return guarded(head) + payload


def guarded(data: bytes) -> bytes:
    """Data with its Adler-32."""
    return data + struct.pack("<I", zlib.adler32(data))


def patch(path: Path, offset: int, new: bytes) -> None:
    """Overwrite bytes of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(new)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    patch(path, offset, bytes([path.read_bytes()[offset] ^ 0x10]))


def whole(image: E01Image) -> bytes:
    """All media data, as `blocks` gives it."""
    return b"".join(image.blocks())


def unread_sectors(image: Image) -> set[int]:
    """The sectors that `image` declares unread."""
    return {lba for start, count in image.unread() for lba in range(start, start + count)}


def open_damaged(path: Path, data: bytes) -> tuple[E01Image, set[int]]:
    """Open and read all; every sector that is not as it was must be declared unread."""
    image = E01Image(path)
    got = whole(image)
    assert len(got) == len(data)
    lost = unread_sectors(image)
    for lba in range(image.sector_count):
        if got[lba * 2048 : lba * 2048 + 2048] != data[lba * 2048 : lba * 2048 + 2048]:
            assert lba in lost, f"sector {lba} is wrong and nothing says so"
    return image, lost

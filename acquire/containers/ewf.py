"""The EWF-E01 container's structures: what its bytes are, and nothing else.

Layout of EnCase 6, after the Expert Witness Compression Format specification by J. Metz (libewf
project; section names in the comments are its headings) and files that EnCase 6 and libewf made.
All numbers are little-endian, all checksums Adler-32. What the bytes mean: docs/reference/e01.md.
"""

import struct
import zlib
from array import array
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Annotated, NamedTuple

from acquire.layout import U8, Bytes16, Layout, Little16, Little32, Little64, RawBytes

SIGNATURE = b"EVF\x09\x0d\x0a\xff\x00"
LOGICAL_SIGNATURE = b"LVF\x09\x0d\x0a\xff\x00"
VERSION2_SIGNATURE = b"EVF2\x0d\x0a\x81\x00"

CHUNK_BYTES = 32768
"""Media data of one chunk, as EnCase and libewf choose it."""
MAX_TABLE_ENTRIES = 16375
"""Chunks of one table: the most that every version of EnCase and FTK Imager takes."""
COMPRESSED = 0x80000000
"""The bit of a table entry that marks its chunk as a zlib stream; the other 31 are its offset."""
assert MAX_TABLE_ENTRIES * (CHUNK_BYTES + 4) < COMPRESSED, "a full sectors section has 31-bit offsets"
MAX_SEGMENTS = 99 + 22 * 26 * 26
"""E01 to E99, then EAA to ZZZ."""
FIRST_SESSION_START = 16
"""EnCase records the first session's start as sector 16 and means 0 (Session entry, Note)."""
AUDIO_TRACK = 1
"""Flag of a session entry that is an audio track (Session flags)."""


class MediaType(IntEnum):
    """Volume section, media type."""

    REMOVABLE = 0x00
    FIXED = 0x01
    OPTICAL = 0x03
    LOGICAL = 0x0E
    MEMORY = 0x10


class MediaFlag(IntEnum):
    """Volume section, media flags."""

    IMAGE = 0x01
    PHYSICAL = 0x02


class FileHeader(NamedTuple):
    """File header, EWF-E01."""

    signature: Annotated[bytes, RawBytes(8)]
    start_of_fields: U8  # 1
    segment_number: Little16
    end_of_fields: Little16  # 0


class SectionDescriptor(NamedTuple):
    """Section descriptor: at the start of every section."""

    kind: Bytes16
    next_offset: Little64  # from the start of the segment file
    size_bytes: Little64  # with the descriptor; 0 in next and done
    padding: Annotated[bytes, RawBytes(40)]
    checksum: Little32


class VolumeSection(NamedTuple):
    """Volume, disk and data section."""

    media_type: U8
    padding1: Annotated[bytes, RawBytes(3)]
    chunk_count: Little32
    sectors_per_chunk: Little32
    bytes_per_sector: Little32
    sector_count: Little64
    cylinders: Little32
    heads: Little32
    sectors_per_track: Little32
    media_flags: U8
    padding2: Annotated[bytes, RawBytes(3)]
    palm_start_sector: Little32
    padding3: Annotated[bytes, RawBytes(4)]
    smart_start_sector: Little32
    compression_level: U8
    padding4: Annotated[bytes, RawBytes(3)]
    error_granularity: Little32
    padding5: Annotated[bytes, RawBytes(4)]
    set_identifier: Bytes16
    padding6: Annotated[bytes, RawBytes(963)]
    signature: Annotated[bytes, RawBytes(5)]
    checksum: Little32


class TableHeader(NamedTuple):
    """Table header, with the base offset of EnCase 6."""

    entry_count: Little32
    padding1: Annotated[bytes, RawBytes(4)]
    base_offset: Little64
    padding2: Annotated[bytes, RawBytes(4)]
    checksum: Little32


class DigestSection(NamedTuple):
    """Digest section."""

    md5: Bytes16
    sha1: Annotated[bytes, RawBytes(20)]
    padding: Annotated[bytes, RawBytes(40)]
    checksum: Little32


class HashSection(NamedTuple):
    """Hash section."""

    md5: Bytes16
    unknown: Bytes16
    checksum: Little32


FILE_HEADER = Layout(FileHeader, size=13)
DESCRIPTOR = Layout(SectionDescriptor, size=76)
VOLUME = Layout(VolumeSection, size=1052)
TABLE_HEADER = Layout(TableHeader, size=24)
DIGEST = Layout(DigestSection, size=80)
HASH = Layout(HashSection, size=36)

ERROR2_HEADER_BYTES = 520
SESSION_HEADER_BYTES = 36
_SESSION_ENTRY = struct.Struct("<II24x")
_ERROR2_ENTRY = struct.Struct("<II")
_U32 = struct.Struct("<I")


class HeaderValues(NamedTuple):
    """What the header sections tell of the case; free text but for the two that EnCase shortens."""

    case_number: str = ""
    evidence_number: str = ""
    description: str = ""
    examiner: str = ""
    notes: str = ""
    model: str = ""
    serial: str = ""
    version: str = "jewelcase"  # EnCase keeps 11 characters
    system: str = ""  # EnCase keeps 23 characters


def checksum(data: bytes | memoryview) -> bytes:
    """The four bytes that guard `data`."""
    return _U32.pack(zlib.adler32(data))


def guarded(data: bytes) -> bytes:
    """`data` and its checksum."""
    return data + checksum(data)


def is_guarded(data: bytes | memoryview) -> bool:
    """Whether the last four bytes of `data` are the checksum of the others."""
    return len(data) >= 4 and checksum(data[:-4]) == bytes(data[-4:])


def segment_extension(number: int, first: str = "E") -> str:
    """The extension of segment `number` (Segment file extensions): E01 … E99, EAA … ZZZ."""
    if not 1 <= number <= MAX_SEGMENTS:
        raise ValueError(f"segment {number}")
    if number <= 99:
        return f"{first}{number:02d}"
    rest, last = divmod(number - 100, 26)
    letter, middle = divmod(rest, 26)
    base = ord("a") if first.islower() else ord("A")
    return chr(ord(first) + letter) + chr(base + middle) + chr(base + last)


def segment_number(extension: str) -> int | None:
    """The number that an E01 extension (without dot, any case) stands for; None if it is not one."""
    name = extension.upper()
    if len(name) != 3 or not name.isascii() or not "E" <= name[0] <= "Z":
        return None
    if name[0] == "E" and name[1:].isdigit():
        return int(name[1:]) or None
    if not name[1:].isalpha():
        return None
    return 100 + ((ord(name[0]) - ord("E")) * 26 + ord(name[1]) - 65) * 26 + ord(name[2]) - 65


def file_header(number: int) -> bytes:
    """The first 13 bytes of segment `number`."""
    return FILE_HEADER.write(FileHeader(SIGNATURE, 1, number, 0))


def is_segment_head(head: bytes) -> bool:
    """Whether a file that begins with `head` (89 bytes) is an E01 segment.

    A damaged signature is forgiven if a good section descriptor follows it.
    """
    if head.startswith(SIGNATURE):
        return True
    differences = sum(a != b for a, b in zip(head, SIGNATURE, strict=False))
    first = head[FILE_HEADER.size : FILE_HEADER.size + DESCRIPTOR.size]
    return differences <= 2 and len(first) == DESCRIPTOR.size and is_guarded(first)


def descriptor(kind: str, offset: int, payload_bytes: int) -> bytes:
    """The descriptor of a section of `payload_bytes` at `offset` of its segment file."""
    return _descriptor(kind, offset + DESCRIPTOR.size + payload_bytes, DESCRIPTOR.size + payload_bytes)


def last_descriptor(kind: str, offset: int) -> bytes:
    """A descriptor that points to itself: `next`, `done`, and sectors that are still being written."""
    return _descriptor(kind, offset, 0)


def _descriptor(kind: str, next_offset: int, size_bytes: int) -> bytes:
    written = DESCRIPTOR.write(SectionDescriptor(kind.encode("ascii"), next_offset, size_bytes, b"", 0))
    return guarded(written[:-4])


def section(kind: str, offset: int, payload: bytes) -> bytes:
    """A whole section that begins at `offset`."""
    return descriptor(kind, offset, len(payload)) + payload


def volume(
    *,
    media: MediaType,
    physical: bool,
    size_bytes: int,
    bytes_per_sector: int,
    compression_level: int,
    set_identifier: bytes,
) -> bytes:
    """The payload of a volume or data section for chunks of 32 KiB."""
    made = VolumeSection(
        media_type=media,
        padding1=b"",
        chunk_count=-(-size_bytes // CHUNK_BYTES),
        sectors_per_chunk=CHUNK_BYTES // bytes_per_sector,
        bytes_per_sector=bytes_per_sector,
        sector_count=size_bytes // bytes_per_sector,
        cylinders=0,
        heads=0,
        sectors_per_track=0,
        media_flags=MediaFlag.IMAGE | (MediaFlag.PHYSICAL if physical else 0),
        padding2=b"",
        palm_start_sector=0,
        padding3=b"",
        smart_start_sector=0,
        compression_level=compression_level,
        padding4=b"",
        error_granularity=1,
        padding5=b"",
        set_identifier=set_identifier,
        padding6=b"",
        signature=b"",
        checksum=0,
    )
    return guarded(VOLUME.write(made)[:-4])


def table(base_offset: int, entries: "array[int]") -> bytes:
    """The payload of a table section: header, entries and their checksum."""
    header = TABLE_HEADER.write(TableHeader(len(entries), b"", base_offset, b"", 0))
    return guarded(header[:-4]) + guarded(little_endian(entries))


def table_bytes(entry_count: int) -> int:
    """How long a table section with `entry_count` entries is, with its descriptor."""
    return DESCRIPTOR.size + TABLE_HEADER.size + 4 * entry_count + 4


def little_endian(numbers: "array[int]") -> bytes:
    """The array's bytes as the format wants them, on any machine."""
    if struct.pack("=H", 1) == b"\x01\x00":
        return numbers.tobytes()
    swapped = numbers[:]
    swapped.byteswap()
    return swapped.tobytes()


def from_little_endian(data: bytes | memoryview) -> "array[int]":
    """An array of 32-bit numbers from the format's bytes."""
    numbers = array("I")
    assert numbers.itemsize == 4
    numbers.frombytes(data)
    if struct.pack("=H", 1) != b"\x01\x00":
        numbers.byteswap()
    return numbers


def error2(ranges: Sequence[tuple[int, int]]) -> bytes:
    """The payload of an error2 section: first sector and number of sectors of each unread range."""
    entries = b"".join(_ERROR2_ENTRY.pack(first, count) for first, count in ranges)
    return guarded(_U32.pack(len(ranges)).ljust(ERROR2_HEADER_BYTES - 4, b"\0")) + guarded(entries)


def error2_entries(entries: bytes) -> Iterator[tuple[int, int]]:
    """First sector and number of sectors of each entry."""
    return _ERROR2_ENTRY.iter_unpack(entries[: len(entries) // 8 * 8])


def session(starts: Sequence[tuple[int, int]]) -> bytes:
    """The payload of a session section: flags and first sector of each entry, in ascending order."""
    entries = b"".join(_SESSION_ENTRY.pack(flags, start) for flags, start in starts)
    return guarded(_U32.pack(len(starts)).ljust(SESSION_HEADER_BYTES - 4, b"\0")) + guarded(entries)


def session_entries(entries: bytes) -> Iterator[tuple[int, int]]:
    """Flags and first sector of each entry."""
    return _SESSION_ENTRY.iter_unpack(entries[: len(entries) // 32 * 32])


def digest(md5: bytes, sha1: bytes) -> bytes:
    """The payload of a digest section; zeros stand for a digest that was not computed."""
    return guarded(DIGEST.write(DigestSection(md5, sha1, b"", 0))[:-4])


def hash_(md5: bytes) -> bytes:
    """The payload of a hash section."""
    return guarded(HASH.write(HashSection(md5, b"", 0))[:-4])


def sector_bytes_for(size_bytes: int, preferred: int = 2048) -> int:
    """The sector size with which a container holds exactly `size_bytes`.

    The format counts whole sectors, so this is `preferred` if it divides the size, else 512, else the
    largest smaller power of two that does (1 at last).
    """
    for candidate in (preferred, 512):
        if size_bytes % candidate == 0:
            return candidate
    return size_bytes & -size_bytes

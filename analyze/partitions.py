"""Partition tables on discs: Apple partition map (Inside Macintosh: Devices, 3-25), MBR, GPT (UEFI §5)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from acquire.geometry import SECTOR_BYTES
from acquire.image import Image, read_bytes

_MOST_PARTITIONS = 256
_BLOCK_SIZES = (512, 1024, 2048)
_ENTRY = struct.Struct(">2sHIII32s32s")


class Partition(NamedTuple):
    """A partition as its table has it: place and size in bytes on the disc."""

    scheme: str
    number: int
    name: str
    kind: str
    start_byte: int
    size_bytes: int


def apple_partitions(image: Image, start_lba: int) -> Iterator[Partition]:
    """Yield the partitions of an Apple partition map that begins at `start_lba`.

    A hybrid disc can hold one map in 512-byte and one in 2048-byte blocks: both are read, and a
    partition that both list comes once.
    """
    area = image.read(start_lba, 64)
    seen: set[tuple[int, int]] = set()
    for block_bytes in _BLOCK_SIZES:
        first = _entry(area, block_bytes)
        # Entries of a map in smaller blocks stand at these places too: a map begins with itself.
        if first is None or _text(first[6]) != "Apple_partition_map":
            continue
        for number in range(1, min(first[2], _MOST_PARTITIONS) + 1):
            entry = _entry(area, number * block_bytes)
            if entry is None:
                break
            _signature, _pad, _count, start, blocks, name, kind = entry
            place = (start_lba * SECTOR_BYTES + start * block_bytes, blocks * block_bytes)
            if place in seen:
                continue
            seen.add(place)
            yield Partition("apm", number, _text(name), _text(kind), *place)


_MOST_LOGICAL = 128
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_GPT_HEADER = struct.Struct("<8s4sII4xQQQQ16sQIII")
_GPT_ENTRY = struct.Struct("<16s16sQQQ72s")
_EXTENDED = (0x05, 0x0F, 0x85)
_PROTECTIVE = 0xEE


def disk_partitions(image: Image, start_lba: int) -> Iterator[Partition]:
    """Yield the partitions of an MBR with its logical ones, and of a GPT, that begin at `start_lba`.

    Addresses count 512-byte blocks, as on an isohybrid disc; a GPT is also looked for in 2048-byte
    blocks.
    """
    base = start_lba * SECTOR_BYTES
    head = image.read(start_lba, 4)
    if len(head) < 512 or head[510:512] != b"\x55\xaa":
        return
    for number in range(4):
        _boot, _first, kind, _last, start, blocks = _MBR_ENTRY.unpack_from(head, 446 + 16 * number)
        if kind in (0, _PROTECTIVE) or not blocks:
            continue
        if kind in _EXTENDED:
            yield from _logical(image, base, start)
        else:
            yield Partition("mbr", number + 1, "", f"{kind:02x}", base + start * 512, blocks * 512)
    for block_bytes in (512, 2048):
        yield from _gpt(image, base, block_bytes)


def _logical(image: Image, base: int, extended: int) -> Iterator[Partition]:
    """The chain of extended boot records; a chain that comes back to a block ends there."""
    block, seen = extended, set[int]()
    while block not in seen and len(seen) < _MOST_LOGICAL:
        seen.add(block)
        table = read_bytes(image, base + block * 512, 512)
        if len(table) < 512 or table[510:512] != b"\x55\xaa":
            return
        _boot, _first, kind, _last, start, blocks = _MBR_ENTRY.unpack_from(table, 446)
        if kind and blocks:
            yield Partition(
                "mbr", 4 + len(seen), "", f"{kind:02x}", base + (block + start) * 512, blocks * 512
            )
        _boot, _first, kind, _last, start, blocks = _MBR_ENTRY.unpack_from(table, 462)
        if kind not in _EXTENDED:
            return
        block = extended + start


def _gpt(image: Image, base: int, block_bytes: int) -> Iterator[Partition]:
    header = read_bytes(image, base + block_bytes, 92)
    if len(header) < 92 or header[:8] != b"EFI PART":
        return
    fields = _GPT_HEADER.unpack_from(header)
    entries_at, count, entry_bytes = fields[9], fields[10], fields[11]
    if not 128 <= entry_bytes <= 4096:
        return
    for number in range(min(count, _MOST_PARTITIONS)):
        raw = read_bytes(image, base + entries_at * block_bytes + number * entry_bytes, 128)
        if len(raw) < 128:
            return
        kind, _unique, first, last, _flags, name = _GPT_ENTRY.unpack(raw)
        if kind == bytes(16) or last < first:
            continue
        label = name.decode("utf-16-le", "replace").split("\0", 1)[0]
        yield Partition(
            "gpt",
            number + 1,
            label,
            str(UUID(bytes_le=kind)),
            base + first * block_bytes,
            (last - first + 1) * block_bytes,
        )


def _entry(area: bytes, at: int) -> tuple[bytes, int, int, int, int, bytes, bytes] | None:
    if at + _ENTRY.size > len(area) or area[at : at + 2] != b"PM":
        return None
    entry: tuple[bytes, int, int, int, int, bytes, bytes] = _ENTRY.unpack_from(area, at)
    return entry


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("mac_roman")

"""Partition tables on discs: the Apple partition map (Inside Macintosh: Devices, 3-25)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from acquire.image import Image

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


def _entry(area: bytes, at: int) -> tuple[bytes, int, int, int, int, bytes, bytes] | None:
    if at + _ENTRY.size > len(area) or area[at : at + 2] != b"PM":
        return None
    entry: tuple[bytes, int, int, int, int, bytes, bytes] = _ENTRY.unpack_from(area, at)
    return entry


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("mac_roman")

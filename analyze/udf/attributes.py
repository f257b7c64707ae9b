"""Extended attributes (4/14.10, UDF 3.3.4): what they say of a file, and which ones there are."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from analyze.entry import Stream
from analyze.timestamp import Timestamp
from analyze.udf.allocation import pieces, read_content
from analyze.udf.anomalies import ATTRIBUTES, LIMIT
from analyze.udf.cs0 import decode_identifier, escape_bytes
from analyze.udf.file_layout import (
    ATTRIBUTE_FORMAT,
    ATTRIBUTE_HEADER,
    ATTRIBUTE_USE,
    DEVICE_SPECIFICATION,
    FILE_TIMES,
    LONG_ALLOCATION,
)
from analyze.udf.icb import LENGTH_MASK, Icb, read_icb
from analyze.udf.layout import FileType, TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.tag import check_tag

FILE_TIMES_TYPE, DEVICE_TYPE, IMPLEMENTATION_TYPE, APPLICATION_TYPE = 5, 12, 2048, 65536
_NAMES = {
    1: "character set",
    3: "alternate permissions",
    5: "file times",
    6: "information times",
    12: "device",
}
_CREATION, _DELETION, _EFFECTIVE, _BACKUP = 0, 2, 3, 5
"""Bits of File Time Existence (4/14.10.5.6), each with a time, in this order."""
_FREE_SPACE = ("*UDF FreeEASpace", "*UDF FreeAppEASpace")
_MAC_FINDER, _MAC_RESOURCE = "*UDF Mac FinderInfo", "*UDF Mac ResourceFork"
_OUTSIDE_BYTES = 1 << 20
"""Most that is read of attributes outside the file entry."""
_MOST_LISTED = 256


class Attribute(NamedTuple):
    """One extended attribute: type, identifier (of implementation and application use), its payload.

    `payload` is what follows the generic part, and for types 2048 and 65536 the identifier.
    `position` is where the payload begins, in bytes of the volume; None if it lies in pieces.
    """

    kind: int
    identifier: str
    payload: bytes
    position: int | None


class Recorded(NamedTuple):
    """What the extended attributes of an entry say, in an entry's terms; `found` is all of them."""

    created: Timestamp | None
    effective: Timestamp | None
    backup: Timestamp | None
    device: str | None
    streams: tuple[Stream, ...]
    listed: dict[str, Any]
    found: tuple[Attribute, ...]


NOTHING = Recorded(None, None, None, None, (), {}, ())


def read_attributes(volume: LogicalVolume, icb: Icb, path: str | None) -> Recorded:
    """Read the attributes in a file entry and in the attributes' own ICB (4/14.9.16)."""
    found: list[Attribute] = []
    size = volume.blocks.size
    if icb.descriptors > icb.attributes:
        position = icb.block * size + icb.attributes - icb.start
        space = _Space(icb.data[icb.attributes : icb.descriptors], position, icb.logical, whole=True)
        found += _parse(volume, space, path)
    outside = LONG_ALLOCATION.read(icb.entry.attributes_icb)
    if outside.length & LENGTH_MASK:
        other = read_icb(volume, outside.partition, outside.block, path)
        if other is not None and other.block != icb.block:
            data = read_content(volume, other, _OUTSIDE_BYTES, path)
            if len(data) < other.entry.information_length:
                volume.log.note(LIMIT, "More extended attributes than are read", path=path)
            where = pieces(volume, other, None)
            for piece in where:
                if piece.block is not None:
                    volume.own(piece.block, -(-piece.length_bytes // size))
            if data and where and where[0].block is not None:
                position = where[0].block * size + where[0].offset_bytes
                whole = len(where) == 1
                found += _parse(volume, _Space(data, position, where[0].address.block, whole=whole), path)
    return (
        _understood(volume, found, directory=icb.entry.file_type == FileType.DIRECTORY) if found else NOTHING
    )


class _Space(NamedTuple):
    """The bytes of an extended attributes space, where they begin, and whether they lie in a row."""

    data: bytes
    position: int
    logical: int
    whole: bool


def _parse(volume: LogicalVolume, space: _Space, path: str | None) -> Iterator[Attribute]:
    """Yield the attributes of one space, which begins with its header descriptor (4/14.10.1)."""
    blocks = volume.blocks
    data, position, logical, whole = space

    def note(message: str, seen: str = "") -> None:
        volume.log.note(
            ATTRIBUTES, message, at=(blocks, *divmod(position, blocks.size)), seen=seen, path=path
        )

    checked = check_tag(data, 0, (TagId.ATTRIBUTE_HEADER,), logical)
    if checked is None or not checked.usable or len(data) < ATTRIBUTE_HEADER.size:
        note("The extended attributes do not begin with their header", f"{len(data)} bytes")
        return
    volume.note_problems(*divmod(position, blocks.size), checked, "An attribute header", path)
    at = ATTRIBUTE_HEADER.size
    while at + ATTRIBUTE_FORMAT.size <= len(data):
        kind, _subtype, _reserved, length = ATTRIBUTE_FORMAT.read(data, at)
        if kind == 0 and length == 0:
            break  # the rest of the space is not used
        if length < ATTRIBUTE_FORMAT.size or at + length > len(data):
            note("The length of an extended attribute does not fit", f"type {kind}, {length} bytes")
            return
        body = at + ATTRIBUTE_FORMAT.size
        identifier = ""
        if kind in (IMPLEMENTATION_TYPE, APPLICATION_TYPE):
            if length < ATTRIBUTE_FORMAT.size + ATTRIBUTE_USE.size:
                note("An extended attribute is too short", f"type {kind}, {length} bytes")
                return
            use_length, regid = ATTRIBUTE_USE.read(data, body)
            identifier = decode_identifier(regid)
            body += ATTRIBUTE_USE.size
            end = min(body + use_length, at + length)
        else:
            end = at + length
        yield Attribute(kind, identifier, data[body:end], position + body if whole else None)
        at += length


def _understood(volume: LogicalVolume, found: list[Attribute], *, directory: bool) -> Recorded:
    """What the attributes say in the terms of an entry, and a list of all of them."""
    times: dict[int, Timestamp | None] = {}
    device: str | None = None
    streams: list[Stream] = []
    listed: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []
    for kind, identifier, payload, position in found:
        if kind == FILE_TIMES_TYPE:
            times.update(_file_times(volume, payload))
        elif kind == DEVICE_TYPE and len(payload) >= DEVICE_SPECIFICATION.size:
            _length, major, minor = DEVICE_SPECIFICATION.read(payload)
            device = f"{major}:{minor}"
        elif identifier == _MAC_FINDER and not directory and len(payload) >= 40:
            # UDF 3.3.4.5.4.2 for files: checksum, padding, parent, then FInfo: type, creator.
            listed["finder_type"] = escape_bytes(payload[8:12])
            listed["finder_creator"] = escape_bytes(payload[12:16])
        elif identifier == _MAC_RESOURCE and position is not None and len(payload) > 2:
            # UDF 1.50 3.3.4.5.4.4: a checksum of the attribute's header, then the fork.
            block, offset = divmod(position + 2, volume.blocks.size)
            extent = volume.blocks.extent(block, len(payload) - 2, offset)
            streams.append(Stream("resource", len(payload) - 2, (extent,)))
        if identifier not in _FREE_SPACE and len(rows) < _MOST_LISTED:
            name = identifier or _NAMES.get(kind, "")
            rows.append({"type": kind, "name": name, "size_bytes": len(payload)})
    if rows:
        listed["extended_attributes"] = rows
    deletion = times.get(_DELETION)
    if deletion is not None:
        listed["deletion_time"] = deletion.iso()
    return Recorded(
        times.get(_CREATION),
        times.get(_EFFECTIVE),
        times.get(_BACKUP),
        device,
        tuple(streams),
        listed,
        tuple(found),
    )


def _file_times(volume: LogicalVolume, payload: bytes) -> dict[int, Timestamp | None]:
    """The times of a File Times attribute by the bit that announces each (4/14.10.5.6)."""
    times: dict[int, Timestamp | None] = {}
    if len(payload) < FILE_TIMES.size:
        return times
    existence = FILE_TIMES.read(payload).existence
    at = FILE_TIMES.size
    for bit in range(32):
        if existence >> bit & 1 and at + 12 <= len(payload):
            times[bit] = volume.times.valid(payload[at : at + 12])
            at += 12
    return times

"""One directory record, read in full: fields, both copies, name, system use, extended attributes.

The way for every record that is not ordinary. The ordinary ones, which are nearly all, are read by
the short way in directory.py; both give the same entry (a test compares them).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from acquire.geometry import SECTOR_BYTES, SectorRange
from acquire.layout import Disagreement
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660 import names, rockridge, susp
from analyze.iso9660.blocks import Blocks, Section
from analyze.iso9660.dates import record_time, volume_time
from analyze.iso9660.layout import (
    DIRECTORY,
    DIRECTORY_RECORD,
    EXTENDED_ATTRIBUTE_RECORD,
    DirectoryRecord,
)
from analyze.iso9660.names import Name
from analyze.iso9660.rockridge import RockRidge
from analyze.iso9660.susp import Continuations
from analyze.timestamp import Timestamp

MINIMUM_BYTES = DIRECTORY_RECORD.size + 1
"""A record has an identifier of at least one byte (9.1.10)."""
SELF = b"\x00"
PARENT = b"\x01"
"""7.6.2, the reserved identifiers of a directory itself and of its parent."""


class View(NamedTuple):
    """What reading one tree needs to know: whose it is, where it is, how its names are recorded."""

    volume: int
    blocks: Blocks
    naming: str  # "plain", "joliet", "enhanced"
    susp: susp.Mark | None
    sequence_number: int
    continuations: Continuations


@dataclass(slots=True)
class Record:
    """A directory record understood; `notes` are its anomalies, not yet tied to a path."""

    lba: int
    offset: int
    flags: int
    sections: list[Section]
    raw_identifier: bytes
    name: Name
    recorded: Timestamp | None
    rock_ridge: RockRidge
    attributes: dict[str, Any] = field(default_factory=dict)
    times: dict[str, Timestamp] = field(default_factory=dict)
    notes: list[Anomaly] = field(default_factory=list)
    structures: list[SectorRange] = field(default_factory=list)
    stray: bool = False  # found by its form, where no record belongs

    @property
    def size_bytes(self) -> int:
        """The data of all sections together."""
        return sum(section.length_bytes for section in self.sections)


def read(view: View, data: bytes, at: int, lba: int, offset: int) -> Record:
    """Read the record at `data[at]`, which stands at `lba`+`offset`; its lengths have been checked."""
    fields = DIRECTORY_RECORD.read(data, at)
    notes: list[Anomaly] = []
    differing = list(DIRECTORY_RECORD.disagreements(data, at))
    section = _section(view, fields, differing)
    notes.extend(_differences(differing, section, lba, offset))
    end = at + fields.length
    start = at + DIRECTORY_RECORD.size
    identifier = bytes(data[start : start + fields.identifier_length])
    pad = 1 - fields.identifier_length % 2  # 9.1.12
    use_start = start + fields.identifier_length + pad
    recorded, problem = record_time(fields.recorded)
    if problem:
        notes.append(
            kind.DATE.at(
                f"Recording date: {problem}", lba=lba, offset=offset + 18, seen=fields.recorded.hex()
            )
        )
    found, attributes = _system_use(
        view, bytes(data[use_start:end]), lba, offset + use_start - at, notes, is_self=identifier == SELF
    )
    name = _name(view, identifier, found, is_file=not fields.flags & DIRECTORY)
    if fields.sequence_number != 1:
        attributes["volume_sequence_number"] = fields.sequence_number
    record = Record(
        lba,
        offset,
        fields.flags,
        [section],
        identifier,
        name,
        recorded,
        found,
        attributes,
        found.times,
        notes,
    )
    if fields.xattr_length:
        _extended_attributes(view, section, record)
    return record


def _name(view: View, identifier: bytes, found: RockRidge, *, is_file: bool) -> Name:
    if found.name:
        return names.rock_ridge(found.name, identifier)
    if view.naming == "joliet":
        return names.joliet(identifier, is_file=is_file)
    if view.naming == "enhanced":
        return names.enhanced(identifier)
    return names.plain(identifier, is_file=is_file)


def _system_use(
    view: View, area: bytes, lba: int, offset: int, notes: list[Anomaly], *, is_self: bool
) -> tuple[RockRidge, dict[str, Any]]:
    attributes: dict[str, Any] = {}
    xa = rockridge.xa(area)
    if xa is not None:
        attributes["xa"] = xa
    if view.susp is None:
        found = RockRidge()
        rest = area[susp.XA_BYTES :] if xa else area
        if rest[:2] in (b"AA", b"BA") and len(rest) >= rest[2] >= susp.HEADER_BYTES:
            attributes["apple"] = rockridge.apple(rest[3], rest[4 : rest[2]])
        return found, attributes
    skip = view.susp.skip_bytes
    if is_self and susp.find_mark(area)[0] is not None:
        skip = view.susp.start_bytes
    entries = susp.entries(area[skip:], lba, offset + skip, view.continuations, notes)
    found = rockridge.interpret(entries, notes)
    attributes.update(found.attributes)
    return found, attributes


def _section(view: View, fields: DirectoryRecord, differing: list[Disagreement]) -> Section:
    """The record's section; where the copies of a number differ, the ones that lead somewhere."""
    extents = [fields.extent]
    lengths = [fields.data_length]
    for one in differing:
        if one.field == "extent":
            extents.append(one.big)
        elif one.field == "data_length":
            lengths.append(one.big)
    extent, length = extents[0], lengths[0]
    if len(extents) + len(lengths) > 2:
        choices = ((e, n) for n in lengths for e in extents)
        if fields.flags & DIRECTORY:
            extent, length = _leading_to_itself(view.blocks, choices) or (extent, length)
        else:
            fitting = (choice for choice in choices if view.blocks.reaches(*choice))
            extent, length = next(fitting, (extent, length))
    return Section(extent, length, fields.xattr_length, fields.unit_size, fields.gap_size)


def _differences(differing: list[Disagreement], section: Section, lba: int, offset: int) -> Iterator[Anomaly]:
    used = {"extent": section.block, "data_length": section.length_bytes}
    for one in differing:
        yield kind.BOTH_ENDIAN.at(
            f"The copies of {one.field.replace('_', ' ')} differ: {one.little} least significant byte first,"
            f" {one.big} most significant byte first; {used.get(one.field, one.little)} is used",
            lba=lba,
            offset=offset + one.offset,
            seen=f"{one.little} and {one.big}",
            expected="equal",
        )


def _leading_to_itself(blocks: Blocks, choices: Iterator[tuple[int, int]]) -> tuple[int, int] | None:
    """The first place and length that the directory's own first record confirms."""
    for extent, length in choices:
        if own_record(blocks, extent) == (extent, length):
            return extent, length
    return None


def own_record(blocks: Blocks, block: int) -> tuple[int, int] | None:
    """Extent and length that a directory's first record states, None if no directory begins at `block`."""
    data = blocks.read(block, MINIMUM_BYTES)
    if len(data) < MINIMUM_BYTES or data[0] < MINIMUM_BYTES:
        return None
    fields = DIRECTORY_RECORD.read(data)
    if fields.identifier_length != 1 or data[DIRECTORY_RECORD.size :] != SELF or not fields.flags & DIRECTORY:
        return None
    return fields.extent, fields.data_length


def _extended_attributes(view: View, section: Section, record: Record) -> None:
    """9.5: what the record in front of the data says (owner, permissions, four times)."""
    lba, offset = view.blocks.at(section.block)
    data = view.blocks.read(section.block, EXTENDED_ATTRIBUTE_RECORD.size)
    if len(data) < EXTENDED_ATTRIBUTE_RECORD.size:
        record.notes.append(
            kind.XATTR.at("An extended attribute record is past the end of the image", lba=lba, offset=offset)
        )
        return
    record.structures.append(
        view.blocks.sectors(section.block, section.xattr_blocks * view.blocks.block_bytes)
    )
    fields = EXTENDED_ATTRIBUTE_RECORD.read(data)
    if fields.version != 1:
        record.notes.append(
            kind.XATTR.at(
                "An extended attribute record has a version that no clause defines: it is not read",
                lba=lba,
                offset=offset + 180,
                seen=fields.version,
                expected=1,
            )
        )
        return
    for one in EXTENDED_ATTRIBUTE_RECORD.disagreements(data):
        record.notes.append(
            kind.BOTH_ENDIAN.at(
                f"Extended attribute record, {one.field}: the two copies differ; the first is used",
                lba=lba,
                offset=offset + one.offset,
                seen=f"{one.little} and {one.big}",
                expected="equal",
            )
        )
    for position, name in ((10, "created"), (27, "modified"), (44, "expires"), (61, "effective")):
        time, problem = volume_time(data[position : position + 17])
        if time is not None:
            record.times.setdefault(name, time)
        if problem:
            record.notes.append(
                kind.DATE.at(
                    f"Extended attribute record, {name}: {problem}", lba=lba, offset=offset + position
                )
            )
    record.attributes["xattr"] = {
        "owner": fields.owner,
        "group": fields.group,
        "permissions": int.from_bytes(fields.permissions, "big"),
        "record_format": fields.record_format,
        "record_attributes": fields.record_attributes,
        "record_length": fields.record_length,
        "system_id": names.field(fields.system_id, ucs2=False),
        "blocks": section.xattr_blocks,
    }


def position(lba: int, offset: int) -> tuple[int, int]:
    """An offset that runs on past its sector, as LBA and offset in that sector."""
    return lba + offset // SECTOR_BYTES, offset % SECTOR_BYTES

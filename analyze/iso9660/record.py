"""One directory record, read in full: fields, both copies, name, system use, extended attributes.

The way for every record that is not ordinary. The ordinary ones, which are nearly all, are read by
the short way in directory.py; both give the same entry (a test compares them).
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from acquire.geometry import SECTOR_BYTES, SectorRange
from acquire.layout import Disagreement
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660 import names, rockridge, susp
from analyze.iso9660.blocks import Allowance, Blocks, Section
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
    allowance: Allowance


class Record:
    """A directory record understood; `notes` are its anomalies, not yet tied to a path."""

    def __init__(
        self, lba: int, offset: int, fields: DirectoryRecord, section: Section, identifier: bytes
    ) -> None:
        """What stands at `lba`+`offset`; the rest is filled in by `read`."""
        self.lba = lba
        self.offset = offset
        self.flags = fields.flags
        self.sections = [section]
        self.raw_identifier = identifier
        self.name = Name("", "")
        self.recorded: Timestamp | None = None
        self.rock_ridge = RockRidge()
        self.times: dict[str, Timestamp] = {}
        self.attributes: dict[str, Any] = {}
        self.notes: list[Anomaly] = []
        self.structures: list[SectorRange] = []
        self.stray = False  # found by its form, where no record belongs

    @property
    def size_bytes(self) -> int:
        """The data of all sections together."""
        return sum(section.length_bytes for section in self.sections)


def read(view: View, data: bytes, at: int, lba: int, offset: int) -> Record:
    """Read the record at `data[at]`, which stands at `lba`+`offset`; its lengths have been checked."""
    fields = DIRECTORY_RECORD.read(data, at)
    differing = list(DIRECTORY_RECORD.disagreements(data, at))
    start = at + DIRECTORY_RECORD.size
    identifier = data[start : start + fields.identifier_length]
    record = Record(lba, offset, fields, _section(view, fields, differing), identifier)
    record.notes.extend(_differences(differing, record.sections[0], lba, offset))
    record.recorded, problem = record_time(fields.recorded)
    if problem:
        record.notes.append(
            kind.DATE.at(
                f"Recording date: {problem}", lba=lba, offset=offset + 18, seen=fields.recorded.hex()
            )
        )
    pad = 1 - fields.identifier_length % 2  # 9.1.12
    use_start = start + fields.identifier_length + pad
    _system_use(view, data[use_start : at + fields.length], offset + use_start - at, record)
    record.name = _name(view, record)
    if fields.sequence_number != 1:
        record.attributes["volume_sequence_number"] = fields.sequence_number
    if fields.xattr_length:
        _extended_attributes(view, record.sections[0], record)
    return record


def _name(view: View, record: Record) -> Name:
    identifier, is_file = record.raw_identifier, not record.flags & DIRECTORY
    if record.rock_ridge.name:
        return names.rock_ridge(record.rock_ridge.name, identifier)
    if view.naming == "joliet":
        return names.joliet(identifier, is_file=is_file)
    if view.naming == "enhanced":
        return names.enhanced(identifier)
    return names.plain(identifier, is_file=is_file)


def _system_use(view: View, area: bytes, offset: int, record: Record) -> None:
    """The system use area (9.1.13), which begins at `offset`: CD-ROM XA, Apple's extension, or SUSP."""
    xa = rockridge.xa(area)
    if xa is not None:
        record.attributes["xa"] = xa
    if view.susp is None:
        rest = area[susp.XA_BYTES :] if xa else area
        if rest[:2] in (b"AA", b"BA") and len(rest) >= rest[2] >= susp.HEADER_BYTES:
            record.attributes["apple"] = rockridge.apple(rest[3], rest[4 : rest[2]])
        return
    skip = view.susp.skip_bytes
    if record.raw_identifier == SELF and susp.find_mark(area)[0] is not None:
        skip = view.susp.start_bytes
    entries = susp.entries(area[skip:], record.lba, offset + skip, view.continuations, record.notes)
    record.rock_ridge = rockridge.interpret(entries, record.notes)
    record.times = record.rock_ridge.times
    record.attributes.update(record.rock_ridge.attributes)


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

"""From a record that was read in full to its entry: kind, extents, and what contradicts itself."""

import stat

from acquire.geometry import SECTOR_BYTES, Extent
from analyze.entry import Entry, EntryKind, Stream
from analyze.iso9660 import anomalies
from analyze.iso9660.blocks import Section
from analyze.iso9660.layout import ASSOCIATED, DIRECTORY, HIDDEN, MULTI_EXTENT, RESERVED_FLAGS
from analyze.iso9660.record import Record, View, own_record

_KINDS = {
    0: EntryKind.FILE,
    stat.S_IFREG: EntryKind.FILE,
    stat.S_IFDIR: EntryKind.FILE,  # PX says so, the file flags do not: reported, and its data stays a file's
    stat.S_IFLNK: EntryKind.SYMLINK,
    stat.S_IFCHR: EntryKind.DEVICE,
    stat.S_IFBLK: EntryKind.DEVICE,
}


def entry_of(
    view: View,
    record: Record,
    *,
    ordinal: int,
    parent: int | None,
    path: str,
    name: str,
    kind: EntryKind,
    streams: tuple[Stream, ...],
) -> Entry:
    """The entry of a record, at its place in the tree."""
    found, times = record.rock_ridge, record.times
    if kind is EntryKind.DIRECTORY:
        first = view.blocks.first_data_block(record.sections[0])
        record.attributes["lba"] = view.blocks.at(first)[0]
    if record.flags & ASSOCIATED:
        record.attributes["associated"] = True
    return Entry(
        volume=view.volume,
        ordinal=ordinal,
        parent=parent,
        path=path,
        name=name,
        kind=kind,
        size_bytes=record.size_bytes,
        streams=streams,
        modified=times.get("modified") or record.recorded,
        created=times.get("created"),
        accessed=times.get("accessed"),
        changed=times.get("changed"),
        recorded=record.recorded,
        backup=times.get("backup"),
        expires=times.get("expires"),
        effective=times.get("effective"),
        mode=found.mode,
        uid=found.uid,
        gid=found.gid,
        links=found.links,
        inode=found.inode,
        device=found.device,
        link_target=found.link_target,
        hidden=record.flags & HIDDEN == HIDDEN,
        flags=record.flags,
        identifier=record.name.identifier,
        name_raw=record.name.raw,
        record_lba=record.lba,
        record_offset=record.offset,
        attributes=record.attributes or None,
    )


def kind_of(record: Record) -> EntryKind:
    """What a record without the directory flag is: Rock Ridge's mode says (RRIP 4.1.1)."""
    mode = record.rock_ridge.mode
    if mode is None:
        return EntryKind.FILE if record.rock_ridge.link_target is None else EntryKind.SYMLINK
    return _KINDS.get(stat.S_IFMT(mode), EntryKind.OTHER)


def check_flags(view: View, record: Record) -> None:
    """Note what the record says of itself that cannot be (9.1.6, 9.1.9; RRIP 4.1.1)."""
    flags, mode = record.flags, record.rock_ridge.mode
    if flags & RESERVED_FLAGS or (flags & DIRECTORY and flags & (ASSOCIATED | MULTI_EXTENT)):
        record.notes.append(
            anomalies.FILE_FLAGS.at(
                "The file flags contradict each other or use reserved bits",
                lba=record.lba,
                offset=record.offset + 25,
                seen=f"{flags:#04x}",
            )
        )
    if mode is not None and record.rock_ridge.child is None and stat.S_ISDIR(mode) != bool(flags & DIRECTORY):
        record.notes.append(
            anomalies.ROCK_RIDGE.at(
                "PX and the file flags disagree on whether this is a directory; the flags are followed",
                lba=record.lba,
                offset=record.offset,
                seen=f"mode {mode:o}, flags {flags:#04x}",
            )
        )
    number = record.attributes.get("volume_sequence_number", 1)
    if number not in (0, 1, view.sequence_number):
        record.notes.append(
            anomalies.SEQUENCE.at(
                "The extent is said to be on another volume of the set; it is read from this one",
                lba=record.lba,
                offset=record.offset + 28,
                seen=number,
                expected=view.sequence_number,
            )
        )


def extents_of(view: View, record: Record) -> tuple[Extent, ...]:
    """All pieces of all sections, in order; those that cannot be are noted."""
    blocks = view.blocks
    extents: list[Extent] = []
    for section in record.sections:
        pieces, problem = blocks.extents(section, view.allowance)
        extents += pieces
        unit, gap = section.unit_blocks, section.gap_blocks
        if unit or gap:
            record.attributes["interleave"] = {"unit_blocks": unit, "gap_blocks": gap}
        if problem:
            record.notes.append(
                anomalies.INTERLEAVE.at(
                    f"Interleaved file: {problem}",
                    lba=record.lba,
                    offset=record.offset + 26,
                    seen=f"unit {unit}, gap {gap}, {section.length_bytes} bytes",
                )
            )
        last = pieces[-1] if pieces else None
        if last and _end(last) > blocks.image_bytes:
            record.notes.append(
                anomalies.EXTENT_OUTSIDE.at(
                    "An extent reaches past the end of the image",
                    lba=record.lba,
                    offset=record.offset + 2,
                    seen=f"LBA {pieces[0].start_lba}, {section.length_bytes} bytes",
                    expected=f"up to {blocks.image_bytes} bytes",
                )
            )
    return tuple(extents)


def _end(extent: Extent) -> int:
    return extent.start_lba * SECTOR_BYTES + extent.offset_bytes + extent.length_bytes


def follow_child(view: View, record: Record) -> None:
    """RRIP 4.1.5.1: CL leads to the directory that this record stands for."""
    child = record.rock_ridge.child
    assert child is not None
    own = own_record(view.blocks, child)
    if own is None or own[0] != child:
        record.notes.append(
            anomalies.RELOCATION.at(
                "CL does not lead to a directory", lba=record.lba, offset=record.offset, seen=child
            )
        )
    record.attributes["relocated"] = True
    record.sections = [Section(child, own[1] if own else 0)]

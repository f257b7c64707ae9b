"""Entries: from a file identifier and its file entry to what the rest of the program knows."""

from typing import Any, NamedTuple

from analyze.entry import Entry, EntryKind, Stream
from analyze.timestamp import Timestamp
from analyze.udf.allocation import extents, read_content
from analyze.udf.anomalies import ICB_LENGTHS, ICB_TYPE, NAME, SYMLINK, TIME
from analyze.udf.attributes import NOTHING, read_attributes
from analyze.udf.cs0 import DELETED_EIGHT, EIGHT, decode_name
from analyze.udf.directory import DELETED, DIRECTORY, HIDDEN, Identifier, begins_with_parent
from analyze.udf.file_layout import LONG_ALLOCATION, ExtendedFileEntry
from analyze.udf.icb import Icb
from analyze.udf.layout import FileType
from analyze.udf.logical import LogicalVolume
from analyze.udf.streams import MOST_SIZE_BYTES, read_streams
from analyze.udf.symlink import MOST_BYTES, decode_target
from analyze.udf.timestamps import INVALID

_KINDS = {
    FileType.UNSPECIFIED: (EntryKind.FILE, 0o100000),
    FileType.DIRECTORY: (EntryKind.DIRECTORY, 0o040000),
    FileType.FILE: (EntryKind.FILE, 0o100000),
    FileType.BLOCK_DEVICE: (EntryKind.DEVICE, 0o060000),
    FileType.CHARACTER_DEVICE: (EntryKind.DEVICE, 0o020000),
    FileType.FIFO: (EntryKind.OTHER, 0o010000),
    FileType.SOCKET: (EntryKind.OTHER, 0o140000),
    FileType.SYMLINK: (EntryKind.SYMLINK, 0o120000),
    FileType.REAL_TIME: (EntryKind.FILE, 0o100000),
}
_UNDEFINED = (EntryKind.OTHER, 0)
_NOBODY = 0xFFFFFFFF
"""UDF 2.3.6.1, 2.3.6.2: no owner or group is specified."""
_NO_ICB = bytes(16)


class Named(NamedTuple):
    """Where an entry is and what it is called: `raw` is None where `name` says all that is recorded."""

    parent: int | None
    path: str
    name: str
    raw: bytes | None


def posix_mode(file_type: int, permissions: int, flags: int) -> int:
    """The st_mode of a file type, permissions (4/14.9.5) and the ICB's set-ID and sticky bits (4/14.6.8)."""
    return (
        _KINDS.get(file_type, _UNDEFINED)[1]
        | (permissions & 7)
        | (permissions >> 2 & 0o70)
        | (permissions >> 4 & 0o700)
        | (flags & 0x40) << 5
        | (flags & 0x80) << 3
        | (flags & 0x100) << 1
    )


class EntryMaker:
    """Makes the entries of one volume, numbered in the order in which they are made."""

    def __init__(self, volume: LogicalVolume, ordinal: int) -> None:
        """Make entries of `volume`, whose ordinal in the analysis is `ordinal`."""
        self.volume = volume
        self.ordinal = ordinal
        self.made = 0

    def name(self, found: Identifier, parent: int | None, parent_path: str, *, deleted: bool) -> Named:
        """The name of an identifier, as text, and its path."""
        raw = found.name
        if raw and raw[0] == EIGHT:
            text = raw[1:].decode("latin-1")
            if text and "/" not in text and "\0" not in text:
                return Named(parent, f"{parent_path}/{text}", text, None)
        name = decode_name(raw)
        text = name.text or "\\x00"
        named = Named(parent, f"{parent_path}/{text}", text, None if name.exact else raw)
        problem = name.problem
        if raw and raw[0] >= DELETED_EIGHT and not (deleted or found.characteristics & DELETED):
            problem = problem or f"compression identifier {raw[0]}, of a deleted name"
        if problem:
            blocks = self.volume.blocks
            self.volume.log.note(
                NAME,
                f"A name is not as it should be: {problem}",
                at=(blocks, *divmod(found.position, blocks.size)),
                seen=raw.hex(),
                path=named.path,
            )
        return named

    def bare(self, found: Identifier, named: Named, state: str, *, deleted: bool) -> Entry:
        """An entry of which there is no file entry to be used; `state` says what became of it.

        Type (but for directories), size and content are not known: there is no stream.
        """
        lba, offset = self.volume.blocks.place(0, found.position)
        self.made += 1
        return Entry(
            volume=self.ordinal,
            ordinal=self.made - 1,
            parent=named.parent,
            path=named.path,
            name=named.name,
            kind=EntryKind.DIRECTORY if found.characteristics & DIRECTORY else EntryKind.OTHER,
            size_bytes=0,
            deleted=deleted,
            hidden=bool(found.characteristics & HIDDEN),
            flags=found.characteristics,
            name_raw=named.raw,
            record_lba=lba,
            record_offset=offset,
            attributes={"file_entry": state},
        )

    def full(self, found: Identifier, named: Named, icb: Icb, *, deleted: bool) -> Entry:
        """An entry with its file entry: attributes, times, streams."""
        entry, path = icb.entry, named.path
        kind, mode = _KINDS.get(entry.file_type, _UNDEFINED)
        if (kind is EntryKind.DIRECTORY) != bool(found.characteristics & DIRECTORY) or not mode:
            self._note_type(icb, found, path)
            if found.characteristics & DIRECTORY and begins_with_parent(self.volume, icb) is not None:
                kind = EntryKind.DIRECTORY  # the file type is what is damaged
        size = entry.information_length
        if size > MOST_SIZE_BYTES:
            size = self._cut_size(icb, path)
        streams: tuple[Stream, ...] = ()
        if kind is EntryKind.FILE or kind is EntryKind.OTHER:
            streams = (Stream("", size, extents(self.volume, icb, path)),)
        attributes: dict[str, Any] = {"unique_id": entry.unique_id}
        created, more = None, NOTHING
        if icb.descriptors > icb.attributes or entry.attributes_icb != _NO_ICB:
            more = read_attributes(self.volume, icb, path)
            streams += more.streams
            attributes |= more.listed
            created = more.created
        if isinstance(entry, ExtendedFileEntry):
            created = self._time(entry.creation_time, icb, path)
            if entry.streams_icb != _NO_ICB:
                streams = self._with_streams(streams, entry, attributes, path)
        if found.version != 1:
            attributes["version"] = found.version
        if icb.versions:
            attributes["earlier_versions"] = icb.versions
        flags = entry.flags
        lba, offset = self.volume.blocks.place(0, found.position)
        self.made += 1
        return Entry(
            volume=self.ordinal,
            ordinal=self.made - 1,
            parent=named.parent,
            path=path,
            name=named.name,
            kind=kind,
            size_bytes=size,
            streams=streams,
            deleted=deleted,
            modified=self._time(entry.modification_time, icb, path),
            created=created,
            accessed=self._time(entry.access_time, icb, path),
            changed=self._time(entry.attribute_time, icb, path),
            backup=more.backup,
            effective=more.effective,
            mode=posix_mode(entry.file_type, entry.permissions, flags),
            uid=None if entry.uid == _NOBODY else entry.uid,
            gid=None if entry.gid == _NOBODY else entry.gid,
            links=entry.link_count,
            inode=icb.block,
            device=more.device,
            link_target=self._target(icb, path) if kind is EntryKind.SYMLINK else None,
            hidden=bool(found.characteristics & HIDDEN),
            flags=found.characteristics | flags << 8,
            name_raw=named.raw,
            record_lba=lba,
            record_offset=offset,
            attributes=attributes,
        )

    def _with_streams(
        self,
        streams: tuple[Stream, ...],
        entry: ExtendedFileEntry,
        attributes: dict[str, Any],
        path: str,
    ) -> tuple[Stream, ...]:
        """The streams with the named ones after them; a name is given once."""
        named = read_streams(self.volume, LONG_ALLOCATION.read(entry.streams_icb), path)
        if named.deleted:
            attributes["deleted_streams"] = list(named.deleted)
        taken = {stream.name for stream in streams}
        return streams + tuple(
            stream._replace(name=f"{stream.name}~2") if stream.name in taken else stream
            for stream in named.streams
        )

    def _time(self, raw: bytes, icb: Icb, path: str) -> Timestamp | None:
        stamp = self.volume.times.read(raw)
        if stamp is not INVALID:
            return stamp
        offset = icb.data.find(raw, icb.start, icb.attributes) - icb.start
        at = (self.volume.blocks, icb.block, offset)
        self.volume.log.note(TIME, "A time stamp is not a date and time", at=at, seen=raw.hex(), path=path)
        return None

    def _note_type(self, icb: Icb, found: Identifier, path: str) -> None:
        directory = bool(found.characteristics & DIRECTORY)
        self.volume.log.note(
            ICB_TYPE,
            "The file type is not defined, or not what the directory says",
            at=(self.volume.blocks, icb.block, 27),
            seen=f"file type {icb.entry.file_type}",
            expected=f"{FileType.DIRECTORY}, a directory" if directory else "a file of any defined type",
            path=path,
        )

    def _cut_size(self, icb: Icb, path: str) -> int:
        self.volume.log.note(
            ICB_LENGTHS,
            "A size is larger than any disc",
            at=(self.volume.blocks, icb.block, 56),
            seen=str(icb.entry.information_length),
            path=path,
        )
        return MOST_SIZE_BYTES

    def _target(self, icb: Icb, path: str) -> str:
        """Where a symbolic link leads, in the usual notation."""
        target, problem = decode_target(read_content(self.volume, icb, MOST_BYTES, path))
        if icb.entry.information_length > MOST_BYTES:
            problem = f"{icb.entry.information_length} bytes, of which {MOST_BYTES} were read"
        if problem:
            self.volume.log.note(
                SYMLINK,
                f"A symbolic link is not a sequence of path components: {problem}",
                at=(self.volume.blocks, icb.block, 0),
                path=path,
            )
        return target

"""The records of one directory, as entries.

ECMA-119 6.8.1.1: a record never crosses the end of a logical sector; behind the last one of a sector
the bytes are zero, and reading goes on at the next sector. Here lies the bug that most readers had.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from acquire.geometry import SECTOR_BYTES, SectorRange
from analyze.anomaly import Anomaly, AnomalyKind
from analyze.entry import Entry, EntryKind, Stream
from analyze.iso9660 import anomalies as kind
from analyze.iso9660.blocks import Section
from analyze.iso9660.dates import record_time
from analyze.iso9660.entries import check_flags, entry_of, extents_of, follow_child, kind_of
from analyze.iso9660.ghosts import plausible_records
from analyze.iso9660.layout import (
    ASSOCIATED,
    DIRECTORY,
    DIRECTORY_RECORD,
    MULTI_EXTENT,
)
from analyze.iso9660.ordinary import ShortWay
from analyze.iso9660.record import MINIMUM_BYTES, PARENT, SELF, Record, View, position, read

MAXIMUM_SAME_ANOMALIES = 10_000
"""Of one code in one volume more anomalies than this are counted, not listed."""


MAXIMUM_NAMES = 1_000_000
"""Names that occur twice are looked for among so many of one directory at a time."""
MAXIMUM_SEARCHES = 4096
"""Sectors of one volume that are searched for records where none belong."""


class Directory(NamedTuple):
    """A directory to be read. `path` and `ordinal` of the root are "" and None."""

    path: str
    ordinal: int | None
    section: Section
    parent_block: int | None
    identifier: bytes | None = None  # as its record in the tree has it; None for the root and relocated ones
    relocated: bool = False

    @property
    def shown(self) -> str:
        """The path for people: "/" for the root."""
        return self.path or "/"


class Scanner:
    """Turns the bytes of directories into entries and anomalies, in `out`, for one view."""

    def __init__(self, view: View, descend: Callable[[Directory, Record | None], None]) -> None:
        """`descend` is told of every directory that an entry leads to; the record if it was read in full."""
        self.view = view
        self.out: list[Entry | Anomaly] = []
        self.ordinal = 0
        self.relocated: list[tuple[Record, Directory]] = []
        self.structures: list[SectorRange] = []
        self.short_way = ShortWay(view)
        self._descend = descend
        self._counts: dict[str, int] = {}
        self._names: dict[str, int] = {}
        self._held: Record | None = None
        self._associated: dict[bytes, Record] = {}
        self._dots = 0
        self._own_parents = 0
        self._unnumbered = 0
        self._searches = 0

    def say(self, what: AnomalyKind, message: str, path: str | None, **where: Any) -> None:  # noqa: ANN401  handed on to AnomalyKind.at
        """Report an anomaly of this volume."""
        self.add(what.at(message, **where), path)

    def add(self, note: Anomaly, path: str | None) -> None:
        """Report an anomaly that a part found, now that its path is known."""
        count = self._counts[note.code] = self._counts.get(note.code, 0) + 1
        if count <= MAXIMUM_SAME_ANOMALIES:
            self.out.append(note._replace(volume=self.view.volume, path=note.path or path))

    def omitted(self) -> None:
        """Say how many anomalies were counted only."""
        if self._own_parents > 1:
            self.say(
                kind.DOT,
                f"In {self._own_parents} directories the record for the parent leads to the directory itself",
                None,
                seen=self._own_parents,
            )
        if self._unnumbered:
            self.say(
                kind.SEQUENCE,
                f"In {self._unnumbered} records the volume sequence number is 0; volumes count from 1",
                None,
                seen=0,
            )
        for code, count in list(self._counts.items()):
            more = count - MAXIMUM_SAME_ANOMALIES
            if more > 0:
                self.say(kind.LIMIT, f"{more} further anomalies {code} are not listed", None, seen=count)

    def begin(self) -> None:
        """A directory begins."""
        self._names = {}
        self._held = None
        self._associated = {}
        self._dots = 0

    def scan(self, data: bytes, start: int, lba: int, directory: Directory) -> None:
        """Scan the records of `data[start:]`, sectors of which the first is `lba`, into `out`."""
        at = start
        if len(self._names) > MAXIMUM_NAMES:
            self._names.clear()
        while at < len(data):
            if self.short_way.possible and self._held is None and not self._associated:
                at, self.ordinal = self.short_way.run(
                    data,
                    at,
                    lba,
                    (directory.path, directory.ordinal, self.ordinal),
                    self._names,
                    lambda entry, where: self._subdirectory(data, where, entry, directory),
                    self.out.append,
                )
                if at >= len(data):
                    break
            if not data[at]:
                at = self._after_last(data, at, lba, directory)
            elif self._dots != 3 and self._plain_dot(data, at, directory):
                at += data[at]
            else:
                at = self._record(data, at, lba, directory)

    def end(self, directory: Directory) -> None:
        """The directory is read: list what waited for a further record, miss what should be there."""
        self._finish_held(directory)
        waiting, self._associated = self._associated, {}
        for record in waiting.values():
            record.notes.append(
                kind.ASSOCIATED.at(
                    "An associated file without a file of the same identifier after it",
                    lba=record.lba,
                    offset=record.offset,
                    seen=record.name.identifier,
                )
            )
            self.emit(record, directory)
        if self._dots != 3:
            missing = " and ".join(
                name for bit, name in ((1, "itself"), (2, "its parent")) if not self._dots & bit
            )
            lba, offset = self.view.blocks.at(self.view.blocks.first_data_block(directory.section))
            self.say(
                kind.DOT,
                f"The directory has no record for {missing}",
                directory.shown,
                lba=lba,
                offset=offset,
            )

    def _plain_dot(self, data: bytes, at: int, directory: Directory) -> bool:
        """Whether this is the first or second record of a directory (6.8.2.2), exactly as it should be."""
        second = self._dots == 1
        expected = directory.parent_block if second else directory.section.block
        end = at + data[at]
        if expected is None or directory.relocated or self._dots == 2:
            return False
        if data[at] < MINIMUM_BYTES or end > len(data):
            return False
        if data[at + 32 : at + 34] != (b"\1\1" if second else b"\1\0") or data[at + 25] != DIRECTORY:
            return False
        if data[at + 2 : at + 10] != expected.to_bytes(4, "little") + expected.to_bytes(4, "big"):
            return False
        size = directory.section.length_bytes
        if not second and data[at + 10 : at + 18] != size.to_bytes(4, "little") + size.to_bytes(4, "big"):
            return False
        if data[at + 1] or b"CE" in data[at + 34 : end] or record_time(data[at + 18 : at + 25])[1]:
            return False
        self._dots |= 2 if second else 1
        return True

    def _subdirectory(self, data: bytes, at: int, entry: Entry, directory: Directory) -> None:
        """Hand on the directory of an entry that was read the short way."""
        fields = DIRECTORY_RECORD.read(data, at)
        start = at + DIRECTORY_RECORD.size
        identifier = data[start : start + fields.identifier_length]
        section = Section(fields.extent, fields.data_length)
        self._descend(
            Directory(entry.path, entry.ordinal, section, directory.section.block, identifier),
            None,
        )

    def _record(self, data: bytes, at: int, lba: int, directory: Directory) -> int:
        """Read the record at `at` in full; returns where the next one begins."""
        length = data[at]
        sector_end = (at // SECTOR_BYTES + 1) * SECTOR_BYTES
        room = min(sector_end, len(data)) - at
        here, offset = position(lba, at)
        if length < MINIMUM_BYTES or length > room or DIRECTORY_RECORD.size + data[at + 32] > length:
            self.say(
                kind.RECORD_LENGTH,
                "A directory record does not fit: the rest of its sector is not read as records",
                directory.shown,
                lba=here,
                offset=offset,
                seen=length,
                expected=f"{MINIMUM_BYTES} to {room}",
            )
            self._recover(data, at + 1, sector_end, lba, directory)
            return sector_end
        identifier = data[at + 33 : at + 33 + data[at + 32]]
        record = read(self.view, data, at, here, offset)
        if identifier in (SELF, PARENT):
            self._dot(record, directory)
        elif record.rock_ridge.relocated and record.flags & DIRECTORY:
            self.relocated.append((record, directory))
        else:
            self._section(record, directory)
        return at + length

    def _dot(self, record: Record, directory: Directory) -> None:
        """The record of the directory itself or of its parent (6.8.2.2): compare it with what led here."""
        is_self = record.raw_identifier == SELF
        own = directory.section
        bit = 1 if is_self else 2
        if self._dots & bit:
            record.notes.append(
                kind.IDENTIFIER.at(
                    "The identifier is reserved for the first two records of a directory",
                    lba=record.lba,
                    offset=record.offset,
                    seen=record.raw_identifier.hex(),
                )
            )
        self._dots |= bit
        place = record.sections[0]
        expected = own.block if is_self else directory.parent_block
        if not is_self and directory.relocated:
            expected = None
            if record.rock_ridge.parent is not None and record.rock_ridge.parent != directory.parent_block:
                record.notes.append(
                    kind.RELOCATION.at(
                        "PL does not lead to the directory whose CL leads here",
                        lba=record.lba,
                        offset=record.offset,
                        seen=record.rock_ridge.parent,
                        expected=directory.parent_block,
                    )
                )
        if not is_self and expected is not None and place.block == own.block != expected:
            self._own_parents += 1  # some writers do so in every directory: said once, counted
            expected = None if self._own_parents > 1 else expected
        if expected is not None and place.block != expected:
            record.notes.append(
                kind.DOT.at(
                    "The directory's record for "
                    + ("itself" if is_self else "its parent")
                    + " leads elsewhere",
                    lba=record.lba,
                    offset=record.offset + 2,
                    seen=place.block,
                    expected=expected,
                )
            )
        elif is_self and place.length_bytes != own.length_bytes:
            record.notes.append(
                kind.DOT.at(
                    "The directory states another length of itself than the record that leads to it",
                    lba=record.lba,
                    offset=record.offset + 10,
                    seen=place.length_bytes,
                    expected=own.length_bytes,
                )
            )
        self.structures.extend(record.structures)
        for note in record.notes:
            self.add(note, directory.shown)

    def _section(self, record: Record, directory: Directory) -> None:
        """One section of a file (6.5.1): join those of one file, list it when it is whole."""
        held = self._held
        if (
            held is not None
            and held.raw_identifier == record.raw_identifier
            and held.flags & ASSOCIATED == record.flags & ASSOCIATED
            and not record.flags & DIRECTORY
        ):
            held.sections += record.sections
            held.notes += record.notes
            held.structures += record.structures
            if not record.flags & MULTI_EXTENT:
                self._held = None
                self._whole(held, directory)
            return
        self._finish_held(directory)
        if record.flags & MULTI_EXTENT and not record.flags & DIRECTORY:
            self._held = record
        else:
            self._whole(record, directory)

    def _finish_held(self, directory: Directory) -> None:
        """List a file whose last section never came."""
        held, self._held = self._held, None
        if held is None:
            return
        held.notes.append(
            kind.MULTI_EXTENT.at(
                "A further section of the file is announced and not there",
                lba=held.lba,
                offset=held.offset,
                seen=f"{len(held.sections)} sections",
            )
        )
        self._whole(held, directory)

    def _whole(self, record: Record, directory: Directory) -> None:
        """A file of all its sections; an associated one (6.5.4) waits for the file that it belongs to."""
        if (
            record.flags & ASSOCIATED
            and not record.flags & DIRECTORY
            and record.raw_identifier not in self._associated
        ):
            self._associated[record.raw_identifier] = record
        else:
            self.emit(record, directory)

    def emit(self, record: Record, directory: Directory) -> None:
        """List one object: its entry, then its anomalies."""
        name = self._listed_name(record)
        path = f"{directory.path}/{name}"
        relocated = record.rock_ridge.child is not None and not record.flags & DIRECTORY
        if relocated:
            follow_child(self.view, record)
        check_flags(self.view, record)
        self._unnumbered += record.attributes.get("volume_sequence_number") == 0
        is_directory = relocated or bool(record.flags & DIRECTORY)
        ordinal = self.ordinal
        self.ordinal += 1
        self.out.append(
            entry_of(
                self.view,
                record,
                ordinal=ordinal,
                parent=directory.ordinal,
                path=path,
                name=name,
                kind=EntryKind.DIRECTORY if is_directory else kind_of(record),
                streams=() if is_directory else self._streams(record),
            )
        )
        if is_directory:
            moved = relocated or record.rock_ridge.relocated
            identifier = None if moved else record.raw_identifier
            section, block = record.sections[0], directory.section.block
            self._descend(Directory(path, ordinal, section, block, identifier, moved), record)
        self.structures.extend(record.structures)
        for note in record.notes:
            self.add(note, path)

    def _streams(self, record: Record) -> tuple[Stream, ...]:
        """The data, and the data of the associated file (6.5.4) if one waits for this record."""
        data = Stream("", record.size_bytes, extents_of(self.view, record))
        other = None if record.flags & ASSOCIATED else self._associated.pop(record.raw_identifier, None)
        if other is None:
            return (data,)
        associated = Stream("associated", other.size_bytes, extents_of(self.view, other))
        record.attributes["associated_record"] = {
            "lba": other.lba,
            "offset": other.offset,
            "flags": other.flags,
            **other.attributes,
        }
        record.notes += other.notes
        record.structures += other.structures
        return (data, associated)

    def _listed_name(self, record: Record) -> str:
        """The name in the path: that of the record, made to stand for something in any case."""
        name = record.name
        if name.problem:
            record.notes.append(
                kind.NAME.at(
                    f"The name {name.problem}",
                    lba=record.lba,
                    offset=record.offset,
                    seen=(name.raw or b"").hex(),
                )
            )
        text = name.text or f"[no name: LBA {record.lba} offset {record.offset}]"
        if text in self._names and not record.stray and not record.flags & ASSOCIATED:
            record.notes.append(
                kind.DUPLICATE.at(
                    "Another entry of the directory has the same name",
                    lba=record.lba,
                    offset=record.offset,
                    seen=text,
                )
            )
        self._names.setdefault(text, self.ordinal)
        return text

    def _after_last(self, data: bytes, at: int, lba: int, directory: Directory) -> int:
        """Behind the last record of a sector: zeros (6.8.1.1), or something that should not be there."""
        end = (at // SECTOR_BYTES + 1) * SECTOR_BYTES
        rest = data[at:end]
        if rest.count(0) == len(rest):
            return end
        starts = self._strays(data, at, at + len(rest))
        for start in starts:
            self._stray(data, start, lba, directory, ghost=True)
        if not starts:
            here, offset = position(lba, at)
            self.say(
                kind.PADDING,
                "Behind the last record of the sector there are bytes that are not zero, and no record",
                directory.shown,
                lba=here,
                offset=offset,
                seen=rest.strip(b"\0")[:32].hex(),
                expected="zeros",
            )
        return end

    def _recover(self, data: bytes, at: int, end: int, lba: int, directory: Directory) -> None:
        """Behind a broken record nobody knows where the next one begins: look for whole ones."""
        for start in self._strays(data, at, min(end, len(data))):
            self._stray(data, start, lba, directory, ghost=False)

    def _strays(self, data: bytes, at: int, end: int) -> list[int]:
        """Where records stand, by their form, while the search may go on."""
        self._searches += 1
        if self._searches <= MAXIMUM_SEARCHES:
            return list(plausible_records(self.view, data, at, end))
        if self._searches == MAXIMUM_SEARCHES + 1:
            self.say(kind.LIMIT, f"More than {MAXIMUM_SEARCHES} sectors to search for stray records", None)
        return []

    def _stray(self, data: bytes, at: int, lba: int, directory: Directory, *, ghost: bool) -> None:
        """List a record that was found by its form."""
        here, offset = position(lba, at)
        record = read(self.view, data, at, here, offset)
        record.stray = True
        record.attributes["ghost" if ghost else "recovered"] = True
        what = kind.GHOST if ghost else kind.RECOVERED
        record.notes.append(
            what.at(
                "A whole directory record stands behind "
                + ("the end of the records of its sector" if ghost else "a broken one"),
                lba=here,
                offset=offset,
                seen=record.name.identifier,
                expected="zeros" if ghost else "",
            )
        )
        self.emit(record, directory)

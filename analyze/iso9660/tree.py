"""Walking one tree: from the root down, each directory once, within limits.

Directories are read in the order in which they are met, sector runs at a time; nothing of a directory
is kept but where it was and what it was called.
"""

from collections import deque
from collections.abc import Iterator

from acquire.geometry import SECTOR_BYTES, SectorRange, sectors
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660 import anomalies as kind
from analyze.iso9660 import names
from analyze.iso9660.blocks import Section
from analyze.iso9660.directory import Directory, Scanner
from analyze.iso9660.pathtable import PathRecord, PathTables
from analyze.iso9660.record import Record, View, own_record

MAXIMUM_DIRECTORY_BYTES = 256 << 20
"""A directory is read up to this size: 2.5 million records of 100 bytes."""
MAXIMUM_ENTRIES = 10_000_000
"""A volume's entries are listed up to about this number."""
MAXIMUM_PATH_CHARACTERS = 4096
"""Directories whose path is longer than this are not entered."""
MAXIMUM_KEPT_CHARACTERS = 1 << 28
"""Directories whose paths are together longer than this, 200 added for each, are not entered."""
RUN_SECTORS = 64
"""A directory is read in runs of 128 KiB; records never cross a sector, so neither a run."""
PIECE_BYTES = 4 * SECTOR_BYTES
"""A run is listed in pieces: the entries of one stay in the processor's cache."""


class Tree:
    """One walk of one tree; `structures` grows while it goes."""

    def __init__(self, view: View, root: Directory, path_tables: PathTables) -> None:
        """Of the tree that begins at `root`."""
        self.scanner = Scanner(view, self._descend)
        self._view = view
        self._blocks = view.blocks
        self._path_tables = path_tables
        self._known: dict[int, Directory] = {root.section.block: root}
        self._waiting: deque[Directory] = deque([root])
        self._strays: set[int] = set()
        self._budget = view.blocks.image_bytes + SECTOR_BYTES
        self._kept = MAXIMUM_KEPT_CHARACTERS
        self._stopped = False
        self._incomplete = False

    def batches(self) -> Iterator[list[Entry | Anomaly]]:
        """Yield everything, in the order in which it is met, a run of sectors at a time."""
        yield from self._directories()
        self._orphans()
        yield from self._directories()
        yield from self._compare_path_table()
        for note in self._path_tables.notes:
            self.scanner.add(note, None)
        self.scanner.omitted()
        yield self._drain()

    def structures(self) -> list[SectorRange]:
        """Sectors that hold directories, continuation areas, extended attributes and path tables."""
        return [
            *self.scanner.structures,
            *self._view.continuations.structures(),
            *self._path_tables.structures,
        ]

    def _drain(self) -> list[Entry | Anomaly]:
        found, self.scanner.out = self.scanner.out, []
        return found

    def _directories(self) -> Iterator[list[Entry | Anomaly]]:
        yield self._drain()
        while self._waiting:
            yield from self._read(self._waiting.popleft())

    def _read(self, directory: Directory) -> Iterator[list[Entry | Anomaly]]:
        """Read and list one directory."""
        scanner = self.scanner
        start_lba, start = self._blocks.at(self._blocks.first_data_block(directory.section))
        size = self._size(directory, start_lba * SECTOR_BYTES + start)
        if size:
            self.scanner.structures.append(SectorRange(start_lba, sectors(start + size)))
        scanner.begin()
        for lba, piece in self._pieces(start_lba, sectors(start + size)):
            scanner.scan(piece, start, lba, directory)
            start = 0
            yield self._drain()
            if self._full():
                break
        if size:
            scanner.end(directory)
        yield self._drain()

    def _pieces(self, lba: int, count: int) -> Iterator[tuple[int, bytes]]:
        """The sectors of a directory in pieces, each with its LBA; fewer where the image ends."""
        for first in range(0, count, RUN_SECTORS):
            data = self._blocks.image.read(lba + first, min(count - first, RUN_SECTORS))
            for at in range(0, len(data), PIECE_BYTES):
                yield lba + first + at // SECTOR_BYTES, data[at : at + PIECE_BYTES]
            if not data:
                return

    def _full(self) -> bool:
        """Whether no more entries are listed; said once."""
        if self.scanner.ordinal < MAXIMUM_ENTRIES:
            return False
        if not self._stopped:
            self._stopped = True
            self._waiting.clear()
            self.scanner.say(kind.LIMIT, f"More than {MAXIMUM_ENTRIES} entries: the rest is not listed", None)
        return True

    def _size(self, directory: Directory, start_bytes: int) -> int:
        """How many bytes of the directory are to be read (6.8.1.3), after saying what is wrong with it."""
        stated = size = directory.section.length_bytes
        lba, offset = divmod(start_bytes, SECTOR_BYTES)
        problem = ""
        if not size:
            own = own_record(self._blocks, directory.section.block)
            size = own[1] if own else 0
            problem = f"The directory's length is zero; its own first record says {size}"
        elif size % SECTOR_BYTES:
            problem = "The directory's length is no whole number of sectors; the last one is read whole"
        if size > MAXIMUM_DIRECTORY_BYTES:
            size = MAXIMUM_DIRECTORY_BYTES
            problem = f"The directory is absurdly long: {MAXIMUM_DIRECTORY_BYTES} bytes of it are read"
        if problem:
            self.scanner.say(
                kind.DIRECTORY_SIZE, problem, directory.shown, lba=lba, offset=offset, seen=stated
            )
        inside = max(0, self._blocks.image_bytes - start_bytes)
        if size > inside:
            self.scanner.say(
                kind.EXTENT_OUTSIDE,
                "The directory reaches past the end of the image"
                + ("" if inside else ": nothing of it is there"),
                directory.shown,
                lba=lba,
                offset=offset,
                seen=f"{size} bytes",
                expected=f"at most {inside} bytes",
            )
            size = inside
        if size > self._budget:
            self.scanner.say(
                kind.LIMIT,
                "The directories overlap: together they are longer than the image. This one is not read",
                directory.shown,
                lba=lba,
                offset=offset,
                seen=size,
            )
            self._incomplete = True
            return 0
        self._budget -= size
        return size

    def _descend(self, directory: Directory, record: Record | None) -> None:
        """A directory was listed: read it later, unless it is known already."""
        block = directory.section.block
        known = self._known.get(block)
        stray = record is not None and record.stray
        lba = self._blocks.at(block)[0]
        if known is not None:
            if stray:
                return
            inside = directory.path == known.path or directory.path.startswith(known.path + "/")
            self.scanner.say(
                kind.DIRECTORY_LOOP if inside else kind.DIRECTORY_SHARED,
                f"The directory is {known.shown}, which is listed there and not again here",
                directory.shown,
                lba=lba,
                seen=f"block {block}",
            )
            return
        self._kept -= len(directory.path) + 200
        if self._kept < 0:
            self._incomplete = True
            self.scanner.say(kind.LIMIT, "Too many directories: this one is not entered", None, lba=lba)
            return
        self._known[block] = directory
        if len(directory.path) > MAXIMUM_PATH_CHARACTERS:
            self._incomplete = True
            self.scanner.say(kind.LIMIT, "The path is too long: the directory is not entered", None, lba=lba)
            return
        if stray:
            self._strays.add(block)
        if not self._stopped:
            self._waiting.append(directory)

    def _orphans(self) -> None:
        """Relocated directories (RE) to which no CL led: list them where they stand (RRIP 4.1.5)."""
        self.scanner.begin()
        for record, directory in self.scanner.relocated:
            if record.sections[0].block in self._known:
                continue
            record.notes.append(
                kind.RELOCATION.at(
                    "No CL leads to this relocated directory; it is listed where it stands",
                    lba=record.lba,
                    offset=record.offset,
                    seen=f"block {record.sections[0].block}",
                )
            )
            record.attributes["relocated"] = True
            self.scanner.emit(record, directory)

    def _compare_path_table(self) -> Iterator[list[Entry | Anomaly]]:
        """6.9: the path table lists the directories of the tree, no more and no less."""
        records = self._path_tables.records
        if not records or self._stopped or self._incomplete:
            return
        listed = set()
        for record in records:
            listed.add(record.block)
            directory = self._known.get(record.block)
            if directory is None and record.number == 1:
                self._other_root(record)
            elif directory is None:
                self._only_in_path_table(record, records[record.parent - 1])
                yield from self._directories()  # before the next record: it may be in this one
            elif record.number > 1:
                self._compare_record(record, directory, records[record.parent - 1])
        for block, directory in self._known.items():
            if block not in listed and block not in self._strays and directory.path:
                self.scanner.say(
                    kind.PATH_TABLE_TREE,
                    "The directory is not in the path table",
                    directory.shown,
                    lba=self._blocks.at(block)[0],
                )

    def _other_root(self, record: PathRecord) -> None:
        """6.9.1: the first record is the root's, here of another tree."""
        lba, offset = self._path_tables.place(record)
        self.scanner.say(
            kind.PATH_TABLE_TREE,
            "The path table has another root than the volume descriptor",
            "/",
            lba=lba,
            offset=offset + 2,
            seen=f"block {record.block}",
        )

    def _compare_record(self, record: PathRecord, directory: Directory, parent: PathRecord) -> None:
        if directory.identifier is None:
            return  # the root, or relocated: known there under another parent and perhaps name
        lba, offset = self._path_tables.place(record)
        if directory.identifier != record.identifier:
            self.scanner.say(
                kind.PATH_TABLE_TREE,
                "The path table calls the directory otherwise",
                directory.shown,
                lba=lba,
                offset=offset + 8,
                seen=record.identifier.hex(),
                expected=directory.identifier.hex(),
            )
        if directory.parent_block != parent.block:
            self.scanner.say(
                kind.PATH_TABLE_TREE,
                "The path table knows the directory under another parent",
                directory.shown,
                lba=lba,
                offset=offset + 6,
                seen=f"block {parent.block}",
                expected=f"block {directory.parent_block}",
            )

    def _only_in_path_table(self, record: PathRecord, parent: PathRecord) -> None:
        """List a directory that the tree does not have, if there is one at all."""
        lba, offset = self._path_tables.place(record)
        own = own_record(self._blocks, record.block)
        if own is None or own[0] != record.block:
            self.scanner.say(
                kind.PATH_TABLE_RECORD,
                "A path table record leads to no directory",
                None,
                lba=lba,
                offset=offset,
                seen=f"block {record.block}, identifier {record.identifier.hex()}",
            )
            return
        over = self._known.get(parent.block)
        named = (names.joliet if self._view.naming == "joliet" else names.plain)(
            record.identifier, is_file=False
        )
        name = named.text or f"[no name: LBA {lba} offset {offset}]"
        path = f"{over.path if over else ''}/{name}"
        section = Section(record.block, own[1])
        ordinal = self.scanner.ordinal
        self.scanner.ordinal += 1
        self.scanner.out.append(
            Entry(
                volume=self._view.volume,
                ordinal=ordinal,
                parent=over.ordinal if over else None,
                path=path,
                name=name,
                kind=EntryKind.DIRECTORY,
                size_bytes=own[1],
                identifier=named.identifier,
                name_raw=named.raw,
                record_lba=lba,
                record_offset=offset,
                attributes={"path_table_only": True, "lba": self._blocks.at(record.block)[0]},
            )
        )
        self.scanner.say(
            kind.PATH_TABLE_ONLY,
            "A directory is in the path table and not in the tree",
            path,
            lba=lba,
            offset=offset,
            seen=f"block {record.block}",
        )
        self._descend(Directory(path, ordinal, section, parent.block), None)

"""The walk: every entry of a file set, live ones from the root down, then what is marked as deleted.

Deleted entries come last because only then is it known which file entries belong to live files: an
ICB that was given to another file says nothing of the deleted one any more.
"""

from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.udf.anomalies import ICB, LIMIT, LOOP, PARENT
from analyze.udf.directory import DELETED, DIRECTORY, DirectoryReader, Identifier
from analyze.udf.directory import PARENT as PARENT_BIT
from analyze.udf.entries import EntryMaker
from analyze.udf.icb import LENGTH_MASK, Icb, read_icb
from analyze.udf.layout import FileType
from analyze.udf.logical import LogicalVolume
from analyze.udf.ordinary import OrdinaryEntries
from analyze.udf.partitions import Address
from analyze.udf.tally import Tally

_UNUSUAL = DELETED | PARENT_BIT
_MOST_PATH = 4096
"""Characters of a path; UDF 2.3.12 allows 1023 bytes. Directories below are named, not listed."""
NONE, GONE, REUSED, EMPTIED, PRESENT = "none", "gone", "reused", "emptied", "present"
"""Attribute `file_entry` of an entry: none was named; it is not there; it is another file's now; it is
there, but was emptied as it was deleted; it is there."""


class _Place(NamedTuple):
    """A directory to be listed: its address, its entry's ordinal, its path, its parent's address."""

    partition: int
    logical: int
    ordinal: int | None
    path: str
    parent: Address
    deleted: bool


class Walk:
    """One walk over a file set; `tally` is what it counted so far."""

    def __init__(self, volume: LogicalVolume, ordinal: int, root: Icb, address: Address) -> None:
        """Walk `volume`, of this ordinal in the analysis, from `root` on, whose ICB is at `address`."""
        self.volume = volume
        self.tally = Tally(root.block)
        self._maker = EntryMaker(volume, ordinal)
        self._ordinary = OrdinaryEntries(volume, self._maker, self.tally).read
        self._listed: set[int] = {root.block}
        self._places = [_Place(*address, None, "", address, deleted=False)]
        self._deleted: list[tuple[_Place, Identifier]] = []

    def entries(self) -> Iterator[Entry | Anomaly]:
        """Yield every entry, and after each what was noted while it was read."""
        log, ordinary, directory = self.volume.log, self._ordinary, EntryKind.DIRECTORY
        while self._places:
            place = self._places.pop()
            for found in self._identifiers(place):
                if found.characteristics & _UNUSUAL:
                    if found.characteristics & PARENT_BIT:
                        self._note_parent(place, found, "a further parent")
                    else:
                        self._deleted.append((place, found))
                    continue
                entry = ordinary(found, place.ordinal, place.path)
                if entry is None:
                    entry = self._live(place, found)
                    self.tally.count(found, entry)
                if entry.kind is directory and entry.inode is not None:
                    self._descend(place, found, entry)
                yield entry
                if log.pending:
                    yield from log.take()
            yield from log.take()
        yield from self._removed()

    def _identifiers(self, place: _Place) -> Iterator[Identifier]:
        """The identifiers of a directory after its parent, which is checked; a further parent may follow."""
        path = place.path or "/"
        icb = read_icb(self.volume, place.partition, place.logical, path)
        if icb is None:
            return iter(())
        found = DirectoryReader(self.volume, icb, path).identifiers()
        first = next(found, None)
        if first is None:
            return found
        named = (first.icb_partition, first.icb_block)
        if not first.characteristics & PARENT_BIT:
            self._note_parent(place, first, "another identifier")
            return chain((first,), found)
        if named != place.parent:
            self._note_parent(place, first, f"a parent at {named}")
        return found

    def _note_parent(self, place: _Place, found: Identifier, seen: str) -> None:
        blocks = self.volume.blocks
        self.volume.log.note(
            PARENT,
            "A directory does not begin with its parent",
            at=(blocks, *divmod(found.position, blocks.size)),
            seen=seen,
            expected=f"the parent at {tuple(place.parent)}, first of all",
            path=place.path or "/",
        )

    def _live(self, place: _Place, found: Identifier) -> Entry:
        """The entry of an identifier that is not deleted, ordinary or not."""
        named = self._maker.name(found, place.ordinal, place.path, deleted=False)
        if not found.icb_length & LENGTH_MASK:
            blocks = self.volume.blocks
            self.volume.log.note(
                ICB,
                "An identifier that is not deleted names no ICB",
                at=(blocks, *divmod(found.position, blocks.size)),
                path=named.path,
            )
            return self._maker.bare(found, named, NONE, deleted=False)
        icb = read_icb(self.volume, found.icb_partition, found.icb_block, named.path)
        if icb is None:
            return self._maker.bare(found, named, GONE, deleted=False)
        return self._maker.full(found, named, icb, deleted=False)

    def _descend(self, place: _Place, found: Identifier, entry: Entry) -> None:
        """List a directory later, once."""
        log, path, block = self.volume.log, entry.path, entry.inode
        assert block is not None
        at = (self.volume.blocks, block, 0)
        if block in self._listed:
            log.note(LOOP, "A directory is reached again; it is listed where it was first", at=at, path=path)
        elif len(path) > _MOST_PATH:
            log.note(LIMIT, "A directory whose path is too long is not listed", at=at, path=path)
        else:
            self._listed.add(block)
            parent = Address(place.partition, place.logical)
            address = (found.icb_partition, found.icb_block)
            self._places.append(_Place(*address, entry.ordinal, path, parent, entry.deleted))

    def _removed(self) -> Iterator[Entry]:
        """Yield the deleted entries, and what deleted directories still list.

        What is wrong with what is left of them is no anomaly of the volume.
        """
        log = self.volume.log
        waiting = self._deleted
        while waiting:
            self._deleted = []
            for place, found in waiting:
                mark = log.mark()
                entry = self._deleted_entry(place, found)
                log.rewind(mark)
                yield entry
            mark = log.mark()
            while self._places:
                place = self._places.pop()
                self._deleted += [
                    (place, found)
                    for found in self._identifiers(place)
                    if not found.characteristics & PARENT_BIT
                ]
            log.rewind(mark)
            waiting = self._deleted

    def _deleted_entry(self, place: _Place, found: Identifier) -> Entry:
        """The entry of a deleted identifier, as far as its file entry is still its own."""
        named = self._maker.name(found, place.ordinal, place.path, deleted=True)
        if not found.icb_length & LENGTH_MASK:
            return self._maker.bare(found, named, NONE, deleted=True)
        icb = read_icb(self.volume, found.icb_partition, found.icb_block, named.path)
        if icb is None:
            return self._maker.bare(found, named, GONE, deleted=True)
        if icb.block in self.tally.blocks or not _is_its_own(found.unique_id, icb, found.characteristics):
            return self._maker.bare(found, named, REUSED, deleted=True)
        entry = self._maker.full(found, named, icb, deleted=True)
        attributes = dict(entry.attributes or {})
        attributes["file_entry"] = PRESENT
        if not icb.entry.link_count and not icb.entry.information_length:
            # So the Linux driver deletes: the size is that of the emptied file, not of what it held.
            attributes["file_entry"] = EMPTIED
            entry = entry._replace(streams=())
        taken = sum(self.tally.claims.taken(stream.extents) for stream in entry.streams)
        if taken:
            attributes["overwritten_bytes"] = taken
        if entry.kind is EntryKind.DIRECTORY:
            self._descend(place, found, entry)
        return entry._replace(attributes=attributes)


def _is_its_own(unique_id: int, icb: Icb, characteristics: int) -> bool:
    """Whether a file entry can be that of an identifier: the same kind, and the same unique ID if given.

    UDF 2.3.4.3 (2.00 and later): an identifier has the low 32 bits of its file's unique ID.
    """
    directory = icb.entry.file_type == FileType.DIRECTORY
    if directory != bool(characteristics & DIRECTORY):
        return False
    return not unique_id or unique_id == icb.entry.unique_id & 0xFFFFFFFF

"""Which chunks a segment file holds and where: from its tables, or without them from the chunks."""

from array import array
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import NamedTuple

from acquire.containers import ewf
from acquire.containers.e01_sections import Section, SegmentFile
from acquire.containers.ewf import COMPRESSED, TABLE_HEADER
from acquire.containers.ewf_walk import Window, chunks
from acquire.containers.problem import Problems

MAX_CHUNKS = 1 << 25
"""Chunks of one container: 1 TiB in chunks of 32 KiB; their places take 128 MiB."""
_OFFSET = COMPRESSED - 1


class Geometry(NamedTuple):
    """Sizes of the medium and its chunks, as the volume section gives them."""

    size_bytes: int
    bytes_per_sector: int
    chunk_bytes: int

    @property
    def chunk_count(self) -> int:
        """Chunks of the whole medium."""
        return -(-self.size_bytes // self.chunk_bytes)


class StoredChunk(NamedTuple):
    """Where a chunk is stored in its segment file."""

    offset: int
    size_bytes: int
    compressed: bool


class Group:
    """The chunks of one sectors section, in order; `first` is the number of the first one.

    `first` is None as long as it is not known. `complete` is False if more chunks may follow that are
    lost; then the group after it has no known number either.
    """

    def __init__(
        self, file: SegmentFile, base_offset: int, entries: "array[int]", end_offset: int, *, complete: bool
    ) -> None:
        """Chunks at `base_offset` + each entry's 31 bits; the last one ends at `end_offset`."""
        self.file = file
        self.first: int | None = None
        self.complete = complete
        self._base = base_offset
        self._entries = entries
        self._end = end_offset
        self._plain_from = _overflow(entries) if end_offset - base_offset > _OFFSET else len(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def chunk(self, index: int) -> StoredChunk:
        """The place of chunk `index` of the group; its size may be nonsense (negative) if the table is."""
        entry = self._entries[index]
        offset, compressed = entry & _OFFSET, bool(entry & COMPRESSED)
        if index >= self._plain_from:
            offset, compressed = entry, False
        end = self._end - self._base
        if index + 1 < len(self._entries):
            following = self._entries[index + 1]
            end = following if index + 1 >= self._plain_from else following & _OFFSET
        return StoredChunk(self._base + offset, end - offset, compressed)


def _overflow(entries: "array[int]") -> int:
    """From which entry on offsets have 32 bits (Table entries offset overflow, EnCase 6.7.1)."""
    previous = 0
    for index, entry in enumerate(entries):
        if entry & _OFFSET < previous <= entry:
            return index
        previous = entry & _OFFSET
    return len(entries)


class _Table(NamedTuple):
    """A table or table2 section as read; `header_good` and `entries_good` are its two checksums."""

    section: Section
    base_offset: int
    entries: "array[int]"
    header_good: bool
    entries_good: bool


def groups(
    file: SegmentFile,
    sections: Sequence[Section],
    geometry: Geometry,
    problems: Problems,
    before: int | None,
) -> Iterator[Group | None]:
    """The groups of chunks of one segment file, in order; None where others may be lost.

    `before` is how many chunks the files before it hold, if that is known. Raises OSError if the file
    cannot be read.
    """
    for sectors, tables, lost in _gathered(file, sections, problems):
        if sectors is not None or tables:
            media_bytes = geometry.size_bytes - (before or 0) * geometry.chunk_bytes
            group = _group(file, sectors, tables, geometry._replace(size_bytes=media_bytes), problems)
            yield group
            before = None if before is None or not group.complete else before + len(group)
        if lost:
            before = None
            yield None


_Gathered = tuple[Section | None, list[_Table], bool]


def _gathered(file: SegmentFile, sections: Sequence[Section], problems: Problems) -> Iterator[_Gathered]:
    """Each sectors section with its tables, and whether others may be lost after it."""
    sectors: Section | None = None
    tables: list[_Table] = []
    for section in sections:
        if section.kind in ("table", "table2"):
            table = _read_table(file, section, problems)
            if table is not None:
                if tables and not _is_copy(table, tables[-1]):
                    yield sectors, tables, False
                    sectors, tables = None, []
                elif not tables and sectors is not None and not _is_of(table, sectors):
                    yield sectors, tables, True
                    sectors = None
                tables.append(table)
            if not section.closed:
                yield sectors, tables, True
                sectors, tables = None, []
        elif section.kind == "sectors":
            yield sectors, tables, False
            sectors, tables = section, []
        elif not section.closed:
            yield sectors, tables, True
            sectors, tables = None, []
    yield sectors, tables, False


def _is_of(table: _Table, sectors: Section) -> bool:
    """Whether a table can be that of sectors: only if their end was lost, is there a doubt."""
    if sectors.closed or not (table.header_good and table.entries_good and table.entries):
        return True
    return table.base_offset + (table.entries[0] & _OFFSET) == sectors.payload_offset


def _is_copy(table: _Table, other: _Table) -> bool:
    """Whether two tables are of the same chunks: they say so, or stand side by side and one is damaged."""
    if all(each.header_good and each.entries_good and each.entries for each in (table, other)):
        firsts = [each.base_offset + (each.entries[0] & _OFFSET) for each in (table, other)]
        return firsts[0] == firsts[1]
    return table.section.offset == other.section.end_offset


def _read_table(file: SegmentFile, section: Section, problems: Problems) -> _Table | None:
    """Read a table; None if it is too short or too long to be one."""
    at = section.payload_offset
    entry_bytes = section.payload_bytes - TABLE_HEADER.size - 4
    if not 0 <= entry_bytes <= 4 * MAX_CHUNKS:
        problems.add("a table's size is impossible", file.name, section.offset, section.payload_bytes)
        return None
    payload = file.read(at, section.payload_bytes)
    if len(payload) < section.payload_bytes:
        problems.add("the file ends inside a table", file.name, section.offset, len(payload))
        return None
    header = TABLE_HEADER.read(payload)
    header_good = ewf.is_guarded(payload[: TABLE_HEADER.size])
    count = entry_bytes // 4
    if not header_good:
        right = ewf.checksum(payload[: TABLE_HEADER.size - 4])[::-1].hex()
        problems.add(
            "a table header's checksum does not match", file.name, at, f"{header.checksum:08x}", right
        )
    elif header.entry_count > count:
        problems.add("a table has more entries than bytes", file.name, at, header.entry_count, count)
        header_good = False
    else:
        count = header.entry_count
    at_entries = TABLE_HEADER.size
    entries = payload[at_entries : at_entries + 4 * count]
    mark = payload[at_entries + 4 * count : at_entries + 4 * count + 4]
    entries_good = ewf.checksum(entries) == mark
    if not entries_good:
        right = ewf.checksum(entries)[::-1].hex()
        what = f"the checksum of a table's {count} entries does not match"
        problems.add(what, file.name, at + at_entries, mark[::-1].hex(), right)
    return _Table(section, header.base_offset, ewf.from_little_endian(entries), header_good, entries_good)


def _group(
    file: SegmentFile,
    sectors: Section | None,
    tables: Sequence[_Table],
    geometry: Geometry,
    problems: Problems,
) -> Group:
    """The chunks of one sectors section, from the best that its tables give.

    `geometry` has the size of what is left of the medium.
    """
    good = [table for table in tables if table.header_good and table.entries_good]
    if len(good) > 1 and (good[0].base_offset, good[0].entries) != (good[1].base_offset, good[1].entries):
        problems.add("table and table2 differ", file.name, good[1].section.offset, "other", "the same")
    if not good:
        headers = [table for table in tables if table.header_good]
        good = [
            table._replace(base_offset=headers[0].base_offset)
            for table in tables
            if table.entries_good and headers and len(table.entries) == len(headers[0].entries)
        ]
    # Before the table where there is one: a sectors section's own size may be damaged.
    end_offset = tables[0].section.offset if tables else sectors.end_offset if sectors else 0
    if good:
        if sectors is not None and sectors.closed and sectors.end_offset != end_offset:
            problems.add(
                "a table does not follow its sectors", file.name, end_offset, end_offset, sectors.end_offset
            )
        group = Group(file, good[0].base_offset, good[0].entries, end_offset, complete=True)
        first = group.chunk(0).offset if len(group) else None
        if sectors is not None and first is not None and first != sectors.payload_offset:
            problems.add(
                "the first chunk is not at the start of its section",
                file.name,
                sectors.payload_offset,
                first,
                sectors.payload_offset,
            )
        return group
    if sectors is None:
        problems.add("a table without sectors and without a good checksum", file.name, end_offset)
        return Group(file, 0, array("I"), 0, complete=False)
    return _without_table(file, sectors, end_offset, geometry, problems)


def _without_table(
    file: SegmentFile, sectors: Section, end_offset: int, geometry: Geometry, problems: Problems
) -> Group:
    """The chunks of a sectors section that has no usable table, found by their own checksums."""
    entries = array("I")
    at = sectors.payload_offset
    window = Window(file.read, file.size_bytes)
    flags = repeat(None, MAX_CHUNKS)
    for found in chunks(
        window, at, end_offset, geometry.size_bytes, flags=flags, chunk_bytes=geometry.chunk_bytes
    ):
        if at - sectors.offset > _OFFSET:
            break
        entries.append((at - sectors.offset) | found.flag)
        at += found.stored_bytes
    problems.add(
        f"no usable table: {len(entries)} chunks found by their own checksums",
        file.name,
        sectors.offset,
        f"chunks up to byte {at}",
        f"chunks up to byte {end_offset}",
    )
    return Group(file, sectors.offset, entries, at, complete=at == end_offset)

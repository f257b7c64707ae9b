"""The collector: takes the nouns that an examination yields, and records them.

Rows are built a column at a time and inserted without the columns that are empty throughout a batch:
binding a NULL costs more than binding a value, and most of an entry's columns are empty on any disc.
"""

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice, repeat
from operator import itemgetter
from typing import Any, NamedTuple, cast

from acquire.progress import WALK, Progress, Reporter
from acquire.toc import Disc
from analyze.analysis import Examined
from analyze.anomaly import Anomaly
from analyze.coverage import Coverage
from analyze.entry import Entry
from analyze.finding import Finding
from analyze.timestamp import Timestamp
from analyze.volume import VolumeInfo
from casefiles.canonical import canonical, whole_text
from casefiles.database import Database, Value, insert_sql
from casefiles.schema import COLUMNS

INTEGER_RANGE = "case-integer-range"
TEXT_SURROGATE = "case-text-surrogate"
ANOMALIES = {
    INTEGER_RANGE: "A number that needs more than 64 bits; its column is NULL, and `seen` has the number",
    TEXT_SURROGATE: r"Text with a lone surrogate, which is no Unicode text; it stands as `\uNNNN`",
}
"""The anomalies that recording itself finds: what the evidence says, and SQLite cannot hold."""

_BATCH_ENTRIES = 512
"""A batch that stays in the processor's cache while it becomes columns and rows."""
_BATCH_ROWS = 2000
_TIMES_KEPT = 100_000
_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

_FIELDS = Entry._fields
_GARBAGE_OBJECTS = 50_000
_ONLY_ENTRIES = {Entry}
_VOLUME = itemgetter(_FIELDS.index("volume"))
_TIME_FIELDS = frozenset(
    {"modified", "created", "accessed", "changed", "recorded", "backup", "expires", "effective"}
)
_STREAMS, _ATTRIBUTES = _FIELDS.index("streams"), _FIELDS.index("attributes")
_PLACED = frozenset(
    {"volume", "ordinal", "parent", "path", "name", "kind", "size_bytes", "streams", "deleted"}
)
_FIRST_COLUMNS = (
    "id", "volume_id", "ordinal", "parent_id", "path", "name", "kind", "size_bytes", "deleted",
)  # fmt: skip
_OPTIONAL = tuple((at, name) for at, name in enumerate(_FIELDS) if name not in _PLACED)
_EXTENT_SQL = insert_sql("extents", COLUMNS["extents"])
_STREAM_SQL = insert_sql("streams", ("entry_id", "stream", "size_bytes"))

_FIND_ENTRY = """
UPDATE {table} SET entry_id =
    (SELECT min(id) FROM entries WHERE entries.volume_id = {table}.volume_id AND entries.path = {table}.path)
WHERE evidence_id = ? AND path IS NOT NULL AND volume_id IS NOT NULL
"""
_ENTRY_OF = {table: _FIND_ENTRY.format(table=table) for table in ("anomalies", "findings")}


class Collected(NamedTuple):
    """How much an examination yielded, and how much of the disc it explains."""

    volumes: int
    entries: int
    anomalies: int
    findings: int
    sectors_owned: int | None
    sectors_unowned: int | None


class _IsoTimes(dict[Timestamp | None, str | None]):
    """The text of each timestamp met: a disc has far fewer times than files."""

    def __missing__(self, time: Timestamp | None) -> str | None:
        if len(self) >= _TIMES_KEPT:
            self.clear()
        text = self[time] = None if time is None else time.iso()
        return text


def json_or_none(value: dict[str, Any] | None) -> str | None:
    """Attributes as a column holds them."""
    return canonical(value) if value else None


def _whole(column: str, text: str) -> str:
    """The text without lone surrogates; inside JSON, so that it reads as the same six characters."""
    return whole_text(text, backslash="\\\\" if column == "attributes" else "\\")


@contextmanager
def _seldom_collecting() -> Iterator[None]:
    """Look for cyclic garbage less often: nouns hold none, and the looking takes a fifth of the time."""
    before = gc.get_threshold()
    gc.set_threshold(_GARBAGE_OBJECTS, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


class Collector:
    """Records one examination of one exhibit, inside the caller's transaction."""

    def __init__(
        self, database: Database, evidence_id: int, progress: Callable[[Progress], None] | None = None
    ) -> None:
        """Record into `database` for the exhibit `evidence_id`."""
        assert database.in_transaction
        self._database = database
        self._evidence_id = evidence_id
        self._report = Reporter(progress)
        self._volume_ids: dict[int, int] = {}
        self._entry_ids: dict[int, list[int]] = {}
        self._next_entry = database.next_id("entries")
        self._first_entry = self._next_entry
        self._anomalies: list[tuple[Value, ...]] = []
        self._findings: list[tuple[Value, ...]] = []
        self._anomaly_count = self._finding_count = 0
        self._times = _IsoTimes()
        self._statements: dict[tuple[str, ...], str] = {}
        self._disc: Disc | None = None
        self._coverage: Coverage | None = None

    def collect(self, nouns: Iterable[Examined]) -> Collected:
        """Record every noun, with indexes and full text; the caller commits."""
        stream = iter(nouns)
        with self._database.without_indexes("entries"), _seldom_collecting():
            while batch := list(islice(stream, _BATCH_ENTRIES)):
                if set(map(type, batch)) == _ONLY_ENTRIES and len(set(map(_VOLUME, batch))) == 1:
                    self._write_entries(cast("list[Entry]", batch))
                else:
                    self._take_mixed(batch)
        self._write_findings()
        if self._disc is not None:
            self._write_disc(self._disc)
        self._write_anomalies()
        for sql in _ENTRY_OF.values():
            self._database.execute(sql, (self._evidence_id,))
        self._database.execute(
            "INSERT INTO entries_fts (rowid, path) SELECT id, path FROM entries WHERE id >= ?",
            (self._first_entry,),
        )
        return Collected(
            len(self._volume_ids),
            self._next_entry - self._first_entry,
            self._anomaly_count,
            self._finding_count,
            None if self._coverage is None else self._coverage.sectors_owned,
            None if self._coverage is None else self._coverage.sectors_unowned,
        )

    def _take_mixed(self, nouns: list[Examined]) -> None:
        """Take nouns of any kind, in their order."""
        entries: list[Entry] = []
        for noun in nouns:
            if isinstance(noun, Entry):
                if entries and entries[0].volume != noun.volume:
                    self._write_entries(entries)
                    entries = []
                entries.append(noun)
            else:
                if isinstance(noun, VolumeInfo):
                    self._write_entries(entries)
                    entries = []
                self._take(noun)
        self._write_entries(entries)

    def _take(self, noun: Examined) -> None:
        """Take a noun other than an entry."""
        if isinstance(noun, Anomaly):
            self._take_anomaly(noun)
        elif isinstance(noun, Finding):
            self._take_finding(noun)
        elif isinstance(noun, VolumeInfo):
            self._write_volume(noun)
        elif isinstance(noun, Disc):
            self._disc = noun  # the last one counts: it has the sessions that were inferred
        else:
            assert isinstance(noun, Coverage), type(noun)
            self._coverage = noun

    def _take_anomaly(self, anomaly: Anomaly) -> None:
        volume_id = None if anomaly.volume is None else self._volume_ids[anomaly.volume]
        self._anomaly_count += 1
        self._anomalies.append(
            (
                self._evidence_id, volume_id, anomaly.code, anomaly.lba, anomaly.offset, anomaly.message,
                anomaly.clause, anomaly.seen, anomaly.expected, anomaly.path,
            )
        )  # fmt: skip
        if len(self._anomalies) >= _BATCH_ROWS:
            self._write_anomalies()

    def _take_finding(self, found: Finding) -> None:
        volume_id = None if found.volume is None else self._volume_ids[found.volume]
        self._finding_count += 1
        self._findings.append(
            (
                self._evidence_id, volume_id, found.code, found.severity.value, found.title, found.detail,
                found.lba, found.length_bytes, found.path,
            )
        )  # fmt: skip
        if len(self._findings) >= _BATCH_ROWS:
            self._write_findings()

    def _write_anomalies(self) -> None:
        while self._anomalies:  # writing can add some: numbers that no column holds
            rows, self._anomalies = self._anomalies, []
            columns = (
                "evidence_id", "volume_id", "code", "lba", "offset", "message", "clause", "seen", "expected",
                "path",
            )  # fmt: skip
            self._insert("anomalies", columns, rows)

    def _write_findings(self) -> None:
        rows, self._findings = self._findings, []
        columns = (
            "evidence_id", "volume_id", "code", "severity", "title", "detail", "lba", "length_bytes", "path",
        )  # fmt: skip
        self._insert("findings", columns, rows)

    def _write_volume(self, info: VolumeInfo) -> None:
        values: dict[str, Value] = {"id": self._database.next_id("volumes"), "evidence_id": self._evidence_id}
        for name, value in info._asdict().items():
            values[name] = value.iso() if isinstance(value, Timestamp) else value
        values["attributes"] = json_or_none(info.attributes)
        self._insert("volumes", tuple(values), [tuple(values.values())])
        volume_id = values["id"]
        assert isinstance(volume_id, int)
        assert info.ordinal not in self._volume_ids, info.ordinal
        self._volume_ids[info.ordinal] = volume_id
        self._entry_ids[info.ordinal] = []

    def _write_disc(self, disc: Disc) -> None:
        for session in disc.sessions:
            self._insert(
                "sessions",
                ("evidence_id", "number", "start_lba", "length_sectors", "recorded"),
                [
                    (
                        self._evidence_id,
                        session.number,
                        session.start_lba,
                        session.length_sectors,
                        int(disc.recorded),
                    )
                ],
            )
        columns = ("evidence_id", *COLUMNS["tracks"][2:])
        self._insert(
            "tracks",
            columns,
            [
                (self._evidence_id, *track[:2], track.mode.value, *track[3:])
                for session in disc.sessions
                for track in session.tracks
            ],
        )

    def _write_entries(self, entries: list[Entry]) -> None:
        """Write entries that are all of one volume."""
        if not entries:
            return
        ids = range(self._next_entry, self._next_entry + len(entries))
        self._next_entry = ids.stop
        columns = list(zip(*entries, strict=True))
        assert columns[0].count(columns[0][0]) == len(entries), "entries of one volume"
        names, values = self._columns(columns, ids)
        sql = self._statements.get(names)
        if sql is None:
            sql = self._statements[names] = insert_sql("entries", names)
        self._insert("entries", names, list(zip(*values, strict=False)), sql)
        self._write_streams(ids, columns[_STREAMS])
        self._report(Progress(WALK, self._next_entry - self._first_entry, 0))

    def _columns(
        self, columns: Sequence[Sequence[Any]], ids: range
    ) -> tuple[tuple[str, ...], list[Iterable[Value]]]:
        """The columns of table `entries` that are not empty throughout, and their values."""
        volumes, ordinals, parents, paths, names, kinds, sizes, _, deleted = columns[:9]
        known = self._entry_ids[volumes[0]]
        assert ordinals[0] == len(known), "entries come in the order of their ordinals"
        known.extend(ids)
        used = list(_FIRST_COLUMNS)
        values: list[Iterable[Value]] = [
            ids,
            repeat(self._volume_ids[volumes[0]]),
            ordinals,
            [None if parent is None else known[parent] for parent in parents],
            paths,
            names,
            map(str.__str__, kinds),  # without going through Enum
            sizes,
            map(int, deleted) if any(deleted) else repeat(0),
        ]
        count = len(ids)
        times = self._times
        for at, name in _OPTIONAL:
            column = columns[at]
            if column.count(None) == count:
                continue
            used.append(name)
            if name in _TIME_FIELDS:
                values.append(map(times.__getitem__, column))
            elif name == "attributes":
                values.append([json_or_none(value) for value in column])
            elif name == "hidden":
                values.append([None if flag is None else int(flag) for flag in column])
            else:
                values.append(column)
        return tuple(used), values

    def _write_streams(self, ids: range, streams: Sequence[Sequence[Any]]) -> None:
        """Write the extents of every stream, and a row for each that is not the data."""
        extents: list[tuple[Value, ...]] = [
            (entry_id, name, ordinal, start, length, offset)
            for entry_id, of_entry in zip(ids, streams, strict=True)
            for name, _, pieces in of_entry
            for ordinal, (start, length, offset) in enumerate(pieces)
        ]
        others: list[tuple[Value, ...]] = [
            (entry_id, name, size)
            for entry_id, of_entry in zip(ids, streams, strict=True)
            for name, size, _ in of_entry
            if name
        ]
        self._insert("extents", COLUMNS["extents"], extents, _EXTENT_SQL)
        self._insert("streams", ("entry_id", "stream", "size_bytes"), others, _STREAM_SQL)

    def _insert(
        self, table: str, columns: tuple[str, ...], rows: list[tuple[Value, ...]], sql: str | None = None
    ) -> None:
        """Insert rows; what SQLite cannot hold becomes NULL or escaped, and an anomaly."""
        if not rows:
            return
        sql = sql or insert_sql(table, columns)
        if self._database.try_many(sql, rows):
            return
        cleaned = [self._clean(table, columns, row) for row in rows]
        assert self._database.try_many(sql, cleaned)

    def _clean(self, table: str, columns: tuple[str, ...], row: tuple[Value, ...]) -> tuple[Value, ...]:
        """The row as SQLite can hold it, and an anomaly for each value that is not as it was."""
        made = list(row)
        for at, value in enumerate(row):
            if isinstance(value, int) and not _SMALLEST <= value <= _LARGEST:
                made[at] = None
                self._note(
                    INTEGER_RANGE, table, columns[at], f"{value:#x}", dict(zip(columns, row, strict=True))
                )
            elif isinstance(value, str) and (text := _whole(columns[at], value)) != value:
                made[at] = text
                self._note(TEXT_SURROGATE, table, columns[at], text, dict(zip(columns, row, strict=True)))
        return tuple(made)

    def _note(self, code: str, table: str, column: str, seen: str, row: dict[str, Value]) -> None:
        where = f"{table}.{column}"
        if "entry_id" in row:
            where += f" of entry {row['entry_id']!r}"
        path = row.get("path")
        self._anomaly_count += 1
        self._anomalies.append(
            (
                self._evidence_id, row.get("volume_id"), code, None, None, f"{ANOMALIES[code]}: {where}",
                None, seen, None, whole_text(path) if isinstance(path, str) else None,
            )
        )  # fmt: skip

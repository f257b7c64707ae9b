"""The connection to case.db: the only module that imports sqlite3, and the only place its errors are met.

Rows are tuples; a caller that wants dicts asks for them. Writing happens in explicit transactions.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from acquire.errors import CaseBusyError, CaseError, DestinationError, DiskFullError, JewelcaseError
from casefiles.schema import COLUMNS, MIGRATIONS

APPLICATION_ID = 0x4A434153
"""Says in the file's header (offset 68) that it is a case: "JCAS"."""

Value = str | int | float | bytes | None
Row = tuple[Any, ...]
Parameters = Sequence[Value] | Mapping[str, Value]

_CACHE_KIB = 64 * 1024
_BUSY_S = 30.0
_BULK_LIMIT_ROWS = 100_000
"""Indexes of a table with more rows than that are kept while rows are added: making them anew costs more."""

_DAMAGED = "The case database is damaged"
_ASK_COPY = "Restore it from a copy; `verify` says what differs"


class BlobInJsonError(Exception):
    """SQLite's json_array met a BLOB, which JSON cannot hold."""


def _sentence(error: sqlite3.Error, path: Path) -> JewelcaseError | None:
    """The sentence for what SQLite says about the world; None if it is a mistake in our SQL."""
    code = getattr(error, "sqlite_errorcode", None)
    primary = None if code is None else code & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return DiskFullError(
            "No space left while writing the case database",
            where=path,
            do="Free space, then give the same command again: it goes on where it stopped",
        )
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CaseBusyError(
            "Another program holds the case database", where=path, do="Close it, then try again"
        )
    if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN):
        return DestinationError(
            f"Cannot open or write the case database ({error})",
            where=path,
            do="Check the permissions of the case folder",
        )
    if primary == sqlite3.SQLITE_IOERR:
        return DestinationError(
            f"Reading or writing the case database failed ({error})", where=path, do="Check the disk it is on"
        )
    if code == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
        return CaseError(
            f"The case database refuses the row ({error})",
            where=path,
            do="Run `verify`: the custody log was changed",
        )
    if primary == sqlite3.SQLITE_NOTADB:
        return CaseError("case.db is not an SQLite database", where=path, do="Restore it from a copy")
    # A table or column that is gone has no code of its own; text that is no UTF-8 has none at all.
    lacks = primary == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column"))
    if primary == sqlite3.SQLITE_CORRUPT or lacks or "decode to UTF-8" in str(error):
        return CaseError(f"{_DAMAGED} ({error})", where=path, do=_ASK_COPY)
    return None


class Database:
    """One connection to a case database."""

    def __init__(self, path: Path, mode: str = "rw") -> None:
        """Connect to `path`; `mode` is SQLite's, with more parameters of its URI after it.

        Raises:
            CaseError, DestinationError: it cannot be opened.
        """
        self.path = path
        self._depth = 0
        uri = f"{path.absolute().as_uri()}?mode={mode}"
        with self._errors():
            self._connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_BUSY_S)
            self._connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA trusted_schema = OFF")

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make an empty database at `path`, with the newest schema; the caller fills `meta`."""
        database = cls(path, "rwc")
        database.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        with database.transaction():
            database.migrate(0)
        return database

    @classmethod
    def in_memory(cls) -> Self:
        """An empty database without a schema, for calculations."""
        return cls(Path("calculations"), "memory")

    @classmethod
    def open(cls, path: Path, *, write: bool) -> Self:
        """Open an existing case database; an older one is for the caller to `migrate`.

        Raises:
            CaseError: no SQLite database, not a case, of a newer or (reading only) older version.
            DestinationError: it cannot be opened.
        """
        # Not mode=ro where it can be helped: what an interrupted writer left behind must be rolled back
        # first, and only a connection that may write can do it; query_only keeps it from writing else.
        database = cls._probed(path, ("rw",) if write else ("rw", "ro", "ro&immutable=1"))
        try:
            if not write:
                database.execute("PRAGMA query_only = ON")
            database.check_version(write=write)
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def _probed(cls, path: Path, modes: tuple[str, ...]) -> Self:
        """Open in the first of the modes that works."""
        unfinished = [path.with_name(path.name + suffix) for suffix in ("-journal", "-wal")]
        for number, mode in enumerate(modes, 1):
            if number > 1 and any(file.exists() and file.stat().st_size for file in unfinished):
                raise CaseError(
                    "A write to this case was interrupted, and its folder is read-only",
                    where=path.parent,
                    do="Copy the whole folder to a writable place and open it there",
                )
            try:
                database = cls(path, mode)
            except DestinationError:
                if number == len(modes):
                    raise
                continue
            try:
                database.probe()
            except DestinationError:
                database.close()
                if number == len(modes):
                    raise
            except BaseException:
                database.close()
                raise
            else:
                return database
        raise AssertionError("the last mode returns or raises")

    def probe(self) -> None:
        """Read the first page, which rolls back what an interrupted writer left.

        Raises:
            CaseError: it is no database, or not of a case.
            DestinationError: it cannot be read, or what was left cannot be rolled back.
        """
        application = self.value("PRAGMA application_id")
        self.value("SELECT count(*) FROM sqlite_master")
        if application != APPLICATION_ID:
            raise CaseError("case.db is a database, but not of a case", where=self.path, do="Check the path")

    def check_version(self, *, write: bool) -> None:
        """Refuse a schema that this program cannot read.

        Raises:
            CaseError: it is newer, or (reading only) older.
        """
        text = self.value("SELECT value FROM meta WHERE key = 'schema_version'")
        version = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else 0
        known = len(MIGRATIONS)
        if version < 1:
            raise CaseError(f"{_DAMAGED} (it does not say its version)", where=self.path, do=_ASK_COPY)
        if version > known:
            raise CaseError(
                f"The case is of version {version}, and this program knows versions up to {known}",
                where=self.path,
                do="Use a newer jewelcase",
            )
        if version < known and not write:
            raise CaseError(
                f"The case is of version {version}, and this program reads version {known}",
                where=self.path,
                do="Open it once for writing, for example with `verify`, to bring it up to date",
            )

    def schema_version(self) -> int:
        """The version that the database says it has."""
        return int(self.value("SELECT value FROM meta WHERE key = 'schema_version'"))

    def migrate(self, version: int) -> None:
        """Bring the schema from `version` up to date, inside the caller's transaction."""
        from sqlite_utils import Database as SchemaDatabase  # noqa: PLC0415  takes longer than most commands

        assert self._depth
        with self._errors():
            schema = SchemaDatabase(self._connection, recursive_triggers=False, execute_plugins=False)
            for migration in MIGRATIONS[version:]:
                migration(schema)

    # Reading and writing

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if "JSON cannot hold BLOB" in str(error):
                raise BlobInJsonError from error
            sentence = _sentence(error, self.path)
            if sentence is None:
                raise
            raise sentence from error

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing; inside another transaction, part of that one."""
        if self._depth:
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
            return
        with self._errors():
            self._connection.execute("BEGIN IMMEDIATE")
        self._depth = 1
        try:
            yield
            with self._errors():
                self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk may have ended it already
                with self._errors():
                    self._connection.execute("ROLLBACK")
            raise
        finally:
            self._depth = 0

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """All that is read inside is of one moment, whatever another process writes meanwhile."""
        if self._depth:
            yield
            return
        with self._errors():
            self._connection.execute("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                with self._errors():
                    self._connection.execute("ROLLBACK")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._depth > 0

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run one statement; returns how many rows it changed."""
        with self._errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            return cursor.rowcount

    def execute_many(self, sql: str, rows: Iterable[Sequence[Value]]) -> int:
        """Run one statement for each row; returns how many rows it changed."""
        with self._errors(), closing(self._connection.executemany(sql, rows)) as cursor:
            return cursor.rowcount

    def try_many(self, sql: str, rows: Sequence[Sequence[Value]]) -> bool:
        """Run one statement for each row, inside a transaction.

        False, and nothing done, if SQLite cannot hold a value: an integer of more than 64 bits, or text
        with a lone surrogate.
        """
        assert self._depth
        self.execute("SAVEPOINT many")
        try:
            self.execute_many(sql, rows)
        except (OverflowError, UnicodeEncodeError):
            self.execute("ROLLBACK TO many")
            return False
        finally:
            if self._connection.in_transaction:
                self.execute("RELEASE many")
        return True

    def rows(self, sql: str, parameters: Parameters = (), *, batch: int = 500) -> Iterator[Row]:
        """Yield the rows of a SELECT as they are read."""
        for rows in self.batches(sql, parameters, size=batch):
            yield from rows

    def batches(self, sql: str, parameters: Parameters = (), *, size: int = 500) -> Iterator[list[Row]]:
        """Yield the rows of a SELECT in lists of up to `size`."""
        with self._errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            while batch := cursor.fetchmany(size):
                yield batch

    def dicts(self, sql: str, parameters: Parameters = ()) -> Iterator[dict[str, Any]]:
        """Yield the rows of a SELECT as dicts by column."""
        with self._errors(), closing(self._connection.execute(sql, parameters)) as cursor:
            names = [column[0] for column in cursor.description]
            while batch := cursor.fetchmany(500):
                for row in batch:
                    yield dict(zip(names, row, strict=True))

    def row(self, sql: str, parameters: Parameters = ()) -> Row | None:
        """The first row of a SELECT, or None."""
        return next(self.rows(sql, parameters, batch=1), None)

    def value(self, sql: str, parameters: Parameters = ()) -> Any:  # noqa: ANN401  what SQLite holds
        """The first column of the first row, or None."""
        row = self.row(sql, parameters)
        return None if row is None else row[0]

    def record(self, sql: str, parameters: Parameters = ()) -> dict[str, Any] | None:
        """The first row of a SELECT as a dict, or None."""
        return next(self.dicts(sql, parameters), None)

    # Statements made from names that are ours (schema.COLUMNS), never from data

    def insert(self, table: str, values: Mapping[str, Value]) -> int:
        """Insert one row; returns its rowid."""
        assert set(values) <= set(COLUMNS[table]), (table, values)
        with (
            self._errors(),
            closing(
                self._connection.execute(insert_sql(table, tuple(values)), tuple(values.values()))
            ) as cursor,
        ):
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def update(self, table: str, row_id: int, values: Mapping[str, Value]) -> None:
        """Update the row with that `id`."""
        assert set(values) <= set(COLUMNS[table]), (table, values)
        sets = ", ".join(f'"{name}" = ?' for name in values)
        changed = self.execute(f'UPDATE "{table}" SET {sets} WHERE id = ?', (*values.values(), row_id))  # noqa: S608  names are ours
        assert changed == 1, (table, row_id)

    def next_id(self, table: str) -> int:
        """The id that the next row of `table` gets."""
        assert table in COLUMNS
        return 1 + int(self.value(f'SELECT coalesce(max(id), 0) FROM "{table}"'))  # noqa: S608  names are ours

    @contextmanager
    def without_indexes(self, table: str) -> Iterator[None]:
        """Add many rows to a table that has few: drop its indexes first, and make them anew at the end.

        Only inside a transaction, so that no one ever sees the table without them.
        """
        assert self._depth
        assert table in COLUMNS
        few = self.next_id(table) <= _BULK_LIMIT_ROWS
        indexes = list(
            self.rows(
                "SELECT name, sql FROM sqlite_master"
                " WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL ORDER BY name",
                (table,),
            )
        )
        if few:
            for name, _ in indexes:
                self.execute('DROP INDEX "{}"'.format(name.replace('"', '""')))
        yield
        if few:
            for _, sql in indexes:
                self.execute(sql)

    def schema(self) -> Iterator[Row]:
        """Yield (type, name, tbl_name, sql) of everything in the schema that is not SQLite's own."""
        return self.rows(
            "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE substr(name, 1, 7) <> 'sqlite_'"
            " ORDER BY type, name"
        )

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table as it is in the file, in order."""
        return tuple(
            row[0] for row in self.rows("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))
        )

    def functions(self) -> set[str]:
        """The SQL functions that this SQLite has."""
        return {row[0] for row in self.rows("SELECT name FROM pragma_function_list")}

    def problems(self) -> list[str]:
        """What SQLite's own check of pages and indexes finds, at most ten sentences."""
        return [row[0] for row in self.rows("PRAGMA integrity_check(10)") if row[0] != "ok"]

    def full_text_whole(self) -> bool:
        """Whether the index by words has exactly the paths of `entries` (FTS5 "integrity-check", rank 1).

        SQLite does this by a statement that writes, so the database must be open for writing.
        """
        check = "INSERT INTO entries_fts (entries_fts, rank) VALUES ('integrity-check', 1)"
        try:
            with closing(self._connection.execute(check)):
                return True
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT:
                return False
            raise

    def close(self) -> None:
        """Close the connection; what was not committed is rolled back."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def insert_sql(table: str, columns: tuple[str, ...]) -> str:
    """INSERT for these columns of a table; both are names of ours."""
    names = ", ".join(f'"{name}"' for name in columns)
    return f'INSERT INTO "{table}" ({names}) VALUES ({", ".join("?" * len(columns))})'  # noqa: S608  names are ours

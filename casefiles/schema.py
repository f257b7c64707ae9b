"""The tables of the case database (docs/reference/database.md), made by numbered migrations.

sqlite-utils makes them; it is imported only where a schema is made, since that takes longer than most
commands run.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sqlite_utils import Database as SchemaDatabase


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_INTEGER = frozenset(
    _words(
        """
    id evidence_id acquisition_id volume_id entry_id parent_id columns rows
    sector_size_bytes sector_count size_bytes sectors_read sectors_unread sectors_filled verified resumed
    number session start_lba length_sectors pregap_sectors entries anomalies findings
    sectors_owned sectors_unowned ordinal block_size_bytes deleted mode uid gid links inode hidden flags
    record_lba record_offset length_bytes offset_bytes lba offset
    """
    )
)
BLOB_COLUMNS = frozenset({"name_raw", "row_checks"})
"""Columns of bytes; no other column holds any."""


class Table(NamedTuple):
    """A table as it is declared: columns in order; `references` are (column, table) to that table's id."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...] = ("id",)
    references: tuple[tuple[str, str], ...] = ()
    indexes: tuple[tuple[str, ...], ...] = ()
    text: frozenset[str] = frozenset()  # columns that are TEXT here, INTEGER elsewhere
    integer: frozenset[str] = frozenset()  # the reverse

    def types(self) -> dict[str, type]:
        """The Python type of each column, by name."""
        return {name: self._type(name) for name in self.columns}

    def _type(self, name: str) -> type:
        if name in BLOB_COLUMNS:
            return bytes
        whole = (name in _INTEGER or name in self.integer) and name not in self.text
        return int if whole else str


_EVIDENCE = ("evidence_id", "evidence")
_VOLUME = ("volume_id", "volumes")
_ENTRY = ("entry_id", "entries")

TABLES_1 = (
    Table("meta", ("key", "value"), key=("key",)),
    Table(
        "cases",
        _words("id number examiner agency authority notes created"),
        text=frozenset({"number"}),
    ),
    Table(
        "evidence",
        _words("id label description acquired_by source source_kind created source_path"),
    ),
    Table(
        "acquisitions",
        _words(
            """
            id evidence_id state format path files sector_size_bytes sector_count size_bytes sectors_read
            sectors_unread sectors_filled unread md5 sha1 sha256 sha512 blake2b verified verify_detail started
            ended resumed tool_version record
            """
        ),
        references=(_EVIDENCE,),
        indexes=(("evidence_id",),),
    ),
    Table(
        "blocks",
        _words("acquisition_id file offset_bytes length_bytes sha256"),
        key=("acquisition_id", "file", "offset_bytes"),
        references=(("acquisition_id", "acquisitions"),),
    ),
    Table(
        "sessions",
        _words("id evidence_id number start_lba length_sectors recorded"),
        references=(_EVIDENCE,),
        indexes=(("evidence_id",),),
        integer=frozenset({"recorded"}),
    ),
    Table(
        "tracks",
        _words("id evidence_id session number mode start_lba length_sectors pregap_sectors isrc"),
        references=(_EVIDENCE,),
        indexes=(("evidence_id",),),
        text=frozenset({"mode"}),
    ),
    Table(
        "analyses",
        _words(
            """
            id evidence_id state started ended tool_version entries anomalies findings sectors_owned
            sectors_unowned content_sha256
            """
        ),
        references=(_EVIDENCE,),
        indexes=(("evidence_id",),),
    ),
    Table(
        "volumes",
        _words(
            """
            id evidence_id ordinal kind label session start_lba block_size_bytes length_sectors created
            modified expires effective system_id volume_set_id publisher preparer application attributes
            """
        ),
        references=(_EVIDENCE,),
        indexes=(("evidence_id",),),
    ),
    Table(
        "entries",
        _words(
            """
            id volume_id ordinal parent_id path name kind size_bytes deleted modified created accessed changed
            recorded backup expires effective mode uid gid links inode device link_target hidden flags
            identifier name_raw record_lba record_offset attributes md5 sha1 sha256 content
            """
        ),
        references=(_VOLUME, ("parent_id", "entries")),
        indexes=(("volume_id", "path"), ("volume_id", "parent_id")),
    ),
    Table(
        "extents",
        _words("entry_id stream ordinal start_lba length_bytes offset_bytes"),
        key=("entry_id", "stream", "ordinal"),
        references=(_ENTRY,),
    ),
    Table(
        "streams",
        _words("entry_id stream size_bytes md5 sha1 sha256 content"),
        key=("entry_id", "stream"),
        references=(_ENTRY,),
    ),
    Table(
        "anomalies",
        _words("id evidence_id volume_id entry_id code lba offset message clause seen expected path"),
        references=(_EVIDENCE, _VOLUME, _ENTRY),
        indexes=(("evidence_id",),),
    ),
    Table(
        "findings",
        _words("id evidence_id volume_id entry_id code severity title detail lba length_bytes path"),
        references=(_EVIDENCE, _VOLUME, _ENTRY),
        indexes=(("evidence_id",),),
    ),
    Table(
        "seals",
        _words("id evidence_id action name volume_id columns rows sha256 row_checks"),
        references=(_EVIDENCE,),
        indexes=(("evidence_id",),),
    ),
    Table("custody", _words("id at actor action detail previous_sha256 sha256")),
)

COLUMNS = {table.name: table.columns for table in TABLES_1}
"""The columns of every table, in their order, at the newest schema version."""
KEYS = {table.name: table.key for table in TABLES_1}
"""The columns of every table's primary key."""

# sqlite-utils declares neither a table without rowid (a third smaller and faster for rows that are
# their key) nor an index without regard to case, nor FTS5's columnsize=0 (three times faster to fill;
# phrases and ranking still work), nor triggers. These are its own words with those added.
_KEYED = """
CREATE TABLE "{name}" ({columns}, PRIMARY KEY ({key})) WITHOUT ROWID
"""
_ONE_LABEL = 'CREATE UNIQUE INDEX "evidence_label" ON "evidence" ("label" COLLATE NOCASE)'
_FTS = 'CREATE VIRTUAL TABLE "entries_fts" USING FTS5 (\n    "path", columnsize=0,\n    content="entries"\n)'
# Filling it writes fewer and longer runs, a third faster; at most this much memory while it is filled.
_FTS_BUFFER = "INSERT INTO entries_fts (entries_fts, rank) VALUES ('hashsize', 33554432)"
_APPEND_ONLY = (
    """
    CREATE TRIGGER "custody_no_update" BEFORE UPDATE ON "custody"
    BEGIN SELECT RAISE(ABORT, 'the custody log is append-only'); END
    """,
    """
    CREATE TRIGGER "custody_no_delete" BEFORE DELETE ON "custody"
    BEGIN SELECT RAISE(ABORT, 'the custody log is append-only'); END
    """,
    """
    CREATE TRIGGER "custody_in_order" BEFORE INSERT ON "custody"
    WHEN NEW.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM custody)
      OR NEW.previous_sha256 IS NOT coalesce((SELECT sha256 FROM custody ORDER BY id DESC LIMIT 1), '{zeros}')
    BEGIN SELECT RAISE(ABORT, 'a custody event continues the log'); END
    """.replace("{zeros}", "0" * 64),
)


def _make(db: "SchemaDatabase", table: Table) -> None:
    """Make one table and its indexes."""
    if len(table.key) > 1:
        sql_types = {int: "INTEGER", str: "TEXT", bytes: "BLOB"}
        references = dict(table.references)
        columns = ", ".join(
            f'"{name}" {sql_types[kind]}'
            + (f' REFERENCES "{references[name]}"("id")' if name in references else "")
            for name, kind in table.types().items()
        )
        key = ", ".join(f'"{name}"' for name in table.key)
        db.execute(_KEYED.format(name=table.name, columns=columns, key=key).strip())
        return
    db.table(table.name).create(
        table.types(),
        pk=table.key[0],
        foreign_keys=[(column, other, "id") for column, other in table.references],
    )
    for index in table.indexes:
        db.table(table.name).create_index(index, index_name="_".join((table.name, *index)))


def _version_1(db: "SchemaDatabase") -> None:
    """The first schema."""
    for table in TABLES_1:
        _make(db, table)
    db.execute(_ONE_LABEL)
    db.execute(_FTS)
    db.execute(_FTS_BUFFER)
    for trigger in _APPEND_ONLY:
        db.execute("\n".join(line.strip() for line in trigger.strip().splitlines()))


MIGRATIONS: "tuple[Callable[[SchemaDatabase], None], ...]" = (_version_1,)
"""Each brings the database from version N to N + 1; never changed once released, only added to."""
SCHEMA_VERSION = len(MIGRATIONS)

BULK_TABLES = ("entries",)
"""Tables whose indexes are made anew after many rows at once."""

"""The case database: its schema is the documented one, and what goes wrong with it is one sentence."""

import ast
import contextlib
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from acquire.errors import CaseBusyError, CaseError, DestinationError, DiskFullError
from analyze.entry import Entry
from analyze.volume import VolumeInfo
from casefiles import database as database_module
from casefiles import query, schema
from casefiles.case import Case
from casefiles.database import BlobInJsonError, Database

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "database.md"


def documented() -> dict[str, list[tuple[str, str]]]:
    """Columns and types by table, as docs/reference/database.md lists them."""
    tables: dict[str, list[tuple[str, str]]] = {}
    name = ""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("## "):
            name = line[3:]
            tables[name] = []
        elif match := re.match(r"\| `(\w+)` \| (\w*) ?\|", line):
            tables[name].append((match[1], match[2]))
    return tables


@pytest.fixture
def fresh(tmp_path):
    """An empty database with the newest schema."""
    database = Database.create(tmp_path / "case.db")
    with database.transaction():
        database.insert("meta", {"key": "schema_version", "value": str(schema.SCHEMA_VERSION)})
    yield database
    database.close()


def test_the_schema_is_the_documented_one_table_by_table_and_column_by_column(fresh):
    """Read from the file by SQLite, against the document, in order and with types, and nothing beside it."""
    real = {}
    for kind, name, _, _ in fresh.schema():
        if kind == "table" and not re.match(r"entries_fts_", name):
            rows = fresh.rows("SELECT name, type FROM pragma_table_info(?) ORDER BY cid", (name,))
            real[name] = [tuple(row) for row in rows]
    assert real == documented()


def test_primary_keys_are_the_documented_ones(fresh):
    text = DOCUMENT.read_text()
    for table, key in schema.KEYS.items():
        rows = fresh.rows("SELECT name FROM pragma_table_info(?) WHERE pk ORDER BY pk", (table,))
        assert tuple(name for (name,) in rows) == key
        if len(key) > 1:
            section = text.split(f"## {table}\n")[1].split("\n## ")[0]
            words = re.search(r"Primary key:\s*([^.]*)\.", section)
            assert words is not None
            assert tuple(re.findall(r"`(\w+)`", words[1])) == key


def test_every_column_that_names_a_row_is_a_foreign_key(fresh):
    """So that Datasette and others link them; and `foreign_key_check` has no rows in a new database."""
    for table, columns in schema.COLUMNS.items():
        keys = {row[3]: row[2] for row in fresh.rows("SELECT * FROM pragma_foreign_key_list(?)", (table,))}
        expected = {
            column
            for column in columns
            if column.endswith("_id") and (table, column) != ("volumes", "system_id")
        }
        expected -= {"volume_set_id"} | ({"volume_id"} if table == "seals" else set())
        assert set(keys) == expected, table
        for column, owner in keys.items():
            assert owner in schema.COLUMNS
            assert column == "parent_id" or owner.startswith(column[:4]), (table, column)


def test_every_field_of_an_entry_and_of_a_volume_has_its_column():
    """A field that analyze adds must not be lost silently."""
    assert set(Entry._fields) - {"volume", "parent", "streams"} <= set(schema.COLUMNS["entries"])
    assert set(VolumeInfo._fields) <= set(schema.COLUMNS["volumes"])


def test_only_one_module_imports_sqlite():
    """HOUSE rule: everything else goes through casefiles.database (schema.py names its type only)."""
    for path in (
        *(ROOT / "casefiles").glob("*.py"),
        *(ROOT / "report").rglob("*.py"),
        *(ROOT / "jewelcase").rglob("*.py"),
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.startswith(("sqlite3", "sqlite_utils")) for name in names):
                assert path.name in {"database.py", "schema.py"}, path


def test_statements_are_never_made_of_data():
    """Only names from the schema reach a statement that is put together."""
    with Database.in_memory() as database, pytest.raises(AssertionError), database.transaction():
        database.insert("custody", {'id", (SELECT 1)) --': 1})
    with Database.in_memory() as database, pytest.raises(AssertionError):
        database.next_id("custody; DROP TABLE custody")


def test_the_index_by_words_finds_phrases_and_is_ranked(fresh):
    """FTS5 without column sizes still knows positions: 'annual report' is a phrase, not two words."""
    with fresh.transaction():
        for number, path in enumerate(("/Annual Report.doc", "/report/annual.doc", "/other"), 1):
            fresh.insert("entries", {"id": number, "path": path})
        fresh.execute("INSERT INTO entries_fts (rowid, path) SELECT id, path FROM entries")
    find = "SELECT rowid FROM entries_fts WHERE entries_fts MATCH ? ORDER BY rank"
    assert [row[0] for row in fresh.rows(find, ('"annual report"',))] == [1]
    assert sorted(row[0] for row in fresh.rows(find, ("annual report",))) == [1, 2]


def test_sqlite_utils_knows_the_index_by_words(fresh):
    """The names and the form are those that sqlite-utils and Datasette look for."""
    import sqlite_utils  # noqa: PLC0415  slow to import

    assert sqlite_utils.Database(fresh._connection).table("entries").detect_fts() == "entries_fts"


# What may be wrong with the file


def refusal(folder: Path, *, write: bool) -> CaseError:
    with pytest.raises(CaseError) as caught:
        Case.open(folder, write=write)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    return caught.value


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            b"this is not a database, it is a long enough text to be taken for one by its size alone" * 100,
            "not an SQLite database",
        ),
        (b"", "not of a case"),
        (b"SQLite format 3\0" + b"\xff" * 4000, "not an SQLite database|damaged"),
    ],
)
def test_a_file_that_is_no_database_is_refused_in_one_sentence(case_folder, content, sentence, write):
    (case_folder / "case.db").write_bytes(content)
    assert re.search(sentence, str(refusal(case_folder, write=write)))
    assert (case_folder / "case.db").read_bytes() == content


@pytest.mark.parametrize("write", [True, False])
def test_somebody_elses_database_is_refused(case_folder, write):
    (case_folder / "case.db").unlink()
    connection = sqlite3.connect(case_folder / "case.db")
    connection.execute("CREATE TABLE meta (key, value)")
    connection.close()
    assert "not of a case" in str(refusal(case_folder, write=write))


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize("version", ["2", "99"])
def test_a_newer_version_is_refused(case_folder, tamper, version, write):
    tamper("UPDATE meta SET value = ? WHERE key = 'schema_version'", version)
    assert f"version {version}" in str(refusal(case_folder, write=write))


@pytest.mark.parametrize("value", ["", "one", "-1", "0", "１", None, b"1"])
def test_a_database_that_does_not_say_its_version_is_damaged(case_folder, tamper, value):
    tamper("UPDATE meta SET value = ? WHERE key = 'schema_version'", value)
    assert "damaged" in str(refusal(case_folder, write=True))


def test_a_database_without_its_tables_is_damaged(case_folder, tamper):
    tamper("DROP TABLE meta")
    assert "damaged" in str(refusal(case_folder, write=False))


def test_an_older_case_is_brought_up_to_date_and_the_log_says_so(case_folder, monkeypatch):
    """A second migration adds a column; opening for reading refuses, for writing migrates, once."""

    def version_2(db):
        db.table("cases").add_column("place", str)

    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, version_2))
    monkeypatch.setattr(database_module, "MIGRATIONS", schema.MIGRATIONS)
    monkeypatch.setattr("casefiles.store.SCHEMA_VERSION", 2)
    assert "up to date" in str(refusal(case_folder, write=False))
    for _ in range(2):
        with Case.open(case_folder) as case:
            assert [
                event["detail"]["to"] for event in query.custody(case) if event["action"] == "schema-migrated"
            ] == [2]
            assert query.case_record(case)["place"] is None
            assert [check for check in case.verify() if not check.ok] == []


# Reading where nothing can be written


def as_nobody(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run Python `code` as a user who owns nothing, with the case folder as its argument."""
    script = (
        "import os, sys\n"
        "from casefiles.case import Case\n"
        "from casefiles import query\n"
        "os.setgid(65534); os.setuid(65534)\n" + code
    )
    return subprocess.run(
        [sys.executable, "-c", script, folder], capture_output=True, text=True, check=False, cwd=ROOT
    )


@pytest.fixture
def read_only_folder(finished_case, tmp_path_factory):
    """The finished case where another user may read everything and write nothing."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    place = Path("/tmp") / f"jewelcase-read-only-{os.getpid()}"  # noqa: S108  pytest's own folders are private
    shutil.copytree(finished_case, place)
    for path in (place, *place.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield place
    for path in (place, *place.rglob("*")):
        path.chmod(stat.S_IRWXU)
    shutil.rmtree(place)


def test_a_case_on_a_read_only_medium_is_read_and_verified(read_only_folder):
    done = as_nobody(
        read_only_folder,
        "with Case.open(sys.argv[1], write=False) as case:\n"
        "    print(len(query.evidence(case)), all(check.ok for check in case.verify()), case.writable)\n",
    )
    assert done.stdout == "2 True False\n", done.stderr


def test_a_case_on_a_read_only_medium_is_not_written(read_only_folder):
    done = as_nobody(
        read_only_folder,
        "from acquire.errors import JewelcaseError\n"
        "try: Case.open(sys.argv[1])\n"
        "except JewelcaseError as error: print(type(error).__name__, error)\n",
    )
    assert done.stdout.startswith("DestinationError No permission to write to the case"), done.stderr


def test_an_interrupted_write_on_a_read_only_medium_is_not_guessed_at(read_only_folder):
    """A hot journal means the file's pages are half new; without writing they cannot be put right."""
    database = read_only_folder / "case.db"
    copy = read_only_folder / "copy.db"
    shutil.copy(database, copy)
    code = (
        "import sqlite3, sys, os\n"
        "c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 1'); c.execute('BEGIN')\n"
        "c.execute('UPDATE extents SET length_bytes = length_bytes + 1')\n"
        "c.execute('UPDATE entries SET name = name || name || name || name')\n"
        "os._exit(9)\n"
    )
    copy.chmod(0o644)
    subprocess.run([sys.executable, "-c", code, copy], check=False)
    journal = read_only_folder / "copy.db-journal"
    assert journal.stat().st_size > 0
    database.unlink()
    copy.rename(database)
    journal.rename(read_only_folder / "case.db-journal")
    for path in (database, read_only_folder / "case.db-journal"):
        path.chmod(0o444)
    done = as_nobody(
        read_only_folder,
        "from acquire.errors import JewelcaseError\n"
        "try: Case.open(sys.argv[1], write=False)\n"
        "except JewelcaseError as error: print(type(error).__name__, error)\n",
    )
    assert done.stdout.startswith("CaseError A write to this case was interrupted"), done.stdout + done.stderr
    with Case.open(read_only_folder, write=False) as case:  # root may write: it is rolled back
        assert all(check.ok for check in case.verify())


# Transactions and their errors


def test_a_transaction_is_all_or_nothing(fresh):
    with contextlib.suppress(ZeroDivisionError), fresh.transaction():
        fresh.insert("meta", {"key": "a", "value": "b"})
        raise ZeroDivisionError
    assert fresh.value("SELECT count(*) FROM meta WHERE key = 'a'") == 0
    with fresh.transaction():
        with fresh.transaction():
            fresh.insert("meta", {"key": "a", "value": "b"})
        assert fresh.in_transaction
    assert not fresh.in_transaction
    assert fresh.value("SELECT value FROM meta WHERE key = 'a'") == "b"


def test_a_full_disk_is_said_and_what_was_there_stays(fresh):
    """SQLite's own limit of pages stands for the disk: the same error code as ENOSPC gives."""
    fresh.execute(f"PRAGMA max_page_count = {fresh.value('PRAGMA page_count') + 2}")
    many = [(str(number), "x" * 500) for number in range(1000)]
    with pytest.raises(DiskFullError, match="No space left") as caught, fresh.transaction():
        fresh.execute_many("INSERT INTO meta VALUES (?, ?)", many)
    assert "same command again" in str(caught.value)
    assert fresh.value("SELECT count(*) FROM meta") == 1
    with fresh.transaction():
        fresh.insert("meta", {"key": "a", "value": "b"})


def test_another_program_that_holds_the_database_is_waited_for_and_then_named(fresh, monkeypatch):
    other = sqlite3.connect(fresh.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    fresh.execute("PRAGMA busy_timeout = 50")
    with pytest.raises(CaseBusyError), fresh.transaction():
        pass
    other.close()
    with fresh.transaction():
        pass


def test_a_mistake_of_ours_stays_a_mistake(fresh):
    with pytest.raises(sqlite3.OperationalError):
        fresh.execute("SELEKT 1")
    with pytest.raises(sqlite3.ProgrammingError):
        fresh.execute("SELECT ?", (1, 2))


def test_text_that_is_no_utf_8_is_damage(fresh):
    with pytest.raises(CaseError, match="damaged"):
        fresh.value("SELECT CAST(x'ff' AS TEXT)")


def test_json_with_a_blob_is_told_apart(fresh):
    with pytest.raises(BlobInJsonError):
        fresh.value("SELECT json_array(x'00')")


def test_a_path_with_characters_of_a_uri_is_only_a_path(tmp_path):
    for name in ("a?mode=memory", "a#b", "a%20b", "a b", "é", "a&cache=shared"):
        (tmp_path / name).mkdir()
        Database.create(tmp_path / name / "case.db").close()
        assert (tmp_path / name / "case.db").stat().st_size > 0


INDEXES = "SELECT count(*) FROM sqlite_master WHERE type = 'index' AND tbl_name = 'entries'"


def test_many_rows_are_added_without_indexes_and_they_are_back_as_they_were(fresh):
    before = list(fresh.schema())
    with fresh.transaction(), fresh.without_indexes("entries"):
        assert fresh.value(INDEXES) == 0
        fresh.insert("entries", {"id": 1, "volume_id": 1, "path": "/a"})
    assert list(fresh.schema()) == before
    assert fresh.problems() == []


def test_a_table_with_many_rows_keeps_its_indexes(fresh):
    with fresh.transaction():
        fresh.insert("entries", {"id": 2_000_000, "volume_id": 1, "path": "/a"})
        with fresh.without_indexes("entries"):
            assert fresh.value(INDEXES) == 2


def test_a_folder_that_cannot_be_written_is_a_destination_error(tmp_path):
    with pytest.raises(DestinationError):
        Database.create(tmp_path / "no such folder" / "case.db")

"""What a case holds, as plain dicts: for the report, the command line and other programs. Reads only.

Column names are those of docs/reference/database.md; columns that are JSON come as Python values. Lists
that grow with the evidence are iterators that read as they go.
"""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from acquire.errors import UsageError
from casefiles.canonical import whole_text
from casefiles.custody import check_chain, check_mirror
from casefiles.database import Parameters

if TYPE_CHECKING:
    from casefiles.case import Case

Record = dict[str, Any]

_ENTRIES = """
SELECT e.*, x.start_lba AS start_lba,
    (SELECT count(*) FROM extents AS n WHERE n.entry_id = e.id AND n.stream = '') AS extent_count,
    (SELECT count(*) FROM streams AS s WHERE s.entry_id = e.id) AS stream_count
FROM entries AS e LEFT JOIN extents AS x ON x.entry_id = e.id AND x.stream = '' AND x.ordinal = 0
"""


def _records(case: "Case", sql: str, parameters: Parameters = (), *json_columns: str) -> Iterator[Record]:
    for record in case.database.dicts(sql, parameters):
        for column in json_columns:
            if record[column] is not None:
                record[column] = _value(record[column])
        yield record


def _value(text: str) -> Any:  # noqa: ANN401  JSON
    """A JSON column's value; its text where it is not JSON (`verify` says so too)."""
    try:
        return json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return text


def case_record(case: "Case") -> Record:
    """The row of `cases`, and `folder`, the case's path."""
    record = next(_records(case, "SELECT * FROM cases"), {})
    return record | {"folder": str(case.folder.root)}


def meta(case: "Case") -> dict[str, str]:
    """The rows of `meta`."""
    return dict(case.database.rows("SELECT key, value FROM meta ORDER BY key"))


def evidence(case: "Case") -> list[Record]:
    """Every exhibit."""
    return list(_records(case, "SELECT * FROM evidence ORDER BY id"))


def acquisitions(case: "Case", evidence_id: int) -> list[Record]:
    """The acquisitions of an exhibit; `files`, `unread` and `record` are read."""
    sql = "SELECT * FROM acquisitions WHERE evidence_id = ? ORDER BY id"
    return list(_records(case, sql, (evidence_id,), "files", "unread", "record"))


def sessions(case: "Case", evidence_id: int) -> list[Record]:
    """The sessions of an exhibit."""
    return list(_records(case, "SELECT * FROM sessions WHERE evidence_id = ? ORDER BY id", (evidence_id,)))


def tracks(case: "Case", evidence_id: int) -> list[Record]:
    """The tracks of an exhibit."""
    return list(_records(case, "SELECT * FROM tracks WHERE evidence_id = ? ORDER BY id", (evidence_id,)))


def analyses(case: "Case", evidence_id: int) -> list[Record]:
    """The analyses of an exhibit, the newest last; the newest that is not `replaced` counts."""
    return list(_records(case, "SELECT * FROM analyses WHERE evidence_id = ? ORDER BY id", (evidence_id,)))


def volumes(case: "Case", evidence_id: int) -> list[Record]:
    """The volumes of an exhibit; `attributes` is read."""
    sql = "SELECT * FROM volumes WHERE evidence_id = ? ORDER BY id"
    return list(_records(case, sql, (evidence_id,), "attributes"))


def entries(case: "Case", volume_id: int) -> Iterator[Record]:
    """The entries of a volume by path, with `start_lba`, `extent_count` (of the data), `stream_count`."""
    sql = f"{_ENTRIES} WHERE e.volume_id = ? ORDER BY e.path, e.id"
    return _records(case, sql, (volume_id,), "attributes")


def children(case: "Case", volume_id: int, parent_id: int | None, *, directories: bool) -> Iterator[Record]:
    """The directories in a directory (None: the root), or all that is not one, by name.

    What has no directory of its volume for a parent is in the root: every entry has its place, but in a
    database in which directories were made to hold each other.
    """
    place, values = _place(parent_id)
    sql = f"{_ENTRIES} WHERE e.volume_id = ? AND {place} AND (e.kind = 'directory') = ? ORDER BY e.name, e.id"
    return _records(case, sql, (volume_id, *values, int(directories)), "attributes")


def child_counts(case: "Case", volume_id: int, parent_id: int | None) -> dict[str, int]:
    """How many entries of each kind are in a directory (None: the root); as `children`."""
    place, values = _place(parent_id)
    sql = (
        f"SELECT kind, count(*) FROM entries AS e WHERE volume_id = ? AND {place} GROUP BY kind ORDER BY kind"  # noqa: S608  one of two conditions
    )
    return dict(case.database.rows(sql, (volume_id, *values)))


def _place(parent_id: int | None) -> tuple[str, tuple[int, ...]]:
    """The condition for being in that directory, and its values."""
    if parent_id is not None:
        return "e.parent_id = ?", (parent_id,)
    directory = "SELECT 1 FROM entries AS d WHERE d.id = e.parent_id AND d.kind = 'directory'"
    return f"(e.parent_id IS NULL OR NOT EXISTS ({directory} AND d.volume_id = e.volume_id))", ()


def extents(case: "Case", entry_id: int) -> list[Record]:
    """The extents of an entry, the data's first."""
    sql = "SELECT * FROM extents WHERE entry_id = ? ORDER BY stream, ordinal"
    return list(_records(case, sql, (entry_id,)))


def streams(case: "Case", entry_id: int) -> list[Record]:
    """The streams of an entry other than the data."""
    return list(_records(case, "SELECT * FROM streams WHERE entry_id = ? ORDER BY stream", (entry_id,)))


def anomalies(case: "Case", evidence_id: int) -> Iterator[Record]:
    """The anomalies of an exhibit, as they were met."""
    return _records(case, "SELECT * FROM anomalies WHERE evidence_id = ? ORDER BY id", (evidence_id,))


def findings(case: "Case", evidence_id: int) -> Iterator[Record]:
    """The findings of an exhibit, as they were made."""
    return _records(case, "SELECT * FROM findings WHERE evidence_id = ? ORDER BY id", (evidence_id,))


def custody(case: "Case") -> Iterator[Record]:
    """Every event of the custody log; `detail` is read."""
    return _records(case, "SELECT * FROM custody ORDER BY id", (), "detail")


def volume_counts(case: "Case", volume_id: int) -> Record:
    """What the entries of a volume come to."""
    rows = case.database.rows
    one = (volume_id,)
    by_kind = "SELECT kind, count(*) FROM entries WHERE volume_id = ? GROUP BY kind ORDER BY kind"
    by_content = (
        "SELECT content, count(*) FROM entries WHERE volume_id = ? AND kind = 'file'"
        " GROUP BY content ORDER BY content"
    )
    # In two halves: the sum of what hostile directories claim can exceed 64 bits.
    sums = (
        "SELECT sum(CASE WHEN kind = 'file' THEN size_bytes >> 32 END),"
        " sum(CASE WHEN kind = 'file' THEN size_bytes & 4294967295 END),"
        " count(CASE WHEN deleted THEN 1 END) FROM entries WHERE volume_id = ?"
    )
    high, low, deleted = case.database.row(sums, one) or (0, 0, 0)
    return {
        "entries_by_kind": dict(rows(by_kind, one)),
        "files_by_content": dict(rows(by_content, one)),
        "file_bytes": ((high or 0) << 32) + (low or 0),
        "deleted": deleted,
    }


def anomaly_counts(case: "Case", evidence_id: int) -> dict[str, int]:
    """How many anomalies of each code an exhibit has."""
    sql = "SELECT code, count(*) FROM anomalies WHERE evidence_id = ? GROUP BY code ORDER BY code"
    return dict(case.database.rows(sql, (evidence_id,)))


def finding_counts(case: "Case", evidence_id: int) -> dict[str, int]:
    """How many findings of each severity an exhibit has."""
    sql = "SELECT severity, count(*) FROM findings WHERE evidence_id = ? GROUP BY severity ORDER BY severity"
    return dict(case.database.rows(sql, (evidence_id,)))


def chain(case: "Case") -> Record:
    """Whether both copies of the custody log are whole; `message` names the first bad link."""
    state = check_chain(case.database)
    mirror = check_mirror(case.database, case.folder.custody)
    if state.bad is not None:
        message = f"Event {state.bad.event} {state.bad.what}."
    elif mirror.kind != "same":
        message = f"The second copy differs from event {mirror.event} on: {mirror.what}."
    else:
        message = f"{state.events} events, each continuing the one before; both copies agree."
    return {
        "ok": state.bad is None and mirror.kind == "same",
        "events": state.events,
        "head_sha256": state.head_sha256,
        "message": message,
    }


def search(case: "Case", words: str) -> Iterator[Record]:
    """Entries whose path holds all the words (FTS5 over `entries_fts`), by volume and path.

    Each word is taken literally, and matches without regard to case and accents; a word that is
    punctuated ("report.doc") matches as a phrase.

    Raises:
        UsageError: there is no word.
    """
    terms = whole_text(words).replace("\0", " ").split()
    if not any(character.isalnum() for character in words):
        raise UsageError("Nothing to search for", do="Give at least one word")
    quoted = " ".join('"' + term.replace('"', '""') + '"' for term in terms)
    where = "e.id IN (SELECT rowid FROM entries_fts WHERE entries_fts MATCH ?)"
    sql = f"{_ENTRIES} WHERE {where} ORDER BY e.volume_id, e.path, e.id"
    return _records(case, sql, (quoted,), "attributes")

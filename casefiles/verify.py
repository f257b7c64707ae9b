"""Verification: the case as it is against what its custody log and its digests say it was."""

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from acquire.errors import CaseError, DestinationError, JewelcaseError
from acquire.progress import Progress
from casefiles.check import Check, differs, note, same
from casefiles.custody import check_chain, check_mirror
from casefiles.exhibit import chosen_exhibits
from casefiles.rows import ExhibitRows, Log, changed_columns
from casefiles.seal import schema_sha256
from casefiles.store import Store
from casefiles.wholeness import check_exhibit_files, check_reports, check_strange_folders

_LISTED = 20
CUSTODY = "custody log"
MIRROR = "custody log, second copy"
DATABASE = "case database"

# Rows that belong to nothing are sealed by nothing.
_ORPHANS = (
    ("acquisitions", "evidence_id", "evidence"),
    ("analyses", "evidence_id", "evidence"),
    ("volumes", "evidence_id", "evidence"),
    ("sessions", "evidence_id", "evidence"),
    ("tracks", "evidence_id", "evidence"),
    ("anomalies", "evidence_id", "evidence"),
    ("findings", "evidence_id", "evidence"),
    ("seals", "evidence_id", "evidence"),
    ("blocks", "acquisition_id", "acquisitions"),
    ("entries", "volume_id", "volumes"),
    ("extents", "entry_id", "entries"),
    ("streams", "entry_id", "entries"),
)


def verify_case(
    store: Store, label: str | None = None, *, progress: Callable[[Progress], None] | None = None
) -> list[Check]:
    """Check everything, or one exhibit and what all share.

    The result is an event of the log, if the case is open for writing.

    Raises:
        CaseError: no exhibit of that label.
    """
    chosen = None if label is None else {exhibit.id for exhibit in chosen_exhibits(store.database, label)}
    checks = list(_verify(store, chosen, progress))
    if store.writable:
        try:
            _record(store, label, checks)
        except DestinationError as error:
            checks.append(note(CUSTODY, f"This verification could not be recorded: {error.what}"))
        except CaseError as error:
            checks.append(differs(CUSTODY, f"This verification could not be recorded: {error.what}"))
    return checks


def _record(store: Store, label: str | None, checks: list[Check]) -> None:
    """The verification as an event."""
    bad = [check for check in checks if not check.ok]
    with store.log.transaction():
        store.log.add(
            "verify-done",
            {
                "label": label,
                "ok": not bad,
                "checks": len(checks),
                "notes": sum(check.severity == "note" for check in checks),
                "differs": [{"subject": check.subject, "where": check.where} for check in bad[:_LISTED]],
            },
        )


def _verify(
    store: Store, chosen: set[int] | None, progress: Callable[[Progress], None] | None
) -> Iterator[Check]:
    """Every part; what makes one impossible to check is a difference of that part."""
    log = Log()
    yield from _guarded(CUSTODY, _check_chain(store))
    yield from _guarded(MIRROR, _check_mirror(store))
    yield from _guarded(DATABASE, _check_database(store, log))
    yield from _guarded(DATABASE, _know_exhibits(store, log))
    yield from _guarded(DATABASE, _check_case_rows(store, log))
    yield from _guarded(DATABASE, _check_orphans(store))
    if not log.read:
        return
    ids = log.exhibit_ids()
    for evidence_id in sorted(ids if chosen is None else chosen):
        rows = ExhibitRows(store.database, log, evidence_id)
        yield from _guarded(rows.subject, rows.check())
        yield from _guarded(rows.subject, check_exhibit_files(store, log, evidence_id, progress))
    if chosen is None:
        yield from _guarded("case folder", check_strange_folders(store))
        yield from _guarded("case folder", check_reports(store, log))


def _guarded(subject: str, checks: Iterable[Check]) -> Iterator[Check]:
    """The checks; an error of the world while checking is what is wrong."""
    try:
        yield from checks
    except JewelcaseError as error:
        yield differs(subject, f"It cannot be checked: {error.what}", error.where or "")


def _check_chain(store: Store) -> Iterator[Check]:
    """Whether each event continues the one before."""
    state = check_chain(store.database)
    if state.bad is not None:
        bad = state.bad
        yield differs(
            CUSTODY, f"Event {bad.event} {bad.what}", f"custody, id {bad.event}", bad.seen, bad.expected
        )
    else:
        yield same(
            CUSTODY, f"{state.events} events, each continuing the one before; head {state.head_sha256}"
        )
    for event in state.backwards[:_LISTED]:
        yield note(CUSTODY, f"Event {event} is dated before the one before it", f"custody, id {event}")


def _check_mirror(store: Store) -> Iterator[Check]:
    """Whether the second copy says the same."""
    found = store.log.found if store.writable else None
    completed = 0
    for event, text in store.database.rows(
        "SELECT id, detail FROM custody WHERE action = 'mirror-completed' ORDER BY id"
    ):
        completed = event
        lacked = _lacked(text)
        yield note(MIRROR, f"Event {event} says that it was completed: {lacked}", f"custody, id {event}")
    state = check_mirror(store.database, store.folder.custody)
    if found is not None and found.kind == "short":
        message = (
            f"It lacked the end of the log from event {found.event} on ({found.what}) when it was opened,"
            f" and was completed (event {completed}); an interrupted write leaves that, and so does removing"
            " a line"
        )
        yield differs(
            MIRROR, message, f"log/custody.jsonl, line {found.event}", f"{found.lacked} events missing"
        )
    if state.kind == "same":
        yield same(MIRROR, "It is the same to the byte")
    else:
        what = f"It differs from event {state.event} on: {state.what}"
        yield differs(MIRROR, what, f"log/custody.jsonl, line {state.event}", state.seen, state.expected)


def _lacked(text: object) -> str:
    try:
        detail = json.loads(str(text))
        return f"it lacked {detail['lacked_events']} from event {detail['first_id']} on"
    except (ValueError, KeyError, TypeError):
        return "it lacked events"


def _check_database(store: Store, log: Log) -> Iterator[Check]:
    """Whether SQLite finds its pages whole, and the schema is the one that the log speaks of."""
    problems = store.database.problems()
    if problems:
        for problem in problems:
            yield differs(DATABASE, "SQLite finds it damaged", seen=problem)
    else:
        yield same(DATABASE, "SQLite finds its pages and indexes whole")
        yield _check_full_text(store)
    log.load(store.database)
    now = schema_sha256(store.database)
    if log.schema_sha256 is None:
        yield differs(DATABASE, "The log does not say what its schema was", "custody, case-created")
    elif now != log.schema_sha256:
        yield differs(
            DATABASE,
            "Its schema is not the one that the log speaks of: a table, index or trigger is not as it was",
            "sqlite_master",
            now,
            log.schema_sha256,
        )
    else:
        yield same(DATABASE, "Its schema is as it was made")


def _check_full_text(store: Store) -> Check:
    """Whether a search finds every path: an entry that the index lacks is silently missed."""
    if not store.writable:
        return note(DATABASE, "Its index by words was not compared: that needs the case open for writing")
    if store.database.full_text_whole():
        return same(DATABASE, "Its index by words has exactly the paths of the entries")
    return differs(
        DATABASE, "Its index by words is not that of the entries: a search may miss paths", "entries_fts"
    )


def _know_exhibits(store: Store, log: Log) -> Iterator[Check]:
    """Learn which exhibits there are; says nothing unless their table cannot be read."""
    log.add_exhibits(store.database)
    yield from ()


def _check_case_rows(store: Store, log: Log) -> Iterator[Check]:
    """Whether the rows of `cases` and `meta` are those of the event that made the case."""
    bad = False
    rows = list(store.database.dicts("SELECT * FROM cases ORDER BY id"))
    if len(rows) != 1:
        bad = True
        yield differs(DATABASE, "It describes not one case", "cases", f"{len(rows)} rows", "1 row")
    for row in rows[:1]:
        for column, seen, expected in changed_columns(row, log.case):
            bad = True
            yield differs(
                DATABASE, f"Column {column} of the case was changed", f"cases.{column}", seen, expected
            )
    meta: dict[str, Any] = dict(store.database.rows("SELECT key, value FROM meta"))
    for key, seen, expected in changed_columns(meta, log.meta):
        bad = True
        yield differs(DATABASE, f"The value of {key} was changed", f"meta, key {key}", seen, expected)
    if not bad:
        yield same(DATABASE, "The case's own row is as the log says")


def _check_orphans(store: Store) -> Iterator[Check]:
    """Whether every row belongs to something that is sealed."""
    for table, column, owner in _ORPHANS:
        sql = (
            f'SELECT count(*), min("{column}") FROM "{table}" AS t'  # noqa: S608  names are ours
            f' WHERE NOT EXISTS (SELECT 1 FROM "{owner}" AS o WHERE o.id = t."{column}")'
        )
        count, first = store.database.row(sql) or (0, None)
        if count:
            what = f"{count} rows of {table} belong to nothing that is recorded in {owner}"
            yield differs(DATABASE, what, f"{table}.{column}", first, f"an id of {owner}")

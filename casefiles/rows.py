"""The rows of an exhibit against the log: which table, which row, which column is not as it was recorded."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from casefiles.acquiring import acquisition_facts
from casefiles.check import Check, differs, note, same
from casefiles.database import Database
from casefiles.exhibit import COMPLETE, REPLACED, RUNNING
from casefiles.schema import COLUMNS, KEYS
from casefiles.seal import ACQUIRE, ANALYZE, Seal, changed_rows, content_sha256, read_seals, row_at, seal

_LISTED = 10
_ABSENT = "nothing"


class Log:
    """What the custody log says was recorded, by exhibit."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.read = False
        self.case: dict[str, Any] = {}
        self.meta: dict[str, Any] = {}
        self.schema_sha256: str | None = None
        self.acquired: dict[int, dict[str, Any]] = {}  # by evidence id: the last acquire-finished
        self.analyzed: dict[int, dict[int, dict[str, Any]]] = {}  # by evidence id, by analysis id: its row
        self.begun: dict[int, set[int]] = {}  # by evidence id: analyses that were started
        self.written: list[dict[str, Any]] = []
        self._exhibits: dict[int, str] = {}

    def load(self, database: Database) -> None:
        """Read every event; one that is no event is for the check of the chain to name."""
        for action, text in database.rows("SELECT action, detail FROM custody ORDER BY id"):
            try:
                detail = json.loads(text)
                self._take(action, detail)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue
        self.read = True

    def add_exhibits(self, database: Database) -> None:
        """Learn of exhibits that the database has, also where the log knows of none."""
        for evidence_id, label in database.rows("SELECT id, label FROM evidence"):
            self._exhibits[evidence_id] = str(label)

    def _take(self, action: str, detail: dict[str, Any]) -> None:
        if action == "case-created":
            self.case, self.meta = dict(detail["case"]), dict(detail["meta"])
            self.schema_sha256 = str(detail["schema_sha256"])
        elif action == "schema-migrated":
            self.schema_sha256 = str(detail["schema_sha256"])
            self.meta["schema_version"] = str(detail["to"])
        elif action == "acquire-finished":
            evidence_id = int(detail["evidence"]["id"])
            self.acquired[evidence_id] = detail
            self._exhibits[evidence_id] = str(detail["label"])
        elif action == "analyze-started":
            self.begun.setdefault(int(detail["evidence_id"]), set()).add(int(detail["analysis_id"]))
        elif action == "analyze-finished":
            row = dict(detail["analysis"])
            self.analyzed.setdefault(int(row["evidence_id"]), {})[int(row["id"])] = row
        elif action in ("report-written", "export-written"):
            self.written.append(detail)

    def exhibit_ids(self) -> set[int]:
        """Every exhibit that the database has, or that the log says it had."""
        return set(self._exhibits)

    def label(self, evidence_id: int) -> str:
        """The exhibit's label."""
        return self._exhibits.get(evidence_id, str(evidence_id))


def changed_columns(
    row: Mapping[str, Any], expected: Mapping[str, Any]
) -> Iterator[tuple[str, object, object]]:
    """Yield (column, seen, expected) for each column that is not as expected."""
    for column, value in expected.items():
        seen = row.get(column, _ABSENT)
        if seen != value or type(seen) is not type(value):
            yield column, seen, value
    for column in row:
        if column not in expected and row[column] is not None:
            yield column, row[column], _ABSENT


class ExhibitRows:
    """The rows of one exhibit."""

    def __init__(self, database: Database, log: Log, evidence_id: int) -> None:
        """Check them against `log`."""
        self._database = database
        self._log = log
        self._id = evidence_id
        self.subject = f"exhibit {log.label(evidence_id)}, database"

    def check(self) -> Iterator[Check]:
        """Acquisition first, then analysis."""
        yield from self._acquisition()
        yield from self._analyses()

    def _acquisition(self) -> Iterator[Check]:
        event = self._log.acquired.get(self._id)
        rows = list(
            self._database.dicts("SELECT * FROM acquisitions WHERE evidence_id = ? ORDER BY id", (self._id,))
        )
        if event is None:
            if [row["state"] for row in rows] == [RUNNING]:
                yield note(
                    self.subject, "Its acquisition is not finished: nothing of it is covered by the log yet"
                )
            else:
                yield differs(self.subject, "The log knows of no acquisition of it", "acquisitions, evidence")
            return
        bad = False
        own = self._database.record("SELECT * FROM evidence WHERE id = ?", (self._id,))
        facts = acquisition_facts(rows[0]) if rows else {}
        for table, row, expected in (
            ("evidence", own or {}, event["evidence"]),
            ("acquisitions", facts, event["acquisition"]),
        ):
            for column, seen, before in changed_columns(row, expected):
                bad = True
                yield differs(
                    self.subject,
                    f"{table}.{column} was changed",
                    f"{table}, id {expected['id']}",
                    seen,
                    before,
                )
        for check in self._sealed(ACQUIRE, str(event.get("content_sha256")), named=bad):
            bad = bad or not check.ok
            yield check
        if not bad:
            yield same(self.subject, "What its acquisition recorded is as the log says")

    def _analyses(self) -> Iterator[Check]:
        finished = self._log.analyzed.get(self._id, {})
        latest = max(finished, default=0)
        rows = list(
            self._database.dicts("SELECT * FROM analyses WHERE evidence_id = ? ORDER BY id", (self._id,))
        )
        bad = False
        for check in self._analysis_rows(rows, finished):
            bad = bad or not check.ok
            yield check
        walked = any(row["id"] > latest and row["entries"] is not None for row in rows)
        if not latest and not rows:
            yield from self._nothing_analyzed()
        if not latest or walked:
            return  # nothing is sealed, or not any more
        for check in self._sealed(ANALYZE, str(finished[latest]["content_sha256"]), named=False):
            bad = bad or not check.ok
            yield check
        if not bad:
            yield same(self.subject, "What its analysis recorded is as the log says")

    def _analysis_rows(
        self, rows: list[dict[str, Any]], finished: dict[int, dict[str, Any]]
    ) -> Iterator[Check]:
        """The rows of `analyses` against the events that speak of them."""
        begun = self._log.begun.get(self._id, set())
        latest = max(finished, default=0)
        being_replaced = max(begun, default=0) > latest
        for row in rows:
            where = f"analyses, id {row['id']}"
            if row["id"] in finished:
                expected = dict(finished[row["id"]])
                if row["id"] != latest or (being_replaced and row["state"] == REPLACED):
                    expected["state"] = REPLACED
                for column, seen, before in changed_columns(row, expected):
                    yield differs(self.subject, f"analyses.{column} was changed", where, seen, before)
            elif row["state"] == RUNNING and row["id"] in begun:
                yield note(
                    self.subject,
                    "Its analysis is not finished: what it recorded is not covered by the log yet",
                )
            else:
                yield differs(self.subject, f"The log knows of no analysis {row['id']}", where)
        for missing in sorted(set(finished) - {row["id"] for row in rows}):
            yield differs(
                self.subject, f"Analysis {missing} was removed", f"analyses, id {missing}", _ABSENT, COMPLETE
            )

    def _nothing_analyzed(self) -> Iterator[Check]:
        """An exhibit that was never analyzed has no rows of an analysis."""
        for table in ("volumes", "sessions", "tracks", "anomalies", "findings"):
            sql = f'SELECT count(*) FROM "{table}" WHERE evidence_id = ?'  # noqa: S608  names are ours
            count = self._database.value(sql, (self._id,))
            if count:
                yield differs(
                    self.subject,
                    f"{table} has rows of it, and it was never analyzed",
                    table,
                    f"{count} rows",
                    "none",
                )

    def _sealed(self, action: str, expected: str, *, named: bool) -> Iterator[Check]:
        """Compare what is there with the seals, and the seals with the event.

        `named`: a changed column of the exhibit's own rows is named already.
        """
        seals = read_seals(self._database, action, self._id)
        found = content_sha256(seals)
        if found != expected:
            yield differs(
                self.subject, "The seals are not those that the log speaks of", "seals", found, expected
            )
        for recorded in seals:
            if named and recorded.name in ("evidence", "acquisitions"):
                continue
            yield from self._compare(recorded)

    def _compare(self, recorded: Seal) -> Iterator[Check]:
        if recorded.name not in KEYS:
            yield differs(self.subject, "A seal is of no table", "seals", recorded.name)
            return
        columns = min(int(recorded.columns), len(COLUMNS[recorded.name]))
        now = seal(self._database, recorded.name, self._id, recorded.volume_id, columns=columns)
        if now.sha256 != recorded.sha256:
            now = seal(
                self._database, recorded.name, self._id, recorded.volume_id, columns=columns, exact=True
            )
        if now.sha256 == recorded.sha256:
            return
        where = (
            recorded.name if recorded.volume_id is None else f"{recorded.name}, volume {recorded.volume_id}"
        )
        more = now.rows - recorded.rows
        if more:
            what = f"{abs(more)} rows were {'added to' if more > 0 else 'removed from'} it"
        else:
            what = "rows of it were changed"
        positions = changed_rows(recorded, now)
        places = [self._row_name(recorded, at) for at in positions[:_LISTED]]
        if positions:
            where += f": {'; '.join(places)}"
        elif positions.start:
            where += f": after {self._row_name(recorded, positions.start - 1)}"
        if len(positions) > _LISTED:
            last = self._row_name(recorded, positions[-1])
            where += f"; and up to {len(positions) - _LISTED} more, the last {last}"
        yield differs(
            self.subject,
            f"Table {recorded.name} is not as recorded: {what}",
            where,
            now.sha256,
            recorded.sha256,
        )

    def _row_name(self, recorded: Seal, position: int) -> str:
        """A row by its key, and by the path it is about."""
        row = row_at(self._database, recorded.name, self._id, recorded.volume_id, position)
        if row is None:
            return f"row {position + 1}"
        named = dict(zip(COLUMNS[recorded.name], row, strict=True))
        key = ", ".join(f"{name} {named[name]}" for name in KEYS[recorded.name])
        path = named.get("path")
        if path is None and "entry_id" in named:
            path = self._database.value("SELECT path FROM entries WHERE id = ?", (named["entry_id"],))
        return f"{key} ({path})" if isinstance(path, str) else key

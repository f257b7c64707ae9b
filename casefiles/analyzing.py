"""Analyzing an exhibit of a case: a walk in one transaction, then digests in batches, then the seal."""

from collections.abc import Callable
from typing import Any, NamedTuple

from acquire.containers import open_image
from acquire.errors import CaseError
from acquire.image import Image
from acquire.progress import Progress
from acquire.record import tool_version
from analyze.analysis import examine
from casefiles.collector import Collector
from casefiles.contents import ContentRecorder
from casefiles.custody import utc_now
from casefiles.exhibit import COMPLETE, REPLACED, RUNNING, Exhibit, chosen_exhibits
from casefiles.seal import ANALYZE, write_seals
from casefiles.store import Store

_ENTRIES = "SELECT id FROM entries WHERE volume_id IN (SELECT id FROM volumes WHERE evidence_id = ?)"
_UNINDEX = (
    "INSERT INTO entries_fts (entries_fts, rowid, path) SELECT 'delete', id, path FROM entries"
    " WHERE id IN (…)"
)
_FORGET = tuple(
    sql.replace("(…)", f"({_ENTRIES})")
    for sql in (
        "DELETE FROM extents WHERE entry_id IN (…)",
        "DELETE FROM streams WHERE entry_id IN (…)",
        _UNINDEX,
        "DELETE FROM entries WHERE id IN (…)",
        "DELETE FROM anomalies WHERE evidence_id = ?",
        "DELETE FROM findings WHERE evidence_id = ?",
        "DELETE FROM volumes WHERE evidence_id = ?",
        "DELETE FROM sessions WHERE evidence_id = ?",
        "DELETE FROM tracks WHERE evidence_id = ?",
        "DELETE FROM seals WHERE action = 'analyze' AND evidence_id = ?",
    )
)
_COUNTS = """
SELECT sum(content = 'complete'), sum(content <> 'complete')
FROM entries WHERE volume_id IN (SELECT id FROM volumes WHERE evidence_id = ?)
"""


class AnalysisSummary(NamedTuple):
    """What an analysis recorded. `content_unread`: files whose content could not be digested whole.

    `already`: it was complete before, and nothing was done.
    """

    label: str
    volumes: int
    entries: int
    anomalies: int
    findings: int
    digested: int
    content_unread: int
    sectors_owned: int | None
    sectors_unowned: int | None
    already: bool = False


def analyze_exhibits(
    store: Store,
    label: str | None = None,
    *,
    again: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> list[AnalysisSummary]:
    """Analyze the exhibit `label`, or every one that is acquired; what is complete stays, but for `again`.

    Raises:
        CaseError: no such exhibit, or none that is acquired.
        SourceError, ContainerError: its container is missing or is not one.
    """
    chosen = chosen_exhibits(store.database, label)
    acquired = [exhibit for exhibit in chosen if exhibit.complete]
    if not acquired:
        what = "This case has no evidence yet" if not chosen else "Its acquisition is not finished"
        raise CaseError(what, where=label or store.folder.root, do="Acquire it first, with `acquire`")
    return [_Analyzing(store, exhibit, progress).run(again=again) for exhibit in acquired]


class _Analyzing:
    """One analysis of one exhibit."""

    def __init__(
        self, store: Store, exhibit: Exhibit, progress: Callable[[Progress], None] | None = None
    ) -> None:
        self.store = store
        self.database = store.database
        self.exhibit = exhibit
        self.progress = progress

    def run(self, *, again: bool) -> AnalysisSummary:
        """Begin or go on, unless it is complete."""
        latest = self.database.record(
            "SELECT * FROM analyses WHERE evidence_id = ? AND state <> ? ORDER BY id DESC LIMIT 1",
            (self.exhibit.id, REPLACED),
        )
        if latest is not None and latest["state"] == COMPLETE and not again:
            return self._summary(latest["id"])._replace(already=True)
        running = latest if latest is not None and latest["state"] == RUNNING else None
        analysis_id = self._begin(running, again=again)
        detail = {"label": self.exhibit.label, "evidence_id": self.exhibit.id, "analysis_id": analysis_id}
        with self.store.stopping("analyze-stopped", detail):
            image = self._open()
            try:
                walked = running is not None and running["entries"] is not None
                if not walked or running is None or running["tool_version"] != tool_version():
                    self._walk(image, analysis_id)
                ContentRecorder(self.database, self.store.log, self.exhibit.id, self.progress).run(image)
            finally:
                image.close()
            self._finish(analysis_id)
        return self._summary(analysis_id)

    def _begin(self, running: dict[str, Any] | None, *, again: bool) -> int:
        """Make the analysis's row, or take up the one that was interrupted."""
        log = self.store.log
        with log.transaction():
            if running is None:
                analysis_id = self.database.insert(
                    "analyses",
                    {
                        "evidence_id": self.exhibit.id,
                        "state": RUNNING,
                        "started": utc_now(),
                        "tool_version": tool_version(),
                    },
                )
            else:
                analysis_id = int(running["id"])
            log.add(
                "analyze-started" if running is None else "analyze-resumed",
                {
                    "label": self.exhibit.label,
                    "evidence_id": self.exhibit.id,
                    "analysis_id": analysis_id,
                    "tool_version": tool_version(),
                    "again": again,
                },
            )
        return analysis_id

    def _open(self) -> Image:
        assert self.exhibit.path is not None
        return open_image(self.store.folder.root / self.exhibit.path)

    def _walk(self, image: Image, analysis_id: int) -> None:
        """Everything but content, in one transaction; what an earlier analysis recorded is replaced in it."""
        exhibit_id = self.exhibit.id
        with self.store.log.transaction():
            for sql in _FORGET:
                self.database.execute(sql, (exhibit_id,))
            self.database.execute(
                "UPDATE analyses SET state = ? WHERE evidence_id = ? AND state = ?",
                (REPLACED, exhibit_id, COMPLETE),
            )
            collected = Collector(self.database, exhibit_id, self.progress).collect(examine(image))
            self.database.update(
                "analyses",
                analysis_id,
                {
                    "tool_version": tool_version(),
                    "entries": collected.entries,
                    "anomalies": collected.anomalies,
                    "findings": collected.findings,
                    "sectors_owned": collected.sectors_owned,
                    "sectors_unowned": collected.sectors_unowned,
                },
            )

    def _finish(self, analysis_id: int) -> None:
        """Seal what was recorded, and say so in the log."""
        log = self.store.log
        with log.transaction():
            content = write_seals(self.database, ANALYZE, self.exhibit.id)
            self.database.update(
                "analyses", analysis_id, {"state": COMPLETE, "ended": utc_now(), "content_sha256": content}
            )
            row = self.database.record("SELECT * FROM analyses WHERE id = ?", (analysis_id,))
            log.add("analyze-finished", {"label": self.exhibit.label, "analysis": row})

    def _summary(self, analysis_id: int) -> AnalysisSummary:
        row = self.database.record("SELECT * FROM analyses WHERE id = ?", (analysis_id,))
        assert row is not None
        volumes = self.database.value(
            "SELECT count(*) FROM volumes WHERE evidence_id = ?", (self.exhibit.id,)
        )
        complete, other = self.database.row(_COUNTS, (self.exhibit.id,)) or (0, 0)
        return AnalysisSummary(
            self.exhibit.label,
            int(volumes),
            row["entries"],
            row["anomalies"],
            row["findings"],
            complete or 0,
            other or 0,
            row["sectors_owned"],
            row["sectors_unowned"],
        )

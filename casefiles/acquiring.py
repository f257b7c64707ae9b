"""Acquiring into a case: the exhibit's rows before and after, whatever happens in between."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from acquire.acquisition import acquire
from acquire.errors import CaseError, SourceError, source_error
from acquire.exhibit import Acquisition, Plan
from acquire.progress import VERIFY, Progress, Reporter
from acquire.record import tool_version
from casefiles.canonical import canonical, whole_text
from casefiles.custody import utc_now
from casefiles.database import Value
from casefiles.evidence import BLOCK_BYTES, FileDigest, digest_files, list_files
from casefiles.exhibit import COMPLETE, RUNNING, Exhibit, find_exhibit
from casefiles.folder import check_label
from casefiles.seal import ACQUIRE, write_seals
from casefiles.store import Store

_DIGEST_COLUMNS = ("md5", "sha1", "sha256", "sha512", "blake2b")
_JSON_COLUMNS = frozenset({"files", "unread", "record"})
_MAX_RECORD_BYTES = 64 << 20


def acquire_exhibit(
    store: Store,
    source: str | os.PathLike[str],
    label: str,
    plan: Plan,
    *,
    description: str | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Acquisition:
    """Acquire `source` as the exhibit `label`, or go on with it.

    Raises:
        UsageError: the label cannot be one, or the plan means nothing.
        CaseError: the exhibit is there already, or was begun from another source.
        SourceError, DestinationError: as `acquire` raises them.
    """
    return _Acquiring(store, source, label, plan, description=description, progress=progress).run()


class _Acquiring:
    """One act of acquisition into a case."""

    def __init__(
        self,
        store: Store,
        source: str | os.PathLike[str],
        label: str,
        plan: Plan,
        *,
        description: str | None,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.store = store
        self.database = store.database
        self.source = os.fspath(source)
        if "\0" in self.source:
            raise SourceError("No path has a NUL in it", where=f"{self.source!a}", do="Check the path")
        self.source_path = os.path.realpath(self.source)
        self.label = check_label(label)
        self.description = description
        self.progress = progress
        plan.check()
        self.plan = plan._replace(header=self._header(plan))
        self.whole = store.folder.exhibit(self.label)
        self.partial = store.folder.partial(self.label)

    def _header(self, plan: Plan) -> Any:  # noqa: ANN401  a NamedTuple of the plan's
        """The exhibit's header, with the case's words where none were given."""
        row = self.database.row("SELECT number, examiner FROM cases")
        number, examiner = row or ("", "")
        header = plan.header
        return header._replace(
            case_number=header.case_number or number,
            evidence_number=header.evidence_number or self.label,
            description=header.description or self.description or "",
            examiner=header.examiner or examiner,
        )

    def run(self) -> Acquisition:
        """Begin or go on, acquire, and record what came of it."""
        known = find_exhibit(self.database, self.label)
        self._refuse_other(known)
        if known is None or not self.whole.exists():
            self._refuse_absent_source()
        exhibit_id, acquisition_id = self._begin(known)
        detail = {"label": self.label, "evidence_id": exhibit_id}
        with self.store.stopping("acquire-stopped", detail):
            try:
                made = self._finished() if self.whole.exists() else self._acquire()
                files = self._digest_files()
            except BaseException:
                self._forget_if_nothing(exhibit_id, acquisition_id)
                raise
            self._record(exhibit_id, acquisition_id, made, files)
        return made

    def _refuse_other(self, known: Exhibit | None) -> None:
        """Refuse an exhibit that is there, or begun from somewhere else."""
        root = self.store.folder.root
        if known is None:
            for path in (self.whole, self.partial):
                if os.path.lexists(path):
                    raise CaseError(
                        "A folder is in the way that this case knows nothing of",
                        where=path,
                        do="Move it away, or choose another label",
                    )
            return
        if known.label != self.label:
            raise CaseError(
                f"There is an exhibit {known.label!r} already, and labels may not differ in case only",
                where=root,
                do="Choose another label",
            )
        if known.complete:
            raise CaseError(
                f"The exhibit {self.label!r} is already acquired (from {whole_text(known.source)})",
                where=root,
                do="Choose another label",
            )
        begun = os.path.lexists(self.partial) or os.path.lexists(self.whole)
        if begun and known.source_path != whole_text(self.source_path):
            raise CaseError(
                f"The exhibit {self.label!r} was begun from {known.source_path}, not from"
                f" {whole_text(self.source_path)}",
                where=root,
                do="Go on from the same source, or choose another label",
            )

    def _refuse_absent_source(self) -> None:
        """Refuse what cannot even be looked at before anything is recorded."""
        try:
            self.source_mode = os.stat(self.source).st_mode  # noqa: PTH116  what was given, as it was given
        except OSError as error:
            raise source_error(error, whole_text(self.source)) from error

    def _begin(self, known: Exhibit | None) -> tuple[int, int]:
        """Make the exhibit's rows, or take up those that are there; returns their ids."""
        log = self.store.log
        source: dict[str, Value] = {
            "source": whole_text(self.source),
            "source_path": whole_text(self.source_path),
        }
        with log.transaction():
            if known is None:
                evidence_id = self.database.insert(
                    "evidence",
                    {
                        "label": self.label,
                        "description": None if self.description is None else whole_text(self.description),
                        "acquired_by": whole_text(self.plan.header.examiner) or None,
                        "source_kind": "block device" if stat.S_ISBLK(self.source_mode) else "file",
                        "created": utc_now(),
                    }
                    | source,
                )
                acquisition_id = self.database.insert(
                    "acquisitions",
                    {
                        "evidence_id": evidence_id,
                        "state": RUNNING,
                        "started": utc_now(),
                        "resumed": 0,
                        "tool_version": tool_version(),
                    },
                )
            else:
                evidence_id, acquisition_id = known.id, known.acquisition_id
                self.database.update("evidence", evidence_id, source)
            plan = self.plan._asdict() | {
                "digests": list(self.plan.digests),
                "header": self.plan.header._asdict(),
            }
            log.add(
                "acquire-started" if known is None else "acquire-resumed",
                {
                    "label": self.label,
                    "evidence_id": evidence_id,
                    "source": self.source,
                    "plan": plan,
                    "tool_version": tool_version(),
                },
            )
        return evidence_id, acquisition_id

    def _acquire(self) -> Acquisition:
        return acquire(self.source, self.store.folder.evidence, self.label, self.plan, progress=self.progress)

    def _finished(self) -> Acquisition:
        """An acquisition that ended just before its rows were written: what its record says."""
        try:
            return Acquisition.from_record(json.loads(self._read_record()))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise CaseError(
                f"The record of the exhibit {self.label!r} cannot be read ({error})",
                where=self._record_path(),
                do="Move the exhibit's folder away, and acquire it again under another label",
            ) from error

    def _record_path(self) -> Path:
        return self.whole / f"{self.label}.json"

    def _read_record(self) -> str:
        try:
            with self._record_path().open("rb") as file:
                return file.read(_MAX_RECORD_BYTES).decode()
        except OSError as error:
            raise source_error(error, self._record_path()) from error

    def _digest_files(self) -> list[FileDigest]:
        """Digest every file of the exhibit, which is whole now."""
        report = Reporter(self.progress)
        files, _ = list_files(self.whole)
        total = sum(path.stat().st_size for path in files)
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            report(Progress(VERIFY, done, total))

        return digest_files(self.whole, advance)

    def _forget_if_nothing(self, evidence_id: int, acquisition_id: int) -> None:
        """Remove the rows of an exhibit of which nothing was read: the next attempt starts afresh."""
        if os.path.lexists(self.whole) or os.path.lexists(self.partial):
            return
        with self.database.transaction():
            self.database.execute("DELETE FROM acquisitions WHERE id = ?", (acquisition_id,))
            self.database.execute("DELETE FROM evidence WHERE id = ?", (evidence_id,))

    def _record(
        self, evidence_id: int, acquisition_id: int, made: Acquisition, files: list[FileDigest]
    ) -> None:
        """Write the rows of an exhibit that is whole, sealed, with the event that says so."""
        relative = f"{self.store.folder.evidence.name}/{self.label}"
        row: dict[str, Value] = {
            "state": COMPLETE,
            "format": made.format,
            "path": f"{relative}/{made.files[0]}",
            "files": canonical(
                [
                    {"path": f"{relative}/{file.name}", "size_bytes": file.size_bytes, "sha256": file.sha256}
                    for file in sorted(files, key=lambda file: _order(made.files, file.name))
                ]
            ),
            "sector_size_bytes": made.sector_size_bytes,
            "sector_count": made.sector_count,
            "size_bytes": made.size_bytes,
            "sectors_read": made.sectors_read,
            "sectors_unread": made.sectors_unread,
            "sectors_filled": made.sectors_filled,
            "unread": canonical([list(part) for part in made.unread]),
            "verified": None if made.verified is None else int(made.verified),
            "verify_detail": made.verify_detail,
            "started": made.started,
            "ended": made.ended,
            "resumed": made.resumed,
            "tool_version": tool_version(),
            "record": self._read_record(),
        }
        row |= {name: made.digests.get(name) for name in _DIGEST_COLUMNS}
        with self.store.log.transaction():
            self._write_blocks(acquisition_id, files)
            self.database.update("acquisitions", acquisition_id, row)
            kind = made.source.get("kind")
            if isinstance(kind, str):
                self.database.update("evidence", evidence_id, {"source_kind": whole_text(kind)})
            content = write_seals(self.database, ACQUIRE, evidence_id)
            self.store.log.add(
                "acquire-finished",
                {
                    "label": self.label,
                    "evidence": self.database.record("SELECT * FROM evidence WHERE id = ?", (evidence_id,)),
                    "acquisition": acquisition_facts(
                        self.database.record("SELECT * FROM acquisitions WHERE id = ?", (acquisition_id,))
                        or {}
                    ),
                    "content_sha256": content,
                },
            )

    def _write_blocks(self, acquisition_id: int, files: list[FileDigest]) -> None:
        sql = "INSERT INTO blocks VALUES (?, ?, ?, ?, ?)"
        for file in files:
            self.database.execute_many(
                sql,
                (
                    (acquisition_id, file.name, at * BLOCK_BYTES, _length(file, at), digest)
                    for at, digest in enumerate(file.blocks)
                ),
            )


def acquisition_facts(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `acquisitions` as an event holds it: without the columns that are JSON themselves."""
    return {name: value for name, value in row.items() if name not in _JSON_COLUMNS}


def _length(file: FileDigest, block: int) -> int:
    return min(BLOCK_BYTES, file.size_bytes - block * BLOCK_BYTES)


def _order(names: tuple[str, ...], name: str) -> tuple[int, str]:
    """The container first, as the acquisition lists its files."""
    return (names.index(name), "") if name in names else (len(names), name)

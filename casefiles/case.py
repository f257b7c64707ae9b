"""Case: the face of a case folder. Every act on it is in its custody log.

with Case.create("case", number="2026-014", examiner="A. Examiner") as case:
    case.acquire("/dev/sr0", "EX-1", Plan())
    case.analyze()
    for check in case.verify():
        print(check.subject, check.message)
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from acquire.errors import source_error
from acquire.exhibit import Acquisition, Plan
from acquire.progress import Progress
from casefiles.acquiring import acquire_exhibit
from casefiles.analyzing import AnalysisSummary, analyze_exhibits
from casefiles.check import Check
from casefiles.database import Database
from casefiles.folder import Folder
from casefiles.store import CaseDescription, Store
from casefiles.verify import verify_case

ProgressCallback = Callable[[Progress], None]


class Case:
    """One case, open for writing by one process at a time, or for reading by any number."""

    def __init__(self, store: Store) -> None:
        """Use `Case.create` or `Case.open`."""
        self._store = store

    @classmethod
    def create(
        cls,
        folder: str | os.PathLike[str],
        *,
        number: str,
        examiner: str,
        agency: str | None = None,
        authority: str | None = None,
        notes: str | None = None,
        actor: str | None = None,
    ) -> Self:
        """Make a new case in `folder`, which is absent or empty, and open it for writing.

        `actor` is who acts, in the custody log: `user@host` if it is not given.

        Raises:
            UsageError: the number or the examiner is empty.
            CaseError: there is a case in the folder already.
            DestinationError: there is something else in it, or it cannot be written.
        """
        description = CaseDescription(number, examiner, agency, authority, notes)
        return cls(Store.create(Path(folder), description, actor=actor))

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, write: bool = True, actor: str | None = None) -> Self:
        """Open a case; `write=False` works on a read-only medium, and beside a writer.

        Raises:
            CaseError: not a case, a damaged one, or one of a newer version.
            CaseBusyError: another process writes to it.
            DestinationError: it is to be written, and cannot be.
        """
        return cls(Store.open(Path(folder), write=write, actor=actor))

    @property
    def folder(self) -> Folder:
        """The paths of everything in the case."""
        return self._store.folder

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._store.writable

    @property
    def database(self) -> Database:
        """The connection, for `casefiles.query`."""
        return self._store.database

    def acquire(
        self,
        source: str | os.PathLike[str],
        label: str,
        plan: Plan | None = None,
        *,
        description: str | None = None,
        progress: ProgressCallback | None = None,
    ) -> Acquisition:
        """Acquire `source` as the exhibit `label`; after any interruption the same call goes on.

        Raises:
            UsageError: the label cannot be one, or the plan means nothing.
            CaseError: that exhibit is complete, or was begun from another source.
            SourceError: the source is missing, busy or unreadable.
            DestinationError: the case cannot be written (DiskFullError: no space).
        """
        return acquire_exhibit(
            self._store, source, label, plan or Plan(), description=description, progress=progress
        )

    def analyze(
        self, label: str | None = None, *, again: bool = False, progress: ProgressCallback | None = None
    ) -> list[AnalysisSummary]:
        """Examine the exhibit `label`, or every acquired one; after any interruption the same call goes on.

        What is complete is left as it is, and its summary says `already`; `again` examines it anew, and
        replaces what was recorded, in one transaction.

        Raises:
            CaseError: no such exhibit, or nothing is acquired.
            SourceError, ContainerError: a container is missing, or is not one.
        """
        return analyze_exhibits(self._store, label, again=again, progress=progress)

    def verify(self, label: str | None = None, *, progress: ProgressCallback | None = None) -> list[Check]:
        """Compare the case with what its custody log and its digests say; recorded if open for writing.

        Raises:
            CaseError: no such exhibit.
        """
        return verify_case(self._store, label, progress=progress)

    def record(self, action: str, detail: Mapping[str, Any]) -> None:
        """Record an act that was done with the case from outside as an event.

        Raises:
            CaseError: the case is open for reading only.
        """
        log = self._store.log
        with log.transaction():
            log.add(action, detail)

    def report_written(self, path: Path, format: str, *, action: str = "report-written") -> None:  # noqa: A002  the field's word
        """Record that the file `path` was made from the case, with its size and digest.

        Raises:
            SourceError: it cannot be read.
            CaseError: the case is open for reading only.
        """
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except OSError as error:
            raise source_error(error, path) from error
        relative = self.folder.relative(path)
        self.record(action, {"path": relative, "format": format, "size_bytes": size, "sha256": sha256})

    def close(self) -> None:
        """Close it; a second call does nothing."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Store: an opened case folder: its paths, its database, its custody log, and the writer's lock."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from acquire.durable import sync_folder
from acquire.errors import CaseError, DestinationError, JewelcaseError, UsageError, destination_error
from acquire.record import tool_version
from casefiles.canonical import whole_text
from casefiles.custody import CustodyLog, utc_now
from casefiles.database import Database
from casefiles.folder import FOLDER_VERSION, Folder
from casefiles.lock import WriterLock
from casefiles.schema import SCHEMA_VERSION
from casefiles.seal import schema_sha256


class CaseDescription(NamedTuple):
    """What a case is, in the words of who opens it."""

    number: str
    examiner: str
    agency: str | None = None
    authority: str | None = None
    notes: str | None = None

    def checked(self) -> Self:
        """The same as text that can be recorded.

        Raises:
            UsageError: there is no number or no examiner.
        """
        for name, value in (("number", self.number), ("examiner", self.examiner)):
            if not value.strip():
                raise UsageError(f"The case has no {name}", do=f"Give one with --{name}")
        given = {name: whole_text(value) for name, value in self._asdict().items() if value is not None}
        return self._replace(**given)


class Store:
    """One case, opened for writing (one process at a time) or for reading only."""

    def __init__(
        self, folder: Folder, database: Database, log: CustodyLog | None, resources: ExitStack
    ) -> None:
        """Hold what was opened; `log` is None where the case is only read."""
        self.folder = folder
        self.database = database
        self._log = log
        self._resources = resources

    @classmethod
    def create(cls, root: Path, description: CaseDescription, *, actor: str | None = None) -> Self:
        """Make a new case, and open it for writing.

        Raises:
            UsageError: the description lacks something.
            CaseError, DestinationError: something is in the folder already, or it cannot be written.
        """
        description = description.checked()
        folder = Folder(root)
        made_root = not folder.root.exists()
        folder.begin()
        try:
            with ExitStack() as resources:
                resources.callback(WriterLock(folder.lock).release)
                _build(folder, description, actor)
                return cls._opened(folder, resources, actor, new=True)
        except JewelcaseError:
            if not folder.database.exists():
                folder.give_up(made_root=made_root)
            raise

    @classmethod
    def open(cls, root: Path, *, write: bool, actor: str | None = None) -> Self:
        """Open a case.

        Raises:
            CaseError: there is none, or it cannot be read by this program (CaseBusyError: another process
                writes to it).
            DestinationError: it is to be written, and cannot be.
        """
        folder = Folder(root)
        folder.require()
        with ExitStack() as resources:
            if not write:
                database = resources.enter_context(Database.open(folder.database, write=False))
                return cls(folder, database, None, resources.pop_all())
            if not folder.writable():
                raise DestinationError(
                    "No permission to write to the case, or it is on a read-only medium",
                    where=folder.root,
                    do="Copy it to a writable place",
                )
            resources.callback(WriterLock(folder.lock).release)
            return cls._opened(folder, resources, actor, new=False)

    @classmethod
    def _opened(cls, folder: Folder, resources: ExitStack, actor: str | None, *, new: bool) -> Self:
        """Open for writing; the lock is held and belongs to `resources`, which the store takes over."""
        database = resources.enter_context(Database.open(folder.database, write=True))
        log = CustodyLog(database, folder.custody, actor=actor)
        if new:
            log.begin()
        else:
            log.catch_up()
        version = database.schema_version()
        if version < SCHEMA_VERSION:
            with log.transaction():
                database.migrate(version)
                database.execute(
                    "UPDATE meta SET value = ? WHERE key = 'schema_version'", (str(SCHEMA_VERSION),)
                )
                detail = {"from": version, "to": SCHEMA_VERSION, "schema_sha256": schema_sha256(database)}
                log.add("schema-migrated", detail)
        return cls(folder, database, log, resources.pop_all())

    @property
    def writable(self) -> bool:
        """Whether it was opened for writing."""
        return self._log is not None

    @property
    def log(self) -> CustodyLog:
        """The custody log, to append to.

        Raises:
            CaseError: the case was opened for reading only.
        """
        if self._log is None:
            raise CaseError(
                "The case was opened for reading only", where=self.folder.root, do="Open it for writing"
            )
        return self._log

    @contextmanager
    def stopping(self, action: str, detail: Mapping[str, Any]) -> Iterator[None]:
        """Record `action` if what is done inside ends early, by an error of the world or by request."""
        try:
            yield
        except (JewelcaseError, KeyboardInterrupt) as error:
            reason = "interrupted" if isinstance(error, KeyboardInterrupt) else str(error)
            _attempt(lambda: self._append(action, {**detail, "reason": reason}))
            raise

    def _append(self, action: str, detail: Mapping[str, Any]) -> None:
        with self.log.transaction():
            self.log.add(action, detail)

    def close(self) -> None:
        """Close the database and let the next writer in."""
        self._resources.close()


def _attempt(act: Callable[[], None]) -> None:
    """Do it if it can be done: on a full disk the log cannot even say that the disk is full."""
    try:
        act()
    except JewelcaseError:
        return


def _build(folder: Folder, description: CaseDescription, actor: str | None) -> None:
    """Build the database under a temporary name, whole with its first event, and give it its name."""
    path = folder.unfinished_database
    try:
        path.unlink(missing_ok=True)
        path.with_name(path.name + "-journal").unlink(missing_ok=True)
    except OSError as error:
        raise destination_error(error, path) from error
    with Database.create(path) as database:
        meta = {
            "schema_version": str(SCHEMA_VERSION),
            "folder_version": str(FOLDER_VERSION),
            "created_by": f"jewelcase {tool_version()}",
        }
        row = {"id": 1, **description._asdict(), "created": utc_now()}
        log = CustodyLog(database, folder.custody, actor=actor)
        with database.transaction():
            for key, value in meta.items():
                database.insert("meta", {"key": key, "value": value})
            database.insert("cases", row)
            log.add("case-created", {"case": row, "meta": meta, "schema_sha256": schema_sha256(database)})
    try:
        path.rename(folder.database)
        sync_folder(folder.root)
    except OSError as error:
        raise destination_error(error, folder.database) from error

"""The custody log: append-only, hash-chained, in two copies (docs/reference/custody.md)."""

import contextlib
import getpass
import hashlib
import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from acquire.durable import sync_folder
from acquire.errors import CaseError, destination_error
from casefiles.canonical import canonical, plain, whole_text
from casefiles.database import Database, Row

FIRST_PREVIOUS = "0" * 64
_SELECT = "SELECT id, at, actor, action, detail, previous_sha256, sha256 FROM custody"
_TAIL_BYTES = 1 << 16


def utc_now() -> str:
    """The time as the case records it: UTC, microseconds, +00:00."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def system_actor() -> str:
    """Who runs this program, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = f"uid{os.geteuid()}"
    return f"{user}@{socket.gethostname()}"


class Event(NamedTuple):
    """One event; `detail` is a JSON object."""

    id: int
    at: str
    actor: str
    action: str
    detail: dict[str, Any]
    previous_sha256: str
    sha256: str

    def digest(self) -> str:
        """What `sha256` must be: SHA-256 over the canonical JSON of the rest."""
        rest = self._asdict()
        del rest["sha256"]
        return hashlib.sha256(canonical(rest).encode()).hexdigest()

    def line(self) -> bytes:
        """The event as it stands in the second copy."""
        return canonical(self._asdict()).encode() + b"\n"


class BadLink(NamedTuple):
    """The first place where the log is not what it was: the event's number, and what is wrong there."""

    event: int
    what: str
    seen: str = ""
    expected: str = ""


class ChainState(NamedTuple):
    """What a check of the database's copy found; `backwards` are events dated before the one before them."""

    events: int
    head_sha256: str
    bad: BadLink | None
    backwards: tuple[int, ...]


class MirrorState(NamedTuple):
    """How the second copy compares with the database's: "same", "short" by `lacked` events, or "differs".

    `same_bytes` is how much of it, from its beginning, is as it should be.
    """

    kind: str
    same_bytes: int
    event: int = 0
    lacked: int = 0
    what: str = ""
    seen: str = ""
    expected: str = ""


def read_event(row: Row) -> Event:
    """A row of `custody` as an Event.

    Raises:
        ValueError: the row's types or its detail are not those of an event.
    """
    number, at, actor, action, detail, previous, sha256 = row
    words = (at, actor, action, detail, previous, sha256)
    if not isinstance(number, int) or not all(isinstance(word, str) for word in words):
        raise ValueError("a column is not of its type")
    value = json.loads(detail)
    if not isinstance(value, dict) or canonical(value) != detail:
        raise ValueError("its detail is not canonical JSON")
    return Event(number, at, actor, action, value, previous, sha256)


def check_chain(database: Database) -> ChainState:
    """Follow the chain from its beginning to the first bad link, or to its head."""
    head, at, number = FIRST_PREVIOUS, "", 0
    backwards: list[int] = []
    for row in database.rows(f"{_SELECT} ORDER BY id"):
        number += 1
        if row[0] != number:
            bad = BadLink(number, "is missing", f"the next event is {row[0]}", f"event {number}")
            return ChainState(number - 1, head, bad, tuple(backwards))
        try:
            event = read_event(row)
        except (ValueError, RecursionError) as error:
            return ChainState(number, head, BadLink(number, f"was changed: {error}"), tuple(backwards))
        if event.previous_sha256 != head:
            bad = BadLink(number, "does not continue the log", event.previous_sha256, head)
            return ChainState(number, head, bad, tuple(backwards))
        if event.digest() != event.sha256:
            bad = BadLink(number, "was changed: its digest is not its own", event.sha256, event.digest())
            return ChainState(number, head, bad, tuple(backwards))
        if event.at < at:
            backwards.append(number)
        head, at = event.sha256, event.at
    bad_start = BadLink(1, "is missing", "an empty log", "event 1") if number == 0 else None
    return ChainState(number, head, bad_start, tuple(backwards))


def check_mirror(database: Database, path: Path) -> MirrorState:
    """Compare the second copy, byte for byte, with what it should be."""
    try:
        with path.open("rb") as file:
            return _compare(database, file)
    except FileNotFoundError:
        events = int(database.value("SELECT count(*) FROM custody"))
        return MirrorState("short", 0, 1, events, "the file is missing")
    except OSError as error:
        return MirrorState("differs", 0, 1, 0, f"it cannot be read ({error.strerror})")


def _compare(database: Database, file: BinaryIO) -> MirrorState:
    same = 0
    number = 0
    for row in database.rows(f"{_SELECT} ORDER BY id"):
        number += 1
        try:
            line = read_event(row).line()
        except (ValueError, RecursionError):
            return MirrorState("differs", same, number, 0, "the database's own event is not one")
        seen = file.read(len(line))
        if seen == line:
            same += len(line)
            continue
        if line.startswith(seen) and not file.read(1):
            lacked = int(database.value("SELECT count(*) FROM custody WHERE id >= ?", (row[0],)))
            what = "its last line is unfinished" if seen else "it ends there"
            return MirrorState("short", same + len(seen), number, lacked, what)
        shown = seen.split(b"\n")[0].decode("utf-8", "backslashreplace")
        return MirrorState(
            "differs", same, number, 0, "it says something else there", shown, line[:-1].decode()
        )
    more = file.readline(_TAIL_BYTES)
    if more:
        shown = more.rstrip(b"\n").decode("utf-8", "backslashreplace")
        what = "it has events that the database has lost"
        return MirrorState("differs", same, number + 1, 0, what, shown, "the end of the log")
    return MirrorState("same", same)


class CustodyLog:
    """Appends events; both copies are on the disk when `transaction` ends."""

    def __init__(
        self,
        database: Database,
        mirror: Path,
        *,
        actor: str | None = None,
        clock: Callable[[], str] = utc_now,
    ) -> None:
        """Append to table `custody` of `database` and to the file `mirror`."""
        self._database = database
        self._mirror = mirror
        self._clock = clock
        self._mirrored = 0
        self.actor = whole_text(actor) if actor else system_actor()
        self.found: MirrorState | None = None
        """How the second copy was found when the case was opened for writing."""

    def begin(self) -> None:
        """Write the second copy of a new case's log."""
        self._write_mirror()

    def catch_up(self) -> None:
        """Complete a second copy that is a beginning of the log, and record that; leave any other alone.

        Raises:
            DestinationError: it cannot be written (DiskFullError: no space).
        """
        if self._ends_alike():
            self.found = MirrorState("same", 0)
            self._mirrored = self._last()
            return
        self.found = check_mirror(self._database, self._mirror)
        if self.found.kind != "short":
            self._mirrored = self._last()
            return
        self._mirrored = self.found.event - 1
        self._write_mirror(skip_bytes=self.found.same_bytes - self._line_start(self.found))
        with self.transaction():
            detail = {"first_id": self.found.event, "lacked_events": self.found.lacked}
            self.add("mirror-completed", detail)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A database transaction; the events added in it reach the second copy when it is committed."""
        with self._database.transaction():
            yield
        if not self._database.in_transaction:
            self._write_mirror()

    def add(self, action: str, detail: Mapping[str, Any]) -> Event:
        """Append one event to the database's copy, inside a `transaction`.

        Raises:
            CaseError: the last event is not one, so that nothing can continue it.
        """
        assert self._database.in_transaction
        last = self._database.row("SELECT id, sha256 FROM custody ORDER BY id DESC LIMIT 1")
        number, previous = last or (0, FIRST_PREVIOUS)
        if not isinstance(previous, str):
            raise CaseError(
                "The custody log was changed, and cannot be continued",
                where=self._database.path,
                do="Run `verify`: it says where",
            )
        event = Event(number + 1, self._clock(), self.actor, action, plain(detail), previous, "")
        event = event._replace(sha256=event.digest())
        self._database.insert("custody", event._asdict() | {"detail": canonical(event.detail)})
        return event

    def _last(self) -> int:
        return int(self._database.value("SELECT coalesce(max(id), 0) FROM custody"))

    def _ends_alike(self) -> bool:
        """Whether the second copy ends with the log's last event; `verify` compares the whole of it."""
        row = self._database.row(f"{_SELECT} ORDER BY id DESC LIMIT 1")
        if row is None:
            return False
        try:
            line = read_event(row).line()
            with self._mirror.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - len(line) - 1))
                tail = file.read()
        except (ValueError, RecursionError, OSError):
            return False
        return tail in (line, b"\n" + line)

    def _line_start(self, found: MirrorState) -> int:
        """Where the unfinished or missing line begins."""
        size = 0
        for row in self._database.rows(f"{_SELECT} WHERE id < ? ORDER BY id", (found.event,)):
            size += len(read_event(row).line())
        return size

    def _write_mirror(self, *, skip_bytes: int = 0) -> None:
        """Append to the second copy the events it does not have yet, and flush it to the disk.

        `skip_bytes` of them are there already: an unfinished line is finished, never removed.
        """
        rows = self._database.rows(f"{_SELECT} WHERE id > ? ORDER BY id", (self._mirrored,))
        events = [read_event(row) for row in rows]
        if not events:
            return
        data = b"".join(event.line() for event in events)[skip_bytes:]
        try:
            new = not self._mirror.exists()
            self._mirror.parent.mkdir(exist_ok=True)
            with self._mirror.open("ab", buffering=0) as file:
                _append(file, data)
            if new:
                sync_folder(self._mirror.parent)
        except OSError as error:
            raise destination_error(error, self._mirror) from error
        self._mirrored = events[-1].id


def _append(file: FileIO, data: bytes) -> None:
    """Append all of `data` durably, or (disk full) leave the file as it was as far as possible."""
    size = file.seek(0, os.SEEK_END)
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) :]
        os.fsync(file.fileno())
    except OSError:
        with contextlib.suppress(OSError):
            file.truncate(size)
        raise

"""Partial: the folder LABEL.partial, in which an exhibit is made until one rename makes it LABEL.

Its state file says how far the acquisition is; it is replaced as a whole at each checkpoint, after what it
speaks of is durable. Only one process may work in the folder at a time.
"""

import contextlib
import fcntl
import json
import os
import re
from pathlib import Path
from typing import Any, NamedTuple, Self

from acquire.durable import TEMPORARY_SUFFIX, sync_file, sync_folder, write_whole
from acquire.errors import DestinationError, UsageError, destination_error
from acquire.reader import ReadError
from acquire.sectormap import SectorMap, Status

PARTIAL_SUFFIX = ".partial"
STATE_SUFFIX = ".state.json"
RECORD_SUFFIX = ".json"
MAP_SUFFIX = ".map"
LOG_SUFFIX = ".log.jsonl"
TEXT_SUFFIX = ".log.txt"

_STATE_VERSION = 1
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9])?\Z")
_MAX_STATE_BYTES = 1 << 30

READING = "reading"
VERIFYING = "verifying"


class State(NamedTuple):
    """How far an acquisition is, and everything that going on with it must not change.

    `settings` are the plan and the container's fixed values, `identity` the source's. The first
    `position_bytes` are in the container, and `digests` are theirs; `errors` lie before that position.
    `sittings` are the runs of the program so far: when each began, and from which byte it read.
    """

    phase: str
    settings: dict[str, Any]
    identity: dict[str, Any]
    sector_size_bytes: int
    size_bytes: int
    started: str
    sittings: list[dict[str, Any]]
    position_bytes: int = 0
    digests: dict[str, str] = {}  # noqa: RUF012  never changed: states are replaced
    errors: tuple[ReadError, ...] = ()
    outcome: dict[str, Any] = {}  # noqa: RUF012  the same; what reading ended with

    def as_json(self) -> bytes:
        """The state file's bytes."""
        return json.dumps({"state_version": _STATE_VERSION} | self._asdict()).encode() + b"\n"

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read a state file's bytes; raises ValueError, KeyError or TypeError if they are none."""
        values = json.loads(text)
        if values.pop("state_version") != _STATE_VERSION:
            raise ValueError("another version")
        values["errors"] = tuple(ReadError(*error) for error in values["errors"])
        state = cls(**values)
        if not 0 <= state.position_bytes <= state.size_bytes:
            raise ValueError("a position outside the source")
        return state


def sector_map(size_bytes: int, position_bytes: int, errors: tuple[ReadError, ...]) -> SectorMap:
    """The map of a source of which `position_bytes` were tried, with `errors`."""
    made = SectorMap(size_bytes)
    made.mark(0, position_bytes, Status.FINISHED)
    for error in errors:
        made.mark(error.start_bytes, error.length_bytes, Status.BAD if error.tries else Status.NON_TRIED)
    made.position_bytes = position_bytes
    return made


def check_label(label: str) -> None:
    """Refuse a label that is not one (docs/reference/case-folder.md).

    Raises:
        UsageError: it is not.
    """
    if not _LABEL.match(label) or label.lower().endswith(PARTIAL_SUFFIX):
        raise UsageError(
            f"{label!r} cannot be a label",
            do="Use 1 to 64 letters, digits, spaces, '.', '_' or '-', a letter or digit first and last",
        )


class Partial:
    """The folder of an unfinished exhibit, held by this process; a context manager that lets it go."""

    def __init__(self, folder: Path, label: str) -> None:
        """Name it; `__enter__` makes and holds it."""
        self.label = label
        self.final = folder / label
        self.folder = folder / f"{label}{PARTIAL_SUFFIX}"
        self._lock = -1

    def path(self, suffix: str) -> Path:
        """A file of the exhibit's by what follows the label."""
        return self.folder / f"{self.label}{suffix}"

    def __enter__(self) -> Self:
        if os.path.lexists(self.final):
            raise DestinationError(
                "There is an exhibit of this label already", where=self.final, do="Choose another label"
            )
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            sync_folder(self.folder.parent)
        except OSError as error:
            self._let_go()
            raise destination_error(error, self.folder) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._let_go()
            raise DestinationError(
                "Another process is acquiring this exhibit", where=self.folder, do="Wait until it has ended"
            ) from error
        except OSError:
            pass  # a file system without locks
        return self

    def __exit__(self, *exception: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        descriptor, self._lock = self._lock, -1
        if descriptor >= 0:
            os.close(descriptor)

    def load(self) -> State | None:
        """The state of an earlier run; None if there is nothing to go on from.

        Raises:
            DestinationError: it is not readable, or the folder holds something else.
        """
        path = self.path(STATE_SUFFIX)
        try:
            for leftover in self.folder.glob(f"*{TEMPORARY_SUFFIX}"):
                leftover.unlink(missing_ok=True)
            try:
                with path.open("rb") as file:
                    text = file.read(_MAX_STATE_BYTES)
            except FileNotFoundError:
                others = next(self.folder.iterdir(), None)
                if others is None:
                    return None
                raise DestinationError(
                    f"The folder of an unfinished exhibit holds {others.name} but no state to go on from",
                    where=self.folder,
                    do="Look at it, then rename or remove the folder",
                ) from None
        except OSError as error:
            raise destination_error(error, path) from error
        try:
            return State.from_json(text)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DestinationError(
                "The state of the unfinished exhibit cannot be read",
                where=path,
                do="Rename or remove the folder to begin again",
            ) from error

    def load_record(self) -> bytes | None:
        """The finished record, if a kill came between it and the rename."""
        path = self.path(RECORD_SUFFIX)
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise destination_error(error, path) from error

    def save(self, state: State) -> None:
        """Replace the state file; durable when this returns.

        Raises:
            DestinationError: it cannot be written; the old state stays.
        """
        write_whole(self.path(STATE_SUFFIX), state.as_json())

    def finish(self) -> Path:
        """Make everything durable and read-only, and give the folder its final name.

        Raises:
            DestinationError: that cannot be done; the same command goes on.
        """
        try:
            self.path(STATE_SUFFIX).unlink(missing_ok=True)
            for path in self.folder.iterdir():
                if path.is_file() and not path.is_symlink():
                    sync_file(path)
                    with contextlib.suppress(OSError):  # a file system without modes
                        path.chmod(0o444)
            sync_folder(self.folder)
            if os.path.lexists(self.final):
                raise DestinationError("An exhibit of this label came in between", where=self.final)
            self.folder.rename(self.final)
            sync_folder(self.final.parent)
        except OSError as error:
            raise destination_error(error, self.folder) from error
        return self.final

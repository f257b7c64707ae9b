"""The acquisition log: one JSON object a line, appended and never rewritten.

Each line has `time` (UTC, ISO 8601, microseconds), `event` and the event's own details; the events are listed
in docs/reference/acquisition-record.md.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from acquire.errors import DestinationError, destination_error


def now() -> str:
    """The time as every record has it: UTC, ISO 8601, microseconds, +00:00."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


class Logbook:
    """Appends to one log file."""

    def __init__(self, path: Path) -> None:
        """Open the log; a last line that a kill cut short is ended, so that what follows is whole.

        Raises:
            DestinationError: it cannot be written.
        """
        self.path = path
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            size = os.fstat(self._descriptor).st_size
            if size and os.pread(self._descriptor, 1, size - 1) != b"\n":
                os.write(self._descriptor, b"\n")
        except OSError as error:
            raise destination_error(error, path) from error

    def event(self, event: str, details: Mapping[str, Any] | None = None) -> str:
        """Append an event; returns its time.

        Raises:
            DestinationError: it cannot be written.
        """
        time = now()
        line = json.dumps({"time": time, "event": event} | dict(details or {})).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError as error:
            raise destination_error(error, self.path) from error
        return time

    def try_event(self, event: str, details: Mapping[str, Any] | None = None) -> None:
        """Append an event if that is possible; for what is told while something else fails."""
        with contextlib.suppress(DestinationError):
            self.event(event, details)

    def sync(self) -> None:
        """Make the log durable."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise destination_error(error, self.path) from error

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

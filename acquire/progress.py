"""Progress: how far a long act is, as a value that the front door may show."""

import time
from collections.abc import Callable
from typing import NamedTuple

ACQUIRE = "acquire"
RESUME = "resume"
"""Reading again what an unfinished container already holds, to bring its digests up to date."""
VERIFY = "verify"
WALK = "walk"
DIGEST = "digest"
PHASES = (ACQUIRE, RESUME, VERIFY, WALK, DIGEST)


class Progress(NamedTuple):
    """`done` of `total` bytes of a phase; `unread` of the bytes done could not be read."""

    phase: str
    done: int
    total: int
    unread: int = 0


ProgressCallback = Callable[[Progress], None]

_INTERVAL_S = 0.1


class Reporter:
    """Hand progress on, at most ten times a second; the last value of a phase always arrives."""

    def __init__(self, callback: ProgressCallback | None) -> None:
        """Report to `callback`; None reports to nobody."""
        self._callback = callback
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """Report `progress` if it is due or the end of its phase."""
        if self._callback is None:
            return
        now = time.monotonic()
        if now < self._next and progress.done < progress.total:
            return
        self._next = now + _INTERVAL_S
        self._callback(progress)

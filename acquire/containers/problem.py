"""What is wrong with a container: where, what was seen there, and what should have been."""

from collections.abc import Iterator
from threading import Lock
from typing import NamedTuple


class ContainerProblem(NamedTuple):
    """One disagreement of a container with its format: `offset` in bytes from the start of `file`."""

    what: str
    file: str
    offset: int
    seen: str = ""
    expected: str = ""


class Problems:
    """The problems of one container, in the order in which they were met; a bounded number is kept."""

    MOST = 10_000

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: list[ContainerProblem] = []
        self._lock = Lock()
        self.count = 0

    def add(self, what: str, file: str, offset: int, seen: object = "", expected: object = "") -> None:
        """Record a problem; from any thread."""
        with self._lock:
            self.count += 1
            if self.count <= self.MOST:
                self._kept.append(ContainerProblem(what, file, offset, str(seen), str(expected)))
            elif self.count == self.MOST + 1:
                self._kept.append(ContainerProblem("more problems than are listed", file, offset))

    def __iter__(self) -> Iterator[ContainerProblem]:
        with self._lock:
            return iter(tuple(self._kept))

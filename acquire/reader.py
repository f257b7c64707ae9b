"""Reader: bytes of a source with their status, so that a bad sector never takes its good neighbours.

It reads in blocks of 1 MiB. Where a block fails, it reads the rest of it again one unit (sector) at a time:
of all strategies measured on a disc with 210 bad sectors that one lost exactly 210, with the fewest failing
reads. What cannot be read is zeros, and has the status of it.
"""

import errno
import mmap
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from acquire.sectormap import Run, Status
from acquire.source import GONE, Source

BLOCK_BYTES = 1 << 20


class ReadError(NamedTuple):
    """A stretch that could not be read: the error's number (None: not an error but an end) and words.

    `tries` is how many reads were asked for each unit of it; the kernel and the drive may have tried
    more often.
    """

    start_bytes: int
    length_bytes: int
    errno: int | None
    message: str
    tries: int

    @property
    def end_bytes(self) -> int:
        """The first byte after it."""
        return self.start_bytes + self.length_bytes

    def as_record(self, sector_bytes: int) -> dict[str, Any]:
        """As in the acquisition record: the sectors touched, and the bytes exactly."""
        lba = self.start_bytes // sector_bytes
        return {
            "lba": lba,
            "count": -(-self.end_bytes // sector_bytes) - lba,
            "errno": errno.errorcode.get(self.errno, str(self.errno)) if self.errno is not None else None,
            "message": self.message,
            "tries": self.tries,
            "start_bytes": self.start_bytes,
            "length_bytes": self.length_bytes,
        }


class _Failure(NamedTuple):
    """Why a stretch is unread: fields of a `ReadError`, and the status that it gives."""

    errno: int | None
    message: str
    tries: int
    status: Status = Status.BAD


class ReadRun(NamedTuple):
    """Bytes from `start_bytes` on, all of one status; zeros unless it is `FINISHED`.

    `data` is valid until the next run is asked for.
    """

    start_bytes: int
    data: memoryview
    status: Status


class Reader:
    """Reads a source by position; keeps what could not be read in `errors`, in order, joined."""

    def __init__(
        self,
        source: Source,
        *,
        unit_bytes: int | None = None,
        block_bytes: int = BLOCK_BYTES,
        errors: Iterable[ReadError] = (),
    ) -> None:
        """Read `source`, single reads of `unit_bytes` each (its own smallest if None).

        `errors` are those of an earlier run.
        """
        self.source = source
        self.unit_bytes = unit_bytes or source.unit_bytes
        self.block_bytes = block_bytes
        self.errors = list(errors)
        self.unread_bytes = sum(error.length_bytes for error in self.errors)
        self._lost: _Failure | None = None

    @property
    def lost(self) -> str:
        """Why the source is gone, and what comes after is not tried any more; "" while it is there."""
        return self._lost.message if self._lost else ""

    def runs(self, start_bytes: int = 0, end_bytes: int | None = None) -> Iterator[ReadRun]:
        """Yield the source from `start_bytes` to `end_bytes` (its end if None), in order."""
        end = self.source.size_bytes if end_bytes is None else min(end_bytes, self.source.size_bytes)
        with mmap.mmap(-1, self.block_bytes) as buffer, memoryview(buffer) as block:
            for at in range(start_bytes, end, self.block_bytes):
                with block[: min(self.block_bytes, end - at)] as view:
                    for run in self.fill(view, at):
                        offset = run.start_bytes - at
                        with view[offset : offset + run.length_bytes] as data:
                            yield ReadRun(run.start_bytes, data, run.status)

    def fill(self, view: memoryview, start_bytes: int) -> list[Run]:
        """Fill `view` from `start_bytes` on; what cannot be read becomes zeros.

        Returns:
            Runs that cover the view in order. Never raises for what the source does.
        """
        length = len(view)
        done, error = (0, None) if self._lost else self._read(view, start_bytes)
        if done == length:
            return [Run(start_bytes, length, Status.FINISHED)]
        found: list[Run] = []
        at = done if isinstance(error, _Failure) else max(0, self._unit_start(start_bytes, done))
        _add(found, Run(start_bytes, at, Status.FINISHED))
        if isinstance(error, OSError):
            self._recover(error)
        elif error is not None:
            _add(found, self._unread(view[at:], start_bytes + at, error))
            return found
        while at < length:
            if self._lost:
                _add(found, self._unread(view[at:], start_bytes + at, self._lost))
                break
            end = min(self._unit_start(start_bytes, at) + self.unit_bytes, length)
            for run in self._fill_unit(view[at:end], start_bytes + at):
                _add(found, run)
            at = end
        return found

    def _unit_start(self, start_bytes: int, at: int) -> int:
        """Where the unit around position `at` of a view begins; below 0 if before the view."""
        return at - (start_bytes + at) % self.unit_bytes

    def _read(self, view: memoryview, start_bytes: int) -> tuple[int, OSError | _Failure | None]:
        """Read as much as comes in order.

        Returns:
            Bytes read, and what ended it early: an error, the source's end, or None for a piece so small
            that the units must be asked for one by one.
        """
        done = 0
        while done < len(view):
            try:
                with view[done:] as rest:
                    got = self.source.read_into(rest, start_bytes + done)
            except OSError as error:
                return done, error
            if not got:
                return done, self._ended()
            before, done = done, done + got
            if done < len(view) and self.source.direct:
                # Past the page cache a read must begin on a unit.
                done = self._unit_start(start_bytes, done)
                if done <= before:
                    break
        return done, None

    def _ended(self) -> _Failure:
        return _Failure(None, f"The source ends before its {self.source.size_bytes} bytes", tries=1)

    def _fill_unit(self, unit: memoryview, start_bytes: int) -> list[Run]:
        """Read one unit of a block that failed."""
        got = 0
        try:
            while got < len(unit):
                with unit[got:] as rest:
                    piece = self.source.read_alone(rest, start_bytes + got)
                if not piece:
                    break
                got += piece
        except OSError as error:
            why = _Failure(error.errno, error.strerror or str(error), tries=2)
            run = self._unread(unit, start_bytes, why)
            if error.errno in GONE:
                self._recover(error)
            return [run]
        found: list[Run] = []
        _add(found, Run(start_bytes, got, Status.FINISHED))
        if got < len(unit):
            _add(found, self._unread(unit[got:], start_bytes + got, self._ended()))
        return found

    def _recover(self, error: OSError) -> None:
        """After an error, find out whether the source is still there."""
        reason = self.source.recover(error)
        if reason:
            self._lost = _Failure(error.errno, reason, tries=0, status=Status.NON_TRIED)

    def _unread(self, view: memoryview, start_bytes: int, why: _Failure) -> Run:
        """Fill the view with zeros, and note why."""
        view[:] = bytes(len(view))
        error = ReadError(start_bytes, len(view), why.errno, why.message, why.tries)
        self.unread_bytes += error.length_bytes
        last = self.errors[-1] if self.errors else None
        if last and last.end_bytes == error.start_bytes and last[2:] == error[2:]:
            self.errors[-1] = last._replace(length_bytes=last.length_bytes + error.length_bytes)
        else:
            self.errors.append(error)
        return Run(start_bytes, error.length_bytes, why.status)


def _add(runs: list[Run], run: Run) -> None:
    """Put a run after others, joined with the last where it continues it."""
    if not run.length_bytes:
        return
    if runs and runs[-1].status == run.status:
        runs[-1] = runs[-1]._replace(length_bytes=runs[-1].length_bytes + run.length_bytes)
    else:
        runs.append(run)

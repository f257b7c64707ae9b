"""Reading: the first half of an acquisition, from the source into the container, with checkpoints."""

import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from acquire.containers.ewf import HeaderValues
from acquire.digest import new_digest
from acquire.errors import DestinationError
from acquire.logbook import Logbook, now
from acquire.partial import MAP_SUFFIX, VERIFYING, Partial, State, sector_map
from acquire.progress import ACQUIRE, RESUME, Progress, Reporter
from acquire.pump import Every, Mark, Pump, interruptible
from acquire.reader import Reader, ReadError
from acquire.record import tool_version
from acquire.sectormap import Run, SectorMap, Status
from acquire.sink import ContainerSink, E01Sink, RawSink, Replay
from acquire.target import Opened, Target

CHECKPOINT_S = 2.0
"""Seconds between checkpoints: what a kill costs, at most, to read again."""
_SAVING_SHARE = 20
"""Checkpoints that are slow to save come rarer: saving takes at most a twentieth of the time."""


@dataclass
class Work:
    """An acquisition under way; `state` is what its state file says, or will say next."""

    opened: Opened
    target: Target
    partial: Partial
    log: Logbook
    report: Reporter
    state: State

    def map_comments(self) -> list[str]:
        """The head of the map."""
        return [
            f"Mapfile. Created by jewelcase version {tool_version()}",
            f"Source: {self.opened.source.path}",
            f"Start time:   {self.state.started}",
            f"Current time: {now()}",
        ]

    def save(self, state: State) -> None:
        """Replace the state, and the map."""
        self.partial.save(state)
        self.state = state
        made = sector_map(state.size_bytes, state.position_bytes, state.errors)
        self.save_map(made)

    def save_map(self, made: SectorMap) -> None:
        """Replace the map."""
        made.save(self.partial.path(MAP_SUFFIX), comments=self.map_comments())


def read(work: Work) -> None:
    """Read the source into the container; the state is then `VERIFYING`, with the outcome.

    Raises:
        KeyboardInterrupt: the container and the state are as far as reading was.
        DestinationError: the container cannot be written; the last checkpoint stays.
    """
    stored = [name for name in ("md5", "sha1") if work.opened.source.describe().get(f"stored_{name}")]
    names = dict.fromkeys([*work.state.settings["digests"], *stored])
    digests = {name: new_digest(name) for name in names}
    with closing(_open_sink(work, digests)) as sink:
        reader = Reader(
            work.opened.source,
            unit_bytes=work.target.unit_bytes,
            errors=_before(sink.position_bytes, work.state.errors),
        )
        _copy(work, sink, reader, digests)
        made = {name: digest.hexdigest() for name, digest in digests.items()}
        errors = tuple(reader.errors)
        covered = with_declared(work, sector_map(work.state.size_bytes, work.state.size_bytes, errors))
        unread = covered.unread(work.target.sector_bytes)
        files = sink.finish({name: made[name] for name in work.state.settings["digests"]}, unread)
    source = work.opened.source
    outcome = {
        "ended": now(),
        "files": [file.name for file in files],
        "digests": made,
        "lost": reader.lost,
        "source_changes": source.changes(),
        "source": source.describe(),
        "problems": work.opened.problems(),
        "method": "past the page cache (O_DIRECT)" if source.direct else "through the page cache",
    }
    work.log.event(
        "read", {"bytes": work.state.size_bytes, "bytes_unread": reader.unread_bytes, "digests": made}
    )
    if outcome["source_changes"]:
        work.log.event("source-changed", {"message": outcome["source_changes"]})
    work.save(
        work.state._replace(
            phase=VERIFYING, position_bytes=work.state.size_bytes, errors=errors, outcome=outcome
        )
    )


def with_declared(work: Work, made: SectorMap) -> SectorMap:
    """Put in what the map beside the source says was not read when that was made."""
    if work.opened.declared is not None:
        for run in work.opened.declared.runs():
            length = min(run.end_bytes, made.size_bytes) - run.start_bytes
            if run.status != Status.FINISHED and length > 0:
                made.mark(run.start_bytes, length, run.status)
    return made


def _before(position_bytes: int, errors: tuple[ReadError, ...]) -> list[ReadError]:
    """The errors, or the parts of them, that lie before a position."""
    return [
        error._replace(length_bytes=min(error.length_bytes, position_bytes - error.start_bytes))
        for error in errors
        if error.start_bytes < position_bytes
    ]


def _open_sink(work: Work, digests: dict[str, Any]) -> ContainerSink:
    """Begin the container, or go on with it: then bring the digests up to where it stands."""
    state = work.state
    wanted = state.position_bytes
    with Pump(digests) as pump:

        def replay(block: bytes) -> None:
            pump.feed(block)
            work.report(Progress(RESUME, pump.position_bytes, wanted))

        sink = _make_sink(work, replay)
        try:
            mark = pump.mark()
            pump.finish()
            assert mark is not None
            assert mark.position_bytes == sink.position_bytes, "what is kept has been replayed"
            _check_kept(work, mark)
        except BaseException:
            sink.close()
            raise
    if wanted:
        work.log.event("resumed", {"from_byte": sink.position_bytes})
    state.sittings[-1]["from_bytes"] = sink.position_bytes
    return sink


def _check_kept(work: Work, mark: Mark) -> None:
    """Compare what was found in an unfinished container with what its state says."""
    state = work.state
    if mark.position_bytes < state.position_bytes:
        work.log.event(
            "container-shorter", {"expected_bytes": state.position_bytes, "found_bytes": mark.position_bytes}
        )
        return
    changed = [
        name for name in sorted(mark.digests) if state.digests.get(name) not in (None, mark.digests[name])
    ]
    if changed:
        raise DestinationError(
            f"The unfinished container is not what was written into it ({', '.join(changed)} differs)",
            where=work.partial.folder,
            do="Rename the folder, and begin again",
        )


def _make_sink(work: Work, replay: Replay) -> ContainerSink:
    settings, target = work.state.settings, work.target
    if target.format == "raw":
        return RawSink(work.partial.path(target.suffix), work.state.position_bytes, replay)
    return E01Sink(
        work.partial.folder,
        work.partial.label,
        keep_bytes=work.state.position_bytes if len(work.state.sittings) > 1 else None,
        replay=replay,
        size_bytes=target.size_bytes,
        sector_bytes=target.sector_bytes,
        header=HeaderValues(**settings["e01_header"]),
        guid=uuid.UUID(settings["set_identifier"]),
        created=datetime.fromisoformat(work.state.started),
        media=target.media,
        physical=target.physical,
        compression=settings["compression"],
        segment_size_bytes=settings["segment_size_bytes"],
        sessions=target.sessions,
    )


def _copy(work: Work, sink: ContainerSink, reader: Reader, digests: dict[str, Any]) -> None:
    """Pump the rest of the source into the sink."""
    size = work.state.size_bytes
    told = _ErrorLog(work, reader, sink.position_bytes)
    pause = Every(CHECKPOINT_S)

    def checkpoint(mark: Mark) -> None:
        began = time.monotonic()
        work.log.sync()
        work.save(
            work.state._replace(position_bytes=mark.position_bytes, digests=mark.digests, errors=mark.notes)
        )
        pause.at_least((time.monotonic() - began) * _SAVING_SHARE)

    def fill(view: memoryview, position: int) -> list[Run]:
        return reader.fill(view, position)

    start = sink.position_bytes
    with interruptible() as interrupted, Pump(digests, sink, start_bytes=start, on_mark=checkpoint) as pump:
        try:
            for position in pump.copy(fill, size):
                told(position)
                work.report(Progress(ACQUIRE, position, size, reader.unread_bytes))
                _stop_if(interrupted())
                if pause.due():
                    pump.mark(tuple(reader.errors))
        except BaseException as error:
            # What was read stays read: a last checkpoint, as far as the sink can still take one.
            pump.mark(tuple(_before(pump.position_bytes, tuple(reader.errors))))
            pump.close()
            work.log.try_event("stopped", {"at_byte": pump.position_bytes, "why": repr(error)})
            raise
        pump.mark(tuple(reader.errors))
        pump.finish()


def _stop_if(interrupted: bool) -> None:  # noqa: FBT001  it is the question
    if interrupted:
        raise KeyboardInterrupt


class _ErrorLog:
    """Tells the log of every stretch that could not be read, once."""

    def __init__(self, work: Work, reader: Reader, position_bytes: int) -> None:
        self._work = work
        self._reader = reader
        self._count = len(reader.errors)
        self._told_bytes = position_bytes
        self._lost = False

    def __call__(self, position_bytes: int) -> None:
        """Tell what is new before `position_bytes`."""
        errors = self._reader.errors
        for error in errors[max(0, self._count - 1) :]:
            start = max(error.start_bytes, self._told_bytes)
            if start < error.end_bytes:
                piece = error._replace(start_bytes=start, length_bytes=error.end_bytes - start)
                self._work.log.event("error", piece.as_record(self._work.target.sector_bytes))
        self._count = len(errors)
        self._told_bytes = position_bytes
        if self._reader.lost and not self._lost:
            self._lost = True
            self._work.log.event("source-lost", {"at_byte": position_bytes, "message": self._reader.lost})

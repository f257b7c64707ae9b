"""Acquire a source: read it once into a container, with digests, and read the container back.

    acquisition = acquire("/dev/sr0", Path("evidence"), "EX-1", Plan())

Everything is made in `EX-1.partial/` and appears as `EX-1/` by one rename, when it is whole. After any stop
the same call goes on: sectors found unread stay unread, and the rest is read from the last checkpoint on.
"""

import json
import uuid
from contextlib import closing
from pathlib import Path
from typing import Any

from acquire import record as records
from acquire.digest import MultiDigest
from acquire.durable import write_whole
from acquire.errors import (
    ContainerError,
    DestinationError,
    JewelcaseError,
    SourceError,
    UsageError,
    source_error,
)
from acquire.exhibit import Acquisition, ExhibitHeader, Plan
from acquire.logbook import Logbook, now
from acquire.partial import (
    LOG_SUFFIX,
    MAP_SUFFIX,
    READING,
    RECORD_SUFFIX,
    TEXT_SUFFIX,
    Partial,
    State,
    check_label,
    sector_map,
)
from acquire.progress import DIGEST, VERIFY, Progress, ProgressCallback, Reporter
from acquire.pump import interruptible
from acquire.readback import ReadBack, read_back
from acquire.reader import BLOCK_BYTES
from acquire.reading import Work, read, with_declared
from acquire.target import Opened, Target, check_space, choose, open_source

__all__ = ["Acquisition", "ExhibitHeader", "Plan", "Progress", "acquire", "read_acquisition"]


def acquire(
    source: str | Path,
    folder: Path,
    label: str,
    plan: Plan = Plan(),  # noqa: B008  a tuple, never changed
    *,
    progress: ProgressCallback | None = None,
) -> Acquisition:
    """Acquire `source` as the exhibit `label` in `folder`; docs/how-to/acquire-an-image.md.

    Goes on from `LABEL.partial/` if it is there, and ends by renaming it to `LABEL/`.

    Raises:
        UsageError: the plan or the label is none, or is not that of the unfinished exhibit.
        SourceError: the source is missing, unreadable, empty, in use, or not the one begun with.
        ContainerError: the source says that it is a container, and is not.
        DestinationError: the folder cannot be written to, or the exhibit is there already. DiskFullError:
            no space; the same call goes on.
        KeyboardInterrupt: stopped by the user; the same call goes on.
    """
    plan.check()
    check_label(label)
    source, folder = Path(source), Path(folder)
    if not folder.is_dir():
        raise DestinationError("No such folder", where=folder, do="Make it, or choose another")
    partial = Partial(folder, label)
    if source.resolve().is_relative_to(partial.folder.resolve()):
        raise UsageError(f"The source lies in {partial.folder}", do="Move it out first")
    opened = open_source(source)
    with closing(opened.source):
        target = choose(opened, plan)
        held = partial.path(target.suffix)
        check_space(folder, target, plan, held.stat().st_size if held.is_file() else 0)
        with partial:
            finished = partial.load_record()
            if finished is not None:
                return _conclude(partial, opened, finished)
            state = _begin(partial, opened, target, plan)
            target = target._replace(format=state.settings["format"], suffix=state.settings["suffix"])
            with Logbook(partial.path(LOG_SUFFIX)) as log:
                work = Work(opened, target, partial, log, Reporter(progress), state)
                return _work(work, plan)


def read_acquisition(folder: Path, label: str) -> Acquisition:
    """Read a finished exhibit's record back: what `acquire` returned.

    Raises:
        SourceError: there is none.
        ContainerError: it is not an acquisition record.
    """
    path = Path(folder) / label / f"{label}{RECORD_SUFFIX}"
    try:
        text = path.read_bytes()
    except OSError as error:
        raise source_error(error, path) from error
    return Acquisition.from_record(_parse(text, path))


def _parse(text: bytes, path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
        Acquisition.from_record(found)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ContainerError(
            "Not an acquisition record", where=path, do="Look at the exhibit's folder"
        ) from error
    return found


def _conclude(partial: Partial, opened: Opened, text: bytes) -> Acquisition:
    """Give an exhibit that is whole but for its name that name."""
    record = _parse(text, partial.path(RECORD_SUFFIX))
    _check_identity(record["source"]["identity"], opened, partial)
    partial.finish()
    return Acquisition.from_record(record)


def _begin(partial: Partial, opened: Opened, target: Target, plan: Plan) -> State:
    """The state to work from: an earlier run's, if its source and plan are the same, or a new one."""
    started = now()
    sitting = {"started": started, "from_bytes": 0, "tool_version": records.tool_version()}
    state = partial.load()
    if state is None:
        known = opened.source.describe()
        settings = {
            "format": target.format,
            "suffix": target.suffix,
            **_asked(plan),
            "set_identifier": str(uuid.uuid4()),
            "e01_header": {
                **plan.header._asdict(),
                "model": str(known.get("model", "")),
                "serial": str(known.get("serial", "")),
                "version": records.PROGRAM,
                "system": records.host()["system"],
            },
        }
        identity = opened.identity()
        sitting["phase"] = READING
        state = State(READING, settings, identity, target.sector_bytes, target.size_bytes, started, [sitting])
    else:
        _check_identity(state.identity, opened, partial)
        _check_plan(state, plan, partial)
        sitting["phase"] = state.phase
        state.sittings.append(sitting)
    partial.save(state)
    return state


def _asked(plan: Plan) -> dict[str, Any]:
    """What of a plan an acquisition cannot change once it has begun."""
    return {
        "digests": list(plan.digests),
        "compression": plan.compression,
        "segment_size_bytes": plan.segment_size_bytes,
        "header": plan.header._asdict(),
    }


def _check_plan(state: State, plan: Plan, partial: Partial) -> None:
    asked = _asked(plan) | ({"format": plan.format} if plan.format else {})
    for name, value in asked.items():
        if state.settings[name] != value:
            raise UsageError(
                f"The unfinished exhibit in {partial.folder} was begun with another {name}: "
                f"{state.settings[name]!r}, not {value!r}",
                do="Give the same options, or rename that folder to begin again",
            )


def _check_identity(identity: dict[str, Any], opened: Opened, partial: Partial) -> None:
    """Refuse to go on from another source than was begun with; what is not known cannot differ."""
    differing = [
        f"{name.replace('_', ' ')} was {identity[name]!r} and is {value!r}"
        for name, value in opened.identity().items()
        if identity.get(name) is not None and value is not None and identity[name] != value
    ]
    if differing:
        raise SourceError(
            f"Not the source that was begun with ({'; '.join(differing)})",
            where=opened.source.path,
            do=f"Give that one, or choose another label, or rename {partial.folder} to begin again",
        )


def _work(work: Work, plan: Plan) -> Acquisition:
    """Read, verify, record."""
    settings = {name: value for name, value in work.state.settings.items() if name != "e01_header"}
    event = "started" if len(work.state.sittings) == 1 else "started-again"
    details = {"source": work.opened.source.describe(), "tool": records.tool(), "settings": settings}
    work.log.event(event, details)
    try:
        if work.state.phase == READING:
            read(work)
        verification = _verify(work, plan)
        record = _record(work, plan, verification)
    except JewelcaseError as error:
        work.log.try_event("failed", {"message": str(error)})
        raise
    write_whole(work.partial.path(TEXT_SUFFIX), records.as_text(record))
    work.log.event("ended", {"verified": verification["verified"], "coverage": record["coverage"]})
    write_whole(work.partial.path(RECORD_SUFFIX), records.as_json(record))
    work.partial.finish()
    return Acquisition.from_record(json.loads(records.as_json(record)))


def _verify(work: Work, plan: Plan) -> dict[str, Any]:
    """Read the container back, if that is asked for."""
    if not plan.verify:
        return {"verified": None, "detail": "It was not asked to read the container back.", "digests": {}}
    state, size = work.state, work.state.size_bytes
    started = work.log.event("verify-started")
    files = [work.partial.folder / name for name in state.outcome["files"]]
    names = tuple(state.settings["digests"])
    with interruptible() as interrupted:

        def tick(position: int) -> None:
            work.report(Progress(VERIFY, position, size))
            if interrupted():
                work.log.try_event("stopped", {"at_byte": position, "why": "interrupted while verifying"})
                raise KeyboardInterrupt

        found = read_back(files, state.settings["format"], names, tick)
    wrong = _differences(found, state)
    same = f"Read back from the disk: {', '.join(names)} are those of the data as it was read."
    outcome = {
        "verified": not wrong,
        "detail": "; ".join(wrong) or same,
        "started": started,
        "ended": now(),
        "digests": found.digests,
    }
    work.log.event("verified", outcome)
    return outcome


def _differences(found: ReadBack, state: State) -> list[str]:
    wrong = list(found.problems)
    if found.size_bytes != state.size_bytes:
        wrong.append(f"{found.size_bytes} bytes were read back, {state.size_bytes} were written")
    for name, value in found.digests.items():
        if value != state.outcome["digests"][name]:
            wrong.append(f"{name} is {value} read back, {state.outcome['digests'][name]} as read")
    return wrong


def _record(work: Work, plan: Plan, verification: dict[str, Any]) -> dict[str, Any]:
    """The acquisition record, and the final map."""
    state, target, label = work.state, work.target, work.partial.label
    outcome, settings = state.outcome, state.settings
    tried = sector_map(state.size_bytes, state.size_bytes, state.errors)
    filled = sum(run.length_sectors for run in tried.unread(state.sector_size_bytes))
    covered = with_declared(work, tried)
    work.save_map(covered)
    unread = covered.unread(state.sector_size_bytes)
    unread_count = sum(run.length_sectors for run in unread)
    digests = {name: outcome["digests"][name] for name in settings["digests"]}
    suffixes = (MAP_SUFFIX, LOG_SUFFIX, TEXT_SUFFIX, RECORD_SUFFIX)
    return {
        "record_version": records.RECORD_VERSION,
        "label": label,
        "started": state.started,
        "ended": now(),
        "resumed": len(state.sittings) - 1,
        "exhibit": plan.header._asdict(),
        "source": _source(work),
        "container": {
            "format": settings["format"],
            "files": [
                {"name": name, "size_bytes": (work.partial.folder / name).stat().st_size}
                for name in outcome["files"]
            ],
            "compression": settings["compression"] if target.format == "e01" else None,
            "segment_size_bytes": settings["segment_size_bytes"] if target.format == "e01" else None,
            "set_identifier": settings["set_identifier"] if target.format == "e01" else None,
        },
        "files": [*outcome["files"], *(label + suffix for suffix in suffixes)],
        "reading": {
            "started": state.started,
            "ended": outcome["ended"],
            "method": outcome["method"],
            "block_bytes": BLOCK_BYTES,
            "unit_bytes": target.unit_bytes,
            "sittings": state.sittings,
            "lost": outcome["lost"],
            "source_changes": outcome["source_changes"],
        },
        "digests": digests,
        "coverage": {
            "sector_size_bytes": state.sector_size_bytes,
            "sector_count": target.sector_count,
            "size_bytes": state.size_bytes,
            "sectors_read": target.sector_count - unread_count,
            "sectors_unread": unread_count,
            "sectors_filled": filled,
            "fill": "zero bytes",
            "bytes_unread": sum(run.length_bytes for run in covered.runs() if run.status != "+"),
            "unread": [list(run) for run in unread],
        },
        "errors": [error.as_record(state.sector_size_bytes) for error in state.errors],
        "verification": verification,
        "tool": records.tool(),
        "host": records.host(),
    }


def _source(work: Work) -> dict[str, Any]:
    """The source record: what it is, and for a container its files and whether its own digests agree."""
    state = work.state
    known = dict(state.outcome["source"]) | {"identity": state.identity}
    if notes := [*work.opened.notes, *state.outcome["problems"]]:
        known["notes"] = notes
    if work.opened.image is None:
        return known
    known["container_files"] = [_file(work, Path(name)) for name in known["container_files"]]
    known["stored_agree"] = {
        name: str(known[f"stored_{name}"]).lower() == state.outcome["digests"][name]
        for name in ("md5", "sha1")
        if known.get(f"stored_{name}")
    }
    return known


def _file(work: Work, path: Path) -> dict[str, Any]:
    """A file of the source's container, with its digests."""
    digests = MultiDigest(tuple(work.state.settings["digests"]), threads=True)
    try:
        size = path.stat().st_size
        with path.open("rb", buffering=0) as file:
            done = 0
            while block := file.read(BLOCK_BYTES):
                digests.update(block)
                done += len(block)
                work.report(Progress(DIGEST, done, max(size, done)))
    except OSError as error:
        return {"name": path.name, "size_bytes": None, "digests": {}, "error": error.strerror or str(error)}
    finally:
        digests.close()
    return {"name": path.name, "size_bytes": done, "digests": digests.hexdigests()}

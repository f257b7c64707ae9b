"""How an exhibit was acquired, in facts to list: from the acquisition's columns and from its record."""

from collections.abc import Iterator
from typing import Any

from report.figures import case_time, counted, duration, size
from report.model import AcquisitionView

PROGRAM = "jewelcase"
_CONTAINERS = {"e01": "E01 (EnCase evidence file)", "raw": "raw (the bytes as they are)"}

Fact = tuple[str, str | None]


def made_with(tool_version: str | None) -> str | None:
    """The program and the version that a row gives."""
    return None if tool_version is None else f"{PROGRAM} {tool_version}"


def acquisition_facts(acquisition: AcquisitionView) -> Iterator[Fact]:
    """(what, how it was); None where the case does not say. Facts that are seldom there come only then."""
    record = acquisition.record
    yield "Container", _CONTAINERS.get(acquisition.format or "", acquisition.format)
    yield "Data", None if acquisition.size_bytes is None else size(acquisition.size_bytes)
    yield "Sectors", _sectors(acquisition)
    yield "Started", None if acquisition.started is None else case_time(acquisition.started)
    yield "Ended", None if acquisition.ended is None else case_time(acquisition.ended)
    if acquisition.started is not None and acquisition.ended is not None:
        yield "Took", duration(acquisition.started, acquisition.ended)
    yield (
        "Interrupted and continued",
        "never" if not acquisition.resumed else counted(acquisition.resumed, "time"),
    )
    yield "Made with", made_with(acquisition.tool_version)
    yield "Method", _text(record, "reading", "method")
    yield "Command", _text(record, "tool", "command")
    yield "Computer", _computer(record)
    yield from _seldom(acquisition)


def _seldom(acquisition: AcquisitionView) -> Iterator[Fact]:
    """Facts of drives and of acquisitions that did not go smoothly."""
    record = acquisition.record
    for term, *path in (
        ("Vendor", "source", "vendor"),
        ("Model", "source", "model"),
        ("Serial number", "source", "serial"),
        ("Lost at an interruption", "reading", "lost"),
        ("Changes of the source", "reading", "source_changes"),
    ):
        found = _text(record, *path)
        if found:
            yield term, found
    if acquisition.sectors_filled:
        yield "Fill", _text(record, "coverage", "fill")
    if acquisition.verify_detail:
        yield "Read back", acquisition.verify_detail


def _sectors(acquisition: AcquisitionView) -> str | None:
    if acquisition.sector_count is None or acquisition.sector_size_bytes is None:
        return None
    return (
        f"{counted(acquisition.sector_count, 'sector')} of {counted(acquisition.sector_size_bytes, 'byte')}"
    )


def _computer(record: dict[str, Any]) -> str | None:
    """Its name and system."""
    name, system, kernel = (_text(record, "host", key) for key in ("name", "system", "kernel"))
    told = " ".join(filter(None, (system, kernel)))
    return f"{name}, {told}" if name and told else name or told or None


def _text(record: object, *path: str) -> str | None:
    """What the record says at `path`, if that is text or a number."""
    for key in path:
        record = record.get(key) if isinstance(record, dict) else None
    return str(record) if isinstance(record, str | int | float) and not isinstance(record, bool) else None

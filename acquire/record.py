"""The acquisition record: all that is known of an acquisition, for machines (JSON) and for people (text).

Every field is described in docs/reference/acquisition-record.md.
"""

import hashlib
import json
import os
import platform
import shlex
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

RECORD_VERSION = 1
PROGRAM = "jewelcase"
_LISTED = 1000
"""Ranges and errors listed in the text; all are in the JSON."""


@cache
def tool_version() -> str:
    """The version of this program."""
    try:
        return version(PROGRAM)
    except PackageNotFoundError:
        return "unknown"


@cache
def code_sha256() -> str:
    """A digest over the acquiring code: SHA-256 over `name NUL SHA-256(content)` of its sorted modules."""
    root = Path(__file__).parent
    whole = hashlib.sha256()
    for module in sorted(root.rglob("*.py")):
        whole.update(module.relative_to(root).as_posix().encode() + b"\0")
        whole.update(hashlib.sha256(module.read_bytes()).digest())
    return whole.hexdigest()


def tool() -> dict[str, Any]:
    """The program that acquires."""
    return {
        "name": PROGRAM,
        "version": tool_version(),
        "code_sha256": code_sha256(),
        "python": platform.python_version(),
        "command": shlex.join(sys.argv),
    }


def host() -> dict[str, Any]:
    """The machine that acquires, and its clock."""
    system = os.uname()
    clock = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    try:
        source = clock.read_text().strip()
    except OSError:
        source = None
    return {
        "name": system.nodename,
        "system": system.sysname,
        "kernel": system.release,
        "machine": system.machine,
        "user_id": os.geteuid(),
        "utc_offset_seconds": -(time.altzone if time.localtime().tm_isdst else time.timezone),
        "clock_source": source,
    }


def as_json(record: dict[str, Any]) -> bytes:
    """The record's file."""
    return json.dumps(record, indent=1).encode() + b"\n"


def visible(value: object) -> str:
    r"""Text on one line in which nothing acts on a terminal or hides: other characters stand as `\uNNNN`."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in str(value)
    )


def as_text(record: dict[str, Any]) -> bytes:
    """The record on a page, for people."""
    lines: list[str] = []
    for title, rows in _sections(record):
        lines += ["", title, "-" * len(title)]
        lines += [
            f"{name + ':':<24}{visible(value)}" if name else f"  {visible(value)}" for name, value in rows
        ]
    head = f"Acquisition of {visible(record['label'])}"
    return "\n".join([head, "=" * len(head), *lines]).encode() + b"\n"


_Rows = list[tuple[str, object]]


def _sections(record: dict[str, Any]) -> Iterator[tuple[str, _Rows]]:
    yield "Case", _known(record["exhibit"], ())
    yield "Source", list(_source(record))
    yield "Container", list(_container(record))
    yield "Reading", list(_reading(record))
    yield (
        "Digests of the data in the container",
        [(name.upper(), hex_) for name, hex_ in record["digests"].items()],
    )
    yield "Coverage (what of the source is in the container)", list(_coverage(record))
    yield "Verification (whether the container is what was written)", list(_verification(record))
    if record["errors"]:
        yield "Unread ranges", list(_errors(record))
    yield "Made by", list(_made_by(record))


def _known(values: dict[str, Any], skipped: Iterable[str]) -> _Rows:
    return [
        (name.replace("_", " ").capitalize(), value)
        for name, value in values.items()
        if value not in (None, "", [], {}) and name not in skipped and not isinstance(value, dict | list)
    ]


def _source(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    source = record["source"]
    yield from _known(source, ("stored_agree",))
    for name, value in source.get("container_header", {}).items():
        yield f"Header {name}", value
    for file in source.get("container_files", []):
        yield "Container file", f"{file['name']} ({file['size_bytes']} bytes)"
        for name, value in file["digests"].items():
            yield f"  its {name.upper()}", value
    for name, agrees in source.get("stored_agree", {}).items():
        verdict = "agrees with the data read" if agrees else "DOES NOT AGREE with the data read"
        yield f"Stored {name.upper()}", verdict
    for note in source.get("notes", []):
        yield "Note", note


def _container(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    container = record["container"]
    yield "Format", {"e01": "E01 (EnCase 6)", "raw": "raw"}[container["format"]]
    if container["format"] == "e01":
        yield "Compression", container["compression"]
        yield "Set identifier", container["set_identifier"]
    for file in container["files"]:
        yield "File", f"{file['name']} ({file['size_bytes']} bytes)"


def _reading(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    reading = record["reading"]
    yield "Started", reading["started"]
    yield "Ended", reading["ended"]
    yield "Method", reading["method"]
    for number, sitting in enumerate(reading["sittings"]):
        if number:
            yield "Gone on", f"{sitting['started']} from byte {sitting['from_bytes']} ({sitting['phase']})"
    if reading["lost"]:
        yield "SOURCE LOST", reading["lost"]
    if reading["source_changes"]:
        yield "SOURCE CHANGED", reading["source_changes"]


def _coverage(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    coverage = record["coverage"]
    yield "Sector size", f"{coverage['sector_size_bytes']} bytes"
    yield "Sectors expected", coverage["sector_count"]
    yield "Sectors read", coverage["sectors_read"]
    yield "Sectors unread", coverage["sectors_unread"]
    yield "Sectors filled", f"{coverage['sectors_filled']} (with {coverage['fill']})"
    yield "Bytes unread", f"{coverage['bytes_unread']} of {coverage['size_bytes']}"
    if not coverage["sectors_unread"]:
        yield "", "Every sector was read."
        return
    share = 100 * coverage["sectors_read"] // coverage["sector_count"]
    yield "", f"NOT ALL OF THE SOURCE WAS READ: {share} % of its sectors, rounded down."
    for start, count in coverage["unread"][:_LISTED]:
        yield "Unread sectors", f"{start} to {start + count - 1} ({count})"
    yield from _rest(coverage["unread"], "ranges")


def _rest(values: list[Any], what: str) -> Iterator[tuple[str, object]]:
    if len(values) > _LISTED:
        yield "", f"… and {len(values) - _LISTED} more {what}, listed in the record"


def _verification(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    verification = record["verification"]
    verdict = {True: "verified", False: "NOT VERIFIED: IT DIFFERS", None: "not read back"}
    yield "Container", verdict[verification["verified"]]
    yield "", verification["detail"]
    if verification["verified"] is not None:
        yield "Started", verification["started"]
        yield "Ended", verification["ended"]
    for name, value in verification["digests"].items():
        yield name.upper(), value


def _errors(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    for error in record["errors"][:_LISTED]:
        number = f"{error['errno']}: " if error["errno"] else ""
        where = f"sector {error['lba']}, {error['count']} sectors"
        tries = f"tried {error['tries']} times" if error["tries"] else "not tried"
        yield "", f"{where}: {number}{error['message']} ({tries})"
    yield from _rest(record["errors"], "errors")


def _made_by(record: dict[str, Any]) -> Iterator[tuple[str, object]]:
    made, machine = record["tool"], record["host"]
    yield "Program", f"{made['name']} {made['version']}, Python {made['python']}"
    yield "SHA-256 of its code", made["code_sha256"]
    yield "Command", made["command"]
    yield "Host", f"{machine['name']} ({machine['system']} {machine['kernel']}, {machine['machine']})"
    yield (
        "Clock",
        f"UTC {machine['utc_offset_seconds']:+d} s, {machine['clock_source'] or 'source not known'}",
    )
    yield "Record written", datetime.fromisoformat(record["ended"]).astimezone(UTC).isoformat()

"""The report of a case as one HTML file that needs nothing else: no network, no script, no other file.

The page is written as it is read from the database, so its length does not cost memory. Every text that
is put into it is escaped on the way (`report.escape`); its content security policy allows the one style
sheet and the one script that it carries, by their digests, and nothing else.
"""

import base64
import errno
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

import jinja2
from markupsafe import Markup

from acquire.durable import TEMPORARY_SUFFIX, sync_folder
from acquire.errors import DestinationError, destination_error
from acquire.record import tool_version
from casefiles.case import Case
from report import figures, statements
from report.acquired import acquisition_facts, made_with
from report.escape import css_string, shown, shown_name, shown_path, visible
from report.model import CaseView
from report.particulars import block, inline, without_empty
from report.rows import DIGEST_NAMES, batches, entry_notes, entry_place, entry_times, lines, table_rows, where
from report.scope import scope
from report.strip import strip
from report.tree import Closed, Missing, Opened, Part, holds, tree

_NOT_RECORDED = Markup('<span class="none">not recorded</span>')
_TONES = {"information": "plain", "notice": "caution", "warning": "warning"}
_PAGE_FONT = "font: 8pt system-ui, sans-serif; color: #33393f;"
_NAMES_TRIED = 1000
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EACCES}


def render_html(case: Case, destination: Path, *, made_at: datetime | None = None) -> Path:
    """Write the report of `case`, and say where it is.

    `destination` is the file to make, or an existing folder: then the name is made of the time,
    `report-20260902T100000Z.html`, and counted on if that exists. Nothing is overwritten. The bytes
    depend on the case and on `made_at` (the present, if None) only.

    Raises:
        DestinationError: the file exists, or cannot be written (DiskFullError: no space).
    """
    moment = (made_at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    if destination.is_dir():
        stem = f"report-{moment:%Y%m%dT%H%M%SZ}"
        names = [f"{stem}.html", *(f"{stem}-{number}.html" for number in range(2, _NAMES_TRIED))]
        paths = [destination / name for name in names]
    else:
        paths = [destination]
    if all(path.exists() for path in paths):
        raise _exists(paths[-1])
    with case.database.snapshot():
        return _write_new(paths, page(CaseView(case), moment))


def page(view: CaseView, made_at: datetime) -> Iterator[str]:
    """The text of the page, a piece at a time."""
    environment = _environment()
    style, script = _style(view.case.number), _source("report.js")
    policy = "; ".join(
        (
            "default-src 'none'",
            f"style-src {_hash_source(style)}",
            f"script-src {_hash_source(script)}",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    yield from environment.get_template("report.html.j2").generate(
        view=view,
        case=view.case,
        made_at=figures.case_time(made_at.isoformat()),
        version=tool_version(),
        policy=Markup(policy),  # noqa: S704  made here of constants and base64
        style=Markup(style),  # noqa: S704  our own file and a CSS string
        script=Markup(script),  # noqa: S704  our own file
        kinds={volume.kind for exhibit in view.exhibits for volume in exhibit.volumes},
    )


def _source(name: str) -> str:
    """One of the files that the page carries as they are."""
    text = (files("report") / "templates" / name).read_text(encoding="utf-8")
    assert "</s" not in text.lower(), f"{name} would end its own element"
    return text


def _style(case_number: str) -> str:
    """The style sheet, with the line that stands at the foot of each printed page."""
    left = css_string(f"Case {case_number}")
    pages = 'counter(page) " / " counter(pages)'
    return (
        _source("report.css")
        + f"@page {{ margin: 16mm 15mm 18mm;\n  @bottom-left {{ {_PAGE_FONT} content: {left}; }}\n"
        + f"  @bottom-right {{ {_PAGE_FONT} content: {pages}; }}\n}}\n"
    )


def _hash_source(text: str) -> str:
    """The source expression that allows exactly this inline text (CSP Level 3 §2.3.1, hash-source)."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _put(value: object) -> object:
    """What an expression of a template puts into the page: text is escaped, None says so."""
    if isinstance(value, Markup):
        return value
    if value is None:
        return _NOT_RECORDED
    return shown(value) if isinstance(value, str) else value


_Given = TypeVar("_Given")


def _if_known(function: Callable[[_Given], object]) -> Callable[[_Given | None], object]:
    """The filter that keeps None, so that the page says that nothing is recorded."""
    return lambda value: None if value is None else function(value)


def _blocks(length_sectors: int | None, block_size_bytes: int | None) -> str | None:
    """A volume's length in its own blocks."""
    if length_sectors is None:
        return None
    unit = "" if block_size_bytes is None else f" of {figures.counted(block_size_bytes, 'byte')}"
    return figures.counted(length_sectors, "block") + unit


@cache
def _environment() -> jinja2.Environment:
    """Templates whose every expression is escaped, and what they call."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("report"),
        autoescape=True,
        finalize=_put,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.tests.update(
        opened=lambda piece: isinstance(piece, Opened),
        part=lambda piece: isinstance(piece, Part),
        closed=lambda piece: isinstance(piece, Closed),
        missing=lambda piece: isinstance(piece, Missing),
    )
    environment.filters.update(
        name=_if_known(shown_name),
        path=_if_known(shown_path),
        plain=visible,
        lines=_if_known(lines),
        count=_if_known(figures.count),
        size=_if_known(figures.size),
        case_time=_if_known(figures.case_time),
        evidence_time=_if_known(figures.evidence_time),
        facts=lambda acquisition: list(acquisition_facts(acquisition)),
        made_with=made_with,
        without_empty=without_empty,
        tone=lambda severity: _TONES.get(severity, "plain"),
        labelled=lambda digests: [(DIGEST_NAMES.get(name, name), value) for name, value in digests.items()],
        block=block,
        scope=scope,
        inline=inline,
        acquired=statements.acquired,
        coverage=statements.coverage,
        verification=statements.verification,
        not_examined=lambda exhibit: list(statements.not_examined(exhibit)),
        tree=lambda volume, view: tree(partial(view.children, volume), volume.entries),
        holds=holds,
        blocks=_blocks,
        strip=strip,
        table_rows=table_rows,
        notes=entry_notes,
        place=entry_place,
        entry_times=entry_times,
        where=where,
        batches=batches,
    )
    return environment


def _exists(path: Path) -> DestinationError:
    return DestinationError(
        "The report exists already and is not overwritten", where=path, do="Choose another name"
    )


def _write_new(paths: list[Path], pieces: Iterable[str]) -> Path:
    """Write `pieces` to the first of `paths` that does not exist when all is written and durable."""
    temporary = paths[0].with_name(f"{paths[0].name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        try:
            with temporary.open("w", encoding="utf-8", newline="\n", buffering=1 << 20) as file:
                file.writelines(pieces)
                file.flush()
                os.fsync(file.fileno())
            for path in paths:
                if _publish(temporary, path):
                    sync_folder(path.parent)
                    return path
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise destination_error(error, paths[0]) from error
    raise _exists(paths[-1])


def _publish(temporary: Path, path: Path) -> bool:
    """Give the finished file its name, unless that is taken."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without links (FAT, some network shares): claim the name, then replace the claim.
        try:
            path.open("x").close()
        except FileExistsError:
            return False
        temporary.replace(path)
    return True

"""`jewelcase report`: write what the case knows as one file for people."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from jewelcase import console
from jewelcase.verbs.options import CaseDir, Json

if TYPE_CHECKING:
    from casefiles.case import Case

ReportFormat = Literal["html"]
Kind = Annotated[ReportFormat, typer.Option("--format", help="The kind of report.")]


def report(*, case: CaseDir, kind: Kind = "html", json: Json = False) -> int:
    """Write a report of the case.

    How the evidence was acquired, what is on it, what is odd about it, and the custody log: one
    self-contained file in the case's reports folder. Its path is the result.
    """
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case

    with Case.open(case) as opened:
        path = write_report(opened)
    if json:
        console.emit({"report": str(path), "format": kind})
    else:
        console.out(str(path))
    return 0


def write_report(case: "Case") -> Path:
    """Render the report under a name of its own in reports/, and record it; returns its path."""
    from report.html import render_html  # noqa: PLC0415  templates load only where one is rendered

    for left in case.folder.reports.glob("report-*.tmp"):
        left.unlink(missing_ok=True)  # an interrupted report's; nobody else writes to this case now
    path = render_html(case, case.folder.reports)
    case.report_written(path, "html")
    return path

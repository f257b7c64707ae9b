"""`jewelcase analyze`: examine what was acquired, into the case database."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from jewelcase import console
from jewelcase.plain import plain
from jewelcase.verbs.options import CaseDir, Json, SomeLabel

if TYPE_CHECKING:
    from casefiles.analyzing import AnalysisSummary
    from casefiles.case import Case

Again = Annotated[
    bool,
    typer.Option("--again", help="Examine anew; the new result replaces the old."),
]


def analyze(*, case: CaseDir, label: SomeLabel = None, again: Again = False, json: Json = False) -> int:
    """Examine what was acquired.

    Volumes, entries with their times and the digests of their content, anomalies, findings. Without LABEL,
    every exhibit. What is examined already is left as it is; given again after an interruption, it goes on.
    """
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case

    with Case.open(case) as opened, console.progress() as progress:
        summaries = opened.analyze(label, again=again, progress=progress)
        if label is None:
            _say_unfinished(opened)
    if json:
        console.emit([plain(summary) for summary in summaries])
    else:
        show(summaries)
    return exit_code(summaries)


def _say_unfinished(case: "Case") -> None:
    """Name the exhibits that were passed over because their acquisition is not finished."""
    from casefiles.query import acquisitions, evidence  # noqa: PLC0415  the database loads with the case

    for row in evidence(case):
        if not any(each["state"] == "complete" for each in acquisitions(case, row["id"])):
            console.say(f"Not examined: {row['label']}, whose acquisition is not finished")


def exit_code(summaries: Sequence["AnalysisSummary"]) -> int:
    """1 where there is an anomaly or content that was not read, else 0."""
    return int(any(summary.anomalies or summary.content_unread for summary in summaries))


def show(summaries: Sequence["AnalysisSummary"]) -> None:
    """Write the result for people."""
    from report.figures import count, counted, percent  # noqa: PLC0415  only a result for people needs it

    for summary in summaries:
        content = f"of {counted(summary.digested, 'file')} digested"
        if summary.content_unread:
            content += f"; of {counted(summary.content_unread, 'file')} NOT read whole"
        rows = [
            ("evidence", f"{summary.label} (examined before)" if summary.already else summary.label),
            ("volumes", count(summary.volumes)),
            ("entries", count(summary.entries)),
            ("content", content),
            ("anomalies", count(summary.anomalies)),
            ("findings", count(summary.findings)),
        ]
        if summary.sectors_owned is not None and summary.sectors_unowned is not None:
            sectors = summary.sectors_owned + summary.sectors_unowned
            share = percent(summary.sectors_owned, sectors)
            owned = f"{count(summary.sectors_owned)} of {count(sectors)} ({share})"
            rows.append(("sectors", f"{owned} belong to a volume or a file"))
        console.facts(rows)

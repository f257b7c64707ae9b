"""`jewelcase run`: from a source to a report in one command."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from acquire.errors import CaseError
from jewelcase import console
from jewelcase.plain import plain
from jewelcase.verbs import acquire as acquiring
from jewelcase.verbs import analyze as analyzing
from jewelcase.verbs import report as reporting
from jewelcase.verbs import verify as verifying
from jewelcase.verbs.options import (
    Agency,
    Authority,
    CompressionLevel,
    ContainerFormat,
    Description,
    Digests,
    Examiner,
    Json,
    Label,
    Notes,
    Number,
    SegmentSize,
    Source,
    Verify,
)

if TYPE_CHECKING:
    from acquire.exhibit import Plan
    from casefiles.analyzing import AnalysisSummary
    from casefiles.case import Case

RunDir = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        readable=False,
        help="The case folder: a new one, or the case to go on with.",
        show_default=False,
    ),
]


class Identity(NamedTuple):
    """What a new case is made with."""

    number: str
    examiner: str
    agency: str | None = None
    authority: str | None = None
    notes: str | None = None


class Exhibit(NamedTuple):
    """What is acquired, under which label, and how."""

    source: Path
    label: str
    plan: "Plan"
    description: str | None = None


def run(
    source: Source,
    folder: RunDir,
    *,
    number: Number,
    examiner: Examiner,
    label: Label,
    agency: Agency = None,
    authority: Authority = None,
    notes: Notes = None,
    description: Description = None,
    container: ContainerFormat = None,
    compression: CompressionLevel = "fast",
    segment_size: SegmentSize = None,
    digest: Digests = None,
    verify: Verify = True,
    json: Json = False,
) -> int:
    """Make the case, acquire, analyze, verify, report.

    Given again, it goes on: what is finished is not done twice. DIR may be a case of the same number
    that has other exhibits already.
    """
    plan = acquiring.plan_of(container, compression, segment_size, digest, verify=verify)
    identity = Identity(number, examiner, agency, authority, notes)
    return whole_path(folder, identity, Exhibit(source, label, plan, description), json=json)


def whole_path(folder: Path, identity: Identity, exhibit: Exhibit, *, json: bool = False) -> int:
    """Every step that is not finished yet, in order; returns the worst exit code."""
    result: dict[str, Any] = {"case": str(folder), "evidence": exhibit.label}
    with _opened(folder, identity, exhibit) as case:
        codes = [_acquire(case, exhibit, result, json=json)]
        summaries = _analyze(case, exhibit.label)
        result["analyses"] = plain(summaries)
        codes.append(analyzing.exit_code(summaries))
        if not json:
            console.out("")
            analyzing.show(summaries)
        console.say("Verifying")
        with console.progress() as progress:
            checks = case.verify(exhibit.label, progress=progress)
        result["checks"] = plain(verifying.ordered(checks))
        codes.append(verifying.exit_code(checks))
        if not json:
            console.out("")
            verifying.show(checks)
        path = reporting.write_report(case)
        result["report"] = str(path)
    if json:
        console.emit(result)
    else:
        console.out("")
        console.facts([("report", str(path))])
    return max(codes)


def _analyze(case: "Case", label: str) -> "list[AnalysisSummary]":
    """Examine the exhibit unless that is done."""
    console.say(f"Examining {label}")
    with console.progress() as progress:
        summaries = case.analyze(label, progress=progress)
    for summary in summaries:
        if summary.already:
            console.say(f"Skipped: {summary.label} is examined already")
    return summaries


def _opened(folder: Path, identity: Identity, exhibit: Exhibit) -> "Case":
    """The case in `folder`: made if there is none, gone on with if it has the same number."""
    from acquire.target import open_source  # noqa: PLC0415  the readers load only where one is needed
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case
    from casefiles.folder import Folder, check_label  # noqa: PLC0415  the same
    from casefiles.query import case_record  # noqa: PLC0415  the same

    if not Folder(folder).database.exists():
        check_label(exhibit.label)
        open_source(exhibit.source).source.close()  # no case for a source that cannot be read
        made = Case.create(folder, **identity._asdict())
        console.say(f"Case {identity.number} made in {folder}")
        return made
    case = Case.open(folder)
    record = case_record(case)
    if record["number"] != identity.number:
        case.close()
        raise CaseError(
            f"The case in this folder is {record['number']!r}, not {identity.number!r}",
            where=folder,
            do="Name another folder, or the number of this case",
        )
    if record["examiner"] != identity.examiner:
        case.close()
        raise CaseError(
            f"The examiner of the case in this folder is {record['examiner']!r}, not {identity.examiner!r}",
            where=folder,
            do="Name the case's examiner, or make a case of your own: the log names who acquired",
        )
    console.say(f"Going on with case {identity.number} in {folder}")
    return case


def _acquire(case: "Case", exhibit: Exhibit, result: dict[str, Any], *, json: bool) -> int:
    """Acquire the exhibit unless that is done; a label that another source has is refused."""
    from casefiles.canonical import whole_text  # noqa: PLC0415  the database loads with the case
    from casefiles.query import acquisitions, evidence  # noqa: PLC0415  the same

    source, label, plan, description = exhibit
    for row in evidence(case):
        done = [each for each in acquisitions(case, row["id"]) if each["state"] == "complete"]
        if row["label"] != label or not done:
            continue
        if row["source_path"] != whole_text(os.path.realpath(source)):
            raise CaseError(
                f"The exhibit {label!r} of this case is acquired already, from {row['source_path']}",
                where=source,
                do="Choose another label",
            )
        console.say(f"Skipped: {label} is acquired already")
        result["acquisition"] = None
        return int(bool(done[-1]["sectors_unread"]) or done[-1]["verified"] == 0)
    console.say(f"Acquiring {source}")
    with console.progress() as progress:
        acquisition = case.acquire(source, label, plan, description=description, progress=progress)
    result["acquisition"] = plain(acquisition)
    if not json:
        acquiring.show(label, acquisition)
    return acquiring.exit_code(acquisition)

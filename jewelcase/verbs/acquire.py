"""`jewelcase acquire`: read a source into the case, sector by sector."""

from typing import TYPE_CHECKING

from acquire.errors import UsageError
from jewelcase import console
from jewelcase.plain import plain
from jewelcase.verbs.options import (
    CaseDir,
    Compression,
    CompressionLevel,
    ContainerFormat,
    Description,
    Digests,
    Json,
    Label,
    SegmentSize,
    Source,
    Verify,
    size_bytes,
)

if TYPE_CHECKING:
    from acquire.exhibit import Acquisition, Plan


def acquire(
    source: Source,
    *,
    case: CaseDir,
    label: Label,
    description: Description = None,
    container: ContainerFormat = None,
    compression: CompressionLevel = "fast",
    segment_size: SegmentSize = None,
    digest: Digests = None,
    verify: Verify = True,
    json: Json = False,
) -> int:
    """Read a source into the case.

    Sector by sector, with digests; then the container is read back and compared. What cannot be read is
    filled with zeros and recorded. Given again after an interruption, it goes on.
    """
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case

    plan = plan_of(container, compression, segment_size, digest, verify=verify)
    with Case.open(case) as opened, console.progress() as progress:
        acquisition = opened.acquire(source, label, plan, description=description, progress=progress)
    if json:
        console.emit({"evidence": label, **plain(acquisition)})
    else:
        show(label, acquisition)
    return exit_code(acquisition)


def plan_of(
    container: str | None,
    compression: Compression,
    segment_size: str | None,
    digest: list[str] | None,
    *,
    verify: bool,
) -> "Plan":
    """What the options ask for; raises UsageError for words that mean nothing."""
    from acquire.digest import DEFAULT_DIGESTS  # noqa: PLC0415  loaded only where something is read
    from acquire.exhibit import Plan  # noqa: PLC0415  the same

    if segment_size is not None and container == "raw":
        raise UsageError("--segment-size is for E01; a raw image is one file", do="Leave one of them away")
    plan = Plan(
        format=container,
        digests=tuple(dict.fromkeys(digest or DEFAULT_DIGESTS)),
        compression=compression,
        segment_size_bytes=None if segment_size is None else size_bytes(segment_size),
        verify=verify,
    )
    plan.check()
    return plan


def exit_code(acquisition: "Acquisition") -> int:
    """1 where a sector was not read or the container does not hold what was read, else 0."""
    return int(bool(acquisition.sectors_unread) or acquisition.verified is False)


def show(label: str, acquisition: "Acquisition") -> None:
    """Write the result for people: coverage and verification are two statements."""
    from report.figures import count, size  # noqa: PLC0415  only a result for people needs it

    verified = {None: "no", True: "yes", False: "NO"}[acquisition.verified]
    if acquisition.verify_detail:
        verified += f". {acquisition.verify_detail}"
    rows = [
        ("evidence", label),
        ("container", f"{acquisition.format}, {', '.join(acquisition.files[:1])}{_more(acquisition.files)}"),
        ("size", size(acquisition.size_bytes)),
        (
            "sectors",
            (
                f"{count(acquisition.sector_count)} of {acquisition.sector_size_bytes} bytes:"
                f" {count(acquisition.sectors_read)} read, {count(acquisition.sectors_unread)} unread,"
                f" {count(acquisition.sectors_filled)} filled"
            ),
        ),
        *acquisition.digests.items(),
        ("verified", verified),
    ]
    if acquisition.resumed:
        rows.append(("resumed", f"{acquisition.resumed} times"))
    console.facts(rows)


def _more(files: tuple[str, ...]) -> str:
    """How many files the exhibit's folder holds beside the first."""
    return f" and {len(files) - 1} more" if len(files) > 1 else ""

"""`jewelcase export`: take files out of an exhibit, safely named and proven."""

from pathlib import Path
from typing import Annotated

import typer

from acquire.errors import UsageError
from jewelcase import console
from jewelcase.verbs.options import CaseDir, Json

Label = Annotated[str, typer.Argument(metavar="LABEL", help="The exhibit.", show_default=False)]
Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="[PATHS]...", help="Files or folders of the exhibit.", show_default=False),
]
To = Annotated[Path, typer.Option("--to", metavar="DIR", help="Where the files go; made if it is not there.")]
All = Annotated[bool, typer.Option("--all", help="Everything.")]
Deleted = Annotated[bool, typer.Option("--deleted", help="Only what is deleted or superseded.")]
Volumes = Annotated[
    list[int] | None,
    typer.Option(
        "--volume",
        metavar="N",
        help="Only this volume, by its number; repeat it for more.",
        show_default="all",
    ),
]


def export(
    *,
    case: CaseDir,
    label: Label,
    paths: Paths = None,
    to: To,
    every: All = False,
    deleted: Deleted = False,
    volume: Volumes = None,
    json: Json = False,
) -> int:
    """Take files out of an exhibit.

    Each under a name that every file system takes, with its recorded times, never outside DIR, never
    over a file that is there. A manifest in CSV and JSON Lines says where each byte came from and what
    its digests are. Content that the exhibit does not hold completely ends in .incomplete.
    """
    if bool(paths) + every + deleted == 0:
        raise UsageError("Nothing to export is named", do="Name paths, or give --all or --deleted")
    if paths and every:
        raise UsageError("Paths and --all exclude each other", do="Give one of them")
    from acquire.containers import open_image  # noqa: PLC0415  only where there is something to read
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case
    from report import selection  # noqa: PLC0415  the same
    from report.export import Exporter  # noqa: PLC0415  the same

    with Case.open(case) as opened:
        evidence = selection.exhibit(opened, label)
        volumes = selection.chosen_volumes(opened, evidence, volume or ())
        image = open_image(selection.container(opened, evidence))
        try:
            with Exporter(image, to) as exporter:
                result = exporter.run(selection.items(opened, volumes, paths or (), deleted=deleted))
        finally:
            image.close()
        manifest = exporter.manifest
        opened.record(
            "export",
            {
                "label": evidence["label"],
                "to": str(to.absolute()),
                "manifest": manifest.name,
                **result._asdict(),
            },
        )
    if json:
        console.emit({"manifest": str(manifest), **result._asdict()})
    else:
        console.facts(
            [
                ("written", str(result.written)),
                ("already there", str(result.already)),
                ("incomplete", str(result.incomplete)),
                ("not written", str(result.failed)),
                ("manifest", str(manifest)),
            ]
        )
    return int(bool(result.incomplete or result.failed))

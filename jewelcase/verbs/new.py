"""`jewelcase new`: make a case folder."""

from pathlib import Path
from typing import Annotated

import typer

from jewelcase import console
from jewelcase.verbs.options import Agency, Authority, Examiner, Json, Notes, Number

NewDir = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        readable=False,
        help="The folder to make; it may be there if it is empty.",
        show_default=False,
    ),
]


def new(
    folder: NewDir,
    *,
    number: Number,
    examiner: Examiner,
    agency: Agency = None,
    authority: Authority = None,
    notes: Notes = None,
    json: Json = False,
) -> int:
    """Make a case.

    A folder with the case database, the custody log, and places for evidence, reports and exports.
    """
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case

    with Case.create(
        folder, number=number, examiner=examiner, agency=agency, authority=authority, notes=notes
    ):
        pass
    if json:
        console.emit({"case": str(folder), "number": number})
    else:
        console.out(f"Case {number} made in {folder}")
    return 0

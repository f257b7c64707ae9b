"""`jewelcase verify`: compare the case with what it recorded."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from jewelcase import console
from jewelcase.plain import plain
from jewelcase.verbs.options import CaseDir, Json, SomeLabel

if TYPE_CHECKING:
    from casefiles.check import Check

_ORDER = {"differs": 0, "note": 1, "ok": 2}
_STYLE = {"differs": console.RED, "note": console.YELLOW, "ok": console.BOLD}


def verify(*, case: CaseDir, label: SomeLabel = None, json: Json = False) -> int:
    """Compare the case with what it recorded.

    Containers with their recorded digests, the database with the custody log. Says which piece differs
    and where; what differs comes first.
    """
    from casefiles.case import Case  # noqa: PLC0415  the database loads only where there is a case
    from casefiles.folder import Folder  # noqa: PLC0415  the same

    write = Folder(case).writable()
    with Case.open(case, write=write) as opened, console.progress() as progress:
        checks = opened.verify(label, progress=progress)
    if not write:
        console.say("The case cannot be written: this verification is not in its custody log")
    if json:
        console.emit([plain(check) for check in ordered(checks)])
    else:
        show(checks)
    return exit_code(checks)


def exit_code(checks: Sequence["Check"]) -> int:
    """1 where anything differs, else 0."""
    return int(not all(check.ok for check in checks))


def ordered(checks: Sequence["Check"]) -> list["Check"]:
    """What differs first, then notes, then what is as recorded."""
    return sorted(checks, key=lambda check: (check.ok, _ORDER.get(check.severity, 1)))


def show(checks: Sequence["Check"]) -> None:
    """Write one line a check, and for those that differ where, what was seen and what was expected."""
    for check in ordered(checks):
        word = "differs" if not check.ok else check.severity
        console.out(
            console.Styled(f"{word:<8}", _STYLE.get(word, console.BOLD)), f"{check.subject}: {check.message}"
        )
        for name, value in (("where", check.where), ("seen", check.seen), ("expected", check.expected)):
            if value and not check.ok:
                console.out(f"{'':8}  {name}: {value}")
    differing = sum(not check.ok for check in checks)
    console.out(f"{len(checks)} checks, {differing} differ")

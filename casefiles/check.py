"""Check: one statement of a verification."""

from typing import Literal, NamedTuple

Severity = Literal["ok", "note", "differs"]


class Check(NamedTuple):
    """What was compared (`subject`), whether it is as recorded, and if not, where it differs.

    `ok` is False only with severity "differs". A "note" is something to know that is no difference:
    an unfinished acquisition, a sector that was never read.
    """

    subject: str
    ok: bool
    message: str
    where: str = ""
    seen: str = ""
    expected: str = ""
    severity: Severity = "ok"


def same(subject: str, message: str) -> Check:
    """It is as recorded."""
    return Check(subject, ok=True, message=message)


def note(subject: str, message: str, where: str = "") -> Check:
    """It is to be known."""
    return Check(subject, ok=True, message=message, where=where, severity="note")


def differs(subject: str, message: str, where: str = "", seen: object = "", expected: object = "") -> Check:
    """It is not as recorded."""
    return Check(subject, False, message, where, str(seen), str(expected), "differs")

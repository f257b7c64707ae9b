"""Finding: something an examiner should look at, with its evidence."""

from enum import StrEnum
from typing import NamedTuple


class Severity(StrEnum):
    """How much a finding asks for attention; an observation, never a statement of intent."""

    INFORMATION = "information"
    NOTICE = "notice"
    WARNING = "warning"


class Finding(NamedTuple):
    """`code` is stable and documented in docs/reference/findings.md; `title` can be read aloud."""

    code: str
    severity: Severity
    title: str
    detail: str = ""
    lba: int | None = None
    length_bytes: int | None = None
    volume: int | None = None
    path: str | None = None

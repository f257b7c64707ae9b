"""Exhibit: a row of `evidence`, and how far its acquisition is."""

from typing import NamedTuple

from acquire.errors import CaseError
from casefiles.database import Database

RUNNING = "running"
COMPLETE = "complete"
REPLACED = "replaced"

_SELECT = """
SELECT e.id, e.label, e.source, e.source_path, a.id, a.state, a.format, a.path
FROM evidence AS e LEFT JOIN acquisitions AS a ON a.evidence_id = e.id
"""


class Exhibit(NamedTuple):
    """One exhibit; `path` is its container, relative to the case folder, once it is whole."""

    id: int
    label: str
    source: str
    source_path: str
    acquisition_id: int
    state: str
    format: str | None
    path: str | None

    @property
    def complete(self) -> bool:
        """Whether its acquisition has ended."""
        return self.state == COMPLETE


def exhibits(database: Database) -> list[Exhibit]:
    """Every exhibit, in the order in which they came."""
    return [Exhibit(*row) for row in database.rows(f"{_SELECT} ORDER BY e.id")]


def find_exhibit(database: Database, label: str) -> Exhibit | None:
    """The exhibit with that label, without regard to case."""
    row = database.row(f"{_SELECT} WHERE e.label = ? COLLATE NOCASE", (label,))
    return None if row is None else Exhibit(*row)


def chosen_exhibits(database: Database, label: str | None) -> list[Exhibit]:
    """The exhibit with that label, or all.

    Raises:
        CaseError: there is none of that label.
    """
    if label is None:
        return exhibits(database)
    found = find_exhibit(database, label)
    if found is None:
        known = ", ".join(exhibit.label for exhibit in exhibits(database)[:20]) or "none yet"
        raise CaseError(f"No exhibit {label!a} in this case", do=f"Its exhibits: {known}")
    return [found]

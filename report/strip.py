"""The picture of an acquisition's coverage: a strip of the disc with its gaps, from real figures."""

from typing import NamedTuple

from report.figures import counted
from report.model import AcquisitionView

WIDTH = 1000
_LEAST = 2
"""A gap is drawn at least this wide, so that a single unread sector of a whole disc can be seen."""


class Strip(NamedTuple):
    """Gaps as (start, width) in thousandths of the disc, in order and apart; what the picture says."""

    gaps: tuple[tuple[int, int], ...]
    label: str


def strip(acquisition: AcquisitionView) -> Strip | None:
    """Draw it; None where the case does not hold what is needed."""
    total = acquisition.sector_count
    if not total or acquisition.sectors_unread is None:
        return None
    if acquisition.sectors_unread and not acquisition.unread:
        return None
    columns = [False] * WIDTH
    for unread in acquisition.unread:
        first = min(max(unread.start_lba, 0) * WIDTH // total, WIDTH - _LEAST)
        last = min(max(unread.end_lba - 1, 0) * WIDTH // total, WIDTH - 1)
        for column in range(first, max(last + 1, first + _LEAST)):
            columns[column] = True
    gaps: list[tuple[int, int]] = []
    for column, gap in enumerate(columns):
        if gap and gaps and sum(gaps[-1]) == column:
            gaps[-1] = (gaps[-1][0], gaps[-1][1] + 1)
        elif gap:
            gaps.append((column, 1))
    if not acquisition.unread:
        return Strip((), "No sector is unread.")
    ranges = counted(len(acquisition.unread), "place")
    return Strip(tuple(gaps), f"{counted(acquisition.sectors_unread, 'sector')} not read, in {ranges}.")

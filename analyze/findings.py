"""Every finding that examining a disc can make: its code, how much it asks for attention, its meaning.

docs/reference/findings.md lists the same table for people; a test compares the two.
"""

from collections.abc import Sequence
from typing import NamedTuple

from analyze.finding import Finding, Severity


class Kind(NamedTuple):
    """One row of the table: `meaning` is the sentence of the reference."""

    code: str
    severity: Severity
    meaning: str


_TABLE = (
    Kind("no-volume", Severity.NOTICE, "No file system that this version reads was recognised on the disc."),
    Kind(
        "session-inferred",
        Severity.NOTICE,
        "The image records no table of contents; descriptors show that a further session begins here.",
    ),
    Kind(
        "session-not-in-toc",
        Severity.WARNING,
        "A volume stands where the recorded table of contents has no session.",
    ),
    Kind(
        "descriptor-copy",
        Severity.INFORMATION,
        "A descriptor set leads to the root directories of a session that is already examined.",
    ),
    Kind(
        "descriptor-stray",
        Severity.NOTICE,
        "Volume descriptors stand in sectors of no volume, and no volume could be opened from them.",
    ),
    Kind(
        "embedded-volume",
        Severity.NOTICE,
        "Sectors of no volume hold the descriptors of a disc image of its own, its addresses relative to it.",
    ),
    Kind(
        "volume-limit",
        Severity.WARNING,
        "More volumes at one place, more descriptor sets, or more listings of the same records than is real.",
    ),
    Kind("image-truncated", Severity.WARNING, "The volume states more sectors than the image holds."),
    Kind(
        "content-past-image",
        Severity.WARNING,
        "Content of files lies past the end of the image and cannot be read from it.",
    ),
    Kind("unread-affects-file", Severity.WARNING, "Sectors of a file's content were not read."),
    Kind(
        "unread-affects-structure",
        Severity.WARNING,
        "Sectors of a volume's descriptors, tables or directories were not read: entries may be missing.",
    ),
    Kind(
        "data-in-system-area",
        Severity.INFORMATION,
        "The system area before the volume descriptors is not blank: boot code, partition tables, or else.",
    ),
    Kind(
        "data-after-volume",
        Severity.NOTICE,
        "Sectors after the end of every volume hold data that belongs to no volume.",
    ),
    Kind(
        "data-unowned",
        Severity.NOTICE,
        "Sectors before the end of the last volume hold data that no file and no structure owns.",
    ),
)

KINDS: dict[str, Kind] = {kind.code: kind for kind in _TABLE}
"""The table by code."""


def finding(
    code: str,
    title: str,
    detail: str = "",
    *,
    lba: int | None = None,
    length_bytes: int | None = None,
    volume: int | None = None,
    path: str | None = None,
) -> Finding:
    """A finding of the kind `code`, with that kind's severity."""
    return Finding(code, KINDS[code].severity, title, detail, lba, length_bytes, volume, path)


def counted(count: int, noun: str) -> str:
    """A number with its noun: "1 sector", "3 sectors"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def ranges_text(ranges: Sequence[tuple[int, int]], unit: str, *, shown: int = 8) -> str:
    """Name ranges (first, count) as text: "LBA 25, 49–51 and 3 more"; at most `shown` of them."""
    parts = [str(first) if count == 1 else f"{first}–{first + count - 1}" for first, count in ranges[:shown]]
    text = f"{unit} {', '.join(parts)}"
    return f"{text} and {len(ranges) - shown} more" if len(ranges) > shown else text

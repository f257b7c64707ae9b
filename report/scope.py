"""What an examination covers by its nature, whatever the disc: stated in every report."""

from collections.abc import Iterator

from acquire.record import tool_version
from analyze.detect import OPENERS
from report.acquired import made_with
from report.model import AnalysisView

_FAMILIES = {
    "iso9660": "ISO 9660 with Rock Ridge and Joliet",
    "udf": "UDF",
    "hfs": "HFS and HFS+",
    "tsk": "the file systems that The Sleuth Kit reads (FAT, exFAT, NTFS, ext and others)",
}


def families() -> list[str]:
    """The file systems that this version looks for, in the order in which it does."""
    rooms = (opener.__module__.split(".")[1] for opener in OPENERS)
    return [_FAMILIES.get(room, room) for room in dict.fromkeys(rooms)]


def scope(analysis: AnalysisView | None) -> Iterator[str]:
    """Sentences on what the examination looked for and did not; nothing if there was none."""
    if analysis is None:
        return
    if analysis.tool_version == tool_version():
        yield (
            f"{made_with(analysis.tool_version)} looks for these file systems: {'; '.join(families())}. "
            "Any other was not looked for."
        )
    yield (
        "Content was read to compute digests. It was not opened, searched or judged, and no deleted content "
        "was sought in sectors that belong to no file."
    )

"""Records where none belong: behind the last one of a directory's sector.

Mastering programs leave them when they shorten a directory, and people when they hide one. Anything
may stand there, so a record is taken for one only if all that can be checked of it is right.
"""

from collections.abc import Iterator

from analyze.iso9660.dates import record_time
from analyze.iso9660.layout import DIRECTORY_RECORD, RESERVED_FLAGS
from analyze.iso9660.record import MINIMUM_BYTES, PARENT, SELF, View


def plausible_records(view: View, data: bytes, start: int, stop: int) -> Iterator[int]:
    """Yield where in `data[start:stop]`, one sector at most, a whole record stands."""
    at = start
    while at + MINIMUM_BYTES <= stop:
        # First what fails nearly everywhere: the two copies of the extent mirror each other (7.3.3).
        if (
            data[at + 2] != data[at + 9]
            or data[at + 5] != data[at + 6]
            or not _plausible(view, data, at, stop)
        ):
            at += 1
        else:
            yield at
            at += data[at]


def _plausible(view: View, data: bytes, at: int, stop: int) -> bool:
    if data[at] < MINIMUM_BYTES or at + data[at] > stop:
        return False
    fields = DIRECTORY_RECORD.read(data, at)
    identifier = data[at + DIRECTORY_RECORD.size : at + DIRECTORY_RECORD.size + fields.identifier_length]
    needed = DIRECTORY_RECORD.size + fields.identifier_length
    if not identifier or needed > fields.length or identifier in (SELF, PARENT):
        return False
    if fields.flags & RESERVED_FLAGS or not DIRECTORY_RECORD.agrees(data, at):
        return False
    time, problem = record_time(fields.recorded)
    if problem or time is None:
        return False
    if view.naming == "joliet":
        text = len(identifier) % 2 == 0 and b"\0\0" not in identifier
    else:
        text = min(identifier) >= 0x20
    return text and view.blocks.reaches(fields.extent, fields.data_length)

"""Numbers, sizes and times as people read them; every figure keeps its exact value."""

import stat
from collections.abc import Sequence
from datetime import datetime

from acquire.geometry import SectorRange

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def count(number: int) -> str:
    """1204 as `1,204`."""
    return f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """`1 file`, `1,204 files`; `many` where the plural is not one + s."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(size_bytes: int) -> str:
    """`312 bytes`, `2,465,792 bytes (2.35 MiB)`: exact first, rounded down to be read."""
    exact = counted(size_bytes, "byte")
    return exact if abs(size_bytes) < 1024 else f"{exact} ({rounded_size(size_bytes)})"


def rounded_size(size_bytes: int) -> str:
    """`2.35 MiB`: two decimals, cut, never rounded up."""
    if abs(size_bytes) < 1024:
        return counted(size_bytes, "byte")
    power = min((abs(size_bytes).bit_length() - 1) // 10, len(_UNITS))
    hundredths = size_bytes * 100 >> 10 * power
    return f"{hundredths // 100:,}.{hundredths % 100:02d} {_UNITS[power - 1]}"


def percent(part: int, whole: int) -> str:
    """`99.99 %`: cut to two decimals, so that 100 % is said of all and 0 % of nothing only."""
    if whole <= 0:
        return "–"
    if 0 < part * 10_000 < whole:
        return "less than 0.01 %"
    hundredths = part * 10_000 // whole
    return f"{hundredths // 100}.{hundredths % 100:02d} %" if hundredths % 100 else f"{hundredths // 100} %"


def evidence_time(recorded: str) -> str:
    """`2004-10-21T13:05:00+02:00` as `2004-10-21 13:05:00 +02:00`; nothing is converted or added."""
    day, letter, clock = recorded.partition("T")
    if not letter:
        return recorded
    for sign in "+-":
        time, found, offset = clock.partition(sign)
        if found:
            return f"{day} {time} {sign}{offset}"
    return f"{day} {clock}"


def case_time(utc: str) -> str:
    """A time of the case, UTC with microseconds, to the second: `2026-09-02 10:00:00 UTC`.

    What is not such a time is given as it is.
    """
    try:
        moment = datetime.fromisoformat(utc)
    except ValueError:
        return utc
    if moment.utcoffset() is None or moment.utcoffset():
        return utc
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def duration(started: str, ended: str) -> str | None:
    """Between two times of the case: `1 h 02 min 03 s`, `0.4 s`; None where that cannot be said."""
    try:
        elapsed = (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()
    except (TypeError, ValueError):
        return None
    if elapsed < 0:
        return None
    if elapsed < 60:
        return f"{elapsed:.1f} s"
    minutes, seconds = divmod(int(elapsed), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min {seconds:02d} s" if hours else f"{minutes} min {seconds:02d} s"


def file_mode(mode: int) -> str:
    """POSIX mode bits as `ls` writes them: `-rw-r--r--`; bits that no mode has are named in octal."""
    return stat.filemode(mode) if 0 <= mode <= 0o177777 else f"mode {mode:#o}"


def sector_range(start_lba: int, length_sectors: int) -> str:
    """`LBA 16`, `LBA 16 to 18 (3 sectors)`."""
    if length_sectors == 1:
        return f"LBA {start_lba}"
    last = SectorRange(start_lba, length_sectors).end_lba - 1
    return f"LBA {start_lba} to {last} ({counted(length_sectors, 'sector')})"


def sector_ranges(ranges: Sequence[SectorRange], most: int = 40) -> str:
    """Several ranges in one sentence, at most `most` of them, then how many more there are."""
    text = ", ".join(sector_range(*each) for each in ranges[:most])
    rest = ranges[most:]
    if not rest:
        return text
    missing = sum(each.length_sectors for each in rest)
    return f"{text} and {counted(len(rest), 'more range')} ({counted(missing, 'sector')})"

"""The two date formats of ISO 9660: seven bytes (9.1.5) and seventeen digits and an offset (8.4.26.1).

Both functions return the timestamp exactly as recorded and, where it is impossible, one phrase that
says why. A date that is impossible is None; an impossible offset alone leaves the rest as it is.
"""

from analyze.iso9660.layout import RECORD_TIME
from analyze.timestamp import Timestamp

MINUTES_PER_OFFSET = 15
"""An offset from Greenwich counts quarters of an hour (9.1.5)."""
OFFSETS = range(-48, 53)
"""The offsets that 9.1.5 and 8.4.26.1 allow."""
_HUNDREDTH_NS = 10_000_000
_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NOT_RECORDED = bytes(7)
_PARTS = ((0, 4), (4, 6), (6, 8), (8, 10), (10, 12), (12, 14))

Decoded = tuple[Timestamp | None, str]


def record_time(raw: bytes) -> Decoded:
    """Decode 9.1.5 Recording Date and Time; seven zeros mean that none is recorded."""
    if raw == _NOT_RECORDED:
        return None, ""
    years, month, day, hour, minute, second, offset = RECORD_TIME.read(raw)
    return _checked((1900 + years, month, day, hour, minute, second), offset)


def volume_time(raw: bytes) -> Decoded:
    """Decode 8.4.26.1 Date and Time; sixteen digits 0 mean that none is recorded."""
    digits, offset = raw[:16], raw[16]
    offset -= 256 if offset > 127 else 0
    if digits == b"0" * 16:
        return None, "" if offset == 0 else f"no date, but an offset of {offset}"
    if digits == bytes(16):
        return None, "" if offset == 0 else f"no digits, but an offset of {offset}"
    if not digits.isdigit():
        return None, f"not digits: {raw.hex(' ')}"
    parts = tuple(int(digits[start:stop]) for start, stop in _PARTS)
    time, problem = _checked(parts, offset)
    if time is not None:
        time = time._replace(nanosecond=int(digits[14:]) * _HUNDREDTH_NS, resolution_ns=_HUNDREDTH_NS)
    return time, problem


def _checked(parts: tuple[int, ...], offset: int) -> Decoded:
    year, month, day, hour, minute, second = parts
    shown = f"{year:04d}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}:{second:02d}"
    if year < 1:
        return None, f"no such year: {shown}"
    if not 1 <= month <= 12:
        return None, f"no such month: {shown}"
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if not 1 <= day <= _DAYS[month] or (month == 2 and day == 29 and not leap):
        return None, f"no such day: {shown}"
    if hour > 23 or minute > 59 or second > 59:
        return None, f"no such time of day: {shown}"
    if offset not in OFFSETS:
        return Timestamp(year, month, day, hour, minute, second), f"offset of {offset} quarters of an hour"
    return Timestamp(year, month, day, hour, minute, second, 0, offset * MINUTES_PER_OFFSET), ""

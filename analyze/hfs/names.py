"""Names and times of HFS (MacRoman, local time) and HFS+ (UTF-16, UTC)."""

import re
from datetime import UTC, datetime, timedelta

from analyze.timestamp import Timestamp

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)  # IM 2-6, TN "HFS Plus Dates": seconds from 1904-01-01
_UNSAFE = re.compile("[\0/\ud800-\udfff]")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def _safe(name: str, raw: bytes) -> tuple[str, bytes | None]:
    """Make a path component of a name; the recorded bytes come along where it had to be escaped."""
    if _UNSAFE.search(name):
        return _UNSAFE.sub(_escape, name), raw
    return name, None


def hfs_name(raw: bytes) -> tuple[str, bytes | None]:
    """A MacRoman name (IM 2-3); every byte is a character there."""
    return _safe(raw.decode("mac_roman"), raw)


def plus_name(raw: bytes) -> tuple[str, bytes | None]:
    """A UTF-16 name as recorded, decomposed (TN "Unicode Subtleties"); lone surrogates are escaped."""
    return _safe(raw.decode("utf-16-be", "surrogatepass"), raw)


def label(name: str) -> str:
    """A volume's name for people: it is no path component, so its slashes stand as they are."""
    return name.replace("\\x2f", "/")


def mac_time(seconds: int, *, utc: bool) -> Timestamp | None:
    """Seconds since 1904, 0 for not recorded; HFS keeps local time, whose zone it does not record."""
    if not seconds:
        return None
    at = _EPOCH + timedelta(seconds=seconds)
    return Timestamp(
        at.year, at.month, at.day, at.hour, at.minute, at.second, offset_minutes=0 if utc else None
    )

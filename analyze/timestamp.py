"""Timestamp: an instant exactly as the medium records it."""

from typing import NamedTuple


class Timestamp(NamedTuple):
    """What was recorded, no more: calendar fields, the offset from UTC if there is one, resolution.

    `offset_minutes` is None where the medium records no zone. `nanosecond` is meaningful only to
    `resolution_ns` (1_000_000_000 for whole seconds, 10_000_000 for ECMA-119 §8.4.26.1 hundredths).
    """

    year: int
    month: int
    day: int
    hour: int
    minute: int
    second: int
    nanosecond: int = 0
    offset_minutes: int | None = None
    resolution_ns: int = 1_000_000_000

    def iso(self) -> str:
        """ISO 8601 text with the fraction that is recorded and the recorded offset (none if none).

        2004-10-21T13:05:00+02:00 · 2004-10-21T13:05:00.25-05:15 · 2004-10-21T13:05:00
        """
        text = (
            f"{self.year:04d}-{self.month:02d}-{self.day:02d}"
            f"T{self.hour:02d}:{self.minute:02d}:{self.second:02d}"
        )
        if self.resolution_ns < 1_000_000_000:
            digits = 9 - (len(str(self.resolution_ns)) - 1)
            text += f".{self.nanosecond:09d}"[: digits + 1]
        if self.offset_minutes is None:
            return text
        sign = "-" if self.offset_minutes < 0 else "+"
        hours, minutes = divmod(abs(self.offset_minutes), 60)
        return f"{text}{sign}{hours:02d}:{minutes:02d}"

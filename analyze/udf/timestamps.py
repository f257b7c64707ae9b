"""Time stamps (1/7.3): what is recorded, its zone and its microseconds."""

from calendar import isleap

from analyze.timestamp import Timestamp
from analyze.udf.layout import TIMESTAMP

UNSPECIFIED_ZONE = -2047
"""1/7.3.1: the time is recorded, its zone is not."""
_MOST_ZONE = 1440
_RESOLUTION_NS = 1000
NOT_RECORDED = bytes(12)
_MOST_KNOWN = 65536


INVALID = Timestamp(0, 0, 0, 0, 0, 0)
"""What is recorded is no date and time."""
_DAYS = (0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read_timestamp(raw: bytes) -> Timestamp | None:
    """The instant in 12 bytes; None if nothing is recorded (all zero), INVALID if it is no date and time.

    The zone is a 12-bit signed number of minutes. Type 0 is UTC whatever the zone says, type 1 local
    time, type 2 a matter of agreement, where no zone is to be relied on.
    """
    if raw == NOT_RECORDED:
        return None
    (kind, year, month, day, hour, minute, second, centiseconds, hundreds, microseconds) = TIMESTAMP.read(raw)
    offset: int | None = None
    if kind >> 12 == 0:
        offset = 0
    elif kind >> 12 == 1:
        zone = kind & 0x0FFF
        if zone & 0x0800:
            zone -= 0x1000
        if zone != UNSPECIFIED_ZONE:
            if abs(zone) > _MOST_ZONE:
                return INVALID
            offset = zone
    if (
        not 1 <= month <= 12
        or not 1 <= day <= _DAYS[month]
        or not 1 <= year <= 9999
        or hour > 23
        or minute > 59
        or second > 60
        or centiseconds > 99
        or hundreds > 99
        or microseconds > 99
        or (day == 29 and month == 2 and not isleap(year))
    ):
        return INVALID
    nanosecond = ((centiseconds * 100 + hundreds) * 100 + microseconds) * 1000
    return Timestamp(year, month, day, hour, minute, second, nanosecond, offset, _RESOLUTION_NS)


class Times:
    """Reads time stamps, each different one once; many files of a disc share theirs."""

    def __init__(self) -> None:
        """Begin with none known; `known` is what was read lately."""
        self.known: dict[bytes, Timestamp | None] = {}

    def read(self, raw: bytes) -> Timestamp | None:
        """As `read_timestamp`."""
        if raw in self.known:
            return self.known[raw]
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        stamp = read_timestamp(raw)
        if stamp is not INVALID:  # so that whoever looks into `known` meets none
            self.known[raw] = stamp
        return stamp

    def valid(self, raw: bytes) -> Timestamp | None:
        """As `read`, but None too for what is no date and time."""
        stamp = self.read(raw)
        return None if stamp is INVALID else stamp

"""Times keep what was recorded, and nothing more."""

import pytest

from analyze.timestamp import Timestamp


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        (Timestamp(2004, 10, 21, 13, 5, 0, offset_minutes=120), "2004-10-21T13:05:00+02:00"),
        (Timestamp(2004, 10, 21, 13, 5, 0), "2004-10-21T13:05:00"),
        (Timestamp(1, 1, 1, 0, 0, 0, offset_minutes=0), "0001-01-01T00:00:00+00:00"),
        (
            Timestamp(2004, 10, 21, 13, 5, 59, 250_000_000, -315, 10_000_000),
            "2004-10-21T13:05:59.25-05:15",
        ),
        (Timestamp(2004, 10, 21, 13, 5, 59, 0, None, 10_000_000), "2004-10-21T13:05:59.00"),
        (Timestamp(2004, 10, 21, 13, 5, 59, 123_456_000, 345, 1_000), "2004-10-21T13:05:59.123456+05:45"),
        (Timestamp(2004, 10, 21, 13, 5, 59, 123_456_700, 0, 100), "2004-10-21T13:05:59.1234567+00:00"),
    ],
)
def test_text_has_the_recorded_fraction_and_offset(stamp, text):
    """No offset is written where none is recorded; digits follow the resolution."""
    assert stamp.iso() == text

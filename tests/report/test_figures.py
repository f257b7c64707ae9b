"""Figures that people read keep what they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.geometry import SectorRange
from report.figures import (
    case_time,
    count,
    counted,
    duration,
    evidence_time,
    file_mode,
    percent,
    rounded_size,
    sector_range,
    sector_ranges,
    size,
)


def test_counts_and_plurals():
    assert count(0) == "0"
    assert count(1_204_000) == "1,204,000"
    assert counted(1, "sector") == "1 sector"
    assert counted(0, "sector") == "0 sectors"
    assert counted(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1,024 bytes (1.00 KiB)"),
        (2_465_792, "2,465,792 bytes (2.35 MiB)"),
        (1_048_575, "1,048,575 bytes (1023.99 KiB)".replace("1023", "1,023")),
        (4_700_372_992, "4,700,372,992 bytes (4.37 GiB)"),
        (2**64 - 1, "18,446,744,073,709,551,615 bytes (15.99 EiB)"),
    ],
)
def test_sizes_are_exact_first(size_bytes, text):
    assert size(size_bytes) == text


@given(st.integers(1024, 2**70))
def test_rounded_sizes_never_say_more_than_there_is(size_bytes):
    """The rounded figure is at most the size, and at most 1 % below it."""
    figure, unit = rounded_size(size_bytes).replace(",", "").split(" ")
    power = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB").index(unit) + 1
    hundredths = int(figure.replace(".", ""))
    said = hundredths * 1024**power
    assert said <= size_bytes * 100 < said + 1024**power
    assert hundredths >= 100


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (1204, 1204, "100 %"),
        (0, 1204, "0 %"),
        (3_999_999, 4_000_000, "99.99 %"),
        (1, 4_000_000, "less than 0.01 %"),
        (1, 2, "50 %"),
        (1, 3, "33.33 %"),
        (0, 0, "–"),
    ],
)
def test_percentages_are_cut(part, whole, text):
    """One unread sector of a whole disc is never rounded away."""
    assert percent(part, whole) == text


@given(st.integers(1, 10**12), st.data())
def test_only_all_is_100_percent_and_only_nothing_is_0(whole, data):
    part = data.draw(st.integers(0, whole))
    assert (percent(part, whole) == "100 %") == (part == whole)
    assert (percent(part, whole) == "0 %") == (part == 0)


@pytest.mark.parametrize(
    ("recorded", "text"),
    [
        ("2004-10-21T13:05:00+02:00", "2004-10-21 13:05:00 +02:00"),
        ("2004-10-21T13:05:00.25-05:15", "2004-10-21 13:05:00.25 -05:15"),
        ("2004-10-21T13:05:00", "2004-10-21 13:05:00"),
        ("0000-00-00T00:00:00", "0000-00-00 00:00:00"),
        ("not a time", "not a time"),
    ],
)
def test_evidence_times_keep_what_was_recorded(recorded, text):
    """No zone is converted, none is added where none was recorded, and no date is refused."""
    assert evidence_time(recorded) == text


def test_case_times_say_utc():
    assert case_time("2026-09-02T10:00:00.123456+00:00") == "2026-09-02 10:00:00 UTC"
    assert case_time("2026-09-02T10:00:00") == "2026-09-02T10:00:00"
    assert case_time("2026-09-02T10:00:00+02:00") == "2026-09-02T10:00:00+02:00"
    assert case_time("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("ended", "text"),
    [
        ("2026-09-02T10:00:00.400000+00:00", "0.4 s"),
        ("2026-09-02T10:01:05.400000+00:00", "1 min 05 s"),
        ("2026-09-02T11:02:03.400000+00:00", "1 h 02 min 03 s"),
        ("2026-09-01T11:02:03.400000+00:00", None),
        ("2026-09-02T10:00:00", None),
        ("never", None),
    ],
)
def test_durations(ended, text):
    assert duration("2026-09-02T10:00:00.000000+00:00", ended) == text


def test_modes_are_as_ls_writes_them():
    assert file_mode(0o100644) == "-rw-r--r--"
    assert file_mode(0o040755) == "drwxr-xr-x"
    assert file_mode(0o104711) == "-rws--x--x"
    assert file_mode(1 << 40) == "mode 0o20000000000000"
    assert file_mode(-1) == "mode -0o1"


def test_ranges_count_their_sectors():
    assert sector_range(16, 1) == "LBA 16"
    assert sector_range(16, 3) == "LBA 16 to 18 (3 sectors)"
    three = [SectorRange(1, 1), SectorRange(5, 2), SectorRange(90, 10)]
    assert sector_ranges(three) == "LBA 1, LBA 5 to 6 (2 sectors), LBA 90 to 99 (10 sectors)"
    assert sector_ranges(three, most=1) == "LBA 1 and 2 more ranges (12 sectors)"

"""Every date of ISO 9660 and Rock Ridge, field by field, at and beyond the borders of each.

Fields and borders are those of ECMA-119 8.4.26.1 (digits) and 9.1.5 (numbers), RRIP 4.1.6 for TF.
"""

import stat
import struct

import pytest

from analyze.anomaly import Anomaly
from analyze.entry import Entry
from analyze.iso9660.volume import open_volumes
from analyze.timestamp import Timestamp
from tests.analyze.isobytes import LONG_DATE, Disc, px, record, sp
from tests.analyze.isobytes import susp as entry_bytes

TIMES = ("created", "modified", "accessed", "changed", "backup", "expires", "effective")
FIELDS = {"created": 813, "modified": 830, "expires": 847, "effective": 864}  # 8.4.26 to 8.4.29, BP less 1


def opened(image):
    """The only view."""
    (view,) = (noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly))
    return view


def only(use=b"", **fields):
    """One file, whose system use area is `use`, and the anomalies."""
    disc = Disc().primary(
        [record(b"A.;1", 30, 5, use=use, **fields)], root_use=sp() + px(stat.S_IFDIR | 0o755)
    )
    nouns = list(opened(disc.image).walk())
    (entry,) = (noun for noun in nouns if isinstance(noun, Entry))
    return entry, [noun for noun in nouns if isinstance(noun, Anomaly)]


def numbers(*, year=104, month=10, day=21, hour=13, minute=5, second=0, offset=8):
    """9.1.5: seven bytes, the last one signed."""
    return struct.pack("6Bb", year, month, day, hour, minute, second, offset)


def digits(text="2004102113050025", offset=8):
    """8.4.26.1: sixteen digits and a signed byte."""
    return text.encode() + struct.pack("b", offset)


class TestRecordingDates:
    """9.1.5."""

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"year": 0, "month": 1, "day": 1}, "1900-01-01T13:05:00+02:00"),
            ({"year": 255, "month": 12, "day": 31}, "2155-12-31T13:05:00+02:00"),
            ({"year": 100, "month": 2, "day": 29}, "2000-02-29T13:05:00+02:00"),
            ({"year": 104, "month": 2, "day": 29}, "2004-02-29T13:05:00+02:00"),
            ({"hour": 0, "minute": 0, "second": 0}, "2004-10-21T00:00:00+02:00"),
            ({"hour": 23, "minute": 59, "second": 59}, "2004-10-21T23:59:59+02:00"),
            ({"offset": -48}, "2004-10-21T13:05:00-12:00"),
            ({"offset": -1}, "2004-10-21T13:05:00-00:15"),
            ({"offset": 0}, "2004-10-21T13:05:00+00:00"),
            ({"offset": 23}, "2004-10-21T13:05:00+05:45"),
            ({"offset": 52}, "2004-10-21T13:05:00+13:00"),
        ],
    )
    def test_at_the_border(self, fields, expected):
        """The last value that is allowed is shown as it stands, and nothing is said of it."""
        entry, anomalies = only(date=numbers(**fields))
        assert entry.recorded.iso() == expected
        assert entry.modified == entry.recorded
        assert anomalies == []

    @pytest.mark.parametrize(
        "fields",
        [
            {"month": 0},
            {"month": 13},
            {"month": 255},
            {"day": 0},
            {"day": 32},
            {"month": 4, "day": 31},
            {"month": 6, "day": 31},
            {"month": 9, "day": 31},
            {"month": 11, "day": 31},
            {"month": 2, "day": 30},
            {"year": 103, "month": 2, "day": 29},
            {"year": 0, "month": 2, "day": 29},  # 1900 was no leap year
            {"year": 200, "month": 2, "day": 29},  # nor will 2100 be
            {"hour": 24},
            {"minute": 60},
            {"second": 60},
            {"hour": 255, "minute": 255, "second": 255},
        ],
    )
    def test_beyond_the_border(self, fields):
        """No date is made up: none is shown, and the bytes are said with their place."""
        raw = numbers(**fields)
        entry, anomalies = only(date=raw)
        assert entry.recorded is None
        assert entry.modified is None
        assert [(note.code, note.seen) for note in anomalies] == [("iso-date", raw.hex())]
        assert anomalies[0].offset == entry.record_offset + 18
        assert anomalies[0].lba == 20

    @pytest.mark.parametrize("offset", [-128, -49, 53, 127])
    def test_an_impossible_offset_leaves_the_clock_time(self, offset):
        """The date is shown without a zone, and it is said."""
        entry, anomalies = only(date=numbers(offset=offset))
        assert entry.recorded == Timestamp(2004, 10, 21, 13, 5, 0)
        assert entry.recorded.iso() == "2004-10-21T13:05:00"
        assert [note.code for note in anomalies] == ["iso-date"]

    def test_seven_zeros_are_no_date(self):
        """9.1.5: all zero means that none is specified; that is no fault."""
        entry, anomalies = only(date=bytes(7))
        assert entry.recorded is None
        assert anomalies == []


class TestVolumeDates:
    """8.4.26 to 8.4.29."""

    @pytest.mark.parametrize("field", FIELDS)
    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (digits("0001010100000000", 0), "0001-01-01T00:00:00.00+00:00"),
            (digits("9999123123595999", 52), "9999-12-31T23:59:59.99+13:00"),
            (digits("2000022912000001", -48), "2000-02-29T12:00:00.01-12:00"),
            (digits("2004102113050025", -21), "2004-10-21T13:05:00.25-05:15"),
        ],
    )
    def test_each_field_at_the_border(self, field, raw, expected):
        """Each of the four dates is read from its own place, with hundredths."""
        disc = Disc().primary([])
        disc.put(16, raw, offset=FIELDS[field])
        view = opened(disc.image)
        assert getattr(view.info, field).iso() == expected
        others = {name: getattr(view.info, name) for name in FIELDS if name not in {field, "created"}}
        assert set(others.values()) <= {None}
        assert list(view.walk()) == []

    @pytest.mark.parametrize("field", FIELDS)
    @pytest.mark.parametrize(
        "text",
        [
            "0000102113050025",
            "2004002113050025",
            "2004132113050025",
            "2004100013050025",
            "2004103213050025",
            "2003022913050025",
            "2004102124050025",
            "2004102113600025",
            "2004102113056025",
            "20041021130500 5",
            "2004-10-21T13:05",
            "                ",
            "\xb2004102113050025",  # SUPERSCRIPT TWO is a digit to Unicode, not to 7.4.1
        ],
    )
    def test_each_field_beyond_the_border(self, field, text):
        """None is shown; the place of the field is said, with the bytes as they stand."""
        raw = text.encode("latin-1").ljust(16)[:16] + b"\0"
        view = opened(Disc().primary([]).put(16, raw, offset=FIELDS[field]).image)
        assert getattr(view.info, field) is None
        (note,) = view.walk()
        assert (note.code, note.lba, note.offset, note.seen) == ("iso-date", 16, FIELDS[field], raw.hex())
        assert field in note.message

    @pytest.mark.parametrize("offset", [-128, -49, 53, 127])
    def test_an_impossible_offset(self, offset):
        """The clock time is shown without a zone, and still with its hundredths."""
        view = opened(Disc().primary([], created=digits(offset=offset)).image)
        assert view.info.created.iso() == "2004-10-21T13:05:00.25"
        assert [note.code for note in view.walk()] == ["iso-date"]

    @pytest.mark.parametrize("raw", [b"0" * 16 + b"\0", bytes(17)])
    def test_no_date(self, raw):
        """Sixteen digits 0 and offset 0 mean none; writers leave zero bytes too. Neither is said."""
        view = opened(Disc().primary([], created=raw).image)
        assert view.info.created is None
        assert list(view.walk()) == []

    def test_no_date_with_an_offset_is_said(self):
        """8.4.26.1: with no date the offset is 0 as well."""
        view = opened(Disc().primary([], created=b"0" * 16 + b"\x08").image)
        assert view.info.created is None
        assert [note.code for note in view.walk()] == ["iso-date"]


class TestTimeStamps:
    """RRIP 4.1.6: seven stamps, each there or not, in two forms."""

    @pytest.mark.parametrize("flags", range(128))
    def test_every_combination_in_the_short_form(self, flags):
        """Stamps follow one another in the order of their bits; those without a bit take no room."""
        recorded = [bit for bit in range(7) if flags & 1 << bit]
        stamps = b"".join(numbers(second=bit, offset=0) for bit in recorded)
        entry, anomalies = only(entry_bytes(b"TF", bytes((flags,)) + stamps))
        for bit, name in enumerate(TIMES):
            expected = Timestamp(2004, 10, 21, 13, 5, bit, 0, 0) if bit in recorded else None
            if expected is None and name == "modified":
                expected = Timestamp(2004, 10, 21, 13, 5, 0, 0, 120)  # the record's own date
            assert getattr(entry, name) == expected, name
        assert anomalies == []

    @pytest.mark.parametrize("flags", range(128))
    def test_every_combination_in_the_long_form(self, flags):
        """Bit 7: seventeen bytes each, with hundredths and an offset of their own."""
        recorded = [bit for bit in range(7) if flags & 1 << bit]
        stamps = b"".join(digits(f"20041021130500{bit:02d}", -bit) for bit in recorded)
        entry, anomalies = only(entry_bytes(b"TF", bytes((flags | 0x80,)) + stamps))
        for bit, name in enumerate(TIMES):
            expected = Timestamp(2004, 10, 21, 13, 5, 0, bit * 10_000_000, -15 * bit, 10_000_000)
            if bit not in recorded:
                expected = Timestamp(2004, 10, 21, 13, 5, 0, 0, 120) if name == "modified" else None
            assert getattr(entry, name) == expected, name
        assert anomalies == []

    def test_two_entries_add_to_each_other(self):
        """4.1.6 allows several TF: one in each form, for different stamps."""
        use = entry_bytes(b"TF", b"\x02" + numbers(second=7)) + entry_bytes(b"TF", b"\x81" + LONG_DATE)
        entry, anomalies = only(use)
        assert entry.modified.iso() == "2004-10-21T13:05:07+02:00"
        assert entry.created.iso() == "2004-10-21T13:05:00.25+02:00"
        assert anomalies == []

    @pytest.mark.parametrize("bad", range(7))
    def test_one_impossible_stamp_leaves_the_other_six(self, bad):
        """It alone is missing, and its own place is said."""
        stamps = b"".join(numbers(month=13 if bit == bad else 10, second=bit) for bit in range(7))
        entry, anomalies = only(entry_bytes(b"TF", b"\x7f" + stamps))
        (note,) = anomalies
        # 33 bytes and the identifier of 4 with its padding, the entry's 4, its flags, the stamps before.
        assert (note.code, note.offset) == ("iso-date", entry.record_offset + 33 + 5 + 5 + 7 * bad)
        assert TIMES[bad] in note.message
        read = [getattr(entry, name) for bit, name in enumerate(TIMES) if bit != bad]
        assert [time.second for time in read] == [bit for bit in range(7) if bit != bad]

    @pytest.mark.parametrize("size", [0, 1, 6, 7, 13, 20])
    def test_cut_short(self, size):
        """As many stamps as are whole are read; that there are fewer than the flags say is said."""
        stamps = b"".join(numbers(second=bit) for bit in range(3))[:size]
        entry, anomalies = only(entry_bytes(b"TF", b"\x0d" + stamps))  # created, accessed, changed
        found = [entry.created, entry.accessed, entry.changed]
        assert [time is not None for time in found] == [size >= 7, size >= 14, size >= 21]
        assert [note.code for note in anomalies] == ["iso-rock-ridge"]

"""Descriptor tags and anchors: each field flipped by itself, each anchor by itself, main against reserve."""

import struct

import pytest

from analyze.udf.cs0 import decode_dstring, decode_name
from analyze.udf.tag import check_tag
from analyze.udf.timestamps import INVALID, read_timestamp
from tests.analyze.udf_disc import UdfDisc, crc16, retag, tagged
from tests.analyze.udf_walked import Walked

MAIN, RESERVE = 128, 160
ROOT, FILE = 272 + 1, 272 + 2
BODY = b"a body of forty bytes, made for the test"


def disc(**words):
    """A disc with one file."""
    made = UdfDisc(**words)
    made.root(("f", 2))
    made.file(2, b"content of f")
    made.counts = (1, 1)
    return made


def with_sum(tag):
    """The structure with the checksum of its tag made right (3/7.2.3), nothing else."""
    made = bytearray(tag)
    made[4] = 0
    made[4] = sum(made[:16]) & 0xFF
    return bytes(made)


def field(at, form, value):
    """The sample structure, location 9, with one field of its tag changed and its checksum right."""
    made = bytearray(tagged(261, 9, BODY))
    struct.pack_into(form, made, at, value)
    return with_sum(made)


# Tags (3/7.2) -------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", [0, 1, 255, 256, 65536, 0xFFFFFFFF])
@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("identifier", [1, 2, 5, 9, 256, 257, 261, 266])
def test_a_sound_tag_of_every_kind(identifier, version, location):
    """3/7.2.1, 3/7.2.2, 3/7.2.8: NSR02 and NSR03 tags at any address are right."""
    checked = check_tag(tagged(identifier, location, BODY, version=version), 0, (identifier,), location)
    assert (checked.problems, checked.usable) == ((), True)
    assert (checked.identifier, checked.tag.version, checked.tag.location) == (identifier, version, location)


@pytest.mark.parametrize("bit", range(8))
def test_only_the_checksum_is_flipped(bit):
    """3/7.2.3: each bit of byte 4 is one problem, with the sum that it should be."""
    data = bytearray(tagged(261, 9, BODY))
    right = data[4]
    data[4] ^= 1 << bit
    checked = check_tag(bytes(data), 0, (261,), 9)
    (problem,) = checked.problems
    assert (problem.code, problem.clause) == ("udf-tag-checksum", "3/7.2.3")
    assert (int(problem.seen, 16), int(problem.expected, 16)) == (data[4], right)
    assert checked.usable


@pytest.mark.parametrize("bit", range(16))
def test_only_the_crc_is_flipped(bit):
    """3/7.2.6: each bit of the CRC is one problem, with the CRC computed bit by bit as expected."""
    wrong = crc16(BODY) ^ 1 << bit
    checked = check_tag(field(8, "<H", wrong), 0, (261,), 9)
    (problem,) = checked.problems
    assert (problem.code, problem.clause) == ("udf-tag-crc", "3/7.2.6")
    assert (int(problem.seen, 16), int(problem.expected, 16)) == (wrong, crc16(BODY))
    assert checked.usable


@pytest.mark.parametrize("length", [41, 100, 2032, 65535])
def test_only_the_crc_length_is_too_long(length):
    """3/7.2.7: a CRC over more bytes than there are cannot be checked, and is said so."""
    checked = check_tag(field(10, "<H", length), 0, (261,), 9)
    (problem,) = checked.problems
    assert (problem.code, problem.clause) == ("udf-tag-crc", "3/7.2.7")
    assert str(length) in problem.seen


@pytest.mark.parametrize("length", [0, 1, 20, 39, 40])
def test_a_crc_over_a_part_is_right(length):
    """3/7.2.7: the CRC is over as many bytes as the tag says, and may leave out the end."""
    data = bytearray(tagged(261, 9, BODY))
    struct.pack_into("<HH", data, 8, crc16(BODY[:length]), length)
    assert check_tag(with_sum(data), 0, (261,), 9).problems == ()


@pytest.mark.parametrize("version", [0, 1, 4, 255, 0x0203, 65535])
def test_only_the_version_is_another(version):
    """3/7.2.2: versions other than 2 and 3 are a problem, and cost nothing."""
    checked = check_tag(field(2, "<H", version), 0, (261,), 9)
    (problem,) = checked.problems
    assert problem == ("udf-tag-version", "3/7.2.2", str(version), "2 or 3")
    assert checked.usable


@pytest.mark.parametrize("bit", range(32))
def test_only_the_location_is_flipped(bit):
    """3/7.2.8: each bit of the location is one problem; the CRC still proves the structure."""
    checked = check_tag(field(12, "<I", 9 ^ 1 << bit), 0, (261,), 9)
    (problem,) = checked.problems
    assert problem == ("udf-tag-location", "3/7.2.8", str(9 ^ 1 << bit), "9")
    assert checked.usable


@pytest.mark.parametrize("serial", [0, 1, 2, 65535])
def test_the_serial_number_is_free(serial):
    """3/7.2.5: any serial number is right."""
    assert check_tag(field(6, "<H", serial), 0, (261,), 9).problems == ()


@pytest.mark.parametrize("identifier", [0, 1, 257, 266, 65535])
def test_another_kind_with_a_right_checksum_is_not_used(identifier):
    """3/7.2.1: a tag that soundly says it is something else is believed."""
    checked = check_tag(field(0, "<H", identifier), 0, (261,), 9)
    assert not checked.usable
    assert [problem.code for problem in checked.problems] == ["udf-tag-identifier"]


@pytest.mark.parametrize("bit", range(320))
def test_every_bit_of_a_body_is_in_its_crc(bit):
    """3/7.2.6: one flipped bit anywhere in the body is one problem."""
    data = bytearray(tagged(261, 9, BODY))
    data[16 + bit // 8] ^= 1 << bit % 8
    assert [problem.code for problem in check_tag(bytes(data), 0, (261,), 9).problems] == ["udf-tag-crc"]


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [(2, 7, "udf-tag-version"), (8, 0x40, "udf-tag-crc"), (12, 77, "udf-tag-location")],
)
@pytest.mark.parametrize(("block", "path"), [(FILE, "/f"), (ROOT, "/")])
def test_a_flip_in_a_file_entry_is_one_anomaly_where_it_is(block, path, at, value, code):
    """Each changed field of a tag is an anomaly of the entry's own sector and path; the file is read."""
    data = bytearray(disc().finish())
    data[block * 2048 + at] ^= value
    data[block * 2048 : block * 2048 + 16] = with_sum(data[block * 2048 : block * 2048 + 16])
    found = Walked(data)
    assert set(found.codes) == {code}
    assert {anomaly.lba for anomaly in found.anomalies} == {block}
    assert found.anomalies[0].path in (path, None)
    assert found.read("/f") == b"content of f"


# Anchors (3/8.4.2.1) and sequences ----------------------------------------------------------------


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
@pytest.mark.parametrize("block", [256, 443, 699])
def test_one_anchor_in_sectors_of_each_size(size, block):
    """3/8.4.2.1: 256, N - 256 and N, each alone, in sectors of each size."""
    made = disc(size=size)
    made.anchors = (block,)
    found = Walked(made.finish())
    assert found.live == ["/f"]
    assert found.read("/f") == b"content of f"
    assert found.info.attributes["anchors"] == [block]
    assert found.anomalies == []


@pytest.mark.parametrize("size", [512, 2048, 4096])
@pytest.mark.parametrize("anchors", [(256, 443), (256, 699), (443, 699), (256, 443, 699)])
def test_anchors_in_pairs(size, anchors):
    """3/8.4.2.1 asks for two; any two are sound."""
    made = disc(size=size)
    made.anchors = anchors
    found = Walked(made.finish())
    assert sorted(found.info.attributes["anchors"]) == list(anchors)
    assert found.anomalies == []


@pytest.mark.parametrize("wrong", [0, 100, 255, 257, 698])
def test_an_anchor_whose_tag_names_another_place(wrong):
    """3/7.2.8: it is passed over for one that names its own place."""
    made = disc()
    data = bytearray(made.finish())
    data[256 * 2048 : 256 * 2048 + 512] = retag(data[256 * 2048 : 256 * 2048 + 512], location=wrong)
    found = Walked(data)
    assert found.live == ["/f"]
    assert 699 in found.info.attributes["anchors"]


@pytest.mark.parametrize("sequence", [MAIN, RESERVE])
@pytest.mark.parametrize("descriptor", range(4))
@pytest.mark.parametrize("byte", [4, 8, 12, 20, 100])
def test_one_flip_in_a_descriptor_of_one_sequence(sequence, descriptor, byte):
    """3/8.4.2.2: the sound copy counts; label and content are not touched, and the flip is said."""
    data = bytearray(disc(label="Both").finish())
    data[(sequence + descriptor) * 2048 + byte] ^= 0x10
    found = Walked(data)
    assert found.info.label == "Both"
    assert found.read("/f") == b"content of f"
    assert found.codes
    assert sequence + descriptor in {anomaly.lba for anomaly in found.anomalies}


@pytest.mark.parametrize("sequence", [MAIN, RESERVE])
def test_one_sequence_is_noise(sequence):
    """3/8.4.2.2: the other is read."""
    data = bytearray(disc(label="Other").finish())
    data[sequence * 2048 : (sequence + 16) * 2048] = b"\xa5" * 16 * 2048
    found = Walked(data)
    assert found.info.label == "Other"
    assert found.live == ["/f"]
    assert found.codes


# Compressed Unicode (UDF 2.1.1) -------------------------------------------------------------------


@pytest.mark.parametrize("compression", [8, 254])
@pytest.mark.parametrize("code", [1, 0x20, 0x2E, 0x5C, 0x7F, 0x80, 0x9F, 0xA0, 0xDF, 0xFF])
def test_8_bits_are_code_points(compression, code):
    """UDF 2.1.1: byte N is the character U+00NN, in live and in deleted names."""
    assert decode_name(bytes((compression, 0x61, code))) == ("a" + chr(code), True, "")


@pytest.mark.parametrize("compression", [16, 255])
@pytest.mark.parametrize("code", [1, 0xFF, 0x100, 0x20AC, 0x65E5, 0xD7FF, 0xE000, 0xFEFF, 0xFFFE, 0xFFFF])
def test_16_bits_are_big_endian(compression, code):
    """UDF 2.1.1: the most significant byte first; non-characters and byte order marks too."""
    assert decode_name(bytes((compression, 0, 0x61, code >> 8, code & 0xFF))) == ("a" + chr(code), True, "")


@pytest.mark.parametrize("compression", [16, 255])
@pytest.mark.parametrize("code", [0xD800, 0xD83D, 0xDBFF, 0xDC00, 0xDE00, 0xDFFF])
def test_lone_surrogates_are_escaped(compression, code):
    """Half a pair is no character: it is shown by its number, and the name is not exact."""
    name = decode_name(bytes((compression, code >> 8, code & 0xFF, 0, 0x61)))
    assert name == (f"\\u{code:04x}a", False, "")


@pytest.mark.parametrize("compression", sorted(set(range(256)) - {8, 16, 254, 255}))
def test_every_other_compression_identifier_is_none(compression):
    """UDF 2.1.1 table: 0 to 7, 9 to 15 and 17 to 253 are reserved."""
    name = decode_name(bytes((compression,)) + b"ab")
    assert name.problem == f"compression identifier {compression}"
    assert name.text.endswith("ab")
    assert not name.exact


@pytest.mark.parametrize("compression", [254, 255])
def test_a_dstring_is_not_deleted(compression):
    """UDF 2.1.1: 254 and 255 are for file identifiers; in a dstring they are shown byte by byte."""
    raw = bytes((compression,)) + b"ab"
    assert decode_dstring(raw.ljust(31, b"\0") + b"\3") == f"\\x{compression:02x}ab"


# Time stamps (1/7.3) ------------------------------------------------------------------------------


def stamp(zone=0, kind=1, **fields):
    """2001-02-03 04:05:06.070809 with some fields replaced."""
    values = {
        "year": 2001,
        "month": 2,
        "day": 3,
        "hour": 4,
        "minute": 5,
        "second": 6,
        "c": 7,
        "h": 8,
        "u": 9,
    } | fields
    return struct.pack("<HhBBBBBBBB", kind << 12 | zone & 0xFFF, *values.values())


@pytest.mark.parametrize("zone", [-1440, -1439, -720, -210, -1, 0, 1, 60, 345, 765, 1439, 1440])
def test_every_zone_of_a_day_either_way(zone):
    """1/7.3.1: 12 bits, two's complement, -1440 to 1440 minutes east of UTC."""
    found = read_timestamp(stamp(zone))
    assert found.offset_minutes == zone
    assert (found.year, found.month, found.day, found.hour, found.minute, found.second) == (
        2001,
        2,
        3,
        4,
        5,
        6,
    )
    assert found.nanosecond == 70_809_000


@pytest.mark.parametrize("zone", [-2048, -2046, -1441, 1441, 2047])
def test_zones_beyond_a_day_are_no_time(zone):
    """1/7.3.1: nothing but -2047 is allowed outside -1440 to 1440."""
    assert read_timestamp(stamp(zone)) is INVALID


def test_no_zone_is_specified():
    """1/7.3.1: -2047 says that the local time is known and its zone is not."""
    found = read_timestamp(stamp(-2047))
    assert found.offset_minutes is None
    assert found.iso().startswith("2001-02-03T04:05:06.070809")
    assert not found.iso().endswith(("Z", "+00:00"))


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("year", 1, 9999),
        ("month", 1, 12),
        ("day", 1, 28),
        ("hour", 0, 23),
        ("minute", 0, 59),
        ("second", 0, 59),
        ("c", 0, 99),
        ("h", 0, 99),
        ("u", 0, 99),
    ],
)
def test_the_ends_of_every_range(name, least, most):
    """1/7.3.2 to 1/7.3.10: both ends of each field are times; one more or less is none."""
    for value in (least, most):
        assert read_timestamp(stamp(**{name: value})) is not INVALID
    beyond = {"day": 29, "second": 61}.get(name, most + 1)
    assert read_timestamp(stamp(**{name: beyond})) is INVALID
    if least:
        assert read_timestamp(stamp(**{name: least - 1})) is INVALID


@pytest.mark.parametrize("month", range(1, 13))
@pytest.mark.parametrize("year", [1600, 1900, 1999, 2000, 2004, 2100])
def test_the_last_day_of_every_month(year, month):
    """The Gregorian calendar: the last day is one, the next is none."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 28 + leap if month == 2 else 30 if month in (4, 6, 9, 11) else 31
    assert read_timestamp(stamp(year=year, month=month, day=last)).day == last
    assert read_timestamp(stamp(year=year, month=month, day=last + 1)) is INVALID

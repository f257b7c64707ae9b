"""The parts of the UDF reader, each against bytes and arithmetic taken from the standards."""

import itertools
import re
import struct
from array import array
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.geometry import HOLE, Extent, SectorRange
from acquire.image import MemoryImage
from analyze.entry import Stream
from analyze.timestamp import Timestamp
from analyze.udf import anomalies
from analyze.udf.anchors import BLOCK_SIZES
from analyze.udf.blocks import Blocks
from analyze.udf.claims import Claims
from analyze.udf.cs0 import decode_dstring, decode_identifier, decode_name, escape_bytes
from analyze.udf.partitions import (
    MetadataPartition,
    PhysicalPartition,
    Run,
    SparablePartition,
    VirtualPartition,
)
from analyze.udf.scan import find_tagged
from analyze.udf.space import _runs_of_ones
from analyze.udf.symlink import decode_target
from analyze.udf.tag import check_tag, checksum, crc
from analyze.udf.timestamps import INVALID, Times, read_timestamp
from tests.analyze.udf_disc import crc16, cs0, dstring, regid, tagged

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"


# Names (UDF 2.1.1) --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x08plain.txt", "plain.txt"),
        (b"\x08Gr\xfc\xdfe", "Grüße"),  # 8 bits are code points, not UTF-8
        (b"\x08\xc3\xbf", "Ã¿"),  # … even where they would be UTF-8
        (b"\x08\x80\x9f", "\x80\x9f"),
        (b"\x10\x65\xe5\x67\x2c", "日本"),
        (b"\x10\x00a\x00b", "ab"),
        (b"\x10\xd8\x3d\xde\x00", "😀"),  # a pair of surrogates is one character
        (b"\x10\x20\x2e\x00a", "\u202ea"),
        (b"\xfegone", "gone"),  # 254: deleted, 8 bits
        (b"\xff\x65\xe5", "日"),  # 255: deleted, 16 bits
    ],
)
def test_names_in_compressed_unicode(raw, text):
    """UDF 2.1.1: the first byte says how wide the code points are that follow."""
    assert decode_name(raw) == (text, True, "")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\x08a/b", "a\\x2fb"),
        (b"\x08a\0b", "a\\x00b"),
        (b"\x10\x00a\x00/\x00b", "a\\x2fb"),
        (b"\x10\xd8\x00\x00a", "\\ud800a"),
        (b"\x10\x00a\xde\x00", "a\\ude00"),
    ],
)
def test_characters_that_cannot_stand_in_a_path_are_escaped(raw, text):
    """Entry: NUL and "/" as two hexadecimal digits, lone surrogates as four; the bytes are kept."""
    assert decode_name(raw) == (text, False, "")


@pytest.mark.parametrize(
    ("raw", "text", "problem"),
    [
        (b"", "", "no identifier"),
        (b"\x08", "", "no characters"),
        (b"\x10", "", "no characters"),
        (b"\x10\x00", "\\x00", "half a character"),
        (b"\x10\x00a\x41", "a\\x41", "half a character"),
        (b"\x09abc", "\\x09abc", "compression identifier 9"),
        (b"\0/\\\x7f\xff", "\\x00\\x2f\\x5c\\x7f\\xff", "compression identifier 0"),
    ],
)
def test_names_that_are_none(raw, text, problem):
    """What is not compressed Unicode is shown byte by byte, and said to be wrong."""
    name = decode_name(raw)
    assert name.text == text
    assert not name.exact
    assert problem in name.problem


@given(st.text(st.characters(blacklist_characters="\0/"), min_size=1, max_size=100))
def test_every_name_that_can_be_written_is_read(text):
    """Names of any characters, surrogates among them escaped, come back as they were written."""
    raw = cs0(text)
    name = decode_name(raw)
    lone = re.search("[\ud800-\udfff]", text)
    assert name.problem == ""
    assert name.exact == (lone is None)
    if lone is None:
        assert name.text == text


@given(st.binary(max_size=300))
def test_any_bytes_give_a_name_that_is_one_part_of_a_path(raw):
    """No bytes make a separator, a NUL, or text that cannot be stored as UTF-8."""
    text = decode_name(raw).text
    assert "/" not in text
    assert "\0" not in text
    text.encode("utf-8")


def test_dstrings_use_as_many_bytes_as_their_last_byte_says():
    """1/7.2.12: what follows the used bytes does not count; a length beyond the field is cut."""
    assert decode_dstring(dstring("Label", 32)) == "Label"
    assert decode_dstring(dstring("Ünïcode 日本", 128)) == "Ünïcode 日本"
    assert decode_dstring(b"\x08abc".ljust(31, b"x") + b"\x03") == "ab"
    assert decode_dstring(b"\x08abc".ljust(31, b"\0") + b"\xff") == "abc" + "\\x00" * 27
    assert decode_dstring(bytes(32)) == ""
    assert decode_dstring(dstring("https://example", 36)) == "https://example"
    assert decode_dstring(b"\x07abc".ljust(31, b"\0") + b"\x04") == "\\x07abc"
    assert decode_dstring(b"") == ""


def test_entity_identifiers():
    """1/7.4.2: 23 bytes, padded with zeros; what is not ASCII is escaped."""
    assert decode_identifier(regid("*UDF LV Info", b"\x01\x02")) == "*UDF LV Info"
    assert decode_identifier(b"\0\xff\x01abc" + bytes(26)) == "\\xff\\x01abc"
    assert escape_bytes(b"a b\\c/") == "a b\\x5cc\\x2f"


# Times (1/7.3) ------------------------------------------------------------------------------------


def stamp(kind, zone, *rest):
    """A time stamp of a type and a zone."""
    return struct.pack("<HhBBBBBBBB", kind << 12 | zone & 0xFFF, *rest)


def test_times_keep_their_zone_and_their_microseconds():
    """1/7.3: 12-bit signed minutes; hundredths, ten-thousandths and millionths of a second."""
    raw = stamp(1, -300, 1999, 12, 31, 23, 59, 58, 99, 87, 65)
    found = read_timestamp(raw)
    assert found == Timestamp(1999, 12, 31, 23, 59, 58, 998_765_000, -300, 1000)
    assert found.iso() == "1999-12-31T23:59:58.998765-05:00"


@pytest.mark.parametrize(
    ("kind", "zone", "offset"),
    [
        (1, 0, 0),
        (1, 840, 840),
        (1, -720, -720),
        (1, 1440, 1440),
        (1, -2047, None),  # 1/7.3.1: no zone is specified
        (0, 0, 0),  # coordinated universal time
        (0, 555, 0),
        (2, 60, None),  # by agreement
        (15, 60, None),
    ],
)
def test_zones(kind, zone, offset):
    """The offset is what the type and the zone together say, None if nothing."""
    assert read_timestamp(stamp(kind, zone, 2001, 2, 3, 4, 5, 6, 0, 0, 0)).offset_minutes == offset


@pytest.mark.parametrize(
    "fields",
    [
        (1, 0, 2001, 0, 3, 4, 5, 6, 0, 0, 0),
        (1, 0, 2001, 13, 3, 4, 5, 6, 0, 0, 0),
        (1, 0, 2001, 2, 0, 4, 5, 6, 0, 0, 0),
        (1, 0, 2001, 2, 29, 4, 5, 6, 0, 0, 0),
        (1, 0, 1900, 2, 29, 4, 5, 6, 0, 0, 0),
        (1, 0, 2001, 4, 31, 4, 5, 6, 0, 0, 0),
        (1, 0, 2001, 2, 3, 24, 5, 6, 0, 0, 0),
        (1, 0, 2001, 2, 3, 4, 60, 6, 0, 0, 0),
        (1, 0, 2001, 2, 3, 4, 5, 61, 0, 0, 0),
        (1, 0, 2001, 2, 3, 4, 5, 6, 100, 0, 0),
        (1, 0, 2001, 2, 3, 4, 5, 6, 0, 100, 0),
        (1, 0, 2001, 2, 3, 4, 5, 6, 0, 0, 100),
        (1, 0, 0, 2, 3, 4, 5, 6, 0, 0, 0),
        (1, 0, -5, 2, 3, 4, 5, 6, 0, 0, 0),
        (1, 0, 10000, 2, 3, 4, 5, 6, 0, 0, 0),
        (1, 1441, 2001, 2, 3, 4, 5, 6, 0, 0, 0),
        (1, -2000, 2001, 2, 3, 4, 5, 6, 0, 0, 0),
    ],
)
def test_what_is_no_date_and_time_is_none(fields):
    """A field outside its range makes no time stamp: nothing is guessed."""
    raw = stamp(*fields)
    assert read_timestamp(raw) is INVALID
    assert Times().valid(raw) is None


def test_zeros_are_no_time_and_leap_days_are_days():
    """All zero: not recorded. 29 February in leap years, by the Gregorian rule."""
    assert read_timestamp(bytes(12)) is None
    assert read_timestamp(stamp(1, 0, 2000, 2, 29, 0, 0, 60, 0, 0, 0)).second == 60
    times = Times()
    raw = stamp(1, 0, 2004, 2, 29, 0, 0, 0, 0, 0, 0)
    assert times.read(raw) is times.read(raw)


# Tags (3/7.2) -------------------------------------------------------------------------------------


def test_the_crc_is_the_one_of_the_standard():
    """3/7.2.6: the example of the standard, 70 6A 77, gives 3299; and any bytes as computed bit by bit."""
    assert crc(b"\x70\x6a\x77") == 0x3299
    for data in (b"", b"\0", b"abc", bytes(range(256)) * 3):
        assert crc(data) == crc16(data)


def test_a_sound_tag_has_no_problems():
    """Checksum, CRC, version and location as they should be."""
    checked = check_tag(tagged(261, 77, b"content"), 0, (261, 266), 77)
    assert checked.usable
    assert checked.problems == ()
    assert checked.identifier == 261


@pytest.mark.parametrize(
    ("byte", "codes", "usable"),
    [
        (0, {"udf-tag-identifier", "udf-tag-checksum"}, True),  # the checksum tells what it was
        (2, {"udf-tag-checksum", "udf-tag-version"}, True),
        (4, {"udf-tag-checksum"}, True),
        (6, {"udf-tag-checksum"}, True),  # the serial number
        (8, {"udf-tag-checksum", "udf-tag-crc"}, True),
        (10, {"udf-tag-checksum", "udf-tag-crc"}, True),
        (12, {"udf-tag-checksum", "udf-tag-location"}, True),
        (20, {"udf-tag-crc"}, True),
    ],
)
def test_one_changed_byte_is_noticed_and_the_structure_used(byte, codes, usable):
    """One flipped bit anywhere is an anomaly, and never costs the structure."""
    data = bytearray(tagged(261, 77, b"some content of a structure"))
    data[byte] ^= 0x40
    checked = check_tag(bytes(data), 0, (261,), 77)
    assert {problem.code for problem in checked.problems} == codes
    assert checked.usable is usable
    assert checked.identifier == 261


def test_what_is_something_else_is_not_used():
    """Another structure, zeros, noise, a cut tag: none of them is taken for what was expected."""
    assert not check_tag(tagged(257, 77, b"x" * 20), 0, (261,), 77).usable
    assert not check_tag(bytes(64), 0, (261,), 0).usable
    assert not check_tag(b"\xa5" * 64, 0, (261,), 77).usable
    assert check_tag(b"\x05\x01\x03", 0, (261,), 77) is None
    assert check_tag(b"", 0, (261,), 77) is None


def test_a_crc_over_more_than_there_is_is_said_so():
    """3/7.2.7: the structure ends before its CRC does."""
    data = tagged(261, 5, b"0123456789")[:20]
    problems = check_tag(data, 0, (261,), 5).problems
    assert [(problem.code, problem.clause) for problem in problems] == [("udf-tag-crc", "3/7.2.7")]


@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**32 - 1))
def test_any_bytes_can_be_checked(data, location):
    """Noise is checked without an error, and its checksum is the sum of its bytes but one."""
    checked = check_tag(data, 0, (256, 261), location)
    assert checked.tag.location == int.from_bytes(data[12:16], "little")
    assert checksum(data) == (sum(data[:4]) + sum(data[5:16])) % 256


# Partitions ---------------------------------------------------------------------------------------


def naive(partition, block, count):
    """The runs that asking block by block gives."""
    runs = []
    for each in range(block, block + count):
        place = partition.at(each)
        last = runs[-1][0] if runs else -1
        ahead = None if last is None or not runs else sum(runs[-1])
        if runs and place == ahead and (place is None) == (last is None):
            runs[-1][1] += 1
        else:
            runs.append([place, 1])
    return [tuple(run) for run in runs]


def joined(runs):
    """Runs as tuples, those that touch joined."""
    found = []
    for block, length in runs:
        if found and block is not None and found[-1][0] is not None and sum(found[-1]) == block:
            found[-1] = (found[-1][0], found[-1][1] + length)
        elif found and block is None and found[-1][0] is None:
            found[-1] = (None, found[-1][1] + length)
        else:
            found.append((block, length))
    return found


def test_a_physical_partition_is_a_shift():
    """3/10.7.2."""
    partition = PhysicalPartition(0, 272, 100)
    assert partition.at(5) == 277
    assert list(partition.runs(5, 7)) == [Run(277, 7)]
    assert partition.other(5) is None


def test_virtual_addresses():
    """UDF 2.2.11: an entry is a block of the partition, 0xFFFFFFFF is not in use, past the table: nothing."""
    partition = VirtualPartition(PhysicalPartition(0, 100, 50), array("I", [7, 8, 3, 0xFFFFFFFF, 9]))
    assert [partition.at(block) for block in range(6)] == [107, 108, 103, None, 109, None]
    assert list(partition.runs(0, 7)) == [Run(107, 2), Run(103, 1), Run(None, 1), Run(109, 1), Run(None, 2)]
    assert list(partition.runs(9, 2)) == [Run(None, 2)]


def test_spared_packets():
    """UDF 2.2.9: replaced packets are elsewhere on the disc, all others where they were."""
    partition = SparablePartition(PhysicalPartition(0, 100, 256), 32, {32: 900, 96: 700})
    assert partition.at(31) == 131
    assert partition.at(32) == 900
    assert partition.at(63) == 931
    assert partition.at(64) == 164
    assert partition.at(100) == 704
    assert partition.other(100) == 200
    assert partition.other(64) is None
    assert list(partition.runs(30, 70)) == [Run(130, 2), Run(900, 32), Run(164, 32), Run(700, 4)]


def test_the_metadata_partition_is_a_file():
    """UDF 2.2.13: blocks of the metadata file in order, with those of the mirror as second place."""
    partition = MetadataPartition(0, [Run(500, 4), Run(None, 2), Run(600, 3)], [Run(900, 9)])
    assert [partition.at(block) for block in range(10)] == [
        500,
        501,
        502,
        503,
        None,
        None,
        600,
        601,
        602,
        None,
    ]
    assert partition.other(7) == 907
    assert list(partition.runs(2, 9)) == [Run(502, 2), Run(None, 2), Run(600, 3), Run(None, 2)]
    only_mirror = MetadataPartition(0, [], [Run(900, 9)])
    assert only_mirror.at(3) == 903
    assert only_mirror.other(3) is None


@given(
    st.lists(st.integers(0, 12) | st.just(0xFFFFFFFF), max_size=20),
    st.dictionaries(st.integers(0, 5).map(lambda n: 4 * n), st.integers(500, 560), max_size=4),
    st.integers(0, 30),
    st.integers(1, 30),
)
def test_runs_are_what_asking_block_by_block_gives(entries, spares, block, count):
    """For every kind of partition, `runs` and `at` say the same, and runs add up."""
    physical = PhysicalPartition(0, 100, 24)
    pieces = [Run(None if entry > 12 else 50 * entry, entry % 4 + 1) for entry in entries]
    for partition in (
        physical,
        VirtualPartition(physical, array("I", entries)),
        SparablePartition(physical, 4, spares),
        MetadataPartition(0, pieces, [Run(2000, 5)]),
    ):
        runs = list(partition.runs(block, count))
        assert sum(run.length for run in runs) == count
        assert joined(runs) == naive(partition, block, count)


# The rest -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
def test_blocks_of_any_size_from_sectors_of_2048_bytes(size):
    """A block, a row of them and its place, whatever its size; short and empty at the end of the image."""
    data = bytes(number // 256 % 251 for number in range(20 * 2048 + 700))
    blocks = Blocks(MemoryImage(data), size, 3)
    base = 3 * 2048
    assert blocks.count == -(-(len(data) - base) // size)
    for block in range(blocks.count + 2):
        expected = data[base + block * size : base + (block + 1) * size]
        assert blocks.block(block) == expected
        assert blocks.read(block, 3) == data[base + block * size : base + (block + 3) * size]
    assert blocks.place(3, 5) == divmod(base + 3 * size + 5, 2048)
    assert blocks.extent(3, 100, 5) == Extent(
        (base + 3 * size + 5) // 2048, 100, (base + 3 * size + 5) % 2048
    )
    assert blocks.read(-1) == b""
    assert Blocks(MemoryImage(data), size, -5).block(0) == b""


def test_blocks_that_were_not_read_are_known():
    """512-byte blocks of a sector that was not read are unread, their neighbours are not."""
    image = MemoryImage(bytes(20 * 2048), unread=(SectorRange(5, 1),))
    blocks = Blocks(image, 512)
    assert [blocks.unread(block) for block in range(18, 26)] == [
        False,
        False,
        True,
        True,
        True,
        True,
        False,
        False,
    ]
    assert blocks.unread(0, 80)


def test_symbolic_links_are_path_components():
    """4/14.16.1: root, parent, current, names; what is none of these is said to be wrong."""

    def component(kind, name=b""):
        return struct.pack("<BBH", kind, len(name), 0) + name

    assert decode_target(component(2) + component(5, b"\x08usr") + component(5, b"\x08bin")) == (
        "/usr/bin",
        "",
    )
    assert decode_target(component(3) + component(3) + component(5, b"\x08a")) == ("../../a", "")
    assert decode_target(component(4) + component(5, b"\x10\x65\xe5")) == ("./日", "")
    assert decode_target(component(5, b"\x08x") + component(1)) == ("/", "")
    assert decode_target(b"") == ("", "")
    assert "type 9" in decode_target(component(9))[1]
    assert "cut short" in decode_target(component(5, b"\x08abcd")[:-2])[1]
    assert "after its last" in decode_target(component(4) + b"\0\0")[1]


@given(st.lists(st.integers(0, 255), max_size=40), st.integers(0, 320))
def test_runs_of_free_blocks_are_the_one_bits(values, count):
    """4/14.12.4: bit 0 of byte 0 is block 0; a run for each stretch of ones, none beyond the count."""
    bits = bytes(values)
    expected = {n for n in range(min(count, len(bits) * 8)) if bits[n >> 3] >> (n & 7) & 1}
    runs = list(_runs_of_ones(bits, min(count, len(bits) * 8)))
    assert {n for first, length in runs for n in range(first, first + length)} == expected
    assert all(length > 0 for _first, length in runs)
    assert all(a[0] + a[1] < b[0] for a, b in itertools.pairwise(runs))


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9000), st.integers(0, 2047)), max_size=8),
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 9000), st.integers(0, 2047)), max_size=4),
)
def test_claims_count_bytes_that_are_taken(live, asked):
    """The bytes of extents that live content takes, each counted once, byte by byte."""
    claims = Claims()
    claims.add([Stream("", 0, (Extent(HOLE, 5), Extent(*extent))) for extent in live])
    taken = {
        n for lba, length, offset in live for n in range(lba * 2048 + offset, lba * 2048 + offset + length)
    }
    for lba, length, offset in asked:
        start = lba * 2048 + offset
        expected = len(taken & set(range(start, start + length)))
        assert claims.taken([Extent(lba, length, offset), Extent(HOLE, 77)]) == expected


def test_structures_are_found_by_scanning():
    """Blocks of a kind are found by their tags alone, wherever they are; damaged ones are not."""
    data = bytearray(3000 * 2048)
    for block in (7, 511, 512, 2999):
        data[block * 2048 : block * 2048 + 36] = tagged(261, block, b"x" * 20)
    data[9 * 2048 : 9 * 2048 + 36] = tagged(256, 9, b"x" * 20)
    data[11 * 2048 : 11 * 2048 + 36] = tagged(261, 11, b"x" * 20)
    data[11 * 2048 + 4] ^= 1
    assert list(find_tagged(Blocks(MemoryImage(bytes(data)), 2048), (261, 266))) == [7, 511, 512, 2999]
    assert list(find_tagged(Blocks(MemoryImage(bytes(data)), 2048), (256,))) == [9]


def test_repeated_anomalies_are_counted_not_kept():
    """After 1,000 of a code only their number is kept, and said at the end."""
    log = anomalies.AnomalyLog(3)
    for _each in range(1200):
        log.note(anomalies.NAME, "again")
    log.note(anomalies.TIME, "once")
    log.note_repeated()
    taken = log.take()
    assert len(taken) == 1002
    assert taken[-1].code == "udf-repeated"
    assert taken[-1].seen == "1200"
    assert "udf-name" in taken[-1].message
    assert all(anomaly.volume == 3 for anomaly in taken)


def test_every_code_is_in_the_reference():
    """docs/reference/anomalies.md, section UDF, has the codes, clauses and meanings of the program."""
    text = (DOCS / "anomalies.md").read_text("utf-8")
    section = re.search(r"^## UDF\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL).group(1)
    rows = re.findall(r"^\| `(udf-[a-z-]+)` \| (.*?) \| (.*?) \| .* \|$", section, re.MULTILINE)
    assert rows == [(code.code, code.meaning, code.clause) for code in anomalies.CODES]
    assert len({code.code for code in anomalies.CODES}) == len(anomalies.CODES)


def test_every_attribute_is_in_the_reference():
    """docs/reference/udf.md names each key of the attributes of volumes and entries that the program sets."""
    text = (DOCS / "udf.md").read_text("utf-8")
    keys = set()
    for name in ("description", "entries", "walk", "attributes", "ordinary"):
        source = (DOCS.parents[1] / "analyze" / "udf" / f"{name}.py").read_text("utf-8")
        keys |= set(re.findall(r"(?:attributes|found|listed)\[\"([a-z_]+)\"\]", source))
    assert {"unique_id", "file_entry", "udf_revision"} <= keys | {"unique_id", "udf_revision"}
    for key in sorted(keys):
        assert f"`{key}`" in text, key


def test_sector_sizes_are_those_of_the_media():
    """512 to 4096 bytes are in use (UDF 2.2.4.2, 2.2.1.1); larger ones are read too."""
    assert set(BLOCK_SIZES) >= {512, 1024, 2048, 4096}
    assert all(size & (size - 1) == 0 for size in BLOCK_SIZES)

"""UDF volumes made by hand: content by allocation descriptors, extended attributes, named streams."""

import struct

import pytest

from acquire.geometry import HOLE, Extent
from tests.analyze.udf_disc import (
    NO_ICB,
    UdfDisc,
    attribute,
    attribute_space,
    extended_ad,
    file_entry,
    file_identifier,
    implementation_attribute,
    long_ad,
    parent_identifier,
    regid,
    retag,
    short_ad,
    tagged,
)
from tests.analyze.udf_walked import Walked

HIDDEN, DIRECTORY, DELETED, METADATA = 1, 2, 4, 16
"""4/14.4.3."""


def pattern(block, size=2048):
    """Content that tells which block it is."""
    return (f"[block {block}]".encode() * (size // 8))[:size]


def walked(disc):
    """Finish and walk a disc whose counts nobody checks."""
    disc.closed = False
    return Walked(disc.finish())


# Content ------------------------------------------------------------------------------------------


def content_disc(allocation, size, form, **words):
    """A disc with one file "f" of these allocation descriptors, and blocks 20 to 59 that say who they are."""
    disc = UdfDisc()
    disc.root(("f", 2))
    for block in range(20, 60):
        disc.put_logical(block, pattern(block))
    disc.allocated(2, allocation, size, form, **words)
    return disc


@pytest.mark.parametrize("form", [0, 1, 2])
def test_fragments_in_order_with_each_form_of_descriptors(form):
    """4/14.14.1 to 4/14.14.3: extents in the order of recording, adjacent ones joined."""
    layout = [(2048, 30), (4096, 20), (2048, 22), (1000, 50)]
    make = {
        0: short_ad,
        1: long_ad,
        2: lambda length, block: extended_ad(-(-length // 2048) * 2048, length, length, block),
    }[form]
    disc = content_disc(b"".join(make(*each) for each in layout), 9192, form)
    found = walked(disc)
    expected = pattern(30) + pattern(20) + pattern(21) + pattern(22) + pattern(50)[:1000]
    assert found.read("/f") == expected
    start = disc.start
    assert found.stream("/f").extents == (
        Extent(start + 30, 2048),
        Extent(start + 20, 6144),
        Extent(start + 50, 1000),
    )
    assert found.anomalies == []


def test_what_is_not_recorded_is_zeros():
    """4/14.14.1.1: extents that are allocated but not recorded (1), or neither (2), read as zeros."""
    allocation = (
        short_ad(2048, 20) + short_ad(4096, 30, kind=1) + short_ad(6144, 0, kind=2) + short_ad(100, 21)
    )
    found = walked(content_disc(allocation, 2048 + 4096 + 6144 + 100, 0))
    start = 272
    assert found.stream("/f").extents == (
        Extent(start + 20, 2048),
        Extent(HOLE, 10240),
        Extent(start + 21, 100),
    )
    assert found.read("/f") == pattern(20) + bytes(10240) + pattern(21)[:100]
    assert found.anomalies == []


def test_a_file_that_is_all_hole():
    """A sparse file without any block on the disc."""
    found = walked(content_disc(long_ad(1 << 20, 0, kind=2) * 3, 3 << 20, 1))
    assert found.stream("/f").extents == (Extent(HOLE, 3 << 20),)
    assert found.anomalies == []


def test_descriptors_go_on_in_allocation_extents():
    """4/12.1, 4/14.5: an extent of type 3 holds further descriptors, and may lead to another such."""
    blocks = [20, 22, 24, 26, 28, 31]
    disc = content_disc(short_ad(2048, 20) + short_ad(2048, 40, kind=3), 6 * 2048, 0)
    first = b"".join(short_ad(2048, block) for block in (22, 24)) + short_ad(2048, 41, kind=3)
    disc.put_logical(40, tagged(258, 40, struct.pack("<II", 0, len(first)) + first))
    second = b"".join(short_ad(2048, block) for block in (26, 28, 31))
    disc.put_logical(41, tagged(258, 41, struct.pack("<II", 40, len(second)) + second))
    found = walked(disc)
    assert found.read("/f") == b"".join(pattern(block) for block in blocks)
    assert found.anomalies == []
    assert {40 + disc.start, 41 + disc.start} <= {
        lba for first_lba, count in found.volume.structures() for lba in range(first_lba, first_lba + count)
    }


def test_allocation_extents_that_lead_in_a_circle():
    """A chain that returns ends, and the content is said to be short."""
    disc = content_disc(short_ad(2048, 20) + short_ad(2048, 40, kind=3), 100 * 2048, 0)
    body = short_ad(2048, 22) + short_ad(2048, 40, kind=3)
    disc.put_logical(40, tagged(258, 40, struct.pack("<II", 0, len(body)) + body))
    found = walked(disc)
    assert found.codes == ["udf-allocation", "udf-content-short"]
    assert found.read("/f") == pattern(20) + pattern(22)
    assert found.entries["/f"].size_bytes == 100 * 2048


def test_an_allocation_extent_that_is_none():
    """What should be an allocation extent is something else: the content ends there."""
    disc = content_disc(short_ad(2048, 20) + short_ad(2048, 40, kind=3), 4096, 0)
    found = walked(disc)
    assert found.codes == ["udf-icb", "udf-content-short"]
    assert found.read("/f") == pattern(20)
    assert all(anomaly.path == "/f" for anomaly in found.anomalies)


def test_a_length_of_zero_ends_the_descriptors():
    """4/12.1: what follows it does not count; and extents after the size are the file's tail, not content."""
    allocation = short_ad(2048, 20) + short_ad(0, 33) + short_ad(2048, 21)
    found = walked(content_disc(allocation, 2048, 0))
    assert found.stream("/f").extents == (Extent(292, 2048),)
    found = walked(content_disc(short_ad(4096, 20) + short_ad(8192, 30), 3000, 0))
    assert found.stream("/f").extents == (Extent(292, 3000),)
    assert found.anomalies == []


@pytest.mark.parametrize(
    ("allocation", "size", "form", "codes", "length"),
    [
        (short_ad(2048, 20), 5000, 0, ["udf-content-short"], 2048),
        (short_ad(2048, 20)[:5], 2048, 0, ["udf-allocation", "udf-content-short"], 0),
        (short_ad(1000, 20) + short_ad(2048, 21), 3048, 0, ["udf-allocation"], 3048),
        (long_ad(2048, 20, partition=9), 2048, 1, ["udf-outside", "udf-content-short"], 0),
        (short_ad(2048, 20), 2048, 5, ["udf-allocation", "udf-content-short"], 0),
        (short_ad(2048, 4000), 2048, 0, ["udf-outside"], 2048),
        (b"abc", 10, 3, ["udf-content-short"], 3),
    ],
)
def test_allocation_that_is_not_as_it_should_be(allocation, size, form, codes, length):
    """4/12.1: each disagreement is an anomaly of the file; what can be said of its content is said."""
    found = walked(content_disc(allocation, size, form))
    assert found.codes == codes
    assert sum(extent.length_bytes for extent in found.stream("/f").extents) == length
    assert found.entries["/f"].size_bytes == size
    assert {anomaly.path for anomaly in found.anomalies} == {"/f"}


def test_content_past_the_end_of_the_image_keeps_its_address():
    """A cut image: the extent is given as recorded; what is missing is for who reads it to see."""
    disc = content_disc(short_ad(4096, 300), 4096, 0)
    disc.closed = False
    data = disc.finish()[: (272 + 301) * 2048]
    found = Walked(data)
    assert found.stream("/f").extents == (Extent(272 + 300, 4096),)


def test_a_size_that_no_disc_can_have():
    """A size of 2^64 - 1 is cut to what can be stored, and said to be wrong."""
    found = walked(content_disc(short_ad(2048, 20), 2**64 - 1, 0))
    assert found.entries["/f"].size_bytes == 2**63 - 1
    assert found.codes == ["udf-icb-lengths", "udf-content-short"]


def test_lengths_inside_a_file_entry_that_do_not_fit_it():
    """4/14.9: attributes and descriptors longer than the block are cut to it."""
    disc = UdfDisc()
    disc.root(("f", 2))
    entry = bytearray(file_entry(2, 5, b"hello", 5))
    struct.pack_into("<II", entry, 168, 0, 5000)
    disc.put_logical(2, retag(entry))
    found = walked(disc)
    assert found.codes == ["udf-icb-lengths"]
    assert found.read("/f") == b"hello"


@pytest.mark.parametrize("at", [168, 172])
def test_a_damaged_length_that_the_crc_proves(at):
    """One of the two lengths of a file entry is changed: the other, and the CRC, say what it was."""
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"hello", attributes=attribute_space(2, attribute(12, bytes(12))))
    disc.data[(disc.start + 2) * 2048 + at] ^= 1
    found = walked(disc)
    assert found.read("/f") == b"hello"
    assert found.codes == ["udf-tag-crc"]


# Attributes and streams ---------------------------------------------------------------------------


def test_extended_attributes():
    """4/14.10: file times, a device, what the Macintosh recorded, and a list of what else there is."""
    created = struct.pack("<HhBBBBBBBB", 0x1000, 1998, 7, 6, 5, 4, 3, 2, 1, 0)
    backup = struct.pack("<HhBBBBBBBB", 0x1000, 1999, 7, 6, 5, 4, 3, 2, 1, 0)
    times = attribute(5, struct.pack("<II", 24, 1 << 0 | 1 << 5) + created + backup)
    device = attribute(12, struct.pack("<III", 0, 8, 17))
    finder = b"\0\0\0\0" + struct.pack("<I", 2) + b"TEXTttxt" + bytes(24) + struct.pack("<II", 0, 0)
    fork = b"\0\0" + b"resource fork data"
    mine = attribute_space(
        2,
        times,
        implementation_attribute("*UDF Mac FinderInfo", finder),
        implementation_attribute("*UDF Mac ResourceFork", fork),
        implementation_attribute("*UDF FreeEASpace", b"\0\0"),
        implementation_attribute("*Somebody", b"12345", kind=65536),
    )
    disc = UdfDisc()
    disc.root(("f", 2), ("dev", 3))
    disc.file(2, b"data", attributes=mine)
    disc.file(3, b"", attributes=attribute_space(3, device), file_type=6)
    found = walked(disc)
    assert found.anomalies == []
    entry = found.entries["/f"]
    assert entry.created.iso() == "1998-07-06T05:04:03.020100+00:00"
    assert entry.backup.year == 1999
    assert found.read("/f") == b"data"
    assert found.read("/f", "resource") == b"resource fork data"
    assert (entry.attributes["finder_type"], entry.attributes["finder_creator"]) == ("TEXT", "ttxt")
    listed = [
        (row["type"], row["name"], row["size_bytes"]) for row in entry.attributes["extended_attributes"]
    ]
    assert listed == [
        (5, "file times", 32),
        (2048, "*UDF Mac FinderInfo", 48),
        (2048, "*UDF Mac ResourceFork", 20),
        (65536, "*Somebody", 5),
    ]
    assert found.entries["/dev"].device == "8:17"


def test_extended_attributes_in_an_icb_of_their_own():
    """4/14.9.16: attributes that do not fit the file entry are a file of type 8."""
    created = struct.pack("<HhBBBBBBBB", 0x1000, 1998, 7, 6, 5, 4, 3, 2, 1, 0)
    space = attribute_space(30, attribute(5, struct.pack("<II", 12, 1) + created))
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"data", attributes_icb=long_ad(2048, 9))
    disc.allocated(9, short_ad(len(space), 30), len(space), 0, file_type=8)
    disc.put_logical(30, space)
    found = walked(disc)
    assert found.anomalies == []
    assert found.entries["/f"].created.year == 1998


@pytest.mark.parametrize(
    "space",
    [
        b"\0" * 30,
        attribute_space(2) + struct.pack("<IBBBBI", 5, 1, 0, 0, 0, 5),
        attribute_space(2) + struct.pack("<IBBBBI", 5, 1, 0, 0, 0, 9999),
        attribute_space(2) + attribute(2048, b"short"),
        b"xy",
    ],
)
def test_extended_attributes_that_are_none(space):
    """What is not as its clause says is an anomaly of the file, whose data is read all the same."""
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"data", attributes=space)
    found = walked(disc)
    assert found.codes == ["udf-attributes"]
    assert found.read("/f") == b"data"


def test_named_streams():
    """UDF 3.3.5: the streams of a file and of a directory; the Macintosh fork by its usual name."""
    disc = UdfDisc(revision=0x0260)
    disc.root(("f", 2), ("d", 3, DIRECTORY))
    disc.file(2, b"data", extended=True, streams=long_ad(2048, 10))
    disc.directory(3, 1, extended=True, streams=long_ad(2048, 14))
    names = (
        ("*UDF Macintosh Resource Fork", 11, METADATA),
        ("Zone.Identifier", 12, 0),
        ("old", 13, DELETED),
        ("twice", 12, 0),
        ("twice", 13, 0),
    )
    body = parent_identifier(10, 2) + b"".join(file_identifier(10, n, i, c) for n, i, c in names)
    disc.file(10, body, file_type=13, extended=True)
    disc.file(11, b"fork", extended=True, flags=0x2000)
    disc.file(12, b"[ZoneTransfer]", extended=True, flags=0x2000)
    disc.file(13, b"13", extended=True, flags=0x2000)
    disc.file(14, parent_identifier(14, 3) + file_identifier(14, "icon", 13), file_type=13, extended=True)
    found = walked(disc)
    assert [stream.name for stream in found.entries["/f"].streams] == [
        "",
        "resource",
        "Zone.Identifier",
        "twice",
        "twice~4",
    ]
    assert found.read("/f", "Zone.Identifier") == b"[ZoneTransfer]"
    assert found.read("/f", "resource") == b"fork"
    assert found.read("/f", "twice~4") == b"13"
    assert found.entries["/f"].attributes["deleted_streams"] == ["old"]
    assert found.read("/d", "icon") == b"13"
    assert found.codes == ["udf-streams"]


def test_a_stream_directory_that_is_none():
    """4/9.2: something else where the stream directory should be."""
    disc = UdfDisc()
    disc.root(("f", 2), ("g", 3))
    disc.file(2, b"data", extended=True, streams=long_ad(2048, 3))
    disc.file(3, b"x", extended=True, streams=long_ad(2048, 99))
    found = walked(disc)
    assert found.codes == ["udf-streams", "udf-icb"]
    assert found.read("/f") == b"data"


def test_file_version_and_domain_words():
    """A version number other than 1 (4/14.4.2), and identifiers as recorded."""
    disc = UdfDisc()
    disc.root(file_identifier(1, "f", 2, version=7))
    disc.file(2, b"x")
    assert walked(disc).entries["/f"].attributes["version"] == 7
    assert regid("*x", b"\1") != NO_ICB


def test_streams_of_the_volume_itself():
    """4/14.1.18, UDF 3.3.7: the system stream directory of the file set is listed, and its sectors owned."""
    disc = UdfDisc(revision=0x0201)
    disc.root(("f", 2))
    disc.file(2, b"x")
    disc.put_logical(0, disc.file_set(streams=long_ad(2048, 10)))
    body = parent_identifier(10, 10) + file_identifier(10, "*UDF Non-Allocatable Space", 11, METADATA)
    disc.file(10, body, file_type=13, extended=True, flags=0x2000)
    disc.allocated(11, short_ad(4096, 40), 4096, 0, extended=True, flags=0x2000)
    found = walked(disc)
    assert found.anomalies == []
    rows = found.info.attributes["system_streams"]
    assert rows == [{"name": "*UDF Non-Allocatable Space", "size_bytes": 4096}]
    owned = {lba for first, count in found.volume.structures() for lba in range(first, first + count)}
    assert {disc.start + block for block in (10, 11, 40, 41)} <= owned

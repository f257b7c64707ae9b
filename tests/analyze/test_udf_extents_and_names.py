"""Content in every form, chains of file entries, streams, devices, and what identifiers say, by hand."""

import itertools
import struct

import pytest

from acquire.geometry import HOLE, Extent
from tests.analyze.udf_disc import (
    UdfDisc,
    attribute,
    attribute_space,
    extended_ad,
    file_identifier,
    long_ad,
    parent_identifier,
    retag,
    short_ad,
    tagged,
)
from tests.analyze.udf_walked import Walked

HIDDEN, DIRECTORY, DELETED, METADATA = 1, 2, 4, 16
START = 272
FIXED, FIXED_EXTENDED = 176, 216
"""Bytes of a file entry before its extended attributes (4/14.9, 4/14.17)."""


def said(block, size=2048):
    """Content that tells which block it is."""
    return (f"<{block}>".encode() * size)[:size]


def walked(disc):
    """Finish and walk a disc whose counts nobody checks."""
    disc.closed = False
    return Walked(disc.finish())


def one_file(allocation, length, form, *, size=2048, **words):
    """A file "f" of these descriptors, on a disc whose blocks 20 to 79 say who they are."""
    disc = UdfDisc(size=size)
    disc.root(("f", 2))
    for block in range(20, 80):
        disc.put_logical(block, said(block, size))
    disc.allocated(2, allocation, length, form, **words)
    return disc


def descriptor(form, length, block, kind=0):
    """An allocation descriptor of a form: 0 short, 1 long, 2 extended (4/14.6.8)."""
    if form == 2:
        return extended_ad(length, 0 if kind else length, length, block, kind=kind)
    return (short_ad, long_ad)[form](length, block, kind=kind)


def allocation_extent(block, descriptors):
    """4/14.5."""
    return tagged(258, block, struct.pack("<II", 0, len(descriptors)) + descriptors)


# Allocation descriptors (4/12, 4/14.14) -----------------------------------------------------------


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("form", [0, 1, 2])
@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
def test_fragments_of_every_form_in_blocks_of_every_size(size, form, extended):
    """4/14.14: three extents, the last of them not a whole block, in sectors of each size."""
    layout = [(size, 40), (2 * size, 22), (size - 3, 60)]
    made = one_file(
        b"".join(descriptor(form, *each) for each in layout), 4 * size - 3, form, size=size, extended=extended
    )
    found = walked(made)
    expected = said(40, size) + said(22, size) + said(23, size) + said(60, size)[:-3]
    assert found.read("/f") == expected
    assert found.anomalies == []


@pytest.mark.parametrize("kinds", list(itertools.product((0, 1, 2), repeat=3)))
@pytest.mark.parametrize("form", [0, 1])
def test_recorded_and_unrecorded_extents_in_any_order(form, kinds):
    """4/14.14.1.1: types 1 and 2 read as zeros wherever they stand, and are holes."""
    allocation = b"".join(descriptor(form, 2048, 20 + 2 * n, kind) for n, kind in enumerate(kinds))
    found = walked(one_file(allocation, 6144, form))
    parts = [bytes(2048) if kind else said(20 + 2 * n) for n, kind in enumerate(kinds)]
    assert found.read("/f") == b"".join(parts)
    holes = sum(extent.length_bytes for extent in found.stream("/f").extents if extent.start_lba == HOLE)
    assert holes == 2048 * sum(kind > 0 for kind in kinds)
    assert found.anomalies == []


@pytest.mark.parametrize("form", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_descriptors_that_go_on(form, count):
    """4/12.1: type 3 leads to an allocation extent with more descriptors, and that to the next."""
    blocks = [100 + 3 * number for number in range(count)]
    tables = [descriptor(form, 2048, 20 + 2 * number) for number in range(count + 1)]
    for number, block in enumerate(blocks):
        tables[number] += descriptor(form, 2048, block, 3)
    made = one_file(tables[0], 2048 * (count + 1), form)
    for block, table in zip(blocks, tables[1:], strict=True):
        made.put_logical(block, allocation_extent(block, table))
    found = walked(made)
    assert found.read("/f") == b"".join(said(20 + 2 * number) for number in range(count + 1))
    assert found.anomalies == []


@pytest.mark.parametrize("form", [0, 1, 2])
@pytest.mark.parametrize("length", [1, 2, 3])
def test_descriptors_that_go_in_a_circle(form, length):
    """4/12.1: allocation extents that lead back end the content, which is said to be short."""
    made = one_file(descriptor(form, 2048, 20) + descriptor(form, 2048, 100, 3), 1 << 20, form)
    for number in range(length):
        following = 100 + (number + 1) % length
        table = descriptor(form, 2048, 30 + 2 * number) + descriptor(form, 2048, following, 3)
        made.put_logical(100 + number, allocation_extent(100 + number, table))
    found = walked(made)
    assert set(found.codes) == {"udf-allocation", "udf-content-short"}
    assert found.read("/f") == said(20) + b"".join(said(30 + 2 * number) for number in range(length))


@pytest.mark.parametrize("damage", [b"", b"\0" * 512, b"\xa5" * 2048])
def test_an_allocation_extent_that_is_gone(damage):
    """4/14.5: what stood before it is read, the rest is missing and said to be."""
    made = one_file(short_ad(2048, 20) + short_ad(2048, 100, 3), 4096, 0)
    made.put_logical(100, damage)
    found = walked(made)
    assert found.read("/f") == said(20)
    assert "udf-content-short" in found.codes


@pytest.mark.parametrize("form", [0, 1, 2])
def test_what_follows_a_length_of_zero_does_not_count(form):
    """4/12.1: a descriptor of length 0 ends the list."""
    table = descriptor(form, 2048, 20) + descriptor(form, 0, 0) + descriptor(form, 2048, 30)
    found = walked(one_file(table, 2048, form))
    assert found.read("/f") == said(20)
    assert found.anomalies == []


@pytest.mark.parametrize("form", [0, 1, 2])
@pytest.mark.parametrize("length", [0, 1, 2047, 2048, 2049])
def test_the_file_tail_is_no_content(form, length):
    """4/12.1: blocks allocated beyond the information length belong to no content."""
    table = descriptor(form, 2048, 20) + descriptor(form, 4096, 30)
    found = walked(one_file(table, length, form))
    assert found.read("/f") == (said(20) + said(30))[:length]
    assert found.entries["/f"].size_bytes == length
    assert found.anomalies == []


@pytest.mark.parametrize("missing", [1, 512, 2048, 100_000])
def test_extents_that_hold_too_little(missing):
    """4/12.1: the size stays as recorded, the extents end where they end."""
    found = walked(one_file(short_ad(2048, 20), 2048 + missing, 0))
    assert found.codes == ["udf-content-short"]
    assert found.entries["/f"].size_bytes == 2048 + missing
    assert found.stream("/f").extents == (Extent(START + 20, 2048),)


@pytest.mark.parametrize("form", [4, 5, 6, 7])
def test_forms_that_are_not_defined(form):
    """4/14.6.8: values 4 to 7 of bits 0 to 2 are reserved."""
    found = walked(one_file(short_ad(2048, 20), 2048, form))
    assert "udf-allocation" in found.codes
    assert found.stream("/f").extents == ()


# Embedded content (4/14.6.8, form 3) --------------------------------------------------------------


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("size", [512, 1024, 2048, 4096])
@pytest.mark.parametrize("length", [1, 7, 200])
def test_where_embedded_content_is(size, extended, length):
    """4/14.9.21, 4/14.17.24: straight after the fixed part, at that byte of the sector."""
    disc = UdfDisc(size=size)
    disc.root(("f", 2))
    disc.file(2, said(2, length), extended=extended)
    found = walked(disc)
    lba, offset = divmod((START + 2) * size + (FIXED_EXTENDED if extended else FIXED), 2048)
    assert found.stream("/f").extents == (Extent(lba, length, offset),)
    assert found.read("/f") == said(2, length)
    assert found.anomalies == []


@pytest.mark.parametrize("extended", [False, True])
@pytest.mark.parametrize("payload", [0, 4, 100, 1000])
def test_embedded_content_after_extended_attributes(extended, payload):
    """4/14.9.20: the attributes come first, and shift the content by their length."""
    space = attribute_space(2, attribute(65000, bytes(payload)))
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"after them", extended=extended, attributes=space)
    found = walked(disc)
    at = (FIXED_EXTENDED if extended else FIXED) + len(space)
    assert found.stream("/f").extents == (Extent(START + 2, 10, at),)
    assert found.read("/f") == b"after them"


@pytest.mark.parametrize("extended", [False, True])
def test_embedded_content_that_fills_its_block(extended):
    """The last byte of the block is the last of the content."""
    length = 2048 - (FIXED_EXTENDED if extended else FIXED)
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, said(2, length), extended=extended)
    found = walked(disc)
    assert found.read("/f") == said(2, length)
    assert found.anomalies == []


# Strategy 4096 (UDF 2.3.5.1) ----------------------------------------------------------------------


def pair(disc, block, content, following=None):
    """A direct entry, and after it the indirect one that leads to the next pair (4/14.7)."""
    disc.file(block, content, strategy=4096)
    if following is not None:
        body = struct.pack("<IHHHBBIHH", 0, 4096, 0, 2, 0, 3, 0, 0, 0) + long_ad(4096, following)
        disc.put_logical(block + 1, tagged(259, block + 1, body))


@pytest.mark.parametrize("count", [1, 2, 3, 10, 100])
def test_the_last_of_many_versions_counts(count):
    """UDF 2.3.5.1: a chain of any length leads to its last file entry."""
    disc = UdfDisc()
    disc.anchors = (256, disc.count - 1)
    disc.root(("f", 2))
    for number in range(count):
        pair(
            disc, 2 + 2 * number, f"version {number}".encode(), 4 + 2 * number if number < count - 1 else None
        )
    found = walked(disc)
    assert found.read("/f") == f"version {count - 1}".encode()
    assert found.entries["/f"].attributes.get("earlier_versions", 0) == count - 1
    assert found.anomalies == []


@pytest.mark.parametrize("back", [2, 4, 6])
def test_versions_that_lead_back(back):
    """A circle ends, whichever entry it returns to, and the last entry read is shown."""
    disc = UdfDisc()
    disc.root(("f", 2))
    for number, following in enumerate((4, 6, back)):
        pair(disc, 2 + 2 * number, f"version {number}".encode(), following)
    found = walked(disc)
    assert found.codes == ["udf-limit"]
    assert found.read("/f") == b"version 2"


# Identifiers (4/14.4) -----------------------------------------------------------------------------


@pytest.mark.parametrize("characteristics", [c for c in range(32) if not c & 8])
def test_every_combination_of_file_characteristics(characteristics):
    """4/14.4.3: existence, directory, deleted and metadata bits, each as recorded."""
    disc = UdfDisc()
    disc.root(("kept", 3), ("n", 2, characteristics))
    if characteristics & DIRECTORY:
        disc.directory(2, 1)
    else:
        disc.file(2, b"x")
    disc.file(3, b"y")
    found = walked(disc)
    entry = found.entries["/n"]
    assert entry.deleted is bool(characteristics & DELETED)
    assert entry.hidden is bool(characteristics & HIDDEN)
    assert entry.flags & 0xFF == characteristics
    assert (entry.kind.value == "directory") is bool(characteristics & DIRECTORY)
    assert "/kept" in found.live


@pytest.mark.parametrize("deleted", list(itertools.product((0, DELETED), repeat=4)))
def test_any_of_four_names_deleted(deleted):
    """4/14.4.3 bit 2: what is marked is deleted, what is not is live, and both are listed."""
    disc = UdfDisc()
    disc.root(*((f"n{number}", 2 + number, bit) for number, bit in enumerate(deleted)))
    for number in range(4):
        disc.file(2 + number, said(number, 5), unique_id=20 + number)
    found = walked(disc)
    assert found.live == [f"/n{number}" for number, bit in enumerate(deleted) if not bit]
    assert found.deleted == [f"/n{number}" for number, bit in enumerate(deleted) if bit]
    for number in range(4):
        assert found.read(f"/n{number}") == said(number, 5)


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (b"\x08" + b"n" * 254, "/" + "n" * 254),
        (b"\x10" + "\u65e5".encode("utf-16-be") * 127, "/" + "\u65e5" * 127),
        (b"\x08\xe9t\xe9", "/\u00e9t\u00e9"),
        (b"\x10\xd8\x3d\xde\x00", "/\U0001f600"),
        (b"\x10\xd8\x3d\x00a", "/\\ud83da"),
        (b"\x08.", "/."),
        (b"\x08..", "/.."),
    ],
)
def test_names_as_they_stand_in_a_directory(raw, path):
    """UDF 2.1.1, 4/14.4.9: up to 255 bytes with their compression identifier; the bytes are kept."""
    disc = UdfDisc()
    disc.root(file_identifier(1, raw, 2))
    disc.file(2, b"x")
    found = walked(disc)
    (entry,) = found.all
    assert entry.path == path
    assert (entry.name_raw or raw) == raw
    assert found.read(path) == b"x"


@pytest.mark.parametrize("version", [1, 2, 3, 32767])
def test_versions_of_files(version):
    """4/14.4.2: one is the usual, others are told."""
    disc = UdfDisc()
    disc.root(file_identifier(1, "f", 2, version=version))
    disc.file(2, b"x")
    assert walked(disc).entries["/f"].attributes.get("version", 1) == version


# Streams (4/9.2) and devices (4/14.10.7) ----------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_any_number_of_named_streams(count):
    """UDF 3.3.5: each stream with its own content, after the data of the file."""
    disc = UdfDisc(revision=0x0201)
    disc.root(("f", 2))
    disc.file(2, b"data", extended=True, streams=long_ad(2048, 10))
    body = parent_identifier(10, 2)
    for number in range(count):
        body += file_identifier(10, f"s{number}", 11 + number)
        disc.file(11 + number, said(number, 9), extended=True, flags=0x2000)
    disc.file(10, body, file_type=13, extended=True)
    found = walked(disc)
    assert [each.name for each in found.entries["/f"].streams] == ["", *(f"s{n}" for n in range(count))]
    for number in range(count):
        assert found.read("/f", f"s{number}") == said(number, 9)
    assert found.read("/f") == b"data"
    assert found.anomalies == []


@pytest.mark.parametrize("form", [0, 1])
def test_a_stream_in_fragments(form):
    """4/9.2: a stream is a file like any other, with extents and holes of its own."""
    disc = one_file(short_ad(2048, 20), 2048, 0, extended=True, streams=long_ad(2048, 10))
    disc.file(10, parent_identifier(10, 2) + file_identifier(10, "s", 11), file_type=13, extended=True)
    table = descriptor(form, 2048, 40) + descriptor(form, 2048, 0, 2) + descriptor(form, 10, 30)
    disc.allocated(11, table, 4106, form, extended=True, flags=0x2000)
    found = walked(disc)
    assert found.read("/f", "s") == said(40) + bytes(2048) + said(30)[:10]
    assert found.read("/f") == said(20)


@pytest.mark.parametrize(
    ("major", "minor"), [(0, 0), (1, 3), (8, 17), (259, 65536), (0xFFFFFFFF, 0xFFFFFFFF)]
)
@pytest.mark.parametrize("file_type", [6, 7])
def test_device_numbers(file_type, major, minor):
    """4/14.10.7: block (6) and character (7) devices with their numbers, 32 bits each."""
    device = attribute(12, struct.pack("<III", 0, major, minor))
    disc = UdfDisc()
    disc.root(("dev", 2))
    disc.file(2, b"", attributes=attribute_space(2, device), file_type=file_type)
    found = walked(disc)
    assert found.entries["/dev"].device == f"{major}:{minor}"
    assert found.entries["/dev"].mode & 0o170000 == (0o060000 if file_type == 6 else 0o020000)
    assert found.anomalies == []


@pytest.mark.parametrize("size", [0, 4, 8, 11])
def test_a_device_attribute_that_is_too_short(size):
    """4/14.10.7: fewer than its twelve bytes give no number."""
    disc = UdfDisc()
    disc.root(("dev", 2))
    disc.file(2, b"", attributes=attribute_space(2, attribute(12, bytes(size))), file_type=6)
    assert walked(disc).entries["/dev"].device is None


@pytest.mark.parametrize("which", range(4))
def test_each_time_of_a_file_entry_by_itself(which):
    """4/14.17.11 to 4/14.17.14: one invalid time of four is an anomaly; the other three stand."""
    good = struct.pack("<HhBBBBBBBB", 0x1000, 2001, 2, 3, 4, 5, 6, 0, 0, 0)
    bad = struct.pack("<HhBBBBBBBB", 0x1000, 2001, 13, 3, 4, 5, 6, 0, 0, 0)
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"x", extended=True, times=tuple(bad if n == which else good for n in range(4)))
    found = walked(disc)
    entry = found.entries["/f"]
    times = (entry.accessed, entry.modified, entry.created, entry.changed)
    assert [time is None for time in times] == [n == which for n in range(4)]
    assert found.codes == ["udf-time"]


@pytest.mark.parametrize("at", [56, 168, 172])
def test_lengths_of_a_file_entry_at_their_extremes(at):
    """4/14.9.10, 4/14.9.18, 4/14.9.19: impossible lengths are anomalies; the other file is read."""
    disc = UdfDisc()
    disc.root(("f", 2), ("g", 3))
    disc.file(3, b"g is sound")
    disc.file(2, b"x")
    data = bytearray(disc.finish())
    where = (START + 2) * 2048
    entry = bytearray(data[where : where + 2048])
    struct.pack_into("<I", entry, at, 0xFFFFFFFF)
    data[where : where + 2048] = retag(entry)
    found = Walked(data)
    assert found.read("/g") == b"g is sound"
    assert {anomaly.path for anomaly in found.anomalies if anomaly.path} == {"/f"}

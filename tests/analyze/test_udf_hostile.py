"""UDF against anything: flipped bits, cut images, noise, and volumes made to take for ever.

Whatever the bytes, reading ends, raises nothing, and stays within what the image can justify.
"""

import struct
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acquire.geometry import HOLE
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.udf import walk
from analyze.udf.volume import open_volumes
from tests.analyze.udf_disc import (
    UNUSED,
    UdfDisc,
    attribute,
    attribute_space,
    file_entry,
    file_identifier,
    implementation_attribute,
    long_ad,
    parent_identifier,
    short_ad,
    tagged,
    vat_content,
)
from tests.analyze.udf_media import data_of, move_packet, rewritable, sparable, with_metadata, write_once
from tests.analyze.udf_walked import Walked

DIRECTORY, DELETED = 2, 4
patient = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def rich(size=2048, start=272):
    """A disc with one of everything that a file can have."""
    disc = UdfDisc(size=size, count=620, start=start)
    disc.long_directory(
        1,
        1,
        60,
        ("file", 2),
        ("dir", 3, DIRECTORY),
        ("pieces", 5),
        ("attributes", 6),
        ("gone", 7, DELETED),
        ("chain", 8),
        ("link", 12),
    )
    disc.file(2, b"embedded content", extended=True, streams=long_ad(size, 20))
    disc.directory(3, 1, ("inside", 2), ("日本", 4), ("old", 7, DELETED))
    disc.file(4, b"")
    disc.allocated(
        5, short_ad(size, 40) + short_ad(size, 0, kind=2) + short_ad(size, 30, kind=3), 4 * size, 0
    )
    more = short_ad(size, 42) + short_ad(size, 44)
    disc.put_logical(30, tagged(258, 30, struct.pack("<II", 0, len(more)) + more))
    space = attribute_space(
        6, implementation_attribute("*UDF Mac ResourceFork", b"\0\0fork"), attribute(12, bytes(12))
    )
    disc.file(6, b"x", attributes=space)
    disc.file(7, b"deleted")
    disc.file(8, b"one", strategy=4096)
    body = struct.pack("<IHHHBBIHH", 0, 4096, 0, 2, 0, 3, 0, 0, 0) + long_ad(2 * size, 10)
    disc.put_logical(9, tagged(259, 9, body))
    disc.file(10, b"two", strategy=4096)
    disc.file(12, struct.pack("<BBH", 5, 3, 0) + b"\x08up", file_type=12)
    streams = parent_identifier(20, 2) + file_identifier(20, "stream", 21)
    disc.file(20, streams, file_type=13, extended=True)
    disc.file(21, b"stream")
    disc.header = bytes(8) + struct.pack("<II", size, 50)
    disc.put_logical(50, tagged(264, 50, struct.pack("<II", disc.length, 41) + bytes(41)))
    disc.counts = (6, 2)
    return disc


def small(disc, keep=480):
    """The image, cut: most of a disc made by hand is empty."""
    return disc.finish()[: keep * disc.size]


def spared():
    """A sparable disc with one replaced packet."""
    disc = rewritable((32, 640), (UNUSED, 700))
    return sparable(disc, lambda data: move_packet(data, disc, 32, 640))


DISCS = {
    "plain": rich().finish(),
    "512": rich(size=512, start=280).finish(),
    "4096": rich(size=4096).finish(),
    "vat 1.50": data_of(write_once(0x0150)[0]),
    "vat 2.01": data_of(write_once(0x0201)[0]),
    "sparable": spared(),
    "metadata": with_metadata(many=20).finish(),
}


def interesting(data):
    """The 512-byte pieces of an image that hold anything, for flips that matter."""
    return [at for at in range(0, len(data), 512) if any(data[at : at + 512])]


PIECES = {name: interesting(data) for name, data in DISCS.items()}


def examine(data):  # noqa: C901  one list of what must hold
    """Open and walk every volume; check what must hold for any bytes; returns the anomalies' codes."""
    image = MemoryImage(bytes(data))
    codes = []
    ordinal = 0
    for noun in open_volumes(image, 0, None, 0):
        if isinstance(noun, Anomaly):
            assert noun.volume is None
            codes.append(noun.code)
            continue
        assert noun.info.ordinal == ordinal
        ordinal += 1
        seen = 0
        paths = {}
        for found in noun.walk():
            if isinstance(found, Anomaly):
                assert found.volume == noun.info.ordinal
                codes.append(found.code)
                continue
            assert found.ordinal == seen
            seen += 1
            assert found.parent is None or found.parent < found.ordinal
            above = "" if found.parent is None else paths[found.parent]
            assert found.path == f"{above}/{found.name}"
            paths[found.ordinal] = found.path
            assert 0 <= found.size_bytes < 2**63
            found.path.encode("utf-8")
            for stream in found.streams:
                assert 0 <= stream.size_bytes < 2**63
                assert sum(extent.length_bytes for extent in stream.extents) <= stream.size_bytes
                for lba, length, offset in stream.extents:
                    assert lba == HOLE or lba >= 0
                    assert length > 0
                    assert 0 <= offset < 2048
        for lba, count in noun.structures():
            assert lba >= 0
            assert count > 0
        for space in noun.spaces:
            assert space.free_blocks == sum(count for _first, count in space.ranges())
        for generation in noun.generations[:3]:
            older = noun.generation(generation.number, 0)
            if older is not None:
                list(older.walk())
    return codes


@pytest.mark.parametrize("name", DISCS)
def test_undamaged_discs_have_no_anomaly(name):
    """What is damaged below is sound to begin with."""
    assert examine(DISCS[name]) == []


@patient
@given(st.sampled_from(sorted(DISCS)), st.data())
def test_flipped_bits(name, data):
    """Up to four flipped bits anywhere that anything stands."""
    image = bytearray(DISCS[name])
    for _flip in range(data.draw(st.integers(1, 4))):
        piece = data.draw(st.sampled_from(PIECES[name]))
        at = min(piece + data.draw(st.integers(0, 511)), len(image) - 1)
        image[at] ^= 1 << data.draw(st.integers(0, 7))
    examine(image)


@patient
@given(st.sampled_from(sorted(DISCS)), st.data())
def test_fields_with_extreme_values(name, data):
    """16 and 32 bits of a structure set to a value that something may trip over."""
    image = bytearray(DISCS[name])
    values = [0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 0x40000000, 0xC0000000, 0x3FFFFFFF, 16, 256]
    for _change in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(PIECES[name])) + data.draw(st.integers(0, 254)) * 2
        if at + 4 <= len(image):
            struct.pack_into("<I", image, at, data.draw(st.sampled_from(values)))
    examine(image)


@patient
@given(st.sampled_from(sorted(DISCS)), st.data())
def test_cut_images(name, data):
    """Cut at any byte, and with a stretch of zeros or noise anywhere."""
    image = bytearray(DISCS[name])
    at = data.draw(st.integers(0, len(image)))
    length = data.draw(st.sampled_from([1, 512, 2048, 5000, 100_000]))
    fill = data.draw(st.sampled_from([b"\0", b"\xff", b"\x01", b"\x05\x01\x03\0"]))
    image[at : at + length] = (fill * length)[: min(length, len(image) - at)]
    examine(image[: data.draw(st.integers(0, len(image)))])


@patient
@given(st.sampled_from(sorted(DISCS)), st.data())
def test_blocks_in_wrong_places(name, data):
    """Sectors of a disc copied over others: every structure is sound, and none is where it belongs."""
    image = bytearray(DISCS[name])
    for _copy in range(data.draw(st.integers(1, 4))):
        source = data.draw(st.sampled_from(PIECES[name])) // 2048 * 2048
        target = data.draw(st.sampled_from(PIECES[name])) // 2048 * 2048
        image[target : target + 2048] = image[source : source + 2048]
    examine(image)


def test_every_single_flip_is_noticed_or_harmless():
    """Each byte of descriptors, file entries and directories, changed one at a time.

    Where nothing is noticed, nothing that is listed differs. Only a root directory whose content is
    said to be elsewhere lists nothing, and that is an anomaly.
    """
    data = DISCS["plain"]
    sound = Walked(data)
    listed = [(entry.path, entry.size_bytes, entry.streams) for entry in sound.all]
    start = 272
    for block, length in (
        (256, 40),
        (128 + 2, 200),
        (128 + 3, 460),
        (start, 490),
        (start + 1, 600),
        (start + 2, 240),
    ):
        for byte in range(0, length, 3):
            image = bytearray(data)
            image[block * 2048 + byte] ^= 1 << (byte % 8)
            found = Walked(bytes(image))
            assert found.volumes, (block, byte)
            if not found.anomalies:
                assert [(entry.path, entry.size_bytes, entry.streams) for entry in found.all] == listed
            elsewhere = block == start + 1 and (176 <= byte < 184 or 34 <= byte < 36)
            assert len(found.all) >= 8 or (elsewhere and found.anomalies), (block, byte)


@pytest.mark.parametrize("name", DISCS)
def test_ordinary_entries_are_what_the_long_way_gives(name, monkeypatch):
    """The fast reading of ordinary entries and the full one say the same of each entry, in the same order."""
    fast = Walked(DISCS[name])
    monkeypatch.setattr(walk.OrdinaryEntries, "read", lambda *_words: None)
    slow = Walked(DISCS[name])
    assert fast.all == slow.all
    assert fast.anomalies == slow.anomalies
    assert list(fast.volume.structures()) == list(slow.volume.structures())


@patient
@given(st.sampled_from(sorted(DISCS)), st.data())
def test_ordinary_entries_of_damaged_discs(name, data):
    """The two ways agree on damaged discs too."""
    image = bytearray(DISCS[name])
    for _flip in range(data.draw(st.integers(1, 5))):
        at = min(data.draw(st.sampled_from(PIECES[name])) + data.draw(st.integers(0, 511)), len(image) - 1)
        image[at] ^= 1 << data.draw(st.integers(0, 7))
    fast = Walked(bytes(image))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk.OrdinaryEntries, "read", lambda *_words: None)
        slow = Walked(bytes(image))
    assert fast.all == slow.all
    assert fast.anomalies == slow.anomalies


# Volumes made to take for ever --------------------------------------------------------------------


def limited(data, seconds=30):
    """Examine within a time that is generous for a busy machine; returns the codes."""
    begin = time.process_time()
    codes = examine(data)
    assert time.process_time() - begin < seconds
    return codes


def test_memory_does_not_grow_with_what_evidence_asks_for():
    """A file of 2^40 bytes in very many pieces, and a directory of as many: a few megabytes."""
    disc = UdfDisc(count=1500)
    disc.anchors = (256,)
    disc.closed = False
    disc.root(("f", 2), ("d", 3, DIRECTORY))
    disc.allocated(2, short_ad(2048, 100, kind=3), 2**40, 0)
    disc.allocated(3, short_ad(2048, 100, kind=3), 2**40, 0, file_type=4)
    for number in range(300):
        body = b"".join(short_ad(1, 3 + 2 * n % 90) for n in range(20)) + short_ad(2048, 101 + number, kind=3)
        disc.put_logical(100 + number, tagged(258, 100 + number, struct.pack("<II", 0, len(body)) + body))
    data = disc.finish()
    tracemalloc.start()
    try:
        examine(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000


def test_many_directories_that_claim_the_same_identifiers():
    """Directories of one large content: what is listed stays within twice the size of the image."""
    disc = UdfDisc(count=1200)
    disc.closed = False
    count = 300
    body = b"".join(file_identifier(700 + n // 46, f"{n:04d}", 2, 0) for n in range(46 * 20))
    disc.anchors = (256,)
    disc.put_logical(700, body)
    disc.root(*((f"d{n}", 100 + n, DIRECTORY) for n in range(30)))
    for number in range(count):
        disc.allocated(100 + number, short_ad(40 * 2048, 700), 40 * 2048, 0, file_type=4)
    disc.file(2, b"x")
    assert "udf-parent" in limited(disc.finish())


def test_one_file_of_very_many_extents():
    """Allocation extents full of descriptors, over and over: the content ends at a limit, as is said."""
    disc = UdfDisc(count=1500)
    disc.anchors = (256,)
    disc.closed = False
    disc.root(*((f"f{n}", 2) for n in range(40)))
    disc.allocated(2, short_ad(2048, 100, kind=3), 2**40, 0)
    for number in range(1000):
        body = b"".join(short_ad(1, 3 + 2 * n % 90) for n in range(250)) + short_ad(
            2048, 101 + number, kind=3
        )
        disc.put_logical(100 + number, tagged(258, 100 + number, struct.pack("<II", 0, len(body)) + body))
    codes = limited(disc.finish())
    assert "udf-limit" in codes


def test_virtual_extents_of_very_many_runs():
    """Long extents in a virtual partition, each block elsewhere: the work for them is limited."""
    disc, _tables = write_once(tables=1)
    place = disc.end - disc.start
    body = parent_identifier(1, 1, 1) + b"".join(
        file_identifier(1, f"f{n}", 3, partition=1) for n in range(30)
    )
    disc.put_logical(place, file_entry(1, 4, body, len(body)))
    allocation = long_ad(0x3FFFF800, 0, 1) * 100
    disc.put_logical(place + 1, file_entry(3, 5, allocation, 2**36, form=1))
    content = vat_content([0, place, 1, place + 1] + [7, 3] * 40_000)
    disc.put_logical(place + 2, content)
    blocks = -(-len(content) // 2048)
    entry = file_entry(
        place + 2 + blocks, 248, short_ad(len(content), place + 2), len(content), form=0, extended=True
    )
    disc.put_logical(place + 2 + blocks, entry)
    disc.end += 3 + blocks
    codes = limited(data_of(disc))
    assert "udf-limit" in codes


def test_a_deep_tree_and_a_long_chain():
    """Nesting ends at a length of the path, a chain of ICBs at its end."""
    disc = UdfDisc(count=5000)
    disc.anchors = (256,)
    disc.closed = False
    disc.root(("n", 2, DIRECTORY), ("chain", 4000))
    for level in range(2, 3000):
        disc.directory(level, level - 1, ("n", level + 1, DIRECTORY))
    for block in range(4000, 4600, 2):
        disc.file(block, b"x", strategy=4096)
        body = struct.pack("<IHHHBBIHH", 0, 4096, 0, 2, 0, 3, 0, 0, 0) + long_ad(4096, block + 2)
        disc.put_logical(block + 1, tagged(259, block + 1, body))
    codes = limited(disc.finish())
    assert "udf-limit" in codes


def test_noise_as_a_directory():
    """A directory of nothing but beginnings of tags: passed over in one go."""
    disc = UdfDisc(count=3000)
    disc.anchors = (256,)
    disc.put_logical(100, b"\x01\x01\x03\0\x55\0\0\0\0\0\0\0" * 400_000)
    disc.allocated(1, long_ad(4_800_000, 100), 4_800_000, 1, file_type=4)
    assert "udf-identifier" in limited(disc.finish())

"""UDF on each kind of medium: sparable and metadata partitions, and records of free space."""

import struct

import pytest

from analyze.anomaly import Anomaly
from analyze.udf.space import free_sectors
from tests.analyze.udf_disc import (
    UNUSED,
    UdfDisc,
    metadata_map,
    retag,
    short_ad,
    sparable_map,
    sparing_table,
    tagged,
)
from tests.analyze.udf_media import (
    MAIN_AT,
    MAIN_RUNS,
    MIRROR_AT,
    PACKET,
    move_packet,
    rewritable,
    sparable,
    with_metadata,
)
from tests.analyze.udf_walked import Walked

DIRECTORY, DELETED = 2, 4


# Sparing ------------------------------------------------------------------------------------------


def check_rewritable(found):
    """All three files are as they were written."""
    assert found.live == ["/a", "/b", "/big"]
    assert found.read("/a") == b"in packet 0"
    assert found.read("/b") == b"in packet 1"
    expected = b"".join((f"[{block}]".encode() * 100)[:2048].ljust(2048, b"\0") for block in range(50, 90))
    assert found.read("/big") == expected


def test_packets_that_are_not_replaced():
    """UDF 2.2.9: entries that are available (0xFFFFFFFF) or defective (0xFFFFFFF0) replace nothing."""
    disc = rewritable((UNUSED, 600), (0xFFFFFFF0, 640))
    found = Walked(sparable(disc))
    check_rewritable(found)
    assert found.anomalies == []
    assert found.info.attributes["partitions"][0]["kind"] == "sparable"
    assert found.info.attributes["partitions"][0]["packets_replaced"] == 0


def test_replaced_packets_are_read_where_they_are():
    """The root directory, a file entry and the middle of a file stand in the sparing area."""
    disc = rewritable((0, 600), (32, 640), (64, 700), (UNUSED, 800))

    def change(data):
        for packet, place in ((0, 600), (32, 640), (64, 700)):
            move_packet(data, disc, packet, place)

    found = Walked(sparable(disc, change))
    check_rewritable(found)
    assert found.anomalies == []
    assert [extent.start_lba for extent in found.stream("/big").extents] == [640 + 18, 700]
    assert found.info.attributes["partitions"][0]["packets_replaced"] == 3


def test_copies_of_the_sparing_table_that_differ():
    """UDF 2.2.12: the one with the highest sequence number is used."""
    disc = rewritable((0, 600))

    def change(data):
        move_packet(data, disc, 0, 600)
        old = sparing_table(240, (UNUSED, 600), sequence=0)
        data[240 * 2048 : 241 * 2048] = old.ljust(2048, b"\0")

    found = Walked(sparable(disc, change))
    check_rewritable(found)
    assert found.codes == ["udf-sparing-mismatch"]


def test_a_lost_copy_of_the_sparing_table():
    """One copy is enough; the loss is an anomaly."""
    disc = rewritable((0, 600))

    def change(data):
        move_packet(data, disc, 0, 600)
        data[220 * 2048 : 221 * 2048] = bytes(2048)

    found = Walked(sparable(disc, change))
    check_rewritable(found)
    assert found.codes == ["udf-sparing"]


def test_no_sparing_table_and_impossible_entries():
    """Without a table nothing is replaced; an entry off its packets or off the disc is not followed."""
    disc = rewritable()

    def change(data):
        data[220 * 2048 : 221 * 2048] = data[240 * 2048 : 241 * 2048] = bytes(2048)

    found = Walked(sparable(disc, change))
    check_rewritable(found)
    assert found.codes == ["udf-sparing"] * 3
    found = Walked(sparable(rewritable((5, 600), (32, 5000), (64_000, 600))))
    check_rewritable(found)
    assert found.codes == ["udf-sparing"] * 3


def test_a_damaged_replacement_and_the_old_packet():
    """A file entry that is lost in the sparing area is read from where it was, and that is said."""
    disc = rewritable((32, 640))

    def change(data):
        size = PACKET * 2048
        old = (disc.start + 32) * 2048
        data[640 * 2048 : 640 * 2048 + size] = data[old : old + size]
        data[(640 + 8) * 2048 : (640 + 9) * 2048] = bytes(2048)

    found = Walked(sparable(disc, change))
    assert found.read("/b") == b"in packet 1"
    assert found.codes == ["udf-icb", "udf-metadata-mirror-used"]


# Metadata partitions ------------------------------------------------------------------------------


def check_metadata(found, many=0):
    """Everything is listed and read."""
    names = [f"/d/file number {number:04d}" for number in range(1, many + 1)]
    assert sorted(found.live) == sorted(["/a", "/b", "/d", *names])
    assert found.read("/a") == b"embedded"
    assert found.read("/b") == (b"outside" * 600)[:3000]


def damage(data, disc, *places):
    """Noise in blocks of the partition."""
    data = bytearray(data)
    for place in places:
        at = (disc.start + place) * 2048
        data[at : at + 2048] = b"\xde\xad" * 1024
    return bytes(data)


def test_file_entries_in_a_metadata_file():
    """UDF 2.2.10, 2.2.13: logical blocks of the partition are those of the file, in pieces."""
    disc = with_metadata(many=60)
    found = Walked(disc.finish())
    check_metadata(found, 60)
    assert found.anomalies == []
    start = disc.start
    assert found.stream("/a").extents == ((start + 312, 8, 216),)
    assert found.entries["/b"].inode == start + 331  # block 5: the second of the second piece
    described = found.info.attributes["partitions"]
    assert [row["kind"] for row in described] == ["physical", "metadata"]
    assert (described[1]["metadata_blocks"], described[1]["duplicated"]) == (16, True)


@pytest.mark.parametrize("block", [0, 1, 2, 3, 5])
def test_a_block_of_the_metadata_file_is_damaged(block):
    """Each structure is read from the mirror when its main copy cannot be used."""
    disc = with_metadata(many=3)
    places = [first + number for first, length in MAIN_RUNS for number in range(length)]
    found = Walked(damage(disc.finish(), disc, places[block]))
    check_metadata(found, 3)
    assert "udf-metadata-mirror-used" in found.codes


@pytest.mark.parametrize("blocks", [(6,), (7,), (6, 7, 8)])
def test_the_content_of_a_directory_is_damaged(blocks):
    """Identifiers that the main copy has lost are read from the mirror, in the middle of a directory too."""
    disc = with_metadata(many=100)
    places = [first + number for first, length in MAIN_RUNS for number in range(length)]
    found = Walked(damage(disc.finish(), disc, *(places[block] for block in blocks)))
    check_metadata(found, 100)
    assert set(found.codes) == {"udf-metadata-mirror-used"}


def test_the_whole_metadata_file_is_damaged():
    """Every structure comes from the mirror."""
    disc = with_metadata(many=100)
    places = [first + number for first, length in MAIN_RUNS for number in range(length)]
    found = Walked(damage(disc.finish(), disc, *places))
    check_metadata(found, 100)
    assert "udf-metadata-mirror-used" in found.codes


def test_both_copies_are_damaged_in_different_places():
    """What one copy lacks the other has."""
    disc = with_metadata(many=100)
    places = [first + number for first, length in MAIN_RUNS for number in range(length)]
    found = Walked(damage(disc.finish(), disc, places[1], places[7], 350 + 2, 350 + 6))
    check_metadata(found, 100)


def test_the_file_entry_of_the_metadata_file_is_lost():
    """The mirror file stands in for it."""
    disc = with_metadata()
    found = Walked(damage(disc.finish(), disc, MAIN_AT))
    check_metadata(found)
    assert found.codes == ["udf-icb", "udf-metadata"]
    found = Walked(damage(disc.finish(), disc, MIRROR_AT))
    check_metadata(found)
    assert found.codes == ["udf-icb", "udf-metadata"]


def test_both_metadata_files_are_lost():
    """Nothing has an address then; what is found by scanning is not a part of a partition."""
    disc = with_metadata()
    found = Walked(damage(disc.finish(), disc, MAIN_AT, MIRROR_AT))
    assert found.all == []
    assert {"udf-metadata", "udf-root"} <= set(found.codes)


def test_a_metadata_file_over_a_sparable_partition():
    """UDF 2.2.13 on rewritable media: the metadata file itself stands in replaced packets."""
    disc = with_metadata()
    disc.maps = ()
    original = disc.descriptors

    def descriptors(first):
        found = original(first)
        logical = bytearray(found[3])
        logical[440:] = sparable_map(PACKET, 220) + metadata_map(MAIN_AT, MIRROR_AT)
        struct.pack_into("<II", logical, 264, 128, 2)
        struct.pack_into("<H", logical, 10, len(logical) - 16)
        found[3] = retag(logical)
        return found

    disc.descriptors = descriptors
    disc.put(220, sparing_table(220, (288, 640)))
    data = bytearray(disc.finish())
    move_packet(data, disc, 288, 640)
    found = Walked(bytes(data))
    check_metadata(found)
    assert found.anomalies == []


# Free space ---------------------------------------------------------------------------------------


def test_space_bitmaps():
    """4/14.12: a bit for each block, one where it is free."""
    disc = UdfDisc()
    disc.root()
    bits = bytearray(disc.length // 8)
    for block in (*range(50, 60), 100, 101):
        bits[block // 8] |= 1 << block % 8
    disc.header = bytes(8) + struct.pack("<II", 2048, 30)
    disc.put_logical(30, tagged(264, 30, struct.pack("<II", disc.length, len(bits)) + bytes(bits)))
    found = Walked(disc.finish())
    assert found.anomalies == []
    (space,) = found.volume.spaces
    assert (space.kind, space.form, space.free_blocks) == ("unallocated", "bitmap", 12)
    assert list(space.ranges()) == [(50, 10), (100, 2)]
    assert found.info.attributes["space"] == [
        {"kind": "unallocated", "form": "bitmap", "partition": 0, "free_blocks": 12}
    ]
    sectors = list(free_sectors(found.volume._assembled.opened.raw, space))
    assert sectors == [(disc.start + 50, 10), (disc.start + 100, 2)]


def test_space_tables():
    """4/14.11: an unallocated space entry with the free extents."""
    disc = UdfDisc()
    disc.root()
    allocation = short_ad(4096, 80, kind=1) + short_ad(2048, 20, kind=1)
    body = (
        struct.pack("<IHHHBBIHH", 0, 4, 0, 1, 0, 1, 0, 0, 0) + struct.pack("<I", len(allocation)) + allocation
    )
    disc.put_logical(30, tagged(263, 30, body))
    disc.header = struct.pack("<II", 2048, 30) + bytes(16) + struct.pack("<II", 2048, 30)
    found = Walked(disc.finish())
    assert found.anomalies == []
    assert [(space.kind, space.form, space.free_blocks) for space in found.volume.spaces] == [
        ("unallocated", "table", 3),
        ("freed", "table", 3),
    ]
    assert list(found.volume.spaces[0].ranges()) == [(20, 1), (80, 2)]


@pytest.mark.parametrize(
    "header", [struct.pack("<II", 2048, 30), bytes(8) + struct.pack("<II", 2048, 99_999)]
)
def test_space_records_that_are_none(header):
    """Another structure, or an address past the disc: an anomaly, and no record."""
    disc = UdfDisc()
    disc.root()
    disc.header = header
    found = Walked(disc.finish())
    assert found.volume.spaces == ()
    assert len(found.codes) == 1
    assert not isinstance(found.volume, Anomaly)


def test_a_bitmap_that_is_too_small():
    """4/14.12: fewer bits than the partition has blocks; those that are there are read."""
    disc = UdfDisc()
    disc.root()
    disc.header = bytes(8) + struct.pack("<II", 2048, 30)
    disc.put_logical(30, tagged(264, 30, struct.pack("<II", 100, 2) + b"\xff\xff"))
    found = Walked(disc.finish())
    assert found.codes == ["udf-space"]
    assert list(found.volume.spaces[0].ranges()) == [(0, 16)]


@pytest.mark.parametrize(("stated", "codes"), [(3, []), (4, ["udf-space"])])
def test_free_blocks_as_the_integrity_descriptor_states_them(stated, codes):
    """3/10.10.8: the free space table of a closed volume against the record of the partition."""
    disc = UdfDisc()
    disc.root()
    allocation = short_ad(3 * 2048, 80, kind=1)
    body = (
        struct.pack("<IHHHBBIHH", 0, 4, 0, 1, 0, 1, 0, 0, 0) + struct.pack("<I", len(allocation)) + allocation
    )
    disc.put_logical(30, tagged(263, 30, body))
    disc.header = struct.pack("<II", 2048, 30)
    data = bytearray(disc.finish())
    integrity = bytearray(data[200 * 2048 : 201 * 2048])
    struct.pack_into("<I", integrity, 80, stated)
    data[200 * 2048 : 201 * 2048] = retag(integrity)
    assert Walked(bytes(data)).codes == codes

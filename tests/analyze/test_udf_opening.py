"""Finding a UDF volume: sector sizes, anchors, sequences, file sets, and every way around what is lost."""

import struct

import pytest

from acquire.geometry import SectorRange
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.udf.volume import open_volumes
from tests.analyze.udf_disc import NO_ICB, UdfDisc, long_ad, regid, retag, tagged
from tests.analyze.udf_walked import Walked

MAIN, RESERVE, INTEGRITY = 128, 160, 200
PRIMARY, INFORMATION, PARTITION, LOGICAL = 0, 1, 2, 3
"""Where the descriptors are in both sequences of a disc made by hand."""


def simple(**words):
    """A disc with two files."""
    disc = UdfDisc(**words)
    disc.root(("a", 2), ("b", 3))
    disc.file(2, b"first file")
    disc.file(3, b"second file")
    disc.counts = (2, 1)
    return disc


def wipe(data, size, *blocks):
    """The image with blocks of zeros."""
    data = bytearray(data)
    for block in blocks:
        data[block * size : (block + 1) * size] = bytes(size)
    return bytes(data)


def check(found, *codes):
    """Both files are read, and these anomalies were met, no others."""
    assert found.live == ["/a", "/b"]
    assert found.read("/a") == b"first file"
    assert found.read("/b") == b"second file"
    assert sorted(set(found.codes)) == sorted(set(codes))


# Sizes and places ---------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096, 8192])
def test_sectors_of_any_size(size):
    """UDF 2.2.4.2: 512 bytes to 4096 (and more); what stands in part of a 2048-byte sector is found there."""
    disc = simple(size=size)
    found = Walked(disc.finish())
    check(found)
    info = found.info
    assert (info.kind, info.label, info.block_size_bytes) == ("udf", "By hand", size)
    assert info.attributes["anchors"] == [256, 699, 443]
    assert found.volume.generations == ()
    lba, offset = divmod((disc.start + 2) * size + 176, 2048)
    assert found.stream("/a").extents == ((lba, 10, offset),)
    sectors = {lba for first, count in found.volume.structures() for lba in range(first, first + count)}
    for block in (256, 699, 443, MAIN, RESERVE, INTEGRITY, disc.start, disc.start + 1, disc.start + 2):
        assert block * size // 2048 in sectors
    assert 16 in sectors


def test_what_a_volume_says_of_itself():
    """3/10.1, 3/10.5, 3/10.6, 3/10.10, 4/14.1, UDF 2.2.7: names, times, revision, partitions, counts."""
    disc = simple(revision=0x0260, label="Größe 日本")
    disc.domain = struct.pack("<HB", 0x0260, 1)
    info = Walked(disc.finish()).info
    assert info.label == "Größe 日本"
    assert info.created.iso() == info.modified.iso() == "2024-02-29T13:05:07.123456+02:00"
    assert (info.publisher, info.application, info.volume_set_id) == (
        "Owner / A",
        "*application",
        "0123456789abcdef set",
    )
    assert (info.start_lba, info.session, info.ordinal, info.length_sectors) == (0, None, 0, 680)
    attributes = info.attributes
    assert attributes["udf_revision"] == "2.60"
    assert attributes["write_protected"] == ["hard"]
    assert attributes["recognition"] == ["BEA01", "NSR03", "TEA01"]
    assert (attributes["integrity"], attributes["files"], attributes["directories"]) == ("closed", 2, 1)
    assert attributes["file_set_identifier"] == "Set 0"
    assert attributes["organization"] == "Org"
    (partition,) = attributes["partitions"]
    assert partition == {
        "kind": "physical",
        "number": 0,
        "start_block": 272,
        "length_blocks": 408,
        "access": "overwritable",
        "contents": "+NSR03",
    }


def test_access_types_of_partitions():
    """3/10.5.7 and UDF 2.2.14.2: pseudo-overwritable media have type 0, and are read like any other."""
    disc = simple()
    disc.access = 0
    found = Walked(disc.finish())
    check(found)
    assert found.info.attributes["partitions"][0]["access"] == "pseudo-overwritable"


@pytest.mark.parametrize("start", [320, 333])
def test_a_session_with_addresses_from_the_start_of_the_disc(start):
    """UDF 6.10: a session's anchor is 256 sectors after its start, and all addresses are absolute."""
    disc = simple(count=1200, start=start + 272)
    disc.anchors = (start + 256,)
    data = bytearray(disc.finish())
    data[(start + 16) * 2048 : (start + 19) * 2048] = data[16 * 2048 : 19 * 2048]
    data[16 * 2048 : 19 * 2048] = bytes(3 * 2048)
    found = Walked(bytes(data), start, 2)
    check(found)
    assert (found.info.start_lba, found.info.session) == (start, 2)
    assert not list(open_volumes(found.image, 0, 1, 0))


def test_a_volume_that_begins_somewhere_with_addresses_of_its_own():
    """A partition of a disc, or an image inside another: addresses count from its start."""
    disc = simple()
    found = Walked(bytes(100 * 2048) + disc.finish(), 100)
    check(found)
    assert found.stream("/a").extents == ((100 + disc.start + 2, 10, 176),)
    assert next(iter(found.volume.structures())) == SectorRange(116, 1)


@pytest.mark.parametrize("start", [-5, 5000, 50, 400])
def test_nothing_is_found_where_nothing_is(start):
    """No volume and no anomaly at a place without a volume, inside the image or not."""
    image = MemoryImage(simple().finish())
    assert list(open_volumes(image, start, None, 0)) == []
    assert list(open_volumes(MemoryImage(b""), 0, None, 0)) == []
    assert list(open_volumes(MemoryImage(bytes(2048 * 600)), 0, None, 0)) == []


def test_a_disc_without_udf_costs_a_few_sectors():
    """Recognition reads the descriptors' place and a few anchors, no more."""

    class Counting(MemoryImage):
        def read(self, lba, count=1):
            reads.append((lba, count))
            return super().read(lba, count)

    reads = []
    assert list(open_volumes(Counting(bytes(2048 * 10_000)), 0, None, 0)) == []
    assert len(reads) < 10
    assert sum(count for _lba, count in reads) < 100


def test_anchors_that_fill_the_end_of_a_disc():
    """Genisoimage and Nero write an anchor into every sector of the pad: all of them are the volume's."""
    disc = simple()
    disc.anchors = (256, *range(600, 700))
    found = Walked(disc.finish())
    check(found)
    owned = {lba for first, count in found.volume.structures() for lba in range(first, first + count)}
    assert set(range(600, 700)) <= owned


# Anchors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anchors", [(256,), (512,), (699,), (443,), (256 + 150,), (548,)])
def test_one_anchor_is_enough_wherever_it_is(anchors):
    """3/8.4.2.1: 256, N, N - 256; 512 on an open disc; with a pad of 150 sectors behind the volume."""
    disc = simple()
    if anchors == (406,):
        disc.anchors = (700 - 1 - 150 - 256,)
    elif anchors == (548,):
        disc.anchors = (700 - 1 - 150,)
    else:
        disc.anchors = anchors
    found = Walked(disc.finish())
    check(found)
    assert found.info.attributes["anchors"] == list(disc.anchors)


def test_anchors_that_lead_elsewhere():
    """The first anchor counts; another that differs is an anomaly."""
    disc = simple()
    data = bytearray(disc.finish())
    wrong = tagged(2, 699, struct.pack("<IIII", 32768, 140, 32768, 160) + bytes(480))
    data[699 * 2048 : 700 * 2048] = wrong.ljust(2048, b"\0")
    check(Walked(bytes(data)), "udf-anchor-mismatch")


def test_a_first_anchor_that_leads_nowhere():
    """An anchor whose sequences are not there gives way to the next."""
    disc = simple()
    data = bytearray(disc.finish())
    wrong = tagged(2, 256, struct.pack("<IIII", 32768, 600, 32768, 620) + bytes(480))
    data[256 * 2048 : 257 * 2048] = wrong.ljust(2048, b"\0")
    found = Walked(bytes(data))
    check(found, "udf-anchor-mismatch", "udf-sequence-missing")


@pytest.mark.parametrize("byte", [0, 4, 9, 12, 21])
def test_the_only_anchor_is_damaged(byte):
    """One changed byte in the only anchor: it is used, or the descriptors are found without it."""
    disc = simple()
    disc.anchors = (256,)
    data = bytearray(disc.finish())
    data[256 * 2048 + byte] ^= 4
    found = Walked(bytes(data))
    assert found.live == ["/a", "/b"]
    assert found.codes


def test_without_any_anchor_the_descriptors_are_found():
    """Volume descriptors near the start are found by their tags."""
    data = wipe(simple().finish(), 2048, 256, 443, 699)
    found = Walked(data)
    check(found, "udf-anchor", "udf-sequence-scan")
    assert found.info.attributes["anchors"] == []


def test_without_recognition_a_sound_anchor_is_enough():
    """2/8.3.1: no NSR descriptor is an anomaly, not the end."""
    check(Walked(wipe(simple().finish(), 2048, 16, 17, 18)), "udf-recognition")


def test_a_recognition_sequence_that_does_not_end():
    """2/8.3.1: NSR02 or NSR03, then TEA01."""
    check(Walked(wipe(simple().finish(), 2048, 18)), "udf-recognition")


def test_an_announced_volume_that_is_not_there():
    """Neither anchors nor descriptors: an anomaly without a volume, never silence."""
    data = wipe(
        simple().finish(), 2048, 256, 443, 699, *range(MAIN, MAIN + 16), *range(RESERVE, RESERVE + 16)
    )
    nouns = list(open_volumes(MemoryImage(data), 0, None, 0))
    assert all(isinstance(noun, Anomaly) and noun.volume is None for noun in nouns)
    assert [noun.code for noun in nouns] == ["udf-anchor", "udf-volume"]


def test_an_image_that_ends_early():
    """Cut after its first file: what is before the cut is listed, the rest said to be missing."""
    disc = simple()
    data = disc.finish()[: (disc.start + 3) * 2048]
    found = Walked(data)
    assert found.live == ["/a", "/b"]
    assert found.read("/a") == b"first file"
    assert found.entries["/b"].streams == ()
    assert "udf-outside" in found.codes


# Sequences ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("descriptor", [PRIMARY, PARTITION, LOGICAL])
@pytest.mark.parametrize("sequence", [MAIN, RESERVE])
def test_a_descriptor_is_gone_from_one_sequence(descriptor, sequence):
    """3/8.4.2.2: the other sequence has it."""
    found = Walked(wipe(simple().finish(), 2048, sequence + descriptor))
    check(found, "udf-sequence-missing")
    assert found.info.label == "By hand"
    assert found.info.created is not None


@pytest.mark.parametrize("sequence", [MAIN, RESERVE])
def test_a_whole_sequence_is_gone(sequence):
    """Either alone opens the volume."""
    check(Walked(wipe(simple().finish(), 2048, *range(sequence, sequence + 16))), "udf-sequence-missing")


@pytest.mark.parametrize("descriptor", [PARTITION, LOGICAL])
@pytest.mark.parametrize("byte", [188, 212, 215, 250, 270])
def test_a_damaged_descriptor_gives_way_to_a_sound_one(descriptor, byte):
    """A wrong CRC in the main sequence: the reserve's descriptor prevails."""
    data = bytearray(simple().finish())
    data[(MAIN + descriptor) * 2048 + byte] ^= 0xFF
    check(Walked(bytes(data)), "udf-tag-crc")


def test_sequences_that_differ():
    """3/8.4.2.2: sound descriptors of the two sequences with other content are an anomaly; main prevails."""
    data = bytearray(simple().finish())
    at = (RESERVE + LOGICAL) * 2048
    changed = bytearray(data[at : at + 2048])
    changed[84:212] = b"\x08Other".ljust(127, b"\0") + b"\x06"
    data[at : at + 2048] = retag(changed)
    found = Walked(bytes(data))
    assert found.info.label == "By hand"
    assert "udf-sequence-mismatch" in found.codes


def test_the_highest_sequence_number_prevails():
    """3/8.4.3: a later instance of a partition descriptor replaces an earlier one."""
    disc = simple()
    data = bytearray(disc.finish())
    for sequence in (MAIN, RESERVE):
        old = bytearray(data[(sequence + PARTITION) * 2048 : (sequence + PARTITION + 1) * 2048])
        newer = bytearray(old)
        struct.pack_into("<I", old, 16, 1)
        struct.pack_into("<I", old, 188, 50)  # another place for the partition
        data[(sequence + PARTITION) * 2048 : (sequence + PARTITION + 1) * 2048] = retag(old)
        struct.pack_into("<I", newer, 16, 77)
        data[(sequence + 5) * 2048 : (sequence + 6) * 2048] = retag(newer, location=sequence + 5)
        data[(sequence + 6) * 2048 : (sequence + 7) * 2048] = tagged(8, sequence + 6, bytes(496)).ljust(
            2048, b"\0"
        )
    check(Walked(bytes(data)))


def test_a_sequence_that_goes_on_elsewhere():
    """3/10.3: a volume descriptor pointer leads to the rest; two that point at each other end."""
    data = bytearray(simple().finish())
    for sequence, rest in ((MAIN, 220), (RESERVE, 230)):
        for number in (PARTITION, LOGICAL):
            block = bytearray(data[(sequence + number) * 2048 : (sequence + number + 1) * 2048])
            place = rest + number - PARTITION
            data[place * 2048 : (place + 1) * 2048] = retag(block, location=place)
        pointer = tagged(3, sequence + 2, struct.pack("<III", 9, 32768, rest) + bytes(484))
        back = tagged(3, rest + 2, struct.pack("<III", 9, 32768, sequence) + bytes(484))
        data[(sequence + 2) * 2048 : (sequence + 3) * 2048] = pointer.ljust(2048, b"\0")
        data[(rest + 2) * 2048 : (rest + 3) * 2048] = back.ljust(2048, b"\0")
    check(Walked(bytes(data)))


def test_noise_in_a_sequence():
    """Blocks that are no descriptor are passed over and reported."""
    data = bytearray(simple().finish())
    data[(MAIN + 4) * 2048 : (MAIN + 5) * 2048] = b"\xa5" * 2048
    found = Walked(bytes(data))
    assert found.live == ["/a", "/b"]
    assert "udf-sequence-missing" in found.codes


def test_a_block_size_that_is_not_the_sector_size():
    """UDF 2.2.4.2: the sector size in which the anchors stand is what is used."""
    data = bytearray(simple().finish())
    for sequence in (MAIN, RESERVE):
        at = (sequence + LOGICAL) * 2048
        changed = bytearray(data[at : at + 2048])
        struct.pack_into("<I", changed, 212, 4096)
        data[at : at + 2048] = retag(changed)
    check(Walked(bytes(data)), "udf-block-size")


# Integrity ----------------------------------------------------------------------------------------


def test_the_last_integrity_descriptor_counts():
    """3/8.8.2: a sequence of descriptors, the last of which is the state; it may go on elsewhere."""
    disc = simple()
    data = bytearray(disc.finish())
    first = bytearray(data[INTEGRITY * 2048 : (INTEGRITY + 1) * 2048])
    later = bytearray(first)
    struct.pack_into("<I", later, 28, 0)  # open
    struct.pack_into("<I", first, 28, 1)
    struct.pack_into("<II", later, 32, 2 * 2048, 210)
    last = bytearray(first)
    struct.pack_into("<H", last, 16 + 2, 2028)  # recorded later
    data[INTEGRITY * 2048 : (INTEGRITY + 1) * 2048] = retag(first)
    data[(INTEGRITY + 1) * 2048 : (INTEGRITY + 2) * 2048] = retag(later, location=INTEGRITY + 1)
    data[210 * 2048 : 211 * 2048] = retag(last, location=210)
    found = Walked(bytes(data))
    check(found)
    assert found.info.modified.year == 2028
    assert found.info.attributes["integrity"] == "closed"


def test_no_integrity_descriptor():
    """Its absence is an anomaly; nothing else depends on it."""
    found = Walked(wipe(simple().finish(), 2048, INTEGRITY))
    check(found, "udf-integrity")
    assert found.info.modified is None
    assert "integrity" not in found.info.attributes


def test_an_open_volume_is_not_held_to_its_counts():
    """UDF 2.2.6.4: the counts are those of the last closing."""
    disc = simple()
    disc.closed, disc.counts = False, (99, 99)
    found = Walked(disc.finish())
    check(found)
    assert found.info.attributes["integrity"] == "open"


# File sets and the root ---------------------------------------------------------------------------


def test_a_lost_file_set_descriptor_is_found():
    """4/8.3: not where the volume descriptor says, but somewhere on the disc."""
    disc = simple()
    data = bytearray(disc.finish())
    moved = data[disc.start * 2048 : (disc.start + 1) * 2048]
    data[(disc.start + 100) * 2048 : (disc.start + 101) * 2048] = moved
    found = Walked(wipe(bytes(data), 2048, disc.start))
    check(found, "udf-file-set")


def test_without_a_file_set_the_root_is_found():
    """4/8.6: a directory that is its own parent is a root."""
    disc = simple()
    found = Walked(wipe(disc.finish(), 2048, disc.start))
    check(found, "udf-file-set", "udf-root")


def test_a_root_that_is_not_where_it_should_be():
    """The file set descriptor leads to something else: the root is searched for."""
    disc = simple()
    disc.put_logical(0, disc.file_set(root=3))
    check(Walked(disc.finish()), "udf-root")


def test_without_any_root_there_is_an_anomaly_and_no_entry():
    """Nothing is listed, and that is said."""
    disc = simple()
    found = Walked(wipe(disc.finish(), 2048, disc.start, disc.start + 1))
    assert found.all == []
    assert "udf-root" in found.codes


def test_several_file_sets_are_several_views():
    """UDF 2.3.2: on write-once discs there may be more; the one with the highest number is the default."""
    disc = simple()
    disc.directory(10, 10, ("older", 2))
    following = long_ad(2048, 20)
    disc.put_logical(0, disc.file_set(number=0, root=10, following=following))
    disc.put_logical(20, disc.file_set(number=1, location=20))
    disc.closed = False
    image = MemoryImage(disc.finish())
    volumes = list(open_volumes(image, 0, None, 5))
    assert [volume.info.ordinal for volume in volumes] == [5, 6]
    assert [volume.info.attributes["file_set_number"] for volume in volumes] == [1, 0]
    default, older = (Walked(image, volume=volume) for volume in volumes)
    check(default)
    assert older.live == ["/older"]
    assert {entry.volume for entry in older.all} == {6}
    assert older.anomalies == []


def test_file_sets_that_lead_back():
    """4/8.3.1: a next extent that returns does not go on for ever."""
    disc = simple()
    disc.put_logical(0, disc.file_set(following=long_ad(2048, 0)))
    check(Walked(disc.finish()))


# Partitions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "table",
    [
        struct.pack("<BBHH", 1, 6, 1, 9),  # no such partition number
        struct.pack("<BB", 7, 6) + bytes(4),  # no such type
        struct.pack("<BBH", 2, 64, 0) + regid("*Somebody else's") + struct.pack("<HH24x", 1, 0),
        struct.pack("<BB", 2, 64) + bytes(10),  # cut short
        struct.pack("<BB", 1, 0) + bytes(4),
    ],
)
def test_partition_maps_that_are_none(table):
    """3/10.7: an unknown map is an anomaly; the other partitions are read."""
    check(Walked(simple(maps=(table,)).finish()), "udf-partition-map")


def test_addresses_past_the_end_of_a_partition():
    """4/7.1: a file entry beyond the partition's length is read, with an anomaly."""
    disc = simple()
    disc.length = 3
    found = Walked(disc.finish())
    assert found.read("/b") == b"second file"
    assert found.codes == ["udf-outside"]
    assert found.anomalies[0].path == "/b"


def test_sectors_that_were_not_read_are_named_as_such():
    """A structure in unread sectors is not "damaged": it was not read."""
    disc = simple()
    data = wipe(disc.finish(), 2048, disc.start + 3)
    image = MemoryImage(data, unread=(SectorRange(disc.start + 3, 1),))
    found = Walked(image)
    assert found.live == ["/a", "/b"]
    assert found.codes == ["udf-unread"]
    assert found.entries["/b"].streams == ()
    assert bytes(16) == NO_ICB

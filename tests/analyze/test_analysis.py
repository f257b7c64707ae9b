"""Examining: the order of what is yielded, what is said of the image, and no bytes that stop it."""

import struct
from functools import cache
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.geometry import Extent, SectorRange
from acquire.image import MemoryImage
from acquire.toc import Disc, Session, Track, TrackMode
from analyze.analysis import examine
from analyze.anomaly import Anomaly
from analyze.coverage import Coverage
from analyze.detect import MAX_NOUNS, OPENERS, open_all, volumes
from analyze.entry import Entry
from analyze.finding import Finding
from analyze.volume import VolumeInfo

SECTOR = 2048


def both32(value):
    """ECMA-119 §8.3.3."""
    return struct.pack("<I", value) + struct.pack(">I", value)


def record(name, lba, size, flags=0):
    """A directory record by hand (ECMA-119 §9.1), recorded 2001-02-03 04:05:06 UTC."""
    length = 33 + len(name) + (1 - len(name) % 2)
    made = bytearray(length)
    made[0] = length
    made[2:10], made[10:18] = both32(lba), both32(size)
    made[18:25] = bytes([101, 2, 3, 4, 5, 6, 0])
    made[25] = flags
    made[28:32] = struct.pack("<H", 1) + struct.pack(">H", 1)
    made[32] = len(name)
    made[33 : 33 + len(name)] = name
    return bytes(made)


def small_disc(files, *, at=0, base=0, label=b"BY HAND", sectors=40):
    """The sectors of one ISO 9660 volume that starts at `at`, addresses less `base`: {lba: bytes}.

    Descriptors at 16 and 17, path tables at 18 and 19, the root at 20, files from 21 on.
    """
    root = at + 20 - base
    primary = bytearray(SECTOR)
    primary[0:7] = b"\x01CD001\x01"
    primary[8:72] = b" " * 32 + label.ljust(32)
    primary[80:88] = both32(sectors)
    for offset, value in ((120, 1), (124, 1), (128, SECTOR)):
        primary[offset : offset + 4] = struct.pack("<H", value) + struct.pack(">H", value)
    primary[132:140] = both32(10)
    primary[140:144], primary[148:152] = struct.pack("<I", root - 2), struct.pack(">I", root - 1)
    primary[156:190] = record(b"\0", root, SECTOR, 2)
    primary[190:813] = b" " * 623
    primary[813:881] = (b"0" * 16 + b"\0") * 4
    primary[881] = 1
    listing = record(b"\0", root, SECTOR, 2) + record(b"\1", root, SECTOR, 2)
    made = {
        at + 16: bytes(primary),
        at + 17: b"\xffCD001\x01".ljust(SECTOR, b"\0"),
        at + 18: b"\x01\0" + struct.pack("<I", root) + b"\x01\0\0\0",
        at + 19: b"\x01\0" + struct.pack(">I", root) + b"\0\x01\0\0",
    }
    lba = at + 21
    for name, content in sorted(files.items()):
        listing += record(name, lba - base, len(content))
        for start in range(0, len(content), SECTOR):
            made[lba] = content[start : start + SECTOR]
            lba += 1
    made[at + 20] = listing
    return made


def image_of(*volumes_, size_sectors=40, **options):
    """An image of the sectors of some volumes, zeros between."""
    data = bytearray(size_sectors * SECTOR)
    for sectors in volumes_:
        for lba, sector in sectors.items():
            data[lba * SECTOR : lba * SECTOR + len(sector)] = sector
    return MemoryImage(bytes(data), **options)


FILES = {b"A.TXT;1": b"first", b"B.BIN;1": bytes(range(256)) * 16}


def findings(image):
    """Code and first address of every finding."""
    return [(noun.code, noun.lba) for noun in examine(image) if isinstance(noun, Finding)]


def paths(image):
    """Volume and path of every entry."""
    return [(noun.volume, noun.path) for noun in examine(image) if isinstance(noun, Entry)]


def assert_well_formed(image, nouns):
    """What holds for every examination, whatever the image."""
    assert isinstance(nouns[0], Disc)
    assert isinstance(nouns[-2], Disc)
    assert isinstance(nouns[-1], Coverage)
    assert nouns[0] == image.disc
    coverage = nouns[-1]
    unowned = sum(count for _, count in coverage.unowned())
    assert coverage.sectors_owned + coverage.sectors_unowned == image.sector_count
    assert unowned == coverage.sectors_unowned
    seen = set()
    ordinals = count()
    current = -1
    for noun in nouns[1:-2]:
        if isinstance(noun, VolumeInfo):
            current += 1
            assert noun.ordinal == current
            ordinals = count()
            assert noun.session is None or noun.session in {s.number for s in nouns[-2].sessions}
        elif isinstance(noun, Entry):
            assert (noun.volume, noun.ordinal) == (current, next(ordinals))
            assert noun.parent is None or (current, noun.parent) in seen
            seen.add((noun.volume, noun.ordinal))
        else:
            assert isinstance(noun, Anomaly | Finding)
            assert noun.volume is None or noun.volume <= current


def test_a_disc_by_hand_is_examined_without_complaint():
    """Two files of one volume, assembled from the standard: entries, places, and who owns what."""
    image = image_of(small_disc(FILES))
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    entries = [noun for noun in nouns if isinstance(noun, Entry)]
    assert [(e.path, e.size_bytes, e.streams[0].extents) for e in entries] == [
        ("/A.TXT", 5, (Extent(21, 5),)),
        ("/B.BIN", 4096, (Extent(22, 4096),)),
    ]
    assert [noun for noun in nouns if isinstance(noun, Anomaly | Finding)] == []
    assert nouns[-1] == Coverage((SectorRange(16, 8),), 40)
    assert nouns[-2] == image.disc


def test_nothing_recognised_is_said():
    """Zeros, noise and an empty file: one finding, every sector unowned."""
    for data in (bytes(SECTOR * 30), b"\xa5" * 100_000, b""):
        image = MemoryImage(data)
        nouns = list(examine(image))
        assert_well_formed(image, nouns)
        assert [noun.code for noun in nouns if isinstance(noun, Finding)] == ["no-volume"]
        assert nouns[-1].sectors_owned == 0


def test_an_unread_descriptor_is_named_when_nothing_is_recognised():
    """Where LBA 16 was not read, that is why there is no volume."""
    image = MemoryImage(bytes(SECTOR * 30), unread=(SectorRange(10, 10),))
    (found,) = [noun for noun in examine(image) if isinstance(noun, Finding)]
    assert "Not read: LBA 16." in found.detail


def test_data_that_nobody_owns_is_placed():
    """One sector of the system area, two between the files' end and the volume's, one after the volume."""
    extra = {3: b"boot", 30: b"deleted", 31: b"deleted", 45: b"behind"}
    assert findings(image_of(small_disc(FILES), extra, size_sectors=50)) == [
        ("data-in-system-area", 3),
        ("data-unowned", 30),
        ("data-after-volume", 45),
    ]


def test_a_range_across_the_end_of_the_volume_is_divided():
    """Data from LBA 38 to 41 in a volume of 40 sectors: two sectors inside, two after."""
    image = image_of(small_disc(FILES), dict.fromkeys(range(38, 42), b"x"), size_sectors=50)
    found = {noun.code: noun for noun in examine(image) if isinstance(noun, Finding)}
    assert (found["data-unowned"].lba, found["data-unowned"].length_bytes) == (38, 2 * SECTOR)
    assert (found["data-after-volume"].lba, found["data-after-volume"].length_bytes) == (40, 2 * SECTOR)


def test_a_cut_image_is_said_and_counted():
    """Cut inside the second file: the volume is longer than the image, one stream of content reaches past."""
    whole = image_of(small_disc(FILES)).read(0, 40)
    image = MemoryImage(whole[: 22 * SECTOR + 100])
    found = {noun.code: noun for noun in examine(image) if isinstance(noun, Finding)}
    assert set(found) == {"image-truncated", "content-past-image"}
    assert (found["image-truncated"].lba, found["image-truncated"].length_bytes) == (23, 18 * SECTOR - 100)
    assert found["content-past-image"].path == "/B.BIN"
    assert found["content-past-image"].title.startswith("1 stream of content")
    exact = MemoryImage(whole[: 24 * SECTOR])
    assert findings(exact) == [("image-truncated", 24)]


def test_a_cut_is_said_once_for_views_that_end_together(run, tmp_path):
    """ISO 9660 and Joliet of one image state the same size."""
    (tmp_path / "file").write_bytes(b"x" * 5000)
    run("genisoimage", "-quiet", "-J", "-o", tmp_path / "i.iso", tmp_path / "file")
    image = MemoryImage((tmp_path / "i.iso").read_bytes()[: 60 * SECTOR])
    assert [code for code, _ in findings(image)] == ["image-truncated"]


def test_unread_sectors_become_files_and_bytes():
    """LBA 23 was not read: bytes 2048 to 4095 of B.BIN, and nothing of A.TXT."""
    image = image_of(small_disc(FILES), unread=(SectorRange(23, 5),))
    (found,) = [noun for noun in examine(image) if isinstance(noun, Finding)]
    assert (found.code, found.path, found.volume) == ("unread-affects-file", "/B.BIN", 0)
    assert (found.lba, found.length_bytes) == (23, 2048)
    assert found.title == "2048 of 4096 bytes of the content not read"
    assert found.detail == "Bytes 2048–4095 of the content."


def test_an_unread_directory_is_said():
    """The root directory was not read: the list of entries is not all there is."""
    data = image_of(small_disc(FILES)).read(0, 40)
    lost = data[: 20 * SECTOR] + bytes(SECTOR) + data[21 * SECTOR :]
    image = MemoryImage(lost, unread=(SectorRange(20, 1),))
    codes = {noun.code: noun for noun in examine(image) if isinstance(noun, Finding)}
    assert codes["unread-affects-structure"].lba == 20
    assert codes["unread-affects-structure"].volume == 0


def test_two_sessions_are_numbered_and_placed():
    """Sessions at 0 and 100 with absolute addresses; the disc is yielded again with both."""
    image = image_of(small_disc(FILES), small_disc({b"C.TXT;1": b"new"}, at=100), size_sectors=150)
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    assert [(n.session, n.start_lba) for n in nouns if isinstance(n, VolumeInfo)] == [(1, 0), (2, 100)]
    assert paths(image) == [(0, "/A.TXT"), (0, "/B.BIN"), (1, "/C.TXT")]
    assert findings(image) == [("session-inferred", 100)]
    disc = nouns[-2]
    assert not disc.recorded
    assert [(s.number, s.start_lba, s.length_sectors) for s in disc.sessions] == [(1, 0, 100), (2, 100, 50)]
    assert [t.start_lba for s in disc.sessions for t in s.tracks] == [0, 100]


def test_a_session_is_found_when_the_first_one_is_destroyed():
    """Without anything at LBA 16, the volume at 100 is session 1, and it is said where it was found."""
    image = image_of(small_disc(FILES, at=100), size_sectors=150)
    assert findings(image) == [("session-inferred", 100)]
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    assert [(s.number, s.start_lba, s.length_sectors) for s in nouns[-2].sessions] == [(1, 100, 50)]


def test_the_copy_of_a_later_set_is_not_walked_twice():
    """As growisofs writes: the newest descriptors stand at LBA 16 too. It is one volume, and one copy."""
    later = small_disc({b"C.TXT;1": b"new"}, at=100)
    copied = {16: later[116], 17: later[117]}
    image = image_of(later, copied, size_sectors=150)
    assert paths(image) == [(0, "/C.TXT")]
    assert findings(image) == [("descriptor-copy", 116)]
    (found,) = [noun for noun in examine(image) if isinstance(noun, Finding)]
    assert "equal byte by byte" in found.detail


def test_a_copy_that_differs_says_where():
    """Another label in the copy: one byte, at byte 40 of LBA 116 (ECMA-119 §8.4.7)."""
    later = small_disc({b"C.TXT;1": b"new"}, at=100)
    copied = {16: later[116][:40] + b"X" + later[116][41:], 17: later[117]}
    image = image_of(later, copied, size_sectors=150)
    (found,) = [noun for noun in examine(image) if isinstance(noun, Finding)]
    assert "differ in 1 byte, first at LBA 116, byte 40" in found.detail


def test_an_image_inside_the_image_is_no_session():
    """A deleted ISO file: its addresses count from its own start. Its files are found, without a session."""
    inside = small_disc({b"LOST.TXT;1": b"lost"}, at=60, base=60)
    image = image_of(small_disc(FILES), inside, size_sectors=150)
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    assert [(n.session, n.start_lba) for n in nouns if isinstance(n, VolumeInfo)] == [(1, 0), (None, 60)]
    (lost,) = [n for n in nouns if isinstance(n, Entry) and n.volume == 1]
    assert (lost.path, lost.streams[0].extents) == ("/LOST.TXT", (Extent(81, 4),))
    assert findings(image) == [("embedded-volume", 60)]
    assert nouns[-2] == image.disc


def test_an_image_that_is_a_file_is_left_to_the_file():
    """A listed ISO file is content, not a volume of the disc."""
    inside = image_of(small_disc({b"IN.TXT;1": b"inner"})).read(0, 30)
    image = image_of(small_disc({b"DISC.ISO;1": inside}, sectors=60), size_sectors=60)
    assert paths(image) == [(0, "/DISC.ISO")]
    assert findings(image) == []


def test_a_terminator_alone_leads_nowhere():
    """A stray terminator is named, and nothing is opened from it."""
    image = image_of(small_disc(FILES), {35: b"\xffCD001\x01"})
    assert ("descriptor-stray", 35) in findings(image)
    assert paths(image) == [(0, "/A.TXT"), (0, "/B.BIN")]


def recorded_disc(*tracks):
    """A recorded table of contents: one session a track."""
    return Disc(
        tuple(
            Session(number, start, length, (Track(number, number, mode, start, length),))
            for number, (mode, start, length) in enumerate(tracks, 1)
        ),
        recorded=True,
    )


def test_recorded_sessions_are_taken_as_recorded():
    """CD-Extra: audio owns its track, the data session is session 2, and the disc is not changed."""
    disc = recorded_disc((TrackMode.AUDIO, 0, 100), (TrackMode.MODE2_FORM1, 100, 50))
    noise = dict.fromkeys(range(100), b"\x11" * SECTOR)
    image = image_of(noise, small_disc(FILES, at=100), size_sectors=150, disc=disc)
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    assert [(n.session, n.start_lba) for n in nouns if isinstance(n, VolumeInfo)] == [(2, 100)]
    assert findings(image) == []
    assert nouns[-2] == disc
    assert nouns[-1].owned[0] == SectorRange(0, 100)


def test_a_session_outside_the_recorded_table_is_a_warning():
    """The table ends at 100; a volume begins there: its session is None, and the table stays as it is."""
    disc = recorded_disc((TrackMode.MODE1, 0, 100))
    image = image_of(small_disc(FILES), small_disc(FILES, at=100), size_sectors=150, disc=disc)
    nouns = list(examine(image))
    assert [(n.session, n.start_lba) for n in nouns if isinstance(n, VolumeInfo)] == [(1, 0), (None, 100)]
    assert findings(image) == [("session-not-in-toc", 100)]
    assert nouns[-2] == disc


def test_the_set_near_the_front_of_a_cut_image():
    """An image whose first 10 sectors are missing: the session starts before it, and is placed at 0."""
    data = image_of(small_disc(FILES)).read(0, 40)[10 * SECTOR :]
    image = MemoryImage(data)
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    assert any(isinstance(n, VolumeInfo) for n in nouns)


@pytest.mark.corpus
def test_deleted_entries_own_nothing(rig_image):
    """A UDF image with deleted files: no sector is owned only because a deleted entry names it."""
    image = MemoryImage(rig_image("udf250_metadata.img").read_bytes())
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    entries = [noun for noun in nouns if isinstance(noun, Entry)]
    live = {extent for e in entries if not e.deleted for s in e.streams for extent in s.extents}
    gone = {extent for e in entries if e.deleted for s in e.streams for extent in s.extents} - live
    owned = {lba for start, count in nouns[-1].owned for lba in range(start, start + count)}
    assert gone
    assert not {extent.start_lba for extent in gone} & owned


def test_an_opener_that_never_ends_is_stopped():
    """At one place, so many nouns are taken from one opener and no more; the limit is said."""

    def endless(image, start_lba, session, first_ordinal):
        """Complain for ever."""
        while True:
            yield Anomaly("test", f"of {start_lba}")

    nouns = list(open_all(image_of(), 0, 1, 0, (endless,)))
    assert len(nouns) == MAX_NOUNS + 1
    assert nouns[-1].code == "volume-limit"


def test_many_sets_that_list_the_same_tree_are_stopped(monkeypatch):
    """Thirty sets of descriptors, each with a root of another size, over one tree: it is stopped.

    Every set is a session by its own account, so that a small image could list millions of entries. The
    limit is a quarter of the real one here, to be met sooner.
    """
    monkeypatch.setattr("analyze.analysis._READINGS", 1)
    base = small_disc({b"F%03d;1" % n: b"" for n in range(40)}, sectors=300)
    sets = {}
    for n in range(30):
        primary = bytearray(base[16])
        primary[158:166], primary[166:174] = both32(200), both32(SECTOR * (n + 21))
        sets[30 + 3 * n], sets[31 + 3 * n] = bytes(primary), base[17]
    image = image_of(base, sets, {200 + n: base[20] for n in range(20)}, size_sectors=300)
    nouns = list(examine(image))
    assert_well_formed(image, nouns)
    assert [noun.code for noun in nouns if isinstance(noun, Finding)].count("volume-limit") >= 1
    assert sum(isinstance(noun, Entry) for noun in nouns) < image.size_bytes // 34 + 1000


def test_volumes_without_walking():
    """The expected places only: one view of each, ordinals in a row, nothing walked."""
    image = image_of(small_disc(FILES), small_disc(FILES, at=100), size_sectors=150)
    found = list(volumes(image))
    assert [(volume.info.ordinal, volume.info.start_lba) for volume in found] == [(0, 0)]


def test_the_order_of_openers_is_explicit():
    """ISO 9660 first: its views are what most programs show."""
    assert OPENERS[0].__module__ == "analyze.iso9660.volume"


REAL = (
    "libcdio/multi_extent_8k_joliet.iso",
    "libarchive/test_read_format_iso_joliet_rockridge.iso",
    "libarchive/test_read_format_iso_rockridge_ce.iso",
    "libarchive/test_read_format_iso_xorriso.iso",
    "toolmade/multisession/genisoimage2.iso",
    "syzkaller/iso9660_16.img",
    "libcdio/bad-dir.iso",
    "isolyzer/iso9660_hfs_part.iso",
    "util-linux/blkid/images-fs/udf-cd-nero-6.img",
    "syzkaller/hfsplus_0.img",
)


@pytest.fixture(scope="session")
def real(corpus):
    """`real(name)`: bytes of an image, and the addresses of its bytes that are not zero."""

    @cache
    def load(name):
        data = corpus(name).read_bytes()
        filled = [
            lba for lba in range(-(-len(data) // SECTOR)) if any(data[lba * SECTOR : (lba + 1) * SECTOR])
        ]
        return data, filled

    return load


@pytest.mark.corpus
@settings(deadline=None, max_examples=600)
@given(st.data())
def test_no_flip_and_no_cut_stops_an_examination(real, data):
    """Any bytes of a real image changed where it holds data, and cut anywhere: it ends, well-formed."""
    name = data.draw(st.sampled_from(REAL))
    content, filled = real(name)
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(0, 6))):
        place = data.draw(st.sampled_from(filled)) * SECTOR + data.draw(
            st.one_of(st.integers(0, SECTOR - 1), st.integers(0, 255))
        )
        if place < len(changed):
            changed[place] = data.draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF, changed[place] ^ 1]))
    end = data.draw(st.one_of(st.just(len(changed)), st.integers(0, len(changed))))
    unread = data.draw(st.lists(st.builds(SectorRange, st.integers(0, 400), st.integers(1, 30)), max_size=3))
    image = MemoryImage(bytes(changed[:end]), unread=tuple(unread))
    nouns = []
    for noun in examine(image):
        nouns.append(noun)
        assert len(nouns) < 20_000, "no end in sight"
    assert_well_formed(image, nouns)


@pytest.mark.corpus
@pytest.mark.parametrize("name", REAL[:5])
def test_cut_at_every_place(real, examined, name):
    """Every kind of cut of a real image: what still has a digest has the digest that it had before."""
    content, filled = real(name)
    whole = examined(MemoryImage(content))
    known = {
        (e.path, e.size_bytes, e.streams[0].extents): whole.digest(e)
        for e in whole.entries
        if len(e.streams) == 1
    }
    for lba in filled:
        for extra in (0, 1, 1000):
            result = examined(MemoryImage(content[: lba * SECTOR + extra]))
            for entry in result.entries:
                if len(entry.streams) == 1 and result.status(entry) == "complete":
                    assert (
                        result.digest(entry) == known[entry.path, entry.size_bytes, entry.streams[0].extents]
                    )

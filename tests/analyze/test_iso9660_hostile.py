"""Flipped, cut and shuffled images: reading ends, raises nothing, stays within bounds; both ways agree."""

import random
import subprocess
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry
from analyze.iso9660 import ordinary
from analyze.iso9660.anomalies import CODES
from analyze.iso9660.volume import open_volumes
from tests.analyze.isobytes import SECTOR, Disc, both32, ce, nm, px, record, sp, terminator
from tests.analyze.isobytes import susp as entry

KNOWN = {kind.code for kind in CODES}
LIMITED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def everything(data):
    """All that reading `data` gives, checked for what must hold of any image."""
    image = MemoryImage(data)
    found = []
    for noun in open_volumes(image, 0, 1, 0):
        if isinstance(noun, Anomaly):
            found.append(noun)
            continue
        nouns = list(noun.walk())
        ordinals = [one.ordinal for one in nouns if isinstance(one, Entry)]
        assert ordinals == list(range(len(ordinals)))
        assert len(ordinals) <= len(data) // 34 + 1  # no record is shorter (9.1.10)
        for one in nouns:
            if isinstance(one, Anomaly):
                assert one.code in KNOWN
                assert one.volume == noun.info.ordinal
                continue
            assert one.path.startswith("/")
            assert "\0" not in one.path
            assert one.parent is None or one.parent < one.ordinal
            assert one.path.rpartition("/")[2] == one.name
            assert one.name not in ("", ".", "..")
        for start, count in noun.structures():
            assert 0 <= start < start + count <= image.sector_count
        found.append((noun.info, nouns))
    return found


def disc():
    """One of everything: sections, continuation areas, relocation, links, a directory of two sectors."""
    made = Disc(80)
    many = [record(b"FILE%03d.TXT;1" % n, 60, 5, use=nm(b"file %d" % n) + px(0o100644)) for n in range(30)]
    made.tree(many, own=30, parent=20)
    made.tree([record(b"IN.;1", 50, 3, use=nm(b"in"))], own=40, parent=30)
    made.put(70, nm(b"continued ", 1) + nm(b"name"))
    records = [
        record(b"BIG.;1", 50, SECTOR, flags=0x80),
        record(b"BIG.;1", 52, 99),
        record(b"CE.;1", 50, 3, use=ce(70, 0, 24)),
        record(b"DEEP.;1", 0, 0, use=nm(b"deep") + entry(b"CL", both32(40))),
        record(b"DIR", 30, 2 * SECTOR, flags=2, use=nm(b"dir") + px(0o40755)),
        record(b"X.;1", 55, 10, xattr=1),
        record(b"Y.;1", 55, 10, unit=1, gap=1),
    ]
    made.primary(records, [(b"DIR", 30, 1), (b"DEEP", 40, 1)], root_use=sp() + px(0o40755))
    return bytes(made.put(17, terminator()).data)


DISC = disc()
STRUCTURES = [
    lba * SECTOR + at
    for lba in (16, 17, 18, 19, 20, 30, 31, 40, 55, 70)
    for at in range(SECTOR)
    if at < 900 or lba in (20, 30, 31)
]
IMAGES = (
    "libcdio/multi_extent_8k.iso",
    "libarchive/test_read_format_iso_rockridge_ce.iso",
    "k3b/joliet.iso",
    "libcdio/bad-dir.iso",
    "libcdio/malformed.iso",
)


def test_the_undamaged_disc_is_right():
    """Otherwise the properties below would hold of nothing."""
    ((_, nouns),) = everything(DISC)
    assert len([noun for noun in nouns if isinstance(noun, Entry)]) == 37


@LIMITED
@given(changes=st.lists(st.tuples(st.sampled_from(STRUCTURES), st.integers(0, 255)), min_size=1, max_size=8))
def test_any_bytes_of_the_structures_may_be_anything(changes):
    """Whatever they are."""
    data = bytearray(DISC)
    for at, value in changes:
        data[at] = value
    everything(bytes(data))


@LIMITED
@given(bit=st.integers(0, len(STRUCTURES) * 8 - 1))
def test_a_flipped_bit_is_never_fatal(bit):
    """One bit: the disc still opens, unless it hits the word by which a descriptor is known."""
    data = bytearray(DISC)
    data[STRUCTURES[bit // 8]] ^= 1 << bit % 8
    assert everything(bytes(data))


@LIMITED
@given(length=st.integers(0, len(DISC)))
def test_cut_anywhere(length):
    """A truncated image."""
    everything(DISC[:length])


@LIMITED
@given(st.lists(st.tuples(st.sampled_from(range(16, 80)), st.sampled_from(range(16, 80))), max_size=6))
def test_sectors_in_the_wrong_place(moves):
    """Whole structures where others belong."""
    data = bytearray(DISC)
    for source, target in moves:
        data[target * SECTOR : (target + 1) * SECTOR] = DISC[source * SECTOR : (source + 1) * SECTOR]
    everything(bytes(data))


@LIMITED
@given(content=st.binary(min_size=34, max_size=600))
def test_a_root_directory_of_anything(content):
    """No structure at all where the directory should be."""
    data = bytearray(DISC)
    data[20 * SECTOR : 21 * SECTOR] = content.ljust(SECTOR, b"\0")
    everything(bytes(data))


@pytest.mark.corpus
@pytest.mark.parametrize("name", IMAGES)
def test_real_images_damaged(name, corpus):
    """Two hundred mutations each of images by other programs."""
    original = corpus(name).read_bytes()
    chance = random.Random(name)
    for _ in range(200):
        data = bytearray(original)
        for _ in range(chance.randint(1, 5)):
            at = min(16 * SECTOR + chance.randrange(20 * SECTOR), len(data) - 1)
            data[at] = chance.randrange(256)
        everything(bytes(data[: chance.choice((len(data), chance.randrange(len(data))))]))


def long_way(_self, _data, at, _lba, parent, _names, _found, _out):
    """A short way that takes no record."""
    return at, parent[2]


@pytest.mark.corpus
@pytest.mark.parametrize("name", [*IMAGES, "isolyzer/iso9660_apple.iso", "kdomanski-iso9660/test.iso"])
def test_both_ways_give_the_same(name, corpus, monkeypatch):
    """The short way for ordinary records is only shorter: also in damaged images."""
    original = corpus(name).read_bytes()
    chance = random.Random(name)
    usual = ordinary.ShortWay.run
    for number in range(40):
        data = bytearray(original)
        for _ in range(number and chance.randint(1, 5)):
            at = min(16 * SECTOR + chance.randrange(30 * SECTOR), len(data) - 1)
            data[at] ^= 1 << chance.randrange(8)
        monkeypatch.setattr(ordinary.ShortWay, "run", usual)
        short = everything(bytes(data))
        monkeypatch.setattr(ordinary.ShortWay, "run", long_way)
        assert short == everything(bytes(data))


@LIMITED
@given(changes=st.lists(st.tuples(st.sampled_from(STRUCTURES), st.integers(0, 255)), max_size=6))
def test_both_ways_give_the_same_of_anything(changes):
    """The same for the disc above."""
    data = bytearray(DISC)
    for at, value in changes:
        data[at] = value
    usual = ordinary.ShortWay.run
    short = everything(bytes(data))
    ordinary.ShortWay.run = long_way
    try:
        assert short == everything(bytes(data))
    finally:
        ordinary.ShortWay.run = usual


def test_garbage_as_a_directory_costs_no_more_than_its_size():
    """Two megabytes of noise behind a directory record: seconds, not hours."""
    made = Disc(1200)
    made.put(100, random.Random(1).randbytes(1000 * SECTOR))
    made.primary([record(b"NOISE", 100, 1000 * SECTOR, flags=2)], [(b"NOISE", 100, 1)])
    started = time.process_time()
    everything(bytes(made.data))
    assert time.process_time() - started < 5


@pytest.mark.tools
def test_thousands_of_files(tmp_path, tool):
    """A real tree of a size at which quadratic readers stand out."""
    tool("genisoimage")
    for folder in range(20):
        (tmp_path / "tree" / f"folder {folder}").mkdir(parents=True)
        for number in range(300):
            (tmp_path / "tree" / f"folder {folder}" / f"a file with number {number:04d}.txt").touch()
    command = ["genisoimage", "-quiet", "-R", "-J", "-o", tmp_path / "x.iso", tmp_path / "tree"]
    subprocess.run(command, check=True, capture_output=True)
    data = (tmp_path / "x.iso").read_bytes()
    started = time.process_time()
    counts = [
        sum(isinstance(noun, Entry) for noun in volume.walk())
        for volume in open_volumes(MemoryImage(data), 0, 1, 0)
    ]
    assert counts == [6020, 6020]
    assert time.process_time() - started < 1

"""Sessions that no table of contents records are found by their descriptors, and copies are told apart."""

import struct
import subprocess

import pytest

from acquire.geometry import SectorRange
from acquire.image import MemoryImage
from acquire.toc import Disc, Session, Track, TrackMode
from analyze.coverage import Claims
from analyze.sessions import (
    MAX_SETS,
    Root,
    Runs,
    UnownedScan,
    expected_starts,
    is_embedded,
    overwritable_starts,
    read_set,
)


def volume_descriptor(kind, *, root=20, space=50):
    """ECMA-119 §8.1, §8.4, by hand: type, CD001, version; space size at BP 81; root record at BP 157."""
    sector = bytearray(2048)
    sector[0:7] = bytes([kind]) + b"CD001\x01"
    sector[80:88] = struct.pack("<I", space) + struct.pack(">I", space)
    sector[156:158] = bytes([34, 0])
    sector[158:166] = struct.pack("<I", root) + struct.pack(">I", root)
    sector[166:174] = struct.pack("<I", 2048) + struct.pack(">I", 2048)
    return bytes(sector)


TERMINATOR = b"\xffCD001\x01" + bytes(2041)  # ECMA-119 §8.3


def structure_descriptor(identifier):
    """ECMA-167 2/9.1: type 0, identifier, version 1."""
    return b"\0" + identifier + b"\x01" + bytes(2041)


def directory(lba):
    """A directory sector that begins with its own record (ECMA-119 §6.8.2.2, §9.1)."""
    record = bytearray(34)
    record[0] = 34
    record[2:10] = struct.pack("<I", lba) + struct.pack(">I", lba)
    record[32] = 1
    return bytes(record) + bytes(2014)


def disc(size_sectors, sectors):
    """An image of zeros with the given sectors in it."""
    data = bytearray(size_sectors * 2048)
    for lba, sector in sectors.items():
        data[lba * 2048 : lba * 2048 + len(sector)] = sector
    return MemoryImage(bytes(data))


def test_a_set_ends_with_its_terminator():
    """What follows the terminator belongs to the next set, but for the ECMA-167 sequence (2/8.3.1)."""
    image = disc(
        40,
        {
            16: volume_descriptor(1, root=28, space=183),
            17: volume_descriptor(2, root=29),
            18: TERMINATOR,
            19: structure_descriptor(b"BEA01"),
            20: structure_descriptor(b"NSR02"),
            21: structure_descriptor(b"TEA01"),
            22: volume_descriptor(1, root=30, space=7),
        },
    )
    first, second = read_set(image, 16), read_set(image, 22)
    assert (first.lba, first.length_sectors, first.start_lba) == (16, 6, 0)
    assert first.roots == (Root(1, 28, 2048), Root(2, 29, 2048))
    assert first.space_sectors == 183
    assert first.identifiers == ("CD001", "BEA01", "NSR02", "TEA01")
    assert (second.length_sectors, second.space_sectors) == (1, 7)
    assert read_set(image, 15) is None
    assert read_set(image, 4000) is None
    assert read_set(image, -3) is None


def test_a_set_without_end_is_limited():
    """A thousand descriptors in a row are not one set."""
    image = disc(1100, {lba: volume_descriptor(2) for lba in range(16, 1016)})
    assert read_set(image, 16).length_sectors == 64


def test_a_short_last_sector_is_no_descriptor_to_read():
    """An image that is cut inside a descriptor: the descriptor is seen, its fields are not taken."""
    image = MemoryImage(disc(17, {16: volume_descriptor(1)}).read(0, 17)[:-100])
    assert read_set(image, 16).roots == ()


def test_descriptors_of_a_session_lead_to_absolute_addresses():
    """A session at 192 whose root is at 220; an image inside the image, whose root is 20 after its start."""
    image = disc(
        400,
        {
            208: volume_descriptor(1, root=220),
            209: TERMINATOR,
            220: directory(220),
            308: volume_descriptor(1, root=20),
            309: TERMINATOR,
            312: directory(20),
        },
    )
    assert not is_embedded(image, read_set(image, 208))
    assert is_embedded(image, read_set(image, 308))


def test_without_a_directory_to_judge_by_a_set_is_a_session():
    """Root directories that are damaged or past the image are no reason to call a session an image."""
    image = disc(300, {208: volume_descriptor(1, root=220), 258: volume_descriptor(1, root=2**32 - 1)})
    assert not is_embedded(image, read_set(image, 208))
    assert not is_embedded(image, read_set(image, 258))


@pytest.fixture
def xorriso_image(tool, tmp_path):
    """An image file that xorriso wrote three sessions into, the second without Joliet; its path."""
    xorriso = tool("xorriso")
    path = tmp_path / "three.iso"
    for number, name in enumerate(("one", "two", "three"), 1):
        (tmp_path / name).write_bytes(name.encode() * 1000)
        device = "-outdev" if number == 1 else "-dev"
        joliet = ["-joliet", "on"] if number == 1 else []
        subprocess.run(
            [
                xorriso,
                device,
                path,
                *joliet,
                "-volid",
                f"S{number}",
                "-map",
                tmp_path / name,
                f"/{name}",
                "-commit",
            ],
            check=True,
            capture_output=True,
        )
    return path


def reported_starts(tool, path):
    """The sessions' addresses as `xorriso -toc` says."""
    said = subprocess.run(
        [tool("xorriso"), "-indev", path, "-toc"], check=True, capture_output=True, text=True
    )
    rows = [line.split(",") for line in (said.stdout + said.stderr).splitlines() if "ISO session  :" in line]
    return [int(row[1]) for row in rows]


@pytest.mark.tools
def test_sessions_of_an_overwritable_image_are_those_that_xorriso_says(xorriso_image, tool):
    """The chain of libburn's sessions: the same addresses as `xorriso -toc`."""
    image = MemoryImage(xorriso_image.read_bytes())
    starts = reported_starts(tool, xorriso_image)
    assert len(starts) == 3
    assert overwritable_starts(image) == starts
    assert expected_starts(image) == [(1, starts[0]), (2, starts[1]), (3, starts[2])]


@pytest.mark.tools
def test_a_broken_chain_gives_the_sessions_before_the_break(xorriso_image, tool):
    """The second session's descriptor is wiped: the first remains (the scan finds the third)."""
    starts = reported_starts(tool, xorriso_image)
    data = bytearray(xorriso_image.read_bytes())
    data[(starts[1] + 16) * 2048 : (starts[1] + 17) * 2048] = bytes(2048)
    assert overwritable_starts(MemoryImage(bytes(data))) == starts[:1]


@pytest.mark.corpus
def test_no_chain_where_sessions_are_real(corpus):
    """Images with sessions at 0 and 192, at 0, 174, 348, and with one session, begin at 0."""
    for name in (
        "toolmade/multisession/genisoimage2.iso",
        "util-linux/blkid/images-fs/iso-multi-0-174-348-genisoimage.img",
        "libcdio/copying.iso",
    ):
        assert expected_starts(MemoryImage(corpus(name).read_bytes())) == [(1, 0)]


def test_a_file_that_is_an_image_is_no_chain():
    """An ISO file stored at LBA 32 puts its descriptors at 48; its addresses are its own."""
    image = disc(
        200,
        {
            16: volume_descriptor(1, root=20),
            20: directory(20),
            48: volume_descriptor(1, root=19),
            51: directory(19),
        },
    )
    assert overwritable_starts(image) == []


def test_a_chain_that_goes_nowhere_ends():
    """A volume space size of 0, and one of 4 billion, end the chain."""
    for space, expected in ((0, []), (2**32 - 1, [32]), (1, [32])):
        assert overwritable_starts(disc(100, {48: volume_descriptor(1, root=52, space=space)})) == expected


def test_recorded_sessions_begin_at_their_data_tracks():
    """Mixed mode (data, then audio) and CD-Extra (audio, then data): no volume is looked for in audio."""
    tracks = (
        Track(1, 1, TrackMode.AUDIO, 0, 300),
        Track(1, 2, TrackMode.MODE1, 300, 300),
        Track(1, 3, TrackMode.MODE1, 600, 300),
        Track(2, 4, TrackMode.MODE2_FORM1, 12_000, 300),
    )
    recorded = Disc(
        (
            Session(1, 0, 900, tracks[:3]),
            Session(2, 12_000, 300, tracks[3:]),
            Session(3, 20_000, 10, (Track(3, 5, TrackMode.AUDIO, 20_000, 10),)),
            Session(4, 30_000, 10, ()),
        ),
        recorded=True,
    )
    image = MemoryImage(b"", disc=recorded)
    assert expected_starts(image) == [(1, 300), (1, 600), (2, 12_000), (4, 30_000)]


class Recorder(MemoryImage):
    """A real image in memory that notes which sectors are read by how many calls."""

    def __init__(self, data, **options):
        """Nothing is read yet."""
        super().__init__(data, **options)
        self.reads = []

    def read(self, lba, count=1):
        """Read, and note it."""
        self.reads.append((lba, count))
        return super().read(lba, count)


def scan(image, owned=()):
    """A scan of what `owned` leaves."""
    claims = Claims(image.sector_count)
    for span in owned:
        claims.claim(*span)
    return UnownedScan(image, claims.coverage), claims


def test_only_sectors_that_nobody_owns_are_read():
    """A descriptor inside a file's extent is that file's business."""
    data = disc(3000, {500: volume_descriptor(1), 2000: volume_descriptor(1), 2001: TERMINATOR}).read(0, 3000)
    image = Recorder(data)
    scanned, _ = scan(image, [SectorRange(0, 16), SectorRange(400, 200)])
    assert [(found.lba, found.length_sectors) for found in scanned.sets()] == [(2000, 2)]
    touched = {lba for start, count in image.reads for lba in range(start, min(start + count, 3000))}
    assert touched == set(range(3000)) - set(range(16)) - set(range(400, 600))


def test_what_a_found_session_owns_is_not_scanned():
    """After a set is found, its volume's sectors are left out of the rest of the scan."""
    image = disc(3000, {100: volume_descriptor(1), 900: volume_descriptor(1), 950: b"data", 2000: b"data"})
    scanned, claims = scan(image)
    found = []
    for one in scanned.sets():
        found.append(one.lba)
        claims.claim(one.lba, 900)
    assert found == [100]
    assert scanned.data.ranges == [SectorRange(100, 1), SectorRange(2000, 1)]


def test_unread_sectors_are_not_tried_again():
    """A scan reads around what the image says was not read."""
    data = disc(2000, {1500: volume_descriptor(1)}).read(0, 2000)
    image = Recorder(data, unread=(SectorRange(100, 700), SectorRange(1490, 5)))
    scanned, _ = scan(image)
    assert [found.lba for found in scanned.sets()] == [1500]
    touched = {lba for start, count in image.reads for lba in range(start, start + count)}
    assert not touched & {*range(100, 800), *range(1490, 1495)}


def test_sectors_that_are_not_blank_are_noted_once():
    """Data in the first sector, in a row across a block of the scan, and in a short last sector."""
    image = disc(1200, {0: b"x", **dict.fromkeys(range(505, 520), b"y"), 1199: b"z"})
    image = MemoryImage(image.read(0, 1200) + b"tail")
    scanned, _ = scan(image)
    assert list(scanned.sets()) == []
    assert scanned.data.ranges == [SectorRange(0, 1), SectorRange(505, 15), SectorRange(1199, 2)]


def test_ecma167_sequences_are_sets_too():
    """UDF sessions of one image: at 16, 336 and 656, as `BEA01` says."""
    image = disc(
        960,
        {
            start + n: structure_descriptor(name)
            for start in (16, 336, 656)
            for n, name in enumerate((b"BEA01", b"NSR03", b"TEA01"))
        },
    )
    scanned, _ = scan(image)
    assert [(found.start_lba, found.identifiers) for found in scanned.sets()] == [
        (start, ("BEA01", "NSR03", "TEA01")) for start in (0, 320, 640)
    ]


@pytest.mark.corpus
def test_sets_of_real_images(corpus):
    """The addresses that blkid's own tests and genisoimage's command line give."""
    for name, starts in (
        ("toolmade/multisession/genisoimage2.iso", [0, 192]),
        ("util-linux/blkid/images-fs/iso-multi-0-174-348-genisoimage.img", [0, 174, 348]),
        ("util-linux/blkid/images-fs/udf-multi-0-320-640-mkudffs.img", [0, 320, 640]),
    ):
        scanned, _ = scan(MemoryImage(corpus(name).read_bytes()))
        assert [found.start_lba for found in scanned.sets()] == starts, name


def test_an_image_of_nothing_but_descriptors_ends():
    """Every second sector is a descriptor: so many sets are taken, the rest is data."""
    image = disc(4000, {lba: volume_descriptor(1) for lba in range(0, 4000, 2)})
    scanned, _ = scan(image)
    assert sum(1 for _ in scanned.sets()) == MAX_SETS
    assert sum(count for _, count in scanned.data.ranges) == 2000


def test_runs_are_joined_and_limited():
    """Neighbours become one range; past the limit sectors are only counted."""
    runs = Runs(limit=2)
    for lba in (5, 6, 9, 12, 20, 21):
        runs.add(lba)
    assert runs.ranges == [SectorRange(5, 2), SectorRange(9, 1)]
    assert runs.dropped == 3

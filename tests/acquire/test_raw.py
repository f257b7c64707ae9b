"""RawImage: plain bytes, and the 2048-byte view of whole CD sectors, from bytes assembled by ECMA-130."""

import errno
import os
import random
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import open_image
from acquire.containers.raw import RawImage, SectorKind
from acquire.edcecc import edc
from acquire.errors import SourceError
from acquire.image import Image
from acquire.sectormap import SectorMap, Status
from acquire.toc import TrackMode

SYNC = bytes.fromhex("00ffffffffffffffffffff00")  # ECMA-130 14.1


def bcd(number: int) -> int:
    return number // 10 * 16 + number % 10


def header(lba: int, mode: int) -> bytes:
    """ECMA-130 14.2: sync, then minutes, seconds, frames in BCD from 00:02:00, and the mode."""
    frames = lba + 150
    return SYNC + bytes([bcd(frames // 4500), bcd(frames // 75 % 60), bcd(frames % 75), mode])


def mode1(lba: int, data: bytes) -> bytes:
    """ECMA-130 14.3: 2048 bytes at 16, EDC at 2064; parity is not looked at and left zero."""
    return (header(lba, 1) + data).ljust(2352, b"\0")


def mode2(lba: int, data: bytes, *, form: int = 1) -> bytes:
    """CD-ROM XA: the sub-header twice at 16; its third byte's bit 5 says form 2; data at 24."""
    subheader = bytes([0, 0, 0x28 if form == 2 else 0x08, 0])
    return (header(lba, 2) + subheader * 2 + data).ljust(2352, b"\0")


def sectors_of(count: int, seed: int = 0) -> list[bytes]:
    made = random.Random(seed)
    return [made.randbytes(2048) for _ in range(count)]


def write(path: Path, *pieces: bytes) -> Path:
    path.write_bytes(b"".join(pieces))
    return path


def test_plain_bytes(tmp_path: Path):
    """Sectors of 2048 bytes, the last one short; nothing outside."""
    data = os.urandom(5 * 2048 + 7)
    with RawImage(write(tmp_path / "a.iso", data)) as image:
        assert isinstance(image, Image)
        assert (image.size_bytes, image.sector_count, image.raw_sector_bytes, image.kind) == (
            10247,
            6,
            2048,
            "raw",
        )
        assert image.read(0, 6) == data
        assert image.read(5) == data[10240:]
        assert image.read(4, 100) == data[8192:]
        assert (image.read(6), image.read(-1), image.read(0, 0), image.read(0, -5)) == (b"", b"", b"", b"")
        assert image.unread() == ()
        assert image.disc.sessions[0].tracks[0].mode == TrackMode.DATA
        assert image.disc.recorded is False
        assert image.read_raw(5) == data[10240:]


@pytest.mark.parametrize("size", [1, 2047, 2048, 2049, 2352, 4704])
def test_odd_sizes(tmp_path: Path, size):
    """Any size is exact, and bytes that only have a CD sector's size are plain."""
    data = os.urandom(size)
    with RawImage(write(tmp_path / "a", data)) as image:
        assert image.size_bytes == size
        assert image.sector_count == -(-size // 2048)
        assert image.read(0, 99) == data


def test_nothing(tmp_path: Path):
    """An empty file and no file are sentences."""
    with pytest.raises(SourceError, match="Empty: 0 bytes"):
        RawImage(write(tmp_path / "a", b""))
    with pytest.raises(SourceError, match="No such file"):
        open_image(tmp_path / "absent")
    with pytest.raises(SourceError, match="A folder"):
        open_image(tmp_path)


def test_mode1(tmp_path: Path):
    """Mode 1: the user data of every sector, from 16 (ECMA-130 14.3)."""
    data = sectors_of(40)
    path = write(tmp_path / "a.bin", *(mode1(lba, each) for lba, each in enumerate(data)))
    with RawImage(path) as image:
        assert (image.raw_sector_bytes, image.raw_size_bytes, image.kind) == (2352, 40 * 2352, "raw cd")
        assert (image.size_bytes, image.sector_count) == (40 * 2048, 40)
        assert image.read(0, 40) == b"".join(data)
        assert image.read(39, 5) == data[39]
        assert image.read_raw(7) == path.read_bytes()[7 * 2352 : 8 * 2352]
        assert image.disc.sessions[0].tracks[0].mode == TrackMode.MODE1
        assert image.unread() == ()


def test_mode2_forms(tmp_path: Path):
    """Form 1 gives its data from 24; form 2 has no 2048 bytes: zeros, unread, and named for what it is."""
    data = sectors_of(40)
    made = [mode2(lba, each) for lba, each in enumerate(data)]
    for lba in (20, 21, 30):
        made[lba] = mode2(lba, os.urandom(2324), form=2)
    with RawImage(write(tmp_path / "a.bin", *made)) as image:
        whole = image.read(0, 40)
        for lba in range(40):
            wanted = bytes(2048) if lba in (20, 21, 30) else data[lba]
            assert whole[lba * 2048 : (lba + 1) * 2048] == wanted
        assert image.unread() == ((20, 2), (30, 1))
        assert image.not_data() == {SectorKind.FORM2: ((20, 2), (30, 1))}
        assert image.disc.sessions[0].tracks[0].mode == TrackMode.MODE2


def test_sectors_that_are_not_data(tmp_path: Path):
    """Audio, mode 0, unknown modes and mode 2 without a form are never given as data."""
    made = [mode1(lba, each) for lba, each in enumerate(sectors_of(30))]
    made[20] = os.urandom(2352)
    made[21] = header(21, 0).ljust(2352, b"\0")
    made[22] = header(22, 3).ljust(2352, b"x")
    made[23] = header(23, 2) + os.urandom(2336)
    with RawImage(write(tmp_path / "a.bin", *made)) as image:
        assert image.unread() == ()
        assert image.read(19, 6)[2048 : 5 * 2048] == bytes(4 * 2048)
        assert image.unread() == ((20, 4),)
        assert image.not_data() == {
            SectorKind.NO_SYNC: ((20, 1),),
            SectorKind.MODE0: ((21, 1),),
            SectorKind.OTHER: ((22, 1),),
            SectorKind.FORMLESS: ((23, 1),),
        }


def test_a_damaged_subheader(tmp_path: Path):
    """Sub-header copies that differ: form 1 if its EDC is right (CD-ROM XA), else not data."""
    data = sectors_of(20)
    made = [bytearray(mode2(lba, each)) for lba, each in enumerate(data)]
    for lba in (5, 6):
        made[lba][16] ^= 0x40
    # The EDC of form 1, bytes 16 to 2071, computed bit by bit from the polynomial of ECMA-130 14.3.
    remainder = 0
    for byte in made[5][16:2072]:
        remainder ^= byte
        for _ in range(8):
            remainder = remainder >> 1 ^ (0xD8018001 if remainder & 1 else 0)
    made[5][2072:2076] = remainder.to_bytes(4, "little")
    with RawImage(write(tmp_path / "a.bin", *made)) as image:
        assert image.read(5) == data[5]
        assert image.read(6) == bytes(2048)
        assert image.not_data() == {SectorKind.FORMLESS: ((6, 1),)}


def test_one_sync_is_not_enough(tmp_path: Path):
    """A plain image whose first bytes look like a CD sector is plain."""
    data = mode1(0, os.urandom(2048)) + os.urandom(39 * 2352)
    with RawImage(write(tmp_path / "a.iso", data)) as image:
        assert image.raw_sector_bytes == 2048
        assert image.read(0, 100) == data


def test_a_raw_image_in_a_plain_one(tmp_path: Path):
    """A plain image that holds a raw one, at a place where the sectors line up, is plain."""
    inner = b"".join(mode1(lba, each) for lba, each in enumerate(sectors_of(1000)))
    data = bytes(147 * 2048) + inner  # 147 sectors of 2048 bytes are 128 of 2352
    with RawImage(write(tmp_path / "a.iso", data)) as image:
        assert image.raw_sector_bytes == 2048


@pytest.mark.parametrize("damaged", [range(16), range(10), range(3, 60)])
def test_a_damaged_beginning(tmp_path: Path, damaged):
    """A raw image is known by sectors elsewhere, headed by their own address, if its first are damaged."""
    data = sectors_of(2000)
    made = [mode1(lba, each) for lba, each in enumerate(data)]
    for lba in damaged:
        made[lba] = b"\x55" * 2352
    with RawImage(write(tmp_path / "a.bin", *made)) as image:
        assert image.raw_sector_bytes == 2352
        assert image.read(100, 50) == b"".join(data[100:150])


def test_audio_first(tmp_path: Path):
    """A disc of audio, then data (CD-Extra): raw; a disc of audio alone has no sync and is plain bytes."""
    audio = [os.urandom(2352) for _ in range(300)]
    data = sectors_of(600)
    made = [mode2(300 + number, each) for number, each in enumerate(data)]
    with RawImage(write(tmp_path / "a.bin", *audio, *made)) as image:
        assert image.raw_sector_bytes == 2352
        assert image.read(300, 600) == b"".join(data)
        assert image.read(10, 2) == bytes(4096)
    with RawImage(write(tmp_path / "b.bin", *audio)) as image:
        assert image.raw_sector_bytes == 2048


def test_descriptors_say_plain(tmp_path: Path):
    """A plain image with its descriptors at sector 16 is plain, whatever lies at raw sectors' addresses."""
    whole = bytearray(2352 * 2000)
    for lba in range(0, 2000, 41):
        whole[lba * 2352 : lba * 2352 + 16] = header(lba, 1)
    whole[16 * 2048 : 16 * 2048 + 6] = b"\x01CD001"
    with RawImage(write(tmp_path / "a.iso", bytes(whole))) as image:
        assert image.raw_sector_bytes == 2048


@pytest.mark.parametrize(
    ("rest", "kept"), [(1, 0), (16, 0), (17, 1), (1000, 984), (2064, 2048), (2351, 2048)]
)
def test_a_file_cut_inside_a_sector(tmp_path: Path, rest, kept):
    """The user data of the last, cut sector are those bytes that are there."""
    data = sectors_of(20)
    whole = b"".join(mode1(lba, each) for lba, each in enumerate(data))
    with RawImage(write(tmp_path / "a.bin", whole[: 19 * 2352 + rest])) as image:
        assert image.size_bytes == 19 * 2048 + kept
        assert image.sector_count == 19 + bool(kept)
        assert image.read(18, 9) == data[18] + data[19][:kept]


def test_one_cd_sector(tmp_path: Path):
    """A file of one CD sector is one; with more bytes behind it, it is plain."""
    data = sectors_of(1)[0]
    with RawImage(write(tmp_path / "a.bin", mode1(166, data))) as image:
        assert image.read(0) == data
    with RawImage(write(tmp_path / "b.bin", mode1(166, data), b"more")) as image:
        assert image.raw_sector_bytes == 2048


def test_failing_reads(tmp_path: Path, monkeypatch):
    """A sector that cannot be read is zeros and unread from then on; its neighbours are data."""
    data = os.urandom(32 * 2048)
    image = RawImage(write(tmp_path / "a.iso", data))
    real = os.pread

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        if any(offset < (lba + 1) * 2048 and lba * 2048 < offset + length for lba in (7, 8, 31)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", pread)
    assert image.unread() == ()
    read = image.read(0, 32)
    assert read == data[: 7 * 2048] + bytes(4096) + data[9 * 2048 : 31 * 2048] + bytes(2048)
    assert image.unread() == ((7, 2), (31, 1))
    image.close()


def test_the_map_beside_it(tmp_path: Path):
    """What the map of the same name does not call finished is unread; the bytes stay as they are."""
    path = write(tmp_path / "EX-1.iso", os.urandom(20 * 2048))
    made = SectorMap(20 * 2048, Status.FINISHED)
    made.mark(3 * 2048, 2048, Status.BAD)
    made.mark(9 * 2048 + 5, 1, Status.NON_TRIED)
    for name in ("EX-1.map", "EX-1.iso.mapfile"):
        made.save(tmp_path / name)
        with RawImage(path) as image:
            assert image.unread() == ((3, 1), (9, 1))
            assert image.read(0, 20) == path.read_bytes()
            assert image.notes == ()
        (tmp_path / name).unlink()


def test_maps_that_do_not_fit(tmp_path: Path):
    """A map too short leaves the rest unread; one too long, and another kind of file, are noted."""
    path = write(tmp_path / "a.iso", os.urandom(10 * 2048))
    SectorMap(4 * 2048 + 1, Status.FINISHED).save(tmp_path / "a.map")
    with RawImage(path) as image:
        assert image.unread() == ((4, 6),)
        assert "ends at byte 8193" in image.notes[0]
    longer = SectorMap(12 * 2048, Status.FINISHED)
    longer.mark(9 * 2048, 3 * 2048, Status.BAD)
    longer.save(tmp_path / "a.map")
    with RawImage(path) as image:
        assert image.unread() == ((9, 1),)
        assert "past the image" in image.notes[0]
    (tmp_path / "a.map").write_text("Memory Configuration\n")
    with RawImage(path) as image:
        assert image.unread() == ()
        assert "not used as its map" in image.notes[0]


def test_map_of_cd_sectors(tmp_path: Path):
    """The map of a raw image counts its 2352-byte sectors."""
    data = sectors_of(20)
    path = write(tmp_path / "a.bin", *(mode1(lba, each) for lba, each in enumerate(data)))
    made = SectorMap(20 * 2352, Status.FINISHED)
    made.mark(7 * 2352, 2352, Status.BAD)
    made.save(tmp_path / "a.map")
    with RawImage(path) as image:
        assert image.unread() == ((7, 1),)


@given(st.binary(max_size=20000), st.integers(0, 12), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_any_bytes(tmp_path_factory, data, lba, count):
    """Any bytes open, read inside their size, and give no more than they have."""
    path = write(tmp_path_factory.mktemp("any") / "a", b"x", data)
    with RawImage(path) as image:
        read = image.read(lba, count)
        assert len(read) == max(0, min(count * 2048, image.size_bytes - lba * 2048))
        assert image.size_bytes <= len(data) + 1


@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 2351), st.integers(1, 255)), max_size=40))
@settings(max_examples=60, deadline=None)
def test_flipped_bits_in_cd_sectors(tmp_path_factory, flips):
    """Whatever is flipped in a raw image, each sector is its own user data, or zeros and unread."""
    whole = bytearray(b"".join(mode1(lba, each) for lba, each in enumerate(sectors_of(30))))
    for lba, at, mask in flips:
        whole[lba * 2352 + at] ^= mask
    path = write(tmp_path_factory.mktemp("flip") / "a", bytes(whole))
    with RawImage(path) as image:
        if image.raw_sector_bytes == 2048:
            return
        read = image.read(0, 30)
        unread = {lba for run in image.unread() for lba in range(run.start_lba, run.end_lba)}
        for lba in range(30):
            sector = whole[lba * 2352 : (lba + 1) * 2352]
            given = read[lba * 2048 : (lba + 1) * 2048]
            assert given in (sector[16:2064], sector[24:2072]) if lba not in unread else given == bytes(2048)


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "mode", "label", "count"),
    [
        ("libcdio/isofs-m1.bin", TrackMode.MODE1, b"CDROM", 302),
        ("cue2ccd/onetrack/bincue/basic_image.bin", TrackMode.MODE1, b"VOL_ID", 316),
        ("toolmade/vcd/bincue/vcd2.bin", TrackMode.MODE2, b"TOOLVCD2", 1181),
        ("toolmade/img4dc/dd1.mdf", TrackMode.MODE2, b"", 604),
    ],
)
def test_real_images(corpus, name, mode, label, count):
    """Images by other programs: their sectors, mode, and at sector 16 their volume descriptor."""
    with RawImage(corpus(name)) as image:
        assert image.raw_sector_bytes == 2352
        assert image.sector_count == count
        assert image.disc.sessions[0].tracks[0].mode == mode
        descriptor = image.read(16)
        assert descriptor[:6] == b"\x01CD001"
        assert descriptor[40:].startswith(label)


@pytest.mark.corpus
def test_form2_of_a_real_video_cd(corpus):
    """A Video CD's tracks 2 and 3 (LSN 498 and 797) are form 2: never given as 2048 bytes of data."""
    with RawImage(corpus("toolmade/vcd/bincue/vcd2.bin")) as image:
        assert image.read(600, 100) == bytes(100 * 2048)
        assert image.not_data() == {SectorKind.FORM2: ((600, 100),)}
        image.read(300, 14)
        assert all(run.start_lba >= 600 for run in image.unread())


@pytest.mark.corpus
def test_single_sectors_with_their_verdict(corpus, tmp_path: Path):
    """Sectors that another project made right or wrong, among good ones: given if they can be proven."""
    cases: dict[str, int | None] = {
        "cdi_0_sector17_valid_sync_valid_mode2_form1.bin": 24,
        "cdi_1_sector17_invalid_sync_valid_mode2_form1.bin": 24,
        "cdi_2_sector17_invalid_sync_valid_mode2_form1_edc_error.bin": None,
        "cdi_3_sector17_invalid_sync_valid_mode2_form1_ecc_p_error.bin": 24,
        "ibmpc_0_sector0_valid_sync_valid_mode1.bin": 16,
        "ibmpc_3_sector0_invalid_sync_valid_mode1_edc_error.bin": None,
        "psx_0_sector12_valid_sync_valid_mode2_form2_with_edc.bin": None,
        "psx_1_sector12_invalid_sync_valid_mode2_form2_with_edc.bin": None,
    }
    good = [mode1(lba, each) for lba, each in enumerate(sectors_of(19))]
    for name, offset in cases.items():
        sector = corpus(f"DiscImageCreator-test/{name}").read_bytes()
        with RawImage(write(tmp_path / "a.bin", *good, sector)) as image:
            wanted = bytes(2048) if offset is None else sector[offset : offset + 2048]
            assert image.read(19) == wanted, name
            assert bool(image.unread()) is (offset is None), name


@pytest.mark.corpus
def test_edc_of_real_sectors(corpus):
    """The EDC that real sectors record (bytes 2064 of mode 1, 2072 of form 1) is the one computed."""
    sector = corpus("DiscImageCreator-test/ibmpc_0_sector0_valid_sync_valid_mode1.bin").read_bytes()
    assert edc(sector[:2064]) == int.from_bytes(sector[2064:2068], "little")
    sector = corpus("DiscImageCreator-test/cdi_0_sector17_valid_sync_valid_mode2_form1.bin").read_bytes()
    assert edc(sector[16:2072]) == int.from_bytes(sector[2072:2076], "little")


@pytest.mark.corpus
def test_what_ddrescue_lost(corpus, tmp_path: Path):
    """An image that ddrescue made, with its map beside it: what it lost is unread."""
    for name in ("bad_finished.iso", "bad_finished.mapfile"):
        (tmp_path / name).symlink_to(corpus(f"toolmade/ddrescue/{name}"))
    with RawImage(tmp_path / "bad_finished.iso") as image:
        assert image.unread() == ((25, 1), (49, 1), (51, 1), (65, 10))


@pytest.mark.tools
def test_like_7z(tool, tmp_path: Path):
    """An ISO by genisoimage, wrapped into CD sectors: 7z reads the same files from the 2048-byte view."""
    tree = tmp_path / "tree"
    tree.mkdir()
    content = os.urandom(100_000)
    (tree / "FILE.BIN").write_bytes(content)
    iso = tmp_path / "a.iso"
    subprocess.run([tool("genisoimage"), "-quiet", "-o", iso, tree], check=True, capture_output=True)
    plain = iso.read_bytes()
    raw = [mode2(lba, plain[lba * 2048 : lba * 2048 + 2048]) for lba in range(len(plain) // 2048)]
    with RawImage(write(tmp_path / "a.bin", *raw)) as image:
        write(tmp_path / "cooked.iso", image.read(0, image.sector_count))
    out = subprocess.run(
        [tool("7z"), "e", "-so", tmp_path / "cooked.iso", "FILE.BIN"], check=True, capture_output=True
    )
    assert out.stdout == content


@pytest.mark.root
def test_a_block_device(tmp_path: Path, loop_device):
    """A device opens as plain sectors."""
    file = write(tmp_path / "a", *(mode1(lba, each) for lba, each in enumerate(sectors_of(128))))
    with open_image(loop_device(file)) as image:  # type: ignore[attr-defined]
        assert image.raw_sector_bytes == 2048
        assert image.read(0, 200) == file.read_bytes()

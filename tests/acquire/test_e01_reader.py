"""The E01 reader against containers that others made, against libewf, and against damage."""

import hashlib
import random
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyewf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import open_image
from acquire.containers.e01_reader import E01Image
from acquire.errors import ContainerError
from acquire.geometry import SectorRange
from acquire.image import Image
from acquire.toc import Session, TrackMode
from tests.acquire.e01_made import CHUNK, dense, whole, write

# Made by FTK Imager and several versions of libewf; sha256 of the media as libewf reads it.
OTHERS = {
    "dfvfs/hist/image.E01": ("a9c0220b1dadd1812fc4bbe137f495d2c3b88c7b33b5a4de545d201fd31b3bc0"),
    "ewf-forensic/imageformat_mmls_1.E01": (
        "e7eb6fca46bebeedc4af4cc5bfe9675691bab8ce471315317b561a28899e7902"
    ),
    "toolmade/ewf/joliet_encase5_none.E01": (
        "012e98c69064109aa5cfdb0ed1d7ac8941e5a66a373b57f01c32e9be759a1789"
    ),
    "toolmade/ewf/joliet_encase6_best.E01": (
        "012e98c69064109aa5cfdb0ed1d7ac8941e5a66a373b57f01c32e9be759a1789"
    ),
    "dfvfs/ext2.E01": ("a6c2f0e39afe6c6ab432ca5465349fcefe8dc944398e97b2d957d3f89dbb5d80"),
    "keramics/ewf/ext2.E01": ("774a6a407b0d3268fef4a180a3b0700f3932d7748d2a0a3e9521a36e2e1994f7"),
    "sleuthkit/image.E01": ("0add63db3dc87ee60438e0fb94b526462502ba9f87e7a78bb0efe858668b1108"),
    "bulk_extractor/tests/Images/german_utf8.E01": (
        "f29788ccb1e29137d13043a69963c09694f2c41291048b084923b14cbce0ae80"
    ),
    "bulk_extractor/tests/Images/kml_samples.E01": (
        "c1ed2cd9f411527fde390ae3c21b5250829772d97af6b8cc412e962b49315d8b"
    ),
    "ewf-forensic/exfat1.E01": ("af6f974495187c35050d5c66d271617a1ec00d446adcf8590d7042ad2bf02bb7"),
}


@pytest.mark.corpus
@pytest.mark.parametrize("name", OTHERS)
def test_a_container_of_another_program_reads_as_published(corpus, name: str):
    """Media, digests and case fields of real containers, and no problem found in any of them."""
    path = corpus(name)
    with E01Image(path) as image:
        data = whole(image)
        assert hashlib.sha256(data).hexdigest() == OTHERS[name]
        assert image.stored_md5 == hashlib.md5(data).hexdigest()
        assert image.stored_sha1 in (None, hashlib.sha1(data).hexdigest())
        assert image.problems == ()
        assert image.unread() == ()
        handle = pyewf.handle()
        handle.open(pyewf.glob(str(path)))
        theirs = handle.get_header_values()
        handle.close()
        for ours, name_there in (
            ("case_number", "case_number"),
            ("evidence_number", "evidence_number"),
            ("description", "description"),
            ("examiner", "examiner_name"),
            ("notes", "notes"),
            ("version", "acquiry_software_version"),
        ):
            assert image.header.get(ours, "") == theirs.get(name_there, ""), ours


@pytest.mark.corpus
def test_a_container_in_two_segments(corpus, tmp_path: Path):
    """Both segments are found whichever of them is named; their names may be in lower case."""
    digest = OTHERS["dfvfs/ext2.E01"]
    first, second = corpus("dfvfs/ext2.split.E01"), corpus("dfvfs/ext2.split.E02")
    lower = [tmp_path / "ext2.split.e01", tmp_path / "ext2.split.e02"]
    shutil.copy(first, lower[0])
    shutil.copy(second, lower[1])
    for path in (first, second, *lower):
        with E01Image(path) as image:
            assert [segment.suffix.upper() for segment in image.segments] in (
                [".E01", ".E02"],
                [".E02", ".E01"],
            )
            assert hashlib.sha256(whole(image)).hexdigest() == digest
            assert image.problems == ()


@pytest.mark.corpus
def test_a_malformed_container_is_refused_in_one_sentence(corpus):
    """A crashing file of another parser's fuzzer is no container here, and no crash."""
    with pytest.raises(ContainerError, match="volume section"):
        open_image(corpus("ewf-forensic/fuzz-crash-parse_segment-add-overflow.E01"))


FORMATS = ["ftk", "encase2", "encase3", "encase4", "encase5", "encase6", "linen5", "linen6", "ewfx"]


@pytest.mark.tools
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("compression", ["none", "empty-block", "fast", "best"])
def test_what_ewfacquire_writes_is_read(tmp_path: Path, tool, form: str, compression: str):
    """All of ewfacquire's E01 flavours and compressions, in segments, byte for byte and without a problem."""
    data = dense(2_500_096, seed=3) + bytes(700_000 // 512 * 512)
    source = tmp_path / "source.bin"
    source.write_bytes(data)
    command = [tool("ewfacquire"), "-u", "-q", "-f", form, "-c", compression, "-S", "1048576", "-d", "sha1"]
    fields = ["-C", "C-1", "-D", "a disc", "-e", "A. Examiner", "-E", "E-1", "-N", "no notes"]
    subprocess.run(
        [*command, *fields, "-t", tmp_path / "out", source],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    first = next(path for path in tmp_path.iterdir() if path.suffix.lower() == ".e01")
    with E01Image(first) as image:
        assert whole(image) == data
        assert image.read(0, image.sector_count) == data
        assert image.stored_md5 == hashlib.md5(data).hexdigest()
        assert len(image.segments) == len(list(tmp_path.iterdir())) - 1
        assert image.problems == ()
        fields_read = {name: image.header[name] for name in ("case_number", "description", "examiner")}
        assert fields_read == {"case_number": "C-1", "description": "a disc", "examiner": "A. Examiner"}


@pytest.mark.tools
def test_sessions_that_ewfacquire_recorded(tmp_path: Path, tool):
    """Two data sessions of a CUE sheet: the first is recorded at 16 and begins at 0."""
    source = tmp_path / "disc.iso"
    source.write_bytes(dense(1500 * 2048))
    sheet = tmp_path / "disc.cue"
    sheet.write_text(
        'REM SESSION 01\nFILE "disc.iso" BINARY\n  TRACK 01 MODE1/2048\n    INDEX 01 00:00:00\n'
        "REM SESSION 02\n  TRACK 02 MODE1/2048\n    INDEX 01 00:10:00\n"
    )
    subprocess.run(
        [tool("ewfacquire"), "-u", "-q", "-m", "optical", "-t", tmp_path / "out", "-T", sheet, source],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    with E01Image(tmp_path / "out.E01") as image:
        assert image.disc.recorded
        found = [
            (session.number, session.start_lba, session.length_sectors) for session in image.disc.sessions
        ]
        assert found == [(1, 0, 750), (2, 750, 750)]
        assert [track.mode for session in image.disc.sessions for track in session.tracks] == [
            TrackMode.DATA
        ] * 2


# ---- the image ------------------------------------------------------------------------------------


def test_it_is_an_image(tmp_path: Path):
    """`open_image` gives it by content, and it answers as the protocol says, at every edge."""
    data = dense(5 * CHUNK + 1000)
    (path,) = write(tmp_path, data)
    plain_name = tmp_path / "evidence.bin"
    path.rename(plain_name)
    image = open_image(plain_name)
    assert isinstance(image, E01Image)
    assert isinstance(image, Image)
    with image:
        assert (image.name, image.size_bytes) == ("evidence.bin", len(data))
        assert image.sector_count == 81
        assert not image.disc.recorded
        assert image.read(80, 5) == data[80 * 2048 :]
        assert image.read(81) == image.read(-1) == image.read(0, 0) == image.read(1 << 70) == b""
        assert image.read_bytes(CHUNK - 1, 2) == data[CHUNK - 1 : CHUNK + 1]
        assert image.read_bytes(-1, 5) == image.read_bytes(len(data), 1) == image.read_bytes(0, -1) == b""
        assert image.unread() == ()


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 3_100_000), st.integers(0, 3_100_000))
def test_reads_at_any_place_are_the_medium(big: tuple[Path, bytes], offset: int, size: int):
    """Any offset and length, within one chunk or over all of them."""
    path, data = big
    with E01Image(path) as image:
        for _ in range(2):  # from the file, then from the cache
            assert image.read_bytes(offset, size) == data[offset : offset + size]


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A container of 3 MB in segments, and its media data."""
    data = dense(3_000_000)
    folder = tmp_path_factory.mktemp("big") / "run"
    return write(folder, data, segment_size_bytes=200_000)[0], data


def test_many_threads_may_read(big: tuple[Path, bytes]):
    """Eight threads at random places at once, small and large reads, all right."""
    path, data = big

    def read(seed: int) -> bool:
        chance = random.Random(seed)
        right = True
        for _ in range(100):
            offset = chance.randrange(len(data))
            size = chance.choice((1, 2048, 70_000, 1 << 20))
            right = right and image.read_bytes(offset, size) == data[offset : offset + size]
        return right

    with E01Image(path) as image, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(read, range(8)))


def test_blocks_may_be_left_early(big: tuple[Path, bytes]):
    """Whoever stops in the middle of the medium leaves no thread behind."""
    path, data = big
    with E01Image(path) as image:
        blocks = image.blocks()
        assert next(blocks) == data[: 1 << 20]
        blocks.close()
        assert whole(image) == data


def test_what_was_recorded_comes_back(tmp_path: Path):
    """Unread ranges in 512-byte sectors become the 2048-byte sectors they touch; sessions and fields too."""
    data = dense(400 * 2048)
    tail = {"unread": [SectorRange(3, 2), SectorRange(1599, 1)], "sessions": [Session(1, 0, 100, ())]}
    paths = write(tmp_path, data, bytes_per_sector=512, segment_size_bytes=100_000, tail=tail)
    with E01Image(paths[0]) as image:
        assert image.unread() == (SectorRange(0, 2), SectorRange(399, 1))
        assert image.header["case_number"] == "2026-014"
        assert image.header["examiner"] == "A. Exämíner 検査官"
        assert image.header["notes"] == "one two three"
        assert image.header["serial"] == "S/N 123"
        assert image.header["acquired"] == "1777863721"
        assert image.segments == tuple(paths)
        assert image.disc.recorded
        assert image.problems == ()


def test_other_files_beside_it_are_not_taken_for_segments(tmp_path: Path):
    """.IMG, .MAP, .LOG and .ISO could be the names of far segments; what is in them says no."""
    data = dense(100_000)
    (path,) = write(tmp_path, data)
    for name in ("EX-1.map", "EX-1.img", "EX-1.iso", "EX-1.log", "EX-1.E07", "EX-2.E02"):
        (tmp_path / name).write_bytes(b"# a map of ddrescue\n" * 10)
    with E01Image(path) as image:
        assert image.segments == (path,)
        assert image.problems == ()

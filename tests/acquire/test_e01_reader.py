"""The E01 reader against containers that others made, against libewf, and against damage."""

import hashlib
import random
import shutil
import struct
import subprocess
import time
import tracemalloc
import uuid
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyewf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import open_image
from acquire.containers.e01_reader import E01Image
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues, sector_bytes_for
from acquire.errors import ContainerError, SourceError
from acquire.geometry import SectorRange
from acquire.image import Image
from acquire.toc import Session, TrackMode

CHUNK = 32768
GUID = uuid.UUID("12345678-90ab-4def-9234-567890abcdef")
CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)


def media(size: int, seed: int = 7) -> bytes:
    """Bytes that deflate well, badly and not at all, and never repeat from sector to sector."""
    source = random.Random(seed)
    made = bytearray()
    while len(made) < size:
        length = source.randrange(1, 90000)
        made += (
            source.randbytes(length) if source.randrange(2) else source.randbytes(length // 4).hex().encode()
        )
    return bytes(made[:size])


def write(
    folder: Path, data: bytes, *, tail: Any = None, guid: uuid.UUID = GUID, **options: Any
) -> list[Path]:
    """A container of `data`; with its true digests."""
    folder.mkdir(exist_ok=True)
    with E01Writer(
        folder,
        "EX-1",
        size_bytes=len(data),
        bytes_per_sector=options.pop("bytes_per_sector", sector_bytes_for(len(data))),
        header=HeaderValues(case_number="2026-014", examiner="検査官", notes="n"),
        guid=guid,
        created=CREATED,
        **options,
    ) as writer:
        writer.write(data)
        return writer.finish(hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(), **(tail or {}))


def whole(image: E01Image) -> bytes:
    """All media data, as `blocks` gives it."""
    return b"".join(image.blocks())


def offsets(path: Path, kind: bytes) -> list[int]:
    """Where sections of `kind` begin, by their descriptors' chain."""
    file = path.read_bytes()
    found, offset = [], 13
    while True:
        name, following = struct.unpack_from("<16sQ", file, offset)
        if name.rstrip(b"\0") == kind:
            found.append(offset)
        if following <= offset:
            return found
        offset = following


def patch(path: Path, offset: int, new: bytes) -> None:
    """Overwrite bytes of a file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(new)


def flip(path: Path, offset: int) -> None:
    """Change one bit of a file."""
    patch(path, offset, bytes([path.read_bytes()[offset] ^ 0x10]))


def unread_sectors(image: Image) -> set[int]:
    """The sectors that `image` declares unread."""
    return {lba for start, count in image.unread() for lba in range(start, start + count)}


# ---- containers that others made ------------------------------------------------------------------

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
    data = media(2_500_096, seed=3) + bytes(700_000 // 512 * 512)
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
    source.write_bytes(media(1500 * 2048))
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
    data = media(5 * CHUNK + 1000)
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
    data = media(3_000_000)
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
    data = media(400 * 2048)
    tail = {"unread": [SectorRange(3, 2), SectorRange(1599, 1)], "sessions": [Session(1, 0, 100, ())]}
    paths = write(tmp_path, data, bytes_per_sector=512, segment_size_bytes=100_000, tail=tail)
    with E01Image(paths[0]) as image:
        assert image.unread() == (SectorRange(0, 2), SectorRange(399, 1))
        assert image.header["case_number"] == "2026-014"
        assert image.header["examiner"] == "検査官"
        assert image.header["acquired"] == "1777863721"
        assert image.segments == tuple(paths)
        assert image.disc.recorded
        assert image.problems == ()


def test_other_files_beside_it_are_not_taken_for_segments(tmp_path: Path):
    """.IMG, .MAP, .LOG and .ISO could be the names of far segments; what is in them says no."""
    data = media(100_000)
    (path,) = write(tmp_path, data)
    for name in ("EX-1.map", "EX-1.img", "EX-1.iso", "EX-1.log", "EX-1.E07", "EX-2.E02"):
        (tmp_path / name).write_bytes(b"# a map of ddrescue\n" * 10)
    with E01Image(path) as image:
        assert image.segments == (path,)
        assert image.problems == ()


# ---- damage: found, located, and kept from the rest -----------------------------------------------


def damaged(paths: list[Path], data: bytes) -> tuple[E01Image, set[int]]:
    """Open and read all; every sector that is not as it was must be declared unread."""
    image = E01Image(paths[0])
    got = whole(image)
    assert len(got) == len(data)
    lost = unread_sectors(image)
    for lba in range(image.sector_count):
        if got[lba * 2048 : lba * 2048 + 2048] != data[lba * 2048 : lba * 2048 + 2048]:
            assert lba in lost, f"sector {lba} is wrong and nothing says so"
    return image, lost


@pytest.mark.tools
def test_a_bad_chunk_is_located_as_ewfverify_locates_it(tmp_path: Path, tool):
    """One bit in a compressed and in a plain chunk: the same sectors that ewfverify names, and no others."""
    data = b"compressible " * 20_000 + random.Random(1).randbytes(300_000)
    data = data[: len(data) // 2048 * 2048]
    paths = write(tmp_path, data)
    sections = offsets(paths[0], b"sectors")
    flip(paths[0], sections[0] + 76 + 250)
    flip(paths[0], paths[0].stat().st_size - 60_000)
    image, lost = damaged(paths, data)
    shown = subprocess.run([tool("ewfverify"), paths[0]], capture_output=True, text=True, check=False)
    theirs = set()
    for line in shown.stdout.splitlines():
        if "at sector(s):" in line:
            first, last = line.split(":")[1].split("(")[0].split("-")
            theirs |= set(range(int(first), int(last) + 1))
    assert len(theirs) == 32
    assert lost == theirs
    assert [problem.what.split(":")[0] for problem in image.problems] == [
        "a compressed chunk does not inflate to its size, or fails its checksum",
        "an uncompressed chunk fails its checksum",
    ]
    for problem in image.problems:
        assert problem.file == "EX-1.E01"
        assert sections[0] < problem.offset < paths[0].stat().st_size
    assert list(image.check_structure()) == []


DAMAGE = [
    # what is flipped (section, byte within it), what must be said, and at which byte of it
    ("header2", 90, "a header2 section cannot be inflated", 76),
    ("header", 90, "a header section cannot be inflated", 76),
    ("volume", 76 + 20, "the checksum of a volume section does not match", 76),
    ("data", 76 + 70, "the checksum of a data section does not match", 76),
    ("table", 76, "a table header's checksum does not match", 76),
    ("table", 76 + 10, "a table header's checksum does not match", 76),
    ("table2", 76 + 21, "a table header's checksum does not match", 76),
    ("table", 76 + 30, "the checksum of a table's 12 entries does not match", 76 + 24),
    ("table2", 76 + 24 + 4 * 12, "the checksum of a table's 12 entries does not match", 76 + 24),
    ("session", 76 + 8, "the checksum of the session section's header", 76),
    ("session", 76 + 40, "the checksum of the session section's entries", 76 + 36),
    ("error2", 76 + 100, "the checksum of the error2 section's header", 76),
    ("error2", 76 + 520, "the checksum of the error2 section's entries", 76 + 520),
    ("digest", 76 + 3, "the checksum of a digest section", 76),
    ("hash", 76 + 30, "the checksum of a hash section", 76),
]


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda damage: f"{damage[0]}+{damage[1]}")
def test_damage_to_a_structure_is_named_and_the_medium_still_read(tmp_path: Path, damage: tuple):
    """One flipped bit in any structure but a chunk: said where it is, and not one sector lost."""
    data = media(12 * CHUNK)
    tail = {"sessions": [Session(1, 0, 192, ())], "unread": [SectorRange(5, 1)]}
    paths = write(tmp_path, data, tail=tail)
    kind, at, what, located = damage
    offset = offsets(paths[0], kind.encode())[0]
    flip(paths[0], offset + at)
    image, lost = damaged(paths, data)
    assert whole(image) == data
    (problem,) = image.problems
    assert problem.what.startswith(what)
    assert (problem.file, problem.offset) == ("EX-1.E01", offset + located)
    assert lost == {5} or kind == "error2"
    assert image.header["case_number"] == "2026-014"
    assert image.stored_md5 == hashlib.md5(data).hexdigest()


KINDS = [
    "header2",
    "header",
    "volume",
    "sectors",
    "table",
    "table2",
    "data",
    "session",
    "digest",
    "hash",
    "done",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at", [0, 3, 16, 18, 23, 24, 27, 31, 40, 75])
def test_damage_to_a_descriptor_is_named_and_the_chain_goes_on(tmp_path: Path, kind: str, at: int):
    """One flipped bit anywhere in a section descriptor: said where, and nothing after it is lost."""
    data = media(12 * CHUNK)
    paths = write(tmp_path, data, tail={"sessions": [Session(1, 0, 192, ())]})
    offset = offsets(paths[0], kind.encode())[0]
    flip(paths[0], offset + at)
    image, lost = damaged(paths, data)
    assert lost == set()
    assert whole(image) == data
    assert image.problems[0].what == "a section descriptor's checksum does not match"
    assert (image.problems[0].file, image.problems[0].offset) == ("EX-1.E01", offset)
    assert image.stored_sha1 == hashlib.sha1(data).hexdigest()


def test_a_run_of_bad_bytes_over_descriptors_loses_only_its_chunks(tmp_path: Path):
    """A zeroed piece over both tables and the next descriptor: the chain is found again behind it."""
    data = media(40 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=600_000)
    table = offsets(paths[0], b"table")[0]
    patch(paths[0], table - 5000, bytes(5300))
    image, lost = damaged(paths, data)
    assert 0 < len(lost) <= 3 * 16
    assert max(lost) < image.sector_count / 2
    assert any("found by their own checksums" in problem.what for problem in image.problems)


def test_without_any_table_the_chunks_are_found(tmp_path: Path):
    """Both tables bad: the chunks are found one behind the other, and all are right."""
    data = media(30 * CHUNK + 5000)
    paths = write(tmp_path, data)
    for kind in (b"table", b"table2"):
        flip(paths[0], offsets(paths[0], kind)[0] + 76 + 30)
    image, lost = damaged(paths, data)
    assert lost == set()
    assert sum("no usable table: 31 chunks" in problem.what for problem in image.problems) == 1


@pytest.mark.parametrize("compression", ["none", "fast"])
def test_an_unfinished_container_reads_as_far_as_it_goes(tmp_path: Path, compression: str):
    """What a killed run left: its whole chunks are read, the rest is unread, and it says it is unfinished."""
    data = media(40 * CHUNK)
    writer = E01Writer(
        tmp_path,
        "EX-1",
        size_bytes=len(data),
        bytes_per_sector=2048,
        header=HeaderValues(),
        guid=GUID,
        created=CREATED,
        compression=compression,
        segment_size_bytes=400_000,
    )
    writer.write(data[: 35 * CHUNK + 100])
    kept = writer.checkpoint()
    writer.abort()
    image, lost = damaged(writer.paths, data)
    assert kept == 35 * CHUNK
    assert lost == set(range(kept // 2048, 640))
    said = [problem.what for problem in image.problems]
    assert "the container is not finished: no done section" in said
    assert "a section was never closed" in said


@pytest.mark.parametrize("cut", [0, 12, 13, 50, 2_000, 100_000, 399_999])
def test_a_segment_cut_short(tmp_path: Path, cut: int):
    """The second of several segments cut: only its chunks are lost, those behind keep their place."""
    data = media(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    assert len(paths) > 3
    with paths[1].open("r+b") as file:
        file.truncate(min(cut, paths[1].stat().st_size - 1))
    image, lost = damaged(paths, data)
    assert image.problems
    assert lost or cut > 390_000
    assert max(lost, default=0) < image.sector_count * 3 / 4
    assert 0 not in lost


def test_a_missing_segment(tmp_path: Path):
    """Without its second segment: that one's sectors are unread, all others are right; the file is named."""
    data = media(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    paths[1].unlink()
    image, lost = damaged([paths[0]], data)
    assert any(problem.what == "segment 2 missing" for problem in image.problems)
    assert 0 not in lost
    assert image.sector_count - 1 not in lost
    assert 5 * 16 < len(lost) < 20 * 16


def test_missing_segments_at_the_end(tmp_path: Path):
    """Without the last ones the beginning is read, and the container is said to be unfinished."""
    data = media(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    for path in paths[2:]:
        path.unlink()
    image, lost = damaged(paths, data)
    assert image.sector_count - 1 in lost
    assert 0 not in lost
    assert any("not finished" in problem.what for problem in image.problems)


def test_the_first_segment_missing(tmp_path: Path):
    """The sizes stand in every segment: what is there is read at its place."""
    data = media(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    paths[0].unlink()
    image, lost = damaged(paths[1:], data)
    assert 0 in lost
    assert image.sector_count - 1 not in lost


def test_swapped_segments_are_put_in_order(tmp_path: Path):
    """Two files with each other's names: read right, and both are named."""
    data = media(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    paths[1].rename(tmp_path / "x")
    paths[2].rename(paths[1])
    (tmp_path / "x").rename(paths[2])
    image, lost = damaged(paths, data)
    assert lost == set()
    assert [(problem.what, problem.file, problem.offset) for problem in image.problems] == [
        ("a segment's number is not that of its name", "EX-1.E02", 9),
        ("a segment's number is not that of its name", "EX-1.E03", 9),
    ]


def test_a_segment_of_another_container_is_not_used(tmp_path: Path):
    """A file of the right name and number from another acquisition: named, and nothing of it is read."""
    data, other = media(60 * CHUNK), media(60 * CHUNK, seed=99)
    paths = write(tmp_path / "a", data, segment_size_bytes=400_000)
    foreign = write(tmp_path / "b", other, segment_size_bytes=400_000, guid=uuid.UUID(int=1))
    shutil.copy(foreign[1], paths[1])
    image, lost = damaged(paths, data)
    assert any(
        problem.what == "a segment belongs to another container" and problem.file == "EX-1.E02"
        for problem in image.problems
    )
    assert 0 not in lost
    assert image.sector_count - 1 not in lost


@pytest.mark.parametrize("at", range(13))
def test_damage_to_the_file_header(tmp_path: Path, at: int):
    """Even a damaged signature opens, if a good section follows it; it is named."""
    data = media(3 * CHUNK)
    paths = write(tmp_path, data)
    flip(paths[0], at)
    image = open_image(paths[0])
    assert isinstance(image, E01Image)
    assert whole(image) == data
    assert any(problem.offset in (0, 9) for problem in image.problems)
    image.close()


def test_every_flipped_byte_is_found(tmp_path: Path):
    """Each byte of a container changed in turn, in segments and all: always found, nothing wrong passed on.

    But for bits of a deflate stream that do not change what it inflates to, as the padding at its end:
    they are covered by no checksum of the format. Then the medium is right.
    """
    data = random.Random(3).randbytes(600) * 60 + b"text and more text, " * 1000
    data = data[: len(data) // 2048 * 2048]
    for number, compression in enumerate(("none", "fast")):
        paths = write(
            tmp_path / str(number),
            data,
            compression=compression,
            segment_size_bytes=38_000,
            tail={"unread": [SectorRange(3, 2)], "sessions": [Session(1, 0, 27, ())]},
        )
        for path in paths:
            content = path.read_bytes()
            table = offsets(path, b"table")[0]
            chunks = range(offsets(path, b"sectors")[0] + 76, table)
            step = 1 if compression == "fast" else 41
            for at in [*range(chunks.start), *chunks[::step], *range(table, len(content))][number::7]:
                patch(path, at, bytes([content[at] ^ (1 << at % 8)]))
                image, _ = damaged(paths, data)
                if not image.problems:
                    assert compression == "fast"
                    assert at in chunks
                    assert whole(image) == data
                image.close()
                patch(path, at, content[at : at + 1])


# ---- hostile files --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The files of some small containers."""
    folder = tmp_path_factory.mktemp("seeds")
    data = media(5 * CHUNK, seed=4)
    tail = {"unread": [SectorRange(3, 2)], "sessions": [Session(1, 0, 27, ()), Session(2, 40, 3, ())]}
    made = []
    for number, options in enumerate(({}, {"segment_size_bytes": 60_000}, {"compression": "none"})):
        paths = write(folder / str(number), data, tail=tail, **options)
        made.append({path.name: path.read_bytes() for path in paths})
    return made


def repair(content: bytearray) -> None:
    """Make the checksums of descriptors, volume and tables right again, so that the damage gets further."""
    offset = 13
    for _ in range(30):
        if offset + 76 > len(content):
            return
        name, following, size = struct.unpack_from("<16sQQ", content, offset)
        struct.pack_into("<I", content, offset + 72, zlib.adler32(content[offset : offset + 72]))
        kind = name.rstrip(b"\0")
        for wanted, length in ((b"volume", 1052), (b"data", 1052), (b"table", 24), (b"error2", 520)):
            if kind.startswith(wanted) and offset + 76 + length <= len(content):
                end = offset + 76 + length - 4
                struct.pack_into("<I", content, end, zlib.adler32(content[offset + 76 : end]))
        if not offset < following < len(content):
            following = offset + size
        if following <= offset:
            return
        offset = following


def mangled(data: st.DataObject, original: bytes) -> bytes:
    """`original` with a few changes, mostly near its structures, perhaps with good checksums again."""
    content = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        near = data.draw(st.sampled_from([13 + 16, 13 + 24, 1000, len(content) - 800, len(content) // 2]))
        at = max(0, min(len(content) - 1, near + data.draw(st.integers(-200, 800))))
        what = data.draw(st.sampled_from(("byte", "number", "cut", "insert")))
        if what == "byte":
            content[at : at + 1] = bytes([data.draw(st.integers(0, 255))])
        elif what == "number":
            number = data.draw(st.sampled_from((0, 1, 13, at, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 64) - 1)))
            content[at : at + 8] = struct.pack("<Q", number)
        elif what == "cut":
            del content[at:]
        else:
            content[at:at] = data.draw(st.binary(max_size=40))
    if data.draw(st.booleans()):
        repair(content)
    return bytes(content)


def opened(path: Path) -> Image | None:
    """The image, or None if it was refused in one sentence."""
    try:
        return open_image(path)
    except (ContainerError, SourceError) as error:
        sentence = str(error)
    assert sentence
    assert "\n" not in sentence
    return None


@settings(max_examples=250, deadline=None)
@given(st.data())
def test_no_bytes_make_it_fail(seeds, tmp_path_factory, data):
    """Any changes, cuts and insertions, with checksums made right again: an image, or one sentence."""
    files = data.draw(st.sampled_from(seeds))
    folder = tmp_path_factory.mktemp("hostile")
    target = data.draw(st.sampled_from(sorted(files)))
    for name, content in files.items():
        (folder / name).write_bytes(mangled(data, content) if name == target else content)
    started = time.monotonic()
    image = opened(folder / "EX-1.E01")
    if image is not None:
        for lba in range(0, min(image.sector_count, 200), 7):
            assert len(image.read(lba)) in (2048, image.size_bytes % 2048)
        assert len(image.read(0, 200)) == min(image.size_bytes, 200 * 2048)
        assert sum(length for _, length in image.unread()) <= image.sector_count
        image.close()
    assert time.monotonic() - started < 10


def section(kind: bytes, offset: int, payload: bytes, *, following: int | None = None) -> bytes:
    """A section by hand."""
    size = 76 + len(payload)
    head = struct.pack("<16sQQ40x", kind, offset + size if following is None else following, size)
    return head + struct.pack("<I", zlib.adler32(head)) + payload


def guarded(data: bytes) -> bytes:
    """Data with its Adler-32."""
    return data + struct.pack("<I", zlib.adler32(data))


def by_hand(chunks: list[bytes], flags: list[int], sectors: int, *, per_chunk: int = 64) -> bytes:
    """A container of chunks as they are given, of 512-byte sectors."""
    volume = struct.pack("<B3xIIIQ", 1, len(chunks), per_chunk, 512, sectors).ljust(1048, b"\0")
    file = b"EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00"
    file += section(b"volume", len(file), guarded(volume))
    base = len(file)
    file += section(b"sectors", base, b"".join(chunks))
    entries, at = b"", 76
    for chunk, flag in zip(chunks, flags, strict=True):
        entries += struct.pack("<I", at | flag)
        at += len(chunk)
    table = guarded(struct.pack("<I4xQ4x", len(chunks), base)) + guarded(entries)
    file += section(b"table", len(file), table)
    file += section(b"done", len(file), b"", following=len(file))
    return file


def test_a_chunk_that_inflates_without_end(tmp_path: Path):
    """32 MB of zeros in a 32 KiB chunk: the chunk is bad, and never more than a chunk is made of it."""
    bomb = zlib.compress(bytes(32 << 20), 9)
    fine = zlib.compress(b"x" * CHUNK)
    path = tmp_path / "bomb.E01"
    path.write_bytes(by_hand([bomb, fine], [0x80000000, 0x80000000], 128))
    with E01Image(path) as image:
        tracemalloc.start()
        assert image.read(0, 32) == bytes(CHUNK) + b"x" * CHUNK
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2 << 20
        assert image.unread() == (SectorRange(0, 16),)
        assert len(image.problems) == 1


@pytest.mark.parametrize(
    "chunk",
    [
        b"",
        b"x" * 10,
        zlib.compress(b"short"),
        zlib.compress(b"x" * CHUNK)[:-1],
        zlib.compress(b"x" * CHUNK) + b"more",
        zlib.compress(b"x" * (CHUNK + 1)),
    ],
)
@pytest.mark.parametrize("flag", [0, 0x80000000])
def test_a_chunk_that_is_none(tmp_path: Path, chunk: bytes, flag: int):
    """Too short, too long, cut, or with something behind it: zeros, unread, and a problem."""
    path = tmp_path / "bad.E01"
    path.write_bytes(by_hand([chunk, zlib.compress(b"y" * CHUNK)], [flag, 0x80000000], 128))
    with E01Image(path) as image:
        assert whole(image) == bytes(CHUNK) + b"y" * CHUNK
        assert image.unread() == (SectorRange(0, 16),)
        (problem,) = image.problems
        assert "sectors 0 to 15" in problem.what


def test_sections_that_point_in_a_circle(tmp_path: Path):
    """A chain that leads back to itself ends, and is named."""
    file = by_hand([zlib.compress(b"y" * CHUNK)], [0x80000000], 64)
    at = file.index(b"table")
    circle = bytearray(file)
    circle[at : at + 76] = section(b"table", at, b"", following=13)[:76]
    path = tmp_path / "circle.E01"
    path.write_bytes(circle)
    with E01Image(path) as image:
        assert whole(image) == b"y" * CHUNK
        assert any("two lengths disagree" in problem.what for problem in image.problems)


def test_a_medium_that_could_not_be(tmp_path: Path):
    """Sizes beyond all reason are refused before anything is made of them."""
    good = by_hand([zlib.compress(b"y" * CHUNK)], [0x80000000], 64)
    at = good.index(b"volume") + 76
    for counts in (
        (1, 0xFFFFFFFF, 0xFFFFFFFF, 64),
        (1, 64, 512, 1 << 60),
        (1, 0, 512, 64),
        (1, 64, 0, 64),
        (0xFFFFFFFF, 64, 512, 0xFFFFFFFF * 64),
    ):
        volume = struct.pack("<B3xIIIQ", 1, *counts).ljust(1048, b"\0")
        path = tmp_path / "odd.E01"
        path.write_bytes(good[:at] + guarded(volume) + good[at + 1052 :])
        with pytest.raises(ContainerError, match="volume section"):
            E01Image(path)


def test_table_offsets_beyond_31_bits(tmp_path: Path):
    """EnCase 6.7.1 let sectors pass 2 GiB: from there on offsets have 32 bits and chunks are plain."""
    contents = [bytes([number]) * CHUNK for number in range(4)]
    stored = [guarded(content) for content in contents]
    start = 0x80000000 - CHUNK + 100  # of the second chunk: it begins beneath 2 GiB and ends above
    starts = [start + number * (CHUNK + 4) for number in range(-1, 3)]
    assert starts[1] < 0x80000000 < starts[2]
    volume = struct.pack("<B3xIIIQ", 1, 4, 64, 512, 256).ljust(1048, b"\0")
    head = b"EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00"
    head += section(b"volume", len(head), guarded(volume))
    end = starts[-1] + CHUNK + 4
    table = guarded(struct.pack("<I4xQ4x", 4, 0)) + guarded(struct.pack("<4I", *starts))
    path = tmp_path / "over.E01"
    with path.open("wb") as file:
        file.write(head + section(b"sectors", len(head), b"", following=end))
        file.seek(starts[0])
        file.write(b"".join(stored))
        file.write(section(b"table", end, table))
        file.write(section(b"done", end + 76 + len(table), b"", following=end + 76 + len(table)))
    with E01Image(path) as image:
        assert whole(image) == b"".join(contents)
        assert image.unread() == ()


def test_a_signature_alone_is_no_container(tmp_path: Path):
    """Nothing but the first bytes, and files of other kinds."""
    for content in (b"EVF\x09\x0d\x0a\xff\x00", b"EVF\x09\x0d\x0a\xff\x00\x01\x01\0\0\0", b"EVF\x09" * 100):
        path = tmp_path / "x.E01"
        path.write_bytes(content)
        with pytest.raises(ContainerError):
            E01Image(path)
    with pytest.raises(SourceError, match="No such file"):
        E01Image(tmp_path / "absent.E01")
    with pytest.raises(ContainerError, match="Not a regular file"):
        E01Image(Path("/dev/null"))

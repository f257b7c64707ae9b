"""E01 containers made to do harm: every loop ends, every size is bounded, nothing is raised."""

import struct
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import open_image
from acquire.containers.e01_reader import E01Image
from acquire.errors import ContainerError, SourceError
from acquire.geometry import SectorRange
from acquire.image import Image
from acquire.toc import Session
from tests.acquire.e01_made import CHUNK, dense, guarded, section, whole, write


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, bytes]]:
    """The files of some small containers."""
    folder = tmp_path_factory.mktemp("seeds")
    data = dense(5 * CHUNK, seed=4)
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

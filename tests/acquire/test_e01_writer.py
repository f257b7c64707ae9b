"""The E01 writer against the format's own bytes, libewf's tools and The Sleuth Kit."""

import hashlib
import random
import signal
import struct
import subprocess
import sys
import time
import uuid
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pyewf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues, sector_bytes_for
from acquire.errors import DestinationError, DiskFullError, UsageError
from acquire.geometry import SectorRange
from acquire.toc import Session, Track, TrackMode

CHUNK = 32768
GUID = uuid.UUID("12345678-90ab-4def-9234-567890abcdef")
CREATED = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
HEADER = HeaderValues(
    case_number="2026-014",
    evidence_number="EX-1",
    description="DVD-R, printed side scratched",
    examiner="A. Exämíner 検査官",
    notes="one\ttwo\nthree",
    model="BD-RE BH16",
    serial="S/N 123",
    system="Linux",
)


def media(size: int, seed: int = 7) -> bytes:
    """Bytes that deflate well, badly and not at all, in pieces that do not keep to chunk boundaries."""
    source = random.Random(seed)
    made = bytearray()
    while len(made) < size:
        kind = source.randrange(3)
        length = source.randrange(1, 90000)
        if kind == 0:
            made += bytes(length)
        elif kind == 1:
            made += source.randbytes(length)
        else:
            made += (source.randbytes(200) * (length // 200 + 1))[:length]
    return bytes(made[:size])


def open_writer(folder: Path, data: bytes, **options: Any) -> E01Writer:
    """A writer for `data` with the values above."""
    return E01Writer(
        folder,
        "EX-1",
        size_bytes=len(data),
        bytes_per_sector=options.pop("bytes_per_sector", sector_bytes_for(len(data))),
        header=options.pop("header", HEADER),
        guid=GUID,
        created=CREATED,
        **options,
    )


def finish(writer: E01Writer, data: bytes, **tail: Any) -> list[Path]:
    """Close with the digests that hashlib gives for `data`."""
    return writer.finish(hashlib.md5(data).hexdigest(), hashlib.sha1(data).hexdigest(), **tail)


def write(folder: Path, data: bytes, *, step: int = 1 << 20, tail: Any = None, **options: Any) -> list[Path]:
    """A finished container of `data`."""
    with open_writer(folder, data, **options) as writer:
        for at in range(0, len(data), step):
            writer.write(data[at : at + step])
        return finish(writer, data, **(tail or {}))


def read_with_pyewf(paths: list[Path]) -> bytes:
    """The media data as libewf's Python binding reads it."""
    handle = pyewf.handle()
    handle.open([str(path) for path in paths])
    try:
        pieces = []
        left = handle.get_media_size()
        while left:
            piece = handle.read_buffer(min(left, 1 << 20))
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    finally:
        handle.close()


class Section(NamedTuple):
    """A section as the test takes it from the bytes itself."""

    kind: bytes
    offset: int
    payload: bytes


def sections(file: bytes) -> list[Section]:
    """Walk the section descriptors (76 bytes: type 16, next 8, size 8, 40 zero, Adler-32)."""
    found = []
    offset = 13
    while True:
        kind, following, size, padding, mark = struct.unpack_from("<16sQQ40sI", file, offset)
        assert mark == zlib.adler32(file[offset : offset + 72])
        assert padding == bytes(40)
        found.append(Section(kind.rstrip(b"\0"), offset, file[offset + 76 : offset + max(size, 76)]))
        if following == offset:
            assert size == 0
            assert offset + 76 == len(file)
            return found
        assert following == offset + size
        offset = following


def test_a_small_container_is_laid_out_as_encase_6_does(tmp_path: Path):
    """Every byte of a container of two and a bit chunks, taken apart by the specification's offsets."""
    data = bytes(CHUNK) + random.Random(1).randbytes(CHUNK) + b"disc" * 512
    tail = {"unread": [SectorRange(17, 2), SectorRange(3, 1)]}
    (path,) = write(tmp_path, data, tail=tail)
    assert path.name == "EX-1.E01"
    file = path.read_bytes()
    assert file[:13] == bytes.fromhex("455646090d0aff00 01 0100 0000")
    found = sections(file)
    order = b"header2 header2 header volume sectors table table2 data error2 digest hash done"
    assert [section.kind for section in found] == order.split()
    header2, header2_copy, header, volume, chunks, table, table2, data_copy, error2, digest, hash_, _ = found

    assert header2.payload == header2_copy.payload
    lines = zlib.decompress(header2.payload).decode("utf-16").split("\n")
    assert lines[:3] == ["3", "main", "a\tc\tn\te\tt\tmd\tsn\tav\tov\tm\tu\tp\tdc"]
    assert lines[3].split("\t") == [
        *("DVD-R, printed side scratched", "2026-014", "EX-1", "A. Exämíner 検査官", "one two three"),
        *("BD-RE BH16", "S/N 123", "jewelcase", "Linux", "1777863721", "1777863721", "0", ""),
    ]
    old = zlib.decompress(header.payload).decode("ascii").split("\r\n")
    assert old[:3] == ["1", "main", "c\tn\ta\te\tt\tav\tov\tm\tu\tp"]
    assert old[3].split("\t")[7:9] == ["2026 5 4 3 2 1", "2026 5 4 3 2 1"]

    assert volume.payload == data_copy.payload
    assert len(volume.payload) == 1052
    assert volume.payload[:24] == struct.pack("<B3xIIIQ", 3, 3, 16, 2048, 33)
    assert volume.payload[24:64] == bytes(12) + b"\x03" + bytes(15) + b"\x01" + bytes(3) + b"\x01" + bytes(7)
    assert volume.payload[64:80] == GUID.bytes_le
    assert volume.payload[80:1048] == bytes(968)
    assert volume.payload[1048:] == struct.pack("<I", zlib.adler32(volume.payload[:1048]))

    assert table.payload == table2.payload
    count, base = struct.unpack_from("<I4xQ", table.payload)
    assert (count, base) == (3, chunks.offset)
    assert table.payload[20:24] == struct.pack("<I", zlib.adler32(table.payload[:20]))
    assert table.payload[36:] == struct.pack("<I", zlib.adler32(table.payload[24:36]))
    entries = struct.unpack_from("<3I", table.payload, 24)
    assert [entry >> 31 for entry in entries] == [1, 0, 1]
    starts = [base + (entry & 0x7FFFFFFF) for entry in entries]
    assert starts[0] == chunks.offset + 76
    ends = [*starts[1:], table.offset]
    stored = [file[start:end] for start, end in zip(starts, ends, strict=True)]
    assert zlib.decompress(stored[0]) == data[:CHUNK]
    assert stored[1] == data[CHUNK : 2 * CHUNK] + struct.pack("<I", zlib.adler32(data[CHUNK : 2 * CHUNK]))
    assert zlib.decompress(stored[2]) == data[2 * CHUNK :]

    head = struct.pack("<I", 2) + bytes(512)
    ranges = struct.pack("<IIII", 3, 1, 17, 2)
    assert error2.payload == b"".join(
        (head, struct.pack("<I", zlib.adler32(head)), ranges, struct.pack("<I", zlib.adler32(ranges)))
    )
    both = hashlib.md5(data).digest() + hashlib.sha1(data).digest() + bytes(40)
    assert digest.payload == both + struct.pack("<I", zlib.adler32(both))
    one = hashlib.md5(data).digest() + bytes(16)
    assert hash_.payload == one + struct.pack("<I", zlib.adler32(one))


def test_sessions_are_recorded_with_the_first_at_16(tmp_path: Path):
    """EnCase writes 16 for a first session that starts at 0; the second keeps its start."""
    data = bytes(60 * 2048)
    discs = [Session(1, 0, 40, ()), Session(2, 40, 20, (Track(2, 2, TrackMode.MODE1, 40, 20),))]
    (path,) = write(tmp_path, data, tail={"sessions": discs})
    found = {section.kind: section.payload for section in sections(path.read_bytes())}
    head = struct.pack("<I", 2) + bytes(28)
    entries = struct.pack("<II24xII24x", 0, 16, 0, 40)
    assert found[b"session"] == b"".join(
        (head, struct.pack("<I", zlib.adler32(head)), entries, struct.pack("<I", zlib.adler32(entries)))
    )


SIZES = [1, 2, 511, 512, 513, 2047, 2048, 2049, CHUNK - 1, CHUNK, CHUNK + 1, 100_000, 1 << 20, 3_000_001]


@pytest.mark.parametrize("size", SIZES)
def test_any_size_is_held_exactly(tmp_path: Path, size: int):
    """Whatever the size, libewf reads back the same bytes, none more and none fewer."""
    data = media(size, seed=size)
    assert read_with_pyewf(write(tmp_path, data)) == data


@pytest.mark.parametrize("compression", ["none", "fast", "best"])
@pytest.mark.parametrize("step", [1, 700, CHUNK, CHUNK + 5, 1 << 22])
def test_pieces_of_any_length_give_the_same_file(tmp_path: Path, compression: str, step: int):
    """How the data is cut into writes leaves no trace in the container."""
    data = media(90_000 if step == 1 else 2_500_000, seed=step)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (whole,) = write(tmp_path / "a", data, step=len(data), compression=compression)
    (pieces,) = write(tmp_path / "b", data, step=step, compression=compression)
    assert whole.read_bytes() == pieces.read_bytes()
    assert read_with_pyewf([pieces]) == data


def test_a_buffer_may_be_used_again_after_write(tmp_path: Path):
    """Only bytes objects are kept; a bytearray is copied before `write` returns."""
    data = media(1 << 20)
    buffer = bytearray(1 << 16)
    with open_writer(tmp_path, data) as writer:
        for at in range(0, len(data), len(buffer)):
            buffer[:] = data[at : at + len(buffer)]
            writer.write(memoryview(buffer))
        paths = finish(writer, data)
    assert read_with_pyewf(paths) == data


@pytest.mark.parametrize("segment_size", [60_000, 150_001, 1 << 20])
def test_no_segment_is_longer_than_asked(tmp_path: Path, segment_size: int):
    """Segments keep to their size, names go on from E99 to EAA, and each has its own number."""
    data = media(4_000_000)
    paths = write(tmp_path, data, segment_size_bytes=segment_size, compression="none")
    assert len(paths) > 3
    assert all(path.stat().st_size <= segment_size for path in paths)
    names = [path.suffix for path in paths]
    assert names[:2] == [".E01", ".E02"]
    if len(names) > 100:
        assert names[97:101] == [".E98", ".E99", ".EAA", ".EAB"]
    for number, path in enumerate(paths, 1):
        file = path.read_bytes()
        assert file[8:13] == struct.pack("<BHH", 1, number, 0)
        kinds = [section.kind for section in sections(file)]
        assert kinds[-1] == (b"done" if number == len(paths) else b"next")
        assert number == 1 or kinds[0] == b"data"
    assert read_with_pyewf(paths) == data


def test_a_last_section_that_does_not_fit_goes_into_a_segment_of_its_own(tmp_path: Path):
    """Long lists of unread sectors do not make the last segment longer than asked."""
    data = media(300_000 // 512 * 512)
    unread = [SectorRange(start, 1) for start in range(0, 586, 2)]
    fits = {}
    for segment_size in range(35_500, 46_000, 500):
        folder = tmp_path / str(segment_size)
        folder.mkdir()
        paths = write(
            folder,
            data,
            bytes_per_sector=512,
            segment_size_bytes=segment_size,
            compression="none",
            tail={"unread": unread},
        )
        assert all(path.stat().st_size <= segment_size for path in paths)
        assert read_with_pyewf(paths) == data
        fits[segment_size] = [section.kind for section in sections(paths[-1].read_bytes())]
    assert any(b"sectors" not in kinds for kinds in fits.values())
    assert any(b"sectors" in kinds for kinds in fits.values())


# Independent programs accept what is written and show what was put in.


@pytest.mark.tools
@pytest.mark.parametrize("size", [1, 511, 2048, 33_000, 5_000_192])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "none", "segment_size_bytes": 70_000},
        {"compression": "best", "segment_size_bytes": 1 << 20},
    ],
)
def test_ewfverify_and_ewfexport_and_img_cat(tmp_path: Path, tool, size: int, options: dict):
    """Tools of libewf find both digests right; ewfexport and The Sleuth Kit read the same bytes."""
    data = media(size)
    paths = write(tmp_path, data, **options)
    shown = subprocess.run(
        [tool("ewfverify"), "-q", "-d", "sha1", paths[0]], capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "SUCCESS" in shown.stdout
    full = subprocess.run(
        [tool("ewfverify"), "-d", "sha1", paths[0]], capture_output=True, text=True, check=True
    )
    for name, digest in (("MD5", hashlib.md5(data)), ("SHA1", hashlib.sha1(data))):
        for kind in ("stored in file", "calculated over data"):
            line = next(line for line in full.stdout.splitlines() if f"{name} hash {kind}" in line)
            assert line.split()[-1] == digest.hexdigest()
    target = tmp_path / "export"
    subprocess.run(
        [tool("ewfexport"), "-q", "-u", "-f", "raw", "-t", target, paths[0]],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    assert target.with_suffix(".raw").read_bytes() == data
    shown = subprocess.run([tool("img_cat"), paths[0]], capture_output=True, check=True)
    assert shown.stdout == data


@pytest.mark.tools
def test_ewfinfo_shows_case_errors_and_sessions(tmp_path: Path, tool):
    """All case fields, the media, unread ranges and sessions come out as they went in."""
    data = media(100 * 2048)
    tail = {
        "unread": [SectorRange(12, 3), SectorRange(0, 1), SectorRange(99, 1)],
        "sessions": [Session(1, 0, 60, ()), Session(2, 60, 40, ())],
    }
    paths = write(tmp_path, data, tail=tail)
    env = {"TZ": "UTC", "PATH": "/usr/bin", "LC_ALL": "C.UTF-8"}
    text = subprocess.run(
        [tool("ewfinfo"), paths[0]], capture_output=True, text=True, check=True, env=env
    ).stdout
    for name, value in {
        "Case number": "2026-014",
        "Evidence number": "EX-1",
        "Description": "DVD-R, printed side scratched",
        "Examiner name": "A. Exämíner 検査官",
        "Notes": "one two three",
        "Model": "BD-RE BH16",
        "Serial number": "S/N 123",
        "Acquisition date": "Mon May  4 03:02:01 2026",
        "Operating system used": "Linux",
        "Software version used": "jewelcase",
        "File format": "EnCase 6",
        "Media type": "optical disk (CD/DVD/BD)",
        "Is physical": "yes",
        "Compression level": "good (fast) compression",
        "Set identifier": str(GUID),
        "Bytes per sector": "2048",
        "Number of sectors": "100",
        "MD5": hashlib.md5(data).hexdigest(),
        "SHA1": hashlib.sha1(data).hexdigest(),
    }.items():
        assert any(
            line.strip().startswith(f"{name}:") and line.split(":", 1)[1].strip() == value
            for line in text.splitlines()
        ), (name, text)
    listed = [line.strip() for line in text.splitlines() if "at sector(s)" in line]
    assert listed == [
        "at sector(s): 0 - 59 number: 60",
        "at sector(s): 60 - 99 number: 40",
        "at sector(s): 0 - 0 number: 1",
        "at sector(s): 12 - 14 number: 3",
        "at sector(s): 99 - 99 number: 1",
    ]


@pytest.mark.tools
def test_fls_lists_the_files_of_a_disc_inside(tmp_path: Path, tool, corpus):
    """The Sleuth Kit lists the same entries from our container as from the plain image."""
    image = corpus("libcdio/joliet.iso")
    paths = write(tmp_path, image.read_bytes(), segment_size_bytes=100_000, compression="none")
    assert len(paths) > 2
    plain = subprocess.run([tool("fls"), "-r", "-p", image], capture_output=True, check=True)
    ours = subprocess.run([tool("fls"), "-r", "-p", *paths], capture_output=True, check=True)
    assert ours.stdout == plain.stdout
    assert plain.stdout.count(b"\n") > 3


# ---- refusals: what cannot be an E01, or must not be overwritten, is refused in one sentence.


def test_an_empty_medium(tmp_path: Path):
    with pytest.raises(UsageError, match="empty medium"):
        open_writer(tmp_path, b"", bytes_per_sector=2048)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", [{"compression": "zstd"}, {"media": "tape"}])
def test_unknown_words(tmp_path: Path, word: dict):
    with pytest.raises(UsageError, match="Choose from"):
        open_writer(tmp_path, b"x", **word)


def test_segments_too_small_for_anything(tmp_path: Path):
    with pytest.raises(UsageError, match="has no room"):
        open_writer(tmp_path, bytes(2048), segment_size_bytes=30_000)


def test_more_segments_than_names(tmp_path: Path):
    """An image that might need a segment after ZZZ is refused before anything is written."""
    with pytest.raises(UsageError, match="14971 segments"):
        E01Writer(
            tmp_path,
            "X",
            size_bytes=1 << 40,
            bytes_per_sector=2048,
            header=HEADER,
            guid=GUID,
            created=CREATED,
            segment_size_bytes=1 << 20,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_the_name_is_not_overwritten(tmp_path: Path):
    (tmp_path / "EX-1.E01").write_bytes(b"mine")
    with pytest.raises(DestinationError, match="already there"):
        open_writer(tmp_path, bytes(2048))
    assert (tmp_path / "EX-1.E01").read_bytes() == b"mine"


def test_a_later_segment_of_the_name_is_not_overwritten(tmp_path: Path):
    (tmp_path / "EX-1.E02").write_bytes(b"mine")
    with pytest.raises(DestinationError, match="already there"):
        write(tmp_path, media(200_000), segment_size_bytes=60_000, compression="none")
    assert (tmp_path / "EX-1.E02").read_bytes() == b"mine"


def test_a_folder_that_is_not_there(tmp_path: Path):
    with pytest.raises(DestinationError, match="Cannot write"):
        open_writer(tmp_path / "absent", bytes(2048))


def test_audio(tmp_path: Path):
    """Audio sectors have no place in the format; the data so far stays for a resume."""
    data = bytes(2048 * 20)
    audio = [Session(1, 0, 20, (Track(1, 1, TrackMode.AUDIO, 0, 20),))]
    with open_writer(tmp_path, data) as writer:
        writer.write(data)
        with pytest.raises(UsageError, match="audio"):
            finish(writer, data, sessions=audio)
    go_on(tmp_path, data)
    assert read_with_pyewf([tmp_path / "EX-1.E01"]) == data


# ---- going on after a stop ------------------------------------------------------------------------


def go_on(folder: Path, data: bytes, **options: Any) -> list[Path]:
    """Resume, check what was found against `data`, write the rest and finish."""
    replayed = bytearray()
    with open_writer(folder, data, resume=True, replay=replayed.extend, **options) as writer:
        assert bytes(replayed) == data[: writer.position]
        for at in range(writer.position, len(data), 1 << 18):
            writer.write(data[at : at + (1 << 18)])
        return finish(writer, data, unread=[SectorRange(1, 1)])


def undisturbed(folder: Path, data: bytes, **options: Any) -> dict[str, bytes]:
    """Names and bytes of the files that a run without a stop makes."""
    folder.mkdir()
    paths = write(folder, data, tail={"unread": [SectorRange(1, 1)]}, **options)
    return {path.name: path.read_bytes() for path in paths}


def files_in(folder: Path) -> dict[str, bytes]:
    """Names and bytes of the files in `folder`."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


SMALL = media(400_000, seed=3)
SEGMENTED = {"segment_size_bytes": 90_000, "bytes_per_sector": 128}


@pytest.fixture(scope="module")
def small_container(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an undisturbed run over SMALL, in segments."""
    made = undisturbed(tmp_path_factory.mktemp("whole") / "run", SMALL, **SEGMENTED)
    assert len(made) > 2
    return made


def damage(folder: Path, files: dict[str, bytes], cut_name: str, cut: int) -> None:
    """Put `files` into `folder` as a stop at byte `cut` of `cut_name` would leave them."""
    for name in sorted(files):
        if name == cut_name:
            (folder / name).write_bytes(files[name][:cut])
            return
        (folder / name).write_bytes(files[name])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_stop_at_any_byte_leaves_no_trace(small_container, tmp_path_factory, data):
    """Cut the files anywhere and resume: byte for byte what an undisturbed run gives."""
    name = data.draw(st.sampled_from(sorted(small_container)))
    cut = data.draw(st.integers(0, len(small_container[name])))
    folder = tmp_path_factory.mktemp("cut")
    damage(folder, small_container, name, cut)
    go_on(folder, SMALL, **SEGMENTED)
    assert files_in(folder) == small_container


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_broken_chunk_is_never_kept(small_container, tmp_path_factory, data):
    """Change any byte after the head: what is kept is right, and the rest is written again."""
    name = data.draw(st.sampled_from(sorted(small_container)))
    content = bytearray(small_container[name])
    at = data.draw(st.integers(4000 if name.endswith("E01") else 1200, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("flip")
    damage(folder, small_container | {name: bytes(content)}, "", 0)
    paths = go_on(folder, SMALL, **SEGMENTED)
    assert read_with_pyewf(paths) == SMALL


def test_a_file_of_zeros_after_a_power_loss_is_begun_anew(tmp_path: Path, small_container):
    """A file system may keep a file's length but not its content."""
    (tmp_path / "EX-1.E01").write_bytes(bytes(50_000))
    go_on(tmp_path, SMALL, **SEGMENTED)
    assert files_in(tmp_path) == small_container


def test_no_more_is_kept_than_asked(tmp_path: Path, small_container):
    """`resume_bytes` cuts off what the caller does not vouch for; later segments go too."""
    damage(tmp_path, small_container, "", 0)
    seen = bytearray()
    options = SEGMENTED | {"resume": True, "resume_bytes": 3 * CHUNK, "replay": seen.extend}
    with open_writer(tmp_path, SMALL, **options) as writer:
        assert writer.position == 3 * CHUNK == len(seen)
        assert len(writer.paths) < len(small_container)
    go_on(tmp_path, SMALL, **SEGMENTED)
    assert files_in(tmp_path) == small_container


def test_resuming_what_was_never_begun_begins_it(tmp_path: Path, small_container):
    """The same call serves for the first run and for every other."""
    go_on(tmp_path, SMALL, **SEGMENTED)
    assert files_in(tmp_path) == small_container


@pytest.mark.parametrize(
    "other",
    [
        {"header": HEADER._replace(case_number="2026-015")},
        {"compression": "best"},
        {"media": "fixed"},
        {"bytes_per_sector": 64},
    ],
)
def test_another_container_is_not_gone_on_with(tmp_path: Path, small_container, other: dict):
    """Other case fields or settings than in the first run are refused, and nothing is changed."""
    damage(tmp_path, small_container, "EX-1.E03", 5000)
    before = files_in(tmp_path)
    with pytest.raises(DestinationError, match="other contents or settings"):
        open_writer(tmp_path, SMALL, resume=True, **(SEGMENTED | other))
    assert files_in(tmp_path) == before


def test_a_foreign_file_is_not_deleted_by_a_resume(tmp_path: Path):
    """What does not begin like this container is somebody's, not a leftover."""
    (tmp_path / "EX-1.E01").write_bytes(b"a letter")
    with pytest.raises(DestinationError, match="move it away"):
        open_writer(tmp_path, SMALL, resume=True, **SEGMENTED)
    assert (tmp_path / "EX-1.E01").read_bytes() == b"a letter"


def test_a_checkpoint_survives(tmp_path: Path):
    """What `checkpoint` returns is found again, though nothing was closed."""
    data = media(5_000_000)
    writer = open_writer(tmp_path, data, bytes_per_sector=64)
    writer.write(data[:3_000_000])
    kept = writer.checkpoint()
    assert 3_000_000 - CHUNK < kept <= 3_000_000
    writer.abort()
    with open_writer(tmp_path, data, bytes_per_sector=64, resume=True) as again:
        assert again.position == kept


def looks_like_chunks() -> bytes:
    """Media data whose chunks, stored as they are, each begin with a whole stream of another chunk."""
    source = random.Random(9)
    pieces = []
    for _ in range(8):
        stream = zlib.compress(source.randbytes(CHUNK - 400) + bytes(400))
        assert len(stream) < CHUNK - 300
        pieces.append(stream + source.randbytes(CHUNK - len(stream)))
    return b"".join(pieces)


@pytest.mark.parametrize("compression", ["none", "fast", "best"])
def test_data_that_looks_like_a_chunk_is_not_taken_for_one(tmp_path: Path, compression: str):
    """A container inside the medium: its streams would do as chunks of ours, and are never taken so."""
    data = looks_like_chunks()
    whole = undisturbed(tmp_path / "whole", data, compression=compression)
    file = whole["EX-1.E01"]
    for number, cut in enumerate(range(3_000, len(file) + 1, (len(file) - 3_000) // 40)):
        folder = tmp_path / str(number)
        folder.mkdir()
        damage(folder, whole, "EX-1.E01", cut)
        go_on(folder, data, compression=compression)
        assert files_in(folder) == whole


def test_chunks_that_could_be_two_things_are_told_apart_by_the_table(tmp_path: Path):
    """A closed section's table, or the compression none, says what a chunk is; else it is written again."""
    data = looks_like_chunks()
    for compression, closed, kept in (("none", False, 8), ("fast", True, 8), ("fast", False, 0)):
        folder = tmp_path / f"{compression}-{closed}"
        folder.mkdir()
        with open_writer(folder, data, compression=compression) as writer:
            writer.write(data)
            writer.checkpoint()
            if closed:
                finish(writer, data)
        with open_writer(folder, data, compression=compression, resume=True) as writer:
            assert writer.position == kept * CHUNK


CHILD = """
import sys, uuid, time
from datetime import UTC, datetime
from pathlib import Path
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues
folder, source, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
data = source.read_bytes()
with E01Writer(folder, "EX-1", size_bytes=len(data), bytes_per_sector=2048, header=HeaderValues(),
               guid=uuid.UUID(int=5), created=datetime(2026, 1, 2, tzinfo=UTC), segment_size_bytes=400_000,
               resume=True) as writer:
    print(writer.position, flush=True)
    for at in range(writer.position, len(data), 65536):
        writer.write(data[at : at + 65536])
        if at % (1 << 20) == 0:
            writer.checkpoint()
        time.sleep(pause)
    writer.finish("00" * 16, None)
print("done", flush=True)
"""


def test_killed_at_random_moments_the_container_is_the_same(tmp_path: Path):
    """SIGKILL again and again, each time resumed: the files equal those of one quiet run."""
    source = tmp_path / "source"
    source.write_bytes(media(8 << 20, seed=11))
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    quiet.mkdir()
    killed.mkdir()
    command = [sys.executable, "-c", CHILD]
    subprocess.run([*command, quiet, source, "0"], check=True, stdout=subprocess.DEVNULL)
    chance = random.Random(13)
    kills = 0
    for _ in range(60):
        with subprocess.Popen([*command, killed, source, "0.004"], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0, 0.15))
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        if (killed / "EX-1.E01").is_file() and files_in(killed) == files_in(quiet):
            break
    assert kills >= 5
    subprocess.run([*command, killed, source, "0"], check=True, stdout=subprocess.DEVNULL)
    assert files_in(killed) == files_in(quiet)


FULL = """
import resource, signal, sys, uuid
from datetime import UTC, datetime
from pathlib import Path
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues
from acquire.errors import DiskFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
data = Path(sys.argv[2]).read_bytes()
try:
    with E01Writer(Path(sys.argv[1]), "EX-1", size_bytes=len(data), bytes_per_sector=2048, resume=True,
                   header=HeaderValues(), guid=uuid.UUID(int=5),
                   created=datetime(2026, 1, 2, tzinfo=UTC)) as writer:
        writer.write(data[writer.position:])
        writer.finish(None, None)
except DiskFullError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize("room", [0, 5, 1500, 700_000, 1_200_001])
def test_a_full_disk_is_said_and_gone_on_from(tmp_path: Path, room: int):
    """When no more can be written: one sentence, and the same call goes on when there is room."""
    source = tmp_path / "source"
    data = media(3 << 20, seed=17)
    source.write_bytes(data)
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-c", FULL, folder, source]
    stopped = subprocess.run([*command, str(room)], capture_output=True, text=True, check=False)
    assert stopped.returncode == 2, stopped.stderr
    assert "goes on where it stopped" in stopped.stdout
    assert len(stopped.stdout.splitlines()) == 1
    subprocess.run([*command, str(1 << 30)], check=True)
    assert read_with_pyewf([folder / "EX-1.E01"]) == data


@pytest.mark.root
def test_a_full_file_system_is_a_disk_full_error(tmp_path: Path, tool):
    """ENOSPC from a real file system, then room again."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        [tool("mount"), "-t", "tmpfs", "-o", "size=1m", "jewelcase-test", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here")
    data = random.Random(1).randbytes(2 << 20)
    try:
        with pytest.raises(DiskFullError, match="No space left"):
            write(folder, data)
        subprocess.run([tool("mount"), "-o", "remount,size=8m", folder], check=True)
        assert read_with_pyewf(go_on(folder, data)) == data
    finally:
        subprocess.run([tool("umount"), folder], check=True)

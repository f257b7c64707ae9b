"""The E01 writer against the format's own bytes, libewf's tools and The Sleuth Kit."""

import hashlib
import random
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

from acquire.containers.e01_writer import E01Writer
from acquire.errors import DestinationError, UsageError
from acquire.geometry import SectorRange
from acquire.toc import Session, Track, TrackMode
from tests.acquire.e01_made import (
    CHUNK,
    CREATED,
    GUID,
    HEADER,
    finish,
    media,
    open_writer,
    read_with_pyewf,
    sections,
    write,
)


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
    with open_writer(tmp_path, data, resume=True) as writer:
        writer.write(data[writer.position :])
        finish(writer, data)
    assert read_with_pyewf([tmp_path / "EX-1.E01"]) == data

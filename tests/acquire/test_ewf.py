"""The pieces of the EWF format: names, sector sizes, headers, chunks, the search for sections."""

import random
import time
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import ewf, ewf_chunks
from acquire.containers.e01_sections import SegmentFile, walk
from acquire.containers.ewf import HeaderValues
from acquire.containers.ewf_header import decode_payload, header2_payload, header_payload, parse_text
from acquire.containers.ewf_walk import Window, chunks
from acquire.containers.problem import ContainerProblem, Problems
from acquire.errors import ContainerError, SourceError
from tests.acquire.e01_made import CHUNK, dense, guarded, section, write


@pytest.mark.parametrize(
    ("number", "extension"),
    [
        # Segment file extensions: E01 to E99, EAA to EAZ, EBA to EZZ, FAA to ZZZ
        (1, "E01"),
        (99, "E99"),
        (100, "EAA"),
        (125, "EAZ"),
        (126, "EBA"),
        (775, "EZZ"),
        (776, "FAA"),
        (14971, "ZZZ"),
    ],
)
def test_segments_are_named_as_the_specification_says(number: int, extension: str):
    """Both ways, and in lower case."""
    assert ewf.segment_extension(number) == extension
    assert ewf.segment_extension(number, "e") == extension.lower()
    assert ewf.segment_number(extension) == ewf.segment_number(extension.lower()) == number


@pytest.mark.parametrize(
    "extension", ["", "E1", "E00", "E001", "D01", "AAA", "E0A", "EA1", "E²3", "ＥＡＡ", "F01"]
)
def test_other_extensions_are_no_segments(extension: str):
    """Nothing that libewf would not make."""
    assert ewf.segment_number(extension) is None


def test_there_are_no_segments_beyond_the_names():
    """0 and 14,972 have no name."""
    for number in (0, ewf.MAX_SEGMENTS + 1):
        with pytest.raises(ValueError, match="segment"):
            ewf.segment_extension(number)


@given(st.integers(1, 1 << 50), st.sampled_from([512, 2048]))
def test_the_sector_size_divides_the_size(size: int, preferred: int):
    """Always a power of two that a chunk holds whole, and the preferred one where that is possible."""
    chosen = ewf.sector_bytes_for(size, preferred)
    assert size % chosen == 0
    assert CHUNK % chosen == 0
    assert chosen == preferred or size % preferred


@pytest.mark.parametrize(
    ("size", "sector"), [(2048, 2048), (2560, 512), (1, 1), (514, 2), (33_000, 8), (768, 256)]
)
def test_sector_sizes_of_odd_media(size: int, sector: int):
    """The largest that readers take: 2048, 512, else a power of two."""
    assert ewf.sector_bytes_for(size) == sector


def test_a_damaged_signature_needs_a_good_section_behind_it():
    """Up to two bad bytes of the signature are forgiven, but only with a good descriptor."""
    head = ewf.file_header(1) + section(b"header2", 13, b"")[:76]
    assert ewf.is_segment_head(head)
    for at in range(8):
        bad = bytearray(head)
        bad[at] ^= 1
        assert ewf.is_segment_head(bytes(bad))
        bad[40] ^= 1
        assert not ewf.is_segment_head(bytes(bad))
    assert not ewf.is_segment_head(b"")
    assert not ewf.is_segment_head(b"CD001" + head[5:])


# ---- header texts ---------------------------------------------------------------------------------

TEXT = st.text(st.characters(codec=None), max_size=40)


@given(st.builds(HeaderValues, *[TEXT] * 7), st.integers(0, 4_000_000_000))
def test_any_text_survives_in_one_line(values: HeaderValues, seconds: int):
    """Whatever is typed into a field comes back, but for what separates fields and lone surrogates."""
    created = datetime.fromtimestamp(seconds, UTC)
    text = decode_payload(header2_payload(values, created))
    assert text is not None
    back = parse_text(text)
    for name, value in values._asdict().items():
        if name in ("version", "system"):
            continue
        kept = "".join(" " if c in "\t\r\n\0\x0b\x0c\x85\u2028\u2029" else c for c in value)
        assert back[name] == kept.encode("utf-16", "replace").decode("utf-16")
    assert back["acquired"] == str(seconds)


def test_the_older_header_has_ascii_and_wall_clock():
    """Beyond ASCII a question mark; the time in the zone given, without leading zeros."""
    created = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=2)))
    text = decode_payload(header_payload(HeaderValues(examiner="Müller"), created))
    assert text is not None
    assert parse_text(text)["examiner"] == "M?ller"
    assert parse_text(text)["acquired"] == "2026 3 4 5 6 7"
    newer = decode_payload(header2_payload(HeaderValues(), created))
    assert newer is not None
    assert parse_text(newer)["acquired"] == "1772593567"


def test_software_and_system_are_as_short_as_encase_wants_them():
    """11 and 23 characters."""
    values = HeaderValues(version="jewelcase 10.20.30", system="An Operating System With A Name")
    text = decode_payload(header2_payload(values, datetime(2026, 1, 1, tzinfo=UTC)))
    assert text is not None
    assert parse_text(text)["version"] == "jewelcase 1"
    assert parse_text(text)["system"] == "An Operating System Wit"


@pytest.mark.parametrize(
    "payload",
    [b"", b"x", b"\x78\x9c", zlib.compress(b"text")[:-1], zlib.compress(bytes(64 << 20)), b"\xff\xfe" * 50],
)
def test_a_header_that_is_none(payload: bytes):
    """Not inflatable, cut, or 64 MiB of zeros: no text, and no memory taken."""
    tracemalloc.start()
    assert decode_payload(payload) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20


@given(st.text())
def test_any_text_can_be_parsed(text: str):
    """Headers of any shape give some fields or none."""
    parse_text(text)
    parse_text(f"1\nmain\n{text}")
    parse_text(f"3\nmain\nc\tn\n{text}\n\n")


def test_a_latin_header_is_read():
    """A header in a Windows code page is read as Latin-1 rather than lost."""
    text = decode_payload(zlib.compress(b"1\r\nmain\r\nc\te\r\n7\tM\xfcller\r\n\r\n"))
    assert text is not None
    assert parse_text(text) == {"case_number": "7", "examiner": "Müller"}


# ---- chunks ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(st.integers(0, 3 * CHUNK), st.sampled_from(["none", "fast", "best"]), st.integers(0, 5))
def test_chunks_are_streams_or_data_with_a_checksum(size: int, name: str, seed: int):
    """What was stored, taken apart by zlib and Adler-32 alone; a stream is always shorter than its data."""
    data = dense(size, seed)
    stored = ewf_chunks.store(data, 0, size, ewf_chunks.compression_by_name(name))
    parts = b"".join(stored.parts)
    assert len(parts) == sum(stored.lengths)
    assert stored.media_bytes == size
    back, at = b"", 0
    for length, flag in zip(stored.lengths, stored.flags, strict=True):
        piece = parts[at : at + length]
        at += length
        if flag:
            assert flag == 0x80000000
            assert name != "none"
            back += zlib.decompress(piece)
            assert len(piece) < min(CHUNK, size)
        else:
            assert piece == guarded(piece[:-4])
            back += piece[:-4]
    assert back == data


@pytest.mark.parametrize("level", range(10))
def test_streams_of_zlib_are_inflated(level: int):
    """All levels of zlib, to exactly their size and not to any other."""
    data = dense(CHUNK, level)
    stream = zlib.compress(data, level)
    assert ewf_chunks.inflate(stream + b"more", CHUNK) == (data, len(stream))
    assert ewf_chunks.inflate(stream, CHUNK - 1) is None
    assert ewf_chunks.inflate(stream, CHUNK + 1) is None
    assert ewf_chunks.inflate(stream[:-1], CHUNK) is None
    assert ewf_chunks.inflate(b"", CHUNK) is None


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_stream_gives_nothing_or_the_same(data):
    """Bits changed in a stream: no data, or, where the change means nothing, the very same."""
    content = (b"disc and session " * 3000)[:CHUNK]
    stream = bytearray(zlib.compress(content, data.draw(st.integers(1, 9))))
    for _ in range(data.draw(st.integers(1, 3))):
        stream[data.draw(st.integers(0, len(stream) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    found = ewf_chunks.inflate(bytes(stream), CHUNK)
    assert found is None or found[0] == content


def test_chunks_are_found_without_a_table():
    """One behind the other, streams and plain data, up to the first that is broken."""
    data = dense(9 * CHUNK + 77)
    stored = ewf_chunks.store(data, 0, len(data), ewf_chunks.compression_by_name("fast"))
    assert 0 < sum(map(bool, stored.flags)) < 10
    file = bytearray(b"".join(stored.parts))

    def found(content: bytes, flags: list[int | None]) -> bytes:
        window = Window(lambda at, size: content[at : at + size], len(content))
        return b"".join(one.data for one in chunks(window, 0, len(content), len(data), flags=flags))

    assert found(bytes(file), [None] * 99) == data
    assert found(bytes(file), list(stored.flags)) == data
    assert found(bytes(file), [None] * 4) == data[: 4 * CHUNK]
    assert found(bytes(file[:-1]), [None] * 99) == data[: 9 * CHUNK]
    wrong = [0x80000000 - flag for flag in stored.flags]
    assert found(bytes(file), wrong) == b""
    file[sum(stored.lengths[:5]) + 100] ^= 1
    assert found(bytes(file), [None] * 99) == data[: 5 * CHUNK]


# ---- sections and problems ------------------------------------------------------------------------


def test_names_of_sections_without_end_take_no_time(tmp_path: Path):
    """A file full of section names with a broken chain: the search for the next good one is bounded."""
    path = tmp_path / "names.E01"
    path.write_bytes(ewf.file_header(1) + b"table".ljust(16, b"\0") * (8 << 16))
    problems = Problems()
    started = time.monotonic()
    found = walk(SegmentFile(path), problems)
    assert time.monotonic() - started < 5
    assert len(found) <= 40
    assert problems.count > 0


def test_sections_without_end_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A chain of empty sections ends at a limit, and that is a problem."""
    monkeypatch.setattr("acquire.containers.e01_sections.MAX_SECTIONS", 500)
    content = bytearray(ewf.file_header(1))
    for _ in range(600):
        content += section(b"header", len(content), b"")
    path = tmp_path / "many.E01"
    path.write_bytes(content)
    problems = Problems()
    assert len(walk(SegmentFile(path), problems)) == 500
    assert [problem.what for problem in problems] == ["more sections than a segment file can have"]


def test_problems_are_kept_up_to_a_number():
    """Ten thousand, then one that says that there are more; all are counted."""
    problems = Problems()
    for number in range(Problems.MOST + 50):
        problems.add("bad", "x.E01", number, 1, 2)
    kept = list(problems)
    assert kept[0] == ContainerProblem("bad", "x.E01", 0, "1", "2")
    assert len(kept) == Problems.MOST + 1
    assert kept[-1].what == "more problems than are listed"
    assert problems.count == Problems.MOST + 50


def test_files_that_are_none(tmp_path: Path):
    """A folder, a device, nothing: one sentence each."""
    with pytest.raises(ContainerError, match="Not a regular file"):
        SegmentFile(tmp_path)
    with pytest.raises(ContainerError, match="Not a regular file"):
        SegmentFile(Path("/dev/zero"))
    with pytest.raises(SourceError, match="No such file"):
        SegmentFile(tmp_path / "absent")


def test_very_many_segments_do_not_exhaust_open_files(tmp_path: Path):
    """Only the first hundred files stay open; the others are opened for each read."""
    (path,) = write(tmp_path, random.Random(1).randbytes(5000))
    kept, passing = SegmentFile(path, 99), SegmentFile(path, 100)
    assert kept._handle >= 0
    assert passing._handle < 0
    assert kept.read(13, 76) == passing.read(13, 76) == path.read_bytes()[13:89]
    kept.close()
    passing.close()

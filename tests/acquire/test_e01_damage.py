"""E01 containers with damage: it is found and located, and nothing wrong is passed on."""

import hashlib
import random
import shutil
import subprocess
import uuid
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import ewf, open_image
from acquire.containers.e01_reader import E01Image
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues
from acquire.errors import ContainerError
from acquire.geometry import SectorRange
from acquire.toc import Session
from tests.acquire.e01_made import (
    CHUNK,
    CREATED,
    GUID,
    dense,
    files_in,
    flip,
    offsets,
    open_damaged,
    patch,
    read_with_pyewf,
    whole,
    write,
)


@pytest.mark.tools
def test_a_bad_chunk_is_located_as_ewfverify_locates_it(tmp_path: Path, tool):
    """One bit in a compressed and in a plain chunk: the same sectors that ewfverify names, and no others."""
    data = b"compressible " * 20_000 + random.Random(1).randbytes(300_000)
    data = data[: len(data) // 2048 * 2048]
    paths = write(tmp_path, data)
    sections = offsets(paths[0], "sectors")
    flip(paths[0], sections[0] + 76 + 250)
    flip(paths[0], paths[0].stat().st_size - 60_000)
    image, lost = open_damaged(paths[0], data)
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
    data = dense(12 * CHUNK)
    tail = {"sessions": [Session(1, 0, 192, ())], "unread": [SectorRange(5, 1)]}
    paths = write(tmp_path, data, tail=tail)
    kind, at, what, located = damage
    offset = offsets(paths[0], kind)[0]
    flip(paths[0], offset + at)
    image, lost = open_damaged(paths[0], data)
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
    data = dense(12 * CHUNK)
    paths = write(tmp_path, data, tail={"sessions": [Session(1, 0, 192, ())]})
    offset = offsets(paths[0], kind)[0]
    flip(paths[0], offset + at)
    image, lost = open_damaged(paths[0], data)
    assert lost == set()
    assert whole(image) == data
    assert image.problems[0].what == "a section descriptor's checksum does not match"
    assert (image.problems[0].file, image.problems[0].offset) == ("EX-1.E01", offset)
    assert image.stored_sha1 == hashlib.sha1(data).hexdigest()


def test_a_run_of_bad_bytes_over_descriptors_loses_only_its_chunks(tmp_path: Path):
    """A zeroed piece over both tables and the next descriptor: the chain is found again behind it."""
    data = dense(40 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=600_000)
    table = offsets(paths[0], "table")[0]
    patch(paths[0], table - 5000, bytes(5300))
    image, lost = open_damaged(paths[0], data)
    assert 0 < len(lost) <= 3 * 16
    assert max(lost) < image.sector_count / 2
    assert any("found by their own checksums" in problem.what for problem in image.problems)


def test_without_any_table_the_chunks_are_found(tmp_path: Path):
    """Both tables bad: the chunks are found one behind the other, and all are right."""
    data = dense(30 * CHUNK + 5000)
    paths = write(tmp_path, data)
    for kind in ("table", "table2"):
        flip(paths[0], offsets(paths[0], kind)[0] + 76 + 30)
    image, lost = open_damaged(paths[0], data)
    assert lost == set()
    assert sum("no usable table: 31 chunks" in problem.what for problem in image.problems) == 1


@pytest.mark.parametrize("compression", ["none", "fast"])
def test_an_unfinished_container_reads_as_far_as_it_goes(tmp_path: Path, compression: str):
    """What a killed run left: its whole chunks are read, the rest is unread, and it says it is unfinished."""
    data = dense(40 * CHUNK)
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
    image, lost = open_damaged(writer.paths[0], data)
    assert kept == 35 * CHUNK
    assert lost == set(range(kept // 2048, 640))
    said = [problem.what for problem in image.problems]
    assert "the container is not finished: no done section" in said
    assert "a section was never closed" in said


@pytest.mark.parametrize("cut", [0, 12, 13, 50, 2_000, 100_000, 399_999])
def test_a_segment_cut_short(tmp_path: Path, cut: int):
    """The second of several segments cut: only its chunks are lost, those behind keep their place."""
    data = dense(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    assert len(paths) > 3
    with paths[1].open("r+b") as file:
        file.truncate(min(cut, paths[1].stat().st_size - 1))
    image, lost = open_damaged(paths[0], data)
    assert image.problems
    assert lost or cut > 390_000
    assert max(lost, default=0) < image.sector_count * 3 / 4
    assert 0 not in lost


def test_a_missing_segment(tmp_path: Path):
    """Without its second segment: that one's sectors are unread, all others are right; the file is named."""
    data = dense(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    paths[1].unlink()
    image, lost = open_damaged(paths[0], data)
    assert any(problem.what == "segment 2 missing" for problem in image.problems)
    assert 0 not in lost
    assert image.sector_count - 1 not in lost
    assert 5 * 16 < len(lost) < 20 * 16


def test_missing_segments_at_the_end(tmp_path: Path):
    """Without the last ones the beginning is read, and the container is said to be unfinished."""
    data = dense(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    for path in paths[2:]:
        path.unlink()
    image, lost = open_damaged(paths[0], data)
    assert image.sector_count - 1 in lost
    assert 0 not in lost
    assert any("not finished" in problem.what for problem in image.problems)


def test_the_first_segment_missing(tmp_path: Path):
    """The sizes stand in every segment: what is there is read at its place."""
    data = dense(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    paths[0].unlink()
    image, lost = open_damaged(paths[1], data)
    assert 0 in lost
    assert image.sector_count - 1 not in lost


def test_swapped_segments_are_put_in_order(tmp_path: Path):
    """Two files with each other's names: read right, and both are named."""
    data = dense(60 * CHUNK)
    paths = write(tmp_path, data, segment_size_bytes=400_000)
    paths[1].rename(tmp_path / "x")
    paths[2].rename(paths[1])
    (tmp_path / "x").rename(paths[2])
    image, lost = open_damaged(paths[0], data)
    assert lost == set()
    assert [(problem.what, problem.file, problem.offset) for problem in image.problems] == [
        ("a segment's number is not that of its name", "EX-1.E02", 9),
        ("a segment's number is not that of its name", "EX-1.E03", 9),
    ]


def test_a_segment_of_another_container_is_not_used(tmp_path: Path):
    """A file of the right name and number from another acquisition: named, and nothing of it is read."""
    data, other = dense(60 * CHUNK), dense(60 * CHUNK, seed=99)
    paths = write(tmp_path / "a", data, segment_size_bytes=400_000)
    foreign = write(tmp_path / "b", other, segment_size_bytes=400_000, guid=uuid.UUID(int=1))
    shutil.copy(foreign[1], paths[1])
    image, lost = open_damaged(paths[0], data)
    assert any(
        problem.what == "a segment belongs to another container" and problem.file == "EX-1.E02"
        for problem in image.problems
    )
    assert 0 not in lost
    assert image.sector_count - 1 not in lost


@pytest.mark.parametrize("at", range(13))
def test_damage_to_the_file_header(tmp_path: Path, at: int):
    """Even a damaged signature opens, if a good section follows it; it is named."""
    data = dense(3 * CHUNK)
    paths = write(tmp_path, data)
    flip(paths[0], at)
    image = open_image(paths[0])
    assert isinstance(image, E01Image)
    assert whole(image) == data
    assert any(problem.offset in (0, 9) for problem in image.problems)
    image.close()


class Harm(NamedTuple):
    """One change to one file of a container."""

    what: str
    at: float
    length: int


@pytest.fixture(scope="module")
def grouped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], bytes]:
    """A container of many small groups in several segments, and its media data.

    Tables of three chunks instead of 16,375: the same structure as that of a whole disc.
    """
    data = dense(40 * CHUNK + 8192, seed=21)
    folder = tmp_path_factory.mktemp("grouped")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ewf, "MAX_TABLE_ENTRIES", 3)
        paths = write(folder, data, segment_size_bytes=350_000)
    assert len(paths) >= 3
    assert all(len(offsets(path, "table")) >= 2 for path in paths[:-1])
    assert read_with_pyewf(paths) == data
    return files_in(folder), data


def harmed(content: bytes, harm: Harm) -> bytes | None:
    """What a file is after `harm`; None if it is gone."""
    at = int(harm.at * len(content))
    end = at + harm.length
    if harm.what == "zeros":
        return content[:at] + bytes(len(content[at:end])) + content[end:]
    if harm.what == "noise":
        return content[:at] + random.Random(at).randbytes(len(content[at:end])) + content[end:]
    if harm.what == "bit":
        return content[:at] + bytes([content[at] ^ 1 << at % 8]) + content[at + 1 :]
    if harm.what == "taken out":
        return content[:at] + content[end:]
    return content[:at] if harm.what == "cut" else None


def near_structures(content: bytes) -> list[float]:
    """Places of section names, as parts of the file."""
    found = []
    for name in (b"sectors\0", b"table\0", b"table2\0", b"data\0", b"next\0", b"volume\0", b"done\0"):
        at = content.find(name)
        while at >= 0:
            found.append(at / len(content))
            at = content.find(name, at + 1)
    return found


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_whatever_is_damaged_no_sector_is_passed_off_as_another(grouped, tmp_path_factory, data):
    """Up to three pieces zeroed, garbled, cut, taken out or gone: what is read is right or unread.

    The hardest loss is that of chunks whose number is not known: those behind them keep their place.
    """
    files, content = grouped
    folder = tmp_path_factory.mktemp("harmed")
    changed: dict[str, bytes | None] = dict(files)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(files)))
        old = changed[name] or b"\0"
        places = st.one_of(st.floats(0, 0.999), st.sampled_from(near_structures(files[name])))
        what = data.draw(st.sampled_from(("zeros", "noise", "bit", "taken out", "cut", "gone")))
        length = data.draw(st.sampled_from((1, 20, 76, 400, 3000, 60_000)))
        changed[name] = harmed(old, Harm(what, data.draw(places), length))
    for name, new in changed.items():
        if new is not None:
            (folder / name).write_bytes(new)
    there = sorted(name for name, new in changed.items() if new is not None)
    if not there:
        return
    try:
        image, lost = open_damaged(folder / there[0], content)
    except ContainerError:
        return
    with image:
        assert image.problems or (not lost and whole(image) == content)


def test_chunks_between_two_gaps_are_not_placed(grouped, tmp_path: Path):
    """With two segments gone, what lies between them cannot be numbered: named, unread, not guessed."""
    files, content = grouped
    names = sorted(files)
    for name in (names[0], names[2]):
        (tmp_path / name).write_bytes(files[name])
    with_gap = [*names[:1], names[2]]
    assert len(names) >= 4
    image, lost = open_damaged(tmp_path / with_gap[0], content)
    said = [problem.what for problem in image.problems]
    assert "segment 2 missing" in said
    assert "chunks whose place on the medium is not known" in said
    assert "the container is not finished: no done section" in said
    assert len(lost) > image.sector_count / 2


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
            table = offsets(path, "table")[0]
            chunks = range(offsets(path, "sectors")[0] + 76, table)
            step = 1 if compression == "fast" else 41
            for at in [*range(chunks.start), *chunks[::step], *range(table, len(content))][number::7]:
                patch(path, at, bytes([content[at] ^ (1 << at % 8)]))
                image, _ = open_damaged(paths[0], data)
                if not image.problems:
                    assert compression == "fast"
                    assert at in chunks
                    assert whole(image) == data
                image.close()
                patch(path, at, content[at : at + 1])

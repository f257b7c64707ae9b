"""Acquisitions, whole and undisturbed: what is made, what is recorded, and that other programs agree."""

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from acquire.acquisition import Acquisition, ExhibitHeader, Plan, acquire, read_acquisition
from acquire.containers import open_image
from acquire.errors import ContainerError, DestinationError, SourceError, UsageError
from acquire.progress import ACQUIRE, PHASES, VERIFY, Progress
from acquire.sectormap import Run, SectorMap, Status

DEFAULT = ("md5", "sha1", "sha256")
UTC = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "evidence"
    made.mkdir()
    return made


def disc(tmp_path: Path, size: int, name: str = "disc.iso") -> Path:
    path = tmp_path / name
    path.write_bytes(os.urandom(size))
    return path


def digests_of(data: bytes, names: tuple[str, ...] = DEFAULT) -> dict[str, str]:
    return {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in names}


def test_raw(tmp_path: Path, folder: Path):
    """A raw image is the source, byte for byte; the folder holds five files and nothing of the work."""
    source = disc(tmp_path, 1000 * 2048)
    made = acquire(source, folder, "EX 1", Plan(format="raw"))
    exhibit = folder / "EX 1"
    assert (exhibit / "EX 1.iso").read_bytes() == source.read_bytes()
    assert made.files == ("EX 1.iso", "EX 1.map", "EX 1.log.jsonl", "EX 1.log.txt", "EX 1.json")
    assert sorted(each.name for each in exhibit.iterdir()) == sorted(made.files)
    assert list(folder.iterdir()) == [exhibit]
    assert made.digests == digests_of(source.read_bytes())
    assert (made.format, made.verified, made.resumed) == ("raw", True, 0)
    assert (made.sector_size_bytes, made.sector_count, made.size_bytes) == (2048, 1000, 2048000)
    assert (made.sectors_read, made.sectors_unread, made.sectors_filled, made.unread) == (1000, 0, 0, ())
    assert made.errors == ()
    assert UTC.fullmatch(made.started)
    assert UTC.fullmatch(made.ended)
    assert made.started < made.ended
    assert (made.source["path"], made.source["kind"], made.source["size_bytes"]) == (
        str(source),
        "file",
        2048000,
    )
    assert list(SectorMap.load(exhibit / "EX 1.map").runs()) == [Run(0, 2048000, Status.FINISHED)]
    assert read_acquisition(folder, "EX 1") == made


@pytest.mark.tools
@pytest.mark.parametrize("compression", ["none", "fast", "best"])
def test_e01(tmp_path: Path, folder: Path, tool, compression):
    """An E01 holds the source; ewfverify agrees with both digests, ewfinfo tells the case's fields."""
    source = tmp_path / "disc.iso"
    source.write_bytes(os.urandom(300 * 2048) + bytes(500 * 2048))
    header = ExhibitHeader("2026-014", "EX-1", "CD-R, blue", "A. Examiner", "found in drawer")
    made = acquire(source, folder, "EX-1", Plan(compression=compression, header=header))
    assert made.files[0] == "EX-1.E01"
    assert (made.format, made.verified) == ("e01", True)
    first = folder / "EX-1" / "EX-1.E01"
    with open_image(first) as image:  # type: ignore[attr-defined]
        assert image.read(0, 1000) == source.read_bytes()
    out = subprocess.run([tool("ewfverify"), "-d", "sha1", first], capture_output=True, text=True, check=True)
    for name in ("md5", "sha1"):
        assert made.digests[name] in out.stdout
    assert "SUCCESS" in out.stdout
    out = subprocess.run([tool("ewfinfo"), first], capture_output=True, text=True, check=True)
    for value in header:
        assert value in out.stdout


@pytest.mark.parametrize(
    ("size", "kind", "suffix", "count"),
    [
        (2048, "e01", ".E01", 1),
        (1, "raw", ".img", 1),
        (2047, "raw", ".img", 1),
        (2049, "raw", ".img", 2),
        (512, "raw", ".img", 1),
        (1 << 20, "e01", ".E01", 512),
        ((1 << 20) + 1, "raw", ".img", 513),
    ],
)
def test_the_format_that_is_chosen(tmp_path: Path, folder: Path, *, size, kind, suffix, count):
    """E01 for whole sectors of 2048 bytes, else raw; odd sizes are exact, the last sector short."""
    source = disc(tmp_path, size)
    made = acquire(source, folder, "A")
    assert (made.format, made.size_bytes, made.sector_count) == (kind, size, count)
    assert made.files[0] == f"A{suffix}"
    assert made.sectors_read == count
    assert made.digests == digests_of(source.read_bytes())
    with open_image(folder / "A" / made.files[0]) as image:  # type: ignore[attr-defined]
        assert image.size_bytes == size
        assert image.read(0, count) == source.read_bytes()


@pytest.mark.parametrize("size", [1, 511, 2047, 2049, 32768, 32769, 100_001])
def test_e01_of_any_size(tmp_path: Path, folder: Path, size):
    """An E01 that is asked for holds any size exactly."""
    source = disc(tmp_path, size)
    made = acquire(source, folder, "A", Plan(format="e01"))
    assert (made.verified, made.size_bytes, made.sector_size_bytes) == (True, size, 2048)
    with open_image(folder / "A" / "A.E01") as image:  # type: ignore[attr-defined]
        assert image.read(0, 100) == source.read_bytes()


def cd_sector(lba: int, data: bytes) -> bytes:
    """A mode 1 sector (ECMA-130 14)."""
    minute, rest = divmod(lba + 150, 4500)
    address = bytes(n // 10 * 16 + n % 10 for n in (minute, rest // 75, rest % 75))
    return (b"\0" + b"\xff" * 10 + b"\0" + address + b"\1" + data).ljust(2352, b"\0")


def test_whole_cd_sectors(tmp_path: Path, folder: Path):
    """A file of 2352-byte sectors is kept as it is, raw, as .img; its sectors are counted as such."""
    source = tmp_path / "disc.bin"
    users = [os.urandom(2048) for _ in range(128)]
    source.write_bytes(b"".join(cd_sector(lba, each) for lba, each in enumerate(users)))
    assert source.stat().st_size % 2048 == 0
    made = acquire(source, folder, "A")
    assert (made.format, made.files[0], made.sector_size_bytes, made.sector_count) == (
        "raw",
        "A.img",
        2352,
        128,
    )
    assert (folder / "A" / "A.img").read_bytes() == source.read_bytes()
    with open_image(folder / "A" / "A.img") as image:  # type: ignore[attr-defined]
        assert image.read(0, 128) == b"".join(users)
        assert image.unread() == ()


def test_other_digests(tmp_path: Path, folder: Path):
    """The digests that are asked for, and no others, in a raw image and in an E01."""
    source = disc(tmp_path, 10 * 2048)
    for kind in ("raw", "e01"):
        made = acquire(source, folder, kind, Plan(format=kind, digests=("sha512", "blake2b")))
        assert made.digests == digests_of(source.read_bytes(), ("sha512", "blake2b"))
        assert made.verified is True


def test_segments(tmp_path: Path, folder: Path):
    """An E01 in segments: all of them are among the files, the first one first."""
    source = disc(tmp_path, 5 << 20)
    made = acquire(source, folder, "A", Plan(segment_size_bytes=2 << 20))
    assert made.files[:3] == ("A.E01", "A.E02", "A.E03")
    assert all((folder / "A" / name).is_file() for name in made.files)
    assert made.verified is True


def test_zeros_are_not_fill(tmp_path: Path, folder: Path):
    """A source of nothing but zeros is read in full: no sector of it counts as filled."""
    source = tmp_path / "zeros.iso"
    source.write_bytes(bytes(100 * 2048))
    for kind in ("raw", "e01"):
        made = acquire(source, folder, kind, Plan(format=kind))
        assert (made.sectors_read, made.sectors_unread, made.sectors_filled) == (100, 0, 0)


def test_without_verification(tmp_path: Path, folder: Path):
    """Not asked for is not verified, and neither is it wrong."""
    made = acquire(disc(tmp_path, 4096), folder, "A", Plan(verify=False))
    assert made.verified is None
    assert "not asked" in made.verify_detail
    assert "not read back" in (folder / "A" / "A.log.txt").read_text()


@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_a_container_that_changes_before_it_is_read_back(tmp_path: Path, folder: Path, kind):
    """A byte changed on the disk between writing and reading back: not verified, and it says what differs."""
    source = disc(tmp_path, 3 << 20)

    def spoil(progress: Progress) -> None:
        if progress.phase == ACQUIRE and progress.done == progress.total:
            spoiled.append(True)

    spoiled: list[bool] = []
    real = os.posix_fadvise

    def fadvise(descriptor: int, *rest: int) -> None:
        if spoiled:
            spoiled.clear()
            (path,) = (folder / "A.partial").glob("A.[Ei]*")
            with path.open("r+b") as file:
                file.seek(2_000_000)
                byte = file.read(1)
                file.seek(2_000_000)
                file.write(bytes([byte[0] ^ 1]))
        real(descriptor, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "posix_fadvise", fadvise)
        made = acquire(source, folder, "A", Plan(format=kind), progress=spoil)
    assert made.verified is False
    assert "sha256 is" in made.verify_detail
    assert made.digests == digests_of(source.read_bytes())
    assert made.sectors_read == made.sector_count
    assert "NOT VERIFIED" in (folder / "A" / "A.log.txt").read_text()


def test_progress(tmp_path: Path, folder: Path):
    """Progress goes up to the whole of each phase, in bytes, in known phases."""
    seen: list[Progress] = []
    acquire(disc(tmp_path, 5 << 20), folder, "A", progress=seen.append)
    assert {each.phase for each in seen} == {ACQUIRE, VERIFY} <= set(PHASES)
    for phase in (ACQUIRE, VERIFY):
        done = [each.done for each in seen if each.phase == phase]
        assert done == sorted(done)
        assert done[-1] == 5 << 20
    assert all(each.total == 5 << 20 and each.unread == 0 for each in seen)


def test_the_source_is_untouched(tmp_path: Path, folder: Path):
    """Every time of the source, its access time too, its size and its content are as before."""
    source = disc(tmp_path, 3 << 20)
    digest = hashlib.sha256(source.read_bytes()).digest()
    os.utime(source, ns=(10**18, 10**18))
    before = source.stat()
    for kind in ("raw", "e01"):
        acquire(source, folder, kind, Plan(format=kind))
    assert source.stat() == before
    assert hashlib.sha256(source.read_bytes()).digest() == digest


def test_nothing_can_be_changed_by_accident(tmp_path: Path, folder: Path):
    """All files of an exhibit are read-only."""
    acquire(disc(tmp_path, 4096), folder, "A")
    assert {each.stat().st_mode & 0o777 for each in (folder / "A").iterdir()} == {0o444}


def test_an_image_in_a_container(tmp_path: Path, folder: Path):
    """From an E01 the media data is acquired; its files' digests are recorded, and whether its own agree."""
    source = disc(tmp_path, 100 * 2048)
    header = ExhibitHeader("1", "2", "disc", "me", "")
    acquire(source, folder, "A", Plan(header=header, segment_size_bytes=None))
    first = folder / "A" / "A.E01"
    made = acquire(first, folder, "B", Plan(format="raw"))
    assert (folder / "B" / "B.iso").read_bytes() == source.read_bytes()
    assert made.source["kind"] == "image"
    assert made.source["stored_agree"] == {"md5": True, "sha1": True}
    assert made.source["container_files"] == [
        {"name": "A.E01", "size_bytes": first.stat().st_size, "digests": digests_of(first.read_bytes())}
    ]
    assert made.source["container_header"]["examiner"] == "me"
    again = acquire(first, folder, "C", Plan(digests=("sha256",)))
    assert again.digests == digests_of(source.read_bytes(), ("sha256",))
    assert again.source["stored_agree"] == {"md5": True, "sha1": True}


def test_a_damaged_container(tmp_path: Path, folder: Path):
    """A damaged chunk of an E01 is unread and filled; its stored digests then do not agree."""
    source = disc(tmp_path, 1000 * 2048)
    acquire(source, folder, "A")
    spoiled = tmp_path / "bad.E01"
    shutil.copy(folder / "A" / "A.E01", spoiled)
    spoiled.chmod(0o644)
    with spoiled.open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"\x55" * 100)
    made = acquire(spoiled, folder, "B", Plan(format="raw"))
    assert made.source["stored_agree"] == {"md5": False, "sha1": False}
    assert made.verified is True
    assert made.sectors_unread == made.sectors_filled == 16  # one chunk of 32 KiB
    ((start, count),) = made.unread
    data = bytearray(source.read_bytes())
    data[start * 2048 : (start + count) * 2048] = bytes(count * 2048)
    assert (folder / "B" / "B.iso").read_bytes() == bytes(data)
    assert made.digests == digests_of(bytes(data))
    assert made.errors[0]["errno"] == "EIO"
    assert any("chunk" in note for note in made.source["notes"])
    assert "DOES NOT AGREE" in (folder / "B" / "B.log.txt").read_text()


def test_unread_sectors_stay_unread_from_exhibit_to_exhibit(tmp_path: Path, folder: Path):
    """What a map beside the source calls unread is unread, not filled, and so it is in the E01 made of it."""
    source = disc(tmp_path, 100 * 2048)
    made = SectorMap(100 * 2048, Status.FINISHED)
    made.mark(10 * 2048, 3 * 2048, Status.BAD)
    made.save(tmp_path / "disc.map")
    first = acquire(source, folder, "A")
    assert (first.unread, first.sectors_unread, first.sectors_filled) == (((10, 3),), 3, 0)
    assert first.digests == digests_of(source.read_bytes())
    assert SectorMap.load(folder / "A" / "A.map").unread(2048) == ((10, 3),)
    with open_image(folder / "A" / "A.E01") as image:  # type: ignore[attr-defined]
        assert image.unread() == ((10, 3),)
    second = acquire(folder / "A" / "A.E01", folder, "B", Plan(format="raw"))
    assert (second.unread, second.sectors_filled) == (((10, 3),), 3)


@pytest.mark.corpus
def test_what_is_not_known_of_a_container(corpus, folder: Path):
    """Of an Ex01, read by libewf, it is noted that its list of unread sectors is not known."""
    made = acquire(corpus("ewf-forensic/zeros_128s.Ex01"), folder, "A")
    assert any("not known here" in note for note in made.source["notes"])
    assert made.source["stored_agree"]["md5"] is True


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["libcdio/copying.iso", "libcdio/isofs-m1.bin", "libcdio/cdda.bin"])
def test_real_discs(corpus, folder: Path, name):
    """Real images of other projects arrive whole, and verified."""
    made = acquire(corpus(name), folder, "A")
    assert made.verified is True
    assert made.digests == digests_of(corpus(name).read_bytes())


@pytest.mark.tools
def test_dc3dd_agrees(tmp_path: Path, folder: Path, tool):
    """The digests are those that dc3dd computes of the source."""
    source = disc(tmp_path, 3_000_001)
    made = acquire(source, folder, "A")
    command = [tool("dc3dd"), f"if={source}", "hash=md5", "hash=sha1", "hash=sha256"]
    out = subprocess.run([*command, "of=/dev/null"], capture_output=True, text=True, check=True)
    for name in DEFAULT:
        assert f"{made.digests[name]} ({name})" in out.stderr


@pytest.mark.tools
def test_ddrescuelog_reads_the_map(tmp_path: Path, folder: Path, tool):
    """The map is one that ddrescuelog calls done."""
    acquire(disc(tmp_path, 1 << 20), folder, "A")
    subprocess.run([tool("ddrescuelog"), "-D", folder / "A" / "A.map"], check=True)


def test_the_log(tmp_path: Path, folder: Path):
    """The log is JSON Lines: each with a time that does not go back and an event, from start to end."""
    source = disc(tmp_path, 1 << 20)
    acquire(source, folder, "A")
    lines = [json.loads(line) for line in (folder / "A" / "A.log.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "read", "verify-started", "verified", "ended"]
    times = [line["time"] for line in lines]
    assert times == sorted(times)
    assert all(UTC.fullmatch(time) for time in times)
    assert lines[0]["source"]["path"] == str(source)
    assert lines[1]["digests"] == digests_of(source.read_bytes())
    assert lines[4]["coverage"]["sectors_read"] == 512


def test_hostile_words(tmp_path: Path, folder: Path):
    """Escape sequences, newlines and marks in names are harmless in the text, exact in the record."""
    source = disc(tmp_path, 4096, "a\x1b[31m\nDIGEST: fake\u202e.iso")
    notes = "line one\nVerified: yes\x07\x00"
    made = acquire(source, folder, "A", Plan(header=ExhibitHeader(notes=notes, examiner="Ä. Ö\ud800")))
    text = (folder / "A" / "A.log.txt").read_bytes().decode()
    assert all(each == "\n" or each.isprintable() for each in text)
    assert "\nDIGEST: fake" not in text
    assert "\nVerified: yes" not in text
    record = json.loads((folder / "A" / "A.json").read_text())
    assert record["exhibit"]["notes"] == notes
    assert record["source"]["path"] == made.source["path"] == str(source)
    assert SectorMap.load(folder / "A" / "A.map").size_bytes == 4096


def test_names_that_are_not_text(tmp_path: Path, folder: Path):
    """A source whose name is not UTF-8 is acquired, and named."""
    path = os.fsencode(tmp_path) + b"/\xff\xfe.iso"
    with open(path, "wb") as file:  # noqa: PTH123  bytes
        file.write(os.urandom(4096))
    made = acquire(os.fsdecode(path), folder, "A")
    assert os.fsencode(made.source["path"]) == path
    assert read_acquisition(folder, "A") == made


@pytest.mark.parametrize(
    "label",
    ["", ".", "..", "a/b", "../x", "a\0b", " a", "a ", "a.partial", "x" * 65, "-a", "a\n", "ä", "A.PARTIAL"],
)
def test_labels_that_are_none(tmp_path: Path, folder: Path, label):
    """A label that could leave its folder, or could not be copied everywhere, is refused."""
    with pytest.raises(UsageError, match="cannot be a label"):
        acquire(disc(tmp_path, 4096), folder, label)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(format="aff"), "Unknown format 'aff'"),
        (Plan(digests=("crc32",)), "Unknown digest 'crc32'"),
        (Plan(digests=()), "No digest"),
        (Plan(compression="xz"), "Unknown compression 'xz'"),
        (Plan(segment_size_bytes=1000), "less than 1 MiB"),
    ],
)
def test_plans_that_mean_nothing(tmp_path: Path, folder: Path, plan, words):
    """Unknown words are refused before anything is made."""
    with pytest.raises(UsageError, match=words):
        acquire(disc(tmp_path, 4096), folder, "A", plan)
    assert list(folder.iterdir()) == []


def test_what_cannot_be_acquired(tmp_path: Path, folder: Path):
    """No source, an empty one, a folder, a container that is none: a sentence, and nothing is made."""
    (tmp_path / "empty").touch()
    (tmp_path / "x.E01").write_bytes(b"EVF\x09\x0d\x0a\xff\x00" + os.urandom(1000))
    with pytest.raises(SourceError, match="No such file"):
        acquire(tmp_path / "absent", folder, "A")
    with pytest.raises(SourceError, match="0 bytes"):
        acquire(tmp_path / "empty", folder, "A")
    with pytest.raises(SourceError, match="A folder"):
        acquire(tmp_path, folder, "A")
    with pytest.raises(ContainerError):
        acquire(tmp_path / "x.E01", folder, "A")
    assert list(folder.iterdir()) == []


def test_an_existing_exhibit(tmp_path: Path, folder: Path):
    """An exhibit that is there is never touched, be it a file of that name or a dangling link."""
    source = disc(tmp_path, 4096)
    acquire(source, folder, "A")
    before = {each.name: each.read_bytes() for each in (folder / "A").iterdir()}
    with pytest.raises(DestinationError, match="exhibit of this label already"):
        acquire(source, folder, "A")
    assert {each.name: each.read_bytes() for each in (folder / "A").iterdir()} == before
    (folder / "B").write_bytes(b"")
    (folder / "C").symlink_to("nowhere")
    for label in "BC":
        with pytest.raises(DestinationError, match="already"):
            acquire(source, folder, label)
    assert sorted(each.name for each in folder.iterdir()) == ["A", "B", "C"]


def test_no_folder(tmp_path: Path):
    """A folder that is not there is not made."""
    with pytest.raises(DestinationError, match="No such folder"):
        acquire(disc(tmp_path, 4096), tmp_path / "typo", "A")
    assert not (tmp_path / "typo").exists()


def test_not_an_acquisition_record(tmp_path: Path, folder: Path):
    """A record that is missing or damaged is a sentence."""
    acquire(disc(tmp_path, 4096), folder, "A")
    with pytest.raises(SourceError, match="No such file"):
        read_acquisition(folder, "B")
    path = folder / "A" / "A.json"
    text = path.read_bytes()
    path.chmod(0o644)
    for damaged in (text[:100], b"", b"[]", b"{}", text.replace(b"coverage", b"c"), b"\xff"):
        path.write_bytes(damaged)
        with pytest.raises(ContainerError, match="Not an acquisition record"):
            read_acquisition(folder, "A")


def test_a_source_that_shrinks(tmp_path: Path, folder: Path):
    """A file cut while it is read: what was there is kept, the rest is unread and filled, and all is said."""
    source = disc(tmp_path, 8 << 20)
    data = source.read_bytes()

    def cut(progress: Progress) -> None:
        if progress.phase == ACQUIRE and progress.done == 1 << 20:
            os.truncate(source, 5_000_000)

    made = acquire(source, folder, "A", progress=cut)
    assert isinstance(made, Acquisition)
    assert (made.size_bytes, made.verified) == (8 << 20, True)
    first = 5_000_000 // 2048
    assert made.unread == ((first, 4096 - first),)
    assert made.sectors_read + made.sectors_unread == made.sector_count == 4096
    assert made.digests == digests_of(data[:5_000_000] + bytes((8 << 20) - 5_000_000))
    (error,) = made.errors
    assert (error["start_bytes"], error["errno"]) == (5_000_000, None)
    assert "ends before its 8388608 bytes" in error["message"]
    record = json.loads((folder / "A" / "A.json").read_text())
    assert "its size went from 8388608 to 5000000 bytes" in record["reading"]["source_changes"]
    assert "NOT ALL OF THE SOURCE WAS READ" in (folder / "A" / "A.log.txt").read_text()


def test_a_source_that_grows(tmp_path: Path, folder: Path):
    """A file that grows while it is read: as long as it was, and the change is recorded."""
    source = disc(tmp_path, 3 << 20)
    data = source.read_bytes()

    def grow(progress: Progress) -> None:
        if progress.phase == ACQUIRE and progress.done == 1 << 20:
            with source.open("ab") as file:
                file.write(b"more")

    made = acquire(source, folder, "A", progress=grow)
    assert made.digests == digests_of(data)
    record = json.loads((folder / "A" / "A.json").read_text())
    assert "to 3145732 bytes" in record["reading"]["source_changes"]

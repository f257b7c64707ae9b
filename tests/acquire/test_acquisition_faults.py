"""Acquisitions of failing discs: exactly the bad sectors are lost, and every record of it agrees."""

import hashlib
import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from acquire.acquisition import Plan, acquire
from acquire.containers import open_image
from acquire.progress import ACQUIRE, Progress
from acquire.sectormap import SectorMap, Status

pytestmark = pytest.mark.root
COUNT = 4000
BAD = {0, 100, 101, 1023, 1024, 2500, *range(3000, 3012), COUNT - 1}
RANGES = ((0, 1), (100, 2), (1023, 2), (2500, 1), (3000, 12), (COUNT - 1, 1))
WORDS = ("0", "100+2", "1023+2", "2500", "3000+12", str(COUNT - 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "evidence"
    made.mkdir()
    return made


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A disc without a zero byte, so that fill cannot be mistaken for it."""
    path = tmp_path / "image"
    path.write_bytes(random.Random(3).randbytes(COUNT * 2048).replace(b"\0", b"\1"))
    return path


def filled(image: Path, bad: set[int]) -> bytes:
    data = bytearray(image.read_bytes())
    for lba in bad:
        data[lba * 2048 : (lba + 1) * 2048] = bytes(2048)
    return bytes(data)


@pytest.mark.parametrize("kind", ["raw", "e01"])
@pytest.mark.parametrize("device", [False, True])
def test_only_bad_sectors_are_lost(image: Path, folder: Path, faulty_file, loop_device, *, kind, device):
    """From a file and from a block device, into raw and E01: the same sectors are lost, filled and told."""
    source = faulty_file(image, *WORDS).path
    if device:
        source = loop_device(source)
    seen: list[Progress] = []
    made = acquire(source, folder, "A", Plan(kind), progress=seen.append)
    assert made.unread == RANGES
    assert (made.sectors_unread, made.sectors_filled, made.sectors_read) == (19, 19, COUNT - 19)
    assert made.sector_count == COUNT
    expected = filled(image, BAD)
    assert made.digests["sha256"] == hashlib.sha256(expected).hexdigest()
    assert made.verified is True
    assert [(error["lba"], error["count"]) for error in made.errors] == list(RANGES)
    assert {(error["errno"], error["tries"]) for error in made.errors} == {("EIO", 2)}
    assert [each.unread for each in seen if each.phase == ACQUIRE][-1] == 19 * 2048
    exhibit = folder / "A"
    opened = open_image(exhibit / made.files[0])
    assert opened.read(0, COUNT) == expected
    assert opened.unread() == RANGES
    opened.close()
    chart = SectorMap.load(exhibit / "A.map")
    assert chart.unread(2048) == RANGES
    assert chart.count_bytes(Status.BAD) == 19 * 2048
    lines = [json.loads(line) for line in (exhibit / "A.log.jsonl").read_text().splitlines()]
    told = {
        lba
        for line in lines
        if line["event"] == "error"
        for lba in range(line["lba"], line["lba"] + line["count"])
    }
    assert told == BAD
    text = (exhibit / "A.log.txt").read_text()
    assert "NOT ALL OF THE SOURCE WAS READ: 99 %" in text
    assert re.search(r"sector 3000, 12 sectors: EIO: Input/output error \(tried 2 times\)", text)
    assert re.search(r"Container: +verified", text)
    assert made.source["kind"] == ("block device" if device else "file")


@pytest.mark.tools
def test_ewfinfo_lists_the_errors(image: Path, folder: Path, faulty_file, tool):
    """Other programs see the unread sectors in the E01, and that its digests hold."""
    made = acquire(faulty_file(image, *WORDS).path, folder, "A")
    first = folder / "A" / made.files[0]
    out = subprocess.run([tool("ewfinfo"), "-e", first], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"at sector\(s\): (\d+) - (\d+)", out)
    assert [(int(start), int(end)) for start, end in found] == [
        (start, start + count - 1) for start, count in RANGES
    ]
    subprocess.run([tool("ewfverify"), "-q", "-d", "sha1", first], check=True, capture_output=True)


@pytest.mark.tools
def test_ddrescue_agrees(tmp_path: Path, image: Path, folder: Path, *, faulty_file, loop_device, tool):
    """A direct ddrescue of the same device loses the same sectors and gets the same bytes."""
    device = loop_device(faulty_file(image, *WORDS).path)
    made = acquire(device, folder, "A", Plan("raw"))
    copy, chart = tmp_path / "copy", tmp_path / "chart"
    subprocess.run([tool("ddrescue"), "-q", "-d", "-b", "2048", device, copy, chart], check=True)
    os.truncate(copy, COUNT * 2048)  # it leaves the file short if the last sector is bad
    assert SectorMap.load(chart).unread(2048) == made.unread
    assert copy.read_bytes() == (folder / "A" / "A.iso").read_bytes()


@pytest.mark.tools
def test_ddrescue_goes_on_from_an_exhibit(tmp_path: Path, image: Path, folder: Path, faulty_file, tool):
    """With a copy of a raw exhibit and its map, ddrescue reads what was missing, and nothing else."""
    disc = faulty_file(image, *WORDS)
    acquire(disc.path, folder, "A", Plan("raw"))
    disc.tell("good")
    copy, chart = tmp_path / "copy", tmp_path / "chart"
    copy.write_bytes((folder / "A" / "A.iso").read_bytes())
    chart.write_bytes((folder / "A" / "A.map").read_bytes())
    subprocess.run([tool("ddrescue"), "-q", "-r1", "-b", "2048", disc.path, copy, chart], check=True)
    assert copy.read_bytes() == image.read_bytes()
    subprocess.run([tool("ddrescuelog"), "-D", chart], check=True)


@pytest.mark.parametrize("number", [5, 61, 121])
def test_every_errno(image: Path, folder: Path, faulty_file, number):
    """The errors that Linux gives for medium, data and hardware errors are recorded by name."""
    made = acquire(faulty_file(image, f"7:{number}").path, folder, "A")
    (error,) = made.errors
    assert (error["lba"], error["count"], error["errno"]) == (
        7,
        1,
        {5: "EIO", 61: "ENODATA", 121: "EREMOTEIO"}[number],
    )


def test_a_sector_that_fails_once(image: Path, folder: Path, faulty_file):
    """A sector that is read at the second try is read: nothing is lost, and nothing is called lost."""
    made = acquire(faulty_file(image, "500:5:1").path, folder, "A")
    assert (made.sectors_unread, made.errors) == (0, ())
    assert made.digests["md5"] == hashlib.md5(image.read_bytes()).hexdigest()


def test_a_disc_of_which_nothing_can_be_read(tmp_path: Path, folder: Path, faulty_file):
    """All sectors bad: an exhibit of nothing but fill, verified, and 0 % covered."""
    image = tmp_path / "image"
    image.write_bytes(b"x" * 2048 * 600)
    made = acquire(faulty_file(image, "0+600").path, folder, "A")
    assert (made.sectors_read, made.sectors_unread, made.sectors_filled) == (0, 600, 600)
    assert made.verified is True
    assert made.digests["sha1"] == hashlib.sha1(bytes(600 * 2048)).hexdigest()
    assert made.unread == ((0, 600),)
    assert len(made.errors) == 1


def test_a_short_last_sector_that_is_bad(tmp_path: Path, folder: Path, faulty_file):
    """A file of odd size whose last, short sector is bad keeps its size."""
    image = tmp_path / "image"
    image.write_bytes(b"x" * (2048 * 10 + 100))
    made = acquire(faulty_file(image, "10").path, folder, "A")
    assert (folder / "A" / "A.img").read_bytes() == b"x" * 20480 + bytes(100)
    assert (made.sector_count, made.unread) == (11, ((10, 1),))
    assert made.errors[0]["length_bytes"] == 100


def test_a_file_system_that_dies(tmp_path: Path, folder: Path, faulty_file):
    """A source that vanishes: what was read stays, the rest is unread and said to be, and it ends."""
    image = tmp_path / "image"
    image.write_bytes(random.Random(4).randbytes(6 << 20))
    disc = faulty_file(image)

    def die(progress: Progress) -> None:
        if progress.phase == ACQUIRE and progress.done == 1 << 20:
            disc.process.kill()
            disc.process.wait()

    made = acquire(disc.path, folder, "A", progress=die)
    ((start, count),) = made.unread
    assert start >= 512
    assert start + count == made.sector_count == 3072
    assert made.verified is True
    kept = image.read_bytes()[: start * 2048]
    assert made.digests["sha256"] == hashlib.sha256(kept + bytes(count * 2048)).hexdigest()
    assert made.errors[-1]["tries"] == 0
    assert made.errors[-1]["errno"] in ("ENOTCONN", "ECONNABORTED")
    assert "SOURCE LOST" in (folder / "A" / "A.log.txt").read_text()
    assert '"event": "source-lost"' in (folder / "A" / "A.log.jsonl").read_text()
    assert SectorMap.load(folder / "A" / "A.map").count_bytes(Status.NON_TRIED) == count * 2048


def test_a_device_of_512_byte_blocks(image: Path, folder: Path, faulty_file, loop_device):
    """A device that reads 512 bytes at a time loses 512 bytes; the sector of 2048 they are in is unread."""
    disc = faulty_file(image, "401", options=("--sector", "512"))
    made = acquire(loop_device(disc.path, 512), folder, "A")
    assert (made.sector_size_bytes, made.sector_count, made.unread) == (2048, COUNT, ((100, 1),))
    assert [(error["start_bytes"], error["length_bytes"]) for error in made.errors] == [(401 * 512, 512)]
    data = bytearray(image.read_bytes())
    data[401 * 512 : 402 * 512] = bytes(512)
    assert made.digests["sha256"] == hashlib.sha256(bytes(data)).hexdigest()


def test_a_device_is_not_written_to(image: Path, folder: Path, loop_device):
    """Acquired from a device: the file behind it has the content and times it had."""
    before, digest = image.stat(), hashlib.sha256(image.read_bytes()).digest()
    os.utime(image, ns=(10**18, 10**18))
    before = image.stat()
    made = acquire(loop_device(image), folder, "A")
    after = image.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
    assert hashlib.sha256(image.read_bytes()).digest() == digest
    record = json.loads((folder / "A" / "A.json").read_text())
    assert record["reading"]["method"] == "past the page cache (O_DIRECT)"
    assert made.source["backing_file"] == str(image)
    assert (made.source["read_only"], made.source["logical_block_bytes"]) == (True, 2048)


def test_another_disc_in_the_drive(tmp_path: Path, image: Path, folder: Path, loop_device):
    """Going on with a device of the same size that holds another disc is refused."""

    def stop(progress: Progress) -> None:
        if progress.phase == ACQUIRE:
            raise KeyboardInterrupt

    device = loop_device(image)
    with pytest.raises(KeyboardInterrupt):
        acquire(device, folder, "A", progress=stop)
    subprocess.run(["losetup", "-d", device], check=True)
    other = tmp_path / "other"
    other.write_bytes(random.Random(9).randbytes(COUNT * 2048))
    other.rename(image)
    again = loop_device(image)
    with pytest.raises(Exception, match="first 64 kib sha256 was"):
        acquire(again, folder, "A")

"""What is made of a source: format, suffix, sector size; and whether it fits."""

import random
import subprocess
from pathlib import Path

import pytest

from acquire.errors import DestinationError, DiskFullError, SourceError
from acquire.exhibit import Plan
from acquire.target import check_space, choose, open_source

SYNC = b"\0" + b"\xff" * 10 + b"\0"  # ECMA-130 14.1


def bcd(number: int) -> int:
    """Two decimal digits in a byte."""
    return number // 10 << 4 | number % 10


def cd_sectors(count: int) -> bytes:
    """Mode 1 sectors from LBA 0 on: ECMA-130 14.2, the address 2 seconds ahead."""
    made = []
    for lba in range(count):
        minute, rest = divmod(lba + 150, 60 * 75)
        address = bytes([bcd(minute), bcd(rest // 75), bcd(rest % 75), 1])
        made.append((SYNC + address + random.Random(lba).randbytes(2048)).ljust(2352, b"\0"))
    return b"".join(made)


def target_of(path: Path, plan: Plan):
    """What is decided for a file."""
    opened = open_source(path)
    try:
        return choose(opened, plan)
    finally:
        opened.source.close()


@pytest.mark.parametrize(
    ("size", "plan", "made", "count"),
    [
        (20480, Plan(), ("e01", ".E01"), 10),
        (20480, Plan(format="raw"), ("raw", ".iso"), 10),
        (20480, Plan(format="e01"), ("e01", ".E01"), 10),
        (20481, Plan(), ("raw", ".img"), 11),
        (20479, Plan(), ("raw", ".img"), 10),
        (1, Plan(), ("raw", ".img"), 1),
        (2048, Plan(), ("e01", ".E01"), 1),
    ],
)
def test_a_plain_file_is_2048_byte_sectors(tmp_path, size, plan, made, count):
    """An E01 where the size is whole sectors; else raw, the last sector short."""
    (tmp_path / "a").write_bytes(bytes(size))
    target = target_of(tmp_path / "a", plan)
    assert (target.format, target.suffix, target.sector_bytes) == (*made, 2048)
    assert (target.sector_count, target.size_bytes, target.media) == (count, size, "optical")


def test_a_file_of_whole_cd_sectors_is_kept_raw(tmp_path):
    """2352 bytes a sector, as .img, counted as such."""
    (tmp_path / "a.bin").write_bytes(cd_sectors(32))
    target = target_of(tmp_path / "a.bin", Plan())
    assert (target.format, target.suffix, target.sector_bytes, target.sector_count) == (
        "raw",
        ".img",
        2352,
        32,
    )


@pytest.mark.corpus
def test_a_real_disc_image(corpus):
    path = corpus("libcdio/copying.iso")
    target = target_of(path, Plan())
    assert (target.format, target.sector_bytes) == ("e01", 2048)
    assert target.size_bytes == path.stat().st_size


@pytest.mark.tools
def test_an_e01_by_another_program_is_read_as_its_media(tool, tmp_path):
    """Made by ewfacquire: the target is what is in it, and what it says of itself is known."""
    (tmp_path / "disc.iso").write_bytes(random.Random(3).randbytes(64 * 2048))
    words = ["-u", "-q", "-C", "2026/7", "-E", "No 9", "-e", "A", "-t", str(tmp_path / "other")]
    command = [tool("ewfacquire"), *words, str(tmp_path / "disc.iso")]
    subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    opened = open_source(tmp_path / "other.E01")
    try:
        assert choose(opened, Plan()).size_bytes == 64 * 2048
        assert opened.problems() == []
        known = opened.source.describe()
        assert known["container_header"]["case_number"] == "2026/7"
        assert known["container_files"] == [str(tmp_path / "other.E01")]
    finally:
        opened.source.close()


def test_a_map_beside_the_file_belongs_to_its_identity(tmp_path):
    """Another map is another source: an interrupted acquisition does not go on over it."""
    path = tmp_path / "a.iso"
    path.write_bytes(bytes(20480))
    found = []
    for line in (None, "0x0 0x5000 +", "0x0 0x4800 +\n0x4800 0x800 -"):
        if line is not None:
            (tmp_path / "a.map").write_text(f"0x0 + 1\n{line}\n")
        opened = open_source(path)
        found.append(opened.identity())
        opened.source.close()
    assert len({each["map_sha256"] for each in found}) == 3


@pytest.mark.parametrize("name", ["none.iso", "folder", "empty.iso"])
def test_what_cannot_be_acquired_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.iso").write_bytes(b"")
    with pytest.raises(SourceError):
        open_source(tmp_path / name)


def test_what_cannot_fit_is_refused_with_the_figures(tmp_path):
    """A petabyte fits nowhere: raw and uncompressed are refused, compressed may be small."""
    (tmp_path / "a").write_bytes(bytes(2048))
    target = target_of(tmp_path / "a", Plan())._replace(size_bytes=1 << 50)
    plain = Plan(compression="none")
    with pytest.raises(DiskFullError, match=str((1 << 50) + (1 << 20))):
        check_space(tmp_path, target, plain, 0)
    with pytest.raises(DiskFullError):
        check_space(tmp_path, target._replace(format="raw"), Plan(), 0)
    check_space(tmp_path, target, Plan(), 0)
    check_space(tmp_path, target, plain, 1 << 50)  # what an earlier run wrote is there already


def test_space_in_a_folder_that_is_not_there_is_the_destinations_error(tmp_path):
    (tmp_path / "a").write_bytes(bytes(2048))
    target = target_of(tmp_path / "a", Plan(format="raw"))
    with pytest.raises(DestinationError):
        check_space(tmp_path / "none", target, Plan(), 0)


@pytest.mark.root
@pytest.mark.parametrize("block", [512, 2048])
def test_a_loop_device_of_a_file_is_no_disk(tmp_path, loop_device, block):
    """A file through a loop device is taken as the disc image that it is."""
    (tmp_path / "a").write_bytes(bytes(20480))
    target = target_of(loop_device(tmp_path / "a", block), Plan())
    assert (target.format, target.sector_bytes, target.media) == ("e01", 2048, "optical")

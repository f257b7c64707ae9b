"""What the kernel says of a block device: trees of sysfs and procfs by hand, and real loop devices."""

import os
import subprocess
from pathlib import Path

import pytest

from acquire import blockdevice

DISK, PART, OTHER, MAPPED = (os.makedev(*pair) for pair in ((8, 0), (8, 1), (8, 16), (253, 0)))


def put(folder: Path, **files: str) -> Path:
    """Small files with a line each, as the kernel has them; `__` in a name is a `/`."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return folder


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A disk sda (8:0) with sda1 (8:1), on which dm-0 (253:0) stands, and a disk sdb (8:16)."""
    block = tmp_path / "devices/block"
    sda = put(
        block / "sda",
        dev="8:0",
        device__vendor="ACME    ",
        device__model="Disk 9000",
        device__serial="S/N 1",
        device__rev="1.0",
        device__type="5",
        removable="1",
        ro="0",
        diskseq="17",
        queue__logical_block_size="2048",
        queue__rotational="1",
    )
    put(sda / "sda1", dev="8:1", partition="1", start="2048")
    put(block / "dm-0", dev="253:0", diskseq="20")
    put(block / "sdb", dev="8:16")
    (sda / "sda1/holders").mkdir()
    (sda / "sda1/holders/dm-0").symlink_to(block / "dm-0")
    numbers = tmp_path / "numbers"
    numbers.mkdir()
    for number, target in (("8:0", sda), ("8:1", sda / "sda1"), ("8:16", block / "sdb")):
        (numbers / number).symlink_to(target)
    (numbers / "253:0").symlink_to(block / "dm-0")
    (tmp_path / "mountinfo").write_text("")
    (tmp_path / "swaps").write_text("Filename Type Size Used Priority\n")
    monkeypatch.setattr(blockdevice, "SYSFS", numbers)
    monkeypatch.setattr(blockdevice, "UDEV", tmp_path / "udev")
    monkeypatch.setattr(blockdevice, "MOUNTINFO", tmp_path / "mountinfo")
    monkeypatch.setattr(blockdevice, "SWAPS", tmp_path / "swaps")
    return tmp_path


def mount(kernel: Path, number: str, where: str, source: str = "none") -> None:
    """A line as proc_pid_mountinfo(5) prints it."""
    (kernel / "mountinfo").write_text(
        f"36 35 {number} / {where} rw,noatime master:1 shared:2 - ext3 {source} rw,errors=continue\n"
    )


def test_a_disk_is_described_in_the_kernels_words(kernel):
    known = blockdevice.describe(DISK)
    assert known["kernel_name"] == "sda"
    assert (known["vendor"], known["model"], known["serial"]) == ("ACME", "Disk 9000", "S/N 1")
    assert (known["firmware"], known["scsi_type"], known["logical_block_bytes"]) == ("1.0", 5, 2048)
    assert (known["removable"], known["read_only"], known["rotational"]) == (True, False, True)
    assert "partition" not in known
    assert "wwid" not in known


def test_a_partition_is_described_as_its_disk_with_its_place(kernel):
    known = blockdevice.describe(PART)
    assert (known["kernel_name"], known["of_disk"], known["partition"]) == ("sda1", "sda", 1)
    assert known["start_512_byte_sectors"] == "2048"
    assert known["model"] == "Disk 9000"


def test_udev_is_asked_where_sysfs_is_silent(kernel):
    """/run/udev/data/bMAJOR:MINOR: lines `E:NAME=value`; sysfs comes first."""
    text = "S:disk/by-id/x\nE:ID_MODEL=Other_Model\nE:ID_SERIAL_SHORT=77\nE:ID_BUS=usb\nE:ID_VENDOR=\n"
    put(kernel / "udev", **{"b8:16": text, "b8:0": text})
    assert blockdevice.describe(OTHER)["model"] == "Other Model"
    assert blockdevice.describe(OTHER)["serial"] == "77"
    assert "vendor" not in blockdevice.describe(OTHER)
    assert blockdevice.describe(DISK)["model"] == "Disk 9000"
    assert blockdevice.describe(DISK)["bus"] == "usb"


def test_words_that_are_no_text_do_no_harm(kernel):
    """A drive says of itself what it likes."""
    sdb = kernel / "devices/block/sdb/device"
    sdb.mkdir()
    (sdb / "model").write_bytes(b"\xff\xfe" + b"A" * 10_000)
    (sdb / "vendor").write_bytes(b"\0\0 \n")
    known = blockdevice.describe(OTHER)
    assert known["model"].startswith("\ufffd\ufffdAAA")
    assert len(known["model"]) <= 4096
    assert "vendor" not in known


def test_a_number_that_the_kernel_does_not_know_has_nothing(kernel):
    unknown = os.makedev(99, 99)
    assert blockdevice.describe(unknown) == {}
    assert blockdevice.sequence(unknown) == ""
    assert blockdevice.in_use(unknown) is None


def test_the_sequence_of_a_partition_is_its_disks(kernel):
    assert blockdevice.sequence(DISK) == blockdevice.sequence(PART) == "17"
    assert blockdevice.sequence(OTHER) == ""


def test_nobody_uses_it(kernel):
    mount(kernel, "8:16", "/mnt")
    assert blockdevice.in_use(DISK) is None
    assert blockdevice.in_use(PART) is None
    assert blockdevice.in_use(MAPPED) is None


@pytest.mark.parametrize(
    ("device", "number", "words"),
    [
        (DISK, "8:0", "mounted at /mnt"),
        (DISK, "8:1", "mounted at /mnt (as sda1)"),
        (PART, "8:0", "mounted at /mnt (as sda)"),
        (DISK, "253:0", "mounted at /mnt (as dm-0)"),
        (PART, "253:0", "mounted at /mnt (as dm-0)"),
    ],
)
def test_a_mount_of_it_of_its_parts_and_of_what_is_built_on_it_counts(kernel, device, number, words):
    mount(kernel, number, "/mnt")
    assert blockdevice.in_use(device) == words


def test_octal_escapes_of_the_mount_table_are_undone(kernel):
    r"""proc_pid_mountinfo(5): space, tab, newline and backslash stand as \040, \011, \012, \134."""
    mount(kernel, "8:0", r"/mnt/my\040disc\134x")
    assert blockdevice.in_use(DISK) == r"mounted at /mnt/my disc\x"


@pytest.mark.parametrize(
    "text", ["", "\n", "1 2 3\n", "1 2 8:0 / /mnt rw\n", "1 2 x:y / /m rw - ext4 a rw\n", " - \n"]
)
def test_lines_that_are_no_mounts_are_passed_over(kernel, text):
    (kernel / "mountinfo").write_text(text)
    assert blockdevice.in_use(DISK) is None


def test_tables_that_are_not_there_are_no_mounts(kernel):
    (kernel / "mountinfo").unlink()
    (kernel / "swaps").unlink()
    assert blockdevice.in_use(DISK) is None


def test_holders_that_hold_each_other_end(kernel):
    """A loop in the tree of holders does not hang."""
    holders = kernel / "devices/block/dm-0/holders"
    holders.mkdir()
    (holders / "sda1").symlink_to(kernel / "devices/block/sda/sda1")
    assert blockdevice.in_use(DISK) is None


@pytest.mark.root
@pytest.mark.parametrize("block", [512, 2048, 4096])
def test_a_real_device_has_the_size_that_blockdev_prints(tool, tmp_path, loop_device, block):
    """BLKGETSIZE64 and BLKSSZGET, as util-linux reads them."""
    (tmp_path / "a").write_bytes(bytes(4096 * 25))
    device = loop_device(tmp_path / "a", block)
    command = [tool("blockdev"), "--getsize64", "--getss", str(device)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    handle = os.open(device, os.O_RDONLY)
    try:
        assert blockdevice.size_bytes(handle) == int(printed[0]) == 4096 * 25
        assert blockdevice.logical_block_bytes(handle) == int(printed[1]) == block
    finally:
        os.close(handle)
    known = blockdevice.describe(device.stat().st_rdev)
    assert known["kernel_name"] == device.name
    assert known["backing_file"] == str(tmp_path / "a")
    assert known["read_only"] is True


def test_a_file_has_its_size_and_the_smallest_block(tmp_path):
    """Where the kernel answers no ioctl: seeking, and 512 bytes."""
    (tmp_path / "a").write_bytes(bytes(12_345))
    with (tmp_path / "a").open("rb") as file:
        assert blockdevice.size_bytes(file.fileno()) == 12_345
        assert blockdevice.logical_block_bytes(file.fileno()) == 512

"""Sources: what is refused and how it is said, that they are only read, and what is known of them."""

import errno
import hashlib
import mmap
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from acquire import blockdevice
from acquire.errors import SourceError
from acquire.geometry import SectorRange
from acquire.image import MemoryImage
from acquire.source import ImageSource, RawSource, open_raw, open_readable


def refusal(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        open_raw(path)
    assert caught.value.exit_code == 2
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_what_is_no_disc(tmp_path: Path):
    """A folder, a FIFO, a character device, a socket, nothing and an empty file: a sentence each, no hang."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "empty").touch()
    assert refusal(tmp_path).startswith(f"A folder, not a disc image: {tmp_path}. ")
    assert refusal(tmp_path / "fifo").startswith("A FIFO, which cannot be read by position: ")
    assert refusal(Path("/dev/null")).startswith("A character device, not a disc: /dev/null. ")
    assert refusal(tmp_path / "absent").startswith("No such file or device: ")
    assert refusal(tmp_path / "empty").startswith("Empty: 0 bytes to acquire: ")
    assert refusal(Path("a\0b")).startswith("Not a path: ")
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "s"))
        assert refusal(tmp_path / "s").startswith("A socket, not a disc: ")


def test_no_permission(tmp_path: Path):
    """A file that may not be read is a sentence with a remedy."""
    path = tmp_path / "secret"
    path.write_bytes(b"x")
    path.chmod(0)
    code = f"""
import os, pathlib
from acquire.errors import SourceError
from acquire.source import open_raw
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    open_raw(pathlib.Path({str(path)!r}))
except SourceError as error:
    print(error)
"""
    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    out = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert out.stdout.startswith(f"No permission to read: {path}. Ask for read access")


def test_reading_leaves_no_trace(tmp_path: Path):
    """Content, size and all times, access time too, are after reading what they were before."""
    path = tmp_path / "disc"
    path.write_bytes(os.urandom(5000))
    os.utime(path, ns=(1_000_000_000, 2_000_000_000))
    before, digest = path.stat(), hashlib.sha256(path.read_bytes()).digest()
    os.utime(path, ns=(1_000_000_000, 2_000_000_000))
    before = path.stat()
    source = open_raw(path)
    buffer = memoryview(bytearray(8192))
    assert source.read_into(buffer, 0) == 5000
    assert source.read_alone(buffer[:2048], 2048) == 2048
    source.identity()
    source.close()
    after = path.stat()
    assert after == before
    assert hashlib.sha256(path.read_bytes()).digest() == digest


def test_opened_for_reading_only(tmp_path: Path):
    """The descriptor cannot be written through."""
    path = tmp_path / "disc"
    path.write_bytes(b"data")
    descriptor = open_readable(path)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.write(descriptor, b"x")
    os.close(descriptor)


def test_position_and_end(tmp_path: Path):
    """Reads are by position, short at the end, and 0 past it."""
    path = tmp_path / "disc"
    path.write_bytes(bytes(range(256)) * 10)
    source = open_raw(path)
    view = memoryview(bytearray(100))
    assert source.read_into(view, 2500) == 60
    assert bytes(view[:60]) == (bytes(range(256)) * 10)[2500:]
    assert source.read_into(view, 2560) == 0
    assert source.size_bytes == 2560
    source.close()


def test_identity_of_files(tmp_path: Path):
    """It is equal for the same file, other for another file of the same bytes, and after any change."""
    path, twin = tmp_path / "disc", tmp_path / "twin"
    path.write_bytes(b"a" * 100_000)
    twin.write_bytes(b"a" * 100_000)

    def identity(which: Path) -> dict:
        source = open_raw(which)
        try:
            return source.identity()
        finally:
            source.close()

    first = identity(path)
    assert first == identity(path)
    assert first["first_64_kib_sha256"] == hashlib.sha256(b"a" * 65536).hexdigest()
    assert first != identity(twin)
    path.write_bytes(b"b" + b"a" * 99_999)
    assert identity(path)["first_64_kib_sha256"] != first["first_64_kib_sha256"]


def test_changes_while_open(tmp_path: Path):
    """Growing, shrinking, replacing and removing a file while it is open are told."""
    path = tmp_path / "disc"
    path.write_bytes(b"a" * 5000)
    source = open_raw(path)
    assert source.changes() == ""
    with path.open("ab") as file:
        file.write(b"b")
    assert "its size went from 5000 to 5001 bytes" in source.changes()
    os.truncate(path, 100)
    assert "to 100 bytes" in source.changes()
    path.rename(tmp_path / "elsewhere")
    assert "its path cannot be looked up any more" in source.changes()
    path.write_bytes(b"other")
    assert "its path now names another file" in source.changes()
    source.close()
    assert source.changes() == ""


def test_a_file_that_went_away_for_good(tmp_path: Path):
    """After an error of a vanished file system, another file at the path is not taken for the source."""
    path = tmp_path / "disc"
    path.write_bytes(b"a" * 5000)
    source = open_raw(path)
    gone = OSError(errno.ESTALE, os.strerror(errno.ESTALE))
    assert source.recover(OSError(errno.EIO, "")) == ""
    assert source.recover(gone) == ""  # it is still there
    path.unlink()
    path.write_bytes(b"b" * 5000)
    assert "something else is at its path now" in source.recover(gone)
    other = open_raw(path)
    path.unlink()
    assert "The source is gone" in other.recover(gone)


def test_mounted_device_by_its_tables(tmp_path: Path, monkeypatch):
    """Mounts are found by number and by name, with escaped blanks; partitions and holders count too."""
    device, part, upper = os.makedev(240, 0), os.makedev(240, 1), os.makedev(241, 7)
    disk = tmp_path / "devices" / "sdx"
    (disk / "sdx1" / "holders").mkdir(parents=True)
    (disk / "holders").mkdir()
    (disk / "dev").write_text("240:0\n")
    (disk / "sdx1" / "dev").write_text("240:1\n")
    (disk / "sdx1" / "partition").write_text("1\n")
    dm = tmp_path / "devices" / "dm-7"
    (dm / "holders").mkdir(parents=True)
    (dm / "dev").write_text("241:7\n")
    (disk / "sdx1" / "holders" / "dm-7").symlink_to(dm)
    links = tmp_path / "block"
    links.mkdir()
    for number, target in (("240:0", disk), ("240:1", disk / "sdx1"), ("241:7", dm)):
        (links / number).symlink_to(target)
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(blockdevice, "SYSFS", links)
    monkeypatch.setattr(blockdevice, "MOUNTINFO", table)
    monkeypatch.setattr(blockdevice, "SWAPS", tmp_path / "none")
    rest = "22 1 0:21 / /proc rw,relatime shared:5 - proc proc rw\nnot a line\n"

    def mounted(line: str) -> None:
        table.write_text(f"{rest}{line}\n")

    mounted("30 1 8:1 / /other rw - ext4 /dev/sdy1 rw")
    assert blockdevice.in_use(device) is None
    mounted(r"30 1 240:0 / /mnt/my\040disc ro - iso9660 /dev/sdx ro")
    assert blockdevice.in_use(device) == "mounted at /mnt/my disc"
    assert blockdevice.in_use(part) == "mounted at /mnt/my disc (as sdx)"
    mounted("30 1 240:1 / /boot rw shared:1 - ext4 /dev/sdx1 rw")
    assert blockdevice.in_use(device) == "mounted at /boot (as sdx1)"
    mounted("30 1 241:7 / /crypt rw - ext4 /dev/mapper/x rw")
    assert blockdevice.in_use(device) == "mounted at /crypt (as dm-7)"
    assert blockdevice.in_use(part) == "mounted at /crypt (as dm-7)"
    assert blockdevice.in_use(upper) == "mounted at /crypt"


def test_what_the_kernel_says_of_a_disk(tmp_path: Path, monkeypatch):
    """Maker's data come from sysfs, else from udev; what neither says is not there."""
    disk = tmp_path / "sr9"
    (disk / "device").mkdir(parents=True)
    (disk / "queue").mkdir()
    for name, text in {
        "dev": "11:9",
        "removable": "1",
        "ro": "0",
        "device/vendor": "PIONEER ",
        "device/model": "BD-RW   BDR-209D ",
        "device/rev": "1.10",
        "device/type": "5",
        "queue/logical_block_size": "2048",
    }.items():
        (disk / name).write_text(text + "\n")
    links = tmp_path / "block"
    links.mkdir()
    (links / "11:9").symlink_to(disk)
    udev = tmp_path / "udev"
    udev.mkdir()
    (udev / "b11:9").write_text("S:cdrom\nE:ID_SERIAL_SHORT=ABC_123\nE:ID_BUS=ata\nE:ID_MODEL=ignored\n")
    monkeypatch.setattr(blockdevice, "SYSFS", links)
    monkeypatch.setattr(blockdevice, "UDEV", udev)
    found = blockdevice.describe(os.makedev(11, 9))
    assert (found["vendor"], found["model"]) == ("PIONEER", "BD-RW   BDR-209D")
    assert (found["serial"], found["firmware"], found["bus"]) == ("ABC 123", "1.10", "ata")
    assert (found["removable"], found["read_only"]) == (True, False)
    assert (found["scsi_type"], found["logical_block_bytes"]) == (5, 2048)
    assert "wwid" not in found
    assert blockdevice.describe(os.makedev(11, 8)) == {}


@pytest.mark.root
def test_loop_device(tmp_path: Path, loop_device):
    """A block device is read past the cache, aligned; it knows its size, block and backing file."""
    file = tmp_path / "image"
    file.write_bytes(os.urandom(300 * 2048))
    device = loop_device(file)
    source = open_raw(device)
    assert (source.kind, source.size_bytes, source.unit_bytes) == ("block device", 300 * 2048, 2048)
    with mmap.mmap(-1, 1 << 20) as buffer, memoryview(buffer) as view:
        assert source.read_into(view[:614400], 0) == 614400
        assert bytes(view[:614400]) == file.read_bytes()
    known = source.describe()
    assert known["backing_file"] == str(file)
    assert known["direct"] is True
    assert known["logical_block_bytes"] == 2048
    assert source.identity()["first_64_kib_sha256"] == hashlib.sha256(file.read_bytes()[:65536]).hexdigest()
    source.close()


@pytest.mark.root
def test_buffers_that_are_not_aligned(tmp_path: Path, loop_device):
    """A device that will not read past the cache as asked is read through it, and says so."""
    file = tmp_path / "image"
    file.write_bytes(os.urandom(4096))
    source = open_raw(loop_device(file))
    assert source.direct is True
    view = memoryview(bytearray(100))
    assert source.read_into(view, 2049) == 100
    assert bytes(view) == file.read_bytes()[2049:2149]
    assert source.direct is False
    source.close()


@pytest.mark.root
@pytest.mark.tools
def test_mounted_device(tmp_path: Path, tool, loop_device):
    """A mounted device is refused, naming the mount point; while it is read, it cannot be mounted."""
    image = tmp_path / "image"
    image.write_bytes(bytes(8 << 20))
    subprocess.run([tool("mkfs.ext4"), "-q", "-F", image], check=True, capture_output=True)
    device, point = loop_device(image, 512), tmp_path / "my mount"
    point.mkdir()

    def mount() -> int:
        return subprocess.run(
            ["mount", "-t", "ext4", "-o", "ro,noload", device, point], capture_output=True, check=False
        ).returncode

    if mount():
        pytest.skip("ext4 cannot be mounted here")
    try:
        sentence = refusal(device)
    finally:
        subprocess.run(["umount", point], check=True)
    assert sentence.startswith(f"The device is mounted at {point}: {device}. Unmount it first")
    source = open_raw(device)
    assert mount() != 0
    source.close()
    assert mount() == 0
    subprocess.run(["umount", point], check=True)


@pytest.mark.root
def test_device_held_by_another(tmp_path: Path, loop_device):
    """A device that another holds for itself is refused as in use."""
    file = tmp_path / "image"
    file.write_bytes(bytes(4096))
    device = loop_device(file)
    first = open_raw(device)
    assert refusal(device).startswith(
        f"The device is in use (mounted elsewhere, or part of a volume set): {device}"
    )
    first.close()
    open_raw(device).close()


@pytest.mark.root
def test_device_that_went_away(tmp_path: Path, loop_device):
    """A loop device that is detached and attached to another file is not the source any more."""
    files = [tmp_path / name for name in ("one", "two")]
    for file in files:
        file.write_bytes(os.urandom(8192))
    device = loop_device(files[0])
    source = open_raw(device)
    failed = OSError(errno.EIO, os.strerror(errno.EIO))
    assert source.recover(failed) == ""
    source.close()
    subprocess.run(["losetup", "-d", device], check=True)
    assert "The source is gone" in source.recover(failed)
    done = subprocess.run(["losetup", "-r", "-b", "2048", device, files[1]], check=False)
    if done.returncode == 0:
        assert "The source is gone" in source.recover(failed)


def test_media_in_a_container():
    """Sectors that a container declares unread fail with EIO; all others are its data."""
    data = os.urandom(10 * 2048 + 100)
    image = MemoryImage(data, unread=(SectorRange(3, 2), SectorRange(10, 1)))
    source = ImageSource(image, Path("x.E01"), {"container_files": []})
    view = memoryview(bytearray(1 << 16))
    assert source.read_into(view[: 3 * 2048], 0) == 3 * 2048
    assert bytes(view[: 3 * 2048]) == data[: 3 * 2048]
    for lba, count in ((0, 4), (3, 1), (4, 1), (4, 3), (9, 2), (10, 1)):
        with pytest.raises(OSError, match="damaged in it") as caught:
            source.read_into(view[: count * 2048], lba * 2048)
        assert caught.value.errno == errno.EIO
    assert source.read_alone(view[:2048], 5 * 2048) == 2048
    assert source.identity() == {"kind": "image", "size_bytes": len(data), "container": []}


def test_empty_container():
    """A container of an empty medium is refused."""
    with pytest.raises(SourceError, match="0 bytes to acquire"):
        ImageSource(MemoryImage(b""), Path("x.E01"), {})


def test_from_several_threads(tmp_path: Path):
    """Reads by position do not disturb each other."""
    data = os.urandom(64 * 2048)
    path = tmp_path / "disc"
    path.write_bytes(data)
    source = RawSource(path)
    wrong: list[int] = []

    def work(start: int) -> None:
        view = memoryview(bytearray(2048))
        for lba in [*range(start, 64, 3)] * 20:
            source.read_into(view, lba * 2048)
            if bytes(view) != data[lba * 2048 : lba * 2048 + 2048]:
                wrong.append(lba)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    source.close()
    assert wrong == []

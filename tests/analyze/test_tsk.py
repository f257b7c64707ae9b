"""File systems of The Sleuth Kit, made by their own tools, compared with what was put in and with fls."""

import hashlib
import os
import struct
import subprocess
import sys
from datetime import datetime

import pytest

from acquire.geometry import HOLE, SECTOR_BYTES
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.partitions import disk_partitions
from analyze.tsk import volume as tsk
from analyze.tsk.probe import family

pytestmark = pytest.mark.tools

WHEN = 1_234_567_890  # 2009-02-13T23:31:30Z


def _content(image, stream):
    parts = []
    for lba, length, offset in stream.extents:
        if lba == HOLE:
            parts.append(bytes(length))
            continue
        count = -(-(offset + length) // SECTOR_BYTES)
        parts.append(image.read(lba, count)[offset : offset + length])
    return b"".join(parts)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A folder with nested, empty, large and oddly named files, and a symbolic link."""
    root = tmp_path_factory.mktemp("tree")
    (root / "docs" / "deep").mkdir(parents=True)
    for name, data in {
        "readme.txt": b"hello\n",
        "empty": b"",
        "docs/deep/large.bin": bytes(range(256)) * 2000,
        "docs/caf\u00e9.txt": b"accent",
        "docs/\u001b[31mred": b"escape",
    }.items():
        (root / name).write_bytes(data)
        os.utime(root / name, (WHEN, WHEN))
    (root / "link").symlink_to("docs/deep/large.bin")
    return root


@pytest.fixture(scope="module")
def ext4(tree, tmp_path_factory, tool):
    """The folder as an ext4 image, by mkfs.ext4 alone."""
    path = tmp_path_factory.mktemp("ext") / "e.img"
    with path.open("wb") as file:
        file.truncate(8 << 20)
    subprocess.run(
        [tool("mkfs.ext4"), "-q", "-F", "-L", "RIG", "-O", "^has_journal,^inline_data", "-d", tree, path],
        check=True,
        env={**os.environ, "PATH": f"{os.environ['PATH']}:/sbin:/usr/sbin"},
    )
    return path.read_bytes()


def _walk(image, start_lba=0, **limits):
    volumes = list(tsk.open_volumes(image, start_lba, 1, 0, tsk.LIMITS._replace(**limits)))
    assert len(volumes) == 1
    items = list(volumes[0].walk())
    return (
        volumes[0],
        [i for i in items if isinstance(i, Entry)],
        [i for i in items if isinstance(i, Anomaly)],
    )


def test_an_ext4_volume_is_what_was_put_in(ext4, tree):
    """Every path, kind, size, time and byte of the folder; the symbolic link's target."""
    image = MemoryImage(ext4)
    volume, entries, anomalies = _walk(image)
    assert volume.info.kind == "ext4"
    assert anomalies == []
    ours = {entry.path: entry for entry in entries if not entry.deleted}
    expected = {"/" + str(path.relative_to(tree)) for path in tree.rglob("*")}
    assert set(ours) - {"/lost+found"} == expected
    for path in tree.rglob("*"):
        entry = ours["/" + str(path.relative_to(tree))]
        if path.is_symlink():
            assert (entry.kind, entry.link_target) == (EntryKind.SYMLINK, "docs/deep/large.bin")
        elif path.is_file():
            assert entry.kind is EntryKind.FILE
            assert entry.size_bytes == path.stat().st_size
            assert datetime.fromisoformat(entry.modified.iso()).timestamp() == WHEN
            data = b"".join(_content(image, stream) for stream in entry.streams)
            assert hashlib.sha256(data).digest() == hashlib.sha256(path.read_bytes()).digest()
    by_ordinal = {entry.ordinal: entry for entry in entries}
    large = ours["/docs/deep/large.bin"]
    assert by_ordinal[large.parent].path == "/docs/deep"


def test_the_list_is_that_of_fls(ext4, tmp_path, tool):
    """`fls -rp` of the same library's own program names the same paths."""
    path = tmp_path / "e.img"
    path.write_bytes(ext4)
    lines = subprocess.run([tool("fls"), "-rpu", path], capture_output=True, check=True).stdout.splitlines()
    theirs = {line.split(b"\t", 1)[1] for line in lines if b"$OrphanFiles" not in line}
    _volume, entries, _anomalies = _walk(MemoryImage(ext4))
    # fls prints control characters as ^.
    ours = {entry.path[1:].encode().replace(b"\x1b", b"^") for entry in entries if not entry.deleted}
    assert ours == theirs


def test_a_volume_in_a_partition(ext4):
    """An MBR partition at block 2048: the extents count from the disc's start, not the partition's."""
    table = bytearray(2048 * 512)
    struct.pack_into("<B3sB3sII", table, 446, 0, b"", 0x83, b"", 2048, len(ext4) // 512)
    table[510:512] = b"\x55\xaa"
    image = MemoryImage(bytes(table) + ext4)
    (partition,) = disk_partitions(image, 0)
    assert (partition.scheme, partition.kind, partition.start_byte) == ("mbr", "83", 1 << 20)
    volume, entries, _anomalies = _walk(image)
    assert volume.info.start_lba == (1 << 20) // SECTOR_BYTES
    assert volume.info.attributes["partition"] == 1
    readme = next(entry for entry in entries if entry.path == "/readme.txt")
    assert _content(image, readme.streams[0]) == b"hello\n"


def test_logical_and_gpt_partitions_by_hand():
    """A chain of two extended boot records that then loops, and a GPT entry (UEFI §5.3.3)."""
    disc = bytearray(64 * 512)
    struct.pack_into("<B3sB3sII", disc, 446, 0, b"", 0x05, b"", 8, 40)
    for block, (start, following) in {8: (1, 8), 16: (2, 0)}.items():
        struct.pack_into("<B3sB3sII", disc, block * 512 + 446, 0, b"", 0x0B, b"", start, 4)
        struct.pack_into("<B3sB3sII", disc, block * 512 + 462, 0, b"", 0x05, b"", following, 4)
        disc[block * 512 + 510 : block * 512 + 512] = b"\x55\xaa"
    disc[510:512] = b"\x55\xaa"
    header = struct.pack("<8s4sII4xQQQQ16sQIII", b"EFI PART", b"", 92, 0, 1, 63, 34, 60, b"", 2, 1, 128, 0)
    disc[512 : 512 + len(header)] = header
    entry = struct.pack("<16s16sQQQ72s", b"\x28" * 16, b"u", 40, 43, 0, "EFI".encode("utf-16-le"))
    disc[1024 : 1024 + 128] = entry
    found = list(disk_partitions(MemoryImage(bytes(disc)), 0))
    assert [(p.scheme, p.start_byte // 512, p.size_bytes // 512) for p in found] == [
        ("mbr", 9, 4),
        ("mbr", 18, 4),
        ("gpt", 40, 4),
    ]
    assert found[2].name == "EFI"


def test_no_process_starts_where_no_signature_is(monkeypatch):
    """Discs of ISO 9660, UDF and HFS cost nothing here."""
    monkeypatch.setattr(tsk.subprocess, "Popen", lambda *_a, **_k: pytest.fail("a process was started"))
    assert list(tsk.open_volumes(MemoryImage(bytes(1 << 20)), 0, 1, 0)) == []
    assert list(tsk.open_volumes(MemoryImage(b""), 0, 1, 0)) == []
    assert list(tsk.open_volumes(MemoryImage(bytes(4096)), -16, 1, 0)) == []


def test_a_fat_boot_sector_is_known_by_its_parameters():
    """ECMA-107 §9.1: a boot sector of a 1.44 MB diskette; a text that only ends in 55 AA is none."""
    boot = bytearray(512)
    boot[:3] = b"\xeb\x3c\x90"
    struct.pack_into("<HBHBHHBH", boot, 11, 512, 1, 1, 2, 224, 2880, 0xF0, 9)
    boot[510:] = b"\x55\xaa"
    assert family(bytes(boot)) == "fat"
    assert family(b"\xeb" + b" " * 509 + b"\x55\xaa") is None
    assert family(b"") is None


def test_a_process_that_is_silent_is_ended_and_said(ext4, monkeypatch):
    """The library hangs: the walk ends within its limit, with an anomaly that says so."""
    real = tsk.subprocess.Popen
    volume = next(iter(tsk.open_volumes(MemoryImage(ext4), 0, 1, 0)))
    hanging = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(tsk.subprocess, "Popen", lambda _words, **more: real(hanging, **more))
    slow = tsk.TskVolume(MemoryImage(ext4), volume.info, 0, tsk.LIMITS._replace(silent_seconds=0.5))
    (anomaly,) = slow.walk()
    assert anomaly.code == "tsk-ended"
    assert "no answer" in anomaly.message


def test_a_process_that_dies_is_said(ext4):
    """The memory limit ends it: what it listed stays, and the list is said to be perhaps not whole."""
    volume = next(iter(tsk.open_volumes(MemoryImage(ext4), 0, 1, 0)))
    starved = tsk.TskVolume(MemoryImage(ext4), volume.info, 0, tsk.LIMITS._replace(memory_bytes=1 << 20))
    items = list(starved.walk())
    assert [item.code for item in items if isinstance(item, Anomaly)] == ["tsk-ended"]


@pytest.mark.parametrize("seed", range(8))
def test_damaged_volumes_end(ext4, seed):
    """Flipped bytes in the first blocks: no exception, no hang, nothing but entries and anomalies."""
    damaged = bytearray(ext4)
    for step in range(40):
        damaged[1024 + (seed * 7919 + step * 104_729) % 200_000] ^= 1 << (step % 8)
    for volume in tsk.open_volumes(MemoryImage(bytes(damaged)), 0, 1, 0):
        for item in volume.walk():
            assert isinstance(item, Entry | Anomaly)

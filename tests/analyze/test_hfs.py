"""HFS and HFS+ against the Linux drivers, hfsutils, 7-Zip's truth and bytes made by hand."""

import hashlib
import json
import os
import struct
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acquire.geometry import SECTOR_BYTES, Extent
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.hfs.anomalies import CODES
from analyze.hfs.fork import Fork, Geometry, Run, hfs_runs, plus_fork
from analyze.hfs.names import hfs_name, label, mac_time, plus_name
from analyze.hfs.recognise import open_volumes
from analyze.partitions import apple_partitions


def _content(image, stream):
    """A stream's bytes, straight from its extents."""
    parts = []
    for lba, length, offset in stream.extents:
        count = -(-(offset + length) // SECTOR_BYTES)
        parts.append(image.read(lba, count)[offset : offset + length])
    return b"".join(parts)


def _sha256(data):
    return hashlib.sha256(data).hexdigest()


def _walk(data):
    """(volume, entries, anomalies) of the only HFS volume in `data`, and the image."""
    image = MemoryImage(data)
    volumes = [item for item in open_volumes(image, 0, 1, 0) if not isinstance(item, Anomaly)]
    assert len(volumes) == 1
    items = list(volumes[0].walk())
    return (
        image,
        volumes[0],
        [i for i in items if isinstance(i, Entry)],
        [i for i in items if isinstance(i, Anomaly)],
    )


def _posix(path):
    """The path as the Linux driver shows it: a slash in a name is a colon there, names are composed."""
    return unicodedata.normalize("NFC", path.replace("\\x2f", ":")).lstrip("/")


# Truth made by others -----------------------------------------------------------------------------


def test_a_volume_that_the_kernel_wrote(rig_image):
    """Every live path, size, time and content of a kernel-written HFS volume; nothing else; no anomaly."""
    truth = json.loads(rig_image("hfs_kernel.json").read_text())
    image, volume, entries, anomalies = _walk(rig_image("hfs_kernel.img").read_bytes())
    assert (volume.info.kind, volume.info.label) == ("hfs", "RigHFS")
    assert anomalies == []
    ours = {_posix(entry.path): entry for entry in entries}
    assert set(ours) == {row["path"] for row in truth["live"]}
    for row in truth["live"]:
        entry = ours[row["path"]]
        if row["type"] == "dir":
            assert entry.kind is EntryKind.DIRECTORY
            continue
        assert entry.size_bytes == row["size"]
        assert _sha256(_content(image, entry.streams[0])) == row["sha256"]
        # The driver wrote local time with its clock in UTC; HFS itself records no zone.
        recorded = datetime.fromisoformat(entry.modified.iso())
        assert recorded.replace(tzinfo=UTC).timestamp() == row["mtime"]
        assert entry.modified.offset_minutes is None
    fragmented = ours["frag_a.bin"].streams[0]
    assert len(fragmented.extents) > 3, "the overflow file must have been read"


def test_resource_forks_that_hfsutils_wrote(rig_image):
    """Both forks of every live file equal what was put in; the deleted file is not listed."""
    truth = json.loads(rig_image("hfs_hfsutils_rsrc.forks.json").read_text())
    image, _volume, entries, anomalies = _walk(rig_image("hfs_hfsutils_rsrc.img").read_bytes())
    assert anomalies == []
    files = {entry.name: entry for entry in entries if entry.kind is EntryKind.FILE}
    for row in truth:
        if row["deleted"]:
            assert row["name"] not in files
            continue
        entry = files[row["name"]]
        streams = {stream.name: stream for stream in entry.streams}
        assert _sha256(_content(image, streams[""])) == row["data_sha256"]
        if row["rsrc_size"]:
            assert _sha256(_content(image, streams["resource"])) == row["rsrc_sha256"]
        else:
            assert "resource" not in streams
        assert (entry.attributes["type"], entry.attributes["creator"]) == ("TEXT", "RIGX")


@pytest.mark.parametrize(
    ("name", "view", "kind"), [("iso_hfs_hybrid", "hfs_", "hfs"), ("iso_hfsplus", "hfsplus_", "hfsplus")]
)
def test_hybrid_discs_as_the_kernel_mounts_them(rig_image, name, view, kind):
    """The HFS side of a hybrid disc, found through its partition map, lists what the kernel lists."""
    truth = json.loads(rig_image(f"{name}.iso.kernel.json").read_text())["views"][view]["entries"]
    image, volume, entries, anomalies = _walk(rig_image(f"{name}.iso").read_bytes())
    assert volume.info.kind == kind
    assert volume.info.attributes["partition"]
    assert anomalies == []
    # The driver shows a name beyond 16 bits as question marks and cannot open it.
    truth = [row for row in truth if "?" not in row["path"]]
    ours = {_posix(entry.path): entry for entry in entries if max(entry.path) <= "\uffff"}
    assert {row["path"] for row in truth} == set(ours)
    assert len(entries) - len(ours) <= 1
    for row in truth:
        entry = ours[row["path"]]
        if row["type"] == "file":
            assert entry.size_bytes == row["size"], row["path"]
            assert _sha256(_content(image, entry.streams[0])) == row["sha256"]
        if kind == "hfsplus" and row["type"] in ("file", "dir"):
            assert f"0o{entry.mode & 0o7777:o}" == row["mode"]
            assert datetime.fromisoformat(entry.modified.iso()).timestamp() == row["mtime"]


@pytest.mark.corpus
def test_a_volume_of_252_files(corpus):
    """Linux filled it from a zip file; every file's digest is the zip's."""
    expected = {}
    for line in corpus("sevenzipjbinding/_expected/archive1.zip.contents.sha256").read_text().splitlines():
        digest, path = line.split("  ", 1)
        expected[path.removeprefix("./")] = digest
    image, volume, entries, anomalies = _walk(
        corpus("sevenzipjbinding/multiple-files/hfs/archive1.zip.1.hfs").read_bytes()
    )
    assert volume.info.label == "7-zip-test"
    assert anomalies == []
    ours = {
        _posix(entry.path): _sha256(_content(image, entry.streams[0]))
        for entry in entries
        if entry.kind is EntryKind.FILE
    }
    assert ours == expected


@pytest.mark.corpus
def test_a_volume_that_macos_made(corpus):
    """Symbolic link, extended attribute and resource fork of a macOS volume (listing by fls and 7z)."""
    image, _volume, entries, anomalies = _walk(corpus("dfvfs/hfsplus.raw").read_bytes())
    assert anomalies == []
    ours = {entry.path: entry for entry in entries}
    assert ours["/a_link"].kind is EntryKind.SYMLINK
    assert ours["/a_link"].link_target == "a_directory/another_file"
    streams = {stream.name: stream for stream in ours["/a_directory/a_file"].streams}
    assert set(streams) == {"", "xattr:myxattr"}
    assert _content(image, streams["xattr:myxattr"]) == b"My extended attribute"
    assert {s.name for s in ours["/a_directory/a_resourcefork"].streams} == {"", "resource"}
    private = [path for path in ours if path.endswith("HFS+ Private Data")]
    assert private == ["/\\x00\\x00\\x00\\x00HFS+ Private Data"]
    assert ours[private[0]].name_raw == ("\0" * 4 + "HFS+ Private Data").encode("utf-16-be")
    assert ours[private[0]].hidden
    assert ours["/passwords.txt"].created.iso() == "2022-01-14T07:19:42+00:00"


@pytest.mark.corpus
def test_a_floppy_of_1995(corpus):
    """A real disk with WordPerfect files: types and creators as recorded, no anomaly."""
    _image, volume, entries, anomalies = _walk(
        corpus("format-corpus/disk-images/hfs/speltzman/JW_disk9_hfstest_9.img").read_bytes()
    )
    assert volume.info.label == "john in WP 5.1"
    assert anomalies == []
    kinds = {(entry.attributes["type"], entry.attributes["creator"]) for entry in entries}
    assert ("WDBN", "MSWD") in kinds


@pytest.mark.corpus
@pytest.mark.parametrize("number", [0, 2, 3, 5, 6, 9, 10])
def test_volumes_of_every_mkfs_option(corpus, number):
    """Case-sensitive and not, 512 to 2048-byte blocks: the same small tree, by its known digests."""
    image, _volume, entries, anomalies = _walk(corpus(f"syzkaller/hfsplus_{number}.img").read_bytes())
    assert anomalies == []
    ours = {entry.path: entry for entry in entries}
    cold = ours["/file.cold"]
    assert cold.size_bytes == 100
    assert _sha256(_content(image, cold.streams[0])).startswith("f73da0b5")
    assert ours["/file0/file0"].size_bytes == 1050
    assert _sha256(_content(image, ours["/file0/file0"].streams[0])).startswith("3c6ee728")
    assert ours["/file0/file1"].kind is EntryKind.SYMLINK
    assert ours["/file0/file1"].link_target.startswith("/")


# Bytes by hand ------------------------------------------------------------------------------------


def test_names_of_both_formats():
    """MacRoman 0x8E is e acute; an unpaired surrogate and a slash are escaped and kept raw."""
    assert hfs_name(b"Caf\x8e") == ("Café", None)
    assert hfs_name(b"a/b") == ("a\\x2fb", b"a/b")
    assert plus_name("e\u0301".encode("utf-16-be")) == ("e\u0301", None)
    assert plus_name(b"\xd8\x00\x00a") == ("\\ud800a", b"\xd8\x00\x00a")
    assert label("a\\x2fb") == "a/b"


def test_times_count_from_1904():
    """0 is not recorded; 2,082,844,800 s is 1970-01-01 (TN1150 "HFS Plus Dates"); HFS has no zone."""
    assert mac_time(0, utc=True) is None
    assert mac_time(2_082_844_800, utc=True).iso() == "1970-01-01T00:00:00+00:00"
    assert mac_time(2_082_844_800, utc=False).iso() == "1970-01-01T00:00:00"
    assert mac_time(0xFFFFFFFF, utc=True).iso() == "2040-02-06T06:28:15+00:00"


def test_extent_records_end_at_the_first_empty_one():
    """IM 2-75: three extents of two 16-bit numbers; TN1150: eight of two 32-bit numbers."""
    assert hfs_runs(struct.pack(">6H", 5, 2, 0, 0, 9, 9)) == (Run(5, 2),)
    fork = plus_fork(struct.pack(">QII16I", 5000, 0, 3, 10, 1, 20, 2, *([0] * 12)))
    assert (fork.size_bytes, fork.blocks, fork.runs) == (5000, 3, (Run(10, 1), Run(20, 2)))


def test_pieces_are_cut_to_the_size_joined_and_placed_by_the_byte():
    """512-byte blocks from byte 2560 on: block 1 begins 1024 bytes into sector 1."""
    geometry = Geometry(2560, 512, 100)
    assert geometry.extents((Run(1, 2), Run(3, 1), Run(10, 4)), 1800) == (
        Extent(1, 1536, 1024),
        Extent(3, 264, 1536),
    )
    data = bytes(range(256)) * 64
    fork = Fork(MemoryImage(data), geometry, (Run(1, 1), Run(10, 4)), 1000)
    assert fork.size_bytes == 1000
    assert fork.read(500, 100) == data[3072 + 500 : 3584] + data[2560 + 5120 : 2560 + 5120 + 88]
    assert fork.place(512) == 2560 + 5120
    assert fork.place(1000) == -1


def test_partition_maps_in_512_byte_blocks():
    """A map that begins with itself; entries of one block size are not misread in another."""

    def entry(start, blocks, name, kind):
        return struct.pack(">2sHIII32s32s", b"PM", 0, 2, start, blocks, name, kind).ljust(512, b"\0")

    area = bytes(512) + entry(1, 2, b"Apple", b"Apple_partition_map") + entry(8, 100, b"Disc", b"Apple_HFS")
    found = list(apple_partitions(MemoryImage(area.ljust(8192, b"\0")), 0))
    assert [(p.kind, p.start_byte, p.size_bytes) for p in found] == [
        ("Apple_partition_map", 512, 1024),
        ("Apple_HFS", 4096, 51200),
    ]


# Damage -------------------------------------------------------------------------------------------


def _leaf_nodes(data, first, node_bytes):
    """Byte places of leaf nodes from `first` on, by the descriptor alone."""
    return [
        at
        for at in range(first, len(data) - node_bytes, node_bytes)
        if data[at + 8] == 0xFF and data[at + 9] == 1 and int.from_bytes(data[at + 10 : at + 12], "big")
    ]


def test_a_broken_leaf_chain_loses_only_the_bad_node(rig_image):
    """A leaf whose kind is destroyed: said once, and the leaves behind it are still read."""
    good = rig_image("hfs_kernel.img").read_bytes()
    _image, _volume, before, _none = _walk(good)
    # The catalog's first leaf with a forward link, found by its descriptor (IM 2-65).
    linked = [at for at in _leaf_nodes(good, 2048, 512) if int.from_bytes(good[at : at + 4], "big")]
    bad = bytearray(good)
    victim = linked[1]
    bad[victim + 8] = 0
    _image, _volume, after, anomalies = _walk(bytes(bad))
    codes = [anomaly.code for anomaly in anomalies]
    assert "hfs-node-kind" in codes
    assert "hfs-record-count" in codes
    assert 0 < len(before) - len(after) <= 8
    assert {entry.path.rsplit("/", 1)[1] for entry in after} <= {
        entry.path.rsplit("/", 1)[1] for entry in before
    }


def test_a_leaf_chain_that_loops_ends(rig_image):
    """A leaf that links back to itself: recorded, and every entry still comes once."""
    good = rig_image("hfs_kernel.img").read_bytes()
    _image, _volume, before, _none = _walk(good)
    leaves = {at: struct.unpack_from(">II", good, at) for at in _leaf_nodes(good, 2048, 512)}
    first, own = next(
        (at, back)
        for at, (forward, _back) in leaves.items()
        for there, (_forward, back) in leaves.items()
        if forward and back and there - at == (forward - back) * 512
    )
    bad = bytearray(good)
    struct.pack_into(">I", bad, first, own)
    _image, _volume, after, anomalies = _walk(bytes(bad))
    assert "hfs-leaf-chain" in [anomaly.code for anomaly in anomalies]
    paths = [entry.path for entry in after]
    assert len(paths) == len(set(paths))
    assert set(paths) <= {entry.path for entry in before}


def test_a_destroyed_volume_header_is_replaced_by_its_copy(rig_image, corpus):
    """HFS+ keeps a copy 1024 bytes before the end: the same entries, and an anomaly that says so."""
    good = corpus("syzkaller/hfsplus_0.img").read_bytes()
    _image, _volume, before, _none = _walk(good)
    bad = bytearray(good)
    bad[1024:1536] = os.urandom(2) + bytes(510)
    _image, _volume, after, anomalies = _walk(bytes(bad))
    assert after == before
    # The driver does not keep the counts in the copy up to date.
    assert [anomaly.code for anomaly in anomalies] == ["hfs-alternate-header", "hfs-count", "hfs-count"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("name", ["hfs_kernel.img", "hfs_hfsutils_rsrc.img", "iso_hfsplus.iso"])
def test_any_damage_ends_and_raises_nothing(rig_image, name, data):
    """Flipped bytes near the structures and cuts anywhere: bounded, no exception, known codes only."""
    raw = bytearray(rig_image(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        raw[data.draw(st.integers(0, min(len(raw), 300_000) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(raw)))
    if data.draw(st.booleans()):
        del raw[cut:]
    image = MemoryImage(bytes(raw))
    codes = {kind.code for kind in CODES}
    for volume in open_volumes(image, 0, 1, 0):
        assert not isinstance(volume, Anomaly)
        entries = 0
        for item in volume.walk():
            if isinstance(item, Anomaly):
                assert item.code in codes
            else:
                assert item.path.startswith("/")
                assert "\0" not in item.path
                entries += 1
        assert entries < 5000
        assert all(count >= 0 for _start, count in volume.structures())

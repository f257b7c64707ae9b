"""FAT volumes: formatted by mkfs.vfat, files put in by hand from ECMA-107, compared with fls and icat."""

import re
import struct
import subprocess

import pytest

from acquire.geometry import SECTOR_BYTES
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.tsk import volume as tsk

pytestmark = pytest.mark.tools

KINDS = {12: 2 << 20, 16: 16 << 20, 32: 40 << 20}
"""Bits of a FAT entry: bytes of a volume that mkfs.vfat gives such a FAT with clusters of 512 to 2048."""
END = {12: 0xFFF, 16: 0xFFFF, 32: 0x0FFFFFFF}
CREATED, ACCESSED, MODIFIED = (2004, 10, 21, 13, 5, 8), (2004, 11, 2), (2024, 2, 29, 23, 59, 58)


def _date(year, month, day):
    """ECMA-107 §11.2.9: day in bits 0-4, month in 5-8, years since 1980 in 9-15."""
    return (year - 1980) << 9 | month << 5 | day


def _time(hour, minute, second):
    """ECMA-107 §11.2.8: two-second units in bits 0-4, minutes in 5-10, hours in 11-15."""
    return hour << 11 | minute << 5 | second // 2


def _record(name, attributes, cluster, size, *, times=True):
    """§11: name, attributes, creation, access, cluster (high half), write, cluster (low half), size.

    Without `times`, creation and access are not recorded, as by older systems.
    """
    made = (_time(*CREATED[3:]), _date(*CREATED[:3]), _date(*ACCESSED)) if times else (0, 0, 0)
    written = (_time(*MODIFIED[3:]), _date(*MODIFIED[:3]))
    return struct.pack(
        "<11sBBBHHHHHHHI", name, attributes, 0, 0, *made, cluster >> 16, *written, cluster & 0xFFFF, size
    )


def _long(name, short):
    """The long-name entries of a name of at most 13 characters, with the short name's checksum."""
    total = 0
    for byte in short:
        total = ((total >> 1 | total << 7) + byte) & 0xFF
    units = (name.encode("utf-16-le") + b"\0\0").ljust(26, b"\xff")[:26]
    return bytes([0x41]) + units[:10] + bytes([0x0F, 0, total]) + units[10:22] + bytes(2) + units[22:]


class Fat:
    """A formatted volume; its places follow from the parameter block (ECMA-107 §9.1)."""

    def __init__(self, raw, kind):
        """Read the parameter block."""
        self.raw, self.kind = bytearray(raw), kind
        self.sector, cluster, reserved, self.fats, roots, _total, _media, fat = struct.unpack_from(
            "<HBHBHHBH", raw, 11
        )
        fat = fat or int.from_bytes(raw[36:40], "little")
        self.cluster_bytes = cluster * self.sector
        self.fat_at, self.fat_bytes = reserved * self.sector, fat * self.sector
        self.root_at = self.fat_at + self.fats * self.fat_bytes
        self.data_at = self.root_at + roots * 32
        if kind == 32:
            self.root_at = self.at(int.from_bytes(raw[44:48], "little"))

    def at(self, cluster):
        """The first byte of a cluster; they count from 2."""
        return self.data_at + (cluster - 2) * self.cluster_bytes

    def chain(self, *clusters):
        """Link the clusters in every FAT (§10): each names the next, the last is the end mark."""
        for cluster, value in zip(clusters, [*clusters[1:], END[self.kind]], strict=True):
            for copy in range(self.fats):
                self._set(self.fat_at + copy * self.fat_bytes, cluster, value)

    def _set(self, fat, cluster, value):
        if self.kind != 12:
            width = self.kind // 8
            self.raw[fat + cluster * width : fat + (cluster + 1) * width] = value.to_bytes(width, "little")
            return
        place = fat + cluster * 3 // 2
        pair = int.from_bytes(self.raw[place : place + 2], "little")
        pair = (pair & 0x000F) | value << 4 if cluster % 2 else (pair & 0xF000) | value
        self.raw[place : place + 2] = pair.to_bytes(2, "little")

    def put(self, at, data):
        """Write `data` at byte `at`."""
        self.raw[at : at + len(data)] = data


@pytest.fixture(scope="module", params=sorted(KINDS))
def fat(request, tmp_path_factory, tool):
    """A volume with a folder, a file in two separate pieces, a long name, an empty and a deleted file."""
    kind = request.param
    path = tmp_path_factory.mktemp("fat") / "f.img"
    with path.open("wb") as file:
        file.truncate(KINDS[kind])
    subprocess.run(
        [tool("mkfs.vfat"), "-F", str(kind), "-n", "RIG", "-s", "1" if kind == 32 else "4", path],
        check=True,
        capture_output=True,
    )
    volume = Fat(path.read_bytes(), kind)
    size = volume.cluster_bytes
    volume.chain(10)
    volume.chain(12, 20)
    volume.chain(30)
    root = (
        _record(b"RIG        ", 0x08, 0, 0)
        + _record(b"FOLDER     ", 0x10, 10, 0)
        + _record(b"EMPTY   TXT", 0x20, 0, 0, times=False)
        + _long("Größe lang", b"GRE~1      ")
        + _record(b"GRE~1      ", 0x21, 30, 4)
        + _record(b"\xe5ONE    BIN", 0x20, 40, 100)
    )
    volume.put(volume.root_at, root)
    volume.put(
        volume.at(10),
        _record(b".          ", 0x10, 10, 0)
        + _record(b"..         ", 0x10, 0, 0)
        + _record(b"PIECES  BIN", 0x20, 12, size + 7),
    )
    volume.put(volume.at(12), b"a" * size)
    volume.put(volume.at(20), b"b" * 7)
    volume.put(volume.at(30), b"long")
    volume.put(volume.at(40), b"d" * 100)
    path.write_bytes(volume.raw)
    return volume, path


def _walk(data, start_lba=0):
    """(image, volume, entries, anomalies) of the only volume."""
    image = MemoryImage(bytes(data))
    (volume,) = tsk.open_volumes(image, start_lba, 1, 0)
    items = list(volume.walk())
    return (
        image,
        volume,
        [item for item in items if isinstance(item, Entry)],
        [item for item in items if isinstance(item, Anomaly)],
    )


def _content(image, entry):
    parts = []
    for lba, length, offset in entry.streams[0].extents:
        count = -(-(offset + length) // SECTOR_BYTES)
        parts.append(image.read(lba, count)[offset : offset + length])
    return b"".join(parts)


def _live(entries):
    return {entry.path: entry for entry in entries if not entry.deleted}


def test_the_kind_of_fat_follows_from_the_clusters(fat):
    """FAT12, FAT16 and FAT32 as mkfs.vfat was told."""
    volume, _path = fat
    _image, found, _entries, anomalies = _walk(volume.raw)
    assert found.info.kind == f"fat{volume.kind}"
    assert found.info.attributes["reader"] == "tsk"
    assert anomalies == []


def test_files_are_what_was_put_in(fat):
    """Names, kinds, sizes and bytes; the file in two pieces is put together by the chain (§10)."""
    volume, _path = fat
    image, _found, entries, _anomalies = _walk(volume.raw)
    live = _live(entries)
    assert {"/FOLDER", "/FOLDER/PIECES.BIN", "/EMPTY.TXT", "/Größe lang"} <= set(live)
    pieces = live["/FOLDER/PIECES.BIN"]
    assert pieces.size_bytes == volume.cluster_bytes + 7
    assert _content(image, pieces) == b"a" * volume.cluster_bytes + b"b" * 7
    assert _content(image, live["/Größe lang"]) == b"long"
    assert live["/FOLDER"].kind is EntryKind.DIRECTORY
    assert pieces.parent == live["/FOLDER"].ordinal
    assert (live["/EMPTY.TXT"].kind, live["/EMPTY.TXT"].size_bytes) == (EntryKind.FILE, 0)


def test_extents_are_places_on_the_disc(fat):
    """Cluster 12, then cluster 20, as bytes from the volume's start."""
    volume, _path = fat
    _image, _found, entries, _anomalies = _walk(volume.raw)
    extents = _live(entries)["/FOLDER/PIECES.BIN"].streams[0].extents
    pieces = [e.start_lba * SECTOR_BYTES + e.offset_bytes for e in extents]
    assert pieces[0] == volume.at(12)
    assert volume.at(20) in pieces


def test_times_are_local_and_have_no_zone(fat):
    """§11.2.8-9: local time of nowhere in particular, to two seconds; what was recorded, no offset."""
    volume, _path = fat
    _image, _found, entries, _anomalies = _walk(volume.raw)
    file = _live(entries)["/FOLDER/PIECES.BIN"]
    assert file.modified.iso() == "2024-02-29T23:59:58"
    assert file.created.iso() == "2004-10-21T13:05:08"
    assert file.accessed.iso() == "2004-11-02T00:00:00"
    assert file.modified.offset_minutes is None


def test_times_do_not_follow_the_examiners_zone(fat, monkeypatch):
    """The environment's time zone changes nothing."""
    volume, _path = fat
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    _image, _found, entries, _anomalies = _walk(volume.raw)
    assert _live(entries)["/FOLDER/PIECES.BIN"].modified.iso() == "2024-02-29T23:59:58"


def test_a_date_of_zero_is_not_recorded(fat):
    """Creation and access of 0 (month 0, day 0) are no date (§11.2.9); the modification time stands."""
    volume, _path = fat
    _image, _found, entries, _anomalies = _walk(volume.raw)
    empty = _live(entries)["/EMPTY.TXT"]
    assert (empty.created, empty.accessed) == (None, None)
    assert empty.modified.iso() == "2024-02-29T23:59:58"


def test_a_deleted_name_is_listed_as_deleted(fat):
    """§11.2.1: 0xE5 in the first byte frees the entry; the rest of the name, and the size, are left."""
    volume, _path = fat
    _image, _found, entries, _anomalies = _walk(volume.raw)
    (gone,) = [entry for entry in entries if entry.name.endswith("ONE.BIN")]
    assert gone.deleted
    assert gone.size_bytes == 100
    assert gone.modified.iso() == "2024-02-29T23:59:58"


def test_the_list_is_that_of_fls(fat, tool):
    """`fls -rp`: the same paths, live and deleted ones, with the same inodes."""
    volume, path = fat
    text = subprocess.run([tool("fls"), "-rp", path], capture_output=True, check=True, text=True).stdout
    theirs = set()
    for line in text.splitlines():
        kind, star, inode, name = re.fullmatch(r"(\S+) (\* )?(\d+)(?:\(realloc\))?:\t(.*)", line).groups()
        if not kind.upper().startswith("V/"):
            theirs.add((name, bool(star), int(inode)))
    _image, _found, entries, _anomalies = _walk(volume.raw)
    assert {(entry.path[1:], entry.deleted, entry.inode) for entry in entries} == theirs


def test_the_content_is_that_of_icat(fat, tool):
    """`icat` writes the same bytes for the file in two pieces."""
    volume, path = fat
    image, _found, entries, _anomalies = _walk(volume.raw)
    file = _live(entries)["/FOLDER/PIECES.BIN"]
    theirs = subprocess.run([tool("icat"), path, str(file.inode)], capture_output=True, check=True).stdout
    assert _content(image, file) == theirs


def test_a_volume_in_a_later_session(fat):
    """From sector 100 on: places count from the disc's start."""
    volume, _path = fat
    image, found, entries, _anomalies = _walk(bytes(100 * SECTOR_BYTES) + volume.raw, 100)
    assert found.info.start_lba == 100
    assert _content(image, _live(entries)["/Größe lang"]) == b"long"


def test_a_chain_that_loops_ends(fat):
    """Cluster 12 names itself: no hang; the file's extents never exceed its size."""
    volume, _path = fat
    looped = Fat(volume.raw, volume.kind)
    for copy in range(looped.fats):
        looped._set(looped.fat_at + copy * looped.fat_bytes, 12, 12)
    _image, _found, entries, _anomalies = _walk(looped.raw)
    pieces = _live(entries)["/FOLDER/PIECES.BIN"]
    assert sum(extent.length_bytes for extent in pieces.streams[0].extents) <= pieces.size_bytes


def test_a_folder_in_itself_is_listed_once(fat):
    """A folder whose entry leads to its own cluster: the walk ends."""
    volume, _path = fat
    looped = Fat(volume.raw, volume.kind)
    looped.put(looped.at(10) + 96, _record(b"AGAIN      ", 0x10, 10, 0))
    _image, _found, entries, _anomalies = _walk(looped.raw)
    assert len(entries) < 100
    assert "/FOLDER/AGAIN" in _live(entries)

"""Every structure of HFS and HFS+ that a walk reads, in volumes assembled by hand (HFS+ also by 7-Zip)."""

import struct
import subprocess

import pytest

from acquire.geometry import SECTOR_BYTES
from acquire.image import MemoryImage
from analyze.entry import Entry, EntryKind
from analyze.hfs.recognise import open_volumes
from tests.analyze.hfs_disc import (
    ATTRIBUTES_AT,
    DATA_AT,
    HFS_DATA,
    HFS_FIRST,
    PLUS_BLOCKS,
    PRIVATE_FOLDER,
    fork,
    fork_attribute,
    hfs_file,
    hfs_folder,
    hfs_mdb,
    hfs_overflow,
    hfs_thread,
    hfs_volume,
    inline_attribute,
    plus_file,
    plus_folder,
    plus_key,
    plus_overflow,
    plus_thread,
    plus_volume,
)

EPOCH_1970 = 2_082_844_800  # TN1150 "HFS Plus Dates": 1970-01-01 in seconds from 1904-01-01


def _content(image, stream):
    parts = []
    for lba, length, offset in stream.extents:
        count = -(-(offset + length) // SECTOR_BYTES)
        parts.append(image.read(lba, count)[offset : offset + length])
    return b"".join(parts)


def _walk(data):
    """(image, volume, entries by path, anomaly codes) of the only volume in `data`."""
    image = MemoryImage(data)
    (volume,) = open_volumes(image, 0, 1, 0)
    items = list(volume.walk())
    entries = [item for item in items if isinstance(item, Entry)]
    by_path = {entry.path: entry for entry in entries}
    assert len(by_path) == len(entries)
    return image, volume, by_path, [item.code for item in items if not isinstance(item, Entry)]


def _listed(tool, path):
    """{path: size} as 7-Zip lists the file."""
    text = subprocess.run(
        [tool("7z"), "l", "-slt", "-ba", path], capture_output=True, check=True, text=True
    ).stdout
    rows = {}
    for block in text.strip().split("\n\n"):
        fields = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        rows[fields["Path"]] = int(fields.get("Size") or 0)
    return rows


def _plain_plus(**options):
    """One folder with one file of 5000 bytes in two pieces, and an empty file in the root."""
    return plus_volume(
        [
            [
                plus_file(2, "empty", 17),
                plus_folder(2, "folder", 16, valence=1, mode=0o40755),
                plus_thread(16, 2, "folder"),
                plus_file(16, "data", 18, fork(5000, (DATA_AT, 1), (DATA_AT + 4, 1)), mode=0o100644),
            ]
        ],
        content={DATA_AT: b"a" * 4096, DATA_AT + 4: b"b" * 904},
        files=2,
        folders=1,
        **options,
    )


# HFS+ ---------------------------------------------------------------------------------------------


def test_a_small_plus_volume():
    """Label, paths, sizes, the two pieces' bytes, IDs and parents as put in; nothing to remark."""
    image, volume, entries, codes = _walk(_plain_plus())
    assert (volume.info.kind, volume.info.label) == ("hfsplus", "Made")
    assert volume.info.block_size_bytes == 4096
    assert volume.info.length_sectors == PLUS_BLOCKS * 2
    assert codes == []
    assert set(entries) == {"/folder", "/folder/data", "/empty"}
    data = entries["/folder/data"]
    assert data.size_bytes == 5000
    assert _content(image, data.streams[0]) == b"a" * 4096 + b"b" * 904
    assert [tuple(extent) for extent in data.streams[0].extents] == [(32, 4096, 0), (40, 904, 0)]
    assert (data.inode, data.parent) == (18, entries["/folder"].ordinal)
    assert (data.mode, entries["/folder"].mode, entries["/empty"].mode) == (0o100644, 0o40755, None)


@pytest.mark.tools
def test_seven_zip_lists_the_same_plus_volume(tmp_path, tool):
    """The assembled volume is one to 7-Zip as well: same paths, same sizes."""
    path = tmp_path / "made.img"
    path.write_bytes(_plain_plus())
    theirs = {
        name.removeprefix("Made/"): size for name, size in _listed(tool, path).items() if name != "Made"
    }
    _image, _volume, entries, _codes = _walk(path.read_bytes())
    ours = {name[1:]: entry.size_bytes for name, entry in entries.items()}
    assert {name: size for name, size in theirs.items() if name in ours} == ours
    assert all(name.startswith("[") for name in set(theirs) - set(ours)), "only 7-Zip's own system files"


def test_times_of_the_plus_volume_header():
    """TN "Volume Header": the creation date is local time, the modification date is UTC."""
    _image, volume, _entries, _codes = _walk(_plain_plus())
    assert volume.info.created.iso() == "1970-01-01T00:00:00"
    assert volume.info.modified.iso() == "1970-01-01T00:00:01+00:00"


def test_five_times_of_a_plus_file():
    """TN "Catalog File Records": create, content modify, attribute modify, access, backup; all in UTC."""
    times = tuple(EPOCH_1970 + day * 86400 for day in range(5))
    _image, _volume, entries, _codes = _walk(plus_volume([[plus_file(2, "f", 16, times=times)]], files=1))
    file = entries["/f"]
    recorded = [file.created, file.modified, file.changed, file.accessed, file.backup]
    assert [time.iso() for time in recorded] == [f"1970-01-0{day}T00:00:00+00:00" for day in range(1, 6)]


def test_a_time_of_zero_is_not_recorded():
    """TN "HFS Plus Dates": 0 means that there is no date."""
    _image, _volume, entries, _codes = _walk(
        plus_volume([[plus_file(2, "f", 16, times=(0, EPOCH_1970, 0, 0, 0))]], files=1)
    )
    assert entries["/f"].created is None
    assert entries["/f"].backup is None
    assert entries["/f"].modified is not None


def test_owner_group_and_finder_information_of_a_plus_file():
    """TN "HFSPlusBSDInfo" and "FileInfo": owner, group, owner flags, type, creator, the invisible bit."""
    finder = b"TEXTttxt" + struct.pack(">H", 0x4000)
    _image, _volume, entries, _codes = _walk(
        plus_volume(
            [[plus_file(2, "f", 16, mode=0o100600, owner=501, group=20, owner_flags=2, finder=finder)]],
            files=1,
        )
    )
    file = entries["/f"]
    assert (file.uid, file.gid, file.flags, file.hidden) == (501, 20, 2, True)
    assert (file.attributes["type"], file.attributes["creator"]) == ("TEXT", "ttxt")
    assert file.attributes["finder_flags"] == 0x4000


def test_a_symbolic_link_is_its_data_fork():
    """TN "Symbolic Links": mode S_IFLNK, the target as UTF-8 in the data fork."""
    target = "folder/café".encode()
    _image, _volume, entries, codes = _walk(
        plus_volume(
            [[plus_file(2, "l", 16, fork(len(target), (DATA_AT, 1)), mode=0o120777, finder=b"slnkrhap")]],
            content={DATA_AT: target},
            files=1,
        )
    )
    assert codes == []
    assert (entries["/l"].kind, entries["/l"].link_target) == (EntryKind.SYMLINK, "folder/café")


@pytest.mark.parametrize(
    ("mode", "kind", "device"),
    [
        (0o060644, EntryKind.DEVICE, "14:2"),
        (0o020644, EntryKind.DEVICE, "14:2"),
        (0o010644, EntryKind.OTHER, None),
        (0o140644, EntryKind.OTHER, None),
        (0o100644, EntryKind.FILE, None),
        (0, EntryKind.FILE, None),
    ],
)
def test_what_a_mode_makes_of_a_file(mode, kind, device):
    """TN "HFSPlusBSDInfo": the type in the mode; `rawDevice` is major (8 bits) and minor (24 bits)."""
    _image, _volume, entries, _codes = _walk(
        plus_volume([[plus_file(2, "x", 16, mode=mode, special=14 << 24 | 2)]], files=1)
    )
    assert (entries["/x"].kind, entries["/x"].device) == (kind, device)


def _linked(number, special=2):
    """A link `a` to iNode `number` in the root; the real file is iNode77, with three forks' worth of data."""
    return plus_volume(
        [
            [
                plus_folder(2, PRIVATE_FOLDER, 16),
                plus_file(2, "a", 17, mode=0o100444, special=number, finder=b"hlnkhfs+"),
                plus_thread(16, 2, PRIVATE_FOLDER),
                plus_file(
                    16,
                    "iNode77",
                    18,
                    fork(6, (DATA_AT, 1)),
                    mode=0o100640,
                    special=special,
                    times=(EPOCH_1970, EPOCH_1970, 0, 0, 0),
                ),
            ]
        ],
        attributes=[inline_attribute(18, "com.example", b"tag!")],
        content={DATA_AT: b"linked"},
        files=2,
        folders=1,
    )


def test_a_hard_link_has_its_real_files_content():
    """TN "Hard Links": type hlnk, creator hfs+; `iNodeNum` names the file in the private folder."""
    image, _volume, entries, codes = _walk(_linked(77))
    assert codes == []
    link = entries["/a"]
    assert _content(image, link.streams[0]) == b"linked"
    assert (link.inode, link.links, link.mode, link.size_bytes) == (18, 2, 0o100640, 6)
    assert link.attributes["hard_link"] == 77
    assert link.created.iso() == "1970-01-01T00:00:00+00:00"
    assert [stream.name for stream in link.streams] == ["", "xattr:com.example"]


def test_a_hard_link_to_nothing_is_said():
    """A link whose iNode is not there stays a file of its own, with an anomaly."""
    _image, _volume, entries, codes = _walk(_linked(78))
    assert codes == ["hfs-link-target"]
    assert (entries["/a"].inode, entries["/a"].size_bytes) == (17, 0)


def test_the_private_folders_name_is_shown_escaped():
    """Its four leading NULs can be in no path: they are escaped, and the recorded name is kept."""
    _image, _volume, entries, _codes = _walk(_linked(77))
    folder = next(entry for entry in entries.values() if entry.kind is EntryKind.DIRECTORY)
    assert folder.path == "/" + "\\x00" * 4 + "HFS+ Private Data"
    assert folder.name_raw == PRIVATE_FOLDER.encode("utf-16-be")


def test_a_ninth_extent_comes_from_the_overflow_file():
    """TN "Extents Overflow File": eight extents in the record, the next ones under their start block."""
    inside = [(DATA_AT + 2 * n, 1) for n in range(8)]
    data = {DATA_AT + 2 * n: bytes([65 + n]) * 4096 for n in range(10)}
    image, _volume, entries, codes = _walk(
        plus_volume(
            [[plus_file(2, "f", 16, fork(10 * 4096 - 1, *inside))]],
            overflow=[plus_overflow(16, 0, 8, (DATA_AT + 16, 1), (DATA_AT + 18, 1))],
            content=data,
            files=1,
        )
    )
    assert codes == []
    expected = b"".join(bytes([65 + n]) * 4096 for n in range(10))[:-1]
    assert _content(image, entries["/f"].streams[0]) == expected


def test_overflow_extents_are_those_of_the_same_fork():
    """The resource fork's extents (0xFF) and another file's never go into a data fork."""
    inside = [(DATA_AT + 2 * n, 1) for n in range(8)]
    _image, _volume, entries, codes = _walk(
        plus_volume(
            [[plus_file(2, "f", 16, fork(9 * 4096, *inside))]],
            overflow=[plus_overflow(16, 0xFF, 8, (40, 1)), plus_overflow(17, 0, 8, (41, 1))],
            files=1,
        )
    )
    assert codes == ["hfs-extents-short"]
    assert sum(extent.length_bytes for extent in entries["/f"].streams[0].extents) == 8 * 4096


def test_a_resource_fork_is_a_stream():
    """TN "Catalog File Records": the second fork; an empty one is no stream."""
    image, _volume, entries, codes = _walk(
        plus_volume(
            [[plus_file(2, "f", 16, None, fork(4, (DATA_AT, 1))), plus_file(2, "g", 17)]],
            content={DATA_AT: b"rsrc"},
            files=2,
        )
    )
    assert codes == []
    assert [stream.name for stream in entries["/f"].streams] == ["", "resource"]
    assert _content(image, entries["/f"].streams[1]) == b"rsrc"
    assert [stream.name for stream in entries["/g"].streams] == [""]


def test_attributes_inline_and_in_a_fork():
    """TN "Attributes File": data in the record, and in blocks of its own; both are streams of the file."""
    image, _volume, entries, codes = _walk(
        plus_volume(
            [[plus_file(2, "f", 16)]],
            attributes=[
                fork_attribute(16, "big", fork(4097, (DATA_AT, 2))),
                inline_attribute(16, "small", b"five!"),
            ],
            content={DATA_AT: b"x" * 4096 + b"y"},
            files=1,
        )
    )
    assert codes == []
    streams = {stream.name: _content(image, stream) for stream in entries["/f"].streams}
    assert streams == {"": b"", "xattr:big": b"x" * 4096 + b"y", "xattr:small": b"five!"}


def test_an_inline_attribute_never_reaches_past_its_record():
    """A claimed size of 4 GiB is cut at the record's end."""
    record = bytearray(inline_attribute(16, "s", b"1234"))
    struct.pack_into(">I", record, len(record) - 8, 0xFFFFFFFF)
    image, _volume, entries, _codes = _walk(
        plus_volume([[plus_file(2, "f", 16)]], attributes=[bytes(record)], files=1)
    )
    assert _content(image, entries["/f"].streams[1]) == b"1234"


def test_the_header_of_a_compressed_file():
    """com.apple.decmpfs: `fpmc`, type and expanded size, little-endian."""
    value = b"fpmc" + struct.pack("<IQ", 4, 123_456)
    _image, _volume, entries, _codes = _walk(
        plus_volume(
            [[plus_file(2, "f", 16)]], attributes=[inline_attribute(16, "com.apple.decmpfs", value)], files=1
        )
    )
    assert entries["/f"].attributes["decmpfs"] == {"type": 4, "size_bytes": 123_456}


def test_an_extent_outside_the_volume_is_said():
    """Blocks 63 and 64 of a volume of 64."""
    _image, _volume, entries, codes = _walk(
        plus_volume([[plus_file(2, "f", 16, fork(8192, (PLUS_BLOCKS - 1, 2)))]], files=1)
    )
    assert codes == ["hfs-extent-range"]
    assert entries["/f"].size_bytes == 8192


def test_names_with_slash_and_lone_surrogate():
    """A slash is a lawful character of HFS+ names; a lone surrogate is none of Unicode: both escaped."""
    _image, _volume, entries, _codes = _walk(
        plus_volume([[plus_file(2, "a/b", 16), plus_file(2, "\ud800", 17)]], files=2)
    )
    assert set(entries) == {"/a\\x2fb", "/\\ud800"}
    assert entries["/a\\x2fb"].name_raw == "a/b".encode("utf-16-be")


def test_folders_that_contain_each_other():
    """Two folders each in the other: shown once each, said to be a loop, and no hang."""
    _image, _volume, entries, codes = _walk(
        plus_volume([[plus_folder(17, "a", 16), plus_folder(16, "b", 17)]], folders=2)
    )
    assert "hfs-directory-loop" in codes
    assert {entry.inode for entry in entries.values()} == {16, 17}


def test_orphans_hang_in_the_root():
    """A folder and a file whose parent has no record: both are listed, each with an anomaly."""
    _image, _volume, entries, codes = _walk(
        plus_volume([[plus_folder(99, "d", 16), plus_file(98, "f", 17)]], files=1, folders=1)
    )
    assert codes == ["hfs-parent-missing", "hfs-parent-missing"]
    assert set(entries) == {"/d", "/f"}


def test_another_number_of_files_than_the_header_says():
    """TN "Volume Header" fileCount and folderCount do not count the root."""
    _image, _volume, _entries, codes = _walk(plus_volume([[plus_file(2, "f", 16)]], files=2, folders=1))
    assert codes == ["hfs-count", "hfs-count"]


@pytest.mark.parametrize(
    "record",
    [
        plus_key(2, "x") + b"\0\x09" + bytes(90),
        plus_key(2, "x") + b"\0\x02" + bytes(200),
        b"\0\x02ab\0\0\0\0",
    ],
    ids=["unknown type", "cut short", "impossible key"],
)
def test_a_bad_catalog_record_does_not_hide_the_next(record):
    """It is said, and the file behind it is listed."""
    _image, _volume, entries, codes = _walk(plus_volume([[record, plus_file(2, "y", 17)]], files=1))
    assert codes == ["hfs-catalog-record"]
    assert set(entries) == {"/y"}


def test_a_hfsx_volume():
    """TN "HFSX": signature HX, version 5."""
    _image, volume, entries, codes = _walk(_plain_plus(signature=b"HX"))
    assert (volume.info.attributes["hfsx"], volume.info.attributes["version"]) == (True, 5)
    assert codes == []
    assert len(entries) == 3


def test_a_journal_is_named():
    """TN "Journal": bit 13 of the attributes, and the block of the journal's description."""
    _image, volume, _entries, _codes = _walk(_plain_plus(flags=0x2100, journal=60))
    assert volume.info.attributes["journal_block"] == 60


def test_the_copy_of_the_plus_header_stands_in():
    """TN "Volume Header": with the header gone, its copy 1024 bytes before the end gives the same list."""
    good = _plain_plus()
    bad = good[:1024] + bytes(512) + good[1536:]
    _image, _volume, entries, codes = _walk(bad)
    assert codes == ["hfs-alternate-header"]
    assert entries == _walk(good)[2]


def test_a_missing_copy_of_the_plus_header_is_said():
    """The volume is read all the same."""
    good = _plain_plus()
    _image, _volume, entries, codes = _walk(good[:-1024] + bytes(1024))
    assert codes == ["hfs-alternate-header"]
    assert len(entries) == 3


@pytest.mark.parametrize("size", [0, 1, 256, 513, 0xFFFFFFFF])
def test_an_impossible_block_size_is_no_volume(size):
    """TN "Volume Header": a power of two of at least 512 bytes."""
    raw = bytearray(_plain_plus())
    for at in (1024, len(raw) - 1024):
        struct.pack_into(">I", raw, at + 40, size)
    assert list(open_volumes(MemoryImage(bytes(raw)), 0, 1, 0)) == []


def test_structures_hold_the_special_files():
    """Header, bitmap, catalog, overflow and attributes file are the volume's own; content is not."""
    image = MemoryImage(
        plus_volume([[plus_file(2, "f", 16)]], attributes=[inline_attribute(16, "s", b"1")], files=1)
    )
    (volume,) = open_volumes(image, 0, 1, 0)
    list(volume.walk())
    owned = {lba for first, count in volume.structures() for lba in range(first, first + count)}
    assert set(range((ATTRIBUTES_AT + 2) * 2)) - owned <= {1}
    assert not owned & set(range(DATA_AT * 2, (PLUS_BLOCKS - 1) * 2))


def test_a_plus_volume_in_its_wrapper():
    """TN "HFS Wrapper": drEmbedExtent counts the wrapper's blocks from drAlBlSt on; it comes alone."""
    inside = _plain_plus()
    mdb = hfs_mdb(b"Wrapper", files=0, folders=0, embedded=(b"H+", 4, len(inside) // 512))
    data = bytes(1024) + mdb + bytes((HFS_FIRST + 4) * 512 - 1536) + inside
    image, volume, entries, codes = _walk(data)
    assert (volume.info.kind, volume.info.attributes["wrapper_byte"]) == ("hfsplus", 0)
    assert volume.info.start_lba == 2
    assert codes == []
    assert _content(image, entries["/folder/data"].streams[0]) == b"a" * 4096 + b"b" * 904


# HFS ----------------------------------------------------------------------------------------------


def _plain_hfs(**options):
    """A folder with a file of three pieces and a resource fork; a fourth piece from the overflow file."""
    pieces = ((HFS_DATA, 1), (HFS_DATA + 2, 1), (HFS_DATA + 4, 1))
    content = {HFS_DATA + 2 * n: bytes([65 + n]) * 512 for n in range(4)}
    finder = b"TEXTttxt" + struct.pack(">H", 0x4000)
    return hfs_volume(
        [
            [hfs_folder(2, b"Caf\x8e", 16, times=(EPOCH_1970, EPOCH_1970, 0)), hfs_thread(16, 2, b"Caf\x8e")],
            [
                hfs_file(
                    16,
                    b"data",
                    17,
                    (4 * 512 - 12, pieces),
                    (3, ((HFS_DATA + 8, 1),)),
                    times=(EPOCH_1970 + 1, EPOCH_1970 + 2, EPOCH_1970 + 3),
                    finder=finder,
                    flags=1,
                )
            ],
        ],
        overflow=[hfs_overflow(17, 0, 3, (HFS_DATA + 6, 1))],
        content={**content, HFS_DATA + 8: b"res"},
        files=1,
        folders=1,
        **options,
    )


def test_a_small_hfs_volume():
    """Label, names in MacRoman, both forks (the fourth piece from the overflow file), over two leaves."""
    image, volume, entries, codes = _walk(_plain_hfs())
    assert (volume.info.kind, volume.info.label) == ("hfs", "Made")
    assert codes == []
    assert set(entries) == {"/Café", "/Café/data"}
    data, resource = entries["/Café/data"].streams
    assert _content(image, data) == b"A" * 512 + b"B" * 512 + b"C" * 512 + b"D" * 500
    assert (resource.name, _content(image, resource)) == ("resource", b"res")


def test_times_of_hfs_have_no_zone():
    """IM 2-72: creation, modification, backup in local time; a folder's backup of 0 is not recorded."""
    _image, _volume, entries, _codes = _walk(_plain_hfs())
    file, folder = entries["/Café/data"], entries["/Café"]
    assert [time.iso() for time in (file.created, file.modified, file.backup)] == [
        f"1970-01-01T00:00:0{second}" for second in (1, 2, 3)
    ]
    assert folder.backup is None
    assert (file.mode, file.uid, file.changed) == (None, None, None)


def test_finder_information_of_hfs():
    """IM 2-72: filUsrWds is type, creator and flags, of which 0x4000 is invisible; filFlags 1 is locked."""
    _image, _volume, entries, _codes = _walk(_plain_hfs())
    file = entries["/Café/data"]
    assert (file.attributes["type"], file.attributes["creator"]) == ("TEXT", "ttxt")
    assert (file.hidden, file.flags) == (True, 1)


def test_a_missing_copy_of_the_master_directory_block_is_said():
    """IM 2-60: the copy stands in the last block but one."""
    assert _walk(_plain_hfs(copy=False))[3] == ["hfs-alternate-header"]


def test_an_empty_hfs_volume():
    """Only the root's records: no entries, nothing to remark."""
    _image, volume, entries, codes = _walk(hfs_volume([], label=b"Nothing"))
    assert (volume.info.label, entries, codes) == ("Nothing", {}, [])


@pytest.mark.parametrize("cut", [0, 1024, 1500, 1536, 3000, 20_000, 64_000])
@pytest.mark.parametrize("make", [_plain_hfs, _plain_plus], ids=["hfs", "plus"])
def test_a_volume_that_is_cut_off_anywhere(make, cut):
    """What is there is read, what is not is an anomaly; no exception."""
    for volume in open_volumes(MemoryImage(make()[:cut]), 0, 1, 0):
        items = list(volume.walk())
        assert [item for item in items if not isinstance(item, Entry)], "the cut must be noticed"

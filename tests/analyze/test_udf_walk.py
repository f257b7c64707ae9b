"""UDF volumes made by hand: what file entries and ICBs mean in terms of entries."""

import struct

import pytest

from acquire.geometry import Extent
from analyze.entry import EntryKind
from tests.analyze.udf_disc import (
    NOW,
    UdfDisc,
    cs0,
    file_identifier,
    long_ad,
    parent_identifier,
    short_ad,
    tagged,
)
from tests.analyze.udf_walked import Walked

HIDDEN, DIRECTORY, DELETED, METADATA = 1, 2, 4, 16
"""4/14.4.3."""


def walked(disc):
    """Finish and walk a disc whose counts nobody checks."""
    disc.closed = False
    return Walked(disc.finish())


# Entries ------------------------------------------------------------------------------------------


def test_a_file_with_everything_that_a_file_entry_says():
    """4/14.9: times, owner, permissions, links, the unique ID, and where identifier and ICB stand."""
    disc = UdfDisc()
    other = struct.pack("<HhBBBBBBBB", 0x1000 | (-210 & 0xFFF), 1999, 1, 2, 3, 4, 5, 6, 7, 8)
    disc.root(("Note.txt", 2, HIDDEN))
    disc.file(
        2,
        b"hello",
        times=(NOW, other, NOW, NOW),
        uid=501,
        gid=20,
        permissions=0b01101_00101_00100,
        links=3,
        unique_id=4711,
        flags=0x40 | 0x20,
    )
    found = walked(disc)
    entry = found.entries["/Note.txt"]
    assert found.anomalies == []
    assert found.read("/Note.txt") == b"hello"
    assert (entry.name, entry.kind, entry.size_bytes, entry.deleted) == ("Note.txt", EntryKind.FILE, 5, False)
    assert entry.accessed.iso() == "2024-02-29T13:05:07.123456+02:00"
    assert entry.modified.iso() == "1999-01-02T03:04:05.060708-03:30"
    assert (entry.changed, entry.created) == (entry.accessed, None)
    assert entry.mode == 0o104554  # set-user-ID; owner r-x (and change attributes), group r-x, others r--
    assert (entry.uid, entry.gid, entry.links) == (501, 20, 3)
    assert entry.hidden is True
    assert entry.flags == HIDDEN | (3 | 0x60) << 8
    assert entry.inode == disc.start + 2
    assert entry.attributes == {"unique_id": 4711}
    # The root's entry begins block 1 of the partition: its identifiers follow 176 bytes, the parent first.
    assert (entry.record_lba, entry.record_offset) == (disc.start + 1, 176 + 40)
    assert (entry.parent, entry.name_raw, entry.identifier) == (None, None, None)


def test_an_extended_file_entry_has_a_creation_time():
    """4/14.17: the same, with the time of creation between modification and attributes."""
    disc = UdfDisc()
    times = [struct.pack("<HhBBBBBBBB", 0, 2001 + n, 1, 1, 0, 0, 0, 0, 0, 0) for n in range(4)]
    disc.root(("a", 2))
    disc.file(2, b"x" * 100, extended=True, times=times)
    entry = walked(disc).entries["/a"]
    years = [stamp.year for stamp in (entry.accessed, entry.modified, entry.created, entry.changed)]
    assert years == [2001, 2002, 2003, 2004]
    assert entry.modified.offset_minutes == 0
    assert entry.streams[0].extents == (Extent(disc.start + 2, 100, 216),)


def test_nobody_is_recorded_as_nobody():
    """UDF 2.3.6.1: 0xFFFFFFFF is no user and no group; times of zeros are no times."""
    disc = UdfDisc()
    disc.root(("a", 2))
    disc.file(2, b"x", uid=0xFFFFFFFF, gid=0xFFFFFFFF, times=(bytes(12),) * 4)
    found = walked(disc)
    entry = found.entries["/a"]
    assert (entry.uid, entry.gid) == (None, None)
    assert (entry.modified, entry.accessed, entry.changed) == (None, None, None)
    assert found.anomalies == []


def test_directories_come_before_what_is_in_them():
    """A tree of directories: parents by ordinal, paths from the root, each entry once."""
    disc = UdfDisc()
    disc.root(("d", 2, DIRECTORY), ("f", 5))
    disc.directory(2, 1, ("e", 3, DIRECTORY), ("g", 6))
    disc.directory(3, 2, ("h", 4))
    for block in (4, 5, 6):
        disc.file(block, bytes((block,)))
    disc.counts = (3, 3)
    found = Walked(disc.finish())
    assert found.anomalies == []
    assert sorted(found.live) == ["/d", "/d/e", "/d/e/h", "/d/g", "/f"]
    for entry in found.all:
        above = entry.path.rpartition("/")[0]
        assert entry.parent == (found.entries[above].ordinal if above else None)
        assert entry.parent is None or entry.parent < entry.ordinal
    assert [entry.ordinal for entry in found.all] == list(range(5))
    assert found.entries["/d"].kind is EntryKind.DIRECTORY
    assert found.entries["/d"].mode == 0o040555
    assert found.read("/d/e/h") == b"\4"


def test_names_of_all_kinds():
    """UDF 2.1.1: 8 and 16 bits, characters that cannot stand in a path, names that are none."""
    disc = UdfDisc()
    names = ["ASCII", "Größe", "日本.txt", "😀", "a\nb", "\u202eevil"]
    raw = [b"\x08a/b", b"\x08\0", b"\x10\xd8\x00", b"\x07abc", b"\x10\x00a\x00", b"\xfename"]
    disc.root(*((name, 2) for name in names), *((name, 2) for name in raw))
    disc.file(2, b"")
    found = walked(disc)
    assert found.live[:6] == [f"/{name}" for name in names]
    expected = ["a\\x2fb", "\\x00", "\\ud800", "\\x07abc", "a\\x00", "name"]
    assert found.live[6:] == [f"/{name}" for name in expected]
    assert [entry.name_raw for entry in found.all] == [None] * 6 + [*raw[:5], None]
    assert found.codes == ["udf-name"] * 3
    assert [anomaly.seen for anomaly in found.anomalies] == [each.hex() for each in raw[3:]]
    assert found.anomalies[0].path == "/\\x07abc"


def test_an_identifier_without_a_name_is_still_an_entry():
    """4/14.4.8: only the parent has no name; an entry is never lost for it."""
    disc = UdfDisc()
    disc.root((b"", 2), (b"\x08", 2))
    disc.file(2, b"x")
    found = walked(disc)
    assert found.live == ["/\\x00", "/\\x00"]
    assert found.codes == ["udf-name", "udf-name"]


@pytest.mark.parametrize(
    ("file_type", "kind", "mode"),
    [
        (0, EntryKind.FILE, 0o100000),
        (5, EntryKind.FILE, 0o100000),
        (249, EntryKind.FILE, 0o100000),  # UDF 6.11: a real-time file
        (6, EntryKind.DEVICE, 0o060000),
        (7, EntryKind.DEVICE, 0o020000),
        (9, EntryKind.OTHER, 0o010000),
        (10, EntryKind.OTHER, 0o140000),
        (12, EntryKind.SYMLINK, 0o120000),
    ],
)
def test_file_types(file_type, kind, mode):
    """4/14.6.6."""
    disc = UdfDisc()
    disc.root(("a", 2))
    disc.file(2, b"", file_type=file_type, permissions=0)
    found = walked(disc)
    assert (found.entries["/a"].kind, found.entries["/a"].mode) == (kind, mode)
    assert found.anomalies == []


def test_a_type_that_is_not_defined_and_one_that_the_directory_contradicts():
    """4/14.6.6, 4/14.4.3: the file entry decides, and the disagreement is said."""
    disc = UdfDisc()
    disc.root(("undefined", 2), ("not a directory", 3, DIRECTORY), ("a directory", 4))
    disc.file(2, b"x", file_type=99)
    disc.file(3, b"y")
    disc.directory(4, 1, ("inside", 3))
    found = walked(disc)
    assert found.codes == ["udf-icb-type"] * 3
    assert [anomaly.path for anomaly in found.anomalies] == ["/undefined", "/not a directory", "/a directory"]
    assert found.entries["/undefined"].kind is EntryKind.OTHER
    assert found.read("/undefined") == b"x"
    assert found.read("/not a directory") == b"y"
    assert found.entries["/a directory/inside"].parent == found.entries["/a directory"].ordinal


def test_symbolic_links():
    """4/14.16: the target is the content; one that is damaged gives what there is of it."""

    def component(kind, name=""):
        raw = cs0(name)
        return struct.pack("<BBH", kind, len(raw), 0) + raw

    disc = UdfDisc()
    disc.root(("good", 2), ("outside", 3), ("bad", 4))
    disc.file(2, component(3) + component(5, "日本") + component(5, "x"), file_type=12)
    long = component(2) + b"".join(component(5, "n" * 200) for _each in range(12))
    disc.put_logical(10, long)
    disc.allocated(3, short_ad(len(long), 10), len(long), 0, file_type=12)
    disc.file(4, component(5, "ok") + component(77), file_type=12)
    found = walked(disc)
    assert found.entries["/good"].link_target == "../日本/x"
    assert found.entries["/outside"].link_target == "/" + "/".join(["n" * 200] * 12)
    assert found.entries["/bad"].link_target == "ok"
    assert found.entries["/good"].streams == ()
    assert found.codes == ["udf-symlink"]


def test_hard_links_are_entries_of_one_file():
    """4/8.6: several identifiers, one ICB; the counts may be of names or of files (UDF 2.2.6.4)."""
    for files in (2, 3):
        disc = UdfDisc()
        disc.root(("a", 2), ("b", 2), ("c", 3))
        disc.file(2, b"same", links=2)
        disc.file(3, b"other")
        disc.counts = (files, 1)
        found = Walked(disc.finish())
        assert found.entries["/a"].inode == found.entries["/b"].inode != found.entries["/c"].inode
        assert found.entries["/a"].streams == found.entries["/b"].streams
        assert found.anomalies == []


def test_a_volume_closed_with_other_counts_says_so():
    """UDF 2.2.6.4: what the integrity descriptor states is compared, if the volume was closed."""
    disc = UdfDisc()
    disc.root(("a", 2))
    disc.file(2, b"x")
    disc.counts = (7, 1)
    found = Walked(disc.finish())
    assert found.codes == ["udf-counts"]
    assert (found.anomalies[0].seen, found.anomalies[0].expected) == (
        "1 files, 1 directories",
        "7 files, 1 directories",
    )


# ICBs ---------------------------------------------------------------------------------------------


def chain(disc, *entries, last=None):
    """Strategy 4096 (UDF 2.3.5.1): pairs of blocks, a direct entry and the indirect one to the next pair."""
    for number, (block, content) in enumerate(entries):
        disc.file(block, content, strategy=4096)
        following = entries[number + 1][0] if number + 1 < len(entries) else last
        if following is not None:
            body = struct.pack("<IHHHBBIHH", 0, 4096, 0, 2, 0, 3, 0, 0, 0) + long_ad(4096, following)
            disc.put_logical(block + 1, tagged(259, block + 1, body))


def test_the_last_entry_of_a_chain_counts():
    """Strategy 4096: each version of the file entry leads to the next."""
    disc = UdfDisc()
    disc.root(("f", 2), ("single", 30))
    chain(disc, (2, b"first"), (10, b"second"), (20, b"third"))
    chain(disc, (30, b"only"))
    found = walked(disc)
    assert found.anomalies == []
    assert found.read("/f") == b"third"
    assert found.entries["/f"].attributes["earlier_versions"] == 2
    assert found.read("/single") == b"only"
    assert "earlier_versions" not in found.entries["/single"].attributes


def test_a_directory_in_a_chain():
    """Its identifiers name the first ICB of the chain as parent, and are those of the last."""
    disc = UdfDisc()
    disc.root(("d", 2, DIRECTORY))
    chain(disc, (2, parent_identifier(2, 1)), last=10)
    body = (
        parent_identifier(10, 1) + file_identifier(10, "new", 20) + file_identifier(10, "sub", 22, DIRECTORY)
    )
    disc.file(2, parent_identifier(2, 1), file_type=4, strategy=4096)
    disc.file(10, body, file_type=4, strategy=4096)
    disc.file(20, b"x")
    disc.directory(22, 2)
    found = walked(disc)
    assert found.anomalies == []
    assert sorted(found.live) == ["/d", "/d/new", "/d/sub"]


def test_a_chain_that_returns():
    """A circle of ICBs ends, with the last entry that was read."""
    disc = UdfDisc()
    disc.root(("f", 2))
    chain(disc, (2, b"first"), (10, b"second"), last=2)
    found = walked(disc)
    assert found.codes == ["udf-limit"]
    assert found.read("/f") == b"second"


def test_an_icb_that_begins_with_an_indirect_entry():
    """4/8.10.1: it leads to the entry."""
    disc = UdfDisc()
    disc.root(("f", 2))
    body = struct.pack("<IHHHBBIHH", 0, 4, 0, 1, 0, 3, 0, 0, 0) + long_ad(2048, 9)
    disc.put_logical(2, tagged(259, 2, body))
    disc.file(9, b"here")
    assert walked(disc).read("/f") == b"here"


@pytest.mark.parametrize(
    ("icb", "code"),
    [
        ({"icb": 300}, "udf-icb"),
        ({"icb": 500_000}, "udf-outside"),
        ({"icb": 2, "partition": 3}, "udf-outside"),
        ({"icb": 2, "length": 0}, "udf-icb"),
        ({"icb": 1000}, "udf-outside"),
    ],
)
def test_identifiers_that_lead_to_no_file_entry(icb, code):
    """The name is listed, nothing is said of its content, and why is an anomaly."""
    disc = UdfDisc()
    disc.root(file_identifier(1, "lost", **icb), ("next", 2))
    disc.file(2, b"x")
    found = walked(disc)
    assert found.live == ["/lost", "/next"]
    assert found.codes[-1] == code
    lost = found.entries["/lost"]
    assert (lost.kind, lost.streams, lost.modified, lost.inode, lost.size_bytes) == (
        EntryKind.OTHER,
        (),
        None,
        None,
        0,
    )
    assert lost.attributes == {"file_entry": "none" if icb.get("length") == 0 else "gone"}


def test_a_damaged_file_entry_is_used_and_the_damage_said():
    """A CRC that is wrong: content and metadata as recorded, and the anomaly names place and entry."""
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"hello")
    at = (disc.start + 2) * 2048
    disc.data[at + 180] ^= 1
    found = walked(disc)
    assert found.codes == ["udf-tag-crc"]
    anomaly = found.anomalies[0]
    assert (anomaly.lba, anomaly.offset, anomaly.path, anomaly.volume) == (disc.start + 2, 0, "/f", 0)
    assert found.read("/f") == b"hell" + bytes((ord("o") ^ 1,))


@pytest.mark.parametrize("byte", range(16))
def test_any_byte_of_a_tag_may_be_damaged(byte):
    """One changed byte in the tag of a file entry never costs the file."""
    disc = UdfDisc()
    disc.root(("f", 2))
    disc.file(2, b"hello")
    disc.data[(disc.start + 2) * 2048 + byte] ^= 0x10
    found = walked(disc)
    assert found.read("/f") == b"hello"
    assert all(code.startswith("udf-tag-") for code in found.codes)
    assert found.codes or byte == 5


def test_times_that_are_no_times():
    """1/7.3: month 13 is an anomaly with its bytes and its place; the field stays empty, no other does."""
    disc = UdfDisc()
    wrong = struct.pack("<HhBBBBBBBB", 0x1000, 2020, 13, 1, 0, 0, 0, 0, 0, 0)
    disc.root(("f", 2), ("g", 3))
    disc.file(2, b"x", times=(NOW, wrong, NOW, NOW))
    disc.file(3, b"x", times=(NOW, wrong, NOW, NOW))
    found = walked(disc)
    assert found.codes == ["udf-time", "udf-time"]
    assert (found.anomalies[0].seen, found.anomalies[0].offset) == (wrong.hex(), 84)
    assert found.entries["/f"].modified is None
    assert found.entries["/f"].accessed is not None

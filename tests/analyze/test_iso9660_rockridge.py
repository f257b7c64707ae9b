"""SUSP 1.12 and Rock Ridge (RRIP 1.12, 1.09): entries assembled by hand, and trees by other programs."""

import os
import re
import stat
import struct
import subprocess
from datetime import datetime, timedelta, timezone

import pytest

from acquire.geometry import Extent, SectorRange
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660 import rockridge, susp
from analyze.iso9660.volume import open_volumes
from analyze.timestamp import Timestamp
from tests.analyze.isobytes import (
    DATE,
    LONG_DATE,
    SECTOR,
    Disc,
    both32,
    ce,
    dots,
    nm,
    packed,
    px,
    record,
    sl,
    sp,
)
from tests.analyze.isobytes import susp as entry

FILE, FOLDER, LINK = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755, stat.S_IFLNK | 0o777


def opened(image):
    """The only view."""
    (volume,) = (noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly))
    return volume


def walked(image):
    """Entries by path, and anomalies, of the only view."""
    nouns = list(opened(image).walk())
    entries = [noun for noun in nouns if isinstance(noun, Entry)]
    return {one.path: one for one in entries}, [noun for noun in nouns if isinstance(noun, Anomaly)]


def codes(anomalies):
    """The codes alone, in order."""
    return [anomaly.code for anomaly in anomalies]


def rock(use, identifier=b"A.TXT;1", **fields):
    """A disc with SP in its root and one file whose system use area is `use`."""
    return Disc(80).primary([record(identifier, 30, 5, use=use, **fields)], root_use=sp() + px(FOLDER))


def only(use, **fields):
    """That file as an entry, and the anomalies."""
    entries, anomalies = walked(rock(use, **fields).image)
    (one,) = entries.values()
    return one, anomalies


class TestNames:
    """RRIP 4.1.4."""

    def test_the_alternate_name(self):
        """The identifier stays what the directory records."""
        one, anomalies = only(px(FILE) + nm(b"A longer name.txt"))
        assert (one.path, one.name, one.identifier) == ("/A longer name.txt", "A longer name.txt", "A.TXT;1")
        assert one.name_raw is None
        assert anomalies == []

    def test_continued(self):
        """CONTINUE: the name goes on in the next NM."""
        one, anomalies = only(nm(b"first ", 1) + nm(b"second ", 1) + nm(b"third"))
        assert one.name == "first second third"
        assert anomalies == []

    @pytest.mark.parametrize(("flag", "name"), [(2, "\\x2e"), (4, "\\x2e\\x2e")])
    def test_current_and_parent(self, flag, name):
        """CURRENT and PARENT name a directory itself; such an entry leads nowhere else in a path."""
        one, anomalies = only(nm(b"", flag))
        assert one.name == name
        assert codes(anomalies) == ["iso-name"]

    @pytest.mark.parametrize(
        ("raw", "name", "said"),
        [
            ("Grüße ☃.txt".encode(), "Grüße ☃.txt", []),
            (b"caf\xe9", "caf\\xe9", []),
            (b"..", "\\x2e\\x2e", ["iso-name"]),
            (b"a/../../etc", "a\\x2f..\\x2f..\\x2fetc", ["iso-name"]),
            (b"a\0b", "a\\x00b", ["iso-name"]),
            (b"\x1b[31mred\n", "\x1b[31mred\n", []),
            (b"back\\slash", "back\\slash", []),
        ],
    )
    def test_bytes(self, raw, name, said):
        """UTF-8 where it is, escapes where it is not; what could lead elsewhere never does."""
        one, anomalies = only(nm(raw))
        assert one.path == "/" + name
        assert one.name_raw == (raw if name.count("\\") != raw.count(b"\\") else None)
        assert codes(anomalies) == said

    def test_without_a_name_the_identifier_serves(self):
        """An entry with PX only, or with an empty NM."""
        assert only(px(FILE))[0].name == "A.TXT"
        assert only(px(FILE) + nm(b""))[0].name == "A.TXT"

    def test_too_long(self):
        """What is not kept is said."""
        area = b"".join(nm(b"x" * 240, 1) for _ in range(20))
        disc = rock(ce(40, 0, len(area))).put(40, area)
        (one,), anomalies = (list(part) for part in (walked(disc.image)[0].values(), walked(disc.image)[1]))
        assert len(one.name) <= rockridge.MAXIMUM_NAME_BYTES
        assert set(codes(anomalies)) == {"iso-rock-ridge"}


class TestAttributes:
    """RRIP 4.1.1, 4.1.2, 4.1.6, 4.1.7."""

    def test_px(self):
        """Mode with the file type, links, user, group; without a serial number there is none."""
        one, anomalies = only(px(stat.S_IFREG | 0o4755, 3, 1000, 100))
        assert (one.mode, one.links, one.uid, one.gid, one.inode) == (0o104755, 3, 1000, 100, None)
        assert one.kind is EntryKind.FILE
        assert anomalies == []

    def test_px_with_a_serial_number(self):
        """RRIP 1.12 added the file serial number."""
        one, _ = only(px(FILE, serial=77) + nm(b"n"))
        assert one.inode == 77

    @pytest.mark.parametrize(
        ("mode", "kind"),
        [
            (stat.S_IFLNK | 0o777, EntryKind.SYMLINK),
            (stat.S_IFCHR | 0o600, EntryKind.DEVICE),
            (stat.S_IFBLK | 0o600, EntryKind.DEVICE),
            (stat.S_IFIFO | 0o600, EntryKind.OTHER),
            (stat.S_IFSOCK | 0o600, EntryKind.OTHER),
            (0o644, EntryKind.FILE),
        ],
    )
    def test_kinds(self, mode, kind):
        """POSIX file types."""
        assert only(px(mode))[0].kind is kind

    def test_px_against_the_directory_flag(self):
        """The flag decides; the contradiction is said."""
        one, anomalies = only(px(FOLDER))
        assert one.kind is EntryKind.FILE
        assert codes(anomalies) == ["iso-rock-ridge"]

    def test_px_copies_that_differ(self):
        """Said for each field, by its name."""
        wrong = entry(b"PX", both32(FILE) + both32(1, 2) + both32(0) + both32(5, 6))
        one, anomalies = only(wrong)
        assert (one.links, one.gid) == (1, 5)
        assert [(a.code, a.seen) for a in anomalies] == [
            ("iso-both-endian", "1 and 2"),
            ("iso-both-endian", "5 and 6"),
        ]
        assert "links" in anomalies[0].message

    @pytest.mark.parametrize(
        ("high", "low", "device"),
        [
            (0, 0x103, "1:3"),
            (1, 3, "1:3"),
            (8, 16, "8:16"),
            (0, 5, "0:5"),
            (259, 70000, "259:70000"),
            (0, 0x11110370, "259:70000"),  # what xorriso 1.5.4 writes for mknod b 259 70000
        ],
    )
    def test_devices(self, high, low, device):
        """RRIP 4.1.2 leaves open which half holds what: both numbers are kept too."""
        one, _ = only(px(stat.S_IFCHR | 0o600) + entry(b"PN", both32(high) + both32(low)))
        assert one.device == device
        assert one.attributes["device_number"] == [high, low]

    def test_times_short(self):
        """4.1.6: one stamp for each flag, from the lowest bit up."""
        stamps = b"".join(DATE[:5] + bytes((second, 0)) for second in range(7))
        one, anomalies = only(entry(b"TF", b"\x7f" + stamps))
        found = (one.created, one.modified, one.accessed, one.changed, one.backup, one.expires, one.effective)
        assert [time.second for time in found] == list(range(7))
        assert one.modified == Timestamp(2004, 10, 21, 13, 5, 1, 0, 0)
        assert one.recorded.offset_minutes == 120
        assert anomalies == []

    def test_times_long(self):
        """4.1.6: bit 7 makes them 17 bytes; and no modification time means the recording date."""
        one, anomalies = only(entry(b"TF", bytes((0x81,)) + LONG_DATE))
        assert one.created == Timestamp(2004, 10, 21, 13, 5, 0, 250_000_000, 120, 10_000_000)
        assert one.modified == one.recorded
        assert anomalies == []

    def test_times_cut_and_impossible(self):
        """What is there is read; the rest is said."""
        one, anomalies = only(entry(b"TF", b"\x03" + DATE + DATE[:3]))
        assert one.created is not None
        assert one.modified == one.recorded
        assert codes(anomalies) == ["iso-rock-ridge"]
        one, anomalies = only(entry(b"TF", b"\x02" + bytes((104, 13, 1, 0, 0, 0, 0))))
        assert one.modified == one.recorded
        assert codes(anomalies) == ["iso-date"]

    def test_sparse(self):
        """4.1.7 and its older form: the size as it would be, noted."""
        one, _ = only(entry(b"SF", both32(2) + both32(5) + b"\1"))
        assert one.attributes["sparse"] == {"virtual_size_bytes": 2 * 2**32 + 5, "table_depth": 1}
        one, _ = only(entry(b"SF", both32(4096)))
        assert one.attributes["sparse"] == {"virtual_size_bytes": 4096}

    def test_zisofs(self):
        """The size before compression is noted; the entry's size is that of the data as stored."""
        one, _ = only(entry(b"ZF", b"pz" + bytes((4, 15)) + both32(300_000)))
        assert one.size_bytes == 5
        assert one.attributes["zisofs"] == {
            "version": 1,
            "algorithm": "pz",
            "header_bytes": 16,
            "block_size_log2": 15,
            "uncompressed_bytes": 300_000,
        }
        one, _ = only(entry(b"ZF", b"PZ" + bytes((6, 17)) + struct.pack("<Q", 5 * 2**32), version=2))
        assert one.attributes["zisofs"]["uncompressed_bytes"] == 5 * 2**32

    def test_attributes_of_aaip(self):
        """AAIP 2.0: its own example, in two AL entries."""
        first = b"\1" + b"\0\4name" + b"\1\6lon"  # three bytes of that piece are in the next AL
        second = b"\0" + b"g..\0\7content" + b"\0\3one" + b"\0\4more"
        one, _ = only(entry(b"AL", first) + entry(b"AL", second))
        assert one.attributes["aaip"] == {"name": b"long..content".hex(), "one": b"more".hex()}
        one, _ = only(entry(b"AL", b"\0" + b"\0\4\3abc" + b"\0\1x"))
        assert one.attributes["aaip"] == {"user.abc": "78"}

    def test_apple_and_unknown_entries(self):
        """Apple's AA is read; what nobody knows is noted by its signature."""
        one, anomalies = only(entry(b"AA", b"TEXTttxt\x01\x02", version=2) + entry(b"QQ", b"123"))
        assert one.attributes["apple"] == {"type": "TEXT", "creator": "ttxt", "finder_flags": 0x102}
        assert one.attributes["system_use"] == ["QQ"]
        assert anomalies == []

    @pytest.mark.parametrize("signature", [b"PX", b"PN", b"CL", b"TF", b"SL", b"NM", b"SF", b"ZF"])
    def test_entries_without_content(self, signature):
        """Each is said to be too short, and nothing is raised."""
        _, anomalies = only(entry(signature, b""))
        assert codes(anomalies) == ["iso-rock-ridge"]


class TestLinks:
    """RRIP 4.1.3."""

    @pytest.mark.parametrize(
        ("use", "target"),
        [
            (sl((0, b"a"), (0, b"b.txt")), "a/b.txt"),
            (sl((8, b""), (0, b"usr"), (0, b"bin")), "/usr/bin"),
            (sl((4, b""), (4, b""), (2, b""), (0, b"x")), "../.././x"),
            (sl((1, b"two"), (0, b"parts"), (0, b"z")), "twoparts/z"),
            (sl((0, b"a"), (1, b"be"), flags=1) + sl((0, b"ta"), (0, b"c")), "a/beta/c"),
            (sl((8, b"")), "/"),
            (sl((0, b"b"), (8, b""), (0, b"c")), "b//c"),
            (sl((0, "ü".encode())), "ü"),
            (sl((0, b"\xff/\0")), "\\xff\\x2f\\x00"),
        ],
    )
    def test_targets(self, use, target):
        """Components, their flags, and their continuation in the same and the next SL."""
        one, anomalies = only(px(LINK) + use)
        assert one.kind is EntryKind.SYMLINK
        assert one.link_target == target
        assert anomalies == []

    def test_a_component_that_is_cut(self):
        """What is there is shown, and it is said."""
        one, anomalies = only(px(LINK) + entry(b"SL", b"\0\0\x20abc"))
        assert one.link_target == "abc"
        assert codes(anomalies) == ["iso-rock-ridge"]


class TestSharing:
    """SUSP 5: where entries are, and where they go on."""

    def test_continuation_areas(self):
        """5.1: entries go on elsewhere, there again elsewhere; the sectors are structures."""
        disc = rock(px(FILE) + ce(40, 100, len(nm(b"one ", 1)) + 28)).put(
            40, nm(b"one ", 1) + ce(42, 2044, len(nm(b"two"))), offset=100
        )
        disc.put(42, nm(b"two"), offset=2044)
        volume = opened(disc.image)
        nouns = list(volume.walk())
        assert [noun.name for noun in nouns] == ["one two"]
        ranges = list(volume.structures())
        assert {40, 42, 43} <= {lba for start, count in ranges for lba in range(start, start + count)}

    def test_a_loop_of_continuation_areas(self):
        """Said once; what was read stays."""
        loop = nm(b"x", 1) + ce(40, 0, 34)
        one, anomalies = walked(rock(ce(40, 0, 34)).put(40, loop).image)
        assert [entry_.name for entry_ in one.values()] == ["x"]
        assert codes(anomalies) == ["iso-susp-continuation"]

    def test_a_continuation_area_outside_the_image(self):
        """Said with its place."""
        one, anomalies = only(nm(b"n") + ce(9_000_000, 0, 50))
        assert one.name == "n"
        assert codes(anomalies) == ["iso-susp-continuation"]
        assert anomalies[0].lba == 9_000_000

    def test_a_continuation_area_that_is_absurdly_long(self):
        """Not read, said."""
        _, anomalies = only(ce(40, 0, 2**32 - 1))
        assert codes(anomalies) == ["iso-limit"]

    def test_all_continuation_areas_together(self, monkeypatch):
        """A thousand records that lead to one area ask for no more than a bound."""
        monkeypatch.setattr(susp, "MAXIMUM_TOTAL_BYTES", 3000)
        files = [record(b"F%03d.;1" % number, 30, 1, use=ce(70, 0, 500)) for number in range(20)]
        disc = Disc(80).primary(files, root_use=sp() + px(FOLDER)).put(70, b"".join([nm(b"y" * 95)] * 5))
        nouns = list(opened(disc.image).walk())
        assert len([noun for noun in nouns if isinstance(noun, Entry)]) == 20
        said = {noun.code for noun in nouns if isinstance(noun, Anomaly)}
        assert said == {"iso-limit", "iso-name-duplicate"}

    def test_copies_in_ce_that_differ(self):
        """7.3.3 holds there too."""
        wrong = entry(b"CE", both32(40, 41) + both32(0) + both32(len(nm(b"n"))))
        entries, anomalies = walked(rock(wrong).put(40, nm(b"n")).image)
        assert list(entries) == ["/n"]
        assert codes(anomalies) == ["iso-both-endian"]

    def test_padding_and_terminator(self):
        """5.2 PD is passed over, behind 5.4 ST nothing is read."""
        one, anomalies = only(entry(b"PD", b"\xff" * 7) + nm(b"n") + entry(b"ST", b"") + px(LINK))
        assert (one.name, one.mode) == ("n", None)
        assert anomalies == []

    @pytest.mark.parametrize("length", [0, 3, 200])
    def test_impossible_lengths(self, length):
        """4.1: what stands before is kept, what follows is not read, and it is said."""
        one, anomalies = only(nm(b"n") + b"PX" + bytes((length, 1)) + bytes(32))
        assert (one.name, one.mode) == ("n", None)
        assert codes(anomalies) == ["iso-susp-entry"]

    def test_entries_after_other_bytes(self):
        """5.3: SP says how many bytes to skip in every record but its own."""
        disc = Disc(80).primary(
            [record(b"A.;1", 30, 5, use=b"\x11\x22\x33" + nm(b"n") + px(FILE))], root_use=sp(3) + px(FOLDER)
        )
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/n"]
        assert anomalies == []
        assert opened(disc.image).info.attributes["susp_skip_bytes"] == 3

    def test_behind_the_bytes_of_cd_rom_xa(self):
        """System Description CD-ROM XA II.2.7: 14 bytes come first, in the root too."""
        xa = struct.pack(">HHH2sB5x", 1, 2, 0x0D55, b"XA", 3)
        disc = Disc(80).primary(
            [record(b"A.;1", 30, 5, use=xa + nm(b"n") + px(FILE))], root_use=xa + sp(14) + px(FOLDER)
        )
        entries, anomalies = walked(disc.image)
        assert entries["/n"].attributes == {
            "xa": {"group": 1, "user": 2, "attributes": 0x0D55, "file_number": 3}
        }
        assert entries["/n"].mode == FILE
        assert anomalies == []

    def test_xa_without_susp(self):
        """Video CDs: noted in plain and Joliet trees."""
        xa = struct.pack(">HHH2sB5x", 0, 0, 0x2555, b"XA", 1)
        entries, anomalies = walked(Disc().primary([record(b"AVSEQ01.DAT;1", 30, 5, use=xa)]).image)
        assert entries["/AVSEQ01.DAT"].attributes["xa"]["attributes"] == 0x2555
        assert anomalies == []

    def test_apple_without_susp(self):
        """Discs of old Macintosh programs have AA or BA alone."""
        use = entry(b"BA", b"APPLdist\0\0", version=2)
        entries, _ = walked(Disc().primary([record(b"A.;1", 30, 5, use=use)]).image)
        assert entries["/A"].attributes["apple"]["creator"] == "dist"

    @pytest.mark.parametrize("mark", [b"", entry(b"SP", b"\xbe\xee\0"), sp(9)])
    def test_a_missing_or_wrong_mark(self, mark):
        """5.3: Rock Ridge entries are there all the same; they are read, and it is said."""
        disc = Disc(80).primary([record(b"A.;1", 30, 5, use=nm(b"n") + px(FILE))], root_use=mark + px(FOLDER))
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/n"]
        assert codes(anomalies) == ["iso-susp-mark"]
        assert opened(disc.image).info.attributes["rock_ridge"] is True

    def test_system_use_of_another_kind(self):
        """Bytes that follow no rule we know are no Rock Ridge."""
        disc = Disc(80).primary([record(b"A.;1", 30, 5, use=b"anything at all, 38 bytes of it here..")])
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/A"]
        assert anomalies == []
        assert "rock_ridge" not in opened(disc.image).info.attributes

    def test_what_the_root_says(self):
        """5.5 ER in the root's first record names the extensions; its PX and TF describe the root."""
        er = entry(b"ER", bytes((10, 3, 3, 1)) + b"RRIP_1991A" + b"DESSRC")
        use = sp() + px(stat.S_IFDIR | 0o555, 7, 12, 13) + entry(b"TF", b"\2" + DATE) + er
        info = opened(Disc(80).primary([record(b"A.;1", 30, 5, use=nm(b"n"))], root_use=use).image).info
        assert info.attributes["extensions"] == ["RRIP_1991A"]
        root = info.attributes["root"]
        assert (root["mode"], root["links"], root["uid"], root["gid"]) == (0o40555, 7, 12, 13)
        assert root["modified"] == "2004-10-21T13:05:00+02:00"


def moved(child=40, parent=20, *, claimed=True):
    """RRIP 4.1.5: a directory at 40, physically in RR_MOVED at 30, logically in the root."""
    disc = Disc(100)
    inner = [
        record(b"\0", 40, SECTOR, flags=2),
        record(b"\1", 30, SECTOR, flags=2, use=entry(b"PL", both32(parent))),
        record(b"IN.;1", 50, 3, use=nm(b"inside")),
    ]
    disc.put(40, packed(inner))
    away = record(b"DEEP", 40, SECTOR, flags=2, use=nm(b"deep") + px(FOLDER) + entry(b"RE", b""))
    disc.put(30, packed([*dots(30, SECTOR, 20), away]))
    records = [record(b"RR_MOVED", 30, SECTOR, flags=2, use=nm(b"rr_moved") + px(FOLDER))]
    if claimed:
        records.append(
            record(b"DEEP", 77, SECTOR, use=nm(b"deep") + px(FOLDER) + entry(b"CL", both32(child)))
        )
    rows = [(b"RR_MOVED", 30, 1), (b"DEEP", 40, 2)]
    return disc.primary(records, rows, root_use=sp() + px(FOLDER))


class TestRelocation:
    """RRIP 4.1.5: directories deeper than ISO 9660 allows."""

    def test_at_its_logical_place(self):
        """CL stands for the directory; where it physically stands it is not listed again."""
        entries, anomalies = walked(moved().image)
        assert list(entries) == ["/rr_moved", "/deep", "/deep/inside"]
        deep = entries["/deep"]
        assert (deep.kind, deep.size_bytes, deep.mode) == (EntryKind.DIRECTORY, SECTOR, FOLDER)
        assert deep.attributes == {"relocated": True, "lba": 40}
        assert deep.streams == ()
        assert entries["/deep/inside"].streams[0].extents == (Extent(50, 3),)
        assert anomalies == []

    def test_nobody_claims_it(self):
        """RE without CL: listed where it stands, and it is said."""
        entries, anomalies = walked(moved(claimed=False).image)
        assert list(entries) == ["/rr_moved", "/rr_moved/deep", "/rr_moved/deep/inside"]
        assert "iso-relocation" in codes(anomalies)

    def test_a_child_link_to_nowhere(self):
        """CL to a sector without a directory: said; the directory is found where it stands."""
        entries, anomalies = walked(moved(child=60).image)
        assert entries["/deep"].kind is EntryKind.DIRECTORY
        assert "/rr_moved/deep/inside" in entries
        assert "iso-relocation" in codes(anomalies)

    def test_the_way_back_leads_elsewhere(self):
        """PL must lead to the directory that has the CL."""
        entries, anomalies = walked(moved(parent=33).image)
        assert "/deep/inside" in entries
        assert codes(anomalies) == ["iso-relocation"]

    def test_a_child_link_to_its_own_directory(self):
        """A loop by CL ends."""
        entries, anomalies = walked(moved(child=20).image)
        assert "/deep" in entries
        assert "iso-directory-loop" in codes(anomalies)


def seconds(time):
    """A timestamp as seconds since 1970, by the standard library."""
    zone = timezone(timedelta(minutes=time.offset_minutes))
    return datetime(*time[:6], tzinfo=zone).timestamp()


def plant(folder, *, long_link):
    """Objects of every kind, deep directories, long names, odd links."""
    folder.mkdir()
    (folder / "empty").touch()
    (folder / "some file.txt").write_bytes(b"x" * 5000)
    (folder / ("n" * 200)).write_bytes(b"long")
    deep = folder
    for level in range(12):
        deep = deep / f"level {level}"
        deep.mkdir()
        (deep / "here.txt").write_text(str(level))
    (folder / "other tree").mkdir()
    (folder / "link").symlink_to("level 0/here.txt")
    (folder / "absolute").symlink_to("/usr/share/" + "long component " * 10 + "/x")
    (folder / "odd").symlink_to("../a/./b//c")
    if long_link:
        (folder / "very long").symlink_to("/".join(f"component{number:03d}" for number in range(60)))
    (folder / "Ünïcödé").write_text("u")
    os.mkfifo(folder / "pipe")
    os.utime(folder / "some file.txt", (1_100_000_000, 1_000_000_000))
    (folder / "some file.txt").chmod(0o4751)


MAKERS = {
    "genisoimage": ["genisoimage", "-quiet", "-input-charset", "utf-8", "-R", "-o"],
    "xorriso": ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-o"],
}


@pytest.mark.tools
@pytest.mark.parametrize("maker", ["genisoimage", "xorriso"])
class TestAgainstTheFolder:
    """Trees written by other programs: what is listed is what the folder held."""

    @pytest.fixture
    def both(self, maker, tmp_path, tool):
        """The folder, and the image that `maker` makes of it."""
        tool(maker)
        # genisoimage writes a wrong length for links of more than 255 bytes
        plant(tmp_path / "tree", long_link=maker == "xorriso")
        command = [*MAKERS[maker], tmp_path / "x.iso", tmp_path / "tree"]
        subprocess.run(command, check=True, capture_output=True)
        return tmp_path / "tree", MemoryImage((tmp_path / "x.iso").read_bytes())

    def test_every_object_with_its_attributes(self, both):
        """Path, kind, size, permissions, modification time, link target, content."""
        folder, image = both
        entries, anomalies = walked(image)
        assert anomalies == []
        expected = {"/" + str(path.relative_to(folder)): path for path in folder.rglob("*")}
        assert set(entries) - {"/rr_moved"} == set(expected)
        for path, real in expected.items():
            status, one = real.lstat(), entries[path]
            if not stat.S_ISLNK(status.st_mode):  # -R of both keeps permissions; links have none of their own
                assert one.mode == status.st_mode, path
            assert one.uid == status.st_uid
            assert one.links is not None
            assert seconds(one.modified) == int(status.st_mtime), path
            if real.is_symlink():
                assert (one.kind, one.link_target) == (EntryKind.SYMLINK, os.readlink(real))  # noqa: PTH115  pathlib would normalise
            elif real.is_dir():
                assert one.kind is EntryKind.DIRECTORY
            elif real.is_fifo():
                assert one.kind is EntryKind.OTHER
            else:
                extents = one.streams[0].extents
                data = b"".join(image.read(e.start_lba, e.length_sectors)[: e.length_bytes] for e in extents)
                assert data == real.read_bytes()
        assert seconds(entries["/some file.txt"].accessed) == 1_100_000_000

    def test_order_and_parents(self, both):
        """A directory comes before what is in it; ordinals count up; parents are its directories."""
        _, image = both
        nouns = [noun for noun in opened(image).walk() if isinstance(noun, Entry)]
        seen = {}
        for number, one in enumerate(nouns):
            assert one.ordinal == number
            parent = one.path.rpartition("/")[0]
            assert (seen[one.parent] if one.parent is not None else "") == parent
            seen[one.ordinal] = one.path

    def test_structures_hold_no_content(self, both):
        """Sectors of structures and sectors of files do not meet."""
        _, image = both
        volume = opened(image)
        owned = set()
        for noun in volume.walk():
            for stream in noun.streams:
                for extent in stream.extents:
                    owned |= set(range(extent.start_lba, extent.start_lba + extent.length_sectors))
        ranges = list(volume.structures())
        assert ranges[0].start_lba == 16
        assert all(isinstance(one, SectorRange) for one in ranges)
        assert not owned & {lba for start, count in ranges for lba in range(start, start + count)}


@pytest.mark.tools
def test_extended_attributes_that_xorriso_writes(tmp_path, tool):
    """AAIP by its author's program: getfattr of xorriso says the same."""
    tool("xorriso")
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a").write_text("a")
    value = "v" * 700
    image = tmp_path / "x.iso"
    made = ["xorriso", "-xattr", "on", "-outdev", image, "-map", tmp_path / "tree", "/"]
    made += ["-setfattr", "user.note", value, "/a", "--", "-setfattr", "user.b", "2", "/a", "--", "-commit"]
    subprocess.run(made, check=True, capture_output=True)
    ask = ["xorriso", "-xattr", "on", "-indev", image, "-getfattr", "/a", "--"]
    listed = subprocess.run(ask, check=True, capture_output=True, text=True).stdout
    expected = dict(re.findall(r'^(user\.\w+)="(.*)"$', listed, re.MULTILINE))
    assert expected == {"user.note": value, "user.b": "2"}
    entries, anomalies = walked(MemoryImage(image.read_bytes()))
    found = entries["/a"].attributes["aaip"]
    assert {k: bytes.fromhex(v).decode() for k, v in found.items() if k.startswith("user.")} == expected
    assert anomalies == []

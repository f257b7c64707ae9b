"""Volume descriptor sets, roots, path tables and trees of ISO 9660, whole and damaged, assembled by hand."""

import struct

import pytest

from acquire.geometry import Extent, SectorRange
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660 import directory, tree
from analyze.iso9660.descriptors import read_descriptor_set
from analyze.iso9660.volume import IsoVolume, open_volumes
from analyze.timestamp import Timestamp
from tests.analyze.isobytes import (
    SECTOR,
    Disc,
    both16,
    both32,
    descriptor,
    dots,
    packed,
    padded,
    path_table,
    record,
    terminator,
)

A = record(b"A.TXT;1", 30, 5)


def opened(image, start=0):
    """The views, and what was said of the set."""
    nouns = list(open_volumes(image, start, 1, 0))
    return [n for n in nouns if isinstance(n, IsoVolume)], [n for n in nouns if isinstance(n, Anomaly)]


def walked(volume):
    """Entries by path, and anomalies."""
    nouns = list(volume.walk())
    entries = [noun for noun in nouns if isinstance(noun, Entry)]
    paths = [entry.path for entry in entries]
    assert len(paths) == len(set(paths))
    return {entry.path: entry for entry in entries}, [noun for noun in nouns if isinstance(noun, Anomaly)]


def codes(anomalies):
    """The codes alone, in order."""
    return [anomaly.code for anomaly in anomalies]


def joliet(disc, records, *, lba=17, root=40, level=b"%/E", **fields):
    """Add a Joliet descriptor at `lba` with a tree at `root`, and a terminator behind it."""
    size = disc.tree(records, own=root)
    rows = [(b"\0", root, 1)]
    table = path_table(rows)
    disc.put(
        lba,
        descriptor(
            record(b"\0", root, size, flags=2),
            kind=2,
            escape=level,
            path_table_size=len(table),
            path_l=root + 5,
            path_m=root + 6,
            **fields,
        ),
    )
    disc.put(root + 5, table).put(root + 6, path_table(rows, big=True))
    return disc.put(lba + 1, terminator())


def wide(text):
    """A Joliet identifier."""
    return text.encode("utf-16-be", "surrogatepass")


class TestDescriptors:
    """6.7.1, 8: the set, and what it says."""

    def test_what_a_primary_descriptor_says(self):
        """Every text without its padding, every date as recorded, the sizes."""
        disc = Disc(64).primary([A], label="MY DISC  1", set_size=3, sequence=2)
        (volume,), anomalies = opened(disc.image)
        info = volume.info
        assert anomalies == []
        assert (info.ordinal, info.kind, info.label, info.session, info.start_lba) == (
            0,
            "iso9660",
            "MY DISC  1",
            1,
            0,
        )
        assert (info.block_size_bytes, info.length_sectors) == (2048, 64)
        assert info.created == Timestamp(2004, 10, 21, 13, 5, 0, 250_000_000, 120, 10_000_000)
        assert (info.modified, info.expires, info.effective) == (None, None, None)
        assert (info.system_id, info.volume_set_id, info.publisher) == ("SYSTEM", "SET", "PUBLISHER")
        assert (info.preparer, info.application) == ("PREPARER", "APPLICATION")
        assert info.attributes["descriptor"] == "primary"
        assert info.attributes["volume_set_size"] == 3
        assert info.attributes["volume_sequence_number"] == 2
        assert info.attributes["root"] == {
            "lba": 20,
            "size_bytes": 2048,
            "recorded": "2004-10-21T13:05:00+02:00",
        }
        assert "rock_ridge" not in info.attributes

    def test_nothing_where_there_is_no_descriptor(self):
        """Nothing is opened and nothing is said of another file system's disc."""
        assert opened(MemoryImage(bytes(100 * SECTOR))) == ([], [])
        assert opened(MemoryImage(b"")) == ([], [])
        assert opened(Disc().primary([A]).image, start=5) == ([], [])
        assert opened(Disc().primary([A]).image, start=-20) == ([], [])
        assert opened(Disc().primary([A]).image, start=10**9) == ([], [])

    def test_boot_record_and_partition_are_noted(self):
        """8.2, 8.6: they lead to no tree."""
        disc = Disc().primary([A])
        boot = (
            b"\0CD001\1" + padded("EL TORITO SPECIFICATION", 32) + padded("BOOT", 32) + struct.pack("<I", 33)
        )
        part = b"\3CD001\1\0" + padded("SYS", 32) + padded("PART", 32) + both32(40) + both32(4)
        disc.put(17, boot.ljust(SECTOR, b"\0")).put(18, part.ljust(SECTOR, b"\0"))
        disc.put(19, terminator())
        (volume,), anomalies = opened(disc.image)
        assert anomalies == []
        assert volume.info.attributes["boot_records"] == [
            {"lba": 17, "system": "EL TORITO SPECIFICATION", "identifier": "BOOT", "catalog_lba": 33}
        ]
        assert volume.info.attributes["partitions"] == [
            {"lba": 18, "system": "SYS", "identifier": "PART", "block": 40, "blocks": 4}
        ]

    def test_no_terminator(self):
        """8.3: the set is over where no descriptor follows, and it is said."""
        disc = Disc().primary([A]).put(17, bytes(SECTOR))
        (volume,), anomalies = opened(disc.image)
        assert codes(anomalies) == ["iso-terminator-missing"]
        assert list(walked(volume)[0]) == ["/A.TXT"]

    def test_a_destroyed_primary_descriptor_leaves_joliet(self):
        """Sector 16 is rubbish: what the next descriptor leads to is opened."""
        disc = joliet(Disc(80).primary([A]), [record(wide("Only here.txt;1"), 31, 9)])
        disc.put(16, b"\xa5" * SECTOR)
        (volume,), anomalies = opened(disc.image)
        assert volume.info.kind == "joliet"
        assert list(walked(volume)[0]) == ["/Only here.txt"]
        assert codes(anomalies) == ["iso-descriptor-missing", "iso-primary-missing"]

    def test_a_destroyed_sector_in_the_middle(self):
        """Descriptors on both sides of it are read."""
        disc = Disc(80).primary([A])
        joliet(disc, [record(wide("B"), 31, 9)], lba=18).put(17, b"\xff" * SECTOR)
        views, anomalies = opened(disc.image)
        assert [view.info.kind for view in views] == ["iso9660", "joliet"]
        assert codes(anomalies) == ["iso-descriptor-missing"]
        assert anomalies[0].lba == 17

    def test_a_udf_bridge_without_terminator(self):
        """ECMA-167 2/9: the sectors of another volume recognition sequence are no damaged descriptors."""
        disc = Disc(80).primary([A])
        for lba, name in ((17, b"BEA01"), (18, b"NSR02"), (19, b"TEA01")):
            disc.put(lba, b"\0" + name + b"\1")
        _, anomalies = opened(disc.image)
        assert codes(anomalies) == ["iso-terminator-missing"]

    def test_a_descriptor_behind_the_terminator(self):
        """Most readers stop there; its tree is opened, and it is said."""
        disc = Disc(80).primary([A])
        joliet(disc, [record(wide("Hidden.txt"), 31, 9)], lba=18).put(17, terminator())
        views, anomalies = opened(disc.image)
        assert [view.info.kind for view in views] == ["iso9660", "joliet"]
        assert list(walked(views[1])[0]) == ["/Hidden.txt"]
        assert codes(anomalies) == ["iso-descriptor-hidden"]

    def test_versions_and_types(self):
        """8.1.1, 8.1.3: what no clause defines is said."""
        disc = Disc(80).primary([A], version=7)
        disc.put(17, b"\x09CD001\1".ljust(SECTOR, b"\0")).put(18, terminator())
        views, anomalies = opened(disc.image)
        assert len(views) == 1
        assert codes(anomalies) == ["iso-descriptor-version", "iso-descriptor-type"]

    @pytest.mark.parametrize(
        ("lba", "offset", "value", "what"),
        [
            (16, 7, 1, "unused byte"),  # 8.4.4
            (16, 75, 1, "unused bytes"),  # 8.4.7
            (16, 119, 1, "unused bytes"),  # 8.4.9
            (16, 156, 35, "length of the root's record"),  # 8.4.18
            (16, 188, 2, "root's identifier"),
            (16, 189, 1, "root's identifier"),
            (16, 881, 0, "file structure version"),  # 8.4.30
            (16, 882, 1, "reserved byte"),  # 8.4.31
            (16, 1395, 65, "reserved bytes"),  # 8.4.33
            (16, 2047, 65, "reserved bytes"),
            (17, 7, 65, "reserved bytes"),  # 8.3.4
            (17, 2047, 65, "reserved bytes"),
        ],
    )
    def test_fields_of_one_value(self, lba, offset, value, what):
        """8.3, 8.4: any other value is said, with its place, and the tree is read all the same."""
        (volume,), anomalies = opened(Disc(64).primary([A]).put(lba, bytes((value,)), offset).image)
        assert len(walked(volume)[0]) == 1
        assert [(a.code, a.lba, a.offset) for a in anomalies] == [("iso-descriptor-field", lba, offset)]
        assert anomalies[0].seen.startswith(f"{value:02x}")
        assert what in anomalies[0].message

    def test_application_use_is_free(self):
        """8.4.32: nothing is said of what an application wrote there."""
        assert opened(Disc(64).primary([A]).put(16, b"anything", 883).put(16, b"x", 1394).image)[1] == []

    def test_numbers_that_differ(self):
        """7.3.3 in a descriptor: said, with the volume's ordinal."""
        (volume,), _ = opened(Disc(64).primary([A], big_blocks=65).image)
        _, anomalies = walked(volume)
        assert [(a.code, a.lba, a.offset, a.seen, a.volume) for a in anomalies] == [
            ("iso-both-endian", 16, 80, "64 and 65", 0)
        ]

    def test_an_impossible_volume_date(self):
        """8.4.26.1: none is given, and it is said where."""
        (volume,), _ = opened(Disc().primary([A], created=b"2004132113050025\x08").image)
        assert volume.info.created is None
        _, anomalies = walked(volume)
        assert [(a.code, a.lba, a.offset) for a in anomalies] == [("iso-date", 16, 813)]

    def test_an_image_cut_short(self):
        """8.4.8: more blocks stated than the image holds."""
        (volume,), _ = opened(Disc(64).primary([A], blocks=65).image)
        assert codes(walked(volume)[1]) == ["iso-image-short"]

    def test_an_image_that_ends_in_its_descriptor(self):
        """What is there of it is read."""
        data = Disc().primary([A]).image.read(0, 17)[:-1000]
        (volume,), anomalies = opened(MemoryImage(data))
        assert volume.info.label == "LABEL"
        assert codes(anomalies) == ["iso-descriptor-short", "iso-terminator-missing"]
        assert list(walked(volume)[0]) == []

    def test_the_version_that_mkisofs_leaves(self):
        """Its sector behind the terminator is a structure, and its text is kept."""
        disc = (
            Disc()
            .describe(path_l=21, path_m=22)
            .put(18, b"MKI Fri Oct 22 18:44:59 2004\nmkisofs 2.01a17 -gui\0")
        )
        disc.put(21, path_table([(b"\0", 20, 1)])).put(22, path_table([(b"\0", 20, 1)], big=True)).tree([A])
        (volume,), anomalies = opened(disc.image)
        assert anomalies == []
        assert (
            volume.info.attributes["mkisofs_version"] == "MKI Fri Oct 22 18:44:59 2004\nmkisofs 2.01a17 -gui"
        )
        assert walked(volume)[1] == []
        assert SectorRange(16, 3) in list(volume.structures())

    def test_the_set_alone(self):
        """What else needs the set reads it without opening trees."""
        found = read_descriptor_set(joliet(Disc(80).primary([A]), []).image, 0)
        assert [(one.lba, one.kind.value) for one in found.trees] == [(16, "primary"), (17, "joliet")]
        assert found.structures == (SectorRange(16, 1), SectorRange(17, 1), SectorRange(18, 1))
        assert read_descriptor_set(MemoryImage(bytes(40 * SECTOR)), 0) is None


class TestViews:
    """Which trees become views."""

    def test_joliet_names(self):
        """UTF-16 with pairs; lone surrogates and left-over bytes escaped; ";1" taken off as 7-Zip does."""
        records = [
            record(wide("Grüße.txt;1"), 30, 5),
            record(wide("\U0001f4bf.iso"), 30, 5),
            record(wide("lone\ud83d.txt"), 30, 5),
            record(wide("a/b\0c"), 30, 5),
            record(wide("odd") + b"X", 30, 5),
            record(wide("ends.") + b"", 30, 5),
            record(wide("two;2"), 30, 5),
        ]
        views, _ = opened(joliet(Disc(80).primary([A]), records).image)
        entries, anomalies = walked(views[1])
        assert list(entries) == [
            "/Grüße.txt",
            "/\U0001f4bf.iso",
            "/lone\\ud83d.txt",
            "/a\\x2fb\\x00c",
            "/odd\\x58",
            "/ends.",
            "/two;2",
        ]
        assert entries["/Grüße.txt"].identifier == "Grüße.txt;1"
        assert entries["/Grüße.txt"].name_raw is None
        assert entries["/lone\\ud83d.txt"].name_raw == wide("lone\ud83d.txt")
        assert entries["/odd\\x58"].name_raw == wide("odd") + b"X"
        assert codes(anomalies) == ["iso-name"] * 3

    @pytest.mark.parametrize(("escape", "level"), [(b"%/@", 1), (b"%/C", 2), (b"%/E", 3)])
    def test_joliet_levels(self, escape, level):
        """Joliet, escape sequences: three levels, one kind of view."""
        disc = joliet(Disc(80).primary([A]), [record(wide("B"), 30, 5)], level=escape, label="Straße")
        views, _ = opened(disc.image)
        info = views[1].info
        assert (info.kind, info.label, info.ordinal, info.attributes["joliet_level"]) == (
            "joliet",
            "Straße",
            1,
            level,
        )
        assert info.publisher == "PUBLISHER"

    def test_every_joliet_descriptor_with_a_tree_of_its_own(self):
        """The second supplementary tree is where things are hidden from those who read one."""
        disc = Disc(100)
        joliet(disc.primary([A]), [record(wide("B"), 30, 5)])
        joliet(disc, [record(wide("C"), 30, 5)], lba=18, root=60)
        views, _ = opened(disc.image)
        assert [list(walked(view)[0]) for view in views] == [["/A.TXT"], ["/B"], ["/C"]]
        assert [view.info.ordinal for view in views] == [0, 1, 2]

    def test_a_second_descriptor_of_the_same_tree_is_noted(self):
        """6.7.1.1 allows copies: no second view."""
        disc = Disc().primary([A])
        disc.put(17, bytes(disc.data[16 * SECTOR : 17 * SECTOR]))
        disc.put(18, terminator())
        (volume,), anomalies = opened(disc.image)
        assert volume.info.attributes["same_tree"] == [17]
        assert anomalies == []

    def test_a_second_primary_with_another_tree(self):
        """It is opened too, and it is said."""
        disc = Disc(80).primary([A])
        size = disc.tree([record(b"B.;1", 30, 5)], own=40)
        disc.put(45, path_table([(b"\0", 40, 1)])).put(46, path_table([(b"\0", 40, 1)], big=True))
        disc.put(17, descriptor(record(b"\0", 40, size, flags=2), path_l=45, path_m=46))
        views, anomalies = opened(disc.image)
        assert codes(anomalies) == ["iso-primary-copy", "iso-terminator-missing"]
        assert [list(walked(view)[0]) for view in views] == [["/A.TXT"], ["/B"]]

    def test_enhanced_with_the_primary_tree_is_one_view(self):
        """ISO 9660:1999 mostly describes the same tree again."""
        disc = Disc().primary([A])
        disc.put(17, descriptor(record(b"\0", 20, SECTOR, flags=2), kind=2, version=2)).put(19, terminator())
        (volume,), _ = opened(disc.image)
        assert volume.info.attributes["same_tree"] == [17]

    def test_enhanced_with_a_tree_of_its_own(self):
        """Names as recorded: they have no version there."""
        disc = Disc(80).primary([A])
        size = disc.tree([record(b"a long name; not a version;1", 30, 5)], own=40)
        root = record(b"\0", 40, size, flags=2)
        disc.put(45, path_table([(b"\0", 40, 1)])).put(46, path_table([(b"\0", 40, 1)], big=True))
        disc.put(17, descriptor(root, kind=2, version=2, path_l=45, path_m=46)).put(18, terminator())
        views, _ = opened(disc.image)
        assert views[1].info.kind == "iso9660"
        assert views[1].info.attributes["descriptor"] == "enhanced"
        assert list(walked(views[1])[0]) == ["/a long name; not a version;1"]

    def test_walking_twice_gives_the_same(self):
        """A view keeps nothing of its last walk."""
        (volume,), _ = opened(Disc().primary([A, record(b"\0", 1, 1, flags=2)]).image)
        assert list(volume.walk()) == list(volume.walk())


class TestBases:
    """Block numbers count from the disc's start in sessions, from the volume's in images inside images."""

    def second(self, base):
        """A first volume at 0, another at 100 whose numbers count from `base`."""
        disc = Disc(200).primary([A], blocks=100)
        moved = 100 - base
        rows = [(b"\0", 20 + moved, 1), (b"D", 25 + moved, 1)]
        size = SECTOR
        root = [*dots(20 + moved, size), record(b"SECOND.;1", 31 + moved, 5)]
        root.append(record(b"D", 25 + moved, size, flags=2))
        disc.put(120, packed(root)).put(125, packed(dots(25 + moved, size, 20 + moved, size)))
        table = path_table(rows)
        disc.put(118, table).put(119, path_table(rows, big=True))
        fields = {"path_table_size": len(table), "path_l": 18 + moved, "path_m": 19 + moved, "blocks": 100}
        disc.put(116, descriptor(record(b"\0", 20 + moved, size, flags=2), **fields)).put(117, terminator())
        return disc.image

    @pytest.mark.parametrize("base", [0, 100])
    def test_both_are_read_and_all_addresses_are_of_the_disc(self, base):
        """The root says where it is, so it is known from where it counts."""
        (volume,), anomalies = opened(self.second(base), start=100)
        assert anomalies == []
        assert volume.info.start_lba == 100
        assert volume.info.attributes["lba_base"] == base
        entries, anomalies = walked(volume)
        assert anomalies == []
        assert entries["/SECOND"].streams[0].extents == (Extent(131, 5),)
        assert entries["/SECOND"].record_lba == 120
        assert entries["/D"].attributes == {"lba": 125}
        assert {116, 117, 118, 119, 120, 125} == {
            lba for start, count in volume.structures() for lba in range(start, start + count)
        }

    def test_two_copies_of_one_image_in_a_row(self):
        """Numbers below the volume's own descriptors can only be its own."""
        one = Disc(100).primary([A], blocks=100).data
        (volume,), _ = opened(MemoryImage(bytes(one) * 2), start=100)
        entries, _ = walked(volume)
        assert entries["/A.TXT"].streams[0].extents == (Extent(130, 5),)


class TestRoots:
    """8.4.18: the root's record is wrong."""

    def test_the_path_table_knows_the_root(self):
        """6.9.1: its first record is the root's."""
        disc = Disc().primary([A])
        disc.put(16, both32(3_000_000), offset=158)
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/A.TXT"]
        assert codes(anomalies) == ["iso-root"]

    def test_the_other_copy_knows_the_root(self):
        """7.3.3: one of the copies leads to a directory that says it is there."""
        disc = Disc().primary([A])
        disc.put(16, both32(3_000_000, 20), offset=158)
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/A.TXT"]
        assert codes(anomalies) == ["iso-both-endian"]

    def test_nobody_knows_the_root(self):
        """Nothing is listed, everything is said, nothing is raised."""
        disc = Disc().primary([A])
        disc.put(16, both32(50), offset=158).put(18, bytes(10)).put(19, bytes(10))
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert entries == {}
        assert codes(anomalies)[:1] == ["iso-root"]
        assert set(codes(anomalies)) == {"iso-root", "iso-dot", "iso-path-table-record"}


class TestPathTables:
    """6.9, 9.4: path tables against each other and against the tree."""

    def two(self, **fields):
        """A disc with two directories, one of them in the other."""
        disc = Disc(80)
        disc.tree([record(b"SUB", 26, SECTOR, flags=2)], own=25, parent=20)
        disc.tree([record(b"IN.;1", 40, 3)], own=26, parent=25)
        rows = [(b"DIR", 25, 1), (b"SUB", 26, 2)]
        return disc.primary([record(b"DIR", 25, SECTOR, flags=2), A], rows, **fields)

    def test_a_right_disc(self):
        """Nothing to say; both tables, all descriptors and directories are structures."""
        (volume,), _ = opened(self.two().image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/DIR", "/A.TXT", "/DIR/SUB", "/DIR/SUB/IN"]
        assert [entries[path].parent for path in entries] == [None, None, 0, 2]
        assert anomalies == []
        assert list(volume.structures()) == [SectorRange(16, 5), SectorRange(25, 2)]

    def test_a_directory_cut_out_of_the_tree(self):
        """It is listed where the path table has it, with what is in it, marked, and said."""
        disc = self.two()
        disc.tree([], own=25, parent=20)
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/DIR", "/A.TXT", "/DIR/SUB", "/DIR/SUB/IN"]
        hidden = entries["/DIR/SUB"]
        assert hidden.kind is EntryKind.DIRECTORY
        assert hidden.attributes == {"path_table_only": True, "lba": 26}
        assert hidden.deleted is False
        assert (hidden.record_lba, hidden.record_offset) == (18, 22)
        assert hidden.parent == entries["/DIR"].ordinal
        assert [(a.code, a.path) for a in anomalies] == [("iso-path-table-only", "/DIR/SUB")]

    def test_a_whole_branch_cut_out(self):
        """The directories below are the branch's, not marked for themselves."""
        disc = self.two()
        disc.tree([A])
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/A.TXT", "/DIR", "/DIR/SUB", "/DIR/SUB/IN"]
        assert set(codes(anomalies)) == {"iso-path-table-only"}

    def test_a_record_that_leads_to_no_directory(self):
        """Said; nothing is made of it."""
        disc = Disc(80).primary([A], [(b"GONE", 50, 1)])
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/A.TXT"]
        assert codes(anomalies) == ["iso-path-table-record"]

    def test_a_directory_that_is_not_in_the_table(self):
        """The tree lists it; the table's silence is said."""
        disc = self.two()
        disc.describe(SECTOR, [(b"DIR", 25, 1)])
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert len(entries) == 4
        assert [(a.code, a.path) for a in anomalies] == [("iso-path-table-tree", "/DIR/SUB")]

    @pytest.mark.parametrize("rows", [[(b"RID", 25, 1), (b"SUB", 26, 2)], [(b"DIR", 25, 1), (b"SUB", 26, 1)]])
    def test_another_name_or_parent(self, rows):
        """Said, with both."""
        disc = self.two()
        disc.describe(SECTOR, rows)
        (volume,), _ = opened(disc.image)
        assert codes(walked(volume)[1]) == ["iso-path-table-tree"]

    def test_another_root(self):
        """6.9.1: the first record is the root's; another one is said, and is no entry."""
        disc = Disc(80).primary([A])
        disc.tree([], own=40)
        rows = [(b"\0", 40, 1)]
        disc.put(18, path_table(rows)).put(19, path_table(rows, big=True))
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/A.TXT"]
        assert codes(anomalies) == ["iso-path-table-tree"]

    def test_the_tables_differ(self):
        """6.9.2: L and M record the same; the first one is followed."""
        disc = self.two()
        rows = [(b"\0", 20, 1), (b"DIR", 27, 1), (b"SUB", 26, 2)]
        disc.put(19, path_table(rows, big=True))
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert len(entries) == 4
        assert [(a.code, a.lba, a.offset) for a in anomalies] == [("iso-path-table-copy", 19, 10)]

    def test_the_optional_tables_are_read_too(self):
        """8.4.15, 8.4.17: where they are, they must say the same."""
        disc = self.two(path_l_optional=50, path_m_optional=51)
        rows = [(b"\0", 20, 1), (b"DIR", 25, 1), (b"SUB", 26, 2)]
        disc.put(50, path_table(rows)).put(51, path_table(rows, big=True))
        (volume,), _ = opened(disc.image)
        assert walked(volume)[1] == []
        disc.put(51, b"\7")
        (volume,), _ = opened(disc.image)
        assert set(codes(walked(volume)[1])) == {"iso-path-table-copy", "iso-path-table-record"}

    @pytest.mark.parametrize(
        "rows",
        [
            [(b"\0", 20, 1), (b"DIR", 25, 9)],
            [(b"\0", 20, 1), (b"DIR", 25, 0)],
            [(b"\0", 20, 1), (b"", 25, 1)],
        ],
    )
    def test_impossible_records(self, rows):
        """9.4: a parent that comes later, no parent, no identifier: the rest is not read, and it is said."""
        disc = self.two()
        disc.put(18, bytes(34)).put(19, bytes(34))
        disc.put(18, path_table(rows)).put(19, path_table(rows, big=True))
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert len(entries) == 4
        assert codes(anomalies).count("iso-path-table-record") == 2

    def test_outside_the_image(self):
        """8.4.13 to 8.4.17: said; the other table is compared."""
        (volume,), _ = opened(self.two(path_l=3_000_000).image)
        assert codes(walked(volume)[1]) == ["iso-path-table"]


class TestLoops:
    """6.8.2: a hierarchy, not a web."""

    def test_a_directory_in_itself(self):
        """Listed, said, and not entered again."""
        disc = Disc()
        disc.tree([record(b"AGAIN", 25, SECTOR, flags=2)], own=25, parent=20)
        (volume,), _ = opened(disc.primary([record(b"DIR", 25, SECTOR, flags=2)], [(b"DIR", 25, 1)]).image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/DIR", "/DIR/AGAIN"]
        assert [(a.code, a.path) for a in anomalies] == [("iso-directory-loop", "/DIR/AGAIN")]

    def test_the_root_below_itself(self):
        """The longest way round."""
        disc = Disc()
        disc.tree([record(b"ROOT", 20, SECTOR, flags=2)], own=25, parent=20)
        (volume,), _ = opened(disc.primary([record(b"DIR", 25, SECTOR, flags=2)], [(b"DIR", 25, 1)]).image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/DIR", "/DIR/ROOT"]
        assert codes(anomalies) == ["iso-directory-loop"]

    def test_two_ways_to_one_directory(self):
        """Listed twice, entered once."""
        disc = Disc()
        disc.tree([A], own=25, parent=20)
        both = [record(b"ONE", 25, SECTOR, flags=2), record(b"TWO", 25, SECTOR, flags=2)]
        (volume,), _ = opened(disc.primary(both, [(b"ONE", 25, 1)]).image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/ONE", "/TWO", "/ONE/A.TXT"]
        assert codes(anomalies) == ["iso-directory-shared"]


class TestDirectorySizes:
    """6.8.1.3: the length of a directory."""

    @pytest.mark.parametrize(
        ("size", "expected"),
        [
            (0, ["iso-dot", "iso-directory-size"]),
            (100, ["iso-directory-size", "iso-dot"]),
            (2**31, ["iso-directory-size", "iso-extent-outside", "iso-dot"]),
        ],
    )
    def test_absurd_ones(self, size, expected):
        """What is there is read, and it is said."""
        disc = Disc(40)
        disc.tree([A], own=25, parent=20)
        (volume,), _ = opened(disc.primary([record(b"DIR", 25, size, flags=2)], [(b"DIR", 25, 1)]).image)
        entries, anomalies = walked(volume)
        assert "/DIR/A.TXT" in entries
        assert set(codes(anomalies)) == set(expected)

    def test_outside_the_image(self):
        """Listed, and that nothing of it is there."""
        disc = Disc(40).primary([record(b"DIR", 4000, SECTOR, flags=2)])
        (volume,), _ = opened(disc.image)
        entries, anomalies = walked(volume)
        assert list(entries) == ["/DIR"]
        assert codes(anomalies) == ["iso-extent-outside", "iso-path-table-tree"]


class TestLimits:
    """What bounds the work that a hostile disc can ask for."""

    def test_directories_that_overlap(self):
        """Together they are longer than the image: not all are read, and it is said."""
        disc = Disc(60)
        size = 30 * SECTOR
        records = [record(b"D%02d" % number, 22 + number, size, flags=2) for number in range(8)]
        (volume,), _ = opened(disc.primary(records).image)
        entries, anomalies = walked(volume)
        assert len(entries) == 8
        assert "iso-limit" in codes(anomalies)

    def test_entries(self, monkeypatch):
        """The rest is not listed, and it is said."""
        monkeypatch.setattr(tree, "MAXIMUM_ENTRIES", 500)
        files = [record(b"FILE%04d.TXT;1" % number, 30, 7) for number in range(3000)]
        (volume,), _ = opened(Disc(200).primary(files).image)
        entries, anomalies = walked(volume)
        assert 500 <= len(entries) < 1500
        assert codes(anomalies) == ["iso-limit"]

    def test_anomalies_of_one_kind(self, monkeypatch):
        """The rest is counted."""
        monkeypatch.setattr(directory, "MAXIMUM_SAME_ANOMALIES", 5)
        files = [record(b"FILE%04d.TXT;1" % number, 30, 7, big_size=8) for number in range(20)]
        (volume,), _ = opened(Disc(60).primary(files).image)
        entries, anomalies = walked(volume)
        assert len(entries) == 20
        assert codes(anomalies) == ["iso-both-endian"] * 5 + ["iso-limit"]
        assert anomalies[-1].message.startswith("15 further anomalies iso-both-endian")

    def test_depth(self, monkeypatch):
        """Paths do not grow without end."""
        monkeypatch.setattr(tree, "MAXIMUM_PATH_CHARACTERS", 100)
        disc = Disc(100)
        rows = []
        for lba in range(30, 60):
            below = [record(b"DIRECTORY", lba + 1, SECTOR, flags=2)] if lba < 59 else []
            disc.tree(below, own=lba, parent=lba - 1 if lba > 30 else 20)
            rows.append((b"DIRECTORY", lba, lba - 29))
        (volume,), _ = opened(disc.primary([record(b"DIRECTORY", 30, SECTOR, flags=2)], rows).image)
        entries, anomalies = walked(volume)
        assert max(len(path) for path in entries) < 120
        assert "iso-limit" in codes(anomalies)


def test_hidden_sector_numbers_are_unsigned():
    """7.3.1: the highest block number there is raises nothing."""
    disc = Disc().primary([record(b"A.;1", 2**32 - 1, 2**32 - 1), record(b"D", 2**32 - 1, SECTOR, flags=2)])
    disc.put(16, both16(1), offset=120)
    (volume,), _ = opened(disc.image)
    entries, anomalies = walked(volume)
    assert list(entries) == ["/A", "/D"]
    assert "iso-extent-outside" in codes(anomalies)

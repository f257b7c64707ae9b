"""Extended attribute records (ECMA-119 9.5), path tables (9.4), flags (9.1.6), PN and SF, by hand."""

import stat
import struct

import pytest

from acquire.geometry import Extent
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660.volume import open_volumes
from tests.analyze.isobytes import LONG_DATE, SECTOR, Disc, both16, both32, dots, packed, px, record, sp
from tests.analyze.isobytes import susp as entry_bytes

NO_DATE = b"0" * 16 + b"\0"  # 8.4.26.1


def walked(disc):
    """Entries by path, and the anomalies, of the only view."""
    (view,) = (noun for noun in open_volumes(disc.image, 0, 1, 0) if not isinstance(noun, Anomaly))
    nouns = list(view.walk())
    entries = {noun.path: noun for noun in nouns if isinstance(noun, Entry)}
    return entries, [noun for noun in nouns if isinstance(noun, Anomaly)]


def codes(anomalies):
    """The codes alone, in order."""
    return [note.code for note in anomalies]


def attribute_record(
    *, owner=None, group=None, permissions=0xAAAA, times=(NO_DATE,) * 4, system=b"", version=1
):
    """9.5, field by field; owner and group are 9.5.1 and 9.5.2 as recorded."""
    data = (
        (owner or both16(1))  # 9.5.1
        + (group or both16(2))  # 9.5.2
        + struct.pack(">H", permissions)  # 9.5.3
        + b"".join(times)  # 9.5.4 to 9.5.7
        + bytes((0, 0))  # 9.5.8, 9.5.9
        + both16(0)  # 9.5.10
        + system.ljust(32)  # 9.5.11
        + bytes(64)  # 9.5.12
        + bytes((version, 0))  # 9.5.13, 9.5.14
        + bytes(64)  # 9.5.15
        + both16(0)  # 9.5.16
    )
    assert len(data) == 250
    return data


def with_record(data, **fields):
    """One file behind the attribute record `data` at LBA 30."""
    entries, anomalies = walked(Disc().put(30, data).primary([record(b"A.;1", 30, 9, xattr=1, **fields)]))
    return entries["/A"], anomalies


class TestAttributeRecords:
    """9.5."""

    @pytest.mark.parametrize("bit", range(16))
    def test_each_permission_bit(self, bit):
        """9.5.3 numbers bits from the least significant one of a big-endian number; none is moved."""
        entry, anomalies = with_record(attribute_record(permissions=1 << bit))
        assert entry.attributes["xattr"]["permissions"] == 2**bit
        assert anomalies == []

    @pytest.mark.parametrize(("owner", "group"), [(0, 0), (1, 65535), (65535, 1), (256, 255)])
    def test_owner_and_group(self, owner, group):
        """9.5.1, 9.5.2: sixteen bits each; they are no POSIX ids and are not shown as such."""
        entry, anomalies = with_record(attribute_record(owner=both16(owner), group=both16(group)))
        assert (entry.attributes["xattr"]["owner"], entry.attributes["xattr"]["group"]) == (owner, group)
        assert (entry.uid, entry.gid, entry.mode) == (None, None, None)
        assert anomalies == []

    @pytest.mark.parametrize("field", ["owner", "group"])
    def test_copies_that_differ(self, field):
        """7.2.3: both are said, with the place in the record; the first is kept."""
        entry, anomalies = with_record(attribute_record(**{field: both16(5, 6)}))
        assert entry.attributes["xattr"][field] == 5
        assert [(note.code, note.lba, note.offset, note.seen) for note in anomalies] == [
            ("iso-both-endian", 30, {"owner": 0, "group": 4}[field], "5 and 6")
        ]

    @pytest.mark.parametrize("which", range(4))
    def test_each_time_alone(self, which):
        """9.5.4 to 9.5.7: a time stands in its own field, and the other three stay empty."""
        times = tuple(LONG_DATE if number == which else NO_DATE for number in range(4))
        entry, anomalies = with_record(attribute_record(times=times))
        names = ("created", "modified", "expires", "effective")
        for number, name in enumerate(names):
            found = getattr(entry, name)
            if number == which:
                assert found.iso() == "2004-10-21T13:05:00.25+02:00"
            elif name == "modified":
                assert found == entry.recorded
            else:
                assert found is None
        assert anomalies == []

    @pytest.mark.parametrize("which", range(4))
    def test_each_time_impossible(self, which):
        """The other three are kept; the place in the record is said: 10, 27, 44 or 61 bytes into it."""
        bad = b"2004133213050025\0"
        times = tuple(bad if number == which else LONG_DATE for number in range(4))
        entry, anomalies = with_record(attribute_record(times=times))
        assert [(note.code, note.lba, note.offset) for note in anomalies] == [
            ("iso-date", 30, 10 + 17 * which)
        ]
        read = [entry.created, entry.modified, entry.expires, entry.effective]
        kept = [time.iso() for number, time in enumerate(read) if number != which]
        assert kept == ["2004-10-21T13:05:00.25+02:00"] * 3

    def test_rock_ridge_times_come_first(self):
        """Where both say a time, TF's is shown: it is the later extension, and finer in its kinds."""
        stamp = bytes((90, 1, 2, 3, 4, 5, 0))
        use = entry_bytes(b"TF", b"\x01" + stamp)
        disc = Disc().put(30, attribute_record(times=(LONG_DATE,) * 4))
        disc.primary([record(b"A.;1", 30, 9, xattr=1, use=use)], root_use=sp() + px(stat.S_IFDIR | 0o755))
        entries, _ = walked(disc)
        assert entries["/A"].created.iso() == "1990-01-02T03:04:05+00:00"
        assert entries["/A"].expires.iso() == "2004-10-21T13:05:00.25+02:00"

    @pytest.mark.parametrize("blocks", [1, 2, 17])
    def test_the_data_begins_behind_all_its_blocks(self, blocks):
        """6.4.6: however little of them the record fills."""
        disc = Disc().put(30, attribute_record()).primary([record(b"A.;1", 30, 9, xattr=blocks)])
        assert walked(disc)[0]["/A"].streams[0].extents == (Extent(30 + blocks, 9),)

    @pytest.mark.parametrize("version", [0, 2, 255])
    def test_versions_that_no_clause_defines(self, version):
        """9.5.13: not read; the data still begins behind the record."""
        entry, anomalies = with_record(attribute_record(version=version))
        assert entry.attributes is None
        assert entry.streams[0].extents == (Extent(31, 9),)
        assert [(note.code, note.offset, note.expected) for note in anomalies] == [
            ("iso-extended-attribute", 180, "1")
        ]


class TestFlags:
    """9.1.6."""

    @pytest.mark.parametrize("flags", [0, 1, 8, 9, 16, 17, 24, 25])
    def test_existence_record_and_protection(self, flags):
        """Bit 0 hides a file from users, not from an examiner; bits 3 and 4 speak of the attribute record."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 9, flags=flags)]))
        assert entries["/A"].hidden is (flags % 2 == 1)
        assert entries["/A"].flags == flags
        assert anomalies == []

    def test_a_hidden_directory_is_entered(self):
        """Bits 0 and 1: what is in it is listed as that of any other."""
        disc = Disc().put(25, packed([*dots(25, SECTOR, 20, SECTOR), record(b"IN.;1", 40, 3)]))
        entries, anomalies = walked(disc.primary([record(b"DIR", 25, SECTOR, flags=3)], [(b"DIR", 25, 1)]))
        assert [(path, one.hidden) for path, one in entries.items()] == [("/DIR", True), ("/DIR/IN", False)]
        assert anomalies == []

    @pytest.mark.parametrize("flags", [0x20, 0x40, 0x60])
    def test_reserved_bits(self, flags):
        """Bits 5 and 6 are 0: said with the place of the byte, and the file is listed."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 9, flags=flags)]))
        assert entries["/A"].size_bytes == 9
        assert [(note.code, note.offset) for note in anomalies] == [
            ("iso-file-flags", entries["/A"].record_offset + 25)
        ]

    def test_a_hidden_associated_file(self):
        """6.5.4: it is a stream of its file, and its own flags are kept."""
        files = [record(b"A.;1", 30, 7, flags=5), record(b"A.;1", 31, 9)]
        entries, anomalies = walked(Disc().primary(files))
        assert [(one.name, one.size_bytes) for one in entries["/A"].streams] == [("", 9), ("associated", 7)]
        assert entries["/A"].attributes["associated_record"]["flags"] == 5
        assert entries["/A"].hidden is False
        assert anomalies == []


class TestDevicesAndSparseFiles:
    """RRIP 4.1.2, 4.1.7."""

    def one(self, use):
        """A file with `use`, and the anomalies."""
        disc = Disc().primary([record(b"A.;1", 30, 5, use=use)], root_use=sp() + px(stat.S_IFDIR | 0o755))
        entries, anomalies = walked(disc)
        return entries["/A"], anomalies

    @pytest.mark.parametrize("mode", [stat.S_IFCHR, stat.S_IFBLK])
    @pytest.mark.parametrize(
        ("high", "low", "shown"),
        [(0, 0, "0:0"), (1, 0, "1:0"), (0, 255, "0:255"), (0, 0x0801, "8:1"), (2**32 - 1, 7, "4294967295:7")],
    )
    def test_device_numbers(self, mode, high, low, shown):
        """The two halves of the number, or where the high one is 0, both numbers in the low one."""
        entry, anomalies = self.one(px(mode | 0o600) + entry_bytes(b"PN", both32(high) + both32(low)))
        assert (entry.kind, entry.device) == (EntryKind.DEVICE, shown)
        assert entry.attributes["device_number"] == [high, low]
        assert anomalies == []

    @pytest.mark.parametrize(("place", "seen"), [(0, "3 and 4"), (1, "9 and 10")])
    def test_device_numbers_that_differ(self, place, seen):
        """7.3.3: said for the half that it is."""
        halves = [both32(3, 4), both32(9)] if place == 0 else [both32(3), both32(9, 10)]
        entry, anomalies = self.one(px(stat.S_IFBLK | 0o600) + entry_bytes(b"PN", b"".join(halves)))
        assert entry.device == "3:9"
        assert [(note.code, note.seen) for note in anomalies] == [("iso-both-endian", seen)]

    @pytest.mark.parametrize(
        ("high", "low", "size"),
        [(0, 0, 0), (0, 2**32 - 1, 4294967295), (1, 0, 4294967296), (2**32 - 1, 2**32 - 1, 2**64 - 1)],
    )
    def test_the_virtual_size_is_of_64_bits(self, high, low, size):
        """4.1.7: said beside the size that is recorded, which stays what can be read."""
        entry, anomalies = self.one(entry_bytes(b"SF", both32(high) + both32(low) + b"\3"))
        assert entry.attributes["sparse"] == {"virtual_size_bytes": size, "table_depth": 3}
        assert entry.size_bytes == 5
        assert anomalies == []


class TestPathTables:
    """6.9, 9.4."""

    def disc(self):
        """Directories ONE (25) and TWO (26) in the root."""
        disc = Disc()
        for own in (25, 26):
            disc.put(own, packed(dots(own, SECTOR, 20, SECTOR)))
        files = [record(b"ONE", 25, SECTOR, flags=2), record(b"TWO", 26, SECTOR, flags=2)]
        return disc.primary(files, [(b"ONE", 25, 1), (b"TWO", 26, 1)])

    def test_as_it_should_be(self):
        """Nothing is said: records of 8 bytes, the identifier, one byte where that is odd (9.4.6)."""
        entries, anomalies = walked(self.disc())
        assert list(entries) == ["/ONE", "/TWO"]
        assert anomalies == []

    @pytest.mark.parametrize(
        ("offset", "value"),
        [(10 + 5, 99), (10 + 8, ord("X")), (22 + 5, 99), (22 + 8, ord("X"))],
    )
    def test_the_big_endian_one_alone_differs(self, offset, value):
        """The place of the differing record is said; the tree is what it was."""
        entries, anomalies = walked(self.disc().put(19, bytes((value,)), offset=offset))
        assert list(entries) == ["/ONE", "/TWO"]
        assert [(note.code, note.lba) for note in anomalies] == [("iso-path-table-copy", 19)]
        assert anomalies[0].offset == (10 if offset < 22 else 22)

    @pytest.mark.parametrize("table", [18, 19])
    def test_one_that_is_all_zeros(self, table):
        """A table without a record is said; the other one serves, and the tree is whole."""
        entries, anomalies = walked(self.disc().put(table, bytes(34)))
        assert list(entries) == ["/ONE", "/TWO"]
        assert anomalies
        assert {note.code for note in anomalies} <= {"iso-path-table-record", "iso-path-table-copy"}

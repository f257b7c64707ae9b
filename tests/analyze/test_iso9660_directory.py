"""Directory records of ECMA-119, assembled by hand: what is listed, and what is said of what is wrong."""

import pytest

from acquire.geometry import Extent
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660.volume import open_volumes
from analyze.timestamp import Timestamp
from tests.analyze.isobytes import (
    LONG_DATE,
    SECTOR,
    Disc,
    both16,
    descriptor,
    dots,
    packed,
    path_table,
    record,
    terminator,
)

HOUR_EAST = Timestamp(2004, 10, 21, 13, 5, 0, 0, 120)


def walked(image, number=0):
    """Entries by path, and the anomalies, of one view."""
    views = [noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly)]
    nouns = list(views[number].walk())
    entries = [noun for noun in nouns if isinstance(noun, Entry)]
    assert [entry.ordinal for entry in entries] == list(range(len(entries)))
    return {entry.path: entry for entry in entries}, [noun for noun in nouns if isinstance(noun, Anomaly)]


def codes(anomalies):
    """The codes alone, in order."""
    return [anomaly.code for anomaly in anomalies]


def names(count):
    """`count` identifiers in order (9.3)."""
    return [b"FILE%04d.TXT;1" % number for number in range(count)]


class TestDirectoriesLongerThanOneSector:
    """6.8.1.1: the bug by which most readers lose files."""

    @pytest.mark.parametrize("count", [40, 41, 42, 43, 44, 200, 1000])
    def test_every_record_of_every_sector_is_listed(self, count):
        """Records do not cross sectors; zeros fill each up; none is lost and none comes twice."""
        files = [record(name, 30, 7) for name in names(count)]
        entries, anomalies = walked(Disc(80).primary(files).image)
        assert sorted(entries) == [f"/FILE{number:04d}.TXT" for number in range(count)]
        assert anomalies == []

    def test_a_directory_that_ends_exactly_with_its_sector(self):
        """No zeros behind the last record: what follows on the disc is not of the directory."""
        records = dots(20, SECTOR)
        while len(b"".join(records)) < SECTOR - 34:
            rest = SECTOR - len(b"".join(records))
            length = 48 if rest >= 48 + 34 else rest
            identifier = b"F%02d" % len(records) + b"X" * (length - 33 - 3 - (length % 2))
            records.append(record(identifier.ljust(length - 33, b"Y")[: length - 33], 30, 5))
        content = b"".join(records)
        assert len(content) == SECTOR
        disc = Disc().describe()
        disc.put(20, content).put(21, packed([*dots(21, SECTOR), record(b"NOT_HERE.;1", 30, 5)]))
        entries, anomalies = walked(disc.image)
        assert len(entries) == len(records) - 2
        assert "/NOT_HERE" not in entries
        assert anomalies == []

    def test_a_whole_sector_of_zeros_between_records(self):
        """An empty sector inside a directory is passed over."""
        first, last = record(b"FIRST.;1", 30, 1), record(b"LAST.;1", 30, 1)
        size = 3 * SECTOR
        content = packed([*dots(20, size), first]) + bytes(SECTOR) + packed([last])
        entries, anomalies = walked(Disc().describe(size).put(20, content).image)
        assert list(entries) == ["/FIRST", "/LAST"]
        assert anomalies == []

    def test_a_record_across_two_sectors_is_said_and_the_next_sector_is_read(self):
        """A record may not cross; it is refused, and reading goes on where the next sector begins."""
        filler = [record(name, 30, 7) for name in names(40)]
        start = packed([*dots(20, 2 * SECTOR), *filler])
        used = len(start.rstrip(b"\0")) + len(start.rstrip(b"\0")) % 2
        crossing = record(b"C" * 200, 30, 7)
        content = (start[:used] + crossing)[:SECTOR].ljust(SECTOR, b"C") + packed(
            [record(b"AFTER.;1", 30, 7)]
        )
        entries, anomalies = walked(Disc().describe(2 * SECTOR).put(20, content).image)
        assert "/AFTER" in entries
        assert len(entries) == 41
        assert codes(anomalies) == ["iso-record-length"]


class TestNames:
    """7.5, 7.6: what is shown of an identifier."""

    @pytest.mark.parametrize(
        ("identifier", "name"),
        [
            (b"README.TXT;1", "README.TXT"),
            (b"README.;1", "README"),
            (b"README", "README"),
            (b"README.TXT", "README.TXT"),
            (b"README.TXT;2", "README.TXT;2"),
            (b"README.;12", "README.;12"),
            (b"lower case.txt;1", "lower case.txt"),
            ("Ä.TXT;1".encode(), "Ä.TXT"),
            (b"\xc4.TXT;1", "\\xc4.TXT"),
            (b";1", ";1"),
            (b"..;1", "\\x2e"),
        ],
    )
    def test_a_file(self, identifier, name):
        """Without ";1", and without the full stop of an empty extension; the identifier stays as recorded."""
        entries, _ = walked(Disc().primary([record(identifier, 30, 1)]).image)
        (entry,) = entries.values()
        assert entry.path == "/" + name
        assert entry.name == name
        assert entry.identifier == identifier.decode("utf-8", "backslashreplace")
        if not identifier.isascii() or "\\" in name:
            assert entry.name_raw == identifier
        else:
            assert entry.name_raw is None

    def test_a_directory_keeps_its_identifier(self):
        """7.6.1: directories have neither version nor extension."""
        disc = Disc()
        disc.tree([], own=25, parent=20)
        disc.primary([record(b"DIR.;1", 25, SECTOR, flags=2)], [(b"DIR.;1", 25, 1)])
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/DIR.;1"]
        assert anomalies == []

    def test_slash_and_nul_cannot_lead_out_of_the_directory(self):
        r"""They stand as \xNN, the recorded bytes go with them, and it is said."""
        entries, anomalies = walked(Disc().primary([record(b"../ETC\0X;1", 30, 1)]).image)
        entry = entries["/..\\x2fETC\\x00X"]
        assert entry.name_raw == b"../ETC\0X;1"
        assert codes(anomalies) == ["iso-name"]
        assert anomalies[0].path == entry.path

    def test_an_identifier_of_no_bytes(self):
        """9.1.10: the file is listed by its place, and it is said."""
        entries, anomalies = walked(Disc().primary([record(b"", 30, 9), record(b"B.;1", 30, 1)]).image)
        assert len(entries) == 2
        (path,) = set(entries) - {"/B"}
        assert path.startswith("/[no name: LBA 20 offset ")
        assert entries[path].size_bytes == 9
        assert codes(anomalies) == ["iso-name"]

    def test_two_of_one_name_are_both_listed(self):
        """The second one is not hidden by the first, and it is said."""
        disc = Disc().primary([record(b"A.;1", 30, 1), record(b"A.;1", 31, 2)])
        nouns = list(next(open_volumes(disc.image, 0, 1, 0)).walk())
        assert [noun.size_bytes for noun in nouns if isinstance(noun, Entry)] == [1, 2]
        assert codes(noun for noun in nouns if isinstance(noun, Anomaly)) == ["iso-name-duplicate"]


class TestFields:
    """9.1.3 to 9.1.9: times, flags, extents."""

    def test_an_ordinary_file(self):
        """Every field that the record has, and nothing that it has not."""
        entries, _ = walked(Disc().primary([record(b"A.;1", 30, 5000, flags=1)]).image)
        entry = entries["/A"]
        assert entry.kind is EntryKind.FILE
        assert entry.size_bytes == 5000
        assert [(stream.name, stream.size_bytes, stream.extents) for stream in entry.streams] == [
            ("", 5000, (Extent(30, 5000),))
        ]
        assert entry.recorded == entry.modified == HOUR_EAST
        assert entry.hidden is True
        assert entry.flags == 1
        assert (entry.record_lba, entry.record_offset) == (20, 68)
        assert (entry.created, entry.mode, entry.uid, entry.link_target, entry.attributes) == (None,) * 5
        assert entry.deleted is False

    def test_an_empty_file_has_no_extents(self):
        """Whatever the record says of a place: writers put 0 or the next free block."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 4_000_000, 0)]).image)
        (stream,) = entries["/A"].streams
        assert stream.extents == ()
        assert stream.size_bytes == 0
        assert anomalies == []

    @pytest.mark.parametrize(
        ("date", "expected"),
        [
            (bytes((0, 1, 1, 0, 0, 0, 0)), Timestamp(1900, 1, 1, 0, 0, 0, 0, 0)),
            (bytes((255, 12, 31, 23, 59, 59, 52)), Timestamp(2155, 12, 31, 23, 59, 59, 0, 780)),
            (bytes((100, 2, 29, 0, 0, 0, 256 - 48)), Timestamp(2000, 2, 29, 0, 0, 0, 0, -720)),
            (bytes((99, 6, 7, 8, 9, 10, 256 - 21)), Timestamp(1999, 6, 7, 8, 9, 10, 0, -315)),
            (bytes(7), None),
        ],
    )
    def test_dates(self, date, expected):
        """9.1.5: years from 1900, quarters of an hour from Greenwich; seven zeros are no date."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 1, date=date)]).image)
        assert entries["/A"].recorded == expected
        assert anomalies == []

    @pytest.mark.parametrize(
        ("date", "expected"),
        [
            (bytes((104, 0, 21, 13, 5, 0, 8)), None),
            (bytes((104, 13, 21, 13, 5, 0, 8)), None),
            (bytes((104, 10, 0, 13, 5, 0, 8)), None),
            (bytes((104, 4, 31, 13, 5, 0, 8)), None),
            (bytes((100 + 1, 2, 29, 13, 5, 0, 8)), None),
            (bytes((0, 2, 29, 13, 5, 0, 8)), None),
            (bytes((104, 10, 21, 24, 5, 0, 8)), None),
            (bytes((104, 10, 21, 13, 60, 0, 8)), None),
            (bytes((104, 10, 21, 13, 5, 60, 8)), None),
            (bytes((0, 0, 0, 0, 0, 0, 4)), None),
            (bytes((104, 10, 21, 13, 5, 0, 53)), Timestamp(2004, 10, 21, 13, 5, 0)),
            (bytes((104, 10, 21, 13, 5, 0, 256 - 49)), Timestamp(2004, 10, 21, 13, 5, 0)),
        ],
    )
    def test_impossible_dates(self, date, expected):
        """Month 0 and 13 and their like are no date; an impossible offset is no offset; both are said."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 1, date=date)]).image)
        assert entries["/A"].recorded == expected
        assert codes(anomalies) == ["iso-date"]
        assert anomalies[0].seen == date.hex()
        assert (anomalies[0].lba, anomalies[0].offset) == (20, 68 + 18)

    def test_volume_sequence_numbers(self):
        """9.1.9: another volume's is said, 0 is said once for all, and both are noted."""
        files = [
            record(b"A.;1", 30, 1, sequence=2),
            record(b"B.;1", 30, 1, sequence=0),
            record(b"C.;1", 30, 1, sequence=0),
        ]
        entries, anomalies = walked(Disc().primary(files).image)
        assert entries["/A"].attributes == {"volume_sequence_number": 2}
        assert entries["/B"].attributes == {"volume_sequence_number": 0}
        assert [(a.code, a.path) for a in anomalies] == [
            ("iso-volume-sequence", "/A"),
            ("iso-volume-sequence", None),
        ]

    def test_reserved_flags(self):
        """9.1.6: bits 5 and 6 are reserved; the file is listed all the same."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 1, flags=0x40)]).image)
        assert entries["/A"].flags == 0x40
        assert codes(anomalies) == ["iso-file-flags"]

    def test_an_extent_past_the_image(self):
        """It stays as recorded, and it is said; one that ends with the last byte is right."""
        files = [record(b"A.;1", 62, 2 * SECTOR + 1), record(b"B.;1", 62, 2 * SECTOR)]
        entries, anomalies = walked(Disc(64).primary(files).image)
        assert entries["/A"].streams[0].extents == (Extent(62, 2 * SECTOR + 1),)
        assert [(a.code, a.path) for a in anomalies] == [("iso-extent-outside", "/A")]


class TestBothByteOrders:
    """7.3.3: the copies of a number differ. The first is used, unless only the other leads anywhere."""

    def test_both_possible(self):
        """Little-endian is used, and both are said."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 5, big_extent=31)]).image)
        assert entries["/A"].streams[0].extents == (Extent(30, 5),)
        assert codes(anomalies) == ["iso-both-endian"]
        assert anomalies[0].seen == "30 and 31"
        assert "30 is used" in anomalies[0].message
        assert (anomalies[0].lba, anomalies[0].offset, anomalies[0].path) == (20, 68 + 2, "/A")

    def test_only_the_big_endian_place_is_in_the_image(self):
        """Then it is used, and that is said."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 3_000_000, 5, big_extent=31)]).image)
        assert entries["/A"].streams[0].extents == (Extent(31, 5),)
        assert codes(anomalies) == ["iso-both-endian"]
        assert "31 is used" in anomalies[0].message

    def test_only_the_big_endian_length_fits(self):
        """The same for the data length."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 2**31, big_size=9)]).image)
        assert entries["/A"].size_bytes == 9
        assert codes(anomalies) == ["iso-both-endian"]

    def test_a_directory_is_found_by_its_own_record(self):
        """Of two places, the one where a directory says that it is; of two lengths, the one it states."""
        disc = Disc()
        inner = [record(name, 40, 3) for name in names(60)]
        size = disc.tree(inner, own=25, parent=20)
        wrong = record(b"DIR", 30, SECTOR, flags=2, big_extent=25, big_size=size)
        entries, anomalies = walked(disc.primary([wrong], [(b"DIR", 25, 1)]).image)
        assert len(entries) == 61
        assert entries["/DIR"].attributes == {"lba": 25}
        assert codes(anomalies) == ["iso-both-endian", "iso-both-endian"]

    def test_sequence_number(self):
        """16-bit numbers are compared too."""
        one = record(b"A.;1", 30, 5)
        one = one[:28] + both16(1, 7) + one[32:]
        _, anomalies = walked(Disc().primary([one]).image)
        assert [(a.code, a.offset) for a in anomalies] == [("iso-both-endian", 68 + 28)]


class TestSections:
    """6.5.1: a file of several sections is one file."""

    def test_many_sections_one_entry(self):
        """9.1.6 bit 7 on all but the last; extents in order, the sizes together."""
        parts = [
            record(b"BIG.BIN;1", 30, 2 * SECTOR, flags=0x80),
            record(b"BIG.BIN;1", 40, SECTOR, flags=0x80),
            record(b"BIG.BIN;1", 35, 100),
        ]
        disc = Disc().primary([record(b"A.;1", 50, 1), *parts, record(b"Z.;1", 51, 1)])
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/A", "/BIG.BIN", "/Z"]
        entry = entries["/BIG.BIN"]
        assert entry.size_bytes == 3 * SECTOR + 100
        assert entry.streams[0].extents == (Extent(30, 2 * SECTOR), Extent(40, SECTOR), Extent(35, 100))
        assert anomalies == []

    def test_sections_over_the_end_of_a_sector(self):
        """The last section stands in the directory's next sector."""
        before = [record(name, 50, 1) for name in names(40)]
        parts = [record(b"B" * 150, 30, SECTOR, flags=0x80), record(b"B" * 150, 31, 5)]
        entries, anomalies = walked(Disc().primary([*before, *parts]).image)
        assert len(entries) == 41
        assert entries["/" + "B" * 150].size_bytes == SECTOR + 5
        assert anomalies == []

    @pytest.mark.parametrize("follower", [[record(b"OTHER.;1", 31, 5)], []])
    def test_the_last_section_never_comes(self, follower):
        """What is there is listed, and it is said."""
        first = record(b"BIG.BIN;1", 30, SECTOR, flags=0x80)
        entries, anomalies = walked(Disc().primary([first, *follower]).image)
        assert entries["/BIG.BIN"].size_bytes == SECTOR
        assert len(entries) == 1 + len(follower)
        assert [(a.code, a.path) for a in anomalies] == [("iso-multi-extent", "/BIG.BIN")]

    def test_an_associated_file_is_a_stream_of_its_file(self):
        """6.5.4: same identifier, its record first; nothing of it is lost."""
        files = [record(b"PIC.;1", 30, 286, flags=4), record(b"PIC.;1", 31, 5000)]
        entries, anomalies = walked(Disc().primary(files).image)
        (entry,) = entries.values()
        assert [(s.name, s.size_bytes, s.extents) for s in entry.streams] == [
            ("", 5000, (Extent(31, 5000),)),
            ("associated", 286, (Extent(30, 286),)),
        ]
        assert entry.attributes == {"associated_record": {"lba": 20, "offset": 68, "flags": 4}}
        assert anomalies == []

    def test_an_associated_file_alone_is_an_entry(self):
        """Nothing to belong to: listed by itself, and it is said."""
        entries, anomalies = walked(
            Disc().primary([record(b"A.;1", 40, 1), record(b"PIC.;1", 30, 286, flags=4)]).image
        )
        assert entries["/PIC"].attributes == {"associated": True}
        assert entries["/PIC"].size_bytes == 286
        assert codes(anomalies) == ["iso-associated"]

    def test_interleaved(self):
        """6.4.3: file units of 2 blocks with gaps of 3, the last unit in part."""
        files = [record(b"A.;1", 30, 5 * SECTOR + 7, unit=2, gap=3)]
        entries, anomalies = walked(Disc().primary(files).image)
        assert entries["/A"].streams[0].extents == (
            Extent(30, 2 * SECTOR),
            Extent(35, 2 * SECTOR),
            Extent(40, SECTOR + 7),
        )
        assert entries["/A"].attributes == {"interleave": {"unit_blocks": 2, "gap_blocks": 3}}
        assert anomalies == []

    def test_interleaved_past_the_image(self):
        """The pieces that are there and the first that is not; it is said, and the size is as recorded."""
        entries, anomalies = walked(Disc(64).primary([record(b"A.;1", 58, 9 * SECTOR, unit=1, gap=2)]).image)
        assert entries["/A"].streams[0].extents == (
            Extent(58, SECTOR),
            Extent(61, SECTOR),
            Extent(64, SECTOR),
        )
        assert entries["/A"].size_bytes == 9 * SECTOR
        assert codes(anomalies) == ["iso-extent-outside"]

    def test_interleaving_that_cannot_be(self):
        """A gap without a unit, and millions of pieces: said, and no piece is invented."""
        files = [record(b"A.;1", 30, 5000, gap=3), record(b"B.;1", 30, 2**32 - 1, unit=1, gap=1)]
        entries, anomalies = walked(Disc().primary(files).image)
        assert entries["/A"].streams[0].extents == (Extent(30, 5000),)
        assert entries["/B"].streams[0].extents == ()
        assert entries["/B"].size_bytes == 2**32 - 1
        assert codes(anomalies) == ["iso-interleave", "iso-interleave"]


def xattr_record(*, version=1):
    """9.5 Extended Attribute Record."""
    data = (
        both16(17)  # 9.5.1 owner
        + both16(23)  # 9.5.2 group
        + bytes((0xAA, 0x55))  # 9.5.3 permissions
        + LONG_DATE  # 9.5.4 created
        + b"2005010203040506\0"  # 9.5.5 modified
        + b"0" * 16  # 9.5.6 expires: none
        + b"\0"
        + b"20050102030405060"[:16]  # 9.5.7 effective
        + b"\xf0"  # 16 quarters west
        + bytes((1, 2))  # 9.5.8, 9.5.9
        + both16(80)  # 9.5.10
        + b"VAX/VMS".ljust(32)  # 9.5.11
        + bytes(64)  # 9.5.12
        + bytes((version, 0))  # 9.5.13, 9.5.14
        + bytes(64)  # 9.5.15
        + both16(0)  # 9.5.16
    )
    assert len(data) == 250
    return data


class TestExtendedAttributeRecords:
    """6.4.6, 9.5: the record stands in front of the data."""

    def test_content_begins_behind_it(self):
        """Its length is in blocks (9.1.2); what it says is kept."""
        disc = Disc().put(30, xattr_record()).primary([record(b"A.;1", 30, 100, xattr=2)])
        volume = next(open_volumes(disc.image, 0, 1, 0))
        (entry,) = list(volume.walk())
        assert entry.streams[0].extents == (Extent(32, 100),)
        assert entry.created == Timestamp(2004, 10, 21, 13, 5, 0, 250_000_000, 120, 10_000_000)
        assert entry.modified == Timestamp(2005, 1, 2, 3, 4, 5, 60_000_000, 0, 10_000_000)
        assert entry.expires is None
        assert entry.effective.offset_minutes == -240
        assert entry.recorded == HOUR_EAST
        assert entry.attributes["xattr"] == {
            "owner": 17,
            "group": 23,
            "permissions": 0xAA55,
            "record_format": 1,
            "record_attributes": 2,
            "record_length": 80,
            "system_id": "VAX/VMS",
            "blocks": 2,
        }
        assert any(
            start <= 30 < start + count and start + count >= 32 for start, count in volume.structures()
        )

    def test_a_directory_may_have_one(self):
        """Then its first record is behind it."""
        disc = Disc().put(25, xattr_record())
        inner = packed([*dots(25, SECTOR, 20), record(b"IN.;1", 40, 3)])
        disc.put(26, inner).primary([record(b"DIR", 25, SECTOR, flags=2, xattr=1)], [(b"DIR", 25, 1)])
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/DIR", "/DIR/IN"]
        assert entries["/DIR"].attributes["lba"] == 26
        assert anomalies == []

    def test_interleaved_it_takes_whole_units(self):
        """6.4.6: in interleaved mode the data begins with the next file unit."""
        disc = (
            Disc().put(30, xattr_record()).primary([record(b"A.;1", 30, 3 * SECTOR, xattr=1, unit=2, gap=1)])
        )
        entries, _ = walked(disc.image)
        assert entries["/A"].streams[0].extents == (Extent(33, 2 * SECTOR), Extent(36, SECTOR))

    def test_an_unknown_version_is_not_read(self):
        """9.5.13: said, and nothing taken from it."""
        disc = Disc().put(30, xattr_record(version=9)).primary([record(b"A.;1", 30, 100, xattr=1)])
        entries, anomalies = walked(disc.image)
        assert entries["/A"].attributes is None
        assert codes(anomalies) == ["iso-extended-attribute"]

    def test_past_the_image(self):
        """Said, not read."""
        _, anomalies = walked(Disc(64).primary([record(b"A.;1", 64, 0, xattr=1)]).image)
        assert codes(anomalies) == ["iso-extended-attribute"]


class TestBehindTheLastRecord:
    """6.8.1.1: zeros behind the last record of a sector."""

    def test_a_whole_record_is_a_ghost(self):
        """It is listed, marked, and said; one more follows at any distance."""
        disc = Disc(80)
        disc.primary([record(b"A.;1", 30, 5)])
        end = len(packed([*dots(20, SECTOR), record(b"A.;1", 30, 5)]).rstrip(b"\0"))
        disc.put(20, record(b"GHOST.JPG;1", 31, 4000), offset=end + 10)
        disc.put(20, record(b"SECOND.JPG;1", 34, 4000), offset=end + 200)
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/A", "/GHOST.JPG", "/SECOND.JPG"]
        assert entries["/GHOST.JPG"].attributes == {"ghost": True}
        assert entries["/GHOST.JPG"].streams[0].extents == (Extent(31, 4000),)
        assert entries["/A"].attributes is None
        assert codes(anomalies) == ["iso-ghost-record"] * 2

    def test_a_directory_among_the_ghosts_is_entered(self):
        """What it holds is listed below it."""
        disc = Disc(80)
        disc.tree([record(b"IN.;1", 31, 4)], own=25, parent=20)
        disc.primary([record(b"A.;1", 30, 5)])
        disc.put(20, record(b"GONE", 25, SECTOR, flags=2), offset=1000)
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/A", "/GONE", "/GONE/IN"]
        assert codes(anomalies) == ["iso-ghost-record"]

    @pytest.mark.parametrize(
        "junk",
        [
            b"not a record, only text that somebody left here",
            record(b"X.;1", 31, 5, big_extent=32),
            record(b"X.;1", 9_000_000, 5),
            record(b"X.;1", 31, 5, date=bytes((104, 13, 1, 0, 0, 0, 0))),
            record(b"X.;1", 31, 5, flags=0x40),
            record(b"\0", 20, SECTOR, flags=2),
            record(b"\x03\x04", 31, 5),
        ],
    )
    def test_what_is_no_record_is_said_and_not_listed(self, junk):
        """Plausible in every field, or it is not taken for a record."""
        disc = Disc(80).primary([record(b"A.;1", 30, 5)])
        disc.put(20, junk, offset=1000)
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/A"]
        assert codes(anomalies) == ["iso-padding"]
        assert anomalies[0].path == "/"

    def test_behind_a_broken_record_the_others_are_found(self):
        """A length byte of 7: the sector's other records are recovered by their form, and marked."""
        broken = bytes((7,)) + record(b"B.;1", 31, 5)[1:]
        disc = Disc().primary([record(b"A.;1", 30, 5), broken, record(b"C.;1", 32, 5)])
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/A", "/C"]
        assert entries["/C"].attributes == {"recovered": True}
        assert codes(anomalies) == ["iso-record-length", "iso-record-recovered"]


class TestTheFirstTwoRecords:
    """6.8.2.2: a directory's record of itself and of its parent."""

    def directory(self, first, second):
        """A directory with those two records in front of one file."""
        disc = Disc().put(25, packed([first, second, record(b"IN.;1", 40, 3)]))
        return walked(disc.primary([record(b"DIR", 25, SECTOR, flags=2)], [(b"DIR", 25, 1)]).image)

    @pytest.mark.parametrize(
        ("first", "second", "where"),
        [
            (record(b"\0", 26, SECTOR, flags=2), record(b"\1", 20, SECTOR, flags=2), 2),
            (record(b"\0", 25, 4096, flags=2), record(b"\1", 20, SECTOR, flags=2), 10),
            (record(b"\0", 25, SECTOR, flags=2), record(b"\1", 21, SECTOR, flags=2), 36),
        ],
    )
    def test_leading_elsewhere(self, first, second, where):
        """Said once, and the directory is listed by the record that led to it."""
        entries, anomalies = self.directory(first, second)
        assert list(entries) == ["/DIR", "/DIR/IN"]
        assert [(a.code, a.path, a.lba, a.offset) for a in anomalies] == [("iso-dot", "/DIR", 25, where)]

    def test_missing(self):
        """Their absence is said."""
        disc = Disc().put(25, packed([record(b"IN.;1", 40, 3)]))
        disc.primary([record(b"DIR", 25, SECTOR, flags=2)], [(b"DIR", 25, 1)])
        entries, anomalies = walked(disc.image)
        assert list(entries) == ["/DIR", "/DIR/IN"]
        assert codes(anomalies) == ["iso-dot"]

    def test_their_identifiers_elsewhere(self):
        """7.6.2: reserved; a second record of the kind is no entry, and it is said."""
        entries, anomalies = walked(Disc().primary([record(b"\0", 20, SECTOR, flags=2)]).image)
        assert entries == {}
        assert codes(anomalies) == ["iso-identifier"]

    def test_a_writer_that_never_records_the_parent(self):
        """Where it is so in every directory, it is said once and counted."""
        disc = Disc(80)
        rows = []
        for number in range(5):
            disc.put(30 + number, packed(dots(30 + number, SECTOR)))
            rows.append((b"D%d" % number, 30 + number, 1))
        records = [record(name, lba, SECTOR, flags=2) for name, lba, _ in rows]
        _, anomalies = walked(disc.primary(records, rows).image)
        assert codes(anomalies) == ["iso-dot", "iso-dot"]
        assert anomalies[1].seen == "5"


class TestBlockSizes:
    """6.2.2: logical blocks of 512 and 1024 bytes."""

    @pytest.mark.parametrize("block", [512, 1024])
    def test_extents_count_blocks(self, block):
        """A file may begin inside a sector; offset_bytes says where."""
        per = SECTOR // block
        disc = Disc()
        size = SECTOR
        root = [record(b"\0", 20 * per, size, flags=2), record(b"\1", 20 * per, size, flags=2)]
        files = [record(b"A.;1", 30 * per + 1, 700), record(b"DIR", 25 * per, size, flags=2)]
        inner = [record(b"\0", 25 * per, size, flags=2), record(b"\1", 20 * per, size, flags=2)]
        disc.put(20, packed([*root, *files])).put(25, packed([*inner, record(b"IN.;1", 40 * per, 5)]))
        rows = [(b"\0", 20 * per, 1), (b"DIR", 25 * per, 1)]
        table = path_table(rows)
        places = {"path_table_size": len(table), "path_l": 18 * per, "path_m": 19 * per}
        disc.put(16, descriptor(root[0], block_size=block, blocks=64 * per, **places))
        disc.put(17, terminator()).put(18, table).put(19, path_table(rows, big=True))
        volume = next(open_volumes(disc.image, 0, 1, 0))
        nouns = list(volume.walk())
        entries = {noun.path: noun for noun in nouns if isinstance(noun, Entry)}
        assert volume.info.block_size_bytes == block
        assert entries["/A"].streams[0].extents == (Extent(30, 700, block),)
        assert entries["/DIR"].attributes == {"lba": 25}
        assert entries["/DIR/IN"].streams[0].extents == (Extent(40, 5, 0),)
        assert [noun for noun in nouns if isinstance(noun, Anomaly)] == []

    @pytest.mark.parametrize("stated", [0, 1, 4096, 65535])
    def test_an_impossible_size(self, stated):
        """Said; 2048 is used, and everything is found."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 5)], block_size=stated).image)
        assert entries["/A"].streams[0].extents == (Extent(30, 5),)
        assert codes(anomalies) == ["iso-block-size"]

"""Where content is (ECMA-119 6.2.2, 6.4): logical blocks of every size, interleaved file sections.

Content is laid out by hand, block by block, and must come back whole from the extents that are listed.
"""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.geometry import Extent
from analyze.anomaly import Anomaly
from analyze.entry import Entry
from analyze.iso9660.volume import open_volumes
from tests.analyze.isobytes import SECTOR, Disc, packed, path_table, record
from tests.analyze.isobytes import descriptor as volume_descriptor


def walked(image):
    """Entries by path, and the anomalies, of the only view."""
    (view,) = (noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly))
    nouns = list(view.walk())
    entries = {noun.path: noun for noun in nouns if isinstance(noun, Entry)}
    return entries, [noun for noun in nouns if isinstance(noun, Anomaly)]


def sampled(size, seed=b"content"):
    """`size` bytes of which no two blocks are alike."""
    return hashlib.shake_128(seed).digest(size)


def gathered(data, extents):
    """The bytes that the extents lead to."""
    starts = [(one.start_lba * SECTOR + one.offset_bytes, one.length_bytes) for one in extents]
    return b"".join(bytes(data[start : start + length]) for start, length in starts)


def interleaved(disc, content, *, block, unit, gap, first):
    """Lay `content` out as 6.4.3 has it: `unit` blocks of data, `gap` blocks of something else, and so on."""
    at, step = first * block, unit * block
    for start in range(0, len(content), step):
        piece = content[start : start + step]
        disc.data[at : at + len(piece)] = piece
        at += step
        disc.data[at : at + gap * block] = b"\xee" * (gap * block)
        at += gap * block
    return disc


def small_blocks(block, files, sectors=64):
    """A disc whose logical blocks are `block` bytes: every location counts such blocks (6.2.2, 8.4.12)."""
    per_sector = SECTOR // block
    disc = Disc(sectors)
    root = 20 * per_sector
    dots = [record(b"\0", root, SECTOR, flags=2), record(b"\1", root, SECTOR, flags=2)]
    disc.put(20, packed([*dots, *files]))
    rows = [(b"\0", root, 1)]
    disc.put(
        16,
        volume_descriptor(
            record(b"\0", root, SECTOR, flags=2),
            blocks=sectors * per_sector,
            block_size=block,
            path_table_size=len(path_table(rows)),
            path_l=18 * per_sector,
            path_m=19 * per_sector,
        ),
    )
    disc.put(17, b"\xffCD001\x01".ljust(SECTOR, b"\0"))
    return disc.put(18, path_table(rows)).put(19, path_table(rows, big=True))


class TestSmallBlocks:
    """6.2.2: logical blocks of 512 and 1024 bytes; extents then begin inside a sector."""

    @pytest.mark.parametrize("block", [512, 1024])
    def test_a_file_may_begin_at_every_block_of_a_sector(self, block):
        """Each of the files in a row of blocks gives exactly its own bytes."""
        count = 4 * SECTOR // block
        first = 30 * SECTOR // block
        files = [record(b"F%02d.;1" % number, first + number, block - 3) for number in range(count)]
        disc = small_blocks(block, files)
        contents = [sampled(block - 3, b"%d" % number) for number in range(count)]
        for number, content in enumerate(contents):
            disc.put(30, content, offset=number * block)
        entries, anomalies = walked(disc.image)
        got = [gathered(disc.data, entries[f"/F{number:02d}"].streams[0].extents) for number in range(count)]
        assert got == contents
        assert anomalies == []

    @pytest.mark.parametrize(("block", "number", "extent"), [(512, 123, (30, 1536)), (1024, 61, (30, 1024))])
    def test_the_extent_says_where_in_the_sector_it_begins(self, block, number, extent):
        """123 * 512 = 62976 = 30 * 2048 + 1536; 61 * 1024 = 62464 = 30 * 2048 + 1024."""
        entries, _ = walked(small_blocks(block, [record(b"A.;1", number, 9000)]).image)
        lba, offset = extent
        assert entries["/A"].streams[0].extents == (Extent(lba, 9000, offset),)

    @pytest.mark.parametrize("block", [512, 1024])
    def test_the_volume_says_its_size_in_blocks_and_it_is_shown_in_sectors(self, block):
        """8.4.8 counts logical blocks; sectors are 2048 bytes whatever the block is."""
        (view,) = open_volumes(small_blocks(block, []).image, 0, 1, 0)
        assert view.info.block_size_bytes == block
        assert view.info.length_sectors == 64

    @pytest.mark.parametrize("block", [512, 1024])
    def test_the_last_block_of_the_image_belongs_to_it_and_the_next_does_not(self, block):
        """The border counts bytes, not sectors."""
        last = 64 * SECTOR // block - 1
        entries, anomalies = walked(small_blocks(block, [record(b"A.;1", last, block)]).image)
        assert entries["/A"].streams[0].extents == (Extent(63, block, SECTOR - block),)
        assert anomalies == []
        _, anomalies = walked(small_blocks(block, [record(b"A.;1", last, block + 1)]).image)
        assert [note.code for note in anomalies] == ["iso-extent-outside"]

    @pytest.mark.parametrize("block", [512, 1024])
    def test_interleaved_file_units_count_blocks(self, block):
        """9.1.7, 9.1.8: unit and gap are in logical blocks, so pieces may begin inside sectors."""
        content = sampled(7 * block + 11)
        first = 30 * SECTOR // block + 1
        disc = small_blocks(block, [record(b"A.;1", first, len(content), unit=3, gap=2)])
        interleaved(disc, content, block=block, unit=3, gap=2, first=first)
        entries, anomalies = walked(disc.image)
        extents = entries["/A"].streams[0].extents
        assert [one.length_bytes for one in extents] == [3 * block, 3 * block, block + 11]
        assert gathered(disc.data, extents) == content
        assert anomalies == []

    def test_an_extended_attribute_record_takes_blocks_not_sectors(self):
        """9.1.2: its length counts logical blocks: one of 512 bytes leaves the data in the same sector."""
        disc = small_blocks(512, [record(b"A.;1", 120, 700, xattr=1)])
        disc.put(30, bytes(180) + b"\1" + bytes(69))  # 9.5.13: version 1, everything else 0
        entries, _ = walked(disc.image)
        assert entries["/A"].streams[0].extents == (Extent(30, 700, 512),)


class TestInterleaved:
    """6.4.3: a section in file units with gaps between them."""

    @pytest.mark.parametrize("gap", [1, 2, 5, 9])
    @pytest.mark.parametrize("unit", [1, 2, 3, 8])
    def test_the_content_comes_back_whole(self, unit, gap):
        """Nothing of a gap is in the content, for units and gaps of many sizes."""
        content = sampled(4 * SECTOR + 1234, b"%d %d" % (unit, gap))
        disc = Disc(120).primary([record(b"A.;1", 30, len(content), unit=unit, gap=gap)])
        interleaved(disc, content, block=SECTOR, unit=unit, gap=gap, first=30)
        entries, anomalies = walked(disc.image)
        extents = entries["/A"].streams[0].extents
        assert gathered(disc.data, extents) == content
        assert len(extents) == -(-len(content) // (unit * SECTOR))
        assert anomalies == []

    @settings(max_examples=60, deadline=None)
    @given(unit=st.integers(1, 6), gap=st.integers(1, 6), size=st.integers(1, 9 * SECTOR))
    def test_any_length_comes_back(self, unit, gap, size):
        """Also one that ends exactly with a unit, or one byte on either side of it."""
        content = sampled(size)
        disc = Disc(120).primary([record(b"A.;1", 30, size, unit=unit, gap=gap)])
        interleaved(disc, content, block=SECTOR, unit=unit, gap=gap, first=30)
        assert gathered(disc.data, walked(disc.image)[0]["/A"].streams[0].extents) == content

    @pytest.mark.parametrize("over", [-1, 0, 1])
    def test_a_length_about_a_whole_number_of_units(self, over):
        """A further piece is there only when a byte of it counts."""
        entries, _ = walked(Disc().primary([record(b"A.;1", 30, 2 * SECTOR + over, unit=1, gap=1)]).image)
        lengths = [one.length_bytes for one in entries["/A"].streams[0].extents]
        assert lengths == {-1: [SECTOR, SECTOR - 1], 0: [SECTOR, SECTOR], 1: [SECTOR, SECTOR, 1]}[over]

    def test_two_files_in_each_others_gaps(self):
        """What interleaving is for: the gap of one is the unit of the other, and no sector is in both."""
        files = [
            record(b"A.;1", 30, 4 * SECTOR, unit=1, gap=1),
            record(b"B.;1", 31, 4 * SECTOR, unit=1, gap=1),
        ]
        disc = Disc().primary(files)
        a, b = sampled(4 * SECTOR, b"a"), sampled(4 * SECTOR, b"b")
        for number in range(4):
            disc.put(30 + 2 * number, a[number * SECTOR : (number + 1) * SECTOR])
            disc.put(31 + 2 * number, b[number * SECTOR : (number + 1) * SECTOR])
        entries, anomalies = walked(disc.image)
        assert gathered(disc.data, entries["/A"].streams[0].extents) == a
        assert gathered(disc.data, entries["/B"].streams[0].extents) == b
        assert anomalies == []

    def test_a_unit_without_a_gap_is_one_piece(self):
        """No gap, nothing between the units: one extent; both numbers are noted as they stand."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 9000, unit=2)]).image)
        assert entries["/A"].streams[0].extents == (Extent(30, 9000),)
        assert entries["/A"].attributes == {"interleave": {"unit_blocks": 2, "gap_blocks": 0}}
        assert anomalies == []

    def test_an_empty_interleaved_file_has_no_piece(self):
        """A length of 0 has no file unit."""
        entries, anomalies = walked(Disc().primary([record(b"A.;1", 30, 0, unit=1, gap=1)]).image)
        assert entries["/A"].streams[0].extents == ()
        assert anomalies == []

    def test_a_file_of_an_interleaved_and_a_contiguous_section(self):
        """6.5.1: each section has its own mode; the content is one after the other."""
        one, two = sampled(3 * SECTOR, b"1"), sampled(SECTOR + 5, b"2")
        files = [
            record(b"A.;1", 30, len(one), unit=1, gap=2, flags=0x80),
            record(b"A.;1", 50, len(two)),
        ]
        disc = interleaved(Disc().primary(files), one, block=SECTOR, unit=1, gap=2, first=30).put(50, two)
        entries, anomalies = walked(disc.image)
        assert gathered(disc.data, entries["/A"].streams[0].extents) == one + two
        assert entries["/A"].size_bytes == len(one) + len(two)
        assert anomalies == []


class TestSectionsOfOneFile:
    """6.5.1, 9.1.6 bit 7: a file of several sections is one file."""

    @pytest.mark.parametrize("count", [2, 3, 20])
    def test_sections_out_of_order_on_the_disc(self, count):
        """Their order is that of the records, not that of their places."""
        parts = [sampled(SECTOR, b"%d" % number) for number in range(count)]
        places = [30 + count - number for number in range(count)]
        files = [
            record(b"BIG.;1", place, SECTOR, flags=0x80 if number < count - 1 else 0)
            for number, place in enumerate(places)
        ]
        disc = Disc().primary(files)
        for place, part in zip(places, parts, strict=True):
            disc.put(place, part)
        entries, anomalies = walked(disc.image)
        assert gathered(disc.data, entries["/BIG"].streams[0].extents) == b"".join(parts)
        assert anomalies == []

    def test_a_section_of_no_bytes_in_the_middle(self):
        """It adds nothing, and the sections around it stay."""
        files = [
            record(b"A.;1", 30, SECTOR, flags=0x80),
            record(b"A.;1", 0, 0, flags=0x80),
            record(b"A.;1", 40, 9),
        ]
        entries, anomalies = walked(Disc().primary(files).image)
        assert entries["/A"].streams[0].extents == (Extent(30, SECTOR), Extent(40, 9))
        assert anomalies == []

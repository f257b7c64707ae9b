"""SectorMap against GNU ddrescue's own test maps, its own programs, and a plain list of bytes."""

import re
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.errors import ContainerError, DestinationError, SourceError
from acquire.geometry import SectorRange
from acquire.sectormap import MAX_MAP_BYTES, Run, SectorMap, Status

LISTED = {
    "non-tried": Status.NON_TRIED,
    "rescued": Status.FINISHED,
    "non-trimmed": Status.NON_TRIMMED,
    "non-scraped": Status.NON_SCRAPED,
    "bad-sector": Status.BAD,
}


def ddrescuelog_totals(text: str) -> dict[str, tuple[int, int]]:
    """`ddrescuelog -t`: bytes and areas by status (only figures printed in plain bytes)."""
    found = re.findall(r"^ *([a-z-]+): +(\d+) B,  in +(\d+) area", text, re.MULTILINE)
    return {name: (int(size), int(areas)) for name, size, areas in found}


def our_totals(made: SectorMap) -> dict[str, tuple[int, int]]:
    return {
        name: (made.count_bytes(status), sum(run.status == status for run in made.runs()))
        for name, status in LISTED.items()
    }


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["mapfile1", "mapfile2", "mapfile3", "mapfile4", "mapfile6"])
def test_ddrescue_own_test_maps(corpus, name):
    """Bytes and areas of every status are those that `ddrescuelog -t` lists for ddrescue's test maps."""
    path = corpus(f"gddrescue/{name}")
    oracle = corpus(f"gddrescue/{name}.oracle.txt").read_text()
    assert our_totals(SectorMap.load(path)) == ddrescuelog_totals(oracle)


@pytest.mark.corpus
def test_map_with_gaps(corpus):
    """A map with gaps is refused with the line that `ddrescuelog` names."""
    oracle = corpus("gddrescue/mapfile2i.oracle.txt").read_text()
    assert "line 5: Blocks are not contiguous" in oracle
    with pytest.raises(ContainerError, match=r"not contiguous \(line 5 "):
        SectorMap.load(corpus("gddrescue/mapfile2i"))


@pytest.mark.corpus
def test_blank_and_real_maps(corpus):
    """A blank map is one non-tried run; a map of a real 1 TB disc keeps its figures beyond 32 bits."""
    blank = SectorMap.load(corpus("gddrescue/mapfile_blank"))
    assert list(blank.runs()) == [Run(0, 0x11C48, Status.NON_TRIED)]
    disc = SectorMap.load(corpus("gddrescue_mapfile_to_dfxml/damage_sample_1/damage_sample.img.mapfile"))
    assert list(disc.runs()) == [
        Run(0, 0x200, Status.BAD),
        Run(0x200, 0x63FFFFFE00, Status.FINISHED),
        Run(0x6400000000, 0x40000000, Status.BAD),
        Run(0x6440000000, 0x84A0DB6000, Status.FINISHED),
    ]
    assert disc.position_bytes == 0x6440000000


@pytest.mark.corpus
def test_sectors_lost_by_real_ddrescue(corpus):
    """The sectors that ddrescue lost (25, 49, 51, 65 to 74 of 2048 bytes) are the unread ones."""
    made = SectorMap.load(corpus("toolmade/ddrescue/bad_finished.mapfile"))
    assert made.unread(2048) == ((25, 1), (49, 1), (51, 1), (65, 10))


def test_numbers_comments_and_statuses():
    """Decimal, octal and hexadecimal numbers, comments anywhere, all five statuses (ddrescue manual)."""
    made = SectorMap.parse(
        b"# head\n\n  0x10 ? 2 # where\n"
        b"# between\n0 010 ?\n8\t0X8 *   # tab, capital X\n020 16 /\r\n  0x20 020 -\n48 +1 + # plus sign\n"
    )
    assert list(made.runs()) == [
        Run(0, 8, Status.NON_TRIED),
        Run(8, 8, Status.NON_TRIMMED),
        Run(16, 16, Status.NON_SCRAPED),
        Run(32, 16, Status.BAD),
        Run(48, 1, Status.FINISHED),
    ]
    assert made.size_bytes == 49
    assert made.position_bytes == 16


def test_blocks_that_do_not_begin_at_zero():
    """Bytes before the first block are non-tried; neighbours of one status are one run."""
    made = SectorMap.parse(b"0 +\n0x800 0x800 +\n0x1000 0x800 +\n")
    assert list(made.runs()) == [Run(0, 0x800, Status.NON_TRIED), Run(0x800, 0x1000, Status.FINISHED)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "no status line"),
        (b"# only a comment\n", "no status line"),
        (b"0 0x800 +\n", "line 1 is not a status line"),
        (b"0 + 0\n0 8 +\n", "line 1 is not a status line"),
        (b"0 +\n0 8 x\n", "line 2 is not a block"),
        (b"0 +\n0 8\n", "line 2 is not a block"),
        (b"0 +\n0 8 + junk\n", "line 2 is not a block"),
        (b"0 +\n0 -8 +\n", "line 2 is not a block"),
        (b"0 +\n08 8 +\n", "line 2 is not a block"),
        (b"0 +\n0 0 +\n", "line 2 is a block of no size"),
        (b"0 +\n0 0x800 +\n0x900 0x100 -\n", "line 3 is at byte 2304, not 2048"),
        (b"0 +\n0 0x800 +\n\n0x700 0x100 -\n", "line 4 is at byte 1792, not 2048"),
        (b"0 +\n0 0x8000000000000000 +\n", "line 2 reaches past 2^63"),
        (b"0x8000000000000000 +\n", "line 1 reaches past 2^63"),
        (b"0 +\n0 " + b"9" * 5000 + b" +\n", "line 2 is not a block"),
        (b"\x00\xff\xfe garbage", "line 1 is not a status line"),
        (b" " * (MAX_MAP_BYTES + 1), "more than"),
    ],
)
def test_what_is_not_a_map(text, words):
    """Each fault is one sentence that names the line."""
    with pytest.raises(ContainerError, match=re.escape(words)):
        SectorMap.parse(text, where="x.map")


def test_missing_and_unwritable(tmp_path: Path):
    """A map that is not there, and a folder that is not there, are one sentence each."""
    with pytest.raises(SourceError, match="No such file"):
        SectorMap.load(tmp_path / "absent.map")
    with pytest.raises(DestinationError):
        SectorMap(10).save(tmp_path / "absent" / "x.map")


def test_save_replaces_whole(tmp_path: Path):
    """Saving leaves the map and nothing else, and replaces what was there."""
    path = tmp_path / "x.map"
    path.write_bytes(b"old")
    SectorMap(10, Status.FINISHED).save(path, comments=["Mapfile. Created by a test", "two\nlines\r# one"])
    assert path.read_text().splitlines() == [
        "# Mapfile. Created by a test",
        "# two lines # one",
        "# current_pos  current_status  current_pass",
        "0x00000000     +               1",
        "#      pos        size  status",
        "0x00000000  0x0000000A  +",
    ]
    assert list(tmp_path.iterdir()) == [path]


STATUSES = st.sampled_from(list(Status))
MARKS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), STATUSES), max_size=30)


@given(MARKS)
def test_marks_like_a_list_of_bytes(marks):
    """After any marks, the runs are those of a plain list with one status a byte, and never touch equal."""
    made = SectorMap(60)
    plain = [Status.NON_TRIED] * 60
    for one, other, status in marks:
        start, end = sorted((one, other))
        made.mark(start, end - start, status)
        plain[start:end] = [status] * (end - start)
    assert [run.status for run in made.runs() for _ in range(run.length_bytes)] == plain
    statuses = [run.status for run in made.runs()]
    assert all(a != b for a, b in pairwise(statuses))
    for sector in (1, 7, 16):
        lost = {at // sector for at, status in enumerate(plain) if status != Status.FINISHED}
        assert {lba for run in made.unread(sector) for lba in range(run.start_lba, run.end_lba)} == lost
    assert [made.status(at) for at in range(60)] == plain


@given(MARKS, st.integers(0, 59))
def test_what_is_written_is_read(marks, position):
    """A map that was saved reads back as itself."""
    made = SectorMap(60)
    for one, other, status in marks:
        start, end = sorted((one, other))
        made.mark(start, end - start, status)
    made.position_bytes = position
    again = SectorMap.parse(made.render(comments=["any ☃ comment"]))
    assert list(again.runs()) == list(made.runs())
    assert again.position_bytes == position


@given(st.binary(max_size=300))
def test_any_bytes(text):
    """Any bytes either are a map or are refused by ContainerError, and by nothing else."""
    try:
        made = SectorMap.parse(text)
    except ContainerError:
        return
    assert sum(run.length_bytes for run in made.runs()) == made.size_bytes


def test_empty_map():
    """A disc of no bytes has no runs and no unread sectors."""
    made = SectorMap(0)
    made.mark(0, 0, Status.BAD)
    assert list(made.runs()) == []
    assert made.unread(2048) == ()


def test_part_of_a_sector():
    """A sector of which one byte is bad is unread; the last one may be short."""
    made = SectorMap(5000, Status.FINISHED)
    made.mark(2047, 1, Status.BAD)
    made.mark(4999, 1, Status.NON_TRIED)
    assert made.unread(2048) == (SectorRange(0, 1), SectorRange(2, 1))


@pytest.mark.tools
@settings(max_examples=40, deadline=None)
@given(marks=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), STATUSES), max_size=30))
def test_ddrescuelog_reads_ours(tool, tmp_path_factory, marks):
    """`ddrescuelog -t` finds in our maps the bytes and areas that were marked."""
    program = tool("ddrescuelog")
    made = SectorMap(900)
    for one, other, status in marks:
        start, end = sorted((one, other))
        made.mark(start, end - start, status)
    path = tmp_path_factory.mktemp("map") / "ours.map"
    made.save(path, comments=["Mapfile. Created by a test"])
    out = subprocess.run([program, "-t", path], check=True, capture_output=True, text=True).stdout
    assert ddrescuelog_totals(out) == our_totals(made)


@pytest.mark.tools
def test_ddrescue_goes_on_from_ours(tool, tmp_path: Path):
    """The real ddrescue takes our map, reads only what is left, and its map then says that all is read."""
    disc = tmp_path / "disc"
    disc.write_bytes(bytes(range(256)) * 64)
    copy = tmp_path / "copy"
    copy.write_bytes(b"\xaa" * 16384)
    made = SectorMap(16384, Status.FINISHED)
    made.mark(4096, 2048, Status.NON_TRIED)
    made.save(tmp_path / "m")
    subprocess.run([tool("ddrescue"), "-q", "-b", "2048", disc, copy, tmp_path / "m"], check=True)
    expected = bytearray(b"\xaa" * 16384)
    expected[4096:6144] = disc.read_bytes()[4096:6144]
    assert copy.read_bytes() == expected
    assert list(SectorMap.load(tmp_path / "m").runs()) == [Run(0, 16384, Status.FINISHED)]


@pytest.mark.tools
def test_ddrescue_test_mode_map(tool, tmp_path: Path):
    """Sectors that a real ddrescue could not read (simulated from a map) are unread in its own map."""
    disc = tmp_path / "disc"
    disc.write_bytes(bytes(256 * 2048))
    faults = SectorMap(256 * 2048, Status.FINISHED)
    for lba, count in ((3, 1), (100, 5), (250, 2)):
        faults.mark(lba * 2048, count * 2048, Status.BAD)
    faults.save(tmp_path / "faults")
    subprocess.run(
        [
            tool("ddrescue"),
            "-q",
            "-H",
            tmp_path / "faults",
            "-b",
            "2048",
            disc,
            tmp_path / "o",
            tmp_path / "m",
        ],
        check=False,
    )
    assert SectorMap.load(tmp_path / "m").unread(2048) == ((3, 1), (100, 5), (250, 2))

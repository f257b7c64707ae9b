"""Addresses: figures from ECMA-130 and MMC, and laws that must hold for any ranges."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from acquire.geometry import HOLE, Extent, SectorRange, merge, msf, sectors

ranges = st.builds(SectorRange, st.integers(0, 300), st.integers(-3, 40))


def _set(many):
    return {lba for start, count in many for lba in range(start, start + count)}


def test_msf_is_that_of_the_standard():
    """MMC: LBA 0 is 00:02:00, LBA -150 is 00:00:00; 333,000 sectors are 74 minutes (74:00:00)."""
    assert msf(0) == "00:02:00"
    assert msf(-150) == "00:00:00"
    assert msf(16) == "00:02:16"
    assert msf(333_000 - 150) == "74:00:00"
    assert msf(-151) == "-00:00:01"


def test_sectors_round_up():
    """A byte more than a sector is two sectors; none is none; raw sectors have their own size."""
    assert [sectors(n) for n in (0, 1, 2047, 2048, 2049, 4096)] == [0, 1, 1, 1, 2, 2]
    assert sectors(2353, 2352) == 2


def test_an_extent_counts_the_sectors_it_touches():
    """A piece that begins inside a sector can reach into the next; a hole touches none."""
    assert Extent(10, 2048).length_sectors == 1
    assert Extent(10, 2048, 512).length_sectors == 2
    assert Extent(10, 1536, 512).length_sectors == 1
    assert Extent(10, 0).length_sectors == 0
    assert Extent(HOLE, 1 << 40).length_sectors == 0


@given(st.lists(ranges, max_size=30))
def test_merge_keeps_every_sector_and_joins_neighbours(many):
    """The same sectors before and after; sorted, apart by at least one sector, none empty."""
    merged = merge(many)
    assert _set(merged) == _set(many)
    assert all(a.end_lba < b.start_lba for a, b in itertools.pairwise(merged))
    assert all(r.length_sectors > 0 for r in merged)

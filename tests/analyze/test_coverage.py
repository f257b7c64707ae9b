"""Owned and unowned sectors add up to all sectors, whatever is claimed."""

import random

from hypothesis import given
from hypothesis import strategies as st

from acquire.geometry import HOLE, Extent, SectorRange
from analyze.coverage import Claims, Coverage, Overlap, overlaps

WILD = st.one_of(st.integers(-20, 120), st.integers(-(2**40), 2**40))


@given(st.integers(0, 100), st.lists(st.tuples(WILD, WILD), max_size=30))
def test_any_claims_leave_every_sector_owned_or_unowned(sector_count, claims):
    """Wild claims are clipped; each sector is in exactly one of the two, as a plain set says."""
    claimed = Claims(sector_count)
    for start, count in claims:
        claimed.claim(start, count)
    coverage = claimed.coverage()
    expected = {
        lba for lba in range(sector_count) if any(start <= lba < start + count for start, count in claims)
    }
    owned = {lba for start, count in coverage.owned for lba in range(start, start + count)}
    unowned = [lba for start, count in coverage.unowned() for lba in range(start, start + count)]
    assert owned == expected
    assert unowned == sorted(set(range(sector_count)) - expected)
    assert coverage.sectors_owned + coverage.sectors_unowned == sector_count
    assert coverage.sectors_owned == len(expected)


@given(st.integers(0, 110))
def test_unowned_from_a_place_on(start):
    """Asked from `start` on, only later sectors are named."""
    coverage = Coverage((SectorRange(10, 5), SectorRange(40, 20)), 100)
    seen = {lba for first, count in coverage.unowned(start) for lba in range(first, first + count)}
    assert seen == {lba for lba in range(start, 100) if not (10 <= lba < 15 or 40 <= lba < 60)}


def test_asking_in_between_loses_nothing():
    """Claims go on after the coverage was looked at."""
    claims = Claims(10)
    claims.claim(0, 2)
    assert claims.coverage().sectors_owned == 2
    claims.claim(2, 2)
    claims.claim(8, 1)
    assert claims.coverage().owned == (SectorRange(0, 4), SectorRange(8, 1))
    assert claims.coverage() == claims.coverage()


def test_extents_own_every_sector_that_they_touch_and_holes_none():
    """2049 bytes from byte 2047 of sector 3 touch sectors 3 and 4 and, with one more byte, 5."""
    claims = Claims(100)
    claims.claim_extents([Extent(3, 2049, 2047), Extent(HOLE, 10**12), Extent(50, 0), Extent(60, 1, 4096)])
    assert claims.coverage().owned == (SectorRange(3, 2), SectorRange(60, 3))
    claims.claim_extents([Extent(3, 2050, 2047)])
    assert claims.coverage().owned == (SectorRange(3, 3), SectorRange(60, 3))


def test_memory_follows_the_gaps_not_the_files():
    """300,000 files in random order that leave no gap are kept as one range."""
    claims = Claims(1_000_000)
    places = list(range(300_000))
    random.Random(4).shuffle(places)
    for place in places:
        claims.claim(place * 3, 3)
    assert claims.coverage().owned == (SectorRange(0, 900_000),)
    assert len(claims._pending) == 0


def test_identical_content_is_no_overlap():
    """Hard links and several views of one file name the same extent."""
    assert list(overlaps([(1, Extent(10, 5000)), (2, Extent(10, 5000)), (3, Extent(13, 10))])) == []


def test_overlap_names_both_and_the_shared_bytes():
    """File 2 begins in the second sector of file 1 and ends after it; file 3 lies inside file 2."""
    found = list(overlaps([(1, Extent(10, 4096)), (2, Extent(11, 4096)), (3, Extent(12, 100, 8))]))
    assert found == [Overlap(1, 2, 11 * 2048, 2048), Overlap(2, 3, 12 * 2048 + 8, 100)]


def test_content_embedded_in_one_sector_does_not_overlap():
    """Two short pieces of one sector are apart by their offsets; holes and empty ones count for nothing."""
    pieces = [(1, Extent(10, 500, 0)), (2, Extent(10, 500, 512)), (3, Extent(HOLE, 9)), (4, Extent(10, 0, 9))]
    assert list(overlaps(pieces)) == []


@given(st.sets(st.tuples(st.integers(0, 10), st.integers(0, 9000)), max_size=12))
def test_every_piece_that_shares_bytes_with_an_earlier_one_is_named(pieces):
    """Against every pair of different pieces: named if, and only if, one before it shares bytes with it."""
    ordered = sorted((start, length) for start, length in pieces if length)
    named = {o.second for o in overlaps((key, Extent(*piece)) for key, piece in enumerate(ordered))}
    for key, (start, length) in enumerate(ordered):
        sharing = [other for other in ordered[:key] if other[0] * 2048 + other[1] > start * 2048]
        assert (key in named) == bool(sharing), (ordered, key, length)

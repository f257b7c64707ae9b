"""RangeSet answers which sectors and which bytes of a stream share a property."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from acquire.geometry import HOLE, Extent, SectorRange
from analyze.ranges import RangeSet

SPANS = st.builds(SectorRange, st.integers(0, 60), st.integers(0, 12))


def numbers(ranges):
    """The sectors of ranges, one by one."""
    return {lba for start, count in ranges for lba in range(start, start + count)}


@given(st.lists(SPANS, max_size=8), SPANS)
def test_within_and_without_divide_a_span(ranges, span):
    """Counted sector by sector, `within` is the intersection and `without` the rest; both in order."""
    chosen = RangeSet(ranges)
    inside, outside = chosen.within(span), chosen.without(span)
    assert numbers(inside) == numbers(ranges) & numbers([span])
    assert numbers(outside) == numbers([span]) - numbers(ranges)
    assert inside == sorted(inside)
    assert outside == sorted(outside)
    assert all(count > 0 for _, count in [*inside, *outside])


def test_an_empty_set_is_false_and_touches_nothing():
    assert not RangeSet()
    assert RangeSet([SectorRange(5, 0)]).ranges == ()
    assert not RangeSet().touches((Extent(0, 10_000),))
    assert RangeSet().bytes_of((Extent(0, 10_000),)) == []


EXTENTS = st.lists(
    st.one_of(
        st.builds(Extent, st.integers(0, 40), st.integers(0, 9000), st.sampled_from([0, 0, 512, 1536, 3000])),
        st.builds(Extent, st.just(HOLE), st.integers(0, 5000), st.just(0)),
    ),
    max_size=5,
)


@given(st.lists(SPANS, max_size=6), EXTENTS)
def test_bytes_of_a_stream_match_a_count_byte_by_byte(ranges, extents):
    """Each byte of the stream is located on the disc by hand and looked up in the plain set of sectors."""
    bad = numbers(ranges)
    expected = []
    position = 0
    for start, length, offset in extents:
        if start != HOLE:
            expected += [position + i for i in range(length) if start + (offset + i) // 2048 in bad]
        position += length
    found = RangeSet(ranges).bytes_of(extents)
    assert [at + i for at, count in found for i in range(count)] == expected
    assert all(a + n < b for (a, n), (b, _) in pairwise(found)), "not joined"
    if expected:
        assert RangeSet(ranges).touches(extents)

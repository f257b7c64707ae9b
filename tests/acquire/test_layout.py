"""Layouts read bytes that were assembled by hand."""

from typing import NamedTuple

import pytest

from acquire.layout import U8, Big16, Both16, Both32, Bytes4, Disagreement, Layout, Little32


class _Record(NamedTuple):
    kind: U8
    extent: Both32
    tag: Bytes4
    number: Both16


RECORD = Layout(_Record, size=1 + 8 + 4 + 4)
GOOD = b"\x07" + b"\x17\0\0\0" + b"\0\0\0\x17" + b"CD00" + b"\x02\x01" + b"\x01\x02"


def test_fields_come_in_order_with_the_little_endian_copy():
    """Both-endian fields take eight and four bytes and read as their first copy."""
    assert RECORD.read(b"xx" + GOOD, 2) == _Record(7, 0x17, b"CD00", 0x0102)
    assert RECORD.agrees(GOOD)


def test_a_disagreement_is_named_with_its_place_and_both_values():
    """One flipped bit in the big-endian copy is found, and only there."""
    bad = bytearray(GOOD)
    bad[8] ^= 0x01
    assert list(RECORD.disagreements(bad)) == [Disagreement("extent", 1, 0x17, 0x16)]
    assert not RECORD.agrees(bad)
    assert list(RECORD.disagreements(b"??" + bytes(bad), 2)) == [Disagreement("extent", 1, 0x17, 0x16)]


def test_a_layout_of_the_wrong_size_is_a_bug_of_ours():
    """The size that the standard gives is checked when the module is imported."""
    with pytest.raises(AssertionError, match="17 bytes, not 18"):
        Layout(_Record, size=18)


def test_big_endian_structures_read_big_endian():
    """A structure of one byte order takes it from its fields; two orders in one are refused."""

    class Big(NamedTuple):
        flag: U8
        count: Big16

    class Mixed(NamedTuple):
        a: Big16
        b: Little32

    assert Layout(Big, size=3).read(b"\x01\x12\x34") == Big(1, 0x1234)
    with pytest.raises(AssertionError, match="mixes byte orders"):
        Layout(Mixed, size=6)

"""The error detection code of CD sectors, against polynomial division as ECMA-130 writes it."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.edcecc import edc


def product(first: int, second: int) -> int:
    """The product of two polynomials over GF(2), a bit for a term."""
    made = 0
    while second:
        if second & 1:
            made ^= first
        first, second = first << 1, second >> 1
    return made


P1 = 1 << 16 | 1 << 15 | 1 << 2 | 1
P2 = 1 << 16 | 1 << 2 | 1 << 1 | 1
CHECK = product(P1, P2)  # ECMA-130 14.3: P(x) = (x^16 + x^15 + x^2 + 1)(x^16 + x^2 + x + 1)


def remainder(data: bytes) -> int:
    """What is left of `data` as a polynomial, each byte's least significant bit first, divided by CHECK."""
    left = 0
    for byte in data:
        for bit in range(8):
            left = left << 1 | (byte >> bit & 1)
            if left >> 32:
                left ^= CHECK
    return left


def with_edc(data: bytes) -> bytes:
    """`data` with its EDC behind it, as a sector has it."""
    return data + edc(data).to_bytes(4, "little")


def test_nothing_and_zeros_have_an_edc_of_zero():
    """ECMA-130 14.3 has no initial value and no final inversion."""
    assert edc(b"") == 0
    assert edc(bytes(2064)) == 0


@pytest.mark.parametrize("bit", range(8))
def test_one_bit_is_the_power_of_x_that_it_stands_for(bit):
    """A byte of one bit, 32 places up for the EDC itself: x^(32+7-bit) divided by hand."""
    left = 1
    for _ in range(32 + 7 - bit):
        left <<= 1
        if left >> 32:
            left ^= CHECK
    mirrored = int(f"{left:032b}"[::-1], 2)
    assert edc(bytes([1 << bit])) == mirrored


@given(st.binary(max_size=300))
def test_what_is_followed_by_its_edc_is_divisible(data):
    """ECMA-130 14.3: the codeword must be divisible by the check polynomial."""
    assert remainder(with_edc(data)) == 0


@given(st.binary(min_size=1, max_size=200), st.data())
def test_any_single_wrong_bit_is_seen(data, choice):
    """The remainder of one flipped bit is never zero: the EDC changes wherever it is."""
    at = choice.draw(st.integers(0, len(data) * 8 - 1))
    changed = bytearray(data)
    changed[at // 8] ^= 1 << at % 8
    assert edc(changed) != edc(data)


@given(st.binary(max_size=100), st.binary(max_size=100))
def test_it_is_linear(first, second):
    """A code without start value: the EDC of a sum is the sum of the EDCs."""
    size = max(len(first), len(second))
    one, two = first.ljust(size, b"\0"), second.ljust(size, b"\0")
    both = bytes(a ^ b for a, b in zip(one, two, strict=True))
    assert edc(both) == edc(one) ^ edc(two)


def test_every_burst_of_up_to_32_bits_is_seen():
    """A code of degree 32 sees any burst no longer than itself."""
    data = random.Random(130).randbytes(64)
    for start in range(0, 64 * 8 - 32, 7):
        for pattern in (0b11, 0x80000001, 0xFFFFFFFF, 0xDEADBEEF | 1):
            number = int.from_bytes(data, "little") ^ (pattern << start)
            assert edc(number.to_bytes(64, "little")) != edc(data)


def test_views_and_arrays_are_taken_as_bytes_are():
    data = random.Random(1).randbytes(2064)
    assert edc(memoryview(data)) == edc(bytearray(data)) == edc(data)
    assert edc(memoryview(data)[16:]) == edc(data[16:])


# What is covered, and where its EDC stands: ECMA-130 14.2 (mode 1), CD-ROM XA (form 1 and form 2).
MODE_1 = (0, 2064)
FORM_1 = (16, 2072)
FORM_2 = (16, 2348)

SOUND = [
    ("cdi_0_sector17_valid_sync_valid_mode2_form1", FORM_1),
    ("cdi_1_sector17_invalid_sync_valid_mode2_form1", FORM_1),
    ("ibmpc_0_sector0_valid_sync_valid_mode1", MODE_1),
    ("psx_0_sector12_valid_sync_valid_mode2_form2_with_edc", FORM_2),
    ("psx_1_sector12_invalid_sync_valid_mode2_form2_with_edc", FORM_2),
]
UNSOUND = [
    ("cdi_2_sector17_invalid_sync_valid_mode2_form1_edc_error", FORM_1),
    ("ibmpc_3_sector0_invalid_sync_valid_mode1_edc_error", MODE_1),
    ("psx_2_sector12_invalid_sync_valid_mode2_form2_edc_error", FORM_2),
]


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "place"), SOUND)
def test_sectors_that_another_project_calls_valid_hold_the_edc_computed(corpus, name, place):
    """Single sectors of real discs; the file's name is the verdict, division by hand a second one."""
    sector = corpus(f"DiscImageCreator-test/{name}.bin").read_bytes()
    start, end = place
    assert remainder(sector[start : end + 4]) == 0
    assert edc(sector[start:end]).to_bytes(4, "little") == sector[end : end + 4]


@pytest.mark.corpus
@pytest.mark.parametrize(("name", "place"), UNSOUND)
def test_sectors_that_another_project_gave_an_edc_error_do_not(corpus, name, place):
    """The same with a wrong EDC, as the file's name says."""
    sector = corpus(f"DiscImageCreator-test/{name}.bin").read_bytes()
    start, end = place
    assert remainder(sector[start : end + 4]) != 0
    assert edc(sector[start:end]).to_bytes(4, "little") != sector[end : end + 4]


@pytest.mark.corpus
def test_a_real_sector_with_any_byte_changed_has_another_edc(corpus):
    """Of a real mode 1 sector, one byte in each 50 changed: the recorded EDC no longer fits."""
    sector = corpus("DiscImageCreator-test/ibmpc_0_sector0_valid_sync_valid_mode1.bin").read_bytes()
    for at in range(0, 2064, 50):
        changed = bytearray(sector[:2064])
        changed[at] ^= 0x10
        assert edc(changed).to_bytes(4, "little") != sector[2064:2068]

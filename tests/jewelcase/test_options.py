"""Sizes and digests as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.errors import UsageError
from jewelcase.verbs.options import size_bytes

# The meanings are those of GNU dd and split: KB 1000, K and KiB 1024.
SIZES = {
    "1": 1,
    "2048": 2048,
    "2048B": 2048,
    "1kB": 1000,
    "1K": 1024,
    "1KiB": 1024,
    "650MB": 650_000_000,
    "650 MB": 650_000_000,
    "650MiB": 681_574_400,
    "2GB": 2_000_000_000,
    "2G": 2_147_483_648,
    "2gib": 2_147_483_648,
    "1TB": 1_000_000_000_000,
    "1TiB": 1_099_511_627_776,
}


@pytest.mark.parametrize("text", SIZES)
def test_sizes_mean_what_dd_and_split_make_of_them(text):
    assert size_bytes(text) == SIZES[text]


@pytest.mark.parametrize(
    "text",
    ["", "0", "0GB", "-1", "+1", "1.5GB", "GB", "1XB", "1GBB", "1 2", "0x10", "1e9", "٣", "²", "1" * 30],
)
def test_what_is_no_size_is_refused_with_an_example(text):
    """Nothing is rounded, guessed or taken for zero."""
    with pytest.raises(UsageError, match="Write it like 650MB"):
        size_bytes(text)


@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_error_of_the_world(text):
    """No text at all makes a traceback."""
    try:
        size = size_bytes(text)
    except UsageError:
        return
    assert size > 0

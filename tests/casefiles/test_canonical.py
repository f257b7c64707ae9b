"""Canonical JSON: the bytes over which everything is digested."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casefiles.canonical import canonical, plain, row_text, whole_text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcXYZ_09", max_size=6), inner, max_size=4)
    ),
    max_leaves=20,
)


def test_the_examples_of_rfc_8785_come_out_as_printed_there():
    """RFC 8785 3.2.3, without the number that is a fraction: order of members, escapes, no white space."""
    given_ = {
        "string": '\u20ac$\u000f\nA\'B"\\\\"/',
        "literals": [None, True, False],
        "numbers": [333333333, 4, 0],
    }
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333,4,0],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical(given_) == expected


def test_controls_are_escaped_as_rfc_8785_says():
    """RFC 8785 3.2.2.2: the two-character escapes, else four lower-case hexadecimal digits; DEL as it is."""
    assert (
        canonical("\b\t\n\f\r\x00\x1b\x7f\u0085\u2028") == '"\\b\\t\\n\\f\\r\\u0000\\u001b\x7f\u0085\u2028"'
    )


@given(JSON)
def test_what_is_written_reads_back_equal_and_is_written_the_same_again(value):
    text = canonical(plain(value))
    again = json.loads(text)
    assert canonical(again) == text
    assert text.encode()  # no lone surrogate is left


@pytest.mark.parametrize(
    "value", [1.5, float("nan"), b"x", {1: 2}, {"é": 1}, object(), [1, [2.0]], {"a": {"b": 1.0}}]
)
def test_what_has_no_single_form_is_refused(value):
    with pytest.raises(TypeError):
        plain(value)


def test_a_lone_surrogate_stands_as_six_characters():
    assert whole_text("a\udcffb\ud800") == "a\\udcffb\\ud800"
    assert whole_text("\U0001f4bf é") == "\U0001f4bf é"


def test_a_row_is_an_array_and_a_blob_an_object():
    assert row_text((1, None, "ä\n", b"\x00\xff", b"")) == '[1,null,"ä\\n",{"hex":"00ff"},{"hex":""}]'

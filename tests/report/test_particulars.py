"""Records are shown whole up to a bound, and what is left out is counted."""

import re

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from report.particulars import MOST, block, inline, without_empty


def text(markup: Markup) -> str:
    """What a reader sees."""
    return re.sub("<[^>]*>", "", str(markup)).replace("&lt;", "<").replace("&#39;", "'").replace("&#34;", '"')


def test_one_line_of_particulars():
    detail = {
        "label": "EX-1",
        "plan": {"format": None, "digests": ["md5", "sha1"]},
        "again": False,
        "count": 1204,
    }
    assert text(inline(detail)) == (
        "label EX-1 · plan (format not recorded · digests (md5, sha1)) · again no · count 1204"
    )
    assert (
        text(inline(without_empty(detail)))
        == "label EX-1 · plan (digests (md5, sha1)) · again no · count 1204"
    )


def test_a_record_has_a_line_for_each_member():
    shown = block(
        {"source": {"path": "/dev/sr0", "size_bytes": 0}, "errors": [{"lba": 7, "tries": 3}], "files": []}
    )
    assert shown.count("<dt>") == 3
    assert (
        '<dt>source</dt><dd><span class="key">path</span> /dev/sr0 · '
        '<span class="key">size bytes</span> 0</dd>'
    ) in shown
    assert '<li><span class="key">lba</span> 7 · <span class="key">tries</span> 3</li>' in shown
    assert "<dt>files</dt><dd>none</dd>" in shown


def test_hostile_members_and_values_are_text():
    shown = block({"<b>": "<script>alert(1)</script>\u202e"})
    assert "<script" not in shown
    assert "<b>" not in shown
    assert '<span class="x">\\u202e</span>' in shown


def test_what_is_too_long_is_counted():
    many = list(range(MOST + 5))
    assert text(inline(many)).endswith("99, and 5 more")
    assert text(block({str(number): number for number in many})).endswith("and 5 more")
    assert text(block({"errors": [{"a": 1}] * (MOST + 1)})).endswith("and 1 more")


def test_what_is_too_deep_is_counted():
    deep: object = ["bottom"]
    for _ in range(500):
        deep = {"in": deep}
    assert "1 member, not shown" in text(inline(deep))
    assert "1 member, not shown" in text(block(deep))
    assert "bottom" not in text(block(deep))
    assert without_empty(deep) is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=30,
)


@given(json_values)
def test_any_value_becomes_balanced_markup(value):
    for shown in (block(value), inline(value), inline(without_empty(value))):
        opened = re.findall(r"<(\w+)[^>]*>", shown)
        closed = re.findall(r"</(\w+)>", shown)
        assert sorted(opened) == sorted(closed)
        assert set(opened) <= {"dl", "div", "dt", "dd", "ul", "li", "span"}

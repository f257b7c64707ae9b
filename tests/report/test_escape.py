"""Hostile names become visible text, and nothing of them is lost."""

import re
import unicodedata
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from report.escape import (
    css_string,
    html_name,
    html_text,
    is_plain,
    shown,
    shown_name,
    shown_path,
    visible,
)

# Every character of Unicode's bidirectional controls (UAX #9, table 4) and the usual invisible ones.
BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
INVISIBLE = "\u00ad\u034f\u115f\u180e\u200b\u200c\u200d\u2060\u2063\u3164\ufeff\uffa0\ufe0f\U000e0041\u2800"
BLANKS = "\u00a0\u2000\u2003\u200a\u202f\u205f\u3000\u2028\u2029\u0085"


class Reader(HTMLParser):
    """Reads shown text back: escapes only where they are marked as such."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self._escape = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the tag."""
        self.tags.append((tag, attrs))
        self._escape = ("class", "x") in attrs

    def handle_endtag(self, tag: str) -> None:
        """No escape is open any more."""
        assert tag in ("span", "bdi")
        self._escape = False

    def handle_data(self, data: str) -> None:
        """Take text as it is, or an escape for what it stands for."""
        self.text += unescaped(data) if self._escape else data


def unescaped(text: str) -> str:
    """The characters that a run of escapes stands for."""
    found = re.findall(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})", text)
    assert sum(len(a) or len(b) or len(c) for a, b, c in found) + 2 * len(found) == len(text)
    return "".join(chr(int(a or b or c, 16)) for a, b, c in found)


def read_back(markup: Markup) -> Reader:
    reader = Reader()
    reader.feed(str(markup))
    reader.close()
    return reader


@pytest.mark.parametrize("character", BIDI + INVISIBLE + BLANKS + "\x00\x07\x1b\x7f\x9b\n\r\t\ue000\ud800")
def test_what_draws_nothing_is_an_escape(character):
    """Bidirectional controls, invisible characters and blanks never reach the page as themselves."""
    assert character not in visible(f"a{character}b")
    assert character not in shown(f"a{character}b")
    assert character not in shown_name(f"a{character}b")
    assert f"{ord(character):x}" in visible(f"a{character}b")


def test_the_escapes_are_the_code_points():
    assert visible("\x1b[31m\u202egpj.exe\U000e0041") == "\\x1b[31m\\u202egpj.exe\\U000e0041"
    assert shown("a\u202e\u202cb") == Markup('a<span class="x">\\u202e\\u202c</span>b')


def test_markup_is_text():
    assert shown("<script>alert('1')</script>") == "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;"
    assert shown('"><img src=x onerror=é>') == "&#34;&gt;&lt;img src=x onerror=é&gt;"


def test_a_real_backslash_is_not_an_escape():
    r"""The name that spells backslash-u202e, and the name that holds U+202E, differ in HTML."""
    spelled, held = shown("a\\u202eb"), shown("a\u202eb")
    assert spelled == "a\\u202eb"
    assert held == 'a<span class="x">\\u202e</span>b'


def test_spaces_of_names_that_cannot_be_seen_are_escapes():
    assert read_back(shown_name(" a  b ")).text == " a  b "
    assert shown_name(" a  b ") == (
        '<span class="x">\\x20</span>a <span class="x">\\x20</span>b<span class="x">\\x20</span>'
    )
    assert shown_name("a b") == "a b"
    assert shown_name("  ") == '<span class="x">\\x20\\x20</span>'
    assert shown_name("") == ""


def test_letters_of_living_scripts_stay():
    for word in ("Übung", "Ελλάδα", "報告書", "تقرير", "שלום", "हिन्दी", "ภาษาไทย", "Tiếng Việt", "é", "😀"):
        assert visible(word) == word
        assert shown_name(word) == word


def test_towers_of_combining_marks_are_cut():
    """The fifth mark in a row, and a mark without a letter before it, are escapes."""
    assert visible("a" + "\u0301" * 6) == "a" + "\u0301" * 4 + "\\u0301\\u0301"
    assert visible("\u0301a") == "\\u0301a"
    assert visible("a\u0301b\u0301") == "a\u0301b\u0301"


def test_parts_of_a_path_are_isolated_where_one_runs_from_right_to_left():
    assert shown_path("/a/b <c>") == "/a/b &lt;c&gt;"
    assert shown_path("/שלום/a") == "<bdi></bdi>/<bdi>שלום</bdi>/<bdi>a</bdi>"
    assert read_back(shown_path("/שלום/\u202ea")).text == "/שלום/\u202ea"


def test_a_css_string_cannot_end_early():
    """CSS Syntax 3 §4.3.7: up to six hexadecimal digits; here always six, so no blank must follow."""
    hostile = css_string('a"}</style>\\\n')
    assert hostile == '"a\\000022\\00007d\\00003c\\00002fstyle\\00003e\\00005c\\00005cx0a"'
    assert re.fullmatch(r'"(?:[A-Za-z0-9]|\\[0-9a-f]{6})*"', css_string("Fall 2026/14 – „ä“"))


hostile_text = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(BIDI + INVISIBLE + BLANKS + " \\<>&\"'{}%#/\x1b\u0301"),
    ),
    max_size=300,
)


@given(hostile_text)
def test_shown_text_reads_back_to_the_same_text(text):
    """Nothing is lost and no tag but ours is made, whatever the text."""
    for show in (shown, shown_name, shown_path):
        reader = read_back(show(text))
        assert reader.text == text
        assert all(tag in (("span", [("class", "x")]), ("bdi", [])) for tag in reader.tags)


@given(hostile_text)
def test_nothing_shown_is_unprintable(text):
    """Python's own view of what prints, and Unicode's categories, find nothing left to hide behind."""
    for result in (visible(text), str(shown(text)), str(shown_name(text))):
        assert result.isprintable()
        assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co") for c in result)
        assert not set(result) & set(BIDI + INVISIBLE + BLANKS)


@given(hostile_text | st.text("ab <>&'\"`=/ ", max_size=8))
def test_the_fast_ways_are_the_same(text):
    """What tables use gives the same characters as what is used everywhere else."""
    assert html_text(text) == str(shown(text))
    assert html_name(text) == str(shown_name(text))


@given(hostile_text)
def test_plain_text_is_left_alone(text):
    if is_plain(text):
        assert visible(text) == text
    assert visible(visible(text)) == visible(text)

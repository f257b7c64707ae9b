r"""Show hostile text: what draws nothing, moves text or acts on a terminal becomes a visible escape.

Names from evidence may hold control characters, marks that turn the direction of writing, characters
without width, blanks that look like nothing, and towers of combining marks. Here each of them stands as
`\xNN`, `\uNNNN` or `\UNNNNNNNN` (the code point in hexadecimal). In HTML the escape is set apart by
`<span class="x">`, so that a name that holds a real backslash cannot be mistaken for one.
"""

import re
import unicodedata
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from markupsafe import Markup, escape

# Characters that `str.isprintable` lets through although they draw nothing: Unicode's
# Default_Ignorable_Code_Point (DerivedCoreProperties.txt) without those of categories Cf and Cn, and the
# blank Braille pattern.
_INVISIBLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *(0x180B, 0x180C, 0x180D, 0x180F),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
_MARKS_IN_A_ROW = 4
"""More combining marks than living scripts stack on one letter; the rest would paint over other text."""
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_QUIET = re.compile(r"[ !#-%(-;=?-~]*").fullmatch
"""Printable ASCII that HTML gives no meaning to."""
_QUIET_NAME = re.compile(r"(?:[!#-%(-;=?-~]+ )*[!#-%(-;=?-~]+").fullmatch
_CSS_SAFE = re.compile(r"[^A-Za-z0-9]")


def _escaped(character: str) -> str:
    """The visible escape of one character."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _pieces(text: str, *, spaces: bool = False) -> Iterator[tuple[bool, str]]:
    """Split into (is an escape, one character or its escape), in order.

    With `spaces`, spaces at either end and those after another space are escaped too.
    """
    first = len(text) - len(text.lstrip(" ")) if spaces else 0
    last = len(text.rstrip(" ")) if spaces else len(text)
    marks = _MARKS_IN_A_ROW  # as if full: a mark at the very beginning would sit on what stands before
    previous = ""
    for index, character in enumerate(text):
        bad = not character.isprintable() or character in _INVISIBLE
        if not bad and unicodedata.category(character) in ("Mn", "Me"):
            marks += 1
            bad = marks > _MARKS_IN_A_ROW
        elif not bad:
            marks = 0
            bad = spaces and character == " " and (not first <= index < last or previous == " ")
        previous = character
        yield bad, _escaped(character) if bad else character


def is_plain(text: str) -> bool:
    """Whether every character of `text` can be shown as it is."""
    return text.isascii() and text.isprintable()


def visible(text: str) -> str:
    r"""`text` for plain text: an HTML attribute, a page title, a log.

    A real backslash stays single, so a name that spells an escape reads like one; `shown` keeps them apart.
    """
    return text if is_plain(text) else "".join(piece for _, piece in _pieces(text))


def shown(text: str) -> Markup:
    """`text` as HTML text, each escape in `<span class="x">`. Safe between tags, not in attributes."""
    return escape(text) if is_plain(text) else _html(text, spaces=False)


def shown_name(text: str) -> Markup:
    r"""Like `shown`, for names: spaces that cannot be seen (at an end, doubled) stand as `\x20` too."""
    if is_plain(text) and text[:1] != " " and text[-1:] != " " and "  " not in text:
        return escape(text)
    return _html(text, spaces=True)


def html_text(text: str) -> str:
    """What `shown` gives, as str and faster; for tables of a hundred thousand rows."""
    return text if _QUIET(text) else str(shown(text))


def html_name(text: str) -> str:
    """What `shown_name` gives, as str and faster."""
    return text if _QUIET_NAME(text) else str(shown_name(text))


def shown_path(path: str) -> Markup:
    """Like `shown_name`, for paths: parts keep their order where some are written from right to left."""
    if not any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in path):
        return shown_name(path)
    return Markup("/").join(Markup("<bdi>{}</bdi>").format(shown_name(part)) for part in path.split("/"))


def css_string(text: str) -> str:
    """`text` as a CSS string in quotes: all but ASCII letters and digits as six-digit escapes."""
    quoted = _CSS_SAFE.sub(lambda found: f"\\{ord(found.group()):06x}", visible(text))
    return f'"{quoted}"'


def _html(text: str, *, spaces: bool) -> Markup:
    """Join the pieces, neighbouring escapes in one span."""
    runs = groupby(_pieces(text, spaces=spaces), key=itemgetter(0))
    parts = ((bad, escape("".join(piece for _, piece in run))) for bad, run in runs)
    return Markup("").join(Markup('<span class="x">{}</span>').format(t) if bad else t for bad, t in parts)

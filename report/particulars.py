"""JSON-like values as people read them: a record with its members, a list, one line of particulars.

How many members are shown, and how deep, is bounded; what is left out is counted.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TypeVar

from markupsafe import Markup

from report.escape import shown, shown_name
from report.figures import count, counted

DEPTH = 6
MOST = 100

_NONE = Markup('<span class="none">not recorded</span>')
_PAIR = Markup('<span class="key">{}</span> {}')
_MEMBER = Markup("<div><dt>{}</dt><dd>{}</dd></div>")
_RECORD = Markup('<dl class="record">{}</dl>')
_ITEM = Markup("<li>{}</li>")
_LIST = Markup('<ul class="record">{}</ul>')
_BRACKETS = Markup("({})")
_MORE = Markup("<div><dd>{}</dd></div>")
_Item = TypeVar("_Item")


def block(value: object) -> Markup:
    """A record with a line for each member, in which a list of records has a line for each of them."""
    if not isinstance(value, Mapping) or not value:
        return inline(value)
    members = [_MEMBER.format(_key(key), _rows(each)) for key, each in _first(value.items())]
    return _RECORD.format(Markup("").join(members + _left_out(len(value), _MORE)))


def _rows(value: object) -> Markup:
    """A list of records with a line for each, anything else in one line."""
    if not isinstance(value, list) or not any(isinstance(each, Mapping) for each in value):
        return inline(value)
    items = [_ITEM.format(inline(each)) for each in _first(value)]
    return _LIST.format(Markup("").join(items + _left_out(len(value), _ITEM)))


def inline(value: object, depth: int = 0) -> Markup:
    """`value` in one line: members apart by a middle dot, items by a comma, inner ones in brackets."""
    if value is None:
        return _NONE
    if isinstance(value, bool):
        return shown("yes" if value else "no")
    if isinstance(value, str):
        return shown_name(value)
    if not isinstance(value, Mapping | list):
        return shown(str(value))
    if not value:
        return Markup("none")
    if depth == DEPTH:
        return shown(f"({counted(len(value), 'member')}, not shown)")
    left_out = _left_out(len(value), Markup("{}"))
    if isinstance(value, Mapping):
        pairs = [_PAIR.format(_key(key), inline(each, depth + 1)) for key, each in _first(value.items())]
        text = Markup(" · ").join(pairs + left_out)
        return _BRACKETS.format(text) if depth else text
    text = Markup(", ").join([inline(each, depth + 1) for each in _first(value)] + left_out)
    return _BRACKETS.format(text) if depth > 1 else text


def _key(key: object) -> Markup:
    """A member's name with spaces for its underscores."""
    return shown_name(str(key).replace("_", " "))


def without_empty(value: object) -> object:
    """`value` without members that are None or empty text, at any depth that is shown."""
    return _without_empty(value, DEPTH)


def _without_empty(value: object, depth: int) -> object:
    if depth == 0 or not isinstance(value, Mapping):
        return value
    return {key: _without_empty(each, depth - 1) for key, each in value.items() if each not in (None, "")}


def _first(items: Iterable[_Item]) -> Iterator[_Item]:
    return islice(items, MOST)


def _left_out(members: int, form: Markup) -> list[Markup]:
    """What says how many members are not shown; nothing if all are."""
    return [form.format(f"and {count(members - MOST)} more")] if members > MOST else []

"""Nouns as plain values: what `--json` writes."""

from enum import Enum
from pathlib import PurePath
from typing import Any

from analyze.timestamp import Timestamp

_AS_IT_IS = frozenset({type(None), str, int, float, bool})


def plain(value: object) -> Any:  # noqa: ANN401  JSON is any of its six kinds
    """`value` as JSON can hold it.

    A NamedTuple becomes an object with its fields' names, a Timestamp its ISO 8601 text as recorded,
    bytes their hexadecimal digits, an enumeration its value, a path its text.
    """
    kind = type(value)
    if kind in _AS_IT_IS:
        return value
    if isinstance(value, Timestamp):
        return value.iso()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        # Most fields of most nouns are plain: asking here saves a call for each of them.
        return {
            name: item if type(item) in _AS_IT_IS else plain(item)
            for name, item in zip(value._fields, value, strict=True)
        }
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in value]
    raise TypeError(f"{kind.__name__} has no plain form")

"""Nouns as plain values: what `--json` writes."""

from enum import Enum
from pathlib import PurePath
from typing import Any

from analyze.timestamp import Timestamp


def plain(value: object) -> Any:  # noqa: ANN401  JSON is any of its six kinds
    """`value` as JSON can hold it.

    A NamedTuple becomes an object with its fields' names, a Timestamp its ISO 8601 text as recorded,
    bytes their hexadecimal digits, an enumeration its value, a path its text.
    """
    if isinstance(value, Timestamp):
        return value.iso()
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(item) for name, item in zip(value._fields, value, strict=True)}
    if isinstance(value, tuple | list | set | frozenset):
        return [plain(item) for item in value]
    raise TypeError(f"{type(value).__name__} has no plain form")

"""Canonical JSON (RFC 8785, without fractions), over which all is digested (docs/reference/custody.md)."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_SURROGATE = re.compile("[\ud800-\udfff]")


def whole_text(text: str, *, backslash: str = "\\") -> str:
    r"""`text` with each lone surrogate, which is no Unicode text, written as the six characters `\uNNNN`."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub(lambda found: f"{backslash}u{ord(found.group()):04x}", text)
    return text


def plain(value: object) -> Any:  # noqa: ANN401  JSON has no narrower type
    """`value` as JSON can hold it: tuples as lists, text made whole.

    Raises:
        TypeError: a fraction, bytes or another object; a member's name that is not ASCII text (ours).
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return whole_text(str(value))
    if isinstance(value, Mapping):
        if not all(isinstance(name, str) and name.isascii() for name in value):
            raise TypeError(f"a member's name that is not ASCII text: {list(value)!r}")
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return [plain(item) for item in value]
    raise TypeError(f"canonical JSON holds no {type(value).__name__}")


def canonical(value: object) -> str:
    """The canonical JSON text of what `plain` returns."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _blob(value: object) -> dict[str, str]:
    assert isinstance(value, bytes), type(value)
    return {"hex": value.hex()}


_ROW = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False, default=_blob)


def row_text(row: Iterable[object]) -> str:
    """The canonical JSON array of a database row; a BLOB is `{"hex":"…"}`."""
    return _ROW.encode(list(row))

"""OSTA CS0 (UDF 2.1.1): compressed Unicode, in d-characters, dstrings and file identifiers."""

import re
from typing import NamedTuple

EIGHT, SIXTEEN = 8, 16
DELETED_EIGHT, DELETED_SIXTEEN = 254, 255
"""Compression identifiers of a deleted name, whose characters stay as they were (UDF 2.1.1, 2.3.4.2)."""

_AWKWARD = re.compile("[\0/\ud800-\udfff]")
_UNPRINTABLE = re.compile("[\0\ud800-\udfff]")


class Name(NamedTuple):
    """Text fit for an Entry, and whether the recorded bytes say less or more than it (`exact`).

    `problem` is "" or what is wrong with the bytes.
    """

    text: str
    exact: bool
    problem: str = ""


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _code_points(raw: bytes) -> str:
    """The characters after a compression identifier that is known; half a one at the end is left out."""
    if raw[0] in (EIGHT, DELETED_EIGHT):
        return raw[1:].decode("latin-1")
    return raw[1 : 1 + (len(raw) - 1) // 2 * 2].decode("utf-16-be", "surrogatepass")


def escape_bytes(raw: bytes) -> str:
    """Bytes that are no text: printable ASCII stands for itself, the rest as backslash, x, two digits."""
    return "".join(
        chr(byte) if 0x20 <= byte < 0x7F and byte not in b"/\\" else f"\\x{byte:02x}" for byte in raw
    )


def decode_name(raw: bytes) -> Name:
    """A file identifier: one byte of compression identifier, then code points of 8 or 16 bits.

    With 8 bits the bytes are the code points U+0000 to U+00FF, not UTF-8.
    """
    if not raw:
        return Name("", exact=False, problem="no identifier")
    compression = raw[0]
    problem = ""
    if compression in (EIGHT, DELETED_EIGHT):
        text = _code_points(raw)
    elif compression in (SIXTEEN, DELETED_SIXTEEN):
        text = _code_points(raw)
        if not len(raw) & 1:
            problem = "half a character at its end"
            text += "\0"  # escaped below, then replaced by the byte
    else:
        return Name(escape_bytes(raw), exact=False, problem=f"compression identifier {compression}")
    if not text:
        return Name("", exact=False, problem="no characters")
    if not _AWKWARD.search(text):
        return Name(text, exact=True, problem=problem)
    escaped = _AWKWARD.sub(_escape, text)
    if problem:
        escaped = escaped[:-4] + f"\\x{raw[-1]:02x}"
    return Name(escaped, exact=False, problem=problem)


def decode_dstring(field: bytes) -> str:
    """A dstring (1/7.2.12): a fixed field of CS0 whose last byte is the number of bytes used.

    It is a label, not a name: "/" stands for itself.
    """
    used = min(field[-1], len(field) - 1) if field else 0
    raw = field[:used]
    if not raw or raw[0] not in (EIGHT, SIXTEEN):
        return escape_bytes(raw)
    text = _code_points(raw)
    return _UNPRINTABLE.sub(_escape, text)


def decode_identifier(regid: bytes) -> str:
    """The identifier of an entity identifier (1/7.4.2): ASCII, padded with zeros."""
    raw = regid[1:24].rstrip(b"\0")
    return raw.decode("ascii") if raw.isascii() and raw.decode("ascii").isprintable() else escape_bytes(raw)

r"""From recorded identifiers to names.

Nothing is guessed: bytes are text only if they are valid UTF-8 (d-characters are ASCII), everything
else stands as `\xNN`, and then the recorded bytes go with the name.
"""

import codecs
from typing import NamedTuple

_SPECIAL = str.maketrans({"/": "\\x2f", "\0": "\\x00"})
_DOTS = {".": "\\x2e", "..": "\\x2e\\x2e"}
_VERSION_ONE = ";1"  # 7.5.1: SEPARATOR 2 and the file version number


class Name(NamedTuple):
    r"""A name as shown, the whole identifier as text, and the recorded bytes where `text` is not all.

    `raw` is None where `text` says it all. `problem` is a phrase if the name is illegal anywhere.
    """

    text: str
    identifier: str
    raw: bytes | None = None
    problem: str = ""


def plain(raw: bytes, *, is_file: bool) -> Name:
    """ECMA-119 7.5, 7.6: a file's name without ";1", and without the full stop of an empty extension."""
    identifier = text_of(raw)
    text = without_version(identifier) if is_file else identifier
    if is_file and text[-1:] == "." and len(text) > 1:
        text = text[:-1]
    return _checked(text, identifier, raw, certain=raw.isascii())


def enhanced(raw: bytes) -> Name:
    """ISO 9660:1999: identifiers have neither version nor structure."""
    identifier = text_of(raw)
    return _checked(identifier, identifier, raw, certain=raw.isascii())


def joliet(raw: bytes, *, is_file: bool) -> Name:
    """Joliet: UCS-2 big-endian, read as UTF-16; a file's name without ";1"."""
    identifier = utf16(raw)
    text = without_version(identifier) if is_file else identifier
    name = _checked(text, identifier, raw, certain=identifier.encode("utf-16-be") == raw)
    if name.raw is None or name.problem:
        return name
    return name._replace(problem="holds " + ("half a character" if len(raw) % 2 else "half a surrogate pair"))


def rock_ridge(raw: bytes, identifier: bytes) -> Name:
    """RRIP 4.1.4: the whole content of the NM entries, which record no character set."""
    text = text_of(raw)
    return _checked(text, text_of(identifier), raw, certain=text.encode("utf-8", "replace") == raw)


def without_version(identifier: str) -> str:
    """The identifier without ";1"; other versions stay, for they are other files."""
    return identifier[:-2] if identifier[-2:] == _VERSION_ONE and len(identifier) > 2 else identifier


def text_of(raw: bytes) -> str:
    r"""UTF-8, with `\xNN` for every byte that is not part of it."""
    return raw.decode("utf-8", "backslashreplace")


def utf16(raw: bytes) -> str:
    r"""UTF-16 big-endian, with `\uNNNN` for lone surrogates and `\xNN` for a byte left over."""
    even = len(raw) & ~1
    # final: without it, the first half of a pair at the end would be dropped in silence
    text = codecs.utf_16_be_decode(raw[:even], "surrogatepass", True)[0]
    if not text.isascii():
        text = "".join(f"\\u{ord(c):04x}" if 0xD800 <= ord(c) <= 0xDFFF else c for c in text)
    return text + "".join(f"\\x{byte:02x}" for byte in raw[even:])


def field(raw: bytes, *, ucs2: bool) -> str:
    """A text field of a descriptor without the padding at its end (7.4.3: spaces; NUL is met too)."""
    if ucs2:
        return utf16(raw[: len(raw) & ~1]).rstrip(" \0")
    return text_of(raw.rstrip(b" \0"))


def _checked(text: str, identifier: str, raw: bytes, *, certain: bool) -> Name:
    problem = ""
    if "/" in text or "\0" in text:
        problem = "holds a slash or NUL"
        text = text.translate(_SPECIAL)
    elif text in _DOTS:
        problem = "stands for a directory itself"
        text = _DOTS[text]
    elif not text:
        problem = "is empty"
    return Name(text, identifier, None if certain and not problem else raw, problem)

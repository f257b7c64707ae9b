r"""Names for files that leave the case: safe on every file system, whatever the evidence called them.

A name from evidence may be `..`, `con.txt`, hold a slash, a control character or a mark that turns the
direction of writing, differ from its neighbour only in case, or be longer than a file system takes.
What is changed is only the name outside; the manifest keeps the recorded path.
"""

import hashlib
import re
import unicodedata

MOST_NAME_BYTES = 200
"""Of a component in UTF-8: below the 255 of ext4 and NTFS, with room for suffixes."""

# Reserved on Windows: https://learn.microsoft.com, "Naming Files, Paths, and Namespaces".
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"/\\|?*')
_MOST_SUFFIX = 16


def safe_name(name: str) -> str:
    """One path component that any common file system takes; the same name gives the same result."""
    text = "".join("_" if _bad(character) else character for character in name)
    if not text.strip(" ."):
        return "_" * max(len(text), 1)
    if text != text.rstrip(" ."):
        kept = text.rstrip(" .")
        text = kept + "_" * (len(text) - len(kept))
    if _RESERVED.fullmatch(text):
        text = f"_{text}"
    return _shortened(text, name)


def _bad(character: str) -> bool:
    """Whether a character is forbidden somewhere, draws nothing, or acts on what shows it."""
    return character in _FORBIDDEN or unicodedata.category(character) in (
        "Cc",
        "Cf",
        "Cs",
        "Co",
        "Cn",
        "Zl",
        "Zp",
    )


def _shortened(text: str, name: str) -> str:
    """Cut to the length that is allowed, the extension kept, a digest of the whole name added."""
    if len(text.encode()) <= MOST_NAME_BYTES:
        return text
    mark = "~" + hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    stem, dot, suffix = text.rpartition(".")
    ending = mark + dot + suffix if stem and len(suffix.encode()) <= _MOST_SUFFIX else mark
    room = MOST_NAME_BYTES - len(ending.encode())
    return text.encode()[:room].decode("utf-8", "ignore") + ending


class Folder:
    """The names given in one folder, so that no two files get names that differ only in case."""

    def __init__(self) -> None:
        """Nothing is taken yet."""
        self._given: dict[tuple[str, object], str] = {}
        self._taken: set[str] = set()

    def name_for(self, name: str, key: object = None) -> str:
        """The outside name for `name`; the same `name` and `key` get the same again."""
        known = self._given.get((name, key))
        if known is not None:
            return known
        base = safe_name(name)
        stem, dot, suffix = base.rpartition(".")
        if not stem:
            stem, dot, suffix = base, "", ""
        candidate, number = base, 1
        while _folded(candidate) in self._taken:
            number += 1
            candidate = f"{stem} ({number}){dot}{suffix}"
        self._taken.add(_folded(candidate))
        self._given[name, key] = candidate
        return candidate


def _folded(name: str) -> str:
    """Two names that some file system takes for the same fold to the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())

"""Symbolic links (4/14.16): path components, as a path of the usual kind."""

from analyze.udf.cs0 import decode_name
from analyze.udf.file_layout import PATH_COMPONENT

MOST_BYTES = 65536
"""Of the content of a symbolic link that is read."""
_ROOT_AGREED, _ROOT, _PARENT, _CURRENT, _NAME = 1, 2, 3, 4, 5  # 4/14.16.1.1


def decode_target(content: bytes) -> tuple[str, str]:
    """The target, and what is wrong with it ("" if nothing)."""
    parts: list[str] = []
    root = ""
    problem = ""
    at = 0
    while at + PATH_COMPONENT.size <= len(content):
        kind, length, _version = PATH_COMPONENT.read(content, at)
        raw = content[at + PATH_COMPONENT.size : at + PATH_COMPONENT.size + length]
        at += PATH_COMPONENT.size + length
        if len(raw) < length:
            problem = "its last component is cut short"
        if kind in (_ROOT_AGREED, _ROOT):
            root, parts = "/", []
        elif kind == _PARENT:
            parts.append("..")
        elif kind == _CURRENT:
            parts.append(".")
        elif kind == _NAME:
            name = decode_name(raw)
            parts.append(name.text)
            problem = problem or name.problem
        else:
            problem = problem or f"component type {kind}"
    if at < len(content):
        problem = problem or f"{len(content) - at} bytes after its last component"
    return root + "/".join(parts), problem

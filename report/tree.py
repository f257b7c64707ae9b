"""The tree of a view's entries as a stream of pieces to print: a directory opens, its parts, it closes.

A directory gives its files first, then its directories. A part is at most PART entries, so that memory
does not grow with the directory. Directories nest at most DEPTH deep in what is printed; what lies deeper
follows at that depth under its whole path.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import NamedTuple

from report.figures import counted
from report.model import Children, EntryView

PART = 500
DEPTH = 24

_KINDS = {
    "file": ("file",),
    "symlink": ("symbolic link",),
    "device": ("device",),
    "other": ("other entry", "other entries"),
    "directory": ("directory", "directories"),
}


class Opened(NamedTuple):
    """A directory begins; `entry` is None for the root; `name` is its path where it stands out of place."""

    path: str
    name: str
    entry: EntryView | None
    holds: str


class Part(NamedTuple):
    """Entries `first` to `last` (from 1) of the `total` of directory `path` that are not directories."""

    path: str
    first: int
    last: int
    total: int
    entries: list[EntryView]


class Closed(NamedTuple):
    """The directory that was opened last ends."""


class Missing(NamedTuple):
    """At the end: how many entries of the view no directory leads to."""

    entries: int


class _Frame:
    """A directory on the way down: its path, its directories still to come, whether it is open."""

    def __init__(self, path: str, directories: Iterator[EntryView]) -> None:
        self.path = path
        self.directories = directories
        self.open = True


def tree(
    children: Callable[[int | None], Children], entries: int
) -> Iterator[Opened | Part | Closed | Missing]:
    """Yield the pieces of a view that has `entries` entries; `children(None)` stand in its root.

    Each Opened has its Closed, and every entry that directories lead to comes once. If those are not all
    (someone changed the database), the last piece is a Missing.
    """
    root = children(None)
    yield Opened("/", "/", None, holds(root.counts))
    yield from _parts("/", root)
    told = root.file_count
    frames = [_Frame("", root.directories)]
    nested = 1
    while frames:
        frame = frames[-1]
        directory = next(frame.directories, None)
        if directory is None:
            frames.pop()
            if frame.open:
                nested -= 1
                yield Closed()
            continue
        if nested >= DEPTH:
            frame.open = False
            nested -= 1
            yield Closed()
        here = children(directory.id)
        in_place = frame.open and directory.path == f"{frame.path}/{directory.name}"
        yield Opened(
            directory.path, directory.name if in_place else directory.path, directory, holds(here.counts)
        )
        yield from _parts(directory.path, here)
        nested += 1
        told += 1 + here.file_count
        # Deep down, what is still to come is read at once: a cursor for each of thousands of levels is dear.
        still = here.directories if nested < DEPTH else iter(list(here.directories))
        frames.append(_Frame(directory.path, still))
    if told != entries:
        yield Missing(entries - told)


def _parts(path: str, here: Children) -> Iterator[Part]:
    """The files of one directory, PART at a time."""
    first = 1
    while part := list(islice(here.files, PART)):
        yield Part(path, first, first + len(part) - 1, here.file_count, part)
        first += len(part)


def holds(counts: Mapping[str, int]) -> str:
    """`12 files, 1 symbolic link, 2 directories`; `empty`."""
    said = [counted(counts[kind], *words) for kind, words in _KINDS.items() if counts.get(kind)]
    return ", ".join(said) or "empty"

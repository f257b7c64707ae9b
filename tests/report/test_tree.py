"""The tree that is printed has every entry once, in its directory, in bounded pieces."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from report.model import Children, EntryView
from report.tree import DEPTH, PART, Closed, Missing, Opened, Part, holds, tree


def entry(number: int, path: str, kind: str = "file") -> EntryView:
    """An entry of which only what the tree looks at is filled in."""
    name = path.rpartition("/")[2]
    return EntryView(
        id=number,
        path=path,
        name=name,
        kind=kind,
        size_bytes=None,
        deleted=0,
        hidden=None,
        mode=None,
        uid=None,
        gid=None,
        links=None,
        device=None,
        link_target=None,
        identifier=None,
        name_raw=None,
        content=None,
        start_lba=None,
        extent_count=0,
        stream_count=0,
        times=(),
        digests=(),
    )


class Shelf:
    """Entries by the id of their directory, read as the case's database is."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.by_parent: dict[int | None, list[EntryView]] = {}
        self.entries: list[EntryView] = []
        self.open_cursors = 0
        self.most_cursors = 0

    def add(self, parent: EntryView | None, name: str, kind: str = "file") -> EntryView:
        """Put one more entry into a directory."""
        made = entry(len(self.entries) + 1, f"{parent.path if parent else ''}/{name}", kind)
        self.entries.append(made)
        self.by_parent.setdefault(parent.id if parent else None, []).append(made)
        return made

    def children(self, parent_id: int | None) -> Children:
        """What the case's database answers."""
        here = sorted(self.by_parent.get(parent_id, []), key=lambda each: (each.name, each.id))
        counts: dict[str, int] = {}
        for each in here:
            counts[each.kind] = counts.get(each.kind, 0) + 1
        return Children(
            counts,
            self._cursor(each for each in here if each.kind != "directory"),
            self._cursor(each for each in here if each.kind == "directory"),
        )

    def _cursor(self, entries: Iterator[EntryView]) -> Iterator[EntryView]:
        self.open_cursors += 1
        self.most_cursors = max(self.most_cursors, self.open_cursors)
        yield from entries
        self.open_cursors -= 1

    def pieces(self) -> list[Opened | Part | Closed | Missing]:
        """The whole tree."""
        return list(tree(self.children, len(self.entries)))


def check_nesting(pieces: list[Opened | Part | Closed | Missing]) -> int:
    """Every part belongs to the directory that is open; the greatest depth."""
    path: list[str] = []
    deepest = 0
    for piece in pieces:
        if isinstance(piece, Opened):
            path.append(piece.path)
            deepest = max(deepest, len(path))
        elif isinstance(piece, Closed):
            path.pop()
        elif isinstance(piece, Part):
            assert piece.path == path[-1]
    assert not path
    return deepest


def ids(pieces: list[Opened | Part | Closed | Missing]) -> list[int]:
    """Every entry that is printed, in order."""
    found: list[int] = []
    for piece in pieces:
        if isinstance(piece, Opened) and piece.entry is not None:
            found.append(piece.entry.id)
        elif isinstance(piece, Part):
            found += [each.id for each in piece.entries]
    return found


def test_an_empty_view_is_a_root():
    assert Shelf().pieces() == [Opened("/", "/", None, "empty"), Closed()]


def test_files_come_before_directories_each_by_name():
    shelf = Shelf()
    music = shelf.add(None, "music", "directory")
    shelf.add(None, "z.txt")
    shelf.add(None, "a.txt")
    shelf.add(music, "song.ogg")
    shelf.add(music, "latest", "symlink")
    pieces = shelf.pieces()
    assert [type(piece).__name__ for piece in pieces] == [
        "Opened",
        "Part",
        "Opened",
        "Part",
        "Closed",
        "Closed",
    ]
    assert pieces[0] == Opened("/", "/", None, "2 files, 1 directory")
    assert [each.name for each in pieces[1].entries] == ["a.txt", "z.txt"]
    assert pieces[2][:2] == ("/music", "music")
    assert pieces[2].holds == "1 file, 1 symbolic link"
    assert pieces[3][:4] == ("/music", 1, 2, 2)


def test_a_large_directory_comes_in_parts():
    shelf = Shelf()
    for number in range(2 * PART + 1):
        shelf.add(None, f"{number:06d}")
    parts = [piece for piece in shelf.pieces() if isinstance(piece, Part)]
    assert [(part.first, part.last, part.total) for part in parts] == [
        (1, PART, 2 * PART + 1),
        (PART + 1, 2 * PART, 2 * PART + 1),
        (2 * PART + 1, 2 * PART + 1, 2 * PART + 1),
    ]
    assert [each.name for part in parts for each in part.entries] == [f"{n:06d}" for n in range(2 * PART + 1)]


def test_directories_that_lie_deep_keep_their_whole_path_and_few_cursors():
    """A thousand levels neither nest a thousand deep nor hold a thousand cursors, and lose nothing."""
    shelf = Shelf()
    at = None
    for level in range(1000):
        at = shelf.add(at, f"d{level}", "directory")
        shelf.add(at, "file")
        shelf.add(at, "other", "directory")
    pieces = shelf.pieces()
    assert check_nesting(pieces) == DEPTH
    assert sorted(ids(pieces)) == sorted(each.id for each in shelf.entries)
    opened = [piece for piece in pieces if isinstance(piece, Opened)]
    assert all(piece.name in (piece.path, piece.path.rpartition("/")[2] or "/") for piece in opened)
    out_of_place = [piece for piece in opened if piece.name == piece.path != "/"]
    assert len(out_of_place) >= 1000 - DEPTH
    assert shelf.most_cursors <= 2 * DEPTH + 2


def test_what_no_directory_leads_to_is_counted():
    """Directories that hold each other, as only a changed database has them, do not hang, and are said."""
    shelf = Shelf()
    shelf.add(None, "a")
    one, two = entry(8, "/x", "directory"), entry(9, "/x/y", "directory")
    shelf.by_parent |= {9: [one], 8: [two]}
    shelf.entries += [one, two]
    assert shelf.pieces()[-1] == Missing(2)


def test_what_directories_hold_is_said_by_kind():
    assert holds({"directory": 1, "file": 1200, "device": 2, "other": 1}) == (
        "1,200 files, 2 devices, 1 other entry, 1 directory"
    )


@given(
    st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["file", "directory", "symlink"])), max_size=60)
)
def test_every_entry_comes_once_in_its_directory(places):
    """Whatever the tree: balanced, complete, and each entry under the path of its directory."""
    shelf = Shelf()
    directories: list[EntryView | None] = [None]
    for number, (place, kind) in enumerate(places):
        made = shelf.add(directories[place % len(directories)], f"n{number % 7}", kind)
        if kind == "directory":
            directories.append(made)
    pieces = shelf.pieces()
    check_nesting(pieces)
    assert sorted(ids(pieces)) == [each.id for each in shelf.entries]
    for piece in pieces:
        if isinstance(piece, Part):
            prefix = "/" if piece.path == "/" else piece.path + "/"
            assert all(each.path == prefix + each.name for each in piece.entries)

"""Reads a report back with the standard library's parser: a tree of elements, and the entries it lists."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import NamedTuple

VOID = frozenset({"meta", "input", "br", "img", "link", "hr"})
_ESCAPE = re.compile(r"\\x([0-9a-f]{2})|\\u([0-9a-f]{4})|\\U([0-9a-f]{8})")


class Element:
    """An element: its tag, attributes, and what is in it (elements and text)."""

    def __init__(self, tag: str, attributes: dict[str, str], parent: "Element | None") -> None:
        """Empty so far."""
        self.tag = tag
        self.attributes = attributes
        self.parent = parent
        self.inside: list[Element | str] = []

    @property
    def classes(self) -> list[str]:
        """Its classes."""
        return self.attributes.get("class", "").split()

    def elements(self) -> Iterator["Element"]:
        """This element and all below, in the order of the document."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += [each for each in reversed(element.inside) if isinstance(each, Element)]

    def all(self, tag: str, of_class: str | None = None) -> list["Element"]:
        """The elements below with that tag and class."""
        return [
            each
            for each in self.elements()
            if each is not self and each.tag == tag and (of_class is None or of_class in each.classes)
        ]

    def one(self, tag: str, of_class: str | None = None) -> "Element":
        """The only such element."""
        (found,) = self.all(tag, of_class)
        return found

    def child(self, tag: str, of_class: str | None = None) -> "Element | None":
        """The first such element that stands directly in this one."""
        return next(
            (
                each
                for each in self.inside
                if isinstance(each, Element)
                and each.tag == tag
                and (of_class is None or of_class in each.classes)
            ),
            None,
        )

    def above(self, tag: str) -> Iterator["Element"]:
        """The elements with that tag around this one, the nearest first."""
        at = self.parent
        while at is not None:
            if at.tag == tag:
                yield at
            at = at.parent

    def text(self, without: str = "") -> str:
        """All its text as it is in the page, but that of elements with the tag `without`."""
        return "".join(
            each if isinstance(each, str) else ("" if each.tag == without else each.text(without))
            for each in self.inside
        )

    def meant(self, without: str = "") -> str:
        """Its text with the marked escapes read as the characters that they stand for."""
        parts = []
        for each in self.inside:
            if isinstance(each, str):
                parts.append(each)
            elif "x" in each.classes:
                parts.append(
                    _ESCAPE.sub(
                        lambda found: chr(int("".join(filter(None, found.groups())), 16)), each.text()
                    )
                )
            elif each.tag != without:
                parts.append(each.meant(without))
        return "".join(parts)


class _Builder(HTMLParser):
    """Builds the tree, and refuses what is not closed in order."""

    def __init__(self) -> None:
        """Start with an empty document."""
        super().__init__(convert_charrefs=True)
        self.document = Element("#document", {}, None)
        self.at = self.document

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice: {tag} {names}"
        element = Element(tag, {name: value or "" for name, value in attrs}, self.at)
        self.at.inside.append(element)
        if tag not in VOID:
            self.at = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take an element of SVG that has nothing in it."""
        self.at.inside.append(Element(tag, {name: value or "" for name, value in attrs}, self.at))

    def handle_endtag(self, tag: str) -> None:
        """Close the element that is open."""
        assert tag == self.at.tag, f"</{tag}> closes <{self.at.tag}>"
        assert self.at.parent is not None
        self.at = self.at.parent

    def handle_data(self, data: str) -> None:
        """Take text."""
        self.at.inside.append(data)


def read_page(html: str) -> Element:
    """The document; fails if an element is not closed, or closed out of order."""
    builder = _Builder()
    builder.feed(html)
    builder.close()
    assert builder.at is builder.document, f"<{builder.at.tag}> is not closed"
    return builder.document


class Listed(NamedTuple):
    """An entry as the report lists it."""

    id: int
    path: str
    size: str
    times: tuple[tuple[str, str], ...]  # (time, what it is the time of)
    place: str
    digests: dict[str, str]
    notes: str


def listed(tree: Element) -> Iterator[Listed]:
    """The entries of one view (`section.tree`)."""
    for row in tree.all("tr"):
        if "id" in row.attributes:
            yield _row(row)
    for directory in tree.all("details", "directory"):
        if "id" in directory.attributes:
            itself = directory.child("p", "itself")
            assert itself is not None
            yield Listed(_id(directory), directory_path(directory), "", (), "", {}, itself.meant())


def directory_path(directory: Element) -> str:
    """The path of a directory: its name if that begins with a slash, else below the one around it."""
    summary = directory.child("summary")
    assert summary is not None
    name = summary.one("span", "name").meant()
    if name.startswith("/"):
        return name
    return f"{directory_path(next(directory.above('details'))).rstrip('/')}/{name}"


def _id(element: Element) -> int:
    return int(element.attributes["id"].removeprefix("e"))


def _row(row: Element) -> Listed:
    (head,) = row.all("th")
    size, times, place, digests = row.all("td")
    small = head.child("small")
    name = head.meant(without="small")
    folder = next(row.above("table")).one("caption").one("span", "path").meant()
    assert folder == directory_path(next(row.above("details")))
    return Listed(
        _id(row),
        name if name.startswith("/") else f"{folder.rstrip('/')}/{name}",
        size.meant(),
        tuple(_time(line) for line in times.meant().split("\n") if line),
        place.meant(),
        dict(line.split(" ", 1) for line in digests.meant().split("\n") if line),
        "" if small is None else small.meant(),
    )


def _time(line: str) -> tuple[str, str]:
    found = re.fullmatch(r"(\S+ \S+(?: [+-]\S+)?) (.+)", line)
    assert found, line
    return found[1], found[2]

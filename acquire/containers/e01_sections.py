"""The sections of one segment file, found whatever state the file is in.

Section descriptors form a chain of offsets; where it is broken, it is picked up again: by the other of
the two lengths that a descriptor has, else at the next place that is a good descriptor of itself.
"""

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from acquire.containers import ewf
from acquire.containers.ewf import DESCRIPTOR, SectionDescriptor
from acquire.containers.problem import Problems
from acquire.errors import ContainerError, source_error

MAX_SECTIONS = 1 << 17
"""Sections of one segment file: enough for 20 TiB in one file."""
_MAX_SEARCHES = 32
_MAX_CANDIDATES = 10_000
_SEARCH_BYTES = 1 << 20
_OPEN_FILES = 100

_KINDS: Final = (
    "header",
    "header2",
    "volume",
    "disk",
    "data",
    "sectors",
    "table",
    "table2",
    "next",
    "done",
    "session",
    "error2",
    "digest",
    "hash",
    "ltree",
    "ltypes",
    "map",
    "xheader",
    "xhash",
    "incomplete",
)
_PADDED: Final = {kind: kind.encode("ascii").ljust(16, b"\0") for kind in _KINDS}
_SEARCHED: Final = tuple(_PADDED[kind] for kind in ("sectors", "table", "table2", "data", "next", "done"))


class SegmentFile:
    """One file of a container, read by offset from any thread.

    Of a container with very many files, only the first hundred stay open.
    """

    def __init__(self, path: Path, ordinal: int = 0) -> None:
        """Open `path`; it is file `ordinal` of its container, counted from 0.

        Raises:
            SourceError: it cannot be opened.
            ContainerError: it is not a regular file.
        """
        self.path = path
        self.name = path.name
        self._handle = -1
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise source_error(error, path) from error
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            os.close(handle)
            raise ContainerError("Not a regular file", where=path, do="Name the first file of the container")
        self.size_bytes = found.st_size
        if ordinal < _OPEN_FILES:
            self._handle = handle
        else:
            os.close(handle)

    def read(self, offset: int, size_bytes: int) -> bytes:
        """Bytes at `offset`; fewer where the file ends. Raises OSError if they cannot be read."""
        if self._handle >= 0:
            return os.pread(self._handle, size_bytes, offset)
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.pread(handle, size_bytes, offset)
        finally:
            os.close(handle)

    def close(self) -> None:
        """Give the file back."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1


class Section(NamedTuple):
    """A section: what it is, its descriptor's offset, and the first byte after it.

    `kind` is "" where the descriptor does not say. `closed` is False if its end is not known but by the
    end of the file, or by the next good descriptor that was found: other sections may be lost in it.
    """

    kind: str
    offset: int
    end_offset: int
    closed: bool

    @property
    def payload_offset(self) -> int:
        """Where what follows the descriptor begins."""
        return self.offset + DESCRIPTOR.size

    @property
    def payload_bytes(self) -> int:
        """How long it is."""
        return self.end_offset - self.payload_offset


class Segment(NamedTuple):
    """A segment file with its number and its sections."""

    number: int
    file: SegmentFile
    sections: list[Section]


def read_payload(file: SegmentFile, section: Section, most: int) -> bytes:
    """What follows a section's descriptor, at most `most` bytes of it."""
    return file.read(section.payload_offset, max(0, min(section.payload_bytes, most)))


def _kind_of(raw: bytes) -> str:
    """The kind that a descriptor names; a name with one or two bad bytes counts as its nearest."""
    distances = sorted(
        (sum(a != b for a, b in zip(raw, padded, strict=True)), kind) for kind, padded in _PADDED.items()
    )
    return distances[0][1] if distances[0][0] <= 2 else ""


def _descriptor_at(file: SegmentFile, offset: int) -> SectionDescriptor | None:
    """The descriptor at `offset` if its checksum is right."""
    raw = file.read(offset, DESCRIPTOR.size)
    if len(raw) < DESCRIPTOR.size or not ewf.is_guarded(raw):
        return None
    return DESCRIPTOR.read(raw)


def walk(file: SegmentFile, problems: Problems) -> list[Section]:
    """The sections of `file` in order; what is wrong with their chain is added to `problems`.

    Raises OSError if the file cannot be read.
    """
    found: list[Section] = []
    offset = ewf.FILE_HEADER.size
    searches = 0
    while len(found) < MAX_SECTIONS:
        raw = file.read(offset, DESCRIPTOR.size)
        if len(raw) < DESCRIPTOR.size:
            problems.add("the file ends where a section should begin", file.name, offset, f"{len(raw)} bytes")
            return found
        described = DESCRIPTOR.read(raw)
        good = ewf.is_guarded(raw)
        kind = _kind_of(described.kind)
        if not good:
            problems.add(
                "a section descriptor's checksum does not match",
                file.name,
                offset,
                f"{described.checksum:08x}",
                ewf.checksum(raw[:-4])[::-1].hex(),
            )
        if kind in ("next", "done") and _is_last(described, offset, good=good):
            found.append(Section(kind, offset, offset + DESCRIPTOR.size, closed=True))
            if file.size_bytes > offset + DESCRIPTOR.size:
                extra = file.size_bytes - offset - DESCRIPTOR.size
                problems.add("bytes after the last section", file.name, offset + DESCRIPTOR.size, extra, 0)
            return found
        end_offset = _end_of(file, described, offset, kind, problems, good=good)
        closed = end_offset is not None
        if end_offset is None and not good and searches < _MAX_SEARCHES:
            searches += 1
            end_offset = _search(file, offset + 1)
        if end_offset is None:
            found.append(Section(kind, offset, max(file.size_bytes, offset + DESCRIPTOR.size), closed=False))
            return found
        found.append(Section(kind, offset, end_offset, closed))
        offset = end_offset
    problems.add("more sections than a segment file can have", file.name, offset, len(found), MAX_SECTIONS)
    return found


def _is_last(described: SectionDescriptor, offset: int, *, good: bool) -> bool:
    """Whether a `next` or `done` ends its file: it points to itself, whatever size it gives."""
    return described.next_offset == offset or (not good and described.size_bytes in (0, DESCRIPTOR.size))


def _end_of(
    file: SegmentFile,
    described: SectionDescriptor,
    offset: int,
    kind: str,
    problems: Problems,
    *,
    good: bool,
) -> int | None:
    """Where the section ends and the next descriptor is, or None if the descriptor does not tell."""
    by_next = described.next_offset
    by_size = offset + described.size_bytes
    if good and by_next == offset:
        problems.add("a section was never closed", file.name, offset, kind, "its end")
        return None
    if good and described.size_bytes and by_next != by_size:
        problems.add("a section's two lengths disagree", file.name, offset, by_size, by_next)
    first = offset + DESCRIPTOR.size
    candidates = [end for end in dict.fromkeys((by_next, by_size)) if first <= end < file.size_bytes]
    if not good:
        candidates.sort()  # the nearer one skips nothing
    for end in candidates:
        if _descriptor_at(file, end) is not None:
            return end
    if good and candidates:
        return candidates[0]
    if good:
        problems.add("the file ends inside a section", file.name, offset, file.size_bytes, by_next)
    return None


def _search(file: SegmentFile, start: int) -> int | None:
    """The next place from `start` on that is a good descriptor and agrees about where it is."""
    for offset in islice(_places(file, start), _MAX_CANDIDATES):
        described = _descriptor_at(file, offset)
        if described is None:
            continue
        if described.next_offset in (offset, offset + described.size_bytes):
            return offset
    return None


def _places(file: SegmentFile, start: int) -> Iterator[int]:
    """Offsets from `start` on, in ascending order, at which a section's name stands."""
    while start < file.size_bytes:
        window = file.read(start, _SEARCH_BYTES + 15)
        places = set()
        for name in _SEARCHED:
            at = window.find(name)
            while at >= 0:
                places.add(at)
                at = window.find(name, at + 1)
        yield from (start + at for at in sorted(places))
        if len(window) < _SEARCH_BYTES:
            return
        start += _SEARCH_BYTES

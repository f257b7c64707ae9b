"""Entry and Stream: a file, directory or other object as one view of the disc shows it."""

from enum import StrEnum
from typing import Any, NamedTuple

from acquire.geometry import Extent
from analyze.timestamp import Timestamp


class EntryKind(StrEnum):
    """What an entry is; `OTHER` is for pipes, sockets and types that no clause defines."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    DEVICE = "device"
    OTHER = "other"


class Stream(NamedTuple):
    """Named content of an entry: "" is its data, "resource" a resource fork; extents in order."""

    name: str
    size_bytes: int
    extents: tuple[Extent, ...]


class Entry(NamedTuple):
    r"""One object of one volume. A field that the medium does not record is None.

    `ordinal` counts entries of the volume from 0; `parent` is the ordinal of its directory, None for
    those in the root. The root directory itself is part of the Volume. `path` begins with "/".
    In `name` and `path`, bytes that cannot be text, NUL, and "/" inside a name stand as `\xNN`, lone
    surrogates as `\uNNNN`, and then `name_raw` holds the recorded bytes. They may still hold
    newlines, terminal escapes or markup: whoever shows them escapes them.
    """

    volume: int
    ordinal: int
    parent: int | None
    path: str
    name: str
    kind: EntryKind
    size_bytes: int
    streams: tuple[Stream, ...] = ()
    deleted: bool = False
    modified: Timestamp | None = None
    created: Timestamp | None = None
    accessed: Timestamp | None = None
    changed: Timestamp | None = None  # attributes last changed (POSIX ctime)
    recorded: Timestamp | None = None  # ECMA-119 9.1.5: when the extent was recorded
    backup: Timestamp | None = None
    expires: Timestamp | None = None
    effective: Timestamp | None = None
    mode: int | None = None  # POSIX st_mode with the file type
    uid: int | None = None
    gid: int | None = None
    links: int | None = None
    inode: int | None = None
    device: str | None = None  # "major:minor"
    link_target: str | None = None
    hidden: bool | None = None
    flags: int | None = None  # the volume's own flag bits (ECMA-119 9.1.6)
    identifier: str | None = None  # as the directory records it, e.g. "COPYING.;1"
    name_raw: bytes | None = None
    record_lba: int | None = None  # where this entry's own record stands
    record_offset: int | None = None
    attributes: dict[str, Any] | None = None  # the rest, JSON-able, keys in docs/reference/database.md

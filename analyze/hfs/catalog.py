"""Catalog records of HFS and HFS+, read into one shape (IM 2-69 to 2-72, TN1150 "Catalog File")."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from analyze.anomaly import Anomaly
from analyze.hfs.btree import BTree, Leaf
from analyze.hfs.fork import ForkData, hfs_runs, plus_fork
from analyze.hfs.layout import (
    HFS_DIRECTORY,
    HFS_FILE,
    PLUS_FILE,
    PLUS_FOLDER,
    HfsDirectory,
    HfsFile,
    PlusFile,
    PlusFolder,
)
from analyze.hfs.names import mac_time
from analyze.timestamp import Timestamp

ROOT_PARENT, ROOT = 1, 2  # IM 2-71, TN "Catalog Node IDs"
EXTENTS_FILE, CATALOG_FILE, ATTRIBUTES_FILE = 3, 4, 8

_INVISIBLE = 0x4000  # Inside Macintosh: Macintosh Toolbox Essentials 7-49
_THREADS = (3, 4)  # IM 2-72, TN "Catalog Thread Records": they repeat what the others say


class Record(NamedTuple):
    """A file or folder as the catalog has it; None where the format does not record it."""

    folder: bool
    parent: int
    name: bytes
    id: int
    created: Timestamp | None
    modified: Timestamp | None
    changed: Timestamp | None
    accessed: Timestamp | None
    backup: Timestamp | None
    mode: int
    owner: int
    group: int
    flags: int
    owner_flags: int
    special: int
    finder: bytes
    data: ForkData | None
    resource: ForkData | None
    place: int

    @property
    def invisible(self) -> bool:
        """The Finder's invisible bit; it stands at the same place for files and folders."""
        return bool(int.from_bytes(self.finder[8:10], "big") & _INVISIBLE)


def records(tree: BTree, *, plus: bool, volume: int) -> Iterator[Record | Anomaly]:
    """Yield every file and folder of the catalog in its order, and the anomalies met."""
    read = _plus_record if plus else _hfs_record
    for item in tree.walk():
        if isinstance(item, Anomaly):
            yield item
            continue
        record = read(item)
        if isinstance(record, Record):
            yield record
        elif record is not None:
            lba, offset = divmod(item.place, SECTOR_BYTES) if item.place >= 0 else (None, None)
            yield Anomaly(
                "hfs-catalog-record",
                f"catalog record {record}",
                lba,
                offset,
                "TN1150 Catalog File",
                volume=volume,
                seen=f"{len(item.data)} bytes",
            )


def _hfs_record(leaf: Leaf) -> Record | str | None:
    """A record of an HFS catalog: key length, reserved, parent, Pascal name; data at an even offset."""
    data = leaf.data
    length = data[0] if data else 0
    if length < 6 or length + 1 > len(data):
        return "with an impossible key length"
    parent = int.from_bytes(data[2:6], "big")
    name = bytes(data[7 : 7 + min(data[6], length - 6)])
    at = (length + 2) & ~1
    kind = data[at] if at < len(data) else 0
    place = leaf.place + at
    if kind in _THREADS:
        return None
    if kind == 1 and at + HFS_DIRECTORY.size <= len(data):
        folder = HFS_DIRECTORY.read(data, at)
        return _made(folder, (parent, name, place))
    if kind == 2 and at + HFS_FILE.size <= len(data):
        file = HFS_FILE.read(data, at)
        fork = ForkData(file.data_bytes, None, hfs_runs(file.data_extents))
        resource = ForkData(file.resource_bytes, None, hfs_runs(file.resource_extents))
        return _made(file, (parent, name, place), fork, resource)
    return f"of type {kind} is cut short or of no known type"


def _made(
    record: HfsDirectory | HfsFile | PlusFolder | PlusFile,
    key: tuple[int, bytes, int],
    data: ForkData | None = None,
    resource: ForkData | None = None,
    *,
    utc: bool = False,
) -> Record:
    """What both formats record; HFS records no more, and its times have no zone."""
    parent, name, place = key
    return Record(
        folder=isinstance(record, HfsDirectory | PlusFolder),
        parent=parent,
        name=name,
        id=record.id,
        created=mac_time(record.created, utc=utc),
        modified=mac_time(record.modified, utc=utc),
        changed=None,
        accessed=None,
        backup=mac_time(record.backup, utc=utc),
        mode=0,
        owner=0,
        group=0,
        flags=record.flags,
        owner_flags=0,
        special=0,
        finder=record.finder,
        data=data,
        resource=resource,
        place=place,
    )


_PLUS_KEY = struct.Struct(">HIH")


def _plus_record(leaf: Leaf) -> Record | str | None:
    """A record of an HFS+ catalog: key length, parent, name length, UTF-16 name; then the data."""
    data = leaf.data
    if len(data) < _PLUS_KEY.size:
        return "with an impossible key length"
    length, parent, units = _PLUS_KEY.unpack_from(data)
    at = length + 2
    if length < 6 or at + 2 > len(data):
        return "with an impossible key length"
    name = bytes(data[8 : 8 + 2 * min(units, (length - 6) // 2)])
    kind = int.from_bytes(data[at : at + 2], "big")
    place = leaf.place + at
    if kind in _THREADS:
        return None
    if kind == 1 and at + PLUS_FOLDER.size <= len(data):
        return _plus_made(PLUS_FOLDER.read(data, at), (parent, name, place))
    if kind == 2 and at + PLUS_FILE.size <= len(data):
        file = PLUS_FILE.read(data, at)
        return _plus_made(
            file, (parent, name, place), plus_fork(file.data_fork), plus_fork(file.resource_fork)
        )
    return f"of type {kind} is cut short or of no known type"


def _plus_made(
    record: PlusFolder | PlusFile,
    key: tuple[int, bytes, int],
    data: ForkData | None = None,
    resource: ForkData | None = None,
) -> Record:
    return _made(record, key, data, resource, utc=True)._replace(
        changed=mac_time(record.changed, utc=True),
        accessed=mac_time(record.accessed, utc=True),
        mode=record.mode,
        owner=record.owner,
        group=record.group,
        owner_flags=record.owner_flags,
        special=record.special,
    )

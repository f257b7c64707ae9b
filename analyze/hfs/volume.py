"""HFS and HFS+ volumes: recognised, and walked into entries."""

import stat
import struct
from collections.abc import Iterator
from typing import Any, NamedTuple

from acquire.geometry import SECTOR_BYTES, Extent, SectorRange
from acquire.image import Image
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind, Stream
from analyze.hfs.btree import BTree
from analyze.hfs.catalog import (
    ATTRIBUTES_FILE,
    CATALOG_FILE,
    EXTENTS_FILE,
    ROOT,
    ROOT_PARENT,
    Record,
    records,
)
from analyze.hfs.fork import (
    DATA_FORK,
    RESOURCE_FORK,
    Fork,
    ForkData,
    Geometry,
    Run,
    hfs_runs,
    plus_fork,
    plus_runs,
)
from analyze.hfs.names import hfs_name, plus_name
from analyze.volume import VolumeInfo

MOST_FOLDERS = 2_000_000
"""Folders kept in memory; a catalog that claims more is read to here and the rest said."""
MOST_ATTRIBUTES = 2_000_000
"""Extended attributes kept in memory."""
_MOST_LINK_BYTES = 4096
_MOST_DEPTH = 1024

_PRIVATE_FILES = "\0\0\0\0HFS+ Private Data".encode("utf-16-be")  # TN "Hard Links"
_PRIVATE_FOLDERS = ".HFS+ Private Directory Data\r".encode("utf-16-be")
_HARD_LINK = b"hlnkhfs+"
_FOLDER_LINK = b"fdrpMACS"


class Parts(NamedTuple):
    """What of a volume's description walking needs; `plus` tells HFS+ from HFS."""

    plus: bool
    start_byte: int
    geometry: Geometry
    extents: ForkData
    catalog: ForkData
    attributes: ForkData | None
    structures: tuple[tuple[int, int], ...]  # (first byte, bytes)
    problems: tuple[Anomaly, ...]
    files: int
    folders: int


class _Folder(NamedTuple):
    ordinal: int
    path: str


class HfsVolume:
    """One HFS, HFS+ or HFSX volume."""

    def __init__(self, image: Image, info: VolumeInfo, parts: Parts) -> None:
        """Keep what was recognised; reading begins with `walk`."""
        self._image = image
        self.info = info
        self._parts = parts
        self._name = plus_name if parts.plus else hfs_name
        self._overflow: dict[tuple[int, int], list[tuple[int, tuple[Run, ...]]]] = {}
        self._attributes: dict[int, list[Stream]] = {}
        self._targets: dict[int, Record] = {}
        self._kept: list[SectorRange] = []

    def _anomaly(self, code: str, message: str, place: int = -1, **more: str) -> Anomaly:
        lba, offset = divmod(place, SECTOR_BYTES) if place >= 0 else (None, None)
        return Anomaly(code, message, lba, offset, volume=self.info.ordinal, **more)

    # Forks -------------------------------------------------------------------------------------

    def _runs(self, owner: int, kind: int, fork: ForkData) -> tuple[Run, ...]:
        """All runs of a fork: those of its record, then those of the overflow file in order."""
        more = self._overflow.get((owner, kind))
        if not more:
            return fork.runs
        runs = list(fork.runs)
        for _start, piece in sorted(more):
            runs.extend(piece)
        return tuple(runs)

    def _stream(
        self, name: str, owner: int, kind: int, fork: ForkData
    ) -> tuple[Stream, list[tuple[str, str, str]]]:
        """A fork as a stream, with (code, seen, expected) of what is wrong with it."""
        runs = self._runs(owner, kind, fork)
        geometry = self._parts.geometry
        wrong: list[tuple[str, str, str]] = []
        for run in runs:
            if run.start + run.blocks > geometry.blocks:
                wrong.append(
                    (
                        "hfs-extent-range",
                        f"blocks {run.start} to {run.start + run.blocks}",
                        f"below {geometry.blocks}",
                    )
                )
                break
        extents = geometry.extents(runs, fork.size_bytes)
        held = sum(extent.length_bytes for extent in extents)
        if held < fork.size_bytes:
            wrong.append(("hfs-extents-short", f"{held} bytes", f"{fork.size_bytes} bytes"))
        return Stream(name, fork.size_bytes, extents), wrong

    def _tree(self, name: str, owner: int, fork: ForkData) -> BTree:
        runs = self._runs(owner, DATA_FORK, fork)
        geometry = self._parts.geometry
        for extent in geometry.extents(runs, fork.size_bytes):
            self._kept.append(SectorRange(extent.start_lba, extent.length_sectors))
        return BTree(Fork(self._image, geometry, runs, fork.size_bytes), name, self.info.ordinal)

    # Walking -----------------------------------------------------------------------------------

    def walk(self) -> Iterator[Entry | Anomaly]:
        """Yield every entry and anomaly: all folders from the root down first, then the files."""
        yield from self._parts.problems
        yield from self._read_overflow()
        if self._parts.attributes is not None and self._parts.attributes.size_bytes:
            yield from self._read_attributes(self._parts.attributes)
        catalog = self._tree("catalog", CATALOG_FILE, self._parts.catalog)
        folders: dict[int, Record] = {}
        private: set[int] = set()
        files = 0
        for item in records(catalog, plus=self._parts.plus, volume=self.info.ordinal):
            if isinstance(item, Anomaly):
                yield item
            elif item.folder:
                if len(folders) < MOST_FOLDERS:
                    folders[item.id] = item
                if item.parent == ROOT and item.name in (_PRIVATE_FILES, _PRIVATE_FOLDERS):
                    private.add(item.id)
            else:
                files += 1
                if item.parent in private and item.name.startswith("iNode".encode("utf-16-be")):
                    self._note_target(item)
        placed: dict[int, _Folder] = {}
        yield from self._folders(folders, placed)
        shown = [len(placed)]
        again = self._tree("catalog", CATALOG_FILE, self._parts.catalog)
        for item in records(again, plus=self._parts.plus, volume=self.info.ordinal):
            if isinstance(item, Record) and not item.folder:
                yield from self._file(item, placed, shown)
        yield from self._counts(files, len(folders) - (ROOT in folders))

    def _note_target(self, record: Record) -> None:
        """Remember a hard link's real file by the number in its name (TN "Hard Links")."""
        number = record.name.decode("utf-16-be", "replace")[5:]
        if number.isascii() and number.isdigit() and len(number) < 11:
            self._targets[int(number)] = record

    def _counts(self, files: int, folders: int) -> Iterator[Anomaly]:
        for what, seen, expected in (
            ("files", files, self._parts.files),
            ("folders", folders, self._parts.folders),
        ):
            if seen != expected:
                yield self._anomaly(
                    "hfs-count",
                    f"the catalog holds another number of {what} than the volume's description says",
                    self._parts.start_byte + 1024,
                    seen=str(seen),
                    expected=str(expected),
                )

    def _read_overflow(self) -> Iterator[Anomaly]:
        """The extents overflow file (IM 2-74, TN "Extents Overflow File")."""
        key = struct.Struct(">HBBII") if self._parts.plus else struct.Struct(">BBIH")
        size = 64 if self._parts.plus else 12
        for item in self._tree("extents", EXTENTS_FILE, self._parts.extents).walk():
            if isinstance(item, Anomaly):
                yield item
                continue
            data = item.data
            at = key.size
            if len(data) < at + size:
                continue
            if self._parts.plus:
                _length, kind, _pad, owner, start = key.unpack_from(data)
                runs = plus_runs(bytes(data[at : at + 64]))
            else:
                _length, kind, owner, start = key.unpack_from(data)
                runs = hfs_runs(bytes(data[at : at + 12]))
            self._overflow.setdefault((owner, kind), []).append((start, runs))

    def _read_attributes(self, fork: ForkData) -> Iterator[Anomaly]:
        """The attributes file (TN "Attributes File"): inline data and forks become streams."""
        kept = 0
        for item in self._tree("attributes", ATTRIBUTES_FILE, fork).walk():
            if isinstance(item, Anomaly):
                yield item
                continue
            data = item.data
            if len(data) < 14 or kept >= MOST_ATTRIBUTES:
                continue
            length, _pad, owner, _start, units = struct.unpack_from(">HHIIH", data)
            at = length + 2
            name, _raw = plus_name(bytes(data[14 : 14 + 2 * min(units, (len(data) - 14) // 2)]))
            kind = int.from_bytes(data[at : at + 4], "big")
            stream: Stream | None = None
            if kind == 0x10 and at + 16 <= len(data):  # inline: 8 reserved bytes, size, data
                size = min(int.from_bytes(data[at + 12 : at + 16], "big"), len(data) - at - 16)
                lba, offset = divmod(item.place + at + 16, SECTOR_BYTES)
                stream = Stream(f"xattr:{name}", size, (Extent(lba, size, offset),) if size else ())
            elif kind == 0x20 and at + 88 <= len(data):  # a fork
                stream, _wrong = self._stream(
                    f"xattr:{name}", 0, -1, plus_fork(bytes(data[at + 8 : at + 88]))
                )
            if stream is not None:
                self._attributes.setdefault(owner, []).append(stream)
                kept += 1

    def _folders(self, folders: dict[int, Record], placed: dict[int, _Folder]) -> Iterator[Entry | Anomaly]:
        """Yield folders parents first; those that hang in a loop or nowhere come last, in the root."""
        children: dict[int, list[int]] = {}
        for number, record in folders.items():
            if number not in (ROOT, record.parent):
                children.setdefault(record.parent, []).append(number)
        done: set[int] = {ROOT, ROOT_PARENT}
        ordinal = 0

        def below(start: list[tuple[int, _Folder | None, int]]) -> Iterator[Entry]:
            nonlocal ordinal
            stack = start
            while stack:
                number, parent, depth = stack.pop()
                if number in done or depth > _MOST_DEPTH:
                    continue
                done.add(number)
                entry = self._entry(folders[number], ordinal, parent)
                placed[number] = _Folder(ordinal, entry.path)
                ordinal += 1
                yield entry
                here = placed[number]
                stack.extend((child, here, depth + 1) for child in reversed(children.get(number, ())))

        yield from below([(child, None, 0) for child in reversed(children.get(ROOT, ()))])
        for number, record in folders.items():
            if number in done:
                continue
            missing = record.parent not in folders
            yield self._anomaly(
                "hfs-parent-missing" if missing else "hfs-directory-loop",
                "a folder's parent is not in the catalog" if missing else "a folder is its own ancestor",
                record.place,
                seen=f"folder {number} in {record.parent}",
            )
            yield from below([(number, None, 0)])

    def _file(
        self, record: Record, placed: dict[int, _Folder], shown: list[int]
    ) -> Iterator[Entry | Anomaly]:
        parent = placed.get(record.parent)
        if parent is None and record.parent != ROOT:
            yield self._anomaly(
                "hfs-parent-missing",
                "the folder of a file is not in the catalog",
                record.place,
                seen=f"file {record.id} in {record.parent}",
            )
        entry = self._entry(record, shown[0], parent)
        shown[0] += 1
        signature = record.finder[:8]
        target = None
        if self._parts.plus and signature == _HARD_LINK:
            target = self._targets.get(record.special)
            if target is None:
                yield self._anomaly(
                    "hfs-link-target",
                    f"hard link to iNode{record.special}, which is not there",
                    record.place,
                )
        source = target or record
        streams: list[Stream] = []
        for name, kind, fork in (("", DATA_FORK, source.data), ("resource", RESOURCE_FORK, source.resource)):
            if fork is None or (name and not fork.size_bytes):
                continue
            stream, wrong = self._stream(name, source.id, kind, fork)
            streams.append(stream)
            for code, seen, expected in wrong:
                yield self._anomaly(
                    code,
                    f"{name or 'data'} fork of file {source.id}",
                    source.place,
                    seen=seen,
                    expected=expected,
                )._replace(path=entry.path)
        streams.extend(self._attributes.get(source.id, ()))
        yield self._completed(entry, record, target, streams)

    def _completed(self, entry: Entry, record: Record, target: Record | None, streams: list[Stream]) -> Entry:
        """Add content, link target and what a hard link's real file says to a file's entry."""
        attributes = dict(entry.attributes or {})
        if target is not None:
            attributes["hard_link"] = record.special
            entry = self._entry(target, entry.ordinal, None)._replace(
                parent=entry.parent,
                path=entry.path,
                name=entry.name,
                name_raw=entry.name_raw,
                record_lba=entry.record_lba,
                record_offset=entry.record_offset,
                links=target.special or None,
            )
            attributes = {**(entry.attributes or {}), **attributes}
        elif self._parts.plus and record.finder[:8] == _FOLDER_LINK:
            attributes["folder_link"] = record.special
        data = streams[0] if streams and streams[0].name == "" else None
        link = None
        if entry.kind is EntryKind.SYMLINK and data is not None and data.size_bytes <= _MOST_LINK_BYTES:
            link = self._text(data)
        for stream in streams:
            if stream.name == "xattr:com.apple.decmpfs":
                attributes["decmpfs"] = self._decmpfs(stream)
        return entry._replace(
            streams=tuple(streams),
            size_bytes=data.size_bytes if data else 0,
            link_target=link,
            attributes=attributes or None,
        )

    def _content(self, stream: Stream, most: int) -> bytes:
        """The first bytes of a stream, at most `most` of each extent."""
        parts = []
        for extent in stream.extents[:16]:
            length = min(extent.length_bytes, most)
            piece = extent._replace(length_bytes=length)
            raw = self._image.read(extent.start_lba, piece.length_sectors)
            parts.append(raw[extent.offset_bytes : extent.offset_bytes + length])
        return b"".join(parts)[:most]

    def _text(self, stream: Stream) -> str:
        raw = self._content(stream, _MOST_LINK_BYTES)
        return raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")

    def _decmpfs(self, stream: Stream) -> dict[str, Any]:
        """The header of a compressed file's attribute: type and size when expanded."""
        raw = self._content(stream, 16)
        if len(raw) < 16 or raw[:4] != b"fpmc":
            return {"type": None, "size_bytes": None}
        kind, size = struct.unpack_from("<IQ", raw, 4)
        return {"type": kind, "size_bytes": size}

    def _entry(self, record: Record, ordinal: int, parent: _Folder | None) -> Entry:
        name, raw = self._name(record.name)
        lba, offset = divmod(record.place, SECTOR_BYTES) if record.place >= 0 else (None, None)
        mode = record.mode or None
        kind = EntryKind.DIRECTORY if record.folder else _kind(record.mode)
        device = None
        if kind is EntryKind.DEVICE:
            device = f"{record.special >> 24}:{record.special & 0xFFFFFF}"
        attributes: dict[str, Any] = {"flags": record.flags} if record.flags else {}
        if not record.folder and record.finder[:8] != bytes(8):
            attributes["type"] = record.finder[:4].decode("mac_roman")
            attributes["creator"] = record.finder[4:8].decode("mac_roman")
        finder_flags = int.from_bytes(record.finder[8:10], "big")
        if finder_flags:
            attributes["finder_flags"] = finder_flags
        return Entry(
            volume=self.info.ordinal,
            ordinal=ordinal,
            parent=None if parent is None else parent.ordinal,
            path=f"{parent.path if parent else ''}/{name}",
            name=name,
            kind=kind,
            size_bytes=0,
            modified=record.modified,
            created=record.created,
            accessed=record.accessed,
            changed=record.changed,
            backup=record.backup,
            mode=mode,
            uid=record.owner if mode else None,
            gid=record.group if mode else None,
            inode=record.id,
            device=device,
            hidden=record.invisible,
            flags=record.owner_flags if self._parts.plus else record.flags,
            name_raw=raw,
            record_lba=lba,
            record_offset=offset,
            attributes=attributes or None,
        )

    def structures(self) -> Iterator[SectorRange]:
        """Sectors of the volume's own structures: descriptions, bitmap, trees."""
        for at, length in self._parts.structures:
            first = at // SECTOR_BYTES
            yield SectorRange(first, -(-(at + length) // SECTOR_BYTES) - first)
        yield from self._kept


def _kind(mode: int) -> EntryKind:
    """What a file record is, by its POSIX type where it has one."""
    kind = stat.S_IFMT(mode)
    if kind in (0, stat.S_IFREG):
        return EntryKind.FILE
    if kind == stat.S_IFLNK:
        return EntryKind.SYMLINK
    if kind in (stat.S_IFBLK, stat.S_IFCHR):
        return EntryKind.DEVICE
    return EntryKind.OTHER

"""Take files and streams out of an exhibit: safe names, digests checked, a manifest of what came from where.

Nothing is written outside the destination, nothing there is overwritten, and a file stands under its
name only when it is whole. Content that the exhibit does not hold completely is written with zeros
in its place under a name that ends in `.incomplete`, and the manifest says which bytes those are.
"""

import csv
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, Self, TextIO

from acquire.digest import DEFAULT_DIGESTS, MultiDigest
from acquire.errors import DestinationError, destination_error
from acquire.geometry import HOLE, SECTOR_BYTES, Extent
from acquire.image import Image
from report.safename import Folder, safe_name

_BLOCK_BYTES = 1 << 20
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
MOST_HOLE_BYTES = 64 << 30
"""Zeros that are written out for unrecorded extents; a file that claims more is not written."""
MANIFEST = "manifest"
FIELDS = (
    "exported",
    "path",
    "volume",
    "kind",
    "stream",
    "deleted",
    "size_bytes",
    "missing",
    "extents",
    "modified",
    "accessed",
    "created",
    "changed",
    "md5",
    "sha1",
    "sha256",
    "status",
    "note",
)
"""Columns of the manifest, in order (docs/reference/export.md)."""


class Content(NamedTuple):
    """A stream of an entry: its name ("" is the data), size, extents and the digests on record."""

    stream: str
    size_bytes: int
    extents: tuple[Extent, ...]
    digests: dict[str, str]


class Item(NamedTuple):
    """An entry to export; `volume` is the folder that its volume gets in the destination."""

    volume: str
    path: str
    kind: str
    deleted: bool
    contents: tuple[Content, ...]
    times: dict[str, str | None]
    link_target: str | None = None


class Result(NamedTuple):
    """How many files were written, were there already, are incomplete, or could not be written."""

    written: int
    already: int
    incomplete: int
    failed: int


class _Written(NamedTuple):
    digests: dict[str, str]
    missing: list[list[int]]


def csv_cell(value: object) -> str:
    """A cell that no spreadsheet takes for a formula; control characters are escaped."""
    text = "" if value is None else str(value)
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return f"'{text}" if text.startswith(_FORMULA) else text


class _Manifest:
    """Rows in CSV for people and JSON Lines for programs, under names that are not taken yet."""

    def __init__(self, folder: Path) -> None:
        number = 1
        while True:
            stem = MANIFEST if number == 1 else f"{MANIFEST}-{number}"
            try:
                self._jsonl: TextIO = (folder / f"{stem}.jsonl").open("x", encoding="utf-8")
                self._csv: TextIO = (folder / f"{stem}.csv").open("x", encoding="utf-8", newline="")
            except FileExistsError:
                number += 1
                continue
            break
        self.path = folder / f"{stem}.csv"
        self._writer = csv.writer(self._csv)
        self._writer.writerow(FIELDS)

    def add(self, row: dict[str, Any]) -> None:
        self._jsonl.write(json.dumps({field: row.get(field) for field in FIELDS}) + "\n")
        self._writer.writerow(
            csv_cell(json.dumps(row[field]) if isinstance(row.get(field), list) else row.get(field))
            for field in FIELDS
        )

    def close(self) -> None:
        for file in (self._jsonl, self._csv):
            file.flush()
            os.fsync(file.fileno())
            file.close()


class Exporter:
    """Writes items of one image into one destination folder."""

    def __init__(self, image: Image, destination: Path) -> None:
        """Make the destination if it is not there; it must be a folder, not a link to one."""
        self._image = image
        try:
            destination.mkdir(parents=True, exist_ok=True)
            self._root = os.open(destination, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            self._manifest = _Manifest(destination)
        except OSError as error:
            raise destination_error(error, destination) from error
        self._destination = destination
        self._folders: dict[tuple[str, ...], Folder] = {}
        self._unread = [(r.start_lba, r.end_lba) for r in image.unread()]

    @property
    def manifest(self) -> Path:
        """The manifest of this export."""
        return self._manifest.path

    def close(self) -> None:
        """Write the manifest out."""
        self._manifest.close()
        os.close(self._root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_ended: object) -> None:
        self.close()

    def run(self, items: Iterator[Item], *, progress: Callable[[int], None] | None = None) -> Result:
        """Export every item; `progress` is told the bytes written so far."""
        written = already = incomplete = failed = done = 0
        for item in items:
            for row in self._item(item):
                status = row["status"]
                written += status == "written"
                already += status == "already there"
                incomplete += bool(row.get("missing"))
                failed += status == "not written"
                done += row.get("size_bytes") or 0
                self._manifest.add(row)
                if progress is not None:
                    progress(done)
        return Result(written, already, incomplete, failed)

    def _item(self, item: Item) -> Iterator[dict[str, Any]]:
        """Export one entry; yields a manifest row for it, or one for each of its streams."""
        row = {
            "path": item.path,
            "volume": item.volume,
            "kind": item.kind,
            "deleted": item.deleted,
            **item.times,
        }
        parts = [part for part in item.path.split("/") if part]
        if item.kind == "directory":
            with self._folder(item.volume, parts) as (_directory, place):
                yield {**row, "exported": "/".join(place), "status": "folder"}
            return
        if item.kind != "file":
            note = f"symbolic link to {item.link_target}" if item.link_target is not None else "no content"
            yield {**row, "exported": "", "status": "listed", "note": note}
            return
        with self._folder(item.volume, parts[:-1]) as (directory, place):
            names = self._folders.setdefault(tuple(place), Folder())
            for content in item.contents:
                wanted = parts[-1] if not content.stream else f"{parts[-1]}.stream-{content.stream}"
                key = (item.path, content.stream, content.extents)
                name = names.name_for(wanted, key)
                more = self._content(directory, name, item, content)
                exported = "/".join((*place, more.pop("name")))
                yield {
                    **row,
                    "exported": exported,
                    "stream": content.stream,
                    "size_bytes": content.size_bytes,
                    "extents": [list(extent) for extent in content.extents],
                    **more,
                }

    @contextmanager
    def _folder(self, volume: str, parts: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
        """Open (and make) the folder for `parts` step by step, following no link; yields it and its names."""
        place: list[str] = []
        directory = os.dup(self._root)
        try:
            for index, part in enumerate((volume, *parts)):
                names = self._folders.setdefault(tuple(place), Folder())
                name = names.name_for(part, "folder" if index else "volume")
                try:
                    os.mkdir(name, dir_fd=directory)
                except FileExistsError:
                    pass
                except OSError as error:
                    raise destination_error(error, self._destination.joinpath(*place, name)) from error
                try:
                    below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=directory)
                except OSError as error:
                    raise DestinationError(
                        "A file or link stands where a folder is to be",
                        where=self._destination.joinpath(*place, name),
                        do="Export to another folder",
                    ) from error
                os.close(directory)
                directory = below
                place.append(name)
            yield directory, place
        finally:
            os.close(directory)

    def _content(self, directory: int, name: str, item: Item, content: Content) -> dict[str, Any]:
        """Write one stream under `name` in the open folder; returns what the manifest says of it."""
        refused = self._refusal(content)
        if refused:
            return {
                "name": "",
                "status": "not written",
                "missing": [[0, content.size_bytes]],
                "note": refused,
            }
        temporary = f".{safe_name(name)[:150]}.{os.getpid()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        try:
            file = os.open(temporary, flags, 0o644, dir_fd=directory)
            try:
                written = self._copy(file, content)
                _restore_times(file, item.times)
                os.fsync(file)
            finally:
                os.close(file)
            if written.missing:
                name += ".incomplete"
            status = self._place(directory, temporary, name)
        except OSError as error:
            raise destination_error(error, self._destination) from error
        finally:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
        note = ""
        if not written.missing:
            wrong = [n for n, value in content.digests.items() if written.digests.get(n, value) != value]
            if wrong:
                note = f"differs from the case's {', '.join(wrong)}"
        if status == "not written":
            note = "another file has this name here"
        return {"name": name, "status": status, "missing": written.missing, "note": note, **written.digests}

    def _refusal(self, content: Content) -> str:
        """Why a stream is not written at all: sizes that only a damaged or hostile disc claims."""
        holes = sum(extent.length_bytes for extent in content.extents if extent.start_lba == HOLE)
        held = sum(extent.length_bytes for extent in content.extents) - holes
        if holes > MOST_HOLE_BYTES:
            return f"claims {holes} bytes that the disc does not hold"
        if len(content.extents) > 1 and held > 2 * self._image.size_bytes:
            return f"claims {held} bytes, more than the whole disc holds"
        return ""

    def _place(self, directory: int, temporary: str, name: str) -> str:
        """Give the finished file its name, which nothing may have yet; the same file again is no news."""
        try:
            os.link(temporary, name, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
        except FileExistsError:
            same = _digest_of(directory, name) == _digest_of(directory, temporary)
            return "already there" if same else "not written"
        return "written"

    def _copy(self, file: int, content: Content) -> _Written:
        """Copy the extents into the open file; `missing` lists [at, length] of what is not there."""
        digest = MultiDigest(DEFAULT_DIGESTS)
        missing: list[list[int]] = []
        position = 0
        for extent in content.extents:
            left = min(extent.length_bytes, content.size_bytes - position)
            address = extent.start_lba * SECTOR_BYTES + extent.offset_bytes
            while left > 0:
                if extent.start_lba != HOLE and address >= self._image.size_bytes:
                    # Nothing of the rest of this piece is there: it stays a gap in the file.
                    _add(missing, position, left)
                    position = os.lseek(file, left, os.SEEK_CUR)
                    break
                take = min(left, _BLOCK_BYTES)
                if extent.start_lba == HOLE:
                    data = bytes(take)
                else:
                    data = self._read(address, take, position, missing)
                _write(file, data)
                digest.update(data)
                position += take
                address += take
                left -= take
        if position < content.size_bytes:
            _add(missing, position, content.size_bytes - position)  # its extents hold less than its size
        os.ftruncate(file, position)
        return _Written({} if missing else digest.hexdigests(), missing)

    def _read(self, address: int, length: int, position: int, missing: list[list[int]]) -> bytes:
        """`length` bytes from `address`, zeros where there are none; those go into `missing`."""
        first, skip = divmod(address, SECTOR_BYTES)
        count = -(-(skip + length) // SECTOR_BYTES)
        data = self._image.read(first, count)[skip : skip + length]
        for start, end in self._unread:
            low = max(start * SECTOR_BYTES, address)
            high = min(end * SECTOR_BYTES, address + len(data))
            if low < high:
                _add(missing, position + low - address, high - low)
        if len(data) < length:
            _add(missing, position + len(data), length - len(data))
            data += bytes(length - len(data))
        return data


def _write(file: int, data: bytes) -> None:
    """Write all of `data`; a disk that fills up takes a part first and then says so."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _add(missing: list[list[int]], at: int, length: int) -> None:
    """Add a range, joined with the one before where they touch."""
    if missing and missing[-1][0] + missing[-1][1] == at:
        missing[-1][1] += length
    else:
        missing.append([at, length])


def _digest_of(directory: int, name: str) -> str | None:
    """SHA-256 of a plain file in the open folder, None if it is none."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    except OSError:
        return None
    with os.fdopen(file, "rb") as source:
        digest = MultiDigest(("sha256",))
        while block := source.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigests()["sha256"]


def _restore_times(file: int, times: dict[str, str | None]) -> None:
    """Give the file its recorded modification and access times; no zone recorded counts as UTC here."""
    modified = _seconds(times.get("modified"))
    if modified is None:
        return
    accessed = _seconds(times.get("accessed"))
    try:
        os.utime(file, (modified if accessed is None else accessed, modified))
    except (OSError, OverflowError):
        return  # a date that this file system cannot hold; the manifest has it


def _seconds(text: str | None) -> float | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()

"""Target: what is made of a source: format, file name, sector size; and whether it fits."""

import hashlib
import json
import mmap
import shutil
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from acquire.containers import RawImage, open_container
from acquire.errors import DiskFullError, destination_error
from acquire.exhibit import Plan
from acquire.geometry import RAW_SECTOR_BYTES, SECTOR_BYTES, sectors
from acquire.image import Image
from acquire.sectormap import SectorMap
from acquire.source import ImageSource, Source, open_raw
from acquire.toc import Session, TrackMode

_SLACK_BYTES = 1 << 20
_MOST_PROBLEMS = 1000
_OPTICAL = 5
"""SCSI peripheral device type of CD, DVD and Blu-ray drives (SPC-4, "Peripheral device type")."""
_DESCRIPTORS = (b"CD001", b"BEA01", b"CDW02", b"BOOT2")
"""ECMA-119 §8.1.2, ECMA-167 2/9.1.2: what an optical disc has at byte 1 of sector 16."""


class Opened(NamedTuple):
    """A source, as it is opened; closing it closes all. `notes` are sentences for the record.

    `image` is the image in it, if it is a container. `raw_cd` says that it is a file of whole CD sectors.
    `declared` is the map that lies beside it, if one does: what whoever made the file did not read.
    """

    source: Source
    image: Image | None = None
    raw_cd: bool = False
    declared: SectorMap | None = None
    notes: tuple[str, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What must be equal for an interrupted acquisition to go on, as JSON gives it back."""
        known = self.source.identity()
        if self.source.kind == "file":
            chart = b"" if self.declared is None else self.declared.render()
            known["map_sha256"] = hashlib.sha256(chart).hexdigest()
        same: dict[str, Any] = json.loads(json.dumps(known))
        return same

    def problems(self) -> list[str]:
        """What was wrong with the container that was read, in sentences; bounded in number."""
        found = islice(getattr(self.image, "problems", ()), _MOST_PROBLEMS)
        return [f"{each.what} ({each.file} at byte {each.offset})" for each in found]


class Target(NamedTuple):
    """`sector_bytes` is the unit of every sector number in the record, `unit_bytes` that of single reads."""

    format: str
    suffix: str
    sector_bytes: int
    unit_bytes: int
    size_bytes: int
    media: str
    physical: bool
    sessions: tuple[Session, ...]

    @property
    def sector_count(self) -> int:
        """Sectors, the last one perhaps in part."""
        return sectors(self.size_bytes, self.sector_bytes)


def open_source(path: Path) -> Opened:
    """Open what is to be acquired: a file, a block device, or the media inside a container.

    Raises:
        SourceError: it is missing, unreadable, empty, mounted, or nothing of these.
        ContainerError: a container that is damaged beyond opening.
    """
    if path.is_block_device():
        return Opened(open_raw(path))
    image = open_container(path)
    if image is None:
        with RawImage(path) as probe:
            raw_cd = probe.raw_sector_bytes == RAW_SECTOR_BYTES
            return Opened(open_raw(path), None, raw_cd, probe.map, probe.notes)
    try:
        source = ImageSource(image, path, _container(image, path))
        return Opened(source, image, notes=tuple(getattr(image, "limits", ())))
    except BaseException:
        image.close()
        raise


def _container(image: Image, path: Path) -> dict[str, Any]:
    """What a container says of itself, for the record."""
    segments = tuple(getattr(image, "segments", ()) or (path,))
    known: dict[str, Any] = {
        "container_kind": getattr(image, "kind", type(image).__name__),
        "container_files": [str(segment) for segment in segments],
        "container_header": dict(getattr(image, "header", {}) or {}),
        "stored_md5": getattr(image, "stored_md5", None),
        "stored_sha1": getattr(image, "stored_sha1", None),
    }
    return {name: value for name, value in known.items() if value}


def choose(opened: Opened, plan: Plan) -> Target:
    """Decide what is made of a source.

    Sectors have 2352 bytes where the file holds whole CD sectors; 2048 where that divides the size, except on
    a disk that is not optical and has smaller blocks; else, on a device, its block's size. A file of any
    other size has 2048-byte sectors, the last one short.
    """
    source = opened.source
    known = source.describe()
    size = source.size_bytes
    block = known.get("logical_block_bytes", SECTOR_BYTES) if source.kind == "block device" else SECTOR_BYTES
    sector = RAW_SECTOR_BYTES if opened.raw_cd else SECTOR_BYTES
    is_disk = source.kind == "block device" and _is_disk(source, known)
    if is_disk or (size % SECTOR_BYTES and source.kind == "block device"):
        sector = block
    plain = sector != RAW_SECTOR_BYTES and size % SECTOR_BYTES == 0
    kind = plan.format or ("e01" if plain else "raw")
    suffix = ".E01" if kind == "e01" else ".iso" if plain and sector == SECTOR_BYTES else ".img"
    media = "optical"
    if is_disk:
        media = "removable" if known.get("removable") else "fixed"
    sessions: tuple[Session, ...] = ()
    if opened.image is not None and opened.image.disc.recorded:
        found = opened.image.disc.sessions
        if not any(track.mode is TrackMode.AUDIO for session in found for track in session.tracks):
            sessions = found
    unit = source.unit_bytes if source.kind == "block device" else sector
    return Target(kind, suffix, sector, unit, size, media, "partition" not in known, sessions)


def _is_disk(source: Source, known: dict[str, Any]) -> bool:
    """Whether a block device is a disk of smaller sectors: not optical, nor a file through a loop device."""
    if known.get("scsi_type") == _OPTICAL or known.get("backing_file"):
        return False
    if known.get("logical_block_bytes", SECTOR_BYTES) >= SECTOR_BYTES:
        return False
    with mmap.mmap(-1, source.unit_bytes) as buffer, memoryview(buffer) as view:
        try:
            source.read_alone(view, 16 * SECTOR_BYTES)
        except OSError:
            return True
        return bytes(view[1:6]) not in _DESCRIPTORS


def check_space(folder: Path, target: Target, plan: Plan, held_bytes: int) -> None:
    """Refuse early what cannot fit: a raw image, or an E01 without compression.

    Raises:
        DiskFullError: with the figures.
        DestinationError: the folder is not there.
    """
    if target.format != "raw" and plan.compression != "none":
        return
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise destination_error(error, folder) from error
    needed = max(0, target.size_bytes - held_bytes) + _SLACK_BYTES
    if free < needed:
        raise DiskFullError(
            f"Not enough space: {needed} bytes are needed, {free} are free",
            where=folder,
            do="Free space or choose another folder, then give the same command again",
        )

"""RawImage: a plain file or device of user data, or a file of whole CD sectors of 2352 bytes.

Plain: the bytes are the user data, 2048 a sector; the last sector may be short.

Whole CD sectors (ECMA-130 §14, Annex A; CD-ROM XA for the sub-header): the 2048 bytes of user data are taken
out, by the sector's own header, as follows. Nothing is invented: a sector that has no 2048 bytes of user
data reads as zeros, and is in `unread()` and, with its kind, in `not_data()` from then on.

====================  =================================================  =====================
sector                known by                                           user data
====================  =================================================  =====================
mode 1                sync, mode byte 1                                  bytes 16 to 2063
mode 2 form 1         sync, mode byte 2, sub-header says form 1          bytes 24 to 2071
mode 2 form 2         sync, mode byte 2, sub-header says form 2          none of 2048 bytes
mode 2 without form   sync, mode byte 2, the sub-header's copies differ  none of 2048 bytes
                      and the form 1 EDC is wrong
mode 0                sync, mode byte 0                                  none
other                 sync, any other mode byte                          none
audio                 no sync                                            none
damaged sync          at least 8 of 12 sync bytes are right, and with    as its mode
                      them mended so is the EDC of mode 1 or form 1
====================  =================================================  =====================

Beside an image may lie its map in GNU ddrescue's format (`LABEL.map`, `IMAGE.mapfile`, …): what it does not
call finished is unread.
"""

import os
import stat
from bisect import bisect_right
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from operator import eq
from pathlib import Path
from threading import Lock
from typing import Self

from acquire import blockdevice
from acquire.edcecc import edc
from acquire.errors import ContainerError, SourceError
from acquire.geometry import RAW_SECTOR_BYTES, SECTOR_BYTES, SectorRange, merge, sectors
from acquire.sectormap import SectorMap
from acquire.source import open_readable
from acquire.toc import Disc, TrackMode, single_track

SYNC = b"\x00" + b"\xff" * 10 + b"\x00"
"""ECMA-130 §14.1, §14.2: the first twelve bytes of a data sector."""
_FIRST_SAMPLES = 16
_SPREAD_SAMPLES = 48
_DESCRIPTOR_OFFSET = 16 * SECTOR_BYTES + 1
_DESCRIPTORS = (b"CD001", b"BEA01", b"CDW02", b"BOOT2", b"NSR02", b"NSR03")
"""ECMA-119 §8.1.2, ECMA-167 2/9.1.2: what stands at sector 16 of a plain image of 2048-byte sectors."""
_FORM2 = 0x20
"""The sub-mode bit that says form 2 (CD-ROM XA, sub-header)."""
_SYNC_BYTES_ENOUGH = 8
_MODES = {1: TrackMode.MODE1, 2: TrackMode.MODE2}
MAP_SUFFIXES = (".map", ".mapfile")


class SectorKind(StrEnum):
    """Why a CD sector has no 2048 bytes of user data."""

    NO_SYNC = "without sync, as audio is"
    MODE0 = "mode 0"
    FORM2 = "mode 2 form 2"
    FORMLESS = "mode 2 without form"
    OTHER = "unknown mode"


class RawImage:
    """A plain or raw-CD image file, or a device; see the module. Safe to read from several threads.

    `raw_sector_bytes` is 2352 for whole CD sectors, else 2048, and `raw_size_bytes` the size as stored;
    `notes` says what about the image is odd, in sentences.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`.

        Raises:
            SourceError: it is missing, unreadable, a folder or the like, or empty.
        """
        self.path = path
        self.name = str(path)
        self._lock = Lock()
        self._failed: list[SectorRange] = []
        self._not_data: dict[SectorKind, list[SectorRange]] = {}
        self._descriptor = open_readable(path)
        is_device = stat.S_ISBLK(os.fstat(self._descriptor).st_mode)
        if is_device:
            self.raw_size_bytes = blockdevice.size_bytes(self._descriptor)
        else:
            self.raw_size_bytes = os.fstat(self._descriptor).st_size
        if not self.raw_size_bytes:
            self.close()
            raise SourceError("Empty: 0 bytes", where=path, do="Check that it is the right one")
        mode = None if is_device else _raw_cd_mode(self._pread, self.raw_size_bytes)
        self.raw_sector_bytes = SECTOR_BYTES if mode is None else RAW_SECTOR_BYTES
        if mode is None:
            self.size_bytes = self.raw_size_bytes
        else:
            whole, rest = divmod(self.raw_size_bytes, RAW_SECTOR_BYTES)
            offset = 24 if mode == TrackMode.MODE2 else 16
            self.size_bytes = whole * SECTOR_BYTES + min(max(rest - offset, 0), SECTOR_BYTES)
        self.sector_count = sectors(self.size_bytes)
        self.kind = "raw" if mode is None else "raw cd"
        self.disc: Disc = single_track(self.sector_count, mode or TrackMode.DATA)
        self.notes: tuple[str, ...] = ()
        self.map: SectorMap | None = None
        """The map beside the image, if there is one."""
        self._declared = self._load_map()
        self._unread_all: tuple[SectorRange, ...] | None = None

    def _load_map(self) -> list[SectorRange]:
        """The unread sectors by the map beside the image, if there is one."""
        names = [self.path.with_suffix(suffix) for suffix in MAP_SUFFIXES]
        names += [self.path.with_name(self.path.name + suffix) for suffix in MAP_SUFFIXES]
        for path in names:
            if path == self.path or not path.is_file():
                continue
            try:
                self.map = SectorMap.load(path)
                return self._declared_by(self.map, path)
            except ContainerError as error:
                self.notes += (f"The file beside it is not used as its map: {error}",)
            except SourceError as error:
                self.notes += (f"Its map cannot be read, so what is unread is not known: {error}",)
        return []

    def _declared_by(self, found: SectorMap, path: Path) -> list[SectorRange]:
        lost = list(found.unread(self.raw_sector_bytes))
        if found.size_bytes < self.raw_size_bytes:
            self.notes += (f"Its map ends at byte {found.size_bytes}; what follows counts as unread: {path}",)
            start = found.size_bytes // self.raw_sector_bytes
            lost.append(SectorRange(start, self.sector_count - start))
        elif found.size_bytes > self.raw_size_bytes:
            self.notes += (f"Its map goes on to byte {found.size_bytes}, past the image: {path}",)
        ends = [min(run.end_lba, self.sector_count) for run in lost]
        return merge(
            SectorRange(run.start_lba, end - run.start_lba) for run, end in zip(lost, ends, strict=True)
        )

    def _pread(self, start_bytes: int, length: int) -> bytes:
        """Bytes of the file as stored; fewer at its end. Raises OSError."""
        pieces: list[bytes] = []
        while length > 0:
            piece = os.pread(self._descriptor, length, start_bytes)
            if not piece:
                break
            pieces.append(piece)
            start_bytes += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def read(self, lba: int, count: int = 1) -> bytes:
        """Read `count` sectors of user data from `lba`; see `Image.read`."""
        if lba < 0 or count <= 0 or lba >= self.sector_count:
            return b""
        count = min(count, self.sector_count - lba)
        stored = self._read_stored(lba, count)
        data = stored if self.raw_sector_bytes == SECTOR_BYTES else self._cook(lba, count, stored)
        return data[: self.size_bytes - lba * SECTOR_BYTES]

    def _read_stored(self, lba: int, count: int) -> bytes:
        """Sectors as stored; zeros for those that fail, which are noted."""
        size = self.raw_sector_bytes
        wanted = min(count * size, self.raw_size_bytes - lba * size)
        with suppress(OSError):
            data = self._pread(lba * size, wanted)
            if len(data) == wanted:
                return data
        pieces: list[bytes] = []
        for at in range(lba, lba + count):
            length = min(size, self.raw_size_bytes - at * size)
            piece = b""
            with suppress(OSError):
                piece = self._pread(at * size, length)
            if len(piece) < length:
                self._note_failed(at)
                piece = bytes(length)
            pieces.append(piece)
        return b"".join(pieces)

    def read_raw(self, lba: int, count: int = 1) -> bytes:
        """Read sectors as stored, 2352 bytes each where `raw_sector_bytes` is; as `read` otherwise."""
        if lba < 0 or count <= 0 or lba >= self.sector_count:
            return b""
        return self._read_stored(lba, min(count, self.sector_count - lba))

    def _cook(self, lba: int, count: int, stored: bytes) -> bytes:
        """Take the user data out of whole CD sectors."""
        pieces: list[bytes | memoryview] = []
        view = memoryview(stored)
        for number in range(count):
            start = number * RAW_SECTOR_BYTES
            if stored[start : start + 12] == SYNC and stored[start + 15 : start + 16] == b"\x01":
                pieces.append(view[start + 16 : start + 16 + SECTOR_BYTES])
                continue
            at = _user_data_offset(view[start : start + RAW_SECTOR_BYTES])
            if isinstance(at, int):
                pieces.append(view[start + at : start + at + SECTOR_BYTES])
            else:
                pieces.append(bytes(SECTOR_BYTES))
                self._note_not_data(lba + number, at)
        return b"".join(pieces)

    def _note_failed(self, lba: int) -> None:
        with self._lock:
            if _insert(self._failed, lba):
                self._unread_all = None

    def _note_not_data(self, lba: int, kind: SectorKind) -> None:
        with self._lock:
            if _insert(self._not_data.setdefault(kind, []), lba):
                self._unread_all = None

    def unread(self) -> tuple[SectorRange, ...]:
        """Sectors that its map calls unread, whose reading failed, or that hold no 2048 bytes of data."""
        with self._lock:
            if self._unread_all is None:
                found = [*self._declared, *self._failed]
                for ranges in self._not_data.values():
                    found += ranges
                self._unread_all = tuple(merge(found))
            return self._unread_all

    def not_data(self) -> dict[SectorKind, tuple[SectorRange, ...]]:
        """The sectors met so far that have no 2048 bytes of user data, by kind."""
        with self._lock:
            return {kind: tuple(merge(ranges)) for kind, ranges in self._not_data.items()}

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _insert(ranges: list[SectorRange], lba: int) -> bool:
    """Put one sector into sorted, separate ranges; False if it is there already."""
    after = bisect_right(ranges, lba, key=lambda run: run.start_lba)
    if after and lba < ranges[after - 1].end_lba:
        return False
    start, end = lba, lba + 1
    first = last = after
    if after and ranges[after - 1].end_lba == start:
        first -= 1
        start = ranges[first].start_lba
    if after < len(ranges) and ranges[after].start_lba == end:
        last += 1
        end = ranges[after].end_lba
    ranges[first:last] = [SectorRange(start, end - start)]
    return True


def _user_data_offset(sector: memoryview) -> int | SectorKind:
    """Where in a whole CD sector its 2048 bytes of user data begin, or why it has none."""
    if sector[:12] != SYNC:
        if sum(map(eq, sector[:12], SYNC)) < _SYNC_BYTES_ENOUGH or len(sector) < 2076:
            return SectorKind.NO_SYNC
        if sector[15] == 1 and edc(SYNC + sector[12:2064]) == _little32(sector, 2064):
            return 16
        return 24 if sector[15] == 2 and _is_form1(sector) else SectorKind.NO_SYNC
    mode = sector[15] if len(sector) > 15 else 0
    if mode == 1:
        return 16
    if mode == 0:
        return SectorKind.MODE0
    if mode != 2:
        return SectorKind.OTHER
    if sector[16:20] == sector[20:24]:
        return SectorKind.FORM2 if len(sector) > 18 and sector[18] & _FORM2 else 24
    return 24 if _is_form1(sector) else SectorKind.FORMLESS


def _is_form1(sector: memoryview) -> bool:
    """Whether the EDC of mode 2 form 1 is right."""
    return len(sector) >= 2076 and edc(sector[16:2072]) == _little32(sector, 2072)


def _little32(sector: memoryview, at: int) -> int:
    return int.from_bytes(sector[at : at + 4], "little")


def _raw_cd_mode(read: Callable[[int, int], bytes], size_bytes: int) -> TrackMode | None:
    """Whether a file holds whole CD sectors: the mode of the first that says one; None if it does not.

    It does if more than half of its first 16 sectors of 2352 bytes begin with a sync pattern; or if, of
    48 sectors spread over it, two or more are headed by exactly their own address, and no plain image's
    descriptors stand at sector 16 (the first sectors may be damaged, or audio). A plain image that has
    a raw one among its files is neither: addresses in there count from that file's own start.
    """
    count = size_bytes // RAW_SECTOR_BYTES
    if not count or (count == 1 and size_bytes != RAW_SECTOR_BYTES):
        return None

    def header(index: int) -> bytes:
        with suppress(OSError):
            found = read(index * RAW_SECTOR_BYTES, 16)
            if found[:12] == SYNC and len(found) == 16:
                return found[12:]
        return b""

    first = [header(index) for index in range(min(count, _FIRST_SAMPLES))]
    if 2 * sum(map(bool, first)) > len(first):
        return next((_MODES[found[3]] for found in first if found and found[3] in _MODES), TrackMode.DATA)
    with suppress(OSError):
        if read(_DESCRIPTOR_OFFSET, 5) in _DESCRIPTORS:
            return None
    spread = {number * count // _SPREAD_SAMPLES for number in range(_SPREAD_SAMPLES)}
    placed = [found for index in sorted(spread) if (found := header(index)) and _lba(found) == index]
    if len(placed) < 2:
        return None
    return next((_MODES[found[3]] for found in placed if found[3] in _MODES), TrackMode.DATA)


def _lba(header: bytes) -> int | None:
    """The address in a sector's header (ECMA-130 §14.2: minutes, seconds, frames in BCD), if it is one."""
    if any(byte >> 4 > 9 or byte & 15 > 9 for byte in header[:3]):
        return None
    minute, second, frame = ((byte >> 4) * 10 + (byte & 15) for byte in header[:3])
    return (minute * 60 + second) * 75 + frame - 150

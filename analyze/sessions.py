"""Sessions of an image that records none: found by the volume descriptors that begin each of them.

A session's volume descriptors stand 16 sectors after its start (ECMA-119 §6.2.1 and ECMA-167 2/8.3.1,
applied to each session), and its addresses count from the start of the disc, not of the session. So
every descriptor set in a sector that no known volume owns tells of a session, unless its addresses
are right only when counted from its own start: then it is an image of its own, lying about.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES, SectorRange, sectors
from acquire.image import Image
from acquire.toc import TrackMode
from analyze.coverage import Coverage
from analyze.ranges import RangeSet

SYSTEM_AREA_SECTORS = 16
"""Sectors before the first volume descriptor (ECMA-119 §6.2.1; 32 KiB in ECMA-167 2/8.3.1)."""
MAX_SETS = 1000
"""Descriptor sets looked at: the most tracks of a recordable disc in use are some hundreds."""

_MAX_DESCRIPTORS = 64
_SCAN_SECTORS = 512
_EMULATION_START = 32
"""libburn puts the first session of an overwritable disc here, and each later one on a multiple of it."""
_CD001 = b"CD001"
_EXTENDED = frozenset((b"BEA01", b"BOOT2", b"NSR02", b"NSR03", b"TEA01", b"CDW02"))
_FIRST_LETTERS = frozenset(b"BCNT")
_PRIMARY, _SUPPLEMENTARY, _TERMINATOR = 1, 2, 255
_ZEROS = bytes(_SCAN_SECTORS * SECTOR_BYTES)
_BLANK = bytes(SECTOR_BYTES)


class Root(NamedTuple):
    """The root directory that a volume descriptor names (ECMA-119 §8.4.18), with the descriptor's type."""

    descriptor_type: int
    lba: int
    length_bytes: int


class DescriptorSet(NamedTuple):
    """Volume descriptors in a row, from `lba` to the terminator of their kind (or where they break off).

    `roots`: of its primary and supplementary descriptors. `space_sectors`: the primary's volume space
    size (ECMA-119 §8.4.8), None without a primary. `identifiers`: what kinds stand there, in order.
    """

    lba: int
    length_sectors: int
    roots: tuple[Root, ...]
    space_sectors: int | None
    identifiers: tuple[str, ...]

    @property
    def start_lba(self) -> int:
        """Where the session that they describe starts."""
        return self.lba - SYSTEM_AREA_SECTORS


def _identifier(sector: bytes) -> bytes:
    """The standard identifier if the sector is a volume structure descriptor (ECMA-167 2/9.1.2), else b""."""
    identifier = sector[1:6]
    return identifier if identifier == _CD001 or identifier in _EXTENDED else b""


def _little32(sector: bytes, offset: int) -> int:
    return int.from_bytes(sector[offset : offset + 4], "little")


def read_set(image: Image, lba: int) -> DescriptorSet | None:
    """Read the descriptor set that begins at `lba`; None if no volume descriptor stands there."""
    roots: list[Root] = []
    space: int | None = None
    identifiers: dict[str, None] = {}
    terminated = False
    count = 0
    while count < _MAX_DESCRIPTORS:
        sector = image.read(lba + count)
        identifier = _identifier(sector)
        if not identifier or (terminated and identifier == _CD001 and sector[0] != _TERMINATOR):
            break
        count += 1
        identifiers[identifier.decode("ascii")] = None
        if identifier != _CD001:
            terminated = True
            continue
        if sector[0] == _TERMINATOR:
            terminated = True
        elif sector[0] in (_PRIMARY, _SUPPLEMENTARY) and len(sector) == SECTOR_BYTES:
            roots.append(Root(sector[0], _little32(sector, 158), _little32(sector, 166)))
            if sector[0] == _PRIMARY and space is None:
                space = _little32(sector, 80)
    return DescriptorSet(lba, count, tuple(roots), space, tuple(identifiers)) if count else None


def _is_root_at(image: Image, lba: int, recorded_lba: int) -> bool:
    """Whether a directory that calls itself `recorded_lba` begins at `lba` (ECMA-119 §6.8.2.2)."""
    if not 0 <= lba < image.sector_count:
        return False
    sector = image.read(lba)
    itself = len(sector) >= 34 and sector[0] >= 34 and sector[32] == 1 and sector[33] == 0
    return itself and _little32(sector, 2) == recorded_lba


def is_embedded(image: Image, found: DescriptorSet) -> bool:
    """Whether the addresses of a set are right only when counted from its own start.

    Then it is the beginning of an image inside this one (a deleted or unlisted ISO file), not of a
    session. A session records its directories after its descriptors.
    """
    for root in found.roots:
        if root.lba > found.lba and _is_root_at(image, root.lba, root.lba):
            return False
        if found.start_lba > 0 and _is_root_at(image, found.start_lba + root.lba, root.lba):
            return True
    return False


def overwritable_starts(image: Image) -> list[int]:
    """Where the sessions of an overwritable disc start that libburn (xorriso) wrote; [] if it is none.

    Such a medium has no real sessions. The first one is written at LBA 32, each next one at the
    following multiple of 32 after the end of the one before; the descriptors of the newest are copied
    to LBA 16, where every other program finds only them.
    """
    starts: list[int] = []
    start = _EMULATION_START
    while len(starts) < MAX_SETS:
        found = read_set(image, start + SYSTEM_AREA_SECTORS)
        if found is None or not found.space_sectors or is_embedded(image, found):
            break
        starts.append(start)
        start = -(-(start + found.space_sectors) // _EMULATION_START) * _EMULATION_START
    return starts


def expected_starts(image: Image) -> list[tuple[int, int]]:
    """Session number and address of every place where a volume is expected without searching.

    Recorded table of contents: the start of each data track. None recorded: the start of the image, or
    of the sessions of an overwritable disc.
    """
    disc = image.disc
    if not disc.recorded:
        return list(enumerate(overwritable_starts(image) or [0], 1))
    starts: list[tuple[int, int]] = []
    for session in disc.sessions:
        data = [track.start_lba for track in session.tracks if track.mode is not TrackMode.AUDIO]
        places = data if session.tracks else [session.start_lba]
        starts += [(session.number, start) for start in dict.fromkeys(places)]
    return starts


class Runs:
    """Sectors noted one by one in the order of the disc, kept as ranges; memory is limited.

    Past `limit` ranges only the sectors are counted: then `dropped` says how many.
    """

    def __init__(self, limit: int = 1 << 16) -> None:
        """Nothing noted yet."""
        self.limit = limit
        self.ranges: list[SectorRange] = []
        self.dropped = 0

    def add(self, lba: int, count: int = 1) -> None:
        """Note `count` sectors from `lba` on."""
        if self.ranges and self.ranges[-1].end_lba == lba:
            start, length = self.ranges[-1]
            self.ranges[-1] = SectorRange(start, length + count)
        elif len(self.ranges) < self.limit:
            self.ranges.append(SectorRange(lba, count))
        else:
            self.dropped += count


class UnownedScan:
    """Reads what nobody owns, once and in order: yields descriptor sets, and notes what is not blank."""

    def __init__(self, image: Image, coverage: Callable[[], Coverage]) -> None:
        """`coverage` is asked again after each set that is yielded, for its volume owns more by then."""
        self.image = image
        self.coverage = coverage
        self.data = Runs()
        self.sets_found = 0
        self._declared: tuple[SectorRange, ...] = ()
        self._unread = RangeSet()

    def sets(self) -> Iterator[DescriptorSet]:
        """Yield descriptor sets in the order of the disc; past MAX_SETS they are only counted as data."""
        cursor = 0
        while (found := self._next_set(cursor)) is not None:
            self.sets_found += 1
            cursor = found.lba + found.length_sectors
            self.data.add(found.lba, found.length_sectors)
            yield found

    def _next_set(self, cursor: int) -> DescriptorSet | None:
        """Scan on from `cursor`; sectors that are known to be unread are left alone."""
        declared = self.image.unread()
        if declared != self._declared:
            self._declared, self._unread = declared, RangeSet(declared)
        for gap in self.coverage().unowned(cursor):
            for start, count in self._unread.without(gap):
                for lba in range(start, start + count, _SCAN_SECTORS):
                    block = self.image.read(lba, min(_SCAN_SECTORS, start + count - lba))
                    at = self._look_through(block, lba)
                    if at is not None and (found := read_set(self.image, at)) is not None:
                        return found
        return None

    def _look_through(self, block: bytes, lba: int) -> int | None:
        """Note which sectors of a block hold data, up to the first volume descriptor; its address."""
        if block == _ZEROS[: len(block)]:
            return None
        stop = None
        count = sectors(len(block))
        if self.sets_found < MAX_SETS:
            for index, letter in enumerate(block[1::SECTOR_BYTES]):
                at = index * SECTOR_BYTES
                if letter in _FIRST_LETTERS and _identifier(block[at : at + 6]):
                    count, stop = index, lba + index
                    break
        for index in range(count):
            sector = block[index * SECTOR_BYTES : (index + 1) * SECTOR_BYTES]
            if sector != _BLANK[: len(sector)]:
                self.data.add(lba + index)
        return stop

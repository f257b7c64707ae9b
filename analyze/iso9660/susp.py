"""System Use Sharing Protocol 1.12: the entries of a system use area, wherever they continue.

Which entries mean what is Rock Ridge's (rockridge.py) and others' affair; here they are found.
"""

from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES, SectorRange, sectors
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660.blocks import Blocks
from analyze.iso9660.layout import CONTINUATION_AREA

HEADER_BYTES = 4
"""SUSP 4.1: signature word (2), length, version; the length counts these too."""
MAXIMUM_AREA_BYTES = 1 << 20
"""All continuation areas of one record together are read up to this size."""
MAXIMUM_TOTAL_BYTES = 256 << 20
"""All continuation areas of one volume together are read up to this size, or that of the image if less."""
_KNOWN = frozenset(
    (b"SP", b"CE", b"ER", b"ES", b"PD", b"ST", b"RR", b"PX", b"PN", b"SL", b"NM", b"CL", b"PL")
)
_KNOWN_MORE = frozenset((b"RE", b"TF", b"SF", b"ZF", b"AL", b"AA", b"BA", b"AS"))
KNOWN = _KNOWN | _KNOWN_MORE
"""Signature words by which a system use area is recognised as one that follows SUSP."""
XA_BYTES = 14
"""The length of CD-ROM XA's part of a system use area, which stands first."""
_MARK = b"SP\x07\x01"  # SUSP 5.3: signature, length, version
_CHECK = b"\xbe\xef"  # SUSP 5.3: check bytes


class SystemUse(NamedTuple):
    """One system use entry: its signature word, its version, and the data after those four bytes."""

    signature: bytes
    version: int
    data: bytes
    lba: int
    offset: int


class Mark(NamedTuple):
    """SUSP 5.3: where entries begin in the root's first record, and in all others."""

    start_bytes: int
    skip_bytes: int


def find_mark(system_use: bytes) -> tuple[Mark | None, str]:
    """Look for SP in the system use area of the root's first record.

    It stands at the start, or behind CD-ROM XA's 14 bytes. Returns it and a phrase if it is impossible.
    """
    for start in (0, XA_BYTES):
        if system_use[start : start + 4] == _MARK and len(system_use) >= start + 7:
            skip = system_use[start + 6]
            check = system_use[start + 4 : start + 6]
            problem = "" if check == _CHECK else f"check bytes {check.hex()} instead of beef"
            return Mark(start, skip), problem
    return None, ""


def follows_susp(area: bytes) -> bool:
    """Whether `area` begins with an entry of a known signature that fits."""
    return len(area) >= HEADER_BYTES and area[:2] in KNOWN and HEADER_BYTES <= area[2] <= len(area)


class Continuations:
    """Reads continuation areas (SUSP 5.1): bounded, remembering the sectors they are in."""

    def __init__(self, blocks: Blocks) -> None:
        """Of the volume whose logical blocks are `blocks`."""
        self._blocks = blocks
        self._remaining = min(blocks.image_bytes + MAXIMUM_AREA_BYTES, MAXIMUM_TOTAL_BYTES)
        self._sector: tuple[int, bytes] = (-1, b"")
        self.sectors: set[int] = set()

    def place(self, block: int, offset: int) -> tuple[int, int]:
        """LBA and offset in that sector of byte `offset` of `block`."""
        lba, first = self._blocks.at(block)
        return lba + (first + offset) // SECTOR_BYTES, (first + offset) % SECTOR_BYTES

    def read(self, block: int, offset: int, length: int) -> bytes | None:
        """The area as far as it is inside the image; None if all that may be read has been."""
        if length > self._remaining:
            return None
        self._remaining -= length
        lba, start = self.place(block, offset)
        if start + length <= SECTOR_BYTES:  # nearly always; many records share a sector
            if self._sector[0] != lba:
                self._sector = (lba, self._blocks.image.read(lba))
                if self._sector[1]:
                    self.sectors.add(lba)
            return self._sector[1][start : start + length]
        count = sectors(start + length)
        data = self._blocks.image.read(lba, count)
        self.sectors.update(range(lba, lba + sectors(len(data))))
        return data[start : start + length]

    def structures(self) -> list[SectorRange]:
        """The sectors that hold continuation areas."""
        return [SectorRange(lba, 1) for lba in self.sectors]


class _Areas:
    """Splits the areas of one record: entries found so far, continuation areas still to be read."""

    def __init__(self, notes: list[Anomaly]) -> None:
        self.found: list[SystemUse] = []
        self.waiting: list[tuple[int, int, int]] = []  # block, byte in it, length
        self._notes = notes

    def split(self, area: bytes, lba: int, offset: int) -> None:
        """Split the area that stands at `lba`+`offset`: CE to be read later, ST ends it, PD is dropped."""
        at = 0
        while at + HEADER_BYTES <= len(area):
            signature, length = area[at : at + 2], area[at + 2]
            if signature == b"\0\0":
                return  # zeros up to the end of the record or area
            here, there = lba + (offset + at) // SECTOR_BYTES, (offset + at) % SECTOR_BYTES
            if length < HEADER_BYTES or at + length > len(area):
                self._notes.append(
                    kind.SUSP_ENTRY.at(
                        "A system use entry does not fit: what follows it is not read",
                        lba=here,
                        offset=there,
                        seen=f"{signature!r}, length {length}",
                        expected=f"{HEADER_BYTES} to {len(area) - at}",
                    )
                )
                return
            data = area[at + HEADER_BYTES : at + length]
            if signature == b"ST":
                return
            entry = SystemUse(signature, area[at + 3], data, here, there)
            if signature == b"CE":
                self._continuation(entry)
            elif signature != b"PD":
                self.found.append(entry)
            at += length

    def _continuation(self, entry: SystemUse) -> None:
        """SUSP 5.1."""
        if len(entry.data) < CONTINUATION_AREA.size:
            self._notes.append(
                kind.SUSP_ENTRY.at(
                    "A CE entry is too short: its area is not read",
                    lba=entry.lba,
                    offset=entry.offset,
                    seen=len(entry.data) + HEADER_BYTES,
                    expected=CONTINUATION_AREA.size + HEADER_BYTES,
                )
            )
            return
        area = CONTINUATION_AREA.read(entry.data)
        self.waiting.append((area.block, area.offset, area.length))
        self._notes.extend(
            kind.BOTH_ENDIAN.at(
                f"CE {differing.field}: the two copies differ; the first is used",
                lba=entry.lba,
                offset=entry.offset + HEADER_BYTES + differing.offset,
                seen=f"{differing.little} and {differing.big}",
                expected="equal",
            )
            for differing in CONTINUATION_AREA.disagreements(entry.data)
        )


def entries(
    area: bytes, lba: int, offset: int, continuations: Continuations, notes: list[Anomaly]
) -> list[SystemUse]:
    """Every entry of the system use area that begins at `lba`+`offset` with the bytes `area`.

    Continuation areas are read in the order in which their CE entries stand.
    """
    areas = _Areas(notes)
    areas.split(area, lba, offset)
    seen: set[tuple[int, int]] = set()
    total = 0
    while areas.waiting:
        block, start, length = areas.waiting.pop(0)
        here, there = continuations.place(block, start)
        where = f"block {block}, byte {start}, {length} bytes"
        total += length
        if (block, start) in seen:
            notes.append(
                kind.SUSP_CONTINUATION.at(
                    "A continuation area leads back to itself", lba=here, offset=there, seen=where
                )
            )
            break
        seen.add((block, start))
        if total > MAXIMUM_AREA_BYTES:
            notes.append(
                kind.LIMIT.at(
                    f"More than {MAXIMUM_AREA_BYTES} bytes of continuation areas: the rest is not read",
                    lba=here,
                    offset=there,
                    seen=where,
                )
            )
            break
        data = continuations.read(block, start, length)
        if data is None:
            notes.append(
                kind.LIMIT.at(
                    "Continuation areas overlap too often: this one is not read", lba=here, offset=there
                )
            )
            break
        if len(data) < length:
            notes.append(
                kind.SUSP_CONTINUATION.at(
                    "A continuation area reaches past the end of the image",
                    lba=here,
                    offset=there,
                    seen=where,
                    expected=f"{len(data)} bytes are there",
                )
            )
        areas.split(data, here, there)
    return areas.found

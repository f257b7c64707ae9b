"""The volume descriptor set (ECMA-119 6.7.1, 8): which trees a volume has, and what else it says.

A set is read from sector 16 of a volume on. One that was partly destroyed is read as far as it stands:
the Joliet tree of a disc whose primary descriptor is gone is still there.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Any, NamedTuple

from acquire.geometry import SECTOR_BYTES, SectorRange
from acquire.image import Image
from acquire.layout import Disagreement
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660 import names
from analyze.iso9660.layout import (
    BOOT_RECORD,
    DESCRIPTOR_HEADER,
    PARTITION_DESCRIPTOR,
    ROOT_OFFSET,
    STANDARD_ID,
    VOLUME_DESCRIPTOR,
    DescriptorHeader,
    VolumeDescriptor,
)

SYSTEM_AREA_SECTORS = 16
"""6.2.1: the System Area, in front of the descriptors."""
MAXIMUM_DESCRIPTORS = 128
"""A set is read up to this number of sectors."""
MAXIMUM_GAP = 8
"""After this many sectors in a row without a descriptor, the set is taken to be over."""
_JOLIET = {b"%/@": 1, b"%/C": 2, b"%/E": 3}
_UDF = frozenset((b"BEA01", b"NSR02", b"NSR03", b"TEA01", b"BOOT2", b"CDW02"))
_SHOWN_BYTES = 16
_MKISOFS = b"MKI "  # mkisofs and genisoimage write their version and options behind the terminator
_BOOT, _PRIMARY, _SUPPLEMENTARY, _PARTITION, _TERMINATOR = 0, 1, 2, 3, 255


class _Fixed(NamedTuple):
    """Bytes of a descriptor for which the standard has one value."""

    what: str
    offset: int
    expected: bytes


_TERMINATOR_FIXED = (_Fixed("reserved bytes", 7, bytes(SECTOR_BYTES - 7)),)  # 8.3.4
_TREE_FIXED = (
    _Fixed("unused bytes", 72, bytes(8)),  # 8.4.7, 8.5.5
    _Fixed("length of the root's record", ROOT_OFFSET, b"\x22"),  # 8.4.18: 34
    _Fixed("root's identifier", ROOT_OFFSET + 32, b"\x01\x00"),  # 8.4.18, 6.8.2.2: one byte, 00
    _Fixed("reserved byte", 882, bytes(1)),  # 8.4.31
    _Fixed("reserved bytes", 1395, bytes(SECTOR_BYTES - 1395)),  # 8.4.33
)
_PRIMARY_FIXED = (
    _Fixed("unused byte", 7, bytes(1)),  # 8.4.4
    _Fixed("unused bytes", 88, bytes(32)),  # 8.4.9
)
_VERSION_1, _VERSION_2 = (_Fixed("file structure version", 881, bytes((one,))) for one in (1, 2))  # 8.4.30


class DescriptorKind(StrEnum):
    """The kinds of descriptor that lead to a tree."""

    PRIMARY = "primary"
    JOLIET = "joliet"
    ENHANCED = "enhanced"  # ISO 9660:1999, ECMA-119 8.5 with version 2
    SUPPLEMENTARY = "supplementary"  # another character set


class Descriptor(NamedTuple):
    """A descriptor of a tree, where it stands, and further ones (LBAs) of the same tree."""

    lba: int
    kind: DescriptorKind
    fields: VolumeDescriptor
    raw: bytes
    same_tree: tuple[int, ...] = ()

    @property
    def joliet_level(self) -> int | None:
        """1 to 3, None if it is not Joliet."""
        return _JOLIET.get(self.fields.escape_sequences[:3]) if self.kind is DescriptorKind.JOLIET else None

    def root_bytes(self) -> bytes:
        """The root's directory record (8.4.18)."""
        return self.raw[ROOT_OFFSET : ROOT_OFFSET + 34]


class DescriptorSet(NamedTuple):
    """A volume descriptor set: the trees in the order recorded, and everything else in it."""

    start_lba: int
    trees: tuple[Descriptor, ...]
    boot_records: tuple[dict[str, Any], ...]
    partitions: tuple[dict[str, Any], ...]
    anomalies: tuple[Anomaly, ...]
    structures: tuple[SectorRange, ...]
    mkisofs_version: str = ""


class _Reading:
    """A set while it is read."""

    def __init__(self) -> None:
        self.trees: list[Descriptor] = []
        self.boot_records: list[dict[str, Any]] = []
        self.partitions: list[dict[str, Any]] = []
        self.notes: list[Anomaly] = []
        self.sectors: list[int] = []
        self.terminated = False
        self.mkisofs_version = ""


def read_descriptor_set(image: Image, start_lba: int) -> DescriptorSet | None:
    """Read the set of the volume that begins at `start_lba`; None if no descriptor is there at all."""
    first = start_lba + SYSTEM_AREA_SECTORS
    if first < 0:
        return None
    reading = _Reading()
    missing: list[int] = []
    for lba in range(first, first + MAXIMUM_DESCRIPTORS):
        sector = image.read(lba)
        if sector[1:6] != STANDARD_ID or len(sector) < DESCRIPTOR_HEADER.size:
            if reading.terminated and sector[:4] == _MKISOFS:
                reading.sectors.append(lba)
                reading.mkisofs_version = names.field(sector.partition(b"\0")[0], ucs2=False)
            if reading.terminated or not sector or sector[1:6] in _UDF or len(missing) >= MAXIMUM_GAP:
                break
            missing.append(lba)
            continue
        reading.notes.extend(_missing(gap) for gap in missing)
        missing = []
        _read_one(reading, lba, sector)
    if not reading.sectors:
        return None
    if not reading.terminated:
        reading.notes.append(
            kind.TERMINATOR_MISSING.at(
                "The volume descriptor set has no terminator",
                lba=reading.sectors[-1] + 1,
                expected="type 255",
            )
        )
    if not any(tree.kind is DescriptorKind.PRIMARY for tree in reading.trees):
        reading.notes.append(kind.PRIMARY_MISSING.at("There is no primary volume descriptor", lba=first))
    return DescriptorSet(
        start_lba,
        tuple(reading.trees),
        tuple(reading.boot_records),
        tuple(reading.partitions),
        tuple(reading.notes),
        tuple(SectorRange(lba, 1) for lba in reading.sectors),
        reading.mkisofs_version,
    )


def _missing(lba: int) -> Anomaly:
    return kind.DESCRIPTOR_MISSING.at(
        "The sector should hold a volume descriptor and does not", lba=lba, offset=1, expected="CD001"
    )


def _read_one(reading: _Reading, lba: int, sector: bytes) -> None:
    header = DESCRIPTOR_HEADER.read(sector)
    reading.sectors.append(lba)
    if len(sector) < SECTOR_BYTES:
        reading.notes.append(
            kind.DESCRIPTOR_SHORT.at("The image ends in this volume descriptor", lba=lba, seen=len(sector))
        )
        sector = sector.ljust(SECTOR_BYTES, b"\0")
    if header.kind == _TERMINATOR:
        reading.terminated = True
    elif reading.terminated:
        reading.notes.append(
            kind.DESCRIPTOR_HIDDEN.at(
                "A volume descriptor stands behind the terminator of its set",
                lba=lba,
                seen=f"type {header.kind}",
            )
        )
    allowed = (1, 2) if header.kind == _SUPPLEMENTARY else (1,)
    if header.version not in allowed:
        reading.notes.append(
            kind.DESCRIPTOR_VERSION.at(
                "The version of the volume descriptor is not defined",
                lba=lba,
                offset=6,
                seen=header.version,
                expected=" or ".join(map(str, allowed)),
            )
        )
    reading.notes.extend(_fixed(header, lba, sector))
    if header.kind in (_PRIMARY, _SUPPLEMENTARY):
        _tree(reading, Descriptor(lba, _kind(header.kind, sector), VOLUME_DESCRIPTOR.read(sector), sector))
    elif header.kind == _BOOT:
        reading.boot_records.append(_boot_record(lba, sector))
    elif header.kind == _PARTITION:
        reading.partitions.append(_partition(lba, sector, reading.notes))
    elif header.kind != _TERMINATOR:
        reading.notes.append(
            kind.DESCRIPTOR_TYPE.at(
                "The type of the volume descriptor is reserved", lba=lba, offset=0, seen=header.kind
            )
        )


def _fixed(header: DescriptorHeader, lba: int, sector: bytes) -> Iterator[Anomaly]:
    """One anomaly for each field of `sector` that has not the only value it can have."""
    fields: tuple[_Fixed, ...]
    if header.kind == _TERMINATOR:
        fields = _TERMINATOR_FIXED
    elif header.kind == _PRIMARY:
        fields = (*_PRIMARY_FIXED, *_TREE_FIXED, _VERSION_1)
    elif header.kind == _SUPPLEMENTARY:
        fields = (*_TREE_FIXED, _VERSION_2 if header.version == 2 else _VERSION_1)  # 8.5.2
    else:
        return
    for what, offset, expected in fields:
        seen = sector[offset : offset + len(expected)]
        if seen != expected:
            first = next(at for at, (a, b) in enumerate(zip(seen, expected, strict=True)) if a != b)
            yield kind.DESCRIPTOR_FIELD.at(
                f"The {what} of the volume descriptor: another value than the standard has",
                lba=lba,
                offset=offset + first,
                seen=seen[first : first + _SHOWN_BYTES].hex(),
                expected=expected[first : first + _SHOWN_BYTES].hex(),
            )


def _kind(number: int, sector: bytes) -> DescriptorKind:
    if number == _PRIMARY:
        return DescriptorKind.PRIMARY
    fields = VOLUME_DESCRIPTOR.read(sector)
    if fields.escape_sequences[:3] in _JOLIET:
        return DescriptorKind.JOLIET
    return DescriptorKind.ENHANCED if fields.version == 2 else DescriptorKind.SUPPLEMENTARY


def _tree(reading: _Reading, new: Descriptor) -> None:
    """Keep a descriptor of a tree, or note it with the one that leads to the same tree already.

    An enhanced descriptor mostly leads to the primary's own tree; then it adds no view. So does a
    supplementary one, whose identifiers would be the same bytes in another character set.
    """
    joliet = new.kind is DescriptorKind.JOLIET
    for index, known in enumerate(reading.trees):
        if (
            known.fields.root[2:10] != new.fields.root[2:10]
            or (known.kind is DescriptorKind.JOLIET) != joliet
        ):
            continue
        reading.trees[index] = known._replace(same_tree=(*known.same_tree, new.lba))
        return
    if new.kind is DescriptorKind.PRIMARY and any(
        tree.kind is DescriptorKind.PRIMARY for tree in reading.trees
    ):
        reading.notes.append(
            kind.PRIMARY_COPY.at("A further primary volume descriptor leads to another tree", lba=new.lba)
        )
    reading.trees.append(new)


def both_endian(differing: Iterable[Disagreement], lba: int, what: str, base: int = 0) -> Iterator[Anomaly]:
    """One anomaly for each number of a descriptor whose copies differ."""
    for one in differing:
        yield kind.BOTH_ENDIAN.at(
            f"{what}: the copies of {one.field.replace('_', ' ')} differ",
            lba=lba,
            offset=base + one.offset,
            seen=f"{one.little} and {one.big}",
            expected="equal",
        )


def _boot_record(lba: int, sector: bytes) -> dict[str, Any]:
    fields = BOOT_RECORD.read(sector)
    system = names.field(fields.system_id, ucs2=False)
    record: dict[str, Any] = {
        "lba": lba,
        "system": system,
        "identifier": names.field(fields.boot_id, ucs2=False),
    }
    if system == "EL TORITO SPECIFICATION":
        record["catalog_lba"] = fields.catalog
    return record


def _partition(lba: int, sector: bytes, notes: list[Anomaly]) -> dict[str, Any]:
    fields = PARTITION_DESCRIPTOR.read(sector)
    notes.extend(both_endian(PARTITION_DESCRIPTOR.disagreements(sector), lba, "Volume partition descriptor"))
    return {
        "lba": lba,
        "system": names.field(fields.system_id, ucs2=False),
        "identifier": names.field(fields.partition_id, ucs2=False),
        "block": fields.location,
        "blocks": fields.size,
    }

"""Partition maps (3/10.7, UDF 2.2.8 to 2.2.10): from the maps of a volume to its partitions."""

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from analyze.udf.allocation import pieces
from analyze.udf.anomalies import METADATA, PARTITION_MAP, SPARING, SPARING_MISMATCH
from analyze.udf.cs0 import decode_identifier
from analyze.udf.icb import read_icb
from analyze.udf.layout import (
    LOGICAL_VOLUME,
    METADATA_MAP,
    PARTITION,
    SPARABLE_MAP,
    SPARING_TABLE,
    UDF_MAP,
    FileType,
    MetadataMap,
    PartitionDescriptor,
    SparableMap,
    TagId,
)
from analyze.udf.logical import LogicalVolume
from analyze.udf.partitions import (
    MetadataPartition,
    Partition,
    PhysicalPartition,
    Run,
    SparablePartition,
    VirtualPartition,
)
from analyze.udf.sequences import Descriptor
from analyze.udf.tag import check_tag
from analyze.udf.vat import Table, find_tables

_VIRTUAL, _SPARABLE, _METADATA = (
    "*UDF Virtual Partition",
    "*UDF Sparable Partition",
    "*UDF Metadata Partition",
)
_TABLE = "*UDF Sparing Table"
_TYPE_1_BYTES, _TYPE_2_BYTES = 6, 64
_MOST_MAPS = 64
_FIRST_UNMAPPED = 0xFFFFFFF0
"""Original locations from here on are not locations: 0xFFFFFFF0 defective, 0xFFFFFFFF available."""
_LEAST_PACKET, _MOST_PACKET = 1, 65535


class Map(NamedTuple):
    """A partition map: its type (1 or 2), identifier of type 2, partition number, and its raw bytes."""

    kind: int
    identifier: str
    number: int
    raw: bytes


class Opened(NamedTuple):
    """Partitions by reference number, and what came to light with them.

    `raw` is the volume with a physical partition for every reference: for what lies outside a virtual
    or metadata partition. `tables` are the virtual allocation tables, `described` a word for each map.
    """

    raw: LogicalVolume
    tables: tuple[Table, ...]
    described: tuple[dict[str, object], ...]


def read_maps(volume: LogicalVolume, descriptor: Descriptor) -> Iterator[Map]:
    """Yield the partition maps of a logical volume descriptor; reference numbers count them from 0."""
    fixed = LOGICAL_VOLUME.read(descriptor.data)
    at = LOGICAL_VOLUME.size
    end = min(at + fixed.map_table_length, len(descriptor.data))
    for _number in range(min(fixed.map_count, _MOST_MAPS)):
        kind, length = descriptor.data[at : at + 2] if at + 2 <= end else (0, 0)
        raw = descriptor.data[at : min(at + length, end)]
        if length < 2 or len(raw) < length:
            note_map(volume, descriptor, at, f"a map of {length} bytes, {end - at} left")
            return
        if kind == 1 and length == _TYPE_1_BYTES:
            yield Map(1, "", int.from_bytes(raw[4:6], "little"), raw)
        elif kind == 2 and length == _TYPE_2_BYTES:
            header = UDF_MAP.read(raw)
            yield Map(2, decode_identifier(header.identifier), header.partition_number, raw)
        else:
            note_map(volume, descriptor, at, f"type {kind}, {length} bytes")
            yield Map(0, "", -1, raw)
        at += length


def note_map(volume: LogicalVolume, descriptor: Descriptor, offset: int, seen: str) -> None:
    """Note a partition map that is not as its clause says."""
    volume.log.note(
        PARTITION_MAP,
        "A partition map is not as its clause says",
        at=(volume.blocks, descriptor.block, offset),
        seen=seen,
        expected="type 1 of 6 bytes or type 2 of 64 bytes",
    )


def open_partitions(
    volume: LogicalVolume, descriptor: Descriptor, recorded: list[Descriptor], end: int
) -> Opened:
    """Make the partitions of `volume` from its maps and partition descriptors.

    `end` is the absolute block after the last one of the session or image, where the search for a
    virtual allocation table begins.
    """
    maps = list(read_maps(volume, descriptor))
    numbered = [PARTITION.read(found.data) for found in reversed(recorded)]
    partitions = {partition.number: partition for partition in numbered}
    if not maps:
        # Without a usable map, a reference can only mean the partition in its place.
        maps = [Map(1, "", number, b"") for number in partitions]
    physicals = [_physical(volume, descriptor, each, partitions) for each in maps]
    made: list[Partition] = list(physicals)
    words: list[dict[str, object]] = [{} for _ in maps]
    for index, each in enumerate(maps):
        if each.identifier == _SPARABLE:
            sparable = _sparable(volume, physicals[index], SPARABLE_MAP.read(each.raw, UDF_MAP.size))
            words[index] = {
                "packet_blocks": sparable.packet_length,
                "packets_replaced": len(sparable.spares),
            }
            made[index] = sparable
        elif each.kind != 1 and each.identifier not in (_VIRTUAL, _METADATA):
            note_map(volume, descriptor, LOGICAL_VOLUME.size, f"identifier {each.identifier!r}")
    # A metadata file can stand in replaced packets: what is below it is the sparable partition.
    below = {partition.number: partition for partition in made if partition.kind == "sparable"}
    raw = LogicalVolume(volume.blocks, volume.log)
    raw.partitions = [below.get(partition.number, partition) for partition in made]
    tables: list[Table] = []
    for index, each in enumerate(maps):
        if each.identifier == _VIRTUAL:
            tables = find_tables(raw, index, physicals[index], end)
            made[index] = VirtualPartition(physicals[index], tables[0].addresses if tables else array("I"))
        elif each.identifier == _METADATA:
            made[index], words[index] = _metadata(raw, index, METADATA_MAP.read(each.raw, UDF_MAP.size))
    volume.partitions = made
    described = [
        _describe(made[index], physicals[index], partitions.get(maps[index].number), words[index])
        for index in range(len(maps))
    ]
    return Opened(raw, tuple(tables), tuple(described))


def _physical(
    volume: LogicalVolume, descriptor: Descriptor, each: Map, partitions: dict[int, PartitionDescriptor]
) -> PhysicalPartition:
    """The stretch of the disc behind a map; an only partition stands in for one that is not described."""
    found = partitions.get(each.number)
    if found is None:
        volume.log.note(
            PARTITION_MAP,
            "A partition map names a partition without a descriptor",
            at=(volume.blocks, descriptor.block, LOGICAL_VOLUME.size),
            seen=f"partition number {each.number}",
            expected=" or ".join(map(str, sorted(partitions))),
        )
        found = next(iter(partitions.values()))
    return PhysicalPartition(found.number, found.starting_location, found.length)


_ACCESS = {
    0: "pseudo-overwritable",  # UDF 2.2.14.2
    1: "read only",
    2: "write once",
    3: "rewritable",
    4: "overwritable",
}


def _describe(
    made: Partition,
    physical: PhysicalPartition,
    recorded: PartitionDescriptor | None,
    words: dict[str, object],
) -> dict[str, object]:
    """A partition in words and figures, for the record."""
    described: dict[str, object] = {
        "kind": made.kind,
        "number": made.number,
        "start_block": physical.start,
        "length_blocks": physical.length,
    }
    if recorded is not None:
        access = _ACCESS.get(recorded.access_type, str(recorded.access_type))
        described |= {"access": access, "contents": decode_identifier(recorded.contents)}
    return described | words


def _sparable(volume: LogicalVolume, physical: PhysicalPartition, fixed: SparableMap) -> SparablePartition:
    """A sparable partition, by the sparing table with the highest sequence number (UDF 2.2.12)."""
    tables: list[tuple[int, int, bytes]] = []
    locations = (fixed.table_1, fixed.table_2, fixed.table_3, fixed.table_4)
    for location in locations[: fixed.table_count]:
        table = _sparing_table(volume, location)
        if table is not None:
            tables.append((table[0], location, table[1]))
    if not tables:
        volume.log.note(
            SPARING, "No usable sparing table: replaced packets are not known", seen=f"{locations}"
        )
        return SparablePartition(physical, max(fixed.packet_length, 1), {})
    sequence, location, entries = max(tables, key=lambda table: table[0])
    for other_sequence, other_location, other in tables:
        if other != entries:
            volume.log.note(
                SPARING_MISMATCH,
                "A copy of the sparing table differs from the one that is used",
                at=(volume.blocks, other_location, 56),
                seen=f"sequence number {other_sequence}",
                expected=f"as at block {location}, sequence number {sequence}",
            )
    packet = max(fixed.packet_length, 1)
    spares: dict[int, int] = {}
    for at in range(0, len(entries), 8):
        original = int.from_bytes(entries[at : at + 4], "little")
        mapped = int.from_bytes(entries[at + 4 : at + 8], "little")
        if original >= _FIRST_UNMAPPED:
            continue
        if original % packet or original >= physical.length or mapped + packet > volume.blocks.count:
            volume.log.note(
                SPARING,
                "An entry of the sparing table is impossible",
                at=(volume.blocks, location, 56 + at),
                seen=f"packet {original} replaced at {mapped}",
                expected=f"a packet of {packet} blocks in the partition, replaced on the disc",
            )
            continue
        spares[original] = mapped
    return SparablePartition(physical, packet, spares)


def _sparing_table(volume: LogicalVolume, location: int) -> tuple[int, bytes] | None:
    """Sequence number and entries of the sparing table at an absolute block; None if there is none."""
    blocks = volume.blocks
    data = blocks.block(location)
    if len(data) >= SPARING_TABLE.size:
        length = SPARING_TABLE.size + SPARING_TABLE.read(data).entry_count * 8
        covered = int.from_bytes(data[10:12], "little") + 16
        count = -(-max(length, covered) // blocks.size)
        data = blocks.read(location, count)
        checked = check_tag(data, 0, (TagId.SPARING_TABLE,), location)
        fixed = SPARING_TABLE.read(data)
        if checked is not None and checked.usable and decode_identifier(fixed.identifier) == _TABLE:
            volume.note_problems(location, 0, checked, "A sparing table")
            volume.own(location, count)
            return fixed.sequence_number, data[SPARING_TABLE.size : min(length, len(data))]
    volume.log.note(
        SPARING, "There is no sparing table where the partition map says", at=(blocks, location, 0)
    )
    return None


def _metadata(
    raw: LogicalVolume, index: int, fixed: MetadataMap
) -> tuple[MetadataPartition, dict[str, object]]:
    """A metadata partition: the runs of the metadata file and of its mirror (UDF 2.2.13)."""
    files = (
        (fixed.file_location, FileType.METADATA, "metadata file"),
        (fixed.mirror_location, FileType.METADATA_MIRROR, "metadata mirror file"),
    )
    runs = [_metadata_runs(raw, index, *each) for each in files]
    partition = MetadataPartition(raw.partitions[index].number, *runs)
    words: dict[str, object] = {
        "metadata_file": fixed.file_location,
        "mirror_file": fixed.mirror_location,
        "metadata_blocks": partition.length,
        "duplicated": bool(fixed.flags & 1),
    }
    return partition, words


def _metadata_runs(raw: LogicalVolume, index: int, logical: int, file_type: int, name: str) -> list[Run]:
    """Where the blocks of the metadata file or its mirror are; [] with an anomaly if it cannot be used."""
    icb = read_icb(raw, index, logical, None)
    if icb is None or icb.entry.file_type not in (FileType.METADATA, FileType.METADATA_MIRROR):
        raw.log.note(
            METADATA,
            f"The {name} cannot be used",
            seen=f"partition block {logical}" + (f", file type {icb.entry.file_type}" if icb else ""),
            expected=f"file type {file_type}",
        )
        return []
    if icb.entry.file_type != file_type:
        raw.log.note(
            METADATA,
            f"The {name} has another file type",
            at=(raw.blocks, icb.block, 27),
            seen=str(icb.entry.file_type),
            expected=str(file_type),
        )
    size = raw.blocks.size
    return [Run(piece.block, -(-piece.length_bytes // size)) for piece in pieces(raw, icb, None)]

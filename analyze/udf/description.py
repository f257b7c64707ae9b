"""What a UDF volume says of itself, as a VolumeInfo."""

from typing import Any

from acquire.geometry import sectors
from analyze.udf.cs0 import decode_dstring, decode_identifier
from analyze.udf.filesets import FileSet
from analyze.udf.layout import (
    ENTITY_IDENTIFIER,
    LOGICAL_VOLUME_INFORMATION,
    PRIMARY_VOLUME,
    PrimaryVolumeDescriptor,
    TagId,
)
from analyze.udf.opening import Assembled, Place
from analyze.udf.vat import VatGeneration
from analyze.volume import VolumeInfo

_LV_INFORMATION = "*UDF LV Info"
_MOST_SPACES = 64


def describe(
    assembled: Assembled,
    where: Place,
    ordinal: int,
    file_set: FileSet | None,
    generation: VatGeneration | None,
) -> VolumeInfo:
    """The description of one file set of a volume, in the state of one virtual allocation table if any."""
    times = assembled.volume.times
    primaries = assembled.found.descriptors.of(TagId.PRIMARY_VOLUME)
    primary = PRIMARY_VOLUME.read(primaries[0].data) if primaries else None
    integrity = assembled.integrity
    label = decode_dstring(assembled.fixed.identifier)
    modified = times.valid(integrity.fixed.recording_time) if integrity else None
    if generation is not None:
        label = generation.label or label
        modified = generation.recorded
    return VolumeInfo(
        ordinal=ordinal,
        kind="udf",
        label=label,
        session=where.session,
        start_lba=where.start_lba,
        block_size_bytes=assembled.volume.blocks.size,
        length_sectors=_length_sectors(assembled, where.start_lba),
        created=times.valid(primary.recording_time) if primary else None,
        modified=modified,
        volume_set_id=(decode_dstring(primary.volume_set_identifier) or None) if primary else None,
        publisher=_information(assembled).get("owner"),
        application=(decode_identifier(primary.application_identifier) or None) if primary else None,
        attributes=_attributes(assembled, primary, file_set, generation),
    )


def _length_sectors(assembled: Assembled, start_lba: int) -> int | None:
    """Sectors from the start of the volume to the end of its last partition.

    A virtual partition's is as large as the disc may become: there the newest table is the end.
    """
    blocks = assembled.volume.blocks
    if assembled.opened.tables:
        return assembled.opened.tables[0].generation.lba + 1 - start_lba
    ends = [
        row["start_block"] + row["length_blocks"]
        for row in assembled.opened.described
        if isinstance(row["start_block"], int) and isinstance(row["length_blocks"], int)
    ]
    if not ends:
        return None
    return sectors(max(ends) * blocks.size) + blocks.start_lba - start_lba


def _revision(regid: bytes) -> str:
    """The UDF revision in the suffix of a domain identifier, which is binary coded decimal (UDF 2.1.5.3)."""
    suffix = ENTITY_IDENTIFIER.read(regid).suffix
    return f"{suffix[1]:x}.{suffix[0]:02x}"


def _information(assembled: Assembled) -> dict[str, str]:
    """Owner, organization and contact of the "*UDF LV Info" descriptor (UDF 2.2.7)."""
    for found in assembled.found.descriptors.of(TagId.IMPLEMENTATION_USE):
        if len(found.data) < LOGICAL_VOLUME_INFORMATION.size:
            continue
        fixed = LOGICAL_VOLUME_INFORMATION.read(found.data)
        if decode_identifier(fixed.identifier) != _LV_INFORMATION:
            continue
        rows = {
            "owner": decode_dstring(fixed.owner),
            "organization": decode_dstring(fixed.organization),
            "contact": decode_dstring(fixed.contact),
        }
        return {key: text for key, text in rows.items() if text}
    return {}


def _attributes(
    assembled: Assembled,
    primary: PrimaryVolumeDescriptor | None,
    file_set: FileSet | None,
    generation: VatGeneration | None,
) -> dict[str, Any]:
    """Everything else; the keys are in docs/reference/udf.md."""
    fixed, integrity = assembled.fixed, assembled.integrity
    found: dict[str, Any] = {
        "udf_revision": _revision(fixed.domain),
        "domain": decode_identifier(fixed.domain),
        "recognition": list(assembled.found.recognition.identifiers),
        "anchors": list(assembled.found.anchors),
        "implementation": decode_identifier(fixed.implementation_identifier),
        "partitions": list(assembled.opened.described),
    }
    protection = ENTITY_IDENTIFIER.read(fixed.domain).suffix[2]
    if protection & 3:
        found["write_protected"] = [name for bit, name in ((1, "hard"), (2, "soft")) if protection & bit]
    if primary is not None:
        found["volume_identifier"] = decode_dstring(primary.volume_identifier)
    if file_set is not None:
        found["file_set_identifier"] = decode_dstring(file_set.fixed.identifier)
        found["file_set_number"] = file_set.fixed.number
    found |= _information(assembled)
    if integrity is not None:
        found["integrity"] = "closed" if integrity.closed else "open"
        found["next_unique_id"] = integrity.fixed.next_unique_id
        if integrity.use is not None:
            found["files"] = integrity.use.files
            found["directories"] = integrity.use.directories
            found["minimum_read_revision"] = f"{integrity.use.minimum_read_revision:04x}"
    if generation is not None:
        found["vat"] = {
            "generation": generation.number,
            "generations": len(assembled.opened.tables),
            "lba": generation.lba,
            "entries": generation.entries,
            "files": generation.files,
            "directories": generation.directories,
        }
    if assembled.spaces:
        found["space"] = [
            {
                "kind": each.kind,
                "form": each.form,
                "partition": each.partition,
                "free_blocks": each.free_blocks,
            }
            for each in assembled.spaces[:_MOST_SPACES]
        ]
    return found

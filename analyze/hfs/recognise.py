"""Where HFS and HFS+ volumes are: at a session's start, in Apple partitions, in an HFS wrapper."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from acquire.geometry import SECTOR_BYTES
from acquire.image import Image, read_bytes
from analyze.anomaly import Anomaly
from analyze.hfs.fork import ForkData, Geometry, hfs_runs, plus_fork
from analyze.hfs.layout import (
    HFS_SIGNATURE,
    HFSPLUS_SIGNATURE,
    HFSX_SIGNATURE,
    MDB,
    VOLUME_HEADER,
    MasterDirectoryBlock,
    VolumeHeader,
)
from analyze.hfs.names import hfs_name, label, mac_time, plus_name
from analyze.hfs.volume import HfsVolume, Parts
from analyze.partitions import apple_partitions
from analyze.volume import VolumeInfo

_HEADER_AT = 1024
_SMALLEST_BLOCK = 512
_LARGEST_BLOCK = 1 << 31
_COPY_WITHIN = 4096  # bytes around the end of the last block: IM 2-60 has the copy 1024 bytes before
# the volume's end, which need not be the last block's; genisoimage writes it 2048 bytes before.


class Place(NamedTuple):
    """Where a volume is looked for; size and partition name where a map gives them."""

    start: int
    size: int | None
    session: int | None
    ordinal: int
    partition: str | None = None
    wrapper: int | None = None


def open_volumes(
    image: Image, start_lba: int, session: int | None, first_ordinal: int
) -> Iterator[HfsVolume | Anomaly]:
    """Yield each HFS or HFS+ volume of the session that starts at `start_lba`.

    Tried: the session's first sector itself, then each partition of an Apple map there whose type
    begins with Apple_HFS. A volume in an HFS wrapper comes instead of its wrapper.
    """
    places: list[tuple[int, int | None, str | None]] = [(start_lba * SECTOR_BYTES, None, None)]
    places.extend(
        (partition.start_byte, partition.size_bytes, partition.name)
        for partition in apple_partitions(image, start_lba)
        if partition.kind.startswith("Apple_HFS")
    )
    done: set[int] = set()
    ordinal = first_ordinal
    for start, size, partition in places:
        if start in done:
            continue
        done.add(start)
        volume = _recognise(image, Place(start, size, session, ordinal, partition))
        if volume is not None:
            ordinal += 1
            yield volume


def _recognise(image: Image, place: Place) -> HfsVolume | None:
    raw = read_bytes(image, place.start + _HEADER_AT, 512)
    signature = int.from_bytes(raw[:2], "big") if len(raw) == 512 else 0
    if signature != HFS_SIGNATURE:
        return _plus(image, place)
    mdb = MDB.read(raw)
    if mdb.embedded_signature in (HFSPLUS_SIGNATURE, HFSX_SIGNATURE):
        inside = place.start + 512 * mdb.first_allocation_block
        inside += mdb.embedded_start * mdb.allocation_block_bytes
        length = mdb.embedded_blocks * mdb.allocation_block_bytes
        wrapped = _plus(image, place._replace(start=inside, size=length, wrapper=place.start))
        if wrapped is not None:
            return wrapped
    return _hfs(image, place, mdb)


def _hfs_copy(image: Image, place: Place, end: int) -> int | None:
    """The byte of the copy of the master directory block, None if it is nowhere near the end."""
    last = place.start + place.size if place.size else end + _COPY_WITHIN
    for at in range(min(last, end + _COPY_WITHIN) - 512, max(end - _COPY_WITHIN, place.start) - 512, -512):
        if read_bytes(image, at, 2) == HFS_SIGNATURE.to_bytes(2, "big"):
            return at
    return None


def _hfs(image: Image, place: Place, mdb: MasterDirectoryBlock) -> HfsVolume | None:
    start, block = place.start, mdb.allocation_block_bytes
    if block < _SMALLEST_BLOCK or block % 512 or block > _LARGEST_BLOCK:
        return None
    geometry = Geometry(start + 512 * mdb.first_allocation_block, block, mdb.allocation_blocks)
    end = geometry.first_byte + geometry.blocks * block
    copy_at = _hfs_copy(image, place, end)
    problems = () if copy_at is not None else (_no_copy(end, place.ordinal, b""),)
    name, _raw = hfs_name(mdb.name[1 : 1 + min(mdb.name[0], 27)])
    info = VolumeInfo(
        ordinal=place.ordinal,
        kind="hfs",
        label=label(name),
        session=place.session,
        start_lba=start // SECTOR_BYTES,
        block_size_bytes=block,
        length_sectors=(end - start) // SECTOR_BYTES,
        created=mac_time(mdb.created, utc=False),
        modified=mac_time(mdb.modified, utc=False),
        attributes=_attributes(place, mdb.attributes, mdb.writes),
    )
    bitmap = (start + 512 * mdb.bitmap_block, -(-mdb.allocation_blocks // 8))
    parts = Parts(
        plus=False,
        start_byte=start,
        geometry=geometry,
        extents=ForkData(mdb.extents_bytes, None, hfs_runs(mdb.extents_extents)),
        catalog=ForkData(mdb.catalog_bytes, None, hfs_runs(mdb.catalog_extents)),
        attributes=None,
        structures=((start, 1536), bitmap, *(((copy_at, 512),) if copy_at is not None else ())),
        problems=problems,
        files=mdb.files,
        folders=mdb.directories,
    )
    return HfsVolume(image, info, parts)


def _plus_header(image: Image, at: int) -> VolumeHeader | None:
    raw = read_bytes(image, at, 512)
    if len(raw) < 512 or int.from_bytes(raw[:2], "big") not in (HFSPLUS_SIGNATURE, HFSX_SIGNATURE):
        return None
    header = VOLUME_HEADER.read(raw)
    block = header.block_bytes
    if block < _SMALLEST_BLOCK or block & (block - 1) or block > _LARGEST_BLOCK:
        return None
    return header


def _plus(image: Image, place: Place) -> HfsVolume | None:
    start, size, ordinal = place.start, place.size, place.ordinal
    header = _plus_header(image, start + _HEADER_AT)
    problems: list[Anomaly] = []
    if header is None:
        # The copy stands in for it where the volume's end is known, or is the image's.
        end = start + size if size else image.size_bytes
        header = _plus_header(image, end - _HEADER_AT) if start == 0 or size else None
        if header is None or header.blocks * header.block_bytes > end - start:
            return None
        lba, offset = divmod(start + _HEADER_AT, SECTOR_BYTES)
        problems.append(
            Anomaly(
                "hfs-alternate-header",
                "the volume header cannot be used; its copy at the end was",
                lba,
                offset,
                "TN1150 Volume Header",
                volume=ordinal,
            )
        )
        copy_at = end - _HEADER_AT
    else:
        copy_at = start + header.blocks * header.block_bytes - _HEADER_AT
        copy = read_bytes(image, copy_at, 2)
        if int.from_bytes(copy, "big") != header.signature:
            problems.append(_no_copy(copy_at, ordinal, copy))
    attributes = _attributes(place, header.attributes, header.writes)
    attributes["version"] = header.version
    if place.wrapper is not None:
        attributes["wrapper_byte"] = place.wrapper
    if header.attributes & 0x2000:  # kHFSVolumeJournaledBit
        attributes["journal_block"] = header.journal_block
    if header.signature == HFSX_SIGNATURE:
        attributes["hfsx"] = True
    geometry = Geometry(start, header.block_bytes, header.blocks)
    info = VolumeInfo(
        ordinal=ordinal,
        kind="hfsplus",
        label=_label(image, geometry, header),
        session=place.session,
        start_lba=start // SECTOR_BYTES,
        block_size_bytes=header.block_bytes,
        length_sectors=header.blocks * header.block_bytes // SECTOR_BYTES,
        created=mac_time(header.created, utc=False),
        modified=mac_time(header.modified, utc=True),
        attributes=attributes,
    )
    allocation = plus_fork(header.allocation_fork)
    bitmap = [
        (geometry.first_byte + run.start * geometry.block_bytes, run.blocks * geometry.block_bytes)
        for run in allocation.runs
        if run.start + run.blocks <= geometry.blocks
    ]
    parts = Parts(
        plus=True,
        start_byte=start,
        geometry=geometry,
        extents=plus_fork(header.extents_fork),
        catalog=plus_fork(header.catalog_fork),
        attributes=plus_fork(header.attributes_fork),
        structures=((start, 1536), *bitmap, (copy_at, 1024)),
        problems=tuple(problems),
        files=header.files,
        folders=header.folders,
    )
    return HfsVolume(image, info, parts)


def _attributes(place: Place, flags: int, writes: int) -> dict[str, Any]:
    attributes: dict[str, Any] = {"flags": flags, "writes": writes}
    if place.start % SECTOR_BYTES:
        attributes["start_offset_bytes"] = place.start % SECTOR_BYTES
    if place.partition is not None:
        attributes["partition"] = place.partition
    return attributes


def _no_copy(at: int, ordinal: int, seen: bytes) -> Anomaly:
    lba, offset = divmod(at, SECTOR_BYTES)
    return Anomaly(
        "hfs-alternate-header",
        "the copy of the volume's description is not where it should be",
        lba,
        offset,
        "IM 2-60, TN1150 Volume Header",
        seen.hex() or "nothing",
        "the volume's signature",
        ordinal,
    )


def _label(image: Image, geometry: Geometry, header: VolumeHeader) -> str:
    """The root folder's name, from the first leaf record of the catalog (TN "Catalog File")."""
    catalog = plus_fork(header.catalog_fork)
    if not catalog.runs:
        return ""
    first = geometry.first_byte + catalog.runs[0].start * geometry.block_bytes
    head = read_bytes(image, first, 512)
    if len(head) < 512:
        return ""
    node_bytes = int.from_bytes(head[32:34], "big")
    leaf = int.from_bytes(head[24:28], "big")
    at = leaf * node_bytes
    for run in catalog.runs:
        length = run.blocks * geometry.block_bytes
        if at < length:
            key = read_bytes(image, geometry.first_byte + run.start * geometry.block_bytes + at + 14, 520)
            units = int.from_bytes(key[6:8], "big")
            if int.from_bytes(key[2:6], "big") != 1 or units > 255:
                return ""
            return label(plus_name(key[8 : 8 + 2 * units])[0])
        at -= length
    return ""

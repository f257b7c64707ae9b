"""Named streams (4/9.2, UDF 3.3.5): the stream directory of a file, of a directory or of the volume."""

from typing import NamedTuple

from analyze.entry import Stream
from analyze.udf.allocation import extents
from analyze.udf.anomalies import LIMIT, STREAMS
from analyze.udf.cs0 import decode_name
from analyze.udf.directory import DELETED, DIRECTORY, PARENT, DirectoryReader
from analyze.udf.file_layout import LongAllocation
from analyze.udf.icb import LENGTH_MASK, Icb, read_icb
from analyze.udf.layout import FileType
from analyze.udf.logical import LogicalVolume

RESOURCE_FORK = "*UDF Macintosh Resource Fork"  # UDF 3.3.8.1
_MOST_STREAMS = 4096
"""Of one entry; a stream directory is for a handful."""
MOST_SIZE_BYTES = (1 << 63) - 1
"""No disc holds more; a size that is larger is wrong and is cut to this."""


class Streams(NamedTuple):
    """What a stream directory lists, and the names of those that are marked as deleted."""

    streams: tuple[Stream, ...]
    deleted: tuple[str, ...]


NO_STREAMS = Streams((), ())


def read_streams(volume: LogicalVolume, where: LongAllocation, path: str | None) -> Streams:
    """The streams that a stream directory lists; the Macintosh resource fork is named "resource".

    A stream has no times or owner that count (UDF 3.3.5.1). A name that is used twice, or that is no
    name, is followed by "~" and a number.
    """
    directory = _stream_directory(volume, where, path)
    if directory is None:
        return NO_STREAMS
    found: dict[str, Stream] = {}
    deleted: list[str] = []
    for identifier in DirectoryReader(volume, directory, path).identifiers():
        if identifier.characteristics & PARENT:
            continue
        if len(found) + len(deleted) >= _MOST_STREAMS:
            volume.log.note(LIMIT, f"More than {_MOST_STREAMS} named streams", path=path)
            break
        name = decode_name(identifier.name)
        if identifier.characteristics & DELETED:
            deleted.append(name.text)
            continue
        label = "resource" if name.text == RESOURCE_FORK else name.text
        if identifier.characteristics & DIRECTORY or not label or name.problem or label in found:
            volume.log.note(STREAMS, "A stream is a directory, or has no name of its own", path=path)
        stream = read_icb(volume, identifier.icb_partition, identifier.icb_block, path)
        if stream is None:
            continue
        if not label or label in found:
            label = f"{label}~{len(found) + 1}"
        size = min(stream.entry.information_length, MOST_SIZE_BYTES)
        found[label] = Stream(label, size, extents(volume, stream, path))
    return Streams(tuple(found.values()), tuple(deleted))


def _stream_directory(volume: LogicalVolume, where: LongAllocation, path: str | None) -> Icb | None:
    """The stream directory at an address; None if there is none, with an anomaly if there should be."""
    if not where.length & LENGTH_MASK:
        return None
    directory = read_icb(volume, where.partition, where.block, path)
    if directory is None or directory.entry.file_type == FileType.STREAM_DIRECTORY:
        return directory
    volume.log.note(
        STREAMS,
        "What should be a stream directory is none",
        at=(volume.blocks, directory.block, 27),
        clause="4/14.6.6",
        seen=f"file type {directory.entry.file_type}",
        expected=str(FileType.STREAM_DIRECTORY),
        path=path,
    )
    return None

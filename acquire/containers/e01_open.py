"""What an E01's files say, put together: which files belong to it, its sizes, its chunks, its records.

Nothing is believed that its checksum contradicts while a good copy is there; every disagreement is
recorded as a problem, and only a container without any usable volume section cannot be opened.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from acquire.containers import ewf
from acquire.containers.e01_records import digests, entries_of, header_values
from acquire.containers.e01_sections import Segment, SegmentFile, read_payload, walk
from acquire.containers.e01_tables import MAX_CHUNKS, Geometry, Group, groups
from acquire.containers.ewf import FILE_HEADER, VOLUME, VolumeSection
from acquire.containers.problem import Problems
from acquire.errors import ContainerError, source_error

MAX_CHUNK_BYTES = 1 << 26
_KIND_VOLUME: Final = ("volume", "disk", "data")


class Contents(NamedTuple):
    """A container as its files say it is.

    `groups` have their chunk numbers and are in their order. `unread` are first sector and number of
    sectors (of `geometry.bytes_per_sector`), `sessions` flags and first sector, as recorded.
    """

    files: tuple[SegmentFile, ...]
    geometry: Geometry
    volume: VolumeSection
    groups: tuple[Group, ...]
    header: dict[str, str]
    md5: str | None
    sha1: str | None
    unread: tuple[tuple[int, int], ...]
    sessions: tuple[tuple[int, int], ...]
    problems: Problems


def segment_paths(path: Path) -> dict[int, Path]:
    """The files of the container that `path` is one of, by the numbers that their names give.

    The first ones follow each other without a gap; after a gap a file must begin as an E01 and have
    the number of its name, for other files of the same stem may end in .IMG or .MAP.
    """
    if ewf.segment_number(path.suffix[1:]) is None:
        return {1: path}
    named: dict[int, Path] = {}
    for other in sorted(path.parent.iterdir(), key=lambda other: (other.stem != path.stem, other.name)):
        number = ewf.segment_number(other.suffix[1:])
        if number is not None and other.stem.casefold() == path.stem.casefold():
            named.setdefault(number, other)
    named[ewf.segment_number(path.suffix[1:]) or 1] = path
    contiguous = 0
    while contiguous + 1 in named:
        contiguous += 1
    return {
        number: other
        for number, other in sorted(named.items())
        if number <= contiguous or other == path or _begins_as(other, number)
    }


def _begins_as(path: Path, number: int) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(FILE_HEADER.size) == ewf.file_header(number)
    except OSError:
        return False


def open_contents(path: Path) -> Contents:
    """Open the container that the file `path` is part of.

    Raises:
        SourceError: a file cannot be opened or read.
        ContainerError: it is no E01, or not one that can be made sense of.
    """
    problems = Problems()
    files: list[SegmentFile] = []
    try:
        first = SegmentFile(path)
        files.append(first)
        _check_signature(first)
        named = []
        for number, other in segment_paths(path).items():
            if other == path:
                named.append((number, first))
            else:
                files.append(SegmentFile(other, len(files)))
                named.append((number, files[-1]))
        in_order = _in_order(named, problems)
        segments = [Segment(number, file, walk(file, problems)) for number, file in in_order]
        return _contents(path, segments, problems)
    except OSError as error:
        _close(files)
        raise source_error(error, path) from error
    except BaseException:
        _close(files)
        raise


def _close(files: Sequence[SegmentFile]) -> None:
    for file in files:
        file.close()


def _check_signature(file: SegmentFile) -> None:
    if not ewf.is_segment_head(file.read(0, FILE_HEADER.size + ewf.DESCRIPTOR.size)):
        raise ContainerError("Not an E01 container", where=file.path, do="Name the .E01 file of an image")


def _in_order(named: Sequence[tuple[int, SegmentFile]], problems: Problems) -> list[tuple[int, SegmentFile]]:
    """The files in the order of their numbers: those inside them, if they only swapped their names."""
    inside = []
    for number, file in named:
        head = file.read(0, FILE_HEADER.size).ljust(FILE_HEADER.size, b"\0")
        if head != ewf.file_header(FILE_HEADER.read(head).segment_number):
            right = ewf.file_header(number).hex()
            problems.add("a file header is not as it should be", file.name, 0, head.hex(), right)
        inside.append(FILE_HEADER.read(head).segment_number)
        if inside[-1] != number:
            what = "a segment's number is not that of its name"
            problems.add(what, file.name, 9, inside[-1], number)
    if sorted(inside) == sorted(number for number, _ in named):
        return sorted(zip(inside, (file for _, file in named), strict=True), key=lambda numbered: numbered[0])
    return list(named)


def _contents(path: Path, segments: list[Segment], problems: Problems) -> Contents:
    volume = _volume(path, segments, problems)
    geometry = Geometry(
        volume.sector_count * volume.bytes_per_sector,
        volume.bytes_per_sector,
        volume.sectors_per_chunk * volume.bytes_per_sector,
    )
    ours = []
    for segment in segments:
        if _other_set(segment, volume):
            problems.add(
                "a segment belongs to another container", segment.file.name, 0, "another GUID", "the first's"
            )
        else:
            ours.append(segment)
    last = ours[-1].sections[-1].kind if ours and ours[-1].sections else ""
    if last != "done":
        name = ours[-1].file.name if ours else path.name
        offset = ours[-1].file.size_bytes if ours else 0
        problems.add(
            "the container is not finished: no done section", name, offset, last or "nothing", "done"
        )
    md5, sha1 = digests(ours, problems)
    return Contents(
        files=tuple(segment.file for segment in segments),
        geometry=geometry,
        volume=volume,
        groups=_numbered(list(_items(ours, geometry, problems)), geometry, problems, whole=last == "done"),
        header=header_values(ours, problems),
        md5=md5,
        sha1=sha1,
        unread=tuple(entries_of(ours, "error2", problems)),
        sessions=tuple(entries_of(ours, "session", problems)),
        problems=problems,
    )


# ---- the medium's sizes ---------------------------------------------------------------------------


def _volume(path: Path, segments: Sequence[Segment], problems: Problems) -> VolumeSection:
    """The first good volume section or copy of it, else the first that makes sense at all."""
    good: VolumeSection | None = None
    damaged: VolumeSection | None = None
    for segment in segments:
        for section in segment.sections:
            raw = read_payload(segment.file, section, VOLUME.size)
            unnamed = section.kind == "" and section.payload_bytes == VOLUME.size and ewf.is_guarded(raw)
            if section.kind not in _KIND_VOLUME and not unnamed:
                continue
            if len(raw) < VOLUME.size:
                what = "a volume section is too short for an E01"
                problems.add(what, segment.file.name, section.offset, len(raw), VOLUME.size)
                continue
            volume = VOLUME.read(raw)
            if not ewf.is_guarded(raw):
                problems.add(
                    f"the checksum of a {section.kind} section does not match",
                    segment.file.name,
                    section.payload_offset,
                    f"{volume.checksum:08x}",
                    ewf.checksum(raw[:-4])[::-1].hex(),
                )
                damaged = damaged or (volume if _is_plausible(volume) else None)
            elif not _is_plausible(volume):
                what = "a volume section's sizes are impossible"
                problems.add(what, segment.file.name, section.payload_offset, _sizes(volume))
            elif good is None:
                good = volume
            elif _sizes(volume) != _sizes(good) and volume.set_identifier == good.set_identifier:
                problems.add(
                    "two copies of the volume section differ",
                    segment.file.name,
                    section.payload_offset,
                    _sizes(volume),
                    _sizes(good),
                )
    chosen = good or damaged
    if chosen is None:
        raise ContainerError(
            "An E01 without a usable volume section", where=path, do="Look for another copy of it"
        )
    return chosen


def _sizes(volume: VolumeSection) -> str:
    return (
        f"{volume.sector_count} sectors of {volume.bytes_per_sector} bytes,"
        f" {volume.chunk_count} chunks of {volume.sectors_per_chunk}"
    )


def _is_plausible(volume: VolumeSection) -> bool:
    chunk_bytes = volume.sectors_per_chunk * volume.bytes_per_sector
    media_bytes = volume.sector_count * volume.bytes_per_sector
    return (
        0 < chunk_bytes <= MAX_CHUNK_BYTES
        and 0 < volume.chunk_count <= MAX_CHUNKS
        and -(-media_bytes // chunk_bytes) == volume.chunk_count
    )


def _other_set(segment: Segment, volume: VolumeSection) -> bool:
    """Whether the segment's own good copy of the volume section has another set identifier."""
    for section in segment.sections:
        if section.kind in _KIND_VOLUME:
            raw = read_payload(segment.file, section, VOLUME.size)
            if len(raw) == VOLUME.size and ewf.is_guarded(raw):
                return VOLUME.read(raw).set_identifier != volume.set_identifier
    return False


# ---- the chunks -----------------------------------------------------------------------------------


def _items(segments: Sequence[Segment], geometry: Geometry, problems: Problems) -> Iterator[Group | None]:
    """Every group of every segment in order; None where any number of chunks may be missing."""
    before: int | None = 0
    expected = 1
    total = 0
    for number, file, sections in segments:
        if number != expected:
            missing = (
                f"segments {expected} to {number - 1}" if number - expected > 1 else f"segment {expected}"
            )
            problems.add(f"{missing} missing", file.name, 0, number, expected)
            before = None
            yield None
        expected = number + 1
        for group in groups(file, sections, geometry, problems, before):
            total += len(group or ())
            if total > MAX_CHUNKS:
                problems.add("more chunks than can be read", file.name, 0, total, MAX_CHUNKS)
                yield None
                return
            yield group
            if group is None or before is None or not group.complete:
                before = None
            else:
                before += len(group)
        if not sections or sections[-1].kind not in ("next", "done"):  # it may have held more
            before = None
            yield None


def _numbered(
    items: Sequence[Group | None], geometry: Geometry, problems: Problems, *, whole: bool
) -> tuple[Group, ...]:
    """The groups whose chunk numbers are known.

    They are counted from the start up to the first gap, and, of a container that has its end, from the
    end back to the last gap.
    """
    position = 0
    for item in items:
        if item is None:
            break
        item.first = position
        position += len(item)
        if not item.complete:
            break
    else:
        if position != geometry.chunk_count:
            what = "the tables do not hold as many chunks as the volume section says"
            name = items[-1].file.name if items and items[-1] else ""
            problems.add(what, name, 0, position, geometry.chunk_count)
        whole = False
    if whole:
        _number_back(items, position, geometry.chunk_count)
    placed = []
    for item in items:
        if item is not None and item.first is None:
            problems.add("chunks whose place on the medium is not known", item.file.name, 0, len(item))
        elif item is not None and len(item) and (item.first or 0) < geometry.chunk_count:
            placed.append(item)
    return tuple(sorted(placed, key=lambda group: group.first or 0))


def _number_back(items: Sequence[Group | None], start: int, end: int) -> None:
    """Number the groups behind the last gap; they cannot begin before chunk `start`."""
    for item in reversed(items):
        if item is None or item.first is not None or not item.complete or end - len(item) < start:
            return
        end -= len(item)
        item.first = end

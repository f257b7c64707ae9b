"""The lines of the report's long tables: how one entry, one place, one list of digests is put."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from markupsafe import Markup

from report.escape import html_name, html_text, shown, shown_path
from report.figures import counted, evidence_time, file_mode
from report.model import ENTRY_DIGESTS, TIME_FIELDS, AnomalyView, EntryView, ExhibitView, FindingView
from report.tree import Part

DIGEST_NAMES = {"md5": "MD5", "sha1": "SHA-1", "sha256": "SHA-256", "sha512": "SHA-512", "blake2b": "BLAKE2b"}
_TIME_NAMES = tuple(
    {"changed": "attributes changed", "backup": "backed up"}.get(field, field) for field in TIME_FIELDS
)
_ENTRY_DIGEST_NAMES = tuple(DIGEST_NAMES[name] for name in ENTRY_DIGESTS)

_Item = TypeVar("_Item")

_NO_DIGEST = {
    "truncated": "No digest: the content reaches past the end of the image",
    "unread": "No digest: some sectors were not read",
    None: "No digest: not digested",
}


def table_rows(part: Part) -> Markup:
    """The rows of one table of entries.

    Put together here and not in a template, from text that is escaped piece by piece: for a hundred
    thousand entries each expression of a template, and each Markup, costs a noticeable time.
    """
    prefix = "/" if part.path == "/" else f"{part.path}/"
    return Markup("".join([_row(entry, prefix) for entry in part.entries]))  # noqa: S704  _row escapes


def _row(entry: EntryView, prefix: str) -> str:
    """The row of `entry` in the table of the directory whose entries' paths begin with `prefix`."""
    # Where the path is not what its directory makes of it, the whole path stands in place of the name.
    in_place = entry.path == prefix + entry.name
    name = html_name(entry.name) if in_place else shown_path(entry.path)
    size = "" if entry.size_bytes is None or entry.kind != "file" else f"{entry.size_bytes:,}"
    notes = _notes(entry)
    return (
        f'<tr id="e{entry.id}"><th scope="row">{name}{f"<small>{notes}</small>" if notes else ""}</th>'
        f'<td class="s">{size}</td><td class="t">{_times(entry)}</td><td class="w">{entry_place(entry)}</td>'
        f'<td class="h">{_digests(entry)}</td></tr>\n'
    )


def entry_notes(entry: EntryView) -> Markup:
    """What is special about an entry: state, target, owner, recorded name; most have little."""
    return Markup(_notes(entry))  # noqa: S704  escaped there


def entry_times(entry: EntryView) -> Markup:
    """Each recorded time on a line, once, with all that it is the time of."""
    return Markup(_times(entry))  # noqa: S704  escaped there


def entry_place(entry: EntryView) -> str:
    """The LBA of the first byte, and how many more pieces there are."""
    if entry.start_lba is None:
        return ""
    begins = "hole" if entry.start_lba < 0 else str(entry.start_lba)
    return begins if entry.extent_count == 1 else f"{begins} +{counted(entry.extent_count - 1, 'piece')}"


def _notes(entry: EntryView) -> str:
    return " · ".join([*_what(entry), *_owner(entry), *_recorded_name(entry), *_streams(entry)])


def _what(entry: EntryView) -> Iterator[str]:
    if entry.deleted:
        yield "deleted"
    if entry.hidden:
        yield "hidden"
    if entry.kind == "symlink":
        yield f"symbolic link to {html_name(entry.link_target or 'nothing recorded')}"
    elif entry.kind == "device":
        yield f"device {html_text(entry.device or 'without number')}"
    elif entry.kind not in ("file", "directory"):
        yield "neither file, directory, link nor device"


def _owner(entry: EntryView) -> Iterator[str]:
    if entry.mode is not None:
        yield html_text(file_mode(entry.mode))
    if entry.uid is not None or entry.gid is not None:
        yield f"owner {_or_dash(entry.uid)}:{_or_dash(entry.gid)}"
    if entry.links is not None and entry.links > 1 and entry.kind != "directory":
        yield counted(entry.links, "link")


def _recorded_name(entry: EntryView) -> Iterator[str]:
    if entry.identifier is not None and entry.identifier != entry.name:
        yield f"recorded as {html_name(entry.identifier)}"
    if entry.name_raw is not None:
        yield f"bytes of the name {entry.name_raw.hex(' ')}"


def _streams(entry: EntryView) -> Iterator[str]:
    for stream in entry.streams:
        size = "" if stream.size_bytes is None else f", {counted(stream.size_bytes, 'byte')}"
        digests = _digest_lines((stream.md5, stream.sha1, stream.sha256), stream.content)
        yield f"stream {html_name(stream.stream)}{size}: {', '.join(digests)}"


def _or_dash(number: int | None) -> str:
    return "–" if number is None else str(number)


def _times(entry: EntryView) -> str:
    by_value: dict[str, str] = {}
    for name, value in zip(_TIME_NAMES, entry.times, strict=True):
        if value is not None:
            by_value[value] = f"{by_value[value]}, {name}" if value in by_value else name
    return "\n".join([f"{html_text(evidence_time(value))} {names}" for value, names in by_value.items()])


def _digests(entry: EntryView) -> str:
    """A line for each digest of the data; nothing for what is no file."""
    return "\n".join(_digest_lines(entry.digests, entry.content)) if entry.kind == "file" else ""


def _digest_lines(digests: Iterable[str | None], content: str | None) -> list[str]:
    """Each digest that there is, or why there is none."""
    lines = [
        f"{name} {html_text(digest)}"
        for name, digest in zip(_ENTRY_DIGEST_NAMES, digests, strict=True)
        if digest is not None
    ]
    return lines or [html_text(_NO_DIGEST.get(content, f"No digest: {content}"))]


def where(row: AnomalyView | FindingView, exhibit: ExhibitView) -> Markup:
    """Where on the disc, in which view and at which entry; empty if it is about the whole exhibit."""
    places: list[str | Markup] = []
    if row.lba is not None:
        places.append(f"LBA {row.lba}")
    if isinstance(row, AnomalyView):
        if row.offset is not None:
            places.append(
                f"byte {row.offset} of that sector" if row.lba is not None else f"byte {row.offset}"
            )
    elif row.length_bytes is not None:
        places.append(counted(row.length_bytes, "byte"))
    volume = exhibit.volume(row.volume_id)
    if volume is not None:
        places.append(volume.title)
    if row.path is not None:
        path = shown_path(row.path)
        places.append(
            Markup('<a class="path" href="#e{}">{}</a>').format(row.entry_id, path) if row.entry_id else path
        )
    return Markup(", ").join(place if isinstance(place, Markup) else shown(place) for place in places)


def batches(items: Iterable[_Item], most: int = 500) -> Iterator[tuple[int, list[_Item]]]:
    """Cut a stream into tables: (number of the first item, from 1; at most `most` items)."""
    source = iter(items)
    first = 1
    while batch := list(islice(source, most)):
        yield first, batch
        first += len(batch)


def lines(text: str) -> Markup:
    """Prose that people wrote, its own line ends kept."""
    return Markup("<br>").join(shown(line) for line in text.splitlines())

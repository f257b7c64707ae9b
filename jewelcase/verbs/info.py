"""`jewelcase info`: what a disc image is, without a case."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jewelcase import console
from jewelcase.plain import plain
from jewelcase.verbs.options import Image, Json

if TYPE_CHECKING:
    from acquire.image import Image as DiscImage
    from acquire.toc import Disc
    from analyze.anomaly import Anomaly
    from analyze.coverage import Coverage
    from analyze.finding import Finding
    from analyze.volume import VolumeInfo


_KINDS = {
    "file": ("file",),
    "directory": ("directory", "directories"),
    "symlink": ("symbolic link",),
    "device": ("device",),
    "other": ("other", "others"),
    "deleted": ("deleted", "deleted"),
}


class Seen(NamedTuple):
    """What one walk over an image met; `counts` of entries by kind, by the ordinal of their volume."""

    disc: "Disc"
    volumes: list["VolumeInfo"]
    counts: dict[int, Counter[str]]
    anomalies: dict[str, list[Any]]
    findings: list["Finding"]
    coverage: "Coverage | None"


def info(image: Image, *, json: Json = False) -> int:
    """Show what a disc image is.

    Container, sessions, tracks, volumes, and what is odd about their structures. The content of files is
    not read.
    """
    from acquire.containers import open_image  # noqa: PLC0415  the readers load only where one is needed

    opened = open_image(image)
    try:
        seen = look(opened)
        if json:
            console.emit(as_json(image, opened, seen))
        else:
            show(image, opened, seen)
        return int(bool(seen.anomalies) or bool(opened.unread()))
    finally:
        opened.close()


def look(image: "DiscImage") -> Seen:
    """Walk every volume once and count; memory does not grow with the number of entries."""
    from acquire.toc import Disc  # noqa: PLC0415  loaded with the readers
    from analyze.analysis import examine  # noqa: PLC0415  the same
    from analyze.anomaly import Anomaly  # noqa: PLC0415  the same
    from analyze.coverage import Coverage  # noqa: PLC0415  the same
    from analyze.entry import Entry  # noqa: PLC0415  the same
    from analyze.finding import Finding  # noqa: PLC0415  the same
    from analyze.volume import VolumeInfo  # noqa: PLC0415  the same

    disc, coverage = image.disc, None
    volumes: list[VolumeInfo] = []
    counts: dict[int, Counter[str]] = {}
    anomalies: dict[str, list[Any]] = {}
    findings: list[Finding] = []
    for noun in examine(image):
        if isinstance(noun, Entry):
            counts[noun.volume]["deleted" if noun.deleted else noun.kind.value] += 1
        elif isinstance(noun, Anomaly):
            # One code can occur at every record of a disc: the first one and how many say it.
            anomalies.setdefault(noun.code, [noun, 0])[1] += 1
        elif isinstance(noun, VolumeInfo):
            volumes.append(noun)
            counts[noun.ordinal] = Counter()
        elif isinstance(noun, Finding):
            findings.append(noun)
        elif isinstance(noun, Disc):
            disc = noun
        elif isinstance(noun, Coverage):
            coverage = noun
    return Seen(disc, volumes, counts, anomalies, findings, coverage)


def as_json(path: Path, image: "DiscImage", seen: Seen) -> dict[str, Any]:
    """One object with everything that `show` writes, exact."""
    return {
        "image": str(path),
        "container": _container(image),
        "size_bytes": image.size_bytes,
        "sector_count": image.sector_count,
        "unread": plain(image.unread()),
        "disc": plain(seen.disc),
        "volumes": [{**plain(each), "entries": dict(seen.counts[each.ordinal])} for each in seen.volumes],
        "anomalies": {
            "count": sum(count for _, count in seen.anomalies.values()),
            "codes": [
                {"code": code, "count": count, "first": plain(first)}
                for code, (first, count) in sorted(seen.anomalies.items())
            ],
        },
        "findings": [plain(each) for each in seen.findings],
        "coverage": None
        if seen.coverage is None
        else {
            "sectors_owned": seen.coverage.sectors_owned,
            "sectors_unowned": seen.coverage.sectors_unowned,
        },
    }


def _container(image: "DiscImage") -> str:
    return str(getattr(image, "kind", type(image).__name__))


def show(path: Path, image: "DiscImage", seen: Seen) -> None:
    """Write it for people."""
    from report.figures import count, percent, sector_ranges, size  # noqa: PLC0415  for people only

    rows = [
        ("image", str(path)),
        ("container", _container(image)),
        ("size", size(image.size_bytes)),
        ("sectors", f"{count(image.sector_count)} of 2048 bytes"),
    ]
    unread = image.unread()
    if unread:
        rows.append(("unread", sector_ranges(unread)))
    if seen.disc.mcn:
        rows.append(("catalogue", seen.disc.mcn))
    rows.append(
        (
            "contents",
            "by its table of contents"
            if seen.disc.recorded
            else "no table of contents; sessions by inference",
        )
    )
    console.facts(rows)
    _show_disc(seen.disc)
    for volume in seen.volumes:
        _show_volume(volume, seen.counts[volume.ordinal])
    console.out("")
    total = sum(number for _, number in seen.anomalies.values())
    console.facts(
        [
            ("volumes", count(len(seen.volumes))),
            ("anomalies", count(total)),
            *(
                (f"  {code}", f"{count(number)}; first: {first.message}" + _place(first))
                for code, (first, number) in sorted(seen.anomalies.items())
            ),
            ("findings", count(len(seen.findings))),
            *((f"  {each.code}", each.title) for each in seen.findings),
        ]
    )
    if seen.coverage is not None:
        owned = seen.coverage.sectors_owned
        share = percent(owned, image.sector_count)
        console.facts([("owned", f"{count(owned)} sectors ({share}) belong to a volume or a file")])


def _place(anomaly: "Anomaly") -> str:
    return "" if anomaly.lba is None else f" (LBA {anomaly.lba})"


def _show_disc(disc: "Disc") -> None:
    """Write sessions and tracks as a table."""
    tracks = [track for session in disc.sessions for track in session.tracks]
    head = ["session", "track", "start LBA", "sectors", "mode"]
    rows = [
        [str(each.session), str(each.number), str(each.start_lba), str(each.length_sectors)]
        for each in tracks
    ]
    for row, each in zip(rows, tracks, strict=True):
        row.append(each.mode.value)
    if any(each.isrc for each in tracks):
        head.append("ISRC")
        for row, each in zip(rows, tracks, strict=True):
            row.append(each.isrc or "-")
    console.out("")
    console.table(head, rows, frozenset(range(4)))


def _show_volume(volume: "VolumeInfo", counts: Counter[str]) -> None:
    """Write what a volume says of itself, and how many entries it lists."""
    from jewelcase.views import described  # noqa: PLC0415  for people only
    from report.figures import count, counted, evidence_time  # noqa: PLC0415  the same

    console.out("")
    console.out(console.Styled(described(volume), console.BOLD))
    rows = [
        ("start LBA", str(volume.start_lba)),
        ("block size", f"{volume.block_size_bytes} bytes"),
    ]
    if volume.length_sectors is not None:
        rows.append(("sectors", count(volume.length_sectors)))
    texts = ("system_id", "volume_set_id", "publisher", "preparer", "application")
    rows += [
        (name.replace("_id", "").replace("_", " "), getattr(volume, name))
        for name in texts
        if getattr(volume, name)
    ]
    times = ("created", "modified", "expires", "effective")
    rows += [(name, evidence_time(moment.iso())) for name in times if (moment := getattr(volume, name))]
    listed = ", ".join(counted(counts[kind], *words) for kind, words in _KINDS.items() if counts[kind])
    rows.append(("entries", listed or "none"))
    console.facts(rows, indent="  ")

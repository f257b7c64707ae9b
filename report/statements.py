"""What a report says of an acquisition and an examination, in words; each from figures, none guessed.

Coverage (was everything read?) and verification (is the container what was written?) are two statements
that are never folded into one: a container that verifies may hold nothing but fill.
"""

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from report.figures import case_time, count, counted, percent, sector_ranges, size
from report.model import AcquisitionView, ExhibitView, VolumeView


class Tone(StrEnum):
    """How a statement is set: plain, or marked so that nobody misses it."""

    PLAIN = "plain"
    CAUTION = "caution"
    WARNING = "warning"


class Statement(NamedTuple):
    """`verdict` is a few words, `figures` what it rests on, `meaning` what a reader should take from it."""

    tone: Tone
    verdict: str
    figures: str
    meaning: str


def coverage(acquisition: AcquisitionView) -> Statement:
    """Whether every sector of the source was read."""
    total, read = acquisition.sector_count, acquisition.sectors_read
    unread, filled = acquisition.sectors_unread, acquisition.sectors_filled
    if total is None or read is None or unread is None or filled is None:
        return Statement(
            Tone.WARNING,
            "Not recorded",
            "The case holds no complete coverage figures for this acquisition.",
            "How much of the source was read cannot be said from this case.",
        )
    figures = (
        f"{count(read)} of {counted(total, 'sector')} read · {count(unread)} unread · {count(filled)} filled"
    )
    if acquisition.state != "complete":
        return Statement(
            Tone.WARNING, "Acquisition not finished", figures, "The source has not been read to its end."
        )
    if read + unread != total or min(read, unread, filled) < 0 or filled > total:
        return Statement(
            Tone.WARNING,
            "The figures disagree",
            figures,
            "Sectors read and unread do not add up to all sectors: do not rely on this acquisition before "
            "the cause is known.",
        )
    if total == 0:
        return Statement(Tone.WARNING, "Nothing was there to read", figures, "The source holds no sector.")
    if unread:
        return Statement(Tone.WARNING, "Not everything was read", figures, _gap(unread, filled, total))
    if filled:
        return Statement(
            Tone.WARNING,
            "Some sectors are fill",
            figures,
            f"{counted(filled, 'sector')} of the container ({percent(filled, total)}) hold fill and not what "
            "the source holds.",
        )
    return Statement(
        Tone.PLAIN,
        "Every sector was read",
        figures,
        "The container holds no fill: every byte of it came from the source.",
    )


def _gap(unread: int, filled: int, total: int) -> str:
    """What unread sectors mean for the container."""
    share = f"{counted(unread, 'sector')} ({percent(unread, total)} of the source) could not be read."
    if filled == unread:
        return f"{share} In the container their place holds fill: those bytes are not evidence."
    if filled == 0:
        return f"{share} They are not filled: the container says nothing in their place."
    return f"{share} {counted(filled, 'sector')} of the container hold fill: those bytes are not evidence."


def verification(acquisition: AcquisitionView) -> Statement:
    """Whether the container, read back, is what was written."""
    detail = acquisition.verify_detail or ""
    if acquisition.state != "complete":
        return Statement(
            Tone.WARNING, "Not verified", "Acquisition not finished", "There is no whole container yet."
        )
    if acquisition.verified is None:
        return Statement(
            Tone.CAUTION,
            "Not verified",
            "Container not read back",
            "Whether the container holds what was read from the source was not checked when it was made.",
        )
    if not acquisition.verified:
        return Statement(
            Tone.WARNING,
            "Verification failed",
            "Container read back: digests DIFFER" + (f" ({detail})" if detail else ""),
            "The container does not hold what was read from the source: do not rely on it.",
        )
    return Statement(
        Tone.PLAIN,
        "The container is what was written",
        "Container read back: digests equal",
        "This says that the container is intact. It does not say that everything was read: see coverage.",
    )


def acquired(exhibit: ExhibitView, acquisition: AcquisitionView) -> str:
    """How much was acquired, when, by whom: the sentence's beginning, up to its source."""
    words = ["Not finished:" if acquisition.state != "complete" else ""]
    words.append("" if acquisition.size_bytes is None else f"{size(acquisition.size_bytes)},")
    words.append("acquired")
    words.append("" if acquisition.started is None else f"on {case_time(acquisition.started)}")
    words.append("" if exhibit.acquired_by is None else f"by {exhibit.acquired_by}")
    return " ".join([*filter(None, words), "from"])


def not_examined(exhibit: ExhibitView) -> Iterator[str]:
    """Everything of an exhibit that this case does not look at, one sentence each."""
    acquisition = exhibit.acquisition
    if acquisition is None:
        yield "This exhibit was not acquired: nothing of it was examined."
        return
    if acquisition.sectors_unread:
        where = f" ({sector_ranges(acquisition.unread, most=12)})" if acquisition.unread else ""
        yield (
            f"{counted(acquisition.sectors_unread, 'sector')} could not be read{where}. "
            "What they hold is not known."
        )
    analysis = exhibit.analysis
    if analysis is None:
        yield "The container was not examined: no file system, file or digest of this exhibit is in the case."
        return
    if analysis.state != "complete":
        yield (
            "The examination is not finished: entries, digests and anomalies that are missing here are not "
            "statements."
        )
    yield from _unowned(exhibit)
    yield from _sessions_and_tracks(exhibit)
    yield from _without_digest(exhibit.volumes)


def _unowned(exhibit: ExhibitView) -> Iterator[str]:
    """Sectors that no structure and no file claims."""
    analysis = exhibit.analysis
    assert analysis is not None
    if analysis.sectors_unowned is None:
        if analysis.state == "complete":
            yield "How many sectors belong to no file and no structure is not recorded."
        return
    if analysis.sectors_unowned:
        whole = analysis.sectors_unowned + (analysis.sectors_owned or 0)
        share = f"{count(whole)} ({percent(analysis.sectors_unowned, whole)})"
        yield (
            f"{counted(analysis.sectors_unowned, 'sector')} of {share} belong to no file and no structure "
            "that was found. Where they are not blank, a finding says so; what they hold was not examined."
        )


def _sessions_and_tracks(exhibit: ExhibitView) -> Iterator[str]:
    """Audio tracks, and sessions in which no file system was recognised."""
    audio = [track for track in exhibit.tracks if track.mode == "AUDIO"]
    if audio:
        yield f"{counted(len(audio), 'audio track')} recorded on the disc: listed, not listened to."
    if not exhibit.volumes:
        yield "No file system that this version knows was recognised."
        return
    with_volume = {volume.session for volume in exhibit.volumes}
    if None in with_volume:
        return
    for session in exhibit.sessions:
        if session.number not in with_volume:
            yield f"Session {session.number}: no file system that this version knows was recognised in it."


_WHY = {
    "truncated": "their content reaches past the end of the image",
    "unread": "some of their sectors were not read",
    None: "their content was not digested, or not yet",
}


def _without_digest(volumes: Iterable[VolumeView]) -> Iterator[str]:
    """Files whose content has no digest, and why: a sentence a reason, all views in it."""
    by_reason: dict[str | None, list[str]] = {}
    for volume in volumes:
        for content, files in volume.files_by_content.items():
            if files and content != "complete":
                by_reason.setdefault(content, []).append(f"{counted(files, 'file')} in {volume.title}")
    for content, places in sorted(by_reason.items(), key=lambda item: item[0] or ""):
        why = _WHY.get(content, f"their content is marked {content!r}")
        yield f"Files without digest, because {why}: {', '.join(places)}."

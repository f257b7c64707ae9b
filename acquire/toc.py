"""Disc, Session, Track: what a table of contents says, as pure values."""

from enum import StrEnum
from typing import NamedTuple


class TrackMode(StrEnum):
    """How a track's sectors are formed (ECMA-130 §14, MMC-6 "Track Mode", CUE sheet words)."""

    AUDIO = "AUDIO"
    MODE1 = "MODE1"
    MODE2 = "MODE2"
    MODE2_FORM1 = "MODE2_FORM1"
    MODE2_FORM2 = "MODE2_FORM2"
    DATA = "DATA"  # user data of 2048 bytes, the sector's mode not recorded (ISO files, DVD, BD)


class Track(NamedTuple):
    """One track: `start_lba` is its index 01, lengths in sectors; None where it is not recorded."""

    session: int
    number: int
    mode: TrackMode
    start_lba: int
    length_sectors: int
    pregap_sectors: int | None = None
    isrc: str | None = None


class Session(NamedTuple):
    """One session and its tracks; the lead-out is the first sector after its last track."""

    number: int
    start_lba: int
    length_sectors: int
    tracks: tuple[Track, ...]


class Disc(NamedTuple):
    """The structure of a disc as its container or drive gives it.

    `recorded` is False where the container has no table of contents (a plain ISO file): then there is
    one session with one data track that spans the image, by construction and not by record.
    """

    sessions: tuple[Session, ...]
    recorded: bool
    mcn: str | None = None


def single_track(length_sectors: int, mode: TrackMode = TrackMode.DATA) -> Disc:
    """The disc of a container that records no table of contents."""
    track = Track(1, 1, mode, 0, length_sectors)
    return Disc((Session(1, 0, length_sectors, (track,)),), recorded=False)

"""Whole files, progress, and what is made of a source: the small parts that acquisitions stand on."""

import os
import time
from pathlib import Path

import pytest

from acquire import progress as progress_module
from acquire.durable import forget_cached, sync_file, sync_folder, write_whole
from acquire.errors import DestinationError, DiskFullError
from acquire.exhibit import Plan
from acquire.image import MemoryImage
from acquire.progress import ACQUIRE, VERIFY, Progress, Reporter
from acquire.source import ImageSource
from acquire.target import Opened, check_space, choose, open_source
from acquire.toc import Disc, Session, Track, TrackMode


def test_a_file_appears_whole(tmp_path: Path):
    """A file is replaced in one step, and no temporary name is left."""
    path = tmp_path / "state"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_changes_nothing(tmp_path: Path, monkeypatch):
    """If the disk is full, the old file stays, and nothing half-written lies beside it."""
    path = tmp_path / "state"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="No space left while writing"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path):
    """A missing folder is an error of the destination."""
    with pytest.raises(DestinationError):
        write_whole(tmp_path / "absent" / "state", b"x")


def test_syncing_and_forgetting_leave_content(tmp_path: Path):
    """Making durable and dropping the kernel's copy change nothing that is read."""
    path = tmp_path / "a"
    path.write_bytes(b"content")
    sync_file(path)
    sync_folder(tmp_path)
    forget_cached(path)
    assert path.read_bytes() == b"content"


def test_progress_ten_times_a_second(monkeypatch):
    """Of many values only those ten times a second arrive, and the last of each phase always."""
    clock, seen = [0.0], []
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    report = Reporter(seen.append)
    for done in range(1, 101):
        clock[0] += 0.01
        report(Progress(ACQUIRE, done, 100))
    report(Progress(VERIFY, 100, 100))
    assert 9 <= len(seen) <= 13
    assert seen[-2:] == [Progress(ACQUIRE, 100, 100), Progress(VERIFY, 100, 100)]
    Reporter(None)(Progress(ACQUIRE, 1, 1))
    assert len(set(progress_module.PHASES)) == len(progress_module.PHASES)


def in_container(tracks: tuple[Track, ...]) -> Opened:
    disc = Disc((Session(1, 0, 100, tracks),), recorded=True)
    image = MemoryImage(bytes(100 * 2048), disc=disc)
    return Opened(ImageSource(image, Path("x.E01"), {"container_files": []}), image)


def test_sessions_of_a_container_are_kept():
    """Recorded sessions go on into the E01; not where there is audio, which an E01 has no place for."""
    data, audio = Track(1, 1, TrackMode.DATA, 0, 50), Track(1, 2, TrackMode.AUDIO, 50, 50)
    opened = in_container((data,))
    assert opened.image is not None
    assert choose(opened, Plan()).sessions == opened.image.disc.sessions
    assert choose(in_container((data, audio)), Plan()).sessions == ()


def test_what_fits(tmp_path: Path):
    """Only a raw image, or an uncompressed E01, is refused for its size; what is there already counts."""
    path = tmp_path / "huge"
    with path.open("wb") as file:
        file.truncate(1 << 43)
    opened = open_source(path)
    raw, e01 = choose(opened, Plan("raw")), choose(opened, Plan("e01"))
    opened.source.close()
    with pytest.raises(DiskFullError, match=f"{(1 << 43) + (1 << 20)} bytes are needed"):
        check_space(tmp_path, raw, Plan("raw"), 0)
    with pytest.raises(DiskFullError):
        check_space(tmp_path, e01, Plan("e01", compression="none"), 0)
    check_space(tmp_path, e01, Plan("e01"), 0)
    check_space(tmp_path, raw, Plan("raw"), 1 << 43)
    with pytest.raises(DestinationError):
        check_space(tmp_path / "absent", raw, Plan("raw"), 0)

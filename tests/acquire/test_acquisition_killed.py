"""Acquisitions killed and interrupted at random moments, then gone on with: the result is the same."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from acquire.acquisition import Acquisition, Plan, acquire, read_acquisition
from acquire.containers import open_image
from acquire.progress import ACQUIRE, RESUME, Progress

ROOT = Path(__file__).resolve().parents[2]
CHILD = Path(__file__).with_name("slow_acquire.py")
SIZE = 24 << 20


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 MiB that deflate shortens a little, with stretches of zeros."""
    made = random.Random(1)
    path = tmp_path_factory.mktemp("source") / "disc.iso"
    pieces = [
        made.randbytes(1 << 19) + bytes(1 << 18) + made.randbytes(1 << 17) * 2 for _ in range(SIZE >> 20)
    ]
    path.write_bytes(b"".join(pieces))
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "evidence"
    made.mkdir()
    return made


def start(source: Path, folder: Path, kind: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, CHILD, source, folder, kind],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout
    assert process.stdout.readline() == "READY\n"
    return process


def data_of(folder: Path, made: Acquisition) -> bytes:
    image = open_image(folder / "A" / made.files[0])
    try:
        return image.read(0, image.sector_count)
    finally:
        image.close()


def comparable(made: Acquisition) -> dict[str, Any]:
    """What must not depend on how often an acquisition was stopped."""
    values = made._asdict()
    for name in ("started", "ended", "resumed", "source"):
        del values[name]
    return values


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "A.partial" / "A.state.json").read_text())
    return found


def kill_until_done(source: Path, folder: Path, kind: str, seed: str, most: int) -> list[int]:
    """Kill an acquisition `most` times, or until one is done first: how far it was each time."""
    moments, positions = random.Random(seed), []
    for _ in range(most):
        process = start(source, folder, kind)
        try:
            process.communicate(timeout=moments.uniform(0.0, 0.25))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        assert (folder / "A").exists() is not (folder / "A.partial").exists() or not list(folder.iterdir())
        if (folder / "A").exists():
            break
        if (folder / "A.partial" / "A.state.json").exists():
            positions.append(state(folder)["position_bytes"])
    return positions


@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_killed_at_any_moment(tmp_path: Path, folder: Path, source, kind):
    """Killed some twenty times, at random moments, then gone on with: the same data, digests and coverage."""
    positions = kill_until_done(source, folder, kind, kind, 20)
    assert positions == sorted(positions)
    assert len(set(positions)) > 1
    made = (
        read_acquisition(folder, "A") if (folder / "A").exists() else acquire(source, folder, "A", Plan(kind))
    )
    assert made.verified is True
    assert made.resumed >= 1
    assert data_of(folder, made) == source.read_bytes()
    other = tmp_path / "undisturbed"
    other.mkdir()
    assert comparable(made) == comparable(acquire(source, other, "A", Plan(kind)))
    assert sorted(path.name for path in folder.iterdir()) == ["A"]
    assert sorted(path.name for path in (folder / "A").iterdir()) == sorted(made.files)
    for line in (folder / "A" / "A.log.jsonl").read_bytes().splitlines():
        assert not line.endswith(b"}") or {"time", "event"} <= set(json.loads(line))


@pytest.mark.root
@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_killed_on_a_disc_with_bad_sectors(tmp_path: Path, folder: Path, faulty_file, source, kind):
    """What was found unread before a kill is still known to be unread: fill never becomes data."""
    bad = {5, 600, 601, 602, 2047, 2048, 5000, 9000, 9001, 12287}
    disc = faulty_file(source, *map(str, bad)).path
    kill_until_done(disc, folder, kind, f"bad {kind}", 8)
    made = (
        read_acquisition(folder, "A") if (folder / "A").exists() else acquire(disc, folder, "A", Plan(kind))
    )
    assert {lba for run in made.unread for lba in range(run.start_lba, run.end_lba)} == bad
    expected = bytearray(source.read_bytes())
    for lba in bad:
        expected[lba * 2048 : (lba + 1) * 2048] = bytes(2048)
    assert data_of(folder, made) == bytes(expected)
    other = tmp_path / "undisturbed"
    other.mkdir()
    assert comparable(made) == comparable(acquire(disc, other, "A", Plan(kind)))


@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_interrupted_by_the_user(folder: Path, source, kind):
    """Ctrl-C ends with KeyboardInterrupt, its place saved to the block; the same command goes on there."""
    process = start(source, folder, kind)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=30)
    assert "DONE" not in out
    assert "KeyboardInterrupt" in errors
    assert process.returncode != 0
    place = state(folder)["position_bytes"]
    assert 0 < place < SIZE
    lines = [json.loads(line) for line in (folder / "A.partial" / "A.log.jsonl").read_text().splitlines()]
    assert lines[-1]["event"] == "stopped"
    assert lines[-1]["at_byte"] == place
    seen: list[Progress] = []
    made = acquire(source, folder, "A", Plan(kind), progress=seen.append)
    assert made.resumed == 1
    assert made.verified is True
    assert data_of(folder, made) == source.read_bytes()
    assert [each.done for each in seen if each.phase == RESUME][-1] == place
    assert min(each.done for each in seen if each.phase == ACQUIRE) > place
    record = json.loads((folder / "A" / "A.json").read_text())
    assert [sitting["from_bytes"] for sitting in record["reading"]["sittings"]] == [0, place]

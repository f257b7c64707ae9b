"""Acquisitions stopped at an exact place: by Ctrl-C, a full disk, a damaged state; and gone on with."""

import fcntl
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from acquire.acquisition import Acquisition, ExhibitHeader, Plan, acquire
from acquire.errors import DestinationError, DiskFullError, JewelcaseError, SourceError, UsageError
from acquire.progress import ACQUIRE, RESUME, VERIFY, Progress
from acquire.sectormap import SectorMap

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.fixture(autouse=True)
def every_block(monkeypatch):
    """Progress after every block, so that a test can stop at an exact place."""
    monkeypatch.setattr("acquire.progress._INTERVAL_S", 0)


def data_of(folder: Path, made: Acquisition) -> bytes:
    from acquire.containers import open_image  # noqa: PLC0415

    image = open_image(folder / "A" / made.files[0])
    try:
        return image.read(0, image.sector_count)
    finally:
        image.close()


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "A.partial" / "A.state.json").read_text())
    return found


def stop_at(phase: str, done: int):
    """A progress callback that raises KeyboardInterrupt, as Ctrl-C in it would."""

    def progress(seen: Progress) -> None:
        if seen.phase == phase and seen.done >= done:
            raise KeyboardInterrupt

    return progress


@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_interrupted_while_verifying(folder: Path, source, kind):
    """Interrupted while the container is read back: nothing is read from the source again."""
    with pytest.raises(KeyboardInterrupt):
        acquire(source, folder, "A", Plan(kind), progress=stop_at(VERIFY, 5 << 20))
    assert state(folder)["phase"] == "verifying"
    assert not (folder / "A").exists()
    seen: list[Progress] = []
    made = acquire(source, folder, "A", Plan(kind), progress=seen.append)
    assert {each.phase for each in seen} == {VERIFY}
    assert (made.verified, made.resumed) == (True, 1)
    assert data_of(folder, made) == source.read_bytes()


@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_interrupted_while_going_on(folder: Path, source, kind):
    """Interrupted twice, the second time while what is there is read again: it still goes on from there."""
    with pytest.raises(KeyboardInterrupt):
        acquire(source, folder, "A", Plan(kind), progress=stop_at(ACQUIRE, 10 << 20))
    place = state(folder)["position_bytes"]
    assert place == 10 << 20
    with pytest.raises(KeyboardInterrupt):
        acquire(source, folder, "A", Plan(kind), progress=stop_at(RESUME, 3 << 20))
    assert state(folder)["position_bytes"] == place
    made = acquire(source, folder, "A", Plan(kind))
    assert made.resumed == 2
    assert made.digests["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert data_of(folder, made) == source.read_bytes()


def test_killed_between_the_record_and_the_name(folder: Path, source):
    """With the record written but the folder not renamed, the same command only gives it its name."""
    first = acquire(source, folder, "A", Plan("raw"))
    (folder / "A").rename(folder / "A.partial")
    seen: list[Progress] = []
    assert acquire(source, folder, "A", Plan("raw"), progress=seen.append) == first
    assert seen == []
    assert not (folder / "A.partial").exists()


@pytest.mark.parametrize("what", ["state.json.tmp", "nothing"])
def test_killed_before_the_first_state(folder: Path, source, what):
    """A folder in which nothing was begun yet is begun in."""
    (folder / "A.partial").mkdir()
    if what != "nothing":
        (folder / "A.partial" / "A.state.json.tmp").write_bytes(b"{half")
    made = acquire(source, folder, "A", Plan("raw"))
    assert made.resumed == 0
    assert sorted(path.name for path in (folder / "A").iterdir()) == sorted(made.files)


def interrupted_at(source: Path, folder: Path, kind: str, done: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        acquire(source, folder, "A", Plan(kind), progress=stop_at(ACQUIRE, done))


@pytest.mark.parametrize("kind", ["raw", "e01"])
@pytest.mark.parametrize("left", [0, 1, 3_000_000])
def test_a_container_that_lost_its_end(folder: Path, source, kind, left):
    """If less of the container survived than the state says, the rest is read again, and the log says so."""
    interrupted_at(source, folder, kind, 10 << 20)
    (path,) = (folder / "A.partial").glob("A.[Ei]*")
    os.truncate(path, left)
    made = acquire(source, folder, "A", Plan(kind))
    assert data_of(folder, made) == source.read_bytes()
    assert "container-shorter" in (folder / "A" / "A.log.jsonl").read_text()


def test_a_container_that_was_changed(folder: Path, source):
    """A byte changed in an unfinished raw image is noticed before it is gone on with."""
    interrupted_at(source, folder, "raw", 10 << 20)
    with (folder / "A.partial" / "A.iso").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"changed")
    with pytest.raises(
        DestinationError, match=r"is not what was written into it \(md5, sha1, sha256 differs"
    ):
        acquire(source, folder, "A", Plan("raw"))
    assert not (folder / "A").exists()


def test_a_damaged_chunk_in_an_unfinished_e01(folder: Path, source):
    """A damaged chunk in an unfinished E01 fails its checksum; from there on the source is read again."""
    interrupted_at(source, folder, "e01", 10 << 20)
    with (folder / "A.partial" / "A.E01").open("r+b") as file:
        file.seek(1_000_000)
        file.write(b"changed")
    made = acquire(source, folder, "A", Plan("e01"))
    assert made.verified is True
    assert data_of(folder, made) == source.read_bytes()


def test_another_source(tmp_path: Path, folder: Path, source):
    """Going on from another file, or the same after a change, is refused, saying what differs."""
    copy = tmp_path / "disc.iso"
    shutil.copy(source, copy)
    interrupted_at(copy, folder, "raw", 5 << 20)
    before = (folder / "A.partial" / "A.state.json").read_bytes()
    longer = tmp_path / "longer"
    longer.write_bytes(bytes(SIZE + 2048))
    with pytest.raises(SourceError, match=f"size bytes was {SIZE} and is {SIZE + 2048}"):
        acquire(longer, folder, "A", Plan("raw"))
    with pytest.raises(SourceError, match="inode was"):
        acquire(source, folder, "A", Plan("raw"))
    os.utime(copy, ns=(5, 5))
    with pytest.raises(SourceError, match=r"modified ns was .* choose another label, or rename"):
        acquire(copy, folder, "A", Plan("raw"))
    assert (folder / "A.partial" / "A.state.json").read_bytes() == before


def test_another_map_beside_it(tmp_path: Path, folder: Path, source):
    """A map that came beside the source meanwhile changes what counts as read, so it is refused."""
    copy = tmp_path / "disc.iso"
    shutil.copy(source, copy)
    interrupted_at(copy, folder, "raw", 5 << 20)
    SectorMap(SIZE).save(tmp_path / "disc.map")
    with pytest.raises(SourceError, match="map sha256 was"):
        acquire(copy, folder, "A", Plan("raw"))
    (tmp_path / "disc.map").unlink()
    assert acquire(copy, folder, "A", Plan("raw")).sectors_unread == 0


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan("e01"), "another format: 'raw', not 'e01'"),
        (Plan("raw", digests=("md5",)), "another digests"),
        (Plan("raw", header=ExhibitHeader(examiner="B")), "another header"),
    ],
)
def test_another_plan(folder: Path, source, plan, words):
    """Going on with other options is refused, naming the option; whether to verify may change."""
    interrupted_at(source, folder, "raw", 5 << 20)
    with pytest.raises(UsageError, match=words):
        acquire(source, folder, "A", plan)
    assert acquire(source, folder, "A", Plan(verify=False)).verified is None


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b'{"state_version": 9}', b"\xff\x00", b"null"])
def test_a_state_that_cannot_be_read(folder: Path, source, text):
    """A damaged state file is a sentence, and nothing is lost."""
    interrupted_at(source, folder, "raw", 5 << 20)
    (folder / "A.partial" / "A.state.json").write_bytes(text)
    with pytest.raises(DestinationError, match="state of the unfinished exhibit cannot be read"):
        acquire(source, folder, "A", Plan("raw"))
    assert (folder / "A.partial" / "A.iso").stat().st_size == 5 << 20


def test_a_folder_of_something_else(folder: Path, source):
    """A folder of that name that holds other things is not touched."""
    (folder / "A.partial").mkdir()
    (folder / "A.partial" / "A.iso").write_bytes(b"precious")
    with pytest.raises(DestinationError, match=r"holds A\.iso but no state"):
        acquire(source, folder, "A", Plan("raw"))
    assert (folder / "A.partial" / "A.iso").read_bytes() == b"precious"


def test_a_source_in_its_own_destination(folder: Path, source):
    """A source inside the unfinished folder is refused, not overwritten by itself."""
    interrupted_at(source, folder, "raw", 5 << 20)
    with pytest.raises(UsageError, match="The source lies in"):
        acquire(folder / "A.partial" / "A.iso", folder, "A", Plan("raw"))
    assert (folder / "A.partial" / "A.iso").stat().st_size == 5 << 20


def test_two_at_once(folder: Path, source):
    """A second process is refused while the first one works."""
    interrupted_at(source, folder, "raw", 5 << 20)
    held = os.open(folder / "A.partial", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(DestinationError, match="Another process is acquiring this exhibit"):
        acquire(source, folder, "A", Plan("raw"))
    os.close(held)
    assert acquire(source, folder, "A", Plan("raw")).resumed == 1


@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_a_file_size_limit(folder: Path, source, kind):
    """A destination that takes no more bytes: DiskFullError, and with more room the same call goes on."""
    code = f"""
import resource, sys
from pathlib import Path
from acquire import reading
from acquire.acquisition import Plan, acquire
from acquire.errors import DiskFullError
reading.CHECKPOINT_S = 0.01
resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, resource.RLIM_INFINITY))
try:
    acquire({str(source)!r}, Path({str(folder)!r}), "A", Plan({kind!r}))
except DiskFullError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stdout.startswith("No space left while writing (File too large): ")
    assert "Free space, then give the same command again: it goes on where it stopped" in done.stdout
    assert done.stderr == ""
    assert not (folder / "A").exists()
    made = acquire(source, folder, "A", Plan(kind))
    assert made.resumed == 1
    assert data_of(folder, made) == source.read_bytes()


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 8 MiB."""
    point = tmp_path / "small"
    point.mkdir()
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", point], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("needs root to mount a small file system")
    yield point
    subprocess.run(["umount", "-l", point], check=True)


@pytest.mark.root
def test_a_disk_that_is_too_small(small_disk: Path, source):
    """A raw image that cannot fit is refused at once, with the figures, and nothing is made."""
    with pytest.raises(
        DiskFullError, match=rf"Not enough space: {SIZE + (1 << 20)} bytes are needed, \d+ are free"
    ):
        acquire(source, small_disk, "A", Plan("raw"))
    with pytest.raises(DiskFullError, match="Not enough space"):
        acquire(source, small_disk, "A", Plan("e01", compression="none"))
    assert list(small_disk.iterdir()) == []


@pytest.mark.root
@pytest.mark.parametrize("kind", ["raw", "e01"])
def test_a_disk_that_fills_up(tmp_path: Path, small_disk: Path, kind):
    """A disk that fills up meanwhile: DiskFullError; after space is made, the same call goes on."""
    source = tmp_path / "six"
    source.write_bytes(random.Random(6).randbytes(6 << 20))
    ballast = small_disk / "ballast"

    def fill(progress: Progress) -> None:
        if progress.phase == ACQUIRE and not ballast.exists():
            with ballast.open("wb", buffering=0) as file, suppress(OSError):
                while file.write(bytes(4096)):
                    pass

    with pytest.raises(DiskFullError, match="No space left while writing"):
        acquire(source, small_disk, "A", Plan(kind), progress=fill)
    ballast.unlink()
    assert not (small_disk / "A").exists()
    made = acquire(source, small_disk, "A", Plan(kind))
    assert (made.resumed, made.verified) == (1, True)
    assert made.digests["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()


@pytest.mark.root
def test_a_read_only_destination(small_disk: Path, source):
    """A read-only file system is one sentence."""
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    with pytest.raises(DestinationError, match=r"The destination is read-only: .* Choose a writable folder"):
        acquire(source, small_disk, "A")


def test_a_folder_without_permission(tmp_path: Path, source):
    """A folder in which one may not write is one sentence, and nothing is made."""
    sealed = tmp_path / "sealed"
    sealed.mkdir(mode=0o555)
    for each in (*tmp_path.parents[:3], tmp_path, source.parent, source.parent.parent):
        each.chmod(0o755)
    code = f"""
import os
from pathlib import Path
from acquire.acquisition import Plan, acquire
from acquire.errors import DestinationError
if os.geteuid() == 0:
    os.setgroups([])
    os.setuid(65534)
try:
    acquire({str(source)!r}, Path({str(sealed)!r}), "A", Plan())
except DestinationError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.startswith(
        f"No permission to write: {sealed}/A.partial. Choose a folder you may write to"
    )
    assert list(sealed.iterdir()) == []


def test_errors_are_logged(folder: Path, source):
    """What ended a run is the last line of its log."""
    interrupted_at(source, folder, "raw", 5 << 20)
    with (folder / "A.partial" / "A.iso").open("r+b") as file:
        file.write(b"changed")
    with pytest.raises(JewelcaseError):
        acquire(source, folder, "A", Plan("raw"))
    last = json.loads((folder / "A.partial" / "A.log.jsonl").read_text().splitlines()[-1])
    assert last["event"] == "failed"
    assert "is not what was written into it" in last["message"]


def test_the_map_while_it_is_made(folder: Path, source):
    """The map of an unfinished exhibit says how far it is, for ddrescue's own programs too."""
    interrupted_at(source, folder, "raw", 5 << 20)
    runs = list(SectorMap.load(folder / "A.partial" / "A.map").runs())
    assert [(run.length_bytes, str(run.status)) for run in runs] == [(5 << 20, "+"), (SIZE - (5 << 20), "?")]


def test_open_files_and_threads_are_given_back(folder: Path, source):
    """However an acquisition ends, no descriptor stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(3):
        for kind in ("raw", "e01"):
            label = f"{kind}{number}"
            with pytest.raises(KeyboardInterrupt):
                acquire(source, folder, label, Plan(kind), progress=stop_at(ACQUIRE, 3 << 20))
            acquire(source, folder, label, Plan(kind, verify=False))
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > before

"""The E01 writer stopped anywhere, and gone on with: the files are those of a quiet run."""

import random
import signal
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.errors import DestinationError, DiskFullError
from acquire.geometry import SectorRange
from tests.acquire.e01_made import CHUNK, HEADER, files_in, finish, media, open_writer, read_with_pyewf, write


def go_on(folder: Path, data: bytes, **options: Any) -> list[Path]:
    """Resume, check what was found against `data`, write the rest and finish."""
    replayed = bytearray()
    with open_writer(folder, data, resume=True, replay=replayed.extend, **options) as writer:
        assert bytes(replayed) == data[: writer.position]
        for at in range(writer.position, len(data), 1 << 18):
            writer.write(data[at : at + (1 << 18)])
        return finish(writer, data, unread=[SectorRange(1, 1)])


def undisturbed(folder: Path, data: bytes, **options: Any) -> dict[str, bytes]:
    """Names and bytes of the files that a run without a stop makes."""
    folder.mkdir()
    paths = write(folder, data, tail={"unread": [SectorRange(1, 1)]}, **options)
    return {path.name: path.read_bytes() for path in paths}


SMALL = media(400_000, seed=3)
SEGMENTED = {"segment_size_bytes": 90_000, "bytes_per_sector": 128}


@pytest.fixture(scope="module")
def small_container(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of an undisturbed run over SMALL, in segments."""
    made = undisturbed(tmp_path_factory.mktemp("whole") / "run", SMALL, **SEGMENTED)
    assert len(made) > 2
    return made


def damage(folder: Path, files: dict[str, bytes], cut_name: str, cut: int) -> None:
    """Put `files` into `folder` as a stop at byte `cut` of `cut_name` would leave them."""
    for name in sorted(files):
        if name == cut_name:
            (folder / name).write_bytes(files[name][:cut])
            return
        (folder / name).write_bytes(files[name])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_stop_at_any_byte_leaves_no_trace(small_container, tmp_path_factory, data):
    """Cut the files anywhere and resume: byte for byte what an undisturbed run gives."""
    name = data.draw(st.sampled_from(sorted(small_container)))
    cut = data.draw(st.integers(0, len(small_container[name])))
    folder = tmp_path_factory.mktemp("cut")
    damage(folder, small_container, name, cut)
    go_on(folder, SMALL, **SEGMENTED)
    assert files_in(folder) == small_container


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_broken_chunk_is_never_kept(small_container, tmp_path_factory, data):
    """Change any byte after the head: what is kept is right, and the rest is written again."""
    name = data.draw(st.sampled_from(sorted(small_container)))
    content = bytearray(small_container[name])
    at = data.draw(st.integers(4000 if name.endswith("E01") else 1200, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    folder = tmp_path_factory.mktemp("flip")
    damage(folder, small_container | {name: bytes(content)}, "", 0)
    paths = go_on(folder, SMALL, **SEGMENTED)
    assert read_with_pyewf(paths) == SMALL


def test_a_file_of_zeros_after_a_power_loss_is_begun_anew(tmp_path: Path, small_container):
    """A file system may keep a file's length but not its content."""
    (tmp_path / "EX-1.E01").write_bytes(bytes(50_000))
    go_on(tmp_path, SMALL, **SEGMENTED)
    assert files_in(tmp_path) == small_container


def test_no_more_is_kept_than_asked(tmp_path: Path, small_container):
    """`resume_bytes` cuts off what the caller does not vouch for; later segments go too."""
    damage(tmp_path, small_container, "", 0)
    seen = bytearray()
    options = SEGMENTED | {"resume": True, "resume_bytes": 3 * CHUNK, "replay": seen.extend}
    with open_writer(tmp_path, SMALL, **options) as writer:
        assert writer.position == 3 * CHUNK == len(seen)
        assert len(writer.paths) < len(small_container)
    go_on(tmp_path, SMALL, **SEGMENTED)
    assert files_in(tmp_path) == small_container


def test_resuming_what_was_never_begun_begins_it(tmp_path: Path, small_container):
    """The same call serves for the first run and for every other."""
    go_on(tmp_path, SMALL, **SEGMENTED)
    assert files_in(tmp_path) == small_container


@pytest.mark.parametrize(
    "other",
    [
        {"header": HEADER._replace(case_number="2026-015")},
        {"compression": "best"},
        {"media": "fixed"},
        {"bytes_per_sector": 64},
    ],
)
def test_another_container_is_not_gone_on_with(tmp_path: Path, small_container, other: dict):
    """Other case fields or settings than in the first run are refused, and nothing is changed."""
    damage(tmp_path, small_container, "EX-1.E03", 5000)
    before = files_in(tmp_path)
    with pytest.raises(DestinationError, match="other contents or settings"):
        open_writer(tmp_path, SMALL, resume=True, **(SEGMENTED | other))
    assert files_in(tmp_path) == before


def test_a_foreign_file_is_not_deleted_by_a_resume(tmp_path: Path):
    """What does not begin like this container is somebody's, not a leftover."""
    (tmp_path / "EX-1.E01").write_bytes(b"a letter")
    with pytest.raises(DestinationError, match="move it away"):
        open_writer(tmp_path, SMALL, resume=True, **SEGMENTED)
    assert (tmp_path / "EX-1.E01").read_bytes() == b"a letter"


def test_a_checkpoint_survives(tmp_path: Path):
    """What `checkpoint` returns is found again, though nothing was closed."""
    data = media(5_000_000)
    writer = open_writer(tmp_path, data, bytes_per_sector=64)
    writer.write(data[:3_000_000])
    kept = writer.checkpoint()
    assert 3_000_000 - CHUNK < kept <= 3_000_000
    writer.abort()
    with open_writer(tmp_path, data, bytes_per_sector=64, resume=True) as again:
        assert again.position == kept


def looks_like_chunks() -> bytes:
    """Media data whose chunks, stored as they are, each begin with a whole stream of another chunk."""
    source = random.Random(9)
    pieces = []
    for _ in range(8):
        stream = zlib.compress(source.randbytes(CHUNK - 400) + bytes(400))
        assert len(stream) < CHUNK - 300
        pieces.append(stream + source.randbytes(CHUNK - len(stream)))
    return b"".join(pieces)


@pytest.mark.parametrize("compression", ["none", "fast", "best"])
def test_data_that_looks_like_a_chunk_is_not_taken_for_one(tmp_path: Path, compression: str):
    """A container inside the medium: its streams would do as chunks of ours, and are never taken so."""
    data = looks_like_chunks()
    whole = undisturbed(tmp_path / "whole", data, compression=compression)
    file = whole["EX-1.E01"]
    for number, cut in enumerate(range(3_000, len(file) + 1, (len(file) - 3_000) // 40)):
        folder = tmp_path / str(number)
        folder.mkdir()
        damage(folder, whole, "EX-1.E01", cut)
        go_on(folder, data, compression=compression)
        assert files_in(folder) == whole


def test_chunks_that_could_be_two_things_are_told_apart_by_the_table(tmp_path: Path):
    """A closed section's table, or the compression none, says what a chunk is; else it is written again."""
    data = looks_like_chunks()
    for compression, closed, kept in (("none", False, 8), ("fast", True, 8), ("fast", False, 0)):
        folder = tmp_path / f"{compression}-{closed}"
        folder.mkdir()
        with open_writer(folder, data, compression=compression) as writer:
            writer.write(data)
            writer.checkpoint()
            if closed:
                finish(writer, data)
        with open_writer(folder, data, compression=compression, resume=True) as writer:
            assert writer.position == kept * CHUNK


CHILD = """
import sys, uuid, time
from datetime import UTC, datetime
from pathlib import Path
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues
folder, source, pause = Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
data = source.read_bytes()
with E01Writer(folder, "EX-1", size_bytes=len(data), bytes_per_sector=2048, header=HeaderValues(),
               guid=uuid.UUID(int=5), created=datetime(2026, 1, 2, tzinfo=UTC), segment_size_bytes=400_000,
               resume=True) as writer:
    print(writer.position, flush=True)
    for at in range(writer.position, len(data), 65536):
        writer.write(data[at : at + 65536])
        if at % (1 << 20) == 0:
            writer.checkpoint()
        time.sleep(pause)
    writer.finish("00" * 16, None)
print("done", flush=True)
"""


def test_killed_at_random_moments_the_container_is_the_same(tmp_path: Path):
    """SIGKILL again and again, each time resumed: the files equal those of one quiet run."""
    source = tmp_path / "source"
    source.write_bytes(media(8 << 20, seed=11))
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    quiet.mkdir()
    killed.mkdir()
    command = [sys.executable, "-c", CHILD]
    subprocess.run([*command, quiet, source, "0"], check=True, stdout=subprocess.DEVNULL)
    chance = random.Random(13)
    kills = 0
    for _ in range(60):
        with subprocess.Popen([*command, killed, source, "0.004"], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(chance.uniform(0, 0.15))
            child.send_signal(signal.SIGKILL)
            kills += child.wait() == -signal.SIGKILL
        if (killed / "EX-1.E01").is_file() and files_in(killed) == files_in(quiet):
            break
    assert kills >= 5
    subprocess.run([*command, killed, source, "0"], check=True, stdout=subprocess.DEVNULL)
    assert files_in(killed) == files_in(quiet)


FULL = """
import resource, signal, sys, uuid
from datetime import UTC, datetime
from pathlib import Path
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues
from acquire.errors import DiskFullError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
data = Path(sys.argv[2]).read_bytes()
try:
    with E01Writer(Path(sys.argv[1]), "EX-1", size_bytes=len(data), bytes_per_sector=2048, resume=True,
                   header=HeaderValues(), guid=uuid.UUID(int=5),
                   created=datetime(2026, 1, 2, tzinfo=UTC)) as writer:
        writer.write(data[writer.position:])
        writer.finish(None, None)
except DiskFullError as error:
    print(error)
    sys.exit(2)
"""


@pytest.mark.parametrize("room", [0, 5, 1500, 700_000, 1_200_001])
def test_a_full_disk_is_said_and_gone_on_from(tmp_path: Path, room: int):
    """When no more can be written: one sentence, and the same call goes on when there is room."""
    source = tmp_path / "source"
    data = media(3 << 20, seed=17)
    source.write_bytes(data)
    folder = tmp_path / "out"
    folder.mkdir()
    command = [sys.executable, "-c", FULL, folder, source]
    stopped = subprocess.run([*command, str(room)], capture_output=True, text=True, check=False)
    assert stopped.returncode == 2, stopped.stderr
    assert "goes on where it stopped" in stopped.stdout
    assert len(stopped.stdout.splitlines()) == 1
    subprocess.run([*command, str(1 << 30)], check=True)
    assert read_with_pyewf([folder / "EX-1.E01"]) == data


@pytest.mark.root
def test_a_full_file_system_is_a_disk_full_error(tmp_path: Path, tool):
    """ENOSPC from a real file system, then room again."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        [tool("mount"), "-t", "tmpfs", "-o", "size=3m", "jewelcase-test", folder],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("cannot mount a small file system here")
    data = random.Random(1).randbytes(24 << 20)
    try:
        with open_writer(folder, data, threads=2) as writer:
            with pytest.raises(DiskFullError, match="No space left"):
                writer.write(data)
            kept = writer.checkpoint()
            with pytest.raises(AssertionError, match="only a resume"):
                writer.write(data)
            with pytest.raises(AssertionError, match="only a resume"):
                finish(writer, data)
        with open_writer(folder, data, resume=True) as writer:
            assert writer.position >= kept > 0
        subprocess.run([tool("mount"), "-o", "remount,size=64m", folder], check=True)
        assert read_with_pyewf(go_on(folder, data)) == data
    finally:
        subprocess.run([tool("umount"), folder], check=True)

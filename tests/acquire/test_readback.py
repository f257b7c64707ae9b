"""Reading a finished container back: against hashlib, and against containers that were spoiled by hand."""

import hashlib
import random
import subprocess
from pathlib import Path

import pytest

from acquire.acquisition import acquire
from acquire.exhibit import Plan
from acquire.readback import read_back

DATA = random.Random(11).randbytes(2_500 * 2048)  # more than one block of the pump's, about 5 MB
NAMES = ("md5", "sha1", "sha256")
EXPECTED = {name: hashlib.new(name, DATA).hexdigest() for name in NAMES}


class Stop(Exception):  # noqa: N818  a request, not an error
    """Asked to stop."""


@pytest.fixture(scope="module")
def containers(tmp_path_factory) -> Path:
    """A folder with the same data as E01 (in one file and in several) and raw."""
    folder = tmp_path_factory.mktemp("readback")
    (folder / "disc.iso").write_bytes(DATA)
    acquire(folder / "disc.iso", folder, "ONE", Plan(format="e01", verify=False))
    acquire(folder / "disc.iso", folder, "RAW", Plan(format="raw", verify=False))
    plan = Plan(format="e01", verify=False, compression="none", segment_size_bytes=1 << 20)
    acquire(folder / "disc.iso", folder, "MANY", plan)
    return folder


def parts(folder: Path, label: str) -> list[Path]:
    """The container's files, the first one first."""
    return sorted(path for path in (folder / label).iterdir() if path.suffix[:2] in {".E", ".i"})


def spoiled(path: Path, target: Path, at: int, mask: int = 1) -> Path:
    """A copy with one byte changed."""
    data = bytearray(path.read_bytes())
    data[at] ^= mask
    target.write_bytes(data)
    return target


@pytest.mark.parametrize(
    ("label", "format_", "files"), [("ONE", "e01", 1), ("RAW", "raw", 1), ("MANY", "e01", 5)]
)
def test_a_sound_container_gives_the_digests_of_its_source(containers, label, format_, files):
    """The digests are hashlib's of what was put in, and nothing is wrong."""
    ticks: list[int] = []
    paths = parts(containers, label)
    assert len(paths) >= files
    back = read_back(paths, format_, NAMES, ticks.append)
    assert back.problems == ()
    assert back.size_bytes == len(DATA)
    assert back.digests == EXPECTED
    assert ticks == sorted(ticks)
    assert ticks[-1] == len(DATA)


@pytest.mark.tools
@pytest.mark.parametrize("label", ["ONE", "MANY"])
def test_ewfverify_says_the_same_of_them(tool, containers, label):
    """Sound by an independent reader, which computes the same MD5."""
    command = [tool("ewfverify"), parts(containers, label)[0]]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert EXPECTED["md5"] in done.stdout


def test_only_the_digests_asked_for_are_made(containers):
    back = read_back(parts(containers, "RAW"), "raw", ("sha512",), lambda _: None)
    assert back.digests == {"sha512": hashlib.sha512(DATA).hexdigest()}
    back = read_back(parts(containers, "ONE"), "e01", ("sha256",), lambda _: None)
    assert back.digests == {"sha256": EXPECTED["sha256"]}
    assert back.problems == ()


@pytest.mark.parametrize("at", [0, 1_000_000, len(DATA) - 1])
def test_a_changed_bit_of_a_raw_image_changes_every_digest(containers, tmp_path, at):
    """A raw file has no checksum of its own: it reads without a problem, with other digests."""
    path = spoiled(parts(containers, "RAW")[0], tmp_path / "a.iso", at)
    back = read_back([path], "raw", NAMES, lambda _: None)
    assert back.problems == ()
    assert back.size_bytes == len(DATA)
    assert all(back.digests[name] != EXPECTED[name] for name in NAMES)
    assert back.digests["sha1"] == hashlib.sha1(path.read_bytes()).hexdigest()


def test_a_shorter_raw_image_is_as_long_as_it_is(containers, tmp_path):
    (tmp_path / "a.iso").write_bytes(DATA[:-1])
    back = read_back([tmp_path / "a.iso"], "raw", ("md5",), lambda _: None)
    assert back.size_bytes == len(DATA) - 1
    assert back.digests["md5"] == hashlib.md5(DATA[:-1]).hexdigest()


@pytest.mark.parametrize("part", [3, 5, 7])
def test_a_changed_bit_in_an_e01_is_a_problem_with_its_place(containers, tmp_path, part):
    """In the middle of its chunks: their checksum fails, and the MD5 it records no longer fits."""
    whole = parts(containers, "ONE")[0]
    path = spoiled(whole, tmp_path / "a.E01", whole.stat().st_size * part // 10)
    back = read_back([path], "e01", NAMES, lambda _: None)
    assert any("at byte" in problem for problem in back.problems)
    assert any(problem.startswith("It records md5 " + EXPECTED["md5"]) for problem in back.problems)
    assert back.digests["md5"] != EXPECTED["md5"]


@pytest.mark.parametrize("keep", [0, 5, 13, 100, 100_000])
def test_a_truncated_e01_is_a_problem_and_not_an_error(containers, tmp_path, keep):
    (tmp_path / "a.E01").write_bytes(parts(containers, "ONE")[0].read_bytes()[:keep])
    back = read_back([tmp_path / "a.E01"], "e01", NAMES, lambda _: None)
    assert back.problems
    assert back.digests["sha256"] != EXPECTED["sha256"]


def test_a_missing_segment_is_a_problem(containers, tmp_path):
    for path in parts(containers, "MANY"):
        if not path.name.endswith(".E03"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    back = read_back(sorted(tmp_path.iterdir()), "e01", NAMES, lambda _: None)
    assert back.problems
    assert back.digests["md5"] != EXPECTED["md5"]


@pytest.mark.parametrize("format_", ["raw", "e01"])
def test_a_file_that_is_not_there_is_a_problem(tmp_path, format_):
    back = read_back([tmp_path / "none"], format_, ("md5",), lambda _: None)
    assert back.size_bytes == 0
    assert len(back.problems) == 1
    assert "byte 0" in back.problems[0]


def test_a_raw_image_that_becomes_shorter_meanwhile_is_a_problem(tmp_path):
    """Cut while it is read: said, with the place; neither a hang nor digests that look whole."""
    path = tmp_path / "a.iso"
    with path.open("wb") as file:
        file.truncate(256 << 20)

    def cut(position: int) -> None:
        with path.open("r+b") as file:
            file.truncate(position)

    back = read_back([path], "raw", ("md5",), cut)
    assert back.problems
    assert "became shorter" in back.problems[0]


@pytest.mark.parametrize(("label", "format_"), [("RAW", "raw"), ("ONE", "e01")])
def test_whoever_asks_to_stop_stops_it(containers, label, format_):
    """What the progress callback raises comes out, and no file stays open."""
    before = len(list(Path("/proc/self/fd").iterdir()))

    def stop(_: int) -> None:
        raise Stop

    with pytest.raises(Stop):
        read_back(parts(containers, label), format_, NAMES, stop)
    assert len(list(Path("/proc/self/fd").iterdir())) == before

"""Discs that fail: a file system of the tests' own, and loop devices on it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

FAULTFS = Path(__file__).with_name("faultfs.py")


class FaultyFile(NamedTuple):
    """A mounted file with faults, and the process that serves it; lines to it change the faults."""

    path: Path
    process: subprocess.Popen[str]

    def tell(self, line: str) -> None:
        """Send a line: `bad LBA[+N]…`, `good`, or `size BYTES`."""
        assert self.process.stdin
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


def pattern(size_bytes: int, seed: int = 1) -> bytes:
    """Bytes in which every 2048 differ, which deflate cannot shorten much, the same each time."""
    import random  # noqa: PLC0415

    return random.Random(seed).randbytes(size_bytes)


@contextmanager
def _faulty(image: Path, point: Path, bad: tuple[str, ...], options: tuple[str, ...]) -> Iterator[FaultyFile]:
    point.mkdir()
    command = [sys.executable, str(FAULTFS), str(image), str(point), *options]
    for words in bad:
        command += ["--bad", words]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            if process.stdout.readline() != "READY\n":
                pytest.skip("FUSE cannot be mounted here")
            yield FaultyFile(point / "disc", process)
        finally:
            subprocess.run(["umount", "-l", point], check=False, capture_output=True)
            process.kill()


@pytest.fixture
def faulty_file(tmp_path: Path) -> Iterator[Callable[..., FaultyFile]]:
    """`faulty_file(image, "100", "200+3:61")`: the image as a file whose sectors 100, 200 to 202 fail."""
    if os.geteuid() or not os.access("/dev/fuse", os.W_OK) or not shutil.which("mount"):
        pytest.skip("needs root and /dev/fuse")
    with ExitStack() as stack:

        def make(image: Path, *bad: str, options: tuple[str, ...] = ()) -> FaultyFile:
            point = tmp_path / f"fault{len(list(tmp_path.glob('fault*')))}"
            return stack.enter_context(_faulty(image, point, bad, options))

        yield make


@pytest.fixture
def loop_device() -> Iterator[Callable[..., Path]]:
    """`loop_device(file)`: a read-only block device of it, of 2048-byte blocks."""
    if os.geteuid() or not Path("/dev/loop-control").exists() or not shutil.which("losetup"):
        pytest.skip("needs root and loop devices")
    made: list[str] = []

    def make(file: Path, block_bytes: int = 2048) -> Path:
        command = ["losetup", "-r", "-f", "--show", "-b", str(block_bytes), str(file)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no loop device: {done.stderr.strip()}")
        made.append(done.stdout.strip())
        return Path(made[-1])

    yield make
    for device in made:
        subprocess.run(["losetup", "-d", device], check=False, capture_output=True)

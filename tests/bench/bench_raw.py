"""Raw acquisition with three digests against dc3dd, and its memory against the size of the source.

Source and destination lie in memory (/dev/shm), so that what is measured is the program and not a disk.
"""

import shutil
import sys
from itertools import cycle
from pathlib import Path

from paired import PYTHON, compare, present, run, shell, show

MEMORY = Path("/dev/shm")  # noqa: S108  memory is wanted
FOLDER = MEMORY / "jewelcase-bench-raw"
MIB = 1 << 20
SIZE = 1024 * MIB
ROOT = Path(__file__).resolve().parents[2]

OURS = """
import shutil, sys
from pathlib import Path
from acquire.acquisition import Plan, acquire
source, folder, verify, kind = sys.argv[1:]
acquire(source, Path(folder), "A", Plan(kind, verify=verify == "verify"))
shutil.rmtree(Path(folder) / "A")
"""


def ours(source: Path, *, verify: bool = False, kind: str = "raw") -> list[str]:
    """Acquire `source` as a case does, then remove the exhibit."""
    return [PYTHON, "-c", OURS, str(source), str(FOLDER), "verify" if verify else "no", kind]


def mixed(path: Path, size: int) -> None:
    """The modules of Python's library, one after another; little memory, for a child's peak counts ours."""
    modules = sorted(Path(sys.base_prefix, "lib").rglob("*.py"))
    with path.open("wb") as file:
        written = 0
        for module in cycle(modules):
            written += file.write(module.read_bytes()[: size - written])
            if written == size:
                return


def sparse(path: Path, size: int) -> None:
    """A file of nothing."""
    with path.open("wb") as file:
        file.truncate(size)


def main() -> None:
    """Print the ratios: below 1 is faster than the peer."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    try:
        source, copy = FOLDER / "source", FOLDER / "copy"
        mixed(source, SIZE)
        if present("dc3dd"):
            words = "hash=md5 hash=sha1 hash=sha256"
            peer = shell(f"dc3dd if={source} of={copy} {words} 2>/dev/null; rm {copy}")
            ratio = compare(ours(source), peer)
            show("acquire raw, 3 digests", "dc3dd", ratio, wanted="wall at most 0.62")
            peer = shell(f"dc3dd if={source} hof={copy} {words} 2>/dev/null; rm {copy}")
            ratio = compare(ours(source, verify=True), peer, pairs=3)
            show("acquire raw, 3 digests, read back", "dc3dd hof=", ratio)
        source.unlink()
        for size in (100 * MIB, 4096 * MIB):
            for kind in ("raw", "e01"):
                sparse(FOLDER / "sparse", size)
                used = run(ours(FOLDER / "sparse", verify=True, kind=kind))
                what = f"{size // MIB} MiB, sparse, {kind}, read back"
                print(f"  {what}: {used.wall_s:.2f} s, {used.peak_mib:.0f} MiB")
    finally:
        shutil.rmtree(FOLDER)


if __name__ == "__main__":
    main()

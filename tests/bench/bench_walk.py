"""Walking one view of ISO 9660: every entry with times, attributes and extents, against listing it elsewhere.

100,000 files in a nested Rock Ridge and Joliet image. The ratios are of CPU time for whole processes, the
start of the interpreter included. fls is quadratic in the number of files, so it gets a smaller tree.
"""

import sys
from pathlib import Path

from discs import many_files
from paired import PYTHON, compare, present, show

FILES = 100_000
FEWER_FILES = 10_000

WALK = """
import sys
from acquire.containers import open_image
from analyze.iso9660.volume import open_volumes
wanted, path = sys.argv[1:]
image = open_image(path)
for volume in open_volumes(image, 0, 1, 0):
    if volume.info.kind == wanted:
        print(sum(1 for _ in volume.walk()))
"""

PYCDLIB = """
import sys
import pycdlib
iso = pycdlib.PyCdlib()
iso.open(sys.argv[1])
print(sum(len(files) + len(folders) for _, folders, files in iso.walk(rr_path="/")))
"""


def walk(view: str, path: Path) -> list[str]:
    """Our walk of one view as a process."""
    return [PYTHON, "-c", WALK, view, str(path)]


def main() -> None:
    """Print the ratios."""
    disc = many_files(FILES)
    fewer = many_files(FEWER_FILES)
    if present("7z"):
        listing = ["7z", "l", str(disc)]
        for view in ("iso9660", "joliet"):
            show(
                f"walk {view}, {FILES:,} files", "7z l", compare(walk(view, disc), listing), wanted="CPU < 1"
            )
    if present("fls"):
        ratio = compare(walk("iso9660", fewer), ["fls", "-r", str(fewer)], pairs=3)
        show(f"walk iso9660, {FEWER_FILES:,} files", "fls -r", ratio, wanted="CPU < 0.02 at 100,000 files")
    ratio = compare(walk("iso9660", disc), [PYTHON, "-c", PYCDLIB, str(disc)], pairs=3)
    show(f"walk iso9660, {FILES:,} files", "pycdlib", ratio, wanted="CPU < 0.33")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()

"""Walking UDF: every entry with times, attributes and extents, against 7-Zip listing the disc.

100,000 files in a nested bridge disc by genisoimage. The ratio is of CPU time for whole processes, the start
of the interpreter included.
"""

import sys
from pathlib import Path

from discs import many_files
from paired import PYTHON, compare, present, show

FILES = 100_000

WALK = """
import sys
from acquire.containers import open_image
from analyze.udf.volume import open_volumes
image = open_image(sys.argv[1])
for volume in open_volumes(image, 0, 1, 0):
    print(sum(1 for _ in volume.walk()))
"""


def main() -> None:
    """Print the ratios."""
    disc = many_files(FILES, udf=True)
    walk = [PYTHON, "-c", WALK, str(disc)]
    if present("7z"):
        for words in (["7z", "l", str(disc)], ["7z", "l", "-tudf", str(disc)]):
            ratio = compare(walk, words, pairs=7)
            show(f"walk udf, {FILES:,} files", " ".join(words[:-1]), ratio, wanted="CPU < 1")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()

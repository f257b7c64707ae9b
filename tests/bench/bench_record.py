"""Walking a disc and recording it in a case: both views of 100,000 files, with indexes and full text.

Against pycdlib, which opens the image and walks both views and keeps nothing, and against `fls -r`, which
lists one. The ratios are for whole processes, the start of the interpreter included; the case is there
already. fls is quadratic in the number of files: it gets a smaller tree, and its figure for the whole is
that times the square; FLS_WHOLE=1 measures it (it takes minutes).

Then what each part takes, in CPU seconds: walk, record, digest of all rows (the seal), verification.
"""

import os
import shutil
import sys
import tempfile
from pathlib import Path

from discs import many_files
from paired import PYTHON, Ratio, compare, present, run, show

from casefiles.case import Case

FILES = 100_000
FEWER_FILES = 20_000

RECORD = """
import sys, tempfile, shutil
from pathlib import Path
from acquire.containers import open_image
from analyze.analysis import examine
from casefiles.collector import Collector
from casefiles.store import Store
folder = Path(tempfile.mkdtemp(dir=sys.argv[2])) / "case"
shutil.copytree(Path(sys.argv[2]) / "empty", folder)
store = Store.open(folder, write=True)
image = open_image(sys.argv[1])
with store.log.transaction():
    exhibit = store.database.insert("evidence", {"label": "B"})
    print(Collector(store.database, exhibit).collect(examine(image)))
store.close()
shutil.rmtree(folder.parent)
"""

PYCDLIB = """
import sys
import pycdlib
iso = pycdlib.PyCdlib()
iso.open(sys.argv[1])
for view in ({"rr_path": "/"}, {"joliet_path": "/"}):
    print(sum(len(files) + len(folders) for _, folders, files in iso.walk(**view)))
"""

PARTS = """
import sys, tempfile, shutil, time
from collections import deque
from pathlib import Path
from acquire.exhibit import Plan
from acquire.containers import open_image
from analyze.analysis import examine
from casefiles.case import Case
from casefiles.collector import Collector
from casefiles.seal import ANALYZE, write_seals
folder = Path(tempfile.mkdtemp(dir=sys.argv[2])) / "case"
image = open_image(sys.argv[1])
marks = [("", time.process_time())]
deque(examine(image), maxlen=0)
marks.append(("walk", time.process_time()))
with Case.create(folder, number="1", examiner="Bench") as case:
    marks.append(("new case", time.process_time()))
    with case._store.log.transaction():
        exhibit = case.database.insert("evidence", {"label": "B"})
        Collector(case.database, exhibit).collect(examine(image))
    marks.append(("walk and record", time.process_time()))
    with case._store.log.transaction():
        write_seals(case.database, ANALYZE, exhibit)
    marks.append(("seal", time.process_time()))
    case.database.problems()
    marks.append(("SQLite's own check", time.process_time()))
size = (folder / "case.db").stat().st_size
shutil.rmtree(folder.parent)
parts = [f"{name} {after - before:.2f} s" for (_, before), (name, after) in zip(marks, marks[1:])]
print("  parts, CPU:", ", ".join(parts) + f"; case.db {size >> 20} MiB", file=sys.stderr)
"""


def command(script: str, disc: Path, folder: Path) -> list[str]:
    """A script on a disc, its case somewhere in `folder`."""
    return [PYTHON, "-c", script, str(disc), str(folder)]


def main() -> None:
    """Print the ratios."""
    disc = many_files(FILES)
    folder = Path(tempfile.mkdtemp(prefix="jewelcase-bench-"))
    Case.create(folder / "empty", number="1", examiner="Bench").close()
    try:
        ours = command(RECORD, disc, folder)
        ratio = compare(ours, [PYTHON, "-c", PYCDLIB, str(disc)], pairs=5)
        show(f"walk and record, {FILES:,} files", "pycdlib's walk", ratio, wanted="< 0.33")
        if present("fls"):
            compare_fls(ratio, folder)
        run(command(PARTS, disc, folder))
    finally:
        shutil.rmtree(folder)


def compare_fls(ours: Ratio, folder: Path) -> None:
    """Against `fls -r`: measured on fewer files, and reckoned (or, if asked for, measured) for all."""
    if os.environ.get("FLS_WHOLE"):
        peer = run(["fls", "-r", str(many_files(FILES))])
        times = f"measured {peer.cpu_s:.0f} s CPU: {peer.cpu_s / ours.ours.cpu_s:.0f} times ours"
    else:
        fewer = many_files(FEWER_FILES)
        show(
            f"walk and record, {FEWER_FILES:,} files",
            "fls -r",
            ratio := compare(command(RECORD, fewer, folder), ["fls", "-r", str(fewer)], pairs=1),
        )
        reckoned = ratio.peer.cpu_s * (FILES / FEWER_FILES) ** 2
        times = f"{reckoned:.0f} s CPU by its square: {reckoned / ours.ours.cpu_s:.0f} times ours"
    print(f"  fls -r, {FILES:,} files: {times}  wanted: 50", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    main()

"""Rendering the report of a disc with many files: time and memory, which must not grow with the files."""

import shutil
import sys
import tempfile
from pathlib import Path

from discs import many_files
from paired import PYTHON, run

from acquire.exhibit import Plan
from casefiles.case import Case
from report.html import render_html

COUNTS = (10_000, 100_000)


def main() -> None:
    """Print what a report of 10,000 and of 100,000 files in two views each takes."""
    for count in COUNTS:
        folder = Path(tempfile.mkdtemp(prefix="jewelcase-bench-report-"))
        try:
            with Case.create(folder / "case", number="bench", examiner="bench") as case:
                case.acquire(many_files(count), "DISC", Plan(format="raw", verify=False))
                (done,) = case.analyze()
            usage = run([PYTHON, str(Path(__file__).resolve()), str(folder)])
            (page,) = folder.glob("*.html")
            size = page.stat().st_size / 1e6
            print(
                f"  {done.entries:,} entries: {usage.wall_s:.1f} s, {usage.cpu_s:.1f} s CPU,"
                f" {usage.peak_mib:.0f} MiB, {size:.0f} MB of HTML  wanted: 100,000 entries in 15 s",
                flush=True,
            )
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    with Case.open(Path(sys.argv[1]) / "case", write=False) as opened:
        render_html(opened, Path(sys.argv[1]))

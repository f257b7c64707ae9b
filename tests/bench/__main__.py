"""Run every bench_*.py beside this file, or those named: `python tests/bench [walk hash …]`."""

import runpy
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    """Run the benches one after another; each prints its own ratios."""
    sys.path.insert(0, str(HERE))
    sys.path.insert(0, str(HERE.parent.parent))
    chosen = set(sys.argv[1:])
    for bench in sorted(HERE.glob("bench_*.py")):
        name = bench.stem.removeprefix("bench_")
        if chosen and name not in chosen:
            continue
        print(f"{name}:", flush=True)
        runpy.run_path(str(bench))["main"]()


if __name__ == "__main__":
    main()

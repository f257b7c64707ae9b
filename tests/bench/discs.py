"""Disc images for the benches, made once by genisoimage and kept in the temporary folder."""

import os
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

CACHE = Path(os.environ.get("JEWELCASE_BENCH_CACHE", tempfile.gettempdir())) / "jewelcase-bench"


def _made(name: str, fill: Callable[[Path], None], options: list[str]) -> Path:
    """The image `name`; if it is not there yet, genisoimage makes it of a folder that `fill` fills."""
    path = CACHE / name
    if path.is_file():
        return path
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=CACHE))
    try:
        fill(folder)
        partial = path.with_suffix(".tmp")
        command = [
            "genisoimage",
            "-quiet",
            "-input-charset",
            "utf-8",
            *options,
            "-o",
            str(partial),
            str(folder),
        ]
        subprocess.run(command, check=True)
        partial.rename(path)
    finally:
        shutil.rmtree(folder)
    return path


def many_files(count: int = 100_000, *, udf: bool = False) -> Path:
    """`count` files of 0 to 6 KiB nested, 1,000 to a directory: Rock Ridge, Joliet, UDF if asked."""

    def fill(folder: Path) -> None:
        chance = random.Random(2026)
        for number in range(count):
            place = folder / f"year {2000 + number // 10_000}" / f"box {number // 1000:03d}"
            if number % 1000 == 0:
                place.mkdir(parents=True, exist_ok=True)
            size = chance.randrange(0, 6 * 1024)
            (place / f"Document number {number:06d}.txt").write_bytes(chance.randbytes(size))

    options = ["-R", "-J", "-joliet-long"]
    if udf:
        return _made(f"many-{count}-udf.iso", fill, [*options, "-udf"])
    return _made(f"many-{count}.iso", fill, options)


def large_files(count: int = 8, size_mib: int = 64) -> Path:
    """`count` files of `size_mib` MiB."""

    def fill(folder: Path) -> None:
        chance = random.Random(2027)
        for number in range(count):
            with (folder / f"video {number}.bin").open("wb") as sink:
                for _ in range(size_mib):
                    sink.write(chance.randbytes(1 << 20))

    return _made(f"large-{count}x{size_mib}.iso", fill, ["-R", "-J"])

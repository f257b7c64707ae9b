"""E01: writing with MD5 and SHA-1 against ewfacquire, reading and verifying against ewfverify.

Sources of 256 MiB: mixed (files of /usr, as a tar has them), random, and a disc image of large zero areas.
The peer computes the same digests. Sizes of what is written are compared too.
"""

import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from discs import CACHE
from paired import PYTHON, compare, present, show

_SIZE = 256 << 20
_BLOCK = 1 << 20

WRITE = """
import hashlib, os, sys, uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues, sector_bytes_for
source, folder, compression = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
for old in folder.glob("ours.*"):
    old.unlink()
size = source.stat().st_size
md5, sha1 = hashlib.md5(), hashlib.sha1()
handle = os.open(source, os.O_RDONLY)
with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other, E01Writer(
    folder, "ours", size_bytes=size, bytes_per_sector=sector_bytes_for(size), header=HeaderValues(),
    guid=uuid.UUID(int=1), created=datetime(2026, 1, 1, tzinfo=UTC), compression=compression,
) as writer:
    waiting = []
    for at in range(0, size, 1 << 20):
        data = os.pread(handle, 1 << 20, at)
        waiting.append((one.submit(md5.update, data), other.submit(sha1.update, data)))
        writer.write(data)
        if len(waiting) > 4:
            for future in waiting.pop(0):
                future.result()
    for pair in waiting:
        for future in pair:
            future.result()
    writer.finish(md5.hexdigest(), sha1.hexdigest())
"""

VERIFY = """
import hashlib, sys
from concurrent.futures import ThreadPoolExecutor
from acquire.containers.e01_reader import E01Image
md5, sha1 = hashlib.md5(), hashlib.sha1()
with E01Image(sys.argv[1]) as image, ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
    waiting = []
    for data in image.blocks():
        waiting.append((one.submit(md5.update, data), other.submit(sha1.update, data)))
        if len(waiting) > 4:
            for future in waiting.pop(0):
                future.result()
    for pair in waiting:
        for future in pair:
            future.result()
    assert (image.stored_md5, image.stored_sha1) == (md5.hexdigest(), sha1.hexdigest())
    assert not image.problems
"""

FLOOR = """
import hashlib, os, sys
md5 = hashlib.md5()
handle = os.open(sys.argv[1], os.O_RDONLY)
out = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
while data := os.read(handle, 1 << 20):
    md5.update(data)
    os.write(out, data)
os.fsync(out)
"""


def _files() -> Iterator[Path]:
    """Files of /usr in an order of their own, the same in every run on one machine."""
    found = sorted(
        Path(folder) / name
        for folder, _, names in os.walk("/usr")
        for name in names
        if not name.startswith(".")
    )
    random.Random(2026).shuffle(found)
    yield from (
        path for path in found if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK)
    )


def _mixed(target: Path) -> None:
    """Fill `target` with files, each at a multiple of 2048 as on a disc."""
    with target.open("wb") as made:
        for path in _files():
            with path.open("rb") as file:
                made.write(file.read(min(8 << 20, _SIZE - made.tell())))
            made.write(bytes(-made.tell() % 2048))
            if made.tell() >= _SIZE:
                return


def _sources() -> dict[str, Path]:
    """The sources, made once and kept; a block at a time, for memory is measured too."""
    CACHE.mkdir(parents=True, exist_ok=True)
    paths = {name: CACHE / f"{name}-256.bin" for name in ("mixed", "random", "sparse")}
    if all(path.is_file() and path.stat().st_size == _SIZE for path in paths.values()):
        return paths
    _mixed(paths["mixed"])
    chance = random.Random(1)
    with (
        paths["mixed"].open("rb") as mixed,
        paths["random"].open("wb") as noise,
        paths["sparse"].open("wb") as sparse,
    ):
        for number in range(_SIZE // _BLOCK):
            block = mixed.read(_BLOCK)
            noise.write(chance.randbytes(_BLOCK))
            sparse.write(bytes(_BLOCK) if number % 10 >= 3 else block)
    return paths


def _size(folder: Path, stem: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(f"{stem}.*"))


def _ewfacquire(source: Path, folder: Path, compression: str) -> list[str]:
    """The peer: the same digests, one segment, started anew each time."""
    options = ["-u", "-q", "-c", compression, "-d", "sha1", "-S", "2199023255552", "-t", str(folder / "peer")]
    script = 'rm -f "$0".E*; exec ewfacquire "$@" > /dev/null 2>&1'
    return ["/bin/sh", "-c", script, str(folder / "peer"), *options, str(source)]


def main() -> None:
    """Print the ratios."""
    if not present("ewfacquire") or not present("ewfverify"):
        return
    sys.stdout.flush()
    wanted = {"mixed": "wall ≤ 0.25, size ≤ 1.01", "random": "wall ≤ 0.20", "sparse": ""}
    with tempfile.TemporaryDirectory(dir=CACHE.parent, prefix="jewelcase-e01-") as name:
        folder = Path(name)
        for kind, source in _sources().items():
            ours = [PYTHON, "-c", WRITE, str(source), str(folder), "fast"]
            ratio = compare(ours, _ewfacquire(source, folder, "fast"), pairs=5)
            show(f"write fast, MD5 + SHA-1, {kind}", "ewfacquire", ratio, wanted=wanted[kind])
            print(f"    size: {_size(folder, 'ours') / _size(folder, 'peer'):.4f} of the peer's")
            ours = [PYTHON, "-c", VERIFY, str(folder / "ours.E01")]
            peer = ["ewfverify", "-q", "-d", "sha1", str(folder / "ours.E01")]
            show(f"verify, {kind}", "ewfverify", compare(ours, peer, pairs=5), wanted="wall ≤ 1")
        source = _sources()["mixed"]
        for compression in ("none", "best"):
            ours = [PYTHON, "-c", WRITE, str(source), str(folder), compression]
            ratio = compare(ours, _ewfacquire(source, folder, compression), pairs=1, warm_up=0)
            show(f"write {compression}, mixed", "ewfacquire", ratio)
            print(f"    size: {_size(folder, 'ours') / _size(folder, 'peer'):.4f} of the peer's")
        ours = [PYTHON, "-c", WRITE, str(source), str(folder), "fast"]
        floor = [PYTHON, "-c", FLOOR, str(source), str(folder / "floor")]
        ratio = compare(ours, floor, pairs=5)
        show("write fast, MD5 + SHA-1, mixed", "copy with MD5 only", ratio, wanted="wall ≤ 1.6")


if __name__ == "__main__":
    main()

"""Hashing all content of a disc image with three digests, against extracting it to a pipe.

Ours walks every view, digests each content once with MD5, SHA-1 and SHA-256, and keeps the results by
file; the peers extract one view into one digest of everything, which cannot even tell the files apart.
Two kinds of peers: with SHA-256 alone (a third of the work), and with the same three digests.
"""

import sys
import time
from contextlib import closing
from pathlib import Path

from discs import large_files, many_files
from paired import PYTHON, compare, present, show

from acquire.containers import open_image
from acquire.digest import DEFAULT_DIGESTS, one_shot
from analyze.analysis import ContentItem, digest_contents, examine
from analyze.entry import Entry

THREE = "tee >(md5sum >/dev/null) >(sha1sum >/dev/null) | sha256sum"
PEERS = {"7z": "7z x -so '{image}' 2>/dev/null", "bsdtar": "bsdtar -xOf '{image}'"}


def hash_all(path: str, digests: tuple[str, ...]) -> int:
    """Walk the image and digest each content once, in the order of the disc; how many were complete."""
    with closing(open_image(path)) as image:
        contents = {
            (stream.extents, stream.size_bytes)
            for noun in examine(image)
            if isinstance(noun, Entry)
            for stream in noun.streams
        }
        items = (ContentItem(key, size, extents) for key, (extents, size) in enumerate(sorted(contents)))
        return sum(done.status == "complete" for done in digest_contents(image, items, digests=digests))


def overhead(path: str) -> None:
    """Print what a small file costs besides the hashing itself: CPU time, the least of five runs."""
    with closing(open_image(path)) as image:
        contents = {
            (stream.extents, stream.size_bytes)
            for noun in examine(image)
            if isinstance(noun, Entry)
            for stream in noun.streams
        }
        items = [ContentItem(key, size, extents) for key, (extents, size) in enumerate(sorted(contents))]
        digest, data = one_shot(), memoryview(bytes(1 << 20))
        whole: list[float] = []
        hashing: list[float] = []
        for _ in range(5):
            started = time.process_time()
            done = sum(result.status == "complete" for result in digest_contents(image, items))
            whole.append(time.process_time() - started)
            started = time.process_time()
            for item in items:
                digest(data[: item.size_bytes])
            hashing.append(time.process_time() - started)
    each = 1e6 / done
    print(
        f"  {done} files: {min(whole) * each:.1f} µs a file, {min(hashing) * each:.1f} of it hashing,"
        f" {(min(whole) - min(hashing)) * each:.1f} besides  wanted: <= 5 besides",
        flush=True,
    )


def main() -> None:
    """Print the ratios for 100,000 small files and for a few large ones."""
    overhead(str(many_files()))
    ours = [PYTHON, str(Path(__file__).resolve())]
    for what, image in (("100,000 files of 3 KiB", many_files()), ("8 files of 64 MiB", large_files())):
        for peer in filter(present, PEERS):
            extract = PEERS[peer].format(image=image)
            for mine, sink, wanted in (
                (DEFAULT_DIGESTS, "sha256sum", "<= 0.5"),
                (DEFAULT_DIGESTS, THREE, ""),
                (("sha256",), "sha256sum", ""),
            ):
                theirs = ["/bin/bash", "-c", f"{extract} | {sink} 2>/dev/null"]
                ratio = compare([*ours, str(image), *mine], theirs)
                names = "three digests" if sink == THREE else "SHA-256"
                show(f"{what}, {len(mine)} digest(s)", f"{peer} into {names}", ratio, wanted=wanted)


if __name__ == "__main__":
    print(hash_all(sys.argv[1], tuple(sys.argv[2:])))

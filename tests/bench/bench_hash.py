"""Hashing all content of a disc image with three digests, against extracting it to sha256sum.

Ours walks every view, digests each content once with MD5, SHA-1 and SHA-256, and keeps the results;
the peers extract one view into one SHA-256 of everything, which cannot even tell the files apart.
"""

import sys
from contextlib import closing
from pathlib import Path

from discs import large_files, many_files
from paired import PYTHON, compare, present, shell, show

from acquire.containers import open_image
from analyze.analysis import ContentItem, digest_contents, examine
from analyze.entry import Entry


def hash_all(path: str) -> int:
    """Walk the image and digest each content once, in the order of the disc; how many were complete."""
    with closing(open_image(path)) as image:
        contents = {
            (stream.extents, stream.size_bytes): None
            for noun in examine(image)
            if isinstance(noun, Entry)
            for stream in noun.streams
        }
        ordered = sorted(contents)
        items = (ContentItem(key, size, extents) for key, (extents, size) in enumerate(ordered))
        return sum(result.status == "complete" for result in digest_contents(image, items))


def main() -> None:
    """Print the ratios for 100,000 small files and for a few large ones."""
    ours = [PYTHON, str(Path(__file__).resolve())]
    for what, image, pairs in (
        ("100,000 small files", many_files(), 5),
        ("8 files of 64 MiB", large_files(), 5),
    ):
        if present("7z"):
            peer = shell(f"7z x -so '{image}' 2>/dev/null | sha256sum")
            ratio = compare([*ours, str(image)], peer, pairs=pairs)
            show(f"{what}: MD5 + SHA-1 + SHA-256", "7z | sha256sum", ratio, wanted="<= 0.5")
        if present("bsdtar"):
            peer = shell(f"bsdtar -xOf '{image}' | sha256sum")
            ratio = compare([*ours, str(image)], peer, pairs=pairs)
            show(f"{what}: MD5 + SHA-1 + SHA-256", "bsdtar | sha256sum", ratio, wanted="<= 0.5")


if __name__ == "__main__":
    print(hash_all(sys.argv[1]))

"""The files of an exhibit: digests of each, and of each 1 MiB of each, to find a change and its place."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from acquire.digest import MultiDigest
from acquire.durable import forget_cached
from acquire.errors import CaseError, source_error

BLOCK_BYTES = 1 << 20
"""What one row of table `blocks` stands for."""

Advance = Callable[[int], None]
"""Told how many more bytes were read."""


class FileDigest(NamedTuple):
    """A file of an exhibit: its name, its size, and SHA-256 of the whole and of each block."""

    name: str
    size_bytes: int
    sha256: str
    blocks: tuple[str, ...]


class RecordedBlock(NamedTuple):
    """A row of `blocks`."""

    offset_bytes: int
    length_bytes: int
    sha256: str


def list_files(folder: Path) -> tuple[list[Path], list[Path]]:
    """What is in an exhibit's folder, by name: regular files, and anything else (links, folders, devices).

    Raises:
        SourceError: the folder cannot be read.
    """
    files: list[Path] = []
    others: list[Path] = []
    try:
        for path in sorted(folder.iterdir()):
            regular = stat.S_ISREG(path.lstat().st_mode)
            (files if regular else others).append(path)
    except OSError as error:
        raise source_error(error, folder) from error
    return files, others


def digest_files(folder: Path, advance: Advance | None = None) -> list[FileDigest]:
    """Digest every file of an exhibit that has just become whole.

    Raises:
        CaseError: the folder holds something that is no regular file.
        SourceError: a file cannot be read.
    """
    files, others = list_files(folder)
    if others:
        raise CaseError(
            "The exhibit's folder holds something that is not a file",
            where=others[0],
            do="Move it away, then repeat",
        )
    made = []
    for path in files:
        try:
            made.append(_digest_file(path, advance))
        except OSError as error:
            raise source_error(error, path) from error
    return made


def _digest_file(path: Path, advance: Advance | None) -> FileDigest:
    """The whole is digested in a thread of its own while its blocks are."""
    whole = hashlib.sha256()
    blocks: list[str] = []
    size = 0
    waiting: Future[None] | None = None
    with ThreadPoolExecutor(1) as pool:
        for block in read_blocks(path):
            if waiting is not None:
                waiting.result()
            waiting = pool.submit(whole.update, block)
            blocks.append(hashlib.sha256(block).hexdigest())
            size += len(block)
            if advance is not None:
                advance(len(block))
    return FileDigest(path.name, size, whole.hexdigest(), tuple(blocks))


def read_blocks(path: Path) -> Iterator[bytes]:
    """Yield a regular file's bytes in blocks of BLOCK_BYTES, the last one shorter; from the disk itself.

    Raises:
        OSError: it cannot be read, or is a link.
    """
    with suppress(OSError):
        forget_cached(path)
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        while block := _read_block(handle):
            yield block
    finally:
        os.close(handle)


def _read_block(handle: int) -> bytes:
    """One whole block, or what is left."""
    block = os.read(handle, BLOCK_BYTES)
    while len(block) < BLOCK_BYTES:
        more = os.read(handle, BLOCK_BYTES - len(block))
        if not more:
            break
        block += more
    return block


def digest_media(
    blocks: Iterable[bytes], names: Sequence[str], advance: Advance | None = None
) -> tuple[int, dict[str, str]]:
    """The size and the digests `names` of a stream of bytes, each digest in a thread of its own."""
    digest = MultiDigest(names, threads=True)
    size = 0
    try:
        for block in blocks:
            digest.update(block)
            size += len(block)
            if advance is not None:
                advance(len(block))
    finally:
        digest.close()
    return size, digest.hexdigests()


def changed_blocks(path: Path, recorded: Iterable[RecordedBlock]) -> list[tuple[int, int]]:
    """The byte ranges (start, end) of a file that are not as recorded, neighbours joined.

    Raises:
        OSError: it cannot be read.
    """
    ranges: list[tuple[int, int]] = []
    expected = iter(recorded)
    offset = 0
    for block in read_blocks(path):
        known = next(expected, None)
        if known is None or known != (offset, len(block), hashlib.sha256(block).hexdigest()):
            end = offset + max(len(block), known.length_bytes if known is not None else 0)
            if ranges and ranges[-1][1] == offset:
                ranges[-1] = (ranges[-1][0], end)
            else:
                ranges.append((offset, end))
        offset += len(block)
    for lost in expected:
        end = lost.offset_bytes + lost.length_bytes
        if ranges and ranges[-1][1] >= lost.offset_bytes:
            ranges[-1] = (ranges[-1][0], end)
        else:
            ranges.append((lost.offset_bytes, end))
    return ranges

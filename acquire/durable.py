"""Files that are there as a whole or not at all: temporary name, fsync, rename."""

import contextlib
import os
from pathlib import Path

from acquire.errors import destination_error

TEMPORARY_SUFFIX = ".tmp"


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, replacing what is there in one step; durable when this returns.

    Raises:
        DestinationError: the folder cannot be written to, or is full (DiskFullError); then `path` is
            what it was before.
    """
    temporary = path.with_name(path.name + TEMPORARY_SUFFIX)
    try:
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise destination_error(error, path) from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Make the content of `path` durable."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def forget_cached(path: Path) -> None:
    """Ask the kernel to drop its copy of `path`, so that the next read comes from the disk.

    Advice only: what is still being written, or lies on a memory file system, stays in memory.
    """
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(handle)

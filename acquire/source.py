"""Source: what is acquired. A file, a block device, or the media inside a container; never written to.

Whatever it is, it answers the same positional `read_into`, and raises OSError for what cannot be read:
`acquire.reader` turns that into the status of sectors.
"""

import errno
import fcntl
import hashlib
import mmap
import os
import stat
from bisect import bisect_right
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from acquire import blockdevice
from acquire.errors import SourceError, source_error
from acquire.geometry import SECTOR_BYTES, SectorRange
from acquire.image import Image

_HEAD_BYTES = 64 << 10
GONE = frozenset(
    {
        errno.ENODEV,
        errno.ENXIO,
        errno.ENOMEDIUM,
        errno.ENOTCONN,
        errno.ESTALE,
        errno.ESHUTDOWN,
        errno.ECONNABORTED,
    }
)
"""Errors of a source that is not there any more, rather than of a place on it."""

_REFUSED = (
    (stat.S_ISDIR, "A folder, not a disc image"),
    (stat.S_ISFIFO, "A FIFO, which cannot be read by position"),
    (stat.S_ISCHR, "A character device, not a disc"),
    (stat.S_ISSOCK, "A socket, not a disc"),
)


class Source(Protocol):
    """Bytes by position, read-only."""

    path: Path
    kind: str
    """`file`, `block device` or `image`."""
    size_bytes: int
    unit_bytes: int
    """The smallest piece that is worth reading alone: what one bad place costs."""
    direct: bool
    """Whether it is read past the page cache, in whole aligned units only."""

    def read_into(self, view: memoryview, start_bytes: int) -> int:
        """Read into `view` from `start_bytes` on; returns the bytes read, 0 at the end. Raises OSError."""

    def read_alone(self, view: memoryview, start_bytes: int) -> int:
        """Read one unit past every cache, after a larger piece around it failed. Raises OSError."""

    def recover(self, error: OSError) -> str:
        """After a failed read: "" if reading may go on, else a sentence why the source is lost."""

    def identity(self) -> dict[str, Any]:
        """What must be equal for an interrupted acquisition to go on from this source."""

    def describe(self) -> dict[str, Any]:
        """All that is known of it, for the record."""

    def changes(self) -> str:
        """What has changed of it since it was opened, in words; "" if nothing."""

    def close(self) -> None:
        """Give it back."""


def open_readable(path: Path, *, direct: bool = False, exclusive: bool = False) -> int:
    """Open a file or block device for reading only; its access time stays where the system permits.

    Raises:
        SourceError: it is missing, unreadable, empty of medium, or neither a file nor a block device.
    """
    try:
        kind = os.stat(path).st_mode  # noqa: PTH116  NUL in a name is a ValueError both ways
        for refused, what in _REFUSED:
            if refused(kind):
                raise SourceError(what, where=path, do="Name an image file or a block device")
        flags = os.O_RDONLY | os.O_CLOEXEC | (os.O_DIRECT if direct else 0) | (os.O_EXCL if exclusive else 0)
        try:
            return os.open(path, flags | os.O_NOATIME)
        except PermissionError:  # not the owner (open(2), O_NOATIME), or truly no permission
            return os.open(path, flags)
    except ValueError as error:
        raise SourceError("Not a path", where=repr(str(path)), do="Check the path") from error
    except OSError as error:
        raise source_error(error, path) from error


def open_raw(path: Path) -> "RawSource":
    """Open a regular file or an unused block device as a source.

    Raises:
        SourceError: as `open_readable`; and it is empty, mounted or in use.
    """
    with suppress(OSError, ValueError):  # whatever is wrong with the path, opening it says so better
        kind = os.stat(path)  # noqa: PTH116  NUL in a name is a ValueError both ways
        used = blockdevice.in_use(kind.st_rdev) if stat.S_ISBLK(kind.st_mode) else None
        if used:
            raise SourceError(
                f"The device is {used}", where=path, do="Unmount it first: what is mounted may change"
            )
    return RawSource(path)


class RawSource:
    """A regular file or a block device.

    A block device is opened exclusively, so that nobody mounts it meanwhile, and past the page cache
    (O_DIRECT) where that works: the cache reads 4 KiB at a time, and would lose the good neighbour of a
    bad sector. Buffers must be aligned for that; an anonymous mmap is.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`; see `open_raw`, which also refuses what is mounted."""
        self.path = path
        self._descriptor = -1
        self._alone: int | None = None
        self._alone_tried = False
        self.direct = False
        descriptor = open_readable(path)
        try:
            self._opened = os.fstat(descriptor)
            self._is_device = stat.S_ISBLK(self._opened.st_mode)
        finally:
            os.close(descriptor)
        self.kind = "block device" if self._is_device else "file"
        self._sequence = blockdevice.sequence(self._opened.st_rdev) if self._is_device else ""
        self._open()
        try:
            self._measure()
        except BaseException:
            self.close()
            raise

    def _measure(self) -> None:
        """Take the size; refuse a source of no bytes."""
        if self._is_device:
            self.size_bytes = blockdevice.size_bytes(self._descriptor)
            self.unit_bytes = blockdevice.logical_block_bytes(self._descriptor)
        else:
            self.size_bytes = os.fstat(self._descriptor).st_size
            self.unit_bytes = SECTOR_BYTES
        if not self.size_bytes:
            raise SourceError(
                "Empty: 0 bytes to acquire", where=self.path, do="Check that it is the right one"
            )

    def _open(self) -> None:
        """Open the descriptor that reads."""
        if self._is_device:
            try:
                self._descriptor = open_readable(self.path, direct=True, exclusive=True)
                self.direct = True
            except SourceError as error:
                cause = error.__cause__
                if isinstance(cause, OSError) and cause.errno == errno.EBUSY:
                    raise SourceError(
                        "The device is in use (mounted elsewhere, or part of a volume set)",
                        where=self.path,
                        do="Find its user with lsblk and release it",
                    ) from error
                if not (isinstance(cause, OSError) and cause.errno == errno.EINVAL):
                    raise
                self._descriptor = open_readable(self.path, exclusive=True)
        else:
            self._descriptor = open_readable(self.path)
            with suppress(OSError):
                os.posix_fadvise(self._descriptor, 0, 0, os.POSIX_FADV_SEQUENTIAL)

    def read_into(self, view: memoryview, start_bytes: int) -> int:
        """Read into `view`; see `Source.read_into`."""
        try:
            return os.preadv(self._descriptor, [view], start_bytes)
        except OSError as error:
            if error.errno != errno.EINVAL or not self.direct:
                raise
        # This device cannot do it after all: read it through the page cache.
        self.direct = False
        flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
        fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags & ~os.O_DIRECT)
        return os.preadv(self._descriptor, [view], start_bytes)

    def read_alone(self, view: memoryview, start_bytes: int) -> int:
        """Read one unit past the page cache where the file system can; see `Source.read_alone`."""
        if not self._alone_tried and not self._is_device:
            self._alone_tried = True
            self._alone = self._open_alone()
        if self._alone is not None:
            try:
                return os.preadv(self._alone, [view], start_bytes)
            except OSError as error:
                if error.errno != errno.EINVAL:  # else: not aligned as this file system wants it
                    raise
        return self.read_into(view, start_bytes)

    def _open_alone(self) -> int | None:
        """The same file once more, past the page cache; None where that cannot be."""
        with suppress(SourceError):
            descriptor = open_readable(self.path, direct=True)
            if os.path.sameopenfile(descriptor, self._descriptor):
                return descriptor
            os.close(descriptor)
        return None

    def recover(self, error: OSError) -> str:
        """Open it anew after an error; see `Source.recover`.

        A drive that reported a change of its medium fails every read until it is opened again.
        """
        if not self._is_device and error.errno not in GONE:
            return ""
        reason = error.strerror or str(error)
        self.close()
        try:
            self._open()
            now = os.fstat(self._descriptor)
            size = blockdevice.size_bytes(self._descriptor) if self._is_device else now.st_size
        except (SourceError, OSError) as again:
            return f"The source is gone ({reason}): {again}"
        if self._is_device:
            same = (now.st_rdev, size) == (self._opened.st_rdev, self.size_bytes)
            same = same and blockdevice.sequence(now.st_rdev) == self._sequence
        else:
            same = (now.st_dev, now.st_ino) == (self._opened.st_dev, self._opened.st_ino)
        if not same:
            self.close()
            return f"The source is gone ({reason}): something else is at its path now"
        return ""

    def identity(self) -> dict[str, Any]:
        """Size and, for a file, its inode and time; for a device, maker's data and its first sectors."""
        known: dict[str, Any] = {"kind": self.kind, "size_bytes": self.size_bytes}
        if self._is_device:
            said = blockdevice.describe(self._opened.st_rdev)
            known |= {name: said.get(name) for name in ("model", "serial", "wwid", "backing_file")}
        else:
            known |= {"inode": self._opened.st_ino, "modified_ns": self._opened.st_mtime_ns}
        known["first_64_kib_sha256"] = self._head()
        return known

    def _head(self) -> str | None:
        """A digest of the first 64 KiB, which tells one disc from another; None if they cannot be read."""
        size = min(_HEAD_BYTES, self.size_bytes)
        with mmap.mmap(-1, _HEAD_BYTES) as buffer, memoryview(buffer) as whole, whole[:size] as view:
            done = 0
            try:
                while done < size:
                    with view[done:] as rest:
                        got = self.read_into(rest, done)
                    if not got:
                        return None
                    done += got
            except OSError as error:
                if self.recover(error):
                    raise source_error(error, self.path) from error
                return None
            return hashlib.sha256(view).hexdigest()

    def describe(self) -> dict[str, Any]:
        """Path, kind, size, and what the system knows of the file or device."""
        known: dict[str, Any] = {
            "path": str(self.path),
            "resolved_path": os.path.realpath(self.path),
            "kind": self.kind,
            "size_bytes": self.size_bytes,
        }
        if self._is_device:
            number = self._opened.st_rdev
            known |= {"device_number": f"{os.major(number)}:{os.minor(number)}", "direct": self.direct}
            known |= blockdevice.describe(number)
        else:
            known |= {
                "inode": self._opened.st_ino,
                "links": self._opened.st_nlink,
                "mode": stat.filemode(self._opened.st_mode),
                "modified": _utc(self._opened.st_mtime_ns),
            }
        return known

    def changes(self) -> str:
        """Whether the file's size, time or name is another than when it was opened."""
        if self._is_device or self._descriptor < 0:
            return ""
        found: list[str] = []
        try:
            now = os.fstat(self._descriptor)
            if now.st_size != self._opened.st_size:
                found.append(f"its size went from {self._opened.st_size} to {now.st_size} bytes")
            if now.st_mtime_ns != self._opened.st_mtime_ns:
                found.append("its modification time changed")
            named = os.stat(self.path)  # noqa: PTH116
            if (named.st_dev, named.st_ino) != (now.st_dev, now.st_ino):
                found.append("its path now names another file")
        except OSError as error:
            found.append(f"its path cannot be looked up any more ({error.strerror})")
        return "; ".join(found)

    def close(self) -> None:
        """Close the descriptors; reading then fails with EBADF."""
        for descriptor in (self._descriptor, self._alone):
            if descriptor is not None and descriptor >= 0:
                with suppress(OSError):
                    os.close(descriptor)
        self._descriptor, self._alone, self._alone_tried = -1, None, False


class ImageSource:
    """The media data inside a container: what it holds, decoded. Closes the image with itself."""

    def __init__(self, image: Image, path: Path, known: dict[str, Any]) -> None:
        """Read from `image`, the container at `path`; `known` goes into the record."""
        self._image = image
        self._known = known
        self.path = path
        self.kind = "image"
        self.direct = False
        self.size_bytes = image.size_bytes
        self.unit_bytes = SECTOR_BYTES
        self._unread: tuple[SectorRange, ...] = ()
        self._starts: list[int] = []
        self._stats = [(file, _stamp(file)) for file in map(Path, known.get("container_files", [path]))]
        if not self.size_bytes:
            raise SourceError("Empty: 0 bytes to acquire", where=path, do="Check that it is the right one")

    def read_into(self, view: memoryview, start_bytes: int) -> int:
        """Read whole sectors; raises EIO where the container says, or shows, that it has no data."""
        lba = start_bytes // SECTOR_BYTES
        assert lba * SECTOR_BYTES == start_bytes, "an image is read by sectors"
        data = self._image.read(lba, -(-len(view) // SECTOR_BYTES))[: len(view)]
        if self._is_unread(lba, lba + -(-len(data) // SECTOR_BYTES)):
            raise OSError(errno.EIO, "Not read when the container was made, or damaged in it")
        view[: len(data)] = data
        return len(data)

    def _is_unread(self, start_lba: int, end_lba: int) -> bool:
        unread = self._image.unread()
        if unread != self._unread:
            self._unread = unread
            self._starts = [run.start_lba for run in unread]
        before = bisect_right(self._starts, end_lba - 1) - 1
        return before >= 0 and self._unread[before].end_lba > start_lba

    def read_alone(self, view: memoryview, start_bytes: int) -> int:
        """Read one sector."""
        return self.read_into(view, start_bytes)

    def recover(self, error: OSError) -> str:
        """Reading a container may always go on; `error` is of one place in it."""
        del error
        return ""

    def identity(self) -> dict[str, Any]:
        """Size of the media, and size and time of the container's files."""
        return {
            "kind": self.kind,
            "size_bytes": self.size_bytes,
            "container": [[file.name, *(stamp or ())] for file, stamp in self._stats],
        }

    def describe(self) -> dict[str, Any]:
        """Path, kind, size, and what the container says of itself."""
        return {"path": str(self.path), "kind": self.kind, "size_bytes": self.size_bytes} | self._known

    def changes(self) -> str:
        """Whether any file of the container has changed."""
        changed = [file.name for file, stamp in self._stats if _stamp(file) != stamp]
        return f"its files changed: {', '.join(changed)}" if changed else ""

    def close(self) -> None:
        """Close the image."""
        self._image.close()


def _utc(time_ns: int) -> str:
    """A time of the file system's as ISO 8601, UTC, microseconds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_ns // 1000)
    return moment.isoformat(timespec="microseconds")


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and modification time."""
    with suppress(OSError):
        found = path.stat()
        return found.st_size, found.st_mtime_ns
    return None

"""Sinks: what an acquisition is written into, so that it can be gone on with after any stop."""

import os
import uuid
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Protocol

from acquire.containers.e01_writer import E01Writer
from acquire.containers.ewf import HeaderValues, sector_bytes_for
from acquire.errors import destination_error
from acquire.geometry import RAW_SECTOR_BYTES, SECTOR_BYTES, SectorRange
from acquire.reader import BLOCK_BYTES
from acquire.toc import Session

Replay = Callable[[bytes], None]
"""Is given what is already in an unfinished container, in order."""


class ContainerSink(Protocol):
    """Takes the media data in order; what it holds already is `position_bytes` long."""

    position_bytes: int

    def write(self, data: memoryview) -> None:
        """Take all of `data`."""

    def checkpoint(self) -> None:
        """Make all that was written durable, and good to go on from."""

    def finish(self, digests: dict[str, str], unread: tuple[SectorRange, ...]) -> list[Path]:
        """Complete the container; returns its files."""

    def close(self) -> None:
        """Give the files back, complete or not."""


class RawSink:
    """A plain file."""

    def __init__(self, path: Path, keep_bytes: int, replay: Replay) -> None:
        """Open or make `path`; of what it holds, the first `keep_bytes` are kept and replayed.

        Raises:
            DestinationError: it cannot be made, read or written.
        """
        self.path = path
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self.position_bytes = 0
            held = min(keep_bytes, os.fstat(self._descriptor).st_size)
            while self.position_bytes < held:
                wanted = min(BLOCK_BYTES, held - self.position_bytes)
                block = os.pread(self._descriptor, wanted, self.position_bytes)
                if not block:
                    break
                replay(block)
                self.position_bytes += len(block)
            os.ftruncate(self._descriptor, self.position_bytes)
        except OSError as error:
            self.close()
            raise destination_error(error, path) from error
        except BaseException:
            self.close()
            raise

    def write(self, data: memoryview) -> None:
        """Take all of `data`."""
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], self.position_bytes + done)
        except OSError as error:
            raise destination_error(error, self.path) from error
        self.position_bytes += done

    def checkpoint(self) -> None:
        """Make it durable."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise destination_error(error, self.path) from error

    def finish(self, digests: dict[str, str], unread: tuple[SectorRange, ...]) -> list[Path]:
        """A plain file holds nothing but the media data."""
        del digests, unread
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            raise destination_error(error, self.path) from error
        self.close()
        return [self.path]

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class E01Sink:
    """An E01; see `acquire.containers.e01_writer`."""

    def __init__(
        self,
        folder: Path,
        stem: str,
        *,
        keep_bytes: int | None,
        replay: Replay,
        size_bytes: int,
        sector_bytes: int,
        header: HeaderValues,
        guid: uuid.UUID,
        created: datetime,
        media: str,
        physical: bool,
        compression: str,
        segment_size_bytes: int | None,
        sessions: tuple[Session, ...],
    ) -> None:
        """Begin the container, or with `keep_bytes` go on with what is there.

        Raises:
            DestinationError: it cannot be made, or what is there is of another acquisition.
        """
        self._sector_bytes = sector_bytes
        self._sessions = sessions
        self._writer = E01Writer(
            folder,
            stem,
            size_bytes=size_bytes,
            bytes_per_sector=sector_bytes_for(
                size_bytes, SECTOR_BYTES if sector_bytes == RAW_SECTOR_BYTES else sector_bytes
            ),
            header=header,
            guid=guid,
            created=created,
            media=media,
            physical=physical,
            compression=compression,
            segment_size_bytes=segment_size_bytes,
            resume=keep_bytes is not None,
            resume_bytes=keep_bytes,
            replay=replay,
        )
        self.position_bytes = self._writer.position

    def write(self, data: memoryview) -> None:
        """Take all of `data`."""
        self._writer.write(data)
        self.position_bytes += len(data)

    def checkpoint(self) -> None:
        """Make it durable."""
        self._writer.checkpoint()

    def finish(self, digests: dict[str, str], unread: tuple[SectorRange, ...]) -> list[Path]:
        """Record digests, unread sectors and sessions, and close it."""
        return self._writer.finish(
            digests.get("md5"),
            digests.get("sha1"),
            unread=unread,
            unread_sector_bytes=self._sector_bytes,
            sessions=self._sessions,
        )

    def close(self) -> None:
        """Stop, and leave the files for going on."""
        self._writer.abort()

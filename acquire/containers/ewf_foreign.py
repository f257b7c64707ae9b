"""EWF containers that the E01 reader does not read, through libewf: Ex01, SMART s01, odd E01.

libewf checks chunks as it reads, but its Python binding does not hand on the list of sectors that were
not read when the container was made, nor its sessions: `limits` says so, for the record.
"""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Final, Self

import pyewf

from acquire.containers import ewf
from acquire.containers.e01_reader import E01Image
from acquire.containers.ewf_chunks import BLOCK_BYTES
from acquire.containers.problem import ContainerProblem, Problems
from acquire.errors import ContainerError
from acquire.geometry import SECTOR_BYTES, SectorRange, merge, sectors
from acquire.image import Image
from acquire.toc import single_track

_FAILURES: Final = (OSError, ValueError, OverflowError, MemoryError)
"""What pyewf raises for files that libewf cannot make sense of."""
_FIELDS: Final = {
    "examiner_name": "examiner",
    "acquiry_date": "acquired",
    "acquiry_operating_system": "system",
    "acquiry_software_version": "version",
    "serial_number": "serial",
}
_MAX_CHUNK_BYTES = 1 << 26


class ForeignEwfImage:
    """A container as libewf reads it, as an `Image` of 2048-byte sectors; one read at a time."""

    kind = "ewf, by libewf"
    limits: tuple[str, ...] = (
        "Which sectors could not be read when this container was made is not known here",
        "Sessions that the container may record are not known here",
    )

    def __init__(self, path: str | Path) -> None:
        """Open the container whose first file is `path`.

        Raises:
            ContainerError: libewf cannot open it, or it holds files instead of sectors.
        """
        path = Path(path)
        self._handle: Any = pyewf.handle()
        try:
            names = pyewf.glob(str(path))
            self._handle.open(names)
            self.size_bytes: int = self._handle.get_media_size()
            self.bytes_per_sector: int = self._handle.get_bytes_per_sector()
            self._chunk_bytes = self._handle.get_chunk_size()
            header = self._handle.get_header_values() or {}
            hashes = self._handle.get_hash_values() or {}
            media_type = self._handle.get_media_type()
        except _FAILURES as error:
            raise ContainerError(
                f"An EWF container that libewf cannot open ({_first_sentence(error)})",
                where=path,
                do="Check that all its files are here and undamaged",
            ) from error
        if self.size_bytes <= 0:
            self._handle.close()
            raise ContainerError("An EWF container without media data", where=path, do="It cannot be used")
        if media_type == ewf.MediaType.LOGICAL or not 0 < self._chunk_bytes <= _MAX_CHUNK_BYTES:
            self._handle.close()
            raise ContainerError(
                "A logical EWF container: it holds files, not the sectors of a disc",
                where=path,
                do="Export its files with a program that reads L01",
            )
        self.name = path.name
        self.segments = tuple(Path(name) for name in names)
        self.sector_count = sectors(self.size_bytes)
        self.disc = single_track(self.sector_count)
        self.header = {_FIELDS.get(name, name): value for name, value in header.items()}
        self.stored_md5: str | None = hashes.get("MD5")
        self.stored_sha1: str | None = hashes.get("SHA1")
        self._problems = Problems()
        self._bad: list[SectorRange] = []
        self._lock = Lock()

    @property
    def problems(self) -> tuple[ContainerProblem, ...]:
        """Chunks that could not be read so far; `offset` is that in the media data."""
        return tuple(self._problems)

    def read(self, lba: int, count: int = 1) -> bytes:
        """Read `count` sectors of 2048 bytes from `lba`; see `Image.read`."""
        if lba < 0 or count <= 0:
            return b""
        return self.read_bytes(lba * SECTOR_BYTES, count * SECTOR_BYTES)

    def read_bytes(self, offset: int, size_bytes: int) -> bytes:
        """Media data at `offset`; fewer bytes where the medium ends. Bad chunks read as zeros."""
        size_bytes = min(size_bytes, self.size_bytes - offset)
        if offset < 0 or size_bytes <= 0:
            return b""
        whole = self._read(offset, size_bytes)
        if whole is not None:
            return whole
        pieces = []
        end = offset + size_bytes
        while offset < end:
            size = min(self._chunk_bytes - offset % self._chunk_bytes, end - offset)
            piece = self._read(offset, size)
            if piece is None:
                self._report(offset, size)
                piece = bytes(size)
            pieces.append(piece)
            offset += size
        return b"".join(pieces)

    def blocks(self) -> Iterator[bytes]:
        """All media data in order, in blocks of 1 MiB."""
        for offset in range(0, self.size_bytes, BLOCK_BYTES):
            yield self.read_bytes(offset, BLOCK_BYTES)

    def unread(self) -> tuple[SectorRange, ...]:
        """Sectors of chunks that could not be read so far."""
        with self._lock:
            return tuple(merge(self._bad))

    def close(self) -> None:
        """Give the files back."""
        with self._lock:
            self._handle.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, offset: int, size_bytes: int) -> bytes | None:
        """All of the bytes asked for, or None."""
        with self._lock:
            try:
                data: bytes = self._handle.read_buffer_at_offset(size_bytes, offset)
            except _FAILURES:
                return None
        return data if len(data) == size_bytes else None

    def _report(self, offset: int, size_bytes: int) -> None:
        start = offset // SECTOR_BYTES
        lost = SectorRange(start, sectors(offset + size_bytes) - start)
        with self._lock:
            if lost in self._bad:
                return
            self._bad.append(lost)
        what = f"a chunk cannot be read: sectors {lost.start_lba} to {lost.end_lba - 1}"
        self._problems.add(what, self.name, offset)


def open_ewf(path: Path, head: bytes) -> Image | None:
    """Open `path` if its first bytes are those of an EWF container; None if they are not.

    The E01 reader comes first; what it refuses is for libewf.

    Raises:
        SourceError: a file of the container is missing or unreadable.
        ContainerError: neither can open it, or it holds files instead of sectors.
    """
    if head.startswith(ewf.LOGICAL_SIGNATURE):
        raise ContainerError(
            "A logical EWF container (L01): it holds files, not the sectors of a disc",
            where=path,
            do="Export its files with a program that reads L01",
        )
    if head.startswith(ewf.VERSION2_SIGNATURE):
        return ForeignEwfImage(path)
    if not ewf.is_segment_head(head):
        return None
    try:
        return E01Image(path)
    except ContainerError as refused:
        try:
            return ForeignEwfImage(path)
        except ContainerError:
            raise refused from None


def _first_sentence(error: BaseException) -> str:
    """What libewf says first, without the chain of its functions."""
    sentence = str(error).split(". ")[-1].strip().removesuffix(".")
    return sentence.split(": ", 1)[-1] or type(error).__name__

"""Image: the one way in which everything reads a disc.

A drive, an E01, a BIN/CUE and a test's fake all answer the same positional, stateless call. Whatever
goes wrong while reading is data: `read` never raises for a bad sector, it fills and says so in
`unread`.
"""

from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from acquire.geometry import SECTOR_BYTES, SectorRange, sectors
from acquire.toc import Disc, single_track

FILL = b"\0"
"""The byte that stands for data that could not be read; always declared by `unread`."""


@runtime_checkable
class Image(Protocol):
    """Sectors of 2048 bytes of user data, by LBA.

    `size_bytes` is the exact amount of user data: the last sector may be short. `sector_count` counts
    that short sector too.
    """

    @property
    def name(self) -> str:
        """The file or device that is read, for people."""

    @property
    def size_bytes(self) -> int:
        """Bytes of user data, exact."""

    @property
    def sector_count(self) -> int:
        """Sectors of 2048 bytes, the last one perhaps in part."""

    @property
    def disc(self) -> Disc:
        """Sessions and tracks, as recorded or (`recorded=False`) as one span."""

    def read(self, lba: int, count: int = 1) -> bytes:
        """Read `count` sectors from `lba`.

        Returns `count * 2048` bytes, or fewer where the image ends; b"" past its end or for an
        impossible address. Sectors that cannot be read come back as zeros and are in `unread()`
        from then on.
        """

    def unread(self) -> tuple[SectorRange, ...]:
        """Sectors known to hold no data of the disc: the acquisition's own record and failed reads."""

    def close(self) -> None:
        """Give the underlying files back."""


def read_bytes(image: Image, at: int, length: int) -> bytes:
    """Read `length` bytes from byte `at` of the image; fewer where it ends."""
    if at < 0 or length <= 0:
        return b""
    first = at // SECTOR_BYTES
    count = -(-(at + length) // SECTOR_BYTES) - first
    skip = at - first * SECTOR_BYTES
    return image.read(first, count)[skip : skip + length]


class MemoryImage:
    """An image in memory: for tests, and for structures taken out of another image."""

    def __init__(
        self,
        data: bytes,
        *,
        name: str = "memory",
        unread: tuple[SectorRange, ...] = (),
        disc: Disc | None = None,
    ) -> None:
        """Hold `data`; `unread` declares sectors of it that were never read."""
        self._data = data
        self._unread = unread
        self.name = name
        self.size_bytes = len(data)
        self.sector_count = sectors(len(data))
        self.disc = disc or single_track(self.sector_count)

    def read(self, lba: int, count: int = 1) -> bytes:
        """Read `count` sectors from `lba`; see `Image.read`."""
        if lba < 0 or count <= 0:
            return b""
        return self._data[lba * SECTOR_BYTES : (lba + count) * SECTOR_BYTES]

    def unread(self) -> tuple[SectorRange, ...]:
        """Sectors declared unread at construction."""
        return self._unread

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

"""Blocks: the logical sectors of a UDF volume, read from an image of 2048-byte sectors."""

from acquire.geometry import SECTOR_BYTES, Extent
from acquire.image import Image
from analyze.ranges import RangeSet

_LEAST_BYTES = 8192
"""Read for one structure; doubled while reading goes on in sequence, up to the next."""
_MOST_BYTES = 65536
_KEPT = 8
"""Pieces that stay in memory: a walk alternates between a few places."""


class Blocks:
    """Blocks of `size` bytes of an image; block 0 begins at sector `start_lba`.

    `start_byte` is where block 0 is on the disc. `count` counts the last block even where the image
    ends inside it. Reading past the end gives fewer bytes, never an error. `buffer` is what was read
    last for `locate`: blocks from `first` to before `end`.
    """

    def __init__(self, image: Image, size: int, start_lba: int = 0) -> None:
        """View `image` in blocks of `size` bytes, a power of two from 512 on."""
        self.image = image
        self.size = size
        self.start_lba = start_lba
        self.start_byte = start_lba * SECTOR_BYTES
        self.count = max(-(-(image.size_bytes - self.start_byte) // size), 0)
        self._pieces: list[tuple[int, int, bytes]] = []
        self.first = self.end = 0
        self.buffer = b""
        self._ahead = _LEAST_BYTES
        self._unread: tuple[int, RangeSet] = (0, RangeSet())

    def locate(self, block: int) -> tuple[bytes, int]:
        """A buffer that holds `block`, and where in it; for structures of one block.

        The buffer may end inside the block, or before it, where the image does.
        """
        if self.first <= block < self.end:
            return self.buffer, (block - self.first) * self.size
        for first, end, buffer in self._pieces:
            if first <= block < end:
                return buffer, (block - first) * self.size
        if not 0 <= block < self.count:
            return b"", 0
        self._ahead = min(self._ahead * 2, _MOST_BYTES) if block == self.end else _LEAST_BYTES
        number = max(self._ahead // self.size, 1)
        self.buffer = self.read(block, number)
        self.first, self.end = block, block + max(-(-len(self.buffer) // self.size), 1)
        self._pieces.insert(0, (self.first, self.end, self.buffer))
        del self._pieces[_KEPT:]
        return self.buffer, 0

    def block(self, block: int) -> bytes:
        """The bytes of one block."""
        buffer, offset = self.locate(block)
        return buffer[offset : offset + self.size]

    def read(self, block: int, count: int = 1) -> bytes:
        """The bytes of `count` blocks, fewer where the image ends."""
        if not 0 <= block < self.count:
            return b""
        return self.read_bytes(block * self.size, min(count, self.count - block) * self.size)

    def read_bytes(self, position: int, length: int) -> bytes:
        """`length` bytes from byte `position` of the volume, fewer where the image ends."""
        lba, skip = divmod(self.start_byte + position, SECTOR_BYTES)
        if lba < 0 or length <= 0:
            return b""
        data = self.image.read(lba, -(-(skip + length) // SECTOR_BYTES))
        return data if not skip and len(data) == length else data[skip : skip + length]

    def place(self, block: int, offset: int = 0) -> tuple[int, int]:
        """Sector and byte in it of a byte of a block."""
        return divmod(self.start_byte + block * self.size + offset, SECTOR_BYTES)

    def extent(self, block: int, length_bytes: int, offset: int = 0) -> Extent:
        """The extent of `length_bytes` bytes from byte `offset` of `block`."""
        lba, skip = divmod(self.start_byte + block * self.size + offset, SECTOR_BYTES)
        return Extent(lba, length_bytes, skip)

    def unread(self, block: int, count: int = 1) -> bool:
        """Whether any of the blocks lies in sectors that hold no data of the disc."""
        declared = self.image.unread()
        if not declared:
            return False
        if len(declared) != self._unread[0]:
            self._unread = (len(declared), RangeSet(declared))
        return self._unread[1].touches((self.extent(block, count * self.size),))

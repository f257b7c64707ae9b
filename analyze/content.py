"""Digests of the content of files: each byte read once, in the order of the disc.

Small files that lie in a row are read together and sliced; large ones are read ahead in blocks, each
digest in a thread of its own. Nothing here knows what a file is: an item is a key and its extents.
"""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from acquire.digest import DEFAULT_DIGESTS, MultiDigest, one_shot
from acquire.geometry import HOLE, SECTOR_BYTES, Extent, SectorRange, sectors
from acquire.image import Image
from analyze.ranges import RangeSet

COMPLETE, TRUNCATED, UNREAD, LIMIT = "complete", "truncated", "unread", "limit"

_BLOCK_SECTORS = 512
_BLOCK_BYTES = _BLOCK_SECTORS * SECTOR_BYTES
"""Most that is read at once, and the size up to which a file is small: 1 MiB."""
_GAP_SECTORS = 16
"""Sectors between two small files that are read along rather than skipped: cheaper than another read."""
_FEED_BYTES = _BLOCK_BYTES // 2
"""Short pieces are gathered up to this size before they are handed to the threads."""
_THREADS = 3
"""As many as there are digests by default: each takes one of a large file's, or a share of small files."""
_THREAD_BYTES = 24 * 1024
"""Mean size of small files from which threads pay: below, they wait for the interpreter (measured)."""
_REPEATS = 16
"""How many times the image's size may be read again for large files that claim the same bytes."""
_ZEROS = bytes(_BLOCK_BYTES)


class ContentItem(NamedTuple):
    """Content to digest: `key` is the caller's; the extents hold at least `size_bytes` bytes."""

    key: int
    size_bytes: int
    extents: tuple[Extent, ...]


class ContentDigest(NamedTuple):
    """What became of an item; `digests` by name is empty unless `status` is "complete".

    "truncated": the extents reach past the image, or hold fewer bytes than the size says. "unread":
    some of its sectors were not read. "limit": so many large items claim the same bytes (or one item
    claims them again and again) that digesting them all would take unreasonably long.
    """

    key: int
    status: str
    digests: dict[str, str]


def digest_contents(
    image: Image, items: Iterable[ContentItem], *, digests: Sequence[str] = DEFAULT_DIGESTS
) -> Iterator[ContentDigest]:
    """Digest every item; results come in the order of the items, which is that of their first extents.

    Content that several files share is given once; items that overlap in part are read for each of
    them. A sector that fails while it is read makes its items "unread", as one that the image
    declares does; sectors that it declares are not tried again. Memory is a few blocks, whatever the
    sizes.
    """
    return _Digester(image, digests).run(items)


class _Digester:
    """One pass over the items of one image."""

    def __init__(self, image: Image, names: Sequence[str]) -> None:
        self.image = image
        self.size_bytes = image.size_bytes
        self.names = tuple(names)
        self.digest_piece = one_shot(self.names)
        self.batch: list[tuple[int, int, int, Extent]] = []  # key, byte address, size, extent
        self.batch_start = self.batch_end = 0  # sectors
        self.repeats_left = _REPEATS * max(self.size_bytes, _BLOCK_BYTES)
        self.large_end = 0  # byte address up to which large items were read
        self.declared: tuple[SectorRange, ...] = ()
        self.unread = RangeSet()
        self.reader: ThreadPoolExecutor
        self.hashers: ThreadPoolExecutor
        self.learn_unread()

    def run(self, items: Iterable[ContentItem]) -> Iterator[ContentDigest]:
        """Batch the small, digest the others one by one."""
        with ThreadPoolExecutor(1) as self.reader, ThreadPoolExecutor(_THREADS) as self.hashers:
            for item in items:
                if self.joins_batch(item):
                    continue
                yield from self.flush()
                if self.joins_batch(item):
                    continue
                yield self.digest_alone(item)
            yield from self.flush()

    def joins_batch(self, item: ContentItem) -> bool:
        """Put a small whole item of one extent into the batch if it lies where the batch ends.

        False: it must be digested alone, or first in a batch of its own.
        """
        key, size, extents = item
        if len(extents) != 1 or size > _BLOCK_BYTES:
            return False
        start, length, offset = extents[0]
        first_byte = start * SECTOR_BYTES + offset
        if start < 0 or length < size or first_byte + size > self.size_bytes:
            return False
        if self.unread and self.unread.touches(extents):
            return False
        first = first_byte // SECTOR_BYTES
        end = (first_byte + size + SECTOR_BYTES - 1) // SECTOR_BYTES
        if not self.batch:
            self.batch_start = self.batch_end = first
        elif not self.batch_start <= first <= self.batch_end + _GAP_SECTORS:
            return False
        if end - self.batch_start > _BLOCK_SECTORS + 1:
            return False
        self.batch.append((key, first_byte, size, extents[0]))
        self.batch_end = max(self.batch_end, end)
        return True

    def flush(self) -> Iterator[ContentDigest]:
        """Read the batch at once, digest its items, and begin a new one."""
        if not self.batch:
            return
        data = memoryview(self.image.read(self.batch_start, self.batch_end - self.batch_start))
        origin = self.batch_start * SECTOR_BYTES
        check = self.learn_unread()
        pieces: list[tuple[int, str, memoryview]] = []
        for key, first_byte, size, extent in self.batch:
            piece = data[first_byte - origin : first_byte - origin + size]
            status = TRUNCATED if len(piece) < size else COMPLETE
            if check and self.unread.touches((extent,)):
                status = UNREAD
            pieces.append((key, status, piece))
        self.batch.clear()
        if len(data) < len(pieces) * _THREAD_BYTES or len(pieces) == 1:
            yield from self.digest_pieces(pieces)
            return
        share = sectors(len(pieces), _THREADS)
        parts = [pieces[at : at + share] for at in range(0, len(pieces), share)]
        for done in self.hashers.map(self.digest_pieces, parts):
            yield from done

    def digest_pieces(self, pieces: list[tuple[int, str, memoryview]]) -> list[ContentDigest]:
        """Digest pieces that are in memory; their keys and what is known of them come with them."""
        digest_piece = self.digest_piece
        return [
            ContentDigest(key, status, digest_piece(piece) if status is COMPLETE else {})
            for key, status, piece in pieces
        ]

    def digest_alone(self, item: ContentItem) -> ContentDigest:
        """Digest one item of any size and any number of extents."""
        status = self.refusal(item)
        if status is not None:
            return ContentDigest(item.key, status, {})
        if item.size_bytes <= _BLOCK_BYTES:
            data = b"".join(self.blocks(item))
            done, digests = len(data), self.digest_piece(data)
        else:
            done, digests = self.digest_large(item)
        if self.learn_unread() and self.unread.touches(item.extents):
            return ContentDigest(item.key, UNREAD, {})
        if done < item.size_bytes:
            return ContentDigest(item.key, TRUNCATED, {})
        return ContentDigest(item.key, COMPLETE, digests)

    def digest_large(self, item: ContentItem) -> tuple[int, dict[str, str]]:
        """Digest with a thread for each digest while the next block is read; bytes done, digests."""
        blocks = self.blocks(item)
        done = 0
        digest = MultiDigest(self.names, pool=self.hashers)
        ahead = self.reader.submit(next, blocks, b"")
        while block := ahead.result():
            ahead = self.reader.submit(next, blocks, b"")
            digest.update(block)
            done += len(block)
        return done, digest.hexdigests()

    def refusal(self, item: ContentItem) -> str | None:
        """Why an item is not digested at all, as far as it can be told without reading it."""
        _, size, extents = item
        held = repeated = 0
        end_of_large = self.large_end
        for start, length, offset in extents:
            if length <= 0:
                continue
            held += length
            if start == HOLE:
                repeated += length
                continue
            first = start * SECTOR_BYTES + offset
            end = first + min(length, max(size - held + length, 0))
            if start < 0 or end > self.size_bytes:
                return TRUNCATED
            repeated += max(min(end, end_of_large) - first, 0)
            end_of_large = max(end_of_large, end)
        if held < size:
            return TRUNCATED
        if self.unread and self.unread.touches(extents):
            return UNREAD
        if size > _BLOCK_BYTES:
            if repeated > self.repeats_left:
                return LIMIT
            self.repeats_left -= repeated
            self.large_end = end_of_large
        return None

    def blocks(self, item: ContentItem) -> Iterator[bytes]:
        """The first `size_bytes` bytes of an item, in blocks of up to 1 MiB and mostly at least half that.

        Ends early where the image gives less than it promised.
        """
        gathered: list[bytes | memoryview] = []
        waiting = 0
        left = item.size_bytes
        for extent in item.extents:
            taken = max(min(extent.length_bytes, left), 0)
            for piece, whole in self.pieces(extent, taken):
                gathered.append(piece)
                waiting += len(piece)
                if not whole:
                    yield b"".join(gathered)
                    return
                if waiting >= _FEED_BYTES:
                    yield b"".join(gathered)
                    gathered.clear()
                    waiting = 0
            left -= taken
        if waiting:
            yield b"".join(gathered)

    def pieces(self, extent: Extent, length: int) -> Iterator[tuple[bytes | memoryview, bool]]:
        """`length` bytes of an extent in pieces of up to 1 MiB, each with whether it is as long as asked."""
        address = extent.start_lba * SECTOR_BYTES + extent.offset_bytes
        while length > 0:
            if extent.start_lba == HOLE:
                count = min(length, _FEED_BYTES)
                yield memoryview(_ZEROS)[:count], True
            else:
                lba, skip = divmod(address, SECTOR_BYTES)
                count = min(length, _BLOCK_BYTES - skip)
                data = self.image.read(lba, sectors(skip + count))
                piece = data if len(data) == count else memoryview(data)[skip : skip + count]
                yield piece, len(piece) == count
            address += count
            length -= count

    def learn_unread(self) -> bool:
        """Take over which sectors the image could not read so far; whether there are any."""
        declared = self.image.unread()
        if declared is not self.declared and declared != self.declared:
            self.declared = declared
            self.unread = RangeSet(declared)
        return bool(self.unread)

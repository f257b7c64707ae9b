"""Search of all blocks for structures, for a volume whose pointers to them are gone."""

from collections.abc import Collection, Iterator

from analyze.udf.blocks import Blocks
from analyze.udf.tag import TAG_BYTES, VERSIONS, checksum

_CHUNK_BYTES = 1 << 20


def find_tagged(blocks: Blocks, identifiers: Collection[int]) -> Iterator[int]:
    """Absolute blocks, from the first on, that begin with a sound tag of one of these (4/7.2) identifiers.

    All identifiers of part 4 are 256 or more, so the second byte of such a block is 1.
    """
    size = blocks.size
    low_bytes = frozenset(identifier & 0xFF for identifier in identifiers)
    step = max(_CHUNK_BYTES // size, 1)
    for first in range(0, blocks.count, step):
        data = blocks.read(first, step)
        second_bytes = data[1::size]
        number = second_bytes.find(1)
        while number >= 0:
            at = number * size
            tag = data[at : at + TAG_BYTES]
            if (
                data[at] in low_bytes
                and len(tag) == TAG_BYTES
                and int.from_bytes(tag[2:4], "little") in VERSIONS
                and checksum(tag) == tag[4]
            ):
                yield first + number
            number = second_bytes.find(1, number + 1)

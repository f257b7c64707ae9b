"""Partitions: an object each, with one thing to ask: where is this logical block?

A logical volume addresses blocks by a partition reference number, an index into its partition maps
(3/10.7, 4/7.1). What stands behind a map differs only here: a stretch of the disc (type 1), a table
of addresses (virtual), a stretch with replaced packets (sparable), or a file (metadata).
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple


class Address(NamedTuple):
    """4/7.1 lb_addr: a logical block of the partition with a reference number."""

    partition: int
    block: int


class Run(NamedTuple):
    """`length` blocks in a row from absolute block `block` on; None: the partition has no such blocks."""

    block: int | None
    length: int


class Partition:
    """What all partitions answer; `length` is in blocks, `number` is the partition number (3/10.5.4)."""

    kind = ""

    def __init__(self, number: int, length: int) -> None:
        """Number and length as recorded."""
        self.number = number
        self.length = length

    def at(self, block: int) -> int | None:
        """The absolute block where logical block `block` is; None if the partition has none."""
        raise NotImplementedError

    def runs(self, block: int, count: int) -> Iterator[Run]:
        """Where `count` logical blocks from `block` on are, in order, in as few runs as possible."""
        raise NotImplementedError

    def other(self, block: int) -> int | None:  # noqa: ARG002  most have no second place
        """Another absolute block where the same data should be, or may still be; None if there is none."""
        return None


class PhysicalPartition(Partition):
    """3/10.7.2: a stretch of the volume from absolute block `start` on.

    Addresses past `length` are answered all the same: whoever follows one says so.
    """

    kind = "physical"

    def __init__(self, number: int, start: int, length: int) -> None:
        """As the partition descriptor has it."""
        super().__init__(number, length)
        self.start = start

    def at(self, block: int) -> int | None:
        """See `Partition.at`."""
        return self.start + block

    def runs(self, block: int, count: int) -> Iterator[Run]:
        """See `Partition.runs`."""
        yield Run(self.start + block, count)


UNUSED = 0xFFFFFFFF
"""A virtual address that leads nowhere (UDF 2.2.11)."""


class VirtualPartition(Partition):
    """UDF 2.2.8: addresses that a table leads to blocks of a physical partition."""

    kind = "virtual"

    def __init__(self, physical: PhysicalPartition, entries: "array[int]") -> None:
        """`entries` are the VAT's, one for each virtual address."""
        super().__init__(physical.number, len(entries))
        self.physical = physical
        self.entries = entries

    def at(self, block: int) -> int | None:
        """See `Partition.at`."""
        if block >= self.length or (entry := self.entries[block]) == UNUSED:
            return None
        return self.physical.start + entry

    def runs(self, block: int, count: int) -> Iterator[Run]:
        """See `Partition.runs`."""
        inside = max(min(count, self.length - block), 0)
        first, length = 0, 0
        for index in range(block, block + inside):
            place = self.entries[index]
            if length and place != UNUSED and place == first + length:
                length += 1
                continue
            if length:
                yield self._run(first, length)
            first, length = place, 1
        if length:
            yield self._run(first, length)
        if inside < count:
            yield Run(None, count - inside)

    def _run(self, first: int, length: int) -> Run:
        return Run(None if first == UNUSED else self.physical.start + first, length)


class SparablePartition(Partition):
    """UDF 2.2.9: a physical partition of which some packets stand elsewhere on the disc."""

    kind = "sparable"

    def __init__(self, physical: PhysicalPartition, packet_length: int, spares: dict[int, int]) -> None:
        """`spares`: first logical block of a packet → absolute block of its replacement."""
        super().__init__(physical.number, physical.length)
        self.physical = physical
        self.packet_length = packet_length
        self.spares = spares
        self._packets = sorted(spares)

    def at(self, block: int) -> int | None:
        """See `Partition.at`."""
        if self.spares:
            skip = block % self.packet_length
            spare = self.spares.get(block - skip)
            if spare is not None:
                return spare + skip
        return self.physical.start + block

    def runs(self, block: int, count: int) -> Iterator[Run]:
        """See `Partition.runs`."""
        end = block + count
        index = bisect_right(self._packets, block - self.packet_length)
        while block < end:
            packet = self._packets[index] if index < len(self._packets) else end
            if block < packet:
                ordinary = min(packet, end) - block
                yield Run(self.physical.start + block, ordinary)
                block += ordinary
            else:
                skip = block - packet
                spared = min(self.packet_length - skip, end - block)
                yield Run(self.spares[packet] + skip, spared)
                block += spared
                index += 1

    def other(self, block: int) -> int | None:
        """The place that a replaced packet had before: its data may be old."""
        replaced = block - block % self.packet_length in self.spares
        return self.physical.start + block if replaced else None


class MetadataPartition(Partition):
    """UDF 2.2.10, 2.2.13: logical blocks are those of the metadata file, in order; a mirror has them too."""

    kind = "metadata"

    def __init__(self, number: int, main: Sequence[Run], mirror: Sequence[Run]) -> None:
        """The runs of the metadata file and of its mirror; either may be empty, not both."""
        self._main = _RunTable(main or mirror)
        self._mirror = _RunTable(mirror)
        super().__init__(number, max(self._main.length, self._mirror.length))

    def at(self, block: int) -> int | None:
        """See `Partition.at`."""
        return self._main.at(block)

    def runs(self, block: int, count: int) -> Iterator[Run]:
        """See `Partition.runs`."""
        return self._main.runs(block, count)

    def other(self, block: int) -> int | None:
        """The block in the mirror."""
        place = self._mirror.at(block)
        return None if place == self._main.at(block) else place


class _RunTable:
    """Runs laid end to end, searchable by the position in them."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = runs
        self._starts: list[int] = []
        self.length = 0
        for run in runs:
            self._starts.append(self.length)
            self.length += run.length

    def at(self, block: int) -> int | None:
        if block >= self.length:
            return None
        index = bisect_right(self._starts, block) - 1
        first = self._runs[index].block
        return None if first is None else first + block - self._starts[index]

    def runs(self, block: int, count: int) -> Iterator[Run]:
        while count > 0 and block < self.length:
            index = bisect_right(self._starts, block) - 1
            run, skip = self._runs[index], block - self._starts[index]
            taken = min(run.length - skip, count)
            yield Run(None if run.block is None else run.block + skip, taken)
            block += taken
            count -= taken
        if count > 0:
            yield Run(None, count)

"""B-trees: the leaf records of a catalog, extents or attributes file, whatever state it is in.

The leaves are read along their chain of forward links, as the file's order is (TN1150 "Leaf
Nodes"). Where the chain is broken, the nodes that the tree's map says are used are read one by one, so
that one bad node never loses the rest.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from analyze.anomaly import Anomaly
from analyze.hfs.fork import Fork
from analyze.hfs.layout import HEADER, LEAF, MAP, NODE, TREE_HEADER, NodeDescriptor, TreeHeader

_WINDOW_BYTES = 1 << 18
_SMALLEST_NODE, _LARGEST_NODE = 512, 32768  # TN "B-Trees": node sizes


class Leaf(NamedTuple):
    """One leaf record: its bytes from the key's length on, and where they stand on the disc."""

    data: memoryview
    place: int


class BTree:
    """A tree in a fork. `walk()` yields its leaf records and the anomalies met."""

    def __init__(self, fork: Fork, name: str, volume: int) -> None:
        """Keep the fork; `name` ("catalog", …) is for messages, `volume` for the anomalies."""
        self._fork = fork
        self._name = name
        self._volume = volume
        self._window = b""
        self._window_at = -1
        self._node_bytes = 0
        self.nodes = 0
        self.header: TreeHeader | None = None

    def _anomaly(self, code: str, message: str, node: int, *, seen: str = "", expected: str = "") -> Anomaly:
        place = self._fork.place(node * self._node_bytes)
        lba, offset = divmod(place, SECTOR_BYTES) if place >= 0 else (None, None)
        return Anomaly(
            code,
            f"{self._name} B-tree: {message}",
            lba,
            offset,
            "TN1150 B-Trees",
            seen,
            expected,
            self._volume,
        )

    def _open(self) -> Iterator[Anomaly]:
        """Read the header node; without it the node size is not known and nothing can be walked."""
        first = self._fork.read(0, _SMALLEST_NODE)
        if len(first) < NODE.size + TREE_HEADER.size:
            yield self._anomaly("hfs-tree-unreadable", "its header node cannot be read", 0)
            return
        descriptor = NODE.read(first)
        header = TREE_HEADER.read(first, NODE.size)
        size = header.node_bytes
        if not (_SMALLEST_NODE <= size <= _LARGEST_NODE and size & (size - 1) == 0):
            yield self._anomaly(
                "hfs-tree-unreadable",
                "impossible node size",
                0,
                seen=str(size),
                expected="a power of two, 512 to 32768",
            )
            return
        self._node_bytes = size
        self.nodes = self._fork.size_bytes // size
        self.header = header
        if descriptor.kind != HEADER:
            yield self._anomaly(
                "hfs-node-kind",
                "node 0 is no header node",
                0,
                seen=str(descriptor.kind),
                expected=str(HEADER),
            )
        if header.nodes > self.nodes:
            yield self._anomaly(
                "hfs-tree-size",
                "it counts more nodes than its fork holds",
                0,
                seen=str(header.nodes),
                expected=f"at most {self.nodes}",
            )

    def _node(self, number: int) -> bytes:
        at = number * self._node_bytes
        if not self._window_at <= at < self._window_at + len(self._window) - self._node_bytes + 1:
            self._window = self._fork.read(at, max(_WINDOW_BYTES, self._node_bytes))
            self._window_at = at
        start = at - self._window_at
        return self._window[start : start + self._node_bytes]

    def walk(self) -> Iterator[Leaf | Anomaly]:
        """Yield every leaf record once, along the chain, then (if it broke) from the used nodes."""
        yield from self._open()
        if self.header is None:
            return
        seen = bytearray(self.nodes)
        seen[:1] = b"\1"
        number = self.header.first_leaf
        records = 0
        whole = True
        while number:
            if number >= self.nodes or seen[number]:
                what = "a link past the file" if number >= self.nodes else "a loop in the leaf chain"
                yield self._anomaly("hfs-leaf-chain", what, 0, seen=f"node {number}")
                whole = False
                break
            seen[number] = 1
            node = self._node(number)
            descriptor = self._descriptor(node)
            if descriptor is None or descriptor.kind != LEAF:
                kind = "unreadable" if descriptor is None else str(descriptor.kind)
                yield self._anomaly(
                    "hfs-node-kind", f"node {number} is no leaf", number, seen=kind, expected=str(LEAF)
                )
                whole = False
                break
            for item in self._records(number, node, descriptor):
                records += isinstance(item, Leaf)
                yield item
            number = descriptor.next_node
        if not whole:
            for item in self._remaining(seen):
                records += isinstance(item, Leaf)
                yield item
        if records != self.header.leaf_records:
            yield self._anomaly(
                "hfs-record-count",
                "it holds another number of leaf records than its header says",
                0,
                seen=str(records),
                expected=str(self.header.leaf_records),
            )

    def _descriptor(self, node: bytes) -> NodeDescriptor | None:
        # The offsets of a node's records stand at its end: one that is cut off cannot be read.
        return NODE.read(node) if len(node) == self._node_bytes else None

    def _records(self, number: int, node: bytes, descriptor: NodeDescriptor) -> Iterator[Leaf | Anomaly]:
        """The records of one node, by the offsets at its end (TN "Node Structure")."""
        count = descriptor.records
        most = (len(node) - NODE.size) // 4
        if count > most:
            yield self._anomaly(
                "hfs-node-records",
                f"node {number} claims more records than fit",
                number,
                seen=str(count),
                expected=f"at most {most}",
            )
            count = most
        offsets = struct.unpack_from(f">{count + 1}H", node, len(node) - 2 * (count + 1))[::-1]
        limit = len(node) - 2 * (count + 1)
        view = memoryview(node)
        place = self._fork.place(number * self._node_bytes)
        for index in range(count):
            start, end = offsets[index], offsets[index + 1]
            if not NODE.size <= start < end <= limit:
                yield self._anomaly(
                    "hfs-node-records",
                    f"record {index} of node {number} has impossible bounds",
                    number,
                    seen=f"{start} to {end}",
                    expected=f"within {NODE.size} to {limit}, in order",
                )
                continue
            yield Leaf(view[start:end], place + start)

    def _used(self) -> Iterator[int]:
        """Numbers of the nodes that the map says are used (TN "Map Record", "Map Nodes")."""
        number, first, seen = 0, 0, set[int]()
        node = self._node(0)
        start = NODE.size + 106 + 128
        while number not in seen and first < self.nodes:
            seen.add(number)
            bits = node[start : len(node) - (8 if number == 0 else 4)]
            for at, byte in enumerate(bits):
                for bit in range(8):
                    used = first + 8 * at + bit
                    if byte & (0x80 >> bit) and used < self.nodes:
                        yield used
            first += 8 * len(bits)
            descriptor = self._descriptor(node)
            if descriptor is None or not 0 < descriptor.next_node < self.nodes:
                return
            number = descriptor.next_node
            node = self._node(number)
            descriptor = self._descriptor(node)
            if descriptor is None or descriptor.kind != MAP:
                return
            start = NODE.size

    def _remaining(self, seen: bytearray) -> Iterator[Leaf | Anomaly]:
        """Leaf nodes that the broken chain did not reach but the map says are used."""
        for number in list(self._used()):
            if seen[number]:
                continue
            seen[number] = 1
            node = self._node(number)
            descriptor = self._descriptor(node)
            if descriptor is not None and descriptor.kind == LEAF and descriptor.height == 1:
                yield from self._records(number, node, descriptor)

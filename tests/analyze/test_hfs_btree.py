"""B-trees of HFS and HFS+ in whatever state: bounds of records, broken chains, maps, loops (TN1150)."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.hfs.anomalies import CODES
from analyze.hfs.btree import BTree, Leaf
from analyze.hfs.fork import Fork, Geometry, Run
from tests.analyze.hfs_disc import HEADER, INDEX, LEAF, MAP, bits, header_node, node, tree

SIZE = 512
START = 2048  # the tree's first byte on the disc


def _walk(raw, *, size=None):
    """(records, anomalies) of the tree in `raw`."""
    image = MemoryImage(bytes(START) + bytes(raw))
    size = len(raw) if size is None else size
    blocks = -(-size // 512)
    fork = Fork(image, Geometry(START, 512, blocks), (Run(0, blocks),), size)
    items = list(BTree(fork, "catalog", 3).walk())
    return (
        [bytes(item.data) for item in items if isinstance(item, Leaf)],
        [item for item in items if isinstance(item, Anomaly)],
    )


def _codes(anomalies):
    return [anomaly.code for anomaly in anomalies]


def _records(count, first=0):
    return [b"\0\x06rec" + bytes([first + n]) + b"data" for n in range(count)]


def _three():
    """Leaves 1, 2 and 3 of two records each, index node 4, in a tree of 8 nodes."""
    return bytearray(tree([_records(2), _records(2, 2), _records(2, 4)], SIZE, 8))


@pytest.mark.parametrize("size", [512, 1024, 2048, 4096, 8192, 16384, 32768])
def test_every_node_size(size):
    """TN "B-Trees": powers of two from 512 to 32,768 bytes; records come in the chain's order."""
    raw = tree([_records(2), _records(3, 2)], size, 4)
    assert _walk(raw) == (_records(5), [])


@pytest.mark.parametrize("size", [0, 1, 256, 511, 513, 768, 65535, 40000])
def test_an_impossible_node_size(size):
    """No power of two, or out of bounds: nothing can be read, and that is all that is said."""
    raw = _three()
    struct.pack_into(">H", raw, 14 + 18, size)
    found, anomalies = _walk(raw)
    assert (found, _codes(anomalies)) == ([], ["hfs-tree-unreadable"])
    assert anomalies[0].seen == str(size)


@pytest.mark.parametrize("length", [0, 1, 14, 43])
def test_a_tree_without_its_header_node(length):
    """Fewer bytes than node descriptor and header record (14 + 30)."""
    found, anomalies = _walk(_three()[:length])
    assert (found, _codes(anomalies)) == ([], ["hfs-tree-unreadable"])


def test_the_place_of_a_record():
    """Record 0 of node 1 begins 14 bytes into the node, wherever the fork's piece is on the disc."""
    image = MemoryImage(bytes(START) + bytes(_three()))
    fork = Fork(image, Geometry(START, 512, 8), (Run(0, 8),), 8 * 512)
    first = next(item for item in BTree(fork, "catalog", 3).walk() if isinstance(item, Leaf))
    assert first.place == START + 512 + 14


def test_a_fork_in_pieces_out_of_order():
    """Node n is where the fork's extents put it, not n nodes behind the first."""
    raw = _three()
    swapped = raw[4 * 512 :] + raw[: 4 * 512]
    image = MemoryImage(bytes(START) + bytes(swapped))
    fork = Fork(image, Geometry(START, 512, 8), (Run(4, 4), Run(0, 4)), 8 * 512)
    items = list(BTree(fork, "catalog", 3).walk())
    assert [bytes(item.data) for item in items] == _records(6)
    assert items[0].place == START + 5 * 512 + 14


def test_an_empty_tree():
    """TN "Header Record": first leaf 0 means that there is none."""
    assert _walk(tree([], SIZE, 2)) == ([], [])


def test_node_0_of_another_kind():
    """It is said; the rest of the header still leads to the leaves."""
    raw = _three()
    raw[8] = INDEX
    found, anomalies = _walk(raw)
    assert found == _records(6)
    assert [(a.code, a.seen, a.expected) for a in anomalies] == [("hfs-node-kind", "0", str(HEADER))]


def test_more_nodes_than_the_fork_holds():
    """TN "Header Record" totalNodes against the fork's size."""
    raw = _three()
    struct.pack_into(">I", raw, 14 + 22, 9)
    found, anomalies = _walk(raw)
    assert found == _records(6)
    assert [(a.code, a.seen, a.expected) for a in anomalies] == [("hfs-tree-size", "9", "at most 8")]


def test_another_number_of_leaf_records():
    """TN "Header Record" leafRecords."""
    raw = _three()
    struct.pack_into(">I", raw, 14 + 6, 7)
    found, anomalies = _walk(raw)
    assert found == _records(6)
    assert [(a.code, a.seen, a.expected) for a in anomalies] == [("hfs-record-count", "6", "7")]


# The chain ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [1, 2, 3])
def test_a_leaf_that_links_back(target):
    """The last leaf leads to itself or to an earlier one: said once, every record once."""
    raw = _three()
    struct.pack_into(">I", raw, 3 * SIZE, target)
    found, anomalies = _walk(raw)
    assert found == _records(6)
    assert [(a.code, a.seen) for a in anomalies] == [("hfs-leaf-chain", f"node {target}")]


@pytest.mark.parametrize("target", [8, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_leaf_that_links_past_the_file(target):
    """Leaf 1 leads nowhere: leaves 2 and 3 come by the map."""
    raw = _three()
    struct.pack_into(">I", raw, SIZE, target)
    found, anomalies = _walk(raw)
    assert found == _records(6)
    assert _codes(anomalies) == ["hfs-leaf-chain"]


def test_a_first_leaf_past_the_file():
    """TN "Header Record" firstLeafNode."""
    raw = _three()
    struct.pack_into(">I", raw, 14 + 10, 1000)
    found, anomalies = _walk(raw)
    assert (found, _codes(anomalies)) == (_records(6), ["hfs-leaf-chain"])


@pytest.mark.parametrize("kind", [INDEX, HEADER, MAP, 77, -128])
def test_a_leaf_of_another_kind_is_lost_alone(kind):
    """Node 2 is no leaf any more: its records are missing, those of node 3 are not."""
    raw = _three()
    struct.pack_into(">b", raw, 2 * SIZE + 8, kind)
    found, anomalies = _walk(raw)
    assert found == _records(2) + _records(2, 4)
    assert _codes(anomalies) == ["hfs-node-kind", "hfs-record-count"]
    assert (anomalies[0].lba, anomalies[0].offset, anomalies[0].volume) == (1, 2 * SIZE, 3)
    assert (anomalies[0].seen, anomalies[0].expected) == (str(kind), str(LEAF))


def test_a_chain_that_ends_early_is_noticed_by_the_count():
    """Leaf 1 says it is the last: no link is broken, but the header counts six records."""
    raw = _three()
    struct.pack_into(">I", raw, SIZE, 0)
    found, anomalies = _walk(raw)
    assert found[:2] == _records(2)
    assert _codes(anomalies) == ["hfs-record-count"]


def test_free_nodes_are_not_read_for_a_broken_chain():
    """An old leaf that the map says is free stays out."""
    raw = _three()
    raw[6 * SIZE : 7 * SIZE] = node(LEAF, _records(1, 50), SIZE, height=1)
    struct.pack_into(">I", raw, 3 * SIZE, 999)
    found, _anomalies = _walk(raw)
    assert found == _records(6)


# Map nodes ----------------------------------------------------------------------------------------


def _mapped(*, kind=MAP, following=0):
    """2100 nodes: 2048 in the header's map record (256 bytes), the others in map node 1's; leaf at 2060.

    The chain begins with a link to nowhere, so that only the map leads to the leaves 2 and 2060.
    """
    nodes = 2100
    raw = bytearray(nodes * SIZE)
    used = [0, 1, 2, 2060]
    raw[:SIZE] = header_node(
        SIZE,
        nodes=nodes,
        used=used,
        leaf_records=4,
        leaves=[9999],
        root=2,
        depth=1,
        key_bytes=37,
        following=1,
    )
    raw[SIZE : 2 * SIZE] = node(kind, [bits([2060 - 2048], 494)], SIZE, following=following)
    raw[2 * SIZE : 3 * SIZE] = node(LEAF, _records(2), SIZE, height=1)
    raw[2060 * SIZE : 2061 * SIZE] = node(LEAF, _records(2, 2), SIZE, height=1)
    return raw


def test_a_map_goes_on_in_a_map_node():
    """TN "Map Nodes": the header's forward link; its bits count on from the header's 2048."""
    found, anomalies = _walk(_mapped())
    assert (found, _codes(anomalies)) == (_records(4), ["hfs-leaf-chain"])


@pytest.mark.parametrize("following", [0xFFFFFFFF, 1, 2])
def test_a_map_whose_links_loop_or_lead_nowhere_ends(following):
    """Map node 1 leads past the file, to itself, to a leaf."""
    found, anomalies = _walk(_mapped(following=following))
    assert (found, _codes(anomalies)) == (_records(4), ["hfs-leaf-chain"])


def test_a_map_node_of_another_kind_is_not_read():
    """Its bits are no map: the leaf behind them is not found, and the count says so."""
    found, anomalies = _walk(_mapped(kind=INDEX))
    assert (found, _codes(anomalies)) == (_records(2), ["hfs-leaf-chain", "hfs-record-count"])


# Records in a node --------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0, 13, 508, 511, 512, 0xFFFF])
def test_a_record_offset_out_of_bounds(offset):
    """TN "Node Structure": between the descriptor's 14 bytes and the offsets; the last record stays."""
    raw = bytearray(tree([_records(3)], SIZE, 4))
    struct.pack_into(">H", raw, 2 * SIZE - 2, offset)
    found, anomalies = _walk(raw)
    assert found == _records(2, 1)
    assert _codes(anomalies) == ["hfs-node-records", "hfs-record-count"]


def test_offsets_that_go_backwards():
    """Record 1 would begin where record 0 does: an empty and a double record are none."""
    raw = bytearray(tree([_records(3)], SIZE, 4))
    struct.pack_into(">H", raw, 2 * SIZE - 4, 14)
    found, anomalies = _walk(raw)
    assert found[-1] == _records(1, 2)[0]
    assert "hfs-node-records" in _codes(anomalies)
    assert sum(map(len, found)) < SIZE


def test_a_record_count_that_no_node_can_hold():
    """65,535 records in 512 bytes: bounded and said."""
    raw = bytearray(tree([_records(3)], SIZE, 4))
    struct.pack_into(">H", raw, SIZE + 10, 0xFFFF)
    _found, anomalies = _walk(raw)
    assert anomalies[0].code == "hfs-node-records"
    assert anomalies[0].seen == "65535"
    assert len(anomalies) < 130


def test_a_leaf_without_records():
    """A count of 0 is odd, but no error of the node's structure."""
    raw = bytearray(tree([_records(1)], SIZE, 4))
    struct.pack_into(">H", raw, SIZE + 10, 0)
    found, anomalies = _walk(raw)
    assert (found, _codes(anomalies)) == ([], ["hfs-record-count"])


@pytest.mark.parametrize("size", [1024, 4096])
def test_a_node_that_the_image_cuts_in_two(size):
    """Its offsets stand at its end, which is missing: it is unreadable, and nothing is made of the rest."""
    raw = tree([_records(2), _records(2, 2)], size, 4)
    found, anomalies = _walk(raw[: 2 * size + size // 2], size=4 * size)
    assert found == _records(2)
    assert _codes(anomalies) == ["hfs-node-kind", "hfs-record-count"]
    assert anomalies[0].seen == "unreadable"


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_damage_is_bounded(data):
    """Any bytes anywhere in the tree: known codes, records within nodes, at most a node's worth each."""
    raw = _three()
    for _ in range(data.draw(st.integers(1, 30))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    found, anomalies = _walk(raw[: data.draw(st.integers(0, len(raw)))], size=len(raw))
    assert {anomaly.code for anomaly in anomalies} <= {kind.code for kind in CODES}
    assert all(0 < len(record) <= 32768 for record in found)
    assert sum(map(len, found)) <= len(raw)

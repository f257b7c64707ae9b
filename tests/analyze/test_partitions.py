"""Partition tables assembled by hand: Apple map, MBR with its logical chain, GPT; and hostile ones."""

import struct
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.image import MemoryImage
from analyze.partitions import apple_partitions, disk_partitions

LINUX = UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")


def _apple(block_bytes, entries, *, count=None, at=0):
    """Inside Macintosh: Devices 3-25: block 0 is the driver descriptor, each entry fills one block."""
    raw = struct.pack(">2sHI", b"ER", block_bytes, 100).ljust(block_bytes, b"\0")
    for start, blocks, name, kind in entries:
        raw += struct.pack(
            ">2sHIII32s32s", b"PM", 0, len(entries) if count is None else count, start, blocks, name, kind
        ).ljust(block_bytes, b"\0")
    return MemoryImage((bytes(at) + raw).ljust(at + 65536, b"\0"))


def _row(start, blocks, kind, *, boot=0):
    """One of the four entries of a partition table, 16 bytes, addresses in blocks of 512."""
    return struct.pack("<B3sB3sII", boot, b"", kind, b"", start, blocks)


def _disc(tables, blocks=128):
    """{block: its table's entries}, each block with its 55 AA."""
    raw = bytearray(blocks * 512)
    for block, rows in tables.items():
        at = block * 512
        raw[at + 446 : at + 446 + 16 * len(rows)] = b"".join(rows)
        raw[at + 510 : at + 512] = b"\x55\xaa"
    return raw


def _blocks(raw, start_lba=0):
    """(number, first block, blocks, kind) of what is found in MBR tables."""
    return [
        (p.number, p.start_byte // 512, p.size_bytes // 512, p.kind)
        for p in disk_partitions(MemoryImage(bytes(raw)), start_lba)
        if p.scheme == "mbr"
    ]


# Apple partition map ------------------------------------------------------------------------------


@pytest.mark.parametrize("block_bytes", [512, 1024, 2048])
def test_an_apple_map_in_any_block_size(block_bytes):
    """Places count blocks of the map's own size; names end at the first NUL."""
    image = _apple(
        block_bytes, [(1, 2, b"Apple", b"Apple_partition_map"), (10, 5, b"Disc\0rubbish", b"Apple_HFS")]
    )
    found = list(apple_partitions(image, 0))
    assert [(p.scheme, p.number, p.name, p.kind) for p in found] == [
        ("apm", 1, "Apple", "Apple_partition_map"),
        ("apm", 2, "Disc", "Apple_HFS"),
    ]
    assert [(p.start_byte, p.size_bytes) for p in found] == [
        (block_bytes, 2 * block_bytes),
        (10 * block_bytes, 5 * block_bytes),
    ]


def test_an_apple_map_of_a_later_session():
    """A session's map counts from the session's first sector."""
    image = _apple(512, [(1, 1, b"Apple", b"Apple_partition_map")], at=20 * 2048)
    assert list(apple_partitions(image, 0)) == []
    assert [p.start_byte for p in apple_partitions(image, 20)] == [20 * 2048 + 512]


def test_two_maps_of_one_hybrid_disc():
    """One in 512-byte and one in 2048-byte blocks: a partition that both list comes once."""
    small = _apple(512, [(1, 2, b"Apple", b"Apple_partition_map"), (64, 8, b"Disc", b"Apple_HFS")])
    raw = bytearray(small.read(0, 32))
    for at, (start, blocks, kind) in {
        2048: (1, 2, b"Apple_partition_map"),
        4096: (16, 2, b"Apple_HFS"),
    }.items():
        struct.pack_into(">2sHIII32s32s", raw, at, b"PM", 0, 2, start, blocks, b"Disc", kind)
    found = [p for p in apple_partitions(MemoryImage(bytes(raw)), 0) if p.kind == "Apple_HFS"]
    assert [(p.start_byte, p.size_bytes) for p in found] == [(64 * 512, 8 * 512)]


def test_a_map_that_does_not_begin_with_itself_is_none():
    """Devices 3-26: the map has an entry for itself, which comes first on discs."""
    assert list(apple_partitions(_apple(512, [(1, 1, b"Disc", b"Apple_HFS")]), 0)) == []


def test_a_map_ends_at_the_first_block_without_a_signature():
    """It claims four billion entries and has two."""
    rows = [(1, 2, b"Apple", b"Apple_partition_map"), (8, 1, b"Disc", b"Apple_HFS")]
    assert len(list(apple_partitions(_apple(512, rows, count=0xFFFFFFFF), 0))) == 2


def test_a_map_of_more_entries_than_are_read_is_bounded():
    """300 entries in 512-byte blocks: no more than 256 come, whatever the count claims."""
    rows = [(1, 300, b"Apple", b"Apple_partition_map")] + [(n, 1, b"D", b"Apple_HFS") for n in range(2, 301)]
    found = list(apple_partitions(_apple(512, rows), 0))
    assert 100 < len(found) <= 256


def test_a_map_that_counts_nothing():
    """A count of 0 lists nothing."""
    assert list(apple_partitions(_apple(512, [(1, 1, b"A", b"Apple_partition_map")], count=0), 0)) == []


def test_map_names_are_mac_roman():
    """0x8E is e acute."""
    image = _apple(512, [(1, 1, b"Caf\x8e", b"Apple_partition_map")])
    assert [p.name for p in apple_partitions(image, 0)] == ["Café"]


@pytest.mark.parametrize("length", [0, 1, 512, 513, 1023])
def test_a_map_that_is_cut_off_is_none(length):
    image = _apple(512, [(1, 1, b"A", b"Apple_partition_map")])
    cut = image.read(0, 1)[:length]
    assert len(list(apple_partitions(MemoryImage(cut), 0))) == (1 if length == 1023 else 0)


# MBR ----------------------------------------------------------------------------------------------


def test_four_primary_partitions():
    """Numbers are the places in the table; the kind is the type byte in hexadecimal."""
    raw = _disc({0: [_row(1, 2, 0x83), _row(3, 4, 0x0C, boot=0x80), _row(0, 0, 0), _row(7, 8, 0x17)]})
    assert _blocks(raw) == [(1, 1, 2, "83"), (2, 3, 4, "0c"), (4, 7, 8, "17")]


@pytest.mark.parametrize(("kind", "blocks"), [(0, 10), (0xEE, 10), (0x83, 0)])
def test_unused_and_protective_entries_are_no_partitions(kind, blocks):
    """Type 0, a GPT's protective 0xEE (UEFI §5.2.3), a size of 0."""
    assert _blocks(_disc({0: [_row(1, blocks, kind)]})) == []


def test_without_55_aa_there_is_no_table():
    raw = _disc({0: [_row(1, 2, 0x83)]})
    raw[511] = 0
    assert _blocks(raw) == []


@pytest.mark.parametrize("extended", [0x05, 0x0F, 0x85])
def test_logical_partitions_follow_the_chain(extended):
    """A logical one counts from its own record, the next record from the extended partition's start."""
    raw = _disc(
        {
            0: [_row(1, 5, 0x83), _row(10, 90, extended)],
            10: [_row(1, 4, 0x83), _row(10, 10, extended)],
            20: [_row(2, 5, 0x0B), _row(30, 10, extended)],
            40: [_row(3, 6, 0x07)],
        }
    )
    assert _blocks(raw) == [(1, 1, 5, "83"), (5, 11, 4, "83"), (6, 22, 5, "0b"), (7, 43, 6, "07")]


@pytest.mark.parametrize("back", [0, 10, 20])
def test_a_chain_that_comes_back_ends(back):
    """To its first record, to itself, to one between: each logical partition once."""
    raw = _disc(
        {
            0: [_row(10, 90, 5)],
            10: [_row(1, 1, 0x83), _row(10, 10, 5)],
            20: [_row(1, 1, 0x83), _row(20, 10, 5)],
            30: [_row(1, 1, 0x83), _row(back, 10, 5)],
        }
    )
    assert _blocks(raw) == [(5, 11, 1, "83"), (6, 21, 1, "83"), (7, 31, 1, "83")]


def test_a_chain_into_nothing_ends():
    """The next record lies past the image, or has no 55 AA."""
    for following in (0xFFFFFFF0, 50):
        raw = _disc({0: [_row(10, 90, 5)], 10: [_row(1, 1, 0x83), _row(following, 1, 5)]})
        assert _blocks(raw) == [(5, 11, 1, "83")]


def test_an_endless_chain_is_bounded():
    """500 records one behind the other: no more than 128 are followed."""
    tables = {1 + n: [_row(0, 1, 0x83), _row(n + 1, 1, 5)] for n in range(500)}
    assert len(_blocks(_disc({0: [_row(1, 600, 5)], **tables}, 600))) == 128


def test_a_table_of_a_later_session_counts_from_there():
    raw = bytes(16 * 2048) + bytes(_disc({0: [_row(4, 2, 0x83)]}))
    assert _blocks(raw, 16) == [(1, 64 + 4, 2, "83")]


# GPT ----------------------------------------------------------------------------------------------


def _gpt(block_bytes, entries, *, entry_bytes=128, count=None, entries_at=2, signature=b"EFI PART"):
    """UEFI §5.3.2 and §5.3.3: the header in block 1, the entries from block `entries_at` on."""
    raw = _disc({0: [_row(1, 127, 0xEE)]}, 512)
    header = struct.pack(
        "<8sIIIIQQQQ16sQIII",
        *(signature, 0x10000, 92, 0, 0, 1, 127, 34, 100, b"", entries_at),
        *(len(entries) if count is None else count, entry_bytes, 0),
    )
    raw[block_bytes : block_bytes + 92] = header
    at = entries_at * block_bytes
    for kind, first, last, name in entries:
        raw[at : at + 128] = struct.pack(
            "<16s16sQQQ72s", kind.bytes_le, b"u", first, last, 0, name.encode("utf-16-le")
        )
        at += entry_bytes
    return bytes(raw)


@pytest.mark.parametrize("block_bytes", [512, 2048])
@pytest.mark.parametrize("entry_bytes", [128, 256, 512, 4096])
def test_gpt_entries_of_any_size(block_bytes, entry_bytes):
    """UEFI §5.3.2: 128 × 2ⁿ bytes an entry; the last block belongs to the partition."""
    raw = _gpt(block_bytes, [(LINUX, 40, 43, "root"), (LINUX, 50, 50, "Größe")], entry_bytes=entry_bytes)
    found = list(disk_partitions(MemoryImage(raw), 0))
    assert [(p.scheme, p.number, p.name, p.kind) for p in found] == [
        ("gpt", 1, "root", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
        ("gpt", 2, "Größe", "0fc63daf-8483-4772-8e79-3d69d8477de4"),
    ]
    assert [(p.start_byte, p.size_bytes) for p in found] == [
        (40 * block_bytes, 4 * block_bytes),
        (50 * block_bytes, block_bytes),
    ]


@pytest.mark.parametrize("entry_bytes", [0, 1, 127, 4097, 0xFFFFFFFF])
def test_gpt_entries_of_impossible_size(entry_bytes):
    """Smaller than an entry's fields, or beyond all sense: the table is not read."""
    raw = bytearray(_gpt(512, [(LINUX, 40, 43, "root")]))
    struct.pack_into("<I", raw, 512 + 84, entry_bytes)
    assert list(disk_partitions(MemoryImage(bytes(raw)), 0)) == []


def test_unused_and_inverted_gpt_entries_are_none():
    """UEFI §5.3.3: a type of zero is unused; a last block before the first is no partition."""
    raw = _gpt(512, [(UUID(int=0), 40, 43, "a"), (LINUX, 50, 49, "b"), (LINUX, 60, 60, "c")])
    assert [(p.number, p.name) for p in disk_partitions(MemoryImage(raw), 0)] == [(3, "c")]


def test_a_gpt_that_counts_four_billion_entries():
    """It ends at the image's end or the bound, and lists what is there."""
    raw = _gpt(512, [(LINUX, 60, 60, "c")], count=0xFFFFFFFF)
    assert [p.name for p in disk_partitions(MemoryImage(raw), 0)] == ["c"]


def test_gpt_entries_past_the_image():
    """The largest 64-bit address: nothing, and no exception."""
    raw = bytearray(_gpt(512, [(LINUX, 60, 60, "c")]))
    struct.pack_into("<Q", raw, 512 + 72, 2**64 - 1)
    assert list(disk_partitions(MemoryImage(bytes(raw)), 0)) == []


def test_a_gpt_without_its_signature():
    assert list(disk_partitions(MemoryImage(_gpt(512, [(LINUX, 6, 6, "c")], signature=b"EFI PERT")), 0)) == []


# Any bytes ----------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_any_bytes_give_a_bounded_list(data):
    """Valid tables with random bytes over them: bounded, no negative place or size, no exception."""
    raw = bytearray(_gpt(512, [(LINUX, 40, 43, "root")]))
    raw[: 3 * 512] = bytes(a | b for a, b in zip(raw[:1536], _disc({0: [_row(1, 9, 5)]}, 3), strict=True))
    for _ in range(data.draw(st.integers(1, 20))):
        raw[data.draw(st.integers(0, 2047))] = data.draw(st.integers(0, 255))
    image = MemoryImage(bytes(raw[: data.draw(st.integers(0, 4096))]))
    found = [*disk_partitions(image, 0), *apple_partitions(image, 0)]
    assert len(found) <= 4 * 128 + 2 * 256 + 3 * 256
    assert all(p.start_byte >= 0 and p.size_bytes >= 0 for p in found)

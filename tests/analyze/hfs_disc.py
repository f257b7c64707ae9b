"""HFS and HFS+ volumes assembled byte by byte: IM is Inside Macintosh: Files ch. 2, TN is TN1150."""

import struct

PLUS_BLOCK = 4096
PLUS_NODE = 4096
PLUS_BLOCKS = 64
BITMAP_AT, OVERFLOW_AT, CATALOG_AT, ATTRIBUTES_AT, DATA_AT = 1, 2, 4, 12, 16
"""Allocation blocks where `plus_volume` puts its special files, and where content may begin."""

LEAF, INDEX, HEADER, MAP = -1, 0, 1, 2
PRIVATE_FOLDER = "\0\0\0\0HFS+ Private Data"
"""TN "Hard Links": the folder in the root that holds the real files."""


def node(kind, records, size, *, following=0, previous=0, height=0):
    """TN "Node Structure": descriptor, records, free space, then the offsets from the end backwards."""
    raw = bytearray(struct.pack(">IIbBHH", following, previous, kind, height, len(records), 0))
    offsets = []
    for record in records:
        offsets.append(len(raw))
        raw += record
    offsets.append(len(raw))
    assert len(raw) + 2 * len(offsets) <= size
    raw = raw.ljust(size, b"\0")
    for index, offset in enumerate(offsets):
        struct.pack_into(">H", raw, size - 2 * (index + 1), offset)
    return bytes(raw)


def bits(numbers, length):
    """TN "Map Record": one bit a node, the most significant first."""
    raw = bytearray(length)
    for number in numbers:
        raw[number // 8] |= 0x80 >> number % 8
    return bytes(raw)


def header_node(size, *, nodes, used, leaf_records, leaves, root, depth, key_bytes, following=0, kind=HEADER):
    """TN "Header Node": header record (106 bytes), user data (128), map record (the rest but 8)."""
    record = struct.pack(
        ">HIIIIHHIIHIBBI",
        depth,
        root,
        leaf_records,
        leaves[0] if leaves else 0,
        leaves[-1] if leaves else 0,
        size,
        key_bytes,
        nodes,
        nodes - len(used),
        0,
        size,
        0,
        0xCF,
        0x6,
    ).ljust(106, b"\0")
    length = size - 256
    return node(
        kind,
        [record, bytes(128), bits([n for n in used if n < 8 * length], length)],
        size,
        following=following,
    )


def tree(leaves, size, nodes, *, key_bytes=516, short_keys=False):
    """A tree whose leaf nodes are `leaves` (lists of records) in nodes 1, 2, …; an index node if several."""
    numbers = list(range(1, len(leaves) + 1))
    made = []
    for index, records in enumerate(leaves):
        made.append(
            node(
                LEAF,
                records,
                size,
                following=numbers[index + 1] if index + 1 < len(leaves) else 0,
                previous=numbers[index - 1] if index else 0,
                height=1,
            )
        )
    root, depth = (numbers[0] if numbers else 0), min(len(leaves), 1)
    used = [0, *numbers]
    if len(leaves) > 1:
        pointers = []
        for number, records in zip(numbers, leaves, strict=True):
            first = records[0]
            if short_keys:  # IM 2-67: in an index node of HFS, every key has its full length
                pointers.append(
                    b"\x25" + first[1 : 1 + first[0]].ljust(37, b"\0") + struct.pack(">I", number)
                )
            else:
                length = int.from_bytes(first[:2], "big") + 2
                pointers.append(first[:length] + struct.pack(">I", number))
        root, depth = len(leaves) + 1, 2
        used.append(root)
        made.append(node(INDEX, pointers, size, height=2))
    head = header_node(
        size,
        nodes=nodes,
        used=used,
        leaf_records=sum(map(len, leaves)),
        leaves=numbers,
        root=root,
        depth=depth,
        key_bytes=key_bytes,
    )
    raw = head + b"".join(made)
    assert len(raw) <= nodes * size
    return raw.ljust(nodes * size, b"\0")


# HFS+ ---------------------------------------------------------------------------------------------


def fork(size_bytes=0, *extents):
    """TN "Fork Data Structure": logical size, clump size, total blocks, eight extents."""
    numbers = [number for extent in extents for number in extent][:16]
    blocks = sum(extent[1] for extent in extents)
    return struct.pack(">QII16I", size_bytes, 0, blocks, *numbers, *([0] * (16 - len(numbers))))


def plus_key(parent, name):
    """TN "Catalog File Key": length, parent ID, count of UTF-16 units, the units."""
    text = name.encode("utf-16-be", "surrogatepass")
    return struct.pack(">HIH", 6 + len(text), parent, len(text) // 2) + text


def _plus_start(kind, number, options):
    times = options.get("times", (1, 2, 3, 4, 5))
    return struct.pack(
        ">HHIIIIIIIIIBBHI16s16sII",
        kind,
        options.get("flags", 0),
        options.get("valence", 0),
        number,
        *times,
        options.get("owner", 0),
        options.get("group", 0),
        0,
        options.get("owner_flags", 0),
        options.get("mode", 0),
        options.get("special", 0),
        options.get("finder", b""),
        b"",
        0,
        0,
    )


def plus_folder(parent, name, number, **options):
    """TN "Catalog Folder Records", behind its key."""
    return plus_key(parent, name) + _plus_start(1, number, options)


def plus_file(parent, name, number, data=None, resource=None, **options):
    """TN "Catalog File Records", behind its key; `data` and `resource` are made by `fork`."""
    options.setdefault("valence", 0)
    return plus_key(parent, name) + _plus_start(2, number, options) + (data or fork()) + (resource or fork())


def plus_thread(number, parent, name, kind=3):
    """TN "Catalog Thread Records": keyed by the ID with an empty name; 3 a folder's, 4 a file's."""
    text = name.encode("utf-16-be")
    return plus_key(number, "") + struct.pack(">HHIH", kind, 0, parent, len(text) // 2) + text


def plus_overflow(owner, kind, start, *extents):
    """TN "Extents Overflow File Key": length 10, fork type, pad, file ID, start block; eight extents."""
    numbers = [number for extent in extents for number in extent]
    return struct.pack(">HBBII16I", 10, kind, 0, owner, start, *numbers, *([0] * (16 - len(numbers))))


def inline_attribute(owner, name, data):
    """TN "Attributes File": key (pad, file ID, start block, name), then record type 0x10 with the data."""
    return (
        _attribute_key(owner, name)
        + struct.pack(">IIII", 0x10, 0, 0, len(data))
        + data
        + bytes(len(data) % 2)
    )


def fork_attribute(owner, name, where):
    """TN "Attributes File": record type 0x20, whose value is a fork."""
    return _attribute_key(owner, name) + struct.pack(">II", 0x20, 0) + where


def _attribute_key(owner, name):
    text = name.encode("utf-16-be")
    return struct.pack(">HHIIH", 12 + len(text), 0, owner, 0, len(text) // 2) + text


def plus_header(catalog_nodes, *, files, folders, attributes, signature=b"H+", **options):
    """TN "Volume Header", 512 bytes."""
    raw = struct.pack(
        ">2sHIIIIIIIIIIIIIIIIIQ32s",
        signature,
        5 if signature == b"HX" else 4,
        options.get("flags", 0x100),  # kHFSVolumeUnmountedBit
        int.from_bytes(b"10.0", "big"),
        options.get("journal", 0),
        options.get("created", 2_082_844_800),
        options.get("modified", 2_082_844_801),
        0,
        0,
        files,
        folders,
        PLUS_BLOCK,
        options.get("blocks", PLUS_BLOCKS),
        8,
        DATA_AT,
        65536,
        65536,
        1000,
        7,
        1,
        b"",
    )
    assert len(raw) == 112
    for where in (
        fork(PLUS_BLOCK, (BITMAP_AT, 1)),
        fork(2 * PLUS_NODE, (OVERFLOW_AT, 2)),
        fork(catalog_nodes * PLUS_NODE, (CATALOG_AT, catalog_nodes)),
        fork(2 * PLUS_NODE, (ATTRIBUTES_AT, 2)) if attributes else fork(),
        fork(),
    ):
        raw += where
    assert len(raw) == 512
    return raw


def plus_volume(
    leaves, *, label="Made", overflow=(), attributes=(), content=None, files=0, folders=0, **header
):
    """A volume of 64 blocks of 4096 bytes; `leaves` are the catalog's leaf nodes behind the root's records.

    `content` is {allocation block: bytes}. Both volume headers are written, and the bitmap has all
    blocks used that special files or content occupy.
    """
    root = [plus_folder(1, label, 2, valence=1), plus_thread(2, 1, label)]
    leaves = [root + leaves[0], *leaves[1:]] if leaves else [root]
    raw = bytearray(PLUS_BLOCKS * PLUS_BLOCK)
    head = plus_header(8, files=files, folders=folders, attributes=attributes, **header)
    raw[1024:1536] = head
    raw[-1024:-512] = head
    pieces = {
        OVERFLOW_AT: tree([list(overflow)] if overflow else [], PLUS_NODE, 2, key_bytes=10),
        CATALOG_AT: tree(leaves, PLUS_NODE, 8),
        **(content or {}),
    }
    if attributes:
        pieces[ATTRIBUTES_AT] = tree([list(attributes)], PLUS_NODE, 2, key_bytes=266)
    used = {0, BITMAP_AT, PLUS_BLOCKS - 1}
    for block, data in pieces.items():
        raw[block * PLUS_BLOCK : block * PLUS_BLOCK + len(data)] = data
        used.update(range(block, block + -(-len(data) // PLUS_BLOCK)))
    raw[BITMAP_AT * PLUS_BLOCK : BITMAP_AT * PLUS_BLOCK + 8] = bits(used, 8)
    assert len(raw) == PLUS_BLOCKS * PLUS_BLOCK
    return bytes(raw)


# HFS ----------------------------------------------------------------------------------------------

HFS_BLOCK = 512
HFS_FIRST = 4  # drAlBlSt: boot blocks 0-1, master directory block 2, bitmap 3
HFS_BLOCKS = 122  # the volume is HFS_FIRST + HFS_BLOCKS + 2 = 128 blocks
HFS_OVERFLOW, HFS_CATALOG, HFS_DATA = 0, 2, 12


def hfs_key(parent, name):
    """IM 2-71, CatKeyRec: length, reserved, parent ID, Pascal name; padded to an even length."""
    raw = struct.pack(">BBIB", 6 + len(name), 0, parent, len(name)) + name
    return raw + bytes(len(raw) % 2)


def hfs_folder(parent, name, number, *, times=(1, 2, 3), finder=b"", flags=0):
    """IM 2-72, cdrDirRec, behind its key."""
    return hfs_key(parent, name) + struct.pack(
        ">BBHHIIII16s16s16s", 1, 0, flags, 0, number, *times, finder, b"", b""
    )


def hfs_extents(*extents):
    """IM 2-75: three extents, each a first block and a count."""
    numbers = [number for extent in extents for number in extent]
    return struct.pack(">6H", *numbers, *([0] * (6 - len(numbers))))


def hfs_file(parent, name, number, data=(0, ()), resource=(0, ()), *, times=(1, 2, 3), finder=b"", flags=0):
    """IM 2-72, cdrFilRec, behind its key; `data` and `resource` are (size, extents)."""
    sizes = [(0, size, -(-size // HFS_BLOCK) * HFS_BLOCK) for size, _extents in (data, resource)]
    return hfs_key(parent, name) + struct.pack(
        ">BBBB16sIHIIHIIIII16sH12s12sI",
        *(2, 0, flags, 0, finder, number),
        *sizes[0],
        *sizes[1],
        *times,
        *(b"", 0, hfs_extents(*data[1]), hfs_extents(*resource[1]), 0),
    )


def hfs_thread(number, parent, name, kind=3):
    """IM 2-72, cdrThdRec (3) or cdrFThdRec (4)."""
    return hfs_key(number, b"") + struct.pack(">BB8sIB31s", kind, 0, b"", parent, len(name), name)


def hfs_overflow(owner, kind, start, *extents):
    """IM 2-75, ExtKeyRec: length 7, fork, file ID, first file block; then one extent record."""
    return struct.pack(">BBIH", 7, kind, owner, start) + hfs_extents(*extents)


def hfs_mdb(label, *, files, folders, embedded=(b"", 0, 0), created=2_082_844_800, block_bytes=HFS_BLOCK):
    """IM 2-60, the master directory block; `embedded` is (signature, first block, blocks)."""
    raw = struct.pack(
        ">2sIIHHHHHIIHIHB27sIHIIIHII32s2sHHI12sI12s",
        *(b"BD", created, created + 1, 0x100, 0, 3, 0, HFS_BLOCKS, block_bytes, block_bytes, HFS_FIRST),
        *(1000, 0, len(label), label, 0, 0, 7, 512, 512, 0, files, folders, b"", *embedded),
        *(2 * 512, hfs_extents((HFS_OVERFLOW, 2)), 10 * 512, hfs_extents((HFS_CATALOG, 10))),
    )
    assert len(raw) == 162
    return raw.ljust(512, b"\0")


def hfs_volume(leaves, *, label=b"Made", overflow=(), content=None, files=0, folders=0, copy=True):
    """A volume of 128 blocks of 512 bytes, its copy of the master directory block before the last one."""
    root = [hfs_folder(1, label, 2), hfs_thread(2, 1, label)]
    leaves = [root + leaves[0], *leaves[1:]] if leaves else [root]
    raw = bytearray((HFS_FIRST + HFS_BLOCKS + 2) * 512)
    mdb = hfs_mdb(label, files=files, folders=folders)
    raw[1024:1536] = mdb
    if copy:
        raw[-1024:-512] = mdb
    raw[1536:1552] = bits(range(HFS_DATA + 60), 16)
    pieces = {
        HFS_OVERFLOW: tree([list(overflow)] if overflow else [], 512, 2, key_bytes=7),
        HFS_CATALOG: tree(leaves, 512, 10, key_bytes=37, short_keys=True),
        **(content or {}),
    }
    for block, data in pieces.items():
        at = (HFS_FIRST + block) * 512
        raw[at : at + len(data)] = data
    assert len(raw) == 65536
    return bytes(raw)

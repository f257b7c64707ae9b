"""ISO 9660 structures assembled byte by byte from the standard, for tests; no code of ours is used here.

Clause numbers are those of ECMA-119 unless named. Numbers are written both ways where 7.2.3 and 7.3.3 say so.
"""

import struct

from acquire.image import MemoryImage

SECTOR = 2048
DATE = bytes((104, 10, 21, 13, 5, 0, 8))  # 9.1.5: 2004-10-21 13:05:00, 8 quarters of an hour east
LONG_DATE = b"2004102113050025\x08"  # 8.4.26.1: the same with 25 hundredths


def both16(number, other=None):
    """7.2.3; `other` puts a different number into the second copy."""
    return struct.pack("<H", number) + struct.pack(">H", number if other is None else other)


def both32(number, other=None):
    """7.3.3; `other` puts a different number into the second copy."""
    return struct.pack("<I", number) + struct.pack(">I", number if other is None else other)


def record(
    identifier,
    extent=0,
    size=0,
    *,
    flags=0,
    date=DATE,
    use=b"",
    xattr=0,
    unit=0,
    gap=0,
    sequence=1,
    big_extent=None,
    big_size=None,
    length=None,
):
    """9.1 Directory Record: identifier padded to an even end (9.1.12), then system use."""
    body = (
        bytes((xattr,))  # 9.1.2
        + both32(extent, big_extent)  # 9.1.3
        + both32(size, big_size)  # 9.1.4
        + date  # 9.1.5
        + bytes((flags, unit, gap))  # 9.1.6 to 9.1.8
        + both16(sequence)  # 9.1.9
        + bytes((len(identifier),))  # 9.1.10
        + identifier  # 9.1.11
        + b"\0" * (1 - len(identifier) % 2)  # 9.1.12
        + use  # 9.1.13
    )
    body += b"\0" * ((1 + len(body)) % 2)  # 9.1.1: an even number
    return bytes((len(body) + 1 if length is None else length,)) + body


def dots(own, size, parent=None, parent_size=None, *, use=b""):
    """6.8.2.2: the first two records of a directory."""
    up = own if parent is None else parent
    return [
        record(b"\0", own, size, flags=2, use=use),
        record(b"\1", up, size if parent_size is None else parent_size, flags=2),
    ]


def packed(records):
    """6.8.1.1: records one after another, none across the end of a sector, zeros behind the last of each."""
    done = b""
    for one in records:
        room = SECTOR - len(done) % SECTOR
        if len(one) > room:
            done += b"\0" * room
        done += one
    return done + b"\0" * (-len(done) % SECTOR)


def padded(text, width, *, ucs2=False):
    """A text field, filled with spaces (7.4.3, Joliet)."""
    if ucs2:
        return (text.encode("utf-16-be") + b"\0 " * width)[:width]
    return text.encode().ljust(width, b" ")[:width]


def descriptor(
    root,
    *,
    kind=1,
    version=1,
    label="LABEL",
    escape=b"",
    blocks=64,
    block_size=SECTOR,
    path_table_size=10,
    path_l=18,
    path_m=19,
    path_l_optional=0,
    path_m_optional=0,
    created=LONG_DATE,
    set_size=1,
    sequence=1,
    big_blocks=None,
):
    """8.4 Primary, 8.5 Supplementary Volume Descriptor; `root` is its Directory Record."""
    ucs2 = escape[:2] == b"%/"
    none = b"0" * 16 + b"\0"
    data = (
        bytes((kind,))  # 8.4.1
        + b"CD001"  # 8.4.2
        + bytes((version, 0))  # 8.4.3, 8.5.3
        + padded("SYSTEM", 32, ucs2=ucs2)  # 8.4.5
        + padded(label, 32, ucs2=ucs2)  # 8.4.6
        + bytes(8)  # 8.4.7
        + both32(blocks, big_blocks)  # 8.4.8
        + escape.ljust(32, b"\0")  # 8.5.6
        + both16(set_size)  # 8.4.10
        + both16(sequence)  # 8.4.11
        + both16(block_size)  # 8.4.12
        + both32(path_table_size)  # 8.4.13
        + struct.pack("<II", path_l, path_l_optional)  # 8.4.14, 8.4.15
        + struct.pack(">II", path_m, path_m_optional)  # 8.4.16, 8.4.17
        + root  # 8.4.18
        + b"".join(padded(text, 128, ucs2=ucs2) for text in ("SET", "PUBLISHER", "PREPARER", "APPLICATION"))
        + b"".join(padded("", 37) for _ in range(3))  # 8.4.23 to 8.4.25
        + created  # 8.4.26
        + none * 3  # 8.4.27 to 8.4.29
        + bytes((2 if (kind, version) == (2, 2) else 1, 0))  # 8.4.30, 8.5.16, 8.4.31
    )
    assert len(data) == 883
    return data.ljust(SECTOR, b"\0")


def terminator():
    """8.3."""
    return b"\xffCD001\x01".ljust(SECTOR, b"\0")


def path_table(rows, *, big=False):
    """9.4: rows of (identifier, extent, parent number)."""
    order = ">" if big else "<"
    return b"".join(
        struct.pack(order + "BBIH", len(identifier), 0, extent, parent)
        + identifier
        + b"\0" * (len(identifier) % 2)
        for identifier, extent, parent in rows
    )


class Disc:
    """Sectors put together: the root at LBA 20 and the path tables at 18 and 19 unless told otherwise."""

    ROOT = 20

    def __init__(self, sectors=64):
        """`sectors` sectors of zeros."""
        self.data = bytearray(sectors * SECTOR)

    def put(self, lba, content, offset=0):
        """Write `content` at `lba`+`offset`."""
        at = lba * SECTOR + offset
        assert at + len(content) <= len(self.data)
        self.data[at : at + len(content)] = content
        return self

    def tree(self, records, *, own=ROOT, parent=None, root_use=b""):
        """A directory at `own` with its first two records and `records`; returns its length in bytes."""
        size = len(packed([*dots(own, 0, parent, use=root_use), *records]))
        self.put(own, packed([*dots(own, size, parent, SECTOR if parent else None, use=root_use), *records]))
        return size

    def primary(self, records, rows=(), **fields):
        """Descriptors and path tables of one primary tree whose root has `records`."""
        size = self.tree(records, root_use=fields.pop("root_use", b""))
        return self.describe(size, rows, **fields)

    def describe(self, size=SECTOR, rows=(), **fields):
        """Descriptors and path tables of a primary tree whose root is there already, `size` bytes long."""
        rows = [(b"\0", self.ROOT, 1), *rows]
        fields.setdefault("blocks", len(self.data) // SECTOR)
        root = record(b"\0", self.ROOT, size, flags=2)
        little = path_table(rows)
        self.put(16, descriptor(root, path_table_size=len(little), **fields))
        self.put(17, terminator())
        return self.put(18, little).put(19, path_table(rows, big=True))

    @property
    def image(self):
        """The image as it stands."""
        return MemoryImage(bytes(self.data))


def susp(signature, data, version=1):
    """SUSP 4.1: signature word, length, version, data."""
    return signature + bytes((len(data) + 4, version)) + data


def sp(skip=0):
    """SUSP 5.3."""
    return susp(b"SP", b"\xbe\xef" + bytes((skip,)))


def nm(name, flags=0):
    """RRIP 4.1.4."""
    return susp(b"NM", bytes((flags,)) + name)


def px(mode, links=1, uid=0, gid=0, serial=None):
    """RRIP 4.1.1."""
    numbers = [mode, links, uid, gid] + ([] if serial is None else [serial])
    return susp(b"PX", b"".join(map(both32, numbers)))


def ce(block, offset, length):
    """SUSP 5.1."""
    return susp(b"CE", both32(block) + both32(offset) + both32(length))


def sl(*components, flags=0):
    """RRIP 4.1.3: components are (flags, bytes)."""
    return susp(
        b"SL", bytes((flags,)) + b"".join(bytes((flag, len(text))) + text for flag, text in components)
    )

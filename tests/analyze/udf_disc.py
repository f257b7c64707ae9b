"""UDF discs put together byte by byte, from ECMA-167 and OSTA UDF 2.60, for the tests of the reader.

Nothing here is shared with the reader: layouts are written out again as `struct` formats with their
clauses, and the CRC is computed bit by bit.
"""

import struct
from functools import cache

NOW = struct.pack("<HhBBBBBBBB", 0x1000 | 120, 2024, 2, 29, 13, 5, 7, 12, 34, 56)
"""1/7.3: local time, 120 minutes east of UTC, 2024-02-29 13:05:07.123456."""
UNUSED = 0xFFFFFFFF


@cache
def crc16(data):
    """3/7.2.6: x^16 + x^12 + x^5 + 1, from 0, most significant bit first."""
    value = 0
    for byte in data:
        value ^= byte << 8
        for _bit in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value


def tagged(identifier, location, body, *, version=3):
    """3/7.2: `body` behind its descriptor tag."""
    tag = bytearray(struct.pack("<HHBBHHHI", identifier, version, 0, 0, 1, crc16(body), len(body), location))
    tag[4] = sum(tag) & 0xFF
    return bytes(tag) + body


def retag(structure, *, location=None):
    """The structure with CRC and checksum of its tag made right again after a change."""
    identifier, version, length, old = (
        *struct.unpack_from("<HH", structure),
        struct.unpack_from("<H", structure, 10)[0],
        struct.unpack_from("<I", structure, 12)[0],
    )
    place = old if location is None else location
    return tagged(identifier, place, bytes(structure[16 : 16 + length]), version=version) + bytes(
        structure[16 + length :]
    )


def regid(text, suffix=b""):
    """1/7.4."""
    return (b"\0" + text.encode("ascii")).ljust(24, b"\0") + suffix.ljust(8, b"\0")


def cs0(text):
    """UDF 2.1.1: 8 bits a character if that is enough, else 16."""
    if not text:
        return b""
    try:
        return b"\x08" + text.encode("latin-1")
    except UnicodeEncodeError:
        return b"\x10" + text.encode("utf-16-be", "surrogatepass")


def dstring(text, length):
    """1/7.2.12."""
    raw = cs0(text)
    return raw.ljust(length - 1, b"\0") + bytes((len(raw),))


def short_ad(length, block, kind=0):
    """4/14.14.1."""
    return struct.pack("<II", length | kind << 30, block)


def long_ad(length, block, partition=0, kind=0, use=b""):
    """4/14.14.2."""
    return struct.pack("<IIH", length | kind << 30, block, partition) + use.ljust(6, b"\0")


def extended_ad(length, recorded, information, block, *, partition=0, kind=0):
    """4/14.14.3: five fields and two bytes of implementation use (UDF 2.3.10)."""
    return struct.pack("<IIIIHH", length | kind << 30, recorded, information, block, partition, 0)


CHARACTER_SET = b"\0" + b"OSTA Compressed Unicode".ljust(63, b"\0")
NO_ICB = bytes(16)


def icb_tag(file_type, flags, strategy=4):
    """4/14.6."""
    most = 1 if strategy == 4 else 2
    return struct.pack("<IHHHBBIHH", 0, strategy, 0, most, 0, file_type, 0, 0, flags)


def file_entry(
    location,
    file_type,
    allocation,
    size,
    *,
    form=3,
    extended=False,
    attributes=b"",
    links=1,
    unique_id=16,
    times=(NOW, NOW, NOW, NOW),
    uid=1000,
    gid=100,
    permissions=0x14A5,
    strategy=4,
    flags=0,
    streams=NO_ICB,
    attributes_icb=NO_ICB,
    version=3,
):
    """4/14.9, or 4/14.17 if `extended`; times are access, modification, creation, attributes."""
    accessed, modified, created, changed = times
    body = icb_tag(file_type, form | flags, strategy)
    body += struct.pack("<IIIHBBIQ", uid, gid, permissions, links, 0, 0, 0, size)
    if extended:
        body += struct.pack("<QQ", size, 0) + accessed + modified + created + changed
        body += struct.pack("<II", 1, 0) + attributes_icb + streams
    else:
        body += struct.pack("<Q", 0) + accessed + modified + changed + struct.pack("<I", 1) + attributes_icb
    body += regid("*by hand") + struct.pack("<QII", unique_id, len(attributes), len(allocation))
    return tagged(266 if extended else 261, location, body + attributes + allocation, version=version)


def file_identifier(
    location, name, icb, characteristics=0, *, partition=0, unique_id=0, use=b"", version=1, length=2048
):
    """4/14.4; `name` is text or bytes as recorded."""
    raw = name if isinstance(name, bytes) else cs0(name)
    body = struct.pack("<HBB", version, characteristics, len(raw))
    body += (
        struct.pack("<IIHHI", length, icb, partition, 0, unique_id) + struct.pack("<H", len(use)) + use + raw
    )
    body += bytes(-(16 + len(body)) % 4)
    return tagged(257, location, body)


def parent_identifier(location, icb, partition=0):
    """4/14.4 with the parent bit (4/14.4.3) and no name."""
    return file_identifier(location, b"", icb, 0x0A, partition=partition)


def attribute_space(location, *attributes):
    """4/14.10.1: the header and attributes (implementation and application ones apart from nothing)."""
    body = struct.pack("<II", 24, 24)
    return tagged(262, location, body) + b"".join(attributes)


def attribute(kind, payload, subtype=1):
    """4/14.10.2."""
    return struct.pack("<IBBBBI", kind, subtype, 0, 0, 0, 12 + len(payload)) + payload


def implementation_attribute(identifier, payload, kind=2048):
    """4/14.10.8."""
    return attribute(kind, struct.pack("<I", len(payload)) + regid(identifier) + payload)


class UdfDisc:
    """A disc image with everything but files: recognition, anchors, both sequences, integrity, a file set.

    Addresses: main sequence from block 128, reserve from 160, integrity 200, partition from `start`. The
    file set descriptor is logical block 0 of partition reference `set_partition`, the root directory's
    ICB logical block 1 of it. `maps` are further partition maps as bytes.
    """

    def __init__(
        self, *, size=2048, count=700, revision=0x0201, start=272, maps=(), set_partition=0, label="By hand"
    ):
        """An empty disc of `count` blocks of `size` bytes."""
        self.size, self.count, self.revision, self.start = size, count, revision, start
        self.maps, self.set_partition, self.label = maps, set_partition, label
        self.data = bytearray(size * count)
        self.length = count - start - 20
        self.access, self.header = 4, b""
        self.closed, self.counts = True, (0, 1)
        self.places = {}  # (partition reference, logical block) → absolute block, if it is not start + block
        self.file_set_block = 0
        self.anchors = (256, count - 257, count - 1)
        self.domain = struct.pack("<HB", revision, 0)

    def at(self, logical, partition=0):
        """The absolute block of a logical one."""
        return self.places.get((partition, logical), self.start + logical)

    def put(self, block, data):
        """Write at an absolute block."""
        assert len(data) <= (self.count - block) * self.size
        self.data[block * self.size : block * self.size + len(data)] = data

    def put_logical(self, logical, data, partition=0):
        """Write at a logical block, which must be in a row with the following ones."""
        self.put(self.at(logical, partition), data)

    def file(self, logical, content=b"", *, partition=0, file_type=5, **words):
        """A file entry with its content embedded."""
        entry = file_entry(logical, file_type, content, len(content), **words)
        assert len(entry) <= self.size
        self.put_logical(logical, entry, partition)

    def allocated(self, logical, allocation, size, form, *, partition=0, file_type=5, **words):
        """A file entry with allocation descriptors."""
        self.put_logical(
            logical, file_entry(logical, file_type, allocation, size, form=form, **words), partition
        )

    def directory(self, logical, parent, *identifiers, partition=0, **words):
        """A directory with its identifiers embedded: (name, icb, characteristics, …) or bytes."""
        body = parent_identifier(logical, parent, partition)
        for each in identifiers:
            if not isinstance(each, bytes):
                name, icb, *rest = each
                body += file_identifier(logical, name, icb, *rest, partition=partition)
            else:
                body += each
        self.file(logical, body, partition=partition, file_type=4, **words)

    def long_directory(self, logical, parent, place, *identifiers, partition=0, **words):
        """A directory whose identifiers are in blocks from `place` on, of the same partition."""
        body = parent_identifier(place, parent, partition)
        for name, icb, *rest in identifiers:
            location = place + len(body) // self.size
            body += file_identifier(location, name, icb, *rest, partition=partition)
        self.put_logical(place, body, partition)
        self.allocated(
            logical, short_ad(len(body), place), len(body), 0, partition=partition, file_type=4, **words
        )

    def root(self, *identifiers, **words):
        """The root directory, in logical block 1."""
        self.directory(1, 1, *identifiers, partition=self.set_partition, **words)

    def descriptors(self, first):
        """The volume descriptors of a sequence that begins at block `first` (3/8.4.2)."""
        primary = struct.pack("<II", 1, 0) + dstring("By hand", 32) + struct.pack("<HHHHII", 1, 1, 2, 3, 1, 1)
        primary += dstring("0123456789abcdef set", 128) + CHARACTER_SET * 2 + bytes(16)
        primary += (
            regid("*application") + NOW + regid("*by hand") + bytes(64) + struct.pack("<IH", 0, 0) + bytes(22)
        )
        information = struct.pack("<I", 2) + regid("*UDF LV Info", struct.pack("<H", self.revision))
        information += (
            CHARACTER_SET + dstring(self.label, 128) + dstring("Owner / A", 36) + dstring("Org", 36)
        )
        information += dstring("", 36) + regid("*by hand") + bytes(128)
        partition = struct.pack("<IHH", 3, 1, 0) + regid("+NSR03") + self.header.ljust(128, b"\0")
        partition += (
            struct.pack("<III", self.access, self.start, self.length) + regid("*by hand") + bytes(128 + 156)
        )
        maps = (struct.pack("<BBHH", 1, 6, 1, 0), *self.maps)
        logical = (
            struct.pack("<I", 4) + CHARACTER_SET + dstring(self.label, 128) + struct.pack("<I", self.size)
        )
        logical += regid("*OSTA UDF Compliant", self.domain)
        logical += long_ad(self.size, self.file_set_block, self.set_partition)
        logical += struct.pack("<II", sum(map(len, maps)), len(maps)) + regid("*by hand") + bytes(128)
        logical += struct.pack("<II", 2 * self.size, 200) + b"".join(maps)
        space = struct.pack("<II", 5, 0)
        found = []
        for identifier, body in ((1, primary), (4, information), (5, partition), (6, logical), (7, space)):
            found.append(tagged(identifier, first, body))
            first += -(-len(found[-1]) // self.size)
        return [*found, tagged(8, first, bytes(496))]

    def integrity(self):
        """3/10.10, with the implementation use of UDF 2.2.6.4."""
        count = 1 + len(self.maps)
        body = NOW + struct.pack("<III", int(self.closed), 0, 0) + struct.pack("<Q", 64) + bytes(24)
        body += struct.pack("<II", count, 46) + struct.pack(
            f"<{2 * count}I", *[UNUSED] * count, *[self.length] * count
        )
        body += regid("*by hand") + struct.pack(
            "<IIHHH", *self.counts, self.revision, self.revision, self.revision
        )
        return tagged(9, 200, body)

    def file_set(self, number=0, root=1, following=NO_ICB, location=0, streams=NO_ICB):
        """4/14.1."""
        body = (
            NOW
            + struct.pack("<HHIIII", 3, 3, 1, 1, number, number)
            + CHARACTER_SET
            + dstring(self.label, 128)
        )
        body += CHARACTER_SET + dstring(f"Set {number}", 32) + bytes(64)
        body += long_ad(self.size, root, self.set_partition) + regid("*OSTA UDF Compliant", self.domain)
        body += following + streams + bytes(32)
        return tagged(256, location, body)

    def finish(self):
        """The bytes of the disc, with all that is not a file."""
        for sector, name in enumerate((b"BEA01", b"NSR03", b"TEA01")):
            at = 32768 + sector * max(2048, self.size)
            self.data[at : at + 7] = b"\0" + name + b"\1"
        for block in self.anchors:
            length = 16 * self.size
            body = struct.pack("<IIII", length, 128, length, 160) + bytes(480)
            self.put(block, tagged(2, block, body))
        for first in (128, 160):
            block = first
            for descriptor in self.descriptors(first):
                self.put(block, descriptor)
                block += -(-len(descriptor) // self.size)
        self.put(200, self.integrity())
        self.put(201, tagged(8, 201, bytes(496)))
        place = self.at(self.file_set_block, self.set_partition)
        if not any(self.data[place * self.size : place * self.size + 16]):
            self.put(place, self.file_set(location=self.file_set_block))
        return bytes(self.data)


# Partition maps (UDF 2.2.8 to 2.2.10) and what belongs to them ------------------------------------


def virtual_map(number=0, revision=0x0201):
    """UDF 2.2.8; the revision in the suffix (UDF 2.1.5.3) tells some readers which table to expect."""
    return (
        struct.pack("<BBH", 2, 64, 0)
        + regid("*UDF Virtual Partition", struct.pack("<H", revision))
        + struct.pack("<HH24x", 1, number)
    )


def sparable_map(packet, *tables, size=512):
    """UDF 2.2.9."""
    body = regid("*UDF Sparable Partition", b"\x50\x01") + struct.pack(
        "<HHHBBI", 1, 0, packet, len(tables), 0, size
    )
    return struct.pack("<BBH", 2, 64, 0) + body + struct.pack("<4I", *tables, *[0] * (4 - len(tables)))


def sparing_table(location, *entries, sequence=1):
    """UDF 2.2.12."""
    body = regid("*UDF Sparing Table") + struct.pack("<HHI", len(entries), 0, sequence)
    return tagged(0, location, body + b"".join(struct.pack("<II", *entry) for entry in entries))


def metadata_map(main, mirror, bitmap=UNUSED, flags=1):
    """UDF 2.2.10."""
    body = regid("*UDF Metadata Partition", b"\x50\x02") + struct.pack(
        "<HHIIIIHB5x", 1, 0, main, mirror, bitmap, 32, 1, flags
    )
    return struct.pack("<BBH", 2, 64, 0) + body


def vat_content(addresses, previous=UNUSED, *, revision=0x0201, label="By hand", counts=(0, 1)):
    """UDF 2.2.11, or UDF 1.50 2.2.10."""
    table = struct.pack(f"<{len(addresses)}I", *addresses)
    if revision < 0x0200:
        return table + regid("*UDF Virtual Alloc Tbl") + struct.pack("<I", previous)
    header = struct.pack("<HH", 152, 0) + dstring(label, 128) + struct.pack("<III", previous, *counts)
    return header + struct.pack("<HHHH", revision, revision, revision, 0) + table


def vat(location, addresses, previous=UNUSED, *, revision=0x0201, time=NOW, **words):
    """The file entry of a table with the table embedded; its file type is 248, before 2.00 it is 0."""
    content = vat_content(addresses, previous, revision=revision, **words)
    kind, extended = (248, True) if revision >= 0x0200 else (0, False)
    times = (time, time, time, time)
    return file_entry(location, kind, content, len(content), extended=extended, unique_id=0, times=times)

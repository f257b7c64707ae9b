"""Discs for each kind of medium, for the tests of the UDF reader: write-once, rewritable, with metadata."""

import struct

from tests.analyze.udf_disc import (
    UNUSED,
    UdfDisc,
    file_entry,
    file_identifier,
    long_ad,
    metadata_map,
    parent_identifier,
    retag,
    short_ad,
    sparable_map,
    sparing_table,
    vat,
    virtual_map,
)

DIRECTORY, DELETED = 2, 4
PACKET = 32
MAIN_AT, MIRROR_AT = 300, 301
MAIN_RUNS, MIRROR_RUNS = ((310, 4), (330, 12)), ((350, 16),)


def write_once(revision=0x0201, tables=3):
    """A write-once disc in three generations of its table; returns it with the blocks of the tables.

    Virtual address 0 is the file set, 1 the root, 2 and 3 files. Partition blocks are written in order:
    each generation appends what it changes, and its table.
    """
    disc = UdfDisc(maps=(virtual_map(0, revision),), set_partition=1, revision=revision)
    disc.access = 2
    disc.closed = False
    disc.length = 10_000  # write-once: all the disc that there will be
    disc.anchors = (256,)
    disc.put_logical(0, disc.file_set())
    words = {"partition": 1}
    place = 1
    found, previous = [], UNUSED

    def written(logical, entry):
        nonlocal place
        disc.put_logical(place, entry)
        place += 1
        return place - 1

    def close(addresses, files):
        nonlocal previous
        counts = {} if revision < 0x0200 else {"counts": (files, 1), "label": f"State {len(found)}"}
        previous = written(None, vat(place, addresses, previous, revision=revision, **counts))
        found.append(disc.start + previous)

    def root(*names):
        body = parent_identifier(1, 1, 1)
        body += b"".join(file_identifier(1, *name, **words) for name in names)
        return file_entry(1, 4, body, len(body))

    one = written(2, file_entry(2, 5, b"version 1", 9))
    top = written(1, root(("f", 2)))
    close([0, top, one], 1)
    if tables > 1:
        two = written(2, file_entry(2, 5, b"version 2, edited", 17))
        three = written(3, file_entry(3, 5, b"another", 7))
        top = written(1, root(("f", 2), ("g", 3)))
        close([0, top, two, three], 2)
    if tables > 2:
        top = written(1, root(("f", 2, DELETED), ("g", 3)))
        close([0, top, UNUSED, three], 1)
    disc.end = disc.start + place
    return disc, found


def data_of(disc, end=None):
    """The image up to the end of what was written, as a drive would show a disc that is not full."""
    return disc.finish()[: (disc.end if end is None else end) * 2048]


def rewritable(*entries, tables=(220, 240), revision=0x0150):
    """A rewritable disc in packets of 32 blocks, with two tables; files in packets 0, 1 and 2."""
    disc = UdfDisc(maps=(), revision=revision, start=320, count=900)
    disc.access = 3
    disc.anchors = (256, 899)
    disc.root(("a", 2), ("b", 40), ("big", 3))
    disc.file(2, b"in packet 0")
    disc.file(40, b"in packet 1")
    for block in range(32 * 3):
        if block >= 41:
            disc.put_logical(block, f"[{block}]".encode() * 100)
    disc.allocated(3, short_ad(40 * 2048, 50), 40 * 2048, 0)
    disc.counts = (3, 1)
    disc.tables, disc.entries = tables, entries
    return disc


def sparable(disc, change=None):
    """The image with a sparable map instead of the type 1 map, and its tables."""
    original = disc.descriptors

    def descriptors(first):
        found = original(first)
        logical = bytearray(found[3])
        one = sparable_map(PACKET, *disc.tables)
        logical[440:] = one
        struct.pack_into("<II", logical, 264, len(one), 1)
        struct.pack_into("<H", logical, 10, len(logical) - 16)
        found[3] = retag(logical)
        return found

    disc.descriptors = descriptors
    for location in disc.tables:
        disc.put(location, sparing_table(location, *disc.entries))
    data = bytearray(disc.finish())
    if change:
        change(data)
    return bytes(data)


def move_packet(data, disc, packet, place):
    """Put a packet of the partition at another place of the disc, and noise where it was."""
    size = PACKET * 2048
    old = (disc.start + packet) * 2048
    data[place * 2048 : place * 2048 + size] = data[old : old + size]
    data[old : old + size] = b"\xee" * size


def with_metadata(flags=1, runs=MAIN_RUNS, mirror=MIRROR_RUNS, many=0, revision=0x0250):
    """A disc whose file entries are in a metadata file in two pieces, and again in its mirror."""
    disc = UdfDisc(maps=(metadata_map(MAIN_AT, MIRROR_AT, flags=flags),), set_partition=1, revision=revision)
    disc.anchors = (256, 699)
    blocks = {0: disc.file_set()}
    names = [("a", 2), ("d", 3, DIRECTORY), ("b", 5)]
    body = parent_identifier(1, 1, 1) + b"".join(file_identifier(1, *name, partition=1) for name in names)
    blocks[1] = file_entry(1, 4, body, len(body), extended=True)
    blocks[2] = file_entry(2, 5, b"embedded", 8, extended=True)
    body = b""
    for number in range(many + 1):
        made = file_identifier(6 + len(body) // 2048, f"file number {number:04d}", 5, partition=1)
        body += made if number else parent_identifier(6, 1, 1)
    count = -(-len(body) // 2048)
    blocks[3] = file_entry(3, 4, short_ad(len(body), 6), len(body), form=0, extended=True)
    for number in range(count):
        blocks[6 + number] = body[number * 2048 : (number + 1) * 2048]
    blocks[5] = file_entry(5, 5, long_ad(3000, 100, 0), 3000, form=1, extended=True)
    disc.put_logical(100, b"outside" * 600)
    for pieces in (runs, mirror):
        places = [first + number for first, length in pieces for number in range(length)]
        for number, content in blocks.items():
            disc.put_logical(places[number], content)
    for place, kind, pieces in ((MAIN_AT, 250, runs), (MIRROR_AT, 251, mirror)):
        total = sum(length for _first, length in pieces) * 2048
        allocation = b"".join(short_ad(length * 2048, first) for first, length in pieces)
        disc.put_logical(place, file_entry(place, kind, allocation, total, form=0, extended=True))
    disc.counts = (2 + many, 2)
    disc.places = {(1, 0): disc.start + runs[0][0]}
    return disc

"""UDF on write-once discs: virtual allocation tables, their generations and sessions."""

import struct

import pytest

from acquire.image import MemoryImage
from acquire.toc import Disc, Session, Track, TrackMode
from analyze.udf.volume import open_volumes
from tests.analyze.udf_disc import (
    UNUSED,
    attribute_space,
    dstring,
    file_entry,
    file_identifier,
    implementation_attribute,
    parent_identifier,
    short_ad,
    vat,
    vat_content,
)
from tests.analyze.udf_media import (
    data_of,
    write_once,
)
from tests.analyze.udf_walked import Walked

DIRECTORY, DELETED = 2, 4


# Virtual allocation tables ------------------------------------------------------------------------


@pytest.mark.parametrize("revision", [0x0150, 0x0200, 0x0201, 0x0250, 0x0260])
def test_the_newest_table_is_the_state_of_the_disc(revision):
    """UDF 2.2.11, UDF 1.50 2.2.10: the table in the last block leads to the newest versions."""
    disc, tables = write_once(revision)
    found = Walked(data_of(disc))
    assert found.anomalies == []
    assert (found.live, found.deleted) == (["/g"], ["/f"])
    assert found.read("/g") == b"another"
    assert found.entries["/f"].attributes == {"file_entry": "gone"}
    assert [row["kind"] for row in found.info.attributes["partitions"]] == ["physical", "virtual"]
    assert [generation.block for generation in found.volume.generations] == tables[::-1]
    assert found.info.label == ("By hand" if revision < 0x0200 else "State 2")
    assert found.info.attributes["vat"]["generations"] == 3
    assert found.info.attributes["vat"]["lba"] == tables[-1]


@pytest.mark.parametrize("revision", [0x0150, 0x0201])
def test_earlier_tables_are_earlier_states(revision):
    """Each generation is a volume of its own: as the disc was when that table was the last."""
    disc, tables = write_once(revision)
    image = MemoryImage(data_of(disc))
    (volume,) = list(open_volumes(image, 0, None, 0))
    generations = volume.generations
    assert [g.number for g in generations] == [0, 1, 2]
    assert [g.lba for g in generations] == tables[::-1]
    assert [g.entries for g in generations] == [4, 4, 3]
    assert generations[-1].previous is None
    assert generations[0].recorded.iso() == "2024-02-29T13:05:07.123456+02:00"
    if revision >= 0x0200:
        assert [(g.label, g.files, g.directories) for g in generations] == [
            ("State 2", 1, 1),
            ("State 1", 2, 1),
            ("State 0", 1, 1),
        ]
    middle, first = (Walked(image, volume=volume.generation(number, 7)) for number in (1, 2))
    assert (middle.live, first.live) == (["/f", "/g"], ["/f"])
    assert middle.read("/f") == b"version 2, edited"
    assert first.read("/f") == b"version 1"
    assert middle.anomalies == first.anomalies == []
    assert first.info.ordinal == first.all[0].volume == 7
    assert first.info.attributes["vat"]["generation"] == 2


def test_a_disc_that_was_not_closed_again():
    """Data after the last table, and no table for it: the last one is searched for, and counts."""
    disc, tables = write_once()
    data = data_of(disc) + bytes(2048) * 3 + b"\xa5" * 2048 * 2000
    found = Walked(data)
    assert found.live == ["/g"]
    assert found.codes == ["udf-vat-position"]
    assert found.anomalies[0].seen == f"block {tables[-1]}"


def test_a_damaged_last_table():
    """A wrong CRC: the newest table counts all the same, and its damage is said."""
    disc, tables = write_once()
    data = bytearray(data_of(disc))
    data[tables[-1] * 2048 + 300] ^= 1
    found = Walked(bytes(data))
    assert found.codes == ["udf-tag-crc"]
    assert found.live == ["/g"]


def test_a_lost_last_table():
    """The last table is something else: the one before it counts."""
    disc, tables = write_once()
    data = bytearray(data_of(disc))
    data[tables[-1] * 2048 : (tables[-1] + 1) * 2048] = b"\xa5" * 2048
    found = Walked(bytes(data))
    assert found.live == ["/f", "/g"]
    assert found.codes == ["udf-vat-position"]


def test_a_table_of_another_volume_is_passed_over():
    """A table whose tag names another place (of a later session with its own partition) is not this one's."""
    disc, tables = write_once()
    foreign = vat(5, [0, 0, 0])
    data = data_of(disc) + foreign.ljust(2048, b"\0")
    found = Walked(data)
    assert found.live == ["/g"]
    assert found.volume.generations[0].block == tables[-1]
    # … but it is better than none.
    data = bytearray(data)
    for block in tables:
        data[block * 2048 : (block + 1) * 2048] = bytes(2048)
    assert "udf-tag-location" in Walked(bytes(data)).codes


def test_no_table_at_all():
    """Without a table nothing has an address; what can be found by scanning is."""
    disc, tables = write_once()
    data = bytearray(data_of(disc))
    for block in tables:
        data[block * 2048 : (block + 1) * 2048] = bytes(2048)
    found = Walked(bytes(data))
    assert found.all == []
    assert {"udf-vat", "udf-root"} <= set(found.codes)


@pytest.mark.parametrize("previous", [2, 9999, 8])
def test_a_chain_of_tables_that_is_broken(previous):
    """The previous location leads to something else, past the end, or forward: the chain ends there."""
    disc, _tables = write_once(tables=1)
    place = disc.end - disc.start
    disc.put_logical(place, vat(place, [0, 2, 1], previous))
    disc.end += 1
    found = Walked(data_of(disc))
    assert found.live == ["/f"]
    assert "udf-vat-chain" in found.codes
    assert len(found.volume.generations) == 1


def test_a_large_table_outside_its_file_entry():
    """A table of many addresses has its content in extents, of the physical partition."""
    disc, _tables = write_once(tables=1)
    addresses = [0, 2, 1] + [UNUSED] * 3000
    content = vat_content(addresses)
    place = disc.end - disc.start
    disc.put_logical(place, content)
    count = -(-len(content) // 2048)
    allocation = short_ad(4096, place) + short_ad(len(content) - 4096, place + 2)
    entry = file_entry(place + count, 248, allocation, len(content), form=0, extended=True)
    disc.put_logical(place + count, entry)
    disc.end += count + 1
    found = Walked(data_of(disc))
    assert found.live == ["/f"]
    assert found.volume.generations[0].entries == 3003


def test_a_table_of_1_50_with_extended_attributes():
    """UDF 1.50 errata DCN 5003: label and counts in an attribute of the table's file entry."""
    disc, _tables = write_once(0x0150, tables=1)
    extension = struct.pack("<HQII", 0, 0, 1, 1) + dstring("Later name", 128)
    space = attribute_space(
        disc.end - disc.start, implementation_attribute("*UDF VAT LVExtension", extension)
    )
    place = disc.end - disc.start
    content = vat_content([0, 2, 1], revision=0x0150)
    disc.put_logical(place, file_entry(place, 0, content, len(content), attributes=space))
    disc.end += 1
    found = Walked(data_of(disc))
    assert found.info.label == "Later name"
    assert (found.volume.generations[0].files, found.volume.generations[0].directories) == (1, 1)
    assert found.live == ["/f"]


def test_virtual_addresses_that_lead_nowhere():
    """Past the table, or unused in it: an anomaly of the entry that has the address."""
    disc, _tables = write_once(tables=1)
    body = parent_identifier(1, 1, 1) + file_identifier(1, "past", 50, partition=1)
    body += file_identifier(1, "unused", 3, partition=1)
    place = disc.end - disc.start
    disc.put_logical(place, file_entry(1, 4, body, len(body)))
    disc.put_logical(place + 1, vat(place + 1, [0, place, 1, UNUSED], counts=(2, 1)))
    disc.end += 2
    found = Walked(data_of(disc))
    assert found.live == ["/past", "/unused"]
    assert found.codes == ["udf-vat-entry", "udf-vat-entry"]
    assert [anomaly.path for anomaly in found.anomalies] == ["/past", "/unused"]


def with_sessions(data, *starts):
    """The image with a table of contents of one data track a session."""
    ends = [*starts[1:], -(-len(data) // 2048)]
    sessions = tuple(
        Session(number, start, end - start, (Track(number, number, TrackMode.MODE1, start, end - start),))
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    )
    return MemoryImage(data, disc=Disc(sessions, recorded=True))


def test_each_session_shows_its_own_state():
    """Sessions that only add data and a table: the anchors of the first lead to each one's state."""
    disc, tables = write_once()
    image = with_sessions(data_of(disc), 0, tables[0] + 1, tables[1] + 1)
    states = []
    for number, start in ((1, 0), (2, tables[0] + 1), (3, tables[1] + 1)):
        (volume,) = list(open_volumes(image, start, number, 0))
        found = Walked(image, volume=volume)
        assert found.anomalies == []
        assert found.info.session == number
        states.append(found.live)
    assert states == [["/f"], ["/f", "/g"], ["/g"]]


def test_a_later_session_without_udf_is_none():
    """A session that holds no table of the volume before it is no state of it."""
    disc, tables = write_once()
    data = data_of(disc)
    image = with_sessions(data + bytes(2048 * 300), 0, len(data) // 2048)
    assert list(open_volumes(image, len(data) // 2048, 2, 0)) == []
    (volume,) = list(open_volumes(image, 0, 1, 0))
    assert volume.generations[0].block == tables[-1]
    assert Walked(image, volume=volume).anomalies == []

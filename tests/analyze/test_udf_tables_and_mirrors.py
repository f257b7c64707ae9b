"""Virtual allocation tables, sparing tables and metadata mirrors, each entry by hand."""

import struct

import pytest

from acquire.image import MemoryImage
from analyze.udf.volume import open_volumes
from tests.analyze.udf_disc import UNUSED
from tests.analyze.udf_media import (
    MAIN_AT,
    MAIN_RUNS,
    MIRROR_AT,
    MIRROR_RUNS,
    data_of,
    move_packet,
    rewritable,
    sparable,
    with_metadata,
    write_once,
)
from tests.analyze.udf_walked import Walked

START = 272
DEFECTIVE = 0xFFFFFFF0
"""UDF 2.2.12: the mapped location of a packet that is itself defective."""
FILES = {"/a": b"in packet 0", "/b": b"in packet 1"}
STATES = (
    (["/f"], {"/f": b"version 1"}),
    (["/f", "/g"], {"/f": b"version 2, edited", "/g": b"another"}),
    (["/g"], {"/g": b"another"}),
)
"""What `write_once` writes, by the number of tables that were closed."""


# Virtual allocation tables (UDF 2.2.11; UDF 1.50 2.2.10) ------------------------------------------


@pytest.mark.parametrize("tables", [1, 2, 3])
@pytest.mark.parametrize("revision", [0x0150, 0x0200, 0x0201, 0x0250, 0x0260])
def test_a_disc_closed_so_many_times(revision, tables):
    """Each closing leaves a table; the newest is the disc, and the number of generations is theirs."""
    disc, blocks = write_once(revision, tables)
    found = Walked(data_of(disc))
    live, contents = STATES[tables - 1]
    assert found.live == live
    for path, content in contents.items():
        assert found.read(path) == content
    assert [generation.block for generation in found.volume.generations] == blocks[::-1]
    assert found.anomalies == []


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("revision", [0x0150, 0x0200, 0x0201, 0x0250, 0x0260])
def test_each_generation_by_itself(revision, number):
    """Generation 0 is the newest; each shows the names and contents of its time."""
    disc, blocks = write_once(revision)
    image = MemoryImage(data_of(disc))
    (volume,) = list(open_volumes(image, 0, None, 0))
    found = Walked(image, volume=volume.generation(number, 0))
    live, contents = STATES[2 - number]
    assert found.live == live
    for path, content in contents.items():
        assert found.read(path) == content
    assert volume.generations[number].block == blocks[2 - number]


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("revision", [0x0150, 0x0201])
def test_an_image_that_ends_with_an_earlier_table(revision, number):
    """The table in the last block counts (UDF 2.2.11): cut there, the disc is as it was then."""
    disc, blocks = write_once(revision)
    found = Walked(data_of(disc, blocks[number] + 1))
    assert found.live == STATES[number][0]
    assert len(found.volume.generations) == number + 1
    assert found.anomalies == []


@pytest.mark.parametrize("more", [1, 2, 7, 150])
@pytest.mark.parametrize("revision", [0x0150, 0x0201])
def test_a_table_before_blocks_that_were_not_written(revision, more):
    """Empty blocks after the last table cost nothing but an anomaly about its position."""
    disc, _blocks = write_once(revision)
    found = Walked(data_of(disc) + bytes(2048 * more))
    assert found.live == STATES[2][0]
    assert found.codes == ["udf-vat-position"]
    (anomaly,) = found.anomalies
    assert anomaly.expected == f"block {disc.end + more - 1}"


@pytest.mark.parametrize("revision", [0x0150, 0x0201])
@pytest.mark.parametrize("lost", [1, 2])
def test_the_newest_tables_are_lost(revision, lost):
    """Without them, the one before is the state of the disc, and not in the last block."""
    disc, blocks = write_once(revision)
    data = bytearray(data_of(disc))
    for block in blocks[3 - lost :]:
        data[block * 2048 : (block + 1) * 2048] = bytes(2048)
    found = Walked(data)
    assert found.live == STATES[2 - lost][0]
    assert found.codes == ["udf-vat-position"]


def test_tables_of_1_50_state_no_counts():
    """UDF 1.50 2.2.10: the table is addresses, an identifier and the table before; 2.00 states more."""
    for revision, stated in ((0x0150, [None] * 3), (0x0201, ["State 2", "State 1", "State 0"])):
        disc, _blocks = write_once(revision)
        found = Walked(data_of(disc))
        assert [generation.label for generation in found.volume.generations] == stated
        assert [generation.entries for generation in found.volume.generations] == [4, 4, 3]


# Sparing tables (UDF 2.2.12) ----------------------------------------------------------------------


@pytest.mark.parametrize("packet", [0, 1, 2])
@pytest.mark.parametrize("place", [600, 640, 832])
def test_each_packet_replaced_by_itself(packet, place):
    """The packet is read at its mapped location; noise stands where it was."""
    disc = rewritable((32 * packet, place))
    found = Walked(sparable(disc, lambda data: move_packet(data, disc, 32 * packet, place)))
    for path, content in FILES.items():
        assert found.read(path) == content
    assert found.info.attributes["partitions"][0]["packets_replaced"] == 1
    assert found.anomalies == []


@pytest.mark.parametrize("original", [UNUSED, DEFECTIVE])
@pytest.mark.parametrize("number", [1, 2, 20])
def test_entries_that_replace_nothing(original, number):
    """Available (0xFFFFFFFF) and defective (0xFFFFFFF0) entries map no packet, however many there are."""
    disc = rewritable(*((original, 600 + 32 * (each % 4)) for each in range(number)))
    found = Walked(sparable(disc))
    for path, content in FILES.items():
        assert found.read(path) == content
    assert found.info.attributes["partitions"][0]["packets_replaced"] == 0
    assert found.anomalies == []


@pytest.mark.parametrize("entry", [(1, 600), (31, 600), (33, 600), (0, 899), (0, 900), (0, 0x7FFFFFFF)])
def test_entries_that_cannot_be(entry):
    """An original that begins no packet, or a place past the end, is an anomaly and is not followed."""
    found = Walked(sparable(rewritable(entry)))
    for path, content in FILES.items():
        assert found.read(path) == content
    assert set(found.codes) == {"udf-sparing"}


@pytest.mark.parametrize("lost", [220, 240])
@pytest.mark.parametrize("damage", [bytes(2048), b"\xa5" * 2048])
def test_either_copy_of_the_table_is_enough(lost, damage):
    """UDF 2.2.9: up to four copies; the sound one is used, the other said to be lost."""
    disc = rewritable((32, 600))

    def change(data):
        move_packet(data, disc, 32, 600)
        data[lost * 2048 : (lost + 1) * 2048] = damage

    found = Walked(sparable(disc, change))
    assert found.read("/b") == b"in packet 1"
    assert set(found.codes) == {"udf-sparing"}


# Metadata partitions (UDF 2.2.10, 2.2.13) ---------------------------------------------------------


def places(runs):
    """The absolute blocks of a metadata file, in order."""
    return [START + first + number for first, length in runs for number in range(length)]


def check_metadata(found):
    """All three files are as they were written."""
    assert found.live == ["/a", "/d", "/b"]
    assert found.read("/a") == b"embedded"
    assert found.read("/b") == (b"outside" * 600)[:3000]


def wiped(data, blocks, fill=0):
    """The image with these blocks filled."""
    data = bytearray(data)
    for block in blocks:
        data[block * 2048 : (block + 1) * 2048] = bytes((fill,)) * 2048
    return data


@pytest.mark.parametrize("revision", [0x0250, 0x0260])
def test_a_metadata_file_in_pieces(revision):
    """UDF 2.2.13.1: file entries are at blocks of the metadata file, content outside it."""
    found = Walked(with_metadata(revision=revision).finish())
    check_metadata(found)
    assert found.anomalies == []
    assert found.entries["/a"].inode == places(MAIN_RUNS)[2]


@pytest.mark.parametrize("fill", [0, 0xA5, 0xFF])
@pytest.mark.parametrize("block", [0, 1, 2, 3, 5])
def test_each_block_of_the_main_file_lost(block, fill):
    """UDF 2.2.13: the mirror has the same structure at the same address, and it is said to be used."""
    found = Walked(wiped(with_metadata().finish(), [places(MAIN_RUNS)[block]], fill))
    check_metadata(found)
    assert "udf-metadata-mirror-used" in found.codes


@pytest.mark.parametrize("fill", [0, 0xA5])
def test_the_mirror_lost_costs_nothing(fill):
    """The main file is enough."""
    check_metadata(Walked(wiped(with_metadata().finish(), places(MIRROR_RUNS), fill)))


@pytest.mark.parametrize(("lost", "runs"), [(MAIN_AT, MIRROR_RUNS), (MIRROR_AT, MAIN_RUNS)])
def test_one_of_the_two_file_entries_lost(lost, runs):
    """4/14.9, UDF 2.2.13: what the other file entry gives is read, and the loss is an anomaly."""
    found = Walked(wiped(with_metadata().finish(), [START + lost]))
    check_metadata(found)
    assert found.entries["/a"].inode == places(runs)[2]
    assert "udf-metadata" in found.codes


def test_a_flipped_bit_in_the_main_file_is_found_in_the_mirror_or_said():
    """3/7.2: whichever copy is used, the damage of the main one is an anomaly, and the content is right."""
    sound = with_metadata().finish()
    for at in (0, 4, 8, 12, 20, 56, 100, 216):
        data = bytearray(sound)
        data[places(MAIN_RUNS)[2] * 2048 + at] ^= 1
        found = Walked(data)
        assert found.codes
        if at != 216:
            assert found.live == ["/a", "/d", "/b"]


@pytest.mark.parametrize("kind", [250, 251])
def test_the_file_types_of_metadata_files(kind):
    """UDF 2.2.13.1: 250 is the metadata file, 251 its mirror; each stands where the map says."""
    data = with_metadata().finish()
    at = (START + (MAIN_AT if kind == 250 else MIRROR_AT)) * 2048
    assert struct.unpack_from("<H", data, at) == (266,)
    assert data[at + 27] == kind
    assert Walked(data).anomalies == []

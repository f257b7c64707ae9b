"""UDF volumes made by hand: directories, damaged ones too, and what is deleted."""

import pytest

from tests.analyze.udf_disc import (
    UdfDisc,
    file_identifier,
    parent_identifier,
    short_ad,
)
from tests.analyze.udf_walked import Walked

HIDDEN, DIRECTORY, DELETED, METADATA = 1, 2, 4, 16
"""4/14.4.3."""


def walked(disc):
    """Finish and walk a disc whose counts nobody checks."""
    disc.closed = False
    return Walked(disc.finish())


# Directories --------------------------------------------------------------------------------------


def directory_disc(identifiers, extents, *, size=2048):
    """A root directory whose identifiers (functions of their block's address) lie in these extents."""
    disc = UdfDisc(size=size)
    body = b""
    places = [block for length, first in extents for block in range(first, first + -(-length // size))]
    for make in (lambda location: parent_identifier(location, 1), *identifiers):
        body += make(places[len(body) // size])
    position = 0
    for length, first in extents:
        disc.put_logical(first, body[position : position + length])
        position += length
    assert position >= len(body)
    allocation = b"".join(short_ad(length, first) for length, first in extents)
    disc.allocated(1, allocation, len(body), 0, file_type=4)
    return disc


@pytest.mark.parametrize("size", [512, 2048])
def test_a_directory_longer_than_a_block(size):
    """4/8.6: identifiers follow each other across blocks and extents, and may lie in two of them."""
    names = [f"file number {number:03d} with a name of some length.txt" for number in range(300)]

    def identifier(name):
        return lambda location: file_identifier(location, name, 2)

    count = -(-300 * 100 // size) + 2
    third = count // 3 * size
    extents = [(third, 150), (third, 20), (third, 100), (4 * size, 300)]
    disc = directory_disc([identifier(name) for name in names], extents, size=size)
    disc.file(2, b"x")
    found = walked(disc)
    assert found.live == [f"/{name}" for name in names]
    assert found.anomalies == []


def test_a_directory_that_ends_on_the_last_byte_of_a_block():
    """The last identifier is not lost where directory and block end together."""
    first = [("a" * 100, 2)] * 13

    def identifier(name, use=b""):
        return lambda location: file_identifier(location, name, 2, use=use)

    used = 40 + 13 * 140
    rest = 2048 - used - 40
    disc = directory_disc(
        [identifier(name) for name, _icb in first] + [identifier("z", bytes(rest))], [(2048, 30)]
    )
    disc.file(2, b"x")
    found = walked(disc)
    assert len(found.live) == 14
    assert found.live[-1] == "/z"
    assert found.anomalies == []


def test_implementation_use_of_an_identifier_is_passed_over():
    """4/14.4.7: up to 64 KiB between the fixed part and the name, across stretches of reading."""

    def identifier(name, length):
        return lambda location: file_identifier(location, name, 2, use=bytes(length))

    many = [identifier(f"n{number}", 60000) for number in range(12)]
    disc = directory_disc(many, [(800_000, 3)])
    disc.anchors = (256, disc.count - 1)
    disc.file(2, b"x")
    found = walked(disc)
    assert found.live == [f"/n{number}" for number in range(12)]
    assert found.anomalies == []


def test_where_identifiers_stand():
    """record_lba and record_offset are the identifier's own place, in every extent of a directory."""
    identifiers = [lambda location, n=n: file_identifier(location, f"name-{n:04d}", 2) for n in range(120)]
    disc = directory_disc(identifiers, [(2048, 30), (2048, 50), (4096, 20)])
    disc.file(2, b"x")
    data = disc.finish()
    found = walked(disc)
    for entry in found.all:
        at = entry.record_lba * 2048 + entry.record_offset
        assert data[at : at + 2] == b"\x01\x01"
        if at % 2048 < 1900:
            assert entry.name.encode() in data[at : at + 60]


def test_the_parent_comes_first_and_is_the_parent():
    """4/8.6: anything else is an anomaly, and nothing is lost for it."""
    disc = UdfDisc()
    disc.file(1, file_identifier(1, "d", 2, DIRECTORY) + parent_identifier(1, 1), file_type=4)
    disc.directory(2, 77, ("f", 3))
    disc.file(3, b"x")
    found = walked(disc)
    assert found.live == ["/d", "/d/f"]
    assert found.codes == ["udf-parent"] * 3
    assert [anomaly.path for anomaly in found.anomalies] == ["/", "/", "/d"]


def test_directories_that_contain_themselves_or_each_other():
    """A directory is listed once, wherever it is reached again."""
    disc = UdfDisc()
    disc.root(("me", 1, DIRECTORY), ("a", 2, DIRECTORY))
    disc.directory(2, 1, ("b", 3, DIRECTORY), ("f", 4))
    disc.directory(3, 2, ("a again", 2, DIRECTORY))
    disc.file(4, b"x")
    found = walked(disc)
    assert sorted(found.live) == ["/a", "/a/b", "/a/b/a again", "/a/f", "/me"]
    assert found.codes == ["udf-loop", "udf-loop"]


def test_noise_between_identifiers_costs_nothing_but_itself():
    """Bytes that are no identifier are passed over to the next one that is, and reported by length."""
    disc = UdfDisc()
    disc.root(("a", 2), b"\xa5" * 100, ("b", 2), bytes(64), ("c", 2), b"\x01\x01\x03\x00 no tag at all.")
    disc.file(2, b"x")
    found = walked(disc)
    assert found.live == ["/a", "/b", "/c"]
    assert found.codes == ["udf-identifier"] * 3
    assert [anomaly.seen for anomaly in found.anomalies] == ["100 bytes", "64 bytes", "19 bytes"]
    assert found.anomalies[0].lba == disc.start + 1
    assert found.anomalies[0].offset == 176 + 40 + 40


@pytest.mark.parametrize("byte", [*range(38), 40])
def test_one_damaged_byte_in_an_identifier_costs_no_other_one(byte):
    """Whatever byte of an identifier is changed, those before and after it are listed."""
    disc = UdfDisc()
    disc.root(("first", 2), ("second", 2), ("third", 2))
    disc.file(2, b"x")
    at = (disc.start + 1) * 2048 + 176 + 40 + 44
    assert disc.data[at : at + 2] == b"\x01\x01"
    disc.data[at + byte] ^= 0x10
    found = walked(disc)
    names = [entry.name for entry in found.all if entry.name_raw is None]
    assert {"first", "third"} <= set(names)
    assert len(found.all) == 3
    assert found.anomalies or byte == 5


def test_a_directory_in_holes_or_past_the_image():
    """Parts of a directory that are not recorded, or not in the image, are said to be missing."""
    disc = UdfDisc()
    body = parent_identifier(20, 1) + file_identifier(20, "a", 2)
    disc.put_logical(20, body)
    allocation = short_ad(2048, 20) + short_ad(2048, 0, kind=2) + short_ad(2048, 426)
    disc.allocated(1, allocation, 6144, 0, file_type=4)
    disc.file(2, b"x")
    disc.closed = False
    found = Walked(disc.finish()[: (272 + 426) * 2048 + 1000])
    assert found.live == ["/a"]
    assert {"udf-identifier", "udf-outside"} <= set(found.codes)


def test_a_path_that_is_too_long_ends_with_an_anomaly():
    """UDF 2.3.12: at 4,096 characters no directory is listed any more, but named."""
    disc = UdfDisc(count=900)
    for level in range(40):
        disc.directory(1 + level, max(level, 1), ("n" * 200, 2 + level, DIRECTORY))
    disc.directory(41, 40)
    found = walked(disc)
    assert "udf-limit" in found.codes
    assert len(found.live) == 21


# Deleted entries ----------------------------------------------------------------------------------


def test_deleted_entries_with_what_is_left_of_them():
    """4/14.4.3: names with the deleted bit come last, with their file entry if it is still theirs."""
    disc = UdfDisc()
    disc.root(
        ("kept", 2),
        ("with icb", 3, DELETED),
        file_identifier(1, "no icb", 0, DELETED, length=0),
        ("reused", 2, DELETED),
        ("gone", 40, DELETED),
        file_identifier(1, "other id", 4, DELETED, unique_id=999),
        file_identifier(1, b"\xfeshaded", 5, DELETED),
        ("emptied", 6, DELETED),
    )
    disc.file(2, b"live", unique_id=16)
    disc.file(3, b"still here", unique_id=17)
    disc.file(4, b"somebody", unique_id=18)
    disc.file(5, b"five", unique_id=19)
    disc.file(6, b"", links=0, unique_id=20)
    disc.counts = (1, 1)
    found = Walked(disc.finish())
    assert found.anomalies == []
    assert found.live == ["/kept"]
    assert found.deleted == [
        f"/{n}" for n in ("with icb", "no icb", "reused", "gone", "other id", "shaded", "emptied")
    ]
    states = {entry.name: entry.attributes["file_entry"] for entry in found.all if entry.deleted}
    assert states == {
        "with icb": "present",
        "no icb": "none",
        "reused": "reused",
        "gone": "gone",
        "other id": "reused",
        "shaded": "present",
        "emptied": "emptied",
    }
    assert found.read("/with icb") == b"still here"
    assert found.entries["/with icb"].attributes["unique_id"] == 17
    assert found.read("/shaded") == b"five"
    for name in ("no icb", "reused", "gone", "other id", "emptied"):
        assert found.entries[f"/{name}"].streams == ()


def test_what_is_overwritten_of_a_deleted_file_is_counted():
    """Bytes of a deleted file that live files claim now."""
    disc = UdfDisc()
    disc.root(("old", 2, DELETED), ("new", 3))
    disc.allocated(2, short_ad(4 * 2048, 20), 4 * 2048, 0)
    disc.allocated(3, short_ad(3000, 22), 3000, 0)
    found = walked(disc)
    assert found.entries["/old"].attributes["overwritten_bytes"] == 3000
    assert found.stream("/old").size_bytes == 4 * 2048


def test_a_deleted_directory_still_lists_its_entries():
    """Everything below a deleted directory is deleted, whatever its own bit says."""
    disc = UdfDisc()
    disc.root(("d", 2, DIRECTORY | DELETED), ("f", 6))
    disc.directory(2, 1, ("in", 3), ("sub", 4, DIRECTORY), ("was", 5, DELETED))
    disc.file(3, b"three")
    disc.directory(4, 2, ("deep", 5))
    disc.file(5, b"five")
    disc.file(6, b"six")
    disc.counts = (1, 1)
    found = Walked(disc.finish())
    assert found.live == ["/f"]
    assert sorted(found.deleted) == ["/d", "/d/in", "/d/sub", "/d/sub/deep", "/d/was"]
    assert found.read("/d/sub/deep") == b"five"
    assert found.entries["/d/sub/deep"].parent == found.entries["/d/sub"].ordinal
    assert found.anomalies == []


def test_a_deleted_directory_in_itself_ends():
    """Deleted directories are listed once, too."""
    disc = UdfDisc()
    disc.root(("d", 2, DIRECTORY | DELETED))
    disc.directory(2, 1, ("d", 2, DIRECTORY), ("x", 2, DIRECTORY | DELETED))
    found = walked(disc)
    assert sorted(found.deleted) == ["/d", "/d/d", "/d/x"]

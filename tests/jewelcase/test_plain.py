"""Nouns as JSON: nothing is lost, nothing is turned into something else."""

import json
from pathlib import Path

import pytest

from acquire.geometry import HOLE, Extent
from acquire.toc import single_track
from analyze.entry import Entry, EntryKind, Stream
from analyze.timestamp import Timestamp
from jewelcase.plain import plain


def test_an_entry_keeps_every_field_under_its_own_name():
    """Times as recorded with their offset, bytes in hexadecimal, extents with their places, None as null."""
    entry = Entry(
        volume=1,
        ordinal=7,
        parent=None,
        path="/a\\x1bb",
        name="a\\x1bb",
        kind=EntryKind.FILE,
        size_bytes=5000,
        streams=(Stream("", 5000, (Extent(100, 2048), Extent(HOLE, 904), Extent(7, 2048, 512))),),
        modified=Timestamp(2004, 10, 21, 13, 5, 0, offset_minutes=120),
        name_raw=b"a\x1bb",
        attributes={"lba": 3, 4: ("x", None)},
    )
    value = json.loads(json.dumps(plain(entry)))
    assert set(value) == set(Entry._fields)
    assert value["kind"] == "file"
    assert value["modified"] == "2004-10-21T13:05:00+02:00"
    assert value["created"] is None
    assert value["name_raw"] == "611b62"
    assert value["attributes"] == {"lba": 3, "4": ["x", None]}
    assert value["streams"] == [
        {
            "name": "",
            "size_bytes": 5000,
            "extents": [
                {"start_lba": 100, "length_bytes": 2048, "offset_bytes": 0},
                {"start_lba": -1, "length_bytes": 904, "offset_bytes": 0},
                {"start_lba": 7, "length_bytes": 2048, "offset_bytes": 512},
            ],
        }
    ]


def test_a_disc_nests():
    """Sessions hold tracks; a mode is its word; a path is its text; truth values stay what they are."""
    value = json.loads(json.dumps(plain([single_track(300), Path("/a/b"), True, 1.5])))
    assert value[0]["recorded"] is False
    assert value[0]["sessions"][0]["tracks"][0]["mode"] == "DATA"
    assert value[0]["sessions"][0]["tracks"][0]["length_sectors"] == 300
    assert value[1:] == ["/a/b", True, 1.5]


def test_what_has_no_plain_form_is_a_fault_of_ours():
    """An object that nobody thought of is refused, not written as its repr."""
    with pytest.raises(TypeError, match="object has no plain form"):
        plain({"a": object()})

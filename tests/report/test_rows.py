"""The lines of the long tables say what is special about an entry or a place, and no more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report.model import FindingView, StreamView
from report.rows import batches, entry_notes, entry_place, entry_times, lines, table_rows, where
from report.tree import Part
from tests.report.page import read_page
from tests.report.test_statements import exhibit
from tests.report.test_tree import entry

NO_TIMES = (None,) * 8
NO_DIGESTS = (None,) * 3


def file(**other):
    """A file `/a.txt` without anything special, with what the test changes."""
    return entry(7, "/a.txt")._replace(times=NO_TIMES, digests=NO_DIGESTS, **other)


@pytest.mark.parametrize(
    ("changed", "notes"),
    [
        ({}, ""),
        ({"deleted": 1, "hidden": 1}, "deleted · hidden"),
        ({"kind": "symlink", "link_target": "<b>"}, "symbolic link to &lt;b&gt;"),
        ({"kind": "symlink"}, "symbolic link to nothing recorded"),
        ({"kind": "device", "device": "8:1"}, "device 8:1"),
        ({"kind": "device"}, "device without number"),
        ({"kind": "other"}, "neither file, directory, link nor device"),
        ({"mode": 0o100644, "uid": 0, "gid": 100}, "-rw-r--r-- · owner 0:100"),
        ({"uid": 5}, "owner 5:–"),
        ({"links": 1}, ""),
        ({"links": 3}, "3 links"),
        ({"kind": "directory", "links": 3}, ""),
        ({"identifier": "A.TXT;1"}, "recorded as A.TXT;1"),
        ({"identifier": "a.txt"}, ""),
        ({"name_raw": b"\xffa"}, "bytes of the name ff 61"),
        (
            {"streams": (StreamView("resource", 9, "m", "s", "t", "complete"),)},
            "stream resource, 9 bytes: MD5 m, SHA-1 s, SHA-256 t",
        ),
        (
            {"streams": (StreamView("a\u202eb", None, None, None, None, "unread"),)},
            'stream a<span class="x">\\u202e</span>b: No digest: some sectors were not read',
        ),
    ],
)
def test_notes(changed, notes):
    assert entry_notes(file(**changed)) == notes


@pytest.mark.parametrize(
    ("start_lba", "extent_count", "place"),
    [(None, 0, ""), (22, 1, "22"), (22, 2, "22 +1 piece"), (22, 8, "22 +7 pieces"), (-1, 2, "hole +1 piece")],
)
def test_places(start_lba, extent_count, place):
    assert entry_place(file(start_lba=start_lba, extent_count=extent_count)) == place


def test_a_time_is_given_once_with_all_that_it_is_the_time_of():
    one, other = "2004-10-21T13:05:00+02:00", "2005-01-01T00:00:00"
    times = (one, other, None, one, one, other, None, None)
    assert entry_times(file()._replace(times=times)) == (
        "2004-10-21 13:05:00 +02:00 modified, attributes changed, recorded\n"
        "2005-01-01 00:00:00 created, backed up"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("truncated", "No digest: the content reaches past the end of the image"),
        ("unread", "No digest: some sectors were not read"),
        (None, "No digest: not digested"),
        ("<odd>", "No digest: <odd>"),
    ],
)
def test_why_there_is_no_digest(content, said):
    row = read_page(str(table_rows(Part("/", 1, 1, 1, [file(content=content)]))))
    assert row.one("td", "h").text() == said


def test_a_digest_that_someone_edited_is_text():
    edited = file(content="complete")._replace(digests=("<script>", None, "\u202e"))
    row = read_page(str(table_rows(Part("/", 1, 1, 1, [edited]))))
    assert row.one("td", "h").meant() == "MD5 <script>\nSHA-256 \u202e"
    assert row.all("script") == []


def test_an_entry_out_of_its_place_has_its_whole_path():
    row = read_page(str(table_rows(Part("/other", 1, 1, 1, [file()]))))
    assert row.one("th").text() == "/a.txt"


def test_the_place_of_a_finding():
    """LBA, length, the view by its title, and a link to the entry if it is in the database."""
    finding = FindingView(1, "c", "notice", "t", None, 16, 2048, 1, 7, "/a<b")
    assert where(finding, exhibit()) == (
        'LBA 16, 2,048 bytes, ISO 9660 “DISC”, <a class="path" href="#e7">/a&lt;b</a>'
    )
    assert where(finding._replace(entry_id=None, volume_id=99), exhibit()) == "LBA 16, 2,048 bytes, /a&lt;b"
    nowhere = finding._replace(lba=None, length_bytes=None, volume_id=None, path=None)
    assert where(nowhere, exhibit()) == ""


def test_prose_keeps_its_lines():
    assert lines("a <b>\nc\r\nd\u2028e") == "a &lt;b&gt;<br>c<br>d<br>e"
    assert lines("") == ""


@given(st.integers(0, 40), st.integers(1, 7))
def test_batches_number_their_items(count, most):
    cut = list(batches(range(count), most))
    assert [item for _, batch in cut for item in batch] == list(range(count))
    assert all(first == batch[0] + 1 and len(batch) <= most for first, batch in cut)

"""The collector: every noun becomes its row, whatever the evidence claims."""

import contextlib
import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acquire.containers import open_image
from acquire.geometry import Extent
from acquire.image import MemoryImage
from acquire.toc import Disc, Session, Track, TrackMode
from analyze.analysis import examine
from analyze.anomaly import Anomaly
from analyze.coverage import Coverage
from analyze.entry import Entry, EntryKind, Stream
from analyze.finding import Finding, Severity
from analyze.timestamp import Timestamp
from analyze.volume import VolumeInfo
from casefiles import collector as collector_module
from casefiles import query
from casefiles.case import Case
from casefiles.collector import ANOMALIES, Collected, Collector
from casefiles.schema import COLUMNS

TIME = Timestamp(2004, 10, 21, 13, 5, 0, 0, 120)
TIME_TEXT = "2004-10-21T13:05:00+02:00"
DISC = Disc(
    (
        Session(
            1,
            0,
            100,
            (Track(1, 1, TrackMode.AUDIO, 0, 60, 150, "DEABC0100001"), Track(1, 2, TrackMode.MODE1, 60, 40)),
        ),
        Session(2, 200, 50, (Track(2, 3, TrackMode.MODE2_FORM1, 200, 50),)),
    ),
    recorded=True,
)
WHOLE = Entry(
    0,
    0,
    None,
    "/sub",
    "sub",
    EntryKind.DIRECTORY,
    2048,
    (Stream("", 2048, (Extent(20, 2048),)),),
    True,
    TIME,
    TIME,
    TIME,
    TIME,
    TIME,
    TIME,
    TIME,
    TIME,
    0o40755,
    1000,
    100,
    2,
    77,
    "8:1",
    "target",
    True,
    3,
    "SUB;1",
    b"\xff\x00",
    19,
    34,
    {"note": "é", "list": [1]},
)


def info(ordinal: int = 0, kind: str = "iso9660") -> VolumeInfo:
    return VolumeInfo(
        ordinal, kind, "LABEL", 1, 0, 2048, 500, TIME, None, TIME, None, "SYS", "SET", "P", "Q", "A", {"x": 1}
    )


def file(volume: int, ordinal: int, parent: int | None, path: str, **more: object) -> Entry:
    size = more.pop("size_bytes", 5)
    streams = more.pop("streams", (Stream("", 5, (Extent(30, 5),)),))
    return Entry(volume, ordinal, parent, path, path.rsplit("/", 1)[1], EntryKind.FILE, size, streams, **more)


@pytest.fixture
def case(tmp_path):
    """A case with one exhibit that nobody acquired."""
    with Case.create(tmp_path / "case", number="1", examiner="E") as made:
        with made._store.log.transaction():
            made.database.insert("evidence", {"id": 1, "label": "E"})
        yield made


def collect(case: Case, *nouns: object) -> Collected:
    with case._store.log.transaction():
        return Collector(case.database, 1).collect(nouns)


def test_every_field_of_every_noun_is_in_its_column(case):
    """An entry with every field set: no column but the digests stays empty, and none is mixed up."""
    assert all(value is not None for value in WHOLE if value is not WHOLE.parent)
    made = collect(
        case,
        DISC,
        info(),
        WHOLE,
        Anomaly("iso-x", "message", 16, 8, "9.1.2", "seen", "expected", 0, "/sub"),
        Finding("f", Severity.WARNING, "title", "detail", 16, 4096, 0, "/sub"),
        Anomaly("disc", "of the whole disc"),
        Coverage((), 500),
    )
    assert made == Collected(1, 1, 2, 1, 0, 500)
    (row,) = query.entries(case, 1)
    expected = WHOLE._asdict() | {
        "id": 1,
        "volume_id": 1,
        "parent_id": None,
        "kind": "directory",
        "deleted": 1,
        "hidden": 1,
        "md5": None,
        "sha1": None,
        "sha256": None,
        "content": None,
    }
    expected |= {name: TIME_TEXT for name, value in expected.items() if value == TIME}
    assert {name: row[name] for name in COLUMNS["entries"]} == {
        name: expected[name] for name in COLUMNS["entries"]
    }
    assert query.extents(case, 1) == [
        {"entry_id": 1, "stream": "", "ordinal": 0, "start_lba": 20, "length_bytes": 2048, "offset_bytes": 0}
    ]
    (volume,) = query.volumes(case, 1)
    values = {"id": 1, "evidence_id": 1, **info()._asdict(), "created": TIME_TEXT, "expires": TIME_TEXT}
    assert volume == values
    one, other = query.anomalies(case, 1)
    assert one == {
        "id": 1,
        "evidence_id": 1,
        "volume_id": 1,
        "entry_id": 1,
        "code": "iso-x",
        "lba": 16,
        "offset": 8,
        "message": "message",
        "clause": "9.1.2",
        "seen": "seen",
        "expected": "expected",
        "path": "/sub",
    }
    assert (other["volume_id"], other["entry_id"], other["lba"], other["path"]) == (None, None, None, None)
    (found,) = query.findings(case, 1)
    assert found == {
        "id": 1,
        "evidence_id": 1,
        "volume_id": 1,
        "entry_id": 1,
        "code": "f",
        "severity": "warning",
        "title": "title",
        "detail": "detail",
        "lba": 16,
        "length_bytes": 4096,
        "path": "/sub",
    }
    assert [tuple(row.values())[2:] for row in query.sessions(case, 1)] == [(1, 0, 100, 1), (2, 200, 50, 1)]
    assert [tuple(row.values())[2:] for row in query.tracks(case, 1)] == [
        (1, 1, "AUDIO", 0, 60, 150, "DEABC0100001"),
        (1, 2, "MODE1", 60, 40, None, None),
        (2, 3, "MODE2_FORM1", 200, 50, None, None),
    ]
    assert case.database.problems() == []
    assert list(case.database.rows("PRAGMA foreign_key_check")) == []


def test_the_last_disc_counts(case):
    """The examination yields the disc once more at its end, with the sessions that it inferred."""
    inferred = Disc((Session(1, 0, 10, ()), Session(2, 10, 10, ())), recorded=False)
    collect(case, DISC, inferred)
    assert [(row["number"], row["recorded"]) for row in query.sessions(case, 1)] == [(1, 0), (2, 0)]


def test_parents_and_volumes_are_told_apart_in_every_order(case, monkeypatch):
    """Volumes one after the other or in turns, batches of any size: each entry has its own parent."""
    monkeypatch.setattr(collector_module, "_BATCH_ENTRIES", 3)
    nouns: list[object] = [info(0), info(1, "joliet")]
    chance = random.Random(5)
    counts = [0, 0]
    parents: dict[tuple[int, int], int | None] = {}
    for _ in range(200):
        volume = chance.randrange(2)
        ordinal = counts[volume]
        counts[volume] += 1
        parent = chance.randrange(ordinal) if ordinal and chance.random() < 0.8 else None
        parents[volume, ordinal] = parent
        nouns.append(file(volume, ordinal, parent, f"/{volume}-{ordinal}"))
    made = collect(case, *nouns)
    assert made.entries == 200
    by_id = {}
    for volume in query.volumes(case, 1):
        for row in query.entries(case, volume["id"]):
            by_id[row["id"]] = (volume["ordinal"], row["ordinal"])
            assert row["path"] == f"/{volume['ordinal']}-{row['ordinal']}"
    assert len(by_id) == 200
    for (volume, ordinal), parent in parents.items():
        row = case.database.row("SELECT parent_id FROM entries WHERE path = ?", (f"/{volume}-{ordinal}",))
        assert (by_id.get(row[0]) if row[0] else None) == (None if parent is None else (volume, parent))


def test_streams_and_pieces_are_kept_in_order(case):
    pieces = tuple(Extent(100 - n, 2048, n) for n in range(3))
    streams = (Stream("", 6000, pieces), Stream("resource", 7, (Extent(-1, 7),)), Stream("empty", 0, ()))
    collect(case, info(), file(0, 0, None, "/f", streams=streams))
    assert [
        (row["stream"], row["ordinal"], row["start_lba"], row["offset_bytes"])
        for row in query.extents(case, 1)
    ] == [
        ("", 0, 100, 0),
        ("", 1, 99, 1),
        ("", 2, 98, 2),
        ("resource", 0, -1, 0),
    ]
    assert [(row["stream"], row["size_bytes"]) for row in query.streams(case, 1)] == [
        ("empty", 0),
        ("resource", 7),
    ]
    (row,) = query.entries(case, 1)
    assert (row["start_lba"], row["extent_count"]) == (100, 3)


def test_an_anomaly_finds_its_entry_by_volume_and_path(case):
    """The same path in two views; a path that was never recorded keeps its text; the first of two."""
    collect(
        case,
        info(0),
        Anomaly("before", "", volume=0, path="/a"),
        file(0, 0, None, "/a"),
        file(0, 1, None, "/a"),
        info(1, "joliet"),
        file(1, 0, None, "/a"),
        Anomaly("b", "", volume=1, path="/a"),
        Anomaly("c", "", volume=1, path="/gone"),
        Finding("d", Severity.NOTICE, "t", volume=1, path="/a"),
        Finding("e", Severity.NOTICE, "t", path="/a"),
    )
    assert [(row["code"], row["entry_id"], row["path"]) for row in query.anomalies(case, 1)] == [
        ("before", 1, "/a"),
        ("b", 3, "/a"),
        ("c", None, "/gone"),
    ]
    assert [(row["code"], row["entry_id"]) for row in query.findings(case, 1)] == [("d", 3), ("e", None)]


HUGE = 2**64 - 1


def test_numbers_that_no_column_holds_are_null_and_told(case):
    """Nothing becomes a number that was never there, no row is lost, the good ones beside it stay."""
    nouns = (
        info()._replace(length_sectors=2**63),
        file(0, 0, None, "/good"),
        file(
            0,
            1,
            None,
            "/bad",
            size_bytes=HUGE,
            uid=-(2**63) - 1,
            streams=(Stream("", HUGE, (Extent(2**63, HUGE),)),),
        ),
        file(0, 2, None, "/last", inode=2**63 - 1),
        Anomaly("a", "m", lba=HUGE, volume=0),
        Finding("f", Severity.NOTICE, "t", length_bytes=2**70),
    )
    made = collect(case, *nouns)
    rows = {row["path"]: row for row in query.entries(case, 1)}
    assert rows["/good"]["size_bytes"] == 5
    assert rows["/last"]["inode"] == 2**63 - 1
    assert (rows["/bad"]["size_bytes"], rows["/bad"]["uid"], rows["/bad"]["start_lba"]) == (None, None, None)
    notes = [row for row in query.anomalies(case, 1) if row["code"] == "case-integer-range"]
    assert {(row["message"].rsplit(": ", 1)[1], row["seen"]) for row in notes} == {
        ("volumes.length_sectors", "0x8000000000000000"),
        ("entries.size_bytes", "0xffffffffffffffff"),
        ("entries.uid", "-0x8000000000000001"),
        ("extents.start_lba of entry 2", "0x8000000000000000"),
        ("extents.length_bytes of entry 2", "0xffffffffffffffff"),
        ("anomalies.lba", "0xffffffffffffffff"),
        ("findings.length_bytes", "0x400000000000000000"),
    }
    assert made.anomalies == len(list(query.anomalies(case, 1))) == 8
    assert {row["entry_id"] for row in notes if row["path"]} == {2}


def test_text_that_is_no_unicode_is_escaped_and_told(case):
    collect(
        case,
        info(),
        file(0, 0, None, "/a\udcff", identifier="\ud800", attributes={"k": "\udfff\\", "z": "é"}),
        Anomaly("a", "\udc00", volume=0, path="/a\udcff"),
    )
    (row,) = query.entries(case, 1)
    assert (row["path"], row["name"], row["identifier"]) == ("/a\\udcff", "a\\udcff", "\\ud800")
    assert row["attributes"] == {"k": "\\udfff\\", "z": "é"}
    rows = list(query.anomalies(case, 1))
    assert rows[0]["message"] == "\\udc00"
    assert {row["entry_id"] for row in rows} == {1}
    assert [row["code"] for row in rows].count("case-text-surrogate") == len(rows) - 1 == 6


def test_the_anomalies_of_recording_are_documented():
    reference = Path(__file__).resolve().parents[2] / "docs" / "reference"
    for name in ("anomalies.md", "database.md"):
        text = (reference / name).read_text()
        assert all(f"`{code}`" in text for code in ANOMALIES), name


FIELDS = st.none() | st.integers(-(2**70), 2**70)
ENTRIES = st.lists(
    st.tuples(
        st.text(max_size=8),
        FIELDS,
        FIELDS,
        st.none() | st.binary(max_size=4),
        st.booleans(),
        st.lists(
            st.tuples(
                st.text(max_size=3),
                st.lists(st.tuples(st.integers(-1, 2**66), st.integers(0, 2**66)), max_size=3),
            ),
            max_size=3,
            unique_by=lambda s: s[0],
        ),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(ENTRIES)
def test_whatever_the_evidence_claims_every_entry_has_a_row(tmp_path_factory, entries):
    """Any text (lone surrogates too), any integers: as many rows as nouns, and a database that is whole."""
    with Case.create(tmp_path_factory.mktemp("any") / "case", number="1", examiner="E") as case:
        with case._store.log.transaction():
            case.database.insert("evidence", {"id": 1, "label": "E"})
        nouns: list[object] = [info()]
        for number, (name, size, inode, raw, deleted, streams) in enumerate(entries):
            made = tuple(Stream(s, 1, tuple(Extent(*pair) for pair in pairs)) for s, pairs in streams)
            nouns.append(
                Entry(
                    0,
                    number,
                    number - 1 if number else None,
                    f"/{name}",
                    name,
                    EntryKind.OTHER,
                    size or 0,
                    made,
                    deleted,
                    inode=inode,
                    name_raw=raw,
                )
            )
        collected = collect(case, *nouns)
        rows = sorted(query.entries(case, 1), key=lambda row: row["ordinal"])
        assert len(rows) == collected.entries == len(entries)
        for row, (name, size, inode, raw, deleted, _) in zip(rows, entries, strict=True):
            assert (
                row["name"] == name.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
                or "\\u" in row["name"]
            )
            assert row["size_bytes"] == (size or 0) or (
                row["size_bytes"] is None and not -(2**63) <= size < 2**63
            )
            assert row["inode"] == inode or (row["inode"] is None and not -(2**63) <= inode < 2**63)
            assert (row["name_raw"], row["deleted"]) == (raw, int(deleted))
        assert case.database.problems() == []


def test_an_examined_disc_is_recorded_entry_by_entry(case, disc, disc_files):
    """The real examination of an image that pycdlib wrote: its three names of every file, sizes and kinds."""
    image = open_image(disc)
    try:
        with case._store.log.transaction():
            made = Collector(case.database, 1).collect(examine(image))
    finally:
        image.close()
    assert made.anomalies == 0
    assert [row["kind"] for row in query.volumes(case, 1)] == ["iso9660", "joliet"]
    wanted = {(name.lower(), len(data)) for name, data in disc_files.items()}
    for volume in query.volumes(case, 1):
        rows = list(query.entries(case, volume["id"]))
        assert {(row["path"], row["size_bytes"]) for row in rows if row["kind"] == "file"} == wanted
        assert {row["path"] for row in rows if row["kind"] == "directory"} == {"/dir0", "/dir1", "/dir2"}
        assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert made.sectors_owned + made.sectors_unowned == disc.stat().st_size // 2048
    assert len(list(query.search(case, "file003"))) == 2
    assert len(list(query.search(case, "FILE003.txt"))) == 2
    assert list(query.search(case, "txt file003")) == list(query.search(case, "file003"))


def test_nothing_of_a_failed_walk_is_kept(case):
    """The walk is one transaction: an error in the middle leaves the database as it was, indexes and all."""
    before = list(case.database.schema())

    def nouns():
        yield info()
        for number in range(10_000):
            yield file(0, number, None, f"/{number}")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        collect_from(case, nouns())
    assert query.volumes(case, 1) == []
    assert case.database.value("SELECT count(*) FROM entries") == 0
    assert list(case.database.schema()) == before


def collect_from(case: Case, nouns: object) -> None:
    with case._store.log.transaction():
        Collector(case.database, 1).collect(nouns)


def test_attributes_are_json_with_sorted_members(case):
    collect(case, info(), file(0, 0, None, "/a", attributes={"b": [1, None, "é"], "a": {"z": True}}))
    text = case.database.value("SELECT attributes FROM entries")
    assert text == '{"a":{"z":true},"b":[1,null,"é"]}'
    assert json.loads(text) == {"b": [1, None, "é"], "a": {"z": True}}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    flips=st.lists(st.tuples(st.integers(16 * 2048, 60 * 2048), st.integers(0, 7)), max_size=20),
    cut=st.none() | st.integers(0, 200 * 2048),
)
def test_whatever_a_damaged_disc_yields_is_recorded(case, disc, flips, cut):
    """Bits flipped in descriptors and directories, the image cut: as many rows as nouns, no error."""
    data = bytearray(disc.read_bytes())
    for at, bit in flips:
        data[at] ^= 1 << bit
    image = MemoryImage(bytes(data if cut is None else data[:cut]))
    with contextlib.suppress(ZeroDivisionError), case._store.log.transaction():
        made = Collector(case.database, 1).collect(examine(image))
        assert len(query.volumes(case, 1)) == made.volumes
        entries = [row for each in query.volumes(case, 1) for row in query.entries(case, each["id"])]
        assert len(entries) == made.entries
        assert len(list(query.anomalies(case, 1))) == made.anomalies
        assert len(list(query.findings(case, 1))) == made.findings
        assert case.database.problems() == []
        raise ZeroDivisionError  # nothing is kept for the next example

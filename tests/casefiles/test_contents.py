"""The digest stage: every file's content once, kept in batches, and gone on with."""

import hashlib
import random

import pytest

from acquire.geometry import SECTOR_BYTES, Extent, SectorRange
from acquire.image import MemoryImage
from acquire.progress import Progress
from analyze.entry import Entry, EntryKind, Stream
from analyze.volume import VolumeInfo
from casefiles import contents as contents_module
from casefiles import query
from casefiles.case import Case
from casefiles.collector import Collector
from casefiles.contents import ContentRecorder

DATA = random.Random(7).randbytes(64 * SECTOR_BYTES)


@pytest.fixture
def case(tmp_path):
    with Case.create(tmp_path / "case", number="1", examiner="E") as made:
        with made._store.log.transaction():
            made.database.insert("evidence", {"id": 1, "label": "E"})
        yield made


def entry(volume: int, ordinal: int, streams: tuple[Stream, ...], kind: EntryKind = EntryKind.FILE) -> Entry:
    size = next((stream.size_bytes for stream in streams if not stream.name), 0)
    return Entry(volume, ordinal, None, f"/{volume}-{ordinal}", f"{volume}-{ordinal}", kind, size, streams)


def stream(*pieces: tuple[int, ...], name: str = "", size: int | None = None) -> Stream:
    total = sum(piece[1] for piece in pieces) if size is None else size
    return Stream(name, total, tuple(Extent(*piece) for piece in pieces))


def record(case: Case, image: MemoryImage, *entries: Entry) -> None:
    volumes = sorted({each.volume for each in entries})
    nouns: list[object] = []
    for volume in volumes:
        nouns.append(VolumeInfo(volume, "iso9660", "L", 1, 0, 2048, None))
        nouns += [each for each in entries if each.volume == volume]
    with case._store.log.transaction():
        Collector(case.database, 1).collect(nouns)
    digest(case, image)


def digest(case: Case, image: MemoryImage, progress=None) -> None:
    ContentRecorder(case.database, case._store.log, 1, progress).run(image)


def contents(case: Case) -> dict[str, tuple[str | None, ...]]:
    rows = case.database.rows("SELECT path, content, md5, sha1, sha256 FROM entries")
    return {path: tuple(rest) for path, *rest in rows}


def complete(data: bytes) -> tuple[str, ...]:
    return ("complete", *(hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256")))


def test_every_kind_of_content_gets_the_digests_of_its_bytes(case):
    """One piece, several, backwards, within a sector, a hole between, and nothing at all; by hashlib."""
    sector = SECTOR_BYTES
    record(
        case,
        MemoryImage(DATA),
        entry(0, 0, (stream((3, 100)),)),
        entry(0, 1, (stream((5, sector), (4, sector), (9, 1)),)),
        entry(0, 2, (stream((6, 40, 512)),)),
        entry(0, 3, (stream((7, 10), (-1, 3000), (8, 10)),)),
        entry(0, 4, (Stream("", 0, ()),)),
        entry(0, 5, ()),
        entry(0, 6, (stream((3, 100)),), EntryKind.DIRECTORY),
        entry(0, 7, (stream((10, sector), size=100),)),
    )
    d = DATA
    assert contents(case) == {
        "/0-0": complete(d[3 * sector : 3 * sector + 100]),
        "/0-1": complete(
            d[5 * sector : 6 * sector] + d[4 * sector : 5 * sector] + d[9 * sector : 9 * sector + 1]
        ),
        "/0-2": complete(d[6 * sector + 512 : 6 * sector + 552]),
        "/0-3": complete(d[7 * sector : 7 * sector + 10] + bytes(3000) + d[8 * sector : 8 * sector + 10]),
        "/0-4": complete(b""),
        "/0-5": complete(b""),
        "/0-6": (None, None, None, None),
        "/0-7": complete(d[10 * sector : 10 * sector + 100]),
    }


def test_what_was_not_read_has_no_digest(case):
    """Past the image, less than the size says, a sector never read, and places beyond all numbers."""
    image = MemoryImage(DATA, unread=(SectorRange(20, 1),))
    record(
        case,
        image,
        entry(0, 0, (stream((60, 5 * SECTOR_BYTES)),)),
        entry(0, 1, (stream((1, 10), size=11),)),
        entry(0, 2, (stream((19, 2 * SECTOR_BYTES)),)),
        entry(0, 3, (stream((2**64, 10)),)),
        entry(0, 4, (stream((2**62, 10)),)),
        entry(0, 5, (stream((1, 10), size=2**64),)),
        entry(0, 6, (stream((19, SECTOR_BYTES)),)),
    )
    found = contents(case)
    assert {path: row[0] for path, row in found.items()} == {
        "/0-0": "truncated",
        "/0-1": "truncated",
        "/0-2": "unread",
        "/0-3": "truncated",
        "/0-4": "truncated",
        "/0-5": "truncated",
        "/0-6": "complete",
    }
    assert all(row[1:] == (None, None, None) for row in found.values() if row[0] != "complete")


def test_streams_beside_the_data_have_digests_of_their_own(case):
    record(
        case,
        MemoryImage(DATA),
        entry(0, 0, (stream((1, 9)), stream((2, 7), name="resource"), stream((70, 1), name="x"))),
    )
    (row,) = query.entries(case, 1)
    assert row["md5"] == hashlib.md5(DATA[2048:2057], usedforsecurity=False).hexdigest()
    rows = {each["stream"]: (each["content"], each["sha256"]) for each in query.streams(case, row["id"])}
    assert rows == {
        "resource": ("complete", hashlib.sha256(DATA[4096:4103]).hexdigest()),
        "x": ("truncated", None),
    }


class CountingImage(MemoryImage):
    """Counts how often each sector is read."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: dict[int, int] = {}

    def read(self, lba: int, count: int = 1) -> bytes:
        """As MemoryImage."""
        for sector in range(lba, lba + count):
            self.reads[sector] = self.reads.get(sector, 0) + 1
        return super().read(lba, count)


def test_content_that_views_share_is_read_once(case):
    """Two views of the same files, in another order each: every sector is read once, both get the digests."""
    places = list(range(40))
    random.Random(3).shuffle(places)
    entries = [entry(0, n, (stream((place, 2048)),)) for n, place in enumerate(places)]
    entries += [entry(1, n, (stream((n, 2048)),)) for n in range(40)]
    image = CountingImage(DATA)
    record(case, image, *entries)
    assert max(image.reads.values()) == 1
    found = contents(case)
    assert all(
        found[f"/0-{n}"] == found[f"/1-{place}"] == complete(DATA[place * 2048 : place * 2048 + 2048])
        for n, place in enumerate(places)
    )


def test_the_same_place_with_another_size_is_other_content(case):
    record(case, MemoryImage(DATA), *(entry(0, n, (stream((5, n + 1)),)) for n in range(5)))
    assert contents(case) == {f"/0-{n}": complete(DATA[5 * 2048 : 5 * 2048 + n + 1]) for n in range(5)}


def test_an_interrupted_stage_keeps_its_batches_and_goes_on(case, monkeypatch):
    """The image fails like a killed process after some reads; what was committed is not digested again."""
    monkeypatch.setattr(contents_module, "_BATCH_ITEMS", 4)

    class StopError(Exception):
        pass

    class Stopping(CountingImage):
        def read(self, lba: int, count: int = 1) -> bytes:
            if lba >= 400:
                raise StopError
            return super().read(lba, count)

    data = random.Random(8).randbytes(640 * SECTOR_BYTES)
    far = [entry(0, n, (stream((n * 40, 2048)),)) for n in range(16)]  # too far apart to be read together
    with pytest.raises(StopError):
        record(case, Stopping(data), *far)
    kept = {path for path, row in contents(case).items() if row[0]}
    assert kept == {f"/0-{n}" for n in range(8)}  # two batches of four; the third was not committed
    again = CountingImage(data)
    digest(case, again)
    assert contents(case) == {
        f"/0-{n}": complete(data[n * 40 * 2048 : (n * 40 + 1) * 2048]) for n in range(16)
    }
    assert set(again.reads) == {n * 40 for n in range(8, 16)}
    nothing = CountingImage(data)
    digest(case, nothing)
    assert nothing.reads == {}


def test_only_the_exhibit_asked_for_is_digested(case):
    with case._store.log.transaction():
        case.database.insert("evidence", {"id": 2, "label": "F"})
        case.database.insert("volumes", {"id": 1, "evidence_id": 2, "ordinal": 0})
        case.database.insert(
            "entries", {"id": 1, "volume_id": 1, "kind": "file", "path": "/other", "size_bytes": 0}
        )
    record(case, MemoryImage(DATA), entry(0, 0, (stream((1, 1)),)))
    assert contents(case)["/other"] == (None, None, None, None)


def test_progress_ends_at_its_total(case):
    seen: list[Progress] = []
    record(
        case,
        MemoryImage(DATA),
        *(entry(0, n, (stream((n, 2048)),)) for n in range(30)),
        entry(1, 0, (stream((3, 2048)),)),
    )
    case.database.execute("UPDATE entries SET content = NULL")
    digest(case, MemoryImage(DATA), seen.append)
    assert (seen[-1].phase, seen[-1].done, seen[-1].total) == ("digest", 30 * 2048, 30 * 2048)
    assert [each.done for each in seen] == sorted(each.done for each in seen)


def test_digests_of_a_real_examination_are_those_of_the_files(finished_case, disc_files):
    """Both exhibits, both views, against the bytes that were put on the disc."""
    with Case.open(finished_case, write=False) as case:
        for exhibit in query.evidence(case):
            for volume in query.volumes(case, exhibit["id"]):
                found = {
                    row["path"]: row for row in query.entries(case, volume["id"]) if row["kind"] == "file"
                }
                assert len(found) == len(disc_files)
                for name, data in disc_files.items():
                    row = found[name.lower()]
                    assert (row["content"], row["md5"], row["sha1"], row["sha256"]) == complete(data)

"""Cases to report on: made by the real acquisition and recorder, from an image and an examination by hand."""

import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from acquire.exhibit import Plan
from acquire.geometry import Extent, SectorRange
from acquire.toc import single_track
from analyze.analysis import Examined
from analyze.anomaly import Anomaly
from analyze.coverage import Coverage
from analyze.entry import Entry, EntryKind, Stream
from analyze.finding import Finding, Severity
from analyze.timestamp import Timestamp
from analyze.volume import VolumeInfo
from casefiles.case import Case

SECTORS = 400
HOSTILE_NAMES = (
    "<script>document.title='hacked'</script>",
    '"><img src=x onerror="document.title=1">.png',
    "<svg onload=alert(1)>",
    "</style><script>alert(2)</script>",
    "</title><body onload=alert(3)>",
    "--><script>alert(4)</script>",
    "&lt;not an entity&amp;",
    "..",
    "..\\..\\windows",
    "../../etc/passwd",
    "line\nfeed\r\nand\ttab",
    "\x1b[31mred\x1b[0m\x07",
    "photo\u202egpj.exe",
    "zero\u200bwidth\u2060joiner",
    "{{ 7*7 }}{% raw %}{# #}",
    "${7*7}",
    "javascript:alert(5)",
    "x" * 300,
    "名前" * 120,
    " leading and trailing ",
    "two  spaces",
    "backslash \\u202e spelled",
    "שלום עולם.txt",
    "e\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
    "'single' \"double\" `back`",
)


def when(hour: int, *, offset_minutes: int | None = 120) -> Timestamp:
    """A time on one day."""
    return Timestamp(2004, 10, 21, hour, 5, 0, offset_minutes=offset_minutes)


class Listing:
    """Entries of one view, put together by hand."""

    def __init__(self, ordinal: int, kind: str, label: str, session: int | None = 1) -> None:
        """A view without entries."""
        self.info = VolumeInfo(
            ordinal, kind, label, session, 0, 2048, SECTORS, created=when(13), publisher="A <b>publisher</b>"
        )
        self.entries: list[Entry] = []

    def add(
        self, parent: Entry | None, name: str, kind: EntryKind = EntryKind.FILE, **other: object
    ) -> Entry:
        """One more entry; `lba` and `size` say where its content is."""
        lba, size = int(other.pop("lba", 20)), int(other.pop("size", 0))  # type: ignore[call-overload]
        streams = [Stream("", size, (Extent(lba, size),))] if kind is EntryKind.FILE else []
        streams += other.pop("streams", ())  # type: ignore[arg-type]
        entry = Entry(
            volume=self.info.ordinal,
            ordinal=len(self.entries),
            parent=None if parent is None else parent.ordinal,
            path=f"{'' if parent is None else parent.path}/{name}",
            name=name,
            kind=kind,
            size_bytes=size,
            streams=tuple(streams),
            **{"modified": when(13), "recorded": when(13)} | other,  # type: ignore[arg-type]
        )
        self.entries.append(entry)
        return entry


def hostile_listing(ordinal: int, kind: str) -> Listing:
    """A view whose label, names, targets and identifiers are as bad as they can be."""
    listing = Listing(ordinal, kind, "<i>LABEL</i>\u202e")
    for number, name in enumerate(HOSTILE_NAMES):
        listing.add(None, name, lba=30 + number, size=1000 + number)
    for name in HOSTILE_NAMES:
        folder = listing.add(None, f"in {name}", EntryKind.DIRECTORY)
        listing.add(folder, name, lba=70, size=3)
        listing.add(folder, "link", EntryKind.SYMLINK, link_target=name)
        listing.add(folder, "other", identifier=name, name_raw=b"\xff\x00", mode=0o100644, uid=0, gid=1)
    return listing


def ordinary_nouns() -> Iterator[Examined]:
    """A disc with two views, a finding and an anomaly, its last sectors owned by nobody."""
    yield single_track(SECTORS)
    for ordinal, kind in enumerate(("iso9660", "joliet")):
        listing = Listing(ordinal, kind, "HOLIDAY 04")
        listing.add(None, "README.TXT", lba=22, size=3843)
        photos = listing.add(None, "photos", EntryKind.DIRECTORY)
        for number in range(5):
            listing.add(photos, f"DSC_{number:04}.JPG", lba=40 + 10 * number, size=20_000 + number)
        deep = photos
        for level in range(30):
            deep = listing.add(deep, f"level {level}", EntryKind.DIRECTORY)
        listing.add(deep, "bottom.txt", lba=25, size=12)
        listing.add(None, "latest", EntryKind.SYMLINK, link_target="photos/DSC_0004.JPG")
        listing.add(None, "past the end.bin", lba=SECTORS - 1, size=5000)
        listing.add(None, "fork", lba=26, size=9, streams=(Stream("resource", 7, (Extent(27, 7),)),))
        yield listing.info
        yield from listing.entries
    yield Anomaly(
        "iso-both-endian",
        "The two copies of a number disagree",
        lba=16,
        offset=80,
        clause="ECMA-119 8.4.8",
        seen="2048 and 2049",
        expected="the same number twice",
        volume=0,
        path="/photos",
    )
    yield Finding(
        "content-past-image",
        Severity.WARNING,
        "Content of 1 stream lies past the end of the image",
        "past the end.bin",
        lba=SECTORS - 1,
        length_bytes=5000,
        volume=0,
        path="/past the end.bin",
    )
    yield Coverage((SectorRange(0, 300),), SECTORS)


def hostile_nouns() -> Iterator[Examined]:
    """A disc on which every text is an attack."""
    yield single_track(SECTORS)
    for ordinal, kind in enumerate(("iso9660", "<b>kind</b>")):
        listing = hostile_listing(ordinal, kind)
        yield listing.info
        yield from listing.entries
    for name in HOSTILE_NAMES:
        yield Anomaly(f"code-{name[:8]}", name, 16, 1, name, name, name, 0, f"/{name}")
        yield Finding("odd", Severity.NOTICE, name, f"{name}\n{name}", 16, 1, 0, f"/{name}")
    yield Coverage((SectorRange(0, SECTORS),), SECTORS)


def image_bytes(sectors: int = SECTORS) -> bytes:
    """The data of every disc here: no two sectors are alike."""
    return random.Random(4).randbytes(sectors * 2048)


Nouns = Callable[[], Iterable[Examined]]


def examined_case(folder: Path, nouns: Nouns | None, **words: str) -> None:
    """Make a case with one exhibit, EX-1, examined by hand as `nouns` say (None: not examined).

    Acquisition, recording, digests and custody are the real ones; only the file system is not parsed.
    """
    image = folder.with_name("disc.img")
    image.write_bytes(image_bytes())
    words = {"number": "2026-014", "examiner": "A. Examiner"} | words
    with (
        pytest.MonkeyPatch.context() as patch,
        Case.create(folder, **words) as case,  # type: ignore[arg-type]
    ):
        case.acquire(image, "EX-1", Plan(format="raw"), description=words.get("notes"))
        if nouns is not None:
            patch.setattr("casefiles.analyzing.examine", lambda _image: nouns())
            case.analyze()


@pytest.fixture(scope="session")
def made_cases(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`made_cases(nouns, number=…)`: the folder of such a case, made once a session; copy it."""
    made: dict[tuple[object, ...], Path] = {}

    def folder(nouns: Nouns | None, **words: str) -> Path:
        key = (nouns, *sorted(words.items()))
        if key not in made:
            made[key] = tmp_path_factory.mktemp("made") / "case"
            examined_case(made[key], nouns, **words)
        return made[key]

    return folder


@pytest.fixture
def make_case(tmp_path: Path, made_cases: Callable[..., Path]) -> Iterator[Callable[..., Case]]:
    """`make_case(nouns, number=…)`: an open copy of an `examined_case`, the test's own to change."""
    with ExitStack() as stack:

        def make(nouns: Nouns | None = ordinary_nouns, **words: str) -> Case:
            shutil.copytree(made_cases(nouns, **words), tmp_path / "case")
            return stack.enter_context(Case.open(tmp_path / "case"))

        yield make

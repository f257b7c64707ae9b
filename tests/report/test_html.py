"""The HTML report: complete, true to the database, harmless, whole or not there, the same each time."""

import base64
import errno
import hashlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from acquire.errors import CaseError, DestinationError, DiskFullError
from acquire.exhibit import Plan
from acquire.geometry import SectorRange
from acquire.toc import Disc, single_track
from analyze.coverage import Coverage
from analyze.entry import EntryKind
from casefiles import query
from casefiles.case import Case
from report.figures import evidence_time
from report.html import page, render_html
from report.model import CaseView
from tests.report.conftest import (
    HOSTILE_NAMES,
    SECTORS,
    Listing,
    hostile_nouns,
    image_bytes,
    ordinary_nouns,
)
from tests.report.page import Element, Listed, listed, read_page

MADE_AT = datetime(2026, 9, 2, 12, 0, 0, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[2]


def page_of(case: Case, name: str = "report.html") -> Element:
    """The report of a case, read back."""
    path = render_html(case, case.folder.root.parent / name, made_at=MADE_AT)
    return read_page(path.read_text(encoding="utf-8"))


def by_id(page: Element, name: str) -> Element:
    """The element with that id."""
    (found,) = (each for each in page.elements() if each.attributes.get("id") == name)
    return found


def check_entries(case: Case, page: Element) -> int:
    """Every entry of the database is in the page with its path, size, times, place and digests; how many."""
    compared = 0
    for evidence in query.evidence(case):
        for volume in query.volumes(case, evidence["id"]):
            rows = {row["id"]: row for row in query.entries(case, volume["id"])}
            shown = {each.id: each for each in listed(by_id(page, f"view-{volume['id']}"))}
            assert shown.keys() == rows.keys()
            for number, row in rows.items():
                check_entry(shown[number], row)
            compared += len(rows)
    return compared


def check_entry(shown: Listed, row: dict) -> None:
    """One entry as the page has it, against its row."""
    assert shown.path == row["path"]
    if row["kind"] == "directory":
        return
    assert shown.size == (f"{row['size_bytes']:,}" if row["kind"] == "file" else "")
    fields = ("modified", "created", "accessed", "changed", "recorded", "backup", "expires", "effective")
    recorded = {row[field] for field in fields if row[field] is not None}
    assert {value for value, _ in shown.times} == {evidence_time(value) for value in recorded}
    assert sum(len(names.split(", ")) for _, names in shown.times) == sum(row[f] is not None for f in fields)
    if row["content"] == "complete":
        assert shown.digests == {"MD5": row["md5"], "SHA-1": row["sha1"], "SHA-256": row["sha256"]}
    elif row["kind"] == "file":
        assert list(shown.digests) == ["No"]
    else:
        assert shown.digests == {}
    if row["start_lba"] is not None:
        assert shown.place.split(" ")[0] == str(row["start_lba"])


def test_every_entry_is_as_the_database_has_it(make_case):
    """Both views, nested deeper than the page nests: path, size, times, place and digests are equal."""
    case = make_case()
    assert check_entries(case, page_of(case)) == 2 * 41


def test_hostile_names_read_back_to_what_is_recorded(make_case):
    """Markup, escapes, controls, bidirectional marks: each name in the page stands for exactly the name."""
    case = make_case(hostile_nouns)
    page = page_of(case)
    assert check_entries(case, page) == 2 * 5 * len(HOSTILE_NAMES)
    links = [each for each in page.all("small") if "symbolic link to" in each.text()]
    targets = {each.meant().split("symbolic link to ")[1] for each in links}
    assert targets == set(HOSTILE_NAMES)


def test_digests_are_those_of_the_bytes_on_the_disc(make_case):
    """What the page says of a file is what hashlib says of its bytes in the source."""
    case = make_case()
    page = page_of(case)
    content = image_bytes()[22 * 2048 : 22 * 2048 + 3843]
    view = query.volumes(case, 1)[0]["id"]
    (readme,) = (each for each in listed(by_id(page, f"view-{view}")) if each.path == "/README.TXT")
    assert readme.digests == {
        "MD5": hashlib.md5(content).hexdigest(),
        "SHA-1": hashlib.sha1(content).hexdigest(),
        "SHA-256": hashlib.sha256(content).hexdigest(),
    }
    (fork,) = (each for each in listed(by_id(page, f"view-{view}")) if each.path == "/fork")
    stream = image_bytes()[27 * 2048 : 27 * 2048 + 7]
    assert f"stream resource, 7 bytes: MD5 {hashlib.md5(stream).hexdigest()}" in fork.notes


def test_names_do_no_more_than_be_shown(make_case):
    """No element, attribute or address comes from a name: every tag and attribute is one of ours."""
    page = page_of(make_case(hostile_nouns, number="<script>1</script>", notes="</style>\n{{ 7*7 }}"))
    (script,) = page.all("script")
    assert script.text() == (ROOT / "report/templates/report.js").read_text()
    assert len(page.all("style")) == 1
    for tag in ("img", "iframe", "object", "embed", "link", "base", "foreignobject"):
        assert page.all(tag) == []
    for element in page.elements():
        for name, value in element.attributes.items():
            assert not name.startswith("on")
            assert name != "style"
            if name in ("href", "src", "action", "xlink:href"):
                assert re.fullmatch(r"#[a-z0-9-]+", value), value
    assert "49" not in page.one("p", "notes").text()


def test_no_character_of_the_page_hides_or_turns_text(make_case):
    """The file holds no control but line feeds, no bidirectional mark, nothing without width."""
    case = make_case(hostile_nouns, examiner="A.\u202e Examiner\x1b[2J")
    text = render_html(case, case.folder.reports, made_at=MADE_AT).read_text(encoding="utf-8")
    assert {character for character in text if not character.isprintable()} == {"\n"}
    assert not re.search("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\u061c\ufeff]", text)


def test_the_policy_allows_the_page_s_own_style_and_script_and_nothing_else(make_case):
    """The digests in the policy are those of the two inline texts, computed here."""
    page = page_of(make_case())
    (policy,) = (
        each.attributes["content"]
        for each in page.all("meta")
        if each.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    digests = {
        name: base64.b64encode(hashlib.sha256(page.one(name).text().encode()).digest()).decode()
        for name in ("style", "script")
    }
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digests['style']}'",
        f"script-src 'sha256-{digests['script']}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_page_needs_nothing_else(make_case):
    """No address of another file or place is in it, in elements or style sheet."""
    text = str(page_of(make_case()).text())
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert "url(" not in text


def test_the_structure_can_be_walked_by_headings_and_names(make_case):
    """One h1, no level skipped, ids unique, every link and label leads somewhere, tables have headers."""
    page = page_of(make_case())
    assert page.one("html").attributes["lang"] == "en"
    levels = [int(each.tag[1]) for each in page.elements() if re.fullmatch("h[1-6]", each.tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    names = [each.attributes["id"] for each in page.elements() if "id" in each.attributes]
    assert len(names) == len(set(names))
    for element in page.elements():
        for attribute in ("aria-labelledby", "for"):
            assert element.attributes.get(attribute, names[0]) in names
        if element.tag == "a":
            assert element.attributes["href"].removeprefix("#") in names
    for table in page.all("table"):
        assert table.child("caption") is not None
        assert all(each.attributes["scope"] == "col" for each in table.one("thead").all("th"))
        assert all(each.attributes["scope"] == "row" for each in table.one("tbody").all("th"))
    assert [each.tag for each in page.one("body").inside if isinstance(each, Element)] == [
        "a", "nav", "main", "footer", "script",
    ]  # fmt: skip


def statements(page: Element) -> dict[str, tuple[list[str], str, str]]:
    """The statements of the summary: question -> (classes, verdict, figures)."""
    return {
        each.all("h4")[0].text(): (
            each.classes,
            each.one("p", "verdict").text(),
            each.one("p", "figures").text(),
        )
        for each in by_id(page, "summary").all("div", "statement")
        if each.all("h4")
    }


def test_coverage_and_verification_are_two_statements_on_the_first_page(make_case):
    said = statements(page_of(make_case()))
    assert said == {
        "Coverage: was everything read?": (
            ["statement", "plain"],
            "Every sector was read",
            "400 of 400 sectors read · 0 unread · 0 filled",
        ),
        "Verification: is the container intact?": (
            ["statement", "plain"],
            "The container is what was written",
            "Container read back: digests equal",
        ),
    }


@pytest.fixture
def faulty(tmp_path):
    """A disc of 400 sectors of which LBA 85 to 89 and 399 cannot be read, by a real file system."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("needs root and /dev/fuse")
    image, point = tmp_path / "faulty.img", tmp_path / "mounted"
    image.write_bytes(image_bytes())
    point.mkdir()
    program = ROOT / "tests/acquire/faultfs.py"
    command = [sys.executable, str(program), str(image), str(point), "--bad", "85+5", "--bad", "399"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "READY\n"
        yield point / "disc"
        subprocess.run(["umount", str(point)], check=True)


@pytest.mark.root
def test_sectors_that_could_not_be_read_cannot_be_overlooked(tmp_path, monkeypatch, faulty):
    """A real acquisition with six bad sectors: the first page warns, although the container verifies."""
    monkeypatch.setattr("casefiles.analyzing.examine", lambda _image: ordinary_nouns())
    with Case.create(tmp_path / "case", number="1", examiner="E") as case:
        acquired = case.acquire(faulty, "EX-1", Plan(format="raw"))
        assert acquired.unread == (SectorRange(85, 5), SectorRange(399, 1))
        case.analyze()
        page = page_of(case)
    said = statements(page)
    assert said["Coverage: was everything read?"] == (
        ["statement", "warning"],
        "Attention Not everything was read",
        "394 of 400 sectors read · 6 unread · 6 filled",
    )
    assert said["Verification: is the container intact?"][2] == "Container read back: digests equal"
    assert "6 sectors could not be read (LBA 85 to 89 (5 sectors), LBA 399)" in by_id(page, "summary").text()
    assert [each.attributes["x"] for each in page.all("rect", "unread")] == ["212", "997"]
    assert "Digests of the data, fill included" in [each.text() for each in page.all("h4")]
    unread = [each for each in page.all("td", "h") if "some sectors were not read" in each.text()]
    assert len(unread) == 2, "one photo of each view reaches into LBA 85"


def test_what_was_not_examined_is_on_the_first_page(make_case):
    summary = by_id(page_of(make_case()), "summary").text()
    assert "100 sectors of 400 (25 %) belong to no file and no structure that was found." in summary
    assert (
        "Files without digest, because their content reaches past the end of the image: "
        "1 file in ISO 9660 “HOLIDAY 04”, 1 file in Joliet “HOLIDAY 04”."
    ) in summary


def test_findings_and_anomalies_have_their_place(make_case):
    """Code, text, LBA, byte, clause, both values, and a link that leads to the entry's row."""
    case = make_case()
    page = page_of(case)
    finding = by_id(page, "exhibit-1-findings").one("article")
    assert "finding warning" in finding.attributes["class"]
    for text in ("Content of 1 stream lies past the end", "LBA 399, 5,000 bytes", "content-past-image"):
        assert text in finding.text()
    target = finding.one("a").attributes["href"].removeprefix("#")
    assert by_id(page, target).one("th").text() == "past the end.bin"
    (row,) = by_id(page, "exhibit-1-anomalies").one("table", "anomalies").one("tbody").all("tr")
    cells = [each.text() for each in row.inside if isinstance(each, Element)]
    assert cells == [
        "iso-both-endian ECMA-119 8.4.8",
        "LBA 16, byte 80 of that sector, ISO 9660 “HOLIDAY 04”, /photos",
        "The two copies of a number disagree",
        "2048 and 2049",
        "the same number twice",
    ]


def test_the_acquisition_is_told(make_case):
    """Source, container, times, tool, command, method, and the digest of each file and of the data."""
    case = make_case()
    section = by_id(page_of(case), "exhibit-1-acquisition")
    facts = {each.one("dt").text(): each.one("dd").text() for each in section.all("div", "fact")}
    assert facts["Sectors"] == "400 sectors of 2,048 bytes"
    assert facts["Made with"].startswith("jewelcase ")
    assert {"Started", "Ended", "Command", "Method", "Computer"} <= facts.keys()
    data = hashlib.sha256(image_bytes()).hexdigest()
    assert data in section.one("dl", "digests").text()
    row = query.acquisitions(case, 1)[0]
    assert {file["sha256"] for file in row["files"]} == {
        each.text() for each in section.one("table", "files").all("td", "digest")
    }


def test_the_custody_log_is_there_with_its_check(make_case):
    case = make_case()
    page = page_of(case)
    events = list(query.custody(case))
    rows = by_id(page, "custody").one("tbody").all("tr")
    assert [each.one("td", "digest").text() for each in rows] == [event["sha256"] for event in events]
    assert [each.one("b").text() for each in rows] == [event["action"] for event in events]
    assert "The chain is whole" in by_id(page, "summary").text()
    assert query.chain(case)["head_sha256"] in by_id(page, "summary").text()


def test_a_broken_chain_is_a_warning(make_case):
    """An event that was edited behind the program's back: the first page says which link is bad."""
    case = make_case()
    case.database.execute("DROP TRIGGER custody_no_update")
    case.database.execute("UPDATE custody SET actor = 'somebody else' WHERE id = 3")
    page = page_of(case)
    summary = by_id(page, "summary")
    assert "The chain is broken" in summary.text()
    assert "Event 3" in by_id(page, "custody").one("p", "warning-line").text()


def test_exhibits_that_are_not_examined_or_absent_say_so(make_case, tmp_path):
    page = page_of(make_case(None), "one.html")
    assert "The container was not examined" in by_id(page, "summary").text()
    assert "Not examined: there are no findings to report." in by_id(page, "exhibit-1-findings").text()
    with Case.create(tmp_path / "empty", number="1", examiner="E") as case:
        assert "This case holds no exhibit yet." in page_of(case, "two.html").text()


def nouns_without_volume():
    """The disc and its coverage alone."""
    return [each for each in ordinary_nouns() if isinstance(each, Disc | Coverage)]


def test_a_disc_without_a_volume_says_so(make_case):
    page = page_of(make_case(nouns_without_volume))
    assert "No file system that this version knows was recognised." in by_id(page, "summary").text()


def test_the_same_case_gives_the_same_bytes(make_case, tmp_path):
    """Only the time at which the report is made differs between two reports of one case."""
    case = make_case()
    berlin = timezone(timedelta(hours=2))
    first = render_html(case, tmp_path / "1.html", made_at=MADE_AT).read_bytes()
    again = render_html(case, tmp_path / "2.html", made_at=MADE_AT.astimezone(berlin)).read_bytes()
    later = render_html(case, tmp_path / "3.html", made_at=MADE_AT + timedelta(days=1)).read_bytes()
    assert first == again
    assert first != later
    assert first.replace(b"2026-09-02 12:00:00 UTC", b"") == later.replace(b"2026-09-03 12:00:00 UTC", b"")


def test_a_report_is_named_by_its_time_and_never_overwritten(make_case, tmp_path):
    case = make_case()
    folder = case.folder.reports
    names = [render_html(case, folder, made_at=MADE_AT).name for _ in range(3)]
    assert names == [
        "report-20260902T120000Z.html",
        "report-20260902T120000Z-2.html",
        "report-20260902T120000Z-3.html",
    ]
    taken = tmp_path / "taken.html"
    taken.write_text("mine")
    with pytest.raises(DestinationError, match="exists already"):
        render_html(case, taken, made_at=MADE_AT)
    assert taken.read_text() == "mine"
    assert sorted(each.name for each in folder.iterdir()) == sorted(names)


def test_a_report_that_appears_meanwhile_is_not_overwritten(make_case, tmp_path, monkeypatch):
    """The name is taken while the report is being written: that file stays, and nothing else is left."""
    case = make_case()
    target = tmp_path / "out" / "report.html"
    target.parent.mkdir()
    real = os.fsync

    def somebody_else(descriptor: int) -> None:
        target.write_text("theirs")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", somebody_else)
    with pytest.raises(DestinationError, match="exists already"):
        render_html(case, target, made_at=MADE_AT)
    assert [(each.name, each.read_text()) for each in target.parent.iterdir()] == [("report.html", "theirs")]


def test_folders_that_cannot_be_written_are_refused_in_one_sentence(make_case, tmp_path):
    case = make_case()
    with pytest.raises(DestinationError) as caught:
        render_html(case, tmp_path / "nowhere" / "report.html", made_at=MADE_AT)
    assert "\n" not in str(caught.value)


@pytest.fixture
def fat(tmp_path, tool):
    """A mounted FAT file system, which has no links."""
    if os.geteuid() != 0 or not Path("/dev/loop-control").exists():
        pytest.skip("needs root and loop devices")
    image, point = tmp_path / "fat.img", tmp_path / "stick"
    image.write_bytes(bytes(4 << 20))
    point.mkdir()
    subprocess.run([tool("mkfs.vfat"), str(image)], check=True, capture_output=True)
    mounted = subprocess.run(
        ["mount", "-o", "loop", str(image), str(point)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("this kernel cannot mount FAT")
    yield point
    subprocess.run(["umount", str(point)], check=True)


@pytest.fixture
def linkless(tmp_path, monkeypatch):
    """A folder in which a link is refused as FAT refuses it (for kernels that cannot mount FAT)."""

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", str(target), None, str(path))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    folder = tmp_path / "linkless"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("where", [pytest.param("fat", marks=pytest.mark.root), "linkless"])
def test_a_file_system_without_links_will_do(make_case, request, where):
    """On a memory stick: written whole, never overwritten, nothing left behind."""
    fat = request.getfixturevalue(where)
    case = make_case()
    names = [render_html(case, fat, made_at=MADE_AT).name for _ in range(2)]
    assert names == ["report-20260902T120000Z.html", "report-20260902T120000Z-2.html"]
    assert sorted(each.name for each in fat.iterdir()) == sorted(names)
    with pytest.raises(DestinationError, match="exists already"):
        render_html(case, fat / names[0], made_at=MADE_AT)
    read_page((fat / names[1]).read_text(encoding="utf-8"))


_SMALL_FILES = """
import resource, signal, sys
from pathlib import Path
from casefiles.case import Case
from report.html import page, render_html
from report.model import CaseView
case = Case.open(sys.argv[1], write=False)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    render_html(case, Path(sys.argv[2]))
except Exception as error:
    print(type(error).__name__)
"""


def test_no_space_leaves_nothing(make_case, tmp_path):
    """The file may not grow beyond 20,000 bytes, as on a full disk: DiskFullError, and no file."""
    case = make_case()
    case.close()
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", _SMALL_FILES, str(tmp_path / "case"), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == f"{DiskFullError.__name__}\n"
    assert list(out.iterdir()) == []


_SLOW = """
import sys, time
from pathlib import Path
from casefiles.case import Case
from report import html
page = html.page
def slowly(*words):
    for number, piece in enumerate(page(*words)):
        if number == 200:
            print("half", flush=True)
            time.sleep(60)
        yield piece
html.page = slowly
html.render_html(Case.open(sys.argv[1], write=False), Path(sys.argv[2]))
"""


def test_a_report_that_is_killed_halfway_is_not_there(make_case, tmp_path):
    """SIGKILL while it is written: no file has a report's name, and the next one is whole."""
    make_case().close()
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-c", _SLOW, str(tmp_path / "case"), str(out)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "half\n"
        running.send_signal(signal.SIGKILL)
        running.wait()
    assert all(each.name.endswith(".tmp") for each in out.iterdir())
    with Case.open(tmp_path / "case", write=False) as case:
        read_page(render_html(case, out, made_at=MADE_AT).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("sql", "place"),
    [
        ("UPDATE acquisitions SET sector_count = 'many'", "acquisition.sector_count is 'many'"),
        ("UPDATE acquisitions SET unread = '[[1, \"two\"]]'", "acquisition.unread"),
        ("UPDATE acquisitions SET files = '{}'", "files is {}"),
        ("UPDATE acquisitions SET record = '[]'", "record is []"),
        ("UPDATE entries SET size_bytes = 'large' WHERE id = 2", "entry 2 is 'large'"),
        ("UPDATE entries SET path = NULL WHERE id = 1", "entry 1 is None"),
        ("UPDATE volumes SET session = x'00'", "volume.session"),
        ("DELETE FROM cases", "caserecord.number is None"),
    ],
)
def test_values_that_no_case_has_are_refused_in_one_sentence(make_case, tmp_path, sql, place):
    """Someone edited the database: the report says where, and sends to `verify`."""
    case = make_case()
    case.database.execute("PRAGMA foreign_keys = OFF")
    case.database.execute(sql)
    with pytest.raises(CaseError) as caught:
        render_html(case, tmp_path / "report.html", made_at=MADE_AT)
    assert place in str(caught.value)
    assert "verify" in str(caught.value)
    assert not list(tmp_path.glob("report.html*"))


def test_entries_without_a_directory_are_listed_all_the_same(make_case):
    """A parent that is no directory, or not there, or of another view: the whole path stands in the root."""
    case = make_case()
    for number, parent in ((4, 1), (5, 9999), (6, 60)):
        case.database.execute("UPDATE entries SET parent_id = ? WHERE id = ?", (parent, number))
    page = page_of(case)
    check_entries(case, page)
    root = by_id(page, "view-1").all("details")[0].all("table")[0]
    assert "/photos/DSC_0001.JPG" in [each.text() for each in root.one("tbody").all("th")]


def test_directories_that_hold_each_other_are_said(make_case):
    case = make_case()
    case.database.execute("UPDATE entries SET parent_id = 9 WHERE id = 8")
    text = by_id(page_of(case), "view-1").one("p", "warning-line").text()
    assert text.startswith("31 more entries of this view stand in directories that hold each other")


def test_a_report_is_of_one_moment(make_case, tmp_path):
    """Another process writes to the case while the report is made: none of it gets in."""
    case = make_case()
    with case.database.snapshot():
        view = CaseView(case)
        other = sqlite3.connect(case.folder.database, timeout=0, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE entries SET name = 'changed'")
        before = "".join(page(view, MADE_AT))
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("COMMIT")
    other.execute("COMMIT")
    other.close()
    name = '<th scope="row">README.TXT</th>'
    assert name in before
    assert name not in "".join(page(view, MADE_AT))


def few_and_many():
    """One directory of 1,000 files, and one of 6,000 in a case of the same kind."""
    for count in (1000, 6000):

        def nouns(count: int = count):
            listing = Listing(0, "iso9660", "MANY")
            folder = listing.add(None, "folder", EntryKind.DIRECTORY)
            for number in range(count):
                listing.add(folder, f"Document number {number:06}.txt")
            return [single_track(SECTORS), listing.info, *listing.entries, Coverage((), SECTORS)]

        yield count, nouns


def test_memory_does_not_grow_with_the_disc(tmp_path, made_cases):
    """Six times the entries in one directory, and the peak of what Python holds stays where it was."""
    peaks = {}
    for count, nouns in few_and_many():
        with Case.open(made_cases(nouns), write=False) as case:
            render_html(case, tmp_path / f"warm {count}.html", made_at=MADE_AT)
            tracemalloc.start()
            path = render_html(case, tmp_path / f"{count}.html", made_at=MADE_AT)
            peaks[count] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert path.read_text(encoding="utf-8").count('<tr id="e') == count
    assert peaks[6000] < peaks[1000] + 500_000

"""Files come out whole, safe and proven, or are said not to be."""

import csv
import hashlib
import json
import resource
import signal
import subprocess
import sys

import pytest

from acquire.errors import DestinationError, DiskFullError
from acquire.geometry import HOLE, Extent, SectorRange
from acquire.image import MemoryImage
from report.export import FIELDS, Content, Exporter, Item, csv_cell

DATA = b"".join(bytes([65 + n]) * 2048 for n in range(20))
TIMES = {"modified": "2004-10-21T13:05:00+02:00", "accessed": None, "created": None, "changed": None}


def _item(path, extents, size=None, **more):
    size = sum(e.length_bytes for e in extents) if size is None else size
    return Item("1-iso9660", path, "file", False, (Content("", size, extents, {}),), TIMES)._replace(**more)


def _export(destination, *items, image=None):
    with Exporter(image or MemoryImage(DATA), destination) as exporter:
        result = exporter.run(iter(items))
    rows = [json.loads(line) for line in exporter.manifest.with_suffix(".jsonl").read_text().splitlines()]
    return result, rows


def test_content_comes_out_exactly(tmp_path):
    """Two extents, the second cut and beginning inside a sector: bytes, digests, time, manifest."""
    extents = (Extent(2, 2048), Extent(5, 100, 7))
    result, (row,) = _export(tmp_path / "out", _item("/a/b.txt", extents))
    expected = DATA[4096:6144] + DATA[5 * 2048 + 7 : 5 * 2048 + 107]
    file = tmp_path / "out/1-iso9660/a/b.txt"
    assert file.read_bytes() == expected
    assert file.stat().st_mtime == 1_098_356_700  # date -d 2004-10-21T13:05:00+02:00 +%s
    assert (result.written, result.incomplete, result.failed) == (1, 0, 0)
    assert row["sha256"] == hashlib.sha256(expected).hexdigest()
    assert row["md5"] == hashlib.md5(expected).hexdigest()
    assert row["extents"] == [[2, 2048, 0], [5, 100, 7]]
    assert (row["exported"], row["status"], row["missing"]) == ("1-iso9660/a/b.txt", "written", [])


def test_both_manifests_say_the_same(tmp_path):
    """CSV for people, JSON Lines for programs: the same rows, and the columns that are documented."""
    _result, rows = _export(tmp_path, _item("/a", (Extent(0, 10),)), _item("/=1+1", (Extent(1, 10),)))
    with (tmp_path / "manifest.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert tuple(table[0]) == FIELDS
    assert [row["path"] for row in table] == [row["path"] for row in rows] == ["/a", "/=1+1"]
    assert [row["sha256"] for row in table] == [row["sha256"] for row in rows]


def test_cells_never_start_a_formula():
    for text in ("=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"):
        assert csv_cell(text)[0] in "'\\"
    assert csv_cell("a\nb\x1b[0m") == "a\\nb\\x1b[0m"
    assert csv_cell(None) == ""


def test_nothing_leaves_the_destination(tmp_path):
    """Parents, absolute paths, separators and a link that stands in the way."""
    outside = tmp_path / "outside"
    outside.mkdir()
    out = tmp_path / "out"
    (out / "1-iso9660").mkdir(parents=True)
    (out / "1-iso9660" / "trap").symlink_to(outside)
    with pytest.raises(DestinationError, match="A file or link stands where a folder is to be"):
        _export(out, _item("/trap/owned", (Extent(0, 5),)))
    assert list(outside.iterdir()) == []
    result, rows = _export(out, _item("/../../escape", (Extent(0, 5),)), _item("/a\\..\\b", (Extent(0, 5),)))
    assert result.written == 2
    assert [row["exported"] for row in rows] == ["1-iso9660/__/__/escape", "1-iso9660/a_.._b"]
    inside = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert all(name.startswith("out/") for name in inside)


def test_nothing_is_overwritten(tmp_path):
    """A file that is there stays: the same content is said to be there, another is refused."""
    item = _item("/a", (Extent(0, 2048),))
    _export(tmp_path, item)
    result, (row,) = _export(tmp_path, item)
    assert (row["status"], result.already) == ("already there", 1)
    (tmp_path / "1-iso9660/a").write_bytes(b"mine")
    result, (row,) = _export(tmp_path, item)
    assert (row["status"], result.failed) == ("not written", 1)
    assert (tmp_path / "1-iso9660/a").read_bytes() == b"mine"
    assert {p.name for p in tmp_path.glob("manifest*.csv")} == {
        "manifest.csv",
        "manifest-2.csv",
        "manifest-3.csv",
    }
    assert not list(tmp_path.rglob("*.tmp"))


def test_what_the_disc_does_not_hold_is_said(tmp_path):
    """Unread sectors, extents past the image and short extents: named, placed, never called whole."""
    image = MemoryImage(DATA, unread=(SectorRange(3, 1),))
    cases = [
        (_item("/unread", (Extent(2, 6144),)), [[2048, 2048]], 6144),
        (_item("/past", (Extent(19, 4096),)), [[2048, 2048]], 4096),
        (_item("/far", (Extent(1 << 31, 1 << 40),)), [[0, 1 << 40]], 1 << 40),
        (_item("/short", (Extent(0, 2048),), size=5000), [[2048, 2952]], 2048),
    ]
    for item, missing, size in cases:
        _result, (row,) = _export(tmp_path / item.path[1:], item, image=image)
        assert row["missing"] == missing
        assert row["exported"] == f"1-iso9660{item.path}.incomplete"
        assert row["sha256"] is None
        file = tmp_path / item.path[1:] / row["exported"]
        assert file.stat().st_size == size
        assert file.stat().st_blocks * 512 < 1 << 20, "what is missing takes no space"
    assert (tmp_path / "unread/1-iso9660/unread.incomplete").read_bytes()[4096:] == DATA[8192:10240]


def test_sizes_that_only_a_hostile_disc_claims_are_not_written(tmp_path):
    """The whole disc claimed a thousand times, and zeros without end."""
    often = _item("/often", (Extent(0, len(DATA)),) * 1000)
    zeros = _item("/zeros", (Extent(HOLE, 1 << 50),))
    result, rows = _export(tmp_path, often, zeros)
    assert result.failed == 2
    assert ["more than the whole disc" in rows[0]["note"], "does not hold" in rows[1]["note"]] == [True, True]
    assert [p for p in tmp_path.rglob("*") if p.is_file() and "manifest" not in p.name] == []


def test_holes_are_zeros(tmp_path):
    _result, (row,) = _export(tmp_path, _item("/h", (Extent(0, 3), Extent(HOLE, 5), Extent(1, 2))))
    assert (tmp_path / row["exported"]).read_bytes() == b"AAA" + bytes(5) + b"BB"


def test_a_digest_that_differs_from_the_case_is_said(tmp_path):
    content = Content("", 5, (Extent(0, 5),), {"sha256": "0" * 64, "md5": None})
    _result, (row,) = _export(tmp_path, Item("v", "/a", "file", False, (content,), TIMES))
    assert "differs from the case's sha256" in row["note"]


def test_streams_links_folders_and_names_that_meet(tmp_path):
    """A resource fork has a name of its own; links are listed, not made; equal names stay apart."""
    fork = Content("resource", 2, (Extent(3, 2),), {})
    _result, rows = _export(
        tmp_path,
        Item("v", "/d", "directory", False, (), TIMES),
        Item("v", "/d/f", "file", False, (Content("", 1, (Extent(0, 1),), {}), fork), TIMES),
        Item("v", "/d/F", "file", True, (Content("", 1, (Extent(1, 1),), {}),), TIMES),
        Item("v", "/d/l", "symlink", False, (), TIMES, "/etc/passwd"),
    )
    assert [row["exported"] for row in rows] == ["v/d", "v/d/f", "v/d/f.stream-resource", "v/d/F (2)", ""]
    assert (tmp_path / "v/d/f.stream-resource").read_bytes() == b"DD"
    assert rows[3]["deleted"] is True
    assert "/etc/passwd" in rows[4]["note"]
    assert not any(path.is_symlink() for path in tmp_path.rglob("*"))


def test_a_full_disk_leaves_no_half_file(tmp_path):
    """A limit on file size stands for it: one sentence, no file under the name."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
    try:
        with pytest.raises(DiskFullError, match="No space left"):
            _export(tmp_path, _item("/a", (Extent(0, 8192),)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, old)
    assert [p for p in tmp_path.rglob("*") if p.is_file() and "manifest" not in p.name] == []


def test_a_destination_that_cannot_be_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DestinationError):
        Exporter(MemoryImage(DATA), tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(DestinationError):
        Exporter(MemoryImage(DATA), tmp_path / "link")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "link"}


def test_killed_half_way_nothing_looks_whole(tmp_path):
    """SIGKILL while files are written: each file under its name has its content."""
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from acquire.geometry import Extent\n"
        "from acquire.image import MemoryImage\n"
        "from report.export import Content, Exporter, Item\n"
        "exporter = Exporter(MemoryImage(b'z' * (8 << 20)), Path(sys.argv[1]))\n"
        "items = (Item('v', f'/{n}', 'file', False, (Content('', 8 << 20, (Extent(0, 8 << 20),), {}),), {})"
        " for n in range(10_000))\n"
        "print('on', flush=True)\n"
        "exporter.run(items)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program, tmp_path], stdout=subprocess.PIPE)
    child.stdout.readline()
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    child.kill()
    child.wait()
    child.stdout.close()
    files = [p for p in (tmp_path / "v").iterdir() if not p.name.endswith(".tmp")]
    assert files
    assert {p.stat().st_size for p in files} == {8 << 20}

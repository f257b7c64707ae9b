"""Bridges of ISO 9660 and UDF that genisoimage makes at run time, beside 7-Zip and the folder itself."""

import hashlib
import random

import pytest

from acquire.image import MemoryImage
from analyze.entry import EntryKind
from tests.analyze.udf_walked import Walked, content

pytestmark = pytest.mark.tools
MARKED = {"udf-sequence-mismatch"}
"""genisoimage writes another volume set identifier in the reserve sequence (3/8.4.2.2)."""
TREES = {
    "one": {"one.txt": 5},
    "empty": {"empty.bin": 0, "also.bin": 0},
    "sizes": {f"size{size}": size for size in (1, 2047, 2048, 2049, 4096, 65536, 100_001)},
    "deep": {"a/b/c/d/e/f/deep.txt": 77, "a/b/side.txt": 3, "top": 1},
    "many": {f"d{number % 7}/file number {number:04d}.dat": number for number in range(200)},
    "long": {"n" * 90 + ".txt": 10, "x" * 60: 11},
    "names": {"with space": 4, "dots.in.name": 5, "UPPER lower": 6, "comma,dash-": 7, "tilde~1": 8},
    "accents": {"Gr\u00fc\u00dfe.txt": 9, "\u65e5\u672c\u8a9e.txt": 10, "\u041c\u0438\u0440": 11},
}


@pytest.fixture(params=sorted(TREES))
def bridge(request, run, tmp_path):
    """Path of a bridge, the walk of it, and the content of each file of its folder."""
    chance = random.Random(request.param)
    files = {f"/{name}": chance.randbytes(size) for name, size in TREES[request.param].items()}
    for name, data in files.items():
        place = tmp_path / "tree" / name[1:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    image = tmp_path / "bridge.iso"
    words = ("-quiet", "-input-charset", "utf-8", "-udf", "-J", "-joliet-long", "-V", "BRIDGE")
    run("genisoimage", *words, "-o", image, tmp_path / "tree")
    return image, Walked(image.read_bytes()), files


def test_every_file_of_the_folder_is_there(bridge):
    """Paths, sizes and SHA-256 are those of the folder that was put in, no more and no fewer."""
    _path, found, files = bridge
    here = {
        entry.path: hashlib.sha256(content(found.image, entry.streams[0])).hexdigest()
        for entry in found.all
        if entry.kind is EntryKind.FILE
    }
    assert here == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert {e.path: e.size_bytes for e in found.all if e.kind is EntryKind.FILE} == {
        name: len(data) for name, data in files.items()
    }
    assert set(found.codes) <= MARKED


def test_every_directory_of_the_folder_is_there(bridge):
    """Directories are those of the folder, each before what is in it."""
    _path, found, files = bridge
    expected = {
        "/" + "/".join(parts[:number])
        for parts in (name[1:].split("/") for name in files)
        for number in range(1, len(parts))
    }
    directories = [entry.path for entry in found.all if entry.kind is EntryKind.DIRECTORY]
    assert sorted(directories) == sorted(expected)
    for entry in found.all:
        above = entry.path.rpartition("/")[0]
        assert not above or found.live.index(above) < found.live.index(entry.path)


def test_the_list_of_7_zip(bridge, run):
    """7-Zip's UDF reader lists the same paths, sizes and kinds."""
    path, found, _files = bridge
    text = run("7z", "l", "-tudf", "-slt", "-sccUTF-8", path, check=False).stdout
    expected = {}
    for block in text.split("\n\n"):
        row = dict(line.partition(" = ")[::2] for line in block.splitlines() if " = " in line)
        if "Path" in row and "Folder" in row:
            expected["/" + row["Path"]] = None if row["Folder"] == "+" else int(row["Size"])
    here = {e.path: None if e.kind is EntryKind.DIRECTORY else e.size_bytes for e in found.all}
    assert expected
    assert here == expected


def test_what_7_zip_says_of_the_volume(bridge, run):
    """The label and the size of a block."""
    path, found, _files = bridge
    text = run("7z", "l", "-tudf", "-slt", path, check=False).stdout
    row = dict(line.partition(" = ")[::2] for line in text.splitlines() if " = " in line)
    assert row["Type"] == "Udf"
    assert found.info.label == "BRIDGE"
    assert found.info.block_size_bytes == 2048
    assert found.info.attributes["udf_revision"] == "1.02"


def test_content_of_a_bridge_lies_where_iso_9660_has_it(bridge, run):
    """Both file systems share the content: the sectors are those that isoinfo lists."""
    path, found, _files = bridge
    text = run("isoinfo", "-l", "-i", path).stdout
    sectors = set()
    for line in text.splitlines():
        if "[" in line and not line.startswith("d"):
            sectors.add(int(line.split("[")[1].split()[0]))
    for entry in found.all:
        if entry.kind is EntryKind.FILE and entry.size_bytes:
            assert entry.streams[0].extents[0].start_lba in sectors


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_bridge_that_is_cut_short(bridge, share):
    """What is left of an image never gives a file that the folder did not have."""
    path, _found, files = bridge
    data = path.read_bytes()
    found = Walked(MemoryImage(data[: int(len(data) * share) // 2048 * 2048]))
    names = {entry.path for entry in found.all if entry.kind is EntryKind.FILE}
    assert names <= set(files)

"""Discs that genisoimage and xorriso make for the test, as isoinfo, bsdtar and 7z list them."""

import hashlib
import os
import subprocess

import pytest

from acquire.geometry import SECTOR_BYTES
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660.volume import open_volumes

pytestmark = pytest.mark.tools
MAKERS = {
    "genisoimage": ["genisoimage", "-quiet", "-input-charset", "utf-8"],
    "xorriso": ["xorriso", "-as", "mkisofs", "-quiet"],
}


def made(maker, tree, *options):
    """The image that `maker` makes of `tree`, as a file beside it."""
    path = tree.parent / f"{maker}.iso"
    subprocess.run([*MAKERS[maker], *options, "-o", path, tree], check=True, capture_output=True)
    return path


def walked(path, kind="iso9660"):
    """Entries by path of the view of that kind; nothing may be wrong with a disc just made."""
    image = MemoryImage(path.read_bytes())
    views = [noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly)]
    (view,) = (one for one in views if one.info.kind == kind)
    nouns = list(view.walk())
    assert [noun for noun in nouns if isinstance(noun, Anomaly)] == []
    return {noun.path: noun for noun in nouns if isinstance(noun, Entry)}


def lines(*command):
    """What a program prints, line by line."""
    done = subprocess.run(command, check=True, capture_output=True, env=os.environ | {"LC_ALL": "C.UTF-8"})
    return done.stdout.decode().splitlines()


def content(path, entry):
    """The bytes that the entry's extents lead to."""
    data = path.read_bytes()
    starts = [(e.start_lba * SECTOR_BYTES + e.offset_bytes, e.length_bytes) for e in entry.streams[0].extents]
    return b"".join(data[start : start + length] for start, length in starts)


@pytest.fixture
def tree(tmp_path):
    """An empty folder for what goes onto the disc."""
    folder = tmp_path / "tree"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("maker", MAKERS)
class TestMadeDiscs:
    """Each by both programs."""

    @pytest.mark.parametrize("count", [1, 38, 39, 40, 41, 42, 43, 44, 45, 90, 300])
    def test_directories_about_the_end_of_a_sector(self, maker, count, tree, tool):
        """6.8.1.1: isoinfo finds the same names, however many records the last sector has."""
        tool(maker)
        tool("isoinfo")
        for number in range(count):
            (tree / f"F{number:06d}.TXT").write_bytes(b"%d" % number)
        path = made(maker, tree)
        listed = {line.removesuffix(";1") for line in lines("isoinfo", "-f", "-i", str(path))}
        entries = walked(path)
        assert set(entries) == listed
        assert len(entries) == count
        assert content(path, entries[f"/F{count - 1:06d}.TXT"]) == b"%d" % (count - 1)

    @pytest.mark.parametrize("depth", [7, 8, 9, 16])
    def test_deep_directories_stand_where_they_were(self, maker, depth, tree, tool):
        """RRIP 4.1.5: bsdtar finds the same paths, above, at and far below the eighth level."""
        tool(maker)
        tool("bsdtar")
        folder = tree
        for level in range(depth):
            folder /= f"level{level}"
            folder.mkdir()
            (folder / "here.txt").write_text(f"{level}")
            (folder / "side").mkdir()
        path = made(maker, tree, "-R")
        listed = {"/" + line.rstrip("/") for line in lines("bsdtar", "-tf", str(path))} - {"/.", "/rr_moved"}
        entries = walked(path)
        expected = {"/" + str(one.relative_to(tree)) for one in tree.rglob("*")}
        assert set(entries) - {"/rr_moved"} == expected
        assert listed == expected
        deepest = "/" + str((folder / "here.txt").relative_to(tree))
        assert content(path, entries[deepest]) == b"%d" % (depth - 1)

    def test_joliet_names(self, maker, tree, tool):
        """7z finds the same names in the Joliet tree, of many scripts."""
        tool(maker)
        tool("7z")
        names = ["plain.txt", "Größe.txt", "日本語.txt", "ελληνικά", "with space", "a.b.c.d", "x" * 60]
        for name in names:
            (tree / name).write_text(name)
        path = made(maker, tree, "-J")
        listed = {line[7:] for line in lines("7z", "l", "-slt", str(path)) if line.startswith("Path = ")}
        entries = walked(path, "joliet")
        assert set(entries) == {"/" + name for name in names}
        assert {"/" + name for name in listed if not name.startswith("/")} == set(entries)
        for name in names:
            assert content(path, entries["/" + name]) == name.encode()

    @pytest.mark.parametrize("size", [0, 1, 2047, 2048, 2049, 100_000])
    def test_content(self, maker, size, tree, tool):
        """The bytes where the entry leads are those that bsdtar extracts."""
        tool(maker)
        tool("bsdtar")
        (tree / "file").write_bytes(hashlib.shake_128(b"made").digest(size))
        path = made(maker, tree, "-R")
        read = subprocess.run(["bsdtar", "-xOf", path, "file"], check=True, capture_output=True).stdout
        entry = walked(path)["/file"]
        assert content(path, entry) == read
        assert entry.size_bytes == size

    def test_links_as_bsdtar_reads_them(self, maker, tree, tool):
        """RRIP 4.1.3: the same targets, with every kind of component."""
        tool(maker)
        tool("bsdtar")
        targets = ["a", "../a", "./a", "/", "/usr/bin", "..", ".", "a/../b/./c", "é/ü", "n" * 120]
        for number, target in enumerate(targets):
            (tree / f"link{number}").symlink_to(target)
        path = made(maker, tree, "-R")
        printed = [line.split(" -> ") for line in lines("bsdtar", "-tvf", str(path)) if " -> " in line]
        listed = {"/" + before.split()[-1]: target for before, target in printed}
        entries = walked(path)
        assert all(one.kind is EntryKind.SYMLINK for one in entries.values())
        assert {name: one.link_target for name, one in entries.items()} == listed


def test_hidden_files_are_marked(tree, tool):
    """9.1.6 bit 0, which -hidden of genisoimage sets: marked on that file alone, and the file is listed."""
    tool("genisoimage")
    (tree / "secret.txt").write_text("secret")
    (tree / "open.txt").write_text("open")
    entries = walked(made("genisoimage", tree, "-R", "-hidden", "secret.txt"))
    assert {name: one.hidden for name, one in entries.items()} == {
        "/secret.txt": True,
        "/open.txt": False,
    }
    assert content(tree.parent / "genisoimage.iso", entries["/secret.txt"]) == b"secret"

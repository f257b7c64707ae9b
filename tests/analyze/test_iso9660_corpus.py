"""Every ISO 9660 image of the corpus against five other programs: names, sizes, places, content.

What differs is in `DIFFERENCES`, and docs/explanation/differences.md says who is right and why. Programs
show one view each; it is compared with ours of the same kind.
"""

import hashlib
import io
import os
import re
import stat
import subprocess
import tarfile
from functools import cache
from pathlib import Path

import pytest

from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660.volume import open_volumes

pytestmark = [pytest.mark.corpus, pytest.mark.tools]
ROOT = Path(__file__).resolve().parent.parent.parent
DFTT = "sleuthkit_test_data/from_brian/14-iso9660-1.d/14-iso9660-1/"
IMAGES = (
    "coreos-installer/embed-areas-2020-09.iso",
    "coreos-installer/embed-areas-2021-01.iso",
    "coreos-installer/embed-areas-2021-09.iso",
    "coreos-installer/embed-areas-2022-09.iso",
    "coreos-installer/embed-areas-2023-07.x86_64.iso",
    "coreos-installer/synthetic.iso",
    "debian/ipxe.iso",
    "debian/memtest86+ia32.iso",
    "debian/memtest86+x64.iso",
    "dfvfs/iso9660.raw",
    "forensic-vfs-engine/test.iso",
    "gvfs/joliet.iso",
    "hooklift-iso9660/test.iso",
    "isolyzer/iso9660.iso",
    "isolyzer/iso9660_apple.iso",
    "isolyzer/iso9660_hfs.iso",
    "isolyzer/iso9660_hfs_part.iso",
    "isolyzer/iso9660_roxioecc.iso",
    "isolyzer/iso9660_trunc.iso",
    "isolyzer/iso9660_udf.iso",
    "k3b/iso.iso",
    "k3b/joliet.iso",
    "k3b/rockridge.iso",
    "kdomanski-iso9660/test.iso",
    "libarchive/test_read_format_iso.iso",
    "libarchive/test_read_format_iso_2.iso",
    "libarchive/test_read_format_iso_joliet.iso",
    "libarchive/test_read_format_iso_joliet_rockridge.iso",
    "libarchive/test_read_format_iso_joliet_utf16be_overflow.iso",
    "libarchive/test_read_format_iso_multi_extent.iso",
    "libarchive/test_read_format_iso_rockridge_ce.iso",
    "libarchive/test_read_format_iso_xorriso.iso",
    "libarchive/test_read_format_iso_zisofs.iso",
    "libarchive/test_read_format_iso_zisofs_overflow.iso",
    "libcdio/bad-dir.iso",
    "libcdio/copying-rr.iso",
    "libcdio/copying.iso",
    "libcdio/joliet.iso",
    "libcdio/malformed.iso",
    "libcdio/multi_extent_8k.iso",
    "libcdio/multi_extent_8k_joliet.iso",
    "libcdio/test-udf1.iso",
    "oxyromon/tests/Test Game (USA, Europe).iso",
    "sevenzipjbinding/multiple-files/iso/archive1.zip.0.iso",
    "sevenzipjbinding/multiple-files/iso/archive1.zip.2.iso",
    "sevenzipjbinding/multiple-files/iso/archive2.zip.0.iso",
    "sevenzipjbinding/multiple-files/iso/archive2.zip.2.iso",
    "sevenzipjbinding/simple/iso/simple1.dat.0.iso",
    "sevenzipjbinding/simple/iso/simple2.dat.0.iso",
    "sevenzipjbinding/simple/iso/simple3.dat.0.iso",
    "sevenzipjbinding/simple/iso/simple4.dat.0.iso",
    "sevenzipjbinding/simple/iso/simple5.dat.0.iso",
    "sleuthkit/image.iso",
    DFTT + "iso-dirtree1.iso",
    DFTT + "iso-dirtree2.iso",
    DFTT + "iso-endian.iso",
    "syzkaller/iso9660_0.img",
    "syzkaller/iso9660_1.img",
    "syzkaller/iso9660_11.img",
    "syzkaller/iso9660_12.img",
    "syzkaller/iso9660_14.img",
    "syzkaller/iso9660_16.img",
    "syzkaller/iso9660_2.img",
    "syzkaller/iso9660_4.img",
    "syzkaller/iso9660_6.img",
    "syzkaller/iso9660_8.img",
    "syzkaller/iso9660_9.img",
    "toolmade/ddrescue/bad_finished.iso",
    "toolmade/img4dc/ad.iso",
    "toolmade/img4dc/dd.iso",
    "toolmade/multisession/genisoimage2.iso",
    "util-linux/blkid/images-fs/iso-joliet.img",
    "util-linux/blkid/images-fs/iso-multi-0-174-348-genisoimage.img",
    "util-linux/blkid/images-fs/iso-unicode-long-label.img",
    "util-linux/blkid/images-fs/iso.img",
    "util-linux/blkid/images-fs/udf-cd-nero-6.img",
    "util-linux/blkid/images-fs/udf.img",
    "util-linux/hist/iso-partitions.img",
    "virt-manager/fake-centos65-label.iso",
    "virt-manager/fake-f29-live.iso",
    "virt-manager/fake-win7.iso",
)
CE = "libarchive/test_read_format_iso_rockridge_ce.iso"
OVERFLOW = "libarchive/test_read_format_iso_joliet_utf16be_overflow.iso"
NO_ER = "libarchive/test_read_format_iso_zisofs_overflow.iso"
ROXIO = "isolyzer/iso9660_roxioecc.iso"
DEEPEST = "".join(f"/{letter * 103}" for letter in "ABCD") + f"/{'E' * 96}/F"
FILES = {f"/{'a' * length}" for length in (151, 152, 153)}
LINKS = {"/SYM1", "/SYM2", "/SYM3"}

OUTSIDE = "leaves out an empty file whose meaningless place is outside the image"
# (image, program): paths that only we list, paths that only it lists, and why, as in the documentation.
DIFFERENCES: dict[tuple[str, str], tuple[set[str], set[str], str]] = {
    (CE, "7z"): (FILES, {f"/{'a' * 146}"}, "does not follow CE"),
    (CE, "fls"): (LINKS, set(), OUTSIDE),
    (OVERFLOW, "bsdtar"): ({DEEPEST}, set(), "refuses the longest path"),
    (NO_ER, "fls"): ({"/OVERFLOW.BIN"}, set(), "never ends"),
    (DFTT + "iso-dirtree2.iso", "7z"): (set(), {"/File2.txt"}, "shows the second Joliet tree"),
    (DFTT + "iso-endian.iso", "7z"): ({"/File1.txt"}, set(), "refuses the image"),
    (ROXIO, "bsdtar"): ({"/nimbie.jpg", "/readme.txt"}, set(), "refuses volume sequence number 0"),
    (ROXIO, "fls"): ({"/NIMBIE.JPG", "/README.TXT"}, set(), "refuses volume sequence number 0"),
    ("k3b/joliet.iso", "xorriso"): ({"/äöüß", "/äöüß/¹²³.txt"}, set(), "refuses the image"),
    ("k3b/joliet.iso", "isoinfo joliet"): (
        {"/äöüß", "/äöüß/¹²³.txt"},
        {"/\\xe4\\xf6\\xfc\\xdf", "/\\xe4\\xf6\\xfc\\xdf/\\xb9\\xb2\\xb3.txt"},
        "prints the names in ISO 8859-1",
    ),
    ("k3b/iso.iso", "fls"): ({"/________/______.TXT"}, set(), OUTSIDE),
    ("k3b/joliet.iso", "fls"): ({"/äöüß/¹²³.txt"}, set(), OUTSIDE),
    ("k3b/rockridge.iso", "fls"): ({"/________/______.TXT"}, set(), OUTSIDE),
    ("libarchive/test_read_format_iso_joliet_rockridge.iso", "fls"): ({"/symlink"}, set(), OUTSIDE),
    ("syzkaller/iso9660_11.img", "fls"): ({"/file0/file1"}, set(), OUTSIDE),
}
NO_ATTRIBUTES = {(NO_ER, "xorriso"): "takes no Rock Ridge without ER"}


class View:
    """One of our views, by path, and by the identifiers that the directories record."""

    def __init__(self, volume):
        """Walk it."""
        self.kind = volume.info.kind
        self.rock_ridge = volume.info.attributes.get("rock_ridge", False)
        self.primary = volume.info.attributes["descriptor"] == "primary"
        self.entries = [noun for noun in volume.walk() if isinstance(noun, Entry)]
        self.by_path = {entry.path: entry for entry in self.entries}
        self.identifiers = {}
        for entry in self.entries:
            above = "" if entry.parent is None else self.identifiers[entry.parent]
            self.identifiers[entry.ordinal] = f"{above}/{entry.identifier}"

    def by_identifiers(self):
        """Entries by the path that their identifiers make."""
        return {self.identifiers[entry.ordinal]: entry for entry in self.entries}

    def plain_names(self):
        """Paths without versions: what a program shows that knows ISO 9660 alone."""
        return {re.sub(r"\.?;1$", "", path) for path in self.identifiers.values()}


@cache
def ours(path):
    """The image and our views of it."""
    image = MemoryImage(Path(path).read_bytes())
    volumes = [noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly)]
    return image, [View(volume) for volume in volumes]


def the_view(path, *wanted):
    """The first of our views of the first kind there is: "rock ridge", "joliet", "plain"."""
    _, views = ours(path)
    for kind in wanted:
        for view in views:
            is_joliet = view.kind == "joliet"
            if (kind == "joliet") == is_joliet and (kind != "rock ridge" or view.rock_ridge):
                return view
    pytest.skip("the image has no such view")
    return None


def content(image, entry):
    """SHA-256 of the data stream by its extents; None if the image does not hold all of it."""
    digest = hashlib.sha256()
    left = entry.size_bytes
    for start, length, offset in entry.streams[0].extents:
        count = -(-(offset + length) // 2048)
        data = image.read(start, count)[offset : offset + length]
        digest.update(data)
        left -= len(data)
    return digest.hexdigest() if left == 0 else None


def output(*command, seconds=60):
    """What a program prints; it may complain of a bad image, it may not hang."""
    environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        capture_output=True,
        env=environment,
        timeout=seconds,
    )
    return done.stdout


def compare(image, program, mine, theirs):
    """The same paths, but for what is explained."""
    only_ours, only_theirs, _ = DIFFERENCES.get((image, program), (set(), set(), ""))
    assert set(mine) - set(theirs) == only_ours
    assert set(theirs) - set(mine) == only_theirs


def isoinfo(path, *view):
    """Path to [(size, LBA), …] of each record, by `isoinfo -l`."""
    row = re.compile(rb"^\S{10} +\d+ +\d+ +\d+ +(\d+) .{11} \[ *(-?\d+) [0-9A-F]+\]? (.*)$")
    found, folder = {}, ""
    for line in output("isoinfo", *view, "-l", "-i", path).split(b"\n"):
        if line.startswith(b"Directory listing of "):
            folder = line[21:].rstrip().decode("utf-8", "backslashreplace")
        elif match := row.match(line):
            name = match[3].removeprefix(b" ").removesuffix(b" ").decode("utf-8", "backslashreplace")
            if name.strip() not in ("", ".", ".."):
                found.setdefault(folder + name.split(" -> ")[0], []).append((int(match[1]), int(match[2])))
    return found


def places(entry):
    """Sizes and LBAs as isoinfo lists them, one for each section."""
    if entry.kind is EntryKind.DIRECTORY:
        return [(entry.size_bytes, entry.attributes["lba"])]
    return [(extent.length_bytes, extent.start_lba) for extent in entry.streams[0].extents]


@pytest.mark.parametrize("name", IMAGES)
class TestCorpus:
    """One image, one program, the view that it shows."""

    @pytest.fixture
    def path(self, name, corpus):
        """The image itself."""
        return str(corpus(name))

    @pytest.mark.parametrize("view", ["plain", "rock ridge", "joliet"])
    def test_isoinfo(self, name, path, view, tool):
        """isoinfo: every record of each view, with its size and its place."""
        tool("isoinfo")
        mine = the_view(path, view)
        if view == "plain":
            entries, theirs = mine.by_identifiers(), isoinfo(path)
        elif view == "rock ridge":
            entries, theirs = mine.by_path, isoinfo(path, "-R")
        else:
            entries = mine.by_path
            theirs = {re.sub(";1$", "", p): rows for p, rows in isoinfo(path, "-J").items()}
        compare(name, f"isoinfo {view}", entries, theirs)
        for where in set(entries) & set(theirs):
            rows = [row for row in theirs[where] if row[0]]
            assert places(entries[where]) == rows or not rows

    def test_7z(self, name, path, tool, tmp_path):
        """7-Zip: every path that it extracts, with its content. It prefers Joliet."""
        tool("7z")
        mine = the_view(path, "joliet", "rock ridge", "plain")
        output("7z", "x", "-y", f"-o{tmp_path}", path)
        theirs = {"/" + str(one.relative_to(tmp_path)): one for one in tmp_path.rglob("*")}
        theirs = {where: one for where, one in theirs.items() if not where.startswith("/[BOOT]")}
        compare(name, "7z", mine.by_path, theirs)
        image, _ = ours(path)
        for where in set(mine.by_path) & set(theirs):
            entry, one = mine.by_path[where], theirs[where]
            assert (entry.kind is EntryKind.DIRECTORY) == one.is_dir()
            if entry.kind is EntryKind.FILE:
                assert content(image, entry) == hashlib.sha256(one.read_bytes()).hexdigest()

    def test_bsdtar(self, name, path, tool):
        """libarchive: kinds, sizes, content, link targets, owners, modes. It prefers Rock Ridge."""
        tool("bsdtar")
        mine = the_view(path, *(("rock ridge", "joliet", "plain")))
        archive = output("bsdtar", "-cf", "-", "--format=pax", f"@{path}")
        image, _ = ours(path)
        theirs = {}
        with tarfile.open(fileobj=io.BytesIO(archive or bytes(10240)), errors="backslashreplace") as tar:
            for one in tar:
                where = "/" + one.name.removeprefix("./").rstrip("/")
                data = tar.extractfile(one).read() if one.isreg() else b""
                theirs[where] = (one, hashlib.sha256(data).hexdigest())
        theirs.pop("/.", None)
        compare(name, "bsdtar", mine.by_path, theirs)
        for where in set(mine.by_path) & set(theirs):
            entry, (one, digest) = mine.by_path[where], theirs[where]
            assert (entry.kind is EntryKind.DIRECTORY, entry.kind is EntryKind.SYMLINK) == (
                one.isdir(),
                one.issym(),
            )
            assert entry.link_target == (one.linkname or None) or one.islnk()
            zisofs = (entry.attributes or {}).get("zisofs")
            if zisofs and one.size == zisofs["uncompressed_bytes"]:
                continue  # it decompresses
            if entry.kind is EntryKind.FILE and one.isreg():
                assert content(image, entry) == digest
            if mine.rock_ridge:
                assert (stat.S_IMODE(entry.mode), entry.uid, entry.gid) == (one.mode, one.uid, one.gid)

    def test_xorriso(self, name, path, tool):
        """libisofs: modes, sizes, link targets. It prefers Rock Ridge."""
        tool("xorriso")
        mine = the_view(path, "rock ridge", "joliet", "plain")
        listed = output("xorriso", "-abort_on", "NEVER", "-indev", path, "-find", "/", "-exec", "lsdl", "--")
        row = re.compile(r"^(\S{10})\S* +\d+ (\S+) +(\S+) +(\d+|\d+,\d+) .{12} '(.*?)'(?: -> '(.*)')?$")
        theirs = {}
        for line in listed.decode("utf-8", "backslashreplace").split("\n"):
            if (match := row.match(line)) and match[5] != "/":
                theirs[match[5].replace("'\"'\"'", "'")] = match
        compare(name, "xorriso", mine.by_path, theirs)
        for where in set(mine.by_path) & set(theirs):
            entry, match = mine.by_path[where], theirs[where]
            assert entry.link_target == match[6]
            zisofs = (entry.attributes or {}).get("zisofs")
            if entry.kind is EntryKind.FILE:
                assert int(match[4]) in (entry.size_bytes, zisofs and zisofs["uncompressed_bytes"])
            if mine.rock_ridge:
                mode = match[1].replace("e", "-")  # so it marks an El Torito boot image
                assert stat.filemode(entry.mode) == mode or (name, "xorriso") in NO_ATTRIBUTES

    def test_fls(self, name, path, tool):
        """The Sleuth Kit: the names of one of our views; what it calls orphans is left out."""
        tool("fls")
        try:
            listed = output("fls", "-r", "-p", path, seconds=5).decode("utf-8", "backslashreplace")
        except subprocess.TimeoutExpired:
            listed = ""
        theirs = {"/" + line.split("\t", 1)[1] for line in listed.split("\n") if "\t" in line}
        theirs = {where for where in theirs if not where.startswith("/$OrphanFiles")}
        _, views = ours(path)
        shown = [set(view.by_path) for view in views]
        shown += [view.plain_names() for view in views if view.primary]
        if (name, "fls") in DIFFERENCES:
            compare(name, "fls", min(shown, key=lambda paths: len(paths ^ theirs)), theirs)
        else:
            assert theirs in shown or not shown


def test_every_difference_is_explained():
    """docs/explanation/differences.md has the image, the program and the reason in one row."""
    rows = (ROOT / "docs/explanation/differences.md").read_text().split("\n")
    reasons = {key: why for key, (_, _, why) in DIFFERENCES.items()} | NO_ATTRIBUTES
    for (image, program), why in reasons.items():
        words = (Path(image).name, program.split()[0], why)
        assert any(all(word in row for word in words) for row in rows), words

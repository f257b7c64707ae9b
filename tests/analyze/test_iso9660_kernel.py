"""Images of the rig against listings by the Linux 6.1 driver, mounted in three ways."""

import hashlib
import json
import stat
from datetime import datetime, timedelta, timezone

import pytest

from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry, EntryKind
from analyze.iso9660.volume import open_volumes

pytestmark = pytest.mark.corpus
IMAGES = (
    "iso_apple_rr.iso",
    "iso_eltorito.iso",
    "iso_hfs_hybrid.iso",
    "iso_hfsplus.iso",
    "iso_joliet.iso",
    "iso_jrr.iso",
    "iso_l1_plain.iso",
    "iso_l4_1999.iso",
    "iso_rational.iso",
    "iso_rr.iso",
    "iso_rr_xattr_aaip.iso",
    "iso_udfbridge.iso",
)
KINDS = {"dir": EntryKind.DIRECTORY, "file": EntryKind.FILE, "link": EntryKind.SYMLINK}


def opened(rig_image, name):
    """The image, its views, and the driver's listings by mount options."""
    image = MemoryImage(rig_image(name).read_bytes())
    views = [noun for noun in open_volumes(image, 0, 1, 0) if not isinstance(noun, Anomaly)]
    truth = json.loads(rig_image(f"{name}.kernel.json").read_text())["views"]
    return image, views, truth


def listed(volume):
    """Entries by path without the leading slash, as the driver's listing has them."""
    return {noun.path[1:]: noun for noun in volume.walk() if isinstance(noun, Entry)}


def theirs(view):
    """The driver's rows by path."""
    return {row["path"]: row for row in view["entries"]}


def check(image, entry, row):
    """Kind, size, time and content are those of the driver."""
    assert entry.kind is KINDS.get(row["type"], EntryKind.OTHER)
    if entry.kind is EntryKind.FILE:
        assert entry.size_bytes == row["size"]
        pieces = (
            image.read(e.start_lba, e.length_sectors)[: e.length_bytes] for e in entry.streams[0].extents
        )
        assert hashlib.sha256(b"".join(pieces)).hexdigest() == row["sha256"]
    time = entry.modified
    zone = timezone(timedelta(minutes=time.offset_minutes))
    assert datetime(*time[:6], tzinfo=zone).timestamp() == int(row["mtime"])


@pytest.mark.parametrize("name", IMAGES)
def test_rock_ridge(name, rig_image):
    """With nojoliet: also permissions, owner, links, and targets."""
    image, views, truth = opened(rig_image, name)
    if not views[0].info.attributes.get("rock_ridge"):
        pytest.skip("no Rock Ridge")
    entries, rows = listed(views[0]), theirs(truth["nojoliet"])
    assert set(entries) == set(rows)
    for path, entry in entries.items():
        check(image, entry, rows[path])
        assert oct(entry.mode & 0o7777) == oct(int(rows[path]["mode"], 8) & 0o7777)
        assert entry.uid == rows[path]["uid"]
        assert entry.links == rows[path]["nlink"]
        assert entry.link_target == rows[path].get("target")
        assert stat.S_IFMT(entry.mode)


@pytest.mark.parametrize("name", IMAGES)
def test_joliet(name, rig_image):
    """With norock: the driver looks Joliet names up without case, so it shows DOCS twice and docs never."""
    image, views, truth = opened(rig_image, name)
    if len(views) < 2:
        pytest.skip("no Joliet")
    entries, rows = listed(views[1]), theirs(truth["norock"])
    assert {path for path in rows if not path.startswith("docs/")} == {
        path for path in entries if not path.startswith("docs/")
    }
    for path in set(entries) & set(rows):
        check(image, entries[path], rows[path])


@pytest.mark.parametrize("name", IMAGES)
def test_identifiers(name, rig_image):
    """With norock,nojoliet,unhide,map=off: identifiers as the directories record them."""
    _, views, truth = opened(rig_image, name)
    entries, rows = listed(views[0]), theirs(truth["unhide"])
    if any(path.startswith("rr_moved/") for path in map(str.lower, rows)):
        pytest.skip("shows relocated directories where they stand")
    paths = {}
    for entry in entries.values():
        above = "" if entry.parent is None else paths[entry.parent] + "/"
        paths[entry.ordinal] = above + entry.identifier
    by_identifier = {paths[entry.ordinal]: entry for entry in entries.values()}
    assert set(by_identifier) == set(rows)
    for path, entry in by_identifier.items():
        if entry.kind is EntryKind.FILE:
            assert entry.size_bytes == rows[path]["size"]

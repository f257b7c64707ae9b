"""Every ISO 9660 image of the corpus: our files are those that 7z, bsdtar and xorriso extract.

A program shows one view of an image; it must equal one of ours, path by path and byte by byte. Where a
program is known to be wrong, or shows something else on purpose, the reason stands in the table below.
"""

import hashlib
import json

import pytest

from acquire.geometry import SectorRange
from acquire.image import MemoryImage
from analyze.entry import EntryKind

pytestmark = [pytest.mark.corpus, pytest.mark.tools]
EMPTY = hashlib.sha256(b"").hexdigest()
DFTT14 = "sleuthkit_test_data/from_brian/14-iso9660-1.d/14-iso9660-1/"

EXCEPTIONS = {
    ("libcdio/copying-rr.iso", "7z"): "extracts symlinks as empty files",
    ("libarchive/test_read_format_iso_rockridge_ce.iso", "7z"): "cuts long names; symlinks as empty files",
    ("libarchive/test_read_format_iso_zisofs.iso", "7z"): "extracts symlinks as empty files",
    (
        "libarchive/test_read_format_iso_zisofs.iso",
        "bsdtar",
    ): "decompresses zisofs; ours are the bytes as stored",
    ("libarchive/test_read_format_iso_zisofs.iso", "xorriso"): "decompresses zisofs",
    ("isolyzer/iso9660_roxioecc.iso", "bsdtar"): "gives up on the volume descriptor's sequence number",
    ("k3b/joliet.iso", "xorriso"): "refuses the image, which was made without padding",
    (DFTT14 + "iso-endian.iso", "7z"): "refuses the image: the two byte orders of a file's address differ",
    # No program reads raw CD sectors of 2352 bytes.
    ("cue2ccd/onetrack/ccd/basic_image.img", "7z"): "raw sectors",
    ("cue2ccd/onetrack/ccd/basic_image.img", "bsdtar"): "raw sectors",
    ("cue2ccd/onetrack/ccd/basic_image.img", "xorriso"): "raw sectors",
    ("toolmade/vcd/cdrdao/vcd2_01.img", "7z"): "raw sectors",
    ("toolmade/vcd/cdrdao/vcd2_01.img", "bsdtar"): "raw sectors",
    ("toolmade/vcd/cdrdao/vcd2_01.img", "xorriso"): "raw sectors",
}


@pytest.mark.parametrize("program", ["7z", "bsdtar", "xorriso"])
def test_every_image_against_extraction(corpus_rows, corpus, examined, extract, program):
    """Paths and SHA-256 of one of our views equal the program's, for every image but those in the table."""
    differing, compared = [], 0
    for row in corpus_rows:
        name = row["path"]
        if "ISO9660" not in row["filesystems_detected"] or row["format"] not in ("ISO", "raw image"):
            continue
        result = examined(corpus(name))
        theirs = {p: d for p, d in extract(program, corpus(name)).items() if not p.startswith("/[BOOT]")}
        agrees = any(result.files(volume.ordinal) == theirs for volume in result.volumes)
        compared += agrees
        if agrees == ((name, program) in EXCEPTIONS):
            differing.append(name)
    assert differing == []
    assert compared >= 70


def test_two_trees(corpus, examined):
    """DFTT #14, dirtree1: File1.txt in the primary tree only, File2.txt in the Joliet tree only."""
    result = examined(corpus(DFTT14 + "iso-dirtree1.iso"))
    assert [set(result.view(v.ordinal)) for v in result.volumes] == [{"/File1.txt"}, {"/File2.txt"}]


def test_three_trees(corpus, examined):
    """DFTT #14, dirtree2: the second of two Joliet descriptors has File2.txt; three trees, two files."""
    result = examined(corpus(DFTT14 + "iso-dirtree2.iso"))
    assert [(v.kind, v.label) for v in result.volumes] == [
        ("iso9660", "ISO9660 Orphan Test 2"),
        ("joliet", "ISO9660 Orphan 2"),
        ("joliet", "ISO9660 Orphan2"),
    ]
    views = [set(result.view(v.ordinal)) for v in result.volumes]
    assert views[:2] == [{"/File1.txt"}, set()]
    assert "/File2.txt" in views[2]


def test_two_byte_orders(corpus, examined):
    """DFTT #14, endian: the two addresses of one file differ; one is used, the conflict is said.

    Linux reads the little-endian copy, so that is what most users of the disc saw; the content at the
    other address is data that nobody owns.
    """
    path = corpus(DFTT14 + "iso-endian.iso")
    data = path.read_bytes()
    result = examined(path)
    little, big = (data[lba * 2048 : lba * 2048 + 31] for lba in (31, 32))
    assert little != big
    assert result.files(0) == {"/File1.txt": hashlib.sha256(little).hexdigest()}
    assert any(a.seen == "31 and 32" for a in result.anomalies)
    assert [(f.code, f.lba) for f in result.findings] == [("data-unowned", 32)]


def test_sectors_that_ddrescue_did_not_get(corpus, examined):
    """LBA 25, 49, 51 and 65 to 74 were lost (the mapfile beside the image): each file there is named.

    The undamaged original says which sectors belong to which file.
    """
    original = examined(corpus("kdomanski-iso9660/test.iso"))
    lost = {25, 49, 51, *range(65, 75)}
    image = MemoryImage(
        corpus("toolmade/ddrescue/bad_finished.iso").read_bytes(),
        unread=(SectorRange(25, 1), SectorRange(49, 1), SectorRange(51, 1), SectorRange(65, 10)),
    )
    result = examined(image)
    view, originals = result.view(0), original.view(0)
    hit = {
        path
        for path, entry in originals.items()
        for stream in entry.streams
        for extent in stream.extents
        if lost & set(range(extent.start_lba, extent.start_lba + extent.length_sectors))
    }
    assert hit
    assert set(view) <= set(originals)
    named = {f.path for f in result.findings if f.code == "unread-affects-file"}
    assert named == hit & set(view)
    for path, entry in view.items():
        if entry.kind is EntryKind.FILE:
            expected = "unread" if path in hit else "complete"
            assert result.status(entry) == expected, path
            assert result.digest(entry) == (None if path in hit else original.digest(originals[path]))
    cicero = next(f for f in result.findings if f.path == "/CICERO.TXT")
    assert (cicero.lba, cicero.length_bytes) == (49, 845)  # where `isoinfo -l` says it is
    assert cicero.title == "845 of 845 bytes of the content not read"
    structures = [f for f in result.findings if f.code == "unread-affects-structure"]
    assert len(structures) == 1
    missing = set(originals) - set(view)
    assert missing
    assert missing == {path for path, entry in originals.items() if entry.record_lba in lost}


KERNEL_VIEWS = [
    (image, view)
    for view, images in {
        "default": "apple_rr eltorito hfs_hybrid hfsplus jrr rational rr rr_xattr_aaip udfbridge",
        "udf": "iso_udfbridge.iso udf102_hd_bs2048.img udf150_cdr_vat.img udf150_cdrw_sparing.img"
        " udf150_dvdram.img udf150_hd_bs2048.img udf150_wrudf_cdrw.img udf201_cdr_vat.img"
        " udf201_hd_adshort.img udf201_hd_bs2048.img udf201_hd_table.img",
        "hfs": "hfs_hfsutils_rsrc.img hfs_kernel.img",
        "hfs_": "iso_hfs_hybrid.iso",
    }.items()
    for name in images.split()
    for image in [f"iso_{name}.iso" if view == "default" else name]
]


@pytest.mark.parametrize(("name", "view"), KERNEL_VIEWS)
def test_what_linux_mounts(rig_image, examined, name, view):
    """One of our views has exactly the files that the Linux driver shows, with the same SHA-256.

    Linux hides the file that marks unusable blocks (UDF 2.3.13, "Non-Allocatable Space").
    """
    listing = json.loads(rig_image(f"{name}.kernel.json").read_text())["views"][view]["entries"]
    theirs = {"/" + entry["path"]: entry["sha256"] for entry in listing if entry["type"] == "file"}
    result = examined(MemoryImage(rig_image(name).read_bytes()))
    ours = [
        {
            path: result.digest(entry)
            for path, entry in result.view(volume.ordinal).items()
            if entry.kind is EntryKind.FILE and not entry.deleted and path != "/Non-Allocatable Space"
        }
        for volume in result.volumes
    ]
    assert theirs
    assert theirs in ours

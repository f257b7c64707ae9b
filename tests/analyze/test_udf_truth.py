"""UDF against discs that others wrote, and what others say of them.

The Linux driver's listings and the manifests of what was written (rig images), files shipped beside
images (corpus), and at run time 7-Zip and udfinfo.
"""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from acquire.geometry import SECTOR_BYTES
from acquire.image import MemoryImage
from acquire.toc import Disc, Session, Track, TrackMode
from analyze.entry import EntryKind
from analyze.udf.volume import open_volumes
from tests.analyze.udf_walked import Walked, content

pytestmark = pytest.mark.corpus
KERNEL = (
    "udf102_hd_bs2048",
    "udf150_cdr_vat",
    "udf150_cdrw_sparing",
    "udf150_dvdram",
    "udf150_hd_bs2048",
    "udf150_wrudf_cdrw",
    "udf201_cdr_vat",
    "udf201_hd_adshort",
    "udf201_hd_bs2048",
    "udf201_hd_table",
)
WRITTEN = (
    *(name for name in KERNEL if "vat" not in name and "wrudf" not in name),
    "udf150_cdrw_sparing_remapped",
)
KINDS = {"file": EntryKind.FILE, "dir": EntryKind.DIRECTORY, "link": EntryKind.SYMLINK}
_walked = {}


def walked(path):
    """A volume of an image, read once."""
    if path not in _walked:
        _walked[path] = Walked(path.read_bytes())
    return _walked[path]


def sha256(found, entry):
    """Of the data of an entry."""
    return hashlib.sha256(content(found.image, entry.streams[0])).hexdigest()


def seconds(stamp):
    """Since 1970, exactly."""
    zone = timedelta(minutes=stamp.offset_minutes)
    fields = (stamp.year, stamp.month, stamp.day, stamp.hour, stamp.minute, stamp.second)
    moment = datetime(*fields, stamp.nanosecond // 1000, tzinfo=UTC) - zone
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) / timedelta(seconds=1)


@pytest.mark.parametrize("name", KERNEL)
def test_as_the_linux_driver_shows_it(rig_image, name):
    """Path, type, size, time, mode, owner, block of the file entry, links and SHA-256 of every entry.

    Known differences, all by the standard: the driver hides what the existence bit hides (4/14.4.3),
    shows user 65534 for none, counts a directory's own "." as a link, and gives a symbolic link the
    length of the decoded target.
    """
    found = walked(rig_image(f"{name}.img"))
    listing = json.loads(rig_image(f"{name}.img.kernel.json").read_text("utf-8"))
    (view,) = [view for view in listing["views"].values() if view["fs"] == "udf"]
    expected = {"/" + row["path"]: row for row in view["entries"]}
    hidden = {entry.path for entry in found.all if entry.hidden}
    assert hidden <= {"/Non-Allocatable Space"}  # UDF 1.50 2.3.13
    assert set(found.live) - hidden == set(expected)
    for path, row in expected.items():
        entry = found.entries[path]
        directory = row["type"] == "dir"
        assert entry.kind is KINDS[row["type"]], path
        if row["type"] == "link":
            assert entry.link_target == row["target"], path
            assert len(entry.link_target) == row["size"], path
        else:
            assert entry.size_bytes == row["size"], path
        assert seconds(entry.modified) == pytest.approx(row["mtime"], abs=1e-6), path
        assert entry.mode & 0o7777 == int(row["mode"], 8), path
        assert (65534 if entry.uid is None else entry.uid) == row["uid"], path
        assert entry.inode == row["ino"], path
        assert entry.links + directory == row["nlink"], path
        if "sha256" in row:
            assert sha256(found, entry) == row["sha256"], path


@pytest.mark.parametrize("name", WRITTEN)
def test_as_it_was_written(rig_image, name):
    """What the writer put in is there, also where packets were moved to the sparing area afterwards."""
    found = walked(rig_image(f"{name}.img"))
    manifest = json.loads(rig_image(f"{name}.json").read_text("utf-8"))
    for row in manifest["live"]:
        entry = found.entries["/" + row["path"]]
        assert not entry.deleted
        assert entry.kind is EntryKind.SYMLINK or entry.size_bytes == row["size"]
        if row["type"] == "file":
            assert sha256(found, entry) == row["sha256"], row["path"]
    assert found.anomalies == []


@pytest.mark.parametrize("name", WRITTEN)
def test_names_that_the_driver_deleted(rig_image, name):
    """Deleted names whose identifiers were not used again are listed, and nothing is said of their content.

    The driver empties file entries and the ICBs of identifiers; it used that of del_small.txt again.
    """
    found = walked(rig_image(f"{name}.img"))
    manifest = json.loads(rig_image(f"{name}.json").read_text("utf-8"))
    gone = {"/" + row["path"] for row in manifest["deleted"] if "(" not in row["path"]}
    assert {"/del_30k.bin", "/del_300k.bin", "/many/del_in_many.txt"} <= gone & set(found.deleted)
    assert set(found.deleted) - gone <= {"/deldir", "/ren_old.txt"}
    assert not gone & set(found.live)
    for entry in found.all:
        if entry.deleted:
            assert entry.attributes["file_entry"] in ("none", "emptied", "reused", "gone")
            assert entry.streams == ()


def test_the_metadata_partition_of_2_50(rig_image):
    """Files of a fragmented metadata file, with one deleted name whose file entry is intact."""
    found = walked(rig_image("udf250_metadata.img"))
    rows = json.loads(rig_image("udf250_metadata.log.json").read_text("utf-8"))
    files = {entry.path: entry for entry in found.all if entry.kind is EntryKind.FILE and not entry.deleted}
    assert set(files) == {"/" + path for path, _size, _digest in rows}
    for path, size, digest in rows:
        assert files["/" + path].size_bytes == size
        assert sha256(found, files["/" + path]) == digest
    assert found.deleted == ["/deleted.bin"]
    (deleted,) = [entry for entry in found.all if entry.deleted]
    assert deleted.size_bytes == 40000
    assert len(content(found.image, deleted.streams[0])) == 40000
    assert found.anomalies == []


def states(rows):
    """After each table of a log: the files with size and digest, and where the table and the image end."""
    files, found = {}, []
    for row in rows:
        if row[0] == "put":
            files[f"/{row[1]}"] = tuple(row[2:])
        elif row[0] == "rm":
            files.pop(f"/{row[1]}", None)
        else:
            found.append((dict(files), row[1], row[2]))
    return found


@pytest.mark.parametrize("name", ["udf150_cdr_vat", "udf201_cdr_vat"])
def test_every_generation_of_a_write_once_disc(rig_image, name):
    """Each state is read three ways: the image cut there, the generation of the whole, a session's end."""
    data = rig_image(f"{name}.img").read_bytes()
    log = states(json.loads(rig_image(f"{name}.log.json").read_text("utf-8")))
    (volume,) = list(open_volumes(MemoryImage(data), 0, None, 0))
    generations = {generation.lba: generation for generation in volume.generations}
    starts = [0, *(end for _files, _block, end in log[:-1])]
    ends = [end for _files, _block, end in log]
    sessions = tuple(
        Session(number, start, end - start, (Track(number, number, TrackMode.MODE1, start, end - start),))
        for number, (start, end) in enumerate(zip(starts, ends, strict=True), 1)
    )
    disc = Disc(sessions, recorded=True)
    for number, (files, block, end) in enumerate(log):
        cut = Walked(data[: end * SECTOR_BYTES])
        whole = MemoryImage(data)
        generation = Walked(whole, volume=volume.generation(generations[block].number, 0))
        session = Walked(MemoryImage(data, disc=disc), sessions[number].start_lba, number + 1)
        for found in (cut, generation, session):
            here = {e.path: e for e in found.all if e.kind is EntryKind.FILE and not e.deleted}
            assert {path: (e.size_bytes, sha256(found, e)) for path, e in here.items()} == files
        assert cut.volume.generations[0].lba == block


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_single_files_of_a_kernel_of_2009(corpus, number):
    """Images of another project: one file each, of 41231, 48890, 0, 1 and 2 bytes."""
    found = walked(corpus(f"sevenzipjbinding/simple/udf/simple{number}.dat.102.udf"))
    expected = corpus(f"sevenzipjbinding/_expected/simple{number}.dat").read_bytes()
    (entry,) = found.all
    assert entry.path == f"/simple{number}.dat"
    assert content(found.image, entry.streams[0]) == expected
    assert found.anomalies == []


@pytest.mark.parametrize("number", [1, 2, 3])
def test_trees_of_a_kernel_of_2009(corpus, number):
    """Images of another project, with the digests of the archives that filled them."""
    found = walked(corpus(f"sevenzipjbinding/multiple-files/udf/archive{number}.zip.102.udf"))
    listed = corpus(f"sevenzipjbinding/_expected/archive{number}.zip.contents.sha256").read_text("utf-8")
    expected = {}
    for line in listed.splitlines():
        digest, _space, path = line.partition(" ")
        if re.fullmatch("[0-9a-f]{64}", digest):
            expected[path.strip(" *").removeprefix("./")] = digest
    files = {e.path[1:]: sha256(found, e) for e in found.all if e.kind is EntryKind.FILE}
    assert files.pop("ignoreme.txt") == hashlib.sha256(b"").hexdigest()  # in each image, in no archive
    assert expected
    assert files == expected
    assert found.anomalies == []


SYZKALLER = [0, 1, 3, 5, 6, 8, 10, 11, 13, 14, 16, 18, 19, 20, 22, 24, 27, 29, 30, 32, 33, 35, 37, 38, 40, 41]
SYZKALLER += [43, 44, 46, 48, 49, 51, 52, 54]
"""mkudffs of every medium, revision and block size, populated through the Linux driver; 26 is cut short."""


@pytest.mark.parametrize("number", SYZKALLER)
def test_mkudffs_of_every_kind(corpus, number):
    """The tree of all these images: five files, a directory, a link; sector sizes of 512 to 4096 bytes."""
    found = walked(corpus(f"syzkaller/udf_{number}.img"))
    assert found.anomalies == []
    hidden = {entry.path for entry in found.all if entry.hidden}
    assert hidden <= {"/Non-Allocatable Space"}
    assert sorted(set(found.live) - hidden) == [
        "/file.cold",
        "/file0",
        "/file0/file0",
        "/file0/file1",
        "/file1",
        "/file2",
        "/file3",
    ]
    sizes = {
        name: found.entries[name].size_bytes for name in ("/file.cold", "/file0/file0", "/file1", "/file2")
    }
    assert sizes == {"/file.cold": 100, "/file0/file0": 1050, "/file1": 10, "/file2": 9000}
    digests = {
        "/file.cold": "f73da0b5",
        "/file0/file0": "6c728722",
        "/file1": "ddda01bc",
        "/file2": "1631d7a5",
    }
    for path, digest in digests.items():
        if path != "/file0/file0":
            assert sha256(found, found.entries[path]).startswith(digest)
    assert found.entries["/file0/file1"].link_target.startswith("/")
    assert found.read("/file3") == found.read("/file2")


def test_an_image_that_is_cut_in_the_middle(corpus):
    """Half of a disc, without any anchor: descriptors are scanned for, names listed, what is missing said."""
    found = walked(corpus("syzkaller/udf_26.img"))
    assert sorted(found.live)[:2] == ["/file.cold", "/file0"]
    assert {"udf-anchor", "udf-sequence-scan", "udf-outside"} <= set(found.codes)


BLKID = {
    "udf-cd-mkudfiso-20100208": "udf-cd-mkudfiso-20100208",
    "udf-cd-nero-6": "udf-cd-nero-6",
    "udf-hdd-mkudffs-1.0.0-1": "udf-hdd-mkudffs-1.0.0-1",
    "udf-hdd-mkudffs-1.3-1": "udf-hdd-mkudffs-1.3-1",
    "udf-hdd-mkudffs-1.3-3": "udf-hdd-mkudffs-1.3-3",
    "udf-hdd-mkudffs-1.3-5": "udf-hdd-mkudffs-1.3-5",
    "udf-hdd-mkudffs-1.3-7": "udf-hdd-mkudffs-1.3-7",
    "udf-hdd-udfclient-0.7.5": "udf-hdd-udfclient-0.7.5",
    "udf-hdd-win7": "udf-hdd-win7",
    "udf": "udf",
}


@pytest.mark.parametrize("name", BLKID)
def test_labels_as_blkid_has_them(corpus, name):
    """Label, revision, block size, volume set, application, publisher: util-linux's own expectations."""
    found = walked(corpus(f"util-linux/blkid/images-fs/{name}.img"))
    facts = dict(
        line.partition("=")[::2]
        for line in corpus(f"util-linux/_facts/blkid/low-probe-{BLKID[name]}").read_text("utf-8").splitlines()
    )

    def fact(key):
        text = facts.get(f"ID_FS_{key}", "")
        plain = re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes((int(m[1], 16),)), text.encode("utf-8"))
        return plain.decode("utf-8")

    info = found.info
    assert info.label == fact("LOGICAL_VOLUME_ID")
    assert info.attributes["udf_revision"] == fact("VERSION")
    assert info.block_size_bytes == int(fact("BLOCK_SIZE"))
    assert info.attributes["volume_identifier"] == fact("VOLUME_ID")
    named = info.application or info.attributes["implementation"]  # blkid takes what there is
    assert named.lstrip("*") == fact("APPLICATION_ID")
    assert (info.publisher or "") == fact("PUBLISHER_ID")
    assert (info.volume_set_id or "") == fact("VOLUME_SET_ID")


def test_windows_and_nero(corpus):
    """Discs that Windows 7 and Nero 6 wrote: nothing wrong with them, and all there is."""
    assert walked(corpus("util-linux/blkid/images-fs/udf-hdd-win7.img")).anomalies == []
    nero = walked(corpus("util-linux/blkid/images-fs/udf-cd-nero-6.img"))
    assert nero.anomalies == []
    assert nero.live == ["/test.txt"]
    assert len(nero.read("/test.txt")) == 5


def test_a_disc_that_was_formatted_twice(corpus):
    """The recognition sequence says which sectors count; the anchors of the earlier volume are reported."""
    found = walked(corpus("util-linux/blkid/images-fs/udf-hdd-mkudffs-1.3-7.img"))
    assert found.info.block_size_bytes == 4096
    assert found.codes == ["udf-anchor-mismatch"]
    assert found.anomalies[0].seen == "sectors of 512 bytes"


@pytest.mark.parametrize(("start", "label"), [(0, "first"), (320, "second"), (640, "third")])
def test_three_sessions_in_one_image(corpus, start, label):
    """Each session is a volume of its own with a table in its own last block."""
    image = MemoryImage(corpus("util-linux/blkid/images-fs/udf-multi-0-320-640-mkudffs.img").read_bytes())
    found = Walked(image, start)
    assert found.info.label == f"{label} session"
    assert [generation.lba for generation in found.volume.generations] == [start + 319]


@pytest.mark.tools
@pytest.mark.parametrize(
    "name", ["udf102_hd_bs2048", "udf150_cdrw_sparing", "udf201_hd_table", "udf150_cdr_vat"]
)
def test_figures_as_udfinfo_has_them(rig_image, run, name):
    """Label, revision, block size, free blocks, numbers of files and directories."""
    path = rig_image(f"{name}.img")
    found = walked(path)
    facts = dict(line.partition("=")[::2] for line in run("udfinfo", path, check=False).stdout.splitlines())
    assert found.info.label == facts["label"]
    assert found.info.attributes["udf_revision"] == facts["udfrev"]
    assert found.info.block_size_bytes == int(facts["blocksize"])
    if found.volume.spaces:
        assert sum(space.free_blocks for space in found.volume.spaces) == int(facts["freeblocks"])
    stated = found.info.attributes["vat"] if found.volume.generations else found.info.attributes
    if stated["files"] is not None:
        assert (stated["files"], stated["directories"]) == (int(facts["numfiles"]), int(facts["numdirs"]))


@pytest.mark.tools
@pytest.mark.parametrize(
    "name", ["libcdio/test-udf1.iso", "isolyzer/iso9660_udf.iso", "syzkaller/iso9660_12.img"]
)
def test_bridges_as_7_zip_lists_them(corpus, run, name):
    """Genisoimage's bridges: paths, sizes and times in 7-Zip's UDF reader."""
    path = corpus(name)
    found = walked(path)
    text = run("7z", "l", "-tudf", "-slt", path, check=False).stdout
    expected = {}
    for block in text.split("\n\n"):
        row = dict(line.partition(" = ")[::2] for line in block.splitlines() if " = " in line)
        if "Path" in row and row.get("Folder") == "-":
            expected["/" + row["Path"]] = int(row["Size"])
    files = {entry.path: entry.size_bytes for entry in found.all if entry.kind is EntryKind.FILE}
    assert expected
    assert files == expected
    assert set(found.codes) <= {"udf-sequence-mismatch"}  # genisoimage: two volume set identifiers


@pytest.mark.tools
def test_content_as_7_zip_extracts_it(rig_image, extract):
    """Every file of a volume that 7-Zip can read, byte for byte."""
    path = rig_image("iso_udfbridge.iso")
    found = walked(path)
    files = {e.path: sha256(found, e) for e in found.all if e.kind is EntryKind.FILE}
    extracted = extract("7z", path)
    assert files
    assert set(files.values()) == set(extracted.values())

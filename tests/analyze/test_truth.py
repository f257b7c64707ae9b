"""The whole path against folders and other programs: entries and digests are those of the files themselves.

Each image is made at run time by genisoimage or xorriso from a seeded tree; what is expected is read
from that folder, or from what 7z, bsdtar and xorriso extract, never from our own reading.
"""

import hashlib
import os
import random
import shutil
import stat
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone

import pytest

from analyze.entry import EntryKind

pytestmark = pytest.mark.tools
SIZES = [0, 1, 2047, 2048, 2049, 4095, 4096, 4097, 65_536, 300_001]
EMPTY = hashlib.sha256(b"").hexdigest()


def plant(folder, *, seed=1, plain=False):
    """Fill `folder` with a tree; `plain` keeps to names and kinds that every image format can hold."""
    chance = random.Random(seed)
    folder.mkdir()
    for number, size in enumerate(SIZES):
        (folder / f"size{number}.bin").write_bytes(chance.randbytes(size))
    many = folder / "many"
    many.mkdir()
    for number in range(300):
        name = (
            f"f{number:04d}.txt" if plain else f"A document with a rather long name, number {number:04d}.txt"
        )
        (many / name).write_bytes(chance.randbytes(chance.randrange(3000)))
    deep = folder
    for level in range(1, 7 if plain else 13):
        deep = deep / f"level{level}"
        deep.mkdir()
        (deep / "here.txt").write_bytes(b"level %d\n" % level)
    (folder / "empty").mkdir()
    if not plain:
        _plant_awkward(folder, chance)
    for place in sorted(folder.rglob("*"), reverse=True):
        when = chance.randrange(1, 1_800_000_000)  # genisoimage writes no valid offset from 2028 on
        os.utime(place, (when, when), follow_symlinks=False)


def _plant_awkward(folder, chance):
    odd = folder / "odd names"
    odd.mkdir()
    for name in (
        "Übergrößenträger ß.txt",
        "日本語のファイル.txt",
        "with 'quotes' and \"more\".txt",
        "-leading dash",
        ".hidden",
        "two..dots",
        "no extension",
        "UPPER lower.TxT",
        "semi;colon",
        "x" * 200,
    ):
        (odd / name).write_bytes(name.encode() + chance.randbytes(50))
    os.link(folder / "size5.bin", odd / "a hard link")
    (odd / "relative link").symlink_to("../size1.bin")
    (odd / "absolute link").symlink_to("/etc/./passwd")
    (odd / "long link").symlink_to("/".join(["a long component"] * 8))
    (odd / "executable").write_bytes(b"#!/bin/sh\n")
    (odd / "executable").chmod(0o750)


@pytest.fixture
def genisoimage(run, tmp_path):
    """Make an image of a folder; its path."""

    def make(folder, *options, name="image.iso"):
        path = tmp_path / name
        charset = "iso8859-1" if "4" in options else "utf-8"  # -iso-level 4 takes no other
        run("genisoimage", "-quiet", "-input-charset", charset, *options, "-o", path, folder)
        return path

    return make


@pytest.fixture
def tree(tmp_path):
    """A tree with everything that Rock Ridge can hold."""
    plant(tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def plain_tree(tmp_path):
    """A tree of short names, six levels deep."""
    plant(tmp_path / "plain", plain=True)
    return tmp_path / "plain"


def epoch(timestamp):
    """Seconds since 1970 of a recorded time with an offset."""
    zone = timezone(timedelta(minutes=timestamp.offset_minutes))
    moment = datetime(*timestamp[:6], tzinfo=zone)
    return int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def assert_posix_tree(result, volume, folder):
    """Every object of the folder, and no other, with its kind, size, content, target, mode and time."""
    view, digests = result.view(volume), result.files(volume)
    expected = {"/" + str(path.relative_to(folder)): path for path in folder.rglob("*")}
    shown = {path for path in view if path.lower() not in ("/rr_moved", "/.rr_moved")}
    assert shown == set(expected)
    for path, original in expected.items():
        entry, status = view[path], original.lstat()
        assert stat.S_IMODE(entry.mode) == stat.S_IMODE(status.st_mode), path
        assert epoch(entry.modified) == int(status.st_mtime), path
        if original.is_symlink():
            assert entry.kind is EntryKind.SYMLINK
            assert entry.link_target == os.readlink(original)  # noqa: PTH115  Path drops "/./"
        elif original.is_dir():
            assert entry.kind is EntryKind.DIRECTORY
        else:
            assert entry.kind is EntryKind.FILE
            assert entry.size_bytes == status.st_size
            assert digests[path] == hashlib.sha256(original.read_bytes()).hexdigest(), path


def test_genisoimage_rock_ridge_and_joliet(genisoimage, tree, examined, truth):
    """Both views of one image: Rock Ridge as the folder is, Joliet with the same content and names."""
    result = examined(genisoimage(tree, "-R", "-J"))
    assert [volume.kind for volume in result.volumes] == ["iso9660", "joliet"]
    assert_posix_tree(result, 0, tree)
    joliet, files = result.files(1), truth(tree)
    links = sum(
        path.is_symlink() for path in tree.rglob("*")
    )  # empty files in Joliet, as genisoimage does it
    assert Counter(joliet.values()) == Counter(files.values()) + Counter({EMPTY: links})
    for path, digest in files.items():
        if all(len(name) <= 64 and not set(name) & set('*:;?\\"') for name in path.split("/")):
            assert joliet[path] == digest
    assert result.anomalies == []
    assert result.findings == []


def test_xorriso_rock_ridge_and_joliet(run, tree, tmp_path, examined, truth):
    """The same tree written by xorriso: another layout, other System Use fields, one session."""
    path = tmp_path / "x.iso"
    (tree / "a very long link").symlink_to("/".join(["a long component"] * 50))  # genisoimage writes it wrong
    run("xorriso", "-outdev", path, "-joliet", "on", "-map", tree, "/", "-commit")
    result = examined(path)
    assert_posix_tree(result, 0, tree)
    assert Counter(result.files(1).values()) == Counter(truth(tree).values())
    # libisofs lets ".." of a Joliet directory name the directory itself: `isoinfo -J -l` shows it.
    assert {(anomaly.code, anomaly.volume) for anomaly in result.anomalies} <= {("iso-dot", 1)}


@pytest.mark.parametrize("level", ["1", "2", "3", "4"])
def test_plain_levels_against_extraction(genisoimage, plain_tree, examined, extract, truth, level):  # noqa: PLR0917
    """Names and content of plain ISO 9660, levels 1 to 4, as 7z and bsdtar extract them."""
    path = genisoimage(plain_tree, "-iso-level", level)
    ours = examined(path).files(0)
    assert Counter(ours.values()) == Counter(truth(plain_tree).values())
    for program in ("7z", "bsdtar"):
        assert ours == extract(program, path)


@pytest.mark.parametrize("program", ["7z", "bsdtar", "xorriso"])
def test_rock_ridge_against_extraction(genisoimage, tree, examined, extract, program):
    """What other programs extract of a Rock Ridge image is what we digest, path by path."""
    path = genisoimage(tree, "-R")
    ours, theirs = examined(path).files(0), extract(program, path)
    if program == "7z":
        # It cuts names at 146 characters, makes empty files of symlinks, and shows relocated
        # directories where they are stored; all other paths and all other content must be the same.
        assert Counter(d for d in theirs.values() if d != EMPTY) == Counter(
            d for d in ours.values() if d != EMPTY
        )
        ours = {p: d for p, d in ours.items() if len(p.rpartition("/")[2]) <= 146 and "/level8/" not in p}
        theirs = {p: d for p, d in theirs.items() if p in ours}
    assert ours == theirs


def test_sessions_of_an_overwritable_image(run, tmp_path, examined, extract):
    """Four sessions by xorriso (added, replaced, deleted, renamed): every session's tree and content."""
    path = tmp_path / "sessions.iso"
    chance = random.Random(3)
    plant(tmp_path / "first", plain=True)
    (tmp_path / "new").write_bytes(chance.randbytes(10_000))
    (tmp_path / "other").write_bytes(chance.randbytes(5_000))
    changes = [
        ["-outdev", path, "-volid", "S1", "-joliet", "on", "-map", tmp_path / "first", "/"],
        ["-dev", path, "-volid", "S2", "-map", tmp_path / "new", "/new", "-mv", "/size3.bin", "/moved", "--"],
        ["-dev", path, "-volid", "S3", "-rm_r", "/many", "--"],
        ["-dev", path, "-volid", "S4", "-overwrite", "on", "-map", tmp_path / "other", "/new"],
    ]
    for words in changes:
        run("xorriso", *words, "-commit")
    result = examined(path)
    named = [(volume.label, volume.session) for volume in result.volumes if volume.kind == "iso9660"]
    assert named == [("S1", 1), ("S2", 2), ("S3", 3), ("S4", 4)]
    trees = [result.files(v.ordinal) for v in result.volumes if v.kind == "iso9660"]
    assert trees == [extract("xorriso", path, "-load", "session", str(n)) for n in (1, 2, 3, 4)]
    assert ["/moved" in tree for tree in trees] == [False, True, True, True]
    assert trees[2]["/new"] != trees[3]["/new"]
    assert [finding.code for finding in result.findings] == ["descriptor-copy"]
    assert "session 4" in result.findings[0].title
    assert [(s.number, s.start_lba) for s in result.disc.sessions] == [
        (v.session, v.start_lba) for v in result.volumes if v.kind == "iso9660"
    ]
    assert not result.disc.recorded


def test_concatenated_sessions(genisoimage, tmp_path, examined, truth):
    """Three sessions by genisoimage -C -M, one behind the other as on a CD-R: all trees, all content."""
    disc, folder = tmp_path / "disc.iso", tmp_path / "tree"
    states, begins = [], []
    plant(folder, plain=True)
    for number in range(3):
        begin = 0 if number == 0 else -(-disc.stat().st_size // 2048) + 30
        options = ["-V", f"G{number + 1}", "-R", "-J"]
        if number:
            (folder / f"added{number}.txt").write_bytes(b"added in session %d" % (number + 1))
            (folder / "size3.bin").write_bytes(random.Random(number).randbytes(7000))
            os.utime(folder / "size3.bin", (1_800_000_000 + number,) * 2)  # -M keeps an older file as it is
            shutil.rmtree(folder / "many", ignore_errors=True)
            options += ["-C", f"{begins[-1]},{begin}", "-M", str(disc)]
        session = genisoimage(folder, *options, name=f"s{number}.iso")
        with disc.open("r+b" if number else "wb") as sink:
            sink.seek(begin * 2048)
            sink.write(session.read_bytes())
        begins.append(begin)
        states.append(truth(folder))
    result = examined(disc)
    assert [(v.label, v.session, v.start_lba, v.kind) for v in result.volumes] == [
        (f"G{n + 1}", n + 1, begins[n], kind) for n in range(3) for kind in ("iso9660", "joliet")
    ]
    merged = {}
    for number, state in enumerate(states):
        merged |= state  # -M keeps what the folder no longer has
        assert result.files(2 * number) == merged
        assert result.files(2 * number + 1) == merged
    assert [f.code for f in result.findings] == ["session-inferred", "session-inferred"]
    assert [f.lba for f in result.findings] == begins[1:]


@pytest.mark.skipif("JEWELCASE_SLOW" not in os.environ, reason="writes 4 GiB: set JEWELCASE_SLOW to run it")
def test_a_file_of_more_than_four_gibibytes(run, tmp_path, examined):
    """A sparse file of 4 GiB + 5 MiB by xorriso level 3 is one entry of two extents, with one digest."""
    (tmp_path / "tree").mkdir()
    large = tmp_path / "tree" / "large.bin"
    with large.open("wb") as sink:
        sink.truncate((4 << 30) + (5 << 20))
        sink.seek((4 << 30) - 3)
        sink.write(b"across the boundary")
    path = tmp_path / "large.iso"
    try:
        run("xorriso", "-as", "mkisofs", "-iso-level", "3", "-o", path, tmp_path / "tree")
        result = examined(path)
    finally:
        path.unlink(missing_ok=True)
    entry = result.view(0)["/large.bin"]
    assert entry.size_bytes == large.stat().st_size
    assert len(entry.streams[0].extents) > 1
    with large.open("rb") as source:
        assert result.digest(entry) == hashlib.file_digest(source, "sha256").hexdigest()


@pytest.mark.corpus
def test_sessions_of_the_corpus(corpus, examined):
    """Two sessions at 0 and 192, made by genisoimage; their content as their maker states it."""
    result = examined(corpus("toolmade/multisession/genisoimage2.iso"))
    assert [(v.label, v.start_lba) for v in result.volumes[::2]] == [("GSESS1", 0), ("GSESS2", 192)]
    for volume in (0, 1):
        assert set(result.files(volume)) == {"/ONE.TXT", "/SHARED.TXT"}
    for volume in (2, 3):
        assert {p: e.size_bytes for p, e in result.view(volume).items()} == {
            "/ONE.TXT": 4,
            "/SHARED.TXT": 17,
            "/TWO.TXT": 4,
        }
    assert result.digest(result.view(2)["/ONE.TXT"]) == result.digest(result.view(0)["/ONE.TXT"])
    assert result.digest(result.view(2)["/SHARED.TXT"]) != result.digest(result.view(0)["/SHARED.TXT"])


@pytest.mark.corpus
def test_three_empty_sessions(corpus, examined):
    """util-linux's own fixture; labels and places as `blkid` probes them."""
    result = examined(corpus("util-linux/blkid/images-fs/iso-multi-0-174-348-genisoimage.img"))
    assert [(v.label, v.session, v.start_lba) for v in result.volumes] == [
        ("first session", 1, 0),
        ("second session", 2, 174),
        ("third session", 3, 348),
    ]
    assert [(s.number, s.start_lba, s.length_sectors) for s in result.disc.sessions] == [
        (1, 0, 174),
        (2, 174, 174),
        (3, 348, 174),
    ]

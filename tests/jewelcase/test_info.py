"""`jewelcase info`: what a disc image is, as other programs say it."""

import json
import re
import struct
import subprocess

import pytest

from acquire.toc import TrackMode


def isoinfo_fields(tool, image):
    """The primary volume descriptor as isoinfo prints it."""
    done = subprocess.run([tool("isoinfo"), "-d", "-i", image], capture_output=True, check=True, text=True)
    return dict(re.findall(r"^([^:\n]+): ?(.*)$", done.stdout, re.MULTILINE))


@pytest.mark.tools
def test_volumes_are_those_of_isoinfo(jewelcase, iso, tool, tree):
    """Label, block size, sectors, and as many files, directories and links as were recorded."""
    done = jewelcase("info", iso, "--json")
    assert done.code == 0, done.err
    assert done.err == ""
    told = json.loads(done.out)
    fields = isoinfo_fields(tool, iso)
    assert told["image"] == str(iso)
    assert told["size_bytes"] == iso.stat().st_size
    assert told["sector_count"] == iso.stat().st_size // 2048
    assert [volume["kind"] for volume in told["volumes"]] == ["iso9660", "joliet"]
    first = told["volumes"][0]
    assert first["label"] == fields["Volume id"] == "TEST DISC"
    assert first["block_size_bytes"] == int(fields["Logical block size is"])
    assert first["length_sectors"] == int(fields["Volume size is"])
    paths = list(tree.rglob("*"))
    assert first["entries"] == {
        "file": sum(path.is_file() and not path.is_symlink() for path in paths),
        "directory": sum(path.is_dir() and not path.is_symlink() for path in paths),
        "symlink": sum(path.is_symlink() for path in paths),
    }
    assert told["anomalies"] == {"count": 0, "codes": []}
    coverage = told["coverage"]
    assert coverage["sectors_owned"] + coverage["sectors_unowned"] == told["sector_count"]


@pytest.mark.tools
def test_it_reads_well(jewelcase, iso):
    """The same for people: exact sizes, one paragraph a volume, no colours in a pipe."""
    done = jewelcase("info", iso)
    assert done.code == 0
    assert "\x1b" not in done.out
    size = iso.stat().st_size
    assert re.search(rf"^size +{size:,} bytes", done.out, re.MULTILINE)
    assert 'volume 0, iso9660 with Rock Ridge, session 1, "TEST DISC"' in done.out
    assert re.search(r"^  entries +85 files, 5 directories, 1 symbolic link$", done.out, re.MULTILINE)
    assert re.search(r"^anomalies +0$", done.out, re.MULTILINE)


@pytest.mark.tools
def test_an_anomaly_is_counted_located_and_exits_with_1(jewelcase, iso, tmp_path):
    """The big-endian copy of a both-endian field is changed: the code, how often, and where first."""
    data = bytearray(iso.read_bytes())
    struct.pack_into(">I", data, 16 * 2048 + 84, 7)  # volume space size, ECMA-119 8.4.8
    damaged = tmp_path / "damaged.iso"
    damaged.write_bytes(data)
    done = jewelcase("info", damaged, "--json")
    assert done.code == 1
    told = json.loads(done.out)["anomalies"]
    assert told["count"] == sum(code["count"] for code in told["codes"]) >= 1
    assert any(code["first"]["lba"] == 16 and code["first"]["offset"] == 80 for code in told["codes"])
    text = jewelcase("info", damaged)
    assert text.code == 1
    assert "(LBA 16)" in text.out


def test_hostile_descriptors_are_shown_escaped(jewelcase, iso, tmp_path):
    """Terminal escapes in a volume identifier and a publisher: visible, and valid JSON."""
    data = bytearray(iso.read_bytes())
    at = 16 * 2048
    data[at + 40 : at + 72] = b"\x1b]0;owned\x07\x9b2J".ljust(32)
    data[at + 318 : at + 446] = b"\x1b[31mpublisher\r\n".ljust(128)
    hostile = tmp_path / "hostile\x1b[2J.iso"
    hostile.write_bytes(data)
    done = jewelcase("info", hostile)
    assert all(line.isprintable() for line in done.out.split("\n"))
    assert r"\x1b]0;owned\x07" in done.out
    assert r"hostile\x1b[2J.iso" in done.out
    told = jewelcase("info", hostile, "--json").out
    assert told.isascii()
    assert "\x1b" not in told
    assert json.loads(told)["image"] == str(hostile)


def test_an_image_without_a_file_system_is_told_as_such(jewelcase, tmp_path):
    """Blank sectors are no anomaly: the finding says that nothing was recognised."""
    blank = tmp_path / "blank.iso"
    blank.write_bytes(bytes(2048 * 40))
    done = jewelcase("info", blank, "--json")
    assert done.code == 0
    told = json.loads(done.out)
    assert told["volumes"] == []
    assert [finding["code"] for finding in told["findings"]] == ["no-volume"]
    track = told["disc"]["sessions"][0]["tracks"][0]
    assert (track["mode"], track["length_sectors"]) == (TrackMode.DATA.value, 40)


@pytest.mark.corpus
def test_an_e01_tells_what_is_in_it(jewelcase, corpus):
    """A container by another program: its media size, not its file's."""
    image = corpus("toolmade/ewf/joliet_encase6_best.E01")
    done = jewelcase("info", image, "--json")
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert told["image"] == str(image)
    assert told["container"] == "e01"
    assert told["size_bytes"] == 405_504  # ewfinfo: Media size
    assert [volume["kind"] for volume in told["volumes"]] == ["iso9660", "joliet"]

"""`jewelcase ls`: what a disc holds, as other programs list it, and nothing else on the terminal."""

import json
import os
import subprocess

import pytest

from jewelcase.verbs.ls import _normal

pytestmark = pytest.mark.tools


def isoinfo(tool, image, *options):
    """Paths as isoinfo lists them: Rock Ridge names as recorded, Joliet names in Latin-1."""
    done = subprocess.run(
        [tool("isoinfo"), "-j", "iso8859-1", *options, "-f", "-i", image], capture_output=True, check=True
    )
    return sorted(done.stdout.decode("latin-1" if "-J" in options else "utf-8").splitlines())


def test_everything_is_listed_that_isoinfo_lists(jewelcase, iso, tool):
    """All paths of the Rock Ridge view and of the Joliet view, each exactly once, exit code 0."""
    for volume, options in (("iso9660", ["-R"]), ("joliet", ["-J"])):
        done = jewelcase("ls", iso, "-R", "--volume", volume)
        assert done.code == 0, done.err
        assert done.err == ""
        listed = [line.removesuffix("/") for line in done.out.splitlines()]
        assert sorted(listed) == isoinfo(tool, iso, *options)


def test_one_level_of_the_fullest_view_by_default(jewelcase, iso, tree):
    """The names of the root as the source folder has them; which view it is, on standard error."""
    done = jewelcase("ls", iso)
    assert done.code == 0
    names = {
        f"{path.name}/" if path.is_dir() and not path.is_symlink() else path.name for path in tree.iterdir()
    }
    assert set(done.out.splitlines()) == names
    assert len(done.out.splitlines()) == len(names)
    assert done.err.splitlines() == [
        (
            'Listing volume 0, iso9660 with Rock Ridge, session 1, "TEST DISC";'
            " --volume takes 0 (iso9660), 1 (joliet)"
        )
    ]


@pytest.mark.parametrize("path", ["/docs", "docs", "docs/", "//docs/."])
def test_a_path_is_a_directory_of_the_disc(jewelcase, iso, path):
    """With or without slashes at its ends."""
    done = jewelcase("ls", iso, path)
    assert sorted(done.out.splitlines()) == ["Größe.txt", "a longer name with spaces.txt", "deep/"]


def test_a_path_can_be_a_file(jewelcase, iso):
    """Then it alone is listed, by its path."""
    done = jewelcase("ls", iso, "/docs/Größe.txt")
    assert done.out == "/docs/Größe.txt\n"
    assert done.code == 0


def test_below_a_directory(jewelcase, iso):
    """--recursive lists full paths, directories before what is in them."""
    done = jewelcase("ls", iso, "/docs/deep", "-R")
    assert done.out.splitlines() == [
        "/docs/deep/deeper/",
        "/docs/deep/deeper/deepest/",
        "/docs/deep/deeper/deepest/leaf.bin",
    ]


def test_long_lines_say_what_the_disc_records(jewelcase, iso, tool):
    """Mode, owner, size and first sector as isoinfo gives them; the time as recorded; the link's target."""
    done = jewelcase("ls", iso, "--long")
    lines = {line.split()[-1]: line.split() for line in done.out.splitlines() if "->" not in line}
    plain = subprocess.run(
        [tool("isoinfo"), "-R", "-l", "-i", iso], capture_output=True, check=True, text=True
    )
    root = plain.stdout.split("Directory listing of /\n")[1].split("\n\n")[0]
    row = next(line for line in root.splitlines() if line.endswith("README.TXT "))
    head, place = row.split("[")
    mode, _, uid, gid, size = head.split()[:5]
    lba = place.split()[0]
    assert lines["README.TXT"][:4] == [mode, f"{uid}:{gid}", size, lba]
    assert lines["README.TXT"][4].startswith("2004-11-09T")
    link = next(line for line in done.out.splitlines() if "->" in line)
    assert link.endswith("link -> docs/deep")
    assert link.startswith("lrwxrwxrwx")


def test_every_view(jewelcase, iso):
    """--all lists both views, each under its own heading."""
    done = jewelcase("ls", iso, "--all")
    assert done.out.splitlines()[0] == 'volume 0, iso9660 with Rock Ridge, session 1, "TEST DISC":'
    assert 'volume 1, joliet, session 1, "TEST DISC":' in done.out.splitlines()
    assert done.out.splitlines().count("README.TXT") == 2


def test_json_lines_are_exact(jewelcase, iso, tree):
    """One object an entry, with sizes, kinds and extents; names as they are."""
    done = jewelcase("ls", iso, "-R", "--json")
    assert done.out.isascii()
    entries = {entry["path"]: entry for entry in map(json.loads, done.out.splitlines())}
    assert entries["/docs/Größe.txt"]["size_bytes"] == 4
    assert entries["/link"]["kind"] == "symlink"
    assert entries["/link"]["link_target"] == "docs/deep"
    assert entries["/docs"]["kind"] == "directory"
    for path, entry in entries.items():
        if entry["kind"] != "file":
            continue
        data = (tree / path[1:]).read_bytes()
        found = b""
        for extent in (extent for stream in entry["streams"] for extent in stream["extents"]):
            with iso.open("rb") as image:
                image.seek(extent["start_lba"] * 2048 + extent["offset_bytes"])
                found += image.read(extent["length_bytes"])
        assert found == data, path


def test_hostile_names_reach_neither_terminal_nor_json_raw(jewelcase, hostile_iso, hostile_names):
    """No control character but the line's own end, no bidi or invisible mark; JSON has the exact names."""
    for options in ((), ("-l",), ("-R",), ("-R", "-l")):
        done = jewelcase("ls", hostile_iso, *options, text=False)
        lines = done.out.decode().split("\n")
        assert lines.pop() == ""
        assert len(lines) == len(hostile_names)
        assert all(line.isprintable() for line in lines), lines
        assert "\u202e" not in "".join(lines)
    text = jewelcase("ls", hostile_iso).out
    for escaped in (
        r"\x1b[31mred\x1b]0;owned\x07.txt",
        r"two\x0alines.txt",
        r"exe\u202etxt.gpj",
        r"c1\x9b2J.txt",
    ):
        assert escaped in text
    done = jewelcase("ls", hostile_iso, "--json")
    assert done.out.isascii()
    assert all(line.isprintable() for line in done.out.splitlines())
    assert {json.loads(line)["name"] for line in done.out.splitlines()} == set(hostile_names)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["/no/such"], "No '/no/such' in volume 0"),
        (["/DOCS"], "No '/DOCS' in volume 0"),
        (["/README.TXT/x"], "No '/README.TXT/x' in volume 0"),
        (["--volume", "udf"], "No volume 'udf' on this disc. Choose from 0 (iso9660), 1 (joliet)"),
        (["--volume", "7"], "No volume '7' on this disc"),
        (["--volume", ""], "No volume '' on this disc"),
        (["--volume", "0", "--all"], "--all and --volume do not go together"),
        (["/no", "--all"], "No '/no' in any volume"),
        (["/\x1b[31m"], r"No '/\x1b[31m' in volume 0"),
    ],
)
def test_what_is_not_there_is_one_sentence(jewelcase, iso, arguments, sentence):
    """Exit code 2, nothing on standard output."""
    done = jewelcase("ls", iso, *arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.sentence().startswith(sentence)


def test_an_image_without_a_file_system_is_one_sentence(jewelcase, tmp_path):
    """There is nothing to list: exit code 2."""
    blank = tmp_path / "blank.iso"
    blank.write_bytes(bytes(2048 * 40))
    done = jewelcase("ls", blank)
    assert done.code == 2
    assert done.sentence().startswith(f"No file system was recognised: {blank}")


def test_a_damaged_disc_is_listed_and_exits_with_1(jewelcase, iso, tmp_path, tool):
    """One flipped bit in a both-endian field: everything is still listed, and something is said to be odd."""
    data = bytearray(iso.read_bytes())
    data[16 * 2048 + 84] ^= 1  # volume space size, big-endian copy (ECMA-119 8.4.8)
    damaged = tmp_path / "damaged.iso"
    damaged.write_bytes(data)
    done = jewelcase("ls", damaged, "-R", "--volume", "joliet")
    assert done.code == 1
    assert sorted(line.removesuffix("/") for line in done.out.splitlines()) == isoinfo(tool, iso, "-J")
    assert done.err.splitlines()[-1] == "1 anomaly on this disc: see jewelcase info"


def test_a_reader_that_leaves_is_no_error(iso, program):
    """`jewelcase ls … | head -1`: quiet, and the exit code that a shell gives for SIGPIPE."""
    script = f'"{program}" ls "{iso}" -R --json; echo $? >&2'
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        ["/bin/sh", "-c", script], stdout=writer, stderr=subprocess.PIPE, text=True, check=True
    )
    os.close(writer)
    assert done.stderr.splitlines()[-1] == "141"
    assert not any("Traceback" in line or "Error" in line for line in done.stderr.splitlines())


def test_paths_are_normalised_without_guessing():
    """Slashes and single dots only: ".." is a name like any other."""
    assert _normal(None) == _normal("") == _normal("/") == _normal("./") == ""
    assert _normal("a//b/") == "/a/b"
    assert _normal("../a") == "/../a"

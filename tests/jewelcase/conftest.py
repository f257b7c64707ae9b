"""Runs the program as a user does: a process of its own, and what it wrote."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("jewelcase")


class Run(subprocess.CompletedProcess):
    """A finished run: `code`, `out`, `err`."""

    @property
    def code(self):
        """The exit code."""
        return self.returncode

    @property
    def out(self):
        """Standard output."""
        return self.stdout

    @property
    def err(self):
        """Standard error."""
        return self.stderr

    def sentence(self):
        """The one line on standard error, without the program's name; fails if there is not just one."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("jewelcase: "), self.stderr
        return lines[0].removeprefix("jewelcase: ")


def run_program(*arguments, **options):
    """Run `jewelcase` with `arguments`, as words of the command `before` if one is given.

    Text in and out unless `options` say otherwise.
    """
    before = options.pop("before", [])
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    environment |= {"LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error", **options.pop("env", {})}
    given = {"capture_output": True, "text": True, "timeout": 120, "stdin": subprocess.DEVNULL, **options}
    if "stdout" in given or "stderr" in given:
        del given["capture_output"]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given}
    done = subprocess.run([*before, PROGRAM, *map(str, arguments)], check=False, env=environment, **given)
    return Run(done.args, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def jewelcase():
    """`jewelcase("ls", image)`: run the installed program; `.code`, `.out`, `.err`."""
    assert PROGRAM.exists(), "jewelcase is not installed beside this Python"
    return run_program


HOSTILE_NAMES = (
    "\x1b[31mred\x1b]0;owned\x07.txt",
    "two\nlines.txt",
    "exe\u202etxt.gpj",
    "zero\u200bwidth.txt",
    "del\x7f.txt",
    "<script>alert(1)<script>.htm",
    "c1\u009b2J.txt",
    "quote\"'\\back.txt",
)


@pytest.fixture(scope="session")
def program():
    """The path of the installed program."""
    return PROGRAM


@pytest.fixture(scope="session")
def hostile_names():
    """The names on the hostile disc."""
    return HOSTILE_NAMES


@pytest.fixture(scope="session")
def tree(tmp_path_factory):
    """A folder of files to record: nested, a link, an empty file, spaces, names beyond ASCII."""
    root = tmp_path_factory.mktemp("source") / "tree"
    contents = {
        "README.TXT": b"read me\n",
        "docs/a longer name with spaces.txt": b"x" * 5000,
        "docs/deep/deeper/deepest/leaf.bin": bytes(range(256)) * 20,
        "docs/Größe.txt": b"5 m\n",
        "empty": b"",
        **{f"many/file-{number:03d}.dat": b"%d\n" % number for number in range(80)},
    }
    for name, data in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, (1_100_000_000, 1_100_000_000))
    (root / "link").symlink_to("docs/deep")
    return root


def _record(target, source, *options):
    """Record the folder `source` by genisoimage, or skip."""
    program = shutil.which("genisoimage")
    if program is None:
        pytest.skip("genisoimage is not installed")
    command = [program, "-quiet", "-input-charset", "utf-8", *options, "-o", str(target), str(source)]
    subprocess.run(command, check=True, capture_output=True)
    return target


@pytest.fixture(scope="session")
def iso(tree, tmp_path_factory):
    """The tree on a disc with Rock Ridge and Joliet, by genisoimage."""
    return _record(tmp_path_factory.mktemp("iso") / "disc.iso", tree, "-R", "-J", "-V", "TEST DISC")


@pytest.fixture(scope="session")
def hostile_iso(tmp_path_factory):
    """A disc whose names try everything, by genisoimage with Rock Ridge."""
    root = tmp_path_factory.mktemp("hostile") / "tree"
    root.mkdir()
    for name in HOSTILE_NAMES:
        (root / name).write_bytes(b"content\n")
    return _record(root.parent / "hostile.iso", root, "-R", "-V", "HOSTILE")


@pytest.fixture
def case(jewelcase, tmp_path):
    """A new case, its folder."""
    folder = tmp_path / "case"
    done = jewelcase("new", folder, "--number", "2026-014", "--examiner", "A. Examiner")
    assert done.code == 0, done.err
    return folder

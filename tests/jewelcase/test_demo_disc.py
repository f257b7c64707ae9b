"""The demonstration disc is what its README says, by other programs, and made again the same."""

import lzma
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKED = ROOT / "jewelcase" / "demo" / "harbour.iso.xz"
SIZE_BYTES = 458_752
LONG_NAME_BYTES = 227


@pytest.fixture(scope="module")
def disc(tmp_path_factory):
    """The image, unpacked."""
    path = tmp_path_factory.mktemp("demo") / "harbour.iso"
    path.write_bytes(lzma.decompress(PACKED.read_bytes()))
    return path


def test_it_is_small_and_its_readme_gives_its_size(disc):
    """At most 100 KB in the package; the README does not lie about it."""
    assert PACKED.stat().st_size <= 100_000
    assert disc.stat().st_size == SIZE_BYTES
    assert f"{SIZE_BYTES:,} bytes" in PACKED.with_name("README.md").read_text(encoding="utf-8")


@pytest.mark.tools
def test_xorriso_sees_two_sessions(disc, tool):
    """Where the README says that they start."""
    done = subprocess.run(
        [tool("xorriso"), "-indev", f"stdio:{disc}", "-toc"], capture_output=True, text=True, check=True
    )
    found = re.findall(r"ISO session\s*:\s*(\d+)\s*,\s*(\d+)", done.stdout + done.stderr)
    assert found == [("1", "32"), ("2", "160")]


@pytest.mark.tools
def test_isoinfo_sees_what_the_readme_tells(disc, tool):
    """The last session: the cash file is gone, the link, the long name and the sixty invoices are there."""

    def listing(*options):
        done = subprocess.run(
            [tool("isoinfo"), *options, "-f", "-i", str(disc)], capture_output=True, check=True
        )
        return done.stdout.decode("utf-8", "replace").splitlines()

    rock_ridge = listing("-R")
    assert "/accounts/2004/paid in cash.txt" not in rock_ridge
    assert "/accounts/2004/ledger.csv" in rock_ridge
    assert "/accounts/2004/q1/week 9/closing.txt" in rock_ridge
    assert "/current year" in rock_ridge
    assert sum(path.startswith("/accounts/invoices/") for path in rock_ridge) == 60
    assert any(len(path.removeprefix("/minutes/").encode()) == LONG_NAME_BYTES for path in rock_ridge)


@pytest.mark.tools
def test_the_first_session_still_holds_the_file_that_the_second_left_out(disc, tool, tmp_path):
    """Loaded by xorriso, session 1 gives its file back: the bytes are on the disc."""
    done = subprocess.run(
        [
            *(tool("xorriso"), "-osirrox", "on", "-load", "session", "1", "-indev", f"stdio:{disc}"),
            *("-extract", "/accounts/2004/paid in cash.txt", str(tmp_path / "cash.txt")),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "cash.txt").read_text(encoding="utf-8")
    assert text.startswith("Paid in cash at the office, not in the ledger:")


@pytest.mark.tools
def test_the_script_makes_the_same_disc_again(disc, tool, tmp_path):
    """Byte for byte, whatever the time and the machine, with the xorriso that the README names."""
    version = subprocess.run([tool("xorriso"), "-version"], capture_output=True, text=True, check=True)
    if "xorriso 1.5.4" not in version.stdout:
        pytest.skip("another version of xorriso: it writes its name on the disc")
    again = tmp_path / "again.iso.xz"
    subprocess.run(
        [sys.executable, ROOT / "scripts" / "make-demo-disc", again], check=True, capture_output=True
    )
    assert lzma.decompress(again.read_bytes()) == disc.read_bytes()

"""Reports on real discs, through the whole path: acquired, examined, recorded, rendered, read back."""

import subprocess
from pathlib import Path

import pytest

from acquire.exhibit import Plan
from casefiles import query
from casefiles.case import Case
from tests.report.conftest import HOSTILE_NAMES
from tests.report.page import listed
from tests.report.test_html import by_id, check_entries, page_of


def examined(folder: Path, image: Path) -> Case:
    """A case on that image."""
    case = Case.create(folder, number="2026-014", examiner="A. Examiner")
    case.acquire(image, "EX-1", Plan())
    case.analyze()
    return case


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "entries"),
    [
        ("libcdio/copying-rr.iso", 3),
        ("libcdio/joliet.iso", 12),
        ("libcdio/multi_extent_8k_joliet.iso", 2),
    ],
)
def test_discs_of_other_programs_are_reported_entry_by_entry(tmp_path, corpus, name, entries):
    """Nothing of what the case holds is missing in the report, or other than in the case."""
    with examined(tmp_path / "case", corpus(name)) as case:
        assert check_entries(case, page_of(case)) >= entries


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["libcdio/bad-dir.iso", "libcdio/malformed.iso"])
def test_every_anomaly_of_a_broken_disc_is_reported(tmp_path, corpus, name):
    """Discs that libcdio keeps for being broken: each recorded anomaly has its row, in order."""
    with examined(tmp_path / "case", corpus(name)) as case:
        page = page_of(case)
        recorded = [(row["code"], row["message"]) for row in query.anomalies(case, 1)]
    assert recorded
    rows = [row for table in page.all("table", "anomalies") for row in table.one("tbody").all("tr")]
    assert [(row.one("span", "code").meant(), row.all("td")[1].meant()) for row in rows] == recorded


@pytest.mark.corpus
@pytest.mark.parametrize("name", ["hfs_hfsutils_rsrc.img", "iso_hfs_hybrid.iso", "iso_rr_xattr_aaip.iso"])
def test_forks_and_hybrids_are_reported(tmp_path, rig_image, name):
    with examined(tmp_path / "case", rig_image(name)) as case:
        page = page_of(case)
        assert check_entries(case, page) > 0
        if "rsrc" in name:
            assert "stream resource, " in page.text()


@pytest.mark.tools
def test_a_disc_with_hostile_names_goes_all_the_way(tmp_path, tool):
    """Files that a real file system holds under hostile names, put on a disc by xorriso with Rock Ridge."""
    folder = tmp_path / "files"
    folder.mkdir()
    names = {name for name in HOSTILE_NAMES if "/" not in name and name != ".." and len(name.encode()) <= 240}
    for number, name in enumerate(sorted(names)):
        (folder / name).write_text(f"content {number}")
    image = tmp_path / "hostile.iso"
    command = [tool("xorriso"), "-as", "mkisofs", "-quiet", "-R", "-o", str(image), str(folder)]
    subprocess.run(command, check=True, capture_output=True)
    with examined(tmp_path / "case", image) as case:
        page = page_of(case)
        assert check_entries(case, page) >= len(names)
    shown = {each.path.removeprefix("/") for each in listed(by_id(page, "view-1"))}
    assert names <= shown


def test_the_page_of_a_disc_that_is_no_disc(tmp_path):
    """Random bytes: no volume, and a page that says so."""
    image = tmp_path / "noise.bin"
    image.write_bytes(b"\x5a" * 100_001)
    with examined(tmp_path / "case", image) as case:
        page = page_of(case)
    assert "No file system that this version knows was recognised." in page.text()

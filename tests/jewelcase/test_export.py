"""Files leave a case as an examiner takes them out."""

import csv
import hashlib
import json
import subprocess

import pytest


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What goes on the disc: nested, an odd name, an empty file, a symbolic link."""
    root = tmp_path_factory.mktemp("content")
    (root / "docs").mkdir()
    (root / "docs" / "letter.txt").write_bytes(b"Dear Sir\n")
    (root / "docs" / "big.bin").write_bytes(bytes(range(256)) * 5000)
    (root / "empty").write_bytes(b"")
    (root / "=SUM(1)").write_bytes(b"formula")
    (root / "link").symlink_to("/etc/passwd")
    return root


@pytest.fixture(scope="module")
def case(jewelcase, folder, tmp_path_factory, tool):
    """A case with one examined exhibit of that folder, by genisoimage with Rock Ridge."""
    base = tmp_path_factory.mktemp("export")
    iso = base / "disc.iso"
    subprocess.run([tool("genisoimage"), "-quiet", "-R", "-o", iso, folder], check=True)
    done = jewelcase(
        "run", iso, base / "case", "--number", "1", "--examiner", "A. Examiner", "--evidence", "DISC"
    )
    assert done.returncode == 0, done.stderr
    return base / "case"


def test_everything_comes_out_as_it_went_in(jewelcase, case, folder, tmp_path):
    """Every file's bytes; the link is listed and not made; the manifest's digests are those of the files."""
    done = jewelcase("export", "--case", case, "DISC", "--all", "--to", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["written"], result["incomplete"], result["failed"]) == (4, 0, 0)
    with open(result["manifest"], newline="", encoding="utf-8") as file:  # noqa: PTH123  a str from JSON
        rows = {row["path"]: row for row in csv.DictReader(file)}
    for path in ("docs/letter.txt", "docs/big.bin", "empty"):
        row = rows[f"/{path}"]
        data = (tmp_path / "out" / row["exported"]).read_bytes()
        assert data == (folder / path).read_bytes()
        assert row["sha256"] == hashlib.sha256(data).hexdigest()
        assert row["note"] == ""
    assert (tmp_path / "out" / rows["/=SUM(1)"]["exported"]).read_bytes() == b"formula"
    assert "/etc/passwd" in rows["/link"]["note"]
    assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))


def test_chosen_paths_and_what_is_below_them(jewelcase, case, tmp_path):
    """A folder brings all below it; a path that only begins alike does not come."""
    done = jewelcase("export", "--case", case, "disc", "docs", "--to", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    files = {path.name for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert files == {"letter.txt", "big.bin", "manifest.csv", "manifest.jsonl"}


def test_an_export_is_in_the_custody_log(jewelcase, case, tmp_path):
    assert jewelcase("export", "--case", case, "DISC", "--all", "--to", tmp_path / "out").returncode == 0
    events = [json.loads(line) for line in (case / "log" / "custody.jsonl").read_text().splitlines()]
    assert events[-1]["action"] == "export"
    assert jewelcase("verify", "--case", case).returncode == 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["DISC"], "Nothing to export is named"),
        (["DISC", "a", "--all"], "exclude each other"),
        (["OTHER", "--all"], "No such exhibit in the case: OTHER. Known exhibits: DISC"),
        (["DISC", "--all", "--volume", "7"], "no volume 7"),
    ],
)
def test_what_does_not_fit_is_one_sentence(jewelcase, case, tmp_path, words, sentence):
    """Exit code 2, one line, nothing made."""
    done = jewelcase("export", "--case", case, *words, "--to", tmp_path / "out")
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()

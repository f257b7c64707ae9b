"""The Python API: what README and docs promise to a program."""

import hashlib

import pytest

import jewelcase
from jewelcase import api

pytestmark = pytest.mark.tools


def test_the_package_and_the_module_hold_the_same_names():
    """`jewelcase.NAME` is `jewelcase.api.NAME`, nothing more and nothing less."""
    assert set(jewelcase.__all__) == {"__version__", *api.__all__}
    for name in api.__all__:
        assert getattr(jewelcase, name) is getattr(api, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = jewelcase.nothing


def test_examine_and_digest_without_a_case(iso, tree):
    """Entries of an image and the digests of their content, as hashlib makes them of the source."""
    image = jewelcase.open_image(iso)
    try:
        entries = [noun for noun in jewelcase.examine(image) if isinstance(noun, jewelcase.Entry)]
        files = [entry for entry in entries if entry.volume == 0 and entry.kind is jewelcase.EntryKind.FILE]
        items = [
            jewelcase.ContentItem(key, entry.size_bytes, entry.streams[0].extents if entry.streams else ())
            for key, entry in enumerate(files)
        ]
        found = {digest.key: digest for digest in jewelcase.digest_contents(image, items)}
    finally:
        image.close()
    assert len(files) == sum(path.is_file() and not path.is_symlink() for path in tree.rglob("*"))
    for key, entry in enumerate(files):
        data = (tree / entry.path[1:]).read_bytes()
        assert found[key].status == "complete"
        assert found[key].digests["sha256"] == hashlib.sha256(data).hexdigest()


def test_a_case_from_python(iso, tmp_path):
    """The same path as the command line's, with the same results."""
    with jewelcase.Case.create(tmp_path / "case", number="1", examiner="E") as case:
        acquisition = case.acquire(iso, "D", jewelcase.Plan(format="raw"))
        (summary,) = case.analyze()
        checks = case.verify()
        jewelcase.render_html(case, tmp_path / "report.html")
    assert acquisition.digests["sha256"] == hashlib.sha256(iso.read_bytes()).hexdigest()
    assert summary.anomalies == 0
    assert all(check.ok for check in checks)
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_errors_of_the_world_are_one_class(tmp_path):
    """Everything that a person can act on is a JewelcaseError with a sentence."""
    with pytest.raises(jewelcase.JewelcaseError, match="No such file"):
        jewelcase.open_image(tmp_path / "missing.iso")
    with pytest.raises(jewelcase.JewelcaseError, match="No such case folder"):
        jewelcase.Case.open(tmp_path / "missing")

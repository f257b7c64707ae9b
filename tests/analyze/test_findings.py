"""The table of findings is the same for programs and for people."""

import re
from pathlib import Path

import pytest

from analyze.finding import Severity
from analyze.findings import KINDS, counted, finding, ranges_text

ROOT = Path(__file__).resolve().parents[2]


def test_the_reference_lists_every_code_as_the_code_has_it():
    """docs/reference/findings.md: the same codes, severities and sentences in the same order."""
    text = (ROOT / "docs/reference/findings.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [(kind.code, kind.severity.value, kind.meaning) for kind in KINDS.values()]


def test_every_code_is_made_somewhere():
    """A code that no module of analyze makes would be a promise that is not kept."""
    source = "".join(
        path.read_text(encoding="utf-8")
        for path in (ROOT / "analyze").rglob("*.py")
        if path.name != "findings.py"
    )
    assert [code for code in KINDS if f'"{code}"' not in source] == []


def test_a_finding_has_the_severity_of_its_kind():
    made = finding("image-truncated", "A title", lba=7)
    assert (made.code, made.severity, made.title, made.lba) == (
        "image-truncated",
        Severity.WARNING,
        "A title",
        7,
    )
    with pytest.raises(KeyError):
        finding("no-such-code", "")


@pytest.mark.parametrize(
    ("ranges", "text"),
    [
        ([(25, 1)], "LBA 25"),
        ([(25, 1), (49, 3)], "LBA 25, 49–51"),
        (
            [(n * 10, 2) for n in range(10)],
            "LBA 0–1, 10–11, 20–21, 30–31, 40–41, 50–51, 60–61, 70–71 and 2 more",
        ),
    ],
)
def test_ranges_are_named_first_to_last(ranges, text):
    """Both ends belong to the range; a long list is cut and counted."""
    assert ranges_text(ranges, "LBA") == text


def test_a_count_has_its_plural():
    assert [counted(n, "sector") for n in (0, 1, 2)] == ["0 sectors", "1 sector", "2 sectors"]

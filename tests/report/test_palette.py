"""Text can be read: the contrast of every pair of colours, by day, by night and on paper."""

import re
from pathlib import Path

import pytest

CSS = (Path(__file__).resolve().parents[2] / "report/templates/report.css").read_text(encoding="utf-8")
PAGES = ("light", "dark", "print")
TEXT = [
    ("ink", "paper"),
    ("ink", "wash"),
    ("soft", "paper"),
    ("soft", "wash"),
    ("soft", "caution-wash"),
    ("soft", "warning-wash"),
    ("ink", "caution-wash"),
    ("accent", "paper"),
    ("accent", "wash"),
    ("caution", "paper"),
    ("caution", "caution-wash"),
    ("warning", "paper"),
    ("warning", "warning-wash"),
    ("escape", "escape-wash"),
    ("escape", "paper"),
]
SIGNS = [
    ("plain-line", "paper"),
    ("plain-line", "wash"),
    ("caution-line", "paper"),
    ("warning-line", "paper"),
    ("accent", "paper"),
    ("unread", "read"),
]


def palettes() -> dict[str, dict[str, str]]:
    """The custom properties of the three :root blocks, each on top of the first."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    assert len(blocks) == 3
    colours = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block)) for block in blocks]
    return {name: colours[0] | more for name, more in zip(PAGES, colours, strict=True)}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2, its definition in §"relative luminance")."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2.2, "contrast ratio")."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_ratio_is_wcag_s():
    """Published values: black on white 21, #767676 on white 4.54, #0000ff on white 8.59."""
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert contrast("#ffffff", "#0000ff") == pytest.approx(8.59, abs=0.005)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_has_a_contrast_of_4_5(page, text, ground):
    """WCAG 2.2 AA, 1.4.3."""
    colours = palettes()[page]
    assert contrast(colours[text], colours[ground]) >= 4.5


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize(("sign", "ground"), SIGNS)
def test_signs_have_a_contrast_of_3(page, sign, ground):
    """WCAG 2.2 AA, 1.4.11: lines that mean something, focus, gaps in the picture of coverage."""
    colours = palettes()[page]
    assert contrast(colours[sign], colours[ground]) >= 3


def test_every_colour_is_in_the_palette():
    """No rule names a colour of its own, so that the pairs above are all there are."""
    rules = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?!-)|rgba?\(|hsla?\(", rules) == []

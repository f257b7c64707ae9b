"""The public names for a Python program; the same are in `jewelcase`.

    import jewelcase

    with jewelcase.open_image("disc.iso") as image:
        for noun in jewelcase.examine(image):
            ...

Arguments, results and errors of each are in its own docstring.
"""

from acquire.containers import open_image
from acquire.errors import JewelcaseError
from acquire.exhibit import ExhibitHeader, Plan
from acquire.geometry import Extent
from analyze.analysis import ContentDigest, ContentItem, digest_contents, examine
from analyze.anomaly import Anomaly
from analyze.coverage import Coverage
from analyze.entry import Entry, EntryKind
from analyze.finding import Finding
from analyze.timestamp import Timestamp
from analyze.volume import VolumeInfo
from casefiles.case import Case
from report.html import render_html

__all__ = [
    "Anomaly",
    "Case",
    "ContentDigest",
    "ContentItem",
    "Coverage",
    "Entry",
    "EntryKind",
    "ExhibitHeader",
    "Extent",
    "Finding",
    "JewelcaseError",
    "Plan",
    "Timestamp",
    "VolumeInfo",
    "digest_contents",
    "examine",
    "open_image",
    "render_html",
]

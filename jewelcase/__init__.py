"""The front door: the command line, and the names that a Python program imports.

    from jewelcase import Case, examine, open_image

The names of `jewelcase.api` load when they are first asked for, so that importing this package is cheap.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jewelcase.api import (
        Anomaly,
        Case,
        ContentDigest,
        ContentItem,
        Coverage,
        Entry,
        EntryKind,
        ExhibitHeader,
        Extent,
        Finding,
        JewelcaseError,
        Plan,
        Timestamp,
        VolumeInfo,
        digest_contents,
        examine,
        open_image,
        render_html,
    )

__version__ = "0.1.0"

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
    "__version__",
    "digest_contents",
    "examine",
    "open_image",
    "render_html",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  a name of the API, whatever it is
    """Load `name` from `jewelcase.api`."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from jewelcase import api  # noqa: PLC0415  the whole suite loads here, and only when it is used

    return getattr(api, name)

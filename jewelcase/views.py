"""Which view of a disc to show: one disc often holds the same files under several file systems."""

from collections.abc import Sequence

from acquire.errors import UsageError
from analyze.volume import VolumeInfo

_RANK = ("udf", "rock ridge", "hfsplus", "hfs", "joliet")
"""Kinds by how much of a file they record, the fullest first; others come after, plain ISO 9660 last."""


def _rank(info: VolumeInfo) -> int:
    kind = "rock ridge" if (info.attributes or {}).get("rock_ridge") else info.kind
    if kind in _RANK:
        return _RANK.index(kind)
    return len(_RANK) + (kind == "iso9660")


def best(volumes: Sequence[VolumeInfo]) -> VolumeInfo:
    """The view that a person wants first: of the last session, the kind that records most of a file.

    Sessions before the kind, for a later session replaces an earlier one.
    """
    return min(volumes, key=lambda info: (-(info.session or 0), _rank(info), info.ordinal))


def fits(info: VolumeInfo, wanted: str) -> bool:
    """Whether `wanted` names this view, by its number or its kind."""
    if wanted.isascii() and wanted.isdigit():
        return str(info.ordinal) == wanted.lstrip("0").rjust(1, "0")
    return info.kind == wanted.lower()


def chosen(volumes: Sequence[VolumeInfo], wanted: str | None) -> VolumeInfo:
    """The view that `wanted` names, by its number or its kind (the best of that kind); None: the best."""
    fitting = [info for info in volumes if wanted is None or fits(info, wanted)]
    if not fitting:
        raise UsageError(f"No volume {wanted!r} on this disc", do=f"Choose from {listed(volumes)}")
    return best(fitting)


def described(info: VolumeInfo) -> str:
    """`volume 2, joliet, session 1, "BACKUP"`."""
    names = [f"volume {info.ordinal}", info.kind]
    if (info.attributes or {}).get("rock_ridge"):
        names[-1] += " with Rock Ridge"
    if info.session is not None:
        names.append(f"session {info.session}")
    return f'{", ".join(names)}, "{info.label}"'


def listed(volumes: Sequence[VolumeInfo]) -> str:
    """`0 (iso9660), 1 (joliet)`: what `--volume` takes."""
    return ", ".join(f"{info.ordinal} ({info.kind})" for info in volumes)

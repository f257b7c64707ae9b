"""What of an exhibit is to be exported: entries of a case, chosen by path or state, with their content."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from acquire.errors import CaseError, UsageError
from acquire.geometry import Extent
from casefiles import query
from casefiles.case import Case
from report.export import Content, Item

_DIGESTS = ("md5", "sha1", "sha256")
_TIMES = ("modified", "accessed", "created", "changed")


def exhibit(case: Case, label: str) -> dict[str, Any]:
    """The evidence row of `label`, without regard to case; a CaseError names those there are."""
    rows = query.evidence(case)
    for row in rows:
        if str(row["label"]).casefold() == label.casefold():
            return row
    known = ", ".join(str(row["label"]) for row in rows) or "none"
    raise CaseError("No such exhibit in the case", where=label, do=f"Known exhibits: {known}")


def container(case: Case, evidence: dict[str, Any]) -> Path:
    """The first file of the exhibit's finished container."""
    for row in reversed(query.acquisitions(case, evidence["id"])):
        if row["state"] == "complete":
            return Path(case.folder.root, row["path"])
    raise CaseError(
        "The exhibit's acquisition is not finished", where=evidence["label"], do="Run jewelcase acquire again"
    )


def chosen_volumes(case: Case, evidence: dict[str, Any], ordinals: Sequence[int]) -> list[dict[str, Any]]:
    """The volumes with these ordinals, all where none is named."""
    volumes = query.volumes(case, evidence["id"])
    if not volumes:
        raise CaseError(
            "No volume was found on the exhibit, or it is not analyzed",
            where=evidence["label"],
            do="Run jewelcase analyze first",
        )
    known = {volume["ordinal"]: volume for volume in volumes}
    for ordinal in ordinals:
        if ordinal not in known:
            raise UsageError(
                f"The exhibit has no volume {ordinal}", do=f"Its volumes are 0 to {len(volumes) - 1}"
            )
    return [known[ordinal] for ordinal in ordinals] if ordinals else volumes


def items(
    case: Case, volumes: Sequence[dict[str, Any]], paths: Sequence[str], *, deleted: bool
) -> Iterator[Item]:
    """Every entry of the volumes that is chosen.

    `paths` choose what has exactly that path, and all below it; none choose everything. `deleted`
    keeps only what is deleted.
    """
    wanted = tuple("/" + path.strip("/") for path in paths)
    for volume in volumes:
        folder = f"{volume['ordinal']}-{volume['kind']}"
        if volume["session"] is not None:
            folder += f"-session{volume['session']}"
        for entry in query.entries(case, volume["id"]):
            if deleted and not entry["deleted"]:
                continue
            if wanted and not any(_under(entry["path"], path) for path in wanted):
                continue
            yield _item(case, folder, entry)


def _under(path: str, wanted: str) -> bool:
    return wanted in ("/", path) or path.startswith(wanted + "/")


def _item(case: Case, folder: str, entry: dict[str, Any]) -> Item:
    pieces: dict[str, list[Extent]] = {}
    if entry["kind"] == "file":
        for row in query.extents(case, entry["id"]):
            extent = Extent(row["start_lba"], row["length_bytes"], row["offset_bytes"])
            pieces.setdefault(row["stream"], []).append(extent)
    digests = {name: entry[name] for name in _DIGESTS if entry[name]}
    contents = [Content("", entry["size_bytes"], tuple(pieces.get("", ())), digests)]
    if entry["stream_count"]:
        contents += [
            Content(
                row["stream"],
                row["size_bytes"],
                tuple(pieces.get(row["stream"], ())),
                {name: row[name] for name in _DIGESTS if row[name]},
            )
            for row in query.streams(case, entry["id"])
        ]
    return Item(
        volume=folder,
        path=entry["path"],
        kind=entry["kind"],
        deleted=bool(entry["deleted"]),
        contents=tuple(contents),
        times={name: entry[name] for name in _TIMES},
        link_target=entry["link_target"],
    )

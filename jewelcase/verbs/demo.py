"""`jewelcase demo`: the whole path on a small disc image that ships with the project."""

import os
from pathlib import Path
from typing import Annotated

import typer

from acquire.errors import DestinationError, destination_error
from jewelcase import console
from jewelcase.verbs.options import Json
from jewelcase.verbs.run import Exhibit, Identity, whole_path

DISC = "harbour.iso"
LABEL = "HARBOUR-1"
IDENTITY = Identity("DEMO-1", "A. Examiner", notes="The demonstration case that ships with jewelcase.")

DemoDir = Annotated[
    Path,
    typer.Argument(
        metavar="DIR",
        readable=False,
        help="A folder to make: it gets the disc image and the case.",
        show_default=False,
    ),
]


def demo(folder: DemoDir, *, json: Json = False) -> int:
    """Show the whole path on a small disc.

    A disc of two sessions that ships with jewelcase is acquired, analyzed, verified and reported. DIR gets
    its image (harbour.iso) and the case (case). No network is used.
    """
    from acquire.exhibit import Plan  # noqa: PLC0415  the readers and writers load here

    disc = unpack(folder)
    console.say(f"The disc: {disc}")
    exhibit = Exhibit(disc, LABEL, Plan(), "Archive disc of a harbour office")
    return whole_path(folder / "case", IDENTITY, exhibit, json=json)


def unpack(folder: Path) -> Path:
    """Put the disc image into `folder` unless it is there; returns its path."""
    import lzma  # noqa: PLC0415  nothing but this verb needs it
    from importlib.resources import files  # noqa: PLC0415  the same

    disc = folder / DISC
    packed = files("jewelcase").joinpath("demo", f"{DISC}.xz").read_bytes()
    data = lzma.decompress(packed)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if disc.exists():
            if disc.read_bytes() != data:
                raise DestinationError(
                    "Another file stands where the demonstration disc belongs",
                    where=disc,
                    do="Name a new folder",
                )
            return disc
        if any(found.name != f"{DISC}.tmp" for found in folder.iterdir()):
            raise DestinationError("The folder is not empty", where=folder, do="Name a new folder")
        partial = folder / f"{DISC}.tmp"
        with partial.open("wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        partial.rename(disc)
    except OSError as error:
        raise destination_error(error, folder) from error
    return disc

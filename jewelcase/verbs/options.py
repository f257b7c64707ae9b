"""Options that several verbs share, said once."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from acquire.errors import UsageError

# `readable=False`: Typer is not to look at paths; the rooms do, and say what to do about it.
Format = Literal["e01", "raw"]
Compression = Literal["none", "fast", "best"]

CaseDir = Annotated[Path, typer.Option("--case", metavar="DIR", readable=False, help="The case folder.")]
Json = Annotated[bool, typer.Option("--json", help="Write the result as JSON to standard output.")]
Number = Annotated[str, typer.Option("--number", metavar="NUMBER", help="The case number.")]
Examiner = Annotated[str, typer.Option("--examiner", metavar="NAME", help="Who examines.")]
Agency = Annotated[
    str | None, typer.Option("--agency", metavar="NAME", help="The agency, laboratory or archive.")
]
Authority = Annotated[
    str | None,
    typer.Option("--authority", metavar="TEXT", help="The legal authority: warrant, consent, accession."),
]
Notes = Annotated[str | None, typer.Option("--notes", metavar="TEXT", help="Notes on the case.")]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="SOURCE",
        readable=False,
        help="A disc image, any other file, or a block device.",
        show_default=False,
    ),
]
Label = Annotated[
    str,
    typer.Option("--evidence", metavar="LABEL", help="The exhibit's label: 1 to 64 letters, digits, ' ._-'."),
]
SomeLabel = Annotated[
    str | None, typer.Argument(metavar="[LABEL]", help="One exhibit.", show_default="all exhibits")
]
Description = Annotated[
    str | None, typer.Option("--description", metavar="TEXT", help="What the exhibit is.")
]
ContainerFormat = Annotated[
    Format | None,
    typer.Option(
        "--format",
        help="The container to write.",
        show_default="e01; raw where the source is not whole 2048-byte sectors",
    ),
]
CompressionLevel = Annotated[
    Compression, typer.Option("--compression", help="How hard an E01 is compressed.")
]
SegmentSize = Annotated[
    str | None,
    typer.Option(
        "--segment-size",
        metavar="SIZE",
        help="Cut an E01 into files of at most SIZE: 2GB (10^9), 2GiB or 2G (2^30).",
        show_default="one file",
    ),
]
Digests = Annotated[
    list[str] | None,
    typer.Option(
        "--digest",
        metavar="NAME",
        help="A digest of the whole: md5, sha1, sha256, sha512, blake2b; repeat it for more.",
        show_default="md5 sha1 sha256",
    ),
]
Verify = Annotated[bool, typer.Option("--verify/--no-verify", help="Read the container back and compare.")]
Image = Annotated[
    Path,
    typer.Argument(
        metavar="IMAGE", readable=False, help="A disc image or a block device.", show_default=False
    ),
]

_UNITS = {"": 1, "B": 1} | {
    f"{letter}{suffix}": int(base**power)
    for power, letter in enumerate("KMGT", start=1)
    for suffix, base in (("", 1024), ("IB", 1024), ("B", 1000))
}


def size_bytes(text: str) -> int:
    """Bytes of `650MB` (10^6), `650MiB`, `650M` (2^20) or `650000000`, as dd and split read them."""
    digits = text.strip()
    number = digits.rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
    unit = digits[len(number) :].strip().upper()
    if not (number.isascii() and number.isdigit()) or unit not in _UNITS or not int(number[:20]):
        raise UsageError(f"{text!r} is not a size", do="Write it like 650MB, 2GB or 2GiB")
    if len(number) > 20:
        raise UsageError(f"{text!r} is too large a size", do="Write it like 650MB, 2GB or 2GiB")
    return int(number) * _UNITS[unit]

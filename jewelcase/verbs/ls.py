"""`jewelcase ls`: list what a disc image holds, without a case."""

import stat
from typing import IO, TYPE_CHECKING, Annotated, NamedTuple

import typer

from acquire.errors import SourceError, UsageError
from jewelcase import console
from jewelcase.plain import plain
from jewelcase.verbs.options import Image
from jewelcase.views import best, chosen, described, fits, listed

if TYPE_CHECKING:
    from acquire.image import Image as DiscImage
    from analyze.entry import Entry
    from analyze.volume import VolumeInfo

PathArgument = Annotated[
    str | None, typer.Argument(metavar="[PATH]", help="A directory or a file of the disc.", show_default="/")
]
Long = Annotated[
    bool, typer.Option("--long", "-l", help="Show mode, owner, size, first sector, time and target too.")
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-R", help="List all that is below PATH, by full paths.")
]
VolumeName = Annotated[
    str | None,
    typer.Option(
        "--volume",
        metavar="KIND|N",
        help="The view to list: iso9660, joliet, udf, … or its number in `info`.",
        show_default="the fullest view of the last session",
    ),
]
EveryView = Annotated[bool, typer.Option("--all", help="List every view, one after the other.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Write JSON Lines: one object an entry.")]

_LETTERS = {"file": "-", "directory": "d", "symlink": "l", "device": "b", "other": "?"}
_HELD_IN_MEMORY = 8 << 20


def ls(
    image: Image,
    path: PathArgument = None,
    *,
    long: Long = False,
    recursive: Recursive = False,
    volume: VolumeName = None,
    every: EveryView = False,
    json: JsonLines = False,
) -> int:
    """List what a disc image holds.

    One directory, in the order in which the disc records it, hidden and deleted entries too. A disc can
    hold several views of its files: the fullest one of the last session is listed, and standard error says
    which one that is.
    """
    from acquire.containers import open_image  # noqa: PLC0415  the readers load only where one is needed

    if every and volume is not None:
        raise UsageError("--all and --volume do not go together", do="Leave one of them away")
    listing = _Listing(_normal(path), _Style(long=long, recursive=recursive, json=json), volume, every=every)
    opened = open_image(image)
    try:
        listing.walk(opened)
        listing.finish(str(image))
        return int(listing.anomalies > 0 or bool(opened.unread()))
    finally:
        listing.close()
        opened.close()


class _Style(NamedTuple):
    """How entries are listed."""

    long: bool
    recursive: bool
    json: bool


class _Listing:
    """The lines of one view (or of every view), held back until it is known which view is the best.

    Later sessions are found after earlier ones were walked. Lines that are held do not stay in memory.
    """

    def __init__(self, path: str, style: _Style, wanted: str | None, *, every: bool) -> None:
        self.path, self.style, self.wanted, self.every = path, style, wanted, every
        self.volumes: list[VolumeInfo] = []
        self.anomalies = 0
        self.found_in: set[int] = set()
        self.taking = False
        self.held: IO[str] | None = None

    def walk(self, image: "DiscImage") -> None:
        """Walk the whole disc once."""
        from analyze.analysis import examine  # noqa: PLC0415  loaded with the readers
        from analyze.anomaly import Anomaly  # noqa: PLC0415  the same
        from analyze.entry import Entry  # noqa: PLC0415  the same
        from analyze.volume import VolumeInfo  # noqa: PLC0415  the same

        for noun in examine(image):
            if isinstance(noun, Entry):
                if self.taking and self._is_listed(noun):
                    self._take(noun)
            elif isinstance(noun, Anomaly):
                self.anomalies += 1
            elif isinstance(noun, VolumeInfo):
                self._begin(noun)

    def _begin(self, info: "VolumeInfo") -> None:
        """A further view: take its entries if it is wanted, or better than the one that is held."""
        self.volumes.append(info)
        if self.every:
            self.taking = True
            if not self.style.json:
                self._write(console.line(console.Styled(f"{described(info)}:", console.BOLD)))
        elif self.wanted is None or fits(info, self.wanted):
            candidates = [each for each in self.volumes if self.wanted is None or fits(each, self.wanted)]
            self.taking = best(candidates) is info
            if self.taking:
                self.close()
        else:
            self.taking = False

    def _is_listed(self, entry: "Entry") -> bool:
        above, _, _ = entry.path.rpartition("/")
        if entry.path == self.path:
            self.found_in.add(entry.volume)
            return entry.kind != "directory"
        if above == self.path or not self.path:
            self.found_in.add(entry.volume)
        if self.style.recursive:
            return entry.path.startswith(f"{self.path}/")
        return above == self.path

    def _take(self, entry: "Entry") -> None:
        if self.style.json:
            self._write(console.json_line(plain(entry)))
        elif self.style.long:
            self._write(console.line(*_long(entry, self._name(entry))))
        else:
            self._write(console.line(*_name(entry, self._name(entry))))

    def _name(self, entry: "Entry") -> str:
        return entry.path if self.style.recursive or entry.path == self.path else entry.name

    def _write(self, line: str) -> None:
        if self.held is None:
            from tempfile import SpooledTemporaryFile  # noqa: PLC0415  most of a start is imports

            self.held = SpooledTemporaryFile(_HELD_IN_MEMORY, "w+", encoding="utf-8", newline="\n")  # noqa: SIM115  closed by close()
        self.held.write(line)

    def finish(self, name: str) -> None:
        """Write what is held, or say why there is nothing."""
        if not self.volumes:
            raise SourceError(
                "No file system was recognised", where=name, do="`jewelcase info` says what can be said of it"
            )
        info = None if self.every else chosen(self.volumes, self.wanted)
        shown = {each.ordinal for each in self.volumes} if info is None else {info.ordinal}
        if self.path and not shown & self.found_in:
            where = "any volume" if info is None else described(info)
            raise UsageError(
                f"No {self.path!r} in {where}", where=name, do="List / to see what is there; names are exact"
            )
        if info is not None and self.wanted is None and len(self.volumes) > 1:
            console.say(f"Listing {described(info)}; --volume takes {listed(self.volumes)}")
        if self.held is not None:
            self.held.seek(0)
            console.out_lines(self.held)
        if self.anomalies:
            many = "1 anomaly" if self.anomalies == 1 else f"{self.anomalies:,} anomalies"
            console.say(f"{many} on this disc: see jewelcase info")

    def close(self) -> None:
        """Forget what is held."""
        if self.held is not None:
            self.held.close()
            self.held = None


def _normal(path: str | None) -> str:
    """`/a/b` for `a/b/`, "" for the root."""
    parts = [part for part in (path or "").split("/") if part not in ("", ".")]
    return "".join(f"/{part}" for part in parts)


def _name(entry: "Entry", name: str) -> list[console.Piece]:
    """A name in its colour; a directory's ends in "/"."""
    style = {"directory": console.BLUE, "symlink": console.CYAN}.get(entry.kind)
    text = f"{name}/" if entry.kind == "directory" else name
    pieces: list[console.Piece] = [text if style is None else console.Styled(text, style)]
    if entry.deleted:
        pieces.append(console.Styled(" [deleted]", console.RED))
    return pieces


def _long(entry: "Entry", name: str) -> list[console.Piece]:
    """Mode, owner, size, first sector, time, name, link target; "-" where it is not recorded."""
    letter = _LETTERS[entry.kind]
    mode = f"{letter}?????????" if entry.mode is None else stat.filemode(entry.mode)
    owner = "-" if entry.uid is None else f"{entry.uid}:{entry.gid}"
    extents = entry.streams[0].extents if entry.streams else ()
    lba = str(extents[0].start_lba) if extents else str((entry.attributes or {}).get("lba", "-"))
    moment = "-" if entry.modified is None else entry.modified.iso()
    head = f"{mode}  {owner:>11}  {entry.size_bytes:>13}  {lba:>8}  {moment:<25}  "
    pieces = [head, *_name(entry, name)]
    if entry.link_target is not None:
        pieces.append(f" -> {entry.link_target}")
    if entry.hidden:
        pieces.append(console.Styled(" [hidden]", console.YELLOW))
    return pieces

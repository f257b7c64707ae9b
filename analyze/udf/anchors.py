"""Where a UDF volume makes itself known: the recognition sequence and the anchors (2/8.3, 3/8.4.2.1).

An anchor stands in at least two of sector 256, the last sector N, and N - 256; in 512 on a write-once disc
that is not closed; at the same distances from the start and the end of each session (UDF 2.2.3, 6.10).
Its tag says in which sector it stands, and so how large sectors are, and from where they are counted.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from acquire.geometry import SECTOR_BYTES
from acquire.image import Image
from analyze.udf.anomalies import ANCHOR, ANCHOR_MISMATCH, RECOGNITION, AnomalyLog
from analyze.udf.blocks import Blocks
from analyze.udf.layout import ANCHOR as ANCHOR_LAYOUT
from analyze.udf.layout import ExtentDescriptor, TagId
from analyze.udf.tag import check_tag

BLOCK_SIZES = (2048, 512, 4096, 1024, 8192, 16384, 32768)
"""Sector sizes, most common first. UDF uses that of the medium; 512 to 4096 are in use."""
_SIZES_IN_USE = BLOCK_SIZES[:4]
SYSTEM_AREA_SECTORS = 16
"""The recognition sequence begins after 32 KiB (2/8.3.1)."""
_RECOGNITION_SECTORS = 64
_STEPS = (1, 2, 4, 8, 16)
"""A descriptor fills a sector of the medium, however large (2/8.3.1)."""
_KNOWN = (b"BEA01", b"BOOT2", b"CD001", b"CDW02", b"NSR02", b"NSR03", b"TEA01")
_FIRST = 256
_FILLED_BLOCKS = 512
_ANCHOR_START = TagId.ANCHOR.to_bytes(2, "little")
_FROM_START = (256, 512)
_FROM_END = (1, 257, 256, 2, 258, 151, 153, 151 + 256, 153 + 256)
"""From the end of a session or image: N, N - 256, and where a pad or the end of a track moves them."""
_CERTAIN = ((2048, (256,), (1, 257)), (512, (256,), (1,)), (4096, (256,), ()))
"""The few places that are looked at where nothing announces UDF."""


class Recognition(NamedTuple):
    """The volume recognition sequence: its identifiers in order, and the sectors they stand in.

    `sector_bytes` is how far apart they are, which is the size of the medium's sectors if that is
    more than 2048 bytes (2/8.3.1); 2048 if it is that or less.
    """

    identifiers: tuple[str, ...]
    lbas: tuple[int, ...]
    sector_bytes: int = SECTOR_BYTES

    @property
    def announced(self) -> str:
        """The descriptor that announces UDF, "NSR02" or "NSR03", or ""."""
        return next((name for name in self.identifiers if name in ("NSR02", "NSR03")), "")


class Anchor(NamedTuple):
    """An anchor volume descriptor pointer: its block, and the two sequences it leads to."""

    block: int
    main: ExtentDescriptor
    reserve: ExtentDescriptor


class Anchors(NamedTuple):
    """The anchors of one volume, best first, and the blocks that their addresses count."""

    blocks: Blocks
    anchors: tuple[Anchor, ...]


def read_recognition(image: Image, start_lba: int) -> Recognition:
    """Read the volume recognition sequence of a session."""
    first = start_lba + SYSTEM_AREA_SECTORS
    data = image.read(first, _RECOGNITION_SECTORS)
    best = Recognition((), ())
    for step in _STEPS:
        names: list[str] = []
        lbas: list[int] = []
        for sector in range(0, len(data) // SECTOR_BYTES, step):
            name = data[sector * SECTOR_BYTES + 1 : sector * SECTOR_BYTES + 6]
            if name not in _KNOWN:
                break
            names.append(name.decode("ascii"))
            lbas.append(first + sector)
        found = Recognition(tuple(names), tuple(lbas), step * SECTOR_BYTES)
        if found.announced:
            return found
        best = best if best.identifiers else found
    return best


def find_anchors(
    image: Image, start_lba: int, ends: Iterable[int], recognition: Recognition, log: AnomalyLog
) -> Anchors | None:
    """The anchors of the volume whose session starts at `start_lba`; None if there is none to be used.

    `ends` are sectors after the last one: of the session, of the image. Where `recognition`
    does not announce UDF, a few places are looked at, and only a sound anchor counts.
    """
    ends = tuple(dict.fromkeys(ends))
    places: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]
    announced = recognition.announced
    if announced:
        sizes = sorted(BLOCK_SIZES, key=lambda size: max(size, SECTOR_BYTES) != recognition.sector_bytes)
        places = tuple((size, _FROM_START, _FROM_END) for size in sizes)
    else:
        # The last anchors of the disc belong to its start, or to a session that announces itself.
        places = tuple((size, near, far if start_lba == 0 else ()) for size, near, far in _CERTAIN)
    doubtful: Anchors | None = None
    for size, from_start, from_end in places:
        sound: dict[int, list[Anchor]] = {}
        views = {start_lba: Blocks(image, size, start_lba), 0: Blocks(image, size)}
        for base, anchor, right in _candidates(views, start_lba, ends, from_start, from_end):
            if right:
                sound.setdefault(base, []).append(anchor)
            elif announced and doubtful is None:
                doubtful = Anchors(views[base], (anchor,))
        for base, anchors in sound.items():
            _compare(views[base], anchors, log)
            _note_other_sizes(image, start_lba, size, log)
            return Anchors(views[base], tuple(anchors))
    if doubtful is not None:
        blocks, (anchor,) = doubtful
        checked = check_tag(blocks.block(anchor.block), 0, (TagId.ANCHOR,), anchor.block)
        if checked is not None:
            log.disagreements(checked.problems, "The only anchor", (blocks, anchor.block, 0))
    return doubtful


def _candidates(
    views: dict[int, Blocks],
    start_lba: int,
    ends: Iterable[int],
    from_start: Iterable[int],
    from_end: Iterable[int],
) -> Iterator[tuple[int, Anchor, bool]]:
    """What may be an anchor at each place: the base of its addresses, itself, and whether it is sound."""
    view = views[start_lba]
    size = view.size
    counts = [max((end - start_lba) * SECTOR_BYTES // size, 0) for end in ends]
    places = [*from_start, *(count - back for count in counts for back in from_end)]
    ahead, whole = divmod(start_lba * SECTOR_BYTES, size)
    for place in dict.fromkeys(places):
        data = view.read_bytes(place * size, 512) if 0 <= place < view.count else b""
        checked = check_tag(data, 0, (TagId.ANCHOR,), None)
        if checked is None or not checked.usable or len(data) < ANCHOR_LAYOUT.size:
            continue
        found = ANCHOR_LAYOUT.read(data)
        main = ExtentDescriptor(found.main_length, found.main_location)
        reserve = ExtentDescriptor(found.reserve_length, found.reserve_location)
        sound = not checked.problems
        if checked.tag.location == place:
            yield start_lba, Anchor(place, main, reserve), sound
        elif checked.tag.location == place + ahead and not whole:
            yield 0, Anchor(place + ahead, main, reserve), sound
        elif sound or place == _FIRST:
            yield start_lba, Anchor(place, main, reserve), False


def _note_other_sizes(image: Image, start_lba: int, size: int, log: AnomalyLog) -> None:
    """Note an anchor in sectors of another size: what is left of a volume that was there before."""
    for other in _SIZES_IN_USE:
        blocks = Blocks(image, other, start_lba)
        checked = check_tag(blocks.block(_FIRST), 0, (TagId.ANCHOR,), _FIRST) if other != size else None
        if checked is not None and not checked.problems:
            log.note(
                ANCHOR_MISMATCH,
                "There is an anchor of another volume, in sectors of another size",
                at=(blocks, _FIRST, 0),
                seen=f"sectors of {other} bytes",
                expected=f"sectors of {size} bytes",
            )


def last_anchors(blocks: Blocks) -> Iterator[int]:
    """Blocks near the end of the image that hold a sound anchor of their own address.

    genisoimage and Nero fill the end of a disc with them.
    """
    first = max(blocks.count - _FILLED_BLOCKS, 0)
    data = blocks.read(first, _FILLED_BLOCKS)
    for at in range(0, len(data), blocks.size):
        if data[at : at + 2] != _ANCHOR_START:
            continue
        block = first + at // blocks.size
        checked = check_tag(data[at : at + blocks.size], 0, (TagId.ANCHOR,), block)
        if checked is not None and not checked.problems:
            yield block


def _compare(blocks: Blocks, anchors: list[Anchor], log: AnomalyLog) -> None:
    """Note anchors that lead elsewhere than the first."""
    for anchor in anchors[1:]:
        if anchor[1:] != anchors[0][1:]:
            log.note(
                ANCHOR_MISMATCH,
                "Two anchors lead to different volume descriptor sequences",
                at=(blocks, anchor.block, 16),
                seen=_leads_to(anchor),
                expected=_leads_to(anchors[0]),
            )


def _leads_to(anchor: Anchor) -> str:
    (main_length, main), (reserve_length, reserve) = anchor.main, anchor.reserve
    return f"main {main} ({main_length} bytes), reserve {reserve} ({reserve_length} bytes)"


def check_recognition(recognition: Recognition, log: AnomalyLog, blocks: Blocks) -> None:
    """Note a recognition sequence that does not announce the volume that is there, or does not end."""
    names = recognition.identifiers
    if not recognition.announced or "TEA01" not in names[names.index(recognition.announced) :]:
        log.note(
            RECOGNITION,
            "The volume recognition sequence is not that of a UDF volume",
            at=(blocks, SYSTEM_AREA_SECTORS * SECTOR_BYTES // blocks.size, 0),
            seen=" ".join(names) or "none",
            expected="BEA01, NSR02 or NSR03, TEA01",
        )


def note_missing(log: AnomalyLog, start_lba: int, announced: str) -> None:
    """Note that a volume is announced, but no anchor of it was found."""
    log.note(
        ANCHOR,
        f"{announced} at sector {start_lba + SYSTEM_AREA_SECTORS} and after, but no anchor that can be used",
        expected=f"sectors {start_lba + 256}, N, N - 256 or {start_lba + 512}",
    )

"""Examine an image: everything that is on it, as a stream of nouns.

How and why in this order: docs/explanation/how-a-disc-is-examined.md.

Content is digested apart from that (`digest_contents`), because whoever keeps the entries knows which
share their content and in which order the disc holds it.
"""

from collections.abc import Iterator

from acquire.geometry import SECTOR_BYTES, SectorRange
from acquire.image import Image
from acquire.toc import Disc, Session, Track, TrackMode
from analyze.anomaly import Anomaly
from analyze.content import ContentDigest, ContentItem, digest_contents
from analyze.coverage import Claims, Coverage
from analyze.detect import open_all
from analyze.entry import Entry, Stream
from analyze.finding import Finding
from analyze.findings import counted, finding, ranges_text
from analyze.ranges import RangeSet
from analyze.sessions import (
    MAX_SETS,
    SYSTEM_AREA_SECTORS,
    DescriptorSet,
    Root,
    UnownedScan,
    expected_starts,
    is_embedded,
    read_set,
)
from analyze.volume import Volume, VolumeInfo

__all__ = ["ContentDigest", "ContentItem", "Examined", "digest_contents", "examine"]

_ENTRY_BYTES = 34
"""The shortest record that makes an entry (ECMA-119 §9.1; a UDF one is longer)."""
_READINGS = 4
"""How often every byte of the image may have been read as a record before no more volumes are walked.

Each session and each view has records of its own, so that real discs stay far below 1.
"""

Examined = Disc | VolumeInfo | Entry | Anomaly | Finding | Coverage


def examine(image: Image) -> Iterator[Examined]:
    """Yield everything on the disc but the digests of content; raises nothing for what it holds.

    In this order: the `Disc` as its image gives it; for each volume its `VolumeInfo`, then its
    entries (after their directory) and anomalies as they are met, then its findings; findings about
    the whole disc; the `Disc` again, which replaces the first (where no table of contents is
    recorded, it now has the sessions that the descriptors tell of, and `VolumeInfo.session` is one of
    their numbers); last the `Coverage`.

    Volumes of a session that a recorded table of contents does not have are of session None.
    """
    return _Examination(image).run()


class _Examination:
    """What is known while one image is examined."""

    def __init__(self, image: Image) -> None:
        self.image = image
        self.disc = image.disc
        self.claims = Claims(image.sector_count)
        self.scan = UnownedScan(image, self.claims.coverage)
        self.ordinal = 0
        self.entries_left = _READINGS * (image.size_bytes // _ENTRY_BYTES + 1)
        self.known: dict[tuple[Root, ...], tuple[int | None, DescriptorSet]] = {}
        self.sessions: list[tuple[int, int]] = []  # number and start of those in which a volume was opened
        self.volumes_end = 0
        self.truncated_at: set[int] = set()  # ends of volumes that were already said to be past the image

    def run(self) -> Iterator[Examined]:
        """The whole examination."""
        yield self.disc
        self._claim_audio()
        for number, start in expected_starts(self.image):
            yield from self._open(start, number)
        for found in self.scan.sets():
            yield from self._further(found)
        yield from self._whole_disc()
        yield self._final_disc()
        yield self.claims.coverage()

    def _claim_audio(self) -> None:
        """An audio track is content of its own: no volume is looked for in it."""
        for session in self.disc.sessions:
            for track in session.tracks:
                if track.mode is TrackMode.AUDIO:
                    self.claims.claim(track.start_lba, track.length_sectors)

    def _open(self, start: int, number: int | None) -> Iterator[Examined]:
        """Open and walk every volume at `start`."""
        before = self.ordinal
        for noun in open_all(self.image, start, number, self.ordinal):
            if isinstance(noun, Anomaly | Finding):
                yield noun
            elif self.entries_left > 0:
                self.ordinal = noun.info.ordinal + 1
                yield from self._walk(noun)
            else:
                yield finding(
                    "volume-limit",
                    f"The volumes so far list the same records again and again; LBA {start} is not walked",
                    lba=start,
                )
                return
        if self.ordinal > before:
            if number is not None:
                self.sessions.append((number, start))
            descriptors = read_set(self.image, start + SYSTEM_AREA_SECTORS)
            if descriptors is not None and descriptors.roots and not is_embedded(self.image, descriptors):
                self.known[descriptors.roots] = (number, descriptors)

    def _walk(self, volume: Volume) -> Iterator[Examined]:
        """One volume: what it is, what it lists, and what that means for the image."""
        info = volume.info
        yield info
        self.claims.coverage()  # so that a second view of the same files finds them in the longest range
        unread = RangeSet(self.image.unread())
        affected = unread or None
        sector_count = self.image.sector_count
        claim = self.claims.claim_extents
        past: list[Entry] = []
        past_count = 0
        for noun in volume.walk():
            if isinstance(noun, Anomaly):
                yield noun if noun.volume is not None else noun._replace(volume=info.ordinal)
                continue
            yield noun
            self.entries_left -= 1
            for stream in noun.streams:
                if not noun.deleted and claim(stream.extents) >= sector_count and self._is_past(stream):
                    past_count += 1
                    past = past or [noun]
                if affected is not None and affected.touches(stream.extents):
                    yield _unread_file(noun, stream, affected)
        structures = RangeSet(volume.structures())
        for first, count in structures.ranges:
            self.claims.claim(first, count)
        yield from self._volume_findings(info, structures)
        if past:
            yield finding(
                "content-past-image",
                f"{counted(past_count, 'stream')} of content beyond the end of the image, at least in part",
                f"The image has {self.image.size_bytes} bytes. The first such entry is the one named here.",
                volume=info.ordinal,
                path=past[0].path,
            )

    def _is_past(self, stream: Stream) -> bool:
        """Whether some of the content lies past the image's last byte."""
        return any(
            start >= 0 and length > 0 and start * SECTOR_BYTES + offset + length > self.image.size_bytes
            for start, length, offset in stream.extents
        )

    def _volume_findings(self, info: VolumeInfo, structures: RangeSet) -> Iterator[Finding]:
        """What the volume's own extent and structures say about the image."""
        sector_count = self.image.sector_count
        if info.length_sectors is not None:
            end = info.start_lba + info.length_sectors
            self.volumes_end = max(self.volumes_end, end)
            if end * SECTOR_BYTES > self.image.size_bytes and end not in self.truncated_at:
                self.truncated_at.add(end)
                missing = end * SECTOR_BYTES - self.image.size_bytes
                yield finding(
                    "image-truncated",
                    f"The image ends {counted(missing, 'byte')} before the volume does",
                    f"The volume states {info.length_sectors} sectors from LBA {info.start_lba};"
                    f" the image has {sector_count} sectors ({self.image.size_bytes} bytes).",
                    lba=sector_count,
                    length_bytes=missing,
                    volume=info.ordinal,
                )
        lost = RangeSet(part for unread in self.image.unread() for part in structures.within(unread)).ranges
        if lost:
            yield finding(
                "unread-affects-structure",
                f"{counted(sum(n for _, n in lost), 'sector')} of the volume's structures not read",
                f"{ranges_text(lost, 'LBA')}. Entries recorded there are missing from this list.",
                lba=lost[0].start_lba,
                length_bytes=sum(n for _, n in lost) * SECTOR_BYTES,
                volume=info.ordinal,
            )

    def _further(self, found: DescriptorSet) -> Iterator[Examined]:
        """A descriptor set in sectors that no volume owns: a copy, an image of its own, or a session."""
        embedded = is_embedded(self.image, found)
        copy_of = None if embedded else self._original(found)
        if copy_of is not None:
            self.claims.claim(found.lba, found.length_sectors)
            yield self._copy(found, *copy_of)
            return
        recorded = self.disc.recorded
        number = None if embedded or recorded else max((n for n, _ in self.sessions), default=0) + 1
        before = self.ordinal
        yield from self._open(found.start_lba, number)
        if self.ordinal == before:
            yield finding(
                "descriptor-stray",
                f"Volume descriptors ({', '.join(found.identifiers)}) at LBA {found.lba} lead to no volume",
                lba=found.lba,
                length_bytes=found.length_sectors * SECTOR_BYTES,
            )
        elif embedded:
            yield finding(
                "embedded-volume",
                f"A disc image of its own stands at LBA {found.start_lba}, in sectors of no volume",
                "Its addresses count from its own start: it is no session of this disc.",
                lba=found.start_lba,
                volume=before,
            )
        elif recorded:
            yield finding(
                "session-not-in-toc",
                f"A volume at LBA {found.start_lba} is in no session of the recorded table of contents",
                lba=found.start_lba,
                volume=before,
            )
        elif number != 1 or found.start_lba > 0:
            yield finding(
                "session-inferred",
                f"Session {number} at LBA {found.start_lba}, told by its volume descriptors alone",
                "The image records no table of contents. Programs that follow none show one session only.",
                lba=found.start_lba,
                volume=before,
            )

    def _original(self, found: DescriptorSet) -> tuple[int | None, DescriptorSet] | None:
        """The examined set that leads to every root directory that `found` leads to, and its session."""
        if not found.roots or any(name != "CD001" for name in found.identifiers):
            return None
        for roots, known in self.known.items():
            if set(found.roots) <= set(roots):
                return known
        return None

    def _copy(self, found: DescriptorSet, number: int | None, original: DescriptorSet) -> Finding:
        """The finding that `found` is a copy, and whether it is an exact one."""
        count = min(found.length_sectors, original.length_sectors)
        here, there = self.image.read(found.lba, count), self.image.read(original.lba, count)
        differing = [at for at, (a, b) in enumerate(zip(here, there, strict=False)) if a != b]
        same = "They are equal byte by byte."
        if differing:
            sector, byte = divmod(differing[0], SECTOR_BYTES)
            amount = counted(len(differing), "byte")
            same = f"They differ in {amount}, first at LBA {found.lba + sector}, byte {byte}."
        owner = "a volume" if number is None else f"session {number}"
        return finding(
            "descriptor-copy",
            f"The descriptors at LBA {found.lba} lead to {owner}, as those at LBA {original.lba} do",
            f"{same} The volume is listed once.",
            lba=found.lba,
            length_bytes=found.length_sectors * SECTOR_BYTES,
        )

    def _whole_disc(self) -> Iterator[Finding]:
        """What can be said once everything is known to belong to somebody or to nobody."""
        if self.ordinal == 0:
            yield self._no_volume()
            return
        if self.scan.sets_found >= MAX_SETS:
            yield finding(
                "volume-limit", f"More than {MAX_SETS} sets of volume descriptors; the rest is not examined"
            )
        data = RangeSet(self.scan.data.ranges)
        starts = {0, *(start for _, start in self.sessions)}
        system = RangeSet(SectorRange(start, SYSTEM_AREA_SECTORS) for start in starts)
        found: dict[str, list[SectorRange]] = {code: [] for code in _DATA_TITLES}
        for gap in self.claims.coverage().unowned():
            for part in data.within(gap):
                found["data-in-system-area"] += system.within(part)
                for rest in system.without(part):
                    inside = max(min(rest.end_lba, self.volumes_end) - rest.start_lba, 0)
                    before, after = rest._replace(length_sectors=inside), rest.length_sectors - inside
                    found["data-unowned"] += [before] if inside else []
                    found["data-after-volume"] += [SectorRange(before.end_lba, after)] if after else []
        for code, parts in found.items():
            if parts:
                yield self._data(code, RangeSet(parts).ranges)

    def _data(self, code: str, ranges: tuple[SectorRange, ...]) -> Finding:
        """The finding for sectors of one kind that hold data and that nobody owns."""
        total = sum(count for _, count in ranges)
        detail = f"{ranges_text(ranges, 'LBA')}."
        if self.scan.data.dropped and code != "data-in-system-area":
            detail += f" {self.scan.data.dropped} more sectors of such data, in many pieces, are not placed."
        return finding(
            code,
            _DATA_TITLES[code].format(count=counted(total, "sector")),
            detail,
            lba=ranges[0].start_lba,
            length_bytes=total * SECTOR_BYTES,
        )

    def _no_volume(self) -> Finding:
        """Nothing was recognised: say what was looked at, and what could not be."""
        unread = RangeSet(self.image.unread())
        places = [start + SYSTEM_AREA_SECTORS for _, start in expected_starts(self.image)]
        lost = [lba for lba in places if unread.within(SectorRange(lba, 1))]
        looked = ranges_text([(lba, 1) for lba in places], "LBA")
        detail = f"Looked for at {looked}, and in every readable sector."
        if lost:
            detail += f" Not read: {ranges_text([(lba, 1) for lba in lost], 'LBA')}."
        return finding("no-volume", "No file system was recognised", detail)

    def _final_disc(self) -> Disc:
        """The disc with the sessions that were inferred, where none are recorded."""
        if self.disc.recorded or self.sessions in ([], [(1, 0)]):
            return self.disc
        mode = next((t.mode for s in self.disc.sessions for t in s.tracks), TrackMode.DATA)
        ends = sorted({max(start, 0) for _, start in self.sessions} | {self.image.sector_count})
        made: list[Session] = []
        for number, start in sorted(dict(self.sessions).items()):
            first = max(start, 0)
            length = next((end for end in ends if end > first), first) - first
            track = Track(number, number, mode, first, length)
            made.append(Session(number, first, length, (track,)))
        return Disc(tuple(made), recorded=False, mcn=self.disc.mcn)


_DATA_TITLES = {
    "data-in-system-area": "Data in {count} of the system area",
    "data-unowned": "Data in {count} that no file and no structure owns",
    "data-after-volume": "Data in {count} after the end of every volume",
}


def _unread_file(entry: Entry, stream: Stream, unread: RangeSet) -> Finding:
    """The finding that bytes of one stream were not read: which, of how many, and the first such sector."""
    parts = unread.bytes_of(stream.extents)
    total = sum(count for _, count in parts)
    name = f"stream {stream.name!r}" if stream.name else "content"
    places = (
        lost.start_lba
        for extent in stream.extents
        if extent.start_lba >= 0
        for lost in unread.within(SectorRange(extent.start_lba, extent.length_sectors))
    )
    return finding(
        "unread-affects-file",
        f"{total} of {counted(stream.size_bytes, 'byte')} of the {name} not read",
        f"{ranges_text(parts, 'Bytes')} of the {name}.",
        lba=next(places, None),
        length_bytes=total,
        volume=entry.volume,
        path=entry.path,
    )

"""Directories (4/8.6): the file identifier descriptors in their content, one after the other.

A directory is read in stretches, so that its size does not matter; an identifier may begin in one and
end in the next. Bytes that are no identifier are skipped to the next one that is, and reported.
"""

import re
import struct
from binascii import crc_hqx
from collections.abc import Generator, Iterator
from typing import NamedTuple

from analyze.udf.allocation import pieces
from analyze.udf.anomalies import IDENTIFIER, OUTSIDE, TAG_CRC, UNREAD
from analyze.udf.file_layout import FILE_IDENTIFIER
from analyze.udf.icb import Icb
from analyze.udf.layout import TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.tag import TAG_BYTES, VERSIONS, check_tag, checksum

HIDDEN, DIRECTORY, DELETED, PARENT, METADATA = 0x01, 0x02, 0x04, 0x08, 0x10
"""4/14.4.3 File Characteristics."""
_FID = TagId.FILE_IDENTIFIER
_FID_START = _FID.to_bytes(2, "little")
_TAG_PATTERN = re.compile(rb"\x01\x01[\x02\x03]\x00.\x00", re.DOTALL)
_IDENTIFIER = struct.Struct("<HHBxxxHHIHBBIIHxxIH")
"""The fields of FILE_IDENTIFIER that the loop over all of them looks at."""
assert _IDENTIFIER.size == FILE_IDENTIFIER.size
_FIXED = FILE_IDENTIFIER.size
new = tuple.__new__
_STRETCH_BYTES = 262144
"""Read at once."""


class Identifier(NamedTuple):
    """What a file identifier says (4/14.4), and its place in bytes of the volume.

    The ICB's address is `icb_partition` and `icb_block`; `unique_id` is 0 before UDF 2.00.
    """

    version: int
    characteristics: int
    icb_length: int
    icb_block: int
    icb_partition: int
    unique_id: int
    name: bytes
    position: int


class _Stretch(NamedTuple):
    """From byte `start` of a buffer on (negative: before it): the volume's bytes from `position` on.

    `logical` and `skip` are the logical block, and the byte in it, where they begin.
    """

    start: int
    position: int
    logical: int
    skip: int


class _Gap(NamedTuple):
    """Bytes that are no identifier: where they begin in the volume, how many."""

    position: int
    length: int


class DirectoryReader:
    """The identifiers of one directory, in the order of recording, deleted ones and the parent too."""

    def __init__(self, volume: LogicalVolume, icb: Icb, path: str | None) -> None:
        """Read the directory of `icb`; `path` is for anomalies."""
        self.volume = volume
        self.icb = icb
        self.path = path
        self._partition = icb.partition
        self._stretches: list[_Stretch] = []
        self._left = b""
        self._gap: _Gap | None = None

    def identifiers(self) -> Iterator[Identifier]:
        """Yield each identifier; what is wrong with them goes to the volume's log."""
        blocks = self.volume.blocks
        for piece in pieces(self.volume, self.icb, self.path):
            if piece.block is None:
                yield from self._finish()
                self.volume.log.note(
                    IDENTIFIER,
                    "A part of the directory is not recorded",
                    seen=f"{piece.length_bytes} bytes",
                    path=self.path,
                )
                continue
            for start in range(0, piece.length_bytes, _STRETCH_BYTES):
                length = min(_STRETCH_BYTES, piece.length_bytes - start)
                if not self.volume.spend_bytes(length):
                    return
                position = piece.block * blocks.size + piece.offset_bytes + start
                data = blocks.read_bytes(position, length)
                if piece.block != self.icb.block:
                    self.volume.own(position // blocks.size, -(-length // blocks.size))
                skipped = piece.offset_bytes + start
                logical = piece.address.block + skipped // blocks.size
                stretch = _Stretch(len(self._left), position, logical, skipped % blocks.size)
                self._partition = piece.address.partition
                self._stretches.append(stretch)
                buffer, parsed = yield from self._parse(
                    self._left + data if self._left else data, final=False
                )
                self._keep(buffer, parsed)
                if len(data) < length:
                    self._note_missing(position + len(data), length - len(data))
                    return
        yield from self._finish()

    def _finish(self) -> Iterator[Identifier]:
        """Yield what the last bytes hold, with nothing to follow them."""
        yield from self._parse(self._left, final=True)
        self._close_gap()
        self._left = b""
        self._stretches = []

    def _keep(self, buffer: bytes, parsed: int) -> None:
        """Carry the bytes from `parsed` on to the next stretch."""
        self._left = buffer[parsed:]
        moved = [stretch._replace(start=stretch.start - parsed) for stretch in self._stretches]
        while len(moved) > 1 and moved[1].start <= 0:
            del moved[0]
        self._stretches = moved if self._left else []

    def _parse(self, buffer: bytes, *, final: bool) -> Generator[Identifier, None, tuple[bytes, int]]:
        """Yield the identifiers in `buffer`; returns the buffer in use at the end and how much is done."""
        unpack, size = _IDENTIFIER.unpack_from, self.volume.blocks.size
        at = 0
        swapped_at = -1
        length = len(buffer)
        limit = place = logical = ahead = -1  # the bearings hold up to `limit`
        while at + _FIXED <= length:
            if at >= limit:
                limit, place, logical, ahead = self._bearings(at, length)
            location = logical + (ahead + at) // size
            (
                identifier, tag_version, tag_sum, tag_crc, covered, tag_location,
                version, characteristics, name_length, icb_length, icb_block, icb_partition, unique_id, used,
            ) = unpack(buffer, at)  # fmt: skip
            name_at = at + _FIXED + used
            name_end = name_at + name_length
            following = at + ((name_end - at + 3) & ~3)
            covered += at + TAG_BYTES
            if (
                identifier == _FID
                and following <= length
                and covered <= following
                and tag_location == location
                and (sum(buffer[at : at + TAG_BYTES]) - tag_sum) & 0xFF == tag_sum
                and crc_hqx(buffer[at + TAG_BYTES : covered], 0) == tag_crc
                and tag_version in VERSIONS
            ):
                if self._gap is not None:
                    self._close_gap()
                fields = (
                    version, characteristics, icb_length, icb_block, icb_partition, unique_id,
                    buffer[name_at:name_end], place + at,
                )  # fmt: skip
                yield new(Identifier, fields)
                at = following
                continue
            if following > length and not final and _is_tag(buffer, at):
                break  # it goes on in what is read next
            if swapped_at != at and (swapped := self._second_copy(buffer, at, location)) is not None:
                buffer, swapped_at, limit = swapped, at, -1
                continue
            damaged = self._damaged(buffer, at, location, place + at)
            if damaged is not None:
                self._close_gap()
                yield damaged[0]
                at = damaged[1]
                continue
            found = _next_tag(buffer, at + 4, final=final)
            self._widen_gap(place + at, found - at)
            at = found
        if final and at < len(buffer):
            self._widen_gap(self._bearings(at, length)[1] + at, length - at)
            at = length
        return buffer, at

    def _bearings(self, at: int, length: int) -> tuple[int, int, int, int]:
        """Where byte `at` of a buffer of `length` bytes is.

        Returns the byte of the buffer up to which this holds; what makes bytes of the volume of bytes
        of the buffer, by addition; a logical block, and what leads from there to the byte, by addition.
        """
        index = len(self._stretches) - 1
        while index and self._stretches[index].start > at:
            index -= 1
        start, position, logical, skip = self._stretches[index]
        following = self._stretches[index + 1].start if index + 1 < len(self._stretches) else length
        return following, position - start, logical, skip - start

    def _second_copy(self, buffer: bytes, at: int, location: int) -> bytes | None:
        """The buffer with blocks from their second place, if that makes the identifier at `at` sound."""
        size = self.volume.blocks.size
        if self._partition >= len(self.volume.partitions):
            return None
        partition = self.volume.partitions[self._partition]
        _limit, _place, logical, ahead = self._bearings(at, len(buffer))
        first = at - (ahead + at) % size
        logical += (ahead + at) // size
        for numbers in ((0,), (1,), (0, 1)):
            changed, taken = buffer, []
            for number in numbers:
                start = first + number * size
                now = (self._bearings(max(start, 0), len(buffer))[1] + start) // size
                usual, other = partition.at(logical + number), partition.other(logical + number)
                target = other if now == usual else usual
                if target is None or other is None or start >= len(buffer):
                    break
                data = self.volume.blocks.block(target)[max(-start, 0) : len(buffer) - start]
                changed = changed[: max(start, 0)] + data + changed[max(start, 0) + len(data) :]
                taken.append((start, target, logical + number))
            if (
                len(taken) == len(numbers)
                and len(changed) == len(buffer)
                and _is_sound(changed, at, location)
            ):
                for start, target, block in taken:
                    self._splice(start, target, block, len(buffer))
                return changed
        return None

    def _splice(self, start: int, target: int, logical: int, length: int) -> None:
        """Note that a block of the buffer, from byte `start` on, is now that at absolute block `target`."""
        size = self.volume.blocks.size
        begin, end = max(start, 0), start + size
        position = target * size
        spliced: list[_Stretch] = []
        for number, stretch in enumerate(self._stretches):
            limit = self._stretches[number + 1].start if number + 1 < len(self._stretches) else length
            if limit <= begin or stretch.start >= end:
                spliced.append(stretch)
                continue
            if stretch.start < begin:
                spliced.append(stretch)
            if not spliced or spliced[-1].start < begin:
                spliced.append(_Stretch(begin, position + begin - start, logical, begin - start))
            if limit > end:
                rest = stretch.position + end - stretch.start
                spliced.append(_Stretch(end, rest, logical + 1, 0))
        self._stretches = spliced
        self.volume.own(target)
        self.volume.note_mirror(target, "A block of a directory", self.path)

    def _damaged(self, buffer: bytes, at: int, location: int, position: int) -> tuple[Identifier, int] | None:
        """An identifier that can be used though its tag disagrees, and where the next one is."""
        checked = check_tag(buffer, at, (_FID,), location)
        if checked is None or not checked.usable:
            return None
        fixed = FILE_IDENTIFIER.read(buffer, at)
        name_at = at + _FIXED + fixed.implementation_use_length
        name_end = name_at + fixed.identifier_length
        by_fields = at + ((name_end - at + 3) & ~3)
        by_crc = at + ((TAG_BYTES + fixed.tag_crc_length + 3) & ~3)
        crc_wrong = any(problem.code == TAG_CRC for problem in checked.problems)
        ends = [end for end in (by_fields, by_crc) if at + _FIXED <= end <= len(buffer)]
        if crc_wrong:
            # One of the lengths may be what is wrong: the right one leads to an identifier or the end.
            ends = [end for end in ends if end == len(buffer) or _is_tag(buffer, end)] or sorted(ends)
        if not ends:
            return None
        if ends[0] != by_fields:
            name_at = min(name_at, ends[0])
            name_end = ends[0]
        blocks = self.volume.blocks
        block, offset = divmod(position, blocks.size)
        self.volume.note_problems(block, offset, checked, "A file identifier", self.path)
        identifier = Identifier(
            fixed.version,
            fixed.characteristics,
            fixed.icb_length,
            fixed.icb_block,
            fixed.icb_partition,
            fixed.icb_unique_id,
            buffer[name_at:name_end],
            position,
        )
        return identifier, ends[0]

    def _widen_gap(self, position: int, length: int) -> None:
        gap = self._gap
        self._gap = _Gap(position, length) if gap is None else gap._replace(length=gap.length + length)

    def _close_gap(self) -> None:
        """Note the bytes that were no identifier, if there were any since the last call."""
        if self._gap is None:
            return
        (position, length), self._gap = self._gap, None
        blocks = self.volume.blocks
        block, offset = divmod(position, blocks.size)
        unread = blocks.unread(block, -(-(offset + length) // blocks.size))
        self.volume.log.note(
            UNREAD if unread else IDENTIFIER,
            "A part of the directory was not read" if unread else "A part of the directory is no identifier",
            at=(blocks, block, offset),
            seen=f"{length} bytes",
            path=self.path,
        )

    def _note_missing(self, position: int, length: int) -> None:
        blocks = self.volume.blocks
        self.volume.log.note(
            OUTSIDE,
            "The directory goes on past the end of the image",
            at=(blocks, *divmod(position, blocks.size)),
            seen=f"{length} bytes or more are missing",
            path=self.path,
        )


def begins_with_parent(volume: LogicalVolume, icb: Icb) -> Identifier | None:
    """The parent identifier with which the content of an entry begins, if it is a directory's; else None.

    Nothing is noted: what is asked about may be no directory.
    """
    mark = volume.log.mark()
    first = next(DirectoryReader(volume, icb, None).identifiers(), None)
    volume.log.rewind(mark)
    return first if first is not None and first.characteristics & PARENT else None


def _is_tag(buffer: bytes, at: int) -> bool:
    """Whether a tag of a file identifier with a right checksum stands at `at`."""
    tag = buffer[at : at + TAG_BYTES]
    return len(tag) == TAG_BYTES and tag[:2] == _FID_START and checksum(tag) == tag[4]


def _is_sound(buffer: bytes, at: int, location: int) -> bool:
    """Whether everything about the identifier at `at` is as it should be."""
    checked = check_tag(buffer, at, (_FID,), location)
    if checked is None or checked.problems or at + _FIXED > len(buffer):
        return False
    fixed = FILE_IDENTIFIER.read(buffer, at)
    end = at + ((_FIXED + fixed.implementation_use_length + fixed.identifier_length + 3) & ~3)
    return at + TAG_BYTES + fixed.tag_crc_length <= end <= len(buffer)


def _next_tag(buffer: bytes, at: int, *, final: bool) -> int:
    """The next place, by fours from `at`, of a file identifier's tag; else where the search ends.

    Unless `final`, so much is left that a tag which is not whole yet will be found later.
    """
    for match in _TAG_PATTERN.finditer(buffer, at):
        found = match.start()
        if (found - at) % 4 == 0 and _is_tag(buffer, found):
            return found
    return len(buffer) if final else max(at, at + (len(buffer) - TAG_BYTES - at) // 4 * 4)

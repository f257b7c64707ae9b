"""Ordinary entries, read in one go: what nearly all entries of nearly all discs are.

A sound file entry without extended attributes or streams, in one extent or embedded, with a name of
8-bit characters. Whatever is not so is left to `EntryMaker.full`, which gives the same for these, only
slower. It is here that the time of a walk is spent: every name that is not local costs.
"""

import struct
from binascii import crc_hqx

from acquire.geometry import SECTOR_BYTES, Extent
from analyze.entry import Entry, EntryKind, Stream
from analyze.udf.allocation import EMBEDDED, LONG, SHORT
from analyze.udf.cs0 import EIGHT
from analyze.udf.directory import DIRECTORY, HIDDEN, Identifier
from analyze.udf.entries import EntryMaker, posix_mode
from analyze.udf.file_layout import EXTENDED_FILE_ENTRY, FILE_ENTRY
from analyze.udf.icb import LENGTH_MASK
from analyze.udf.layout import FileType, TagId
from analyze.udf.logical import LogicalVolume
from analyze.udf.partitions import PhysicalPartition
from analyze.udf.streams import MOST_SIZE_BYTES
from analyze.udf.tag import VERSIONS
from analyze.udf.tally import Tally
from analyze.udf.timestamps import INVALID, NOT_RECORDED

# The fields of FILE_ENTRY and EXTENDED_FILE_ENTRY that an entry is made of, in their order.
_ENTRY = struct.Struct("<HHBxxxHHI 4xH4xxB6xH IIIH6xQ8x 12s12s12s 4x16s32x QII".replace(" ", ""))
_EXTENDED = struct.Struct("<HHBxxxHHI 4xH4xxB6xH IIIH6xQ16x 12s12s12s12s 8x32s32x QII".replace(" ", ""))
assert _ENTRY.size == FILE_ENTRY.size
assert _EXTENDED.size == EXTENDED_FILE_ENTRY.size
_FE_LOW, _FE, _EFE = TagId.FILE_ENTRY & 0xFF, TagId.FILE_ENTRY, TagId.EXTENDED_FILE_ENTRY
_NO_ICB, _NO_ICBS = bytes(16), bytes(32)
_SHORT_AD, _LONG_AD = struct.Struct("<II"), struct.Struct("<IIH6x")
_NOBODY = 0xFFFFFFFF
_STRATEGY = 4
_TYPE_FILE, _TYPE_DIRECTORY = FileType.FILE, FileType.DIRECTORY
_FORMS = (SHORT, LONG, EMBEDDED)
_FILE, _FOLDER = EntryKind.FILE, EntryKind.DIRECTORY
_new = tuple.__new__
"""What a NamedTuple is made with in the end; its own constructor takes twice as long."""
_ORDER = (
    "volume ordinal parent path name kind size_bytes streams deleted modified created accessed changed "
    "recorded backup expires effective mode uid gid links inode device link_target hidden flags identifier "
    "name_raw record_lba record_offset attributes"
)
assert Entry._fields == tuple(_ORDER.split()), "fields of Entry are made by position below"


class OrdinaryEntries:
    """Reads ordinary entries of one volume; numbers them as its `EntryMaker` does."""

    def __init__(self, volume: LogicalVolume, maker: EntryMaker, tally: Tally) -> None:
        """Read entries of `volume`, as it is now, and count them; others are made by `maker`."""
        self.volume = volume
        self.maker = maker
        self.tally = tally
        self._claim_start, self._claim_end = tally.claims.starts.append, tally.claims.ends.append
        self._partitions = volume.partitions
        self._start_byte = volume.blocks.start_byte
        self._known = volume.times.known
        self._modes: dict[tuple[int, int, int], int] = {}

    def read(  # noqa: C901, PLR0912, PLR0915  one decision after the other, all of them in the time of a walk
        self, found: Identifier, parent: int | None, parent_path: str
    ) -> Entry | None:
        """The entry of a live identifier; None if it is not ordinary, or not sound, in any way."""
        version, characteristics, icb_length, logical, reference, _unique_id, name, position = found
        partitions = self._partitions
        if version != 1 or not icb_length & LENGTH_MASK or reference >= len(partitions):
            return None
        if len(name) < 2 or name[0] != EIGHT or b"/" in name or b"\0" in name:
            return None
        partition = partitions[reference]
        if logical >= partition.length:
            return None
        if partition.__class__ is PhysicalPartition:
            block: int | None = partition.start + logical
        else:
            block = partition.at(logical)
        if block is None:
            return None
        blocks = self.volume.blocks
        size = blocks.size
        if blocks.first <= block < blocks.end:
            data, start = blocks.buffer, (block - blocks.first) * size
        else:
            data, start = blocks.locate(block)
        if len(data) < start + size:
            return None
        if data[start] == _FE_LOW:
            (
                identifier, tag_version, tag_sum, tag_crc, covered, location, strategy, file_type, flags,
                uid, gid, permissions, links, length, accessed, modified, changed,
                outside, unique_id, attributes_length, room,
            ) = _ENTRY.unpack_from(data, start)  # fmt: skip
            fixed = 176
            created = NOT_RECORDED
            known = identifier == _FE and outside == _NO_ICB
        else:
            (
                identifier, tag_version, tag_sum, tag_crc, covered, location, strategy, file_type, flags,
                uid, gid, permissions, links, length, accessed, modified, created, changed,
                outside, unique_id, attributes_length, room,
            ) = _EXTENDED.unpack_from(data, start)  # fmt: skip
            fixed = 216
            known = identifier == _EFE and outside == _NO_ICBS
        covered += 16
        extents: tuple[Extent, ...] = ()
        where = 0
        if (
            not known
            or attributes_length
            or strategy != _STRATEGY
            or location != logical
            or length > MOST_SIZE_BYTES
            or covered > size
            or fixed + room > size
            or (sum(data[start : start + 16]) - tag_sum) & 0xFF != tag_sum
            or crc_hqx(data[start + 16 : start + covered], 0) != tag_crc
            or tag_version not in VERSIONS
        ):
            return None
        if file_type == _TYPE_FILE:
            if characteristics & DIRECTORY:
                return None
            kind, form = _FILE, flags & 7
            if length:
                if form == EMBEDDED and length <= room:
                    where = block * size + fixed
                else:
                    if form == LONG and room == _LONG_AD.size:
                        word, first, reference = _LONG_AD.unpack_from(data, start + fixed)
                    elif form == SHORT and room == _SHORT_AD.size:
                        word, first = _SHORT_AD.unpack_from(data, start + fixed)
                    else:
                        return None
                    below = partitions[reference] if reference < len(partitions) else None
                    if below.__class__ is not PhysicalPartition or not length <= word <= LENGTH_MASK:
                        return None
                    if first + (length + size - 1) // size > below.length:
                        return None
                    where = (below.start + first) * size
                where += self._start_byte
                extents = (_new(Extent, (where // SECTOR_BYTES, length, where % SECTOR_BYTES)),)
            elif form not in _FORMS:
                return None
            streams: tuple[Stream, ...] = (_new(Stream, ("", length, extents)),)
        elif file_type == _TYPE_DIRECTORY and characteristics & DIRECTORY:
            kind, streams = _FOLDER, ()
        else:
            return None
        times = self._known
        try:
            stamps = times[modified], times[created], times[accessed], times[changed]
        except KeyError:
            times_read = self.volume.times.read
            stamps = times_read(modified), times_read(created), times_read(accessed), times_read(changed)
            if INVALID in stamps:
                return None
        try:
            mode = self._modes[file_type, permissions, flags]
        except KeyError:
            mode = self._modes[file_type, permissions, flags] = posix_mode(file_type, permissions, flags)
        text = name[1:].decode("latin-1")
        self.volume.own(block)
        tally = self.tally
        if kind is _FOLDER:
            tally.directories += 1
        else:
            tally.files += 1
            if extents:
                self._claim_start(where)
                self._claim_end(where + length)
        if block in tally.blocks:
            tally.repeated += 1
        else:
            tally.blocks.add(block)
        maker = self.maker
        ordinal = maker.made
        maker.made = ordinal + 1
        position += self._start_byte
        fields = (
            maker.ordinal, ordinal, parent, f"{parent_path}/{text}", text, kind, length, streams,
            False, *stamps, None, None, None, None, mode,
            None if uid == _NOBODY else uid, None if gid == _NOBODY else gid, links, block, None, None,
            characteristics & HIDDEN != 0, characteristics | flags << 8, None, None,
            position // SECTOR_BYTES, position % SECTOR_BYTES, {"unique_id": unique_id},
        )  # fmt: skip
        return _new(Entry, fields)

"""The short way: ordinary directory records straight to entries.

Ordinary is a record of one section in 2048-byte blocks, its copies equal, its name plain text, with
nothing of Rock Ridge but NM, PX, TF and RR. Nearly all are; they cost 3 µs each here and many times
that in record.py. Whatever is not ordinary in any way is left to record.py, which reads it in full.
A test holds that both ways give the same entries.
"""

from codecs import utf_16_be_decode
from collections.abc import Callable
from struct import Struct
from typing import Any

from acquire.geometry import SECTOR_BYTES, Extent
from analyze.entry import Entry, EntryKind, Stream
from analyze.iso9660.dates import record_time, volume_time
from analyze.iso9660.layout import DIRECTORY, HIDDEN
from analyze.iso9660.record import MINIMUM_BYTES, View
from analyze.iso9660.rockridge import LONG_FORM, TIMES
from analyze.iso9660.susp import HEADER_BYTES, XA_BYTES
from analyze.timestamp import Timestamp

MAXIMUM_CACHED = 16_384
"""Decoded times and attributes kept by their bytes; they repeat in nearly every record."""

_FIELDS = (
    "volume ordinal parent path name kind size_bytes streams deleted modified created accessed changed"
    " recorded backup expires effective mode uid gid links inode device link_target hidden flags identifier"
    " name_raw record_lba record_offset attributes"
)
assert Entry._fields == tuple(_FIELDS.split()), "entries are built by position here"
assert Extent._fields == ("start_lba", "length_bytes", "offset_bytes")
assert Stream._fields == ("name", "size_bytes", "extents")

# 9.1.2 to 9.1.10 with the least significant byte first, and the other copies of extent and data length.
# File unit size and gap size are one number here, and so are the two copies of the sequence number.
_LITTLE = Struct("<BI4xI4x7sBHIB").unpack_from
_BIG = Struct(">I4xI").unpack_from
_FIRST_VOLUME = int.from_bytes(b"\1\0\0\1", "little")
_PX_LITTLE = Struct("<I4xI4xI4xI4xI4x").unpack  # RRIP 4.1.1
_PX_BIG = Struct(">4xI4xI4xI4xI4xI").unpack
_ROOM = SECTOR_BYTES - 1
_PLAIN_FLAGS = HIDDEN | DIRECTORY
_NO_RECORD = b"\0" * 256  # longer than any system use area (9.1.1)
_SELF_NAMES = frozenset((".", "..", ""))
_EMPTY = (Stream("", 0, ()),)

_Times = tuple[Timestamp | None, ...]
_About = tuple[Any, ...]
_NO_TIMES: _Times = (None,) * len(TIMES)
_NOTHING: _About = (None,) * (5 + len(TIMES))


class ShortWay:
    """Reads ordinary records of one view; times and attributes are decoded once and kept by their bytes."""

    def __init__(self, view: View) -> None:
        """Of the records of `view`; `possible` is False where none of them is ordinary."""
        self._view = view
        skip = view.susp.skip_bytes if view.susp else 0
        self.possible = (
            view.blocks.block_bytes == SECTOR_BYTES and view.naming != "enhanced" and skip < XA_BYTES
        )
        self._times: dict[bytes, Timestamp] = {}
        self._kept: dict[bytes, dict[bytes, _About]] = {}
        self._whole: dict[bytes, _About] = {}
        self._count = 0

    def run(  # noqa: C901, PLR0912, PLR0915, PLR0917  the hot loop: in one piece, because each call costs
        self,
        data: bytes,
        at: int,
        lba: int,
        parent: tuple[str, int | None, int],
        names: dict[str, int],
        found: Callable[[Entry, int], None],
        out: Callable[[Entry], None],
    ) -> tuple[int, int]:
        """Read records from `data[at]` on, up to the first that is not ordinary.

        `lba` is that of `data`, whole sectors; `parent` is the path, its ordinal and the next ordinal;
        `names` are those of the directory so far. Entries go to `out`, and directories to `found` too
        (with the place of their record). Returns where it stopped, and the next ordinal.
        """
        view = self._view
        joliet, rock_ridge = view.naming == "joliet", view.susp is not None
        skip = view.susp.skip_bytes if view.susp else 0
        base, limit, volume = view.blocks.base_lba, view.blocks.image_bytes, view.volume
        times, kept, whole = self._times, self._kept, self._whole
        little, big, utf_16, new = _LITTLE, _BIG, utf_16_be_decode, tuple.__new__
        first_volume = _FIRST_VOLUME
        file_kind, directory_kind = EntryKind.FILE, EntryKind.DIRECTORY
        prefix, parent_ordinal, ordinal = parent[0] + "/", parent[1], parent[2]
        stop, before, ahead, behind = len(data), _NO_RECORD, 0, whole
        while at < stop:
            length = data[at]
            end = at + length
            if length < MINIMUM_BYTES or end > stop:
                break
            xattr, extent, size, date, flags, interleave, sequence, id_length = little(data, at + 1)
            use = at + 33 + id_length
            if xattr or interleave or sequence != first_volume or flags & ~_PLAIN_FLAGS or use > end:
                break
            start_lba = base + extent
            if end > (at | _ROOM) + 1 or start_lba * SECTOR_BYTES + size > limit:
                break
            if big(data, at + 6) != (extent, size):
                break
            raw = data[at + 33 : use]
            use += 1 - (id_length & 1) + skip
            try:
                if joliet:
                    if id_length & 1:
                        break
                    identifier = name = utf_16(raw, "strict", True)[0]
                else:
                    identifier = name = raw.decode("ascii")
                    if id_length < 2 and name < " ":  # empty, or a directory itself, or its parent
                        break
            except UnicodeDecodeError:
                break
            recorded = times.get(date)
            if recorded is None:
                recorded, problem = record_time(date)
                if problem:
                    break
                if recorded is not None:
                    _room(times)[date] = recorded
            is_directory = flags & DIRECTORY
            about, alternate = _NOTHING, b""
            if rock_ridge:
                # Neighbours differ in little but their names: what stands around NM is understood once.
                if data.startswith(before, use):
                    start = use + ahead
                else:
                    start = data.find(b"NM", use, end)
                    before = data[use : start + 2] if start >= 0 else b"NM"
                    ahead = len(before) - 2
                    behind = kept.setdefault(before, {})
                if start < 0 or start + 5 > end:
                    key = data[use:end]
                    known = whole.get(key) or self._understand(whole, b"", key)
                else:
                    after = start + data[start + 2]
                    if not start + 5 <= after <= end or data[start + 4]:
                        break
                    key, alternate = data[after:end], data[start + 5 : after]
                    known = behind.get(key) or self._understand(behind, before[:-2], key)
                if known is None:
                    break
                about = known
                mode = about[0]
                if mode is not None and mode >> 12 != (4 if is_directory else 8):
                    break
            elif end - use >= XA_BYTES:
                break  # room for CD-ROM XA or Apple's extension
            if alternate:
                try:
                    name = alternate.decode()
                except UnicodeDecodeError:
                    break
            elif not is_directory:
                if name[-2:] == ";1" and len(name) > 2:
                    name = name[:-2]
                if not joliet and name[-1:] == "." and len(name) > 1:
                    name = name[:-1]
            if "/" in name or "\0" in name or name in _SELF_NAMES:
                break
            if names.setdefault(name, ordinal) != ordinal:
                break  # the name was there already
            if is_directory:
                kind: EntryKind = directory_kind
                streams: Any = ()
                attributes: dict[str, Any] | None = {"lba": start_lba}
            else:
                kind = file_kind
                streams = (new(Stream, ("", size, (new(Extent, (start_lba, size, 0)),))),) if size else _EMPTY
                attributes = None
            mode, uid, gid, links, inode, created, modified, accessed, changed, backup, expires, effective = (
                about
            )
            entry = new(
                Entry,
                (
                    volume, ordinal, parent_ordinal, prefix + name, name, kind, size, streams, False,
                    modified or recorded, created, accessed, changed, recorded, backup, expires, effective,
                    mode, uid, gid, links, inode, None, None, flags & 1 == HIDDEN, flags, identifier,
                    None, lba + at // SECTOR_BYTES, at & _ROOM, attributes,
                ),
            )  # fmt: skip
            out(entry)
            ordinal += 1
            if is_directory:
                found(entry, at)
            at = end
        return at, ordinal

    def _understand(self, keep: dict[bytes, _About], before: bytes, behind: bytes) -> _About | None:
        """What the entries around NM say, in the order of `run`, and keep it; None if it is not ordinary.

        NM must stand between entries: not ordinary is also what only looks like it.
        """
        area = before + behind
        boundaries = [0]
        mode = links = uid = gid = inode = None
        times: _Times | None = None
        at = 0
        while at + HEADER_BYTES <= len(area):
            end = at + area[at + 2]
            signature = area[at : at + 2]
            if not at + HEADER_BYTES < end <= len(area):
                return None
            if signature == b"PX":
                numbers = area[at + HEADER_BYTES : end].ljust(40, b"\0")
                if end - at not in (36, 44) or _PX_LITTLE(numbers) != _PX_BIG(numbers):
                    return None
                mode, links, uid, gid, serial = _PX_LITTLE(numbers)
                inode = serial if end - at == 44 else None
            elif signature == b"TF" and times is None:
                times = self._time_stamps(area[at + HEADER_BYTES : end])
                if times is None:
                    return None
            elif signature != b"RR":
                return None
            at = end
            boundaries.append(at)
        created, modified, accessed, changed, *others = times or _NO_TIMES
        about = (mode, uid, gid, links, inode, created, modified, accessed, changed, *others)
        if len(before) not in boundaries:
            return None
        if inode is None:  # else no other record is like this one
            self._keep(keep, behind, about)
        return about

    def _keep(self, keep: dict[bytes, _About], key: bytes, about: _About) -> None:
        """Remember what entries say; all is forgotten when it is too much."""
        if self._count >= MAXIMUM_CACHED:
            self._kept.clear()
            self._whole.clear()
            keep.clear()
            self._count = 0
        keep[key] = about
        self._count += 1

    def _time_stamps(self, data: bytes) -> _Times | None:
        """RRIP 4.1.6, the data of a TF entry in the order of `TIMES`; None if anything is wrong with it."""
        flags = data[0]
        width, decode = (17, volume_time) if flags & LONG_FORM else (7, record_time)
        found: list[Timestamp | None] = []
        at = 1
        for bit in range(len(TIMES)):
            if not flags & 1 << bit:
                found.append(None)
                continue
            raw = data[at : at + width]
            time = self._times.get(raw)
            if time is None:
                time, problem = decode(raw) if len(raw) == width else (None, "cut")
                if problem:
                    return None
                if time is not None:
                    _room(self._times)[raw] = time
            at += width
            found.append(time)
        return tuple(found)


def _room(cache: dict[bytes, Any]) -> dict[bytes, Any]:
    """The cache, emptied if it is full."""
    if len(cache) >= MAXIMUM_CACHED:
        cache.clear()
    return cache

"""Rock Ridge (RRIP 1.12, and 1.09/1.10 where they differ), and other extensions that share its place.

One function for each entry, in one table. What cannot be understood is said in `notes`, and reading
goes on with the next entry.
"""

from collections.abc import Callable
from typing import Any

from acquire.layout import Layout
from analyze.anomaly import Anomaly
from analyze.iso9660 import anomalies as kind
from analyze.iso9660.dates import record_time, volume_time
from analyze.iso9660.layout import (
    EXTENDED_ARCHITECTURE,
    NUMBER,
    NUMBER_PAIR,
    POSIX_ATTRIBUTES,
    ZISOFS,
)
from analyze.iso9660.names import text_of
from analyze.iso9660.susp import SystemUse
from analyze.timestamp import Timestamp

# RRIP 4.1.6: the order of TF's flag bits and of its time stamps.
TIMES = ("created", "modified", "accessed", "changed", "backup", "expires", "effective")
LONG_FORM = 0x80
# RRIP 4.1.3.1 component flags, 4.1.4 NM flags.
_CONTINUE = 0x01
_CURRENT = 0x02
_PARENT = 0x04
_ROOT = 0x08
MAXIMUM_NAME_BYTES = 4096
"""More bytes of one name or link target than this are not kept (POSIX PATH_MAX)."""
MAXIMUM_ATTRIBUTES_BYTES = 65_536
"""More bytes of one object's extended attributes than this are not kept."""


class RockRidge:
    """What the system use entries of one record say; None where they say nothing."""

    def __init__(self) -> None:
        """Nothing is said yet."""
        self.name: bytes | None = None
        self.mode: int | None = None
        self.links: int | None = None
        self.uid: int | None = None
        self.gid: int | None = None
        self.inode: int | None = None
        self.device: str | None = None
        self.link_target: str | None = None
        self.child: int | None = None
        self.parent: int | None = None
        self.relocated = False
        self.times: dict[str, Timestamp] = {}
        self.extensions: list[str] = []
        self.attributes: dict[str, Any] = {}
        self.link: _Link | None = None
        self.aaip = bytearray()


class _Link:
    """A symbolic link's components so far (RRIP 4.1.3.1); ROOT is an empty one."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.joined = False
        self.size = 0

    def target(self) -> str:
        """The path: components joined by "/"."""
        if self.parts == [b""]:
            return "/"
        return "/".join(text_of(part).replace("/", "\\x2f").replace("\0", "\\x00") for part in self.parts)


def interpret(entries: list[SystemUse], notes: list[Anomaly]) -> RockRidge:
    """Understand the entries of one record."""
    found = RockRidge()
    for entry in entries:
        reader = _READERS.get(entry.signature)
        if reader is not None:
            reader(entry, found, notes)
        else:
            others = found.attributes.setdefault("system_use", [])
            signature = text_of(entry.signature)
            if signature not in others:
                others.append(signature)
    if found.link is not None:
        found.link_target = found.link.target()
    if found.aaip:
        found.attributes["aaip"] = _aaip(bytes(found.aaip))
    return found


def _wrong(entry: SystemUse, what: str, notes: list[Anomaly], *, seen: object, expected: object) -> None:
    notes.append(
        kind.ROCK_RIDGE.at(
            f"{text_of(entry.signature)}: {what}",
            lba=entry.lba,
            offset=entry.offset,
            seen=seen,
            expected=expected,
        )
    )


def _fits(entry: SystemUse, size: int, notes: list[Anomaly]) -> bool:
    if len(entry.data) >= size:
        return True
    _wrong(entry, "the entry is too short", notes, seen=len(entry.data) + 4, expected=size + 4)
    return False


def _compare(entry: SystemUse, layout: Layout[Any], notes: list[Anomaly], start: int = 0) -> None:
    notes.extend(
        kind.BOTH_ENDIAN.at(
            f"{text_of(entry.signature)} {differing.field}: the two copies differ; the first is used",
            lba=entry.lba,
            offset=entry.offset + 4 + start + differing.offset,
            seen=f"{differing.little} and {differing.big}",
            expected="equal",
        )
        for differing in layout.disagreements(entry.data, start)
    )


def _px(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.1; 32 bytes of data, or 40 with the serial number that 1.12 added."""
    if not _fits(entry, POSIX_ATTRIBUTES.size, notes):
        return
    _compare(entry, POSIX_ATTRIBUTES, notes)
    found.mode, found.links, found.uid, found.gid = POSIX_ATTRIBUTES.read(entry.data)
    if len(entry.data) >= POSIX_ATTRIBUTES.size + NUMBER.size:
        _compare(entry, NUMBER, notes, POSIX_ATTRIBUTES.size)
        found.inode = NUMBER.read(entry.data, POSIX_ATTRIBUTES.size).value


def _pn(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.2; where the high half is zero, the low one may hold both numbers, as `_both_numbers` says."""
    if not _fits(entry, NUMBER_PAIR.size, notes):
        return
    _compare(entry, NUMBER_PAIR, notes)
    high, low = NUMBER_PAIR.read(entry.data)
    found.device = f"{high}:{low}" if high or low < 256 else _both_numbers(low)
    found.attributes["device_number"] = [high, low]


def _both_numbers(low: int) -> str:
    """A Linux dev_t of 32 bits, as libisofs writes it: 12 bits of minor number, 12 of major, 8 of minor.

    Below 65,536 that is the older one of eight bits each.
    """
    return f"{low >> 8 & 0xFFF}:{low & 0xFF | low >> 12 & 0xFFF00}"


def _nm(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.4."""
    if not _fits(entry, 1, notes):
        return
    flags = entry.data[0]
    if flags & _CURRENT:
        found.name = b"."
    elif flags & _PARENT:
        found.name = b".."
    elif len(found.name or b"") + len(entry.data) <= MAXIMUM_NAME_BYTES:
        found.name = (found.name or b"") + entry.data[1:]
    else:
        _wrong(
            entry, "the name is too long, the rest is not kept", notes, seen="", expected=MAXIMUM_NAME_BYTES
        )


def _sl(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.3: component records; a component may continue in the next, also in the next SL."""
    if not _fits(entry, 1, notes):
        return
    link = found.link = found.link or _Link()
    data = entry.data
    at = 1
    while at + 2 <= len(data):
        flags, length = data[at], data[at + 1]
        content = data[at + 2 : at + 2 + length]
        if len(content) < length:
            _wrong(entry, "a component is cut", notes, seen=length, expected=len(content))
        link.size += len(content) + 1
        if link.size > MAXIMUM_NAME_BYTES:
            _wrong(entry, "the target is too long", notes, seen=link.size, expected=MAXIMUM_NAME_BYTES)
            return
        if flags & _ROOT:  # writers record the empty component of "a//b" so too
            link.parts.append(b"")
        elif flags & (_CURRENT | _PARENT):
            link.parts.append(b"." if flags & _CURRENT else b"..")
        elif link.joined and link.parts:
            link.parts[-1] += content
        else:
            link.parts.append(content)
        link.joined = bool(flags & _CONTINUE)
        at += 2 + length


def _tf(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.6."""
    if not _fits(entry, 1, notes):
        return
    flags = entry.data[0]
    width, decode = (17, volume_time) if flags & LONG_FORM else (7, record_time)
    at = 1
    for bit, name in enumerate(TIMES):
        if not flags & 1 << bit:
            continue
        raw = entry.data[at : at + width]
        if len(raw) < width:
            _wrong(
                entry,
                "fewer time stamps than its flags say",
                notes,
                seen=len(entry.data),
                expected=at + width,
            )
            return
        time, problem = decode(raw)
        if time is not None:
            found.times[name] = time
        if problem:
            notes.append(
                kind.DATE.at(
                    f"TF {name}: {problem}", lba=entry.lba, offset=entry.offset + 4 + at, seen=raw.hex()
                )
            )
        at += width


def _cl(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.5.1."""
    if _fits(entry, NUMBER.size, notes):
        _compare(entry, NUMBER, notes)
        found.child = NUMBER.read(entry.data).value


def _pl(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.5.2."""
    if _fits(entry, NUMBER.size, notes):
        _compare(entry, NUMBER, notes)
        found.parent = NUMBER.read(entry.data).value


def _re(_entry: SystemUse, found: RockRidge, _notes: list[Anomaly]) -> None:
    """RRIP 4.1.5.3."""
    found.relocated = True


def _sf(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """RRIP 4.1.7; version 1.10 has one number, 1.12 two and the depth of the table."""
    if len(entry.data) >= NUMBER_PAIR.size + 1:
        _compare(entry, NUMBER_PAIR, notes)
        high, low = NUMBER_PAIR.read(entry.data)
        found.attributes["sparse"] = {
            "virtual_size_bytes": high << 32 | low,
            "table_depth": entry.data[NUMBER_PAIR.size],
        }
    elif _fits(entry, NUMBER.size, notes):
        _compare(entry, NUMBER, notes)
        found.attributes["sparse"] = {"virtual_size_bytes": NUMBER.read(entry.data).value}


def _zf(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """Zisofs: version 1 counts 32 bits in both byte orders, version 2 64 bits."""
    if not _fits(entry, ZISOFS.size, notes):
        return
    zisofs = ZISOFS.read(entry.data)
    long = entry.version >= 2
    found.attributes["zisofs"] = {
        "version": entry.version,
        "algorithm": text_of(zisofs.algorithm),
        "header_bytes": zisofs.header_size_div_4 * 4,
        "block_size_log2": zisofs.block_size_log2,
        "uncompressed_bytes": int.from_bytes(zisofs.uncompressed_size[: 8 if long else 4], "little"),
    }


def _al(entry: SystemUse, found: RockRidge, notes: list[Anomaly]) -> None:
    """AAIP 2.0: component records as in SL, but one may run on into the next AL."""
    if not _fits(entry, 1, notes):
        return
    if len(found.aaip) + len(entry.data) > MAXIMUM_ATTRIBUTES_BYTES:
        _wrong(entry, "too many extended attributes", notes, seen="", expected=MAXIMUM_ATTRIBUTES_BYTES)
        return
    found.aaip += entry.data[1:]


_NAMESPACES = {2: "system.", 3: "user.", 4: "isofs.", 5: "trusted.", 6: "security."}


def _aaip(area: bytes) -> dict[str, str]:
    """Name to value (hexadecimal) of the attributes; the empty name is the access control list."""
    parts: list[bytearray] = []
    joined = False
    at = 0
    while at + 2 <= len(area):
        flags, length = area[at], area[at + 1]
        if not joined:
            parts.append(bytearray())
        parts[-1] += area[at + 2 : at + 2 + length]
        joined = bool(flags & _CONTINUE)
        at += 2 + length
    named: dict[str, str] = {}
    for name, value in zip(parts[::2], parts[1::2], strict=False):
        raw = bytes(name)
        if raw and raw[0] in _NAMESPACES:
            text = _NAMESPACES[raw[0]] + text_of(raw[1:])
        else:
            text = text_of(raw[1:] if raw[:1] == b"\x01" else raw)
        named[text] = value.hex()
    return named


def _apple(entry: SystemUse, found: RockRidge, _notes: list[Anomaly]) -> None:
    """Apple's extension to ISO 9660: the byte of the version says which system's types follow."""
    found.attributes["apple"] = apple(entry.version, entry.data)


def apple(system: int, data: bytes) -> dict[str, Any]:
    """The fields of an AA or BA entry: 1 is ProDOS, 2 is HFS (type, creator, Finder flags)."""
    if system == 2 and len(data) >= 8:
        noted: dict[str, Any] = {"type": text_of(data[:4]), "creator": text_of(data[4:8])}
        if len(data) >= 10:
            noted["finder_flags"] = int.from_bytes(data[8:10], "big")
        return noted
    return {"system": system, "data": data.hex()}


def xa(system_use: bytes) -> dict[str, int] | None:
    """CD-ROM XA's part of a system use area, None if it is not there."""
    if len(system_use) < EXTENDED_ARCHITECTURE.size or system_use[6:8] != b"XA":
        return None
    record = EXTENDED_ARCHITECTURE.read(system_use)
    return {
        "group": record.group,
        "user": record.user,
        "attributes": record.attributes,
        "file_number": record.file_number,
    }


def _er(entry: SystemUse, found: RockRidge, _notes: list[Anomaly]) -> None:
    """SUSP 5.5: the identifier of an extension, e.g. RRIP_1991A or IEEE_P1282."""
    if entry.data:
        found.extensions.append(text_of(entry.data[4 : 4 + entry.data[0]]))


def _nothing(_entry: SystemUse, _found: RockRidge, _notes: list[Anomaly]) -> None:
    """SP, ES and RR (RRIP 1.09) say nothing of the entry itself; a CE too short was reported."""


_READERS: dict[bytes, Callable[[SystemUse, RockRidge, list[Anomaly]], None]] = {
    b"PX": _px,
    b"PN": _pn,
    b"NM": _nm,
    b"SL": _sl,
    b"TF": _tf,
    b"CL": _cl,
    b"PL": _pl,
    b"RE": _re,
    b"SF": _sf,
    b"ZF": _zf,
    b"Z2": _zf,
    b"AL": _al,
    b"AA": _apple,
    b"BA": _apple,
    b"ER": _er,
    b"SP": _nothing,
    b"ES": _nothing,
    b"RR": _nothing,
}

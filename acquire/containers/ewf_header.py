"""The texts of an E01's header and header2 sections: both ways.

header2 is UTF-16 with lines for the case, its sources and subjects; header says the same in ASCII for
older readers. Values stand in tab-separated columns named by the line before (Header2 values).
"""

import zlib
from datetime import datetime
from typing import Final

from acquire.containers.ewf import HeaderValues

MAX_TEXT_BYTES = 4 << 20
"""More text than this is not a header that anybody wrote."""

_VERSION_CHARACTERS = 11
_SYSTEM_CHARACTERS = 23
_SOURCES = "srce\n0\t1\np\tn\tid\tev\ttb\tlo\tpo\tah\tgu\taq\n0\t0\n\t\t\t\t\t-1\t-1\t\t\t\n\n"
_SUBJECTS = "sub\n0\t1\np\tn\tid\tnu\tco\tgu\n0\t0\n\t\t\t\t1\t\n\n"

_SEPARATORS: Final = dict.fromkeys(map(ord, "\t\r\n\0\x0b\x0c\x85\u2028\u2029"), " ")

FIELDS: Final = {
    "c": "case_number",
    "n": "evidence_number",
    "a": "description",
    "e": "examiner",
    "t": "notes",
    "md": "model",
    "sn": "serial",
    "l": "device_label",
    "av": "version",
    "ov": "system",
    "m": "acquired",
    "u": "system_date",
    "p": "password_hash",
    "pid": "process_identifier",
    "ext": "extents",
    "r": "compression",
}
"""The columns that are known by name; any other keeps the name that the file gives it."""


def _one_line(text: str) -> str:
    """Text that fits into one column: what separates columns and lines becomes a space."""
    return text.translate(_SEPARATORS)


def header2_text(values: HeaderValues, created: datetime) -> str:
    """The text of a header2 section as EnCase 6 has it; times are POSIX seconds."""
    seconds = str(int(created.timestamp()))
    columns = {
        "a": values.description,
        "c": values.case_number,
        "n": values.evidence_number,
        "e": values.examiner,
        "t": values.notes,
        "md": values.model,
        "sn": values.serial,
        "av": values.version[:_VERSION_CHARACTERS],
        "ov": values.system[:_SYSTEM_CHARACTERS],
        "m": seconds,
        "u": seconds,
        "p": "0",
        "dc": "",
    }
    names = "\t".join(columns)
    line = "\t".join(_one_line(value) for value in columns.values())
    return f"3\nmain\n{names}\n{line}\n\n{_SOURCES}{_SUBJECTS}"


def header_text(values: HeaderValues, created: datetime) -> str:
    """The text of a header section; times are the wall clock of `created`."""
    wall = created.strftime("%Y %m %d %H %M %S").split()
    when = " ".join(str(int(part)) for part in wall)
    columns = {
        "c": values.case_number,
        "n": values.evidence_number,
        "a": values.description,
        "e": values.examiner,
        "t": values.notes,
        "av": values.version[:_VERSION_CHARACTERS],
        "ov": values.system[:_SYSTEM_CHARACTERS],
        "m": when,
        "u": when,
        "p": "0",
    }
    line = "\t".join(_one_line(value) for value in columns.values())
    return "1\r\nmain\r\n" + "\t".join(columns) + "\r\n" + line + "\r\n\r\n"


def header2_payload(values: HeaderValues, created: datetime) -> bytes:
    """The payload of a header2 section."""
    return zlib.compress(header2_text(values, created).encode("utf-16", "replace"))


def header_payload(values: HeaderValues, created: datetime) -> bytes:
    """The payload of a header section; characters beyond ASCII become question marks there."""
    return zlib.compress(header_text(values, created).encode("ascii", "replace"))


def decode_payload(payload: bytes) -> str | None:
    """The text of a header or header2 section; None if it cannot be inflated or is no text."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, MAX_TEXT_BYTES)
    except zlib.error:
        return None
    if not inflater.eof:
        return None
    if text[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return text.decode("utf-16", "replace")
    return text.decode("utf-8" if _is_utf8(text) else "latin-1")


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def parse_text(text: str) -> dict[str, str]:
    """The values of a header's main category, by field name; {} where there is none."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    for number, line in enumerate(lines[:-2]):
        if line == "main":
            names = lines[number + 1].split("\t")
            values = lines[number + 2].split("\t")
            return {FIELDS.get(name, name): value for name, value in zip(names, values, strict=False) if name}
    return {}

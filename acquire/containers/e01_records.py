"""What an E01 records beside the data: the case's fields, digests, unread sectors, sessions."""

from collections.abc import Iterator, Sequence
from typing import Final

from acquire.containers import ewf
from acquire.containers.e01_sections import Segment, read_payload
from acquire.containers.ewf import DIGEST, HASH
from acquire.containers.ewf_header import MAX_TEXT_BYTES, decode_payload, parse_text
from acquire.containers.problem import Problems

MAX_ENTRIES = 1 << 20
"""Entries of an error2 or session section that are read."""
_LISTS: Final = {"error2": (ewf.ERROR2_HEADER_BYTES, 8), "session": (ewf.SESSION_HEADER_BYTES, 32)}
"""Bytes of a section's header and of each of its entries."""


def header_values(segments: Sequence[Segment], problems: Problems) -> dict[str, str]:
    """The case fields: those of header2 where there is one, and what only header has."""
    values: dict[str, str] = {}
    newer: dict[str, str] = {}
    copies: list[bytes] = []
    for segment in segments:
        for section in segment.sections:
            if section.kind not in ("header", "header2"):
                continue
            payload = read_payload(segment.file, section, MAX_TEXT_BYTES)
            text = decode_payload(payload)
            if text is None:
                problems.add(
                    f"a {section.kind} section cannot be inflated, or fails its checksum",
                    segment.file.name,
                    section.payload_offset,
                )
                continue
            if section.kind == "header2":
                copies.append(payload)
                newer = newer or parse_text(text)
                if copies[-1] != copies[0]:
                    what = "the two header2 sections differ"
                    problems.add(what, segment.file.name, section.payload_offset, "other", "the same")
            else:
                values = values or parse_text(text)
    return values | {name: value for name, value in newer.items() if value or name not in values}


def digests(segments: Sequence[Segment], problems: Problems) -> tuple[str | None, str | None]:
    """MD5 and SHA-1 as recorded, in hexadecimal; zeros mean none."""
    md5: str | None = None
    sha1: str | None = None
    for segment in segments:
        for section in segment.sections:
            if section.kind not in ("digest", "hash"):
                continue
            layout = DIGEST if section.kind == "digest" else HASH
            raw = read_payload(segment.file, section, layout.size)
            if len(raw) < layout.size or not ewf.is_guarded(raw):
                problems.add(
                    f"the checksum of a {section.kind} section does not match",
                    segment.file.name,
                    section.payload_offset,
                    raw[-4:][::-1].hex(),
                    ewf.checksum(raw[:-4])[::-1].hex(),
                )
                continue
            found = raw[:16].hex() if any(raw[:16]) else None
            if md5 is not None and found is not None and found != md5:
                what = "the digest and hash sections have different MD5"
                problems.add(what, segment.file.name, section.payload_offset, found, md5)
            md5 = md5 or found
            if section.kind == "digest" and any(raw[16:36]):
                sha1 = raw[16:36].hex()
    return md5, sha1


def entries_of(segments: Sequence[Segment], kind: str, problems: Problems) -> Iterator[tuple[int, int]]:
    """The entries of the error2 sections (first sector, sectors) or session sections (flags, start)."""
    header_bytes, entry_bytes = _LISTS[kind]
    for segment in segments:
        for section in segment.sections:
            if section.kind != kind:
                continue
            header = read_payload(segment.file, section, header_bytes)
            fits = max(0, (section.payload_bytes - header_bytes - 4) // entry_bytes)
            count = int.from_bytes(header[:4], "little")
            if len(header) < header_bytes or not ewf.is_guarded(header):
                what = f"the checksum of the {kind} section's header does not match"
                problems.add(what, segment.file.name, section.payload_offset)
                count = fits
            if count > min(fits, MAX_ENTRIES):
                what = f"the {kind} section has more entries than bytes"
                problems.add(what, segment.file.name, section.payload_offset, count, fits)
                count = min(fits, MAX_ENTRIES)
            at = section.payload_offset + header_bytes
            raw = segment.file.read(at, count * entry_bytes + 4)
            if len(raw) < count * entry_bytes + 4 or not ewf.is_guarded(raw):
                what = f"the checksum of the {kind} section's entries does not match"
                problems.add(what, segment.file.name, at)
            entries = raw[: count * entry_bytes]
            yield from ewf.error2_entries(entries) if kind == "error2" else ewf.session_entries(entries)

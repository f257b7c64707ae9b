"""The descriptor tag, which begins every structure: what it proves, and what may be used all the same."""

import binascii
from collections.abc import Collection
from typing import NamedTuple

from analyze.udf.anomalies import TAG_CHECKSUM, TAG_CRC, TAG_IDENTIFIER, TAG_LOCATION, TAG_VERSION
from analyze.udf.layout import TAG, Tag

TAG_BYTES = 16
VERSIONS = (2, 3)
"""2: ECMA-167 2nd edition (NSR02), 3: 3rd edition (NSR03)."""


class TagProblem(NamedTuple):
    """One disagreement: the code of its anomaly, its clause, what was seen and what was expected."""

    code: str
    clause: str
    seen: str
    expected: str


class TagCheck(NamedTuple):
    """A tag and what is wrong with it.

    `identifier` is what the structure is taken to be: the recorded one or, where the checksum shows
    that only the identifier was changed, the one it had. `usable`: it is of an expected kind, and
    something (checksum, CRC, or both location and version) speaks for it.
    """

    tag: Tag
    identifier: int
    problems: tuple[TagProblem, ...]
    usable: bool


def checksum(tag: bytes) -> int:
    """3/7.2.3: the sum of the bytes of a tag but its own, modulo 256."""
    return (sum(tag[:TAG_BYTES]) - tag[4]) & 0xFF


def crc(data: bytes) -> int:
    """3/7.2.6: CRC-ITU, x^16 + x^12 + x^5 + 1, from zero."""
    return binascii.crc_hqx(data, 0)


def check_tag(data: bytes, offset: int, expected: Collection[int], location: int | None) -> TagCheck | None:
    """Check the tag at `offset` of `data`, which holds the whole structure; None if no tag fits there.

    `expected` are the identifiers that may stand here, `location` the address that it should name.
    """
    if len(data) - offset < TAG_BYTES:
        return None
    raw = data[offset : offset + TAG_BYTES]
    tag = TAG.read(raw)
    problems = []
    sum_right = checksum(raw) == tag.checksum
    if not sum_right:
        problems.append(TagProblem(TAG_CHECKSUM, "3/7.2.3", f"{tag.checksum:#04x}", f"{checksum(raw):#04x}"))
    body = data[offset + TAG_BYTES : offset + TAG_BYTES + tag.crc_length]
    crc_right = len(body) == tag.crc_length and crc(body) == tag.crc
    if len(body) < tag.crc_length:
        problems.append(
            TagProblem(TAG_CRC, "3/7.2.7", f"a CRC over {tag.crc_length} bytes", f"{len(body)} or fewer")
        )
    elif not crc_right:
        problems.append(TagProblem(TAG_CRC, "3/7.2.6", f"{tag.crc:#06x}", f"{crc(body):#06x}"))
    version_right = tag.version in VERSIONS
    if not version_right:
        problems.append(TagProblem(TAG_VERSION, "3/7.2.2", str(tag.version), "2 or 3"))
    location_right = location is None or tag.location == location
    if not location_right:
        problems.append(TagProblem(TAG_LOCATION, "3/7.2.8", str(tag.location), str(location)))
    proven = crc_right and tag.crc_length > 0
    identifier = tag.identifier
    if identifier in expected:
        usable = sum_right or proven or (location is not None and location_right and version_right)
    else:
        identifier = _former_identifier(raw, tag.checksum, expected)
        usable = identifier >= 0 and proven and location_right
        names = " or ".join(map(str, sorted(expected)))
        problems.append(TagProblem(TAG_IDENTIFIER, "3/7.2.1", str(tag.identifier), names))
    return TagCheck(tag, identifier, tuple(problems), usable)


def _former_identifier(raw: bytes, recorded_checksum: int, expected: Collection[int]) -> int:
    """The one expected identifier with which the recorded checksum is right, or -1."""
    fitting = [
        identifier
        for identifier in expected
        if checksum(identifier.to_bytes(2, "little") + raw[2:]) == recorded_checksum
    ]
    return fitting[0] if len(fitting) == 1 else -1

"""What is asked of an acquisition, and what came of it: Plan, ExhibitHeader, Acquisition."""

from typing import Any, NamedTuple, Self

from acquire.digest import DEFAULT_DIGESTS, DIGESTS
from acquire.errors import UsageError
from acquire.geometry import SectorRange

FORMATS = ("e01", "raw")
COMPRESSIONS = ("none", "fast", "best")
_MIN_SEGMENT_BYTES = 1 << 20


class ExhibitHeader(NamedTuple):
    """What goes into the record, and into an E01's header, of the case; free text."""

    case_number: str = ""
    evidence_number: str = ""
    description: str = ""
    examiner: str = ""
    notes: str = ""


class Plan(NamedTuple):
    """How to acquire.

    `format` is `e01`, `raw`, or None to choose: E01 for data of 2048-byte sectors, else raw. `compression`
    and `segment_size_bytes` (None: one file) are for E01. `verify` reads the container back.
    """

    format: str | None = None
    digests: tuple[str, ...] = DEFAULT_DIGESTS
    compression: str = "fast"
    segment_size_bytes: int | None = None
    verify: bool = True
    header: ExhibitHeader = ExhibitHeader()

    def check(self) -> None:
        """Refuse words that mean nothing.

        Raises:
            UsageError: one of them.
        """
        if self.format is not None and self.format not in FORMATS:
            raise UsageError(f"Unknown format {self.format!r}", do=f"Choose from {', '.join(FORMATS)}")
        if self.compression not in COMPRESSIONS:
            raise UsageError(
                f"Unknown compression {self.compression!r}", do=f"Choose from {', '.join(COMPRESSIONS)}"
            )
        for name in self.digests:
            if name not in DIGESTS:
                raise UsageError(f"Unknown digest {name!r}", do=f"Choose from {', '.join(DIGESTS)}")
        if not self.digests:
            raise UsageError("No digest is asked for", do=f"Choose from {', '.join(DIGESTS)}")
        if self.segment_size_bytes is not None and self.segment_size_bytes < _MIN_SEGMENT_BYTES:
            raise UsageError("Segments of less than 1 MiB", do="Choose a larger segment size")


class Acquisition(NamedTuple):
    """What an acquisition made: the container, what of the source is in it, and whether it is sound.

    Coverage (`sectors_…`, `unread`) and verification (`verified`) are two statements: a verified container
    may hold nothing but fill. `files` are names in the exhibit's folder, the container's first.
    `sectors_filled` hold zero bytes for what was not read. `verified` is True (read back and equal),
    False (it differs) or None (not asked for). Times are ISO 8601, UTC. `errors` are as in the record:
    dictionaries with at least `lba`, `count`, `errno`, `message`, `tries`.
    """

    format: str
    files: tuple[str, ...]
    sector_size_bytes: int
    sector_count: int
    size_bytes: int
    sectors_read: int
    sectors_unread: int
    sectors_filled: int
    unread: tuple[SectorRange, ...]
    digests: dict[str, str]
    verified: bool | None
    verify_detail: str
    started: str
    ended: str
    resumed: int
    source: dict[str, Any]
    errors: tuple[dict[str, Any], ...]

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """Read it out of an acquisition record; raises KeyError, TypeError or ValueError if it is none."""
        coverage, verification = record["coverage"], record["verification"]
        return cls(
            format=record["container"]["format"],
            files=tuple(record["files"]),
            sector_size_bytes=coverage["sector_size_bytes"],
            sector_count=coverage["sector_count"],
            size_bytes=coverage["size_bytes"],
            sectors_read=coverage["sectors_read"],
            sectors_unread=coverage["sectors_unread"],
            sectors_filled=coverage["sectors_filled"],
            unread=tuple(SectorRange(start, count) for start, count in coverage["unread"]),
            digests=dict(record["digests"]),
            verified=verification["verified"],
            verify_detail=verification["detail"],
            started=record["started"],
            ended=record["ended"],
            resumed=record["resumed"],
            source=dict(record["source"]),
            errors=tuple(record["errors"]),
        )

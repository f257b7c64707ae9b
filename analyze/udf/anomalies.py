"""What may be wrong with a UDF volume: the codes of its anomalies, and the log that gathers them."""

from collections import Counter
from collections.abc import Iterable

from analyze.anomaly import Anomaly, AnomalyKind
from analyze.udf.blocks import Blocks

RECOGNITION = "udf-recognition"
UNREAD = "udf-unread"
OUTSIDE = "udf-outside"
TAG_IDENTIFIER = "udf-tag-identifier"
TAG_CHECKSUM = "udf-tag-checksum"
TAG_CRC = "udf-tag-crc"
TAG_VERSION = "udf-tag-version"
TAG_LOCATION = "udf-tag-location"
ANCHOR = "udf-anchor"
ANCHOR_MISMATCH = "udf-anchor-mismatch"
SEQUENCE_MISSING = "udf-sequence-missing"
SEQUENCE_MISMATCH = "udf-sequence-mismatch"
SEQUENCE_SCAN = "udf-sequence-scan"
VOLUME = "udf-volume"
BLOCK_SIZE = "udf-block-size"
PARTITION_MAP = "udf-partition-map"
VAT = "udf-vat"
VAT_POSITION = "udf-vat-position"
VAT_CHAIN = "udf-vat-chain"
VAT_ENTRY = "udf-vat-entry"
SPARING = "udf-sparing"
SPARING_MISMATCH = "udf-sparing-mismatch"
METADATA = "udf-metadata"
METADATA_MIRROR_USED = "udf-metadata-mirror-used"
INTEGRITY = "udf-integrity"
COUNTS = "udf-counts"
SPACE = "udf-space"
FILE_SET = "udf-file-set"
ROOT = "udf-root"
ICB = "udf-icb"
ICB_LENGTHS = "udf-icb-lengths"
ICB_TYPE = "udf-icb-type"
ALLOCATION = "udf-allocation"
CONTENT_SHORT = "udf-content-short"
IDENTIFIER = "udf-identifier"
PARENT = "udf-parent"
NAME = "udf-name"
TIME = "udf-time"
ATTRIBUTES = "udf-attributes"
STREAMS = "udf-streams"
SYMLINK = "udf-symlink"
LOOP = "udf-loop"
LIMIT = "udf-limit"
REPEATED = "udf-repeated"

CODES = (
    AnomalyKind(
        RECOGNITION,
        "2/8.3.1",
        "The volume recognition sequence does not announce UDF (NSR02, NSR03), or is not closed.",
    ),
    AnomalyKind(UNREAD, "", "A structure stands in sectors that were not read."),
    AnomalyKind(OUTSIDE, "4/7.1", "An address leads outside its partition or past the end of the image."),
    AnomalyKind(
        TAG_IDENTIFIER, "3/7.2.1", "A descriptor's tag names another kind of structure than belongs there."
    ),
    AnomalyKind(TAG_CHECKSUM, "3/7.2.3", "The checksum of a descriptor's tag is wrong."),
    AnomalyKind(TAG_CRC, "3/7.2.6", "The CRC of a descriptor is wrong, or covers more bytes than there are."),
    AnomalyKind(TAG_VERSION, "3/7.2.2", "A descriptor's tag names a version that is neither 2 nor 3."),
    AnomalyKind(
        TAG_LOCATION, "3/7.2.8", "A descriptor's tag names another address than the one where it stands."
    ),
    AnomalyKind(ANCHOR, "3/8.4.2.1", "No usable anchor where one is expected."),
    AnomalyKind(ANCHOR_MISMATCH, "3/8.4.2.1", "Two anchors lead to different volume descriptor sequences."),
    AnomalyKind(
        SEQUENCE_MISSING, "3/8.4.2", "A volume descriptor sequence cannot be used, or lacks a descriptor."
    ),
    AnomalyKind(
        SEQUENCE_MISMATCH, "3/8.4.2.2", "The main and the reserve volume descriptor sequence differ."
    ),
    AnomalyKind(
        SEQUENCE_SCAN, "3/8.4.2.1", "No anchor leads to the volume descriptors; they were found by scanning."
    ),
    AnomalyKind(VOLUME, "3/8.4", "A UDF volume is announced that cannot be opened."),
    AnomalyKind(
        BLOCK_SIZE,
        "UDF 2.2.4.2",
        "The logical block size differs from the size of the sectors that the anchors stand in.",
    ),
    AnomalyKind(
        PARTITION_MAP,
        "3/10.7",
        "A partition map is unknown, not as its clause says, or names no partition of this disc.",
    ),
    AnomalyKind(VAT, "UDF 2.2.11", "No usable virtual allocation table."),
    AnomalyKind(VAT_POSITION, "UDF 2.2.11", "The virtual allocation table is not in the last block."),
    AnomalyKind(VAT_CHAIN, "UDF 2.2.11", "The chain of earlier virtual allocation tables is broken."),
    AnomalyKind(
        VAT_ENTRY,
        "UDF 2.2.11",
        "A virtual address is not in the virtual allocation table, or is unused there.",
    ),
    AnomalyKind(SPARING, "UDF 2.2.12", "A sparing table is missing, or an entry of it is impossible."),
    AnomalyKind(SPARING_MISMATCH, "UDF 2.2.12", "The copies of the sparing table differ."),
    AnomalyKind(METADATA, "UDF 2.2.13", "The metadata file or its mirror cannot be used."),
    AnomalyKind(
        METADATA_MIRROR_USED,
        "UDF 2.2.13",
        "A structure was taken from the metadata mirror: its main copy cannot be used.",
    ),
    AnomalyKind(INTEGRITY, "3/8.8.2", "The logical volume integrity sequence has no usable descriptor."),
    AnomalyKind(
        COUNTS,
        "UDF 2.2.6.4",
        "The volume was closed with other numbers of files and directories than it has.",
    ),
    AnomalyKind(
        SPACE, "4/10", "A space bitmap or table cannot be used, or disagrees with the integrity descriptor."
    ),
    AnomalyKind(FILE_SET, "4/8.3", "No usable file set descriptor where the logical volume descriptor says."),
    AnomalyKind(ROOT, "4/8.6", "The root directory cannot be used where the file set descriptor says."),
    AnomalyKind(ICB, "4/8.10.1", "An entry's information control block has no usable file entry."),
    AnomalyKind(ICB_LENGTHS, "4/14.9", "The lengths inside a file entry do not fit its block."),
    AnomalyKind(
        ICB_TYPE, "4/14.6.6", "The file type of a file entry disagrees with its directory, or is not defined."
    ),
    AnomalyKind(ALLOCATION, "4/12.1", "An allocation descriptor is not as its clause says."),
    AnomalyKind(CONTENT_SHORT, "4/12.1", "The extents of an entry hold fewer bytes than its size."),
    AnomalyKind(IDENTIFIER, "4/14.4", "A directory holds bytes that are no file identifier descriptor."),
    AnomalyKind(PARENT, "4/8.6", "A directory does not begin with its parent, or names another parent."),
    AnomalyKind(NAME, "UDF 2.1.1", "A name is not OSTA compressed Unicode, or is empty."),
    AnomalyKind(TIME, "1/7.3", "A time stamp is not a date and time."),
    AnomalyKind(ATTRIBUTES, "4/14.10", "Extended attributes are not as their clause says."),
    AnomalyKind(STREAMS, "4/9.2", "A stream directory cannot be used, or is where none is allowed."),
    AnomalyKind(SYMLINK, "4/14.16", "A symbolic link is not a sequence of path components."),
    AnomalyKind(LOOP, "4/8.6", "A directory is reached again; it is listed once."),
    AnomalyKind(LIMIT, "", "More work than the size of the image can justify; what is left was not read."),
    AnomalyKind(REPEATED, "", "More anomalies of one code than are recorded one by one."),
)
"""Every code; docs/reference/anomalies.md has the same table."""

_CLAUSES = {code: clause for code, clause, _meaning in CODES}

_MOST = 1000
"""Anomalies of one code that are kept one by one."""


class AnomalyLog:
    """Gathers the anomalies of a volume until they are taken; counts what exceeds `_MOST` of a code."""

    def __init__(self, volume: int | None) -> None:
        """Gather for the volume of this ordinal."""
        self.volume = volume
        self.pending: list[Anomaly] = []
        self._counts: Counter[str] = Counter()

    def note(
        self,
        code: str,
        message: str,
        *,
        at: tuple[Blocks, int, int] | None = None,
        clause: str = "",
        seen: str = "",
        expected: str = "",
        path: str | None = None,
    ) -> None:
        """Record one; `at` is blocks, the block in them and the byte in it."""
        clause = clause or _CLAUSES[code]
        self._counts[code] += 1
        if self._counts[code] > _MOST:
            return
        lba, offset = at[0].place(at[1], at[2]) if at else (None, None)
        self.pending.append(Anomaly(code, message, lba, offset, clause, seen, expected, self.volume, path))

    def disagreements(
        self,
        problems: Iterable[tuple[str, str, str, str]],
        what: str,
        at: tuple[Blocks, int, int],
        path: str | None = None,
    ) -> None:
        """Record each problem of a tag (code, clause, seen, expected) of a structure that is used."""
        for code, clause, seen, expected in problems:
            message = f"{what}: its tag disagrees"
            self.note(code, message, at=at, clause=clause, seen=seen, expected=expected, path=path)

    def take(self) -> list[Anomaly]:
        """Hand over what has been gathered since the last call."""
        taken, self.pending = self.pending, []
        return taken

    def mark(self) -> tuple[int, Counter[str]]:
        """A point to `rewind` to, if what is tried from here on turns out to be no part of the volume."""
        return len(self.pending), self._counts.copy()

    def rewind(self, mark: tuple[int, Counter[str]]) -> None:
        """Forget what was recorded since `mark`."""
        length, self._counts = mark
        del self.pending[length:]

    def note_repeated(self) -> None:
        """Record how many anomalies of each code were counted but not kept."""
        for code, number in list(self._counts.items()):
            if number > _MOST:
                self.note(
                    REPEATED, f"{number - _MOST} more anomalies of code {code} were met", seen=str(number)
                )

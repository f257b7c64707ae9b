"""Every anomaly that reading ISO 9660 can report: code, clause, meaning.

docs/reference/anomalies.md lists the same for people; a test compares the two.
"""

from analyze.anomaly import AnomalyKind

DESCRIPTOR_MISSING = AnomalyKind(
    "iso-descriptor-missing", "ECMA-119 6.7.1", "A sector of the volume descriptor set holds no descriptor."
)
DESCRIPTOR_SHORT = AnomalyKind(
    "iso-descriptor-short", "ECMA-119 8.1", "The image ends inside a volume descriptor."
)
DESCRIPTOR_VERSION = AnomalyKind(
    "iso-descriptor-version", "ECMA-119 8.1.3", "A volume descriptor has a version that no clause defines."
)
DESCRIPTOR_TYPE = AnomalyKind(
    "iso-descriptor-type", "ECMA-119 8.1.1", "A volume descriptor has a type that is reserved."
)
DESCRIPTOR_FIELD = AnomalyKind(
    "iso-descriptor-field",
    "ECMA-119 8.3.4, 8.4, 8.5",
    "A field of a volume descriptor for which the standard has one value holds another.",
)
DESCRIPTOR_HIDDEN = AnomalyKind(
    "iso-descriptor-hidden",
    "ECMA-119 6.7.1",
    "A volume descriptor stands behind the terminator of its set, where most readers do not look.",
)
PRIMARY_MISSING = AnomalyKind(
    "iso-primary-missing", "ECMA-119 6.7.1.1", "The volume descriptor set has no primary descriptor."
)
PRIMARY_COPY = AnomalyKind(
    "iso-primary-copy",
    "ECMA-119 6.7.1.1",
    "A further primary descriptor of the set leads to another tree than the first.",
)
TERMINATOR_MISSING = AnomalyKind(
    "iso-terminator-missing", "ECMA-119 8.3", "The volume descriptor set does not end with a terminator."
)
BOTH_ENDIAN = AnomalyKind(
    "iso-both-endian",
    "ECMA-119 7.2.3, 7.3.3",
    "The least and the most significant byte first copies of a number differ.",
)
BLOCK_SIZE = AnomalyKind(
    "iso-block-size", "ECMA-119 6.2.2, 8.4.12", "The logical block size is not 512, 1024 or 2048 bytes."
)
IMAGE_SHORT = AnomalyKind(
    "iso-image-short", "ECMA-119 8.4.8", "The volume states more blocks than the image holds."
)
DATE = AnomalyKind(
    "iso-date", "ECMA-119 8.4.26.1, 9.1.5", "A date, time of day or offset from Greenwich is impossible."
)
ROOT = AnomalyKind(
    "iso-root", "ECMA-119 8.4.18", "The root's record in the descriptor does not lead to a directory."
)

RECORD_LENGTH = AnomalyKind(
    "iso-record-length",
    "ECMA-119 6.8.1.1, 9.1.1",
    "A directory record is too short for its fields or crosses the end of its sector.",
)
IDENTIFIER = AnomalyKind(
    "iso-identifier",
    "ECMA-119 7.5, 7.6, 9.1.11",
    "An identifier is empty, of an impossible length, or reserved for another place.",
)
NAME = AnomalyKind(
    "iso-name",
    "ECMA-119 7.5, 7.6; RRIP 4.1.4; Joliet",
    "A name holds NUL or a slash, or is one that stands for a directory itself.",
)
DUPLICATE = AnomalyKind(
    "iso-name-duplicate", "ECMA-119 9.3; RRIP 4.1.4", "Two entries of one directory have the same name."
)
DOT = AnomalyKind(
    "iso-dot",
    "ECMA-119 6.8.2.2",
    "The first two records of a directory do not lead to itself and to its parent.",
)
GHOST = AnomalyKind(
    "iso-ghost-record",
    "ECMA-119 6.8.1.1",
    "Behind the last record of a directory's sector stands another whole record.",
)
RECOVERED = AnomalyKind(
    "iso-record-recovered",
    "ECMA-119 6.8.1.1",
    "Behind a broken directory record a whole one was found by its form alone.",
)
PADDING = AnomalyKind(
    "iso-padding",
    "ECMA-119 6.8.1.1",
    "Behind the last record of a directory's sector not all bytes are zero.",
)
DIRECTORY_SIZE = AnomalyKind(
    "iso-directory-size",
    "ECMA-119 6.8.1.3",
    "The length of a directory is zero, absurd, or no whole number of sectors.",
)
DIRECTORY_LOOP = AnomalyKind("iso-directory-loop", "ECMA-119 6.8.2", "A directory contains itself.")
DIRECTORY_SHARED = AnomalyKind(
    "iso-directory-shared", "ECMA-119 6.8.2", "Two directory records lead to the same directory."
)
EXTENT_OUTSIDE = AnomalyKind(
    "iso-extent-outside", "ECMA-119 6.4.1, 9.1.3", "An extent reaches past the end of the image."
)
MULTI_EXTENT = AnomalyKind(
    "iso-multi-extent",
    "ECMA-119 6.5.1, 9.1.6",
    "The records of a file of several extents do not belong together.",
)
ASSOCIATED = AnomalyKind(
    "iso-associated", "ECMA-119 6.5.4", "An associated file has no file of the same identifier."
)
FILE_FLAGS = AnomalyKind(
    "iso-file-flags", "ECMA-119 9.1.6", "Reserved or contradictory bits of the file flags are set."
)
INTERLEAVE = AnomalyKind(
    "iso-interleave", "ECMA-119 6.4.3, 9.1.7, 9.1.8", "The interleaving of a file is impossible or absurd."
)
SEQUENCE = AnomalyKind(
    "iso-volume-sequence",
    "ECMA-119 9.1.9",
    "The record says that its extent is on another volume of the set.",
)
XATTR = AnomalyKind("iso-extended-attribute", "ECMA-119 9.5", "An extended attribute record cannot be read.")

PATH_TABLE = AnomalyKind(
    "iso-path-table", "ECMA-119 8.4.13 to 8.4.17", "A path table has an impossible place or size."
)
PATH_TABLE_RECORD = AnomalyKind(
    "iso-path-table-record", "ECMA-119 6.9.1, 9.4", "A path table record is impossible."
)
PATH_TABLE_COPY = AnomalyKind(
    "iso-path-table-copy", "ECMA-119 6.9.2, 6.9.3", "The path tables of the volume differ from each other."
)
PATH_TABLE_TREE = AnomalyKind(
    "iso-path-table-tree",
    "ECMA-119 6.9",
    "A directory of the tree is missing in the path table or described differently there.",
)
PATH_TABLE_ONLY = AnomalyKind(
    "iso-path-table-only", "ECMA-119 6.9", "A directory is in the path table and not in the tree."
)

SUSP_MARK = AnomalyKind("iso-susp-mark", "SUSP 5.3", "The SP entry of the root is missing or impossible.")
SUSP_ENTRY = AnomalyKind("iso-susp-entry", "SUSP 4.1", "A system use entry has an impossible length.")
SUSP_CONTINUATION = AnomalyKind(
    "iso-susp-continuation", "SUSP 5.1", "A continuation area is outside the image or leads back to itself."
)
ROCK_RIDGE = AnomalyKind(
    "iso-rock-ridge", "RRIP 4.1", "A Rock Ridge entry has impossible fields or contradicts the record."
)
RELOCATION = AnomalyKind(
    "iso-relocation", "RRIP 4.1.5", "The links of a relocated directory do not lead to each other."
)

LIMIT = AnomalyKind(
    "iso-limit",
    "",
    "A limit of this program was reached: what follows of that kind was not read or not listed.",
)

CODES: tuple[AnomalyKind, ...] = (
    DESCRIPTOR_MISSING,
    DESCRIPTOR_SHORT,
    DESCRIPTOR_VERSION,
    DESCRIPTOR_TYPE,
    DESCRIPTOR_FIELD,
    DESCRIPTOR_HIDDEN,
    PRIMARY_MISSING,
    PRIMARY_COPY,
    TERMINATOR_MISSING,
    BOTH_ENDIAN,
    BLOCK_SIZE,
    IMAGE_SHORT,
    DATE,
    ROOT,
    RECORD_LENGTH,
    IDENTIFIER,
    NAME,
    DUPLICATE,
    DOT,
    GHOST,
    RECOVERED,
    PADDING,
    DIRECTORY_SIZE,
    DIRECTORY_LOOP,
    DIRECTORY_SHARED,
    EXTENT_OUTSIDE,
    MULTI_EXTENT,
    ASSOCIATED,
    FILE_FLAGS,
    INTERLEAVE,
    SEQUENCE,
    XATTR,
    PATH_TABLE,
    PATH_TABLE_RECORD,
    PATH_TABLE_COPY,
    PATH_TABLE_TREE,
    PATH_TABLE_ONLY,
    SUSP_MARK,
    SUSP_ENTRY,
    SUSP_CONTINUATION,
    ROCK_RIDGE,
    RELOCATION,
    LIMIT,
)

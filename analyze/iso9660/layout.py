"""The structures of ISO 9660, SUSP, Rock Ridge and CD-ROM XA as typed tables.

Clause numbers without a name are ECMA-119 (4th edition; the same as in ISO 9660). Offsets are those
of the standard less one: it counts byte positions from 1.
"""

from typing import Annotated, NamedTuple

from acquire.layout import (
    U8,
    Big16,
    Big32,
    Both16,
    Both32,
    Bytes5,
    Bytes7,
    Bytes17,
    Bytes32,
    Bytes37,
    Bytes128,
    Layout,
    Little16,
    Little32,
    RawBytes,
)

STANDARD_ID = b"CD001"
"""8.1.2, in bytes 1 to 5 of every volume descriptor."""


class DescriptorHeader(NamedTuple):
    """8.1, the first bytes of every Volume Descriptor."""

    kind: U8  # 8.1.1
    standard_id: Bytes5  # 8.1.2
    version: U8  # 8.1.3


DESCRIPTOR_HEADER = Layout(DescriptorHeader, size=7)


class VolumeDescriptor(NamedTuple):
    """8.4 Primary and 8.5 Supplementary (and Enhanced) Volume Descriptor, which share their positions."""

    kind: U8  # 8.4.1, 8.5.1
    standard_id: Bytes5  # 8.4.2
    version: U8  # 8.4.3, 8.5.2
    flags: U8  # 8.5.3 (8.4.4: unused)
    system_id: Bytes32  # 8.4.5, 8.5.4
    volume_id: Bytes32  # 8.4.6, 8.5.5
    unused: Annotated[bytes, RawBytes(8)]  # 8.4.7
    space_size: Both32  # 8.4.8
    escape_sequences: Bytes32  # 8.5.6 (8.4.9: unused)
    set_size: Both16  # 8.4.10
    sequence_number: Both16  # 8.4.11
    block_size: Both16  # 8.4.12
    path_table_size: Both32  # 8.4.13
    path_table_l: Annotated[bytes, RawBytes(4)]  # 8.4.14, least significant byte first
    path_table_l_optional: Annotated[bytes, RawBytes(4)]  # 8.4.15
    path_table_m: Annotated[bytes, RawBytes(4)]  # 8.4.16, most significant byte first
    path_table_m_optional: Annotated[bytes, RawBytes(4)]  # 8.4.17
    root: Annotated[bytes, RawBytes(34)]  # 8.4.18, a Directory Record
    volume_set_id: Bytes128  # 8.4.19
    publisher: Bytes128  # 8.4.20
    preparer: Bytes128  # 8.4.21
    application: Bytes128  # 8.4.22
    copyright_file: Bytes37  # 8.4.23
    abstract_file: Bytes37  # 8.4.24
    bibliographic_file: Bytes37  # 8.4.25
    created: Bytes17  # 8.4.26
    modified: Bytes17  # 8.4.27
    expires: Bytes17  # 8.4.28
    effective: Bytes17  # 8.4.29
    file_structure_version: U8  # 8.4.30
    reserved: U8  # 8.4.31
    application_use: Annotated[bytes, RawBytes(512)]  # 8.4.32


VOLUME_DESCRIPTOR = Layout(VolumeDescriptor, size=1395)
ROOT_OFFSET = 156
"""Where the root's Directory Record begins in a Volume Descriptor (8.4.18: byte position 157)."""


class BootRecord(NamedTuple):
    """8.2 Boot Record; the catalog's place is El Torito 1.0 figure 7."""

    kind: U8  # 8.2.1
    standard_id: Bytes5  # 8.2.2
    version: U8  # 8.2.3
    system_id: Bytes32  # 8.2.4
    boot_id: Bytes32  # 8.2.5
    catalog: Little32  # El Torito figure 7, absolute sector of the boot catalog


BOOT_RECORD = Layout(BootRecord, size=75)


class PartitionDescriptor(NamedTuple):
    """8.6 Volume Partition Descriptor."""

    kind: U8  # 8.6.1
    standard_id: Bytes5  # 8.6.2
    version: U8  # 8.6.3
    unused: U8  # 8.6.4
    system_id: Bytes32  # 8.6.5
    partition_id: Bytes32  # 8.6.6
    location: Both32  # 8.6.7
    size: Both32  # 8.6.8


PARTITION_DESCRIPTOR = Layout(PartitionDescriptor, size=88)


class DirectoryRecord(NamedTuple):
    """9.1, the fixed part of a Directory Record; identifier, padding and system use follow."""

    length: U8  # 9.1.1
    xattr_length: U8  # 9.1.2, in logical blocks
    extent: Both32  # 9.1.3, a logical block number
    data_length: Both32  # 9.1.4, bytes
    recorded: Bytes7  # 9.1.5
    flags: U8  # 9.1.6
    unit_size: U8  # 9.1.7, in logical blocks
    gap_size: U8  # 9.1.8, in logical blocks
    sequence_number: Both16  # 9.1.9
    identifier_length: U8  # 9.1.10


DIRECTORY_RECORD = Layout(DirectoryRecord, size=33)

# 9.1.6 File Flags, as plain numbers: they are tested in the hot loop.
HIDDEN = 0x01
DIRECTORY = 0x02
ASSOCIATED = 0x04
RECORD_FORMAT = 0x08
PROTECTION = 0x10
RESERVED_FLAGS = 0x60
MULTI_EXTENT = 0x80


class PathTableRecordL(NamedTuple):
    """9.4 Path Table Record of a Type L Path Table (6.9.2)."""

    identifier_length: U8  # 9.4.1
    xattr_length: U8  # 9.4.2
    extent: Little32  # 9.4.3
    parent: Little16  # 9.4.4


class PathTableRecordM(NamedTuple):
    """9.4 Path Table Record of a Type M Path Table (6.9.2)."""

    identifier_length: U8  # 9.4.1
    xattr_length: U8  # 9.4.2
    extent: Big32  # 9.4.3
    parent: Big16  # 9.4.4


PATH_TABLE_RECORD_L = Layout(PathTableRecordL, size=8)
PATH_TABLE_RECORD_M = Layout(PathTableRecordM, size=8)


class ExtendedAttributeRecord(NamedTuple):
    """9.5, the fixed part of an Extended Attribute Record."""

    owner: Both16  # 9.5.1
    group: Both16  # 9.5.2
    permissions: Annotated[bytes, RawBytes(2)]  # 9.5.3, most significant byte first
    created: Bytes17  # 9.5.4
    modified: Bytes17  # 9.5.5
    expires: Bytes17  # 9.5.6
    effective: Bytes17  # 9.5.7
    record_format: U8  # 9.5.8
    record_attributes: U8  # 9.5.9
    record_length: Both16  # 9.5.10
    system_id: Bytes32  # 9.5.11
    system_use: Annotated[bytes, RawBytes(64)]  # 9.5.12
    version: U8  # 9.5.13
    escape_length: U8  # 9.5.14
    reserved: Annotated[bytes, RawBytes(64)]  # 9.5.15
    application_use_length: Both16  # 9.5.16


EXTENDED_ATTRIBUTE_RECORD = Layout(ExtendedAttributeRecord, size=250)


class ContinuationArea(NamedTuple):
    """SUSP 5.1, the data of a CE entry (after the four bytes that every entry begins with)."""

    block: Both32
    offset: Both32
    length: Both32


CONTINUATION_AREA = Layout(ContinuationArea, size=24)


class PosixAttributes(NamedTuple):
    """RRIP 4.1.1, the data of a PX entry without the file serial number."""

    mode: Both32
    links: Both32
    uid: Both32
    gid: Both32


POSIX_ATTRIBUTES = Layout(PosixAttributes, size=32)


class Number(NamedTuple):
    """One 32-bit number in both byte orders: PX's file serial number, CL (RRIP 4.1.5.1), PL (4.1.5.2)."""

    value: Both32


NUMBER = Layout(Number, size=8)


class NumberPair(NamedTuple):
    """Two 32-bit numbers in both byte orders: PN (RRIP 4.1.2), the virtual size of SF (4.1.7)."""

    high: Both32
    low: Both32


NUMBER_PAIR = Layout(NumberPair, size=16)


class Zisofs(NamedTuple):
    """The data of a ZF entry (zisofs of H. P. Anvin): how the content is compressed."""

    algorithm: Annotated[bytes, RawBytes(2)]
    header_size_div_4: U8
    block_size_log2: U8
    uncompressed_size: Annotated[bytes, RawBytes(8)]  # version 1: both byte orders; 2: 64 bits


ZISOFS = Layout(Zisofs, size=12)


class ExtendedArchitecture(NamedTuple):
    """CD-ROM XA (System Description II.2.7), the first 14 bytes of a record's system use."""

    group: Big16
    user: Big16
    attributes: Big16
    signature: Annotated[bytes, RawBytes(2)]
    file_number: U8
    reserved: Annotated[bytes, RawBytes(5)]


EXTENDED_ARCHITECTURE = Layout(ExtendedArchitecture, size=14)


class RecordTime(NamedTuple):
    """9.1.5 Recording Date and Time; also the short form of Rock Ridge's TF."""

    years: U8  # since 1900
    month: U8
    day: U8
    hour: U8
    minute: U8
    second: U8
    offset: Annotated[int, "b"]  # quarters of an hour from Greenwich, -48 … +52


RECORD_TIME = Layout(RecordTime, size=7)

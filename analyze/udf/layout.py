"""The structures of ECMA-167 (3rd edition) and of OSTA UDF 2.60, as typed tables.

Here is what describes volumes and partitions; file_layout.py has files and directories. Clauses are
cited as the standards number them: "3/10.5" is ECMA-167 part 3 clause 10.5, "UDF 2.2.9" is OSTA UDF 2.60
section 2.2.9. Everything is little-endian (1/7.1).
"""

from typing import Annotated, NamedTuple

from acquire.layout import U8, Bytes16, Bytes32, Bytes128, Layout, Little16, Little32, Little64, RawBytes

Bytes2 = Annotated[bytes, RawBytes(2)]
Bytes6 = Annotated[bytes, RawBytes(6)]
Bytes12 = Annotated[bytes, RawBytes(12)]
Bytes64 = Annotated[bytes, RawBytes(64)]
LittleS16 = Annotated[int, "<h"]


class TagId:
    """Tag Identifiers (3/7.2.1, 4/7.2.1)."""

    SPARING_TABLE = 0  # UDF 2.2.12
    PRIMARY_VOLUME = 1
    ANCHOR = 2
    VOLUME_POINTER = 3
    IMPLEMENTATION_USE = 4
    PARTITION = 5
    LOGICAL_VOLUME = 6
    UNALLOCATED_SPACE = 7
    TERMINATING = 8
    INTEGRITY = 9
    FILE_SET = 256
    FILE_IDENTIFIER = 257
    ALLOCATION_EXTENT = 258
    INDIRECT_ENTRY = 259
    TERMINAL_ENTRY = 260
    FILE_ENTRY = 261
    ATTRIBUTE_HEADER = 262
    UNALLOCATED_ENTRY = 263
    SPACE_BITMAP = 264
    PARTITION_INTEGRITY = 265
    EXTENDED_FILE_ENTRY = 266


class FileType:
    """File Types of an ICB (4/14.6.6, UDF 2.3.5.2)."""

    UNSPECIFIED = 0
    DIRECTORY = 4
    FILE = 5
    BLOCK_DEVICE = 6
    CHARACTER_DEVICE = 7
    EXTENDED_ATTRIBUTES = 8
    FIFO = 9
    SOCKET = 10
    SYMLINK = 12
    STREAM_DIRECTORY = 13
    VAT = 248  # UDF 2.2.11
    REAL_TIME = 249  # UDF 6.11
    METADATA = 250  # UDF 2.2.13.1
    METADATA_MIRROR = 251
    METADATA_BITMAP = 252


class Timestamp12(NamedTuple):
    """1/7.3 Timestamp."""

    type_and_zone: Little16  # 1/7.3.1
    year: LittleS16  # 1/7.3.2
    month: U8  # 1/7.3.3
    day: U8  # 1/7.3.4
    hour: U8  # 1/7.3.5
    minute: U8  # 1/7.3.6
    second: U8  # 1/7.3.7
    centiseconds: U8  # 1/7.3.8
    hundreds_of_microseconds: U8  # 1/7.3.9
    microseconds: U8  # 1/7.3.10


TIMESTAMP = Layout(Timestamp12, size=12)


class EntityIdentifier(NamedTuple):
    """1/7.4 Entity identifier (regid)."""

    flags: U8  # 1/7.4.1
    identifier: Annotated[bytes, RawBytes(23)]  # 1/7.4.2
    suffix: Annotated[bytes, RawBytes(8)]  # 1/7.4.3, UDF 2.1.5.3


ENTITY_IDENTIFIER = Layout(EntityIdentifier, size=32)


class ExtentDescriptor(NamedTuple):
    """3/7.1 Extent Descriptor (extent_ad): bytes, and an absolute sector."""

    length: Little32  # 3/7.1.1
    location: Little32  # 3/7.1.2


EXTENT = Layout(ExtentDescriptor, size=8)


class Tag(NamedTuple):
    """3/7.2 Descriptor Tag (and 4/7.2)."""

    identifier: Little16  # 3/7.2.1
    version: Little16  # 3/7.2.2
    checksum: U8  # 3/7.2.3
    reserved: U8  # 3/7.2.4
    serial: Little16  # 3/7.2.5
    crc: Little16  # 3/7.2.6
    crc_length: Little16  # 3/7.2.7
    location: Little32  # 3/7.2.8


TAG = Layout(Tag, size=16)


class PrimaryVolumeDescriptor(NamedTuple):
    """3/10.1."""

    tag: Bytes16  # 3/10.1.1
    sequence_number: Little32  # 3/10.1.2
    descriptor_number: Little32  # 3/10.1.3
    volume_identifier: Bytes32  # 3/10.1.4
    volume_sequence_number: Little16  # 3/10.1.5
    maximum_volume_sequence_number: Little16  # 3/10.1.6
    interchange_level: Little16  # 3/10.1.7
    maximum_interchange_level: Little16  # 3/10.1.8
    character_sets: Little32  # 3/10.1.9
    maximum_character_sets: Little32  # 3/10.1.10
    volume_set_identifier: Bytes128  # 3/10.1.11
    descriptor_character_set: Bytes64  # 3/10.1.12
    explanatory_character_set: Bytes64  # 3/10.1.13
    abstract_length: Little32  # 3/10.1.14
    abstract_location: Little32
    copyright_length: Little32  # 3/10.1.15
    copyright_location: Little32
    application_identifier: Bytes32  # 3/10.1.16
    recording_time: Bytes12  # 3/10.1.17
    implementation_identifier: Bytes32  # 3/10.1.18
    implementation_use: Bytes64  # 3/10.1.19
    predecessor_location: Little32  # 3/10.1.20
    flags: Little16  # 3/10.1.21
    reserved: Annotated[bytes, RawBytes(22)]  # 3/10.1.22


PRIMARY_VOLUME = Layout(PrimaryVolumeDescriptor, size=512)


class AnchorVolumeDescriptorPointer(NamedTuple):
    """3/10.2, the part that says something."""

    tag: Bytes16  # 3/10.2.1
    main_length: Little32  # 3/10.2.2
    main_location: Little32
    reserve_length: Little32  # 3/10.2.3
    reserve_location: Little32


ANCHOR = Layout(AnchorVolumeDescriptorPointer, size=32)


class VolumeDescriptorPointer(NamedTuple):
    """3/10.3, the part that says something."""

    tag: Bytes16  # 3/10.3.1
    sequence_number: Little32  # 3/10.3.2
    next_length: Little32  # 3/10.3.3
    next_location: Little32


VOLUME_POINTER = Layout(VolumeDescriptorPointer, size=28)


class LogicalVolumeInformation(NamedTuple):
    """3/10.4 Implementation Use Volume Descriptor as UDF 2.2.7 uses it ("*UDF LV Info")."""

    tag: Bytes16  # 3/10.4.1
    sequence_number: Little32  # 3/10.4.2
    identifier: Bytes32  # 3/10.4.3
    character_set: Bytes64  # UDF 2.2.7.2.1
    logical_volume_identifier: Bytes128  # UDF 2.2.7.2.2
    owner: Annotated[bytes, RawBytes(36)]  # UDF 2.2.7.2.3, LVInfo1
    organization: Annotated[bytes, RawBytes(36)]  # LVInfo2
    contact: Annotated[bytes, RawBytes(36)]  # LVInfo3
    implementation_identifier: Bytes32  # UDF 2.2.7.2.4
    implementation_use: Bytes128  # UDF 2.2.7.2.5


LOGICAL_VOLUME_INFORMATION = Layout(LogicalVolumeInformation, size=512)


class PartitionDescriptor(NamedTuple):
    """3/10.5."""

    tag: Bytes16  # 3/10.5.1
    sequence_number: Little32  # 3/10.5.2
    flags: Little16  # 3/10.5.3
    number: Little16  # 3/10.5.4
    contents: Bytes32  # 3/10.5.5
    contents_use: Bytes128  # 3/10.5.6, a Partition Header Descriptor (UDF 2.3.3)
    access_type: Little32  # 3/10.5.7, UDF 2.2.14.2
    starting_location: Little32  # 3/10.5.8
    length: Little32  # 3/10.5.9
    implementation_identifier: Bytes32  # 3/10.5.10
    implementation_use: Bytes128  # 3/10.5.11
    reserved: Annotated[bytes, RawBytes(156)]  # 3/10.5.12


PARTITION = Layout(PartitionDescriptor, size=512)


class LogicalVolumeDescriptor(NamedTuple):
    """3/10.6, without the partition maps that follow it."""

    tag: Bytes16  # 3/10.6.1
    sequence_number: Little32  # 3/10.6.2
    character_set: Bytes64  # 3/10.6.3
    identifier: Bytes128  # 3/10.6.4
    block_size: Little32  # 3/10.6.5
    domain: Bytes32  # 3/10.6.6, UDF 2.2.4.3
    file_set_length: Little32  # 3/10.6.7, a long_ad (UDF 2.2.4.4)
    file_set_block: Little32
    file_set_partition: Little16
    file_set_use: Bytes6
    map_table_length: Little32  # 3/10.6.8
    map_count: Little32  # 3/10.6.9
    implementation_identifier: Bytes32  # 3/10.6.10
    implementation_use: Bytes128  # 3/10.6.11
    integrity_length: Little32  # 3/10.6.12
    integrity_location: Little32


LOGICAL_VOLUME = Layout(LogicalVolumeDescriptor, size=440)


class UdfPartitionMap(NamedTuple):
    """3/10.7.3 Type 2 Partition Map, as UDF 2.2.8 to 2.2.10 begin theirs."""

    map_type: U8  # 3/10.7.3.1
    map_length: U8  # 3/10.7.3.2
    reserved: Bytes2
    identifier: Bytes32
    volume_sequence_number: Little16
    partition_number: Little16


UDF_MAP = Layout(UdfPartitionMap, size=40)


class SparableMap(NamedTuple):
    """UDF 2.2.9, what follows the partition number."""

    packet_length: Little16
    table_count: U8
    reserved: U8
    table_size: Little32
    table_1: Little32
    table_2: Little32
    table_3: Little32
    table_4: Little32


SPARABLE_MAP = Layout(SparableMap, size=24)


class MetadataMap(NamedTuple):
    """UDF 2.2.10, what follows the partition number."""

    file_location: Little32
    mirror_location: Little32
    bitmap_location: Little32
    allocation_unit: Little32
    alignment_unit: Little16
    flags: U8
    reserved: Annotated[bytes, RawBytes(5)]


METADATA_MAP = Layout(MetadataMap, size=24)


class SparingTable(NamedTuple):
    """UDF 2.2.12, without the entries that follow it."""

    tag: Bytes16
    identifier: Bytes32
    entry_count: Little16
    reserved: Bytes2
    sequence_number: Little32


SPARING_TABLE = Layout(SparingTable, size=56)


class VirtualAllocationTable(NamedTuple):
    """UDF 2.2.11 (2.00 and later), without the implementation use and the entries that follow it."""

    header_length: Little16
    implementation_use_length: Little16
    logical_volume_identifier: Bytes128
    previous_location: Little32
    files: Little32
    directories: Little32
    minimum_read_revision: Little16
    minimum_write_revision: Little16
    maximum_write_revision: Little16
    reserved: Bytes2


VAT = Layout(VirtualAllocationTable, size=152)


class VatTail150(NamedTuple):
    """UDF 1.50 2.2.10: what ends a Virtual Allocation Table of UDF 1.50."""

    identifier: Bytes32  # "*UDF Virtual Alloc Tbl"
    previous_location: Little32


VAT_TAIL_150 = Layout(VatTail150, size=36)


class VatExtension(NamedTuple):
    """UDF 1.50 errata DCN 5003, 3.3.4.5.1.3: implementation use of "*UDF VAT LVExtension"."""

    header_checksum: Little16
    verification: Little64
    files: Little32
    directories: Little32
    logical_volume_identifier: Bytes128


VAT_EXTENSION = Layout(VatExtension, size=146)


class IntegrityDescriptor(NamedTuple):
    """3/10.10, without the tables that follow it."""

    tag: Bytes16  # 3/10.10.1
    recording_time: Bytes12  # 3/10.10.2
    integrity_type: Little32  # 3/10.10.3
    next_length: Little32  # 3/10.10.4
    next_location: Little32
    next_unique_id: Little64  # 3/10.10.5, UDF 3.2.1
    contents_use: Annotated[bytes, RawBytes(24)]
    partition_count: Little32  # 3/10.10.6
    implementation_use_length: Little32  # 3/10.10.7


INTEGRITY = Layout(IntegrityDescriptor, size=80)


class IntegrityUse(NamedTuple):
    """UDF 2.2.6.4: implementation use of the Logical Volume Integrity Descriptor."""

    implementation_identifier: Bytes32
    files: Little32
    directories: Little32
    minimum_read_revision: Little16
    minimum_write_revision: Little16
    maximum_write_revision: Little16


INTEGRITY_USE = Layout(IntegrityUse, size=46)

"""The structures of files and directories (ECMA-167 part 4), as typed tables; see layout.py."""

from typing import Annotated, NamedTuple

from acquire.layout import U8, Bytes16, Bytes32, Bytes128, Layout, Little16, Little32, Little64, RawBytes
from analyze.udf.layout import Bytes2, Bytes6, Bytes12, Bytes64


class FileSetDescriptor(NamedTuple):
    """4/14.1."""

    tag: Bytes16  # 4/14.1.1
    recording_time: Bytes12  # 4/14.1.2
    interchange_level: Little16  # 4/14.1.3
    maximum_interchange_level: Little16  # 4/14.1.4
    character_sets: Little32  # 4/14.1.5
    maximum_character_sets: Little32  # 4/14.1.6
    number: Little32  # 4/14.1.7
    descriptor_number: Little32  # 4/14.1.8
    logical_volume_character_set: Bytes64  # 4/14.1.9
    logical_volume_identifier: Bytes128  # 4/14.1.10
    character_set: Bytes64  # 4/14.1.11
    identifier: Bytes32  # 4/14.1.12
    copyright_file: Bytes32  # 4/14.1.13
    abstract_file: Bytes32  # 4/14.1.14
    root_length: Little32  # 4/14.1.15, a long_ad
    root_block: Little32
    root_partition: Little16
    root_use: Bytes6
    domain: Bytes32  # 4/14.1.16
    next_length: Little32  # 4/14.1.17, a long_ad
    next_block: Little32
    next_partition: Little16
    next_use: Bytes6
    streams_length: Little32  # 4/14.1.18, a long_ad: the System Stream Directory
    streams_block: Little32
    streams_partition: Little16
    streams_use: Bytes6
    reserved: Bytes32  # 4/14.1.19


FILE_SET = Layout(FileSetDescriptor, size=512)


class PartitionHeader(NamedTuple):
    """4/14.3 Partition Header Descriptor, the five short_ads."""

    unallocated_table_length: Little32  # 4/14.3.1
    unallocated_table: Little32
    unallocated_bitmap_length: Little32  # 4/14.3.2
    unallocated_bitmap: Little32
    integrity_table_length: Little32  # 4/14.3.3
    integrity_table: Little32
    freed_table_length: Little32  # 4/14.3.4
    freed_table: Little32
    freed_bitmap_length: Little32  # 4/14.3.5
    freed_bitmap: Little32


PARTITION_HEADER = Layout(PartitionHeader, size=40)


class AllocationExtent(NamedTuple):
    """4/14.5 Allocation Extent Descriptor."""

    tag: Bytes16  # 4/14.5.1
    previous: Little32  # 4/14.5.2
    descriptors_length: Little32  # 4/14.5.3


ALLOCATION_EXTENT = Layout(AllocationExtent, size=24)


class IndirectEntry(NamedTuple):
    """4/14.7, after its tag and ICB tag: a long_ad."""

    length: Little32
    block: Little32
    partition: Little16
    use: Bytes6


INDIRECT_ENTRY = Layout(IndirectEntry, size=16)


class LongAllocation(NamedTuple):
    """4/14.14.2 Long Allocation Descriptor (long_ad), as in a stream directory's or attributes' ICB."""

    length: Little32  # 4/14.14.2.1
    block: Little32  # 4/14.14.2.2
    partition: Little16
    use: Bytes6  # 4/14.14.2.3


LONG_ALLOCATION = Layout(LongAllocation, size=16)


class AttributeHeader(NamedTuple):
    """4/14.10.1 Extended Attribute Header Descriptor."""

    tag: Bytes16  # 4/14.10.1.1
    implementation_location: Little32  # 4/14.10.1.2
    application_location: Little32  # 4/14.10.1.3


ATTRIBUTE_HEADER = Layout(AttributeHeader, size=24)


class AttributeFormat(NamedTuple):
    """4/14.10.2 Generic format of an extended attribute."""

    attribute_type: Little32  # 4/14.10.2.1
    subtype: U8  # 4/14.10.2.2
    reserved: Annotated[bytes, RawBytes(3)]  # 4/14.10.2.3
    length: Little32  # 4/14.10.2.4


ATTRIBUTE_FORMAT = Layout(AttributeFormat, size=12)


class UnallocatedEntry(NamedTuple):
    """4/14.11 Unallocated Space Entry, before its allocation descriptors."""

    tag: Bytes16  # 4/14.11.1
    icb_tag: Annotated[bytes, RawBytes(20)]  # 4/14.11.2
    descriptors_length: Little32  # 4/14.11.3


UNALLOCATED_ENTRY = Layout(UnallocatedEntry, size=40)


class SpaceBitmap(NamedTuple):
    """4/14.12 Space Bitmap Descriptor, before its bitmap."""

    tag: Bytes16  # 4/14.12.1
    bit_count: Little32  # 4/14.12.2
    byte_count: Little32  # 4/14.12.3


SPACE_BITMAP = Layout(SpaceBitmap, size=24)


class FileIdentifier(NamedTuple):
    """4/14.4 File Identifier Descriptor, before its implementation use and identifier."""

    tag_identifier: Little16  # 4/14.4.1
    tag_version: Little16
    tag_checksum: U8
    tag_reserved: U8
    tag_serial: Little16
    tag_crc: Little16
    tag_crc_length: Little16
    tag_location: Little32
    version: Little16  # 4/14.4.2
    characteristics: U8  # 4/14.4.3
    identifier_length: U8  # 4/14.4.4
    icb_length: Little32  # 4/14.4.5, a long_ad
    icb_block: Little32
    icb_partition: Little16
    icb_flags: Little16  # UDF 2.3.4.3
    icb_unique_id: Little32
    implementation_use_length: Little16  # 4/14.4.6


FILE_IDENTIFIER = Layout(FileIdentifier, size=38)


class FileEntry(NamedTuple):
    """4/14.9 File Entry with its tag and ICB tag (4/14.6), before its attributes and descriptors."""

    tag_identifier: Little16  # 4/14.9.1
    tag_version: Little16
    tag_checksum: U8
    tag_reserved: U8
    tag_serial: Little16
    tag_crc: Little16
    tag_crc_length: Little16
    tag_location: Little32
    prior_entries: Little32  # 4/14.6.1
    strategy: Little16  # 4/14.6.2
    strategy_parameter: Bytes2  # 4/14.6.3
    maximum_entries: Little16  # 4/14.6.4
    icb_reserved: U8  # 4/14.6.5
    file_type: U8  # 4/14.6.6
    parent_block: Little32  # 4/14.6.7
    parent_partition: Little16
    flags: Little16  # 4/14.6.8
    uid: Little32  # 4/14.9.3
    gid: Little32  # 4/14.9.4
    permissions: Little32  # 4/14.9.5
    link_count: Little16  # 4/14.9.6
    record_format: U8  # 4/14.9.7
    record_attributes: U8  # 4/14.9.8
    record_length: Little32  # 4/14.9.9
    information_length: Little64  # 4/14.9.10
    blocks_recorded: Little64  # 4/14.9.11
    access_time: Bytes12  # 4/14.9.12
    modification_time: Bytes12  # 4/14.9.13
    attribute_time: Bytes12  # 4/14.9.14
    checkpoint: Little32  # 4/14.9.15
    attributes_icb: Bytes16  # 4/14.9.16
    implementation_identifier: Bytes32  # 4/14.9.17
    unique_id: Little64  # 4/14.9.18
    attributes_length: Little32  # 4/14.9.19
    descriptors_length: Little32  # 4/14.9.20


FILE_ENTRY = Layout(FileEntry, size=176)


class ExtendedFileEntry(NamedTuple):
    """4/14.17 Extended File Entry with its tag and ICB tag, before its attributes and descriptors."""

    tag_identifier: Little16  # 4/14.17.1
    tag_version: Little16
    tag_checksum: U8
    tag_reserved: U8
    tag_serial: Little16
    tag_crc: Little16
    tag_crc_length: Little16
    tag_location: Little32
    prior_entries: Little32  # 4/14.6.1
    strategy: Little16  # 4/14.6.2
    strategy_parameter: Bytes2  # 4/14.6.3
    maximum_entries: Little16  # 4/14.6.4
    icb_reserved: U8  # 4/14.6.5
    file_type: U8  # 4/14.6.6
    parent_block: Little32  # 4/14.6.7
    parent_partition: Little16
    flags: Little16  # 4/14.6.8
    uid: Little32  # 4/14.17.3
    gid: Little32  # 4/14.17.4
    permissions: Little32  # 4/14.17.5
    link_count: Little16  # 4/14.17.6
    record_format: U8  # 4/14.17.7
    record_attributes: U8  # 4/14.17.8
    record_length: Little32  # 4/14.17.9
    information_length: Little64  # 4/14.17.10
    object_size: Little64  # 4/14.17.11
    blocks_recorded: Little64  # 4/14.17.12
    access_time: Bytes12  # 4/14.17.13
    modification_time: Bytes12  # 4/14.17.14
    creation_time: Bytes12  # 4/14.17.15
    attribute_time: Bytes12  # 4/14.17.16
    checkpoint: Little32  # 4/14.17.17
    reserved: Little32  # 4/14.17.18
    attributes_icb: Bytes16  # 4/14.17.19
    streams_icb: Bytes16  # 4/14.17.20
    implementation_identifier: Bytes32  # 4/14.17.21
    unique_id: Little64  # 4/14.17.22
    attributes_length: Little32  # 4/14.17.23
    descriptors_length: Little32  # 4/14.17.24


EXTENDED_FILE_ENTRY = Layout(ExtendedFileEntry, size=216)


class PathComponent(NamedTuple):
    """4/14.16.1 Path Component of a symbolic link, before its identifier."""

    component_type: U8  # 4/14.16.1.1
    identifier_length: U8  # 4/14.16.1.2
    version: Little16  # 4/14.16.1.3


PATH_COMPONENT = Layout(PathComponent, size=4)


class FileTimes(NamedTuple):
    """4/14.10.5 File Times Extended Attribute, after its generic part and before its times."""

    data_length: Little32  # 4/14.10.5.5
    existence: Little32  # 4/14.10.5.6


FILE_TIMES = Layout(FileTimes, size=8)


class DeviceSpecification(NamedTuple):
    """4/14.10.7 Device Specification Extended Attribute, after its generic part."""

    implementation_use_length: Little32  # 4/14.10.7.5
    major: Little32  # 4/14.10.7.6
    minor: Little32  # 4/14.10.7.7


DEVICE_SPECIFICATION = Layout(DeviceSpecification, size=12)


class AttributeUse(NamedTuple):
    """4/14.10.8 Implementation Use (and 4/14.10.9 Application Use) attribute, after its generic part."""

    length: Little32  # 4/14.10.8.5
    identifier: Bytes32  # 4/14.10.8.6


ATTRIBUTE_USE = Layout(AttributeUse, size=36)

"""HFS and HFS+ structures as typed tables. IM = Inside Macintosh: Files ch. 2; TN = TN1150."""

from typing import Annotated, NamedTuple

from acquire.layout import U8, Big16, Big32, Big64, Bytes16, Bytes32, Layout, RawBytes

Bytes12 = Annotated[bytes, RawBytes(12)]
Bytes28 = Annotated[bytes, RawBytes(28)]
Bytes80 = Annotated[bytes, RawBytes(80)]
Signed8 = Annotated[int, "b"]

HFS_SIGNATURE = 0x4244  # "BD", IM 2-60
HFSPLUS_SIGNATURE = 0x482B  # "H+", TN "Volume Header"
HFSX_SIGNATURE = 0x4858  # "HX", TN "HFSX"


class MasterDirectoryBlock(NamedTuple):
    """IM 2-60: the volume's description, 1024 bytes from its start."""

    signature: Big16
    created: Big32
    modified: Big32
    attributes: Big16
    root_files: Big16
    bitmap_block: Big16
    allocation_search: Big16
    allocation_blocks: Big16
    allocation_block_bytes: Big32
    clump_bytes: Big32
    first_allocation_block: Big16  # in 512-byte blocks from the volume's start
    next_id: Big32
    free_blocks: Big16
    name: Bytes28  # a Pascal string
    backup: Big32
    sequence: Big16
    writes: Big32
    extents_clump: Big32
    catalog_clump: Big32
    root_directories: Big16
    files: Big32
    directories: Big32
    finder: Bytes32
    embedded_signature: Big16  # TN "HFS Wrapper": drEmbedSigWord
    embedded_start: Big16
    embedded_blocks: Big16
    extents_bytes: Big32
    extents_extents: Bytes12
    catalog_bytes: Big32
    catalog_extents: Bytes12


MDB = Layout(MasterDirectoryBlock, size=162)


class VolumeHeader(NamedTuple):
    """TN "Volume Header": 1024 bytes from the start, and a copy 1024 bytes before the end."""

    signature: Big16
    version: Big16
    attributes: Big32
    mounted_by: Big32
    journal_block: Big32
    created: Big32  # local time
    modified: Big32  # UTC, as are all the others
    backup: Big32
    checked: Big32
    files: Big32
    folders: Big32
    block_bytes: Big32
    blocks: Big32
    free_blocks: Big32
    next_allocation: Big32
    resource_clump: Big32
    data_clump: Big32
    next_id: Big32
    writes: Big32
    encodings: Big64
    finder: Bytes32
    allocation_fork: Bytes80
    extents_fork: Bytes80
    catalog_fork: Bytes80
    attributes_fork: Bytes80
    startup_fork: Bytes80


VOLUME_HEADER = Layout(VolumeHeader, size=512)


class NodeDescriptor(NamedTuple):
    """TN "Node Descriptor" (the same in IM 2-65)."""

    next_node: Big32
    previous_node: Big32
    kind: Signed8
    height: U8
    records: Big16
    reserved: Big16


NODE = Layout(NodeDescriptor, size=14)
LEAF, INDEX, HEADER, MAP = -1, 0, 1, 2


class TreeHeader(NamedTuple):
    """TN "Header Record", the part that HFS has too (IM 2-68)."""

    depth: Big16
    root: Big32
    leaf_records: Big32
    first_leaf: Big32
    last_leaf: Big32
    node_bytes: Big16
    longest_key: Big16
    nodes: Big32
    free_nodes: Big32


TREE_HEADER = Layout(TreeHeader, size=30)


class HfsDirectory(NamedTuple):
    """IM 2-72, cdrDirRec."""

    kind: U8
    reserved: U8
    flags: Big16
    valence: Big16
    id: Big32
    created: Big32
    modified: Big32
    backup: Big32
    finder: Bytes16
    more_finder: Bytes16
    reserved2: Bytes16


HFS_DIRECTORY = Layout(HfsDirectory, size=70)


class HfsFile(NamedTuple):
    """IM 2-72, cdrFilRec."""

    kind: U8
    reserved: U8
    flags: U8
    file_type: U8
    finder: Bytes16
    id: Big32
    data_block: Big16
    data_bytes: Big32
    data_allocated: Big32
    resource_block: Big16
    resource_bytes: Big32
    resource_allocated: Big32
    created: Big32
    modified: Big32
    backup: Big32
    more_finder: Bytes16
    clump: Big16
    data_extents: Bytes12
    resource_extents: Bytes12
    reserved2: Big32


HFS_FILE = Layout(HfsFile, size=102)


class PlusFolder(NamedTuple):
    """TN "Catalog Folder Records"."""

    kind: Big16
    flags: Big16
    valence: Big32
    id: Big32
    created: Big32
    modified: Big32
    changed: Big32
    accessed: Big32
    backup: Big32
    owner: Big32
    group: Big32
    admin_flags: U8
    owner_flags: U8
    mode: Big16
    special: Big32
    finder: Bytes16
    more_finder: Bytes16
    encoding: Big32
    reserved: Big32


PLUS_FOLDER = Layout(PlusFolder, size=88)


class PlusFile(NamedTuple):
    """TN "Catalog File Records"; the first 80 bytes are laid out as a folder's."""

    kind: Big16
    flags: Big16
    reserved: Big32
    id: Big32
    created: Big32
    modified: Big32
    changed: Big32
    accessed: Big32
    backup: Big32
    owner: Big32
    group: Big32
    admin_flags: U8
    owner_flags: U8
    mode: Big16
    special: Big32  # link reference, link count or device number
    finder: Bytes16
    more_finder: Bytes16
    encoding: Big32
    reserved2: Big32
    data_fork: Bytes80
    resource_fork: Bytes80


PLUS_FILE = Layout(PlusFile, size=248)

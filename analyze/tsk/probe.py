"""Whether a file system for The Sleuth Kit may begin at a byte: its signatures, before any process starts."""

from typing import NamedTuple

PROBE_BYTES = 0x11000


class Signature(NamedTuple):
    """A family and the bytes that it always has at a place from its start."""

    family: str
    offset: int
    magic: bytes


SIGNATURES = (
    Signature("ntfs", 3, b"NTFS    "),  # boot sector, OEM identifier
    Signature("exfat", 3, b"EXFAT   "),  # exFAT specification 3.1.2
    Signature("ext", 0x438, b"\x53\xef"),  # superblock s_magic
    Signature("apfs", 32, b"NXSB"),  # container superblock
    Signature("ufs", 0x255C, b"\x54\x19\x01\x00"),  # UFS1 superblock at 8 KiB, fs_magic
    Signature("ufs", 0x255C, b"\x00\x01\x19\x54"),
    Signature("ufs", 0x1055C, b"\x19\x01\x54\x19"),  # UFS2 superblock at 64 KiB
    Signature("ufs", 0x1055C, b"\x19\x54\x01\x19"),
)

_JUMPS = (0xEB, 0xE9)
_FAT_SECTORS = (512, 1024, 2048, 4096)


def family(head: bytes) -> str | None:
    """The family whose signature `head` (the first PROBE_BYTES, or fewer) holds, None if no one's."""
    for signature in SIGNATURES:
        end = signature.offset + len(signature.magic)
        if head[signature.offset : end] == signature.magic:
            return signature.family
    return "fat" if _is_fat(head) else None


def _is_fat(head: bytes) -> bool:
    """A FAT boot sector by its parameter block (ECMA-107 §9.1), not by its label, which may lie."""
    if len(head) < 512 or head[0] not in _JUMPS or head[510:512] != b"\x55\xaa":
        return False
    sector_bytes = int.from_bytes(head[11:13], "little")
    cluster, fats = head[13], head[16]
    reserved = int.from_bytes(head[14:16], "little")
    return (
        sector_bytes in _FAT_SECTORS
        and cluster != 0
        and cluster & (cluster - 1) == 0
        and reserved != 0
        and fats in (1, 2)
        and head[21] >= 0xF0
    )

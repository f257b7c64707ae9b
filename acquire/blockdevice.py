"""What the kernel says of a block device: its size, its maker, and who uses it. Reads sysfs and procfs only.

linux/fs.h (BLKSSZGET, BLKGETSIZE64), Documentation/ABI/stable/sysfs-block, proc_pid_mountinfo(5).
"""

import fcntl
import os
import re
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

_BLKSSZGET = 0x1268
_BLKGETSIZE64 = 0x80081272
_MAX_HOLDERS = 1000
_MAX_TEXT_BYTES = 4096

SYSFS = Path("/sys/dev/block")
UDEV = Path("/run/udev/data")
MOUNTINFO = Path("/proc/self/mountinfo")
SWAPS = Path("/proc/swaps")


def size_bytes(descriptor: int) -> int:
    """The size of an opened block device (BLKGETSIZE64; else where seeking to its end leads)."""
    with suppress(OSError):
        return int(struct.unpack("=Q", fcntl.ioctl(descriptor, _BLKGETSIZE64, bytes(8)))[0])
    return os.lseek(descriptor, 0, os.SEEK_END)


def logical_block_bytes(descriptor: int) -> int:
    """The smallest piece that the device reads (BLKSSZGET)."""
    with suppress(OSError):
        size = int(struct.unpack("=i", fcntl.ioctl(descriptor, _BLKSSZGET, bytes(4)))[0])
        if size >= 512 and size & (size - 1) == 0:
            return size
    return 512


def describe(device: int) -> dict[str, Any]:
    """What is known of the device number `device`; what the kernel does not say is not there."""
    here = _folder(device)
    if here is None:
        return {}
    known: dict[str, Any] = {"kernel_name": here.name}
    disk = here.parent if (here / "partition").exists() else here
    if disk != here:
        known |= {"partition": _text(here / "partition"), "start_512_byte_sectors": _text(here / "start")}
        known["of_disk"] = disk.name
    udev = _udev(disk)
    found = {
        "vendor": _text(disk / "device/vendor") or udev.get("ID_VENDOR"),
        "model": _text(disk / "device/model") or udev.get("ID_MODEL"),
        "serial": _text(disk / "device/serial") or _text(disk / "serial") or udev.get("ID_SERIAL_SHORT"),
        "firmware": _text(disk / "device/rev")
        or _text(disk / "device/firmware_rev")
        or udev.get("ID_REVISION"),
        "wwid": _text(disk / "wwid") or _text(disk / "device/wwid"),
        "bus": udev.get("ID_BUS"),
        "bus_path": str(disk.resolve()).removeprefix("/sys/devices/") if disk.exists() else None,
        "scsi_type": _text(disk / "device/type"),
        "backing_file": _text(disk / "loop/backing_file"),
        "logical_block_bytes": _text(disk / "queue/logical_block_size"),
        "physical_block_bytes": _text(disk / "queue/physical_block_size"),
    }
    known |= {name: value for name, value in found.items() if value}
    for name, file in (("removable", "removable"), ("read_only", "ro"), ("rotational", "queue/rotational")):
        value = _text(disk / file)
        if value:
            known[name] = value == "1"
    for name in ("logical_block_bytes", "physical_block_bytes", "scsi_type", "partition"):
        if str(known.get(name, "")).isdecimal():
            known[name] = int(known[name])
    return known


def sequence(device: int) -> str:
    """A number that changes whenever another disk or medium takes the name; "" if the kernel has none."""
    here = _folder(device)
    if here is None:
        return ""
    return _text(here / "diskseq") or _text(here.parent / "diskseq") or ""


def in_use(device: int) -> str | None:
    """Where the device, a partition of it, its disk or what is built on it is mounted or swapped to.

    Returns words that follow "The device is …", or None if nobody uses it.
    """
    related = dict(_related(device))
    for number, source, mount_point in _mounts():
        owner = number
        if owner not in related and source.startswith("/"):
            with suppress(OSError):  # btrfs and others show a number of their own, but name the device
                owner = os.stat(source).st_rdev  # noqa: PTH116  a Path would add nothing here
        if owner in related:
            which = "" if owner == device else f" (as {related[owner]})"
            return f"mounted at {mount_point}{which}"
    with suppress(OSError):
        for line in SWAPS.read_text().splitlines()[1:]:
            words = line.split()
            with suppress(OSError):
                if words and os.stat(_unescape(words[0])).st_rdev in related:  # noqa: PTH116
                    return "used as swap space"
    return None


def _related(device: int) -> Iterator[tuple[int, str]]:
    """Device numbers, with names, whose bytes are also bytes of `device`."""
    yield device, "itself"
    here = _folder(device)
    if here is None:
        return
    if (here / "partition").exists():
        yield from _number(here.parent)
        waiting = [here]
    else:
        waiting = [here, *(part.parent for part in here.glob("*/partition"))]
    seen = 0
    while waiting and seen < _MAX_HOLDERS:
        folder = waiting.pop()
        seen += 1
        yield from _number(folder)
        with suppress(OSError):
            waiting.extend(holder.resolve() for holder in (folder / "holders").iterdir())


def _number(folder: Path) -> Iterator[tuple[int, str]]:
    major, _, minor = (_text(folder / "dev") or "").partition(":")
    if major.isdecimal() and minor.isdecimal():
        yield os.makedev(int(major), int(minor)), folder.name


def _folder(device: int) -> Path | None:
    """The device's folder in sysfs."""
    link = SYSFS / f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError):
        return link.resolve(strict=True)
    return None


def _mounts() -> Iterator[tuple[int, str, str]]:
    """Device number, source and mount point of every mount (proc_pid_mountinfo(5), fields 3, 5 and 10)."""
    try:
        lines = MOUNTINFO.read_bytes().decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return
    for line in lines:
        before, _, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if len(fields) < 5 or len(rest) < 2:
            continue
        major, _, minor = fields[2].partition(":")
        if major.isdecimal() and minor.isdecimal():
            yield os.makedev(int(major), int(minor)), _unescape(rest[1]), _unescape(fields[4])


def _unescape(text: str) -> str:
    """Spaces and the like stand as octal escapes in the kernel's tables."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _text(path: Path) -> str | None:
    """The text of a small file of the kernel's; None if it is absent or empty."""
    with suppress(OSError):
        with path.open("rb") as file:
            text = file.read(_MAX_TEXT_BYTES).decode("utf-8", "replace")
        return text.strip("\0 \t\n") or None
    return None


def _udev(disk: Path) -> dict[str, str]:
    """The udev database's words on a disk (lines `E:NAME=value`), where udev runs."""
    number = _text(disk / "dev")
    text = number and _text(UDEV / f"b{number}")
    pairs = (line[2:].partition("=") for line in (text or "").splitlines() if line.startswith("E:"))
    return {name: value.replace("_", " ").strip() for name, _, value in pairs if value}

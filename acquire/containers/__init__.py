"""One module a container format; `open_image` chooses among them by content."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from acquire.containers.ewf_foreign import open_ewf
from acquire.containers.raw import RawImage
from acquire.image import Image
from acquire.source import open_readable

Opener = Callable[[Path, bytes], Image | None]
"""Opens a path if its first bytes say that it is this container's; None if they do not.

Raises ContainerError where they do and it is not.
"""

HEAD_BYTES = 512

CONTAINERS: tuple[Opener, ...] = (open_ewf,)
"""The containers that wrap an image, in the order in which they are tried."""


def open_container(path: str | Path) -> Image | None:
    """Open `path` if it is a container that wraps an image; None if it is plain bytes, or a device.

    Raises:
        SourceError: it is missing, unreadable, a folder or the like.
        ContainerError: it says that it is a container, and is not.
    """
    path = Path(path)
    with open(open_readable(path), "rb", buffering=0) as file:  # noqa: PTH123  of a descriptor
        if stat.S_ISBLK(os.fstat(file.fileno()).st_mode):
            return None
        try:
            head = file.read(HEAD_BYTES) or b""
        except OSError:
            return None  # the first sector is bad: that is for the raw image to say
    for opener in CONTAINERS:
        image = opener(path, head)
        if image is not None:
            return image
    return None


def open_image(path: str | Path) -> Image:
    """Open an image file or device by its content; plain bytes are an image of 2048-byte sectors.

    Raises:
        SourceError: it is missing, unreadable, empty, a folder or the like.
        ContainerError: it says that it is a container, and is not.
    """
    return open_container(path) or RawImage(Path(path))


__all__ = ["CONTAINERS", "RawImage", "open_container", "open_image"]

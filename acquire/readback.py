"""Read a finished container back from the disk, and compare it with what was written into it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from acquire.containers.e01_reader import E01Image
from acquire.digest import new_digest
from acquire.durable import forget_cached
from acquire.errors import JewelcaseError
from acquire.pump import Pump

Tick = Callable[[int], None]
"""Called with how many bytes are read so far; may raise to stop."""


class ReadBack(NamedTuple):
    """The digests of the media data in a container, how long it is, and what is wrong with it."""

    digests: dict[str, str]
    size_bytes: int
    problems: tuple[str, ...]


def read_back(files: list[Path], format_: str, names: tuple[str, ...], tick: Tick) -> ReadBack:
    """Read the container whose first file is `files[0]` from the disk, with digests `names`.

    What cannot be read is a problem, not an error.
    """
    problems: list[str] = []
    stored: dict[str, str | None] = {}
    digests = {name: new_digest(name) for name in names}
    position = 0
    try:
        for file in files:
            forget_cached(file)
        with Pump(digests) as pump:
            blocks = _raw(files[0], pump) if format_ == "raw" else _e01(files[0], pump, problems, stored)
            for position in blocks:
                tick(position)
            pump.finish()
    except OSError as error:
        problems.append(f"It cannot be read at byte {position}: {error.strerror or error}")
    except JewelcaseError as error:
        problems.append(str(error))
    found = {name: digest.hexdigest() for name, digest in digests.items()}
    for name, value in stored.items():
        if name in found and value != found[name]:
            problems.append(f"It records {name} {value}, and holds data of {name} {found[name]}")
    return ReadBack(found, position, tuple(problems))


def _raw(path: Path, pump: Pump) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(descriptor).st_size

        def fill(view: memoryview, position: int) -> None:
            done = 0
            while done < len(view):
                got = os.preadv(descriptor, [view[done:]], position + done)
                if not got:
                    raise OSError(0, "the file became shorter while it was read")
                done += got

        yield from pump.copy(fill, size)
    finally:
        os.close(descriptor)


def _e01(path: Path, pump: Pump, problems: list[str], stored: dict[str, str | None]) -> Iterator[int]:
    with E01Image(path) as image:
        yield from pump.take(image.blocks())
        problems += [f"{found.what} ({found.file} at byte {found.offset})" for found in image.problems]
        stored |= {"md5": image.stored_md5, "sha1": image.stored_sha1}

"""Several digests in one pass over the bytes; hashlib releases the GIL, so each may have a thread."""

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from acquire.errors import UsageError

DEFAULT_DIGESTS = ("md5", "sha1", "sha256")

_NEW: dict[str, Callable[[], Any]] = {
    "md5": lambda: hashlib.md5(usedforsecurity=False),
    "sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
    "blake2b": hashlib.blake2b,
}
DIGESTS = tuple(_NEW)
"""The names that `--digest` takes."""


def new_digest(name: str) -> Any:  # noqa: ANN401  hashlib has no public type for its objects
    """A fresh digest object by its name in `DIGESTS`."""
    if name not in _NEW:
        raise UsageError(f"Unknown digest {name!r}", do=f"Choose from {', '.join(DIGESTS)}")
    return _NEW[name]()


def one_shot(names: Sequence[str] = DEFAULT_DIGESTS) -> Callable[[bytes | memoryview], dict[str, str]]:
    """A function that gives every digest of a piece that is whole in memory, without a MultiDigest for it."""
    for name in names:
        new_digest(name)  # an unknown name is refused here, with its sentence
    made = [(name, getattr(hashlib, name)) for name in names]

    def digests(data: bytes | memoryview) -> dict[str, str]:
        return {name: new(data, usedforsecurity=False).hexdigest() for name, new in made}

    return digests


class MultiDigest:
    """Feed bytes once, get every digest. `threads=True` pays from about 256 KiB an update on."""

    def __init__(
        self,
        names: Sequence[str] = DEFAULT_DIGESTS,
        *,
        threads: bool = False,
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Start the digests `names`, in that order, with threads of their own or with those of `pool`."""
        self.names = tuple(names)
        self._digests = {name: new_digest(name) for name in self.names}
        self._own = ThreadPoolExecutor(len(self.names) or 1) if threads and pool is None else None
        self._pool = pool or self._own

    def update(self, data: bytes | memoryview) -> None:
        """Feed `data` to every digest; returns when all have taken it."""
        if self._pool is None:
            for digest in self._digests.values():
                digest.update(data)
            return
        waiting: list[Future[None]] = [self._pool.submit(d.update, data) for d in self._digests.values()]
        for future in waiting:
            future.result()

    def hexdigests(self) -> dict[str, str]:
        """The digests so far, in hexadecimal, by name."""
        return {name: digest.hexdigest() for name, digest in self._digests.items()}

    def close(self) -> None:
        """End the threads, but for those of a pool that was given."""
        if self._own is not None:
            self._own.shutdown()

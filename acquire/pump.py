"""Pump: bytes from one place to another, read once, with digests tapped on the way.

The calling thread fills blocks of a ring of reusable buffers; each digest, and the writer, takes every
block in order on a thread of its own (hashlib, read and write release the GIL); a block is free again when
all have taken it. Memory is the ring's, whatever the size of the image.

A checkpoint travels through the same queues as the blocks: when it is reached, every digest and the
writer stand at exactly the same byte.
"""

import mmap
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import Any, Protocol, Self

from acquire.reader import BLOCK_BYTES

_RING_BLOCKS = 8


class Sink(Protocol):
    """Where a pump writes to, in order."""

    def write(self, data: memoryview) -> None:
        """Take all of `data`, which is valid only during the call."""

    def checkpoint(self) -> None:
        """Make all that was written durable."""


class Mark:
    """A point in the stream: `position_bytes`, the digests of all before it, and the caller's `notes`."""

    def __init__(self, position_bytes: int, notes: Any, digests: int) -> None:  # noqa: ANN401  handed back
        """Expect to be passed by as many `digests`."""
        self.position_bytes = position_bytes
        self.notes = notes
        self.digests: dict[str, str] = {}
        self._wanted = digests
        self._passed = threading.Semaphore(0)

    def passed(self, name: str, digest: str) -> None:
        """A digest has come to this point."""
        self.digests[name] = digest
        self._passed.release()

    def wait(self) -> None:
        """Wait until every digest has come to this point."""
        for _ in range(self._wanted):
            self._passed.acquire()


class _Slot:
    """A place in the ring: its buffer, what it holds now, and how many have still to take it."""

    __slots__ = ("buffer", "data", "pending")

    def __init__(self, block_bytes: int) -> None:
        # An anonymous mapping is aligned to a page, as reading past the page cache wants it.
        self.buffer = memoryview(mmap.mmap(-1, block_bytes))
        self.data: memoryview | bytes = b""
        self.pending = 0


_Queue = SimpleQueue[_Slot | Mark | None]


class Pump:
    """Feeds blocks to digests and a sink; a context manager that ends its threads.

    `digests` are hashlib objects by name, made by the caller, who may hand them to one pump after another.
    """

    def __init__(
        self,
        digests: Mapping[str, Any],
        sink: Sink | None = None,
        *,
        start_bytes: int = 0,
        on_mark: Callable[[Mark], None] | None = None,
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        """Start the threads; the stream stands at `start_bytes`.

        `on_mark` is called on the writer's thread after everything before a mark is durable in the sink.
        """
        self.position_bytes = start_bytes
        """How far the stream has been fed."""
        self._even = True
        self._block_bytes = block_bytes
        self._on_mark = on_mark
        self._failure: BaseException | None = None
        self._digests = len(digests)
        self._lock = threading.Lock()
        self._free: SimpleQueue[_Slot] = SimpleQueue()
        for _ in range(_RING_BLOCKS):
            self._free.put(_Slot(block_bytes))
        self._queues: list[_Queue] = []
        self._threads: list[threading.Thread] = []
        for name, digest in digests.items():
            self._start(f"digest-{name}", self._digest, name, digest)
        if sink is not None:
            self._start("writer", self._write, sink)

    def _start(self, name: str, work: Callable[..., None], *arguments: object) -> None:
        queue: _Queue = SimpleQueue()
        thread = threading.Thread(target=work, args=(queue, *arguments), name=name, daemon=True)
        self._queues.append(queue)
        self._threads.append(thread)
        thread.start()

    def _digest(self, queue: _Queue, name: str, digest: Any) -> None:  # noqa: ANN401  hashlib's objects
        update = digest.update
        while (item := queue.get()) is not None:
            if isinstance(item, Mark):
                item.passed(name, digest.copy().hexdigest())
            else:
                update(item.data)
                self._release(item)

    def _write(self, queue: _Queue, sink: Sink) -> None:
        while (item := queue.get()) is not None:
            try:
                if self._failure is not None:
                    pass  # only give the buffers back, so that the reader comes to see the failure
                elif isinstance(item, Mark):
                    sink.checkpoint()
                    item.wait()
                    if self._on_mark:
                        self._on_mark(item)
                else:
                    with memoryview(item.data) as data:
                        sink.write(data)
            except BaseException as failure:  # noqa: BLE001  raised again by the calling thread
                self._failure = failure
            if not isinstance(item, Mark):
                self._release(item)

    def _release(self, slot: _Slot) -> None:
        with self._lock:
            slot.pending -= 1
            free = slot.pending == 0
        if free:
            self._free.put(slot)

    def _put(self, slot: _Slot, data: memoryview | bytes) -> None:
        slot.data = data
        slot.pending = len(self._queues)
        self._even = False  # an interrupt may come between any two lines
        for queue in self._queues:
            queue.put(slot)
        if not self._queues:
            self._free.put(slot)
        self.position_bytes += len(data)
        self._even = True

    def _slot(self) -> _Slot:
        slot = self._free.get()
        if self._failure is not None:
            self._free.put(slot)
            raise self._failure
        return slot

    def copy(self, fill: Callable[[memoryview, int], object], end_bytes: int) -> Iterator[int]:
        """Copy from where the stream stands to `end_bytes`; `fill(view, position)` fills the whole view.

        Yields:
            The position after each block: the caller's turn to report, to mark or to stop.

        Raises:
            what the sink raised; and what `fill` does.
        """
        while self.position_bytes < end_bytes:
            slot = self._slot()
            length = min(self._block_bytes, end_bytes - self.position_bytes)
            view = slot.buffer if length == self._block_bytes else slot.buffer[:length]
            fill(view, self.position_bytes)
            self._put(slot, view)
            yield self.position_bytes

    def feed(self, block: bytes) -> None:
        """Feed a block that is in memory already; waits for a free place in the ring."""
        self._put(self._slot(), block)

    def take(self, blocks: Iterable[bytes]) -> Iterator[int]:
        """Feed blocks that are in memory already; yields the position after each."""
        for block in blocks:
            self.feed(block)
            yield self.position_bytes

    def mark(self, notes: Any = None) -> Mark | None:  # noqa: ANN401  handed back
        """Put a mark after everything fed so far; it is reached later, on the threads.

        None if an interrupt cut a block in two, so that there is no point that all share.
        """
        if not self._even:
            return None
        mark = Mark(self.position_bytes, notes, self._digests)
        for queue in self._queues:  # the writer's is the last: it waits for the digests
            queue.put(mark)
        return mark

    def finish(self) -> None:
        """Wait until everything fed is taken; raises what the sink raised."""
        self.close()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Take what is in the queues, and end the threads."""
        threads, self._threads = self._threads, []
        for queue in self._queues[: len(threads)]:
            queue.put(None)
        for thread in threads:
            thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class Every:
    """Says whether `seconds` have passed since it last said so."""

    def __init__(self, seconds: float) -> None:
        """Start to count now."""
        self._seconds = seconds
        self._next = time.monotonic() + seconds

    def at_least(self, seconds: float) -> None:
        """Put the next time off until `seconds` from now, if it is earlier."""
        self._next = max(self._next, time.monotonic() + seconds)

    def due(self) -> bool:
        """Whether it is time again."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Hold back the first Ctrl-C until a good moment: gives a function that says whether it came.

    A second Ctrl-C interrupts at once. Only on the main thread, and only where Ctrl-C means
    KeyboardInterrupt; elsewhere the function always says no.
    """
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        del number, frame
        came = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread() or (
        signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    ):
        yield lambda: False
        return
    signal.signal(signal.SIGINT, note)
    try:
        yield lambda: came
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""The pump: everything arrives everywhere once and in order, whatever fails or interrupts."""

import hashlib
import os
import signal
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.digest import new_digest
from acquire.errors import DiskFullError
from acquire.pump import Every, Mark, Pump, interruptible

NAMES = ("md5", "sha1", "sha256")


class Kept:
    """A sink in memory that may fail after some bytes."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.data = bytearray()
        self.checkpoints: list[int] = []
        self.fail_after = fail_after

    def write(self, data: memoryview) -> None:
        """Keep it, or fail."""
        if self.fail_after is not None and len(self.data) + len(data) > self.fail_after:
            raise DiskFullError("No space left")
        self.data += data

    def checkpoint(self) -> None:
        """Note that one came."""
        self.checkpoints.append(len(self.data))


def filler(data: bytes):
    def fill(view: memoryview, position: int) -> None:
        view[:] = data[position : position + len(view)]

    return fill


def expected(data: bytes) -> dict[str, str]:
    return {name: hashlib.new(name, data, usedforsecurity=False).hexdigest() for name in NAMES}


def fresh() -> dict:
    return {name: new_digest(name) for name in NAMES}


def hexadecimal(digests: dict) -> dict[str, str]:
    return {name: digest.hexdigest() for name, digest in digests.items()}


@given(st.integers(0, 5000), st.integers(1, 300), st.booleans())
@settings(max_examples=40, deadline=None)
def test_all_bytes_in_order(size, block, with_sink):
    """Digests and sink get exactly the source's bytes, more blocks than the ring has places."""
    data = os.urandom(size)
    digests, sink = fresh(), Kept()
    with Pump(digests, sink if with_sink else None, block_bytes=block) as pump:
        positions = list(pump.copy(filler(data), size))
        pump.finish()
    assert positions == [min(at, size) for at in range(block, size + block, block)]
    assert hexadecimal(digests) == expected(data)
    assert bytes(sink.data) == (data if with_sink else b"")


def test_blocks_that_are_in_memory():
    """Blocks of any size that are given are taken as they are."""
    blocks = [os.urandom(size) for size in (1, 5000, 0, 3, 100_000)]
    digests = fresh()
    with Pump(digests, block_bytes=4096) as pump:
        assert list(pump.take(blocks)) == [1, 5001, 5001, 5004, 105_004]
        pump.finish()
    assert hexadecimal(digests) == expected(b"".join(blocks))


def test_a_second_pump_goes_on():
    """Digests handed from pump to pump go on where they were."""
    data = os.urandom(10_000)
    digests, sink = fresh(), Kept()
    with Pump(digests, block_bytes=1000) as pump:
        pump.feed(data[:3500])
        pump.finish()
    with Pump(digests, sink, start_bytes=3500, block_bytes=1000) as pump:
        assert list(pump.copy(filler(data), 10_000))[-1] == 10_000
        pump.finish()
    assert hexadecimal(digests) == expected(data)
    assert bytes(sink.data) == data[3500:]


def test_marks_are_one_point_for_all():
    """At a mark the sink is durable, and the digests are of exactly the bytes before it."""
    data = os.urandom(100_000)
    sink, seen = Kept(), []

    def reached(mark: Mark) -> None:
        seen.append((mark.position_bytes, mark.notes, dict(mark.digests), sink.checkpoints[-1]))

    with Pump(fresh(), sink, on_mark=reached, block_bytes=1000) as pump:
        for position in pump.copy(filler(data), len(data)):
            if position % 7000 == 0:
                pump.mark(f"at {position}")
        pump.finish()
    assert [position for position, *_ in seen] == list(range(7000, 100_001, 7000))
    for position, notes, digests, durable in seen:
        assert digests == expected(data[:position])
        assert durable == position
        assert notes == f"at {position}"


def test_a_sink_that_fails():
    """The sink's error is raised where blocks are fed, no mark after it is reached, and nothing hangs."""
    sink, marks = Kept(fail_after=50_000), []
    with Pump(fresh(), sink, on_mark=marks.append, block_bytes=1000) as pump:
        with pytest.raises(DiskFullError, match="No space left"):  # noqa: PT012  somewhere in the loop
            for position in pump.copy(filler(bytes(10_000_000)), 10_000_000):
                if position % 10_000 == 0:
                    pump.mark()
        pump.mark()
        pump.close()
    assert len(sink.data) == 50_000
    assert [mark.position_bytes for mark in marks] == [10_000, 20_000, 30_000, 40_000, 50_000]


def test_a_sink_that_fails_at_the_end():
    """An error of the last blocks is raised by `finish`."""
    pump = Pump(fresh(), Kept(fail_after=0), block_bytes=1000)
    list(pump.copy(filler(b"x" * 500), 500))
    with pytest.raises(DiskFullError):
        pump.finish()


def test_a_mark_that_cannot_be_saved():
    """An error while a checkpoint is saved ends the pump as one of the sink's does."""

    def fails(mark: Mark) -> None:
        raise DiskFullError("No space for the state")

    with Pump(fresh(), Kept(), on_mark=fails, block_bytes=1000) as pump:
        pump.feed(b"x")
        pump.mark()
        with pytest.raises(DiskFullError, match="for the state"):
            pump.finish()


def test_a_source_that_raises():
    """What `fill` raises ends the pump; what was fed before it arrives, and can be marked."""
    sink, marks = Kept(), []

    def fill(view: memoryview, position: int) -> None:
        if position == 3000:
            raise ValueError("stop")
        view[:] = b"x" * len(view)

    with Pump(fresh(), sink, on_mark=marks.append, block_bytes=1000) as pump:
        with pytest.raises(ValueError, match="stop"):
            list(pump.copy(fill, 10_000))
        pump.mark()
    assert sink.data == b"x" * 3000
    assert marks[0].position_bytes == 3000
    assert marks[0].digests == expected(b"x" * 3000)


def test_an_interrupt_between_two_queues():
    """If an interrupt cuts a block in two there is no common point, so no mark is made of it."""
    with Pump(fresh(), Kept(), block_bytes=1000) as pump:
        pump.feed(b"x")

        class Interrupted:
            def put(self, item: object) -> None:  # noqa: ARG002  a queue's method
                raise KeyboardInterrupt

        queue, pump._queues[1] = pump._queues[1], Interrupted()  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            pump.feed(b"y")
        pump._queues[1] = queue
        assert pump.mark() is None
        assert pump.position_bytes == 1


def test_memory_is_the_ring():
    """However much is pumped, there are eight buffers, used again and again."""
    seen = set()

    def fill(view: memoryview, position: int) -> None:
        seen.add(id(view.obj))

    with Pump(fresh(), Kept(), block_bytes=100) as pump:
        list(pump.copy(fill, 100_000))
    assert len(seen) == 8


def test_threads_end():
    """After the `with` block no thread of the pump is left, also after an exception."""
    before = threading.active_count()
    with pytest.raises(ValueError, match="x"), Pump(fresh(), Kept()) as pump:  # noqa: PT012  in the block
        pump.feed(b"data")
        raise ValueError("x")
    assert threading.active_count() == before


def test_the_first_interrupt_waits():
    """Ctrl-C is held back until asked for; the second comes at once; then all is as before."""
    before = signal.getsignal(signal.SIGINT)
    with interruptible() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(100):
            if interrupted():
                break
            time.sleep(0.01)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012  the signal may come at any line
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
    assert signal.getsignal(signal.SIGINT) is before


def test_interrupts_elsewhere():
    """On another thread, or where Ctrl-C means something else, nothing is touched."""
    answers = []

    def work() -> None:
        with interruptible() as interrupted:
            answers.append(interrupted())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interruptible() as interrupted:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            answers.append(interrupted())
    finally:
        signal.signal(signal.SIGINT, old)
    assert answers == [False, False]


def test_every(monkeypatch):
    """It is due once an interval, and later if put off."""
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    every = Every(2)
    assert not every.due()
    clock[0] = 2.0
    assert every.due()
    assert not every.due()
    every.at_least(10)
    clock[0] = 11.0
    assert not every.due()
    clock[0] = 12.0
    assert every.due()

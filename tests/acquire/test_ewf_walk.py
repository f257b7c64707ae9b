"""Chunks found again without a table, by their own checksums: streams assembled by hand with zlib."""

import random
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers.ewf_walk import Window, chunks

CHUNK = 32768
COMPRESSED = 1 << 31  # the flag in a table's entry


def media(number: int, size: int = CHUNK, *, random_: bool = False) -> bytes:
    """A chunk's media data: text that deflates well, or bytes that do not."""
    if random_:
        return random.Random(number).randbytes(size)
    return (f"chunk {number} ".encode() * (size // 8 + 1))[:size]


def plain(data: bytes) -> bytes:
    """A chunk as it is stored uncompressed: the data and its Adler-32, low byte first."""
    return data + zlib.adler32(data).to_bytes(4, "little")


class File:
    """Bytes read by offset, and how they were asked for."""

    def __init__(self, data: bytes) -> None:
        """Hold `data`."""
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def read(self, offset: int, size: int) -> bytes:
        """As a file is read."""
        self.asked.append((offset, size))
        return self.data[offset : offset + size]

    def window(self) -> Window:
        """A window on it."""
        return Window(self.read, len(self.data))


def found(data: bytes, media_bytes: int, flags, *, offset: int = 0, end: int | None = None) -> list:
    """All chunks of `data` from `offset` on."""
    window = File(data).window()
    return list(chunks(window, offset, len(data) if end is None else end, media_bytes, flags=flags))


def test_chunks_of_both_kinds_are_found_one_behind_the_other():
    """Neither kind's flag is known: each chunk's own checksum tells."""
    datas = [media(n, random_=n % 2 == 1) for n in range(8)]
    stored = [plain(d) if n % 2 else zlib.compress(d) for n, d in enumerate(datas)]
    got = found(b"".join(stored), 8 * CHUNK, [None] * 8)
    assert [bytes(each.data) for each in got] == datas
    assert [each.stored_bytes for each in got] == [len(each) for each in stored]
    assert [each.flag for each in got] == [0 if n % 2 else COMPRESSED for n in range(8)]


def test_the_last_chunk_may_be_short():
    last = media(9, 1000)
    for stored in (plain(last), zlib.compress(last)):
        got = found(zlib.compress(media(1)) + stored, CHUNK + 1000, [None, None])
        assert [len(each.data) for each in got] == [CHUNK, 1000]
        assert bytes(got[1].data) == last


def test_no_more_than_asked_for():
    """Neither more than there are flags, nor more than there is media data."""
    data = b"".join(zlib.compress(media(n)) for n in range(5))
    assert len(found(data, 5 * CHUNK, [None] * 3)) == 3
    assert len(found(data, 2 * CHUNK, [None] * 5)) == 2
    assert found(data, 0, [None]) == []
    assert found(data, CHUNK, []) == []


def test_a_damaged_chunk_ends_the_walk():
    """Where nothing is beyond doubt, nothing is guessed: what follows is not looked for."""
    stored = [plain(media(n, random_=True)) for n in range(4)]
    stored[2] = stored[2][:100] + bytes([stored[2][100] ^ 1]) + stored[2][101:]
    got = found(b"".join(stored), 4 * CHUNK, [None] * 4)
    assert [bytes(each.data) for each in got] == [media(n, random_=True) for n in range(2)]


def test_a_known_flag_is_believed():
    """A chunk stored plainly is not taken for a stream, nor a stream for one stored plainly."""
    stream = zlib.compress(media(1))
    assert len(found(stream, CHUNK, [COMPRESSED])) == 1
    assert found(stream, CHUNK, [0]) == []
    bare = plain(media(1))
    assert len(found(bare, CHUNK, [0])) == 1
    assert found(bare, CHUNK, [COMPRESSED]) == []


def test_the_walk_starts_where_it_is_told_and_stays_before_the_end():
    """Behind the end may stand another section, whatever it looks like."""
    one, two = plain(media(1)), plain(media(2))
    data = b"section descriptor" + one + two
    got = found(data, 2 * CHUNK, [None] * 2, offset=18)
    assert [bytes(each.data) for each in got] == [media(1), media(2)]
    assert len(found(data, 2 * CHUNK, [None] * 2, offset=18, end=18 + len(one))) == 1
    assert len(found(data, 2 * CHUNK, [None] * 2, offset=18, end=18 + len(one) + len(two) - 1)) == 1
    assert found(data, CHUNK, [None], offset=18, end=18) == []
    assert found(data, CHUNK, [None], offset=18, end=4) == []
    assert found(data, CHUNK, [None], offset=len(data) + 5) == []


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_streams_of_any_level_are_found(level):
    """Level 0 makes a stream longer than its data; it still fits where a plain chunk and a bit would."""
    data = zlib.compress(media(3), level)
    got = found(data, CHUNK, [COMPRESSED])
    if len(data) <= CHUNK + 4:
        assert bytes(got[0].data) == media(3)
    else:
        assert got == []


def test_a_stream_of_another_size_is_no_chunk():
    """A stream that gives a byte too few or too many is of something else."""
    for size in (CHUNK - 1, CHUNK + 1, 10 * CHUNK):
        assert found(zlib.compress(bytes(size)), CHUNK, [None]) == []


def test_a_window_reads_forward_in_pieces_of_mebibytes():
    """Many chunks, few reads: each byte of 12 MiB is read at most twice."""
    data = random.Random(2).randbytes(12 << 20)
    file = File(data)
    window = file.window()
    for at in range(0, len(data), CHUNK):
        assert bytes(window.view(at, CHUNK)) == data[at : at + CHUNK]
    assert len(file.asked) <= 4
    assert sum(size for _, size in file.asked) <= 2 * len(data)


def test_a_window_gives_what_is_left_at_the_end_of_the_file():
    file = File(b"abcdef")
    assert bytes(file.window().view(4, 10)) == b"ef"
    assert bytes(file.window().view(6, 1)) == b""
    assert bytes(file.window().view(60, 1)) == b""


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 600), st.integers(0, 300)), max_size=12))
def test_a_window_gives_the_files_bytes_in_any_order(asked):
    data = random.Random(3).randbytes(500)
    window = File(data).window()
    for offset, size in asked:
        assert bytes(window.view(offset, size)) == data[offset : offset + size]


@settings(max_examples=60)
@given(st.binary(max_size=600), st.integers(0, 5 * CHUNK), st.integers(-5, 700))
def test_any_bytes_give_only_what_their_checksums_prove(data, media_bytes, end):
    """Hostile bytes: the walk ends, and what it yields is proven by zlib itself."""
    at = 0
    for each in found(data, media_bytes, [None, 0, COMPRESSED], end=end):
        stored = data[at : at + each.stored_bytes]
        good = zlib.decompress(stored) if each.flag else stored[:-4]
        assert good == bytes(each.data)
        at += each.stored_bytes
    assert at <= max(0, len(data))

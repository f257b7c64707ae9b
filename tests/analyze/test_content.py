"""Content is digested exactly, read once, in the order of the disc; what cannot be read says so."""

import hashlib
import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.errors import UsageError
from acquire.geometry import HOLE, Extent, SectorRange
from acquire.image import MemoryImage
from analyze.content import ContentDigest, ContentItem, digest_contents

MIB = 1 << 20


def seeded(size, seed=0):
    """`size` bytes that repeat nowhere."""
    return random.Random(seed).randbytes(size)


def sums(data):
    """The three digests as hashlib gives them."""
    return {
        "md5": hashlib.md5(data).hexdigest(),
        "sha1": hashlib.sha1(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


class Recorder(MemoryImage):
    """A real image in memory that notes what is read."""

    def __init__(self, data, **options):
        """Nothing is read yet."""
        super().__init__(data, **options)
        self.reads = []

    def read(self, lba, count=1):
        """Read, and note it."""
        self.reads.append((lba, count))
        return super().read(lba, count)


class FailingDrive(Recorder):
    """Sectors in `bad` fail when they are read: zeros come back and `unread` grows, as Image says."""

    def __init__(self, data, bad):
        """Nothing has failed yet."""
        super().__init__(data)
        self.bad = bad
        self.failed = []

    def read(self, lba, count=1):
        """Read with the bad sectors as zeros."""
        data = bytearray(super().read(lba, count))
        for at in range(lba, lba + count):
            if at in self.bad:
                data[(at - lba) * 2048 : (at - lba + 1) * 2048] = bytes(2048)
                self.failed.append(SectorRange(at, 1))
        return bytes(data)

    def unread(self):
        """Those that failed so far."""
        return tuple(self.failed)


def digest(image, *items, **options):
    """Results by key."""
    results = list(digest_contents(image, items, **options))
    assert [r.key for r in results] == [i.key for i in items], "not in the order given"
    return {r.key: r for r in results}


def test_published_digests_of_known_strings():
    """RFC 1321 A.5, FIPS 180 examples: the digests of "abc" and of nothing."""
    results = digest(MemoryImage(b"abc"), ContentItem(1, 0, ()), ContentItem(7, 3, (Extent(0, 3),)))
    assert results[7] == ContentDigest(
        7,
        "complete",
        {
            "md5": "900150983cd24fb0d6963f7d28e17f72",
            "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d",
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        },
    )
    assert results[1].digests["md5"] == "d41d8cd98f00b204e9800998ecf8427e"
    assert results[1].status == "complete"


def test_other_digests_by_name():
    """The names that are asked for are given, in that order; an unknown one is refused with its name."""
    result = digest(MemoryImage(b"abc"), ContentItem(0, 3, (Extent(0, 3),)), digests=("sha512", "blake2b"))[0]
    assert list(result.digests) == ["sha512", "blake2b"]
    assert result.digests["sha512"] == hashlib.sha512(b"abc").hexdigest()
    with pytest.raises(UsageError, match="crc7"):
        list(digest_contents(MemoryImage(b""), [], digests=("crc7",)))


def slices(data, item):
    """The content of an item, taken from the bytes by hand."""
    taken = b"".join(
        bytes(length) if start == HOLE else data[start * 2048 + offset : start * 2048 + offset + length]
        for start, length, offset in item.extents
    )
    return taken[: item.size_bytes]


PIECE = st.one_of(
    st.builds(
        Extent, st.integers(0, 1200), st.integers(0, 9000), st.sampled_from([0, 0, 0, 24, 512, 2047, 4096])
    ),
    st.builds(Extent, st.integers(0, 60), st.integers(0, 2 * MIB), st.just(0)),
    st.builds(Extent, st.just(HOLE), st.integers(0, 2 * MIB), st.just(0)),
)
DATA = seeded(3 * MIB + 700)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.lists(PIECE, max_size=4), st.integers(0, 5000)), max_size=12))
def test_any_items_match_slices_of_the_image(drawn):
    """Whatever the extents (offsets, holes, overlaps, shorter sizes), the digests are those of slices."""
    items = []
    for key, (extents, less) in enumerate(drawn):
        held = sum(e.length_bytes for e in extents)
        items.append(ContentItem(key, max(held - less, 0), tuple(extents)))
    items.sort(key=lambda item: item.extents[:1])
    results = digest(MemoryImage(DATA), *items)
    for item in items:
        needed = item.size_bytes
        past = False
        for start, length, offset in item.extents:
            used = min(length, needed)
            past = past or (start != HOLE and used > 0 and start * 2048 + offset + used > len(DATA))
            needed -= used
        if past:
            assert results[item.key] == ContentDigest(item.key, "truncated", {})
        else:
            assert results[item.key] == ContentDigest(item.key, "complete", sums(slices(DATA, item)))


@pytest.mark.parametrize("size", [MIB - 1, MIB, MIB + 1, 2 * MIB, 3 * MIB + 700])
def test_sizes_about_a_block(size):
    """One mebibyte is where items change from small to large."""
    assert digest(MemoryImage(DATA), ContentItem(5, size, (Extent(0, size),)))[5].digests == sums(DATA[:size])


def test_files_in_a_row_are_read_together_and_every_sector_once():
    """3,000 small files: few reads, ascending, no sector twice."""
    image = Recorder(seeded(3000 * 4096))
    items = [ContentItem(i, 3000, (Extent(2 * i, 3000),)) for i in range(3000)]
    assert all(r.status == "complete" for r in digest_contents(image, items))
    touched = [lba for start, count in image.reads for lba in range(start, start + count)]
    assert touched == sorted(set(touched))
    assert max(count for _, count in image.reads) <= 513
    assert len(image.reads) < 20


def test_a_wide_gap_is_not_read():
    """Two small files far apart cost two reads, not all that lies between."""
    image = Recorder(seeded(MIB))
    digest(image, ContentItem(0, 10, (Extent(0, 10),)), ContentItem(1, 10, (Extent(400, 10),)))
    assert image.reads == [(0, 1), (400, 1)]


def test_a_large_file_is_read_once():
    """Blocks of at most 1 MiB, each sector once, though a thread reads ahead."""
    image = Recorder(seeded(5 * MIB))
    assert digest(image, ContentItem(0, 5 * MIB - 9, (Extent(0, 5 * MIB - 9),)))[0].status == "complete"
    assert sorted(image.reads) == [(lba, 512) for lba in range(0, 2560, 512)]


def test_interleaved_files():
    """Two files of 1,000 pieces of one sector each, taking turns (ECMA-119 §6.4.3), are told apart."""
    data = seeded(2000 * 2048)
    items = [
        ContentItem(n, 1000 * 2048 - 5, tuple(Extent(2 * i + n, 2048) for i in range(1000))) for n in (0, 1)
    ]
    results = digest(MemoryImage(data), *items)
    for item in items:
        assert results[item.key].digests == sums(slices(data, item))


def test_declared_unread_sectors_are_not_tried_and_give_no_digest():
    """Of three files in a row, the middle one has an unread sector: it alone has no digest."""
    data = seeded(30 * 2048)
    image = Recorder(data, unread=(SectorRange(14, 1),))
    items = [ContentItem(n, 20_000, (Extent(10 * n, 20_000),)) for n in range(3)]
    results = digest(image, *items)
    assert [results[n].status for n in range(3)] == ["complete", "unread", "complete"]
    assert results[1].digests == {}
    assert results[2].digests == sums(data[20 * 2048 :][:20_000])
    assert 14 not in {lba for start, count in image.reads for lba in range(start, start + count)}


@pytest.mark.parametrize("size", [30_000, 2 * MIB])
def test_a_sector_that_fails_while_it_is_read_gives_no_digest(size):
    """The zeros that stand for a failed sector are never digested as content, in small files and in large."""
    sectors = -(-size // 2048)
    image = FailingDrive(seeded(3 * sectors * 2048), bad={sectors + 7})
    items = [ContentItem(n, size, (Extent(n * sectors, size),)) for n in range(3)]
    results = digest(image, *items)
    assert [results[n].status for n in range(3)] == ["complete", "unread", "complete"]


def test_an_unread_sector_beside_the_content_does_not_matter():
    """Sector 5 is read along, and fails, but only the last bytes of sector 6 belong to the file."""
    image = FailingDrive(seeded(20 * 2048), bad={5})
    items = [ContentItem(0, 2048, (Extent(4, 2048),)), ContentItem(1, 48, (Extent(6, 48, 2000),))]
    results = digest(image, *items)
    assert [results[n].status for n in (0, 1)] == ["complete", "complete"]


def test_content_past_the_end_is_truncated():
    """One byte more than there is: no digest; exactly to the last byte of a short last sector: a digest."""
    data = seeded(10 * 2048 + 100)
    image = MemoryImage(data)
    items = [
        ContentItem(0, 2048 + 100, (Extent(9, 2148),)),
        ContentItem(1, 2048 + 101, (Extent(9, 2149),)),
        ContentItem(2, 5, (Extent(10**9, 5),)),
        ContentItem(3, 2 * MIB, (Extent(2, 2 * MIB),)),
    ]
    results = digest(image, *items)
    assert [results[n].status for n in range(4)] == ["complete", "truncated", "truncated", "truncated"]
    assert results[0].digests == sums(data[9 * 2048 :])


def test_extents_that_hold_less_than_the_size_are_truncated():
    """A size of 5,000 with extents of 4,096 bytes is not digested as 4,096 bytes."""
    image = MemoryImage(seeded(10 * 2048))
    items = [
        ContentItem(0, 5000, (Extent(0, 4096),)),
        ContentItem(1, 5000, (Extent(0, 2048), Extent(4, 2048))),
    ]
    assert {r.status for r in digest_contents(image, items)} == {"truncated"}
    assert [r.status for r in digest_contents(image, [ContentItem(2, 1, ())])] == ["truncated"]


def test_impossible_addresses_are_truncated():
    """Addresses before the image, huge ones, and huge lengths end at once."""
    image = MemoryImage(seeded(2048))
    wild = [
        ContentItem(0, 10, (Extent(-7, 10),)),
        ContentItem(1, 10, (Extent(2**63, 10),)),
        ContentItem(2, 2**70, (Extent(0, 2**70),)),
        ContentItem(3, 2**40, (Extent(0, 2**39), Extent(0, 2**39))),
        ContentItem(4, 10, (Extent(0, -5), Extent(0, 4))),
        ContentItem(5, 10, (Extent(0, 10, 2**50),)),
    ]
    assert {r.status for r in digest_contents(image, wild)} == {"truncated"}


def test_a_hole_that_would_take_days_is_refused():
    """An exabyte of zeros is a matter of one table entry; a few megabytes of them are digested."""
    image = MemoryImage(seeded(MIB))
    started = time.monotonic()
    results = digest(
        image,
        ContentItem(0, 2**60, (Extent(HOLE, 2**60),)),
        ContentItem(1, 3 * MIB, (Extent(HOLE, 3 * MIB),)),
    )
    assert time.monotonic() - started < 5
    assert results[0] == ContentDigest(0, "limit", {})
    assert results[1].digests == sums(bytes(3 * MIB))


def test_large_files_that_all_claim_the_same_bytes_end():
    """4,000 files of 4 MiB, each one sector further on: work is limited; the honest one before counts."""
    data = seeded(20 * MIB)
    image = MemoryImage(data)
    honest = ContentItem(-1, 4 * MIB, (Extent(0, 4 * MIB),))
    items = [honest, *(ContentItem(n, 4 * MIB, (Extent(2048 + n, 4 * MIB),)) for n in range(4000))]
    started = time.monotonic()
    results = digest(image, *items)
    assert time.monotonic() - started < 20
    assert results[-1].digests == sums(data[: 4 * MIB])
    assert {r.status for r in results.values()} == {"complete", "limit"}
    assert sum(r.status == "complete" for r in results.values()) > 50


def test_one_file_that_claims_the_same_bytes_for_ever_ends():
    """A directory of 20,000 extent records of the same mebibyte each would be 20 GB of one file."""
    image = MemoryImage(seeded(2 * MIB))
    item = ContentItem(0, 20_000 * MIB, (Extent(0, MIB),) * 20_000)
    assert digest(image, item)[0] == ContentDigest(0, "limit", {})


def test_memory_does_not_follow_the_size():
    """A hundred megabytes of content, one file or thousands, take a few blocks of memory."""

    class Endless(MemoryImage):
        """100 MiB whose bytes are made as they are read."""

        def __init__(self):
            super().__init__(b"")
            self.size_bytes, self.sector_count = 100 * MIB, 51_200

        def read(self, lba, count=1):
            return (lba.to_bytes(8, "little") * 256) * min(count, self.sector_count - lba)

    image = Endless()
    small = (ContentItem(n, 20_480, (Extent(10 * n, 20_480),)) for n in range(2560))
    large = [ContentItem(-1, 50 * MIB, (Extent(25_600, 50 * MIB),))]
    tracemalloc.start()
    count = sum(r.status == "complete" for part in (small, large) for r in digest_contents(image, part))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 2561
    assert peak < 12 * MIB


def test_stopping_in_the_middle_leaves_no_thread_waiting():
    """A caller that stops after the first result can go on at once."""
    image = MemoryImage(seeded(6 * MIB))
    results = digest_contents(
        image, [ContentItem(n, 2 * MIB, (Extent(1024 * n, 2 * MIB),)) for n in range(3)]
    )
    assert next(results).key == 0
    results.close()
    assert image.unread() == ()

"""The reader against sources that fail: exactly the bad sectors are lost, whatever else happens."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.reader import Reader, ReadError
from acquire.sectormap import Run, Status
from acquire.source import open_raw

SECTOR = 2048


class Disc:
    """A source with bad sectors: a read that touches one fails, or ends short of it, as a kernel's does."""

    path = Path("disc")
    kind = "file"
    direct = False

    def __init__(self, data: bytes, bad: dict[int, int], *, unit: int = SECTOR, short: bool = False) -> None:
        self.data = data
        self.size_bytes = len(data)
        self.unit_bytes = unit
        self.bad = bad
        self.short = short
        self.gone_after: int | None = None
        self.end = len(data)
        self.asked: list[tuple[int, int]] = []
        self.limit = 1 << 30

    def read_into(self, view: memoryview, start_bytes: int) -> int:
        """Read as a kernel would."""
        self.asked.append((start_bytes, len(view)))
        if self.gone_after is not None and len(self.asked) > self.gone_after:
            raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
        length = max(0, min(len(view), self.end - start_bytes, self.limit))
        for lba in range(start_bytes // self.unit_bytes, -(-(start_bytes + length) // self.unit_bytes)):
            if lba in self.bad:
                good = max(0, lba * self.unit_bytes - start_bytes)
                if self.short and good:
                    length = good
                    break
                raise OSError(self.bad[lba], os.strerror(self.bad[lba]))
        view[:length] = self.data[start_bytes : start_bytes + length]
        return length

    read_alone = read_into

    def recover(self, error: OSError) -> str:
        """Gone for good after ENXIO."""
        return "The source is gone" if error.errno == errno.ENXIO else ""

    def identity(self) -> dict[str, Any]:
        """Nothing is known."""
        return {}

    describe = identity

    def changes(self) -> str:
        """It never changes."""
        return ""

    def close(self) -> None:
        """Nothing to give back."""


def data_of(size: int) -> bytes:
    """Bytes without any zero, so that fill cannot be mistaken for data."""
    return random.Random(size).randbytes(size).replace(b"\0", b"\1")


def read_all(reader: Reader) -> tuple[bytes, list[Run]]:
    pieces, runs = [], []
    for run in reader.runs():
        pieces.append(bytes(run.data))
        runs.append(Run(run.start_bytes, len(run.data), run.status))
    return b"".join(pieces), runs


def expected(disc: Disc) -> bytes:
    whole = bytearray(disc.data)
    for lba in disc.bad:
        start = lba * disc.unit_bytes
        end = min(start + disc.unit_bytes, len(whole))
        whole[start:end] = bytes(max(0, end - start))
    return bytes(whole)


def test_a_disc_without_faults():
    """One run a block, everything read, each byte asked for once."""
    disc = Disc(data_of(40 * SECTOR + 77), {})
    reader = Reader(disc, block_bytes=16 * SECTOR)
    data, runs = read_all(reader)
    assert data == disc.data
    assert [run.status for run in runs] == [Status.FINISHED] * 3
    assert sum(length for _, length in disc.asked) == len(disc.data)
    assert reader.errors == []


# The errors that a block device gives for a bad sector: MEDIUM ERROR (buffered and O_DIRECT), HARDWARE ERROR.
@pytest.mark.parametrize("number", [errno.EIO, errno.ENODATA, errno.EREMOTEIO])
@pytest.mark.parametrize("short", [False, True])
def test_good_neighbours_are_kept(number, short):
    """Bad sectors at the ends and in the middle of blocks, alone and in rows, cost only themselves."""
    bad = dict.fromkeys([0, 5, 15, 16, 17, 18, 31, 47, 63], number)
    disc = Disc(data_of(64 * SECTOR), bad, short=short)
    reader = Reader(disc, block_bytes=16 * SECTOR)
    data, _ = read_all(reader)
    assert data == expected(disc)
    assert [(error.start_bytes // SECTOR, error.length_bytes // SECTOR) for error in reader.errors] == [
        (0, 1), (5, 1), (15, 4), (31, 1), (47, 1), (63, 1),
    ]  # fmt: skip
    assert {(error.errno, error.message, error.tries) for error in reader.errors} == {
        (number, os.strerror(number), 2)
    }
    assert reader.unread_bytes == 9 * SECTOR


def test_how_many_reads_a_bad_sector_costs():
    """A block with one bad sector is asked for once, then the sectors of it that were not delivered."""
    disc = Disc(data_of(16 * SECTOR), {10: errno.EIO}, short=True)
    read_all(Reader(disc, block_bytes=16 * SECTOR))
    singles = [start // SECTOR for start, length in disc.asked if length == SECTOR]
    assert singles == [10, 11, 12, 13, 14, 15]
    assert len(disc.asked) == 2 + 6


@given(
    sectors=st.integers(1, 80),
    tail=st.integers(0, SECTOR - 1),
    bad=st.dictionaries(st.integers(0, 80), st.sampled_from([errno.EIO, errno.ENODATA]), max_size=30),
    block=st.sampled_from([1, 3, 16, 100]),
    short=st.booleans(),
    limit=st.sampled_from([1 << 30, 5000, 4096, 100]),
)
@settings(max_examples=150, deadline=None)
def test_any_faults(*, sectors, tail, bad, block, short, limit):
    """For any bad sectors, block and read sizes: the runs cover the disc, and only bad sectors are lost."""
    size = sectors * SECTOR + tail
    disc = Disc(
        data_of(size), {lba: number for lba, number in bad.items() if lba * SECTOR < size}, short=short
    )
    disc.limit = limit
    reader = Reader(disc, block_bytes=block * SECTOR)
    data, runs = read_all(reader)
    assert data == expected(disc)
    assert sum(run.length_bytes for run in runs) == size
    lost = {
        lba
        for run in runs
        if run.status == Status.BAD
        for lba in range(-(-run.start_bytes // SECTOR), -(-run.end_bytes // SECTOR))
    }
    assert lost == set(disc.bad)
    assert sum(error.length_bytes for error in reader.errors) == reader.unread_bytes
    ends = [error.end_bytes for error in reader.errors]
    assert ends == sorted(ends)


def test_units_that_do_not_divide_a_block():
    """Sectors of 2352 bytes may lie across blocks; only the bad ones are lost."""
    disc = Disc(data_of(60 * 2352), dict.fromkeys([0, 6, 7, 30, 59], errno.EIO), unit=2352)
    reader = Reader(disc, block_bytes=16 * SECTOR)
    data, _ = read_all(reader)
    assert data == expected(disc)
    assert [(error.start_bytes, error.length_bytes) for error in reader.errors] == [
        (0, 2352), (6 * 2352, 2 * 2352), (30 * 2352, 2352), (59 * 2352, 2352),
    ]  # fmt: skip


def test_a_source_that_became_shorter():
    """What was there stays, the rest is unread and says why, with one read a block."""
    disc = Disc(data_of(64 * SECTOR), {})
    disc.end = 20 * SECTOR + 100
    reader = Reader(disc, block_bytes=16 * SECTOR)
    data, runs = read_all(reader)
    assert data == disc.data[: disc.end] + bytes(64 * SECTOR - disc.end)
    assert runs[-1] == Run(48 * SECTOR, 16 * SECTOR, Status.BAD)
    assert reader.errors == [
        ReadError(
            disc.end, 64 * SECTOR - disc.end, None, f"The source ends before its {64 * SECTOR} bytes", 1
        )
    ]
    assert len(disc.asked) == 5


def test_a_source_that_is_gone():
    """After it is gone nothing more is asked of it; the rest is non-tried, not bad."""
    disc = Disc(data_of(64 * SECTOR), {})
    disc.gone_after = 1
    reader = Reader(disc, block_bytes=16 * SECTOR)
    data, runs = read_all(reader)
    assert data == disc.data[: 16 * SECTOR] + bytes(48 * SECTOR)
    assert [run.status for run in runs] == [Status.FINISHED] + [Status.NON_TRIED] * 3
    assert reader.lost == "The source is gone"
    assert len(disc.asked) == 2
    assert reader.errors == [ReadError(16 * SECTOR, 48 * SECTOR, errno.ENXIO, "The source is gone", 0)]


def test_gone_in_the_middle_of_a_bad_block():
    """A source that goes while single sectors are read: those before it are kept."""
    disc = Disc(data_of(16 * SECTOR), {2: errno.EIO})
    disc.gone_after = 6
    reader = Reader(disc, block_bytes=16 * SECTOR)
    data, runs = read_all(reader)
    assert data == expected(disc)[: 5 * SECTOR] + bytes(11 * SECTOR)
    assert runs == [
        Run(0, 2 * SECTOR, Status.FINISHED),
        Run(2 * SECTOR, SECTOR, Status.BAD),
        Run(3 * SECTOR, 2 * SECTOR, Status.FINISHED),
        Run(5 * SECTOR, SECTOR, Status.BAD),
        Run(6 * SECTOR, 10 * SECTOR, Status.NON_TRIED),
    ]


def test_errors_as_they_are_recorded():
    """An error names its sectors, also where it touches them in part, and the errno by its name."""
    assert ReadError(3000, 2000, errno.EIO, "Input/output error", 2).as_record(2048) == {
        "lba": 1, "count": 2, "errno": "EIO", "message": "Input/output error", "tries": 2,
        "start_bytes": 3000, "length_bytes": 2000,
    }  # fmt: skip
    assert ReadError(0, 2048, None, "ends", 1).as_record(2048)["errno"] is None


def test_errors_of_an_earlier_run():
    """Known errors stay at the head of the list, and are joined where reading goes on with the same."""
    disc = Disc(data_of(8 * SECTOR), {4: errno.EIO})
    known = ReadError(3 * SECTOR, SECTOR, errno.EIO, os.strerror(errno.EIO), 2)
    reader = Reader(disc, errors=[known])
    assert [run.status for run in reader.runs(4 * SECTOR)] == [Status.BAD, Status.FINISHED]
    assert reader.errors == [known._replace(length_bytes=2 * SECTOR)]


def test_the_seam_of_the_system_call(tmp_path: Path, monkeypatch):
    """A real file whose preadv fails as the kernel's does: errno and sectors arrive unchanged."""
    path = tmp_path / "disc"
    path.write_bytes(data_of(32 * SECTOR))
    real = os.preadv

    def preadv(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        if offset <= 9 * SECTOR < offset + len(buffers[0]):
            raise OSError(errno.ENODATA, os.strerror(errno.ENODATA))
        return real(descriptor, buffers, offset)

    monkeypatch.setattr(os, "preadv", preadv)
    source = open_raw(path)
    reader = Reader(source)
    data, _ = read_all(reader)
    source.close()
    assert data == path.read_bytes()[: 9 * SECTOR] + bytes(SECTOR) + path.read_bytes()[10 * SECTOR :]
    assert reader.errors == [ReadError(9 * SECTOR, SECTOR, errno.ENODATA, "No data available", 2)]


@pytest.mark.root
def test_a_real_file_with_bad_sectors(tmp_path: Path, faulty_file):
    """A file on a failing file system: the page cache reads 4 KiB, and yet no good neighbour is lost."""
    image = tmp_path / "image"
    image.write_bytes(data_of(2000 * SECTOR))
    for options in ((), ("--cached",)):
        disc = faulty_file(image, "0", "101", "500+3:61", "1999", options=options)
        source = open_raw(disc.path)
        reader = Reader(source)
        data, _ = read_all(reader)
        source.close()
        whole = bytearray(image.read_bytes())
        for lba in (0, 101, 500, 501, 502, 1999):
            whole[lba * SECTOR : (lba + 1) * SECTOR] = bytes(SECTOR)
        assert data == bytes(whole)
        assert [(e.start_bytes // SECTOR, e.length_bytes // SECTOR) for e in reader.errors] == [
            (0, 1), (101, 1), (500, 3), (1999, 1),
        ]  # fmt: skip


@pytest.mark.root
def test_a_real_block_device_with_bad_sectors(tmp_path: Path, faulty_file, loop_device):
    """A block device of 2048-byte sectors, 210 of them bad: exactly 210 are lost."""
    image = tmp_path / "image"
    image.write_bytes(data_of(21000 * SECTOR))
    places = {100, *range(5000, 5008), *range(20000, 20200), 20999}
    source = open_raw(loop_device(faulty_file(image, "100", "5000+8", "20000+200", "20999").path))
    reader = Reader(source)
    data, runs = read_all(reader)
    assert source.direct
    source.close()
    whole = bytearray(image.read_bytes())
    for lba in places:
        whole[lba * SECTOR : (lba + 1) * SECTOR] = bytes(SECTOR)
    assert data == bytes(whole)
    lost = {
        lba
        for run in runs
        if run.status == Status.BAD
        for lba in range(run.start_bytes // SECTOR, run.end_bytes // SECTOR)
    }
    assert len(places) == 210
    assert lost == places


@pytest.mark.root
def test_a_file_system_that_dies(tmp_path: Path, faulty_file):
    """A file whose file system is killed while it is read: the rest is unread, and reading ends."""
    image = tmp_path / "image"
    image.write_bytes(data_of(4 << 20))
    disc = faulty_file(image)
    source = open_raw(disc.path)
    reader = Reader(source)
    pieces = []
    for number, run in enumerate(reader.runs()):
        pieces.append(bytes(run.data))
        if number == 1:
            disc.process.kill()
            disc.process.wait()
    source.close()
    assert b"".join(pieces) == image.read_bytes()[: 2 << 20] + bytes(2 << 20)
    assert "The source is gone" in reader.lost
    assert reader.errors[0].start_bytes == 2 << 20
    assert reader.errors[0].tries == 0

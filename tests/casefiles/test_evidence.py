"""The files of an exhibit: digests of the whole and of each 1 MiB, and where a file was changed."""

import hashlib
import os
import random

import pytest

from acquire.errors import CaseError, SourceError
from casefiles.evidence import (
    BLOCK_BYTES,
    RecordedBlock,
    changed_blocks,
    digest_files,
    digest_media,
    list_files,
    read_blocks,
)

MIB = 1 << 20


@pytest.mark.parametrize("size", [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 17])
def test_a_file_is_digested_whole_and_by_the_mebibyte(tmp_path, size):
    data = random.Random(size).randbytes(size)
    (tmp_path / "a.iso").write_bytes(data)
    seen = []
    (made,) = digest_files(tmp_path, seen.append)
    assert made.name == "a.iso"
    assert made.size_bytes == size == sum(seen)
    assert made.sha256 == hashlib.sha256(data).hexdigest()
    assert list(made.blocks) == [
        hashlib.sha256(data[at : at + MIB]).hexdigest() for at in range(0, size, MIB)
    ]
    assert BLOCK_BYTES == MIB


def recorded(data: bytes) -> list[RecordedBlock]:
    parts = [(at, data[at : at + MIB]) for at in range(0, len(data), MIB)]
    return [RecordedBlock(at, len(part), hashlib.sha256(part).hexdigest()) for at, part in parts]


@pytest.mark.parametrize(
    ("change", "ranges"),
    [
        (lambda d: d, []),
        (lambda d: b"x" + d[1:], [(0, MIB)]),
        (lambda d: d[:MIB] + b"xx" + d[MIB + 2 :], [(MIB, 2 * MIB)]),
        (lambda d: d[: MIB - 1] + b"xx" + d[MIB + 1 :], [(0, 2 * MIB)]),
        (lambda d: b"x" + d[1 : 2 * MIB] + b"x" + d[2 * MIB + 1 :], [(0, MIB), (2 * MIB, 3 * MIB)]),
        (lambda d: d[:-1] + b"x", [(3 * MIB, 3 * MIB + 10)]),
        (lambda d: d[:-5], [(3 * MIB, 3 * MIB + 10)]),
        (lambda d: d[: MIB + 3], [(MIB, 3 * MIB + 10)]),
        (lambda d: d[:0], [(0, 3 * MIB + 10)]),
        (lambda d: d + b"more", [(3 * MIB, 3 * MIB + 14)]),
        (lambda d: d + bytes(2 * MIB), [(3 * MIB, 5 * MIB + 10)]),
    ],
)
def test_where_a_file_was_changed_is_told_to_the_mebibyte(tmp_path, change, ranges):
    data = bytes(3 * MIB + 10)
    (tmp_path / "f").write_bytes(change(data))
    assert changed_blocks(tmp_path / "f", recorded(data)) == ranges


def test_blocks_that_are_not_recorded_are_all_changed(tmp_path):
    (tmp_path / "f").write_bytes(bytes(MIB + 1))
    assert changed_blocks(tmp_path / "f", []) == [(0, MIB + 1)]


def test_what_is_no_regular_file_is_told_apart(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("file")
    os.mkfifo(tmp_path / "pipe")
    files, others = list_files(tmp_path)
    assert [path.name for path in files] == ["file"]
    assert [path.name for path in others] == ["folder", "link", "pipe"]
    with pytest.raises(CaseError, match="not a file"):
        digest_files(tmp_path)


def test_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "link").symlink_to("secret")
    with pytest.raises(OSError, match=r"symbolic links|Too many levels"):
        list(read_blocks(tmp_path / "link"))


def test_a_folder_that_is_gone_is_a_source_error(tmp_path):
    with pytest.raises(SourceError):
        list_files(tmp_path / "gone")


def test_media_data_is_digested_by_any_names():
    data = random.Random(1).randbytes(100_000)
    size, digests = digest_media([data[:1], b"", data[1:]], ("md5", "sha1", "sha256", "sha512", "blake2b"))
    assert size == 100_000
    assert digests == {name: hashlib.new(name, data).hexdigest() for name in digests}
    assert len(digests) == 5

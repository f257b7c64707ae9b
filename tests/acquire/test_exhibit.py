"""What is asked of an acquisition, and what came of it."""

import copy
import hashlib
import json
import random
from typing import Any

import pytest

from acquire.acquisition import acquire
from acquire.errors import UsageError
from acquire.exhibit import Acquisition, ExhibitHeader, Plan


def test_the_plan_that_nobody_changed_is_sound():
    """Verified, of one file, with the digests that the field expects."""
    plan = Plan()
    plan.check()
    assert plan.verify
    assert plan.segment_size_bytes is None
    assert plan.header == ExhibitHeader("", "", "", "", "")


@pytest.mark.parametrize(
    "plan",
    [
        Plan(format="e01"),
        Plan(format="raw"),
        Plan(compression="none"),
        Plan(compression="best"),
        Plan(segment_size_bytes=1 << 20),
        Plan(digests=("sha256",)),
        Plan(digests=("md5", "sha1", "sha256", "sha512", "blake2b")),
    ],
)
def test_what_is_documented_is_taken(plan):
    plan.check()


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (Plan(format="E01"), "Unknown format 'E01'"),
        (Plan(format=""), "Unknown format ''"),
        (Plan(format="aff4"), "Choose from e01, raw"),
        (Plan(compression="max"), "Choose from none, fast, best"),
        (Plan(digests=()), "No digest is asked for"),
        (Plan(digests=("md5", "crc32")), "Unknown digest 'crc32'"),
        (Plan(digests=("MD5",)), "Unknown digest 'MD5'"),
        (Plan(segment_size_bytes=(1 << 20) - 1), "less than 1 MiB"),
        (Plan(segment_size_bytes=0), "less than 1 MiB"),
        (Plan(segment_size_bytes=-5), "less than 1 MiB"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_the_choice(plan, words):
    with pytest.raises(UsageError, match=words) as caught:
        plan.check()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)


def test_a_refused_plan_leaves_nothing_behind(tmp_path):
    (tmp_path / "disc.iso").write_bytes(bytes(4096))
    with pytest.raises(UsageError):
        acquire(tmp_path / "disc.iso", tmp_path, "E-1", Plan(digests=("crc32",)))
    assert [path.name for path in tmp_path.iterdir()] == ["disc.iso"]


RECORD: dict[str, Any] = {
    "container": {"format": "raw"},
    "files": ["E-1.iso", "E-1.json"],
    "coverage": {
        "sector_size_bytes": 2048,
        "sector_count": 10,
        "size_bytes": 20480,
        "sectors_read": 8,
        "sectors_unread": 2,
        "sectors_filled": 2,
        "unread": [[3, 1], [7, 1]],
    },
    "digests": {"md5": "0" * 32},
    "verification": {"verified": True, "detail": "read back"},
    "started": "2026-01-02T03:04:05.000006+00:00",
    "ended": "2026-01-02T03:05:05.000006+00:00",
    "resumed": 1,
    "source": {"kind": "file"},
    "errors": [{"lba": 3, "count": 1, "errno": 5, "message": "Input/output error", "tries": 3}],
}


def test_a_record_written_by_hand_is_read():
    """docs/reference/acquisition-record.md, member by member."""
    made = Acquisition.from_record(RECORD)
    assert made.format == "raw"
    assert made.files == ("E-1.iso", "E-1.json")
    assert (made.sector_count, made.sectors_read, made.sectors_unread, made.sectors_filled) == (10, 8, 2, 2)
    assert [(run.start_lba, run.end_lba) for run in made.unread] == [(3, 4), (7, 8)]
    assert made.verified is True
    assert made.resumed == 1
    assert made.errors[0]["errno"] == 5


def paths(value: dict[str, Any], before: tuple[str, ...] = ()):
    """Every member that a record must have, and those of its members."""
    for name, member in value.items():
        yield (*before, name)
        if name in {"container", "coverage", "verification"}:
            yield from paths(member, (*before, name))


@pytest.mark.parametrize("path", list(paths(RECORD)), ids=".".join)
def test_a_record_that_lacks_a_member_is_none(path):
    """Nothing is made up for what is not there."""
    record = copy.deepcopy(RECORD)
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    with pytest.raises((KeyError, TypeError, ValueError)):
        Acquisition.from_record(record)


@pytest.mark.parametrize("unread", [[[1]], [[1, 2, 3]], [5], 7])
def test_a_record_of_strange_ranges_is_none(unread):
    record = copy.deepcopy(RECORD)
    record["coverage"]["unread"] = unread
    with pytest.raises((KeyError, TypeError, ValueError)):
        Acquisition.from_record(record)


def test_what_is_returned_is_what_the_record_on_disk_says(tmp_path):
    """And the digests are hashlib's of the source."""
    data = random.Random(7).randbytes(30 * 2048)
    (tmp_path / "disc.iso").write_bytes(data)
    made = acquire(tmp_path / "disc.iso", tmp_path, "E-1", Plan(format="raw"))
    record = json.loads((tmp_path / "E-1" / "E-1.json").read_bytes())
    assert Acquisition.from_record(record) == made
    assert made.digests["sha256"] == hashlib.sha256(data).hexdigest()
    assert made.digests["md5"] == hashlib.md5(data).hexdigest()
    assert (made.sector_count, made.sectors_read, made.sectors_unread) == (30, 30, 0)

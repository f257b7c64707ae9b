"""The record and the log: every field that is documented is there, and the text says what the JSON says."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from acquire import record as records
from acquire.acquisition import ExhibitHeader, Plan, acquire
from acquire.errors import DestinationError
from acquire.exhibit import Acquisition
from acquire.logbook import Logbook
from acquire.partial import State, check_label, sector_map
from acquire.reader import ReadError
from acquire.sectormap import Run, Status

REFERENCE = Path(__file__).resolve().parents[2] / "docs/reference/acquisition-record.md"


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    source = tmp_path / "disc.iso"
    source.write_bytes(os.urandom(100 * 2048))
    header = ExhibitHeader("2026-014", "EX-1", "CD-R", "A. Examiner", "notes")
    acquire(source, tmp_path, "A", Plan(header=header))
    found: dict[str, Any] = json.loads((tmp_path / "A" / "A.json").read_text())
    return found


def names_in(value: Any, prefix: str = "") -> set[str]:
    """Dotted names of all fields."""
    found: set[str] = set()
    if isinstance(value, dict):
        for name, inner in value.items():
            found |= {f"{prefix}{name}"} | names_in(inner, f"{prefix}{name}.")
    elif isinstance(value, list):
        for inner in value:
            found |= names_in(inner, prefix)
    return found


FREE = re.compile(r".*(digests|stored_agree|container_header)\.[^.]+")
"""Fields whose names are data."""


def undocumented(record: dict[str, Any]) -> set[str]:
    cells = re.findall(r"^\| (`.*?`) \|", REFERENCE.read_text(), re.MULTILINE)
    documented = {name for cell in cells for name in re.findall(r"`([a-z0-9_.]+)`", cell)}
    return {name for name in names_in(record) if name not in documented and not FREE.fullmatch(name)}


def test_every_field_is_documented(tmp_path: Path, record):
    """Each field of a record has a line in the reference: from a file, and from a container."""
    assert undocumented(record) == set()
    acquire(tmp_path / "A" / "A.E01", tmp_path, "B", Plan("raw"))
    assert undocumented(json.loads((tmp_path / "B" / "B.json").read_text())) == set()


@pytest.mark.root
def test_every_field_of_a_device_is_documented(tmp_path: Path, loop_device):
    """Each field of a record of a block device has a line in the reference."""
    image = tmp_path / "image"
    image.write_bytes(os.urandom(1 << 20))
    acquire(loop_device(image), tmp_path, "A")
    assert undocumented(json.loads((tmp_path / "A" / "A.json").read_text())) == set()


def test_every_event_is_documented(tmp_path: Path, record):
    """Each event of a log has a line in the reference."""
    text = REFERENCE.read_text()
    for line in (tmp_path / "A" / "A.log.jsonl").read_text().splitlines():
        assert f"| `{json.loads(line)['event']}`" in text


def test_the_record_is_an_acquisition(record):
    """The record gives the acquisition back, and it adds up."""
    made = Acquisition.from_record(record)
    assert made.sectors_read + made.sectors_unread == made.sector_count == 100
    assert record["exhibit"]["examiner"] == "A. Examiner"
    assert record["tool"]["name"] == "jewelcase"
    assert re.fullmatch(r"[0-9a-f]{64}", record["tool"]["code_sha256"])
    assert record["host"]["name"] == os.uname().nodename
    assert (
        record["started"]
        <= record["reading"]["ended"]
        <= record["verification"]["started"]
        <= record["ended"]
    )


def test_the_text_says_what_the_record_says(record):
    """The text has the digests, and coverage and verification under headings of their own."""
    text = records.as_text(record).decode()
    for value in (
        *record["digests"].values(),
        "2026-014",
        "A. Examiner",
        record["source"]["path"],
        "E01 (EnCase 6)",
    ):
        assert str(value) in text
    assert "Every sector was read." in text
    assert text.index("Coverage (") < text.index("Verification (")
    assert re.search(r"Sectors expected: +100\n", text)
    assert re.search(r"Container: +verified\n", text)


def test_a_text_of_very_many_errors(record):
    """With more errors than a page bears, the text says how many are not listed."""
    error = ReadError(0, 2048, 5, "Input/output error", 2).as_record(2048)
    record["errors"] = [error | {"lba": lba} for lba in range(5000)]
    record["coverage"] |= {
        "unread": [[lba, 1] for lba in range(5000)],
        "sectors_unread": 5000,
        "sectors_read": 1,
    }
    record["coverage"]["sector_count"] = 5001
    text = records.as_text(record).decode()
    assert "and 4000 more errors" in text
    assert "and 4000 more ranges" in text
    assert "NOT ALL OF THE SOURCE WAS READ: 0 %" in text
    assert text.count("\n") < 2200


def test_text_that_cannot_act():
    """Controls, marks of direction and lone surrogates become escapes; letters stay."""
    assert records.visible("a\x1b[2Jb\nc\u202ed\ud800é ☃") == "a\\x1b[2Jb\\nc\\u202ed\\ud800é ☃"
    assert records.visible(12) == "12"


def test_a_log_that_a_kill_cut(tmp_path: Path):
    """A last line that is cut short is ended, so that the next one is whole."""
    path = tmp_path / "log"
    path.write_bytes(b'{"time": "x", "event": "a"}\n{"time": "y", "ev')
    with Logbook(path) as log:
        log.event("b", {"text": "two\nlines \x1b \ud800"})
        log.sync()
    lines = path.read_bytes().split(b"\n")
    assert lines[1] == b'{"time": "y", "ev'
    assert json.loads(lines[2])["event"] == "b"
    assert json.loads(lines[2])["text"] == "two\nlines \x1b \ud800"
    assert lines[3] == b""


def test_a_log_that_cannot_be_written(tmp_path: Path):
    """A log that cannot be opened or written is an error of the destination; trying to is none."""
    with pytest.raises(DestinationError):
        Logbook(tmp_path / "absent" / "log")
    log = Logbook(tmp_path / "log")
    os.close(log._descriptor)
    with pytest.raises(DestinationError):
        log.event("x")
    log.try_event("x")
    log._descriptor = -1


def test_a_state_reads_back():
    """A state is the same after it was written and read, errors and all."""
    state = State(
        "reading", {"format": "raw"}, {"size_bytes": 10}, 2048, 10_000, "now", [{"started": "now"}], 4096,
        {"md5": "00"}, (ReadError(0, 10, 5, "x", 2), ReadError(100, 1, None, "\udcff", 0)),
    )  # fmt: skip
    assert State.from_json(state.as_json()) == state
    for position in (-1, 10_001):
        with pytest.raises(ValueError, match="outside"):
            State.from_json(state._replace(position_bytes=position).as_json())


def test_the_map_of_a_state():
    """Read, bad and never tried stretches, and what lies ahead."""
    errors = (ReadError(10, 5, 5, "x", 2), ReadError(40, 10, 6, "gone", 0))
    assert list(sector_map(100, 50, errors).runs()) == [
        Run(0, 10, Status.FINISHED),
        Run(10, 5, Status.BAD),
        Run(15, 25, Status.FINISHED),
        Run(40, 60, Status.NON_TRIED),
    ]


@pytest.mark.parametrize("label", ["A", "EX 1", "2026-014_a.b", "x" * 64, "a.partial.b"])
def test_labels(label):
    """Letters, digits, blanks and three marks make a label."""
    check_label(label)

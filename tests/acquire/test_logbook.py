"""The acquisition log: one JSON object a line, appended and never rewritten."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from acquire.errors import DestinationError, DiskFullError
from acquire.logbook import Logbook, now

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00")


def lines(path: Path) -> list[dict]:
    """The log's lines, each read by itself."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


def test_now_is_utc_with_microseconds():
    """Every record has the same form of time, even where the microseconds are zero."""
    text = now()
    assert TIME.fullmatch(text)
    assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(seconds=10)


def test_an_event_is_one_line_of_json_with_its_time(tmp_path):
    path = tmp_path / "a.log.jsonl"
    with Logbook(path) as log:
        time = log.event("started", {"label": "E-1", "size": 2**63})
        log.event("ended")
    data = path.read_bytes()
    assert data.count(b"\n") == 2
    assert data.endswith(b"\n")
    first, second = lines(path)
    assert first == {"time": time, "event": "started", "label": "E-1", "size": 2**63}
    assert list(second) == ["time", "event"]
    assert TIME.fullmatch(first["time"])


def test_text_that_looks_like_lines_stays_in_its_line(tmp_path):
    """What a drive or an examiner says cannot forge an event: line ends are escaped, and all is ASCII."""
    path = tmp_path / "log"
    words = 'x\n{"event": "forged"}\r\n\u2028\x85é\x1b[31m\0'
    with Logbook(path) as log:
        log.event("note", {"message": words})
    data = path.read_bytes()
    assert data.count(b"\n") == 1
    assert data.isascii()
    assert b"\x1b" not in data
    assert lines(path)[0]["message"] == words


def test_opening_again_appends(tmp_path):
    path = tmp_path / "log"
    for number in range(3):
        before = path.read_bytes() if number else b""
        with Logbook(path) as log:
            log.event("run", {"number": number})
        assert path.read_bytes().startswith(before)
    assert [line["number"] for line in lines(path)] == [0, 1, 2]


def test_a_line_that_a_kill_cut_short_is_ended_and_kept(tmp_path):
    """What follows is whole; the torn line stays as it is, for whoever reads the log."""
    path = tmp_path / "log"
    path.write_bytes(b'{"event": "one"}\n{"event": "tw')
    with Logbook(path) as log:
        log.event("three")
    first, torn, third = path.read_bytes().splitlines()
    assert (first, torn) == (b'{"event": "one"}', b'{"event": "tw')
    assert json.loads(third)["event"] == "three"


def test_a_whole_last_line_gets_no_empty_line_behind_it(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b'{"event": "one"}\n')
    Logbook(path).close()
    assert path.read_bytes() == b'{"event": "one"}\n'


def test_an_opened_log_without_an_event_is_empty(tmp_path):
    Logbook(tmp_path / "log").close()
    assert (tmp_path / "log").read_bytes() == b""


def test_two_logbooks_of_one_file_do_not_overwrite_each_other(tmp_path):
    """O_APPEND: each line goes to the end as it is then."""
    path = tmp_path / "log"
    with Logbook(path) as one, Logbook(path) as two:
        for number in range(50):
            (one if number % 2 else two).event("n", {"number": number})
    assert [line["number"] for line in lines(path)] == list(range(50))


def test_events_are_in_the_file_before_the_process_ends(tmp_path):
    """Killed without warning, a process has lost no event: nothing waits in a buffer of its own."""
    path = tmp_path / "log"
    code = (
        "import os, sys; from pathlib import Path; from acquire.logbook import Logbook\n"
        "log = Logbook(Path(sys.argv[1]))\n"
        "[log.event('n', {'number': n}) for n in range(20)]\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, path], check=False)
    assert done.returncode == -9
    assert [line["number"] for line in lines(path)] == list(range(20))


def test_where_no_log_can_be_the_place_is_named(tmp_path):
    with pytest.raises(DestinationError) as caught:
        Logbook(tmp_path / "none" / "log")
    assert caught.value.where == str(tmp_path / "none" / "log")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DestinationError):
        Logbook(tmp_path / "folder")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_told_and_try_event_goes_on():
    """/dev/full fails every write with ENOSPC."""
    with Logbook(Path("/dev/full")) as log:
        with pytest.raises(DiskFullError, match="No space left"):
            log.event("x")
        log.try_event("x")


def test_try_event_writes_as_event_does(tmp_path):
    with Logbook(tmp_path / "log") as log:
        log.try_event("stopped", {"reason": "asked"})
        log.sync()
    assert lines(tmp_path / "log")[0]["reason"] == "asked"


def test_a_value_that_is_no_json_is_a_mistake_of_ours_and_leaves_no_line(tmp_path):
    with Logbook(tmp_path / "log") as log:
        with pytest.raises(TypeError):
            log.event("x", {"value": b"bytes"})
        log.event("y")
    assert [line["event"] for line in lines(tmp_path / "log")] == ["y"]


def test_closing_twice_does_nothing_and_lets_no_other_file_go(tmp_path):
    log = Logbook(tmp_path / "log")
    log.close()
    with (tmp_path / "other").open("wb") as other:
        log.close()
        other.write(b"still open")
    assert (tmp_path / "other").read_bytes() == b"still open"
    with pytest.raises(DestinationError):
        log.event("late")

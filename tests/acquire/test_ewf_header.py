"""The texts of an E01's header sections: against bytes by hand, ewfinfo and hostile payloads."""

import random
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.acquisition import acquire
from acquire.containers.ewf import HeaderValues
from acquire.containers.ewf_header import (
    MAX_TEXT_BYTES,
    decode_payload,
    header2_payload,
    header2_text,
    header_payload,
    header_text,
    parse_text,
)
from acquire.exhibit import ExhibitHeader, Plan

WHEN = datetime(2026, 3, 4, 5, 6, 7, 999_999, tzinfo=UTC)
SECONDS = "1772600767"  # date -u -d "2026-03-04 05:06:07" +%s
VALUES = HeaderValues("C-14", "E-1", "A disc", "A. Examiner", "Notes", "Model", "Serial", "1.2", "Linux")

HEADER2 = (
    "3\nmain\n"
    "a\tc\tn\te\tt\tmd\tsn\tav\tov\tm\tu\tp\tdc\n"
    f"A disc\tC-14\tE-1\tA. Examiner\tNotes\tModel\tSerial\t1.2\tLinux\t{SECONDS}\t{SECONDS}\t0\t\n"
    "\n"
    "srce\n0\t1\np\tn\tid\tev\ttb\tlo\tpo\tah\tgu\taq\n0\t0\n\t\t\t\t\t-1\t-1\t\t\t\n\n"
    "sub\n0\t1\np\tn\tid\tnu\tco\tgu\n0\t0\n\t\t\t\t1\t\n\n"
)
HEADER = (
    "1\r\nmain\r\nc\tn\ta\te\tt\tav\tov\tm\tu\tp\r\n"
    "C-14\tE-1\tA disc\tA. Examiner\tNotes\t1.2\tLinux\t2026 3 4 5 6 7\t2026 3 4 5 6 7\t0\r\n\r\n"
)


def test_header2_is_the_text_that_encase_6_writes():
    """Columns, lines and empty sources and subjects, written out by hand."""
    assert header2_text(VALUES, WHEN) == HEADER2


def test_header_is_the_text_of_older_readers():
    """CR LF, and times as numbers without leading zeros."""
    assert header_text(VALUES, WHEN) == HEADER


def test_payloads_are_zlib_streams_of_utf_16_with_a_mark_and_of_ascii():
    text = zlib.decompress(header2_payload(VALUES, WHEN))
    assert text == b"\xff\xfe" + HEADER2.encode("utf-16-le")
    assert zlib.decompress(header_payload(VALUES, WHEN)) == HEADER.encode("ascii")


def test_what_ascii_has_not_becomes_question_marks_in_header_only():
    values = VALUES._replace(examiner="Ünal 日本", notes="\U0001f4bf")
    assert b"?nal ??\t?" in zlib.decompress(header_payload(values, WHEN))
    assert "Ünal 日本\t\U0001f4bf" in zlib.decompress(header2_payload(values, WHEN)).decode("utf-16")


def test_a_lone_surrogate_does_not_stop_the_writing():
    """A name from a file system may hold one; UTF-16 does not."""
    values = VALUES._replace(notes="a\udcffb")
    assert "a?b" in zlib.decompress(header2_payload(values, WHEN)).decode("utf-16")
    assert b"a?b" in zlib.decompress(header_payload(values, WHEN))


@pytest.mark.parametrize("mark", ["\t", "\n", "\r", "\0", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"])
def test_nothing_typed_makes_another_column_or_line(mark):
    """Tabs and line ends in what an examiner typed become spaces; the columns stay as many."""
    values = VALUES._replace(description=f"one{mark}two", notes=f"{mark}3{mark}")
    clean = VALUES._replace(description="one two", notes=" 3 ")
    assert header2_text(values, WHEN) == header2_text(clean, WHEN)
    assert header_text(values, WHEN) == header_text(clean, WHEN)


def test_version_and_system_are_cut_as_encase_cuts_them():
    """11 and 23 characters."""
    values = VALUES._replace(version="v" * 40, system="s" * 40)
    for text in (header2_text(values, WHEN), header_text(values, WHEN)):
        assert f"\t{'v' * 11}\t{'s' * 23}\t" in text


def test_encodings_that_other_programs_use_are_read():
    """UTF-16 with either mark, UTF-8, ASCII, and Windows' single bytes where it is no UTF-8."""
    for payload, text in (
        (b"\xff\xfea\0\xe9\0", "aé"),
        (b"\xfe\xff\0a\0\xe9", "aé"),
        ("aé".encode(), "aé"),
        (b"plain", "plain"),
        (b"a\xe9", "aé"),
        (b"", ""),
        (b"\xff\xfea", "\ufffd"),
    ):
        assert decode_payload(zlib.compress(payload)) == text


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"not a stream",
        zlib.compress(b"abc")[:-1],
        zlib.compress(b"abc")[:-4] + bytes(4),
        zlib.compress(b"x" * 10_000)[:20],
    ],
)
def test_what_does_not_inflate_is_no_text(payload):
    assert decode_payload(payload) is None


def test_a_bomb_is_no_text_and_takes_no_memory():
    """A payload that would inflate to more than anybody writes is given up, not inflated."""
    assert decode_payload(zlib.compress(bytes(MAX_TEXT_BYTES + 1))) is None
    assert decode_payload(zlib.compress(bytes(256 << 20))) is None


@given(st.binary(max_size=400))
def test_any_payload_gives_text_or_none(payload):
    found = decode_payload(payload)
    assert found is None or isinstance(found, str)


@given(st.binary(max_size=400))
def test_any_text_gives_values(text):
    """Whatever inflates, its main category is a dictionary of text."""
    found = decode_payload(zlib.compress(text))
    assert found is not None
    assert all(isinstance(value, str) for value in parse_text("main\n" + found).values())


def test_values_by_hand():
    """Known columns get a field's name, unknown ones keep theirs; CR is no part of a value."""
    text = "1\r\nmain\r\nc\tn\tzz\t\tr\r\nC-14\tE 1\tvalue\tnameless\tf\r\n\r\n"
    assert parse_text(text) == {
        "case_number": "C-14",
        "evidence_number": "E 1",
        "zz": "value",
        "compression": "f",
    }


@pytest.mark.parametrize("text", ["", "main", "main\nc", "1\nMAIN\nc\nx\n", "mainly\nc\nx\n", "\n\n\n"])
def test_a_text_without_a_main_category_has_no_values(text):
    assert parse_text(text) == {}


def test_columns_and_values_of_different_number_give_what_fits():
    assert parse_text("main\nc\tn\te\nx\n") == {"case_number": "x"}
    assert parse_text("main\nc\nx\ty\tz\n") == {"case_number": "x"}


def test_only_the_first_main_category_counts():
    assert parse_text("main\nc\nfirst\n\nmain\nc\nsecond\n") == {"case_number": "first"}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """An E01 whose header has hard words."""
    folder = tmp_path_factory.mktemp("header")
    (folder / "disc.iso").write_bytes(random.Random(5).randbytes(40 * 2048))
    header = ExhibitHeader("2026/014", "No 7", "Disc\twith\nlines", "Ünal", "100 % \\ 'x' \"y\"")
    acquire(folder / "disc.iso", folder, "E-1", Plan(format="e01", header=header))
    return folder / "E-1" / "E-1.E01"


@pytest.mark.tools
def test_ewfinfo_reads_every_value(tool, made):
    """Another implementation shows what was put in, each in its own line."""
    done = subprocess.run([tool("ewfinfo"), made], check=True, capture_output=True, text=True)
    shown = dict(line.strip().split(":", 1) for line in done.stdout.splitlines() if ":" in line)
    assert shown["Case number"].strip() == "2026/014"
    assert shown["Evidence number"].strip() == "No 7"
    assert shown["Description"].strip() == "Disc with lines"
    assert shown["Examiner name"].strip() == "Ünal"
    assert shown["Notes"].strip() == "100 % \\ 'x' \"y\""


@pytest.mark.tools
def test_ewfverify_finds_the_container_sound(tool, made):
    done = subprocess.run([tool("ewfverify"), "-q", made], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

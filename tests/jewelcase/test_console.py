"""What reaches the terminal: hostile text only as visible escapes, colours only where they are wanted."""

import io
import json
import os
import pty
import re
import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from jewelcase import console

HOSTILE = "a\x1b[31m\x1b]0;title\x07\r\n\x00\x7f\x9b2J\u202eexe.\u2066\u200b\u2028\ufeff\udcff\U000e0041z"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        """Say so."""
        return True


def test_a_hostile_name_is_one_line_of_visible_characters(capsys):
    """Nothing of a name moves the cursor, starts a line, or turns the direction of writing."""
    console.out(HOSTILE)
    text = capsys.readouterr().out
    assert text.count("\n") == 1
    assert text.endswith("z\n")
    assert text[:-1].isprintable()
    assert r"a\x1b[31m\x1b]0;title\x07\x0d\x0a\x00\x7f\x9b2J\u202eexe.\u2066\u200b\u2028\ufeff\udcff" in text


@given(st.text(alphabet=st.characters(), max_size=40))
def test_no_text_prints_anything_but_printable_characters(text):
    """The claim for every string, lone surrogates included."""
    assert console.visible(text).isprintable()


@given(
    st.recursive(
        st.text(alphabet=st.characters()), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_ascii_without_control_characters_and_loads_back(value):
    """What a script reads is the same text that was recorded, and safe on a terminal too."""
    line = console._json(value)
    assert line.isascii()
    assert line[:-1].isprintable()
    assert json.loads(line) == value


def test_colours_are_ours_and_only_on_a_terminal(monkeypatch):
    """A pipe gets none; a terminal gets ours around the escaped text; NO_COLOR and TERM=dumb get none."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    console.out(console.Styled("\x1b[5mname", console.BLUE), " rest")
    assert terminal.getvalue() == "\x1b[34m\\x1b[5mname\x1b[0m rest\n"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        with monkeypatch.context() as patch:
            plain = Terminal()
            patch.setenv(name, value)
            patch.setattr(sys, "stdout", plain)
            console.out(console.Styled("name", console.BLUE))
            assert plain.getvalue() == "name\n"
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stdout", pipe)
    console.out(console.Styled("name", console.BLUE))
    assert pipe.getvalue() == "name\n"


def test_what_is_said_goes_to_standard_error(capsys):
    """Results and words for people do not mix."""
    console.say("Examining")
    console.fail("No such file or device: x")
    assert capsys.readouterr() == ("", "Examining\njewelcase: No such file or device: x\n")


def test_tables_line_up_and_keep_hostile_cells_in_their_row(capsys):
    """A newline in a cell does not make a row."""
    console.table(("n", "name"), [("1", "a\nb"), ("100", "c")], frozenset({0}))
    assert capsys.readouterr().out == "  n  name\n  1  a\\x0ab\n100  c\n"


def test_facts_line_up(capsys):
    """Names in one column, values in the other, further lines of a value under its first."""
    console.facts([("size", "1 byte"), ("sha256", "ab\ncd")])
    assert capsys.readouterr().out == "size    1 byte\nsha256  ab\n        cd\n"


def test_a_full_disk_under_standard_output_is_a_sentence():
    """/dev/full refuses every byte: the error is one of the world's, said once, exit code 2."""
    code = "from jewelcase import console, main\nimport sys\nsys.exit(main.main(['--version']))"
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123  a device
        done = subprocess.run(
            [sys.executable, "-c", code], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "Cannot write the result (No space left on device): standard output" in done.stderr


def test_progress_is_silent_where_nobody_watches(capsys):
    """A pipe or a file as standard error gets no bars."""
    with console.progress() as callback:
        assert callback is None


def watched(command, **environment):
    """Run a command whose standard error is a real terminal; its exit code, output, and what was seen."""
    master, slave = pty.openpty()
    given = {**os.environ, "TERM": "xterm", "COLUMNS": "200", **environment}
    with subprocess.Popen(command, stderr=slave, stdout=subprocess.PIPE, env=given) as process:
        os.close(slave)
        seen = b""
        while True:
            try:
                block = os.read(master, 65536)
            except OSError:  # EIO: the other end is closed
                break
            if not block:
                break
            seen += block
        output = process.stdout.read()
    os.close(master)
    return process.returncode, output, re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


def test_progress_shows_rate_and_time_left_on_a_terminal():
    """The phase, a rate, the time left, unread bytes; entries while walking."""
    code = """
import time
from acquire.progress import Progress
from jewelcase import console
with console.progress() as show:
    for done in range(0, 11):
        show(Progress("acquire", done << 20, 10 << 20, 4096 if done > 5 else 0))
        time.sleep(0.12)
    for done in (1000, 2000, 3000):
        show(Progress("walk", done, 0))
        time.sleep(0.12)
    show(Progress("verify", 0, 10 << 20))
    show(Progress("verify", 10 << 20, 10 << 20))
"""
    done, output, text = watched([sys.executable, "-c", code])
    assert done == 0
    assert output == b""
    assert "Reading" in text
    assert "Verifying" in text
    assert "MiB/s" in text
    assert "of 10.00 MiB" in text
    assert "left 0:00:0" in text
    assert "3,000 entries" in text
    assert "4,096 bytes unread" in text


def test_a_real_acquisition_and_analysis_are_watched(case, iso, program):
    """Each long verb shows its phases on a terminal, and its result is on standard output alone."""
    words = [program, "acquire", iso, "--case", case, "--evidence", "D", "--json"]
    done, output, text = watched(words)
    assert done == 0, text
    assert json.loads(output)["verified"] is True
    assert "Reading" in text
    assert "Verifying" in text
    done, output, text = watched([program, "analyze", "--case", case, "--json"])
    assert done == 0, text
    assert json.loads(output)[0]["label"] == "D"
    assert "Walking" in text
    assert "Digesting content" in text
    done, output, text = watched([program, "verify", "--case", case], TERM="dumb")
    assert (done, text) == (0, "")

"""The program starts fast: a verb loads what it needs and nothing else."""

import os
import subprocess
import sys

import pytest

from jewelcase import __all__ as public
from jewelcase.main import VERBS

HEAVY = ("rich", "jinja2", "sqlite3", "sqlite_utils", "pytsk3", "pydantic", "casefiles", "multiprocessing")
"""What `ls` and `info` never need; each costs between 10 and 400 ms."""


def loaded(words, check):
    """Which of the modules `check` are loaded after the program ran `words` in a process of its own."""
    code = (
        "import io, sys\nfrom jewelcase.main import main\nreal, sys.stdout = sys.stdout, io.StringIO()\n"
        f"code = main({[str(word) for word in words]!r})\nsys.stdout = real\n"
        f"print(code, *(name for name in {check!r} if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    code, *names = done.stdout.split()
    return int(code), names


def cpu_s(command, runs=5):
    """The least CPU time of several runs of a command, in seconds (the operating system's own figure)."""
    least = float("inf")
    for _ in range(runs):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        least = min(least, usage.ru_utime + usage.ru_stime)
    return least


@pytest.mark.tools
def test_ls_and_info_load_nothing_heavy(iso):
    """No rich, no templates, no database, no second opinions."""
    assert loaded(["ls", iso, "-R"], HEAVY) == (0, [])
    assert loaded(["ls", iso, "-R", "--json"], HEAVY) == (0, [])


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["acquire", "--help"]])
def test_help_loads_no_room(words):
    """Neither readers nor file systems are loaded to say what a verb takes."""
    code, names = loaded(words, (*HEAVY, "acquire.containers", "analyze.analysis", "report"))
    assert code == 0
    assert names == []


@pytest.mark.tools
def test_ls_starts_fast(iso, program):
    """`jewelcase ls` takes less CPU time than six starts of Typer alone, which are 0.3 s on a slow machine.

    Compared and not measured in seconds, because a busy machine is slower for both.
    """
    peer = cpu_s([sys.executable, "-c", "import typer.main"])
    ours = cpu_s([program, "ls", iso])
    assert ours < 6 * peer, f"ls {ours:.3f} s, Typer alone {peer:.3f} s"


def test_importing_the_package_is_cheap():
    """`import jewelcase` loads no room; the public names come when they are asked for."""
    code = (
        "import sys, jewelcase\n"
        "rooms = ('acquire', 'analyze', 'casefiles', 'report', 'typer')\n"
        "assert not [name for name in rooms if name in sys.modules]\n"
        "assert jewelcase.open_image.__module__.startswith('acquire.')\n"
        f"assert all(getattr(jewelcase, name) for name in {public!r})\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_verb_has_help_with_an_example(jewelcase, verb):
    """--help ends with exit code 0, says what the verb does, and shows its example."""
    done = jewelcase(verb.name, "--help")
    assert done.code == 0
    assert done.err == ""
    assert done.out.startswith(f"Usage: jewelcase {verb.name} ")
    assert done.out.rstrip().endswith(f"Example:\n    {verb.example}")
    assert verb.call.__doc__.splitlines()[0] in done.out


def test_the_list_of_verbs_is_not_cut(jewelcase):
    """Each verb's line in --help is a whole sentence; no words at all give the same help."""
    done = jewelcase("--help")
    assert done.code == 0
    assert "..." not in done.out.split("Commands:")[1]
    for verb in VERBS:
        assert verb.call.__doc__.splitlines()[0] in done.out
    assert jewelcase().out == done.out


def test_version(jewelcase):
    """--version is the package's version."""
    from jewelcase import __version__  # noqa: PLC0415  read beside what it is compared with

    assert jewelcase("--version").out == f"jewelcase {__version__}\n"


def test_an_interruption_while_the_program_loads_is_one_sentence():
    """SIGINT at the moment the modules are imported: 130, one line, no traceback."""
    program = (
        "import os, signal, sys, types\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer':\n"
        "            os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "from jewelcase.entry import run\n"
        "run()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 130
    assert done.stderr == "jewelcase: Interrupted; nothing was changed\n"

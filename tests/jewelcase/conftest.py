"""Runs the program as a user does: a process of its own, and what it wrote."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(sys.executable).with_name("jewelcase")


class Run(subprocess.CompletedProcess):
    """A finished run: `code`, `out`, `err`."""

    @property
    def code(self):
        """The exit code."""
        return self.returncode

    @property
    def out(self):
        """Standard output."""
        return self.stdout

    @property
    def err(self):
        """Standard error."""
        return self.stderr

    def sentence(self):
        """The one line on standard error, without the program's name; fails if there is not just one."""
        lines = self.stderr.splitlines()
        assert len(lines) == 1, self.stderr
        assert lines[0].startswith("jewelcase: "), self.stderr
        return lines[0].removeprefix("jewelcase: ")


def run_program(*arguments, **options):
    """Run `jewelcase` with `arguments`; text in and out unless `options` say otherwise."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    environment |= {"LC_ALL": "C.UTF-8", "PYTHONWARNINGS": "error", **options.pop("env", {})}
    given = {"capture_output": True, "text": True, "timeout": 120, "stdin": subprocess.DEVNULL, **options}
    if "stdout" in given or "stderr" in given:
        del given["capture_output"]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **given}
    done = subprocess.run([PROGRAM, *map(str, arguments)], check=False, env=environment, **given)
    return Run(done.args, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def jewelcase():
    """`jewelcase("ls", image)`: run the installed program; `.code`, `.out`, `.err`."""
    assert PROGRAM.exists(), "jewelcase is not installed beside this Python"
    return run_program

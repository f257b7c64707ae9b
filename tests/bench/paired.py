"""Paired runs: two commands in turn, A B A B …, and the ratio pair by pair.

A machine's speed drifts; the ratio of two runs side by side does not. CPU time and peak memory are
the operating system's own figures for the finished process (wait4).
"""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

Command = Sequence[str]


class Usage(NamedTuple):
    """What one finished run took: seconds of wall and CPU time, peak resident memory in MiB."""

    wall_s: float
    cpu_s: float
    peak_mib: float


class Ratio(NamedTuple):
    """Ours against the peer, medians over the pairs: below 1 is faster than the peer."""

    wall: float
    cpu: float
    ours: Usage
    peer: Usage


def run(command: Command) -> Usage:
    """Run `command` once, its output thrown away; raises if it fails to start or exits above 1."""
    started = time.monotonic()
    process = subprocess.Popen(list(command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (0, 1):
        raise RuntimeError(f"{command[0]} ended with {process.returncode}")
    return Usage(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _median(runs: Sequence[Usage]) -> Usage:
    return Usage(*(statistics.median(column) for column in zip(*runs, strict=True)))


def compare(ours: Command, peer: Command, *, pairs: int = 5, warm_up: int = 1) -> Ratio:
    """Run both in turn `pairs` times after `warm_up` uncounted pairs."""
    mine: list[Usage] = []
    theirs: list[Usage] = []
    for number in range(pairs + warm_up):
        a, b = run(ours), run(peer)
        if number >= warm_up:
            mine.append(a)
            theirs.append(b)
    both = list(zip(mine, theirs, strict=True))
    return Ratio(
        statistics.median(a.wall_s / b.wall_s for a, b in both),
        statistics.median(a.cpu_s / b.cpu_s for a, b in both),
        _median(mine),
        _median(theirs),
    )


def shell(script: str) -> list[str]:
    """A pipeline of programs as one command."""
    return ["/bin/sh", "-c", script]


def present(name: str) -> bool:
    """Whether the peer is installed; says so if not."""
    if shutil.which(name):
        return True
    print(f"  {name}: not installed, not compared")
    return False


def show(what: str, peer: str, ratio: Ratio, *, wanted: str = "") -> None:
    """Print one line of the table."""
    print(
        f"  {what} / {peer}: wall {ratio.wall:.2f}, CPU {ratio.cpu:.2f}"
        f"  (ours {ratio.ours.wall_s:.2f} s, {ratio.ours.cpu_s:.2f} s CPU, {ratio.ours.peak_mib:.0f} MiB;"
        f" {peer} {ratio.peer.wall_s:.2f} s, {ratio.peer.cpu_s:.2f} s CPU, {ratio.peer.peak_mib:.0f} MiB)"
        f"{'  wanted: ' + wanted if wanted else ''}",
        flush=True,
    )


PYTHON = sys.executable

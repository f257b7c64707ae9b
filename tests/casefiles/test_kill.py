"""SIGKILL at any moment: the case opens, the same command goes on, and the result is that of a quiet run."""

import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from acquire.exhibit import Plan
from casefiles import query
from casefiles.case import Case
from casefiles.custody import CustodyLog
from casefiles.schema import COLUMNS

TIMES = {
    "cases": {"created"},
    "evidence": {"created"},
    "acquisitions": {"files", "verify_detail", "started", "ended", "resumed", "record"},
    "analyses": {"started", "ended", "content_sha256"},
    "blocks": {"length_bytes", "sha256"},
    "seals": {"sha256", "row_checks", "rows"},
}
"""What holds times, or digests and sizes of files that hold times."""


def rows(folder: Path) -> dict[str, list[tuple]]:
    """Every row of every table but the custody log, without times; and the index by words."""
    connection = sqlite3.connect(folder / "case.db")
    made = {}
    for table in set(COLUMNS) - {"custody"}:
        columns = [column for column in COLUMNS[table] if column not in TIMES.get(table, set())]
        made[table] = sorted(connection.execute(f"SELECT {', '.join(columns)} FROM {table}"), key=repr)
    words = "SELECT rowid FROM entries_fts WHERE entries_fts MATCH 'txt' ORDER BY 1"
    made["words"] = connection.execute(words).fetchall()
    connection.close()
    return made


def in_child(act: Callable[[], None]) -> int:
    """Do it in a process of its own, made by fork; returns its exit code, negative for a signal."""
    child = os.fork()
    if not child:
        try:
            act()
        except BaseException:  # noqa: BLE001  nothing of the child may go on as a second pytest
            traceback.print_exc(file=sys.__stderr__)
            os._exit(70)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def work(folder: Path, disc: Path, form: str) -> None:
    """What the user's command does: the same every time, whatever is there already."""
    with Case.open(folder) as case:
        states = [
            row["state"] for each in query.evidence(case) for row in query.acquisitions(case, each["id"])
        ]
        if states != ["complete"]:
            case.acquire(disc, "EX-1", Plan(format=form))
        case.analyze()


@pytest.fixture(scope="module")
def large_disc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of 12 MiB with 700 files in two views, by pycdlib: long enough to be killed in."""
    sys.path.insert(0, str(Path(__file__).parent))
    from conftest import write_disc  # noqa: PLC0415  this folder is no package

    chance = random.Random(99)
    files = {f"/DIR{n % 7}/F{n:05d}.TXT": chance.randbytes(chance.randrange(30_000)) for n in range(700)}
    return write_disc(tmp_path_factory.mktemp("large") / "large.iso", files)


def new_case(folder: Path) -> Path:
    Case.create(folder, number="1", examiner="E").close()
    return folder


@pytest.mark.parametrize("form", ["raw", "e01"])
def test_a_run_that_is_killed_again_and_again_ends_like_a_quiet_one(tmp_path, large_disc, form):
    """Twenty kills at random moments, then a run to the end: every row but times and custody is the same."""
    quiet = new_case(tmp_path / "quiet")
    began = time.monotonic()
    assert in_child(lambda: work(quiet, large_disc, form)) == 0
    took = time.monotonic() - began
    chance = random.Random(form)
    folder = new_case(tmp_path / "case")
    kills = 0
    told = set()
    for attempt in range(20):
        # The first of them early on, so that later ones find every stage half done.
        after = took * chance.uniform(0.01, 0.1 + attempt / 20)

        def killed(after: float = after) -> None:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_REAL, after)  # SIGALRM's default ends the process as SIGKILL does
            work(folder, large_disc, form)
            signal.setitimer(signal.ITIMER_REAL, 0)

        code = in_child(killed)
        assert code in (0, -signal.SIGALRM)
        kills += code != 0
        with Case.open(folder, write=False) as case:  # it opens, whatever happened
            told.add(list(query.custody(case))[-1]["action"])
            assert case.database.problems() == []
    assert kills >= 5
    assert len(told) >= 2, "killed in one stage only"
    assert in_child(lambda: work(folder, large_disc, form)) == 0
    seen, wanted = rows(folder), rows(quiet)
    for table in wanted:
        assert seen[table] == wanted[table], table
    assert seen["entries"]
    with Case.open(folder) as case:
        assert [check for check in case.verify() if not check.ok] == []


@pytest.mark.parametrize(
    "action", ["acquire-finished", "analyze-finished", "analyze-started", "acquire-started"]
)
@pytest.mark.parametrize("moment", ["before the commit", "between the copies"])
def test_a_kill_at_the_worst_moments(tmp_path, disc, action, moment):
    """Right before an event's transaction is committed, and between the commit and the second copy's line."""
    folder = new_case(tmp_path / "case")
    added = []
    real_add, real_write = CustodyLog.add, CustodyLog._write_mirror

    def add(self, name, detail):
        made = real_add(self, name, detail)
        if name == action:
            if moment == "before the commit":
                os.kill(os.getpid(), signal.SIGKILL)
            added.append(name)
        return made

    def write(self, **words):
        if added:
            os.kill(os.getpid(), signal.SIGKILL)
        real_write(self, **words)

    def killed() -> None:
        CustodyLog.add, CustodyLog._write_mirror = add, write  # in the child only
        work(folder, disc, "raw")

    assert in_child(killed) == -signal.SIGKILL
    assert in_child(lambda: work(folder, disc, "raw")) == 0
    with Case.open(folder) as case:
        assert [check for check in case.verify() if not check.ok] == []
        names = [event["action"] for event in query.custody(case)]
    assert names.count(action) == 1
    assert ("mirror-completed" in names) == (moment == "between the copies")
    lines = (folder / "log" / "custody.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["action"] for line in lines] == names


@pytest.mark.parametrize("call", [1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121, 144, 169])
def test_a_kill_while_a_case_is_made(tmp_path, call):
    """At any step there is either no case, and the same command makes it, or a whole one."""
    folder = tmp_path / "case"
    left = call

    def step(frame, event, argument):
        nonlocal left
        if "/casefiles/" in frame.f_code.co_filename and "/tests/" not in frame.f_code.co_filename:
            left -= 1
            if not left:
                os.kill(os.getpid(), signal.SIGKILL)

    def killed() -> None:
        sys.setprofile(step)
        Case.create(folder, number="1", examiner="E").close()

    assert in_child(killed) in (0, -signal.SIGKILL)
    made = (folder / "case.db").exists()
    with Case.open(folder) if made else Case.create(folder, number="1", examiner="E") as case:
        assert all(check.ok for check in case.verify() if "second copy" not in check.subject)
        assert query.chain(case)["ok"]

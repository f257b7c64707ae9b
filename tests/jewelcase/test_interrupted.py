"""Killed at any moment, the case opens and the same command goes on to the same result."""

import hashlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

pytestmark = pytest.mark.tools

MIB = 1 << 20
WORDS = ("--number", "1", "--examiner", "E", "--evidence", "D")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """32 MiB that do not compress: reading them takes long enough to be killed in the middle."""
    path = tmp_path_factory.mktemp("large") / "large.iso"
    path.write_bytes(random.Random(7).randbytes(32 * MIB))
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A disc of 2,500 files by genisoimage: walking and digesting take long enough."""
    root = tmp_path_factory.mktemp("many")
    source = root / "source"
    for number in range(2500):
        folder = source / f"d{number // 100:02d}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file {number:05d}.txt").write_bytes(b"%d\n" % number * (number % 500))
    target = root / "many.iso"
    command = ["genisoimage", "-quiet", "-R", "-J", "-V", "MANY", "-o", str(target), str(source)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("genisoimage is not installed")
    return target


def start(program, *arguments):
    """Start the program in a process group of its own, its words thrown away."""
    return subprocess.Popen(
        [program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_when(process, reached, limit_s=60):
    """SIGKILL the process and its children as soon as `reached()`; whether it was still running."""
    until = time.monotonic() + limit_s
    while process.poll() is None and time.monotonic() < until and not reached():
        time.sleep(0.002)
    alive = process.poll() is None
    if alive:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return alive


def written(folder):
    """Bytes in the files of a folder."""
    total = 0
    for path in folder.glob("*") if folder.is_dir() else ():
        try:
            total += path.stat().st_size
        except FileNotFoundError:
            continue
    return total


def content(case):
    """What the case knows of the disc, without the times of the case."""
    database = sqlite3.connect(f"file:{case}/case.db?mode=ro", uri=True)
    try:
        return [
            database.execute(
                "SELECT kind, label, session, start_lba FROM volumes ORDER BY ordinal"
            ).fetchall(),
            database.execute(
                "SELECT v.ordinal, path, e.kind, size_bytes, e.modified, md5, sha1, sha256, content"
                " FROM entries e JOIN volumes v ON v.id = e.volume_id ORDER BY v.ordinal, e.path"
            ).fetchall(),
            database.execute("SELECT code, lba, offset, message FROM anomalies ORDER BY id").fetchall(),
            database.execute("SELECT code, title, lba FROM findings ORDER BY id").fetchall(),
        ]
    finally:
        database.close()


@pytest.mark.parametrize("container", ["e01", "raw"])
def test_acquire_goes_on_after_sigkill(jewelcase, program, case, large, container):
    """Killed three times, later each time: no exhibit that looks whole; then the same command ends well."""
    words = ("acquire", large, "--case", case, "--evidence", "D", "--format", container)
    partial, whole = case / "evidence" / "D.partial", case / "evidence" / "D"
    kills = 0
    for share in (0.0, 0.4, 0.9):
        enough = share * large.stat().st_size
        if kill_when(start(program, *words), lambda enough=enough: written(partial) > enough):
            kills += 1
            assert not whole.exists()
            assert jewelcase("verify", "--case", case).code == 0
    assert kills
    done = jewelcase(*words, "--json")
    assert done.code == 0, done.err
    assert hashlib.sha256(large.read_bytes()).hexdigest() in done.out
    assert not partial.exists()
    assert jewelcase("verify", "--case", case).code == 0


@pytest.fixture(scope="module")
def acquired(jewelcase, tmp_path_factory, many):
    """A case with the disc of many files acquired."""
    case = tmp_path_factory.mktemp("acquired") / "case"
    assert jewelcase("new", case, *WORDS[:4]).code == 0
    assert jewelcase("acquire", many, "--case", case, "--evidence", "D").code == 0
    return case


@pytest.fixture(scope="module")
def undisturbed(jewelcase, tmp_path_factory, acquired):
    """What its analysis comes to when nothing disturbs it, and how long that takes."""
    case = tmp_path_factory.mktemp("undisturbed") / "case"
    shutil.copytree(acquired, case)
    began = time.monotonic()
    assert jewelcase("analyze", "--case", case).code == 0
    return content(case), time.monotonic() - began


def test_analyze_goes_on_after_sigkill(jewelcase, program, tmp_path, acquired, undisturbed):
    """Killed at six moments of an analysis: the case verifies, and ends equal to one never disturbed."""
    expected, takes_s = undisturbed
    case = tmp_path / "case"
    shutil.copytree(acquired, case)
    kills = 0
    for sixths in range(1, 7):
        process = start(program, "analyze", "--case", case)
        at = time.monotonic() + takes_s * sixths / 6.5
        kills += kill_when(process, lambda at=at: time.monotonic() > at)
    assert kills
    assert jewelcase("verify", "--case", case).code == 0
    done = jewelcase("analyze", "--case", case)
    assert done.code == 0, done.err
    assert content(case) == expected
    assert jewelcase("verify", "--case", case).code == 0


def test_run_goes_on_after_sigkill_again_and_again(jewelcase, program, tmp_path, many, undisturbed):
    """`run`, killed over and over from its first moment on: the same command ends with the whole result."""
    case = tmp_path / "case"
    for fifths in range(1, 9):
        process = start(program, "run", many, case, *WORDS)
        at = time.monotonic() + fifths / 5
        if not kill_when(process, lambda at=at: time.monotonic() > at):
            break
    done = jewelcase("run", many, case, *WORDS)
    assert done.code == 0, done.err
    assert content(case) == undisturbed[0]
    assert not list((case / "evidence").glob("*.partial"))
    assert not list(case.rglob("*.tmp"))


@pytest.mark.parametrize("verb", ["acquire", "run"])
def test_ctrl_c_says_how_to_go_on(program, case, large, verb, tmp_path):
    """SIGINT: exit code 130, one sentence with the command that goes on, and no traceback."""
    if verb == "acquire":
        words = ["acquire", str(large), "--case", str(case), "--evidence", "D"]
        folder = case
    else:
        folder = tmp_path / "other"
        words = ["run", str(large), str(folder), *WORDS]
    process = subprocess.Popen(
        [program, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    until, partial = time.monotonic() + 60, folder / "evidence" / "D.partial"
    while process.poll() is None and written(partial) < MIB and time.monotonic() < until:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip("it was faster than the signal")
    assert process.returncode == 130, err
    assert out == ""
    last = err.splitlines()[-1]
    assert last.startswith("jewelcase: Interrupted; what was done is kept.")
    assert last.endswith(f"jewelcase {' '.join(words)}")
    assert "Traceback" not in err
    assert not (folder / "evidence" / "D").exists()

"""Bad input of every kind: one sentence, exit code 2, nothing half-made."""

import os
import resource
import shutil
import subprocess

import pytest

from jewelcase.main import main


@pytest.fixture
def image(tmp_path):
    """A small source: 64 blank sectors."""
    path = tmp_path / "disc.iso"
    path.write_bytes(bytes(64 * 2048))
    return path


def snapshot(folder):
    """Every file under a folder with its size: what must not change, but for the lock and its holder."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != "case.lock")
    return {str(path): path.stat().st_size for path in files}


@pytest.fixture(scope="module")
def untouched(jewelcase, tmp_path_factory):
    """A new case for the tests after which nothing may have changed in it."""
    folder = tmp_path_factory.mktemp("untouched") / "case"
    assert jewelcase("new", folder, "--number", "1", "--examiner", "E").code == 0
    before = snapshot(folder)
    yield folder
    assert snapshot(folder).keys() == before.keys()


SOURCES = {
    "missing.iso": "No such file or device",
    "dangling": "No such file or device",
    "folder": "A folder, not a disc image",
    "empty.iso": "",
    "": "",
    "/dev/null": "",
    "pipe": "",
    "x" * 300: "",
}


@pytest.fixture
def sources(tmp_path):
    """A folder with what is no source: a folder, an empty file, a pipe, a link to nowhere."""
    root = tmp_path / "sources"
    (root / "folder").mkdir(parents=True)
    (root / "empty.iso").touch()
    (root / "dangling").symlink_to("nowhere")
    os.mkfifo(root / "pipe")
    return root


@pytest.mark.parametrize("source", SOURCES)
def test_a_source_that_is_none(jewelcase, untouched, sources, source):
    """Missing, a folder, empty, a device that is no disc, a pipe (which must not hang), a name too long."""
    for words in (["info", source], ["acquire", source, "--case", untouched, "--evidence", "D"]):
        done = jewelcase(*words, cwd=sources, timeout=20)
        assert done.code == 2, done.out
        assert done.out == ""
        assert done.sentence().startswith(SOURCES[source])
    assert not list((untouched / "evidence").iterdir())


@pytest.fixture
def confined(jewelcase):
    """Runs the program under the file modes that root's rights pass over, as root too; or skips."""
    if os.geteuid() != 0:
        return jewelcase
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("setpriv is not installed: root may read and write everything")

    def run(*words):
        return jewelcase(*words, before=[setpriv, "--bounding-set", "-dac_override,-dac_read_search", "--"])

    return run


@pytest.mark.parametrize("verb", ["info", "ls", "acquire"])
def test_a_source_that_may_not_be_read(confined, untouched, image, verb):
    """Mode 000, without root's right to read it all the same."""
    image.chmod(0)
    words = ["--case", untouched, "--evidence", "D"] if verb == "acquire" else []
    done = confined(verb, image, *words)
    assert done.code == 2
    assert done.sentence().startswith(f"No permission to read: {image}")
    assert not list((untouched / "evidence").iterdir())


def test_a_place_that_may_not_be_written(confined, jewelcase, case, image, tmp_path):
    """A case in a folder that is closed to writing; acts on a case whose files are."""
    parent = tmp_path / "parent"
    parent.mkdir()
    parent.chmod(0o555)
    done = confined("new", parent / "case", "--number", "1", "--examiner", "E")
    assert done.code == 2
    assert done.sentence().startswith("No permission to write")
    assert not list(parent.iterdir())
    assert jewelcase("acquire", image, "--case", case, "--evidence", "D").code == 0
    folders = [case, *(path for path in case.rglob("*") if path.is_dir())]
    for path in [*folders, case / "case.db"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = snapshot(case)
    for verb in (["acquire", image, "--evidence", "E"], ["analyze"], ["report"]):
        done = confined(*verb, "--case", case)
        assert done.code == 2, verb
        assert done.sentence()
    assert confined("verify", "--case", case).code == 0
    assert snapshot(case) == before
    for path in folders:
        path.chmod(0o755)


@pytest.mark.parametrize(
    ("verb", "folder"),
    [
        *(("analyze", folder) for folder in ("nowhere", "empty", "full", "file", "broken")),
        *(("verify", folder) for folder in ("nowhere", "full", "broken")),
        ("report", "empty"),
        *(("acquire", folder) for folder in ("nowhere", "full", "broken")),
    ],
)
def test_what_is_no_case(jewelcase, tmp_path, image, verb, folder):
    """Nothing, an empty folder, one with other things, a file, a case.db of other bytes: told, untouched."""
    root = tmp_path / "root"
    for name in ("empty", "full", "broken"):
        (root / name).mkdir(parents=True)
    (root / "full" / "letter.txt").write_text("mine")
    (root / "file").write_text("mine")
    (root / "broken" / "case.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    before = snapshot(root)
    words = [image, "--evidence", "D"] if verb == "acquire" else []
    done = jewelcase(verb, *words, "--case", root / folder)
    assert done.code == 2
    assert done.out == ""
    assert str(root / folder) in done.sentence()
    assert snapshot(root) == before


@pytest.mark.parametrize("verb", ["new", "run"])
def test_a_folder_with_other_things_becomes_no_case(jewelcase, tmp_path, image, verb):
    """Neither `new` nor `run` touches a folder that is not empty, nor makes one under a file."""
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("mine")
    before = snapshot(tmp_path)
    source, label = ([image], ["--evidence", "D"]) if verb == "run" else ([], [])
    for target in (folder, folder / "letter.txt" / "case"):
        done = jewelcase(verb, *source, target, "--number", "1", "--examiner", "E", *label)
        assert done.code == 2
        assert done.sentence()
        assert snapshot(tmp_path) == before


def test_a_case_is_not_made_twice(jewelcase, untouched):
    """`new` in a case: refused, the case unchanged."""
    before = snapshot(untouched)
    done = jewelcase("new", untouched, "--number", "2", "--examiner", "E")
    assert done.code == 2
    assert "There is a case in this folder already" in done.sentence()
    assert snapshot(untouched) == before


def test_a_label_is_taken_once(jewelcase, case, image):
    """The same label, or one that differs in case only, is refused; the exhibit is unchanged."""
    assert jewelcase("acquire", image, "--case", case, "--evidence", "Disc").code == 0
    before = snapshot(case / "evidence")
    for label in ("Disc", "DISC"):
        done = jewelcase("acquire", image, "--case", case, "--evidence", label)
        assert done.code == 2
        assert "Choose another label" in done.sentence()
    assert snapshot(case / "evidence") == before


LABELS = ("", "..", "../up", "a/b", "x" * 65, " a", "D.partial", "a\n\x1b[31m", "CON", "é")


@pytest.mark.parametrize("label", LABELS)
def test_a_label_that_cannot_be_one(jewelcase, untouched, image, label):
    """Refused before anything is made, in the case or outside it."""
    before = snapshot(untouched.parent)
    done = jewelcase("acquire", image, "--case", untouched, "--evidence", label)
    assert done.code == 2
    assert "cannot be the label of an exhibit" in done.sentence()
    assert done.err.rstrip("\n").isprintable()
    assert snapshot(untouched.parent) == before


def test_run_makes_no_case_for_a_label_that_cannot_be_one(jewelcase, tmp_path, image):
    """The label is looked at first."""
    words = ("--number", "1", "--examiner", "E", "--evidence", "../up")
    done = jewelcase("run", image, tmp_path / "case", *words)
    assert done.code == 2
    assert "cannot be the label of an exhibit" in done.sentence()
    assert not (tmp_path / "case").exists()


def test_run_makes_no_case_for_a_source_that_is_missing(jewelcase, tmp_path):
    """The source is looked at first."""
    case = tmp_path / "case"
    words = ("--number", "1", "--examiner", "E", "--evidence", "D")
    done = jewelcase("run", tmp_path / "missing.iso", case, *words)
    assert done.code == 2
    assert done.sentence().startswith("No such file or device")
    assert not case.exists()


@pytest.mark.parametrize("verb", ["analyze", "verify"])
def test_an_exhibit_that_is_not_there(jewelcase, case, image, verb):
    """An unknown label is told with its case."""
    assert jewelcase("acquire", image, "--case", case, "--evidence", "A").code == 0
    done = jewelcase(verb, "--case", case, "B")
    assert done.code == 2
    assert "B" in done.sentence()


def test_nothing_to_analyze(jewelcase, untouched):
    """A case without evidence says what to do."""
    done = jewelcase("analyze", "--case", untouched)
    assert done.code == 2
    assert "acquire" in done.sentence()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["frobnicate"], "No such command 'frobnicate'. See jewelcase --help"),
        (["new"], "Missing argument 'DIR'. See jewelcase new --help"),
        (["new", "CASE"], "Missing option '--number'. See jewelcase new --help"),
        (["new", "CASE", "--number", "1"], "Missing option '--examiner'. See jewelcase new --help"),
        (["ls"], "Missing argument 'IMAGE'. See jewelcase ls --help"),
        (["ls", "a", "b", "c"], "Got unexpected extra argument"),
        (["ls", "--frob"], "No such option"),
        (
            ["acquire", "x", "--case", "c", "--evidence", "D", "--format", "aff4"],
            "Invalid value for '--format'",
        ),
        (["acquire", "x", "--case", "c", "--evidence", "D", "--compression", "9"], "Invalid value for"),
        (["acquire", "x", "--case", "c", "--evidence", "D", "--segment-size", "big"], "'big' is not a size"),
        (["acquire", "x", "--case", "c", "--evidence", "D", "--segment-size", "1K"], "Segments of less than"),
        (["acquire", "x", "--case", "c", "--evidence", "D", "--digest", "crc32"], "Unknown digest 'crc32'"),
        (
            ["acquire", "x", "--case", "c", "--evidence", "D", "--format", "raw", "--segment-size", "1GB"],
            "--segment-size is for E01",
        ),
        (["report", "--case", "c", "--format", "pdf"], "Invalid value for '--format'"),
        (["ls", "\x1b[31mevil\x1b[0m\nname"], r"No such file or device: \x1b[31mevil\x1b[0m\x0aname"),
        (["\x1b[31m"], r"No such command"),
    ],
)
def test_odd_words(tmp_path, words, sentence, capsys, monkeypatch):
    """Words that do not fit together: one printable sentence with the way to the help."""
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"jewelcase: {sentence}")
    assert err.rstrip("\n").isprintable()
    assert not list(tmp_path.iterdir())


def test_empty_words_make_no_case(jewelcase, tmp_path):
    """A case needs a number and an examiner that say something."""
    for number, examiner in (("", "E"), ("1", " ")):
        done = jewelcase("new", tmp_path / "case", "--number", number, "--examiner", examiner)
        assert done.code == 2
        assert done.sentence()
        assert not (tmp_path / "case").exists()


@pytest.mark.parametrize("container", ["e01", "raw"])
def test_a_full_disk(jewelcase, tmp_path, container):
    """The disk fills up while acquiring: one sentence; with room again the same command ends well."""
    source = tmp_path / "source.iso"
    source.write_bytes(os.urandom(24 << 20))
    words = ["--evidence", "D", "--format", container]
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        _with_a_limit_on_file_sizes(jewelcase, small, source, words)
        return
    try:
        case = small / "case"
        assert jewelcase("new", case, "--number", "1", "--examiner", "E").code == 0
        # What is written is not known to be too much before it is: E01 is compressed.
        done = jewelcase("acquire", source, "--case", case, *words)
        assert done.code == 2
        assert done.sentence().lower().startswith(("no space left", "not enough space"))
        assert not (case / "evidence" / "D").exists()
        assert jewelcase("verify", "--case", case).code == 0
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        done = jewelcase("acquire", source, "--case", case, *words)
        assert done.code == 0, done.err
        assert jewelcase("verify", "--case", case).code == 0
    finally:
        subprocess.run(["umount", small], check=True)


def _with_a_limit_on_file_sizes(jewelcase, folder, source, words):
    """The same without root: no file may grow beyond 12 MB (RLIMIT_FSIZE, EFBIG)."""

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (12 << 20, resource.RLIM_INFINITY))

    case = folder / "case"
    assert jewelcase("new", case, "--number", "1", "--examiner", "E").code == 0
    done = jewelcase("acquire", source, "--case", case, *words, preexec_fn=limited)
    assert done.code == 2
    assert done.sentence().startswith("No space left")
    assert not (case / "evidence" / "D").exists()
    assert jewelcase("acquire", source, "--case", case, *words).code == 0


def test_a_file_size_limit_is_met_like_a_full_disk(jewelcase, tmp_path):
    """RLIMIT_FSIZE needs no root: one sentence, and the same command goes on without it."""
    source = tmp_path / "source.iso"
    source.write_bytes(os.urandom(24 << 20))
    _with_a_limit_on_file_sizes(jewelcase, tmp_path, source, ["--evidence", "D", "--format", "raw"])


def test_a_report_that_does_not_fit(jewelcase, case, image):
    """No room for the report: one sentence, and nothing in reports/ that looks like one."""
    assert jewelcase("acquire", image, "--case", case, "--evidence", "D").code == 0

    def limited():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))

    done = jewelcase("report", "--case", case, preexec_fn=limited)
    assert done.code == 2
    assert done.sentence()
    assert not list((case / "reports").glob("*.html"))
    assert jewelcase("report", "--case", case).code == 0


def test_closed_streams_do_no_harm(jewelcase, case, image, program):
    """Started without standard output and error, nothing of ours lands in the case's files."""
    script = f'"{program}" acquire "{image}" --case "{case}" --evidence D >&- 2>&- <&-'
    done = subprocess.run(["/bin/sh", "-c", script], check=False)
    assert done.returncode == 0
    assert jewelcase("verify", "--case", case).code == 0


def test_two_at_once(jewelcase, case, image, program):
    """While one process holds the case, a second writer is told so in one sentence."""
    code = "import sys\nfrom casefiles.case import Case\n"
    code += f"with Case.open({str(case)!r}):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    python = program.with_name("python")
    with subprocess.Popen(
        [python, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        done = jewelcase("acquire", image, "--case", case, "--evidence", "D")
        assert done.code == 2
        assert done.sentence()
        assert not list((case / "evidence").iterdir())
        holder.stdin.close()
    assert jewelcase("acquire", image, "--case", case, "--evidence", "D").code == 0


def test_a_fault_of_ours_is_a_traceback_escaped_and_exit_2(program, tmp_path):
    """What no verb foresees ends with 2 and a request to report it; nothing reaches the terminal raw."""
    code = (
        "import sys\nfrom jewelcase import console, main\n"
        "def broken(image): raise RuntimeError('evil \\x1b[31m name')\n"
        "main.VERBS = (main.Verb('broken', broken, ''),)\n"
        "broken.__annotations__ = {'image': str, 'return': int}\n"
        "sys.argv = ['jewelcase', 'broken', 'x']\nmain.run()\n"
    )
    python = program.with_name("python")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert r"evil \x1b[31m name" in done.stderr
    assert "\x1b" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("jewelcase: This is a fault of jewelcase")

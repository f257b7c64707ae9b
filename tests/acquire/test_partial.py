"""Partial: the folder in which an exhibit is made until one rename makes it LABEL."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from acquire.errors import DestinationError, UsageError
from acquire.partial import READING, Partial, State, check_label, sector_map
from acquire.reader import ReadError
from acquire.sectormap import Status

STATE = State(
    phase=READING,
    settings={"format": "raw", "digests": ["md5"]},
    identity={"size_bytes": 20480},
    sector_size_bytes=2048,
    size_bytes=20480,
    started="2026-01-02T03:04:05.000006+00:00",
    sittings=[{"started": "2026-01-02T03:04:05.000006+00:00", "position_bytes": 0}],
    position_bytes=8192,
    digests={"md5": "00" * 16},
    errors=(ReadError(4096, 2048, 5, "Input/output error", 3),),
)


@pytest.mark.parametrize(
    "label",
    ["E", "7", "E-1", "2026.014 disc 3", "a" * 64, "Disc_A", "a..b", "con", "x.partial.iso", "partial"],
)
def test_labels_that_can_be_file_names_everywhere_are_taken(label):
    check_label(label)


@pytest.mark.parametrize(
    "label",
    [
        "",
        " ",
        ".",
        "..",
        ".hidden",
        "-rf",
        "_a",
        "a ",
        " a",
        "a.",
        "a-",
        "a/b",
        "../a",
        "a\\b",
        "a\0b",
        "a\n",
        "a\nb",
        "é",
        "a" * 65,
        "E-1.partial",
        "E-1.PARTIAL",
        "a:b",
        "a*b",
        "٣",
    ],
)
def test_labels_that_lead_elsewhere_or_name_no_folder_are_refused(label):
    """Links upwards, hidden files, options, line ends, names that Windows shortens, our own suffix."""
    with pytest.raises(UsageError, match="cannot be a label"):
        check_label(label)


def test_a_state_is_json_with_a_version():
    """Other programs can look at how far it is: plain JSON, one line."""
    text = STATE.as_json()
    assert text.count(b"\n") == 1
    values = json.loads(text)
    assert values["state_version"] == 1
    assert values["position_bytes"] == 8192
    assert values["errors"] == [[4096, 2048, 5, "Input/output error", 3]]


def test_a_state_is_read_back_as_it_was():
    again = State.from_json(STATE.as_json())
    assert again == STATE
    assert isinstance(again.errors[0], ReadError)


def changed(**values: object) -> bytes:
    """A state's bytes with other values; None leaves one out."""
    made = json.loads(STATE.as_json()) | values
    return json.dumps({name: value for name, value in made.items() if value is not None}).encode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b"\xff\xfe",
        changed(state_version=2),
        changed(state_version=None),
        changed(phase=None),
        changed(position_bytes=-1),
        changed(position_bytes=20481),
        changed(position_bytes="8192"),
        changed(errors=None),
        changed(errors=7),
        changed(errors=[[1, 2]]),
        changed(unknown=1),
    ],
)
def test_a_state_that_cannot_be_gone_on_from_says_so(tmp_path, text):
    """A broken state stops with a sentence, and stays for whoever looks."""
    with Partial(tmp_path, "E-1") as partial:
        path = tmp_path / "E-1.partial" / "E-1.state.json"
        path.write_bytes(text)
        with pytest.raises(DestinationError, match="cannot be read") as caught:
            partial.load()
        assert caught.value.where == str(path)
        assert path.read_bytes() == text


def test_a_new_folder_has_nothing_to_go_on_from(tmp_path):
    with Partial(tmp_path, "E-1") as partial:
        assert (tmp_path / "E-1.partial").is_dir()
        assert partial.load() is None
        assert partial.load_record() is None


def test_what_is_saved_is_loaded_by_the_next_run(tmp_path):
    with Partial(tmp_path, "E-1") as partial:
        partial.save(STATE)
        partial.save(STATE._replace(position_bytes=10240))
    assert [path.name for path in (tmp_path / "E-1.partial").iterdir()] == ["E-1.state.json"]
    with Partial(tmp_path, "E-1") as partial:
        found = partial.load()
    assert found is not None
    assert found.position_bytes == 10240


def test_half_written_files_of_a_killed_run_are_cleared(tmp_path):
    with Partial(tmp_path, "E-1") as partial:
        partial.save(STATE)
        (partial.folder / "E-1.state.json.tmp").write_bytes(b"{")
        (partial.folder / "E-1.iso").write_bytes(b"kept")
        assert partial.load() == STATE
        assert sorted(path.name for path in partial.folder.iterdir()) == ["E-1.iso", "E-1.state.json"]


def test_a_folder_with_something_else_in_it_is_not_taken_over(tmp_path):
    (tmp_path / "E-1.partial").mkdir()
    (tmp_path / "E-1.partial" / "holiday.jpg").write_bytes(b"mine")
    with Partial(tmp_path, "E-1") as partial:
        with pytest.raises(DestinationError, match=r"holds holiday\.jpg but no state"):
            partial.load()
        assert (partial.folder / "holiday.jpg").read_bytes() == b"mine"


def test_an_exhibit_that_is_there_is_never_written_into(tmp_path):
    (tmp_path / "E-1").mkdir()
    with pytest.raises(DestinationError, match="already"), Partial(tmp_path, "E-1"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["E-1"]


def test_a_dangling_link_of_the_exhibits_name_counts_as_the_exhibit(tmp_path):
    (tmp_path / "E-1").symlink_to("nowhere")
    with pytest.raises(DestinationError, match="already"), Partial(tmp_path, "E-1"):
        pass


def test_a_file_in_the_folders_place_is_left_alone(tmp_path):
    (tmp_path / "E-1.partial").write_bytes(b"a file")
    with pytest.raises(DestinationError), Partial(tmp_path, "E-1"):
        pass
    assert (tmp_path / "E-1.partial").read_bytes() == b"a file"


def test_a_destination_that_is_not_there_is_not_made(tmp_path):
    with pytest.raises(DestinationError), Partial(tmp_path / "none", "E-1"):
        pass
    assert not (tmp_path / "none").exists()


def test_another_process_is_kept_out_until_the_first_has_ended(tmp_path):
    """The lock is the kernel's: it is gone with a process that was killed."""
    code = (
        "import sys, time; from pathlib import Path; from acquire.partial import Partial\n"
        "with Partial(Path(sys.argv[1]), 'E-1'): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "held\n"
        with pytest.raises(DestinationError, match="Another process"), Partial(tmp_path, "E-1"):
            pass
        with Partial(tmp_path, "E-2"):  # another exhibit is nobody's business
            pass
        child.kill()
    with Partial(tmp_path, "E-1") as partial:
        assert partial.load() is None


def test_finishing_renames_and_makes_read_only(tmp_path):
    with Partial(tmp_path, "E-1") as partial:
        partial.save(STATE)
        (partial.folder / "E-1.iso").write_bytes(b"data")
        (partial.folder / "E-1.json").write_bytes(b"{}")
        assert partial.finish() == tmp_path / "E-1"
    assert [path.name for path in tmp_path.iterdir()] == ["E-1"]
    made = sorted((tmp_path / "E-1").iterdir())
    assert [path.name for path in made] == ["E-1.iso", "E-1.json"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {0o444}


def test_finishing_does_not_change_what_a_link_leads_to(tmp_path):
    (tmp_path / "precious").write_bytes(b"x")
    (tmp_path / "precious").chmod(0o600)
    with Partial(tmp_path, "E-1") as partial:
        partial.save(STATE)
        (partial.folder / "link").symlink_to(tmp_path / "precious")
        partial.finish()
    assert stat.S_IMODE((tmp_path / "precious").stat().st_mode) == 0o600


def test_an_exhibit_that_came_in_between_is_not_overwritten(tmp_path):
    with Partial(tmp_path, "E-1") as partial:
        (partial.folder / "E-1.iso").write_bytes(b"new")
        (tmp_path / "E-1").mkdir()
        with pytest.raises(DestinationError, match="came in between"):
            partial.finish()
    assert list((tmp_path / "E-1").iterdir()) == []
    assert (tmp_path / "E-1.partial" / "E-1.iso").read_bytes() == b"new"


def test_a_record_that_was_written_before_the_rename_is_found(tmp_path):
    with Partial(tmp_path, "E-1") as partial:
        (partial.folder / "E-1.json").write_bytes(b'{"x": 1}')
        assert partial.load_record() == b'{"x": 1}'
        (partial.folder / "E-1.json").unlink()
        (partial.folder / "E-1.json").mkdir()
        with pytest.raises(DestinationError):
            partial.load_record()


def test_no_descriptor_is_left_open(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for number in range(5):
        with Partial(tmp_path, f"E-{number}"):
            pass
    (tmp_path / "X").mkdir()
    for _ in range(5):
        with pytest.raises(DestinationError), Partial(tmp_path, "X"):
            pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


ERRORS = (
    ReadError(4096, 2048, 5, "Input/output error", 3),
    ReadError(6144, 4096, None, "not asked for", 0),
)


def test_the_map_of_an_acquisition_has_what_failed_and_what_was_not_asked_for():
    """Sectors without a try are untried for ddrescue, not bad."""
    made = sector_map(20480, 12288, ERRORS)
    assert [(run.start_bytes, run.end_bytes, run.status) for run in made.runs()] == [
        (0, 4096, Status.FINISHED),
        (4096, 6144, Status.BAD),
        (6144, 10240, Status.NON_TRIED),
        (10240, 12288, Status.FINISHED),
        (12288, 20480, Status.NON_TRIED),
    ]


@pytest.mark.tools
def test_ddrescuelog_counts_the_same(tool, tmp_path: Path):
    """GNU ddrescue reads the map: finished, bad and untried bytes are those put in."""
    path = tmp_path / "a.map"
    sector_map(20480, 12288, ERRORS).save(path)

    def blocks(status: str) -> list[int]:
        command = [tool("ddrescuelog"), "-b", "2048", "-l", status, path]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return [int(line) for line in done.stdout.split()]

    assert blocks("+") == [0, 1, 5]
    assert blocks("-") == [2]
    assert blocks("?") == [3, 4, 6, 7, 8, 9]

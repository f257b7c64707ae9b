"""A small disc by another program (pycdlib), a case of it, and ways to tamper with it."""

import io
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pycdlib
import pytest

from acquire.exhibit import Plan
from casefiles.case import Case
from casefiles.check import Check

SECTOR = 2048


def contents(count: int = 24) -> dict[str, bytes]:
    """What is on the disc: bytes by path, empty files and a file of several sectors among them."""
    chance = random.Random(9660)
    made = {}
    for number in range(count):
        size = (0, 1, SECTOR - 1, SECTOR, SECTOR + 1, 40_000)[number % 6]
        made[f"/DIR{number % 3}/FILE{number:03d}.TXT"] = chance.randbytes(size)
    return made


def write_disc(path: Path, files: dict[str, bytes]) -> Path:
    """An ISO 9660 image with Rock Ridge and Joliet that holds `files`."""
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, joliet=3, rock_ridge="1.09", vol_ident="CASE_DISC")
    for folder in sorted({name.rsplit("/", 1)[0] for name in files}):
        iso.add_directory(folder, rr_name=folder[1:].lower(), joliet_path=folder.lower())
    for name, data in files.items():
        plain = name.rsplit("/", 1)[1].lower()
        iso.add_fp(io.BytesIO(data), len(data), f"{name};1", rr_name=plain, joliet_path=name.lower())
    iso.write(str(path))
    iso.close()
    return path


@pytest.fixture(scope="session")
def disc_files() -> dict[str, bytes]:
    """What is on `disc`, by its path in ISO 9660 (in Joliet and Rock Ridge: the same in lower case)."""
    return contents()


@pytest.fixture(scope="session")
def disc(tmp_path_factory: pytest.TempPathFactory, disc_files: dict[str, bytes]) -> Path:
    """An image of one disc with two views of 24 files."""
    return write_disc(tmp_path_factory.mktemp("disc") / "disc.iso", disc_files)


@pytest.fixture(scope="session")
def odd_disc(tmp_path_factory: pytest.TempPathFactory, disc: Path) -> Path:
    """The same disc, whose primary descriptor claims ten sectors more than there are, in one byte order only.

    ECMA-119 8.4.8: Volume Space Size, bytes 81 to 88, both orders. An anomaly and a finding.
    """
    data = bytearray(disc.read_bytes())
    at = 16 * SECTOR + 80
    claimed = int.from_bytes(data[at : at + 4], "little") + 10
    data[at : at + 4] = claimed.to_bytes(4, "little")
    path = tmp_path_factory.mktemp("odd") / "odd.iso"
    path.write_bytes(data)
    return path


@pytest.fixture(scope="session")
def finished_case(tmp_path_factory: pytest.TempPathFactory, disc: Path, odd_disc: Path) -> Path:
    """A case with `disc` (E-1, as E01) and `odd_disc` (R-1, raw), analyzed; copy it before you change it."""
    folder = tmp_path_factory.mktemp("finished") / "case"
    with Case.create(folder, number="2026-014", examiner="A. Examiner", actor="tester@bench") as case:
        case.acquire(disc, "E-1", Plan(format="e01"))
        case.acquire(odd_disc, "R-1", Plan(format="raw"))
        case.analyze()
    return folder


@pytest.fixture
def case_folder(finished_case: Path, tmp_path: Path) -> Path:
    """A copy of the finished case, to do what you like with."""
    return Path(shutil.copytree(finished_case, tmp_path / "case"))


@pytest.fixture
def tamper(case_folder: Path) -> Iterator[Callable[..., None]]:
    """`tamper(sql, *parameters)`: change case.db behind the program's back, triggers or not."""

    def change(sql: str, *parameters: object) -> None:
        connection = sqlite3.connect(case_folder / "case.db", isolation_level=None)
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql, parameters)
        for _, text in triggers:
            connection.execute(text)
        connection.close()

    return change


def verified(folder: Path, label: str | None = None, *, write: bool = False) -> list[Check]:
    """What a verification of the case in `folder` says."""
    with Case.open(folder, write=write) as case:
        return case.verify(label)


def bad(folder: Path, label: str | None = None) -> list[Check]:
    """The differences that a verification finds."""
    return [check for check in verified(folder, label) if not check.ok]


@pytest.fixture
def differences(case_folder: Path) -> Callable[[], list[Check]]:
    """`differences()`: what verifying the case finds wrong."""
    return lambda: bad(case_folder)

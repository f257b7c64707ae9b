"""Where the tests find real disc images and the independent programs they compare with."""

import csv
import lzma
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _folder(variable: str, name: str) -> Path | None:
    """A folder of real images: from the environment, or beside this checkout."""
    given = os.environ.get(variable)
    folder = Path(given) if given else ROOT.parent / "shared" / name
    return folder if folder.is_dir() else None


def _unpacked(folder: Path | None, name: str, cache: Path) -> Path:
    """The file `name` under `folder`, unpacked into `cache` if it is stored as .xz; skips if absent."""
    if folder is None:
        pytest.skip("the folder of real images is not here")
    plain = folder / name
    if plain.is_file():
        return plain
    packed = plain.with_name(plain.name + ".xz")
    if not packed.is_file():
        pytest.skip(f"no such image here: {name}")
    target = cache / name
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f"{target.name}.{os.getpid()}.tmp")
        with lzma.open(packed) as source, partial.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        partial.rename(target)
    return target


@pytest.fixture(scope="session")
def image_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where images that are stored packed are unpacked, shared by the workers of one run."""
    base = tmp_path_factory.getbasetemp()
    root = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    cache = root / "images"
    cache.mkdir(exist_ok=True)
    return cache


@pytest.fixture(scope="session")
def corpus(image_cache: Path):
    """`corpus("libcdio/copying.iso")`: a real image that another project made, or skip."""
    folder = _folder("JEWELCASE_CORPUS", "corpus")

    def get(name: str) -> Path:
        return _unpacked(folder / "data" if folder else None, name, image_cache / "corpus")

    return get


@pytest.fixture(scope="session")
def corpus_rows() -> list[dict[str, str]]:
    """The table of all images of the corpus (path, format, filesystems_detected, special, …), or skip."""
    folder = _folder("JEWELCASE_CORPUS", "corpus")
    if folder is None or not (folder / "MANIFEST.tsv").is_file():
        pytest.skip("the folder of real images is not here")
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="session")
def rig_image(image_cache: Path):
    """`rig_image("udf150_cdr_vat.img")`: an image made by real drivers, or its .json truth, or skip."""
    folder = _folder("JEWELCASE_IMAGES", "images")

    def get(name: str) -> Path:
        return _unpacked(folder, name, image_cache / "rig")

    return get


@pytest.fixture(scope="session")
def tool():
    """`tool("7z")`: the path of an independent program, or skip."""

    def get(name: str) -> str:
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"{name} is not installed")
        return found

    return get

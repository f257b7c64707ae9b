"""What the tests of examinations share: an image examined and digested, and what other programs extract."""

import hashlib
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from acquire.containers import open_image
from acquire.toc import Disc
from analyze.analysis import ContentItem, digest_contents, examine
from analyze.anomaly import Anomaly
from analyze.coverage import Coverage
from analyze.entry import Entry, EntryKind
from analyze.finding import Finding
from analyze.volume import VolumeInfo


def sha256(data):
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Examined:
    """What `examine` and `digest_contents` say of an image, content paired with its entries."""

    def __init__(self, image):
        """Examine it all."""
        self.volumes, self.entries, self.anomalies, self.findings = [], [], [], []
        nouns = list(examine(image))
        for noun in nouns:
            for kind, kept in (
                (VolumeInfo, self.volumes),
                (Entry, self.entries),
                (Anomaly, self.anomalies),
                (Finding, self.findings),
            ):
                if isinstance(noun, kind):
                    kept.append(noun)
        assert isinstance(nouns[0], Disc)
        assert isinstance(nouns[-2], Disc)
        self.disc, self.coverage = nouns[-2:]
        assert isinstance(self.coverage, Coverage)
        assert self.coverage.sectors_owned + self.coverage.sectors_unowned == image.sector_count
        streams = {(s.extents, s.size_bytes) for e in self.entries for s in e.streams}
        ordered = sorted(streams)
        items = [ContentItem(key, size, extents) for key, (extents, size) in enumerate(ordered)]
        self.content = {ordered[d.key]: d for d in digest_contents(image, items)}
        assert len(self.content) == len(ordered)

    def status(self, entry):
        """What became of the entry's content."""
        (stream,) = entry.streams
        return self.content[stream.extents, stream.size_bytes].status

    def digest(self, entry):
        """SHA-256 of the entry's content, None if it has none."""
        stream = next((s for s in entry.streams if s.name == ""), None)
        if stream is None:
            return sha256(b"")
        return self.content[stream.extents, stream.size_bytes].digests.get("sha256")

    def view(self, number):
        """The entries of one volume by path."""
        found = [entry for entry in self.entries if entry.volume == number]
        paths = [entry.path for entry in found]
        assert len(paths) == len(set(paths)), "one path twice"
        return dict(zip(paths, found, strict=True))

    def files(self, number):
        """Path and SHA-256 of every file of one volume."""
        return {
            path: self.digest(entry)
            for path, entry in self.view(number).items()
            if entry.kind is EntryKind.FILE
        }


@pytest.fixture(scope="session")
def examined():
    """`examined(path or image)`: examine it and digest all content."""

    def examine_all(source):
        if not isinstance(source, str | Path):
            return Examined(source)
        with closing(open_image(source)) as image:
            return Examined(image)

    return examine_all


def files_below(folder):
    """Path and SHA-256 of every regular file below a folder."""
    return {
        "/" + str(path.relative_to(folder)): sha256(path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


@pytest.fixture(scope="session")
def truth():
    """`truth(folder)`: path and SHA-256 of every regular file below it."""
    return files_below


@pytest.fixture(scope="session")
def run():
    """`run("xorriso", …)`: run a program of the machine, or skip; it must end with 0, unless check=False."""

    def run_program(name, *words, check=True):
        program = shutil.which(name)
        if program is None:
            pytest.skip(f"{name} is not installed")
        command = [program, *(str(word) for word in words)]
        return subprocess.run(command, capture_output=True, check=check, text=True)

    return run_program


@pytest.fixture
def extract(run, tmp_path_factory):
    """`extract("7z", image)`: path and SHA-256 of what another program extracts; more words go to xorriso."""

    def extract_with(program, image, *words):
        folder = tmp_path_factory.mktemp("extracted")
        if program == "7z":
            # 2: it refuses some symlinks, and still extracts the rest.
            run("7z", "x", "-y", f"-o{folder}", image, check=False)
        elif program == "bsdtar":
            run("bsdtar", "-xf", image, "-C", folder, check=False)
        else:
            drive = f"stdio:{image}"
            run("xorriso", "-indev", drive, *words, "-osirrox", "on", "-extract", "/", folder, check=False)
            run("chmod", "-R", "u+rwX", folder)
        found = files_below(folder)
        shutil.rmtree(folder)
        return found

    return extract_with

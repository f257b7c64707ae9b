"""The documents do not lie: commands run as written and print what is shown, links lead somewhere."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = (
    "README.md",
    "docs/tutorials/first-case.md",
    "docs/how-to/examine-an-image-without-a-case.md",
    "docs/how-to/verify-a-case.md",
)
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("jewelcase/**/*.md"))
)


def blocks(page, kind):
    """The fenced blocks of one kind on a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def steps(page):
    """The commands on a page, each with the lines of output that are shown below it."""
    made = []
    for block in blocks(page, "console"):
        for line in block.splitlines():
            if line.startswith("$ "):
                made.append((line[2:], []))
            else:
                made[-1][1].append(line)
    return made


def shown(line):
    """A pattern for a line of output as a document shows it: `…` stands for anything."""
    return re.compile(".*".join(re.escape(part) for part in line.split("…")))


@pytest.fixture
def place(tmp_path, iso, jewelcase):
    """A folder with `disc.iso`, and for the page that wants one a case of it, `CASE`."""
    (tmp_path / "disc.iso").write_bytes(iso.read_bytes())

    def with_case():
        words = ("--number", "1", "--examiner", "E", "--evidence", "DISC-1")
        done = jewelcase("run", "disc.iso", "CASE", *words, cwd=tmp_path)
        assert done.code == 0, done.err

    return tmp_path, with_case


@pytest.mark.tools
@pytest.mark.parametrize("page", RUN)
def test_commands_run_as_written(page, place):
    """In order, in one folder, each with the exit code and the lines of output that the page shows."""
    folder, with_case = place
    if page.endswith("verify-a-case.md"):
        with_case()
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}
    commands = steps(page)
    assert commands
    for command, output in commands:
        done = subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        told = f"{page}: {command}\n{done.stdout}{done.stderr}"
        differs = any(line.startswith("differs") for line in output)
        assert done.returncode == (1 if differs else 0), told
        lines = iter([*done.stderr.splitlines(), *done.stdout.splitlines()])
        for line in output:
            pattern = shown(line)
            assert any(pattern.fullmatch(printed) for printed in lines), f"not printed: {line}\n{told}"


@pytest.mark.tools
@pytest.mark.parametrize("page", ["README.md", "docs/how-to/examine-an-image-without-a-case.md"])
def test_python_runs_as_written(page, place):
    """Each Python block is a program that ends well and prints something."""
    for block in blocks(page, "python"):
        done = subprocess.run(
            [sys.executable, "-c", block], cwd=place[0], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    """Every relative link of every page names a file that is there."""
    text = re.sub(
        r"^```.*?^```$", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_the_index_has_every_page():
    """docs/index.md links each page of docs/."""
    text = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    assert pages - {"index.md"} <= set(re.findall(r"\]\(([^)#]+)\)", text))


def test_make_has_the_targets_that_are_told():
    """`make TARGET` in README and CONTRIBUTING is a target of the Makefile."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md"):
        told = {
            words[1]
            for block in blocks(page, "sh")
            for line in block.splitlines()
            if (words := shlex.split(line, comments=True))[:1] == ["make"]
        }
        assert told
        assert told <= targets


def test_the_version_is_one():
    """pyproject.toml, the package and the changelog agree."""
    import jewelcase  # noqa: PLC0415  the fixture of that name is not it

    assert f'version = "{jewelcase.__version__}"' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f"## [{jewelcase.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

"""docs/reference/cli.md tells every verb, argument and option with the default that the program has."""

import re
from pathlib import Path

import pytest
import typer

from jewelcase.main import VERBS, application

DOCS = Path(__file__).resolve().parents[2] / "docs"
CLI = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
SHARED = {"--help", "--install-completion", "--show-completion"}


def section(verb):
    """The part of the page about one verb."""
    found = re.search(rf"^## jewelcase {verb}$(.*?)(?=^## |\Z)", CLI, re.MULTILINE | re.DOTALL)
    assert found, f"cli.md has no section on {verb}"
    return found[1]


def rows(text):
    """The rows of its tables: what is named in the first column, the second column."""
    made = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)][1:-1]
        if len(cells) == 3 and cells[0].startswith("`"):
            for name in re.findall(r"`([^`]+)`", cells[0]):
                made[name.split()[0]] = (name, cells[1])
    return made


def commands():
    """The verbs as Typer built them."""
    return typer.main.get_command(application()).commands


def default_of(parameter):
    """A parameter's default as the page writes it."""
    if parameter.required:
        return "required"
    if isinstance(parameter.show_default, str):
        return parameter.show_default
    if parameter.default is True:
        return parameter.opts[0]
    if parameter.default is False:
        return "off"
    return parameter.default or "none"


def test_every_verb_is_there_and_no_other():
    """The tuple, the program and the page name the same verbs in the same order."""
    assert re.findall(r"^## jewelcase (\w+)$", CLI, re.MULTILINE) == [verb.name for verb in VERBS]
    assert list(commands()) == [verb.name for verb in VERBS]


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_every_argument_and_option_is_told_with_its_default(verb):
    """Names, metavars, choices and defaults; nothing is told that is not there."""
    told = rows(section(verb))
    real = {}
    for parameter in commands()[verb].params:
        if parameter.name == "help":
            continue
        default = default_of(parameter)
        if parameter.param_type_name == "argument":
            real[parameter.metavar] = default
        else:
            for name in (*parameter.opts, *parameter.secondary_opts):
                real[name] = default
    assert set(told) == set(real)
    for name, default in real.items():
        said = told[name][1].replace("`", "")
        assert said == default, f"{verb} {name}: the page says {said!r}, the program {default!r}"


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_what_an_option_takes_is_told(verb):
    """An option with a value is written with its metavar or its choices."""
    told = rows(section(verb))
    for parameter in commands()[verb].params:
        if parameter.param_type_name != "option" or parameter.is_flag:
            continue
        written = told[parameter.opts[0]][0].replace("\\|", "|")
        metavar = parameter.metavar or "|".join(parameter.type.choices)
        assert written == f"{parameter.opts[0]} {metavar}"


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS])
def test_the_page_has_the_example_of_the_help(verb):
    """One example, the same in both."""
    example = next(each.example for each in VERBS if each.name == verb)
    assert example.startswith(f"jewelcase {verb} ")
    assert f"    {example}\n" in section(verb)


def test_the_options_of_the_program_itself_are_told():
    """--version, --help and completion."""
    front = CLI.split("\n## ")[0]
    group = typer.main.get_command(application())
    real = {name for parameter in group.params for name in parameter.opts} | {"--help", "-h"}
    assert set(rows(front)) == real
    assert real >= SHARED


def test_the_exit_codes_are_told():
    """exit-codes.md has a row for each code that the program can end with."""
    from acquire.errors import JewelcaseError  # noqa: PLC0415  read beside what it is compared with
    from jewelcase import main  # noqa: PLC0415  the same

    text = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE))
    codes = {0, 1, JewelcaseError.exit_code, main.FAILED, main.INTERRUPTED, main.OUTPUT_CLOSED}
    assert told == {str(code) for code in codes}
    subclasses = [JewelcaseError, *JewelcaseError.__subclasses__()]
    assert {each.exit_code for each in subclasses} == {2}

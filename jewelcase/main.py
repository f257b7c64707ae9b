"""The command line: its verbs, and what becomes of every error.

Exit codes: 0 clean · 1 done, with anomalies or unread sectors or differences · 2 failed. Beside those the
two that a shell knows: 130 interrupted from the keyboard, 141 the reader of standard output has left.
"""

import functools
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, NamedTuple

import typer

from acquire.errors import JewelcaseError
from jewelcase import __version__, console
from jewelcase.verbs.acquire import acquire
from jewelcase.verbs.analyze import analyze
from jewelcase.verbs.demo import demo
from jewelcase.verbs.export import export
from jewelcase.verbs.info import info
from jewelcase.verbs.ls import ls
from jewelcase.verbs.new import new
from jewelcase.verbs.report import report
from jewelcase.verbs.run import run as run_all
from jewelcase.verbs.verify import verify

FAILED = 2
INTERRUPTED = 130
OUTPUT_CLOSED = 141


class Verb(NamedTuple):
    """A verb of the command line; `goes_on`: given again after an interruption, it goes on."""

    name: str
    call: Callable[..., int]
    example: str
    goes_on: bool = False


VERBS = (
    Verb("new", new, 'jewelcase new CASE --number 2026-014 --examiner "A. Examiner"'),
    Verb("acquire", acquire, "jewelcase acquire disc.iso --case CASE --evidence DISC-1", goes_on=True),
    Verb("analyze", analyze, "jewelcase analyze --case CASE", goes_on=True),
    Verb("verify", verify, "jewelcase verify --case CASE"),
    Verb("export", export, "jewelcase export --case CASE DISC-1 /DOCS --to out", goes_on=True),
    Verb("report", report, "jewelcase report --case CASE --format html"),
    Verb(
        "run",
        run_all,
        'jewelcase run disc.iso CASE --number 2026-014 --examiner "A. Examiner" --evidence DISC-1',
        goes_on=True,
    ),
    Verb("info", info, "jewelcase info disc.iso"),
    Verb("ls", ls, "jewelcase ls disc.iso /DOCS --long"),
    Verb("demo", demo, "jewelcase demo demo-case", goes_on=True),
)


def _version(asked: bool) -> None:
    if asked:
        console.out(f"{console.PROGRAM} {__version__}")
        raise typer.Exit


def _front(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Take a disc from the drive to the courtroom: acquire, examine, verify, report."""


def _guarded(verb: Verb) -> Callable[..., int]:
    """`verb` with every error of the world turned into one sentence and an exit code."""

    @functools.wraps(verb.call)
    def guarded(*args: object, **options: object) -> int:
        try:
            code = verb.call(*args, **options)
            console.flush()
        except JewelcaseError as error:
            console.fail(error)
            return error.exit_code
        except console.OutputClosedError:
            return OUTPUT_CLOSED
        except KeyboardInterrupt:
            console.fail(_interrupted(verb))
            return INTERRUPTED
        return code

    return guarded


def _interrupted(verb: Verb) -> str:
    if not verb.goes_on:
        return "Interrupted; nothing was changed"
    command = shlex.join([console.PROGRAM, *sys.argv[1:]])
    return f"Interrupted; what was done is kept. To go on, give the same command again: {command}"


def application() -> typer.Typer:
    """The Typer application with all verbs."""
    app = typer.Typer(
        name=console.PROGRAM,
        rich_markup_mode=None,  # plain help: rich would cost more than the rest of the start
        pretty_exceptions_enable=False,  # a traceback of ours shows no evidence
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    app.callback()(_front)
    for verb in VERBS:
        app.command(verb.name, epilog=f"\b\nExample:\n  {verb.example}")(_guarded(verb))
    return app


def main(arguments: Sequence[str]) -> int:
    """Run the command line `arguments`; returns the exit code."""
    try:
        if not arguments:
            arguments = ["--help"]
        # Not application()(…): that would put Typer's hook for tracebacks in the place of ours.
        root = typer.main.get_command(application())
        code = root.main(list(arguments), prog_name=console.PROGRAM, standalone_mode=False)
        console.flush()
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        command = console.PROGRAM if context is None else context.command_path
        sentence = " ".join(error.format_message().split())
        stop = "" if sentence.endswith((".", "?")) else "."
        console.fail(f"{sentence}{stop} See {command} --help")
        return FAILED
    except JewelcaseError as error:
        console.fail(error)
        return error.exit_code
    except console.OutputClosedError:
        return OUTPUT_CLOSED
    except KeyboardInterrupt:
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def run() -> None:
    """Run the command line of this process; never returns."""
    console.keep_standard_streams()
    sys.excepthook = console.bug
    sys.exit(main(sys.argv[1:]))

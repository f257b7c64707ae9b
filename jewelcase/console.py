r"""What reaches the terminal. The only module of the front door that writes to it.

- `out`, `out_lines`, `emit`, `facts`, `table`: results, to standard output.
- `say`, `fail`, `progress`: everything else, to standard error.

Every line goes through `report.escape.visible`: control characters, terminal escapes, marks that turn
the direction of writing and characters without width stand as `\xNN` or `\uNNNN`. Colours are ours only,
added after that, and only on a terminal (NO_COLOR and TERM=dumb turn them off).
"""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import IO, NamedTuple

from acquire.errors import DestinationError, JewelcaseError
from acquire.progress import ProgressCallback

PROGRAM = "jewelcase"
BOLD, RED, YELLOW, BLUE, CYAN = "1", "31", "33", "34", "36"


class OutputClosedError(Exception):
    """Whoever read standard output has left (`jewelcase ls … | head`)."""


class Styled(NamedTuple):
    """A piece of a line in a colour or weight (an SGR parameter)."""

    text: str
    style: str


Piece = str | Styled


def visible(text: str) -> str:
    """`text` with everything that does not draw itself escaped; see `report.escape`."""
    if text.isascii() and text.isprintable():
        return text
    from report.escape import visible as escaped  # noqa: PLC0415  plain text needs no tables

    return escaped(text)


def keep_standard_streams() -> None:
    """Make writing safe: no file of ours may land on a closed stream's number, no name may raise.

    Called once, before anything is opened.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether a person watches `stream` on a terminal that can do more than print."""
    return stream is not None and stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _coloured(stream: IO[str] | None) -> bool:
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def _line(pieces: Sequence[Piece], stream: IO[str] | None) -> str:
    parts: list[str] = []
    for piece in pieces:
        if isinstance(piece, Styled):
            text = visible(piece.text)
            parts.append(f"\x1b[{piece.style}m{text}\x1b[0m" if text and _coloured(stream) else text)
        else:
            parts.append(visible(piece))
    return "".join(parts) + "\n"


def _write(text: str, *, flush: bool = False) -> None:
    """Write to standard output; its reader's leaving and its full disk are told apart."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        if flush:
            sys.stdout.flush()
    except BrokenPipeError as error:
        _drop_output()
        raise OutputClosedError from error
    except OSError as error:
        _drop_output()
        raise DestinationError(
            f"Cannot write the result ({error.strerror})",
            where="standard output",
            do="Write it where there is room, then give the same command again",
        ) from error


def _drop_output() -> None:
    """Throw away what could not be written, so that leaving the program does not try again."""
    descriptor = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, 1)
    os.close(descriptor)


def line(*pieces: Piece) -> str:
    """One line of a result as `out` writes it, for those who hold lines back."""
    return _line(pieces, sys.stdout)


def json_line(value: object) -> str:
    """One line of JSON Lines; every character outside ASCII is escaped."""
    return _json(value)


def out(*pieces: Piece) -> None:
    """Write one line of a result."""
    _write(line(*pieces))


def out_lines(lines: Iterable[str]) -> None:
    """Write lines that `line` or `json_line` made."""
    for made in lines:
        _write(made)


def emit(value: object) -> None:
    """Write one JSON document; every character outside ASCII is escaped."""
    _write(_json(value, indent=2))


def _json(value: object, indent: int | None = None) -> str:
    # DEL is the one control character that JSON leaves as it is.
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f") + "\n"


def flush() -> None:
    """See that everything written so far has left; raises like writing does."""
    _write("", flush=True)


def say(*pieces: Piece) -> None:
    """Write one line for the person at the terminal, to standard error."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(_line(pieces, sys.stderr))
        sys.stderr.flush()
    except OSError:
        pass  # nobody is left to be told


def fail(error: JewelcaseError | str) -> None:
    """Say in one sentence what went wrong."""
    say(Styled(f"{PROGRAM}: ", RED), str(error))


def bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Write a traceback of ours, escaped like everything else, and leave with "failed" (sys.excepthook)."""
    import traceback  # noqa: PLC0415  a start is not to wait for it

    for line in "".join(traceback.format_exception(kind, error, trace)).splitlines():
        say(line)
    fail("This is a fault of jewelcase, not of the evidence. Please report it with the lines above")
    os._exit(JewelcaseError.exit_code)


def facts(rows: Iterable[tuple[str, str]], indent: str = "") -> None:
    """Write names and values in two columns; a value of several lines stays in its column."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        for number, line in enumerate(value.split("\n")):
            out(Styled(f"{indent}{name if number == 0 else '':<{width}}", BOLD), "  ", line)


def table(head: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int] = frozenset()) -> None:
    """Write columns under their heads; the columns in `right` end flush. For tables that fit in memory."""
    body = [[visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    last = len(head) - 1

    def aligned(cells: Sequence[str]) -> str:
        return "  ".join(
            cell.rjust(width) if index in right else cell if index == last else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )

    out(Styled(aligned(head), BOLD))
    for cells in body:
        out(aligned(cells))


@contextmanager
def progress() -> Iterator[ProgressCallback | None]:
    """Show how far a long act is, its rate and the time left; None where nobody watches."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from jewelcase.bars import bars  # noqa: PLC0415  rich costs 50 ms; a pipe never pays it

    with bars() as callback:
        yield callback

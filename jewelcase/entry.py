"""Where the program begins: an interruption is one sentence also while the program still loads."""

import os
import signal
import sys
from types import FrameType
from typing import NoReturn

INTERRUPTED = 130


def _leave(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Nothing has begun: say so and go, without unwinding half-loaded modules."""
    os.write(2, b"jewelcase: Interrupted; nothing was changed\n")
    os._exit(INTERRUPTED)


def run() -> None:
    """Load the command line, then hand over to it; never returns."""
    usual = signal.signal(signal.SIGINT, _leave)
    from jewelcase import main  # noqa: PLC0415  loading it is what may be interrupted

    signal.signal(signal.SIGINT, usual)
    main.run()
    sys.exit()

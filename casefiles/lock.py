"""The writer's lock: one process writes to a case at a time; readers are not held up by it."""

import contextlib
import fcntl
import os
import socket
from pathlib import Path

from acquire.errors import CaseBusyError, destination_error

_NOTE_BYTES = 200


class WriterLock:
    """Held from construction to `release`; the kernel releases it if the process dies.

    The file stays when the lock is released: removing it would let two writers hold two files of the
    same name. Its text names the last writer, for people.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock at `path`.

        Raises:
            CaseBusyError: another process has it.
            DestinationError: the file cannot be made or locked.
        """
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        except OSError as error:
            raise destination_error(error, path) from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(self._handle, _NOTE_BYTES, 0).decode("ascii", "replace")
            os.close(self._handle)
            shown = "".join(c for c in holder.strip() if c.isprintable()) or "unknown"
            raise CaseBusyError(
                f"Another process is writing to this case ({shown})",
                where=path.parent,
                do="Wait until it ends",
            ) from error
        except OSError as error:
            os.close(self._handle)
            raise destination_error(error, path) from error
        with contextlib.suppress(OSError):  # the note is a courtesy; a full disk shows elsewhere
            os.ftruncate(self._handle, 0)
            os.pwrite(
                self._handle, f"pid {os.getpid()} on {socket.gethostname()}\n".encode()[:_NOTE_BYTES], 0
            )

    def release(self) -> None:
        """Let the next writer in; a second call does nothing."""
        if self._handle >= 0:
            with contextlib.suppress(OSError):
                os.close(self._handle)
            self._handle = -1

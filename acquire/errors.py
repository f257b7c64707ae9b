"""The errors of the world, each with one sentence: what, where, what to do.

    JewelcaseError                 exit code 2
    ├── UsageError                 the call's words do not fit together
    ├── SourceError                what is to be read is missing, unreadable or busy
    ├── DestinationError           what is to be written cannot be: full, read-only, existing
    │   └── DiskFullError          no space left; the same command resumes
    ├── ContainerError             a container that cannot be opened as what it says it is
    ├── CaseError                  not a case, an unknown or existing label, a newer format
    │   └── CaseBusyError          another process holds the case
    └── ToolError                  a program or library that is needed is absent or failed

Bad structures in the evidence are not errors but data (`analyze.anomaly.Anomaly`, sector status).
Bugs of ours stay what Python raises.
"""

import errno


class JewelcaseError(Exception):
    """An error that a person can act on; `str()` of it is the sentence to print."""

    exit_code = 2

    def __init__(self, what: str, *, where: object = None, do: str = "") -> None:
        """Compose the sentence from what happened, where it happened and what to do next."""
        self.what = what
        self.where = None if where is None else str(where)
        self.do = do
        sentence = what if self.where is None else f"{what}: {self.where}"
        super().__init__(f"{sentence}. {do}" if do else sentence)


class UsageError(JewelcaseError):
    """The words of the call do not fit together."""


class SourceError(JewelcaseError):
    """What is to be read is missing, unreadable, mounted or busy."""


class DestinationError(JewelcaseError):
    """What is to be written cannot be: read-only, existing, no permission."""


class DiskFullError(DestinationError):
    """No space is left where the result is to be written."""


class ContainerError(JewelcaseError):
    """A container that cannot be opened as what its signature says it is."""


class CaseError(JewelcaseError):
    """Not a case folder, an unknown or existing label, a format newer than this program."""


class CaseBusyError(CaseError):
    """Another process is writing to the case."""


class ToolError(JewelcaseError):
    """A program or library that is needed is absent or failed."""


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def destination_error(error: OSError, where: object) -> DestinationError:
    """Turn an OSError met while writing into the sentence for it."""
    reason = error.strerror or str(error)
    if error.errno in _FULL:
        return DiskFullError(
            f"No space left while writing ({reason})",
            where=where,
            do="Free space, then give the same command again: it goes on where it stopped",
        )
    if error.errno == errno.EROFS:
        return DestinationError("The destination is read-only", where=where, do="Choose a writable folder")
    if error.errno in (errno.EACCES, errno.EPERM):
        return DestinationError("No permission to write", where=where, do="Choose a folder you may write to")
    return DestinationError(
        f"Cannot write ({reason})", where=where, do="Check the destination, then try again"
    )


def source_error(error: OSError, where: object) -> SourceError:
    """Turn an OSError met while opening a source into the sentence for it."""
    if error.errno == errno.ENOENT:
        return SourceError("No such file or device", where=where, do="Check the path")
    if error.errno in (errno.EACCES, errno.EPERM):
        return SourceError(
            "No permission to read", where=where, do="Ask for read access, or run as a user who has it"
        )
    if error.errno == errno.ENOMEDIUM:
        return SourceError("No disc in the drive", where=where, do="Insert the disc and try again")
    if error.errno == errno.EISDIR:
        return SourceError(
            "A folder, not a disc image", where=where, do="Name an image file or a block device"
        )
    reason = error.strerror or str(error)
    return SourceError(f"Cannot read ({reason})", where=where, do="Check the device or file, then try again")

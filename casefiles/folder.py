"""The case folder: the name of everything in it, and the rules for labels (docs/reference/case-folder.md)."""

import contextlib
import os
import re
from pathlib import Path

from acquire.durable import sync_folder
from acquire.errors import CaseError, DestinationError, UsageError, destination_error

FOLDER_VERSION = 1

LABEL_LENGTH = 64
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]*[A-Za-z0-9])?")
_UNFINISHED = (".partial", ".tmp")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
"""Names that Windows takes for devices, with any extension; a case folder must survive a copy there."""


def check_label(label: str) -> str:
    """Give `label` back if it can be the label of an exhibit.

    Raises:
        UsageError: it is too long, has other characters, or is a name that some file system refuses.
    """
    if (
        len(label) > LABEL_LENGTH
        or not _LABEL.fullmatch(label)
        or label.lower().endswith(_UNFINISHED)
        or _DEVICE.fullmatch(label)
    ):
        raise UsageError(
            f"{label[: 2 * LABEL_LENGTH]!a} cannot be the label of an exhibit",
            do=f"Use 1 to {LABEL_LENGTH} of the letters A-Z and a-z, digits, space, '.', '_' and '-', with a"
            " letter or digit first and last, and no name that ends in .partial or .tmp or that Windows"
            " reserves (such as CON or NUL)",
        )
    return label


class Folder:
    """The paths of one case; nothing is created or checked by asking for them."""

    def __init__(self, root: Path) -> None:
        """The case in `root`, made absolute so that a later change of the working folder does no harm."""
        self.root = root.absolute()
        self.database = self.root / "case.db"
        self.lock = self.root / "case.lock"
        self.evidence = self.root / "evidence"
        self.reports = self.root / "reports"
        self.exports = self.root / "exports"
        self.log = self.root / "log"
        self.custody = self.log / "custody.jsonl"

    def exhibit(self, label: str) -> Path:
        """The folder of an exhibit that is whole."""
        return self.evidence / check_label(label)

    def partial(self, label: str) -> Path:
        """The folder of an exhibit while it is acquired."""
        return self.evidence / (check_label(label) + ".partial")

    def relative(self, path: Path) -> str:
        """`path` as the database records it: relative to the case folder with `/`, as given if outside."""
        absolute = path.absolute()
        if absolute.is_relative_to(self.root):
            return absolute.relative_to(self.root).as_posix()
        return str(path)

    @property
    def unfinished_database(self) -> Path:
        """The name under which a new case's database is built."""
        return self.root / "case.db.tmp"

    def _subfolders(self) -> tuple[Path, ...]:
        return (self.evidence, self.reports, self.exports, self.log)

    def begin(self) -> None:
        """Make the folder and its subfolders for a new case; what an interrupted `begin` left is reused.

        Raises:
            CaseError: a case is there already.
            DestinationError: something else is there, or the folder cannot be made.
        """
        if self.database.exists():
            raise CaseError(
                "There is a case in this folder already",
                where=self.root,
                do="Add evidence to it with `acquire`, or choose another folder",
            )
        try:
            if self.root.is_dir():
                self._refuse_foreign()
            self.root.mkdir(parents=True, exist_ok=True)
            for folder in self._subfolders():
                folder.mkdir(exist_ok=True)
            sync_folder(self.root)
        except FileExistsError as error:
            raise DestinationError(
                "A file is in the way, where a folder must be", where=self.root, do="Choose another folder"
            ) from error
        except OSError as error:
            raise destination_error(error, self.root) from error

    def _refuse_foreign(self) -> None:
        """Refuse a folder that holds anything but what an interrupted `begin` leaves."""
        names = {path.name for path in self.root.iterdir()}
        ours = {path.name for path in (*self._subfolders(), self.lock, *self._unfinished())}
        inside = [path for folder in self._subfolders() if folder.is_dir() for path in folder.iterdir()]
        if inside or not names <= ours:
            raise DestinationError(
                "The folder is not empty, and not a case",
                where=self.root,
                do="Choose a new or an empty folder for the case",
            )

    def _unfinished(self) -> tuple[Path, ...]:
        database = self.unfinished_database
        return (database, database.with_name(database.name + "-journal"))

    def give_up(self, *, made_root: bool) -> None:
        """Remove what `begin` made for a case that could not be created; never anything else's files."""
        for path in (*self._unfinished(), self.lock):
            with contextlib.suppress(OSError):
                path.unlink()
        for folder in (*self._subfolders(), *((self.root,) if made_root else ())):
            with contextlib.suppress(OSError):
                folder.rmdir()

    def require(self) -> None:
        """Make sure that there is a case here.

        Raises:
            CaseError: there is none.
        """
        if not self.root.is_dir():
            raise CaseError(
                "No such case folder", where=self.root, do="Check the path, or make a case with `new`"
            )
        if not self.database.is_file():
            left = self.unfinished_database.exists()
            raise CaseError(
                "The case in this folder was never finished being made"
                if left
                else "Not a case folder: it has no case.db",
                where=self.root,
                do="Give the same `new` again" if left else "Check the path, or make a case with `new`",
            )

    def writable(self) -> bool:
        """Whether this account may write to the case."""
        return os.access(self.root, os.W_OK) and os.access(self.database, os.W_OK)

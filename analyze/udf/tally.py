"""Tally: what a walk counts and remembers of the live entries of a volume."""

from analyze.entry import Entry, EntryKind
from analyze.udf.claims import Claims
from analyze.udf.directory import DIRECTORY, Identifier


class Tally:
    """Counts of live identifiers (`files`, `directories` with the root), and what belongs to live files.

    `repeated` counts identifiers of a file that another one has named before (hard links), `blocks`
    are the absolute blocks of live file entries, `claims` the bytes of live content.
    """

    def __init__(self, root_block: int) -> None:
        """Begin with the root directory."""
        self.files = 0
        self.directories = 1
        self.repeated = 0
        self.blocks = {root_block}
        self.claims = Claims()

    def count(self, found: Identifier, entry: Entry) -> None:
        """Count a live entry and remember what it claims."""
        if found.characteristics & DIRECTORY:
            self.directories += 1
        else:
            self.files += 1
        if entry.inode is None:
            return
        if entry.inode in self.blocks:
            self.repeated += 1
        else:
            self.blocks.add(entry.inode)
        if entry.kind is not EntryKind.DIRECTORY:
            self.claims.add(entry.streams)

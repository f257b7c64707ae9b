"""LogicalVolume: partitions over blocks, and what every part of a walk shares: log, times, limits."""

from collections.abc import Collection, Iterator

from acquire.geometry import SECTOR_BYTES, SectorRange, sectors
from analyze.udf.anomalies import (
    ICB,
    LIMIT,
    METADATA_MIRROR_USED,
    OUTSIDE,
    UNREAD,
    VAT_ENTRY,
    AnomalyLog,
)
from analyze.udf.blocks import Blocks
from analyze.udf.partitions import Partition
from analyze.udf.tag import TagCheck, check_tag
from analyze.udf.timestamps import Times

_STEPS_PER_BLOCK = 8
_LEAST_STEPS, _MOST_STEPS = 100_000, 10_000_000


class LogicalVolume:
    """A logical volume (3/8.8): its partitions by reference number, over the blocks of its image.

    `spend` counts work that evidence can ask for many times over (allocation descriptors, runs of
    blocks, bytes of directories); a sound volume stays far below what the size of its image allows.
    """

    def __init__(self, blocks: Blocks, log: AnomalyLog) -> None:
        """A volume whose partitions are still to be added."""
        self.blocks = blocks
        self.partitions: list[Partition] = []
        self.log = log
        self.times = Times()
        self._steps_left = min(_LEAST_STEPS + blocks.count * _STEPS_PER_BLOCK, _MOST_STEPS)
        self._bytes_left = max(blocks.count * blocks.size * 2, SECTOR_BYTES)
        self._limited = False
        self._owned: list[tuple[int, int]] = []
        self._own_first = self._own_end = 0

    def sibling(self, log: AnomalyLog) -> "LogicalVolume":
        """The same partitions, with a log and limits of its own."""
        volume = LogicalVolume(self.blocks, log)
        volume.partitions = list(self.partitions)
        return volume

    def own(self, block: int, count: int = 1) -> None:
        """Note that `count` blocks from `block` on hold structures of the volume."""
        if block == self._own_end:
            self._own_end += count
        elif not (self._own_first <= block and block + count <= self._own_end):
            self._owned.append((self._own_first, self._own_end))
            self._own_first, self._own_end = block, block + count

    def owned(self) -> Iterator[SectorRange]:
        """The sectors that `own` was told of, in that order; they may overlap."""
        for first, end in (*self._owned, (self._own_first, self._own_end)):
            if end > first:
                lba, skip = self.blocks.place(first)
                yield SectorRange(lba, sectors(skip + (end - first) * self.blocks.size))

    def spend(self, steps: int) -> bool:
        """Count `steps` of work; False, with an anomaly once, when there have been too many."""
        self._steps_left -= steps
        return self._steps_left >= 0 or self._stop("allocation descriptors and runs of blocks")

    def spend_bytes(self, count: int) -> bool:
        """Count `count` bytes of directories; False, with an anomaly once, when there have been too many."""
        self._bytes_left -= count
        return self._bytes_left >= 0 or self._stop("bytes of directories")

    def _stop(self, what: str) -> bool:
        if not self._limited:
            self._limited = True
            self.log.note(LIMIT, f"More {what} than an image of this size can hold; the rest is not read")
        return False

    def resolve(self, partition: int, block: int, what: str, path: str | None) -> int | None:
        """The absolute block of a recorded address; None, with an anomaly, if it leads nowhere."""
        if partition >= len(self.partitions):
            self.log.note(
                OUTSIDE,
                f"{what} is in a partition that the volume does not have",
                seen=f"partition reference {partition}",
                expected=f"less than {len(self.partitions)}",
                path=path,
            )
            return None
        found = self.partitions[partition].at(block)
        if found is None:
            kind = self.partitions[partition].kind
            self.log.note(
                VAT_ENTRY if kind == "virtual" else OUTSIDE,
                f"{what} has an address that leads nowhere",
                seen=f"{kind} block {block}",
                expected=f"less than {self.partitions[partition].length}, in use",
                path=path,
            )
        elif block >= self.partitions[partition].length and found < self.blocks.count:
            self.log.note(
                OUTSIDE,
                f"{what} is past the end of its partition",
                at=(self.blocks, found, 0),
                seen=f"block {block}",
                expected=f"less than {self.partitions[partition].length}",
                path=path,
            )
        return found

    def check(
        self,
        block: int,
        expected: Collection[int],
        location: int | None,
        what: str,
        path: str | None = None,
        *,
        data: bytes | None = None,
        code: str = ICB,
    ) -> TagCheck | None:
        """Check the structure at `block`, note what is wrong with it; None if it cannot be used.

        `data` is given for a structure of more than one block, `code` for when there is none at all.
        """
        checked = check_tag(self.blocks.block(block) if data is None else data, 0, expected, location)
        if checked is None or not checked.usable:
            self.note_unusable(block, checked, expected, what, path, code=code)
            return None
        self.note_problems(block, 0, checked, what, path)
        return checked

    def note_problems(
        self, block: int, offset: int, checked: TagCheck, what: str, path: str | None = None
    ) -> None:
        """Note each disagreement of a tag that is used all the same."""
        self.log.disagreements(checked.problems, what, (self.blocks, block, offset), path)

    def note_unusable(
        self,
        block: int,
        checked: TagCheck | None,
        expected: Collection[int],
        what: str,
        path: str | None = None,
        *,
        code: str = ICB,
    ) -> None:
        """Note that no structure of an expected kind is at `block`: unread, outside, or something else."""
        at = (self.blocks, block, 0)
        names = " or ".join(f"tag {identifier}" for identifier in sorted(expected))
        if block >= self.blocks.count or checked is None:
            self.log.note(OUTSIDE, f"{what} is past the end of the image", at=at, expected=names, path=path)
        elif self.blocks.unread(block):
            self.log.note(
                UNREAD, f"{what} is in sectors that were not read", at=at, expected=names, path=path
            )
        else:
            wrong = ", ".join(problem.code for problem in checked.problems)
            seen = f"tag {checked.tag.identifier} ({wrong})" if wrong else f"tag {checked.tag.identifier}"
            self.log.note(code, f"{what} is not there", at=at, seen=seen, expected=names, path=path)

    def note_mirror(self, block: int, what: str, path: str | None) -> None:
        """Note that a structure was taken from its second place."""
        self.log.note(
            METADATA_MIRROR_USED,
            f"{what} was read from its second place",
            at=(self.blocks, block, 0),
            path=path,
        )

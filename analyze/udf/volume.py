"""UdfVolume: one file set of a UDF volume through the Volume protocol; `open_volumes` finds them.

for noun in open_volumes(image, 0, None, 0):
    if isinstance(noun, UdfVolume):
        for found in noun.walk(): ...
"""

from collections.abc import Iterator

from acquire.geometry import HOLE, SectorRange, sectors
from acquire.image import Image
from analyze.anomaly import Anomaly
from analyze.entry import Entry, Stream
from analyze.udf.anchors import last_anchors
from analyze.udf.anomalies import COUNTS, ROOT, SPACE, AnomalyLog
from analyze.udf.description import describe
from analyze.udf.file_layout import LongAllocation
from analyze.udf.filesets import FileSet, find_root, read_file_sets, read_root
from analyze.udf.opening import Assembled, Place, assemble, find, place
from analyze.udf.partitions import VirtualPartition
from analyze.udf.space import Space
from analyze.udf.streams import read_streams
from analyze.udf.tally import Tally
from analyze.udf.vat import VatGeneration, read_table
from analyze.udf.walk import Walk
from analyze.volume import VolumeInfo


class UdfVolume:
    """One file set of a UDF volume, in the state that one virtual allocation table gives it if it has any.

    `generations` are the tables, the newest first: earlier states of a write-once disc. `spaces` are
    the records of free blocks, `system_streams` the streams of the volume itself.
    """

    def __init__(
        self,
        assembled: Assembled,
        where: Place,
        ordinal: int,
        file_set: FileSet | None,
        *,
        generation: VatGeneration | None = None,
    ) -> None:
        """Take a volume as assembled; it is not read further before it is walked."""
        self._assembled = assembled
        self._where = where
        self._file_set = file_set
        self._volume = assembled.volume
        self._generation = generation
        self.spaces: tuple[Space, ...] = assembled.spaces
        self.system_streams = self._read_system_streams()
        self._info = describe(assembled, where, ordinal, file_set, generation)
        if self.system_streams:
            rows = [{"name": each.name, "size_bytes": each.size_bytes} for each in self.system_streams]
            self._info = self._info._replace(
                attributes={**(self._info.attributes or {}), "system_streams": rows}
            )

    @property
    def info(self) -> VolumeInfo:
        """What it says of itself."""
        return self._info

    @property
    def generations(self) -> tuple[VatGeneration, ...]:
        """The virtual allocation tables, the newest first; () on other media."""
        return tuple(table.generation for table in self._assembled.opened.tables)

    def generation(self, number: int, ordinal: int) -> "UdfVolume | None":
        """The volume as it was when table `number` was the newest; None if that cannot be read."""
        table = self.generations[number]
        log = AnomalyLog(ordinal)
        volume = self._volume.sibling(log)
        raw = self._assembled.opened.raw.sibling(log)
        for index, partition in enumerate(volume.partitions):
            if isinstance(partition, VirtualPartition):
                older = read_table(raw, index, table.block - partition.physical.start, number)
                if older is None:
                    return None
                volume.partitions[index] = VirtualPartition(partition.physical, older.addresses)
        assembled = self._assembled._replace(volume=volume)
        file_sets = read_file_sets(volume, _file_set_address(assembled))
        file_set = file_sets[0] if file_sets else None
        return UdfVolume(assembled, self._where, ordinal, file_set, generation=table)

    def walk(self) -> Iterator[Entry | Anomaly]:
        """Yield every entry once, and each disagreement met; see `analyze.volume.Volume`."""
        log = self._volume.log
        yield from log.take()
        root = find_root(self._volume) if self._file_set is None else read_root(self._volume, self._file_set)
        if root is None:
            log.note(ROOT, "No root directory can be read: nothing of the volume is listed")
        else:
            walk = Walk(self._volume, self._info.ordinal, root.icb, root.address)
            yield from walk.entries()
            self._compare_counts(walk.tally)
        self._compare_space()
        log.note_repeated()
        yield from log.take()

    def structures(self) -> Iterator[SectorRange]:
        """Sectors of descriptors, tables, directories and file entries, as far as the walk met them."""
        found, blocks = self._assembled.found, self._volume.blocks
        for lba in found.recognition.lbas:
            yield SectorRange(lba, 1)
        extents = [*found.descriptors.extents, *((anchor, 1) for anchor in found.anchors)]
        if self._assembled.integrity is not None:
            extents += self._assembled.integrity.extents
        for block, count in extents:
            lba, skip = blocks.place(block)
            if count > 0:
                yield SectorRange(lba, sectors(skip + count * blocks.size))
        for block in last_anchors(blocks):
            lba, skip = blocks.place(block)
            yield SectorRange(lba, sectors(skip + blocks.size))
        for stream in self.system_streams:
            for lba, length, offset in stream.extents:
                if lba != HOLE and length:
                    yield SectorRange(lba, sectors(offset + length))
        yield from self._assembled.opened.raw.owned()
        yield from self._volume.owned()

    def _read_system_streams(self) -> tuple[Stream, ...]:
        """The streams of the whole volume (4/14.1.18, UDF 3.3.7), by name; their content is not decoded."""
        if self._file_set is None:
            return ()
        fixed = self._file_set.fixed
        where = LongAllocation(
            fixed.streams_length, fixed.streams_block, fixed.streams_partition, fixed.streams_use
        )
        return read_streams(self._volume, where, "/").streams

    def _compare_counts(self, tally: Tally) -> None:
        """Note files and directories that are not as many as the volume was closed with (UDF 2.2.6.4)."""
        integrity = self._assembled.integrity
        stated: tuple[int | None, int | None] = (None, None)
        if self._generation is not None:
            stated = (self._generation.files, self._generation.directories)
        elif integrity is not None and integrity.closed and integrity.use is not None:
            stated = (integrity.use.files, integrity.use.directories)
        files, directories = stated
        # Hard links: writers count names or files.
        wrong = files is not None and files not in (tally.files, tally.files - tally.repeated)
        if wrong or (directories is not None and directories != tally.directories):
            self._volume.log.note(
                COUNTS,
                "The volume states other numbers of files and directories",
                seen=f"{tally.files} files, {tally.directories} directories",
                expected=f"{files} files, {directories} directories",
            )

    def _compare_space(self) -> None:
        """Note free blocks that are not as many as the volume was closed with (3/10.10.8)."""
        integrity = self._assembled.integrity
        if integrity is None or not integrity.closed:
            return
        recorded: dict[int, int] = {}
        for space in self.spaces:
            recorded[space.partition] = recorded.get(space.partition, 0) + space.free_blocks
        for number, free in recorded.items():
            stated = integrity.free[number] if number < len(integrity.free) else None
            if stated is not None and stated != free:
                self._volume.log.note(
                    SPACE,
                    "The volume states another number of free blocks than its space record has",
                    clause="3/10.10.8",
                    seen=f"partition {number}: {free} blocks in bitmaps and tables",
                    expected=f"{stated} blocks",
                )


def _file_set_address(assembled: Assembled) -> LongAllocation:
    fixed = assembled.fixed
    return LongAllocation(
        fixed.file_set_length, fixed.file_set_block, fixed.file_set_partition, fixed.file_set_use
    )


def open_volumes(
    image: Image, start_lba: int, session: int | None, first_ordinal: int
) -> Iterator[UdfVolume | Anomaly]:
    """Open the UDF volume that begins at `start_lba`: one view for each of its file sets.

    Yields nothing where there is none, and an Anomaly where one is announced that cannot be opened. A
    session of a write-once disc may have no anchors of its own, only a newer virtual allocation
    table: then the anchors of the sessions before it count.
    """
    log = AnomalyLog(first_ordinal)
    where = place(image, start_lba, session)
    found = find(where, log)
    if found is not None:
        yield from _file_sets(assemble(found, where, log), where, first_ordinal)
        return
    yield from (noted._replace(volume=None) for noted in log.take())
    yield from _continued(where, first_ordinal)


def _file_sets(assembled: Assembled, where: Place, ordinal: int) -> Iterator[UdfVolume]:
    """A view of each file set; one without any, whose walk says so, if there is none."""
    tables = assembled.opened.tables
    newest = tables[0].generation if tables else None
    file_sets = read_file_sets(assembled.volume, _file_set_address(assembled))
    first = file_sets[0] if file_sets else None
    yield UdfVolume(assembled, where, ordinal, first, generation=newest)
    for number, file_set in enumerate(file_sets[1:], ordinal + 1):
        sibling = assembled._replace(volume=assembled.volume.sibling(AnomalyLog(number)))
        yield UdfVolume(sibling, where, number, file_set, generation=newest)


def _continued(where: Place, ordinal: int) -> Iterator[UdfVolume]:
    """The volume of an earlier session, if the session at `where` has the newest table of it."""
    image = where.image
    if not image.disc.recorded:
        return
    starts = [each.start_lba for each in image.disc.sessions if each.start_lba < where.start_lba]
    for start in sorted(starts, reverse=True):
        log = AnomalyLog(ordinal)
        earlier = where._replace(start_lba=start)
        found = find(earlier, log)
        if found is None:
            continue
        assembled = assemble(found, earlier, log)
        tables = assembled.opened.tables
        if tables and tables[0].generation.lba >= where.start_lba:
            yield from _file_sets(assembled, earlier, ordinal)
            return

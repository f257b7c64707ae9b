"""IsoVolume: one tree of an ISO 9660 volume as a view; open_volumes: all that a descriptor set has.

A set gives one `iso9660` view (with Rock Ridge's names and attributes where they are), one `joliet` view
for each Joliet descriptor, and one for an enhanced or supplementary descriptor with a tree of its own.
"""

from collections.abc import Iterator
from typing import Any

from acquire.geometry import SECTOR_BYTES, SectorRange, merge, sectors
from acquire.image import Image
from analyze.anomaly import Anomaly
from analyze.entry import Entry
from analyze.iso9660 import anomalies as kind
from analyze.iso9660 import names
from analyze.iso9660.blocks import Allowance
from analyze.iso9660.dates import volume_time
from analyze.iso9660.descriptors import Descriptor, DescriptorKind, DescriptorSet, read_descriptor_set
from analyze.iso9660.directory import Directory
from analyze.iso9660.pathtable import tables
from analyze.iso9660.record import MINIMUM_BYTES, Record, View, read
from analyze.iso9660.root import find_root
from analyze.iso9660.susp import Continuations
from analyze.iso9660.tree import Tree
from analyze.timestamp import Timestamp
from analyze.volume import VolumeInfo

_TIMES = (("created", 813), ("modified", 830), ("expires", 847), ("effective", 864))  # 8.4.26 to 8.4.29
_TEXTS = ("copyright_file", "abstract_file", "bibliographic_file")  # 8.4.23 to 8.4.25
_NAMING = {DescriptorKind.JOLIET: "joliet", DescriptorKind.ENHANCED: "enhanced"}


def open_volumes(
    image: Image, start_lba: int, session: int | None, first_ordinal: int
) -> Iterator["IsoVolume | Anomaly"]:
    """Yield every view of the volume whose sector 0 is `start_lba`; nothing if there is none.

    The anomalies are those of the descriptor set as a whole; the views count from `first_ordinal` on.
    """
    found = read_descriptor_set(image, start_lba)
    if found is None:
        return
    yield from found.anomalies
    for index, descriptor in enumerate(found.trees):
        yield IsoVolume(image, found, descriptor, session, first_ordinal + index)


class IsoVolume:
    """One tree, described by one descriptor of a set."""

    def __init__(
        self, image: Image, found: DescriptorSet, descriptor: Descriptor, session: int | None, ordinal: int
    ) -> None:
        """Find the root and what the volume says of itself; nothing is walked yet."""
        self._found = found
        self._descriptor = descriptor
        self._ordinal = ordinal
        self._notes: list[Anomaly] = []
        self._root = find_root(image, found.start_lba, descriptor, self._notes)
        self._tree = self._new_tree()
        self._info = self._describe(session)

    @property
    def info(self) -> VolumeInfo:
        """What the volume says of itself; its times exactly as recorded."""
        return self._info

    def walk(self) -> Iterator[Entry | Anomaly]:
        """Yield every entry, and each anomaly after the entry that it is about."""
        self._tree = self._new_tree()
        for note in self._notes:
            self._tree.scanner.add(note, None)
        for batch in self._tree.batches():
            yield from batch

    def structures(self) -> Iterator[SectorRange]:
        """The sectors of descriptors, path tables, directories, continuation areas and attribute records."""
        count = self._root.blocks.image.sector_count
        for start, length in merge([*self._found.structures, *self._tree.structures()]):
            if start < count:
                yield SectorRange(start, min(length, count - start))

    def _view(self) -> View:
        return View(
            self._ordinal,
            self._root.blocks,
            _NAMING.get(self._descriptor.kind, "plain"),
            self._root.mark,
            self._descriptor.fields.sequence_number,
            Continuations(self._root.blocks),
            Allowance(),
        )

    def _new_tree(self) -> Tree:
        section = self._root.section
        return Tree(self._view(), Directory("", None, section, section.block), self._root.path_tables)

    def _describe(self, session: int | None) -> VolumeInfo:
        fields, blocks = self._descriptor.fields, self._root.blocks
        ucs2 = self._descriptor.kind is DescriptorKind.JOLIET
        times = self._times()
        return VolumeInfo(
            ordinal=self._ordinal,
            kind="joliet" if ucs2 else "iso9660",
            label=names.field(fields.volume_id, ucs2=ucs2),
            session=session,
            start_lba=self._found.start_lba,
            block_size_bytes=blocks.block_bytes,
            length_sectors=sectors(fields.space_size * blocks.block_bytes),
            created=times["created"],
            modified=times["modified"],
            expires=times["expires"],
            effective=times["effective"],
            system_id=names.field(fields.system_id, ucs2=ucs2) or None,
            volume_set_id=names.field(fields.volume_set_id, ucs2=ucs2) or None,
            publisher=names.field(fields.publisher, ucs2=ucs2) or None,
            preparer=names.field(fields.preparer, ucs2=ucs2) or None,
            application=names.field(fields.application, ucs2=ucs2) or None,
            attributes=self._attributes(ucs2=ucs2),
        )

    def _times(self) -> dict[str, Timestamp | None]:
        times: dict[str, Timestamp | None] = {}
        for name, start in _TIMES:
            raw = self._descriptor.raw[start : start + 17]
            times[name], problem = volume_time(raw)
            if problem:
                self._notes.append(
                    kind.DATE.at(
                        f"Volume {name}: {problem}", lba=self._descriptor.lba, offset=start, seen=raw.hex()
                    )
                )
        return times

    def _attributes(self, *, ucs2: bool) -> dict[str, Any]:
        descriptor, fields, root = self._descriptor, self._descriptor.fields, self._root
        found: dict[str, Any] = {
            "descriptor": descriptor.kind.value,
            "descriptor_lba": descriptor.lba,
            "lba_base": root.blocks.base_lba,
            "volume_set_size": fields.set_size,
            "volume_sequence_number": fields.sequence_number,
            "file_structure_version": fields.file_structure_version,
            "path_tables": {
                table.name: {"block": table.block, "size_bytes": table.size_bytes} for table in tables(fields)
            },
        }
        record = self._root_record()
        found["root"] = self._root_attributes(record)
        if root.rock_ridge:
            found["rock_ridge"] = True
        if root.mark is not None:
            found["susp_skip_bytes"] = root.mark.skip_bytes
        if record is not None and record.rock_ridge.extensions:
            found["extensions"] = record.rock_ridge.extensions
        if descriptor.joliet_level is not None:
            found["joliet_level"] = descriptor.joliet_level
        if descriptor.kind is not DescriptorKind.PRIMARY:
            found["escape_sequences"] = names.field(fields.escape_sequences, ucs2=False)
            found["volume_flags"] = fields.flags
        texts = {name: names.field(getattr(fields, name), ucs2=ucs2) for name in _TEXTS}
        texts["application_use"] = names.text_of(fields.application_use.strip(b" \0"))
        texts["mkisofs_version"] = self._found.mkisofs_version
        found.update({name: text for name, text in texts.items() if text})
        lists = {
            "same_tree": descriptor.same_tree,
            "boot_records": self._found.boot_records,
            "partitions": self._found.partitions,
        }
        found.update({name: list(values) for name, values in lists.items() if values})
        return found

    def _root_record(self) -> Record | None:
        """The root's first record, read in full; its anomalies are met again by the walk."""
        blocks, section = self._root.blocks, self._root.section
        block = blocks.first_data_block(section)
        data = blocks.read(block, SECTOR_BYTES)
        if len(data) < MINIMUM_BYTES or not MINIMUM_BYTES + data[32] - 1 <= data[0] <= len(data):
            return None
        lba, offset = blocks.at(block)
        return read(self._view(), data, 0, lba, offset)

    def _root_attributes(self, record: Record | None) -> dict[str, Any]:
        blocks, section = self._root.blocks, self._root.section
        found: dict[str, Any] = {
            "lba": blocks.at(blocks.first_data_block(section))[0],
            "size_bytes": section.length_bytes,
        }
        if record is None:
            return found
        if record.recorded is not None:
            found["recorded"] = record.recorded.iso()
        posix = record.rock_ridge
        for name in ("mode", "uid", "gid", "links", "inode"):
            value = getattr(posix, name)
            if value is not None:
                found[name] = value
        found.update({name: time.iso() for name, time in record.times.items()})
        found.update(record.attributes)
        return found

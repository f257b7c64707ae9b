"""Volume: one file-system view of a disc. Several may share the same bytes."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from acquire.geometry import SectorRange
from analyze.anomaly import Anomaly
from analyze.entry import Entry
from analyze.timestamp import Timestamp


class VolumeInfo(NamedTuple):
    """What a volume says of itself. `kind`: iso9660, joliet, udf, hfs, hfsplus or a TSK name.

    `ordinal` counts volumes of one analysis from 0. `start_lba` is where the volume's LBA 0 of
    descriptors is (16 sectors before its first volume descriptor for ISO 9660).
    """

    ordinal: int
    kind: str
    label: str
    session: int | None
    start_lba: int
    block_size_bytes: int
    length_sectors: int | None
    created: Timestamp | None = None
    modified: Timestamp | None = None
    expires: Timestamp | None = None
    effective: Timestamp | None = None
    system_id: str | None = None
    volume_set_id: str | None = None
    publisher: str | None = None
    preparer: str | None = None
    application: str | None = None
    attributes: dict[str, Any] | None = None


class Volume(Protocol):
    """A file system that was recognised; walking it yields everything it lists."""

    @property
    def info(self) -> VolumeInfo:
        """What it says of itself."""

    def walk(self) -> Iterator[Entry | Anomaly]:
        """Yield every entry once, and each disagreement met, in the order of discovery.

        Never raises for what the medium holds; bounded in time and memory.
        """

    def structures(self) -> Iterator[SectorRange]:
        """Sectors that hold the volume's own structures (after `walk`): descriptors, tables, directories."""

"""What the tests of the UDF reader share: a volume walked, and the bytes of a stream."""

from acquire.geometry import HOLE, SECTOR_BYTES
from acquire.image import MemoryImage
from analyze.anomaly import Anomaly
from analyze.entry import Entry
from analyze.udf.volume import open_volumes


class Walked:
    """The first UDF volume of an image: `entries` by path (live before deleted), `anomalies`, their codes."""

    def __init__(self, source, start_lba=0, session=None, *, volume=None):
        """Open and walk the image, or walk `volume` of it."""
        self.image = MemoryImage(source) if isinstance(source, bytes | bytearray) else source
        nouns = [] if volume else list(open_volumes(self.image, start_lba, session, 0))
        self.anomalies = [noun for noun in nouns if isinstance(noun, Anomaly)]
        self.volumes = [volume] if volume else [noun for noun in nouns if not isinstance(noun, Anomaly)]
        self.all = []
        self.entries = {}
        if self.volumes:
            self.volume = self.volumes[0]
            self.info = self.volume.info
            nouns = list(self.volume.walk())
            self.all = [noun for noun in nouns if isinstance(noun, Entry)]
            self.anomalies += [noun for noun in nouns if isinstance(noun, Anomaly)]
            for entry in self.all:
                self.entries.setdefault(entry.path, entry)
        self.codes = [anomaly.code for anomaly in self.anomalies]

    @property
    def live(self):
        """Paths that are not deleted, in order of appearance."""
        return [entry.path for entry in self.all if not entry.deleted]

    @property
    def deleted(self):
        """Paths that are deleted, in order of appearance."""
        return [entry.path for entry in self.all if entry.deleted]

    def stream(self, path, name=""):
        """A stream of an entry."""
        return next(stream for stream in self.entries[path].streams if stream.name == name)

    def read(self, path, name=""):
        """The content of an entry, or of one of its streams."""
        return content(self.image, self.stream(path, name))


def content(image, stream):
    """The bytes of a stream, straight from its extents."""
    parts = []
    for lba, length, offset in stream.extents:
        if lba == HOLE:
            parts.append(bytes(length))
        else:
            parts.append(image.read(lba, -(-(offset + length) // SECTOR_BYTES))[offset : offset + length])
    return b"".join(parts)

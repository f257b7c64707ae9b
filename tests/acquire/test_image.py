"""An image in memory answers as the protocol says, also at its ends."""

from acquire.geometry import SectorRange
from acquire.image import Image, MemoryImage, read_bytes
from acquire.toc import TrackMode


def test_reads_are_whole_sectors_but_for_a_short_last_one():
    """2.5 sectors: three can be asked for, the third is short, past the end is empty."""
    data = bytes(range(256)) * 20  # 5120 bytes
    with MemoryImage(data) as image:
        assert isinstance(image, Image)
        assert (image.size_bytes, image.sector_count) == (5120, 3)
        assert image.read(0, 3) == data
        assert image.read(2) == data[4096:]
        assert image.read(3) == b""
        assert image.read(1, 100) == data[2048:]


def test_impossible_addresses_read_as_nothing():
    """Addresses that come from damaged structures never raise."""
    image = MemoryImage(bytes(4096))
    assert image.read(-1) == b""
    assert image.read(0, 0) == b""
    assert image.read(0, -5) == b""
    assert image.read(1 << 40, 1 << 40) == b""


def test_a_plain_image_has_one_track_that_is_not_recorded():
    """No table of contents is invented: the one track spans the image and says it is not recorded."""
    image = MemoryImage(bytes(2048 * 7), unread=(SectorRange(3, 2),))
    (session,) = image.disc.sessions
    (track,) = session.tracks
    assert not image.disc.recorded
    assert (session.number, session.start_lba, session.length_sectors) == (1, 0, 7)
    assert (track.number, track.mode, track.length_sectors) == (1, TrackMode.DATA, 7)
    assert image.unread() == (SectorRange(3, 2),)


def test_bytes_are_read_at_any_place():
    """Across sectors, from inside one, past the end, and from impossible places."""
    data = bytes(range(256)) * 20
    image = MemoryImage(data)
    assert read_bytes(image, 2040, 16) == data[2040:2056]
    assert read_bytes(image, 5, 1) == data[5:6]
    assert read_bytes(image, 5000, 1000) == data[5000:]
    assert read_bytes(image, 9999, 4) == b""
    assert read_bytes(image, -4, 4) == b""
    assert read_bytes(image, 0, 0) == b""

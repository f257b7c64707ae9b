"""EWF containers beyond E01, through libewf: as an image, or refused in one sentence."""

import hashlib
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acquire.containers import open_image
from acquire.containers.e01_reader import E01Image
from acquire.containers.ewf_foreign import ForeignEwfImage
from acquire.errors import ContainerError
from acquire.image import Image

JOLIET_SHA256 = "012e98c69064109aa5cfdb0ed1d7ac8941e5a66a373b57f01c32e9be759a1789"


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "size", "sha256"),
    [
        ("ewf-forensic/zeros_128s.Ex01", 65536, hashlib.sha256(bytes(65536)).hexdigest()),
        ("toolmade/ewf/joliet_smart.s01", 405504, JOLIET_SHA256),
    ],
)
def test_ex01_and_smart_are_read(corpus, name: str, size: int, sha256: str):
    """`open_image` gives them as images with the published content and the recorded MD5."""
    with open_image(corpus(name)) as image:
        assert isinstance(image, ForeignEwfImage)
        assert isinstance(image, Image)
        assert image.size_bytes == size
        data = image.read(0, image.sector_count)
        assert hashlib.sha256(data).hexdigest() == sha256
        assert image.stored_md5 == hashlib.md5(data).hexdigest()
        assert b"".join(image.blocks()) == data
        assert image.read(image.sector_count - 1, 9) == data[(image.sector_count - 1) * 2048 :]
        assert image.read(image.sector_count) == image.read(-1) == image.read(0, -2) == b""
        assert image.unread() == ()
        assert image.problems == ()
        assert not image.disc.recorded
        assert any("not known" in sentence for sentence in image.limits)


@pytest.mark.corpus
def test_case_fields_have_the_names_of_ours(corpus):
    """An Ex01's header comes under the names that the E01 reader uses."""
    with ForeignEwfImage(corpus("ewf-forensic/zeros_128s.Ex01")) as image:
        assert image.header["examiner"] == "examiner_name"
        assert image.header["case_number"] == "case_number"
        assert image.header["version"] == "20231119"


@pytest.mark.corpus
def test_many_threads_share_one_handle(corpus):
    """Reads from eight threads at once are right, though libewf reads one at a time."""
    with ForeignEwfImage(corpus("toolmade/ewf/joliet_smart.s01")) as image:
        data = image.read(0, image.sector_count)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(image.read, range(image.sector_count)))
        assert b"".join(found) == data


@pytest.mark.corpus
@pytest.mark.tools
def test_a_bad_chunk_of_a_smart_container_costs_only_its_sectors(corpus, tmp_path: Path, tool):
    """One flipped bit in the data: what libewf cannot give is zeros and unread, or the digest tells it."""
    path = tmp_path / "bad.s01"
    shutil.copy(corpus("toolmade/ewf/joliet_smart.s01"), path)
    with ForeignEwfImage(path) as image:
        good = image.read(0, image.sector_count)
    content = bytearray(path.read_bytes())
    content[6000] ^= 0x10
    path.write_bytes(content)
    with ForeignEwfImage(path) as image:
        data = image.read(0, image.sector_count)
        assert len(data) == len(good)
        lost = {lba for start, count in image.unread() for lba in range(start, start + count)}
        wrong = {lba for lba in range(198) if data[lba * 2048 :][:2048] != good[lba * 2048 :][:2048]}
        assert wrong
        assert len(wrong) <= 16
        assert lost >= wrong or hashlib.md5(data).hexdigest() != image.stored_md5


@pytest.mark.tools
@pytest.mark.parametrize("form", ["smart", "ewf"])
def test_formats_without_an_e01s_sections(tmp_path: Path, tool, form: str):
    """The original EWF and SMART formats of ewfacquire: read by libewf or by ours, byte for byte."""
    data = b"sector of the disc" * 40_000
    data = data[: len(data) // 512 * 512]
    source = tmp_path / "source.bin"
    source.write_bytes(data)
    command = [tool("ewfacquire"), "-u", "-q", "-f", form, "-c", "fast", "-t", tmp_path / "out", source]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    made = next(path for path in tmp_path.iterdir() if path.stem == "out")
    with open_image(made) as image:
        assert isinstance(image, E01Image | ForeignEwfImage)
        assert image.read(0, image.sector_count) == data


def test_a_logical_container_is_refused(tmp_path: Path):
    """L01 holds files: one sentence says so."""
    path = tmp_path / "files.L01"
    path.write_bytes(b"LVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00" + bytes(1000))
    with pytest.raises(ContainerError, match="holds files, not the sectors of a disc"):
        open_image(path)


@pytest.mark.parametrize(
    "content",
    [
        b"EVF2\x0d\x0a\x81\x00",
        b"EVF2\x0d\x0a\x81\x00" + bytes(5000),
        b"EVF\x09\x0d\x0a\xff\x00\x01\x01\x00\x00\x00" + bytes(5000),
    ],
)
@pytest.mark.parametrize("name", ["x.Ex01", "x.s01", "x.E01", "x"])
def test_what_libewf_cannot_open_is_refused_in_one_sentence(tmp_path: Path, name: str, content: bytes):
    """A signature and nothing behind it."""
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ContainerError) as refused:
        open_image(path)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.corpus
@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_containers_never_raise(corpus, tmp_path_factory, data):
    """Bytes changed and files cut: an image that answers, or one sentence."""
    name = data.draw(st.sampled_from(["ewf-forensic/zeros_128s.Ex01", "toolmade/ewf/joliet_smart.s01"]))
    content = bytearray(corpus(name).read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, min(len(content), 3000) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(20, len(content))) :]
    path = tmp_path_factory.mktemp("damaged") / Path(name).name
    path.write_bytes(content)
    try:
        image = ForeignEwfImage(path)
    except ContainerError as refused:
        sentence = str(refused)
        assert "\n" not in sentence
        return
    with image:
        assert len(image.read(0, 10)) == min(image.size_bytes, 20480)
        assert len(image.unread()) <= 20

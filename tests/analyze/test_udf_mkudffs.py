"""Empty volumes made by mkudffs at run time, of every medium, revision and block size, beside udfinfo."""

import pytest

from analyze.udf.tag import check_tag
from tests.analyze.udf_walked import Walked

pytestmark = pytest.mark.tools
SIZES = (512, 1024, 2048, 4096)
OLD, PACKETS, EVERY, METADATA = (
    ("1.02", "1.50", "2.00", "2.01"),
    ("1.50", "2.00", "2.01"),
    ("1.50", "2.00", "2.01", "2.50", "2.60"),
    ("2.50", "2.60"),
)
MEDIA = {
    "hd": OLD,
    "dvd": OLD,
    "cd": OLD,
    "dvdram": OLD,
    "dvdrw": PACKETS,
    "cdrw": PACKETS,
    "cdr": EVERY,
    "dvdr": EVERY,
    "bdr": METADATA,
}
"""What mkudffs 2.3 can make; write-once media have a virtual allocation table."""
KINDS = [
    (medium, revision, size)
    for medium, revisions in MEDIA.items()
    for revision in revisions
    for size in SIZES
]
WRITE_ONCE = ("cdr", "dvdr", "bdr")
BLOCKS = 3072
ACCESS = {"overwritable": 4, "rewritable": 3, "writeonce": 2, "readonly": 1}
"""3/10.5.7."""


@pytest.fixture
def made(run, tmp_path):
    """`made("hd", "2.01", 2048, …)`: an image of `BLOCKS` blocks, walked, and what udfinfo says of it."""

    def make(medium, revision, size, *words, blocks=BLOCKS):
        path = tmp_path / f"{medium}{revision}.{size}.img"
        run(
            "mkudffs",
            "--new-file",
            f"--media-type={medium}",
            f"--udfrev={revision}",
            f"--blocksize={size}",
            *words,
            path,
            blocks,
        )
        text = run("udfinfo", f"--blocksize={size}", path).stdout
        facts = {}
        for line in text.splitlines():
            if not line.startswith("start="):
                name, _equals, value = line.partition("=")
                facts[name] = value
        facts["extents"] = [
            dict(word.split("=") for word in line.replace(",", "").split())
            for line in text.splitlines()
            if line.startswith("start=")
        ]
        return Walked(path.read_bytes()), facts

    return make


def places(facts, kind):
    """First blocks of the extents of a kind, as udfinfo lists them."""
    return [int(row["start"]) for row in facts["extents"] if row["type"] == kind]


@pytest.mark.parametrize(("medium", "revision", "size"), KINDS)
def test_an_empty_volume_of_every_kind(made, medium, revision, size):
    """Label, revision, block size, identifiers, places and counts are those of udfinfo; nothing is wrong."""
    found, facts = made(medium, revision, size, "--label=Empty volume")
    info = found.info
    assert found.anomalies == []
    assert (info.kind, info.label) == ("udf", "Empty volume")
    assert info.block_size_bytes == size == int(facts["blocksize"])
    assert info.attributes["udf_revision"] == revision
    if medium not in WRITE_ONCE:
        assert facts["udfrev"] == revision
        assert info.attributes["integrity"] == facts["integrity"]
        free = sum(space.free_blocks for space in found.volume.spaces)
        assert free == int(facts["freeblocks"])
    assert info.volume_set_id == facts["fullvsid"]
    assert info.application == facts["appid"]
    assert sorted(info.attributes["anchors"]) == places(facts, "ANCHOR")
    assert info.attributes["files"] == int(facts["numfiles"])
    assert info.attributes["directories"] == int(facts["numdirs"])
    assert found.deleted == []
    assert {entry.path for entry in found.all if not entry.hidden} <= {"/lost+found"}
    assert info.attributes["partitions"][0]["start_block"] == places(facts, "PSPACE")[0]


@pytest.mark.parametrize("revision", EVERY)
@pytest.mark.parametrize("medium", ["cdr", "dvdr"])
def test_a_write_once_volume_has_one_generation(made, medium, revision):
    """A disc that was only formatted has one virtual allocation table, which leads back to none."""
    found, facts = made(medium, revision, 2048)
    (generation,) = found.volume.generations
    assert generation.previous is None
    assert generation.number == 0
    assert generation.block == int(facts["vatblock"])
    assert (generation.files, generation.directories) == (int(facts["numfiles"]), int(facts["numdirs"]))


@pytest.mark.parametrize("words", [("--ad=inicb",), ("--ad=short",), ("--ad=long",)])
def test_each_form_of_allocation_descriptors(made, words):
    """4/14.6.8: the root directory is embedded, or in extents of either form."""
    found, _facts = made("hd", "2.01", 2048, *words)
    assert found.anomalies == []


@pytest.mark.parametrize(
    "words",
    [("--space=unalloctable",), ("--space=unallocbitmap",)],
)
def test_each_record_of_free_space(made, words):
    """4/14.3: bitmap or table, two ways to record the free blocks, which udfinfo counts as we do."""
    found, facts = made("hd", "1.50", 2048, *words)
    assert found.anomalies == []
    assert sum(space.free_blocks for space in found.volume.spaces) == int(facts["freeblocks"])


@pytest.mark.parametrize(
    "label",
    [
        "a",
        "0123456789" * 12 + "abcdef",
        "with / and = in it",
        "Gr\u00fc\u00dfe",
        "\u65e5\u672c\u8a9e",
        "\u041c\u0438\u0440" * 20,
    ],
)
def test_labels_of_8_and_16_bits(made, monkeypatch, label):
    """UDF 2.1.1, 1/7.2.12: labels up to 126 characters of 8 bits, 63 of 16."""
    monkeypatch.setenv("LC_ALL", "C.UTF-8")  # both programs take and print text in the locale's encoding
    found, facts = made("hd", "2.01", 2048, f"--label={label}")
    assert found.info.label == label == facts["label"]
    assert found.anomalies == []


def test_owner_organization_and_application(made):
    """UDF 2.2.7.2.3 and 3/10.1.19: fields of the implementation use volume descriptor."""
    found, facts = made(
        "hd", "2.01", 2048, "--owner=Jo Doe", "--organization=An Office", "--contact=x@example.org"
    )
    assert found.info.publisher == facts["owner"] == "Jo Doe"
    assert found.info.attributes["organization"] == facts["organization"] == "An Office"


@pytest.mark.parametrize(("uid", "gid", "mode"), [(0, 0, "755"), (1000, 100, "700"), (65534, 7, "777")])
def test_the_root_is_no_entry_of_its_own(made, uid, gid, mode):
    """Whatever owner and mode the root has, an empty volume lists nothing above its names."""
    found, _facts = made("hd", "2.01", 2048, f"--uid={uid}", f"--gid={gid}", f"--mode={mode}")
    assert "/" not in found.live
    assert found.anomalies == []


@pytest.mark.parametrize("blocks", [512, 600, 1024, 5000])
@pytest.mark.parametrize("size", [512, 2048, 4096])
def test_volumes_of_any_length(made, size, blocks):
    """The last anchor is found in the last block, however long the volume is (3/8.4.2.1)."""
    found, facts = made("hd", "2.01", size, blocks=blocks)
    assert found.anomalies == []
    assert sorted(found.info.attributes["anchors"]) == places(facts, "ANCHOR")
    assert blocks - 1 in found.info.attributes["anchors"]


@pytest.mark.parametrize("size", [512, 2048, 4096])
def test_a_reserve_sequence_is_enough(made, size):
    """3/8.4.2.2: with the main sequence gone, label and revision are still udfinfo's."""
    found, facts = made("hd", "2.01", size, "--label=Reserve")
    data = bytearray(found.image.read(0, found.image.sector_count))
    main = places(facts, "MVDS")[0]
    data[main * size : (main + 16) * size] = bytes(16 * size)
    again = Walked(data)
    assert again.info.label == "Reserve"
    assert again.info.attributes["udf_revision"] == facts["udfrev"]
    assert set(again.codes) == {"udf-sequence-missing"}


@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("size", [512, 2048, 4096])
def test_any_one_anchor_of_three_is_enough(made, size, kept):
    """3/8.4.2.1: blocks 256, N and N - 256; two of them are wiped."""
    found, facts = made("hd", "2.01", size, "--label=Anchored")
    data = bytearray(found.image.read(0, found.image.sector_count))
    anchors = places(facts, "ANCHOR")
    assert len(anchors) == 3
    for block in anchors[:kept] + anchors[kept + 1 :]:
        data[block * size : (block + 1) * size] = bytes(size)
    again = Walked(data)
    assert again.info.attributes["anchors"] == [anchors[kept]]
    assert (again.info.label, again.info.block_size_bytes) == ("Anchored", size)
    assert again.anomalies == []


@pytest.mark.parametrize(
    ("medium", "revision"), [("hd", "1.02"), ("dvdram", "2.01"), ("cdrw", "1.50"), ("cdr", "2.60")]
)
def test_the_descriptors_of_another_program_pass_every_check(made, medium, revision):
    """3/7.2: each tag where udfinfo lists a sequence has a right checksum, CRC, version and location."""
    found, facts = made(medium, revision, 2048)
    for first in (*places(facts, "MVDS"), *places(facts, "RVDS")):
        identifiers = []
        for block in range(first, first + 16):
            data = found.image.read(block, 1)
            checked = check_tag(data, 0, range(1, 10), block)
            if not any(data[:16]):
                break
            identifiers.append(checked.identifier)
            assert checked.problems == ()
        assert {1, 4, 5, 6, 8} <= set(identifiers)

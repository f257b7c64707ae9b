"""What the report says in words follows from figures, and hides none of them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acquire.geometry import SectorRange
from acquire.record import tool_version
from analyze.detect import OPENERS
from report.acquired import acquisition_facts
from report.model import AcquisitionView, AnalysisView, ExhibitView, SessionView, TrackView, VolumeView
from report.scope import families, scope
from report.statements import Tone, acquired, coverage, not_examined, verification
from report.strip import WIDTH, strip


def acquisition(**other: Any) -> AcquisitionView:
    """A complete acquisition of 1,204 sectors, verified, with what the test changes."""
    whole = AcquisitionView(
        state="complete",
        format="e01",
        path="evidence/EX-1/EX-1.E01",
        files=(),
        sector_size_bytes=2048,
        sector_count=1204,
        size_bytes=1204 * 2048,
        sectors_read=1204,
        sectors_unread=0,
        sectors_filled=0,
        unread=(),
        digests={"md5": "0" * 32},
        verified=True,
        verify_detail="",
        started="2026-09-02T10:00:00.000000+00:00",
        ended="2026-09-02T10:04:12.000000+00:00",
        resumed=0,
        tool_version="0.1.0",
        record={},
    )
    return whole._replace(**other)


def volume(**other: Any) -> VolumeView:
    """A view with nothing special, with what the test changes."""
    plain = VolumeView(
        id=1,
        title="ISO 9660 “DISC”",
        ordinal=0,
        kind="iso9660",
        label="DISC",
        session=1,
        start_lba=0,
        block_size_bytes=2048,
        length_sectors=1204,
        created=None,
        modified=None,
        expires=None,
        effective=None,
        system_id=None,
        volume_set_id=None,
        publisher=None,
        preparer=None,
        application=None,
        attributes={},
        entries_by_kind={"file": 3},
        files_by_content={"complete": 3},
        file_bytes=300,
        deleted=0,
    )
    return plain._replace(**other)


def exhibit(**other: Any) -> ExhibitView:
    """An exhibit that was examined whole, with what the test changes."""
    whole = ExhibitView(
        id=1,
        label="EX-1",
        description=None,
        acquired_by="A. Examiner",
        source="/dev/sr0",
        source_kind="block device",
        created=None,
        acquisition=acquisition(),
        sessions=(SessionView(1, 0, 1204, recorded=True),),
        tracks=(TrackView(1, 1, "MODE1", 0, 1204, None, None),),
        analysis=AnalysisView("complete", None, None, "0.1.0", 1204, 0, None),
        volumes=(volume(),),
        anomalies_by_code={},
        findings_by_severity={},
    )
    return whole._replace(**other)


def test_the_figures_are_the_statement():
    said = coverage(acquisition())
    assert said.figures == "1,204 of 1,204 sectors read · 0 unread · 0 filled"
    assert (said.tone, said.verdict) == (Tone.PLAIN, "Every sector was read")
    assert verification(acquisition())[:3] == (
        Tone.PLAIN,
        "The container is what was written",
        "Container read back: digests equal",
    )


def test_a_container_that_verifies_and_holds_fill_is_never_called_whole():
    """94 sectors of 100 are fill, digests equal: coverage warns, and verification points to it."""
    filled = acquisition(sector_count=100, sectors_read=6, sectors_unread=94, sectors_filled=94)
    said = coverage(filled)
    assert said.tone is Tone.WARNING
    assert said.verdict == "Not everything was read"
    assert said.figures == "6 of 100 sectors read · 94 unread · 94 filled"
    assert "94 sectors (94 % of the source) could not be read" in said.meaning
    assert "not evidence" in said.meaning
    assert "It does not say that everything was read: see coverage." in verification(filled).meaning


@pytest.mark.parametrize(
    ("changed", "verdict"),
    [
        ({"sectors_read": 1203, "sectors_unread": 1}, "Not everything was read"),
        ({"sectors_filled": 7}, "Some sectors are fill"),
        ({"sectors_read": 1203}, "The figures disagree"),
        ({"sectors_read": 1300, "sectors_unread": -96}, "The figures disagree"),
        ({"sectors_filled": 1300}, "The figures disagree"),
        ({"sectors_unread": None}, "Not recorded"),
        ({"sector_count": 0, "sectors_read": 0}, "Nothing was there to read"),
        ({"state": "running", "sectors_read": 3}, "Acquisition not finished"),
    ],
)
def test_each_gap_has_its_warning(changed, verdict):
    said = coverage(acquisition(**changed))
    assert (said.tone, said.verdict) == (Tone.WARNING, verdict)


@given(st.integers(0, 5000), st.integers(-5, 5000), st.integers(-5, 5000), st.integers(-5, 5000))
def test_coverage_is_plain_only_if_all_was_read_and_nothing_filled(total, read, unread, filled):
    said = coverage(
        acquisition(sector_count=total, sectors_read=read, sectors_unread=unread, sectors_filled=filled)
    )
    assert (said.tone is Tone.PLAIN) == (total == read > 0 and unread == 0 and filled == 0)
    assert f"{unread:,} unread" in said.figures
    assert f"{filled:,} filled" in said.figures


@pytest.mark.parametrize(
    ("changed", "tone", "figures"),
    [
        ({"verified": None}, Tone.CAUTION, "Container not read back"),
        ({"verified": False}, Tone.WARNING, "Container read back: digests DIFFER"),
        (
            {"verified": False, "verify_detail": "sha256 is another"},
            Tone.WARNING,
            "Container read back: digests DIFFER (sha256 is another)",
        ),
        ({"state": "running", "verified": True}, Tone.WARNING, "Acquisition not finished"),
    ],
)
def test_what_is_not_verified_is_said(changed, tone, figures):
    said = verification(acquisition(**changed))
    assert (said.tone, said.figures) == (tone, figures)


def test_nothing_is_said_to_be_left_out_where_nothing_is():
    assert list(not_examined(exhibit())) == []


def test_what_was_not_examined_is_listed_with_figures():
    """Unread sectors with their place, unowned ones, sound, other sessions, files without digest and why."""
    told = list(
        not_examined(
            exhibit(
                acquisition=acquisition(
                    sectors_read=1199,
                    sectors_unread=5,
                    sectors_filled=5,
                    unread=(SectorRange(700, 4), SectorRange(1100, 1)),
                ),
                analysis=AnalysisView("complete", None, None, "0.1.0", 980, 224, None),
                sessions=(SessionView(1, 0, 900, recorded=True), SessionView(2, 950, 254, recorded=True)),
                tracks=(TrackView(1, 2, "AUDIO", 600, 300, None, None),),
                volumes=(
                    volume(files_by_content={"complete": 5, "truncated": 1, "unread": 1000}),
                    volume(
                        id=2,
                        title="Joliet “Disc”",
                        label="Disc",
                        files_by_content={"complete": 5, "unread": 2, None: 1},
                    ),
                ),
            )
        )
    )
    assert told == [
        "5 sectors could not be read (LBA 700 to 703 (4 sectors), LBA 1100). What they hold is not known.",
        (
            "224 sectors of 1,204 (18.60 %) belong to no file and no structure that was found. "
            "Where they are not blank, a finding says so; what they hold was not examined."
        ),
        "1 audio track recorded on the disc: listed, not listened to.",
        "Session 2: no file system that this version knows was recognised in it.",
        "Files without digest, because their content was not digested, or not yet: 1 file in Joliet “Disc”.",
        (
            "Files without digest, because their content reaches past the end of the image: "
            "1 file in ISO 9660 “DISC”."
        ),
        (
            "Files without digest, because some of their sectors were not read: "
            "1,000 files in ISO 9660 “DISC”, 2 files in Joliet “Disc”."
        ),
    ]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"acquisition": None}, "This exhibit was not acquired: nothing of it was examined."),
        (
            {"analysis": None, "volumes": ()},
            "The container was not examined: no file system, file or digest of this exhibit is in the case.",
        ),
        ({"volumes": ()}, "No file system that this version knows was recognised."),
        (
            {"analysis": AnalysisView("complete", None, None, "0.1.0", None, None, None)},
            "How many sectors belong to no file and no structure is not recorded.",
        ),
        (
            {"volumes": (volume(files_by_content={"odd": 1}),)},
            "Files without digest, because their content is marked 'odd': 1 file in ISO 9660 “DISC”.",
        ),
    ],
)
def test_what_is_missing_altogether_is_said(changed, told):
    assert list(not_examined(exhibit(**changed))) == [told]


def test_an_examination_that_is_not_finished_is_said():
    running = AnalysisView("running", None, None, "0.1.0", None, None, None)
    (told,) = not_examined(exhibit(analysis=running))
    assert told.startswith("The examination is not finished")


def test_the_sentence_of_an_acquisition_leaves_out_what_is_not_recorded():
    assert acquired(exhibit(), acquisition()) == (
        "2,465,792 bytes (2.35 MiB), acquired on 2026-09-02 10:00:00 UTC by A. Examiner from"
    )
    bare = acquisition(size_bytes=None, started=None, state="running")
    assert acquired(exhibit(acquired_by=None), bare) == "Not finished: acquired from"


def test_the_facts_of_an_acquisition():
    record = {
        "source": {"model": "BD-RE", "serial": "K9", "vendor": ""},
        "reading": {"method": "direct"},
        "tool": {"command": "jewelcase acquire /dev/sr0"},
        "host": {"name": "lab3", "system": "Linux", "kernel": "6.1"},
        "coverage": {"fill": "zero bytes"},
    }
    facts = dict(acquisition_facts(acquisition(record=record, sectors_filled=1, resumed=2)))
    assert facts == {
        "Container": "E01 (EnCase evidence file)",
        "Data": "2,465,792 bytes (2.35 MiB)",
        "Sectors": "1,204 sectors of 2,048 bytes",
        "Started": "2026-09-02 10:00:00 UTC",
        "Ended": "2026-09-02 10:04:12 UTC",
        "Took": "4 min 12 s",
        "Interrupted and continued": "2 times",
        "Made with": "jewelcase 0.1.0",
        "Method": "direct",
        "Command": "jewelcase acquire /dev/sr0",
        "Computer": "lab3, Linux 6.1",
        "Model": "BD-RE",
        "Serial number": "K9",
        "Fill": "zero bytes",
    }


def test_facts_that_no_record_gives_are_none():
    facts = dict(
        acquisition_facts(acquisition(record={"host": "odd", "tool": {"command": ["a"]}}, started=None))
    )
    assert facts["Command"] is facts["Computer"] is facts["Started"] is None
    assert "Took" not in facts


def test_the_scope_names_every_file_system_that_is_looked_for():
    """One name for each opener that the examination asks, in its order; none if another version examined."""
    analysis = AnalysisView("complete", None, None, tool_version(), 1, 0, None)
    looked_for, content = scope(analysis)
    rooms = dict.fromkeys(opener.__module__.split(".")[1] for opener in OPENERS)
    assert len(families()) == len(rooms)
    assert all(name in looked_for and name not in rooms for name in families())
    assert "ISO 9660 with Rock Ridge and Joliet; UDF" in looked_for
    assert list(scope(analysis._replace(tool_version="0.0.0"))) == [content]
    assert list(scope(None)) == []


def test_the_strip_shows_a_single_gap_and_only_gaps():
    """One unread sector of 333,000 is two thousandths wide; a disc that was read whole has none."""
    one = strip(
        acquisition(
            sector_count=333_000, sectors_read=332_999, sectors_unread=1, unread=(SectorRange(166_500, 1),)
        )
    )
    assert one is not None
    assert one.gaps == ((500, 2),)
    assert one.label == "1 sector not read, in 1 place."
    whole = strip(acquisition())
    assert whole is not None
    assert whole.gaps == ()
    assert strip(acquisition(sector_count=None)) is None
    assert strip(acquisition(sectors_unread=3)) is None, "gaps without a place cannot be drawn"


@given(
    st.integers(1, 10_000),
    st.lists(st.tuples(st.integers(-5, 10_100), st.integers(1, 10_000)), min_size=1, max_size=20),
)
def test_the_strip_stays_in_its_frame(total, ranges):
    """Whatever ranges are recorded, gaps are inside, in order and apart, and each has its mark."""
    unread = tuple(SectorRange(*each) for each in ranges)
    drawn = strip(acquisition(sector_count=total, sectors_unread=1, unread=unread))
    assert drawn is not None
    end = -1
    for start, width in drawn.gaps:
        assert start > end
        assert width >= 2
        end = start + width
    assert end <= WIDTH
    covered = {column for start, width in drawn.gaps for column in range(start, start + width)}
    for each in unread:
        if 0 <= each.start_lba < total:
            assert each.start_lba * WIDTH // total in covered

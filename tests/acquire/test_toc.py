"""What a table of contents says, as values."""

from acquire.toc import TrackMode, single_track


def test_modes_are_the_words_of_cue_sheets():
    """They are stored and shown as text, so the text is part of the format."""
    assert [str(mode) for mode in TrackMode] == [
        "AUDIO",
        "MODE1",
        "MODE2",
        "MODE2_FORM1",
        "MODE2_FORM2",
        "DATA",
    ]


def test_single_track_does_not_claim_to_be_recorded():
    disc = single_track(1204)
    assert disc.recorded is False
    assert disc.sessions[0].tracks[0].pregap_sectors is None
    assert disc.sessions[0].tracks[0].start_lba == 0

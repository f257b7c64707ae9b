"""Which view of a disc is listed first, and how one is named."""

import pytest

from acquire.errors import UsageError
from analyze.volume import VolumeInfo
from jewelcase.views import best, chosen, described, fits, listed


def view(ordinal, kind, session=1, *, label="DISC", rock_ridge=False):
    """A volume that says no more than which view it is."""
    attributes = {"rock_ridge": True} if rock_ridge else {}
    return VolumeInfo(ordinal, kind, label, session, 0, 2048, 300, attributes=attributes)


def test_the_view_that_records_most_comes_first():
    """UDF, Rock Ridge, HFS+, HFS, Joliet, others, plain ISO 9660: whatever their order on the disc."""
    views = [
        view(0, "iso9660"),
        view(1, "ntfs"),
        view(2, "joliet"),
        view(3, "hfs"),
        view(4, "hfsplus"),
        view(5, "iso9660", rock_ridge=True),
        view(6, "udf"),
    ]
    order = []
    while views:
        order.append(best(views).ordinal)
        views = [each for each in views if each.ordinal != order[-1]]
    assert order == [6, 5, 4, 3, 2, 1, 0]


def test_a_later_session_comes_before_a_fuller_view():
    """What was recorded last is what the disc shows; volumes of no session come last."""
    assert best([view(0, "udf", 1), view(1, "iso9660", 2), view(2, "udf", None)]).ordinal == 1
    assert best([view(0, "udf", None), view(1, "iso9660", 1)]).ordinal == 1


def test_a_view_is_named_by_number_or_kind():
    """A number means one view, a kind the best of that kind, nothing the best of all."""
    views = [view(0, "iso9660", rock_ridge=True), view(1, "joliet"), view(2, "joliet", 2), view(10, "udf")]
    assert chosen(views, None).ordinal == 2
    assert chosen(views, "0").ordinal == 0
    assert chosen(views, "010").ordinal == 10
    assert chosen(views, "JOLIET").ordinal == 2
    assert not fits(views[0], "")
    for wrong in ("3", "hfs", "", "-1", "1.0", "٣", "9" * 5000):
        with pytest.raises(UsageError, match=r"No volume .* Choose from 0 \(iso9660\), 1 \(joliet\)"):
            chosen(views, wrong)


def test_a_view_is_described_in_full():
    """Number, kind, session if there is one, label."""
    assert (
        described(view(0, "iso9660", rock_ridge=True))
        == 'volume 0, iso9660 with Rock Ridge, session 1, "DISC"'
    )
    assert described(view(3, "udf", None, label="")) == 'volume 3, udf, ""'
    assert listed([view(0, "iso9660"), view(1, "joliet")]) == "0 (iso9660), 1 (joliet)"

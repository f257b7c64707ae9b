"""The anomaly codes of every room are unique and in the reference, word for word."""

import re
from pathlib import Path

import pytest

from analyze.anomaly import Anomaly
from analyze.hfs.anomalies import CODES as HFS
from analyze.iso9660.anomalies import CODES as ISO9660
from analyze.tsk.anomalies import CODES as TSK
from analyze.udf.anomalies import CODES as UDF

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "anomalies.md"


def _documented():
    """{code: (meaning, clause)} of every table row of the page."""
    rows = {}
    for line in PAGE.read_text("utf-8").splitlines():
        found = re.fullmatch(r"\| `([a-z0-9-]+)` \| (.*?) \| (.*?) \| .+ \|", line)
        if found:
            assert found[1] not in rows, f"{found[1]} is there twice"
            rows[found[1]] = (found[2], found[3])
    return rows


@pytest.mark.parametrize("codes", [ISO9660, UDF, HFS, TSK])
def test_every_code_is_in_the_reference(codes):
    """Code, meaning and clause of each kind are the page's."""
    documented = _documented()
    for kind in codes:
        assert documented.get(kind.code) == (kind.meaning, kind.clause), kind.code


def test_the_reference_has_no_other_code():
    """Nothing is documented that no room can report."""
    assert set(_documented()) == {kind.code for room in (ISO9660, UDF, HFS, TSK) for kind in room}


def test_a_kind_makes_anomalies_with_its_clause():
    """Values are put into words; what is not given stays empty."""
    kind = HFS[0]
    made = kind.at("as it is", lba=3, seen=7, expected=9)
    assert made == Anomaly(kind.code, "as it is", 3, None, kind.clause, "7", "9")

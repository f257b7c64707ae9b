"""Anomaly: a structure that is not as its standard says. Data, never an exception."""

from typing import NamedTuple


class Anomaly(NamedTuple):
    """One disagreement, located: `code` is stable and documented in docs/reference/anomalies.md.

    `lba` and `offset` (bytes from the start of that sector) say where; `clause` is the place in the
    standard; `seen` and `expected` are for people. `volume` is the ordinal of the volume in its
    analysis, None for what belongs to the whole disc. `path` names the entry it is about, if any.
    """

    code: str
    message: str
    lba: int | None = None
    offset: int | None = None
    clause: str = ""
    seen: str = ""
    expected: str = ""
    volume: int | None = None
    path: str | None = None


class AnomalyKind(NamedTuple):
    """A code, the clause it is about, and what it means in one sentence."""

    code: str
    clause: str
    meaning: str

    def at(
        self,
        message: str,
        *,
        lba: int | None = None,
        offset: int | None = None,
        seen: object = "",
        expected: object = "",
        path: str | None = None,
        volume: int | None = None,
    ) -> Anomaly:
        """One such anomaly; `message` is for people, `seen` and `expected` the values."""
        return Anomaly(self.code, message, lba, offset, self.clause, str(seen), str(expected), volume, path)

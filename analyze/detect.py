"""Which file systems begin at a place of the disc: every opener is asked, in a fixed order.

Wiring is this tuple and nothing else; a new file system is one line here.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Protocol

from acquire.image import Image
from analyze.anomaly import Anomaly
from analyze.finding import Finding
from analyze.findings import finding
from analyze.hfs import recognise as hfs
from analyze.iso9660 import volume as iso9660
from analyze.sessions import expected_starts
from analyze.tsk import volume as tsk
from analyze.udf import volume as udf
from analyze.volume import Volume

MAX_NOUNS = 512
"""Most volumes and anomalies taken from one opener at one place: a real disc has a handful of views."""


class Opener(Protocol):
    """Recognise one family of file systems at `start_lba` and open its views.

    Yields nothing where the family is not there (after a few sectors read), one `Volume` a view with
    `info.ordinal` counting up from `first_ordinal`, and an `Anomaly` for what is wrong with what
    makes the family recognisable. A volume is walked before the next one is asked for. `start_lba`
    may lie outside the image. Raises nothing for what the medium holds.
    """

    def __call__(
        self, image: Image, start_lba: int, session: int | None, first_ordinal: int
    ) -> Iterator[Volume | Anomaly]:
        """Open what is there."""


OPENERS: tuple[Opener, ...] = (iso9660.open_volumes, udf.open_volumes, hfs.open_volumes, tsk.open_volumes)


def open_all(
    image: Image,
    start_lba: int,
    session: int | None,
    first_ordinal: int,
    openers: tuple[Opener, ...] = OPENERS,
) -> Iterator[Volume | Anomaly | Finding]:
    """Open every volume of every known family at `start_lba`; ordinals go on from one family to the next."""
    ordinal = first_ordinal
    for opener in openers:
        taken = 0
        for noun in islice(opener(image, start_lba, session, ordinal), MAX_NOUNS):
            taken += 1
            if not isinstance(noun, Anomaly):
                ordinal = noun.info.ordinal + 1
            yield noun
        if taken == MAX_NOUNS:
            yield finding(
                "volume-limit",
                f"More than {MAX_NOUNS} descriptions of volumes at LBA {start_lba}; the rest is not examined",
                lba=start_lba,
            )


def volumes(image: Image) -> Iterator[Volume | Anomaly | Finding]:
    """Open, without walking any, the volumes that stand where they are expected.

    Those are the starts of recorded sessions, of the image, and of the sessions of an overwritable
    disc (the newest last). Sessions that only a search of the whole image finds are not among them:
    `analyze.analysis.examine` finds those.
    """
    ordinal = 0
    for number, start in expected_starts(image):
        for noun in open_all(image, start, number, ordinal):
            if not isinstance(noun, Anomaly | Finding):
                ordinal = noun.info.ordinal + 1
            yield noun

"""The digest stage of an analysis: the content of every file, each byte read once, in batches that are kept.

Files that share their content (the views of a bridge disc) are digested once. An interrupted stage
goes on with the entries whose `content` is NULL.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import NamedTuple

from acquire.geometry import Extent
from acquire.image import Image
from acquire.progress import DIGEST, Progress, Reporter
from analyze.analysis import ContentDigest, ContentItem, digest_contents
from casefiles.custody import CustodyLog
from casefiles.database import Database, Value

TRUNCATED = "truncated"
_BATCH_ITEMS = 16_384
_BATCH_S = 5.0

# All pieces of a stream as text: "start length offset", joined by commas; "?" for what no column holds.
_PIECE = (
    "coalesce({x}.start_lba, '?') || ' ' || coalesce({x}.length_bytes, '?')"
    " || ' ' || coalesce({x}.offset_bytes, '?')"
)
_THE_SAME = "{x}.entry_id = x.entry_id AND {x}.stream = x.stream"
_PIECES = f"""
CASE
    WHEN x.ordinal IS NULL THEN NULL
    WHEN EXISTS (SELECT 1 FROM extents AS n WHERE {_THE_SAME.format(x="n")} AND n.ordinal > 0)
    THEN (
        SELECT group_concat({_PIECE.format(x="y")}, ',')
        FROM (SELECT * FROM extents AS m WHERE {_THE_SAME.format(x="m")} ORDER BY m.ordinal) AS y
    )
    ELSE {_PIECE.format(x="x")}
END
"""  # noqa: S608  made of the constants above
_PENDING = f"""
CREATE TEMP TABLE pending AS
SELECT e.id AS entry_id, '' AS stream, e.size_bytes AS size_bytes,
    x.start_lba AS lba, x.offset_bytes AS offset, {_PIECES} AS pieces
FROM entries AS e LEFT JOIN extents AS x ON x.entry_id = e.id AND x.stream = '' AND x.ordinal = 0
WHERE e.volume_id IN (SELECT id FROM volumes WHERE evidence_id = :evidence) AND e.kind = 'file'
  AND e.content IS NULL
UNION ALL
SELECT s.entry_id, s.stream, s.size_bytes, x.start_lba, x.offset_bytes, {_PIECES}
FROM streams AS s JOIN entries AS e ON e.id = s.entry_id
  LEFT JOIN extents AS x ON x.entry_id = s.entry_id AND x.stream = s.stream AND x.ordinal = 0
WHERE e.volume_id IN (SELECT id FROM volumes WHERE evidence_id = :evidence) AND s.content IS NULL
"""  # noqa: S608  made of the constants above
_IN_ORDER = "SELECT * FROM temp.pending ORDER BY lba, offset, pieces, size_bytes, entry_id, stream"
_TOTAL = """
SELECT coalesce(sum(size_bytes), 0)
FROM (SELECT DISTINCT size_bytes, lba, offset, pieces FROM temp.pending WHERE size_bytes > 0)
"""
_UPDATE = {
    False: "UPDATE entries SET md5 = ?, sha1 = ?, sha256 = ?, content = ? WHERE id = ?",
    True: "UPDATE streams SET md5 = ?, sha1 = ?, sha256 = ?, content = ? WHERE entry_id = ? AND stream = ?",
}


class _Shared(NamedTuple):
    """Content and whose it is."""

    size_bytes: int
    owners: list[tuple[int, str]]


class ContentRecorder:
    """Digests what is pending of one exhibit and records it, a batch at a time."""

    def __init__(
        self,
        database: Database,
        log: CustodyLog,
        evidence_id: int,
        progress: Callable[[Progress], None] | None = None,
    ) -> None:
        """Record into `database`, whose transactions are those of `log`."""
        self._database = database
        self._log = log
        self._evidence_id = evidence_id
        self._report = Reporter(progress)
        self._watched = progress is not None
        self._rows: dict[bool, list[tuple[Value, ...]]] = {False: [], True: []}
        self._asked: deque[tuple[int, _Shared]] = deque()

    def run(self, image: Image) -> None:
        """Digest everything that is pending."""
        self._database.execute("DROP TABLE IF EXISTS temp.pending")
        self._database.execute(_PENDING, {"evidence": self._evidence_id})
        total = int(self._database.value(_TOTAL)) if self._watched else 0
        done = 0
        due = time.monotonic() + _BATCH_S
        for result in digest_contents(image, self._items()):
            key, shared = self._asked.popleft()
            assert key == result.key, "results come in the order of the items"
            self._take(result, shared.owners)
            done += shared.size_bytes
            self._report(Progress(DIGEST, min(done, total), total))
            if len(self._rows[False]) + len(self._rows[True]) >= _BATCH_ITEMS or time.monotonic() >= due:
                self._write()
                due = time.monotonic() + _BATCH_S
        assert not self._asked, "every item was answered"
        self._write()
        self._database.execute("DROP TABLE temp.pending")

    def _items(self) -> Iterator[ContentItem]:
        """What is pending, in the order of the disc, the same content once."""
        known: tuple[int | None, str | None] | None = None
        shared: _Shared | None = None
        key = 0
        for entry_id, stream, size, _, _, pieces in self._database.rows(_IN_ORDER):
            if size is None or (pieces is not None and "?" in pieces):
                self._take(ContentDigest(0, TRUNCATED, {}), [(entry_id, stream)])
                continue
            if shared is not None and (size, pieces) == known:
                shared.owners.append((entry_id, stream))
                continue
            if shared is not None and known is not None:
                key += 1
                yield self._item(key, shared, known[1])
            known, shared = (size, pieces), _Shared(size, [(entry_id, stream)])
        if shared is not None and known is not None:
            yield self._item(key + 1, shared, known[1])

    def _item(self, key: int, shared: _Shared, pieces: str | None) -> ContentItem:
        self._asked.append((key, shared))
        extents = tuple(
            Extent(*(int(number) for number in piece.split()))
            for piece in (pieces.split(",") if pieces else ())
        )
        return ContentItem(key, shared.size_bytes, extents)

    def _take(self, result: ContentDigest, owners: list[tuple[int, str]]) -> None:
        digests = result.digests
        values = (digests.get("md5"), digests.get("sha1"), digests.get("sha256"), result.status)
        for entry_id, stream in owners:
            if stream:
                self._rows[True].append((*values, entry_id, stream))
            else:
                self._rows[False].append((*values, entry_id))

    def _write(self) -> None:
        """Commit the batch."""
        with self._log.transaction():
            for of_streams, rows in self._rows.items():
                rows.sort(key=itemgetter(4))
                self._database.execute_many(_UPDATE[of_streams], rows)
                rows.clear()

"""One read-only view of a case: what its database holds, typed, for everything that is shown of it.

Lists that grow with the evidence (entries, anomalies, findings, custody events) are iterators that
read as they go; the rest is read once.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from operator import itemgetter
from types import UnionType
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from acquire.errors import CaseError
from acquire.geometry import SectorRange
from casefiles import query
from casefiles.case import Case

Row = Mapping[str, Any]
_View = TypeVar("_View", bound=tuple[Any, ...])

TIME_FIELDS = ("modified", "created", "accessed", "changed", "recorded", "backup", "expires", "effective")
"""The times of an entry, in the order in which they are shown."""
ENTRY_DIGESTS = ("md5", "sha1", "sha256")
ACQUISITION_DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b")

VOLUME_KINDS = {
    "iso9660": "ISO 9660",
    "joliet": "Joliet",
    "udf": "UDF",
    "hfs": "HFS",
    "hfsplus": "HFS+",
}


class FileView(NamedTuple):
    """A file of an exhibit's folder; `path` is relative to the case folder."""

    path: str
    size_bytes: int | None
    sha256: str | None


class AcquisitionView(NamedTuple):
    """A row of `acquisitions`; JSON columns are read. `record` is the whole acquisition record."""

    state: str
    format: str | None
    path: str | None
    files: tuple[FileView, ...]
    sector_size_bytes: int | None
    sector_count: int | None
    size_bytes: int | None
    sectors_read: int | None
    sectors_unread: int | None
    sectors_filled: int | None
    unread: tuple[SectorRange, ...]
    digests: dict[str, str]
    verified: bool | None
    verify_detail: str | None
    started: str | None
    ended: str | None
    resumed: int | None
    tool_version: str | None
    record: dict[str, Any]


class SessionView(NamedTuple):
    """A row of `sessions`."""

    number: int
    start_lba: int
    length_sectors: int
    recorded: bool


class TrackView(NamedTuple):
    """A row of `tracks`."""

    session: int
    number: int
    mode: str
    start_lba: int
    length_sectors: int
    pregap_sectors: int | None
    isrc: str | None


class AnalysisView(NamedTuple):
    """A row of `analyses`."""

    state: str
    started: str | None
    ended: str | None
    tool_version: str | None
    sectors_owned: int | None
    sectors_unowned: int | None
    content_sha256: str | None


class VolumeView(NamedTuple):
    """A row of `volumes`, and what its entries come to; `title` names it among those of its exhibit."""

    id: int
    title: str
    ordinal: int
    kind: str
    label: str
    session: int | None
    start_lba: int
    block_size_bytes: int | None
    length_sectors: int | None
    created: str | None
    modified: str | None
    expires: str | None
    effective: str | None
    system_id: str | None
    volume_set_id: str | None
    publisher: str | None
    preparer: str | None
    application: str | None
    attributes: dict[str, Any]
    entries_by_kind: dict[str, int]
    files_by_content: dict[str | None, int]
    file_bytes: int
    deleted: int

    @property
    def kind_name(self) -> str:
        """The file system's name as people write it."""
        return VOLUME_KINDS.get(self.kind, self.kind)

    @property
    def entries(self) -> int:
        """How many entries it lists; its root directory is not one."""
        return sum(self.entries_by_kind.values())


class StreamView(NamedTuple):
    """A row of `streams`: named content beside the data."""

    stream: str
    size_bytes: int | None
    md5: str | None
    sha1: str | None
    sha256: str | None
    content: str | None


class EntryView(NamedTuple):
    """A row of `entries`; `start_lba` and `extent_count` tell where its data is."""

    id: int
    path: str
    name: str
    kind: str
    size_bytes: int | None
    deleted: int | None
    hidden: int | None
    mode: int | None
    uid: int | None
    gid: int | None
    links: int | None
    device: str | None
    link_target: str | None
    identifier: str | None
    name_raw: bytes | None
    content: str | None
    start_lba: int | None
    extent_count: int
    stream_count: int
    times: tuple[str | None, ...]  # in the order of TIME_FIELDS
    digests: tuple[str | None, ...]  # in the order of ENTRY_DIGESTS
    streams: tuple[StreamView, ...] = ()


class Children(NamedTuple):
    """What stands in one directory: how many by kind, and the entries; `files` is all but directories."""

    counts: dict[str, int]
    files: Iterator[EntryView]
    directories: Iterator[EntryView]

    @property
    def file_count(self) -> int:
        """How many `files` gives."""
        return sum(self.counts.values()) - self.counts.get("directory", 0)


class AnomalyView(NamedTuple):
    """A row of `anomalies`, with the view and the path it is about."""

    id: int
    code: str
    message: str
    lba: int | None
    offset: int | None
    clause: str | None
    seen: str | None
    expected: str | None
    volume_id: int | None
    entry_id: int | None
    path: str | None


class FindingView(NamedTuple):
    """A row of `findings`, with the view and the path it is about."""

    id: int
    code: str
    severity: str
    title: str
    detail: str | None
    lba: int | None
    length_bytes: int | None
    volume_id: int | None
    entry_id: int | None
    path: str | None


class CustodyView(NamedTuple):
    """A row of `custody`; `detail` is its JSON as an object."""

    id: int
    at: str
    actor: str
    action: str
    detail: Any
    previous_sha256: str
    sha256: str


class ChainView(NamedTuple):
    """Whether the custody log is whole: `message` says it, and names the first bad link.

    `head_sha256` is the digest of the last event: it stands for the whole log.
    """

    ok: bool
    events: int
    head_sha256: str | None
    message: str


class CaseRecord(NamedTuple):
    """The row of `cases`."""

    number: str
    examiner: str
    agency: str | None
    authority: str | None
    notes: str | None
    created: str


class ExhibitView(NamedTuple):
    """An exhibit with everything that does not grow with its content."""

    id: int
    label: str
    description: str | None
    acquired_by: str | None
    source: str | None
    source_kind: str | None
    created: str | None
    acquisition: AcquisitionView | None
    sessions: tuple[SessionView, ...]
    tracks: tuple[TrackView, ...]
    analysis: AnalysisView | None
    volumes: tuple[VolumeView, ...]
    anomalies_by_code: dict[str, int]
    findings_by_severity: dict[str, int]

    @property
    def anomalies(self) -> int:
        """How many structures are not as their standard says."""
        return sum(self.anomalies_by_code.values())

    @property
    def findings(self) -> int:
        """How many things an examiner should look at."""
        return sum(self.findings_by_severity.values())

    def volume(self, volume_id: int | None) -> VolumeView | None:
        """The view with that id, if it is one of this exhibit's."""
        return next((volume for volume in self.volumes if volume.id == volume_id), None)


class ToolView(NamedTuple):
    """What a step was made with, and when."""

    step: str
    tool_version: str | None
    at: str | None


class CaseView:
    """A case that is open: its fixed parts are read once, its long lists as they are asked for."""

    def __init__(self, case: Case) -> None:
        """Read the fixed parts of `case`, which stays open as long as this is used."""
        self._case = case
        self.case = _view(CaseRecord, query.case_record(case))
        self.chain = _view(ChainView, query.chain(case))
        self.exhibits = tuple(self._exhibit(row) for row in query.evidence(case))

    def _exhibit(self, row: Row) -> ExhibitView:
        """One exhibit; of several acquisitions the last counts, and the analysis that is not replaced."""
        case, evidence_id = self._case, row["id"]
        acquisitions = query.acquisitions(case, evidence_id)
        analyses = [each for each in query.analyses(case, evidence_id) if each["state"] != "replaced"]
        sessions = query.sessions(case, evidence_id)
        return _view(
            ExhibitView,
            row,
            acquisition=_acquisition(acquisitions[-1]) if acquisitions else None,
            sessions=tuple(_view(SessionView, each, recorded=bool(each["recorded"])) for each in sessions),
            tracks=tuple(_view(TrackView, each) for each in query.tracks(case, evidence_id)),
            analysis=_view(AnalysisView, analyses[-1]) if analyses else None,
            volumes=tuple(
                self._volume(each, name_session=len(sessions) > 1)
                for each in query.volumes(case, evidence_id)
            ),
            anomalies_by_code=dict(sorted(query.anomaly_counts(case, evidence_id).items())),
            findings_by_severity=query.finding_counts(case, evidence_id),
        )

    def _volume(self, row: Row, *, name_session: bool) -> VolumeView:
        """One view of a disc; its title has the session where the disc has several."""
        volume = _view(
            VolumeView,
            row,
            title="",
            label=row["label"] or "",
            attributes=_record(row, "attributes"),
            **query.volume_counts(self._case, row["id"]),
        )
        label = f"“{volume.label}”" if volume.label else "without label"
        session = f", session {volume.session}" if name_session and volume.session is not None else ""
        return volume._replace(title=f"{volume.kind_name} {label}{session}")

    def children(self, volume: VolumeView, parent_id: int | None) -> Children:
        """What stands in one directory of a view; None is its root."""

        def entries(*, directories: bool) -> Iterator[EntryView]:
            for row in query.children(self._case, volume.id, parent_id, directories=directories):
                entry = _entry(row)
                yield self._with_streams(entry) if entry.stream_count else entry

        counts = query.child_counts(self._case, volume.id, parent_id)
        return Children(counts, entries(directories=False), entries(directories=True))

    def _with_streams(self, entry: EntryView) -> EntryView:
        rows = query.streams(self._case, entry.id)
        return entry._replace(streams=tuple(_view(StreamView, row) for row in rows))

    def anomalies(self, exhibit: ExhibitView) -> Iterator[AnomalyView]:
        """The anomalies of an exhibit, in the order in which they were met."""
        return (_view(AnomalyView, row) for row in query.anomalies(self._case, exhibit.id))

    def findings(self, exhibit: ExhibitView) -> Iterator[FindingView]:
        """The findings of an exhibit, in the order in which they were made."""
        return (_view(FindingView, row) for row in query.findings(self._case, exhibit.id))

    def custody(self) -> Iterator[CustodyView]:
        """The custody log, oldest event first."""
        return (_view(CustodyView, row) for row in query.custody(self._case))

    def tools(self) -> Iterator[ToolView]:
        """What each step of the case was made with, in its order."""
        for exhibit in self.exhibits:
            steps = (("Acquisition", exhibit.acquisition), ("Examination", exhibit.analysis))
            for step, made in steps:
                if made is not None:
                    yield ToolView(f"{step} of {exhibit.label}", made.tool_version, made.started)


def _damaged(place: str, value: object) -> CaseError:
    """The sentence for a value that this program never writes."""
    return CaseError(
        f"The case database is damaged ({place} is {ascii(value)[:60]})",
        do="Run `verify`: it says what was changed",
    )


@cache
def _types(view: type[tuple[Any, ...]]) -> dict[str, tuple[type, ...]]:
    """What each field of a view may hold; nothing is said of fields that may hold anything."""
    types: dict[str, tuple[type, ...]] = {}
    for name, hint in get_type_hints(view).items():
        kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        types[name] = tuple(get_origin(kind) or kind for kind in kinds if kind is not Any)
    return types


def _view(view: type[_View], row: Row, **given: object) -> _View:
    """Make a view of a row: its columns by name, but those that are given.

    Raises:
        CaseError: a column holds what it cannot hold.
    """
    values: list[Any] = []
    for field, kinds in _types(view).items():
        if field in given:
            values.append(given[field])
            continue
        value = row.get(field)
        if kinds and not isinstance(value, kinds):
            raise _damaged(f"{view.__name__.removesuffix('View').lower()}.{field}", value)
        values.append(value)
    return view(*values)


def _acquisition(row: Row) -> AcquisitionView:
    """An acquisition, its JSON columns typed."""
    unread = _list(row, "unread")
    for pair in unread:
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(each, int) for each in pair)):
            raise _damaged("acquisition.unread", pair)
    return _view(
        AcquisitionView,
        row,
        files=tuple(_view(FileView, each) for each in _list(row, "files", dict)),
        unread=tuple(SectorRange(*pair) for pair in unread),
        digests={name: str(row[name]) for name in ACQUISITION_DIGESTS if row[name] is not None},
        verified=None if row["verified"] is None else bool(row["verified"]),
        record=_record(row, "record"),
    )


def _list(row: Row, column: str, of: type = object) -> list[Any]:
    """A JSON column that holds a list; NULL is an empty one."""
    value = [] if row[column] is None else row[column]
    if not isinstance(value, list) or not all(isinstance(each, of) for each in value):
        raise _damaged(column, value)
    return value


def _record(row: Row, column: str) -> dict[str, Any]:
    """A JSON column that holds an object; NULL is an empty one."""
    value = {} if row[column] is None else row[column]
    if not isinstance(value, dict):
        raise _damaged(column, value)
    return value


_TEXT = (str, type(None))
_COMPOSED = ("times", "digests", "streams")
_ENTRY_TYPES = {
    **{name: types for name, types in _types(EntryView).items() if name not in _COMPOSED},
    **dict.fromkeys((*TIME_FIELDS, *ENTRY_DIGESTS), _TEXT),
}
_ENTRY_VALUES = itemgetter(*_ENTRY_TYPES)
_TIMES = slice(-len(TIME_FIELDS) - len(ENTRY_DIGESTS), -len(ENTRY_DIGESTS))


def _entry(row: Row) -> EntryView:
    """An entry; as `_view` does, but faster, since there are many."""
    values = _ENTRY_VALUES(row)
    for value, types in zip(values, _ENTRY_TYPES.values(), strict=True):
        if value.__class__ not in types:
            raise _damaged(f"entry {row['id']}", value)
    return EntryView._make((*values[: _TIMES.start], values[_TIMES], values[_TIMES.stop :], ()))

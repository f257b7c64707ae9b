"""The files of a case against their recorded digests: which file, and where in it."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from acquire.containers.e01_reader import E01Image
from acquire.errors import JewelcaseError
from acquire.geometry import SectorRange, merge
from acquire.progress import VERIFY, Progress, Reporter
from casefiles.check import Check, differs, note, same
from casefiles.evidence import RecordedBlock, changed_blocks, digest_media, list_files, read_blocks
from casefiles.exhibit import Exhibit, exhibits
from casefiles.rows import Log
from casefiles.store import Store

DIGESTS = ("md5", "sha1", "sha256", "sha512", "blake2b")
_LISTED = 10
_RECORD = """
SELECT id, format, path, files, sector_size_bytes, sector_count, size_bytes, sectors_unread, unread, verified,
    md5, sha1, sha256, sha512, blake2b FROM acquisitions WHERE evidence_id = ? AND state = 'complete'
"""


def check_exhibit_files(
    store: Store, log: Log, evidence_id: int, progress: Callable[[Progress], None] | None = None
) -> Iterator[Check]:
    """Re-read every file of one exhibit, and the media data in its container."""
    record = store.database.record(_RECORD, (evidence_id,))
    label = log.label(evidence_id)
    if record is None:
        return  # unfinished: said with its rows
    event = log.acquired.get(evidence_id, {}).get("acquisition", {})
    yield from _ExhibitFiles(
        store, label, record | {name: event[name] for name in DIGESTS if name in event}, progress
    ).check()


class _ExhibitFiles:
    """One exhibit's files and its media data."""

    def __init__(
        self, store: Store, label: str, record: dict[str, Any], progress: Callable[[Progress], None] | None
    ) -> None:
        self.store = store
        self.label = label
        self.record = record
        self.folder = store.folder.evidence / label
        self.subject = f"exhibit {label}"
        self.report = Reporter(progress)
        self.done = self.total = 0
        self.media = {name: record[name] for name in DIGESTS if record[name]}

    def check(self) -> Iterator[Check]:
        """Files first, then the media data, then what was never read."""
        files = self._recorded_files()
        if files is None:
            yield differs(self.subject, "The list of its files cannot be read", "acquisitions.files")
            return
        yield from self._presence(files)
        container = Path(str(self.record["path"])).name
        wrapped = self.record["format"] != "raw"
        self.total = sum(size for size, _ in files.values()) + (self.record["size_bytes"] if wrapped else 0)
        raw_media: dict[str, str] | None = None
        for name, (size, sha256) in files.items():
            path = self.folder / name
            if path.is_symlink() or not path.is_file():
                continue
            is_media = name == container and not wrapped
            checks, digests = self._file(path, size, sha256, media=is_media)
            yield from checks
            raw_media = digests if is_media else raw_media
        if wrapped:
            yield from self._container(self.folder / container)
        elif raw_media is not None:
            yield from self._digests(raw_media, self.folder / container, "")
        yield from self._coverage()

    def _recorded_files(self) -> dict[str, tuple[int, str]] | None:
        """Size and SHA-256 by name; None if the column is not what it should be."""
        with suppress(ValueError, TypeError, KeyError, RecursionError):
            listed = json.loads(self.record["files"])
            made = {}
            for each in listed:
                folder, name = str(each["path"]).rsplit("/", 1)
                if folder != f"{self.store.folder.evidence.name}/{self.label}" or name in ("", ".", ".."):
                    return None
                made[name] = (int(each["size_bytes"]), str(each["sha256"]))
            return made
        return None

    def _presence(self, files: dict[str, tuple[int, str]]) -> Iterator[Check]:
        """Missing, extra, and things that are no files."""
        if not self.folder.is_dir():
            yield differs(self.subject, "Its folder is missing", str(self._shown(self.folder)))
            return
        there, others = list_files(self.folder)
        names = {path.name for path in there}
        for path in others:
            yield differs(self.subject, "Not a regular file", self._shown(path))
        for name in files:
            if name not in names and not os.path.lexists(self.folder / name):
                yield differs(self.subject, "A file is missing", self._shown(self.folder / name))
        for name in sorted(names - set(files)):
            yield differs(
                self.subject,
                "A file that was not there when it was acquired",
                self._shown(self.folder / name),
            )

    def _shown(self, path: Path) -> str:
        return self.store.folder.relative(path)

    def _advance(self, count: int) -> None:
        self.done += count
        self.report(Progress(VERIFY, min(self.done, self.total), self.total))

    def _file(self, path: Path, size: int, sha256: str, *, media: bool) -> tuple[list[Check], dict[str, str]]:
        """Compare one file, and return its digests (those of the media data too, if it is that)."""
        names = ["sha256", *(name for name in self.media if media and name != "sha256")]
        subject = self._shown(path)
        seen_size = 0
        try:
            seen_size, digests = digest_media(read_blocks(path), names, self._advance)
        except OSError as error:
            return [differs(subject, f"It cannot be read ({error.strerror or error})", subject)], {}
        checks = []
        if seen_size != size:
            checks.append(differs(subject, "Its size is not as recorded", subject, seen_size, size))
        if digests["sha256"] == sha256 and seen_size == size:
            return [same(subject, f"{size} bytes, SHA-256 as recorded")], digests
        where = self._changed(path, media=media)
        checks.append(differs(subject, "Its SHA-256 is not as recorded", where, digests["sha256"], sha256))
        return checks, digests

    def _changed(self, path: Path, *, media: bool) -> str:
        """Where a file differs, by the digests of its blocks."""
        rows = self.store.database.rows(
            "SELECT offset_bytes, length_bytes, sha256 FROM blocks WHERE acquisition_id = ? AND file = ?"
            " ORDER BY offset_bytes",
            (self.record["id"], path.name),
        )
        try:
            ranges = changed_blocks(path, (RecordedBlock(*row) for row in rows))
        except OSError as error:
            return f"{self._shown(path)} ({error.strerror or error})"
        sector = int(self.record["sector_size_bytes"] or 0)
        parts = []
        for start, end in ranges[:_LISTED]:
            text = f"bytes {start} to {end - 1}"
            if media and sector:
                text += f" (LBA {start // sector} to {(end - 1) // sector})"
            parts.append(text)
        if len(ranges) > _LISTED:
            parts.append(f"and {len(ranges) - _LISTED} more places")
        return f"{self._shown(path)}: {', '.join(parts) or 'no block of it differs from its own digest'}"

    def _container(self, path: Path) -> Iterator[Check]:
        """Read the media data out of an E01, with every checksum in it."""
        subject = f"{self.subject}, media data"
        if not path.is_file():
            return  # said already
        try:
            with E01Image(path) as image:
                size, digests = digest_media(image.blocks(), tuple(self.media), self._advance)
                problems = list(image.problems)
                unread = image.unread()
                stored = {"md5": image.stored_md5, "sha1": image.stored_sha1}
        except JewelcaseError as error:
            yield differs(
                subject, f"The container cannot be read: {error.what}", error.where or self._shown(path)
            )
            return
        for problem in problems[:_LISTED]:
            where = f"{self._shown(self.folder / Path(problem.file).name)}, byte {problem.offset}"
            yield differs(subject, problem.what, where, problem.seen, problem.expected)
        if len(problems) > _LISTED:
            yield differs(
                subject, f"{len(problems) - _LISTED} more problems in the container", self._shown(path)
            )
        if size != self.record["size_bytes"]:
            yield differs(
                subject, "Its size is not as recorded", self._shown(path), size, self.record["size_bytes"]
            )
        for name, value in stored.items():
            recorded = self.media.get(name)
            if value is not None and recorded is not None and value != recorded:
                what = f"The {name.upper()} that the container stores is not the recorded one"
                yield differs(subject, what, self._shown(path), value, recorded)
        yield from self._digests(digests, path, _ranges(_minus(unread, self._unread())))

    def _unread(self) -> tuple[SectorRange, ...]:
        """What the acquisition itself could not read, in sectors of its own size."""
        with suppress(ValueError, TypeError):
            return tuple(
                SectorRange(int(start), int(count)) for start, count in json.loads(self.record["unread"])
            )
        return ()

    def _digests(self, digests: dict[str, str], path: Path, where: str) -> Iterator[Check]:
        """Compare the digests of the media data."""
        subject = f"{self.subject}, media data"
        bad = [name for name in self.media if digests.get(name) != self.media[name]]
        place = f"{self._shown(path)}: {where}" if where else self._shown(path)
        for name in bad:
            what = f"Its {name.upper()} is not as recorded"
            yield differs(subject, what, place, digests.get(name, ""), self.media[name])
        if not bad:
            names = ", ".join(name.upper() for name in self.media)
            yield same(subject, f"{self.record['size_bytes']} bytes, {names} as recorded")

    def _coverage(self) -> Iterator[Check]:
        """What was never read stays unread, however well it verifies."""
        unread = self.record["sectors_unread"]
        if unread:
            yield note(
                f"{self.subject}, coverage",
                f"{unread} of {self.record['sector_count']} sectors were never read: the digests cover"
                " fill there",
                _ranges(self._unread()),
            )
        if self.record["verified"] == 0:
            yield note(
                f"{self.subject}, acquisition",
                "The container differed when it was read back after acquisition",
            )


def _minus(ranges: tuple[SectorRange, ...], known: tuple[SectorRange, ...]) -> tuple[SectorRange, ...]:
    """The parts of `ranges` that are not in `known`."""
    left = []
    others = merge(known)
    for start, count in merge(ranges):
        at, end = start, start + count
        for other in others:
            if other.end_lba <= at or other.start_lba >= end:
                continue
            if other.start_lba > at:
                left.append(SectorRange(at, other.start_lba - at))
            at = max(at, other.end_lba)
        if at < end:
            left.append(SectorRange(at, end - at))
    return tuple(left)


def _ranges(ranges: tuple[SectorRange, ...]) -> str:
    parts = [f"LBA {start} to {start + count - 1}" for start, count in ranges[:_LISTED]]
    if len(ranges) > _LISTED:
        parts.append(f"and {len(ranges) - _LISTED} more places")
    return ", ".join(parts)


def check_strange_folders(store: Store) -> Iterator[Check]:
    """Folders in evidence/ that no exhibit owns."""
    known = {name for exhibit in exhibits(store.database) for name in _names(exhibit)}
    if not store.folder.evidence.is_dir():
        yield differs("case folder", "The folder of the evidence is missing", "evidence")
        return
    for path in sorted(store.folder.evidence.iterdir()):
        if path.name not in known:
            yield note("case folder", "Something that the case knows nothing of", store.folder.relative(path))


def _names(exhibit: Exhibit) -> tuple[str, ...]:
    return (exhibit.label,) if exhibit.complete else (exhibit.label, f"{exhibit.label}.partial")


def check_reports(store: Store, log: Log) -> Iterator[Check]:
    """Files that were made from the case, as far as they are still there, against the log."""
    last = {str(detail.get("path")): detail for detail in log.written}
    for name, detail in last.items():
        path = store.folder.root / name
        if path.is_symlink() or not path.is_file():
            yield note("reports and exports", "A file that was written is not there any more", name)
            continue
        try:
            with path.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            yield differs("reports and exports", f"It cannot be read ({error.strerror or error})", name)
            continue
        if sha256 == detail.get("sha256"):
            yield same("reports and exports", f"{name} is as it was written")
        else:
            yield differs("reports and exports", "It was changed since", name, sha256, detail.get("sha256"))

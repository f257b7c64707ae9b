"""A volume that The Sleuth Kit reads, as entries; the library's process is watched and bounded."""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from acquire.geometry import HOLE, SECTOR_BYTES, Extent, SectorRange
from acquire.image import Image, read_bytes
from analyze.anomaly import Anomaly, AnomalyKind
from analyze.entry import Entry, EntryKind, Stream
from analyze.partitions import disk_partitions
from analyze.timestamp import Timestamp
from analyze.tsk.anomalies import ENDED, PROBLEM
from analyze.tsk.probe import PROBE_BYTES, family
from analyze.volume import VolumeInfo


class Limits(NamedTuple):
    """What a process of the library may take before it is ended and the rest said to be not examined."""

    silent_seconds: float = 60.0  # without a byte from it
    cpu_seconds: int = 1800
    memory_bytes: int = 2 << 30
    entries: int = 5_000_000


LIMITS = Limits()
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_LINE_BYTES = 64 << 20


def open_volumes(
    image: Image, start_lba: int, session: int | None, first_ordinal: int, limits: Limits = LIMITS
) -> Iterator["TskVolume | Anomaly"]:
    """Yield a volume for each file system of the library at `start_lba` and, at 0, in each partition.

    ISO 9660 and HFS are left to jewelcase's own readers. No process starts where no signature is.
    """
    places: list[tuple[int, int | None]] = [(start_lba * SECTOR_BYTES, None)]
    places.extend((partition.start_byte, partition.number) for partition in disk_partitions(image, start_lba))
    ordinal = first_ordinal
    done: set[int] = set()
    for start, number in places:
        if start in done or not 0 <= start < image.size_bytes:
            continue
        done.add(start)
        if family(read_bytes(image, start, PROBE_BYTES)) is None:
            continue
        reader = _Library(image, start, limits)
        first = reader.volume()
        if first is None:
            reader.close()
            continue
        attributes: dict[str, Any] = {"reader": "tsk"}
        if number is not None:
            attributes["partition"] = number
        if start % SECTOR_BYTES:
            attributes["start_offset_bytes"] = start % SECTOR_BYTES
        info = VolumeInfo(
            ordinal=ordinal,
            kind=first["kind"],
            label="",
            session=session,
            start_lba=start // SECTOR_BYTES,
            block_size_bytes=first["block"],
            length_sectors=first["block"] * first["blocks"] // SECTOR_BYTES,
            attributes=attributes,
        )
        reader.close()
        ordinal += 1
        yield TskVolume(image, info, start, limits)


class _Library:
    """The library's process: started, served with bytes, read line by line, ended."""

    def __init__(self, image: Image, start: int, limits: Limits) -> None:
        self._image = image
        self._limits = limits
        self.problem = ""
        words = (image.size_bytes, start, limits.entries, limits.memory_bytes, limits.cpu_seconds)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "analyze.tsk.worker", *map(str, words)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "TZ": "UTC0"},
        )
        self._lines = self._messages()

    def volume(self) -> dict[str, Any] | None:
        """What the library recognised, None for nothing or what is not its business here."""
        for message in self._lines:
            if "volume" in message:
                found: dict[str, Any] = message["volume"]
                return found
        return None

    def messages(self) -> Iterator[dict[str, Any]]:
        """The messages that come after the volume, to the end."""
        yield from self._lines

    def _messages(self) -> Iterator[dict[str, Any]]:
        """Serve reads and yield every other message; `problem` says why it ended early."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        buffer = bytearray()
        heard = time.monotonic()
        while True:
            ready, _, _ = select.select([source], [], [], 1.0)
            if not ready:
                if time.monotonic() - heard > self._limits.silent_seconds:
                    self.problem = (
                        f"gave no answer for {self._limits.silent_seconds:.0f} seconds and was ended"
                    )
                    return
                continue
            piece = os.read(source, 1 << 20)
            heard = time.monotonic()
            if not piece:
                code = self._process.wait()
                self.problem = f"ended by itself (status {code}) before it was through"
                return
            buffer += piece
            if len(buffer) > _MOST_LINE_BYTES:
                self.problem = "gave a line without end and was ended"
                return
            *lines, rest = bytes(buffer).split(b"\n")
            buffer = bytearray(rest)
            for line in lines:
                message: dict[str, Any] = json.loads(line)
                if "read" in message:
                    offset, length = message["read"]
                    data = read_bytes(self._image, offset, length)
                    try:
                        self._process.stdin.write(len(data).to_bytes(4, "little") + data)
                        self._process.stdin.flush()
                    except BrokenPipeError:
                        self.problem = "ended by itself before it was through"
                        return
                elif "end" in message:
                    return
                else:
                    yield message

    def close(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue


class TskVolume:
    """One file system of The Sleuth Kit; a walk runs the library anew."""

    def __init__(self, image: Image, info: VolumeInfo, start: int, limits: Limits) -> None:
        """Keep where it is."""
        self._image = image
        self.info = info
        self._start = start
        self._limits = limits

    def walk(self) -> Iterator[Entry | Anomaly]:
        """Yield what the library lists; what it cannot read, and why it was ended, as anomalies."""
        library = _Library(self._image, self._start, self._limits)
        ordinals: dict[tuple[str, ...], int] = {}
        ordinal = 0
        try:
            library.volume()
            for message in library.messages():
                if "problem" in message:
                    yield self._anomaly(PROBLEM, message["problem"])
                    continue
                raw = message["entry"]
                parents = tuple(raw["parents"])
                if raw["kind"] == "directory" and not raw["deleted"]:
                    ordinals.setdefault((*parents, raw["name"]), ordinal)
                yield self._entry(raw, ordinal, ordinals.get(parents))
                ordinal += 1
        finally:
            library.close()
        if library.problem:
            yield self._anomaly(ENDED, f"The Sleuth Kit {library.problem}; the list may not be whole")

    def _anomaly(self, kind: AnomalyKind, message: str) -> Anomaly:
        return kind.at(message, lba=self._start // SECTOR_BYTES, volume=self.info.ordinal)

    def _entry(self, raw: dict[str, Any], ordinal: int, parent: int | None) -> Entry:
        name, recorded = _name(raw["name"])
        folders = "".join("/" + _name(part)[0] for part in raw["parents"])
        link = raw.get("link")
        attributes = {"content": "resident"} if raw.get("resident") else None
        streams = tuple(self._stream(stream) for stream in raw.get("streams", ()))
        return Entry(
            volume=self.info.ordinal,
            ordinal=ordinal,
            parent=parent,
            path=f"{folders}/{name}",
            name=name,
            kind=EntryKind(raw["kind"]),
            size_bytes=raw.get("size", 0),
            streams=streams,
            deleted=raw["deleted"],
            modified=self._time(raw.get("modified")),
            created=self._time(raw.get("created")),
            accessed=self._time(raw.get("accessed")),
            changed=self._time(raw.get("changed")),
            mode=raw.get("mode"),
            uid=raw.get("uid"),
            gid=raw.get("gid"),
            links=raw.get("links"),
            inode=raw["inode"],
            link_target=None if link is None else _name(link, slash=True)[0],
            name_raw=recorded,
            attributes=attributes,
        )

    def _stream(self, raw: dict[str, Any]) -> Stream:
        """Runs of blocks as extents, cut to the size."""
        left = raw["size"]
        extents: list[Extent] = []
        for address, blocks in raw["runs"]:
            length = min(blocks * raw["block"], left)
            if length <= 0:
                break
            left -= length
            if address < 0:
                extents.append(Extent(HOLE, length))
                continue
            lba, offset = divmod(self._start + address * raw["block"], SECTOR_BYTES)
            extents.append(Extent(lba, length, offset))
        return Stream(raw["name"], raw["size"], tuple(extents))

    def _time(self, value: list[int] | None) -> Timestamp | None:
        """Seconds and nanoseconds since 1970 as the library gives them.

        In UTC, but for FAT and exFAT, whose times are local and have no zone that the library knows.
        """
        if value is None:
            return None
        try:
            at = _EPOCH + timedelta(seconds=value[0])
        except OverflowError:
            return None
        fraction = value[1] if 0 <= value[1] < 1_000_000_000 else 0
        return Timestamp(
            at.year,
            at.month,
            at.day,
            at.hour,
            at.minute,
            at.second,
            fraction,
            None if self.info.kind.startswith(("fat", "exfat")) else 0,
            100 if fraction else 1_000_000_000,
        )

    def structures(self) -> Iterator[SectorRange]:
        """The boot area alone: the library does not tell where its other structures are."""
        yield SectorRange(self._start // SECTOR_BYTES, 1)


def _name(latin: str, *, slash: bool = False) -> tuple[str, bytes | None]:
    """A name as UTF-8 text from the library's bytes; escaped, with the bytes, where it is none."""
    raw = latin.encode("latin-1")
    text = raw.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    if not slash:
        text = text.replace("/", "\\x2f")
    return text, (None if text.encode("utf-8") == raw else raw)

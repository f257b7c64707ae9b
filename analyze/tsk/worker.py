r"""The process in which The Sleuth Kit runs: bytes in, lines of JSON out.

It is given no path: it asks its parent for bytes, so that it reads what every other reader reads.

    worker → parent   {"read": [offset, length]}\n
    parent → worker   length of the answer (4 bytes, little-endian), then that many bytes
    worker → parent   {"volume": {…}}\n  {"entry": {…}}\n …  {"problem": "…"}\n  {"end": true}\n
"""

import json
import resource
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytsk3

_KINDS = {
    pytsk3.TSK_FS_META_TYPE_REG: "file",
    pytsk3.TSK_FS_META_TYPE_DIR: "directory",
    pytsk3.TSK_FS_META_TYPE_LNK: "symlink",
    pytsk3.TSK_FS_META_TYPE_BLK: "device",
    pytsk3.TSK_FS_META_TYPE_CHR: "device",
}
_SKIPPED = (pytsk3.TSK_FS_META_TYPE_VIRT, pytsk3.TSK_FS_META_TYPE_VIRT_DIR)
_MOST_DEPTH = 256
_MOST_RUNS = 1_000_000
_DATA = (
    pytsk3.TSK_FS_ATTR_TYPE_NTFS_DATA,
    pytsk3.TSK_FS_ATTR_TYPE_DEFAULT,
    pytsk3.TSK_FS_ATTR_TYPE_APFS_DATA,
)
_OURS = ("iso9660", "hfs")
"""File systems that jewelcase reads itself; here they are no news."""


def _names() -> dict[int, str]:
    """Name the library's file systems as it does, in lower case: ntfs, fat12, ext4."""
    prefix = "TSK_FS_TYPE_"
    return {
        int(getattr(pytsk3, name)): name.removeprefix(prefix).lower()
        for name in dir(pytsk3)
        if name.startswith(prefix) and not name.endswith(("_DETECT", "_ENUM"))
    }


class _Image(pytsk3.Img_Info):  # type: ignore[misc]  # a C type
    """The parent's image; TSK reads it in small pieces, so windows are kept."""

    _WINDOW = 1 << 16

    def __init__(self, size: int, source: BinaryIO, sink: BinaryIO) -> None:
        self._size = size
        self._source = source
        self._sink = sink
        self._windows: dict[int, bytes] = {}
        super().__init__(url="", type=pytsk3.TSK_IMG_TYPE_EXTERNAL)

    def get_size(self) -> int:
        return self._size

    def close(self) -> None:
        """Nothing is held."""

    def _window(self, number: int) -> bytes:
        known = self._windows.get(number)
        if known is None:
            if len(self._windows) >= 256:
                self._windows.pop(next(iter(self._windows)))
            _send(self._sink, {"read": [number * self._WINDOW, self._WINDOW]})
            length = int.from_bytes(self._source.read(4), "little")
            known = self._windows[number] = self._source.read(length)
        return known

    def read(self, offset: int, size: int) -> bytes:
        parts = []
        while size > 0 and offset < self._size:
            number, skip = divmod(offset, self._WINDOW)
            part = self._window(number)[skip : skip + size]
            if not part:
                break
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)


def _send(sink: BinaryIO, message: dict[str, Any]) -> None:
    sink.write(json.dumps(message, separators=(",", ":")).encode() + b"\n")
    sink.flush()


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("latin-1")


def _streams(file: Any, block: int) -> tuple[list[dict[str, Any]], bool]:  # noqa: ANN401  a C type
    """Data streams with their runs [block address or -1, blocks]; whether some content is resident."""
    streams: list[dict[str, Any]] = []
    resident = False
    for attribute in file:
        info = attribute.info
        if int(info.type) not in [int(kind) for kind in _DATA]:
            continue
        runs: list[list[int]] = []
        for run in attribute:
            sparse = int(run.flags) & (
                int(pytsk3.TSK_FS_ATTR_RUN_FLAG_SPARSE) | int(pytsk3.TSK_FS_ATTR_RUN_FLAG_FILLER)
            )
            runs.append([-1 if sparse else int(run.addr), int(run.len)])
            if len(runs) >= _MOST_RUNS:
                break
        size = int(info.size)
        if size and not runs:
            resident = True
        name = _text(info.name) if info.name and int(info.type) == int(_DATA[0]) else ""
        streams.append({"name": name, "size": size, "runs": runs, "block": block})
    return streams, resident


def _entry(file: Any, path: list[bytes], name: bytes, block: int) -> dict[str, Any] | None:  # noqa: ANN401
    info, meta = file.info.name, file.info.meta
    deleted = bool(int(info.flags) & int(pytsk3.TSK_FS_NAME_FLAG_UNALLOC))
    entry: dict[str, Any] = {
        "parents": [_text(part) for part in path],
        "name": _text(name),
        "deleted": deleted,
        "inode": int(info.meta_addr),
    }
    if meta is None:
        entry["kind"] = "directory" if int(info.type) == int(pytsk3.TSK_FS_NAME_TYPE_DIR) else "file"
        return entry
    if meta.type in _SKIPPED:
        return None
    entry["kind"] = _KINDS.get(meta.type, "other")
    entry["size"] = int(meta.size)
    entry["mode"] = int(meta.mode)
    entry["uid"], entry["gid"], entry["links"] = int(meta.uid), int(meta.gid), int(meta.nlink)
    for field, seconds, fraction in (
        ("modified", meta.mtime, meta.mtime_nano),
        ("accessed", meta.atime, meta.atime_nano),
        ("changed", meta.ctime, meta.ctime_nano),
        ("created", meta.crtime, meta.crtime_nano),
    ):
        if int(seconds):
            entry[field] = [int(seconds), int(fraction)]
    if meta.type == pytsk3.TSK_FS_META_TYPE_LNK and meta.link:
        entry["link"] = _text(meta.link)
    if entry["kind"] == "file":
        entry["streams"], entry["resident"] = _streams(file, block)
    return entry


def _files(directory: Any, number: int, sink: BinaryIO) -> Iterator[Any]:  # noqa: ANN401  C types
    """The entries of a directory; one that cannot be read ends it, and is said."""
    entries = iter(directory)
    while True:
        try:
            file = next(entries)
        except StopIteration:
            return
        except OSError as error:
            _send(sink, {"problem": f"directory {number} cannot be read to its end: {error}"})
            return
        yield file


def _walk(filesystem: Any, sink: BinaryIO, most: int) -> None:  # noqa: ANN401  a C type
    block = int(filesystem.info.block_size)
    seen: set[int] = set()
    stack: list[tuple[int, list[bytes]]] = [(int(filesystem.info.root_inum), [])]
    sent = 0
    while stack:
        number, path = stack.pop()
        if number in seen:
            continue
        seen.add(number)
        try:
            directory = filesystem.open_dir(inode=number)
        except OSError as error:
            _send(sink, {"problem": f"directory {number} cannot be read: {error}"})
            continue
        for file in _files(directory, number, sink):
            name = file.info.name.name if file.info.name else None
            if not name or name in (b".", b".."):
                continue
            try:
                entry = _entry(file, path, name, block)
            except OSError as error:
                _send(sink, {"problem": f"entry {file.info.name.meta_addr} cannot be read: {error}"})
                continue
            if entry is None:
                continue
            if sent >= most:
                _send(sink, {"problem": f"more than {most} entries; the rest is not listed"})
                return
            sent += 1
            _send(sink, {"entry": entry})
            if entry["kind"] == "directory" and not entry["deleted"] and len(path) < _MOST_DEPTH:
                stack.append((entry["inode"], [*path, name]))


def main() -> None:
    """Walk one file system: `python -m analyze.tsk.worker SIZE OFFSET MOST_ENTRIES MEMORY CPU_SECONDS`."""
    size, offset, most, memory, seconds = map(int, sys.argv[1:6])
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    sink = sys.stdout.buffer
    image = _Image(size, sys.stdin.buffer, sink)
    try:
        filesystem = pytsk3.FS_Info(image, offset=offset)
    except OSError as error:
        _send(sink, {"problem": f"not opened: {error}"})
        _send(sink, {"end": True})
        return
    info = filesystem.info
    name = _names().get(int(info.ftype), "unknown")
    if not name.startswith(_OURS):
        blocks = int(info.block_count)
        _send(sink, {"volume": {"kind": name, "block": int(info.block_size), "blocks": blocks}})
        _walk(filesystem, sink, most)
    _send(sink, {"end": True})


if __name__ == "__main__":
    main()

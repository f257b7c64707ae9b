"""A file system of one file, `disc`, whose bad sectors fail as those of a real disc do.

    python faultfs.py IMAGE MOUNTPOINT [--bad LBA[+N][:ERRNO[:TIMES]]]... [--sector 2048] [--cached]

Speaks the kernel's FUSE protocol (linux/fuse.h, version 7.31) over /dev/fuse: no library. Prints READY
when it is mounted; ends when it is unmounted. Reads a line `bad LBA[+N]…` or `good` on its standard input
at any time. Needs root.
"""

import argparse
import errno
import os
import select
import struct
import subprocess
import sys

_IN_HEADER = struct.Struct(
    "<IIQQIIII"
)  # fuse_in_header: length, opcode, unique, node, uid, gid, pid, padding
_OUT_HEADER = struct.Struct("<IiQ")  # fuse_out_header: length, error, unique
_ATTRIBUTES = struct.Struct("<QQQQQQIIIIIIIIII")  # fuse_attr
LOOKUP, FORGET, GETATTR, OPEN, READ, STATFS, RELEASE, FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = (
    1, 2, 3, 14, 15, 17, 18, 25, 26, 27, 28, 29,
)  # fmt: skip
INTERRUPT, BATCH_FORGET = 36, 42
_ROOT, _DISC = 1, 2
_DIRECT_IO = 1
_PAGES, _LARGEST_READ = 32, 32 * 4096


class FaultFileSystem:
    """Serves one image until it is unmounted."""

    def __init__(self, image: str, sector_bytes: int, *, cached: bool) -> None:
        self.image = os.open(image, os.O_RDONLY)
        self.size = os.fstat(self.image).st_size
        self.sector_bytes = sector_bytes
        self.cached = cached
        self.bad: dict[int, list[int]] = {}
        self.device = os.open("/dev/fuse", os.O_RDWR)

    def spoil(self, words: str) -> None:
        """`LBA[+N][:ERRNO[:TIMES]]`: TIMES 0 for ever."""
        place, _, rest = words.partition(":")
        number, _, times = rest.partition(":")
        first, _, count = place.partition("+")
        for lba in range(int(first), int(first) + int(count or 1)):
            self.bad[lba] = [int(number or errno.EIO), int(times or 0) or -1]

    def mount(self, point: str) -> None:
        """Mount on `point`; the program inherits the descriptor."""
        options = f"fd={self.device},rootmode=40000,user_id=0,group_id=0,allow_other"
        subprocess.run(
            ["mount", "-i", "-t", "fuse.faultfs", "-o", options, "faultfs", point],
            check=True,
            pass_fds=[self.device],
        )

    def serve(self) -> None:
        """Answer the kernel, and take orders, until it is unmounted."""
        orders = True
        while True:
            ready, _, _ = select.select([self.device, *([0] if orders else [])], [], [])
            if 0 in ready:
                orders = self.obey(os.read(0, 4096).decode())
            if self.device in ready:
                try:
                    message = os.read(self.device, _LARGEST_READ + 4096)
                except OSError as error:
                    if error.errno == errno.ENODEV:
                        return
                    continue
                self.answer(message)

    def obey(self, lines: str) -> bool:
        """Take orders; false at the end of them."""
        for line in lines.splitlines():
            if line == "good":
                self.bad.clear()
            elif line.startswith("bad "):
                self.spoil(line[4:])
            elif line.startswith("size "):
                self.size = int(line[5:])
        return bool(lines)

    def answer(self, message: bytes) -> None:
        """Answer one request."""
        _, code, unique, node, *_ = _IN_HEADER.unpack_from(message)
        if code in (FORGET, INTERRUPT, BATCH_FORGET):
            return
        try:
            body = self.reply(code, node, message[_IN_HEADER.size :])
            header = _OUT_HEADER.pack(_OUT_HEADER.size + len(body), 0, unique)
        except OSError as error:
            body, header = b"", _OUT_HEADER.pack(_OUT_HEADER.size, -(error.errno or errno.EIO), unique)
        try:
            os.write(self.device, header + body)
        except OSError as error:
            if error.errno != errno.ENOENT:  # the reader has been interrupted meanwhile
                raise

    def reply(self, code: int, node: int, body: bytes) -> bytes:
        """The reply's body; raises OSError for an error."""
        if code == INIT:
            _, _, readahead, flags = struct.unpack_from("<IIII", body)
            kept = flags & (1 << 0 | 1 << 5 | 1 << 22)  # ASYNC_READ, BIG_WRITES, MAX_PAGES
            return struct.pack("<IIIIHHIIHH", 7, 31, readahead, kept, 12, 10, 4096, 1, _PAGES, 0) + bytes(28)
        if code == LOOKUP:
            if node != _ROOT or body.rstrip(b"\0") != b"disc":
                raise OSError(errno.ENOENT, "")
            return struct.pack("<QQQQII", _DISC, 0, 0, 0, 0, 0) + self.attributes(_DISC)
        if code == GETATTR:
            return struct.pack("<QII", 0, 0, 0) + self.attributes(node)
        if code in (OPEN, OPENDIR):
            return struct.pack("<QII", 1, _DIRECT_IO if code == OPEN and not self.cached else 0, 0)
        if code == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            return self.read(offset, max(0, min(size, self.size - offset)))
        if code == READDIR:
            offset = struct.unpack_from("<QQ", body)[1]
            return b"" if offset else struct.pack("<QQII", _DISC, 1, 4, 8) + b"disc" + bytes(4)
        if code == STATFS:
            return struct.pack("<QQQQQIIII", self.size // 2048, 0, 0, 1, 0, 2048, 255, 2048, 0) + bytes(24)
        if code in (RELEASE, RELEASEDIR, FLUSH):
            return b""
        raise OSError(errno.ENOSYS, "")

    def read(self, offset: int, size: int) -> bytes:
        """Read from the image; fails if any sector touched is bad."""
        for lba in range(offset // self.sector_bytes, -(-(offset + size) // self.sector_bytes)):
            fault = self.bad.get(lba)
            if fault and fault[1]:
                fault[1] -= fault[1] > 0
                raise OSError(fault[0], "")
        return os.pread(self.image, size, offset)

    def attributes(self, node: int) -> bytes:
        """A node's fuse_attr."""
        size = 0 if node == _ROOT else self.size
        mode, links = (0o40555, 2) if node == _ROOT else (0o100444, 1)
        return _ATTRIBUTES.pack(node, size, -(-size // 512), 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("image")
    parser.add_argument("mountpoint")
    parser.add_argument("--bad", action="append", default=[])
    parser.add_argument("--sector", type=int, default=2048)
    parser.add_argument("--cached", action="store_true")
    given = parser.parse_args()
    files = FaultFileSystem(given.image, given.sector, cached=given.cached)
    for words in given.bad:
        files.spoil(words)
    files.mount(given.mountpoint)
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    files.serve()


if __name__ == "__main__":
    main()

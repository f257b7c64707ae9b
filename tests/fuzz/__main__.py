"""Mutate on-disc structures by the hundred thousand and walk what is left.

    python tests/fuzz --count 100000 [--seed 1] [--jobs 2] IMAGE...

Each mutation changes one to four places inside the sectors that the undamaged image's own volumes
call their structures; then every file system is opened and walked. What may not happen: an exception,
a walk of more than ten seconds, more than 500 MB of memory. A failure prints the image, the seed and
the number of the mutation, which `--only NUMBER` repeats, and the exit code is 1.
"""

import argparse
import lzma
import multiprocessing
import random
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from acquire.image import MemoryImage  # noqa: E402  the path comes first
from analyze.anomaly import Anomaly  # noqa: E402
from analyze.detect import OPENERS  # noqa: E402
from analyze.finding import Finding  # noqa: E402

SECONDS = 10
MEMORY_BYTES = 500 << 20
MOST_ITEMS = 2_000_000
_TSK = "analyze.tsk.volume"


class Failure(NamedTuple):
    """A mutation that broke a rule, and how."""

    image: str
    number: int
    what: str


class TooLongError(Exception):
    """A walk took longer than SECONDS."""


def _walk(data: bytes) -> int:
    """Open and walk everything; returns how many nouns came."""
    image = MemoryImage(data)
    nouns = 0
    for opener in OPENERS:
        if opener.__module__ == _TSK:
            continue  # a process a volume: bounded by its own limits, tested on its own
        ordinal = 0
        for volume in opener(image, 0, 1, ordinal):
            nouns += 1
            if isinstance(volume, Anomaly | Finding):
                continue
            ordinal = volume.info.ordinal + 1
            for _item in volume.walk():
                nouns += 1
                if nouns > MOST_ITEMS:
                    raise TooLongError(f"more than {MOST_ITEMS} nouns")
            for _range in volume.structures():
                nouns += 1
    return nouns


def structures(data: bytes) -> list[tuple[int, int]]:
    """Byte ranges of the structures of every volume in an undamaged image."""
    image = MemoryImage(data)
    ranges = []
    for opener in OPENERS:
        if opener.__module__ == _TSK:
            continue
        for volume in opener(image, 0, 1, 0):
            if isinstance(volume, Anomaly | Finding):
                continue
            for _item in volume.walk():
                pass
            ranges.extend((start * 2048, count * 2048) for start, count in volume.structures())
    return [(at, min(length, len(data) - at)) for at, length in ranges if 0 <= at < len(data)]


def mutate(data: bytes, places: list[tuple[int, int]], chance: random.Random) -> bytes:
    """A copy of `data` with one to four places changed, sometimes cut short."""
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        start, length = chance.choice(places)
        # Most structures begin at their sector: the first bytes decide what is read next.
        within = min(length, 256) if chance.random() < 0.5 else length
        at = start + chance.randrange(max(within, 1))
        way = chance.randrange(6)
        if way == 0:
            damaged[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            damaged[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif way == 2:
            damaged[at : at + 4] = chance.randbytes(4)
        elif way == 3:
            damaged[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f"))
        elif way == 4:
            other, _length = chance.choice(places)
            damaged[at : at + 32] = damaged[other : other + 32]
        else:
            damaged[at : at + 2] = chance.randbytes(2)
    if chance.random() < 0.02:
        del damaged[chance.randrange(len(damaged)) :]
    return bytes(damaged[: len(data)])


def _alarm(_signal: int, _frame: object) -> None:
    raise TooLongError(f"more than {SECONDS} seconds")


def _job(work: tuple[str, list[tuple[int, int]], int, range]) -> tuple[int, list[Failure]]:
    """Run the mutations of one image whose numbers are in the range."""
    name, places, seed, numbers = work
    data = read(Path(name))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES + len(data) * 4, resource.RLIM_INFINITY))
    signal.signal(signal.SIGALRM, _alarm)
    failures = []
    for number in numbers:
        damaged = mutate(data, places, random.Random(f"{seed}/{number}"))
        signal.alarm(SECONDS)
        try:
            _walk(damaged)
        except Exception:  # noqa: BLE001  this is what is looked for
            failures.append(Failure(name, number, traceback.format_exc(limit=-4)))
        finally:
            signal.alarm(0)
    return len(numbers), failures


def read(path: Path) -> bytes:
    """An image's bytes, unpacked if it is stored as .xz."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def run(images: list[Path], count: int, seed: int, jobs: int) -> tuple[int, list[Failure]]:
    """Spread `count` mutations over the images; returns how many ran and what failed."""
    each = -(-count // len(images))
    work = []
    for path in images:
        places = structures(read(path))
        if not places:
            print(f"{path.name}: no volume of ours; left out", flush=True)
            continue
        step = 250
        work += [(str(path), places, seed, range(at, min(at + step, each))) for at in range(0, each, step)]
    done, failures = 0, []
    started = time.monotonic()
    with multiprocessing.Pool(jobs, maxtasksperchild=40) as pool:
        for ran, failed in pool.imap_unordered(_job, work):
            done += ran
            failures += failed
    print(f"{done} mutations, {len(failures)} failures, {time.monotonic() - started:.0f} s", flush=True)
    return done, failures


def main() -> int:
    """Read the command line, run, print the failures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", type=int, help="repeat one mutation and show where it breaks")
    words = parser.parse_args()
    if words.only is not None:
        data = read(words.images[0])
        print(_walk(mutate(data, structures(data), random.Random(f"{words.seed}/{words.only}"))), "nouns")
        return 0
    _done, failures = run(words.images, words.count, words.seed, words.jobs)
    for failure in failures[:20]:
        print(f"--- {failure.image} --seed {words.seed} --only {failure.number}\n{failure.what}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

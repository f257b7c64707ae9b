"""Acquires slowly and saves its state often, so that it can be stopped anywhere: SOURCE FOLDER FORMAT."""

import os
import sys
import time
from pathlib import Path

from acquire import reading
from acquire.acquisition import Plan, acquire

reading.CHECKPOINT_S = 0.01
READ = os.preadv


def slow(descriptor: int, buffers: list[memoryview], position: int) -> int:
    """Read as a drive that takes 8 ms to answer does."""
    time.sleep(0.008)
    return READ(descriptor, buffers, position)


if __name__ == "__main__":
    os.preadv = slow
    source, folder, kind = sys.argv[1:]
    sys.stdout.write("READY\n")
    sys.stdout.flush()
    acquire(source, Path(folder), "A", Plan(format=kind))
    sys.stdout.write("DONE\n")

"""Copies between logical volumes, beside dd.  It overwrites the disks it is given.

    python -m benchmarks.block_copy /dev/vda [/dev/vdb]

With two disks the source is on the first and the destination on the second.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

from benchmarks.measurement import Row, markdown
from breezeblock.drivers.block_copy import copy
from breezeblock.drivers.block_device import flush, wait_for
from breezeblock.execution.command import run

MIB = 1024**2
LENGTH = 256 * MIB
TURNS = 3
_GROUP = "bb-bench"


def measure(disks: list[str]) -> list[Row]:
    """Random data to a thick volume; a third full and the rest zeros, thick and thin."""
    run(["vgcreate", "--yes", _GROUP, *disks])
    try:
        full = _thick("full", disks[0])
        third = _thick("third", disks[0])
        thick = _thick("thick", disks[-1])
        pool = ["-L", f"{LENGTH + 64 * MIB}b", "-n", "pool"]
        run(["lvcreate", "--yes", "-T", *pool, _GROUP, disks[-1]])
        thin = _thin()
        _fill(full, LENGTH)
        _fill(third, LENGTH // 3)
        return [
            _row("thick to thick, random data", full, thick, aim=1.0),
            _row("a third full to thick known to be zeros", third, thick, aim=1.5, zeros=True),
            _row("a third full to thin", third, thin, aim=1.5, zeros=True, prepare=_thin),
            _row("a third full to thick with old data", third, thick),
        ]
    finally:
        run(["vgremove", "--force", "--yes", _GROUP])


def _row(
    name: str,
    source: str,
    destination: str,
    *,
    aim: float | None = None,
    zeros: bool = False,
    prepare: Callable[[], object] = lambda: None,
) -> Row:
    ours, theirs = [], []
    for _ in range(TURNS):
        prepare()
        theirs.append(_timed(lambda: _dd(source, destination)))
        prepare()
        ours.append(
            _timed(lambda: copy(source, destination, LENGTH, destination_reads_zeros=zeros))
        )
    ratio = statistics.median(theirs) / statistics.median(ours)
    return Row(
        f"copy, {name}",
        f"{_rate(ours)}, {ratio:.2f}x of dd",
        f"dd bs=1M iflag=direct oflag=direct: {_rate(theirs)}",
        "" if aim is None else f">= {aim}x",
        None if aim is None else ratio >= aim,
    )


def _dd(source: str, destination: str) -> None:
    flags = ["iflag=direct", "oflag=direct", "conv=notrunc,fdatasync", "status=none"]
    run(["dd", f"if={source}", f"of={destination}", "bs=1M", *flags], timeout=600)


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _rate(seconds: list[float]) -> str:
    rates = sorted(LENGTH / MIB / each for each in seconds)
    return f"{statistics.median(rates):.0f} MiB/s ({rates[0]:.0f} to {rates[-1]:.0f})"


def _thick(name: str, disk: str) -> str:
    run(["lvcreate", "--yes", "-L", f"{LENGTH}b", "-n", name, _GROUP, disk])
    return _node(name)


def _thin() -> str:
    """A fresh thin volume, in the place of the one before."""
    run(["lvremove", "--yes", f"{_GROUP}/thin"], accept=(0, 5))
    run(["lvcreate", "--yes", "-V", f"{LENGTH}b", "-T", "-n", "thin", f"{_GROUP}/pool"])
    return _node("thin")


def _node(name: str) -> str:
    path = f"/dev/{_GROUP}/{name}"
    wait_for(path, 30)
    return path


def _fill(path: str, length: int) -> None:
    """Random data at the beginning, zeros behind."""
    with open(path, "r+b") as device:
        for _ in range(length // MIB):
            device.write(os.urandom(MIB))
        for _ in range((LENGTH - length) // MIB):
            device.write(bytes(MIB))
    flush(path)


if __name__ == "__main__":
    print(markdown(measure(sys.argv[1:])))

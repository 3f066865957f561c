"""Zeroing files and devices, each means by itself."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from breezeblock.drivers import progress
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.io_priority import IoPriority
from breezeblock.drivers.zeroing import zero

MIB = 1024 * 1024
SIZE = 8 * MIB

STRETCHES = [
    (0, SIZE),
    (0, MIB),
    (4096, 2 * MIB),
    (MIB, SIZE - MIB),
    (512, 1024),
    (1, 9),
    (4095, 3 * MIB + 2),
    (SIZE - 1, 1),
    (123, 0),
]


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A file without a zero in it."""
    path = tmp_path / "used"
    path.write_bytes(b"\xff" * SIZE)
    return path


def expected(offset: int, length: int) -> bytes:
    return b"\xff" * offset + bytes(length) + b"\xff" * (SIZE - offset - length)


@pytest.mark.parametrize(("offset", "length"), STRETCHES)
def test_a_file(used: Path, offset: int, length: int) -> None:
    zero(str(used), offset, length)
    assert used.read_bytes() == expected(offset, length)


@pytest.mark.parametrize(("offset", "length"), STRETCHES)
def test_a_device_that_unmaps(
    used: Path, loop: Callable[[Path], str], offset: int, length: int
) -> None:
    zero(loop(used), offset, length)
    assert used.read_bytes() == expected(offset, length)


@pytest.mark.parametrize(("offset", "length"), STRETCHES)
def test_a_file_system_without_holes(hole_free: Path, used: Path, offset: int, length: int) -> None:
    path = hole_free / "used"
    path.write_bytes(used.read_bytes())
    zero(str(path), offset, length)
    assert path.read_bytes() == expected(offset, length)


def test_holes_take_no_room(used: Path) -> None:
    os.sync()
    zero(str(used), MIB, SIZE - MIB)
    assert used.stat().st_blocks * 512 <= MIB + 64 * 1024


def test_a_device_is_never_zeroed_beyond_its_end(used: Path, loop: Callable[[Path], str]) -> None:
    device = loop(used)
    with pytest.raises(VolumeBackendError, match=f"{device} has {SIZE} bytes, so up to"):
        zero(device, MIB, SIZE)
    assert used.read_bytes() == expected(0, 0)


def test_a_missing_device_is_not_made_a_file(tmp_path: Path) -> None:
    with pytest.raises(VolumeBackendError, match="could not be opened: No such file"):
        zero(str(tmp_path / "missing"), 0, MIB)
    assert not (tmp_path / "missing").exists()


class StopAt(progress.NoProgress):
    def __init__(self, done: int) -> None:
        self.last = done

    def report(self, bytes_done: int, bytes_total: int) -> None:
        assert bytes_total == SIZE
        if bytes_done >= self.last:
            self.last = -1

    def checkpoint(self) -> None:
        if self.last < 0:
            raise InterruptedError


def test_it_stops_and_is_paced(used: Path) -> None:
    started = time.monotonic()
    with progress.using(StopAt(2 * MIB)), pytest.raises(InterruptedError):
        zero(str(used), 0, SIZE, bytes_per_second=8 * MIB)
    assert time.monotonic() - started >= 0.25
    left = used.read_bytes()
    assert left.startswith(bytes(2 * MIB))
    assert left.endswith(b"\xff" * 2 * MIB)


def test_with_a_priority(used: Path) -> None:
    zero(str(used), 0, SIZE, priority=IoPriority.parse("-c3"))
    assert used.read_bytes() == bytes(SIZE)

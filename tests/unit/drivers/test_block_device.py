"""What is asked of devices and files, by loop devices where there are any."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from breezeblock.drivers import block_device
from breezeblock.drivers.errors import DeviceUnavailable, VolumeBackendError

MIB = 1024 * 1024


def made(path: Path, size: int = MIB) -> Path:
    path.write_bytes(bytes(size))
    return path


def test_a_file(tmp_path: Path) -> None:
    path = str(made(tmp_path / "file"))
    assert block_device.size(path) == MIB
    assert not block_device.is_block_device(path)
    block_device.flush(path)


def test_a_device(tmp_path: Path, loop: Callable[[Path], str]) -> None:
    path = loop(made(tmp_path / "file"))
    assert block_device.size(path) == MIB
    assert block_device.is_block_device(path)
    assert not block_device.is_in_use(path)
    block_device.flush(path)
    block_device.wait_for(path, 0)


def test_nothing_there(tmp_path: Path) -> None:
    path = str(tmp_path / "missing")
    assert not block_device.is_block_device(path)
    for ask in (
        block_device.size,
        block_device.flush,
        block_device.is_in_use,
        block_device.identity,
        block_device.disk_number,
    ):
        with pytest.raises(VolumeBackendError, match=f"{path} could not be .*activate"):
            ask(path)


def test_a_mounted_device_is_in_use(mounted: str) -> None:
    assert block_device.is_in_use(mounted)


def test_flushing_drops_what_was_cached(tmp_path: Path, loop: Callable[[Path], str]) -> None:
    file = made(tmp_path / "file")
    path = loop(file)
    with open(path, "r+b", buffering=0) as device:
        device.write(b"new")
    block_device.flush(path)
    assert file.read_bytes()[:3] == b"new"


def test_waiting(tmp_path: Path, loop: Callable[[Path], str]) -> None:
    node = tmp_path / "node"
    with pytest.raises(DeviceUnavailable, match=r"did not appear within 0 s; .*udev"):
        block_device.wait_for(str(node), 0)
    target = loop(made(tmp_path / "file"))
    late = threading.Timer(0.2, os.symlink, (target, node))
    late.start()
    block_device.wait_for(str(node), 30)
    late.join()


def test_a_file_is_no_device_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(DeviceUnavailable):
        block_device.wait_for(str(made(tmp_path / "file")), 0)


def test_identities_differ(tmp_path: Path, loop: Callable[[Path], str]) -> None:
    one, other = made(tmp_path / "one"), made(tmp_path / "other")
    paths = [str(one), str(other), loop(one), loop(other)]
    names = [block_device.identity(path) for path in paths]
    assert len(set(names)) == 4
    assert names == [block_device.identity(path) for path in paths]


def test_the_disk_below(tmp_path: Path, loop: Callable[[Path], str]) -> None:
    path = loop(made(tmp_path / "file"))
    number = os.stat(path).st_rdev
    assert block_device.disk_number(path) == f"{os.major(number)}:{os.minor(number)}"
    assert block_device.disk_number("/dev/shm") is None

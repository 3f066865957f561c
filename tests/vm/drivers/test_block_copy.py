"""Copies between real logical volumes, thick and thin, by real limits of the kernel."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.vm_lab.polling import wait_until

from breezeblock.drivers import progress
from breezeblock.drivers.block_copy import copy
from breezeblock.drivers.block_device import flush, identity, is_in_use, wait_for
from breezeblock.drivers.copy_cgroup import Throttle
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.io_priority import IoPriority
from breezeblock.drivers.zeroing import zero
from breezeblock.execution.command import run

MIB = 1024 * 1024
SIZE = 64 * MIB


@dataclass
class Volumes:
    """Makes logical volumes; all go at the end of a test."""

    group: str
    made: list[str] = field(default_factory=list)

    def thick(self, name: str, size: int = SIZE) -> str:
        """The path of a new volume of ``size`` bytes."""
        return self._make(name, "-L", f"{size}b", "-n", name, self.group)

    def thin(self, name: str) -> str:
        """The same, in the pool."""
        return self._make(name, "-V", f"{SIZE}b", "-T", "-n", name, f"{self.group}/pool")

    def pool(self, size: int) -> None:
        """Make the pool; it fails at once when it is full."""
        name = f"{self.group}/pool"
        run(["lvcreate", "--yes", "--type", "thin-pool", "-L", f"{size}b", "-n", name])
        self.made.append("pool")
        run(["lvchange", "--errorwhenfull", "y", name])

    def remove(self) -> None:
        """Remove all."""
        for name in reversed(self.made):
            run(["lvremove", "--yes", "--force", f"{self.group}/{name}"])

    def _make(self, name: str, *options: str) -> str:
        run(["lvcreate", "--yes", *options])
        self.made.append(name)
        path = f"/dev/{self.group}/{name}"
        wait_for(path, 60)
        return path


@pytest.fixture
def volumes(volume_group: str) -> Iterator[Volumes]:
    made = Volumes(volume_group)
    yield made
    made.remove()


def fill(path: str, *, seed: int, third: bool = False) -> None:
    """Random data all over, or in the first, middle and last part with zeros between."""
    seeded = random.Random(seed)
    with open(path, "r+b", buffering=0) as device:
        for start in range(0, SIZE, MIB):
            device.write(bytes(MIB) if third and start // MIB % 12 >= 4 else seeded.randbytes(MIB))
    flush(path)


def soil(path: str) -> None:
    with open(path, "r+b", buffering=0) as device:
        for _ in range(SIZE // MIB):
            device.write(b"\xff" * MIB)
    flush(path)


def same(one: str, other: str) -> bool:
    flush(one)
    flush(other)
    return run(["cmp", "-n", str(SIZE), one, other], accept=(0, 1)).exit_code == 0


def percent(volume_group: str, name: str) -> float:
    told = run(["lvs", "--noheadings", "-o", "data_percent", f"{volume_group}/{name}"]).text
    return float(told.strip())


@pytest.mark.parametrize("third", [False, True])
def test_thick_over_old_data(volumes: Volumes, third: bool) -> None:
    source, target = volumes.thick("source"), volumes.thick("target", SIZE + 4 * MIB)
    fill(source, seed=1, third=third)
    soil(target)
    with open(target, "r+b") as device:
        device.seek(SIZE)
        device.write(b"behind")
    flush(target)
    copy(source, target, SIZE, destination_reads_zeros=False)
    assert same(source, target)
    with open(target, "rb") as device:
        device.seek(SIZE)
        assert device.read(6) == b"behind"


def test_thin_stays_thin(volumes: Volumes, volume_group: str) -> None:
    volumes.pool(3 * SIZE)
    source, target, stale = volumes.thick("source"), volumes.thin("t"), volumes.thin("s")
    fill(source, seed=2, third=True)
    soil(stale)
    copy(source, target, SIZE, destination_reads_zeros=True)
    copy(source, stale, SIZE, destination_reads_zeros=False)
    assert same(source, target)
    assert same(source, stale)
    # 24 of 64 MiB are data.
    assert percent(volume_group, "t") == pytest.approx(37.5, abs=0.5)


def test_a_full_pool_is_named(volumes: Volumes) -> None:
    volumes.pool(SIZE // 2)
    source, target = volumes.thick("source"), volumes.thin("target")
    fill(source, seed=3)
    with pytest.raises(VolumeBackendError, match=f"{target} could not be .*pool"):
        copy(source, target, SIZE, destination_reads_zeros=True)


CHILD = """
import sys
from pathlib import Path
from breezeblock.drivers.block_copy import copy
from breezeblock.drivers.copy_cgroup import Throttle
copy(*sys.argv[1:3], int(sys.argv[3]), destination_reads_zeros=False,
     checkpoint=Path(sys.argv[4]), throttle=Throttle(int(sys.argv[5]), "bb/copies"))
"""


def test_kill_dash_nine_and_go_on(volumes: Volumes, tmp_path: Path) -> None:
    source, target = volumes.thick("source"), volumes.thick("target")
    fill(source, seed=4, third=True)
    soil(target)
    checkpoint = tmp_path / "checkpoint"
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, source, target, str(SIZE), str(checkpoint), str(3 * MIB)]
    )
    try:
        wait_until(lambda: checkpoint.exists() and b'"offset": 0' not in checkpoint.read_bytes())
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    # The copying process of the killed one ends with it.
    wait_until(lambda: run(["pgrep", "-f", "copy_process"], accept=(0, 1)).exit_code == 1)
    assert checkpoint.exists()
    reports: list[int] = []

    class Listener(progress.NoProgress):
        def report(self, bytes_done: int, bytes_total: int) -> None:
            reports.append(bytes_done)

    with progress.using(Listener()):
        copy(source, target, SIZE, destination_reads_zeros=False, checkpoint=checkpoint)
    assert reports[0] > 0
    assert same(source, target)
    assert not checkpoint.exists()


def check_throttle(source: str, target: str) -> None:
    fill(source, seed=5)
    rate = 16 * MIB
    reports: list[tuple[float, int]] = []

    class Listener(progress.NoProgress):
        def report(self, bytes_done: int, bytes_total: int) -> None:
            reports.append((time.monotonic(), bytes_done))

    with progress.using(Listener()):
        copy(
            source,
            target,
            SIZE,
            destination_reads_zeros=False,
            throttle=Throttle(rate, "bb/copies"),
        )
    assert same(source, target)
    (begun, first), (ended, last) = reports[0], reports[-1]
    # The child's start is not counted; a piece may have passed before the first report.
    assert last - first <= (ended - begun) * rate * 1.1 + 4 * MIB
    assert not list(Path("/sys/fs/cgroup").rglob("copies"))


def test_the_limit_of_cgroups_version_2(volumes: Volumes, caplog: pytest.LogCaptureFixture) -> None:
    assert Path("/sys/fs/cgroup/cgroup.controllers").exists()
    check_throttle(volumes.thick("source"), volumes.thick("target"))
    assert "cannot be made" not in caplog.text


@pytest.mark.guest("cgroup1")
def test_the_limit_of_cgroups_version_1(volumes: Volumes, caplog: pytest.LogCaptureFixture) -> None:
    assert Path("/sys/fs/cgroup/blkio").exists()
    check_throttle(volumes.thick("source"), volumes.thick("target"))
    assert "cannot be made" not in caplog.text


@pytest.mark.parametrize("thin", [False, True])
def test_zeroing(volumes: Volumes, thin: bool) -> None:
    if thin:
        volumes.pool(2 * SIZE)
    path = volumes.thin("used") if thin else volumes.thick("used")
    soil(path)
    zero(path, 4 * MIB, 40 * MIB, priority=IoPriority.parse("-c 2 -n 7"))
    flush(path)
    with open(path, "rb") as device:
        found = device.read()
    assert found == b"\xff" * 4 * MIB + bytes(40 * MIB) + b"\xff" * (SIZE - 44 * MIB)


def test_a_volume_below_another_device_is_in_use(volumes: Volumes) -> None:
    path = volumes.thick("used")
    assert not is_in_use(path)
    table = f"0 8192 linear {path} 0"
    run(["dmsetup", "create", "above", "--table", table])
    try:
        assert is_in_use(path)
    finally:
        run(["dmsetup", "remove", "--retry", "above"])


def test_a_volume_made_again_is_another(volumes: Volumes, volume_group: str) -> None:
    path = volumes.thick("one")
    before = identity(path)
    assert before.startswith("dm LVM-")
    os.sync()
    run(["lvremove", "--yes", f"{volume_group}/one"])
    run(["lvcreate", "--yes", "-L", "4m", "-n", "one", volume_group])
    wait_for(path, 60)
    assert identity(path) != before

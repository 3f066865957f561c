"""An LVM backend on the disks of a guest, and eyes and hands on its devices."""

from __future__ import annotations

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import tgtd

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.lvm import names
from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.execution.command import Completed, SecretFile, run

GIB = 1024**3
MIB = 1024**2
LOOKING = frozenset({"lvs", "lvm", "dmsetup", "udevadm"})


@dataclasses.dataclass
class Options(tgtd.Options):
    """The options of an LVM backend."""

    volume_backend_name: str | None = "lvm"
    target_helper: str = "fake"
    volume_group: str = "bb-test"
    lvm_type: str = "auto"
    lvm_mirrors: int = 0
    lvm_conf_file: str | None = "/etc/cinder/lvm.conf"
    lvm_suppress_fd_warnings: bool = True
    lvm_clear_new_volumes: bool = True
    volume_clear_ionice: str | None = None


class Recorder:
    """Runs programs and remembers which."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []

    def __call__(
        self,
        command: Sequence[str | SecretFile],
        *,
        timeout: float = 60.0,
        stdin: bytes | None = None,
        accept: Collection[int] = (0,),
        environment: Mapping[str, str] | None = None,
        max_output: int = 16 * MIB,
    ) -> Completed:
        self.commands.append([str(part) for part in command])
        return run(
            command,
            timeout=timeout,
            stdin=stdin,
            accept=accept,
            environment=environment,
            max_output=max_output,
        )

    def take(self) -> list[str]:
        """The programs since the last call."""
        found = [command[0] for command in self.commands]
        self.commands.clear()
        return found


@contextmanager
def options(group: str, **changed: object) -> Iterator[Options]:
    """Options of a backend on ``group``, with a state directory of their own."""
    directory = Path(tempfile.mkdtemp(prefix="bb-"))
    made = Options(
        state_path=str(directory),
        volumes_dir=str(directory / "volumes"),
        file_volumes_directory="",
        target_port=3260,
        volume_group=group,
    )
    try:
        yield dataclasses.replace(made, **changed)  # type: ignore[arg-type]
    finally:
        shutil.rmtree(directory)


def started(made: Options, recorder: Recorder | None = None) -> LVMVolumeDriver:
    """A driver as the service starts it."""
    driver = LVMVolumeDriver(recorder or run, configuration=made, host="here@lvm")
    driver.do_setup(None)
    driver.check_for_setup_error()
    driver.recover()
    driver.set_initialized()
    if recorder:
        recorder.take()
    return driver


def write(driver: LVMVolumeDriver, volume: Volume, data: bytes, offset: int = 0) -> None:
    write_path(driver.local_path(volume), data, offset)


def write_path(path: str, data: bytes, offset: int = 0) -> None:
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        assert os.pwrite(fd, data, offset) == len(data)
        os.fsync(fd)
    finally:
        os.close(fd)


def read(driver: LVMVolumeDriver, volume: Volume, length: int, offset: int = 0) -> bytes:
    return read_path(driver.local_path(volume), length, offset)


def read_path(path: str, length: int, offset: int = 0) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.pread(fd, length, offset)
    finally:
        os.close(fd)


def size(driver: LVMVolumeDriver, volume: Volume) -> int:
    with open(driver.local_path(volume), "rb") as device:
        return device.seek(0, os.SEEK_END)


def soil(group: str, pieces: int = 64) -> None:
    """Leave something on the free blocks of a group for others to find."""
    run(["lvcreate", "-y", "-Wn", "-Zn", "-l", "100%FREE", "-n", "soil", group])
    with open(names.device_path(group, "soil"), "r+b", buffering=0) as device:
        total = device.seek(0, os.SEEK_END)
        step = total // pieces // MIB * MIB
        for offset in range(0, total - MIB, step):
            os.pwrite(device.fileno(), b"\xee" * 65536, offset)
        os.fsync(device.fileno())
    run(["lvremove", "-y", f"{group}/soil"])


def is_zero(path: str, step: int = 64 * MIB) -> bool:
    """Whether samples of a device, and all its first MiB, are zeros."""
    with open(path, "rb", buffering=0) as device:
        total = device.seek(0, os.SEEK_END)
        samples = [(0, MIB), (total - MIB, MIB), *((at, 65536) for at in range(0, total, step))]
        return not any(any(os.pread(device.fileno(), n, at)) for at, n in samples)


def logical_volumes(group: str) -> set[str]:
    """All that is in the group, but pools."""
    said = run(["lvs", "--noheadings", "-o", "lv_name,lv_layout", group]).text
    rows = [line.split() for line in said.splitlines()]
    return {row[0] for row in rows if "pool" not in row[1].split(",")}


def clean(group: str) -> None:
    """Remove all that tests made, the pool too."""
    run(["lvremove", "-y", group])


def snapshot_of(source: Volume) -> Snapshot:
    return tgtd.snapshot_of(source)


def volume(size: int = 1, **fields: object) -> Volume:
    return tgtd.volume(size, **fields)

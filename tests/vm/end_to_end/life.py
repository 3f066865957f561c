"""The life of a volume as its owner lives it, from creation to deletion, every byte compared."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cloud import Cloud
from tests.vm_lab.polling import wait_until

from breezeblock.drivers.initiator import AttachedDevice, Initiator
from breezeblock.execution.command import run

_GIB = 1024**3
_MIB = 1024**2


class Consumer:
    """A host that attaches volumes of a cloud by os-brick."""

    def __init__(self, cloud: Cloud, initiator: Initiator) -> None:
        self._cloud = cloud
        self.initiator = initiator
        self.connector = initiator.properties()

    @contextmanager
    def attached(self, volume_id: str) -> Iterator[AttachedDevice]:
        """The volume as a device of this host."""
        attachment_id, info = self._cloud.attach(volume_id, self.connector)
        device = self.initiator.connect(info)
        self._cloud.complete(attachment_id)
        try:
            yield device
        finally:
            self.initiator.disconnect(device)
            self._cloud.detach(attachment_id)
        assert not os.path.exists(device.path)


@contextmanager
def mounted(device: AttachedDevice) -> Iterator[Path]:
    """The device's file system."""
    place = Path("/run/scratch/mounted")
    place.mkdir(exist_ok=True)
    run(["mount", str(device.path), str(place)])
    try:
        yield place
    finally:
        run(["umount", str(place)])


def data(seed: str, size: int = 4 * _MIB) -> bytes:
    return random.Random(seed).randbytes(size)


def live(cloud: Cloud, consumer: Consumer, backend: str) -> None:
    """Create, format, write, snapshot, clone, extend while attached, detach, look, delete."""
    volume_id = cloud.create(backend)
    with consumer.attached(volume_id) as device:
        run(["mkfs.ext4", "-q", "-E", "nodiscard", str(device.path)], timeout=120)
        with mounted(device) as place:
            _write(place / "first", data("first"))
            snapshot_id = cloud.snapshot(volume_id)
            _write(place / "second", data("second"))
            run(["fsfreeze", "--freeze", str(place)])
            try:
                clone_id = cloud.create(backend, source_volid=volume_id)
            finally:
                run(["fsfreeze", "--unfreeze", str(place)])
            cloud.extend(volume_id, 2, then="in-use")
            wait_until(lambda: consumer.initiator.extend(device) == 2 * _GIB, 60)
            run(["resize2fs", str(device.path)], timeout=120)
            _write(place / "third", data("third"))
            _expect(place, "first", "second", "third")
            assert os.statvfs(place).f_blocks * os.statvfs(place).f_frsize > 1.8 * _GIB
    copy_id = cloud.create(backend, snapshot_id=snapshot_id)
    for looked_at, names in (
        (volume_id, ("first", "second", "third")),
        (clone_id, ("first", "second")),
        (copy_id, ("first",)),
    ):
        with consumer.attached(looked_at) as device:
            run(["fsck.ext4", "-p", str(device.path)], accept=(0, 1), timeout=120)
            with mounted(device) as place:
                _expect(place, *names)
                assert not (place / "third").exists() or "third" in names
    cloud.delete("snapshots", snapshot_id)
    for doomed in (copy_id, clone_id, volume_id):
        cloud.delete("volumes", doomed)


def live_briefly(cloud: Cloud, consumer: Consumer, backend: str) -> None:
    """Create, write, extend while attached, read back after another attachment, delete."""
    volume_id = cloud.create(backend)
    with consumer.attached(volume_id) as device:
        _stamp(device, "one")
        cloud.extend(volume_id, 2, then="in-use")
        wait_until(lambda: consumer.initiator.extend(device) == 2 * _GIB, 60)
    clone_id = cloud.create(backend, size=2, source_volid=volume_id)
    for looked_at in (volume_id, clone_id):
        with consumer.attached(looked_at) as device, open(device.path, "rb") as stream:
            assert stream.read(_MIB) == data("one", _MIB)
    for doomed in (clone_id, volume_id):
        cloud.delete("volumes", doomed)


def _stamp(device: AttachedDevice, seed: str) -> None:
    with open(device.path, "r+b") as stream:
        stream.write(data(seed, _MIB))
        stream.flush()
        os.fsync(stream.fileno())


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _expect(place: Path, *names: str) -> None:
    # What is in the page cache proves nothing.
    Path("/proc/sys/vm/drop_caches").write_text("3")
    for name in names:
        assert (place / name).read_bytes() == data(name), name


def nothing_left(*volume_groups: str) -> None:
    """No volume, target, session or mapping of ours anywhere."""
    for group in volume_groups:
        left = _lines(["lvs", "--noheadings", "-o", "lv_name", group])
        assert [name for name in left if not name.endswith("-pool")] == []
    assert "volume-" not in run(["dmsetup", "ls"]).text.replace("--", "-")
    assert _lines(["iscsiadm", "-m", "session"], accept=(0, 21)) == []
    assert _entries("/sys/kernel/config/nvmet/subsystems") == []
    for fabric in ("iscsi", "fc"):
        named = _entries(f"/sys/kernel/config/target/{fabric}")
        assert [name for name in named if "volume-" in name] == []
    backstores = [
        name
        for hba in _entries("/sys/kernel/config/target/core")
        for name in _entries(f"/sys/kernel/config/target/core/{hba}")
    ]
    assert [name for name in backstores if name.startswith("volume-")] == []


def _lines(command: list[str], accept: tuple[int, ...] = (0,)) -> list[str]:
    return [line.strip() for line in run(command, accept=accept).text.splitlines() if line.strip()]


def _entries(directory: str) -> list[str]:
    return sorted(os.listdir(directory)) if os.path.isdir(directory) else []


def initiator(locks: Path, *, address: str = "127.0.0.1", multipath: bool = False) -> Initiator:
    """This guest as a consumer."""
    return Initiator(locks, address=address, multipath=multipath, scan_tries=10)


Backends = Mapping[str, Mapping[str, Any]]

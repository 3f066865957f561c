"""Verbs that are interrupted: what is there before, and what has to be there afterwards."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from tests.ceph.drivers.workbench import CONTEXT, GIB, Workbench

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.rbd import RBDDriver

OTHER_POOL = "backups"


class Scenario(ABC):
    """``prepare``, ``act`` (interrupted, and again if it is ``resumed``), and one of two ends."""

    OPTIONS: ClassVar[dict[str, Any]] = {}
    #: What the verb makes or changes, whose name the operation goes by.
    subject: Volume | Snapshot

    def __init__(self, bench: Workbench, driver: RBDDriver) -> None:
        self.bench = bench
        #: The one that prepares, looks and cleans up; the verb may be called on others.
        self.driver = driver

    @abstractmethod
    def prepare(self) -> None: ...

    @abstractmethod
    def act(self, driver: RBDDriver) -> None: ...

    @abstractmethod
    def expect_done(self) -> None: ...

    @abstractmethod
    def clear(self) -> None:
        """Delete everything, whether the verb was done or not."""

    # ---- for them ------------------------------------------------------------------------------

    def made(self, pattern: int) -> Volume:
        """A volume whose first MiB is full of a byte."""
        volume = self.bench.volume()
        self.driver.create_volume(volume)
        self.bench.write(volume.name, pattern)
        return volume

    def cloned(self, source: Volume) -> Volume:
        clone = self.bench.volume(source_volid=source.id)
        self.driver.create_cloned_volume(clone, source)
        return clone

    def snapped(self, volume: Volume) -> Snapshot:
        snapshot = self.bench.snapshot(volume)
        self.driver.create_snapshot(snapshot)
        return snapshot

    def delete(self, *records: Volume | Snapshot) -> None:
        for record in records:
            if isinstance(record, Volume):
                self.driver.delete_volume(record)
            else:
                self.driver.delete_snapshot(record)


class CloneOfAClone(Scenario):
    """The source is deleted before its clones."""

    def prepare(self) -> None:
        self.first = self.made(7)
        self.second = self.cloned(self.first)
        self.subject = self.third = self.bench.volume(2, source_volid=self.second.id)

    def act(self, driver: RBDDriver) -> None:
        driver.create_cloned_volume(self.third, self.second)

    def expect_done(self) -> None:
        assert self.bench.info(self.third.name)["size"] == 2 * GIB
        self.bench.expect(self.third.name, 7)
        assert self.bench.parent(self.third.name) == (
            f"{self.second.name}@{self.third.name}.clone_snap"
        )

    def clear(self) -> None:
        self.delete(self.first, self.second, self.third)


class CloneAtTheLimit(CloneOfAClone):
    """It gets bytes of its own."""

    OPTIONS: ClassVar[dict[str, Any]] = {"rbd_max_clone_depth": 1}

    def expect_done(self) -> None:
        self.bench.expect(self.third.name, 7)
        assert self.bench.parent(self.third.name) is None
        assert self.bench.snapshots(self.second.name) == []


class FlatVolumeFromSnapshot(Scenario):
    """It gets bytes of its own."""

    OPTIONS: ClassVar[dict[str, Any]] = {"rbd_flatten_volume_from_snapshot": True}

    def prepare(self) -> None:
        self.volume = self.made(7)
        self.snapshot = self.snapped(self.volume)
        self.subject = self.copy = self.bench.volume(2, snapshot_id=self.snapshot.id)

    def act(self, driver: RBDDriver) -> None:
        driver.create_volume_from_snapshot(self.copy, self.snapshot)

    def expect_done(self) -> None:
        assert self.bench.parent(self.copy.name) is None
        assert self.bench.info(self.copy.name)["size"] == 2 * GIB
        self.bench.expect(self.copy.name, 7)

    def clear(self) -> None:
        self.delete(self.copy, self.snapshot, self.volume)


class SourceDeleted(Scenario):
    """A clone hangs on it; a backup has left a snapshot."""

    def prepare(self) -> None:
        self.subject = self.first = self.made(7)
        self.second = self.cloned(self.first)
        backup = "backup.9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11.snap.1700000000.25"
        self.bench.ceph.run_rbd(
            "snap", "create", "--no-progress", f"volumes/{self.first.name}@{backup}"
        )

    def act(self, driver: RBDDriver) -> None:
        driver.delete_volume(self.first)

    def expect_done(self) -> None:
        assert self.bench.images() == sorted([f"{self.first.name}.deleted", self.second.name])
        self.bench.expect(self.second.name, 7)

    def clear(self) -> None:
        self.delete(self.first, self.second)


class LastOfAChainDeleted(Scenario):
    """All that it hung on was deleted before, and goes with it."""

    def prepare(self) -> None:
        first = self.made(7)
        second = self.cloned(first)
        third = self.cloned(second)
        self.subject = self.last = self.cloned(third)
        self.delete(first, second, third)

    def act(self, driver: RBDDriver) -> None:
        driver.delete_volume(self.last)

    def expect_done(self) -> None:
        assert self.bench.images() == []

    def clear(self) -> None:
        self.delete(self.last)


class SnapshotWithAVolumeDeleted(Scenario):
    """What was made of it gets bytes of its own."""

    def prepare(self) -> None:
        self.volume = self.made(7)
        self.subject = self.snapshot = self.snapped(self.volume)
        self.copy = self.bench.volume()
        self.driver.create_volume_from_snapshot(self.copy, self.snapshot)

    def act(self, driver: RBDDriver) -> None:
        driver.delete_snapshot(self.snapshot)

    def expect_done(self) -> None:
        assert self.bench.snapshots(self.volume.name) == []
        self.bench.expect(self.copy.name, 7)

    def clear(self) -> None:
        self.delete(self.snapshot, self.volume, self.copy)


class RevertOfALargerVolume(Scenario):
    """It keeps its size."""

    def prepare(self) -> None:
        volume = self.made(7)
        self.snapshot = self.snapped(volume)
        self.driver.extend_volume(volume, 2)
        self.bench.write(volume.name, 8)
        self.subject = self.volume = dataclasses.replace(volume, size=2)

    def act(self, driver: RBDDriver) -> None:
        driver.revert_to_snapshot(CONTEXT, self.volume, self.snapshot)

    def expect_done(self) -> None:
        assert self.bench.info(self.volume.name)["size"] == 2 * GIB
        self.bench.expect(self.volume.name, 7)
        self.bench.expect(self.volume.name, 0, "1G")

    def clear(self) -> None:
        self.delete(self.snapshot, self.volume)


class Migration(Scenario):
    """A clone moves to another pool; its source is deleted already."""

    def prepare(self) -> None:
        source = self.made(7)
        self.subject = self.volume = self.cloned(source)
        self.delete(source)
        fsid, user = self.bench.ceph.fsid, "cinder"
        location = f"ceph:{self.bench.ceph.conf}:{fsid}:{user}:{OTHER_POOL}"
        self.host: dict[str, Any] = {"capabilities": {"location_info": location}}

    def act(self, driver: RBDDriver) -> None:
        assert driver.migrate_volume(CONTEXT, self.volume, self.host) == (True, None)

    def expect_done(self) -> None:
        assert self.bench.images() == []
        assert self.bench.images(OTHER_POOL) == [self.volume.name]
        assert self.bench.info(self.volume.name, OTHER_POOL).get("parent") is None
        self.bench.ceph.qemu_io(f"{OTHER_POOL}/{self.volume.name}", "read -P 7 0 1M")

    def clear(self) -> None:
        self.delete(self.volume)
        self.bench.driver(rbd_pool=OTHER_POOL).delete_volume(self.volume)
        assert self.bench.images(OTHER_POOL) == []


SCENARIOS: tuple[type[Scenario], ...] = (
    CloneOfAClone,
    CloneAtTheLimit,
    FlatVolumeFromSnapshot,
    SourceDeleted,
    LastOfAChainDeleted,
    SnapshotWithAVolumeDeleted,
    RevertOfALargerVolume,
    Migration,
)

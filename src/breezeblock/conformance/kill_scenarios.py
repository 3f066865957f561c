"""The verbs that are killed: what is there before, and what has to be there afterwards."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from breezeblock.conformance.backend import CONTEXT
from breezeblock.conformance.bench import Bench
from breezeblock.conformance.contents import Contents, few_places
from breezeblock.conformance.volume_data import VolumeData
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.interface import ModelUpdate, RevertToSnapshot, VolumeDriver

EMPTY = Contents.empty()
_PLACES = few_places(EMPTY.size)
SOURCE = EMPTY.stamped("source", _PLACES)
LATER = EMPTY.stamped("later", _PLACES)
STALE = "of another's volume"


class Scenario(ABC):
    """One verb on a bench; ``prepare`` first, then the verb, then one of the two ends."""

    #: Methods and abilities that it takes.
    NEEDS: ClassVar[tuple[str | type, ...]] = ()
    volume: Volume
    snapshot: Snapshot

    def __init__(self, bench: Bench, data: VolumeData) -> None:
        self.bench = bench
        self.data = data

    @property
    def subject(self) -> Volume | Snapshot:
        """What the verb makes or changes, whose name the operation goes by."""
        return self.volume

    def do(self) -> None:
        """The verb in this process; what the driver asks to remember is remembered."""
        update = self.act(self.bench.driver)
        self.volume = self.bench.updated(self.volume, update, "the verb")

    @abstractmethod
    def prepare(self) -> None:
        """Make what the verb works on."""

    @abstractmethod
    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        """The verb; called in the killed process, and again in this one."""

    @abstractmethod
    def expect_done(self) -> None:
        """Fail unless all is as after a call that was not interrupted."""

    @abstractmethod
    def expect_intact(self) -> None:
        """Fail unless what the verb must not lose is there, however far it came."""

    @abstractmethod
    def abandon(self) -> None:
        """Delete what the verb made or changed, as the service does that gives up."""

    def expect(self, volume: Volume, contents: Contents, rule: str) -> None:
        """Fail unless the volume holds ``contents``."""
        __tracebackhide__ = True
        self.data.expect(self.bench.driver, volume, contents, rule)

    def source(self) -> Volume:
        """A volume that holds ``SOURCE``."""
        volume = self.bench.created()
        self.data.write(self.bench.driver, volume, "source", _PLACES)
        return volume

    def leave_stale_bytes(self) -> None:
        """Make sure that free space is full of another's bytes."""
        volume = self.bench.created()
        self.data.write(self.bench.driver, volume, STALE, _PLACES)
        self.bench.delete(volume)


class Creation(Scenario):
    """``create_volume``."""

    def prepare(self) -> None:
        self.leave_stale_bytes()
        self.volume = self.bench.volume()

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        return driver.create_volume(self.volume)

    def expect_done(self) -> None:
        self.bench.expect_held(self.volume, "create_volume makes the volume")
        self.expect(self.volume, EMPTY, "a new volume reads zeros")

    def expect_intact(self) -> None:
        """It took nothing."""

    def abandon(self) -> None:
        self.bench.delete(self.volume)


class Deletion(Scenario):
    """``delete_volume``."""

    def prepare(self) -> None:
        self.volume = self.source()

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        driver.delete_volume(self.volume)
        return None

    def expect_done(self) -> None:
        self.bench.expect_gone(self.volume, "delete_volume removes the volume")

    def expect_intact(self) -> None:
        """It was to be lost."""

    def abandon(self) -> None:
        self.bench.delete(self.volume)


class Snapshotting(Scenario):
    """``create_snapshot``."""

    @property
    def subject(self) -> Snapshot:
        return self.snapshot

    def do(self) -> None:
        update = self.act(self.bench.driver)
        self.snapshot = self.bench.updated(self.snapshot, update, "create_snapshot")

    def prepare(self) -> None:
        self.volume = self.source()
        self.snapshot = self.bench.snapshot(self.volume)

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        return driver.create_snapshot(self.snapshot)

    def expect_done(self) -> None:
        self.bench.expect_held(self.snapshot, "create_snapshot makes the snapshot")
        made = self.bench.filled(self.snapshot)
        self.expect(made, SOURCE, "a snapshot has its volume's bytes")
        self.bench.delete(made)

    def expect_intact(self) -> None:
        self.expect(self.volume, SOURCE, "create_snapshot keeps the volume's bytes")

    def abandon(self) -> None:
        self.bench.delete(self.snapshot)


class SnapshotDeletion(Scenario):
    """``delete_snapshot``."""

    @property
    def subject(self) -> Snapshot:
        return self.snapshot

    def prepare(self) -> None:
        self.volume = self.source()
        self.snapshot = self.bench.snapped(self.volume)
        self.data.write(self.bench.driver, self.volume, "later", _PLACES)

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        driver.delete_snapshot(self.snapshot)
        return None

    def expect_done(self) -> None:
        self.bench.expect_gone(self.snapshot, "delete_snapshot removes the snapshot")

    def expect_intact(self) -> None:
        self.expect(self.volume, LATER, "delete_snapshot keeps the volume's bytes")

    def abandon(self) -> None:
        self.bench.delete(self.snapshot)


class Filling(Scenario):
    """``create_volume_from_snapshot``, to a larger size."""

    def prepare(self) -> None:
        self.leave_stale_bytes()
        self.origin = self.source()
        self.snapshot = self.bench.snapped(self.origin)
        self.volume = self.bench.volume(2, snapshot_id=self.snapshot.id)

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        return driver.create_volume_from_snapshot(self.volume, self.snapshot)

    def expect_done(self) -> None:
        self.bench.expect_held(self.volume, "create_volume_from_snapshot makes the volume")
        self.expect(self.volume, SOURCE.grown(2), "a volume from a snapshot has its bytes")

    def expect_intact(self) -> None:
        self.bench.expect_held(self.snapshot, "the snapshot stays that a volume is made of")
        self.expect(self.origin, SOURCE, "the volume of the snapshot keeps its bytes")

    def abandon(self) -> None:
        self.bench.delete(self.volume)


class Cloning(Scenario):
    """``create_cloned_volume``, to a larger size."""

    NEEDS = ("create_cloned_volume",)

    def prepare(self) -> None:
        self.leave_stale_bytes()
        self.origin = self.source()
        self.volume = self.bench.volume(2, source_volid=self.origin.id)

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        return driver.create_cloned_volume(self.volume, self.origin)

    def expect_done(self) -> None:
        self.bench.expect_held(self.volume, "create_cloned_volume makes the volume")
        self.expect(self.volume, SOURCE.grown(2), "a clone has its source's bytes")

    def expect_intact(self) -> None:
        self.expect(self.origin, SOURCE, "a source keeps its bytes")

    def abandon(self) -> None:
        self.bench.delete(self.volume)


class Extension(Scenario):
    """``extend_volume``."""

    NEEDS = ("extend_volume",)

    def prepare(self) -> None:
        self.leave_stale_bytes()
        self.volume = self.source()

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        driver.extend_volume(self.volume, 2)
        return None

    def expect_done(self) -> None:
        self.expect(
            self.volume, SOURCE.grown(2), "extend_volume keeps the bytes; what is new reads zeros"
        )

    def expect_intact(self) -> None:
        with self.data.opened(self.bench.driver, self.volume) as opened:
            size = 2 if opened.size >= EMPTY.grown(2).size else 1
        self.expect(self.volume, SOURCE.grown(size), "an interrupted extension keeps the bytes")

    def abandon(self) -> None:
        self.bench.delete(self.volume)


class Reverting(Scenario):
    """``revert_to_snapshot``."""

    NEEDS = (RevertToSnapshot,)

    def prepare(self) -> None:
        self.volume = self.source()
        self.snapshot = self.bench.snapped(self.volume)
        self.data.write(self.bench.driver, self.volume, "later", _PLACES)

    def act(self, driver: VolumeDriver) -> ModelUpdate | None:
        driver.revert_to_snapshot(CONTEXT, self.volume, self.snapshot)
        return None

    def expect_done(self) -> None:
        self.bench.expect_held(self.snapshot, "revert_to_snapshot keeps the snapshot")
        self.expect(self.volume, SOURCE, "revert_to_snapshot puts back the snapshot's bytes")

    def expect_intact(self) -> None:
        self.bench.expect_held(self.snapshot, "revert_to_snapshot keeps the snapshot")
        driver = self.bench.driver
        if self.data.difference(driver, self.volume, SOURCE) is not None:
            self.expect(self.volume, LATER, "an interrupted revert is done whole or not at all")

    def abandon(self) -> None:
        self.bench.delete(self.snapshot)
        self.bench.delete(self.volume)


SCENARIOS: tuple[type[Scenario], ...] = (
    Creation,
    Deletion,
    Snapshotting,
    SnapshotDeletion,
    Filling,
    Cloning,
    Extension,
    Reverting,
)

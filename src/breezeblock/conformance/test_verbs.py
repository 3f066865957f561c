"""Every verb does what the contract says and may be called again; bytes are looked at elsewhere."""

from __future__ import annotations

import dataclasses
import uuid
from collections.abc import Callable

import pytest

from breezeblock.conformance.backend import CONTEXT
from breezeblock.conformance.bench import Bench, broken, twice
from breezeblock.conformance.support import KNOWS_NOTHING_MISSING, require
from breezeblock.domain.errors import BreezeblockError
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import SnapshotIsBusy, VolumeIsBusy
from breezeblock.drivers.interface import RevertToSnapshot


def test_create_and_delete_twice(bench: Bench) -> None:
    volume = bench.volume()
    twice("create_volume", lambda: bench.create(volume))
    bench.expect_held(volume, "create_volume makes the volume")
    twice("delete_volume", lambda: bench.delete(volume))
    bench.expect_gone(volume, "delete_volume removes the volume")


def test_delete_of_what_never_was(bench: Bench) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    _succeeds("deleting a snapshot that is absent is success", lambda: bench.delete(snapshot))
    _succeeds("deleting a volume that is absent is success", lambda: bench.delete(volume))


def test_create_after_delete(bench: Bench) -> None:
    """A name may come back, when an operation is undone and begun again."""
    volume = bench.created()
    bench.delete(volume)
    bench.create(volume)
    bench.expect_held(volume, "a deleted volume can be made again")


def test_snapshot_twice(bench: Bench) -> None:
    volume = bench.created()
    snapshot = bench.snapshot(volume)
    twice("create_snapshot", lambda: bench.snap(snapshot))
    bench.expect_held(snapshot, "create_snapshot makes the snapshot")
    twice("delete_snapshot", lambda: bench.delete(snapshot))
    bench.expect_gone(snapshot, "delete_snapshot removes the snapshot")
    bench.expect_held(volume, "delete_snapshot keeps the volume")


@pytest.mark.parametrize("size", [1, 2])
def test_volume_from_snapshot_twice(bench: Bench, size: int) -> None:
    snapshot = bench.snapped(bench.created())
    volume = bench.volume(size, snapshot_id=snapshot.id)
    twice("create_volume_from_snapshot", lambda: bench.fill(volume, snapshot))
    bench.expect_held(volume, "create_volume_from_snapshot makes the volume")


@pytest.mark.parametrize("size", [1, 2])
def test_clone_twice(bench: Bench, size: int) -> None:
    require(bench.driver, "create_cloned_volume")
    source = bench.created()
    volume = bench.volume(size, source_volid=source.id)
    twice("create_cloned_volume", lambda: bench.clone(volume, source))
    bench.expect_held(volume, "create_cloned_volume makes the volume")
    bench.expect_held(source, "create_cloned_volume keeps its source")


def test_extend_twice(bench: Bench) -> None:
    require(bench.driver, "extend_volume")
    volume = bench.created()
    twice("extend_volume", lambda: bench.extend(volume, 2))


def test_revert_twice(bench: Bench) -> None:
    require(bench.driver, RevertToSnapshot)
    volume = bench.created()
    snapshot = bench.snapped(volume)
    twice("revert_to_snapshot", lambda: bench.driver.revert_to_snapshot(CONTEXT, volume, snapshot))
    bench.expect_held(snapshot, "revert_to_snapshot keeps the snapshot")
    bench.expect_held(volume, "revert_to_snapshot keeps the volume")


def test_volume_with_snapshots_is_busy_or_goes_alone(bench: Bench) -> None:
    """Either it is refused and all stays, or the snapshot does not need the volume."""
    volume = bench.created()
    snapshot = bench.snapped(volume)
    try:
        bench.delete(volume)
    except VolumeIsBusy:
        bench.expect_held(volume, "a volume that is busy stays")
    bench.expect_held(snapshot, "deleting a volume keeps its snapshots, or raises VolumeIsBusy")


def test_snapshot_with_volumes_is_busy_or_goes_alone(bench: Bench) -> None:
    snapshot = bench.snapped(bench.created())
    made = bench.filled(snapshot)
    try:
        bench.delete(snapshot)
    except SnapshotIsBusy:
        bench.expect_held(snapshot, "a snapshot that is busy stays")
    bench.expect_held(made, "deleting a snapshot keeps the volumes made of it")


def test_renamed_volume_is_found_by_its_name(bench: Bench) -> None:
    """After a migration the id of a volume is not its name: only ``volume.name`` counts."""
    volume = bench.volume(name_id=str(uuid.uuid4()))
    bench.create(volume)
    snapshot = bench.snapped(volume)
    bench.expect_held(volume, "the backend knows a volume by its name, not by its id")
    bench.delete(snapshot)
    bench.delete(volume)
    bench.expect_gone(volume, "the backend knows a volume by its name, not by its id")


# ---- errors ----------------------------------------------------------------------------------


def _succeeds(rule: str, action: Callable[[], object]) -> None:
    __tracebackhide__ = True
    try:
        action()
    except Exception as failure:
        broken(rule, f"it raised {failure!r}")


def _refused(rule: str, action: Callable[[], object]) -> None:
    __tracebackhide__ = True
    try:
        action()
    except BreezeblockError as failure:
        if not str(failure).strip():
            broken("an error says cause and remedy", repr(failure))
    except Exception as failure:
        broken("a driver raises errors of breezeblock.drivers.errors", f"not {failure!r}")
    else:
        broken(rule)


@pytest.fixture
def absent(bench: Bench, holds_bytes: bool) -> tuple[Volume, Snapshot]:
    """Records that the backend holds nothing of."""
    if not holds_bytes:
        pytest.skip(KNOWS_NOTHING_MISSING)
    volume = bench.volume()
    return volume, bench.snapshot(volume)


def test_snapshot_of_a_missing_volume(bench: Bench, absent: tuple[Volume, Snapshot]) -> None:
    _, snapshot = absent
    _refused("a snapshot of a missing volume is refused", lambda: bench.snap(snapshot))
    bench.expect_gone(snapshot, "a refused snapshot leaves nothing behind")


def test_volume_of_a_missing_snapshot(bench: Bench, absent: tuple[Volume, Snapshot]) -> None:
    _, snapshot = absent
    volume = bench.volume()
    _refused("a volume from a missing snapshot is refused", lambda: bench.fill(volume, snapshot))
    bench.expect_gone(volume, "a refused volume leaves nothing behind")


def test_clone_of_a_missing_volume(bench: Bench, absent: tuple[Volume, Snapshot]) -> None:
    require(bench.driver, "create_cloned_volume")
    source, _ = absent
    volume = bench.volume()
    _refused("a clone of a missing volume is refused", lambda: bench.clone(volume, source))
    bench.expect_gone(volume, "a refused clone leaves nothing behind")


def test_extension_of_a_missing_volume(bench: Bench, absent: tuple[Volume, Snapshot]) -> None:
    require(bench.driver, "extend_volume")
    volume, _ = absent
    _refused("extending a missing volume is refused", lambda: bench.extend(volume, 2))
    bench.expect_gone(volume, "a refused extension makes nothing")


def test_revert_to_a_missing_snapshot(bench: Bench, absent: tuple[Volume, Snapshot]) -> None:
    require(bench.driver, RevertToSnapshot)
    volume = bench.created()
    snapshot = dataclasses.replace(absent[1], volume_id=volume.id)
    _refused(
        "a revert to a missing snapshot is refused",
        lambda: bench.driver.revert_to_snapshot(CONTEXT, volume, snapshot),
    )
    bench.expect_held(volume, "a refused revert keeps the volume")

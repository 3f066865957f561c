"""The LVM driver on a thin pool."""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.vm.drivers import lvm_lab
from tests.vm.drivers.lvm_lab import (
    GIB,
    MIB,
    Options,
    Recorder,
    read,
    size,
    snapshot_of,
    started,
    volume,
    write,
)

from breezeblock.drivers.errors import BackendMisconfigured, VolumeIsBusy, VolumeIsMissing
from breezeblock.drivers.interface import ExtendInUse, ListsOwnObjects, RevertToSnapshot
from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.execution.command import run

OLD, NEW = b"old!" * 1000, b"new!" * 1000


@pytest.fixture
def options(volume_group: str) -> Iterator[Options]:
    with lvm_lab.options(volume_group, lvm_type="auto") as made:
        yield made
        lvm_lab.clean(volume_group)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def driver(options: Options, recorder: Recorder) -> LVMVolumeDriver:
    return started(options, recorder)


def test_life(  # noqa: PLR0915 - one story
    driver: LVMVolumeDriver, recorder: Recorder, options: Options
) -> None:
    """Each verb is one command of LVM's, its repetition does no harm, and bytes are right."""
    assert isinstance(driver, RevertToSnapshot)
    assert isinstance(driver, ExtendInUse)
    assert isinstance(driver, ListsOwnObjects)

    one = volume()
    driver.create_volume(one)
    assert recorder.take() == ["lvcreate"]
    write(driver, one, OLD, 5 * MIB)
    driver.create_volume(one)
    assert read(driver, one, len(OLD), 5 * MIB) == OLD
    recorder.take()

    snapshot = snapshot_of(one)
    driver.create_snapshot(snapshot)
    assert recorder.take() == ["lvcreate"]
    write(driver, one, NEW, 5 * MIB)
    driver.create_snapshot(snapshot)
    recorder.take()

    same, larger, clone = volume(), volume(2), volume()
    driver.create_volume_from_snapshot(same, snapshot)
    assert recorder.take() == ["lvcreate"]
    driver.create_volume_from_snapshot(larger, snapshot)
    assert recorder.take() == ["lvcreate", "lvextend"]
    driver.create_volume_from_snapshot(larger, snapshot)
    assert size(driver, larger) == 2 * GIB
    assert read(driver, same, len(OLD), 5 * MIB) == OLD
    assert read(driver, larger, len(OLD), 5 * MIB) == OLD
    recorder.take()
    driver.create_cloned_volume(clone, one)
    assert recorder.take() == ["lvcreate"]
    assert read(driver, clone, len(NEW), 5 * MIB) == NEW

    assert driver.list_volume_names() == {v.name for v in (one, same, larger, clone)}
    assert driver.list_snapshot_names() == {snapshot.name}

    recorder.take()
    driver.extend_volume(one, 2)
    driver.extend_volume(one, 2)
    assert size(driver, one) == 2 * GIB

    grown = dataclasses.replace(one, size=2)
    for _ in range(2):
        driver.revert_to_snapshot(None, grown, snapshot)
        assert size(driver, one) == 2 * GIB
        assert read(driver, one, len(OLD), 5 * MIB) == OLD
        write(driver, one, NEW, 5 * MIB)

    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    assert pool["thin_provisioning_support"] is True
    assert pool["total_volumes"] == 4
    assert pool["provisioned_capacity_gb"] == 7.0
    assert 7 < pool["free_capacity_gb"] <= pool["total_capacity_gb"] < 8
    assert 0 < pool["thin_pool_metadata_percent"] < 50
    assert pool["backend_state"] == "up"

    # A thin volume does not need its snapshots, nor they it.
    recorder.take()
    driver.delete_volume(one)
    assert recorder.take() == ["lvremove"]
    driver.delete_volume(one)
    for _ in range(2):
        driver.delete_snapshot(snapshot)
    assert read(driver, larger, len(OLD), 5 * MIB) == OLD
    for rest in (same, larger, clone):
        driver.delete_volume(rest)
    assert lvm_lab.logical_volumes(options.volume_group) == set()


def test_what_is_in_use_stays(driver: LVMVolumeDriver) -> None:
    one = volume()
    driver.create_volume(one)
    snapshot = snapshot_of(one)
    driver.create_snapshot(snapshot)
    fd = os.open(driver.local_path(one), os.O_RDONLY)
    try:
        with pytest.raises(VolumeIsBusy, match=f"pid {os.getpid()}"):
            driver.delete_volume(one)
        with pytest.raises(VolumeIsBusy, match="held open"):
            driver.revert_to_snapshot(None, one, snapshot)
        driver.extend_volume(one, 2)
    finally:
        os.close(fd)
    assert size(driver, one) == 2 * GIB


def test_missing_sources_are_named(driver: LVMVolumeDriver) -> None:
    one, other = volume(), volume()
    with pytest.raises(VolumeIsMissing, match=one.name):
        driver.create_cloned_volume(other, one)
    with pytest.raises(VolumeIsMissing):
        driver.create_snapshot(snapshot_of(one))
    with pytest.raises(VolumeIsMissing):
        driver.create_volume_from_snapshot(other, snapshot_of(one))
    with pytest.raises(VolumeIsMissing):
        driver.extend_volume(one, 2)
    with pytest.raises(VolumeIsMissing):
        driver.revert_to_snapshot(None, one, snapshot_of(one))
    with pytest.raises(VolumeIsMissing):
        driver.create_export(None, one, None)
    assert driver.list_volume_names() == set()


def test_export_activates(driver: LVMVolumeDriver) -> None:
    one = volume()
    driver.create_volume(one)
    run(["lvchange", "-an", f"{driver.vg.name}/{one.name}"])
    assert not Path(driver.local_path(one)).exists()
    model = driver.create_export(None, one, None)
    assert model
    assert model["provider_location"]
    assert Path("/dev", driver.vg.name, one.name).exists()
    with driver.attached(None, one) as device:
        assert device.path == driver.local_path(one)
    driver.remove_export(None, one)


def test_twenty_at_once(driver: LVMVolumeDriver, options: Options) -> None:
    volumes = [volume() for _ in range(20)]
    failures: list[Exception] = []

    def live(one: object) -> None:
        try:
            driver.create_volume(one)  # type: ignore[arg-type]
        except Exception as failure:
            failures.append(failure)

    threads = [threading.Thread(target=live, args=(one,)) for one in volumes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert driver.list_volume_names() == {one.name for one in volumes}


def test_a_pool_that_does_not_zero_is_refused(options: Options) -> None:
    group = options.volume_group
    run(["lvcreate", "-y", "-Zn", "-T", "-L", "1g", f"{group}/{group}-pool"])
    with pytest.raises(BackendMisconfigured, match="lvchange -Zy"):
        started(options)
    run(["lvchange", "-Zy", f"{group}/{group}-pool"])
    started(options)


def test_a_full_pool_is_reported(options: Options) -> None:
    group = options.volume_group
    run(["lvcreate", "-y", "-Zy", "-T", "-L", "8m", f"{group}/{group}-pool"])
    run(["lvchange", "--errorwhenfull", "y", f"{group}/{group}-pool"])
    driver = started(options)
    one = volume()
    driver.create_volume(one)
    with pytest.raises(OSError):
        write(driver, one, b"x" * (16 * MIB))
    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    assert pool["backend_state"] == "down"
    assert "out of data space" in pool["backend_state_reason"]

"""The LVM driver on thick volumes, mirrored ones, and a group that holds both kinds."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator

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

from breezeblock.drivers.errors import BackendMisconfigured, SnapshotIsBusy, VolumeIsBusy
from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.drivers.lvm.errors import NoSpace
from breezeblock.execution.command import run

OLD, NEW = b"old!" * 1000, b"new!" * 1000
AT = 5 * MIB


@pytest.fixture
def options(volume_group: str) -> Iterator[Options]:
    with lvm_lab.options(volume_group, lvm_type="default") as made:
        yield made
        lvm_lab.clean(volume_group)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def driver(options: Options, recorder: Recorder) -> LVMVolumeDriver:
    return started(options, recorder)


def test_life(driver: LVMVolumeDriver, recorder: Recorder, options: Options) -> None:
    group = options.volume_group
    lvm_lab.soil(group)
    one = volume()
    driver.create_volume(one)
    assert recorder.take() == ["lvcreate"]
    assert lvm_lab.is_zero(driver.local_path(one))
    write(driver, one, OLD, AT)
    driver.create_volume(one)
    assert read(driver, one, len(OLD), AT) == OLD

    snapshot = snapshot_of(one)
    recorder.take()
    driver.create_snapshot(snapshot)
    assert recorder.take() == ["lvcreate"]
    write(driver, one, NEW, AT)
    driver.create_snapshot(snapshot)
    with pytest.raises(VolumeIsBusy, match="snapshots"):
        driver.delete_volume(one)
    assert read(driver, one, len(NEW), AT) == NEW

    # An origin of snapshots is taken away from its users for a moment to grow.
    driver.extend_volume(one, 2)
    assert size(driver, one) == 2 * GIB
    assert read(driver, one, len(NEW), AT) == NEW
    with open(driver.local_path(one), "rb", buffering=0) as device:
        for at in range(GIB, 2 * GIB, 64 * MIB):
            assert not any(os.pread(device.fileno(), 65536, at))
    driver.extend_volume(one, 2)

    grown = dataclasses.replace(one, size=2)
    driver.revert_to_snapshot(None, grown, snapshot)
    assert size(driver, one) == 2 * GIB
    assert read(driver, one, len(OLD), AT) == OLD
    write(driver, one, NEW, AT)
    driver.revert_to_snapshot(None, grown, snapshot)
    assert read(driver, one, len(OLD), AT) == OLD

    for _ in range(2):
        driver.delete_snapshot(snapshot)
    recorder.take()
    driver.delete_volume(one)
    assert recorder.take() == ["lvs", "lvremove"]
    driver.delete_volume(one)
    assert lvm_lab.logical_volumes(group) == set()


def test_copies(driver: LVMVolumeDriver, options: Options) -> None:
    group = options.volume_group
    lvm_lab.soil(group)
    one, larger, clone = volume(), volume(2), volume()
    driver.create_volume(one)
    write(driver, one, OLD, AT)
    snapshot = snapshot_of(one)
    driver.create_snapshot(snapshot)
    write(driver, one, NEW, AT)
    for _ in range(2):
        driver.create_volume_from_snapshot(larger, snapshot)
        assert read(driver, larger, len(OLD), AT) == OLD
        with open(driver.local_path(larger), "rb", buffering=0) as device:
            for at in (AT + len(OLD), *range(64 * MIB, 2 * GIB, 64 * MIB)):
                assert not any(os.pread(device.fileno(), 65536, at))
        write(driver, larger, OLD, AT)
    driver.delete_volume(larger)
    for _ in range(2):
        driver.create_cloned_volume(clone, one)
        assert read(driver, clone, len(NEW), AT) == NEW
    names = {one.name, clone.name, f"_{snapshot.name}"}
    assert lvm_lab.logical_volumes(group) == names
    assert driver.list_volume_names() == {one.name, clone.name}
    assert driver.list_snapshot_names() == {snapshot.name}


def test_what_is_in_use_is_not_wiped(driver: LVMVolumeDriver) -> None:
    one = volume()
    driver.create_volume(one)
    snapshot = snapshot_of(one)
    driver.create_snapshot(snapshot)
    write(driver, one, OLD)
    path = driver.vg.path(f"_{snapshot.name}")
    fd = os.open(path, os.O_RDONLY)
    try:
        with pytest.raises(SnapshotIsBusy, match=str(os.getpid())):
            driver.delete_snapshot(snapshot)
        with pytest.raises(VolumeIsBusy):
            driver.extend_volume(one, 2)
        with pytest.raises(VolumeIsBusy):
            driver.revert_to_snapshot(None, one, snapshot)
    finally:
        os.close(fd)
    driver.delete_snapshot(snapshot)
    fd = os.open(driver.local_path(one), os.O_RDONLY)
    try:
        with pytest.raises(VolumeIsBusy, match=str(os.getpid())):
            driver.delete_volume(one)
    finally:
        os.close(fd)
    assert read(driver, one, len(OLD)) == OLD


def test_a_full_group_leaves_nothing(driver: LVMVolumeDriver, options: Options) -> None:
    with pytest.raises(NoSpace, match="insufficient free space"):
        driver.create_volume(volume(100))
    assert lvm_lab.logical_volumes(options.volume_group) == set()
    assert driver._site.journal.entries() == []
    pool = driver.get_volume_stats()["pools"][0]
    assert pool["thick_provisioning_support"] is True
    assert pool["free_capacity_gb"] == pool["total_capacity_gb"] == 8.0
    assert pool["provisioned_capacity_gb"] == 0


def test_both_kinds_in_one_group(options: Options) -> None:
    """What a volume is, it says itself; the option is for new ones."""
    group = options.volume_group
    run(["lvcreate", "-y", "-Zy", "-T", "-L", "2g", f"{group}/{group}-pool"])
    thick, one = started(options), volume()
    thick.create_volume(one)
    write(thick, one, OLD, AT)
    snapshot = snapshot_of(one)
    thick.create_snapshot(snapshot)
    thin = started(dataclasses.replace(options, lvm_type="auto"))
    copy, clone = volume(), volume()
    # Thick sources are copied to thin volumes, which take no more than the data.
    thin.create_volume_from_snapshot(copy, snapshot)
    assert thin.vg.is_thin(copy.name)
    assert read(thin, copy, len(OLD), AT) == OLD
    found = thin.vg.existing(copy.name)
    assert found.data_percent is not None
    assert found.data_percent < 1
    # Thin sources are shared, also where new volumes are thick.
    thick.create_cloned_volume(clone, copy)
    assert thick.vg.is_thin(clone.name)
    assert read(thick, clone, len(OLD), AT) == OLD
    thin.delete_snapshot(snapshot)
    for each in (one, copy, clone):
        thin.delete_volume(each)
    assert lvm_lab.logical_volumes(group) == set()


def test_mirrors(volume_group: str) -> None:
    run(["vgextend", "-y", volume_group, "/dev/vdb"])
    try:
        with lvm_lab.options(volume_group, lvm_type="default", lvm_mirrors=1) as options:
            driver, one = started(options), volume()
            driver.create_volume(one)
            write(driver, one, OLD, AT)
            snapshot = snapshot_of(one)
            driver.create_snapshot(snapshot)
            driver.delete_snapshot(snapshot)
            driver.extend_volume(one, 2)
            assert read(driver, one, len(OLD), AT) == OLD
            assert driver.vg.existing(one.name).is_mirrored
            pool = driver.get_volume_stats()["pools"][0]
            assert pool["location_info"].endswith(f":{volume_group}:default:1")
            assert 7.9 < pool["total_capacity_gb"] <= 8
            assert 5.9 < pool["free_capacity_gb"] < 6.0
            driver.delete_volume(one)
            with pytest.raises(BackendMisconfigured, match="lvm_mirrors"):
                started(dataclasses.replace(options, lvm_type="thin"))
    finally:
        lvm_lab.clean(volume_group)
        run(["vgreduce", volume_group, "/dev/vdb"])
        run(["pvremove", "-y", "/dev/vdb"])


def test_a_missing_group_is_named(options: Options) -> None:
    with pytest.raises(BackendMisconfigured, match="vgcreate nowhere"):
        started(dataclasses.replace(options, volume_group="nowhere"))

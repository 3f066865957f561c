"""Volumes of the LVM driver that come from elsewhere and go elsewhere."""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Iterator

import pytest
from tests.vm.drivers import lvm_lab
from tests.vm.drivers.lvm_lab import (
    GIB,
    MIB,
    Options,
    read,
    size,
    snapshot_of,
    started,
    volume,
    write,
)

from breezeblock.drivers import progress
from breezeblock.drivers.errors import (
    ManageExistingAlreadyManaged,
    ManageExistingInvalidReference,
    VolumeBackendError,
    VolumeIsBusy,
)
from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.execution.command import run

DATA = b"data" * 1000
AT = 100 * MIB


@pytest.fixture
def options(volume_group: str) -> Iterator[Options]:
    with lvm_lab.options(volume_group, lvm_type="default", volume_clear_size=64) as made:
        yield made
        lvm_lab.clean(volume_group)


@pytest.fixture
def driver(options: Options) -> LVMVolumeDriver:
    return started(options)


def host_of(driver: LVMVolumeDriver) -> dict[str, object]:
    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    return {"host": "here@other#pool", "cluster_name": None, "capabilities": pool}


def test_manage(driver: LVMVolumeDriver, options: Options) -> None:
    group = options.volume_group
    run(["lvcreate", "-y", "-L", "1540m", "-n", "precious", group])
    lvm_lab.write_path(f"/dev/{group}/precious", DATA, AT)
    run(["lvcreate", "-y", "-s", "-L", "64m", "-n", "friday", f"{group}/precious"])

    rows = driver.get_manageable_volumes([], None, 10, 0, ["reference"], ["asc"])
    assert [(r["reference"]["source-name"], r["size"], r["safe_to_manage"]) for r in rows] == [
        ("precious", 2, True)
    ]
    (kept,) = driver.get_manageable_snapshots([], None, 10, 0, [], [])
    assert kept["reference"] == {"source-name": "friday"}
    assert kept["source_reference"] == {"source-name": "precious"}
    assert kept["size"] == 2

    one, reference = volume(2), {"source-name": "precious"}
    assert driver.manage_existing_get_size(one, reference) == 2
    with pytest.raises(ManageExistingInvalidReference, match="no volume of that name"):
        driver.manage_existing_get_size(one, {"source-name": "gone"})
    with pytest.raises(ManageExistingInvalidReference, match="snapshot"):
        driver.manage_existing(one, {"source-name": "friday"})
    for _ in range(2):
        driver.manage_existing(one, reference)
    assert read(driver, one, len(DATA), AT) == DATA

    driver.is_managed = lambda volume_id: volume_id == one.id
    with pytest.raises(ManageExistingAlreadyManaged):
        driver.manage_existing(volume(2), {"source-name": one.name})

    snapshot = snapshot_of(one)
    assert driver.manage_existing_snapshot_get_size(snapshot, "friday") == 2
    with pytest.raises(ManageExistingInvalidReference, match="no snapshot"):
        driver.manage_existing_snapshot(snapshot, {"source-name": one.name})
    for _ in range(2):
        driver.manage_existing_snapshot(snapshot, "friday")
    assert driver.list_snapshot_names() == {snapshot.name}
    (row,) = driver.get_manageable_volumes([one], None, 10, 0, [], [])
    assert row["cinder_id"] == one.id
    (kept,) = driver.get_manageable_snapshots([snapshot], None, 10, 0, [], [])
    assert kept["reason_not_safe"] == "already managed"

    driver.unmanage_snapshot(snapshot)
    driver.unmanage(one)
    assert lvm_lab.logical_volumes(group) == {one.name, f"_{snapshot.name}"}


def test_migrate(driver: LVMVolumeDriver, options: Options, second_volume_group: str) -> None:
    thin = dataclasses.replace(options, volume_group=second_volume_group, lvm_type="thin")
    other = started(thin)
    try:
        one = volume()
        driver.create_volume(one)
        write(driver, one, DATA, AT)
        there = host_of(other)
        with pytest.raises(VolumeBackendError, match="already"):
            driver.migrate_volume(None, one, host_of(driver))
        used = dataclasses.replace(one, status="in-use")
        assert driver.migrate_volume(None, used, there) == (False, None)
        assert driver.migrate_volume(None, one, {"host": "x"}) == (False, None)
        info = str(there["capabilities"]["location_info"])  # type: ignore[index]
        nowhere = {"capabilities": {"location_info": info.replace(second_volume_group, "gone")}}
        assert driver.migrate_volume(None, one, nowhere) == (False, None)
        fd = os.open(driver.local_path(one), os.O_RDONLY)
        with pytest.raises(VolumeIsBusy):
            driver.migrate_volume(None, one, there)
        os.close(fd)

        for _ in range(2):
            assert driver.migrate_volume(None, one, there) == (True, None)
            assert lvm_lab.logical_volumes(options.volume_group) == set()
            assert read(other, one, len(DATA), AT) == DATA
        assert other.vg.is_thin(one.name)

        # Back, by a worker that dies in the middle of the copy, and again.
        assert died_in_the_copy(other, one, host_of(driver))
        other.recover([one.name])
        assert read(other, one, len(DATA), AT) == DATA
        assert other.migrate_volume(None, one, host_of(driver)) == (True, None)
        assert read(driver, one, len(DATA), AT) == DATA
        assert not any(read(driver, one, MIB, AT + MIB))
        assert lvm_lab.logical_volumes(second_volume_group) == set()
        assert driver._site.journal.entries() == []
    finally:
        lvm_lab.clean(second_volume_group)


def died_in_the_copy(driver: LVMVolumeDriver, one: object, there: object) -> bool:
    class Dying:
        def report(self, bytes_done: int, bytes_total: int) -> None:
            if 0 < bytes_done < bytes_total:
                os.kill(os.getpid(), signal.SIGKILL)

        def checkpoint(self) -> None:
            """Go on."""

    child = os.fork()
    if child == 0:
        with progress.using(Dying()):
            driver.migrate_volume(None, one, there)  # type: ignore[arg-type]
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_migrated_volume_gets_its_name_back(driver: LVMVolumeDriver) -> None:
    old, new = volume(), volume()
    driver.create_volume(new)
    write(driver, new, DATA, AT)
    kept = driver.update_migrated_volume(None, old, new, "in-use")
    assert kept == {"_name_id": new.id, "provider_location": new.provider_location}
    for _ in range(2):
        update = driver.update_migrated_volume(None, old, new, "available")
        assert update == {"_name_id": None, "provider_location": None}
    assert read(driver, old, len(DATA), AT) == DATA
    assert size(driver, old) == GIB
    assert driver.retype(None, old, None, {}, {}) is True

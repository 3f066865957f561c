"""Volumes move between pools of a cluster, and take over what was moved to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from tests.ceph.drivers.workbench import CONTEXT, Workbench

from breezeblock.drivers.errors import VolumeBackendError, VolumeIsBusy
from breezeblock.drivers.rbd import RBDDriver

OTHER = "backups"


def host(bench: Workbench, **changes: str) -> dict[str, Any]:
    """A host with another pool of the cluster."""
    options: Any = {"fsid": bench.ceph.fsid, "pool": OTHER, "protocol": "ceph", **changes}
    location = f"ceph:{bench.ceph.conf}:{options['fsid']}:cinder:{options['pool']}"
    return {"capabilities": {"location_info": location, "storage_protocol": options["protocol"]}}


def test_to_another_pool(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    bench.write(volume.name, 7)
    for _ in range(2):
        assert driver.migrate_volume(CONTEXT, volume, host(bench)) == (True, None)
    assert (bench.images(), bench.images(OTHER)) == ([], [volume.name])
    bench.ceph.qemu_io(f"{OTHER}/{volume.name}", "read -P 7 0 1M")
    bench.driver(rbd_pool=OTHER).delete_volume(volume)


def test_hosts_that_are_not_of_this_cluster(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    for changes in ({"fsid": "another"}, {"protocol": "iSCSI"}):
        assert driver.migrate_volume(CONTEXT, volume, host(bench, **changes)) == (False, None)
    error = dataclasses.replace(volume, status="error")
    assert driver.migrate_volume(CONTEXT, error, host(bench)) == (False, None)
    same = host(bench, pool="volumes")
    assert driver.migrate_volume(CONTEXT, volume, same) == (True, None)
    assert bench.images() == [volume.name]
    driver.delete_volume(volume)


def test_what_cannot_move(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    in_use = dataclasses.replace(volume, status="in-use")
    with pytest.raises(VolumeBackendError, match="Detach"):
        driver.migrate_volume(CONTEXT, in_use, host(bench))
    driver.create_snapshot(snapshot)
    with pytest.raises(VolumeIsBusy, match="snapshots"):
        driver.migrate_volume(CONTEXT, volume, host(bench))
    driver.delete_snapshot(snapshot)
    bench.ceph.run_rbd("create", "--size", "8M", f"{OTHER}/{volume.name}")
    with pytest.raises(VolumeBackendError, match="already"):
        driver.migrate_volume(CONTEXT, volume, host(bench))
    bench.ceph.run_rbd("rm", "--no-progress", f"{OTHER}/{volume.name}")
    driver.delete_volume(volume)


def test_the_new_one_takes_the_old_ones_name(bench: Workbench, driver: RBDDriver) -> None:
    old, new = bench.volume(), bench.volume()
    driver.create_volume(new)
    for _ in range(2):
        update = driver.update_migrated_volume(CONTEXT, old, new, "available")
        assert update == {"_name_id": None, "provider_location": None}
    assert bench.images() == [old.name]
    driver.delete_volume(old)


def test_names_that_stay(bench: Workbench, driver: RBDDriver) -> None:
    """The volume is in use, or the old image is still there."""
    old, new = bench.volume(), bench.volume()
    driver.create_volume(new)
    kept = {"_name_id": new.id, "provider_location": None}
    assert driver.update_migrated_volume(CONTEXT, old, new, "in-use") == kept
    driver.create_volume(old)
    assert driver.update_migrated_volume(CONTEXT, old, new, "available") == kept
    assert bench.images() == sorted([old.name, new.name])
    moved = dataclasses.replace(old, name_id=new.id)
    clone = bench.volume()
    driver.create_cloned_volume(clone, moved)
    driver.delete_volume(moved)
    driver.delete_volume(old)
    driver.delete_volume(clone)

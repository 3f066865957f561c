"""Volumes, snapshots and clones as images of a pool, looked at by Ceph's own commands."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from tests.ceph.drivers.workbench import CONTEXT, GIB, MIB, POOL, Workbench

from breezeblock.drivers.errors import SnapshotIsBusy, VolumeIsBusy, VolumeIsMissing
from breezeblock.drivers.rbd import RBDDriver

DEFAULT_FEATURES = {"layering", "exclusive-lock", "object-map", "fast-diff", "deep-flatten"}


def test_a_volume_is_an_image(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume(2)
    driver.create_volume(volume)
    info = bench.info(volume.name)
    assert (info["size"], info["order"], info["format"]) == (2 * GIB, 22, 2)
    assert set(info["features"]) == DEFAULT_FEATURES
    driver.delete_volume(volume)


def test_objects_are_as_large_as_asked_for(bench: Workbench) -> None:
    driver = bench.driver(rbd_store_chunk_size=8)
    volume = bench.volume()
    driver.create_volume(volume)
    assert bench.info(volume.name)["object_size"] == 8 * MIB
    driver.delete_volume(volume)


def test_a_volume_without_a_size_is_small(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume(0)
    driver.create_volume(volume)
    assert bench.info(volume.name)["size"] == 100 * MIB
    driver.delete_volume(volume)


def test_several_writers_have_no_lock(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume(multiattach=True)
    update = driver.create_volume(volume)
    assert set(bench.info(volume.name)["features"]) == {"layering", "deep-flatten"}
    assert update == {"provider_location": '{"saved_features": 61}'}
    single = dataclasses.replace(volume, provider_location='{"saved_features": 61}')
    back = {"extra_specs": {"multiattach": ("<is> True", None)}}
    assert driver.retype(CONTEXT, single, None, back, {}) == (True, {"provider_location": None})
    assert set(bench.info(volume.name)["features"]) == DEFAULT_FEATURES
    forth = {"extra_specs": {"multiattach": (None, "<is> True")}}
    assert driver.retype(CONTEXT, single, None, forth, {}) == (True, update)
    assert set(bench.info(volume.name)["features"]) == {"layering", "deep-flatten"}
    driver.delete_volume(volume)


def test_limits_follow_a_retype(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)

    def limits() -> dict[str, str]:
        found = bench.ceph.ask_rbd("config", "image", "list", f"{POOL}/{volume.name}")
        return {
            one["name"]: one["value"]
            for one in found
            if one["source"] == "image" and "qos" in one["name"]
        }

    diff: dict[str, Any]
    diff = {"qos_specs": {"consumer": (None, "both"), "total_iops_sec": (None, "100")}}
    assert driver.retype(CONTEXT, volume, None, diff, {}) == (True, None)
    assert limits() == {"rbd_qos_iops_limit": "100"}
    diff = {
        "qos_specs": {
            "consumer": ("both", "back-end"),
            "total_iops_sec": ("100", None),
            "read_bytes_sec_max": (None, "5000"),
        }
    }
    driver.retype(CONTEXT, volume, None, diff, {})
    assert limits() == {"rbd_qos_read_bps_burst": "5000"}
    diff = {
        "qos_specs": {
            "consumer": ("back-end", "front-end"),
            "read_bytes_sec_max": ("5000", "5000"),
        }
    }
    driver.retype(CONTEXT, volume, None, diff, {})
    assert limits() == {}
    driver.delete_volume(volume)


def test_growth_while_it_is_open(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    with driver.attached(CONTEXT, volume):
        driver.extend_volume(volume, 3)
    assert bench.info(volume.name)["size"] == 3 * GIB
    driver.extend_volume(volume, 2)
    assert bench.info(volume.name)["size"] == 3 * GIB
    driver.delete_volume(volume)


def test_a_volume_that_is_open_is_busy(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    with driver.attached(CONTEXT, volume) as device:
        device.path.write(b"x")
        with pytest.raises(VolumeIsBusy, match="rbd status volumes/volume-"):
            driver.delete_volume(volume)
    driver.delete_volume(volume)


def test_a_volume_with_a_snapshot_is_busy(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    driver.create_snapshot(snapshot)
    with pytest.raises(VolumeIsBusy, match="Delete them first"):
        driver.delete_volume(volume)
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_snapshots_are_protected_and_keep_their_bytes(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    bench.write(volume.name, 7)
    driver.create_snapshot(snapshot)
    bench.write(volume.name, 8)
    found = bench.ceph.ask_rbd("snap", "ls", f"{POOL}/{volume.name}")
    assert [(one["name"], one["protected"]) for one in found] == [(snapshot.name, "true")]
    bench.expect(f"{volume.name}@{snapshot.name}", 7)
    driver.delete_snapshot(snapshot)
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_what_was_made_of_a_snapshot_outlives_it(bench: Workbench, driver: RBDDriver) -> None:
    volume, made = bench.volume(), bench.volume(2)
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    bench.write(volume.name, 7)
    driver.create_snapshot(snapshot)
    driver.create_volume_from_snapshot(made, snapshot)
    assert bench.parent(made.name) == f"{volume.name}@{snapshot.name}"
    assert bench.info(made.name)["size"] == 2 * GIB
    driver.delete_snapshot(snapshot)
    assert bench.parent(made.name) is None
    driver.delete_volume(volume)
    bench.expect(made.name, 7)
    bench.expect(made.name, 0, "1G", "1M")
    driver.delete_volume(made)


def test_a_snapshot_whose_clone_cannot_be_flattened_is_busy(
    bench: Workbench, driver: RBDDriver
) -> None:
    """The clone is in a pool that the user may not write to."""
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    driver.create_snapshot(snapshot)
    bench.ceph.monitor_command("osd pool create", pool="foreign", pg_num=1)
    bench.ceph.run_rbd("pool", "init", "foreign", user="admin")
    origin = f"{POOL}/{volume.name}@{snapshot.name}"
    bench.ceph.run_rbd("clone", origin, "foreign/clone", user="admin")
    with pytest.raises(SnapshotIsBusy, match="hangs on it"):
        driver.delete_snapshot(snapshot)
    bench.ceph.run_rbd("rm", "--no-progress", "foreign/clone", user="admin")
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_flattened_if_the_operator_wants_it(bench: Workbench) -> None:
    driver = bench.driver(rbd_flatten_volume_from_snapshot=True)
    volume, made = bench.volume(), bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    bench.write(volume.name, 7)
    driver.create_snapshot(snapshot)
    for _ in range(2):
        driver.create_volume_from_snapshot(made, snapshot)
    assert bench.parent(made.name) is None
    bench.expect(made.name, 7)
    driver.delete_snapshot(snapshot)
    driver.delete_volume(made)
    driver.delete_volume(volume)


def test_revert_puts_back_bytes_and_keeps_the_size(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    bench.write(volume.name, 7)
    driver.create_snapshot(snapshot)
    driver.extend_volume(volume, 2)
    bench.write(volume.name, 8)
    bench.write(volume.name, 8, "1G")
    larger = dataclasses.replace(volume, size=2)
    driver.revert_to_snapshot(CONTEXT, larger, snapshot)
    bench.expect(volume.name, 7)
    bench.expect(volume.name, 0, "1G")
    assert bench.info(volume.name)["size"] == 2 * GIB
    assert driver.snapshot_revert_use_temp_snapshot() is False
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_what_is_missing_is_named(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    with pytest.raises(VolumeIsMissing, match=f"{POOL}/{volume.name}"):
        driver.extend_volume(volume, 2)
    with pytest.raises(VolumeIsMissing, match=snapshot.name):
        driver.create_volume_from_snapshot(bench.volume(), snapshot)
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_a_half_made_image_is_made_anew(bench: Workbench, driver: RBDDriver) -> None:
    """librbd was killed after it had taken the name, before there was an image."""
    volume = bench.volume()
    driver.create_volume(volume)
    header = "rbd_header." + bench.info(volume.name)["id"]
    with driver.site.cluster.pool(POOL, "a test") as ioctx:
        ioctx.remove_object(header)
    assert volume.name in bench.images()
    driver.create_volume(volume)
    assert bench.info(volume.name)["size"] == GIB
    with driver.site.cluster.pool(POOL, "a test") as ioctx:
        ioctx.remove_object("rbd_header." + bench.info(volume.name)["id"])
    driver.delete_volume(volume)


def test_listings(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    driver.create_snapshot(snapshot)
    bench.ceph.run_rbd("create", "--size", "8M", f"{POOL}/foreign")
    assert driver.list_volume_names() == {volume.name}
    assert driver.list_snapshot_names() == {snapshot.name}
    bench.ceph.run_rbd("rm", "--no-progress", f"{POOL}/foreign")
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)

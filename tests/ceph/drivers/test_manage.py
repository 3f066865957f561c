"""Images and snapshots that are there already are taken over, and let go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.ceph.drivers.workbench import CONTEXT, GIB, POOL, Workbench

from breezeblock.drivers.errors import (
    ManageExistingAlreadyManaged,
    ManageExistingInvalidReference,
)
from breezeblock.drivers.rbd import RBDDriver

FOREIGN = {"source-name": "foreign"}


@pytest.fixture
def foreign(bench: Workbench) -> Iterator[str]:
    """An image of 1.5 GiB with a snapshot."""
    bench.ceph.run_rbd("create", "--size", "1536M", f"{POOL}/foreign")
    bench.write("foreign", 7)
    bench.ceph.run_rbd("snap", "create", "--no-progress", f"{POOL}/foreign@snap")
    yield "foreign"


def listed(driver: RBDDriver, known: list[Any]) -> dict[str, tuple[bool, Any, Any]]:
    rows = driver.get_manageable_volumes(known, None, 1000, 0, ["reference"], ["asc"])
    return {
        row["reference"]["source-name"]: (
            row["safe_to_manage"],
            row["reason_not_safe"],
            row["cinder_id"],
        )
        for row in rows
    }


def test_taking_over(bench: Workbench, driver: RBDDriver, foreign: str) -> None:
    volume = bench.volume(2)
    snapshot = bench.snapshot(volume)
    assert driver.manage_existing_get_size(volume, FOREIGN) == 2
    for _ in range(2):
        driver.manage_existing(volume, FOREIGN)
    assert bench.images() == [volume.name]
    bench.expect(volume.name, 7)
    reference = {"source-name": "snap"}
    assert driver.manage_existing_snapshot_get_size(snapshot, reference) == 2
    for _ in range(2):
        driver.manage_existing_snapshot(snapshot, reference)
    found = bench.ceph.ask_rbd("snap", "ls", f"{POOL}/{volume.name}")
    assert [(one["name"], one["protected"]) for one in found] == [(snapshot.name, "true")]
    made = bench.volume(2)
    driver.create_volume_from_snapshot(made, snapshot)
    assert bench.info(made.name)["size"] == 2 * GIB
    driver.delete_volume(made)
    driver.delete_snapshot(snapshot)
    driver.unmanage(volume)
    bench.expect(volume.name, 7)
    driver.delete_volume(volume)


def test_letting_go_of_a_snapshot(bench: Workbench, driver: RBDDriver) -> None:
    volume, made = bench.volume(), bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    driver.create_snapshot(snapshot)
    driver.create_volume_from_snapshot(made, snapshot)
    driver.unmanage_snapshot(snapshot)
    protected = bench.ceph.ask_rbd("snap", "ls", f"{POOL}/{volume.name}")[0]["protected"]
    assert protected == "true"
    driver.delete_volume(made)
    driver.unmanage_snapshot(snapshot)
    protected = bench.ceph.ask_rbd("snap", "ls", f"{POOL}/{volume.name}")[0]["protected"]
    assert protected == "false"
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_references_that_lead_nowhere(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    for reference in ({"source-name": "nothing"}, {"nonsense": 1}, {}, None, "nothing"):
        for verb in (
            lambda ref: driver.manage_existing(bench.volume(), ref),
            lambda ref: driver.manage_existing_get_size(bench.volume(), ref),
            lambda ref: driver.manage_existing_snapshot(snapshot, ref),
            lambda ref: driver.manage_existing_snapshot_get_size(snapshot, ref),
        ):
            with pytest.raises(ManageExistingInvalidReference):
                verb(reference)
    driver.delete_volume(volume)


def test_what_is_taken_already(bench: Workbench, driver: RBDDriver, foreign: str) -> None:
    volume, other = bench.volume(), bench.volume()
    driver.create_volume(volume)
    with pytest.raises(ManageExistingInvalidReference, match="already"):
        driver.manage_existing(volume, FOREIGN)
    driver.is_managed = lambda id: id == volume.id
    with pytest.raises(ManageExistingAlreadyManaged):
        driver.manage_existing(other, {"source-name": volume.name})
    driver.delete_volume(volume)
    bench.ceph.run_rbd("snap", "rm", "--no-progress", f"{POOL}/foreign@snap")
    bench.ceph.run_rbd("rm", "--no-progress", f"{POOL}/foreign")


def test_listings(bench: Workbench, driver: RBDDriver, foreign: str) -> None:
    volume, clone = bench.volume(), bench.volume()
    driver.create_volume(volume)
    snapshot = bench.snapshot(volume)
    driver.create_snapshot(snapshot)
    driver.create_cloned_volume(clone, volume)
    backup = "backup.9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11.snap.1700000000.25"
    bench.ceph.run_rbd("snap", "create", "--no-progress", f"{POOL}/{volume.name}@{backup}")
    with driver.attached(CONTEXT, clone) as device:
        device.path.write(b"x")
        assert listed(driver, [volume]) == {
            "foreign": (True, None, None),
            volume.name: (False, "already managed", volume.id),
            clone.name: (False, "volume in use", None),
        }
    rows = driver.get_manageable_snapshots([snapshot], None, 1000, 0, ["reference"], ["asc"])
    told = {
        row["reference"]["source-name"]: (row["reason_not_safe"], row["source_reference"])
        for row in rows
    }
    ours = {"source-name": volume.name}
    assert told == {
        "snap": (None, FOREIGN),
        snapshot.name: ("already managed", ours),
        f"{clone.name}.clone_snap": ("used for clone snap", ours),
        backup: ("used for volume backup", ours),
    }
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)
    told_now = listed(driver, [])
    assert told_now[f"{volume.name}.deleted"] == (False, "volume marked as deleted", None)
    with pytest.raises(ManageExistingInvalidReference, match="deleted"):
        driver.manage_existing(bench.volume(), {"source-name": f"{volume.name}.deleted"})
    driver.delete_volume(clone)
    bench.ceph.run_rbd("snap", "rm", "--no-progress", f"{POOL}/foreign@snap")
    bench.ceph.run_rbd("rm", "--no-progress", f"{POOL}/foreign")

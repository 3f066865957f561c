"""Clones of clones: how long chains get, and what is left when their members are deleted."""

from __future__ import annotations

import itertools

import pytest
from tests.ceph.drivers.workbench import Interrupted, StopAt, Workbench

from breezeblock.domain.resources import Volume
from breezeblock.drivers import progress
from breezeblock.drivers.rbd import RBDDriver


def chain(bench: Workbench, driver: RBDDriver, length: int) -> list[Volume]:
    """A volume full of 1 (its first MiB), a clone full of 2, one of that full of 3, ..."""
    made = [bench.volume()]
    driver.create_volume(made[0])
    bench.write(made[0].name, 1)
    for number in range(2, length + 1):
        clone = bench.volume(source_volid=made[-1].id)
        driver.create_cloned_volume(clone, made[-1])
        bench.write(clone.name, number, f"{number - 1}M")
        made.append(clone)
    return made


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_members_go_in_any_order(
    bench: Workbench, driver: RBDDriver, order: tuple[int, ...]
) -> None:
    made = chain(bench, driver, 3)
    left = set(range(3))
    for member in order:
        driver.delete_volume(made[member])
        driver.delete_volume(made[member])
        left.remove(member)
        for other in left:
            for number in range(other + 1):
                bench.expect(made[other].name, number + 1, f"{number}M")
    assert bench.images() == []


def test_a_source_that_is_deleted_lives_on_unseen(bench: Workbench, driver: RBDDriver) -> None:
    first, second = chain(bench, driver, 2)
    assert bench.snapshots(first.name) == [f"{second.name}.clone_snap"]
    driver.delete_volume(first)
    assert bench.images() == sorted([f"{first.name}.deleted", second.name])
    assert driver.list_volume_names() == {second.name}
    driver.delete_volume(second)


def test_two_deleted_ones_of_one_name(bench: Workbench, driver: RBDDriver) -> None:
    first, second = chain(bench, driver, 2)
    driver.delete_volume(first)
    driver.create_volume(first)
    third = bench.volume()
    driver.create_cloned_volume(third, first)
    driver.delete_volume(first)
    assert len(bench.images()) == 4
    assert driver.list_volume_names() == {second.name, third.name}
    driver.delete_volume(second)
    driver.delete_volume(third)


def test_a_chain_ends_at_the_limit(bench: Workbench) -> None:
    driver = bench.driver(rbd_max_clone_depth=2)
    made = chain(bench, driver, 5)
    parents = [bench.parent(one.name) for one in made]
    assert [parent is None for parent in parents] == [True, False, False, True, False]
    assert bench.snapshots(made[2].name) == []
    for number in range(5):
        bench.expect(made[4].name, number + 1, f"{number}M")
    for one in made:
        driver.delete_volume(one)


def test_without_a_chain_every_clone_is_a_copy(bench: Workbench) -> None:
    driver = bench.driver(rbd_max_clone_depth=0)
    made = chain(bench, driver, 2)
    assert bench.parent(made[1].name) is None
    assert bench.snapshots(made[0].name) == []
    driver.delete_volume(made[0])
    assert bench.images() == [made[1].name]
    bench.expect(made[1].name, 1)
    driver.delete_volume(made[1])


def test_what_takes_no_quota_is_never_flattened(bench: Workbench) -> None:
    driver = bench.driver(rbd_max_clone_depth=1)
    made = chain(bench, driver, 2)
    temporary = bench.volume(consumes_quota=False)
    driver.create_cloned_volume(temporary, made[1])
    assert bench.parent(temporary.name) == f"{made[1].name}@{temporary.name}.clone_snap"
    for one in (*made, temporary):
        driver.delete_volume(one)


def test_snapshots_of_the_trash_keep_their_volume(bench: Workbench) -> None:
    """Clones of the second version: a snapshot with clones may be deleted."""
    bench.ceph.monitor_command("osd set-require-min-compat-client", version="mimic")
    try:
        driver = bench.driver()
        volume, made = bench.volume(), bench.volume()
        snapshot = bench.snapshot(volume)
        driver.create_volume(volume)
        bench.write(volume.name, 7)
        driver.create_snapshot(snapshot)
        driver.create_volume_from_snapshot(made, snapshot)
        driver.delete_snapshot(snapshot)
        assert bench.parent(made.name) is not None
        assert driver.list_snapshot_names() == set()
        driver.delete_volume(volume)
        assert bench.images() == sorted([made.name, f"{volume.name}.deleted"])
        bench.expect(made.name, 7)
        driver.delete_volume(made)
        first, second = chain(bench, driver, 2)
        driver.delete_volume(first)
        driver.delete_volume(second)
        assert bench.images() == []
    finally:
        bench.ceph.monitor_command("osd set-require-min-compat-client", version="luminous")


def test_backups_snapshots_go_with_the_volume(bench: Workbench, driver: RBDDriver) -> None:
    first, second = chain(bench, driver, 2)
    backup = "backup.9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11.snap.1700000000.25"
    bench.ceph.run_rbd("snap", "create", "--no-progress", f"volumes/{second.name}@{backup}")
    driver.delete_volume(first)
    driver.delete_volume(second)
    assert bench.images() == []


def test_a_clone_that_was_given_up_after_its_sources(bench: Workbench, driver: RBDDriver) -> None:
    """Something hung on its snapshot meanwhile."""
    first, second = chain(bench, driver, 2)
    third = bench.volume()
    with pytest.raises(Interrupted), progress.using(StopAt(3)):
        driver.create_cloned_volume(third, second)
    origin = f"volumes/{second.name}@{third.name}.clone_snap"
    bench.ceph.run_rbd("clone", origin, "volumes/foreign")
    driver.delete_volume(first)
    driver.delete_volume(second)
    assert len(bench.images()) == 3
    bench.ceph.run_rbd("rm", "--no-progress", "volumes/foreign")
    driver.delete_volume(third)
    assert bench.images() == []

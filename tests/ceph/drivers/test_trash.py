"""Deleted volumes wait in Ceph's trash, if the operator wants it."""

from __future__ import annotations

import gc
import threading

from tests.ceph.drivers.workbench import Interrupted, StopAt, Workbench
from tests.vm_lab.polling import wait_until

from breezeblock.drivers import progress
from breezeblock.drivers.rbd.trash import Trash


def test_a_volume_waits_in_the_trash(bench: Workbench) -> None:
    driver = bench.driver(enable_deferred_deletion=True, deferred_deletion_delay=3600)
    volume = bench.volume()
    driver.create_volume(volume)
    for _ in range(2):
        driver.delete_volume(volume)
    assert (bench.images(), bench.trash()) == ([], [volume.name])
    assert driver.list_volume_names() == set()
    assert Trash(driver.site).purge() == 0
    (entry,) = driver.site.images.trash()
    assert Trash(driver.site).remove(entry.id) is False
    assert bench.trash() == [volume.name]
    bench.ceph.run_rbd("trash", "rm", "--no-progress", "--force", f"volumes/{entry.id}")


def test_it_is_purged_with_what_it_hung_on(bench: Workbench) -> None:
    driver = bench.driver(enable_deferred_deletion=True)
    first, second = bench.volume(), bench.volume()
    driver.create_volume(first)
    driver.create_cloned_volume(second, first)
    driver.delete_volume(first)
    driver.delete_volume(second)
    assert (bench.images(), bench.trash()) == ([f"{first.name}.deleted"], [second.name])
    assert Trash(driver.site).purge() == 1


def test_a_purge_is_interrupted_anywhere(bench: Workbench) -> None:
    driver = bench.driver(enable_deferred_deletion=True)
    for allowed in range(20):
        first, second = bench.volume(), bench.volume()
        driver.create_volume(first)
        driver.create_cloned_volume(second, first)
        bench.write(second.name, 7)
        driver.delete_volume(first)
        driver.delete_volume(second)
        try:
            with progress.using(StopAt(allowed)):
                Trash(driver.site).purge()
        except Interrupted:
            if allowed % 2:
                driver.recover()
            Trash(driver.site).purge()
            driver.recover()
            bench.expect_nothing_left(driver)
        else:
            assert allowed > 3
            return


def test_foreign_images_stay_in_the_trash(bench: Workbench) -> None:
    driver = bench.driver(enable_deferred_deletion=True)
    bench.ceph.run_rbd("create", "--size", "8M", "volumes/foreign")
    bench.ceph.run_rbd("trash", "mv", "volumes/foreign")
    assert Trash(driver.site).purge() == 0
    assert bench.trash() == ["foreign"]
    (entry,) = driver.site.images.trash()
    bench.ceph.run_rbd("trash", "rm", "--no-progress", f"volumes/{entry.id}")


def test_a_started_driver_purges_by_itself(bench: Workbench) -> None:
    driver = bench.driver(enable_deferred_deletion=True, deferred_deletion_purge_interval=1)
    driver.set_initialized()
    volume = bench.volume()
    driver.create_volume(volume)
    driver.delete_volume(volume)
    wait_until(lambda: bench.trash() == [], what="the trash is empty")
    purging = [one for one in threading.enumerate() if one.name == "trash"]
    assert len(purging) == 1
    del driver
    gc.collect()
    wait_until(lambda: not purging[0].is_alive(), what="the thread ends with its driver")

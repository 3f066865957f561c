"""The connection: shared, bounded in time, given up when it is dead, and made anew."""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.ceph.drivers.workbench import CONTEXT, HOST, POOL, Workbench
from tests.ceph_lab.cluster import Cluster
from tests.vm_lab.polling import wait_until

from breezeblock.drivers.errors import BackendMisconfigured, VolumeBackendError
from breezeblock.drivers.rbd import RBDDriver

#: Seconds that the cluster may be mute.
LIMIT = 2


@pytest.fixture
def own(own_ceph: Cluster, tmp_path: Path) -> Workbench:
    """A workbench on a cluster whose daemons may be stopped."""
    return Workbench(own_ceph, tmp_path)


@pytest.fixture
def hasty(own: Workbench) -> RBDDriver:
    """A driver that waits for two seconds, and asks once."""
    return own.driver(rados_connect_timeout=LIMIT, rados_connection_retries=1)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def state(driver: RBDDriver) -> Any:
    (pool,) = driver.get_volume_stats(refresh=True)["pools"]
    return pool["backend_state"]


# ---- outages ---------------------------------------------------------------------------------


@pytest.mark.parametrize("daemon", ["mon", "osd"])
def test_a_mute_cluster_is_told_of_in_time(own: Workbench, hasty: RBDDriver, daemon: str) -> None:
    volume = own.volume()
    hasty.create_volume(volume)
    assert state(hasty) == "up"
    with own.ceph.paused(daemon):
        with within(4 * LIMIT), pytest.raises(VolumeBackendError) as failed:
            hasty.create_snapshot(own.snapshot(volume))
        assert failed.value.transient
        assert "ceph status" in str(failed.value)
        with within(4 * LIMIT):
            assert state(hasty) == ("down" if daemon == "mon" else "up")
    assert state(hasty) == "up"
    for name in own.snapshots(volume.name):
        own.ceph.run_rbd("snap", "unprotect", f"{POOL}/{volume.name}@{name}")
        own.ceph.run_rbd("snap", "rm", "--no-progress", f"{POOL}/{volume.name}@{name}")
    hasty.delete_volume(volume)
    assert own.images() == []


def test_stats_of_a_mute_cluster_say_why(own: Workbench, hasty: RBDDriver) -> None:
    with own.ceph.paused("mon"), within(4 * LIMIT):
        (pool,) = hasty.get_volume_stats(refresh=True)["pools"]
    assert pool["total_capacity_gb"] == pool["free_capacity_gb"] == "unknown"
    assert "ceph status" in pool["backend_state_reason"]


def test_those_who_wait_for_a_connection_fail_together(own: Workbench, hasty: RBDDriver) -> None:
    hasty.site.cluster.close()
    with own.ceph.paused("mon"), within(3 * LIMIT), ThreadPoolExecutor(6) as threads:
        calls = [threads.submit(hasty.list_volume_names) for _ in range(6)]
        failures = [call.exception() for call in calls]
    assert all(isinstance(one, VolumeBackendError) and one.transient for one in failures)
    assert hasty.list_volume_names() == set()


def test_connecting_is_tried_again(own: Workbench) -> None:
    driver = own.driver(rados_connect_timeout=1, rados_connection_retries=20)
    driver.site.cluster.close()
    own.ceph.pause("mon")
    resume = threading.Timer(2, own.ceph.resume, ["mon"])
    resume.start()
    try:
        assert driver.list_volume_names() == set()
    finally:
        resume.join()


def test_a_start_without_a_cluster(own: Workbench) -> None:
    with own.ceph.paused("mon"), within(3 * LIMIT), pytest.raises(VolumeBackendError):
        # A timeout of its own: the connections of others are not shared.
        own.driver(rados_connect_timeout=LIMIT + 1, rados_connection_retries=1)


def test_a_client_that_was_shut_out_connects_anew(own: Workbench, hasty: RBDDriver) -> None:
    assert hasty.list_volume_names() == set()
    with hasty.site.cluster.client("a test") as client:
        address = client.get_addrs()
        own.ceph.monitor_command("osd blocklist", blocklistop="add", addr=address, expire=60.0)
        client.wait_for_latest_osdmap()
    with pytest.raises(VolumeBackendError, match="connects anew") as failed:
        hasty.list_volume_names()
    assert failed.value.transient
    assert hasty.list_volume_names() == set()


def test_nothing_waits_for_ever_by_default(bench: Workbench) -> None:
    for timeout in (-1, 0):
        driver = bench.driver(rados_connect_timeout=timeout)
        with driver.site.cluster.client("a test") as client:
            names = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")
            assert {client.conf_get(name) for name in names} == {"60"}
    driver = bench.driver(rados_connect_timeout=7)
    with driver.site.cluster.client("a test") as client:
        assert client.conf_get("rados_osd_op_timeout") == "7"


# ---- sharing ---------------------------------------------------------------------------------


def test_drivers_and_threads_share_one(bench: Workbench, driver: RBDDriver) -> None:
    def connection() -> Any:
        with bench.driver().site.cluster.pool(POOL, "a test") as ioctx:
            return ioctx

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: connection(), range(8)))
    assert all(one is found[0] for one in found)


def test_a_forked_process_has_its_own(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    with driver.site.cluster.client("a test") as client:
        mine = client.get_addrs()
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        try:
            driver.create_volume(volume)
            with driver.site.cluster.client("a test") as client:
                os.write(writing, client.get_addrs().encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    theirs = os.read(reading, 1000).decode()
    os.close(reading)
    assert theirs
    assert theirs != mine
    assert driver.list_volume_names() == {volume.name}
    driver.delete_volume(volume)


def test_a_pool_made_anew_is_found(own: Workbench) -> None:
    pool = "fleeting"

    def make() -> None:
        own.ceph.monitor_command("osd pool create", pool=pool, pg_num=1)
        own.ceph.run_rbd("pool", "init", pool, user="admin")

    make()
    driver = own.driver(rbd_pool=pool, rbd_user="admin")
    wait_until(lambda: state(driver) == "up", what="the monitors report on the pool")
    gone = {"pool": pool, "pool2": pool, "yes_i_really_really_mean_it": True}
    own.ceph.monitor_command("osd pool rm", **gone)
    assert state(driver) == "down"
    make()
    wait_until(lambda: state(driver) == "up", what="the new pool is found")
    volume = own.volume()
    driver.create_volume(volume)
    assert own.ceph.ask_rbd("ls", pool, user="admin") == [volume.name]
    own.ceph.monitor_command("osd pool rm", **gone)


# ---- what is configured wrongly --------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rbd_ceph_conf": "/nowhere/ceph.conf"}, "there is no Ceph configuration file"),
        ({"rbd_user": "nobody"}, "no keyring of client.nobody"),
        ({"rbd_pool": "no-such-pool"}, "ceph osd pool create no-such-pool"),
        ({"rbd_pool": ""}, "rbd_pool is empty"),
        ({"rbd_cluster_name": ""}, "rbd_cluster_name is empty"),
        ({"replication_device": "backend_id:other"}, "does not replicate"),
    ],
)
def test_misconfiguration(bench: Workbench, options: dict[str, Any], words: str) -> None:
    with pytest.raises(BackendMisconfigured, match=words) as refused:
        bench.driver(**options)
    assert "quick" in str(refused.value)


def test_a_user_without_capabilities(bench: Workbench, tmp_path: Path) -> None:
    made = bench.ceph.monitor_command(
        "auth get-or-create", entity="client.weak", caps=["mon", "allow r"]
    )
    keyring = tmp_path / "keyring"
    keyring.write_text(f"[client.weak]\nkey = {made[0]['key']}\n")
    conf = tmp_path / "ceph.conf"
    conf.write_text(f"{bench.ceph.conf.read_text()}\n[client.weak]\nkeyring = {keyring}\n")
    with pytest.raises(BackendMisconfigured, match="profile rbd"):
        bench.driver(rbd_user="weak", rbd_ceph_conf=conf)


def test_nothing_is_touched_by_the_constructor(bench: Workbench) -> None:
    options = bench.options(rbd_ceph_conf="/nowhere/ceph.conf")
    driver = RBDDriver(configuration=options, host=HOST)
    driver.do_setup(CONTEXT)
    assert not driver.initialized

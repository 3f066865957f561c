"""The small methods and contexts that tools of the field call by their names."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest
import rados
import rbd
from tests.ceph.drivers.workbench import GIB, HOST, POOL, Workbench

from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.rbd import RADOSClient, RBDDriver, RBDVolumeProxy
from breezeblock.drivers.rbd.errors import UnusableLocation

BACKUP = "backup.9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11.snap.1700000000.25"


def is_closed(client: Any) -> bool:
    return str(client.state) == "shutdown"


# ---- connections -----------------------------------------------------------------------------


def test_a_client_is_released_also_after_an_error(driver: RBDDriver) -> None:
    with RADOSClient(driver, POOL) as client:
        assert driver.RBDProxy().list(client.ioctx) == []
        assert client.features == 61
    assert is_closed(client.cluster)
    with pytest.raises(RuntimeError), RADOSClient(driver) as client:
        raise RuntimeError
    assert is_closed(client.cluster)
    assert client.ioctx.state == "closed"


@pytest.mark.parametrize(
    ("configured", "expected"),
    [("0", 1), ("1", 1), ("layering,exclusive-lock", 5)],
)
def test_features_of_the_configuration(
    bench: Workbench, tmp_path: Path, configured: str, expected: int
) -> None:
    conf = tmp_path / "ceph.conf"
    text = bench.ceph.conf.read_text()
    conf.write_text(f"{text}\n[client]\nrbd_default_features = {configured}\n")
    with RADOSClient(bench.driver(rbd_ceph_conf=conf)) as client:
        assert client.features == expected


def test_connecting(driver: RBDDriver) -> None:
    client, ioctx = driver._connect_to_rados(POOL)
    assert client.state == "connected"
    driver._disconnect_from_rados(client, ioctx)
    assert is_closed(client)
    with pytest.raises(VolumeBackendError, match="no-such-pool"):
        driver._connect_to_rados("no-such-pool")


def test_the_libraries_may_be_handed_in(bench: Workbench) -> None:
    driver = RBDDriver(configuration=bench.options(), host=HOST, rados=rados, rbd=rbd)
    assert driver.bindings.rados is rados
    assert isinstance(driver.RBDProxy(), rbd.RBD)
    assert driver._supports_layering()
    older = types.ModuleType("rbd")
    driver = RBDDriver(configuration=bench.options(), host=HOST, rados=rados, rbd=older)
    assert not driver._supports_layering()


def test_constants(driver: RBDDriver) -> None:
    assert driver.CI_WIKI_NAME == "Cinder_Jenkins"
    assert driver.SYSCONFDIR == "/etc/ceph/"
    assert driver.get_volume_stats()["driver_version"] == driver.VERSION == "1.2.0"
    assert {option.name for option in driver.get_driver_options()} >= {"rbd_pool", "rbd_user"}


# ---- one image -------------------------------------------------------------------------------


def test_a_proxy_forwards_to_its_image(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    driver.create_snapshot(snapshot)
    with RBDVolumeProxy(driver, volume.name) as proxy:
        assert proxy.size() == GIB
        proxy.write(b"abc", 0)
    assert is_closed(proxy.client)
    with RBDVolumeProxy(driver, volume.name, POOL, snapshot.name, read_only=True) as proxy:
        assert proxy.read(0, 3) == bytes(3)
        with pytest.raises(rbd.ReadOnlyImage):
            proxy.write(b"x", 0)
    with pytest.raises(AttributeError), RBDVolumeProxy(driver, volume.name) as proxy:
        assert proxy.no_such_thing
    driver.delete_snapshot(snapshot)
    driver.delete_volume(volume)


def test_a_proxy_uses_the_callers_connection(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    with RADOSClient(driver) as client:
        given: dict[str, Any] = {"client": client.cluster, "ioctx": client.ioctx}
        with RBDVolumeProxy(driver, volume.name, "no-such-pool", **given) as proxy:
            assert proxy.size() == GIB
            assert (proxy.client, proxy.ioctx) == (client.cluster, client.ioctx)
        assert client.cluster.state == "connected"
        with pytest.raises(rbd.ImageNotFound):
            RBDVolumeProxy(driver, "no-such-image", **given)
        assert client.cluster.state == "connected"
    driver.delete_volume(volume)


def test_a_proxy_of_nothing_disconnects(driver: RBDDriver) -> None:
    threads = set(Path("/proc/self/task").iterdir())
    with pytest.raises(rbd.ImageNotFound):
        RBDVolumeProxy(driver, "no-such-image")
    left = {p for p in Path("/proc/self/task").iterdir() if p not in threads}
    assert not [p for p in left if "msgr-worker" in (p / "comm").read_text()]


def test_flatten_clone_and_resize(bench: Workbench, driver: RBDDriver) -> None:
    volume, clone = bench.volume(), bench.volume(3)
    snapshot = bench.snapshot(volume)
    driver.create_volume(volume)
    driver.create_snapshot(snapshot)
    driver._clone(clone, POOL, volume.name, snapshot.name)
    assert bench.parent(clone.name) == f"{volume.name}@{snapshot.name}"
    assert bench.info(clone.name)["size"] == GIB
    driver._resize(clone)
    assert bench.info(clone.name)["size"] == 3 * GIB
    driver._resize(clone, size=4 * GIB)
    assert bench.info(clone.name)["size"] == 4 * GIB
    driver._flatten(POOL, clone.name)
    assert bench.parent(clone.name) is None
    driver.delete_snapshot(snapshot)
    driver.delete_volume(clone)
    driver.delete_volume(volume)


def test_backups_snapshots(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    for name in (BACKUP, "of-somebody"):
        bench.ceph.run_rbd("snap", "create", "--no-progress", f"{POOL}/{volume.name}@{name}")
    with RADOSClient(driver) as client:
        with RBDVolumeProxy(driver, volume.name, read_only=True) as image:
            assert [one["name"] for one in driver._get_backup_snaps(image)] == [BACKUP]
        driver._delete_backup_snaps(client, volume.name)
    assert bench.snapshots(volume.name) == ["of-somebody"]
    bench.ceph.run_rbd("snap", "rm", "--no-progress", f"{POOL}/{volume.name}@of-somebody")
    driver.delete_volume(volume)


# ---- chains ----------------------------------------------------------------------------------


def test_depth_and_origin_of_clones(bench: Workbench) -> None:
    driver = bench.driver(rbd_max_clone_depth=2)
    first, second, third = (bench.volume() for _ in range(3))
    driver.create_volume(first)
    driver.create_cloned_volume(second, first)
    driver.create_cloned_volume(third, second)
    nothing = (None, None, None)
    with RADOSClient(driver) as client:
        depths = [driver._get_clone_depth(client, one.name) for one in (first, second, third)]
        assert depths == [0, 1, 2]
        with pytest.raises(VolumeBackendError, match="rbd_max_clone_depth"):
            driver._get_clone_depth(client, third.name, 1)
        with RBDVolumeProxy(driver, third.name, read_only=True) as image:
            told = (POOL, second.name, f"{third.name}.clone_snap")
            assert driver._get_clone_info(image, third.name) == told
            assert driver._get_clone_info(image, f"{third.name}.deleted") == told
            assert driver._get_clone_info(image, "another") == nothing
        with RBDVolumeProxy(driver, second.name, read_only=True) as image:
            told = (POOL, first.name, f"{second.name}.clone_snap")
            assert driver._get_clone_info(image, second.name, f"{third.name}.clone_snap") == told
        with RBDVolumeProxy(driver, first.name, read_only=True) as image:
            assert driver._get_clone_info(image, first.name) == nothing
    for one in (first, second, third):
        driver.delete_volume(one)


def test_references_upwards_are_deleted(bench: Workbench, driver: RBDDriver) -> None:
    """As after a removal of the last clone by other means."""
    first, second, third = (bench.volume() for _ in range(3))
    driver.create_volume(first)
    driver.create_cloned_volume(second, first)
    driver.create_cloned_volume(third, second)
    driver.delete_volume(first)
    driver.delete_volume(second)
    bench.ceph.run_rbd("rm", "--no-progress", f"{POOL}/{third.name}")
    with RADOSClient(driver) as client:
        driver._delete_clone_parent_refs(
            client, f"{second.name}.deleted", f"{third.name}.clone_snap"
        )
    assert bench.images() == []


# ---- what there is to know -------------------------------------------------------------------


def test_arguments_for_cephs_programs(bench: Workbench) -> None:
    conf = str(bench.ceph.conf)
    assert bench.driver()._ceph_args() == ["--id", "cinder", "--conf", conf]
    options = bench.options(rbd_ceph_conf="", rbd_user="other")
    assert RBDDriver(configuration=options, host=HOST)._ceph_args() == ["--id", "other"]


def test_cluster_and_monitors(bench: Workbench, driver: RBDDriver) -> None:
    assert driver._get_fsid() == bench.ceph.fsid
    monitors = bench.ceph.monitor_command("mon dump")["mons"]
    ports = [one["addr"].partition("/")[0].rpartition(":")[2] for one in monitors]
    assert driver._get_mon_addrs() == (["127.0.0.1"], ports)


def test_locations(driver: RBDDriver) -> None:
    assert driver._parse_location("rbd://fsid/pool/image%2F1/snap") == (
        *("fsid", "pool", "image/1", "snap"),
    )
    for wrong in (None, "", "file://x", "rbd://image", "rbd://fsid/pool//snap", "rbd://a/b/c/d/e"):
        with pytest.raises(UnusableLocation):
            driver._parse_location(wrong)


def test_temporary_directory(bench: Workbench, tmp_path: Path) -> None:
    directory = tmp_path / "some" / "where"
    driver = bench.driver(volume_tmp_dir=directory)
    for _ in range(2):
        driver._ensure_tmp_exists()
    assert directory.is_dir()
    bench.driver()._ensure_tmp_exists()


def test_stats(bench: Workbench) -> None:
    driver = bench.driver(rbd_exclusive_cinder_pool=False)
    driver._update_volume_stats()
    stats = driver.get_volume_stats()
    assert stats["storage_protocol"] == "ceph"
    (pool,) = stats["pools"]
    assert pool["backend_state"] == "up"
    assert pool["multiattach"] is pool["thin_provisioning_support"] is pool["QoS_support"] is True
    assert pool["location_info"] == (f"ceph:{bench.ceph.conf}:{bench.ceph.fsid}:cinder:{POOL}")
    volume = bench.volume(3)
    driver.create_volume(volume)
    assert driver.get_volume_stats() == stats
    assert driver.get_volume_stats(refresh=True)["pools"][0]["provisioned_capacity_gb"] == 3
    driver.delete_volume(volume)
    exclusive = bench.driver().get_volume_stats()["pools"][0]
    assert exclusive["provisioned_capacity_gb"] is None


def test_a_quota_bounds_the_stats(bench: Workbench) -> None:
    quota = {"pool": POOL, "field": "max_bytes"}
    bench.ceph.monitor_command("osd pool set-quota", **quota, val=str(2 * GIB))
    try:
        pool = bench.driver().get_volume_stats()["pools"][0]
        assert pool["free_capacity_gb"] == pytest.approx(2, abs=0.1)
        assert pool["total_capacity_gb"] == pytest.approx(2, abs=0.1)
        static = bench.driver(report_dynamic_total_capacity=False)
        assert static.get_volume_stats()["pools"][0]["total_capacity_gb"] == 2
    finally:
        bench.ceph.monitor_command("osd pool set-quota", **quota, val="0")
    static = bench.driver(report_dynamic_total_capacity=False)
    raw = bench.ceph.monitor_command("df")["stats"]["total_bytes"]
    assert static.get_volume_stats()["pools"][0]["total_capacity_gb"] == round(raw / GIB, 2)

"""What consumers are told, and that nothing has to be exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from tests.ceph.drivers.workbench import CONTEXT, GIB, POOL, Workbench

from breezeblock.drivers.errors import BackendMisconfigured, VolumeBackendError
from breezeblock.drivers.rbd import RBDDriver

CONNECTOR = {"host": "h", "initiator": "iqn.x"}


def test_connection(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    assert driver.create_export(CONTEXT, volume, CONNECTOR) is None
    assert driver.create_export(CONTEXT, volume) is None
    assert driver.ensure_export(CONTEXT, volume) is None
    hosts, ports = driver._get_mon_addrs()
    assert driver.initialize_connection(volume, CONNECTOR) == {
        "driver_volume_type": "rbd",
        "data": {
            "name": f"{POOL}/{volume.name}",
            "hosts": hosts,
            "ports": ports,
            "cluster_name": "ceph",
            "auth_enabled": True,
            "auth_username": "cinder",
            "secret_type": "ceph",
            "secret_uuid": bench.ceph.fsid,
            "volume_id": volume.id,
            "discard": True,
        },
    }
    assert not driver.terminate_connection(volume, CONNECTOR)
    driver.remove_export(CONTEXT, volume)
    driver.delete_volume(volume)


def test_secret_and_keyring_of_the_options(bench: Workbench, tmp_path: Path) -> None:
    keyring = bench.ceph.keyring()
    driver = bench.driver(rbd_secret_uuid="a-secret", rbd_keyring_conf=keyring)
    volume = bench.volume()
    driver.create_volume(volume)
    data = driver.initialize_connection(volume, CONNECTOR)["data"]
    assert data["secret_uuid"] == "a-secret"
    assert data["keyring"] == keyring.read_text()
    driver.delete_volume(volume)
    empty = tmp_path / "keyring"
    with pytest.raises(BackendMisconfigured, match="cannot be read"):
        bench.driver(rbd_keyring_conf=empty)
    empty.touch()
    with pytest.raises(BackendMisconfigured, match="is empty"):
        bench.driver(rbd_keyring_conf=empty)


def test_attached_to_this_host(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume()
    driver.create_volume(volume)
    with driver.attached(CONTEXT, volume) as device:
        device.path.seek(5)
        device.path.write(b"abc")
        device.path.flush()
    with driver.attached(CONTEXT, volume) as device:
        assert device.path.read(10) == b"\0\0\0\0\0abc\0\0"
        device.path.seek(0, 2)
        assert device.path.tell() == GIB
    assert bench.ceph.ask_rbd("status", f"{POOL}/{volume.name}")["watchers"] == []
    driver.delete_volume(volume)


def test_a_clone_copied_by_this_host(bench: Workbench, driver: RBDDriver) -> None:
    """A volume that a backup reads while the volume is in use."""
    volume = bench.volume()
    driver.create_volume(volume)
    bench.write(volume.name, 7)
    clone = dataclasses.replace(volume, id=bench.volume().id)
    driver.create_cloned_volume(clone, volume)
    with driver.attached(CONTEXT, clone) as device:
        assert device.path.read(4096) == b"\7" * 4096
    driver.delete_volume(volume)
    driver.delete_volume(clone)


def test_encrypted_volumes_are_refused(bench: Workbench, driver: RBDDriver) -> None:
    volume = bench.volume(encryption_key_id="9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11")
    with pytest.raises(VolumeBackendError, match="key manager"):
        driver.create_volume(volume)

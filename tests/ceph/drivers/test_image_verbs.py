"""Bytes in and out of volumes: images of the image service, and backups."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.ceph.drivers.image_store import BackupStore, ImageStore, OneBackup
from tests.ceph.drivers.workbench import CONTEXT, GIB, MIB, POOL, Workbench

from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.rbd import RBDDriver

IMAGES = "images"
RAW = {"disk_format": "raw"}


@contextmanager
def stored_image(bench: Workbench, *, protected: bool = True) -> Iterator[str]:
    """The location of an image as the image service keeps it in the cluster."""
    name = str(uuid.uuid4())
    bench.ceph.run_rbd("create", "--size", "64M", f"{IMAGES}/{name}")
    bench.ceph.qemu_io(f"{IMAGES}/{name}", "write -P 7 0 1M")
    bench.ceph.run_rbd("snap", "create", "--no-progress", f"{IMAGES}/{name}@snap")
    if protected:
        bench.ceph.run_rbd("snap", "protect", f"{IMAGES}/{name}@snap")
    yield f"rbd://{bench.ceph.fsid}/{IMAGES}/{name}/snap"
    if protected:
        bench.ceph.run_rbd("snap", "unprotect", f"{IMAGES}/{name}@snap")
    bench.ceph.run_rbd("snap", "purge", "--no-progress", f"{IMAGES}/{name}")
    bench.ceph.run_rbd("rm", "--no-progress", f"{IMAGES}/{name}")


def test_an_image_of_the_cluster_is_cloned(bench: Workbench, driver: RBDDriver) -> None:
    service = ImageStore()
    with stored_image(bench) as url:
        volume = bench.volume(2)
        nowhere = f"rbd://{bench.ceph.fsid}/{IMAGES}/nowhere/snap"
        location = (None, [{"url": nowhere, "metadata": {}}, {"url": url, "metadata": {}}])
        for _ in range(2):
            answer = driver.clone_image(CONTEXT, volume, location, RAW, service)
            assert answer == ({"provider_location": None}, True)
        assert bench.info(volume.name)["size"] == 2 * GIB
        assert str(bench.parent(volume.name)).endswith("@snap")
        bench.expect(volume.name, 7)
        driver.delete_volume(volume)
        direct = bench.volume()
        assert driver.clone_image(CONTEXT, direct, (url, None), RAW, service)[1]
        driver.delete_volume(direct)


def test_what_is_not_cloned(bench: Workbench, driver: RBDDriver) -> None:
    with stored_image(bench) as url:
        other = url.replace(bench.ceph.fsid, str(uuid.uuid4()))
        assert driver._is_cloneable(url, RAW)
        assert not driver._is_cloneable(url, {"disk_format": "qcow2"})
        assert not driver._is_cloneable(other, RAW)
        assert not driver._is_cloneable(url.replace("/snap", "/no-such-snap"), RAW)
        assert not driver._is_cloneable(url.replace(IMAGES, "no-such-pool"), RAW)
        assert not driver._is_cloneable("http://images.example/1", RAW)
        volume = bench.volume()
        answer = driver.clone_image(CONTEXT, volume, (other, None), RAW, ImageStore())
        assert answer == ({}, False)


def test_an_image_that_is_not_protected_is_copied(bench: Workbench, driver: RBDDriver) -> None:
    with stored_image(bench, protected=False) as url:
        answer = driver.clone_image(CONTEXT, bench.volume(), (url, None), RAW, ImageStore())
        assert answer == ({}, False)


def test_an_image_is_written_to_a_volume(bench: Workbench, driver: RBDDriver) -> None:
    service = ImageStore()
    image = service.add(b"\7" * MIB + bytes(40 * MIB) + b"\x08" * MIB)
    volume = bench.volume()
    driver.create_volume(volume)
    bench.write(volume.name, 9, "20M")
    for _ in range(2):
        driver.copy_image_to_volume(CONTEXT, volume, service, image)
    bench.expect(volume.name, 7)
    bench.expect(volume.name, 0, "20M")
    bench.expect(volume.name, 8, "41M")
    used = bench.ceph.ask_rbd("du", f"{POOL}/{volume.name}")["images"][0]["used_size"]
    assert used <= 16 * MIB
    driver.copy_image_to_volume(CONTEXT, volume, service, image, disable_sparse=True)
    bench.expect(volume.name, 8, "41M")
    driver.delete_volume(volume)


def test_images_that_do_not_fit(bench: Workbench, driver: RBDDriver) -> None:
    service = ImageStore()
    volume = bench.volume()
    driver.create_volume(volume)
    for words, fields in (("Convert it", {"disk_format": "qcow2"}), ("larger", {"size": 2 * GIB})):
        with pytest.raises(VolumeBackendError, match=words):
            driver.copy_image_to_volume(CONTEXT, volume, service, service.add(b"x", **fields))
    with pytest.raises(VolumeBackendError, match="key manager"):
        driver.copy_image_to_encrypted_volume(CONTEXT, volume, service, service.add(b"x"))
    driver.delete_volume(volume)


def test_a_volume_is_stored_as_an_image(bench: Workbench, driver: RBDDriver) -> None:
    service = ImageStore()
    volume = bench.volume()
    driver.create_volume(volume)
    bench.write(volume.name, 7, "100M", "3M")
    driver.copy_volume_to_image(CONTEXT, volume, service, {"id": "one", "disk_format": "raw"})
    assert service.bytes["one"] == b"\7" * 3 * MIB
    driver.delete_volume(volume)


def test_backup_and_restore(bench: Workbench, driver: RBDDriver) -> None:
    service: Any = BackupStore()
    volume, restored = bench.volume(), bench.volume()
    driver.create_volume(volume)
    driver.create_volume(restored)
    bench.write(volume.name, 7)
    backup = OneBackup(str(uuid.uuid4()), volume)
    assert driver.backup_volume(CONTEXT, backup, service) == {"service_metadata": "kept"}
    driver.restore_backup(CONTEXT, backup, restored, service)
    bench.expect(restored.name, 7)
    driver.delete_volume(volume)
    driver.delete_volume(restored)

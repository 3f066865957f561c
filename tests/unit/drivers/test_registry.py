"""What volume_driver may say, and the fake driver."""

from __future__ import annotations

import dataclasses
import time

import pytest
from tests import tgtd
from tests.backend_options import backend_options

from breezeblock.drivers.errors import UnknownDriver, VolumeBackendError
from breezeblock.drivers.fake import FakeVolumeDriver
from breezeblock.drivers.file import FileDriver
from breezeblock.drivers.registry import create_driver, known_drivers
from breezeblock.targets.errors import TargetError


def fake(**options: object) -> FakeVolumeDriver:
    configured = backend_options(fake_capacity_gb=100, **options)
    driver = create_driver("fake", configured, host="h@quick")
    assert isinstance(driver, FakeVolumeDriver)
    return driver


def test_names_and_class_paths() -> None:
    with tgtd.options() as options:
        for name in ("file", "breezeblock.drivers.file.FileDriver"):
            assert isinstance(create_driver(name, options, host="h@b"), FileDriver)
        for helper, words in (("nvmet", "speak target_protocol"), ("nonsense", "Set it to one")):
            options.target_helper = helper
            with pytest.raises(TargetError, match=words):
                create_driver("file", options, host="h@b")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("cinder.tests.fake_driver.FakeLoggingVolumeDriver", "FakeVolumeDriver"),
        ("cinder.volume.driver.FakeISCSIDriver", "FakeISCSIDriver"),
        ("cinder.volume.driver.FakeISERDriver", "FakeISERDriver"),
        ("cinder.volume.drivers.lvm.LVMVolumeDriver", "LVMVolumeDriver"),
        ("cinder.volume.drivers.lvm.LVMISCSIDriver", "LVMVolumeDriver"),
        ("lvm-fc", "LVMFibreChannelDriver"),
        ("cinder.volume.drivers.rbd.RBDDriver", "RBDDriver"),
    ],
)
def test_class_paths_of_the_field(path: str, expected: str) -> None:
    driver = create_driver(path, backend_options(), host="h@b")
    assert type(driver).__name__ == expected


def test_what_this_release_has() -> None:
    assert {"fake", "file", "lvm", "lvm-fc", "rbd"} <= set(known_drivers())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("os.system", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_is_refused(name: str, words: str) -> None:
    with pytest.raises(UnknownDriver, match=words) as refused:
        create_driver(name, backend_options(), host="h@b")
    assert "file" in str(refused.value)


def test_the_fake_counts() -> None:
    driver = fake()
    volume = tgtd.volume(7)
    driver.create_volume(volume)
    driver.create_snapshot(tgtd.snapshot_of(volume))
    pool = driver.get_volume_stats(refresh=True)["pools"][0]
    assert (pool["pool_name"], pool["free_capacity_gb"]) == ("quick", 93)
    model = driver.create_export(None, volume, None)
    assert model
    exported = dataclasses.replace(volume, **model)  # type: ignore[arg-type]
    info = driver.initialize_connection(exported, {"initiator": "iqn.x"})
    assert (info["driver_volume_type"], info["data"]["target_lun"]) == ("iscsi", 0)
    assert driver.list_volume_names() == {volume.name}
    driver.delete_volume(volume)
    assert driver.list_volume_names() == set()


def test_the_fake_fails_and_dawdles_on_demand() -> None:
    driver = fake(fake_failures=["create_volume:2", "delete_volume"], fake_delay=0.05)
    volume = tgtd.volume()
    for _ in range(2):
        with pytest.raises(VolumeBackendError) as passing:
            driver.create_volume(volume)
        assert passing.value.transient
    started = time.monotonic()
    driver.create_volume(volume)
    assert time.monotonic() - started >= 0.05
    with pytest.raises(VolumeBackendError) as lasting:
        driver.delete_volume(volume)
    assert not lasting.value.transient

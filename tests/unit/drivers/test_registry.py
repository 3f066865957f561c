"""What volume_driver may say, and the fake driver."""

from __future__ import annotations

import dataclasses
import time

import pytest
from tests import tgtd

from breezeblock.drivers.errors import UnknownDriver, VolumeBackendError
from breezeblock.drivers.fake import FakeVolumeDriver
from breezeblock.drivers.file import FileDriver
from breezeblock.drivers.registry import create_driver, known_drivers
from breezeblock.targets.errors import TargetError


@dataclasses.dataclass
class FakeOptions:
    volume_backend_name: str | None = None
    reserved_percentage: int = 0
    max_over_subscription_ratio: str = "20.0"
    filter_function: str | None = None
    goodness_function: str | None = None
    fake_capacity_gb: int = 100
    fake_delay: float = 0.0
    fake_failures: list[str] = dataclasses.field(default_factory=list)


def fake(options: FakeOptions | None = None) -> FakeVolumeDriver:
    driver = create_driver("fake", options or FakeOptions(), host="h@quick")
    assert isinstance(driver, FakeVolumeDriver)
    return driver


def test_names_and_class_paths() -> None:
    with tgtd.options() as options:
        for name in ("file", "breezeblock.drivers.file.FileDriver"):
            assert isinstance(create_driver(name, options, host="h@b"), FileDriver)
        for helper in ("lioadm", "nonsense"):
            options.target_helper = helper
            with pytest.raises(TargetError, match="Set it to tgtadm"):
                create_driver("file", options, host="h@b")
    path = "cinder.tests.fake_driver.FakeLoggingVolumeDriver"
    assert isinstance(create_driver(path, FakeOptions(), host="h@b"), FakeVolumeDriver)
    assert known_drivers()[:2] == ["fake", "file"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cinder.volume.drivers.lvm.LVMVolumeDriver", "not supported yet"),
        ("cinder.volume.drivers.rbd.RBDDriver", "not supported yet"),
        ("os.system", "unknown"),
        ("", "unknown"),
    ],
)
def test_what_is_refused(name: str, words: str) -> None:
    with pytest.raises(UnknownDriver, match=words) as refused:
        create_driver(name, FakeOptions(), host="h@b")
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
    driver = fake(FakeOptions(fake_failures=["create_volume:2", "delete_volume"], fake_delay=0.05))
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

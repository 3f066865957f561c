"""What the base of all drivers brings: retries, stats, capabilities, local attachment, copies."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any, cast

import pytest
from tests.backend_options import backend_options
from tests.unit.drivers.toy import CONNECTOR, SNAPSHOT, VOLUME, Commands, ToyDriver

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.abilities import Backup
from breezeblock.drivers.errors import DeviceUnavailable, VolumeBackendError
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.execution.command import CommandFailed, Execute


@dataclasses.dataclass
class BackupRecord:
    id: str = "b1"
    volume: Volume = VOLUME
    snapshot: Snapshot | None = None
    previous_status: str | None = "available"


# ---- retries ---------------------------------------------------------------------------------


def run_with(commands: Commands, **options: object) -> VolumeDriver:
    return VolumeDriver(
        cast(Execute, commands), configuration=backend_options(**options), host="h@quick"
    )


def test_a_flaky_command_is_tried_again() -> None:
    commands = Commands(failures=1)
    assert run_with(commands)._try_execute("lvs", "-v") is True
    assert commands.run == [("lvs", "-v")] * 2


def test_tries_are_counted_and_hopeless_errors_not_repeated() -> None:
    commands = Commands(failures=9)
    with pytest.raises(CommandFailed):
        run_with(commands, num_shell_tries=1)._try_execute("lvs")
    assert len(commands.run) == 1
    hopeless = Commands(failures=9, stderr="no such group")
    with pytest.raises(CommandFailed):
        run_with(hopeless)._try_execute("lvs", no_retry_list=["such group"])
    assert len(hopeless.run) == 1
    assert not VolumeDriver._is_non_recoverable("busy", ["such group"])


def test_tracing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "breezeblock.drivers.tracing")
    driver = run_with(Commands(), trace_flags="method,api")
    driver._try_execute("lvs", "secret-argument")
    driver.get_version()
    with pytest.raises(NotImplementedError):
        driver.create_volume(VOLUME)
    text = caplog.text
    assert "lvs: 0 after" in text
    assert "get_version returned" in text
    assert "create_volume raised NotImplementedError" in text
    assert "secret-argument" not in text


# ---- stats and capabilities --------------------------------------------------------------------


def test_stats_are_kept_until_asked_for_anew() -> None:
    driver = ToyDriver()
    first = driver.get_volume_stats()
    assert driver.get_volume_stats() is first
    assert driver.get_volume_stats(refresh=True) is not first
    assert driver.calls == ["stats", "stats"]


def test_a_driver_without_pools_has_one_that_offers_nothing() -> None:
    stats = ToyDriver(filter_function="1 > 0").get_volume_stats()
    assert stats["volume_backend_name"] == "quick"
    assert stats["pools"] == [
        {
            "pool_name": "quick",
            "total_capacity_gb": 0,
            "free_capacity_gb": 0,
            "provisioned_capacity_gb": None,
            "reserved_percentage": 100,
            "QoS_support": False,
            "filter_function": "1 > 0",
            "goodness_function": None,
        }
    ]


def test_capabilities() -> None:
    class Vendor(ToyDriver):
        """Brings properties of its own."""

        def _init_vendor_properties(self) -> tuple[dict[str, Any], str]:
            properties: dict[str, Any] = {}
            self._set_property(
                properties, "toy_s:tier", "Tier", "The tier", "string", enum=["a"], other=1
            )
            self._set_property(properties, "elsewhere:x", "X", "Not ours", "string")
            return properties, "toy:s"

    driver = Vendor()
    found = driver.init_capabilities()
    assert (found["vendor_name"], found["vendor_prefix"]) == ("Toys", "toy_s")
    assert set(found["properties"]) == {
        *("thin_provisioning", "compression", "qos", "replication_enabled", "toy_s:tier")
    }
    assert found["properties"]["toy_s:tier"] == {
        "title": "Tier",
        "description": "The tier",
        "type": "string",
        "enum": ["a"],
    }
    assert found["properties"]["qos"]["type"] == "boolean"
    assert driver.get_prefixed_property("tier") == "toy_s:tier"


# ---- attachment to this host -------------------------------------------------------------------


def test_attached_for_a_block() -> None:
    driver = ToyDriver()
    with driver.attached(None, VOLUME) as device:
        assert device.path == "/dev/nothing"
        assert driver.calls == ["create_export", "initialize_connection", "connect"]
    assert driver.calls[3:] == ["disconnect", "terminate_connection", "remove_export"]


@pytest.mark.parametrize(
    ("failing", "refuse", "then"),
    [
        ("initialize_connection", "", ["remove_export"]),
        ("", "connect", ["terminate_connection", "remove_export"]),
    ],
)
def test_a_failed_attachment_is_taken_back(failing: str, refuse: str, then: list[str]) -> None:
    driver = ToyDriver(failing, refuse)
    with pytest.raises((RuntimeError, DeviceUnavailable)):
        driver._attach_volume(None, VOLUME, CONNECTOR)
    assert driver.calls[-len(then) :] == then


def test_all_steps_of_a_detachment_are_tried() -> None:
    driver = ToyDriver("terminate_connection", "disconnect")
    device, volume = driver._attach_volume(None, VOLUME, CONNECTOR)
    assert volume.provider_auth == "CHAP u s"
    with pytest.raises(VolumeBackendError, match=r"it is open.*terminate_connection fails"):
        driver._detach_volume(None, device, volume, CONNECTOR)
    assert driver.calls[-1] == "remove_export"
    driver._detach_volume(None, device, volume, CONNECTOR, force=True, ignore_errors=True)


def test_snapshots_are_attached_too() -> None:
    driver = ToyDriver()
    _, snapshot = driver._attach_snapshot(None, SNAPSHOT, CONNECTOR)
    assert snapshot.provider_location == "there"
    failing = ToyDriver("initialize_connection_snapshot")
    with pytest.raises(RuntimeError):
        failing._attach_snapshot(None, SNAPSHOT, CONNECTOR)
    assert failing.calls[-2:] == ["terminate_connection_snapshot", "remove_export_snapshot"]


def test_a_volume_elsewhere_needs_a_way_to_it() -> None:
    with pytest.raises(DeviceUnavailable, match="no way to the host"):
        ToyDriver()._attach_volume(None, VOLUME, CONNECTOR, remote=True)


# ---- what a backup reads -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use_snapshot", "backup", "verb", "is_snapshot"),
    [
        (False, BackupRecord(), None, False),
        (False, BackupRecord(previous_status="in-use"), "create_cloned_volume", False),
        (False, BackupRecord(snapshot=SNAPSHOT), "create_volume_from_snapshot", False),
        (True, BackupRecord(), None, False),
        (True, BackupRecord(previous_status="in-use"), "create_snapshot", True),
        (True, BackupRecord(snapshot=SNAPSHOT), None, True),
    ],
)
def test_the_device_of_a_backup(
    use_snapshot: bool, backup: BackupRecord, verb: str | None, is_snapshot: bool
) -> None:
    record: Backup = backup
    driver = ToyDriver(backup_use_temp_snapshot=use_snapshot)
    device, found = driver.get_backup_device(None, record)
    assert found is is_snapshot
    assert driver.calls == ([verb] if verb else [])
    if verb is None:
        assert device in (VOLUME, SNAPSHOT)
        return
    assert not device.consumes_quota
    assert device.status == "available"
    assert device.display_name in ("backup-vol-v1", "backup-snap-v1")
    # Begun again after a crash it is the same.
    assert driver.get_backup_device(None, record)[0].id == device.id


def test_a_temporary_copy_that_fails_is_removed() -> None:
    for verb, undone in (
        ("create_snapshot", "delete_snapshot"),
        ("create_cloned_volume", "delete_volume"),
    ):
        driver = ToyDriver(verb, backup_use_temp_snapshot=verb == "create_snapshot")
        with pytest.raises(RuntimeError):
            driver.get_backup_device(None, BackupRecord(previous_status="in-use"))
        assert driver.calls == [verb, undone]


def test_temporary_volumes() -> None:
    made = ToyDriver()._create_temp_volume(None, VOLUME, {"size": 5})
    assert (made.size, made.admin_metadata, made.source_volid) == (5, {"temporary": "True"}, "v1")
    assert made.id != VOLUME.id


# ---- copies ------------------------------------------------------------------------------------


def test_the_throttle_is_the_operators() -> None:
    driver = ToyDriver(volume_copy_bps_limit=1000, volume_copy_blkio_cgroup_name="slow")
    assert driver.throttle.bytes_per_second == 0
    driver.set_throttle()
    assert (driver.throttle.bytes_per_second, driver.throttle.cgroup) == (1000, "slow")


def test_a_copy_that_fails_leaves_nothing_attached() -> None:
    driver = ToyDriver()
    with pytest.raises(VolumeBackendError, match="/dev/nothing"):
        driver.copy_volume_data(None, VOLUME, VOLUME)
    assert driver.calls.count("connect") == driver.calls.count("disconnect, forced") == 2
    assert driver.calls.count("remove_export") == 2

"""What the service asks of a driver beside the verbs: transfers, retypes, migrations, backups."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from breezeblock.conformance.backend import CONTEXT
from breezeblock.conformance.bench import Bench, broken, check_update
from breezeblock.conformance.support import require
from breezeblock.domain.resources import Snapshot, Volume, VolumeType
from breezeblock.drivers.interface import VolumeDriver

_NO_DIFFERENCE: dict[str, Any] = {"extra_specs": {}, "qos_specs": {}, "encryption": {}}


@dataclass(frozen=True)
class _Backup:
    """A backup that is being made."""

    id: str
    volume: Volume
    snapshot: Snapshot | None
    previous_status: str | None


def _backup(volume: Volume, snapshot: Snapshot | None, previous_status: str | None) -> _Backup:
    return _Backup(str(uuid.uuid4()), volume, snapshot, previous_status)


def test_accept_transfer(bench: Bench) -> None:
    volume = bench.created()
    update = bench.driver.accept_transfer(CONTEXT, volume, "new-user", "new-project")
    check_update(volume, update, "accept_transfer")


def test_update_provider_info(bench: Bench) -> None:
    volume = bench.created()
    snapshot = bench.snapped(volume)
    answer: Any = bench.driver.update_provider_info([volume], [snapshot])
    rule = "update_provider_info returns two lists of {id, provider_id}, or two None"
    if not isinstance(answer, tuple) or len(answer) != 2:
        broken(rule, f"not {answer!r}")
    for updates in answer:
        if any(set(update) != {"id", "provider_id"} for update in updates or ()):
            broken(rule, f"not {updates!r}")


def test_attach_hooks(bench: Bench) -> None:
    volume = bench.created()
    for _ in range(2):
        bench.driver.attach_volume(CONTEXT, volume, str(uuid.uuid4()), "host", "/dev/vdb")
    for _ in range(2):
        bench.driver.detach_volume(CONTEXT, volume)
    bench.driver.clear_download(CONTEXT, volume)


def test_retype_without_a_difference(bench: Bench) -> None:
    volume = bench.created()
    kind = VolumeType(id=str(uuid.uuid4()), name="conformance")
    host: dict[str, Any] = {"host": volume.host, "cluster_name": None, "capabilities": {}}
    answer: Any = bench.driver.retype(CONTEXT, volume, kind, _NO_DIFFERENCE, host)
    done, update = answer if isinstance(answer, tuple) else (answer, None)
    if not isinstance(done, bool):
        broken("retype returns a bool, or a bool and an update", f"not {answer!r}")
    check_update(volume, update, "retype")
    bench.expect_held(volume, "retype keeps the volume")


def test_migration_to_a_stranger_is_left_to_the_service(bench: Bench) -> None:
    volume = bench.created()
    host: dict[str, Any] = {
        "host": "elsewhere@unknown#pool",
        "cluster_name": None,
        "capabilities": {},
    }
    answer: Any = bench.driver.migrate_volume(CONTEXT, volume, host)
    if answer != (False, None):
        broken("migrate_volume returns (False, None) for a host it cannot reach", f"{answer!r}")
    bench.expect_held(volume, "a migration that was not done keeps the volume")


def test_image_that_lies_elsewhere_is_not_cloned(bench: Bench) -> None:
    volume = bench.volume()
    location = ("http://images.example/1", [{"url": "http://images.example/1", "metadata": {}}])
    meta = {"id": str(uuid.uuid4()), "disk_format": "raw", "size": 1024**3}
    service: Any = None
    answer: Any = bench.driver.clone_image(CONTEXT, volume, location, meta, service)
    if not isinstance(answer, tuple) or len(answer) != 2 or answer[1] is not False:
        broken("clone_image returns (None, False) for an image it does not hold", f"{answer!r}")
    bench.expect_gone(volume, "clone_image that returns False makes nothing")


def test_backup_of_an_idle_volume_reads_the_volume(bench: Bench) -> None:
    volume = bench.created()
    device, is_snapshot = bench.driver.get_backup_device(
        CONTEXT, _backup(volume, None, "available")
    )
    if is_snapshot or device.id != volume.id:
        broken("the backup of an idle volume reads the volume itself", f"not {device!r}")


def test_backup_of_a_volume_in_use_reads_a_copy(bench: Bench) -> None:
    if not bench.driver.backup_use_temp_snapshot():
        require(bench.driver, "create_cloned_volume")
    volume = bench.created()
    backup = _backup(volume, None, "in-use")
    device = _backup_device(bench, backup)
    if device.id == volume.id:
        broken("the backup of a volume in use reads a copy")
    bench.expect_held(device, "get_backup_device makes the copy")
    if _backup_device(bench, backup).id != device.id:
        broken("get_backup_device of the same backup finds the copy that is there")
    if device.consumes_quota:
        broken("a copy made for a backup takes no quota")


def test_backup_of_a_snapshot(bench: Bench) -> None:
    volume = bench.created()
    snapshot = bench.snapped(volume)
    device = _backup_device(bench, _backup(volume, snapshot, "in-use"))
    if device.id == volume.id:
        broken("the backup of a snapshot does not read the volume")
    bench.expect_held(device, "get_backup_device makes the copy")


def _backup_device(bench: Bench, backup: _Backup) -> Volume | Snapshot:
    device, is_snapshot = bench.driver.get_backup_device(CONTEXT, backup)
    if is_snapshot != isinstance(device, Snapshot):
        broken("get_backup_device says whether it is a snapshot")
    bench.adopt(device)
    return device


def test_filter_and_goodness_functions(driver: VolumeDriver) -> None:
    for function in (
        driver.get_filter_function,
        driver.get_goodness_function,
        driver.get_default_filter_function,
        driver.get_default_goodness_function,
    ):
        found = function()
        if found is not None and not isinstance(found, str):
            broken(f"{function.__name__} returns a string or None", f"not {found!r}")

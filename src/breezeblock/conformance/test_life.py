"""A driver's life: set-up, check, recovery, what it says of itself."""

from __future__ import annotations

from typing import Any

from breezeblock.conformance.backend import CONTEXT, Backend
from breezeblock.conformance.bench import Bench, broken, is_plain
from breezeblock.drivers.interface import VolumeDriver


def test_constructor_touches_nothing(backend: Backend) -> None:
    driver = backend.create()
    if driver.initialized:
        broken("a driver is not initialized before set_initialized is called")
    if not isinstance(driver, VolumeDriver):
        broken("a driver derives from breezeblock.drivers.interface.VolumeDriver")


def test_start_may_be_repeated(backend: Backend) -> None:
    driver = backend.create()
    for _ in range(2):
        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()
        driver.recover()
        driver.set_initialized()
    if driver.initialized is not True:
        broken("initialized is true after set_initialized")


def test_recovery_keeps_what_is_finished(bench: Bench) -> None:
    volume = bench.created()
    snapshot = bench.snapped(volume)
    bench.driver.recover()
    bench.driver.recover([volume.name, snapshot.name])
    rule = "recover leaves finished volumes and snapshots alone"
    bench.expect_held(volume, rule)
    bench.expect_held(snapshot, rule)


def test_another_driver_of_the_backend_sees_the_same(bench: Bench, holds_bytes: bool) -> None:
    """What a driver has made belongs to the backend and not to the object that made it."""
    volume = bench.created()
    if holds_bytes:
        bench.driver = bench.backend.started()
    bench.expect_held(volume, "a volume outlives the driver that made it")


def test_says_what_it_is(driver: VolumeDriver) -> None:
    if not isinstance(driver.get_version(), str):
        broken("get_version returns a string")
    if not isinstance(driver.supported, bool):
        broken("supported is a bool")
    if not isinstance(driver.SUPPORTS_ACTIVE_ACTIVE, bool):
        broken("SUPPORTS_ACTIVE_ACTIVE is a bool")
    for option in driver.get_driver_options():
        if not getattr(option, "name", None):
            broken("get_driver_options returns oslo.config options", f"not {option!r}")


def test_hooks_answer_in_their_shape(driver: VolumeDriver) -> None:
    if not isinstance(driver.freeze_backend(CONTEXT), bool):
        broken("freeze_backend returns a bool")
    if not isinstance(driver.thaw_backend(CONTEXT), bool):
        broken("thaw_backend returns a bool")
    for question in (
        driver.secure_file_operations_enabled,
        driver.snapshot_revert_use_temp_snapshot,
        driver.snapshot_remote_attachable,
        driver.backup_use_temp_snapshot,
    ):
        if not isinstance(question(), bool):
            broken(f"{question.__name__} returns a bool")
    if not isinstance(driver.get_replication_updates(CONTEXT), list):
        broken("get_replication_updates returns a list")
    groups: Any
    volumes: Any
    groups, volumes = driver.get_replication_error_status(CONTEXT, [])
    if not isinstance(groups, list) or not isinstance(volumes, list):
        broken("get_replication_error_status returns two lists")


def test_capabilities_document(driver: VolumeDriver) -> None:
    document = driver.init_capabilities()
    is_plain(document, "the capabilities document is JSON")
    for name in ("vendor_name", "volume_backend_name", "storage_protocol", "driver_version"):
        if name not in document:
            broken(f"the capabilities document has {name}")
    for name in ("thin_provisioning", "compression", "qos", "replication_enabled"):
        if name not in document["properties"]:
            broken(f"the capabilities document has the standard property {name}")
    prefix = document.get("vendor_prefix")
    if prefix is not None and ":" in prefix:
        broken("a vendor prefix has no colon", repr(prefix))
    for name, told in document["properties"].items():
        if not {"title", "description", "type"} <= set(told):
            broken("a property has title, description and type", f"{name}: {told}")
    if driver.capabilities != document:
        broken("init_capabilities keeps the document in `capabilities`")

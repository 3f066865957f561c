"""Exports and connections: how consumers reach a volume, and how that ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from breezeblock.conformance.backend import CONTEXT
from breezeblock.conformance.bench import (
    CONNECTOR,
    OTHER_CONNECTOR,
    Bench,
    broken,
    is_plain,
    twice,
)
from breezeblock.conformance.support import KNOWS_NOTHING_MISSING, require
from breezeblock.domain.errors import BreezeblockError, InvalidConnector
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.abilities import ExportsSnapshots
from breezeblock.drivers.interface import ExtendInUse, VolumeDriver

_ISCSI = ("target_discovered", "target_portal", "target_iqn", "target_lun", "volume_id")
#: ``driver_volume_type`` -> what its data holds; one of several shapes.
_KEYS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "iscsi": (_ISCSI,),
    "iser": (_ISCSI,),
    "fibre_channel": (("target_discovered", "target_lun", "target_wwn"),),
    "nvmeof": (
        ("target_portal", "target_port", "nqn", "transport_type", "ns_id"),
        ("target_nqn", "vol_uuid", "portals", "ns_id"),
    ),
    "rbd": (("name", "hosts", "ports", "auth_enabled", "auth_username", "volume_id"),),
    "local": (("device_path",),),
    "nfs": (("export", "name", "format"),),
}
#: Lists that go together: the n-th of each is one path.
_PATHS = ("target_portals", "target_iqns", "target_luns")


def check_connection(connection: Any) -> None:
    """Fail unless a consumer could use this."""
    __tracebackhide__ = True
    rule = "a connection is {'driver_volume_type': str, 'data': dict}"
    if not isinstance(connection, Mapping) or set(connection) != {"driver_volume_type", "data"}:
        broken(rule, f"not {connection!r}")
    kind, data = connection["driver_volume_type"], connection["data"]
    if not isinstance(kind, str) or not isinstance(data, dict):
        broken(rule, f"not {connection!r}")
    is_plain(connection, "a connection is JSON")
    shapes = _KEYS.get(kind, ((),))
    missing = [sorted(set(shape) - set(data)) for shape in shapes]
    if all(missing):
        broken(f"a connection of type {kind} is complete", f"missing: {missing}")
    lists = [data[key] for key in _PATHS if key in data]
    if lists and (len(lists) != len(_PATHS) or len({len(one) for one in lists}) != 1):
        broken(f"{', '.join(_PATHS)} have one entry a path", f"{data}")


@pytest.fixture
def exported(bench: Bench) -> Volume:
    """A volume that is offered."""
    volume = bench.created()
    return _export(bench, volume)


def _export(bench: Bench, volume: Volume) -> Volume:
    update = bench.driver.create_export(CONTEXT, volume, CONNECTOR)
    return bench.updated(volume, update, "create_export")


def _withdraw(bench: Bench, volume: Volume) -> None:
    twice(
        "terminate_connection",
        lambda: bench.driver.terminate_connection(volume, CONNECTOR, force=True),
    )
    twice("remove_export", lambda: bench.driver.remove_export(CONTEXT, volume))


def test_round(bench: Bench) -> None:
    """Export, connect, disconnect, withdraw, each twice."""
    driver = bench.driver
    volume = bench.created()
    driver.validate_connector(CONNECTOR)
    first = _export(bench, volume)
    second = _export(bench, first)
    if first.provider_location != second.provider_location:
        broken(
            "create_export of what is exported makes it right and not anew",
            f"{first.provider_location} became {second.provider_location}",
        )
    connection = driver.initialize_connection(second, CONNECTOR)
    check_connection(connection)
    if driver.initialize_connection(second, CONNECTOR) != connection:
        broken("initialize_connection answers the same consumer the same")
    for force in (False, True):
        kept = driver.terminate_connection(second, CONNECTOR, force=force)
        if kept:
            broken("terminate_connection of the last consumer does not keep the export")
    twice("remove_export", lambda: driver.remove_export(CONTEXT, second))
    driver.terminate_connection(second, CONNECTOR, force=True)


def test_multipath_consumer(bench: Bench, exported: Volume) -> None:
    connector = {**CONNECTOR, "multipath": True}
    check_connection(bench.driver.initialize_connection(exported, connector))
    _withdraw(bench, exported)


def test_export_stays_while_others_use_it(bench: Bench, exported: Volume) -> None:
    driver = bench.driver
    driver.initialize_connection(exported, CONNECTOR)
    driver.initialize_connection(exported, OTHER_CONNECTOR)
    answer = driver.terminate_connection(exported, CONNECTOR, force=False, others=[OTHER_CONNECTOR])
    if exported.provider_location and answer is not True:
        broken(
            "terminate_connection returns True while others use the export",
            f"it returned {answer!r}: remove_export would follow and cut them off",
        )
    check_connection(driver.initialize_connection(exported, OTHER_CONNECTOR))
    if driver.terminate_connection(exported, OTHER_CONNECTOR, force=False, others=[]):
        broken("terminate_connection of the last consumer does not keep the export")
    driver.remove_export(CONTEXT, exported)


def test_all_consumers_end_at_once(bench: Bench, exported: Volume) -> None:
    bench.driver.initialize_connection(exported, CONNECTOR)
    if bench.driver.terminate_connection(exported, None, force=True):
        broken("terminate_connection without a connector ends all uses")
    bench.driver.remove_export(CONTEXT, exported)


def test_ending_what_never_began(bench: Bench) -> None:
    volume = bench.created()
    try:
        _withdraw(bench, volume)
    except Exception as failure:
        broken("ending an export that is not there is success", repr(failure))


def test_export_outlives_the_driver(bench: Bench, exported: Volume, holds_bytes: bool) -> None:
    """A service that restarts finds its consumers still connected."""
    if holds_bytes:
        bench.driver = bench.backend.started()
    update = bench.driver.ensure_export(CONTEXT, exported)
    after = bench.updated(exported, update, "ensure_export")
    if after.provider_location != exported.provider_location:
        broken(
            "ensure_export keeps an export that consumers use",
            f"{exported.provider_location} became {after.provider_location}",
        )
    check_connection(bench.driver.initialize_connection(after, CONNECTOR))
    _withdraw(bench, after)


def test_extension_while_exported(bench: Bench, exported: Volume) -> None:
    require(bench.driver, ExtendInUse)
    larger = bench.extend(exported, 2)
    check_connection(bench.driver.initialize_connection(larger, CONNECTOR))
    _withdraw(bench, larger)


def test_deletion_withdraws_nothing_of_others(bench: Bench, exported: Volume) -> None:
    bench.delete(bench.created())
    check_connection(bench.driver.initialize_connection(exported, CONNECTOR))
    _withdraw(bench, exported)


def test_unsuitable_consumer(driver: VolumeDriver) -> None:
    """A consumer that says nothing of itself is accepted or refused, in one way only."""
    try:
        driver.validate_connector({})
    except InvalidConnector:
        return
    except Exception as failure:
        broken("validate_connector raises InvalidConnector", f"not {failure!r}")
    pytest.skip("the driver asks nothing of a consumer")


def test_export_of_a_missing_volume(bench: Bench, holds_bytes: bool) -> None:
    if not holds_bytes:
        pytest.skip(KNOWS_NOTHING_MISSING)
    volume = bench.volume()
    try:
        volume = _export(bench, volume)
        bench.driver.initialize_connection(volume, CONNECTOR)
    except BreezeblockError:
        bench.driver.remove_export(CONTEXT, volume)
        return
    except Exception as failure:
        broken("a driver raises errors of breezeblock.drivers.errors", f"not {failure!r}")
    broken("a missing volume is not offered to consumers")


def test_snapshot_round(bench: Bench) -> None:
    require(bench.driver, ExportsSnapshots)
    snapshot: Snapshot = bench.snapped(bench.created())
    driver: Any = bench.driver
    for _ in range(2):
        update = driver.create_export_snapshot(CONTEXT, snapshot, CONNECTOR)
        snapshot = bench.updated(snapshot, update, "create_export_snapshot")
    check_connection(driver.initialize_connection_snapshot(snapshot, CONNECTOR))
    twice(
        "terminate_connection_snapshot",
        lambda: driver.terminate_connection_snapshot(snapshot, CONNECTOR, force=True),
    )
    twice("remove_export_snapshot", lambda: driver.remove_export_snapshot(CONTEXT, snapshot))

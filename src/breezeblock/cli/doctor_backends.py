"""The doctor's look at the backends: tools, modules, storage, space, service, orphans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from breezeblock.cli import requirements
from breezeblock.cli.findings import Finding, Verdict
from breezeblock.config.settings import BackendConfiguration, Settings
from breezeblock.drivers.interface import ListsOwnObjects, VolumeDriver
from breezeblock.drivers.registry import create_driver
from breezeblock.operations.states import OPEN
from breezeblock.store import services
from breezeblock.store.clock import now
from breezeblock.store.database import Database
from breezeblock.store.tables import operations, snapshots, volumes


def findings(settings: Settings, name: str, database: Database | None) -> Iterator[Finding]:
    """Everything about the backend ``name``; without a database only what is on this machine."""
    host, configuration = settings.service_host(name), settings.backends[name]
    lacking = list(_requirements(name, configuration))
    yield from lacking
    try:
        driver = create_driver(configuration.volume_driver, configuration, host=host)
        driver.check_for_setup_error()
        stats = driver.get_volume_stats(refresh=True)
    except Exception as error:
        yield Finding(
            Verdict.WRONG,
            f"backend [{name}] does not work: {error}",
            "Mend what it says; the service tries again by itself.",
        )
        return
    pools = stats.get("pools") or [stats]
    free = ", ".join(f"{p.get('free_capacity_gb')} of {p.get('total_capacity_gb')}" for p in pools)
    yield Finding(
        Verdict.GOOD, f"backend [{name}] ({configuration.volume_driver}): {free} GiB free"
    )
    for pool in pools:
        yield from _space(name, pool)
    if database is not None:
        yield from _service(settings, database, host)
        yield from _orphans(database, host, driver)


def _requirements(name: str, configuration: BackendConfiguration) -> Iterator[Finding]:
    for wanted in requirements.of_backend(configuration):
        for program, package in requirements.missing_programs(wanted):
            yield Finding(
                Verdict.WRONG,
                f"backend [{name}] needs {program}, which is not installed",
                f"Install it: apt-get install {package}",
            )
        for module in requirements.missing_modules(wanted):
            yield Finding(
                Verdict.WRONG,
                f"backend [{name}] needs the kernel module {module}, which this kernel has not",
                f"Load it with `modprobe {module}`; a cloud or container kernel may lack it: "
                "install linux-image-amd64 and boot that.",
            )


def _space(name: str, pool: Mapping[str, Any]) -> Iterator[Finding]:
    """A pool that is down, or has no room left beyond what is reserved."""
    shown = f"backend [{name}], pool {pool.get('pool_name')}"
    if pool.get("backend_state") == "down":
        yield Finding(Verdict.WRONG, f"{shown} is down: {pool.get('backend_state_reason', '')}")
    total, free = pool.get("total_capacity_gb"), pool.get("free_capacity_gb")
    if not isinstance(total, int | float) or not isinstance(free, int | float):
        return
    reserved = total * int(pool.get("reserved_percentage") or 0) / 100
    if free - reserved < 1:
        yield Finding(
            Verdict.WRONG,
            f"{shown} is without space: {free} of {total} GiB free, {reserved:g} reserved",
            "Add storage to it, delete volumes, or lower reserved_percentage.",
        )


def _service(settings: Settings, database: Database, host: str) -> Iterator[Finding]:
    with database.read() as connection:
        known = {s.host: s for s in services.all_of(connection)}
    service = known.get(host)
    if service is None:
        yield Finding(Verdict.NOTE, f"{host} has never been served", "Start `breezeblock serve`.")
        return
    oldest = now() - timedelta(seconds=settings.conf.service_down_time)
    if service.heartbeat_at is None or service.heartbeat_at < oldest:
        yield Finding(
            Verdict.NOTE, f"{host} is down since {service.heartbeat_at}", "Start its worker."
        )
    if service.disabled:
        yield Finding(
            Verdict.NOTE,
            f"{host} is disabled: {service.disabled_reason or 'no reason given'}",
            f"openstack volume service set --enable {host} cinder-volume",
        )


def _orphans(database: Database, host: str, driver: VolumeDriver) -> Iterator[Finding]:
    """What the backend holds without a row, and rows whose data is gone."""
    if not isinstance(driver, ListsOwnObjects):
        return
    held = driver.list_volume_names() | driver.list_snapshot_names()
    with database.read() as connection:
        at_work = set(
            connection.execute(
                sa.select(operations.c.resource_id).where(operations.c.state.in_(OPEN))
            ).scalars()
        )
        rows = {
            f"volume-{row.name_id or row.id}": row.id
            for row in connection.execute(
                sa.select(volumes.c.id, volumes.c.name_id).where(
                    volumes.c.host.startswith(f"{host}#", autoescape=True),
                    volumes.c.status != "error",
                )
            )
        }
        rows |= {
            f"snapshot-{row.id}": row.id
            for row in connection.execute(
                sa.select(snapshots.c.id).where(
                    snapshots.c.host.startswith(f"{host}#", autoescape=True),
                    snapshots.c.status != "error",
                )
            )
        }
    missing = sorted(name for name, id_ in rows.items() if name not in held and id_ not in at_work)
    unknown = sorted(name for name in held - rows.keys() if name.partition("-")[2] not in at_work)
    for name in missing:
        yield Finding(
            Verdict.WRONG, f"{name} is not on {host} any more", "Restore its data, or delete it."
        )
    for name in unknown:
        yield Finding(
            Verdict.NOTE,
            f"{name} is on {host} and no resource is it",
            "Remove it if it is not yours.",
        )
    if not missing and not unknown:
        yield Finding(
            Verdict.GOOD, f"{host}: {len(rows)} volumes and snapshots, all in their place"
        )

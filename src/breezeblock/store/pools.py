"""Rows of pools: what backends report, and what was placed since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.resources import Pool
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.tables import pools, services, volumes

_FIELDS = tuple(column.name for column in pools.c)
_SELECT = sa.select(*pools.c)
_SIZE = sa.func.coalesce(volumes.c.target_size, volumes.c.size)
# Placed, but possibly not yet seen by the driver that reports.
_ON_THE_WAY = ("creating", "extending", "downloading", "restoring-backup", "managing")


def _record(row: AnyRow) -> Pool:
    return Pool(**dict(zip(_FIELDS, row, strict=True)))


def of_live_services(connection: Connection, alive_since: datetime) -> Sequence[Pool]:
    """Pools that new volumes may go to: of enabled services, not frozen, heard of lately."""
    statement = (
        _SELECT.join(services, services.c.host == pools.c.service_host)
        .where(
            services.c.binary == "cinder-volume",
            services.c.disabled.is_(False),
            services.c.frozen.is_(False),
            services.c.heartbeat_at >= alive_since,
        )
        .order_by(pools.c.name)
    )
    return [_record(row) for row in connection.execute(statement)]


def of_service(connection: Connection, service_host: str) -> Sequence[Pool]:
    statement = _SELECT.where(pools.c.service_host == service_host).order_by(pools.c.name)
    return [_record(row) for row in connection.execute(statement)]


def consume(tx: Transaction, pool_name: str, size: int) -> None:
    """Take (or with a negative size give back) GiB of a pool until its next report."""
    statement = pools.update().where(pools.c.name == pool_name)
    tx.execute(statement.values(consumed_gb=pools.c.consumed_gb + size))


def lock(tx: Transaction) -> None:
    """Keep other placements out until this transaction ends.

    SQLite needs nothing: its write transactions exclude each other from their start.
    """
    if tx.connection.dialect.name != "sqlite":
        tx.execute(sa.select(pools.c.name).order_by(pools.c.name).with_for_update())


def report(
    tx: Transaction,
    service_host: str,
    availability_zone: str,
    reported: Mapping[str, Mapping[str, Any]],
) -> None:
    """Replace a backend's pools by what it reports, capabilities by pool address."""
    time = now()
    stale = pools.delete().where(pools.c.service_host == service_host)
    tx.execute(stale.where(pools.c.name.not_in(list(reported))))
    known = {pool.name for pool in of_service(tx.connection, service_host)}
    for name, capabilities in reported.items():
        allocated, on_the_way = _allocated(tx.connection, name)
        values = {
            "service_host": service_host,
            "availability_zone": availability_zone,
            "capabilities": dict(capabilities),
            "allocated_gb": allocated,
            "consumed_gb": on_the_way,
            "reported_at": time,
        }
        if name in known:
            tx.execute(pools.update().where(pools.c.name == name).values(values))
        else:
            tx.execute(pools.insert().values(name=name, **values))


def _allocated(connection: Connection, pool_name: str) -> tuple[int, int]:
    """(GiB of the pool's volumes, GiB of those that are still on the way)."""
    statement = (
        sa.select(volumes.c.status, sa.func.sum(_SIZE))
        .where(volumes.c.host == pool_name)
        .group_by(volumes.c.status)
    )
    by_status = {status: int(total) for status, total in connection.execute(statement)}
    on_the_way = sum(by_status.get(status, 0) for status in _ON_THE_WAY)
    return sum(by_status.values()) - on_the_way, on_the_way

"""Rows of services and their heartbeats."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.errors import ServiceNotFound
from breezeblock.domain.resources import Service
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.tables import services

_FIELDS = tuple(column.name for column in services.c if column.name != "capabilities")
_SELECT = sa.select(*(services.c[name] for name in _FIELDS))


def _record(row: AnyRow) -> Service:
    return Service(**dict(zip(_FIELDS, row, strict=True)))


def all_of(connection: Connection) -> Sequence[Service]:
    return [_record(row) for row in connection.execute(_SELECT.order_by(services.c.id))]


def get(connection: Connection, host: str, binary: str) -> Service:
    """Raises ServiceNotFound."""
    statement = _SELECT.where(services.c.host == host, services.c.binary == binary)
    row = connection.execute(statement).first()
    if row is None:
        raise ServiceNotFound(id=f"{binary} on {host}")
    return _record(row)


def register(
    tx: Transaction, host: str, binary: str, availability_zone: str, *, enabled: bool = True
) -> Service:
    """Make or refresh the row of a starting service; one that exists stays enabled or disabled
    as it was."""
    found = tx.execute(
        services.update()
        .where(services.c.host == host, services.c.binary == binary)
        .values(availability_zone=availability_zone, heartbeat_at=now(), updated_at=now())
    )
    if found.rowcount == 0:
        row = {
            "uuid": str(uuid.uuid4()),
            "host": host,
            "binary": binary,
            "topic": binary,
            "availability_zone": availability_zone,
            "disabled": not enabled,
            "frozen": False,
            "heartbeat_at": now(),
            "created_at": now(),
        }
        tx.execute(services.insert(), row)
    return get(tx.connection, host, binary)


def beat(tx: Transaction, hosts: Sequence[tuple[str, str]]) -> None:
    """A sign of life of the services given as (host, binary)."""
    time = now()
    for host, binary in hosts:
        tx.execute(
            services.update()
            .where(services.c.host == host, services.c.binary == binary)
            .values(heartbeat_at=time, updated_at=time)
        )


def change(tx: Transaction, host: str, binary: str, **fields: Any) -> Service:
    """Raises ServiceNotFound."""
    tx.execute(
        services.update()
        .where(services.c.host == host, services.c.binary == binary)
        .values(updated_at=now(), **fields)
    )
    return get(tx.connection, host, binary)


def capabilities(connection: Connection, host: str) -> Mapping[str, Any]:
    """The capabilities document that ``host@backend`` last reported.  Raises ServiceNotFound."""
    statement = sa.select(services.c.capabilities).where(
        services.c.host == host, services.c.binary == "cinder-volume"
    )
    row = connection.execute(statement).first()
    if row is None:
        raise ServiceNotFound(id=host)
    return row.capabilities or {}

"""Rows of volume types, their extra specs and the projects that may use the private ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.errors import VolumeTypeNotFound
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import VolumeType
from breezeblock.store.aggregate import collected, decoded
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.key_values import KeyValues
from breezeblock.store.listing import conditions, page
from breezeblock.store.tables import (
    volume_type_extra_specs,
    volume_type_projects,
    volume_types,
    volumes,
)

_FIELDS = tuple(column.name for column in volume_types.c)
_SELECT = sa.select(
    *volume_types.c,
    collected(
        volume_type_extra_specs,
        volume_type_extra_specs.c.volume_type_id,
        volume_types.c.id,
        "extra_specs",
    ),
)

EXTRA_SPECS = KeyValues(volume_type_extra_specs.c.volume_type_id, volume_types.c.id)


def _record(row: AnyRow) -> VolumeType:
    *fields, extra_specs = tuple(row)
    return VolumeType(**dict(zip(_FIELDS, fields, strict=True)), extra_specs=decoded(extra_specs))


def _visible_to(project_id: str) -> sa.ColumnElement[bool]:
    granted = sa.select(volume_type_projects.c.volume_type_id).where(
        volume_type_projects.c.project_id == project_id
    )
    return sa.or_(volume_types.c.is_public.is_(True), volume_types.c.id.in_(granted))


def get(connection: Connection, type_id: str, project_id: str | None = None) -> VolumeType:
    """By id; a private type exists only for the projects with access (None: for all)."""
    return _one(connection, volume_types.c.id == type_id, type_id, project_id)


def get_by_name(connection: Connection, name: str, project_id: str | None = None) -> VolumeType:
    return _one(connection, volume_types.c.name == name, name, project_id)


def _one(
    connection: Connection, clause: sa.ColumnElement[bool], wanted: str, project_id: str | None
) -> VolumeType:
    statement = _SELECT.where(clause)
    if project_id is not None:
        statement = statement.where(_visible_to(project_id))
    row = connection.execute(statement).first()
    if row is None:
        raise VolumeTypeNotFound(id=wanted)
    return _record(row)


def list_page(connection: Connection, query: ListQuery, project_id: str | None) -> Page[VolumeType]:
    filters = dict(query.filters)
    wanted_specs = filters.pop("extra_specs", None)
    if filters.get("is_public", False) is None:
        del filters["is_public"]
    where: list[Any] = conditions(volume_types, filters, {})
    if wanted_specs is not None:
        where.append(EXTRA_SPECS.matches(wanted_specs))
    rows, count = page(
        connection,
        _SELECT,
        volume_types,
        query,
        where,
        unknown_marker=VolumeTypeNotFound,
        scope=None if project_id is None else _visible_to(project_id),
    )
    return Page([_record(row) for row in rows], count)


def names(connection: Connection) -> Mapping[str, str]:
    """Type names by id."""
    statement = sa.select(volume_types.c.id, volume_types.c.name)
    return {row.id: row.name for row in connection.execute(statement)}


def insert(tx: Transaction, volume_type: VolumeType) -> None:
    tx.execute(volume_types.insert(), {name: getattr(volume_type, name) for name in _FIELDS})
    EXTRA_SPECS.insert(tx, volume_type.id, volume_type.extra_specs)


def update(tx: Transaction, type_id: str, changes: Mapping[str, Any]) -> bool:
    statement = volume_types.update().where(volume_types.c.id == type_id)
    return tx.execute(statement.values(updated_at=now(), **changes)).rowcount == 1


def delete(tx: Transaction, type_id: str) -> bool:
    return tx.execute(volume_types.delete().where(volume_types.c.id == type_id)).rowcount == 1


def count(connection: Connection) -> int:
    return int(
        connection.execute(sa.select(sa.func.count()).select_from(volume_types)).scalar_one()
    )


def in_use(connection: Connection, type_id: str) -> bool:
    """Whether any volume has this type."""
    statement = sa.select(volumes.c.id).where(volumes.c.volume_type_id == type_id).limit(1)
    return connection.execute(statement).first() is not None


def projects(connection: Connection, type_id: str) -> Sequence[str]:
    """Projects with access to a private type."""
    table = volume_type_projects
    statement = sa.select(table.c.project_id).where(table.c.volume_type_id == type_id)
    return list(connection.execute(statement.order_by(table.c.project_id)).scalars())


def grant(tx: Transaction, type_id: str, project_id: str) -> None:
    tx.execute(volume_type_projects.insert(), {"volume_type_id": type_id, "project_id": project_id})


def revoke(tx: Transaction, type_id: str, project_id: str) -> bool:
    table = volume_type_projects
    statement = table.delete().where(
        table.c.volume_type_id == type_id, table.c.project_id == project_id
    )
    return tx.execute(statement).rowcount == 1

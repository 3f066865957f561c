"""Rows of volumes and their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.errors import VolumeNotFound
from breezeblock.domain.listing import Like, ListQuery, Page
from breezeblock.domain.resources import Volume
from breezeblock.domain.state_machine import StateMachine
from breezeblock.domain.volume_states import VOLUME, status_by_attachments
from breezeblock.store import attachments
from breezeblock.store.aggregate import collected, decoded
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.key_values import KeyValues
from breezeblock.store.listing import conditions, in_project, page
from breezeblock.store.tables import volume_image_metadata, volume_metadata, volume_types, volumes

_NOT_IN_RECORD = {"target_size"}
_COLUMNS = [column for column in volumes.c if column.name not in _NOT_IN_RECORD]
_FIELDS = (*(column.name for column in _COLUMNS), "volume_type_name")
_SELECT = sa.select(
    *_COLUMNS,
    volume_types.c.name.label("volume_type_name"),
    collected(volume_metadata, volume_metadata.c.volume_id, volumes.c.id, "metadata"),
    collected(
        volume_image_metadata, volume_image_metadata.c.volume_id, volumes.c.id, "image_metadata"
    ),
).select_from(volumes.outerjoin(volume_types, volume_types.c.id == volumes.c.volume_type_id))
_BY_ID = _SELECT.where(volumes.c.id == sa.bindparam("id"))
_BY_ID_AND_PROJECT = _BY_ID.where(volumes.c.project_id == sa.bindparam("project_id"))

METADATA = KeyValues(volume_metadata.c.volume_id, volumes.c.id)
_IMAGE_METADATA = KeyValues(volume_image_metadata.c.volume_id, volumes.c.id)


def _record(row: AnyRow) -> Volume:
    *fields, metadata, image_metadata = tuple(row)
    return Volume(
        **dict(zip(_FIELDS, fields, strict=True)),
        metadata=decoded(metadata),
        image_metadata=decoded(image_metadata),
    )


def get(connection: Connection, volume_id: str, project_id: str | None = None) -> Volume:
    """The volume, within a project unless that is None.  Raises VolumeNotFound."""
    if project_id is None:
        row = connection.execute(_BY_ID, {"id": volume_id}).first()
    else:
        row = connection.execute(
            _BY_ID_AND_PROJECT, {"id": volume_id, "project_id": project_id}
        ).first()
    if row is None:
        raise VolumeNotFound(id=volume_id)
    return _record(row)


def find(connection: Connection, volume_id: str) -> Volume | None:
    """The volume, or None when its row is gone."""
    row = connection.execute(_BY_ID, {"id": volume_id}).first()
    return None if row is None else _record(row)


def _host_matches(value: Any) -> sa.ColumnElement[bool]:
    """``host``, ``host@backend`` or ``host@backend#pool``, at the level that is given."""
    text = str(value)
    exact = volumes.c.host == text
    if "#" in text:
        return exact
    separator = "#" if "@" in text else "@"
    return sa.or_(exact, volumes.c.host.startswith(text + separator, autoescape=True))


def _type_matches(value: Any) -> sa.ColumnElement[bool]:
    if isinstance(value, Like):
        return sa.false()
    return volumes.c.volume_type_id.in_(
        sa.select(volume_types.c.id).where(volume_types.c.name == str(value))
    )


_SPECIAL = {
    "host": _host_matches,
    "metadata": METADATA.matches,
    "glance_metadata": _IMAGE_METADATA.matches,
    "volume_type": _type_matches,
}


def _wanted(query: ListQuery, *, admin: bool) -> list[Any]:
    where: list[Any] = conditions(volumes, query.filters, _SPECIAL)
    if not admin:
        # The other half of a migration is the service's own business.
        hidden = volumes.c.migration_status.startswith("target:")
        where.append(sa.or_(volumes.c.migration_status.is_(None), sa.not_(hidden)))
    return where


def list_page(
    connection: Connection, query: ListQuery, project_id: str | None, *, admin: bool
) -> Page[Volume]:
    rows, count = page(
        connection,
        _SELECT,
        volumes,
        query,
        _wanted(query, admin=admin),
        unknown_marker=VolumeNotFound,
        scope=in_project(volumes, project_id),
    )
    return Page([_record(row) for row in rows], count)


def summary(
    connection: Connection, query: ListQuery, project_id: str | None, *, admin: bool
) -> tuple[int, int, dict[str, list[str]]]:
    """(how many, GiB, distinct metadata values by key) of the volumes that match."""
    where = _wanted(query, admin=admin)
    if project_id is not None:
        where.append(volumes.c.project_id == project_id)
    total = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(volumes.c.size), 0))
    count, size = connection.execute(total.where(*where)).one()
    pairs = (
        sa.select(volume_metadata.c.key, volume_metadata.c.value)
        .join(volumes, volumes.c.id == volume_metadata.c.volume_id)
        .where(*where)
        .distinct()
        .order_by(volume_metadata.c.key, volume_metadata.c.value)
    )
    values: dict[str, list[str]] = {}
    for key, value in connection.execute(pairs):
        values.setdefault(key, []).append(value)
    return int(count), int(size), values


def insert(tx: Transaction, volume: Volume) -> None:
    """Write a new row from a record; ``created_at`` must be set."""
    values = {column.name: getattr(volume, column.name) for column in _COLUMNS}
    values["admin_metadata"] = dict(volume.admin_metadata)
    tx.execute(volumes.insert(), values)
    METADATA.insert(tx, volume.id, volume.metadata)
    _IMAGE_METADATA.insert(tx, volume.id, volume.image_metadata)


def update(tx: Transaction, volume_id: str, **fields: Any) -> bool:
    """Change columns; False when the row is gone."""
    statement = volumes.update().where(volumes.c.id == volume_id)
    return tx.execute(statement.values(updated_at=now(), **fields)).rowcount == 1


def transition(
    tx: Transaction,
    volume_id: str,
    event: str,
    *conditions_: sa.ColumnElement[bool],
    to: str | None = None,
    **fields: Any,
) -> bool:
    """Make a transition of the state table, if the row is in one of its sources.

    Writes ``fields`` with it.  Returns False, and changes nothing, when the row is gone, in
    another status, or fails one of ``conditions_``.
    """
    target = VOLUME.target(event, to)
    where = (volumes.c.id == volume_id, volumes.c.status.in_(VOLUME.sources(event)), *conditions_)
    if target == StateMachine.GONE:
        return tx.execute(volumes.delete().where(*where)).rowcount == 1
    statement = volumes.update().where(*where)
    values = {"status": target, "updated_at": now(), **fields}
    return tx.execute(statement.values(values)).rowcount == 1


def follow_attachments(tx: Transaction, volume_id: str) -> str:
    """Set the attach status that the volume's attachments give, and return it.

    The status follows too, unless something else is at work on the volume: that will
    look at the attachments when it ends.
    """
    held = attachments.of_volume(tx.connection, volume_id)
    status, attach_status = status_by_attachments(held)
    if not transition(tx, volume_id, "detached", to=status, attach_status=attach_status):
        update(tx, volume_id, attach_status=attach_status)
    return attach_status


def hosts_of(connection: Connection, volume_ids: Sequence[str]) -> dict[str, str | None]:
    """Pool addresses by volume id, for those of the ids that exist."""
    statement = sa.select(volumes.c.id, volumes.c.host).where(volumes.c.id.in_(volume_ids))
    return {row.id: row.host for row in connection.execute(statement)}


def with_exports(connection: Connection, service_host: str) -> Sequence[Volume]:
    """Volumes of a backend that are exported, which a restart must restore."""
    statement = _SELECT.where(_host_matches(service_host), volumes.c.provider_location.is_not(None))
    return [_record(row) for row in connection.execute(statement)]

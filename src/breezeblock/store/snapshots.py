"""Rows of snapshots and their metadata."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.errors import SnapshotNotFound
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import Snapshot
from breezeblock.domain.snapshot_states import SNAPSHOT
from breezeblock.domain.state_machine import StateMachine
from breezeblock.store.aggregate import collected, decoded
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.key_values import KeyValues
from breezeblock.store.listing import conditions, in_project, page
from breezeblock.store.tables import snapshot_metadata, snapshots, volumes

_FIELDS = tuple(column.name for column in snapshots.c)
_SELECT = sa.select(
    *snapshots.c,
    collected(snapshot_metadata, snapshot_metadata.c.snapshot_id, snapshots.c.id, "metadata"),
)
_BY_ID = _SELECT.where(snapshots.c.id == sa.bindparam("id"))
_BY_ID_AND_PROJECT = _BY_ID.where(snapshots.c.project_id == sa.bindparam("project_id"))

METADATA = KeyValues(snapshot_metadata.c.snapshot_id, snapshots.c.id)


def _record(row: AnyRow) -> Snapshot:
    *fields, metadata = tuple(row)
    return Snapshot(**dict(zip(_FIELDS, fields, strict=True)), metadata=decoded(metadata))


def get(connection: Connection, snapshot_id: str, project_id: str | None = None) -> Snapshot:
    """The snapshot, within a project unless that is None.  Raises SnapshotNotFound."""
    if project_id is None:
        row = connection.execute(_BY_ID, {"id": snapshot_id}).first()
    else:
        row = connection.execute(
            _BY_ID_AND_PROJECT, {"id": snapshot_id, "project_id": project_id}
        ).first()
    if row is None:
        raise SnapshotNotFound(id=snapshot_id)
    return _record(row)


def find(connection: Connection, snapshot_id: str) -> Snapshot | None:
    """The snapshot, or None when its row is gone."""
    row = connection.execute(_BY_ID, {"id": snapshot_id}).first()
    return None if row is None else _record(row)


def of_volume(connection: Connection, volume_id: str) -> Sequence[Snapshot]:
    """A volume's snapshots, the newest first."""
    statement = _SELECT.where(snapshots.c.volume_id == volume_id)
    statement = statement.order_by(snapshots.c.created_at.desc(), snapshots.c.id.desc())
    return [_record(row) for row in connection.execute(statement)]


def _zone_matches(value: Any) -> sa.ColumnElement[bool]:
    return snapshots.c.volume_id.in_(
        sa.select(volumes.c.id).where(volumes.c.availability_zone == str(value))
    )


_SPECIAL = {"metadata": METADATA.matches, "availability_zone": _zone_matches}


def list_page(connection: Connection, query: ListQuery, project_id: str | None) -> Page[Snapshot]:
    where: list[Any] = conditions(snapshots, query.filters, _SPECIAL)
    rows, count = page(
        connection,
        _SELECT,
        snapshots,
        query,
        where,
        unknown_marker=SnapshotNotFound,
        scope=in_project(snapshots, project_id),
    )
    return Page([_record(row) for row in rows], count)


def insert(tx: Transaction, snapshot: Snapshot) -> None:
    """Write a new row from a record; ``created_at`` must be set."""
    tx.execute(snapshots.insert(), {name: getattr(snapshot, name) for name in _FIELDS})
    METADATA.insert(tx, snapshot.id, snapshot.metadata)


def update(tx: Transaction, snapshot_id: str, **fields: Any) -> bool:
    """Change columns; False when the row is gone."""
    statement = snapshots.update().where(snapshots.c.id == snapshot_id)
    return tx.execute(statement.values(updated_at=now(), **fields)).rowcount == 1


def transition(
    tx: Transaction, snapshot_id: str, event: str, *, to: str | None = None, **fields: Any
) -> bool:
    """Make a transition of the state table; False, and nothing changed, when it is not legal."""
    target = SNAPSHOT.target(event, to)
    where = (snapshots.c.id == snapshot_id, snapshots.c.status.in_(SNAPSHOT.sources(event)))
    if target == StateMachine.GONE:
        return tx.execute(snapshots.delete().where(*where)).rowcount == 1
    values = {"status": target, "updated_at": now(), **fields}
    return tx.execute(snapshots.update().where(*where).values(values)).rowcount == 1

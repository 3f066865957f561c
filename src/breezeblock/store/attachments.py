"""Rows of attachments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.attachment_states import ATTACHMENT
from breezeblock.domain.errors import AttachmentNotFound
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import Attachment
from breezeblock.domain.state_machine import StateMachine
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.listing import conditions, in_project, page
from breezeblock.store.tables import attachments

_FIELDS = tuple(column.name for column in attachments.c)
_SELECT = sa.select(*attachments.c)


def _record(row: AnyRow) -> Attachment:
    return Attachment(**dict(zip(_FIELDS, row, strict=True)))


def get(connection: Connection, attachment_id: str, project_id: str | None = None) -> Attachment:
    """The attachment, within a project unless that is None.  Raises AttachmentNotFound."""
    statement = _SELECT.where(attachments.c.id == attachment_id)
    if project_id is not None:
        statement = statement.where(attachments.c.project_id == project_id)
    row = connection.execute(statement).first()
    if row is None:
        raise AttachmentNotFound(id=attachment_id)
    return _record(row)


def find(connection: Connection, attachment_id: str) -> Attachment | None:
    row = connection.execute(_SELECT.where(attachments.c.id == attachment_id)).first()
    return None if row is None else _record(row)


def of_volumes(connection: Connection, volume_ids: Iterable[str]) -> dict[str, list[Attachment]]:
    """All attachments of these volumes by volume id, the oldest first."""
    ids = list(volume_ids)
    found: dict[str, list[Attachment]] = {}
    # Databases bound the number of parameters of one statement.
    for start in range(0, len(ids), 500):
        statement = _SELECT.where(attachments.c.volume_id.in_(ids[start : start + 500]))
        for row in connection.execute(
            statement.order_by(attachments.c.created_at, attachments.c.id)
        ):
            record = _record(row)
            found.setdefault(record.volume_id, []).append(record)
    return found


def of_volume(connection: Connection, volume_id: str) -> Sequence[Attachment]:
    return of_volumes(connection, [volume_id]).get(volume_id, [])


def list_page(connection: Connection, query: ListQuery, project_id: str | None) -> Page[Attachment]:
    filters = dict(query.filters)
    for name, column in (("status", "attach_status"), ("instance_id", "instance_uuid")):
        if name in filters:
            filters[column] = filters.pop(name)
    where: list[Any] = conditions(attachments, filters, {})
    rows, count = page(
        connection,
        _SELECT,
        attachments,
        query,
        where,
        unknown_marker=AttachmentNotFound,
        scope=in_project(attachments, project_id),
    )
    return Page([_record(row) for row in rows], count)


def insert(tx: Transaction, attachment: Attachment) -> None:
    """Write a new row from a record; ``created_at`` must be set."""
    tx.execute(attachments.insert(), {name: getattr(attachment, name) for name in _FIELDS})


def transition(
    tx: Transaction, attachment_id: str, event: str, *, to: str | None = None, **fields: Any
) -> bool:
    """Make a transition of the state table; False, and nothing changed, when it is not legal."""
    target = ATTACHMENT.target(event, to)
    where = (
        attachments.c.id == attachment_id,
        attachments.c.attach_status.in_(ATTACHMENT.sources(event)),
    )
    if target == StateMachine.GONE:
        return tx.execute(attachments.delete().where(*where)).rowcount == 1
    values = {"attach_status": target, "updated_at": now(), **fields}
    return tx.execute(attachments.update().where(*where).values(values)).rowcount == 1


def delete(tx: Transaction, attachment_id: str) -> bool:
    return tx.execute(attachments.delete().where(attachments.c.id == attachment_id)).rowcount == 1

"""Rows of user messages."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.errors import MessageNotFound
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import Message
from breezeblock.domain.user_messages import Text, event_id
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.listing import conditions, in_project, page
from breezeblock.store.tables import messages

TIME_TO_LIVE_SECONDS = 2592000
_FIELDS = tuple(column.name for column in messages.c if column.name != "updated_at")
_SELECT = sa.select(*(messages.c[name] for name in _FIELDS))
_CAUSE_LENGTH = 1024


def _record(row: AnyRow) -> Message:
    return Message(**dict(zip(_FIELDS, row, strict=True)))


def insert(
    tx: Transaction,
    *,
    project_id: str,
    request_id: str | None,
    resource_type: str,
    resource_id: str,
    action: Text,
    detail: Text,
    cause: str | None,
) -> None:
    """Tell a project what failed: ``cause`` is what the backend said, without its secrets."""
    time = now()
    row = {
        "id": str(uuid.uuid4()),
        "project_id": project_id,
        "request_id": request_id,
        "resource_type": resource_type,
        "resource_uuid": resource_id,
        "action_id": action.id,
        "detail_id": detail.id,
        "event_id": event_id(resource_type, action, detail),
        "message_level": "ERROR",
        "cause": cause[:_CAUSE_LENGTH] if cause else None,
        "expires_at": time + timedelta(seconds=TIME_TO_LIVE_SECONDS),
        "created_at": time,
    }
    tx.execute(messages.insert(), row)


def get(connection: Connection, message_id: str, project_id: str | None = None) -> Message:
    """Raises MessageNotFound, also for what is expired."""
    statement = _SELECT.where(messages.c.id == message_id, messages.c.expires_at > now())
    if project_id is not None:
        statement = statement.where(messages.c.project_id == project_id)
    row = connection.execute(statement).first()
    if row is None:
        raise MessageNotFound(id=message_id)
    return _record(row)


def list_page(connection: Connection, query: ListQuery, project_id: str | None) -> Page[Message]:
    where: list[Any] = conditions(messages, query.filters, {})
    where.append(messages.c.expires_at > now())
    rows, count = page(
        connection,
        _SELECT,
        messages,
        query,
        where,
        unknown_marker=MessageNotFound,
        scope=in_project(messages, project_id),
    )
    return Page([_record(row) for row in rows], count)


def delete(tx: Transaction, message_id: str) -> bool:
    return tx.execute(messages.delete().where(messages.c.id == message_id)).rowcount == 1


def prune(tx: Transaction) -> int:
    """Remove what is expired; returns how many."""
    return tx.execute(messages.delete().where(messages.c.expires_at <= now())).rowcount

"""What happened, kept after the rows themselves are gone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from breezeblock.store.clock import now
from breezeblock.store.database import Transaction
from breezeblock.store.tables import events


def append(
    tx: Transaction,
    *,
    project_id: str,
    resource_type: str,
    resource_id: str,
    event: str,
    request_id: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write an event in the transaction that makes it true."""
    row = {
        "created_at": now(),
        "project_id": project_id,
        "resource_type": resource_type,
        "resource_id": resource_id,
        "event": event,
        "request_id": request_id,
        "details": dict(details or {}),
    }
    tx.execute(events.insert(), row)


def prune(tx: Transaction, older_than_seconds: float) -> int:
    """Remove events older than this; returns how many."""
    limit = now() - timedelta(seconds=older_than_seconds)
    return tx.execute(events.delete().where(events.c.created_at < limit)).rowcount

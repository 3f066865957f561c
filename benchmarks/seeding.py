"""Many volumes at once, written straight into the tables: what is measured is the reading."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from tests.service import Service

from benchmarks.load import PROJECT
from breezeblock.store import tables
from breezeblock.store.database import Database, Transaction

_BATCH = 10_000
_FIRST = datetime(2024, 1, 1)
_PROPERTIES = {"purpose": "benchmark", "owner": "nobody"}


def seed(service: Service, template: str, first: int, last: int) -> list[str]:
    """Volumes number ``first`` to ``last`` - 1 like the existing one; their ids, oldest first.

    Each is a minute younger than the one before, all are older than what is made now.
    """
    database = Database(f"sqlite:///{service.state_path}/breezeblock.db")
    try:
        with database.read() as connection:
            row = connection.execute(
                tables.volumes.select().where(tables.volumes.c.id == template)
            ).one()
        like = dict(row._mapping)
        ids = [str(uuid.uuid4()) for _ in range(first, last)]
        for start in range(0, len(ids), _BATCH):
            part = ids[start : start + _BATCH]
            _insert(database, list(_volumes(like, part, first + start)), part)
        with database.read() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return ids
    finally:
        database.dispose()


def _volumes(like: dict[str, Any], ids: list[str], number: int) -> Iterator[dict[str, Any]]:
    for place, identity in enumerate(ids, number):
        yield {
            **like,
            "id": identity,
            "project_id": PROJECT,
            "display_name": f"seeded-{place}",
            "created_at": _FIRST + timedelta(minutes=place, microseconds=place % 1000),
        }


def _insert(database: Database, rows: list[dict[str, Any]], ids: list[str]) -> None:
    properties = [
        {"volume_id": identity, "key": key, "value": value}
        for identity in ids
        for key, value in _PROPERTIES.items()
    ]

    def work(tx: Transaction) -> None:
        tx.execute(tables.volumes.insert(), rows)
        tx.execute(tables.volume_metadata.insert(), properties)

    database.transact(work)

"""Databases and rows for tests of the rooms around the store.

``database`` is a fixture (``tests/conftest.py`` loads this module as a plug-in): a SQLite file of
the test's own with the newest schema.  The functions make records that differ from each other only
in what a test asks for.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from breezeblock.domain.resources import Attachment, Snapshot, Volume, VolumeType
from breezeblock.store import pools, schema, services
from breezeblock.store.database import Database

EPOCH = datetime(2026, 1, 1)
PROJECT = "p1"
SERVICE = "here@one"
POOL = "here@one#one"


def new_database(path: Path) -> Database:
    """A SQLite file with the newest schema that does not wait for the disk."""
    database = Database(f"sqlite:///{path}", synchronous=False)
    schema.upgrade(database)
    return database


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the newest schema, to be copied: migrating takes longer than a test."""
    path = tmp_path_factory.mktemp("empty") / "store.db"
    made = new_database(path)
    with made.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=DELETE")
    made.dispose()
    return path


@pytest.fixture
def database(tmp_path: Path, empty_store: Path) -> Iterator[Database]:
    """A fresh database."""
    path = Path(shutil.copy(empty_store, tmp_path / "store.db"))
    made = Database(f"sqlite:///{path}", synchronous=False)
    yield made
    made.dispose()


def at(seconds: float) -> datetime:
    """A moment, so many seconds after another one that never changes."""
    return EPOCH + timedelta(seconds=seconds)


def volume(**fields: Any) -> Volume:
    """An available volume of 1 GiB in the pool POOL."""
    defaults: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "project_id": PROJECT,
        "user_id": "u",
        "size": 1,
        "status": "available",
        "host": POOL,
        "availability_zone": "nova",
        "created_at": EPOCH,
    }
    return Volume(**defaults | fields)


def snapshot(volume_id: str, **fields: Any) -> Snapshot:
    """An available snapshot of 1 GiB."""
    defaults: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "volume_id": volume_id,
        "project_id": PROJECT,
        "user_id": "u",
        "volume_size": 1,
        "status": "available",
        "host": POOL,
        "created_at": EPOCH,
    }
    return Snapshot(**defaults | fields)


def attachment(volume_id: str, **fields: Any) -> Attachment:
    """A reserved attachment."""
    defaults: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "volume_id": volume_id,
        "project_id": PROJECT,
        "attach_status": "reserved",
        "created_at": EPOCH,
    }
    return Attachment(**defaults | fields)


def volume_type(name: str, **fields: Any) -> VolumeType:
    """A public volume type."""
    defaults: dict[str, Any] = {"id": str(uuid.uuid4()), "name": name, "created_at": EPOCH}
    return VolumeType(**defaults | fields)


def capabilities(**changes: Any) -> dict[str, Any]:
    """What a thin pool of 100 GiB without over-subscription reports."""
    return {
        "total_capacity_gb": 100,
        "free_capacity_gb": 100,
        "provisioned_capacity_gb": 0,
        "reserved_percentage": 0,
        "max_over_subscription_ratio": 1.0,
        "thin_provisioning_support": True,
    } | changes


def register_pool(
    database: Database,
    name: str = POOL,
    *,
    zone: str = "nova",
    reported: Mapping[str, Any] | None = None,
) -> None:
    """A live backend with one pool."""
    host = name.partition("#")[0]

    def work(tx: Any) -> None:
        services.register(tx, host, "cinder-volume", zone)
        pools.report(tx, host, zone, {name: capabilities(**(reported or {}))})

    database.transact(work)


@contextmanager
def statements(database: Database) -> Iterator[list[tuple[str, Any]]]:
    """Collects (SQL, parameters) of what the block executes."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(database.engine, "before_cursor_execute", note)


def plan(database: Database, statement: tuple[str, Any]) -> list[str]:
    """How SQLite goes about a statement, line by line."""
    sql, parameters = statement
    with database.read() as connection:
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters)
        return [str(row[-1]) for row in rows]

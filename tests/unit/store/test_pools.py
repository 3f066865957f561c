"""Pools: what is reported, what was placed since, and whose pools count."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.stored import POOL, SERVICE, capabilities, register_pool, volume

from breezeblock.store import pools, services, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Database, Transaction


def one(database: Database, name: str = POOL) -> Any:
    with database.read() as connection:
        return next(p for p in pools.of_service(connection, SERVICE) if p.name == name)


def test_a_report_replaces_the_one_before(database: Database) -> None:
    register_pool(database)
    other = f"{SERVICE}#two"
    database.transact(
        lambda tx: pools.report(
            tx, SERVICE, "mars", {POOL: capabilities(x=1), other: capabilities()}
        )
    )
    found = one(database)
    assert (found.capabilities["x"], found.availability_zone) == (1, "mars")
    database.transact(lambda tx: pools.report(tx, SERVICE, "mars", {other: capabilities()}))
    with database.read() as connection:
        assert [p.name for p in pools.of_service(connection, SERVICE)] == [other]


def test_what_is_consumed_counts_until_the_next_report(database: Database) -> None:
    register_pool(database)
    database.transact(lambda tx: pools.consume(tx, POOL, 7))
    database.transact(lambda tx: pools.consume(tx, POOL, -2))
    assert one(database).consumed_gb == 5
    register_pool(database)
    assert one(database).consumed_gb == 0


def test_a_report_counts_volumes_and_those_on_the_way(database: Database) -> None:
    def work(tx: Transaction) -> None:
        for status, size in (("available", 1), ("in-use", 2), ("error", 4), ("creating", 8)):
            volumes.insert(tx, volume(status=status, size=size))
        growing = volume(status="extending", size=1)
        volumes.insert(tx, growing)
        volumes.update(tx, growing.id, target_size=16)
        volumes.insert(tx, volume(host="here@one#two", size=100))
        volumes.insert(tx, volume(host=None, status="error", size=100))

    database.transact(work)
    register_pool(database)
    found = one(database)
    assert (found.allocated_gb, found.consumed_gb) == (7, 24)


@pytest.mark.parametrize(
    ("fields", "alive"),
    [
        ({}, True),
        ({"disabled": True}, False),
        ({"frozen": True}, False),
        ({"heartbeat_at": now() - timedelta(seconds=100)}, False),
        ({"heartbeat_at": None}, False),
    ],
)
def test_only_live_backends_are_placed_on(
    database: Database, fields: dict[str, Any], alive: bool
) -> None:
    register_pool(database)

    def work(tx: Transaction) -> None:
        services.change(tx, SERVICE, "cinder-volume", **fields)
        found = pools.of_live_services(tx.connection, now() - timedelta(seconds=60))
        assert [pool.name for pool in found] == ([POOL] if alive else [])

    database.transact(work)

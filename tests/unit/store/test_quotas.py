"""Quota usage is a sum: it equals a count row by row, whatever the rows are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.stored import PROJECT, new_database, snapshot, volume, volume_type

from breezeblock.domain.quota import Use
from breezeblock.domain.snapshot_states import SNAPSHOT
from breezeblock.domain.volume_states import VOLUME
from breezeblock.store import quotas, snapshots, volume_types, volumes
from breezeblock.store.database import Database, Transaction
from breezeblock.store.tables import quota_projects
from breezeblock.store.tables import snapshots as snapshot_table
from breezeblock.store.tables import volumes as volume_table

TYPES = (volume_type("gold"), volume_type("silver"))
RESERVED = {"creating", "extending", "managing"}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    made = new_database(tmp_path_factory.mktemp("quotas") / "store.db")
    for kind in TYPES:
        made.transact(lambda tx, kind=kind: volume_types.insert(tx, kind))  # type: ignore[misc]
    yield made
    made.dispose()


COMMON = {
    "project_id": st.sampled_from([PROJECT, "p2"]),
    "consumes_quota": st.booleans(),
    "volume_type_id": st.sampled_from([None, *(kind.id for kind in TYPES)]),
}
VOLUMES = st.lists(
    st.fixed_dictionaries(
        {
            **COMMON,
            "size": st.integers(1, 100),
            "target_size": st.sampled_from([None, 150]),
            "status": st.sampled_from(sorted(VOLUME.states)),
        }
    ),
    min_size=1,
    max_size=10,
)
SNAPSHOTS = st.lists(
    st.fixed_dictionaries(
        {
            **COMMON,
            "volume_size": st.integers(1, 100),
            "status": st.sampled_from(sorted(SNAPSHOT.states)),
        }
    ),
    max_size=10,
)


def fill(tx: Transaction, rows: list[dict[str, Any]], taken: list[dict[str, Any]]) -> None:
    tx.execute(snapshot_table.delete())
    tx.execute(volume_table.delete())
    for row in rows:
        target = row["target_size"]
        record = volume(**{name: value for name, value in row.items() if name != "target_size"})
        volumes.insert(tx, record)
        volumes.update(tx, record.id, target_size=target)
    for row in taken:
        snapshots.insert(tx, snapshot(record.id, **row))


@given(rows=VOLUMES, taken=SNAPSHOTS, gigabytes=st.booleans())
@settings(max_examples=100, deadline=None)
def test_usage_is_what_counting_gives(
    shared: Database, rows: list[dict[str, Any]], taken: list[dict[str, Any]], gigabytes: bool
) -> None:
    shared.transact(lambda tx: fill(tx, rows, taken))
    names = {kind.id: kind.name for kind in TYPES}
    in_use: Counter[str] = Counter()
    reserved: Counter[str] = Counter()

    def count(row: dict[str, Any], amounts: dict[str, int]) -> None:
        if row["project_id"] != PROJECT or not row["consumes_quota"]:
            return
        side = reserved if row["status"] in RESERVED else in_use
        for name, amount in amounts.items():
            side[name] += amount
            if row["volume_type_id"] is not None:
                side[f"{name}_{names[row['volume_type_id']]}"] += amount

    for row in rows:
        count(row, {"volumes": 1, "gigabytes": row["target_size"] or row["size"]})
    for row in taken:
        size = {"gigabytes": row["volume_size"]} if gigabytes else {}
        count(row, {"snapshots": 1, **size})
    expected = {name: Use(in_use[name], reserved[name]) for name in {*in_use, *reserved}}
    with shared.read() as connection:
        found = quotas.usage(connection, PROJECT, snapshot_gigabytes=gigabytes)
        again = quotas.count_again(connection, PROJECT, snapshot_gigabytes=gigabytes)
    assert found == expected
    totals = {name: found.get(name, Use()).total for name in ("volumes", "snapshots", "gigabytes")}
    assert again == totals


def test_limits_are_set_replaced_and_reset(database: Database) -> None:
    def work(tx: Transaction) -> None:
        quotas.set_limits(tx, PROJECT, {"volumes": 1, "gigabytes": -1})
        quotas.set_limits(tx, PROJECT, {"volumes": 2})
        quotas.set_limits(tx, "p2", {"volumes": 9})
        assert quotas.limits(tx.connection, PROJECT) == {"volumes": 2, "gigabytes": -1}
        quotas.reset(tx, PROJECT)
        assert quotas.limits(tx.connection, PROJECT) == {}
        assert quotas.limits(tx.connection, "p2") == {"volumes": 9}

    database.transact(work)


def test_every_writer_raises_the_generation(database: Database) -> None:
    for _ in range(3):
        database.transact(lambda tx: quotas.lock(tx, PROJECT))
    with database.read() as connection:
        rows = connection.execute(quota_projects.select()).all()
    assert [tuple(row) for row in rows] == [(PROJECT, 3)]

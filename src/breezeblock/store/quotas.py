"""Quota limits, and usage as sums over the rows it is about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.quota import Use, per_type
from breezeblock.store.database import Transaction
from breezeblock.store.tables import quota_limits, quota_projects, snapshots, volume_types, volumes

_RESERVED = ("creating", "extending", "managing")


def lock(tx: Transaction, project_id: str) -> None:
    """Serialise the project's quota decisions until the transaction ends.

    Every writer raises the generation, which locks the row; the first one makes it.
    """
    table = quota_projects
    raised = tx.execute(
        table.update()
        .where(table.c.project_id == project_id)
        .values(generation=table.c.generation + 1)
    )
    if raised.rowcount == 0:
        # Two firsts at once: the unique key lets one through, and the other is run again.
        tx.execute(table.insert(), {"project_id": project_id, "generation": 1})


def limits(connection: Connection, project_id: str) -> Mapping[str, int]:
    """The project's own limits, where it has any."""
    statement = sa.select(quota_limits.c.resource, quota_limits.c.hard_limit).where(
        quota_limits.c.project_id == project_id
    )
    return {row.resource: row.hard_limit for row in connection.execute(statement)}


def set_limits(tx: Transaction, project_id: str, values: Mapping[str, int]) -> None:
    table = quota_limits
    tx.execute(
        table.delete().where(table.c.project_id == project_id, table.c.resource.in_(list(values)))
    )
    if not values:
        return
    rows = [
        {"project_id": project_id, "resource": name, "hard_limit": limit}
        for name, limit in values.items()
    ]
    tx.execute(table.insert(), rows)


def reset(tx: Transaction, project_id: str) -> None:
    tx.execute(quota_limits.delete().where(quota_limits.c.project_id == project_id))


def _grouped(table: sa.Table, size: sa.ColumnElement[int]) -> sa.Select[Any]:
    # The outer join comes after the grouping, so the sum stays inside its covering index.
    sums = (
        sa.select(
            table.c.volume_type_id,
            table.c.status,
            sa.func.count().label("how_many"),
            sa.func.sum(size).label("gigabytes"),
        )
        .where(
            table.c.project_id == sa.bindparam("project_id"), table.c.consumes_quota == sa.true()
        )
        .group_by(table.c.volume_type_id, table.c.status)
        .subquery()
    )
    joined = sums.outerjoin(volume_types, volume_types.c.id == sums.c.volume_type_id)
    return sa.select(
        volume_types.c.name, sums.c.status, sums.c.how_many, sums.c.gigabytes
    ).select_from(joined)


_VOLUMES = _grouped(volumes, sa.func.coalesce(volumes.c.target_size, volumes.c.size))
_SNAPSHOTS = _grouped(snapshots, snapshots.c.volume_size)


def _totalled(table: sa.Table, size: sa.ColumnElement[int]) -> sa.Select[int, int]:
    mine = (table.c.project_id == sa.bindparam("project_id"), table.c.consumes_quota == sa.true())
    return sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(size), 0)).where(*mine)


_VOLUMES_TOTAL = _totalled(volumes, sa.func.coalesce(volumes.c.target_size, volumes.c.size))
_SNAPSHOTS_TOTAL = _totalled(snapshots, snapshots.c.volume_size)


def totals(
    connection: Connection, project_id: str, *, snapshot_gigabytes: bool = True
) -> dict[str, Use]:
    """What the project has of volumes, snapshots and gigabytes, whatever their type and state.

    A third cheaper than ``usage``, for the requests that ask for no more.
    """
    mine = {"project_id": project_id}
    count, gigabytes = connection.execute(_VOLUMES_TOTAL, mine).one()
    taken, taken_gigabytes = connection.execute(_SNAPSHOTS_TOTAL, mine).one()
    if snapshot_gigabytes:
        gigabytes += taken_gigabytes
    return {
        "volumes": Use(int(count)),
        "snapshots": Use(int(taken)),
        "gigabytes": Use(int(gigabytes)),
    }


def usage(
    connection: Connection, project_id: str, *, snapshot_gigabytes: bool = True
) -> dict[str, Use]:
    """What the project has, by quota name, per type too.

    ``snapshot_gigabytes`` says whether snapshots count towards gigabytes
    (``no_snapshot_gb_quota`` switches that off).
    """
    totals: dict[str, Use] = {}

    def add(resource: str, type_name: str | None, amount: int, *, reserved: bool) -> None:
        names = [resource] if type_name is None else [resource, per_type(resource, type_name)]
        for name in names:
            use = totals.get(name, Use())
            totals[name] = Use(
                use.in_use + (0 if reserved else amount), use.reserved + (amount if reserved else 0)
            )

    for type_name, status, count, gigabytes in connection.execute(
        _VOLUMES, {"project_id": project_id}
    ):
        reserved = status in _RESERVED
        add("volumes", type_name, count, reserved=reserved)
        add("gigabytes", type_name, int(gigabytes), reserved=reserved)
    for type_name, status, count, gigabytes in connection.execute(
        _SNAPSHOTS, {"project_id": project_id}
    ):
        reserved = status in _RESERVED
        add("snapshots", type_name, count, reserved=reserved)
        if snapshot_gigabytes:
            add("gigabytes", type_name, int(gigabytes), reserved=reserved)
    return totals


def count_again(
    connection: Connection, project_id: str, *, snapshot_gigabytes: bool = True
) -> dict[str, int]:
    """Volumes, snapshots and gigabytes of a project, counted row by row instead of summed."""
    size = sa.func.coalesce(volumes.c.target_size, volumes.c.size)
    mine = sa.select(size).where(
        volumes.c.project_id == project_id, volumes.c.consumes_quota.is_(True)
    )
    sizes = list(connection.execute(mine).scalars())
    taken = sa.select(snapshots.c.volume_size).where(
        snapshots.c.project_id == project_id, snapshots.c.consumes_quota.is_(True)
    )
    snapshot_sizes = list(connection.execute(taken).scalars())
    gigabytes = sum(sizes) + (sum(snapshot_sizes) if snapshot_gigabytes else 0)
    return {
        "volumes": len(sizes),
        "snapshots": len(snapshot_sizes),
        "gigabytes": gigabytes,
    }

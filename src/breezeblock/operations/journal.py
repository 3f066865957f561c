"""The journal: operations in the database, and the compare-and-set that keeps them to one owner.

An operation is appended in the transaction that changes its resource.  A worker claims it by
raising its ``epoch``; every later write of that worker carries the epoch it got, so a worker
that lost its lease finds its writes refused (fencing).

Operations that share a lock key run in the order in which they were appended, unless both only
read.  Since an operation waits only for earlier ones, they cannot wait for each other.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import OperationNotFound
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.operations.errors import LeaseLost
from breezeblock.operations.record import Operation
from breezeblock.operations.states import DONE, FAILED, OPEN, QUEUED, RUNNING, UNDOING
from breezeblock.store.clock import now
from breezeblock.store.database import AnyRow, Transaction
from breezeblock.store.listing import conditions, in_project, page
from breezeblock.store.tables import operation_locks, operations

_FIELDS = tuple(column.name for column in operations.c)
_SELECT = sa.select(*operations.c)
_ERROR_LENGTH = operations.c.error.type.length  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An operation to be appended.

    ``exclusive`` and ``shared`` are the lock keys that it writes to and reads from, such as
    ``volume:<id>``.
    """

    kind: str
    queue: str
    resource_type: str
    resource_id: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    exclusive: Sequence[str] = ()
    shared: Sequence[str] = ()


def _record(row: AnyRow) -> Operation:
    return Operation(**dict(zip(_FIELDS, row, strict=True)))


def append(tx: Transaction, ctx: RequestContext, request: Request) -> str:
    """Write an operation; returns its id."""
    operation_id = str(uuid.uuid4())
    inserted = tx.execute(
        operations.insert().values(
            id=operation_id,
            kind=request.kind,
            state=QUEUED,
            queue=request.queue,
            resource_type=request.resource_type,
            resource_id=request.resource_id,
            project_id=ctx.project_id,
            user_id=ctx.user_id,
            request_id=ctx.request_id,
            payload=dict(request.payload),
            results={},
            progress=0,
            bytes_done=0,
            bytes_total=0,
            attempts=0,
            epoch=0,
            lease_until=0.0,
            not_before=0.0,
            created_at=now(),
        )
    )
    (seq,) = inserted.inserted_primary_key or (None,)
    locks = {key: False for key in request.shared} | {key: True for key in request.exclusive}
    if locks:
        rows = [{"key": key, "seq": seq, "exclusive": value} for key, value in locks.items()]
        tx.execute(operation_locks.insert(), rows)
    return operation_id


# ---- claiming --------------------------------------------------------------------------------

_mine, _theirs = operation_locks.alias("mine"), operation_locks.alias("theirs")
_BLOCKED = (
    sa.exists()
    .where(
        _mine.c.seq == operations.c.seq,
        _theirs.c.key == _mine.c.key,
        _theirs.c.seq < _mine.c.seq,
        sa.or_(_mine.c.exclusive, _theirs.c.exclusive),
    )
    .correlate(operations)
)
_CLAIMABLE = (
    sa.select(operations.c.seq, operations.c.epoch, operations.c.state)
    .where(
        operations.c.state.in_(OPEN),
        operations.c.queue.in_(sa.bindparam("queues", expanding=True)),
        operations.c.kind.in_(sa.bindparam("kinds", expanding=True)),
        operations.c.not_before <= sa.bindparam("now"),
        sa.or_(operations.c.owner.is_(None), operations.c.lease_until < sa.bindparam("now")),
        sa.not_(_BLOCKED),
    )
    .order_by(operations.c.seq)
    .limit(sa.bindparam("limit"))
)
_CLAIM = (
    operations.update()
    .where(
        operations.c.seq == sa.bindparam("a_seq"), operations.c.epoch == sa.bindparam("an_epoch")
    )
    .values(
        owner=sa.bindparam("an_owner"),
        epoch=operations.c.epoch + 1,
        lease_until=sa.bindparam("a_lease"),
        state=sa.bindparam("a_state"),
        started_at=sa.func.coalesce(
            operations.c.started_at, sa.bindparam("a_time", type_=operations.c.started_at.type)
        ),
        updated_at=sa.bindparam("a_time", type_=operations.c.started_at.type),
    )
)


@dataclass(frozen=True, slots=True)
class Competence:
    """What a worker can take: the queues it serves and the kinds it has definitions of.

    A kind that it does not know belongs to a worker of another version.
    """

    queues: Sequence[str]
    kinds: Sequence[str]


def claimable(connection: Connection, competence: Competence, limit: int) -> Sequence[AnyRow]:
    """(seq, epoch, state) of operations that are free to be claimed, the oldest first."""
    if not competence.queues or limit <= 0:
        return []
    parameters = {
        "queues": list(competence.queues),
        "kinds": list(competence.kinds),
        "now": time.time(),
        "limit": limit,
    }
    return connection.execute(_CLAIMABLE, parameters).all()


def claim(
    tx: Transaction, competence: Competence, owner: str, lease: float, limit: int
) -> list[Operation]:
    """Take up to ``limit`` free operations for ``lease`` seconds."""
    claimed = []
    for row in claimable(tx.connection, competence, limit):
        result = tx.execute(
            _CLAIM,
            {
                "a_seq": row.seq,
                "an_epoch": row.epoch,
                "an_owner": owner,
                "a_lease": time.time() + lease,
                "a_state": UNDOING if row.state == UNDOING else RUNNING,
                "a_time": now(),
            },
        )
        if result.rowcount == 1:
            claimed.append(row.seq)
    if not claimed:
        return []
    statement = _SELECT.where(operations.c.seq.in_(claimed)).order_by(operations.c.seq)
    return [_record(row) for row in tx.execute(statement)]


def renew(
    tx: Transaction, owner: str, lease: float, operation_ids: Collection[str]
) -> dict[str, int]:
    """Prolong a worker's leases of these operations; returns what it still holds, epoch by id."""
    held = sa.and_(
        operations.c.id.in_(list(operation_ids)),
        operations.c.owner == owner,
        operations.c.state.in_((RUNNING, UNDOING)),
    )
    tx.execute(operations.update().where(held).values(lease_until=time.time() + lease))
    rows = tx.execute(sa.select(operations.c.id, operations.c.epoch).where(held))
    return {row.id: row.epoch for row in rows}


def owners(connection: Connection, queues: Sequence[str]) -> set[str]:
    """Who holds unfinished operations of these queues."""
    statement = (
        sa.select(operations.c.owner)
        .where(
            operations.c.state.in_((RUNNING, UNDOING)),
            operations.c.queue.in_(list(queues)),
            operations.c.owner.is_not(None),
        )
        .distinct()
    )
    return set(connection.execute(statement).scalars())


def release_all_of(tx: Transaction, dead_owners: Iterable[str]) -> int:
    """End the leases of workers that are known to be dead; returns of how many operations."""
    statement = (
        operations.update()
        .where(operations.c.owner.in_(list(dead_owners)), operations.c.state.in_(OPEN))
        .values(lease_until=0.0)
    )
    return tx.execute(statement).rowcount


# ---- writing as the owner --------------------------------------------------------------------


def write(tx: Transaction, operation: Operation, **fields: Any) -> None:
    """Change an operation that is ours.  Raises LeaseLost, and so rolls back, when it is not.

    The check locks the row, so whatever else the transaction writes is fenced too.
    """
    result = tx.execute(
        operations.update()
        .where(
            operations.c.seq == operation.seq,
            operations.c.owner == operation.owner,
            operations.c.epoch == operation.epoch,
        )
        .values(updated_at=now(), **fields)
    )
    if result.rowcount != 1:
        raise LeaseLost(operation.id)


def end(tx: Transaction, operation: Operation, *, error: str | None) -> None:
    """Finish an operation as done, or with an error as failed, and let go of its locks."""
    outcome: dict[str, Any] = (
        {"state": DONE, "progress": 100, "error": None}
        if error is None
        else {"state": FAILED, "error": shortened(error)}
    )
    write(tx, operation, owner=None, lease_until=0.0, step=None, finished_at=now(), **outcome)
    tx.execute(operation_locks.delete().where(operation_locks.c.seq == operation.seq))


def release(
    tx: Transaction, operation: Operation, *, state: str, pause: float = 0.0, **fields: Any
) -> None:
    """Put an operation back for whoever claims it next, not before ``pause`` seconds from now."""
    not_before = time.time() + pause if pause else 0.0
    write(tx, operation, owner=None, lease_until=0.0, state=state, not_before=not_before, **fields)


def shortened(text: str) -> str:
    """An error's words, cut to what the column holds."""
    return text[:_ERROR_LENGTH]


# ---- reading ---------------------------------------------------------------------------------


def get(connection: Connection, operation_id: str, project_id: str | None = None) -> Operation:
    """The operation, within a project unless that is None.  Raises OperationNotFound."""
    statement = _SELECT.where(operations.c.id == operation_id)
    if project_id is not None:
        statement = statement.where(operations.c.project_id == project_id)
    row = connection.execute(statement).first()
    if row is None:
        raise OperationNotFound(id=operation_id)
    return _record(row)


def unfinished_kind(connection: Connection, resource_id: str) -> str | None:
    """The kind of an operation that is not finished on a resource, if there is one."""
    statement = sa.select(operations.c.kind).where(
        operations.c.resource_id == resource_id, operations.c.state.in_(OPEN)
    )
    kind: str | None = connection.execute(statement.limit(1)).scalar()
    return kind


def unfinished_resources(connection: Connection, queue: str) -> set[tuple[str, str]]:
    """(resource type, resource id) of a queue's operations that are not finished."""
    statement = sa.select(operations.c.resource_type, operations.c.resource_id).where(
        operations.c.queue == queue, operations.c.state.in_(OPEN)
    )
    return {(row.resource_type, row.resource_id) for row in connection.execute(statement)}


def list_page(connection: Connection, query: ListQuery, project_id: str | None) -> Page[Operation]:
    where: list[Any] = conditions(operations, query.filters, {})
    rows, count = page(
        connection,
        _SELECT,
        operations,
        query,
        where,
        unknown_marker=OperationNotFound,
        scope=in_project(operations, project_id),
    )
    return Page([_record(row) for row in rows], count)


def forget_results(tx: Transaction, operation_id: str) -> None:
    """Drop the step results of a finished operation: they may hold credentials."""
    statement = operations.update().where(
        operations.c.id == operation_id, operations.c.state.in_((DONE, FAILED))
    )
    tx.execute(statement.values(results={}))


def prune(tx: Transaction, older_than_seconds: float) -> int:
    """Remove finished operations that ended longer ago than this; returns how many."""
    limit = now() - timedelta(seconds=older_than_seconds)
    statement = operations.delete().where(
        operations.c.state.in_((DONE, FAILED)), operations.c.finished_at < limit
    )
    return tx.execute(statement).rowcount

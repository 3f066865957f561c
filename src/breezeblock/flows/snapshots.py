"""Steps of operations on snapshots: create, delete."""

from __future__ import annotations

from breezeblock.domain.user_messages import Action, Detail
from breezeblock.flows import kinds
from breezeblock.flows.backend import (
    Backend,
    BackendRun,
    note,
    remembered,
    snapshot_of,
    tell_user,
)
from breezeblock.operations.definition import Definition, Step
from breezeblock.operations.failure import Failure
from breezeblock.operations.run import Result
from breezeblock.store import snapshots
from breezeblock.store.database import Transaction

BUSY = "snapshot-is-busy"


def _take(run: BackendRun) -> Result:
    update = run.env.driver.create_snapshot(snapshot_of(run))
    return {"update": dict(update or {})}


def _drop(run: BackendRun) -> None:
    run.env.driver.delete_snapshot(snapshot_of(run))


def _remember(run: BackendRun, tx: Transaction, result: Result) -> None:
    fields = remembered((result or {}).get("update"))
    kept = ("provider_id", "provider_location", "provider_auth")
    fields = {name: value for name, value in fields.items() if name in kept}
    if fields:
        snapshots.update(tx, run.operation.resource_id, **fields)


def _created(run: BackendRun, tx: Transaction) -> None:
    snapshots.transition(tx, run.operation.resource_id, "created", progress="100%")
    note(run, tx, "create.end")


def _create_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    snapshots.transition(tx, run.operation.resource_id, "create_failed")
    tell_user(run, tx, failure, Action.SNAPSHOT_CREATE, Detail.SNAPSHOT_CREATE)
    note(run, tx, "create.error", error=failure.message)


CREATE: Definition[Backend] = Definition(
    kind=kinds.CREATE_SNAPSHOT,
    steps=(Step("snapshot", _take, undo=_drop, record=_remember),),
    finish=_created,
    fail=_create_failed,
)


def _delete(run: BackendRun) -> Result:
    _drop(run)
    return None


def _deleted(run: BackendRun, tx: Transaction) -> None:
    snapshots.transition(tx, run.operation.resource_id, "deleted")
    note(run, tx, "delete.end")


def _delete_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    busy = failure.kind == BUSY
    event = "delete_refused" if busy else "delete_failed"
    snapshots.transition(tx, run.operation.resource_id, event)
    detail = Detail.SNAPSHOT_BUSY if busy else Detail.SNAPSHOT_DELETE
    tell_user(run, tx, failure, Action.SNAPSHOT_DELETE, detail)
    note(run, tx, "delete.error", error=failure.message)


DELETE: Definition[Backend] = Definition(
    kind=kinds.DELETE_SNAPSHOT,
    steps=(Step("delete", _delete),),
    finish=_deleted,
    fail=_delete_failed,
)

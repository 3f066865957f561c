"""Steps of operations on volumes: create, delete, extend, revert."""

from __future__ import annotations

import logging

from breezeblock.domain.errors import NoValidBackend
from breezeblock.domain.hosts import service_host
from breezeblock.domain.resources import Volume
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.domain.volume_states import status_by_attachments
from breezeblock.drivers.errors import TargetUpdateFailed, VolumeBackendError
from breezeblock.drivers.interface import RevertToSnapshot
from breezeblock.flows import kinds
from breezeblock.flows.backend import (
    Backend,
    BackendRun,
    context_of,
    note,
    remember_on_volume,
    snapshot_of,
    tell_user,
    volume_of,
)
from breezeblock.operations.definition import Again, Definition, Step
from breezeblock.operations.failure import Failure
from breezeblock.operations.run import Result
from breezeblock.scheduling.request import PlacementRequest
from breezeblock.store import attachments, pools, snapshots, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction

LOG = logging.getLogger(__name__)

_BUSY = frozenset({"volume-is-busy", "snapshot-is-busy"})
_SOURCE_ERRORS = frozenset({"volume-not-found", "snapshot-not-found"})
"""Failures that no other backend would mend."""


# ---- create ----------------------------------------------------------------------------------


def _allocate(run: BackendRun) -> Result:
    driver, volume, payload = run.env.driver, volume_of(run), run.payload
    if payload.get("snapshot_id"):
        snapshot = snapshot_of(run, payload["snapshot_id"])
        update = driver.create_volume_from_snapshot(volume, snapshot)
    elif payload.get("source_volid"):
        update = driver.create_cloned_volume(volume, volume_of(run, payload["source_volid"]))
    else:
        update = driver.create_volume(volume)
    return {"update": dict(update or {})}


def _release(run: BackendRun) -> None:
    run.env.driver.delete_volume(volume_of(run))


def _remember(run: BackendRun, tx: Transaction, result: Result) -> None:
    remember_on_volume(run, tx, run.operation.resource_id, result)


def _created(run: BackendRun, tx: Transaction) -> None:
    volumes.transition(
        tx,
        run.operation.resource_id,
        "created",
        launched_at=now(),
        service_uuid=run.env.service_uuid,
        shared_targets=run.env.shared_targets,
    )
    note(run, tx, "create.end")


def _create_failed(run: BackendRun, tx: Transaction, failure: Failure) -> Again | None:
    volume = volumes.find(tx.connection, run.operation.resource_id)
    if volume is not None and volume.host is not None:
        pools.consume(tx, volume.host, -volume.size)
    again = None if failure.kind in _SOURCE_ERRORS else _place_again(run, tx, volume)
    if again is None:
        volumes.transition(tx, run.operation.resource_id, "create_failed")
        tell_user(run, tx, failure, Action.CREATE, Detail.DRIVER_CREATE)
        note(run, tx, "create.error", error=failure.message)
    return again


def _place_again(run: BackendRun, tx: Transaction, volume: Volume | None) -> Again | None:
    """Another pool for the volume, while the operator allows tries and there is one."""
    placement = run.payload.get("placement")
    if placement is None or volume is None or volume.host is None:
        return None
    tried = [*placement["tried"], volume.host]
    if len(tried) >= run.env.scheduler.max_attempts:
        return None
    placement = {**placement, "tried": tried}
    try:
        pool = run.env.scheduler.place(tx, PlacementRequest(**placement))
    except NoValidBackend as error:
        LOG.info("No other backend for volume %s: %s", volume.id, error)
        return None
    LOG.info("Volume %s moves on from %s to %s", volume.id, volume.host, pool.name)
    volumes.update(tx, volume.id, host=pool.name, availability_zone=pool.availability_zone)
    return Again(service_host(pool.name), {**run.payload, "placement": placement})


CREATE: Definition[Backend] = Definition(
    kind=kinds.CREATE_VOLUME,
    steps=(Step("allocate", _allocate, undo=_release, record=_remember),),
    finish=_created,
    fail=_create_failed,
)


# ---- delete ----------------------------------------------------------------------------------


def _unexport(run: BackendRun) -> Result:
    run.env.driver.remove_export(context_of(run), volume_of(run))
    return None


def _delete_snapshots(run: BackendRun) -> Result:
    """Cascade: every snapshot goes, one after the other, each row with its data."""
    with run.read() as connection:
        doomed = snapshots.of_volume(connection, run.operation.resource_id)
    for snapshot in doomed:
        run.checkpoint()
        run.env.driver.delete_snapshot(snapshot)
        run.transact(lambda tx, id_=snapshot.id: snapshots.transition(tx, id_, "deleted"))  # type: ignore[misc]
    return None


def _delete(run: BackendRun) -> Result:
    run.env.driver.delete_volume(volume_of(run))
    return None


def _deleted(run: BackendRun, tx: Transaction) -> None:
    volume = volumes.find(tx.connection, run.operation.resource_id)
    # What was never made has given its room back already.
    if volume is not None and volume.host is not None and volume.launched_at is not None:
        pools.consume(tx, volume.host, -volume.size)
    volumes.transition(tx, run.operation.resource_id, "deleted")
    note(run, tx, "delete.end")


def _delete_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    busy = failure.kind in _BUSY
    event = "delete_refused" if busy else "delete_failed"
    detail = Detail.VOLUME_BUSY if busy else Detail.DRIVER_DELETE
    volumes.transition(tx, run.operation.resource_id, event)
    for snapshot in snapshots.of_volume(tx.connection, run.operation.resource_id):
        snapshots.transition(tx, snapshot.id, event)
    tell_user(run, tx, failure, Action.DELETE, detail)
    note(run, tx, "delete.error", error=failure.message)


DELETE: Definition[Backend] = Definition(
    kind=kinds.DELETE_VOLUME,
    steps=(
        Step("unexport", _unexport),
        Step("delete_snapshots", _delete_snapshots),
        Step("delete", _delete),
    ),
    finish=_deleted,
    fail=_delete_failed,
)


# ---- extend ----------------------------------------------------------------------------------


def _extend(run: BackendRun) -> Result:
    try:
        run.env.driver.extend_volume(volume_of(run), run.payload["new_size"])
    except TargetUpdateFailed as error:
        # The volume has grown; its consumers see that when they log in the next time.
        LOG.warning("Volume %s has grown, but: %s", run.operation.resource_id, error)
    return None


def _extended(run: BackendRun, tx: Transaction) -> None:
    volume_id = run.operation.resource_id
    status, _ = status_by_attachments(attachments.of_volume(tx.connection, volume_id))
    to = "in-use" if status == "in-use" else "available"
    size = run.payload["new_size"]
    volumes.transition(tx, volume_id, "extended", to=to, size=size, target_size=None)
    note(run, tx, "resize.end", size=size)


def _extend_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    volume = volumes.find(tx.connection, run.operation.resource_id)
    if volume is not None and volume.host is not None:
        pools.consume(tx, volume.host, volume.size - run.payload["new_size"])
    volumes.transition(tx, run.operation.resource_id, "extend_failed", target_size=None)
    tell_user(run, tx, failure, Action.EXTEND, Detail.DRIVER_EXTEND)
    note(run, tx, "resize.error", error=failure.message)


EXTEND: Definition[Backend] = Definition(
    kind=kinds.EXTEND_VOLUME,
    steps=(Step("extend", _extend),),
    finish=_extended,
    fail=_extend_failed,
)


# ---- revert ----------------------------------------------------------------------------------


def _revert(run: BackendRun) -> Result:
    driver = run.env.driver
    if not isinstance(driver, RevertToSnapshot):
        raise VolumeBackendError(reason="it cannot revert a volume to a snapshot.")
    snapshot = snapshot_of(run, run.payload["snapshot_id"])
    driver.revert_to_snapshot(context_of(run), volume_of(run), snapshot)
    return None


def _reverted(run: BackendRun, tx: Transaction) -> None:
    volumes.transition(tx, run.operation.resource_id, "reverted")
    snapshots.transition(tx, run.payload["snapshot_id"], "restored")
    note(run, tx, "revert.end", snapshot_id=run.payload["snapshot_id"])


def _revert_failed(run: BackendRun, tx: Transaction, failure: Failure) -> None:
    volumes.transition(tx, run.operation.resource_id, "revert_failed")
    snapshots.transition(tx, run.payload["snapshot_id"], "restored")
    tell_user(run, tx, failure, Action.REVERT, Detail.DRIVER_REVERT)
    note(run, tx, "revert.error", error=failure.message)


REVERT: Definition[Backend] = Definition(
    kind=kinds.REVERT_VOLUME,
    steps=(Step("revert", _revert),),
    finish=_reverted,
    fail=_revert_failed,
)

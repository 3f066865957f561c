"""What the steps of an operation get to work with: one backend of this worker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from breezeblock.domain.context import RequestContext
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.domain.user_messages import Text
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.operations.failure import Failure
from breezeblock.operations.run import Result, Run
from breezeblock.scheduling.placement import Scheduler
from breezeblock.store import events, messages, snapshots, volumes
from breezeblock.store.database import Transaction

_REMEMBERED = (
    "provider_id",
    "provider_location",
    "provider_auth",
    "provider_geometry",
    "replication_status",
)
"""What a driver may ask the service to remember of a volume (its model update)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A set-up driver and what goes with it.  ``service_host`` is ``host@backend``."""

    service_host: str
    service_uuid: str
    driver: VolumeDriver
    scheduler: Scheduler
    shared_targets: bool | None = None


BackendRun = Run[Backend]


def context_of(run: BackendRun) -> RequestContext:
    """The caller whose request the operation carries out."""
    operation = run.operation
    return RequestContext(
        user_id=operation.user_id,
        project_id=operation.project_id,
        request_id=operation.request_id or operation.id,
    )


def volume_of(run: BackendRun, volume_id: str | None = None) -> Volume:
    """The volume as its row stands now; the operation's own unless an id is given."""
    with run.read() as connection:
        return volumes.get(connection, volume_id or run.operation.resource_id)


def snapshot_of(run: BackendRun, snapshot_id: str | None = None) -> Snapshot:
    with run.read() as connection:
        return snapshots.get(connection, snapshot_id or run.operation.resource_id)


def remembered(update: Mapping[str, Any] | None) -> dict[str, Any]:
    """The columns of a driver's model update."""
    return {name: value for name, value in (update or {}).items() if name in _REMEMBERED}


def remember_on_volume(run: BackendRun, tx: Transaction, volume_id: str, result: Result) -> None:
    fields = remembered((result or {}).get("update"))
    if fields:
        volumes.update(tx, volume_id, **fields)


def note(run: BackendRun, tx: Transaction, event: str, **details: Any) -> None:
    """Write down what happened to the operation's resource."""
    operation = run.operation
    events.append(
        tx,
        project_id=operation.project_id,
        resource_type=operation.resource_type,
        resource_id=operation.resource_id,
        event=event,
        request_id=operation.request_id,
        details=details,
    )


def tell_user(
    run: BackendRun, tx: Transaction, failure: Failure, action: Text, detail: Text
) -> None:
    """Leave the user message of a failed operation; of an attachment's, on its volume."""
    operation = run.operation
    messages.insert(
        tx,
        project_id=operation.project_id,
        request_id=operation.request_id,
        resource_type="VOLUME_SNAPSHOT" if operation.resource_type == "snapshot" else "VOLUME",
        resource_id=run.payload.get("volume_id", operation.resource_id),
        action=action,
        detail=detail,
        cause=failure.message,
    )

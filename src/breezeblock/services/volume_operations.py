"""Starting an operation on a volume: on its backend's queue, under its lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import InvalidVolume
from breezeblock.domain.hosts import service_host
from breezeblock.domain.resources import Volume
from breezeblock.flows import kinds
from breezeblock.operations import journal
from breezeblock.services.deployment import Deployment
from breezeblock.store.database import Transaction


def start_on_volume(
    deployment: Deployment,
    tx: Transaction,
    ctx: RequestContext,
    volume: Volume,
    kind: str,
    payload: Mapping[str, Any],
    *,
    attachment_id: str | None = None,
    locks: Sequence[str] = (),
) -> str:
    """Append an operation that has the volume for itself; returns its id.

    It is shown as the attachment's when an id of one is given.  ``locks`` are further keys that
    it needs for itself.  Raises InvalidVolume for a volume that no backend holds.
    """
    if volume.host is None:
        raise InvalidVolume(reason=f"volume {volume.id} is on no backend.")
    request = journal.Request(
        kind=kind,
        queue=service_host(volume.host),
        resource_type="volume" if attachment_id is None else "attachment",
        resource_id=attachment_id or volume.id,
        payload=payload,
        exclusive=[kinds.volume_lock(volume.id), *locks],
    )
    return deployment.start(tx, ctx, request)

"""Snapshots of volumes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import (
    InvalidInput,
    InvalidSnapshot,
    InvalidVolume,
    MetadataNotFound,
    SnapshotNotFound,
)
from breezeblock.domain.hosts import service_host
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.quota import per_type
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.domain.snapshot_states import RESET_TARGETS, SNAPSHOT
from breezeblock.flows import kinds
from breezeblock.operations import journal
from breezeblock.services import quotas
from breezeblock.services.deployment import Deployment, list_scope, scope
from breezeblock.store import snapshots, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction


class Snapshots:
    """Requests about snapshots."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._database = deployment.database
        self._rules = deployment.rules

    def get(self, ctx: RequestContext, snapshot_id: str) -> Snapshot:
        """Raises SnapshotNotFound."""
        with self._database.read() as connection:
            return snapshots.get(connection, snapshot_id, scope(ctx))

    def list(self, ctx: RequestContext, query: ListQuery) -> Page[Snapshot]:
        project_id = list_scope(ctx, all_projects=query.all_projects)
        with self._database.read() as connection:
            return snapshots.list_page(connection, query, project_id)

    # ---- life --------------------------------------------------------------------------------

    def create(
        self,
        ctx: RequestContext,
        volume_id: str,
        *,
        name: str | None,
        description: str | None,
        metadata: Mapping[str, str],
        in_use_allowed: bool,
    ) -> Snapshot:
        """Raises VolumeNotFound, InvalidVolume for its status, OverQuota."""

        def work(tx: Transaction) -> Snapshot:
            volume = volumes.get(tx.connection, volume_id, scope(ctx))
            _check_volume(volume, in_use_allowed=in_use_allowed)
            self._take_quota(tx, ctx, volume)
            snapshot = Snapshot(
                id=str(uuid.uuid4()),
                volume_id=volume.id,
                project_id=ctx.project_id,
                user_id=ctx.user_id,
                volume_size=volume.size,
                status="creating",
                display_name=name,
                display_description=description,
                volume_type_id=volume.volume_type_id,
                volume_name_id=volume.name_id,
                host=volume.host,
                encryption_key_id=volume.encryption_key_id,
                created_at=now(),
                metadata=metadata,
            )
            snapshots.insert(tx, snapshot)
            self._start(tx, ctx, snapshot, kinds.CREATE_SNAPSHOT, exclusive_volume=True)
            return snapshot

        return self._database.transact(work)

    def _take_quota(self, tx: Transaction, ctx: RequestContext, volume: Volume) -> None:
        wanted = {"snapshots": 1}
        if not self._rules.no_snapshot_gb_quota:
            wanted["gigabytes"] = volume.size
        if volume.volume_type_name is not None:
            wanted |= {per_type(k, volume.volume_type_name): v for k, v in wanted.items()}
        quotas.take(tx, self._rules, ctx.project_id, wanted)

    def delete(self, ctx: RequestContext, snapshot: Snapshot, *, force: bool = False) -> None:
        """Raises InvalidSnapshot for its status or while it is part of a group snapshot."""

        def work(tx: Transaction) -> None:
            if snapshot.group_snapshot_id is not None:
                raise InvalidSnapshot(
                    reason=f"snapshot {snapshot.id} is part of a group snapshot; delete that."
                )
            event = "force_delete" if force else "delete"
            if not snapshots.transition(tx, snapshot.id, event):
                current = snapshots.get(tx.connection, snapshot.id)
                allowed = " or ".join(sorted(SNAPSHOT.sources("delete")))
                raise InvalidSnapshot(
                    reason=f"snapshot {snapshot.id} is {current.status}; to be deleted it must be"
                    f" {allowed}."
                )
            self._start(tx, ctx, snapshot, kinds.DELETE_SNAPSHOT, exclusive_volume=False)

        self._database.transact(work)

    def _start(
        self,
        tx: Transaction,
        ctx: RequestContext,
        snapshot: Snapshot,
        kind: str,
        *,
        exclusive_volume: bool,
    ) -> None:
        volume = [kinds.volume_lock(snapshot.volume_id)]
        own = [kinds.snapshot_lock(snapshot.id)]
        request = journal.Request(
            kind=kind,
            queue=service_host(snapshot.host or ""),
            resource_type="snapshot",
            resource_id=snapshot.id,
            exclusive=[*own, *volume] if exclusive_volume else own,
            shared=[] if exclusive_volume else volume,
        )
        self._deployment.start(tx, ctx, request)

    # ---- small changes -----------------------------------------------------------------------

    def update(
        self, ctx: RequestContext, snapshot: Snapshot, *, changes: Mapping[str, Any]
    ) -> Snapshot:
        """``changes`` may hold display_name and display_description."""

        def work(tx: Transaction) -> Snapshot:
            if not snapshots.update(tx, snapshot.id, **changes):
                raise SnapshotNotFound(id=snapshot.id)
            return snapshots.get(tx.connection, snapshot.id)

        return self._database.transact(work)

    def reset_status(self, ctx: RequestContext, snapshot: Snapshot, status: str) -> None:
        """Set the status by hand.

        Raises InvalidInput for an unknown one, InvalidSnapshot while an operation is at work.
        """

        def work(tx: Transaction) -> None:
            if status not in RESET_TARGETS:
                raise InvalidInput(reason=f"status '{status}' is not one that can be set.")
            running = journal.unfinished_kind(tx.connection, snapshot.id)
            if running is not None:
                raise InvalidSnapshot(
                    reason=f"the operation {running} is at work on snapshot {snapshot.id} and will"
                    " end by itself; see its progress at /operations."
                )
            snapshots.update(tx, snapshot.id, status=status)

        self._database.transact(work)

    def update_status(
        self, ctx: RequestContext, snapshot: Snapshot, status: str, progress: str | None
    ) -> None:
        """os-update_snapshot_status: a hypervisor reports how its snapshot goes.

        Raises InvalidSnapshot when the report does not follow the current status.
        """
        event = f"report_{snapshot.status}"
        allowed = SNAPSHOT.transitions.get(event)
        if allowed is None or status not in allowed.targets:
            raise InvalidSnapshot(
                reason=f"snapshot {snapshot.id} is {snapshot.status}; it cannot become {status}."
            )
        fields = {"progress": progress} if progress is not None else {}

        def work(tx: Transaction) -> None:
            if not snapshots.transition(tx, snapshot.id, event, to=status, **fields):
                raise InvalidSnapshot(reason=f"snapshot {snapshot.id} has changed meanwhile.")

        self._database.transact(work)

    # ---- metadata ----------------------------------------------------------------------------

    def set_metadata(
        self, ctx: RequestContext, snapshot: Snapshot, metadata: Mapping[str, str], *, replace: bool
    ) -> Mapping[str, str]:
        """Merge or replace; returns all metadata."""

        def work(tx: Transaction) -> Mapping[str, str]:
            if not snapshots.update(tx, snapshot.id):
                raise SnapshotNotFound(id=snapshot.id)
            if replace:
                snapshots.METADATA.replace(tx, snapshot.id, metadata)
            else:
                snapshots.METADATA.merge(tx, snapshot.id, metadata)
            return snapshots.get(tx.connection, snapshot.id).metadata

        return self._database.transact(work)

    def delete_metadata(self, ctx: RequestContext, snapshot: Snapshot, key: str) -> None:
        """Raises MetadataNotFound."""

        def work(tx: Transaction) -> None:
            if not snapshots.METADATA.delete(tx, snapshot.id, key):
                raise MetadataNotFound(id=key)

        self._database.transact(work)


def _check_volume(volume: Volume, *, in_use_allowed: bool) -> None:
    if volume.host is None:
        raise InvalidVolume(reason=f"volume {volume.id} is on no backend.")
    if volume.migration_status not in (None, "success", "error"):
        raise InvalidVolume(reason=f"volume {volume.id} is being migrated.")
    if volume.status == "in-use" and not in_use_allowed:
        raise InvalidVolume(
            reason=f"volume {volume.id} is in-use; detach it, or set force (or ask with"
            " microversion 3.66 or later)."
        )
    if volume.status not in ("available", "in-use"):
        raise InvalidVolume(
            reason=f"volume {volume.id} is {volume.status}; it must be available or in-use."
        )

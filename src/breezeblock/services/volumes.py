"""Volumes: create, show, list, change, delete, grow, revert, and their states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import (
    Conflict,
    InvalidInput,
    InvalidVolume,
    MetadataNotFound,
    NotSupportedByBackend,
    NoValidBackend,
    PerVolumeSizeExceeded,
    VolumeNotFound,
)
from breezeblock.domain.hosts import service_host
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.quota import UNLIMITED, per_type
from breezeblock.domain.resources import Attachment, Volume
from breezeblock.domain.volume_states import RESET_TARGETS, VOLUME
from breezeblock.flows import kinds
from breezeblock.operations import journal
from breezeblock.services import quotas
from breezeblock.services.deployment import Deployment, list_scope, scope
from breezeblock.services.volume_creation import VolumeCreation, VolumeRequest, check_type_size
from breezeblock.services.volume_operations import start_on_volume
from breezeblock.store import attachments, services, snapshots, volume_types, volumes
from breezeblock.store.database import Transaction
from breezeblock.store.tables import snapshots as snapshot_table
from breezeblock.store.tables import volumes as volume_table

__all__ = ["VolumeRequest", "VolumeSummary", "Volumes"]

_SETTLED_MIGRATION = ("deleting", "error", "success")


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSummary:
    """Totals of volumes: how many, GiB, and every metadata key with its distinct values."""

    count: int
    size: int
    metadata: Mapping[str, Sequence[str]]


class Volumes:
    """Requests about volumes."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._database = deployment.database
        self._rules = deployment.rules

    # ---- reading -----------------------------------------------------------------------------

    def get(self, ctx: RequestContext, volume_id: str) -> Volume:
        """Raises VolumeNotFound."""
        with self._database.read() as connection:
            return volumes.get(connection, volume_id, scope(ctx))

    def list(self, ctx: RequestContext, query: ListQuery) -> Page[Volume]:
        project_id = list_scope(ctx, all_projects=query.all_projects)
        with self._database.read() as connection:
            return volumes.list_page(connection, query, project_id, admin=ctx.is_admin)

    def attachments(self, records: Sequence[Volume]) -> Mapping[str, Sequence[Attachment]]:
        """The attachments in state ``attached`` of these volumes, by volume id."""
        held = [volume.id for volume in records if volume.attach_status != "detached"]
        if not held:
            return {}
        with self._database.read() as connection:
            found = attachments.of_volumes(connection, held)
        return {
            volume_id: [a for a in items if a.attach_status == "attached"]
            for volume_id, items in found.items()
        }

    def summary(self, ctx: RequestContext, query: ListQuery) -> VolumeSummary:
        project_id = list_scope(ctx, all_projects=query.all_projects)
        with self._database.read() as connection:
            count, size, metadata = volumes.summary(
                connection, query, project_id, admin=ctx.is_admin
            )
        return VolumeSummary(count=count, size=size, metadata=metadata)

    # ---- life --------------------------------------------------------------------------------

    def create(self, ctx: RequestContext, request: VolumeRequest) -> Volume:
        """Raises InvalidInput and its kin, the NotFound family, OverQuota."""
        creation = VolumeCreation(self._deployment, ctx, request)
        return self._database.transact(creation.run)

    def delete(
        self, ctx: RequestContext, volume: Volume, *, cascade: bool = False, force: bool = False
    ) -> None:
        """Remove it, with ``cascade`` its snapshots too, with ``force`` whatever its status.

        Raises InvalidVolume while it is attached, migrating, in a group, or has snapshots.
        """

        def work(tx: Transaction) -> None:
            if volume.host is None:
                self._remove_unplaced(tx, volume)
                return
            has_snapshots = sa.exists().where(snapshot_table.c.volume_id == volume.id)
            conditions = [
                volume_table.c.attach_status != "attached",
                sa.or_(
                    volume_table.c.migration_status.is_(None),
                    volume_table.c.migration_status.in_(_SETTLED_MIGRATION),
                ),
                volume_table.c.group_id.is_(None),
            ]
            if not cascade:
                conditions.append(sa.not_(has_snapshots))
            event = "force_delete" if force else "delete"
            if not volumes.transition(tx, volume.id, event, *conditions):
                raise self._undeletable(tx, volume, cascade=cascade)
            if cascade:
                _mark_snapshots(tx, ctx, volume)
            start_on_volume(self._deployment, tx, ctx, volume, kinds.DELETE_VOLUME, {})

        self._database.transact(work)

    def _remove_unplaced(self, tx: Transaction, volume: Volume) -> None:
        """A volume that no backend has ever held leaves at once."""
        tx.execute(
            volume_table.delete().where(
                volume_table.c.id == volume.id, volume_table.c.host.is_(None)
            )
        )

    def _undeletable(self, tx: Transaction, volume: Volume, *, cascade: bool) -> InvalidVolume:
        current = volumes.get(tx.connection, volume.id)
        if current.attach_status == "attached":
            reason = "it is attached; detach it first."
        elif current.group_id is not None:
            reason = "it is in a group; remove it from the group first."
        elif current.migration_status not in (None, *_SETTLED_MIGRATION):
            reason = "it is being migrated."
        elif not cascade and snapshots.of_volume(tx.connection, volume.id):
            reason = "it has snapshots; delete them first, or delete it with cascade."
        else:
            allowed = ", ".join(sorted(VOLUME.sources("delete")))
            reason = f"its status is {current.status}; it must be one of {allowed}."
        return InvalidVolume(reason=f"volume {volume.id} cannot be deleted: {reason}")

    def extend(
        self, ctx: RequestContext, volume: Volume, new_size: int, *, in_use_allowed: bool
    ) -> None:
        """Grow to ``new_size`` GiB.

        Raises InvalidInput when that is not larger or does not fit, InvalidVolume for the wrong
        status, OverQuota.
        """

        def work(tx: Transaction) -> None:
            if new_size <= volume.size:
                raise InvalidInput(
                    reason=f"the new size must be larger than {volume.size} GiB, not {new_size}."
                )
            check_type_size(tx.connection, volume, new_size)
            self._take_growth(tx, volume, new_size)
            event = "extend"
            if in_use_allowed and self._abilities(tx, volume).get("extend_in_use"):
                event = "extend_in_use"
            if not volumes.transition(
                tx,
                volume.id,
                event,
                volume_table.c.size == volume.size,
                target_size=new_size,
                previous_status=volume.status,
            ):
                raise InvalidVolume(
                    reason=f"volume {volume.id} is {volume.status}; to be extended it must be"
                    f" {' or '.join(sorted(VOLUME.sources(event)))}."
                )
            self._take_capacity(tx, volume, new_size)
            payload = {"new_size": new_size}
            start_on_volume(self._deployment, tx, ctx, volume, kinds.EXTEND_VOLUME, payload)

        self._database.transact(work)

    def _take_growth(self, tx: Transaction, volume: Volume, new_size: int) -> None:
        limit = quotas.per_volume_limit(tx.connection, self._rules, volume.project_id)
        if limit != UNLIMITED and new_size > limit:
            raise PerVolumeSizeExceeded(size=new_size, limit=limit)
        growth = new_size - volume.size
        wanted = {"gigabytes": growth}
        if volume.volume_type_name is not None:
            wanted[per_type("gigabytes", volume.volume_type_name)] = growth
        if volume.consumes_quota:
            quotas.take(tx, self._rules, volume.project_id, wanted)

    def _take_capacity(self, tx: Transaction, volume: Volume, new_size: int) -> None:
        if volume.host is None:
            raise InvalidVolume(reason=f"volume {volume.id} is on no backend.")
        specs: Mapping[str, str | None] = {}
        if volume.volume_type_id is not None:
            specs = volume_types.get(tx.connection, volume.volume_type_id).extra_specs
        thin = specs.get("provisioning:type") != "thick"
        try:
            self._deployment.scheduler.fits(tx, volume.host, new_size - volume.size, thin=thin)
        except NoValidBackend as error:
            raise InvalidInput(reason=f"the volume cannot grow where it is: {error}") from error

    def revert(self, ctx: RequestContext, volume: Volume, snapshot_id: str) -> None:
        """Put the data back to the latest snapshot.

        Raises InvalidVolume when it is not the latest or the size differs, Conflict when volume
        or snapshot is not available.
        """

        def work(tx: Transaction) -> None:
            taken = snapshots.of_volume(tx.connection, volume.id)
            if not taken:
                raise InvalidVolume(reason=f"volume {volume.id} has no snapshots.")
            latest = taken[0]
            if latest.id != snapshot_id:
                raise InvalidVolume(
                    reason=f"only the latest snapshot can be reverted to, {latest.id}."
                )
            if latest.volume_size != volume.size:
                raise InvalidVolume(
                    reason=f"the volume has {volume.size} GiB and the snapshot"
                    f" {latest.volume_size} GiB; only equal sizes can be reverted."
                )
            if not self._abilities(tx, volume).get("revert_to_snapshot"):
                raise NotSupportedByBackend(
                    backend=volume.host, ability="revert a volume to a snapshot"
                )
            if not volumes.transition(tx, volume.id, "revert"):
                raise Conflict(reason=f"Volume {volume.id} is not available.")
            if not snapshots.transition(tx, latest.id, "restore"):
                raise Conflict(reason=f"Snapshot {latest.id} is not available.")
            start_on_volume(
                self._deployment,
                tx,
                ctx,
                volume,
                kinds.REVERT_VOLUME,
                {"snapshot_id": latest.id},
                locks=[kinds.snapshot_lock(latest.id)],
            )

        self._database.transact(work)

    def _abilities(self, tx: Transaction, volume: Volume) -> Mapping[str, Any]:
        if volume.host is None:
            return {}
        document = services.capabilities(tx.connection, service_host(volume.host))
        abilities: Mapping[str, Any] = document.get("abilities", {})
        return abilities

    # ---- small changes -----------------------------------------------------------------------

    def update(self, ctx: RequestContext, volume: Volume, *, changes: Mapping[str, Any]) -> Volume:
        """``changes`` may hold display_name, display_description and metadata (merged)."""

        def work(tx: Transaction) -> Volume:
            fields = {k: v for k, v in changes.items() if k != "metadata"}
            self._change(tx, volume, **fields)
            if changes.get("metadata"):
                volumes.METADATA.merge(tx, volume.id, changes["metadata"])
            return volumes.get(tx.connection, volume.id)

        return self._database.transact(work)

    def _change(self, tx: Transaction, volume: Volume, **fields: Any) -> None:
        if volume.status == "maintenance":
            raise InvalidVolume(reason=f"volume {volume.id} is in maintenance; wait until it ends.")
        if not volumes.update(tx, volume.id, **fields):
            raise VolumeNotFound(id=volume.id)

    def set_bootable(self, ctx: RequestContext, volume: Volume, bootable: bool) -> None:
        self._database.transact(lambda tx: self._change(tx, volume, bootable=bootable))

    def set_readonly(self, ctx: RequestContext, volume: Volume, readonly: bool) -> None:
        """Raises InvalidVolume unless the volume is available."""

        def work(tx: Transaction) -> None:
            if volume.status != "available":
                raise InvalidVolume(
                    reason=f"volume {volume.id} is {volume.status}; the flag can be changed while"
                    " it is available."
                )
            kept = {**volume.admin_metadata, "readonly": str(readonly)}
            self._change(tx, volume, admin_metadata=kept)

        self._database.transact(work)

    def reset_status(
        self,
        ctx: RequestContext,
        volume: Volume,
        *,
        status: str | None,
        attach_status: str | None,
        migration_status: str | None,
    ) -> None:
        """Set states by hand, for what happened outside the service.

        Raises InvalidInput for a state that cannot be set, and InvalidVolume while an operation
        is at work on the volume: it will end by itself, and must not find its state changed.
        """

        def work(tx: Transaction) -> None:
            fields: dict[str, Any] = {}
            if status is not None:
                fields["status"] = self._resettable(tx, volume, status)
            if attach_status is not None:
                fields["attach_status"] = attach_status
            if migration_status is not None:
                fields["migration_status"] = (
                    None if migration_status == "none" else migration_status
                )
            running = journal.unfinished_kind(tx.connection, volume.id)
            if running is not None:
                raise InvalidVolume(
                    reason=f"the operation {running} is at work on volume {volume.id} and will end"
                    " by itself; see its progress at /operations."
                )
            volumes.update(tx, volume.id, **fields)

        self._database.transact(work)

    @staticmethod
    def _resettable(tx: Transaction, volume: Volume, status: str) -> str:
        if status not in RESET_TARGETS:
            raise InvalidInput(reason=f"status '{status}' is not one that can be set.")
        if status == "in-use" and not attachments.of_volume(tx.connection, volume.id):
            raise InvalidInput(reason="a volume without attachments cannot be in-use.")
        return status

    # ---- metadata ----------------------------------------------------------------------------

    def set_metadata(
        self, ctx: RequestContext, volume: Volume, metadata: Mapping[str, str], *, replace: bool
    ) -> Mapping[str, str]:
        """Merge or replace; returns all metadata.  Raises InvalidVolume in maintenance."""

        def work(tx: Transaction) -> Mapping[str, str]:
            _refuse_metadata(volume)
            self._change(tx, volume)
            if replace:
                volumes.METADATA.replace(tx, volume.id, metadata)
            else:
                volumes.METADATA.merge(tx, volume.id, metadata)
            return volumes.get(tx.connection, volume.id).metadata

        return self._database.transact(work)

    def delete_metadata(self, ctx: RequestContext, volume: Volume, key: str) -> None:
        """Raises MetadataNotFound."""

        def work(tx: Transaction) -> None:
            _refuse_metadata(volume)
            if not volumes.METADATA.delete(tx, volume.id, key):
                raise MetadataNotFound(id=key)
            self._change(tx, volume)

        self._database.transact(work)


def _refuse_metadata(volume: Volume) -> None:
    if volume.status in ("maintenance", "uploading"):
        raise InvalidVolume(
            reason=f"the metadata of volume {volume.id} cannot change while it is {volume.status}."
        )


def _mark_snapshots(tx: Transaction, ctx: RequestContext, volume: Volume) -> None:
    """Cascade: all snapshots must be free to go, or none goes."""
    for snapshot in snapshots.of_volume(tx.connection, volume.id):
        foreign = snapshot.project_id != ctx.project_id and not ctx.is_admin
        if foreign or snapshot.group_snapshot_id is not None:
            raise InvalidVolume(reason=f"snapshot {snapshot.id} cannot be deleted with the volume.")
        if not snapshots.transition(tx, snapshot.id, "delete"):
            raise InvalidVolume(
                reason=f"snapshot {snapshot.id} is {snapshot.status}; to go with its volume it must"
                " be available or in error."
            )

"""Attaching volumes the older way, by volume actions (before microversion 3.27)."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import InvalidAttachment, InvalidVolume
from breezeblock.domain.resources import Attachment, Volume
from breezeblock.flows import kinds
from breezeblock.operations import journal
from breezeblock.services.deployment import Deployment
from breezeblock.services.volume_operations import start_on_volume
from breezeblock.store import attachments, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction


class Connections:
    """Requests of the older way to attach."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._database = deployment.database

    # ---- holds -------------------------------------------------------------------------------

    def reserve(self, ctx: RequestContext, volume: Volume) -> None:
        """available -> attaching.  Raises InvalidVolume."""
        event = "reserve_multiattach" if volume.multiattach else "reserve"
        self._move(volume, event, "be reserved")

    def unreserve(self, ctx: RequestContext, volume: Volume) -> None:
        """attaching -> back; any other status is left as it is."""
        self._database.transact(lambda tx: _give_back(tx, volume.id))

    def begin_detaching(self, ctx: RequestContext, volume: Volume) -> None:
        """in-use -> detaching.  Raises InvalidVolume; a migrating volume is left as it is."""
        if volume.migration_status not in (None, "success", "error"):
            return
        if volume.attach_status != "attached":
            raise InvalidVolume(reason=f"volume {volume.id} is not attached.")
        self._move(volume, "begin_detaching", "be detached")

    def roll_detaching(self, ctx: RequestContext, volume: Volume) -> None:
        """detaching -> in-use; any other status is left as it is."""
        self._database.transact(lambda tx: volumes.transition(tx, volume.id, "roll_detaching"))

    def _move(self, volume: Volume, event: str, what: str) -> None:
        def work(tx: Transaction) -> None:
            if not volumes.transition(tx, volume.id, event):
                current = volumes.get(tx.connection, volume.id)
                raise InvalidVolume(
                    reason=f"volume {volume.id} is {current.status}; it cannot {what} now."
                )

        self._database.transact(work)

    # ---- attach and detach -------------------------------------------------------------------

    def attach(
        self,
        ctx: RequestContext,
        volume: Volume,
        *,
        instance_uuid: str | None,
        host_name: str | None,
        mountpoint: str,
        mode: str,
    ) -> None:
        """Record that a server or a host uses the volume.  Raises InvalidVolume."""

        def work(tx: Transaction) -> None:
            if mode == "rw" and volume.admin_metadata.get("readonly") == "True":
                raise InvalidVolume(
                    reason=f"volume {volume.id} is read-only; attach it with mode ro."
                )
            event = "attach_multiattach" if volume.multiattach else "attach"
            kept = {**volume.admin_metadata, "attached_mode": mode}
            if not volumes.transition(
                tx, volume.id, event, attach_status="attached", admin_metadata=kept
            ):
                current = volumes.get(tx.connection, volume.id)
                raise InvalidVolume(
                    reason=f"volume {volume.id} is {current.status}; it cannot be attached now."
                )
            time = now()
            attachment = Attachment(
                id=str(uuid.uuid4()),
                volume_id=volume.id,
                project_id=volume.project_id,
                attach_status="attached",
                instance_uuid=instance_uuid,
                attached_host=host_name,
                mountpoint=mountpoint,
                attach_mode=mode,
                attach_time=time,
                created_at=time,
            )
            attachments.insert(tx, attachment)

        self._database.transact(work)

    def detach(self, ctx: RequestContext, volume: Volume, attachment_id: str | None) -> None:
        """Drop an attachment (the only one unless an id is given) and, with the last, the export.

        Raises InvalidVolume, InvalidAttachment.
        """

        def work(tx: Transaction) -> str | None:
            if volume.status == "maintenance":
                raise InvalidVolume(reason=f"volume {volume.id} is in maintenance.")
            attachment = _chosen(tx, volume, attachment_id)
            if attachment is None:
                # Nothing is attached: what a broken-off attach left behind is put in order.
                _give_back(tx, volume.id)
                return None
            attachments.transition(tx, attachment.id, "detach", detach_time=now())
            payload = {"volume_id": volume.id, "attachment_id": attachment.id}
            return start_on_volume(self._deployment, tx, ctx, volume, kinds.DETACH_VOLUME, payload)

        operation_id = self._database.transact(work)
        if operation_id is not None:
            self._deployment.wait(operation_id)

    def initialize(
        self, ctx: RequestContext, volume: Volume, connector: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Export the volume; returns ``{"driver_volume_type": str, "data": {...}}``.

        Raises InvalidVolume, InvalidConnector, OperationFailed, OperationTimeout.
        """
        if volume.status == "maintenance":
            raise InvalidVolume(reason=f"volume {volume.id} is in maintenance.")
        payload = {"volume_id": volume.id, "connector": dict(connector)}
        operation_id = self._database.transact(
            lambda tx: start_on_volume(
                self._deployment, tx, ctx, volume, kinds.INITIALIZE_CONNECTION, payload
            )
        )
        try:
            operation = self._deployment.wait(operation_id)
        finally:
            # It holds credentials, and nobody else asks for it.
            self._database.transact(lambda tx: journal.forget_results(tx, operation_id))
        info: Mapping[str, Any] = operation.results["steps"]["initialize"]
        return info

    def terminate(
        self, ctx: RequestContext, volume: Volume, connector: Mapping[str, Any] | None
    ) -> None:
        """Take a connection back; without a connector, whichever there is.

        Raises OperationFailed, OperationTimeout.
        """
        if volume.host is None:
            return
        payload = {
            "volume_id": volume.id,
            "connector": dict(connector) if connector is not None else None,
            "force": connector is None,
        }
        operation_id = self._database.transact(
            lambda tx: start_on_volume(
                self._deployment, tx, ctx, volume, kinds.TERMINATE_CONNECTION, payload
            )
        )
        self._deployment.wait(operation_id)

    def force_detach(
        self,
        ctx: RequestContext,
        volume: Volume,
        attachment_id: str | None,
        connector: Mapping[str, Any] | None,
    ) -> None:
        """Take the connection back and drop the attachment, whatever the consumer does.

        Raises InvalidAttachment, OperationFailed, OperationTimeout.
        """
        with self._database.read() as connection:
            held = attachments.of_volume(connection, volume.id)
        if attachment_id is not None and all(a.id != attachment_id for a in held):
            raise InvalidAttachment(reason=f"volume {volume.id} has no attachment {attachment_id}.")
        self.terminate(ctx, volume, connector)
        self.detach(ctx, volume, attachment_id)


def _give_back(tx: Transaction, volume_id: str) -> None:
    to = "in-use" if attachments.of_volume(tx.connection, volume_id) else "available"
    volumes.transition(tx, volume_id, "unreserve", to=to)


def _chosen(tx: Transaction, volume: Volume, attachment_id: str | None) -> Attachment | None:
    held = attachments.of_volume(tx.connection, volume.id)
    if attachment_id is not None:
        for attachment in held:
            if attachment.id == attachment_id:
                return attachment
        raise InvalidAttachment(reason=f"volume {volume.id} has no attachment {attachment_id}.")
    if len(held) > 1:
        raise InvalidVolume(
            reason=f"volume {volume.id} has {len(held)} attachments; say which with attachment_id."
        )
    return held[0] if held else None

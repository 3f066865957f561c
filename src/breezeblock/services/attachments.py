"""Attachments (microversion 3.27): a consumer's hold on a volume."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import AttachmentNotFound, Conflict, InvalidConnector, InvalidVolume
from breezeblock.domain.listing import ListQuery, Page
from breezeblock.domain.resources import Attachment, Volume
from breezeblock.domain.volume_states import status_by_attachments
from breezeblock.flows import kinds
from breezeblock.operations import journal
from breezeblock.services.deployment import Deployment, list_scope, scope
from breezeblock.services.volume_operations import start_on_volume
from breezeblock.store import attachments, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction
from breezeblock.store.tables import volumes as volume_table


class Attachments:
    """Requests about attachments."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._database = deployment.database

    def get(self, ctx: RequestContext, attachment_id: str) -> Attachment:
        """Raises AttachmentNotFound."""
        with self._database.read() as connection:
            return attachments.get(connection, attachment_id, scope(ctx))

    def list(self, ctx: RequestContext, query: ListQuery) -> Page[Attachment]:
        project_id = list_scope(ctx, all_projects=query.all_projects)
        with self._database.read() as connection:
            return attachments.list_page(connection, query, project_id)

    def create(
        self,
        ctx: RequestContext,
        volume_id: str,
        *,
        instance_uuid: str | None,
        connector: Mapping[str, Any] | None,
        mode: str | None,
    ) -> Attachment:
        """Reserve the volume, and with a connector connect it at once.

        Raises VolumeNotFound, InvalidVolume for its status, and what ``connect`` raises.
        """

        def work(tx: Transaction) -> Attachment:
            volume = volumes.get(tx.connection, volume_id, scope(ctx))
            held = attachments.of_volume(tx.connection, volume.id)
            _check_reservable(volume, held, instance_uuid)
            attachment = Attachment(
                id=str(uuid.uuid4()),
                volume_id=volume.id,
                project_id=volume.project_id,
                attach_status="reserved",
                instance_uuid=instance_uuid,
                attach_mode=mode,
                created_at=now(),
            )
            attachments.insert(tx, attachment)
            status, attach_status = status_by_attachments([*held, attachment])
            if not volumes.transition(
                tx,
                volume.id,
                "reserve_attachment",
                # What was checked above must still hold when it is written.
                volume_table.c.status == volume.status,
                to=status,
                attach_status=attach_status,
            ):
                raise InvalidVolume(reason=f"volume {volume.id} has changed meanwhile; try again.")
            return attachment

        attachment = self._database.transact(work)
        if not connector:
            return attachment
        try:
            return self.connect(ctx, attachment, connector)
        except (InvalidConnector, Conflict):
            # A request that is refused leaves nothing: its caller does not know the id.
            self._database.transact(lambda tx: _drop(tx, attachment))
            raise

    def connect(
        self, ctx: RequestContext, attachment: Attachment, connector: Mapping[str, Any]
    ) -> Attachment:
        """The API's update: supply a connector, get connection information.

        Raises Conflict when the volume is in an error state or held by somebody else already,
        InvalidConnector, OperationFailed, OperationTimeout.
        """

        def work(tx: Transaction) -> str:
            volume = volumes.get(tx.connection, attachment.volume_id)
            if "error" in volume.status:
                raise Conflict(reason=f"Volume {volume.id} is {volume.status}.")
            _check_single(tx, volume, attachment)
            payload = {
                "volume_id": volume.id,
                "attachment_id": attachment.id,
                "connector": dict(connector),
                "mode": attachment.attach_mode,
            }
            return start_on_volume(
                self._deployment,
                tx,
                ctx,
                volume,
                kinds.CONNECT_ATTACHMENT,
                payload,
                attachment_id=attachment.id,
            )

        self._finish(self._database.transact(work))
        return self.get(ctx, attachment.id)

    def complete(self, ctx: RequestContext, attachment: Attachment) -> None:
        """The consumer has logged in: the volume is in-use.  Raises AttachmentNotFound."""

        def work(tx: Transaction) -> None:
            time = now()
            if not attachments.transition(tx, attachment.id, "complete", attach_time=time):
                raise AttachmentNotFound(id=attachment.id)
            if not volumes.transition(
                tx, attachment.volume_id, "complete_attachment", attach_status="attached"
            ):
                raise Conflict(reason=f"Volume {attachment.volume_id} cannot be in-use now.")

        self._database.transact(work)

    def delete(self, ctx: RequestContext, attachment: Attachment) -> Sequence[Attachment]:
        """Detach and drop; returns the volume's remaining attachments.

        Raises OperationFailed when the backend cannot take the export back; the attachment then
        stays in ``error_detaching`` and can be deleted again.
        """

        def work(tx: Transaction) -> str | None:
            if not attachments.transition(tx, attachment.id, "detach", detach_time=now()):
                raise AttachmentNotFound(id=attachment.id)
            volume = volumes.get(tx.connection, attachment.volume_id)
            if volume.host is None or not attachment.connector:
                _drop(tx, attachment)
                return None
            payload = {
                "volume_id": volume.id,
                "attachment_id": attachment.id,
                "connector": dict(attachment.connector),
            }
            return start_on_volume(
                self._deployment,
                tx,
                ctx,
                volume,
                kinds.DISCONNECT_ATTACHMENT,
                payload,
                attachment_id=attachment.id,
            )

        operation_id = self._database.transact(work)
        if operation_id is not None:
            self._finish(operation_id)
        with self._database.read() as connection:
            return attachments.of_volume(connection, attachment.volume_id)

    def _finish(self, operation_id: str) -> None:
        """Wait for the end.  The attachment's row has what is needed; the journal forgets it."""
        try:
            self._deployment.wait(operation_id)
        finally:
            self._database.transact(lambda tx: journal.forget_results(tx, operation_id))


def _drop(tx: Transaction, attachment: Attachment) -> None:
    attachments.delete(tx, attachment.id)
    volumes.follow_attachments(tx, attachment.volume_id)


def _check_reservable(
    volume: Volume, held: Sequence[Attachment], instance_uuid: str | None
) -> None:
    if "error" in volume.status:
        raise InvalidVolume(reason=f"volume {volume.id} is {volume.status}; it cannot be attached.")
    same_server = instance_uuid is not None and any(a.instance_uuid == instance_uuid for a in held)
    allowed = volume.status in ("available", "downloading")
    allowed = allowed or (
        volume.multiattach and volume.status in ("in-use", "attaching", "reserved")
    )
    allowed = allowed or (
        same_server and volume.status in ("in-use", "attaching", "reserved", "detaching")
    )
    if not allowed:
        raise InvalidVolume(
            reason=f"volume {volume.id} is {volume.status}; to be attached it must be available"
            " (or in-use, if its type allows multiattach)."
        )


def _check_single(tx: Transaction, volume: Volume, attachment: Attachment) -> None:
    """Without multiattach one consumer may be connected."""
    if volume.multiattach:
        return
    for other in attachments.of_volume(tx.connection, volume.id):
        same_server = other.instance_uuid is not None and (
            other.instance_uuid == attachment.instance_uuid
        )
        if other.id != attachment.id and other.connector and not same_server:
            raise Conflict(
                reason=f"Volume {volume.id} is connected through attachment {other.id} already, and"
                " its type does not allow multiattach."
            )

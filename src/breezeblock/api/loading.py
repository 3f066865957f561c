"""Finding the resource that a path names.

The services only see what the caller may see, so another project's resource is not found.  A text
that cannot be an id never gets that far.
"""

from __future__ import annotations

from typing import Any

from breezeblock.api import literals
from breezeblock.api.call import Call
from breezeblock.domain.errors import (
    AttachmentNotFound,
    MessageNotFound,
    NotFound,
    OperationNotFound,
    SnapshotNotFound,
    VolumeNotFound,
    VolumeTypeNotFound,
)
from breezeblock.domain.resources import Attachment, Message, Snapshot, Volume, VolumeType
from breezeblock.operations.record import Operation

DEFAULT_TYPE = "default"


def _id(call: Call[Any], error: type[NotFound]) -> str:
    text = call.params["id"]
    if not literals.is_uuid(text):
        raise error(id=text[:64])
    return text


def volume(call: Call[Any]) -> Volume:
    return call.services.volumes.get(call.ctx, _id(call, VolumeNotFound))


def snapshot(call: Call[Any]) -> Snapshot:
    return call.services.snapshots.get(call.ctx, _id(call, SnapshotNotFound))


def attachment(call: Call[Any]) -> Attachment:
    return call.services.attachments.get(call.ctx, _id(call, AttachmentNotFound))


def volume_type(call: Call[Any]) -> VolumeType:
    if call.params["id"] == DEFAULT_TYPE:
        return call.services.volume_types.get(call.ctx, DEFAULT_TYPE)
    return call.services.volume_types.get(call.ctx, _id(call, VolumeTypeNotFound))


def message(call: Call[Any]) -> Message:
    return call.services.messages.get(call.ctx, _id(call, MessageNotFound))


def operation(call: Call[Any]) -> Operation:
    return call.services.operations.get(call.ctx, _id(call, OperationNotFound))

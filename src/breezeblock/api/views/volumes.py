"""What clients see of a volume."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from breezeblock.api import links
from breezeblock.api.views.view import (
    ABSENT,
    BOOLEAN,
    INTEGER,
    LINKS,
    OBJECT,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    Field,
    View,
    time,
)
from breezeblock.domain.resources import Attachment, Volume

# Internal states that clients know under the name of what they look like from outside.
PUBLIC_STATUS: Mapping[str, str] = {
    "managing": "creating",
    "error_managing": "error",
    "error_managing_deleting": "deleting",
}
FIXED_KEY = "00000000-0000-0000-0000-000000000000"  # means: encrypted with the configured key
SHOWN_ADMIN_METADATA = ("readonly", "attached_mode")
SHARED_TRISTATE = 69


@dataclass(frozen=True, slots=True)
class Scene:
    """What a request adds to its volumes: where links begin, their attachments by volume id,
    whether consumers' host names are shown, and the version."""

    prefix: tuple[str, str]
    version: int
    host_names: bool = False
    attachments: Mapping[str, Sequence[Attachment]] = field(default_factory=dict)


def _status(volume: Volume, _: Scene) -> str:
    return PUBLIC_STATUS.get(volume.status, volume.status)


def _metadata(volume: Volume, _: Scene) -> Mapping[str, str]:
    if not volume.admin_metadata:
        return volume.metadata
    shown = {k: v for k, v in volume.admin_metadata.items() if k in SHOWN_ADMIN_METADATA}
    return {**volume.metadata, **shown}


def _attachments(volume: Volume, scene: Scene) -> list[dict[str, Any]]:
    return [
        {
            "id": volume.id,
            "attachment_id": attachment.id,
            "volume_id": volume.id,
            "server_id": attachment.instance_uuid,
            "host_name": attachment.attached_host if scene.host_names else None,
            "device": attachment.mountpoint,
            "attached_at": time(attachment.attach_time),
        }
        for attachment in scene.attachments.get(volume.id, ())
    ]


def _type(volume: Volume, scene: Scene) -> str | None:
    """The type's name; before 3.63, when no field gave the id, the id where the name is unknown."""
    if volume.volume_type_name is None and scene.version < 63:
        return volume.volume_type_id
    return volume.volume_type_name


def _shared_targets(volume: Volume, scene: Scene) -> bool | None:
    if volume.shared_targets is None and scene.version < SHARED_TRISTATE:
        return True
    return volume.shared_targets


def _key(volume: Volume, _: Scene) -> Any:
    key = volume.encryption_key_id
    return ABSENT if key is None or key == FIXED_KEY else key


def _image_metadata(volume: Volume, _: Scene) -> Any:
    return volume.image_metadata or ABSENT


_METADATA = {"type": "object", "additionalProperties": TEXT}
_ATTACHMENTS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "id": TEXT,
            "attachment_id": TEXT,
            "volume_id": TEXT,
            "server_id": TEXT_OR_NULL,
            "host_name": TEXT_OR_NULL,
            "device": TEXT_OR_NULL,
            "attached_at": TIME_OR_NULL,
        },
    },
}
_BOOLEAN_OR_NULL = {"type": ["boolean", "null"]}

_F = Field[Volume, Scene]
_MIGRATION = "volume_extension:volume_mig_status_attribute"

_NAME = _F("name", lambda v, _: v.display_name, TEXT_OR_NULL)
_ID = _F("id", lambda v, _: v.id, TEXT)
_LINKS = _F("links", lambda v, scene: links.of(scene.prefix, v.id), LINKS)

_COMMON = (
    _ID,
    _F("status", _status, TEXT),
    _F("size", lambda v, _: v.size, INTEGER),
    _F("availability_zone", lambda v, _: v.availability_zone, TEXT_OR_NULL),
    _F("created_at", lambda v, _: time(v.created_at), TIME_OR_NULL),
    _F("updated_at", lambda v, _: time(v.updated_at), TIME_OR_NULL),
    _NAME,
    _F("description", lambda v, _: v.display_description, TEXT_OR_NULL),
    _F("volume_type", _type, TEXT_OR_NULL),
    _F("snapshot_id", lambda v, _: v.snapshot_id, TEXT_OR_NULL),
    _F("source_volid", lambda v, _: v.source_volid, TEXT_OR_NULL),
    _F("metadata", _metadata, _METADATA),
    _LINKS,
    _F("user_id", lambda v, _: v.user_id, TEXT),
    _F("bootable", lambda v, _: "true" if v.bootable else "false", TEXT),
    _F("encrypted", lambda v, _: v.encrypted, BOOLEAN),
    _F("replication_status", lambda v, _: v.replication_status, TEXT_OR_NULL),
    # Consistency groups are groups of a reserved type, and there are no groups yet.
    _F("consistencygroup_id", lambda v, _: None, TEXT_OR_NULL),
    _F("multiattach", lambda v, _: v.multiattach, BOOLEAN),
    _F("attachments", _attachments, _ATTACHMENTS),
    _F(
        "migration_status", lambda v, _: v.migration_status, TEXT_OR_NULL, policy="context_is_admin"
    ),
    _F("group_id", lambda v, _: v.group_id, TEXT_OR_NULL, since=13),
    _F(
        "provider_id",
        lambda v, _: v.provider_id,
        TEXT_OR_NULL,
        since=21,
        policy="context_is_admin",
    ),
    _F("shared_targets", _shared_targets, _BOOLEAN_OR_NULL, since=48),
    _F("service_uuid", lambda v, _: v.service_uuid, TEXT_OR_NULL, since=48),
    _F(
        "cluster_name",
        lambda v, _: v.cluster_name,
        TEXT_OR_NULL,
        since=61,
        policy="context_is_admin",
    ),
    _F("volume_type_id", lambda v, _: v.volume_type_id, TEXT_OR_NULL, since=63),
    _F("encryption_key_id", _key, TEXT, since=64, optional=True),
    _F("consumes_quota", lambda v, _: v.consumes_quota, BOOLEAN, since=65),
)

_SHOWN = (
    _F(
        "volume_image_metadata",
        _image_metadata,
        OBJECT,
        policy="volume_extension:volume_image_metadata:show",
        optional=True,
    ),
    _F(
        "os-vol-host-attr:host",
        lambda v, _: v.host,
        TEXT_OR_NULL,
        policy="volume_extension:volume_host_attribute",
    ),
    _F(
        "os-vol-tenant-attr:tenant_id",
        lambda v, _: v.project_id,
        TEXT,
        policy="volume_extension:volume_tenant_attribute",
    ),
    _F(
        "os-vol-mig-status-attr:migstat",
        lambda v, _: v.migration_status,
        TEXT_OR_NULL,
        policy=_MIGRATION,
    ),
    _F(
        "os-vol-mig-status-attr:name_id",
        lambda v, _: v.name_id,
        TEXT_OR_NULL,
        policy=_MIGRATION,
    ),
)

SUMMARY = View[Volume, Scene]((_ID, _NAME, _LINKS))
# Replies to create and update, and what show and the detailed list add to them.
WRITTEN = View[Volume, Scene](_COMMON)
DETAIL = View[Volume, Scene](_COMMON + _SHOWN)

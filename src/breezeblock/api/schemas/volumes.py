"""Bodies of requests about volumes and their metadata."""

from __future__ import annotations

from typing import Any

from breezeblock.api.literals import FALSE
from breezeblock.api.schemas.request import RequestSchema
from breezeblock.api.schemas.types import (
    ANY,
    BOOLEAN,
    METADATA,
    METADATA_OR_NULL,
    SIZE,
    SIZE_OR_NULL,
    STRIPPED,
    UUID,
    UUID_OR_NULL,
    ZONE,
    Schema,
    nullable,
    obj,
    text,
    wrapped,
)

_NAMES = ("name", "description", "display_name", "display_description")
_TEXTS: Schema = dict.fromkeys(_NAMES, STRIPPED)

_NOT_MULTIATTACH: Schema = {
    "description": "It cannot be asked for a volume: choose a volume type that allows it.",
    "enum": [None, False, *FALSE],
}
_CREATE: Schema = {
    **_TEXTS,
    "size": SIZE_OR_NULL,
    "volume_type": nullable(text()),
    "metadata": METADATA_OR_NULL,
    "snapshot_id": UUID_OR_NULL,
    "source_volid": UUID_OR_NULL,
    "consistencygroup_id": UUID_OR_NULL,
    "availability_zone": ZONE,
    "multiattach": _NOT_MULTIATTACH,
    "image_id": nullable(text()),
    "imageRef": nullable(text()),
}
_GROUP: Schema = {"group_id": nullable(text())}
_BACKUP: Schema = {"backup_id": UUID_OR_NULL}

_UUIDS: Schema = {
    "anyOf": [UUID, {"type": "array", "items": UUID, "uniqueItems": True}],
}
_HINTS: Schema = obj(
    {
        "local_to_instance": UUID_OR_NULL,
        "same_host": _UUIDS,
        "different_host": _UUIDS,
        "query": {"type": ["string", "object"]},
    },
    open=True,
)


def _create(properties: Schema, *, open: bool, **versions: Any) -> RequestSchema:
    schema = obj(
        {
            "volume": obj(properties, open=open),
            "OS-SCH-HNT:scheduler_hints": nullable(_HINTS),
        },
        ("volume",),
    )
    return RequestSchema(schema, inside="volume", strip=_NAMES, **versions)


CREATE = (
    _create(_CREATE, open=True, until=12),
    _create({**_CREATE, **_GROUP}, open=True, since=13, until=46),
    _create({**_CREATE, **_GROUP, **_BACKUP}, open=True, since=47, until=52),
    _create({**_CREATE, **_GROUP, **_BACKUP}, open=False, since=53),
)

_UPDATE: Schema = {**_TEXTS, "metadata": METADATA_OR_NULL}


def _update(volume: Schema, **versions: Any) -> RequestSchema:
    return RequestSchema(wrapped("volume", volume), inside="volume", strip=_NAMES, **versions)


UPDATE = (
    _update(obj(_UPDATE), until=52),
    _update(obj(_UPDATE, minProperties=1), since=53),
)

METADATA_MAP = (RequestSchema(wrapped("metadata", METADATA)),)
METADATA_ITEM = (
    RequestSchema(wrapped("meta", {**METADATA, "minProperties": 1, "maxProperties": 1})),
)

# ---- values of actions ------------------------------------------------------------------------

NOTHING = (RequestSchema(ANY),)
ATTACH = (
    RequestSchema(
        obj(
            {
                "mountpoint": text(shortest=1),
                "instance_uuid": UUID,
                "host_name": text(),
                "mode": {"type": "string", "enum": ["rw", "ro"]},
            },
            ("mountpoint",),
            anyOf=[{"required": ["instance_uuid"]}, {"required": ["host_name"]}],
        )
    ),
)
DETACH = (RequestSchema(nullable(obj({"attachment_id": UUID_OR_NULL}))),)
INITIALIZE = (RequestSchema(obj({"connector": {"type": ["object", "string"]}}, ("connector",))),)
TERMINATE = (
    RequestSchema(obj({"connector": {"type": ["object", "string", "null"]}}, ("connector",))),
)
FORCE_DETACH = (
    RequestSchema(
        obj(
            {
                "connector": {"type": ["object", "string", "null"]},
                "attachment_id": nullable(text()),
            }
        )
    ),
)
EXTEND = (RequestSchema(obj({"new_size": SIZE}, ("new_size",))),)
BOOTABLE = (RequestSchema(obj({"bootable": BOOLEAN}, ("bootable",))),)
READONLY = (RequestSchema(obj({"readonly": BOOLEAN}, ("readonly",))),)
REVERT = (RequestSchema(obj({"snapshot_id": nullable(text())}, ("snapshot_id",), open=True)),)
RESET = (
    RequestSchema(
        obj(
            {
                "status": nullable(text()),
                "attach_status": nullable(text()),
                "migration_status": nullable(text()),
            },
            minProperties=1,
        )
    ),
)

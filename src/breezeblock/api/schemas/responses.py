"""What answers look like, by the names that routes use; each at a minor version.

The schemas of resources are made of the same tables as the resources' views.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from breezeblock.api.views import (
    attachments,
    messages,
    operations,
    snapshots,
    volume_types,
    volumes,
)
from breezeblock.api.views.services import SERVICE
from breezeblock.api.views.view import BOOLEAN, INTEGER, LINKS, OBJECT, TEXT, TEXT_OR_NULL, View

Schema = dict[str, Any]
Maker = Callable[[int], Schema]


def _object(properties: Mapping[str, Any], *optional: str) -> Schema:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }


def _list_of(item: Mapping[str, Any]) -> Schema:
    return {"type": "array", "items": dict(item)}


def _constant(schema: Mapping[str, Any]) -> Maker:
    return lambda version: dict(schema)


def _one(key: str, view: View[Any, Any]) -> Maker:
    return lambda version: _object({key: view.schema(version)})


def _many(key: str, view: View[Any, Any], links: str | None = None) -> Maker:
    """A list, with the links and the count that it may have."""

    def schema(version: int) -> Schema:
        properties: Schema = {key: _list_of(view.schema(version))}
        if links is not None:
            properties[links] = LINKS
        properties["count"] = INTEGER
        return _object(properties, "count", links or "")

    return schema


_TEXTS = {"type": "object", "additionalProperties": TEXT}
_TEXTS_OR_NULL = {"type": "object", "additionalProperties": TEXT_OR_NULL}
_LIMITS = {"type": "object", "additionalProperties": INTEGER}
_QUOTA = {
    "anyOf": [INTEGER, TEXT, _object(dict.fromkeys(("limit", "in_use", "reserved"), INTEGER))]
}
_EXTENSION = _object(
    {
        **dict.fromkeys(("alias", "name", "description", "updated"), TEXT),
        "links": {"type": "array"},
    }
)
_SUMMARY = {
    "total_count": INTEGER,
    "total_size": INTEGER,
    "metadata": {"type": "object", "additionalProperties": _list_of(TEXT)},
}
_SWITCHED = {
    **dict.fromkeys(("host", "service", "binary", "status"), TEXT),
    "disabled": BOOLEAN,
    "disabled_reason": TEXT,
}
_ZONE = _object({"zoneName": TEXT, "zoneState": _object({"available": BOOLEAN})})
_VERSION = _object(
    {
        **dict.fromkeys(("id", "status", "version", "min_version", "updated"), TEXT),
        "links": {"type": "array", "items": OBJECT},
        "media-types": {"type": "array", "items": OBJECT},
    }
)

FAULT: Schema = {
    "type": "object",
    "description": "One key, the fault's name.",
    "minProperties": 1,
    "maxProperties": 1,
    "additionalProperties": _object(
        {"code": INTEGER, "message": TEXT, "retryAfter": TEXT}, "retryAfter"
    ),
}

RESPONSES: Mapping[str, Maker] = {
    "text": _constant(TEXT),
    "document": _constant(OBJECT),
    "versions": _constant(_object({"versions": _list_of(_VERSION)})),
    "extensions": _constant(_object({"extensions": _list_of(_EXTENSION)})),
    "extension": _constant(_object({"extension": _EXTENSION})),
    "volumes_summary": _many("volumes", volumes.SUMMARY, "volumes_links"),
    "volumes": _many("volumes", volumes.DETAIL, "volumes_links"),
    "volume": _one("volume", volumes.DETAIL),
    "volume_written": _one("volume", volumes.WRITTEN),
    "volume_summary": _constant(_object({"volume-summary": _object(_SUMMARY, "metadata")})),
    "volume_encryption": _constant(_object({"encryption_key_id": TEXT_OR_NULL})),
    "metadata": _constant(_object({"metadata": _TEXTS})),
    "meta": _constant(_object({"meta": _TEXTS})),
    "connection_info": _constant(
        _object({"connection_info": _object({"driver_volume_type": TEXT, "data": OBJECT})})
    ),
    "snapshots_summary": _many("snapshots", snapshots.SUMMARY, "snapshots_links"),
    "snapshots": _many("snapshots", snapshots.DETAIL, "snapshots_links"),
    "snapshot": _one("snapshot", snapshots.DETAIL),
    "snapshot_written": _one("snapshot", snapshots.WRITTEN),
    "attachments_summary": _many("attachments", attachments.SUMMARY),
    "attachments": _many("attachments", attachments.DETAIL),
    "attachment": _one("attachment", attachments.DETAIL),
    "volume_types": _many("volume_types", volume_types.SHOWN, "volume_type_links"),
    "volume_type": _one("volume_type", volume_types.SHOWN),
    "volume_type_written": _one("volume_type", volume_types.WRITTEN),
    "extra_specs": _constant(_object({"extra_specs": _TEXTS_OR_NULL})),
    "extra_spec": _constant(_TEXTS_OR_NULL),
    "volume_type_access": _constant(
        _object(
            {"volume_type_access": _list_of(_object({"volume_type_id": TEXT, "project_id": TEXT}))}
        )
    ),
    "quota_set": _constant(
        _object({"quota_set": {"type": "object", "additionalProperties": _QUOTA}})
    ),
    "quota_set_written": _constant(_object({"quota_set": _LIMITS})),
    "limits": _constant(
        _object({"limits": _object({"rate": {"type": "array"}, "absolute": _LIMITS})})
    ),
    "availability_zones": _constant(_object({"availabilityZoneInfo": _list_of(_ZONE)})),
    "services": _many("services", SERVICE),
    "service_switched": _constant(_object(_SWITCHED, "disabled_reason")),
    "pools": _constant(
        _object(
            {"pools": _list_of(_object({"name": TEXT, "capabilities": OBJECT}, "capabilities"))}
        )
    ),
    "capabilities": _constant(OBJECT),
    "messages": _many("messages", messages.MESSAGE, "messages_links"),
    "message": _one("message", messages.MESSAGE),
    "operations": _many("operations", operations.OPERATION, "operations_links"),
    "operation": _one("operation", operations.OPERATION),
}

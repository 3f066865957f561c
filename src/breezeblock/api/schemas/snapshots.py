"""Bodies of requests about snapshots and their metadata."""

from __future__ import annotations

from typing import Any

from breezeblock.api.literals import TRUE
from breezeblock.api.schemas.request import RequestSchema
from breezeblock.api.schemas.types import (
    ANY,
    BOOLEAN,
    METADATA_OR_NULL,
    SNAPSHOT_METADATA,
    STRIPPED,
    UUID_OR_NULL,
    Schema,
    obj,
    text,
    wrapped,
)

_CREATE_NAMES = ("name", "display_name", "description")
_UPDATE_NAMES = (*_CREATE_NAMES, "display_description")


def _create(force: Schema, **versions: Any) -> RequestSchema:
    snapshot = obj(
        {
            **dict.fromkeys(_CREATE_NAMES, STRIPPED),
            "volume_id": UUID_OR_NULL,
            "force": force,
            "metadata": METADATA_OR_NULL,
        },
        ("volume_id",),
    )
    return RequestSchema(
        wrapped("snapshot", snapshot), inside="snapshot", strip=_CREATE_NAMES, **versions
    )


CREATE = (
    _create(BOOLEAN, until=65),
    # From then on the flag has no meaning: true is ignored, and false refused, for it asks for
    # what is no longer to be had.
    _create(
        {
            "description": "Snapshots of volumes in use are always allowed: leave force out.",
            "enum": [True, *TRUE],
        },
        since=66,
    ),
)
UPDATE = (
    RequestSchema(
        wrapped("snapshot", obj(dict.fromkeys(_UPDATE_NAMES, STRIPPED), minProperties=1)),
        inside="snapshot",
        strip=_UPDATE_NAMES,
    ),
)
METADATA_MAP = (RequestSchema(wrapped("metadata", SNAPSHOT_METADATA)),)
METADATA_ITEM = (
    RequestSchema(wrapped("meta", {**SNAPSHOT_METADATA, "minProperties": 1, "maxProperties": 1})),
)

_STATUS: Schema = text(shortest=1)

NOTHING = (RequestSchema(ANY),)
RESET = (RequestSchema(obj({"status": _STATUS}, ("status",))),)
UPDATE_STATUS = (
    RequestSchema(
        obj(
            {
                "status": _STATUS,
                "progress": {"type": "string", "pattern": "^(?:[0-9]|[1-9][0-9]|100)%$"},
            },
            ("status",),
        )
    ),
)

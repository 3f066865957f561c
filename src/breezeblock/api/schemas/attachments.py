"""Bodies of requests about attachments."""

from __future__ import annotations

from typing import Any

from breezeblock.api.schemas.request import RequestSchema
from breezeblock.api.schemas.types import (
    ANY,
    ATTACH_MODE,
    OBJECT,
    UUID,
    UUID_OR_NULL,
    Schema,
    nullable,
    obj,
    text,
    wrapped,
)

# What is in it is the driver's business, but for what the attachment itself shows.
_CONNECTOR: Schema = {
    **OBJECT,
    "properties": dict.fromkeys(("initiator", "host", "mountpoint"), nullable(text())),
}
_CREATE: Schema = {
    "volume_uuid": UUID,
    "instance_uuid": UUID_OR_NULL,
    "connector": nullable(_CONNECTOR),
}


def _create(properties: Schema, **versions: Any) -> RequestSchema:
    return RequestSchema(wrapped("attachment", obj(properties, ("volume_uuid",))), **versions)


CREATE = (
    _create(_CREATE, since=27, until=53),
    _create({**_CREATE, "mode": ATTACH_MODE}, since=54),
)
UPDATE = (
    RequestSchema(
        wrapped(
            "attachment", obj({"connector": {**_CONNECTOR, "minProperties": 1}}, ("connector",))
        ),
        since=27,
    ),
)
COMPLETE = (RequestSchema(ANY, since=44),)

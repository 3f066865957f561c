"""Bodies of requests about quotas and services."""

from __future__ import annotations

from breezeblock.api.schemas.request import RequestSchema
from breezeblock.api.schemas.types import HOST, NAME, QUOTA, Schema, nullable, obj, text, wrapped

QUOTA_UPDATE = (
    RequestSchema(
        wrapped(
            "quota_set",
            obj(
                # Said along with the limits by old clients, and ignored.
                {"tenant_id": nullable(text()), "id": nullable(text())},
                open=True,
                minProperties=1,
            )
            | {"additionalProperties": QUOTA},
        )
    ),
)

_TEXT = text(shortest=1)
_SERVICE: Schema = {
    "host": HOST,
    "binary": _TEXT,
    "service": _TEXT,
    "cluster": nullable(text()),
}
_ONE_NAME = [{"required": ["binary"]}, {"required": ["service"]}]

SERVICE = (RequestSchema(obj(_SERVICE, ("host",), anyOf=_ONE_NAME)),)
SERVICE_REASON = (
    RequestSchema(
        obj(
            {**_SERVICE, "disabled_reason": NAME},
            ("host", "disabled_reason"),
            anyOf=_ONE_NAME,
        ),
        strip=("disabled_reason",),
    ),
)

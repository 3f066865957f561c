"""Bodies of requests about volume types, their extra specs and access to them."""

from __future__ import annotations

from breezeblock.api.schemas.request import RequestSchema
from breezeblock.api.schemas.types import (
    BOOLEAN,
    EXTRA_SPECS,
    NAME,
    PRINTABLE,
    TYPE_SPECS,
    nullable,
    obj,
    text,
    wrapped,
)

CREATE = (
    RequestSchema(
        wrapped(
            "volume_type",
            obj(
                {
                    "name": NAME,
                    "description": PRINTABLE,
                    "extra_specs": nullable(TYPE_SPECS),
                    "os-volume-type-access:is_public": BOOLEAN,
                },
                ("name",),
            ),
        )
    ),
)
UPDATE = (
    RequestSchema(
        wrapped(
            "volume_type",
            obj(
                {
                    "name": nullable(text(shortest=1)),
                    "description": PRINTABLE,
                    "is_public": nullable(BOOLEAN),
                }
            ),
        )
    ),
)
SPECS = (RequestSchema(wrapped("extra_specs", EXTRA_SPECS)),)
SPEC = (RequestSchema({**EXTRA_SPECS, "minProperties": 1, "maxProperties": 1}),)
ACCESS = (RequestSchema(obj({"project": text(shortest=1)}, ("project",))),)

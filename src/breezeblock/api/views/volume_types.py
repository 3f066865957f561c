"""What clients see of a volume type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from breezeblock.api.views.view import BOOLEAN, TEXT, TEXT_OR_NULL, Field, View
from breezeblock.domain.resources import VolumeType

# The extra specs that are meant for users; the others may tell of the operator's backends.
USER_VISIBLE = frozenset({"RESKEY:availability_zones", "multiattach", "replication_enabled"})


@dataclass(frozen=True, slots=True)
class Scene:
    """Whether the caller sees all extra specs or only those meant for users."""

    all_specs: bool


def visible_specs(volume_type: VolumeType, all_specs: bool) -> Mapping[str, str | None]:
    """The extra specs that a caller sees."""
    if all_specs:
        return volume_type.extra_specs
    return {k: v for k, v in volume_type.extra_specs.items() if k in USER_VISIBLE}


_F = Field[VolumeType, Scene]

_COMMON = (
    _F("id", lambda t, _: t.id, TEXT),
    _F("name", lambda t, _: t.name, TEXT),
    _F("is_public", lambda t, _: t.is_public, BOOLEAN),
    _F("description", lambda t, _: t.description, TEXT_OR_NULL),
    _F(
        "extra_specs",
        lambda t, scene: visible_specs(t, scene.all_specs),
        {"type": "object", "additionalProperties": TEXT_OR_NULL},
        policy="volume_extension:access_types_extra_specs",
    ),
    _F(
        "os-volume-type-access:is_public",
        lambda t, _: t.is_public,
        BOOLEAN,
        policy="volume_extension:volume_type_access",
    ),
)

# Replies to create and update never tell of QoS specs, not even administrators.
WRITTEN = View[VolumeType, Scene](_COMMON)
SHOWN = View[VolumeType, Scene](
    (
        *_COMMON,
        _F(
            "qos_specs_id",
            lambda t, _: t.qos_specs_id,
            TEXT_OR_NULL,
            policy="volume_extension:access_types_qos_specs_id",
        ),
    )
)

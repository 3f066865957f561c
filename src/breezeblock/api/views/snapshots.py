"""What clients see of a snapshot."""

from __future__ import annotations

from breezeblock.api.views.view import (
    BOOLEAN,
    INTEGER,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    Field,
    View,
    time,
)
from breezeblock.domain.resources import Snapshot

_F = Field[Snapshot, None]
_EXTENDED = "volume_extension:extended_snapshot_attributes"

_SUMMARY = (
    _F("id", lambda s, _: s.id, TEXT),
    _F("created_at", lambda s, _: time(s.created_at), TIME_OR_NULL),
    _F("updated_at", lambda s, _: time(s.updated_at), TIME_OR_NULL),
    _F("name", lambda s, _: s.display_name, TEXT_OR_NULL),
    _F("description", lambda s, _: s.display_description, TEXT_OR_NULL),
    _F("volume_id", lambda s, _: s.volume_id, TEXT),
    _F("status", lambda s, _: s.status, TEXT),
    _F("size", lambda s, _: s.volume_size, INTEGER),
    _F("metadata", lambda s, _: s.metadata, {"type": "object", "additionalProperties": TEXT}),
)
_COMMON = (
    *_SUMMARY,
    _F("group_snapshot_id", lambda s, _: s.group_snapshot_id, TEXT_OR_NULL, since=14),
    _F("user_id", lambda s, _: s.user_id, TEXT, since=41),
    _F("consumes_quota", lambda s, _: s.consumes_quota, BOOLEAN, since=65),
)
_SHOWN = (
    _F(
        "os-extended-snapshot-attributes:project_id",
        lambda s, _: s.project_id,
        TEXT,
        policy=_EXTENDED,
    ),
    _F(
        "os-extended-snapshot-attributes:progress",
        lambda s, _: s.progress,
        TEXT,
        policy=_EXTENDED,
    ),
)

SUMMARY = View[Snapshot, None](_SUMMARY)
# Replies to create and update, and what show and the detailed list add to them.
WRITTEN = View[Snapshot, None](_COMMON)
DETAIL = View[Snapshot, None](_COMMON + _SHOWN)

"""What clients see of an attachment."""

from __future__ import annotations

from typing import Any

from breezeblock.api.views.view import OBJECT, TEXT, TEXT_OR_NULL, Field, View, time
from breezeblock.domain.resources import Attachment

_F = Field[Attachment, None]


def connection_info(attachment: Attachment) -> dict[str, Any]:
    """What the consumer was told, flat: the driver's data and what names it."""
    told = attachment.connection_info
    if not told:
        return {}
    data = told.get("data")
    flat = dict(data) if isinstance(data, dict) else {}
    flat.update((key, value) for key, value in told.items() if key != "data")
    flat["attachment_id"] = attachment.id
    # Asked for in the connector, and handed back for the consumer's own use.
    connector = attachment.connector or {}
    flat.setdefault("enforce_multipath", bool(connector.get("enforce_multipath", False)))
    return flat


_SUMMARY = (
    _F("id", lambda a, _: a.id, TEXT),
    _F("status", lambda a, _: a.attach_status, TEXT),
    _F("instance", lambda a, _: a.instance_uuid, TEXT_OR_NULL),
    _F("volume_id", lambda a, _: a.volume_id, TEXT),
)

SUMMARY = View[Attachment, None](_SUMMARY)
DETAIL = View[Attachment, None](
    (
        *_SUMMARY,
        # Unset times are empty texts here, and an unset mode is the text null.
        _F("attached_at", lambda a, _: time(a.attach_time) or "", TEXT),
        _F("detached_at", lambda a, _: time(a.detach_time) or "", TEXT),
        _F("attach_mode", lambda a, _: a.attach_mode or "null", TEXT),
        _F("connection_info", lambda a, _: connection_info(a), OBJECT),
    )
)

"""What clients see of a user message."""

from __future__ import annotations

from breezeblock.api import links
from breezeblock.api.views.view import (
    ABSENT,
    LINKS,
    TEXT,
    TEXT_OR_NULL,
    TIME_OR_NULL,
    Field,
    View,
    time,
)
from breezeblock.domain.resources import Message
from breezeblock.domain.user_messages import ACTIONS, DETAILS, Detail

_F = Field[Message, tuple[str, str]]


def text(message: Message) -> str:
    """``action:detail``; an unknown number (of another version's table) reads as unknown."""
    action = ACTIONS.get(message.action_id)
    detail = DETAILS.get(message.detail_id, Detail.UNKNOWN)
    sentence = f"{action.text if action else 'unknown action'}:{detail.text}"
    return f"{sentence} ({message.cause})" if message.cause else sentence


MESSAGE = View[Message, tuple[str, str]](
    (
        _F("id", lambda m, _: m.id, TEXT),
        _F("event_id", lambda m, _: m.event_id, TEXT),
        _F("user_message", lambda m, _: text(m), TEXT),
        _F("message_level", lambda m, _: m.message_level, TEXT),
        _F("created_at", lambda m, _: time(m.created_at), TIME_OR_NULL),
        _F("guaranteed_until", lambda m, _: time(m.expires_at), TIME_OR_NULL),
        _F("request_id", lambda m, _: m.request_id, TEXT_OR_NULL),
        _F("links", lambda m, prefix: links.of(prefix, m.id), LINKS),
        _F("resource_type", lambda m, _: m.resource_type or ABSENT, TEXT, optional=True),
        _F("resource_uuid", lambda m, _: m.resource_uuid or ABSENT, TEXT, optional=True),
    )
)

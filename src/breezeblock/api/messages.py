"""Requests about user messages."""

from __future__ import annotations

from typing import Any

from breezeblock.api import filters, links, lists
from breezeblock.api.call import Call
from breezeblock.api.views.messages import MESSAGE
from breezeblock.domain.resources import Message

COLLECTION = "messages"


def show(call: Call[Message]) -> dict[str, Any]:
    prefix = links.prefixes(call, COLLECTION)
    return {"message": MESSAGE.one(call.target, prefix, version=call.version, allows=call.allows)}


def index(call: Call[None]) -> dict[str, Any]:
    prefix = links.prefixes(call, COLLECTION)
    return lists.answer(
        call,
        filters.MESSAGES,
        call.services.messages.list,
        lambda page: MESSAGE.show(page, prefix, version=call.version, allows=call.allows),
        "messages",
        "messages_links",
    )


def delete(call: Call[Message]) -> None:
    call.services.messages.delete(call.ctx, call.target)

"""Requests about attachments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breezeblock.api import filters, lists, literals
from breezeblock.api.call import Call
from breezeblock.api.views import attachments as views
from breezeblock.api.views.view import View
from breezeblock.domain.resources import Attachment


def _show(
    call: Call[Any], view: View[Attachment, None], attachments: Sequence[Attachment]
) -> list[dict[str, Any]]:
    return view.show(attachments, None, version=call.version, allows=call.allows)


def _one(call: Call[Any], attachment: Attachment) -> dict[str, Any]:
    return {"attachment": _show(call, views.DETAIL, (attachment,))[0]}


def _list(call: Call[None], view: View[Attachment, None]) -> dict[str, Any]:
    return lists.answer(
        call,
        filters.ATTACHMENTS,
        call.services.attachments.list,
        lambda page: _show(call, view, page),
        "attachments",
    )


def show(call: Call[Attachment]) -> dict[str, Any]:
    return _one(call, call.target)


def list_summary(call: Call[None]) -> dict[str, Any]:
    return _list(call, views.SUMMARY)


def list_detail(call: Call[None]) -> dict[str, Any]:
    return _list(call, views.DETAIL)


def create(call: Call[None]) -> dict[str, Any]:
    asked = call.body["attachment"]
    instance = asked.get("instance_uuid")
    attachment = call.services.attachments.create(
        call.ctx,
        literals.canonical_uuid(asked["volume_uuid"]),
        instance_uuid=literals.canonical_uuid(instance) if instance else None,
        connector=asked.get("connector") or None,
        mode=asked.get("mode"),
    )
    return _one(call, attachment)


def update(call: Call[Attachment]) -> dict[str, Any]:
    connector = call.body["attachment"]["connector"]
    return _one(call, call.services.attachments.connect(call.ctx, call.target, connector))


def complete(call: Call[Attachment]) -> None:
    call.services.attachments.complete(call.ctx, call.target)


def delete(call: Call[Attachment]) -> dict[str, Any]:
    remaining = call.services.attachments.delete(call.ctx, call.target)
    return {"attachments": _show(call, views.SUMMARY, remaining)}

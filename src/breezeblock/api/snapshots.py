"""Requests about snapshots, and the actions on them."""

from __future__ import annotations

from typing import Any

from breezeblock.api import filters, lists, literals
from breezeblock.api.call import Call
from breezeblock.api.views import snapshots as views
from breezeblock.api.views.view import View
from breezeblock.api.volumes import text_changes
from breezeblock.domain.errors import VolumeNotFound
from breezeblock.domain.resources import Snapshot

IN_USE_SINCE = 66


def _one(call: Call[Any], view: View[Snapshot, None], snapshot: Snapshot) -> dict[str, Any]:
    return {"snapshot": view.one(snapshot, None, version=call.version, allows=call.allows)}


def _list(call: Call[None], view: View[Snapshot, None]) -> dict[str, Any]:
    return lists.answer(
        call,
        filters.SNAPSHOTS,
        call.services.snapshots.list,
        lambda page: view.show(page, None, version=call.version, allows=call.allows),
        "snapshots",
        "snapshots_links",
    )


def show(call: Call[Snapshot]) -> dict[str, Any]:
    return _one(call, views.DETAIL, call.target)


def list_summary(call: Call[None]) -> dict[str, Any]:
    return _list(call, views.SUMMARY)


def list_detail(call: Call[None]) -> dict[str, Any]:
    return _list(call, views.DETAIL)


def create(call: Call[None]) -> dict[str, Any]:
    asked = call.body["snapshot"]
    volume_id = asked["volume_id"]
    if volume_id is None:
        raise VolumeNotFound(id=volume_id)
    texts = text_changes(asked)
    snapshot = call.services.snapshots.create(
        call.ctx,
        literals.canonical_uuid(volume_id),
        name=texts.get("display_name"),
        description=texts.get("display_description"),
        metadata=asked.get("metadata") or {},
        in_use_allowed=_in_use_allowed(call, asked),
    )
    return _one(call, views.WRITTEN, snapshot)


def _in_use_allowed(call: Call[None], asked: dict[str, Any]) -> bool:
    """Whether the volume may be in use: if forced, and from 3.66 on always."""
    return call.version >= IN_USE_SINCE or literals.boolean(asked.get("force", False), "force")


def update(call: Call[Snapshot]) -> dict[str, Any]:
    changes = text_changes(call.body["snapshot"])
    snapshot = call.services.snapshots.update(call.ctx, call.target, changes=changes)
    return _one(call, views.WRITTEN, snapshot)


def delete(call: Call[Snapshot]) -> None:
    call.services.snapshots.delete(call.ctx, call.target)


def reset_status(call: Call[Snapshot]) -> None:
    call.services.snapshots.reset_status(call.ctx, call.target, call.body["status"].lower())


def force_delete(call: Call[Snapshot]) -> None:
    call.services.snapshots.delete(call.ctx, call.target, force=True)


def update_status(call: Call[Snapshot]) -> None:
    call.services.snapshots.update_status(
        call.ctx, call.target, call.body["status"], call.body.get("progress")
    )

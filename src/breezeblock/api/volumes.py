"""Requests about volumes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from breezeblock.api import faults, filters, links, lists, literals
from breezeblock.api.call import Call
from breezeblock.api.views import volumes as views
from breezeblock.api.views.view import View
from breezeblock.domain.resources import Attachment, Volume
from breezeblock.services.volumes import VolumeRequest

COLLECTION = "volumes"
FORCE_SINCE = 23
SUMMARY_METADATA_SINCE = 36
HINTS = "OS-SCH-HNT:scheduler_hints"


def _scene(call: Call[Any], volumes: Sequence[Volume]) -> views.Scene:
    # Most volumes of a cloud are attached, but the newest are not: no query for those.
    attached = [v for v in volumes if v.attach_status != "detached"]
    attachments: Mapping[str, Sequence[Attachment]] = (
        call.services.volumes.attachments(attached) if attached else {}
    )
    return views.Scene(
        prefix=links.prefixes(call, COLLECTION),
        version=call.version,
        host_names=call.ctx.is_admin or "service" in call.ctx.service_roles,
        attachments=attachments,
    )


def _one(call: Call[Any], view: View[Volume, views.Scene], volume: Volume) -> dict[str, Any]:
    scene = _scene(call, (volume,))
    return {"volume": view.one(volume, scene, version=call.version, allows=call.allows)}


def show(call: Call[Volume]) -> dict[str, Any]:
    return _one(call, views.DETAIL, call.target)


def list_summary(call: Call[None]) -> dict[str, Any]:
    scene = views.Scene(prefix=links.prefixes(call, COLLECTION), version=call.version)
    return lists.answer(
        call,
        filters.VOLUMES,
        call.services.volumes.list,
        lambda page: views.SUMMARY.show(page, scene, version=call.version, allows=call.allows),
        "volumes",
        "volumes_links",
    )


def list_detail(call: Call[None]) -> dict[str, Any]:
    return lists.answer(
        call,
        filters.VOLUMES,
        call.services.volumes.list,
        lambda page: views.DETAIL.show(
            page, _scene(call, page), version=call.version, allows=call.allows
        ),
        "volumes",
        "volumes_links",
    )


def totals(call: Call[None]) -> dict[str, Any]:
    query = lists.query(call, filters.VOLUMES)
    summary = call.services.volumes.summary(call.ctx, query)
    answer: dict[str, Any] = {"total_count": summary.count, "total_size": summary.size}
    if call.version >= SUMMARY_METADATA_SINCE:
        answer["metadata"] = summary.metadata
    return {"volume-summary": answer}


def create(call: Call[None]) -> dict[str, Any]:
    asked = call.body["volume"]
    _refuse_unserved(asked)
    size = asked.get("size")
    texts = text_changes(asked)
    request = VolumeRequest(
        size=None if size is None else int(size),
        name=texts.get("display_name"),
        description=texts.get("display_description"),
        volume_type=asked.get("volume_type") or None,
        availability_zone=asked.get("availability_zone"),
        snapshot_id=_uuid(asked.get("snapshot_id")),
        source_volid=_uuid(asked.get("source_volid")),
        metadata=asked.get("metadata") or {},
        scheduler_hints=call.body.get(HINTS) or {},
    )
    volume = call.services.volumes.create(call.ctx, request)
    return _one(call, views.WRITTEN, volume)


def _refuse_unserved(asked: Mapping[str, Any]) -> None:
    """What the schema knows but no request can have, said in words."""
    for key, what in (
        ("imageRef", "an image"),
        ("image_id", "an image"),
        ("backup_id", "a backup"),
        ("group_id", "a group"),
        ("consistencygroup_id", "a consistency group"),
    ):
        if asked.get(key):
            raise faults.bad_request(
                f"A volume cannot be created from or in {what} ({key}): this service has none."
            )


def _uuid(text: str | None) -> str | None:
    """An id as it is stored: bodies may write it without dashes or in capitals."""
    return literals.canonical_uuid(text) if text else None


def update(call: Call[Volume]) -> dict[str, Any]:
    asked = call.body["volume"]
    changes: dict[str, Any] = text_changes(asked)
    if asked.get("metadata") is not None:
        changes["metadata"] = asked["metadata"]
    volume = call.target
    if changes:
        volume = call.services.volumes.update(call.ctx, volume, changes=changes)
    return _one(call, views.WRITTEN, volume)


def text_changes(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Name and description under their stored names; of two spellings the shorter one counts."""
    changes: dict[str, Any] = {}
    for new in ("name", "description"):
        for key in (f"display_{new}", new):
            if key in asked:
                changes[f"display_{new}"] = asked[key]
    return changes


def delete(call: Call[Volume]) -> None:
    query = call.query
    cascade = literals.boolean(query.get("cascade", False), "cascade")
    force = False
    if call.version >= FORCE_SINCE:
        force = literals.boolean(query.get("force", False), "force")
    if force:
        call.require("volume:force_delete", call.target.project_id, call.target.user_id)
    call.services.volumes.delete(call.ctx, call.target, cascade=cascade, force=force)


def encryption(call: Call[Volume]) -> dict[str, Any]:
    return {"encryption_key_id": call.target.encryption_key_id}


def encryption_value(call: Call[Volume]) -> str:
    facts = encryption(call)
    key = call.params["key"]
    if key not in facts:
        raise faults.Fault(404, f"The volume has no encryption property '{key[:64]}'.")
    return facts[key] or ""

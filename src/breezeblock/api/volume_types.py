"""Requests about volume types, their extra specs, and access to the private ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breezeblock.api import faults, filters, lists, literals, paging
from breezeblock.api.call import Call
from breezeblock.api.views import volume_types as views
from breezeblock.api.views.view import View
from breezeblock.api.volume_metadata import match_key
from breezeblock.domain.errors import ExtraSpecNotFound, VolumeTypeNotFound
from breezeblock.domain.listing import ListQuery
from breezeblock.domain.resources import VolumeType

READ_SENSITIVE = "volume_extension:types_extra_specs:read_sensitive"
FILTERS_SINCE = 52


def _show(
    call: Call[Any], view: View[VolumeType, views.Scene], types: Sequence[VolumeType]
) -> list[dict[str, Any]]:
    scene = views.Scene(all_specs=call.allows(READ_SENSITIVE))
    return view.show(types, scene, version=call.version, allows=call.allows)


def _one(
    call: Call[Any], view: View[VolumeType, views.Scene], volume_type: VolumeType
) -> dict[str, Any]:
    return {"volume_type": _show(call, view, (volume_type,))[0]}


def show(call: Call[VolumeType]) -> dict[str, Any]:
    return _one(call, views.SHOWN, call.target)


def index(call: Call[None]) -> dict[str, Any]:
    query = call.query
    settings = call.tools.settings
    asked = ListQuery(
        limit=paging.limit(query, settings.max_limit),
        offset=paging.offset(query),
        marker=lists.marker(query),
        sort=paging.sort(query, filters.TYPES.sort_keys(), {}),
        filters=_filters(call),
    )
    page = call.services.volume_types.list(call.ctx, asked)
    shown = _show(call, views.SHOWN, page.items)
    ids = [item.id for item in page.items]
    return paging.envelope(call, "volume_types", shown, ids, asked.limit, "volume_type_links")


def _filters(call: Call[None]) -> dict[str, Any]:
    """``is_public``, which only administrators choose and which is true unless chosen, and from
    3.52 on the filters of the table."""
    given = {
        name: value
        for name, value in call.query.items()
        if name not in paging.NAMES and name not in {"is_public", "all_tenants"}
    }
    result: dict[str, Any] = {}
    if call.version >= FILTERS_SINCE:
        result = filters.read(
            filters.TYPES,
            given,
            version=call.version,
            admin=call.ctx.is_admin,
            table=call.tools.filters,
        )
    if call.ctx.is_admin:
        result["is_public"] = _is_public(call.query.get("is_public", "true"))
    return result


def _is_public(text: str) -> bool | None:
    return None if text.strip().lower() == "none" else literals.boolean(text, "is_public")


def create(call: Call[None]) -> dict[str, Any]:
    asked = call.body["volume_type"]
    volume_type = call.services.volume_types.create(
        call.ctx,
        name=asked["name"].strip(),
        description=asked.get("description"),
        is_public=literals.boolean(asked.get("os-volume-type-access:is_public", True), "is_public"),
        extra_specs=asked.get("extra_specs") or {},
    )
    return _one(call, views.WRITTEN, volume_type)


def update(call: Call[VolumeType]) -> dict[str, Any]:
    asked = {k: v for k, v in call.body["volume_type"].items() if v is not None}
    if not asked:
        raise faults.bad_request(
            "Specify volume type name, description, is_public or a combination."
        )
    if "name" in asked:
        asked["name"] = asked["name"].strip()
        if not asked["name"]:
            raise faults.bad_request("Volume type name can not be empty.")
    if "is_public" in asked:
        asked["is_public"] = literals.boolean(asked["is_public"], "is_public")
    volume_type = call.services.volume_types.update(call.ctx, call.target, changes=asked)
    return _one(call, views.WRITTEN, volume_type)


def delete(call: Call[VolumeType]) -> None:
    call.services.volume_types.delete(call.ctx, call.target)


# ---- extra specs -------------------------------------------------------------------------------


def specs(call: Call[VolumeType]) -> dict[str, Any]:
    return {"extra_specs": views.visible_specs(call.target, call.allows(READ_SENSITIVE))}


def create_specs(call: Call[VolumeType]) -> dict[str, Any]:
    given = call.body["extra_specs"]
    call.services.volume_types.set_extra_specs(call.ctx, call.target, given)
    return {"extra_specs": given}


def show_spec(call: Call[VolumeType]) -> dict[str, Any]:
    key = call.params["key"]
    visible = views.visible_specs(call.target, call.allows(READ_SENSITIVE))
    if key not in visible:
        raise ExtraSpecNotFound(id=key[:255])
    return {key: visible[key]}


def update_spec(call: Call[VolumeType]) -> dict[str, Any]:
    given: dict[str, Any] = call.body
    match_key(given, call.params["key"])
    call.services.volume_types.set_extra_specs(call.ctx, call.target, given)
    return given


def delete_spec(call: Call[VolumeType]) -> None:
    call.services.volume_types.delete_extra_spec(call.ctx, call.target, call.params["key"])


# ---- access ------------------------------------------------------------------------------------


def access(call: Call[VolumeType]) -> dict[str, Any]:
    if call.target.is_public:
        # A public type has no list of projects, so there is nothing here to be found.
        raise VolumeTypeNotFound(
            f"Access list not available for public volume types ({call.target.id})."
        )
    projects = call.services.volume_types.projects_with_access(call.ctx, call.target)
    return {
        "volume_type_access": [
            {"volume_type_id": call.target.id, "project_id": project} for project in projects
        ]
    }


def add_access(call: Call[VolumeType]) -> None:
    call.services.volume_types.add_access(call.ctx, call.target, call.body["project"])


def remove_access(call: Call[VolumeType]) -> None:
    call.services.volume_types.remove_access(call.ctx, call.target, call.body["project"])

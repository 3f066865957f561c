"""Requests about the metadata of snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breezeblock.api.call import Call
from breezeblock.api.volume_metadata import match_key, one_item
from breezeblock.domain.resources import Snapshot


def index(call: Call[Snapshot]) -> dict[str, Any]:
    return {"metadata": call.target.metadata}


def create(call: Call[Snapshot]) -> dict[str, Any]:
    return _write(call, call.body["metadata"], replace=False)


def update_all(call: Call[Snapshot]) -> dict[str, Any]:
    return _write(call, call.body["metadata"], replace=True)


def _write(call: Call[Snapshot], metadata: Mapping[str, str], *, replace: bool) -> dict[str, Any]:
    stored = call.services.snapshots.set_metadata(call.ctx, call.target, metadata, replace=replace)
    return {"metadata": stored}


def show(call: Call[Snapshot]) -> dict[str, Any]:
    return {"meta": one_item(call.target.metadata, call.params["key"])}


def update(call: Call[Snapshot]) -> dict[str, Any]:
    meta = call.body["meta"]
    match_key(meta, call.params["key"])
    _write(call, meta, replace=False)
    return {"meta": meta}


def delete(call: Call[Snapshot]) -> None:
    call.services.snapshots.delete_metadata(call.ctx, call.target, call.params["key"])

"""Requests about the metadata of volumes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from breezeblock.api import faults
from breezeblock.api.call import Call
from breezeblock.domain.errors import MetadataNotFound
from breezeblock.domain.resources import Volume

ETAG_SINCE = 15


def etag(metadata: Mapping[str, str]) -> str:
    """What identifies a state of the metadata: the MD5 of its document, as the field has it."""
    document = msgspec.json.encode({"metadata": metadata}, order="sorted")
    return hashlib.md5(document, usedforsecurity=False).hexdigest()


def _check_match(call: Call[Volume]) -> None:
    """Refuse a write with 412 if the client saw another state than what there is."""
    expected = call.request.get_header("If-Match")
    if expected is None or call.version < ETAG_SINCE:
        return
    wanted = {tag.strip().removeprefix("W/").strip('"') for tag in expected.split(",")}
    if "*" not in wanted and etag(call.target.metadata) not in wanted:
        raise faults.Fault(412, "The metadata has changed since it was read.")


def index(call: Call[Volume]) -> dict[str, Any]:
    if call.version >= ETAG_SINCE:
        call.headers["Etag"] = etag(call.target.metadata)
    # In order, so that the Etag is the digest of the very bytes of the answer.
    return {"metadata": dict(sorted(call.target.metadata.items()))}


def create(call: Call[Volume]) -> dict[str, Any]:
    return _write(call, call.body["metadata"], replace=False)


def update_all(call: Call[Volume]) -> dict[str, Any]:
    _check_match(call)
    return _write(call, call.body["metadata"], replace=True)


def _write(call: Call[Volume], metadata: Mapping[str, str], *, replace: bool) -> dict[str, Any]:
    stored = call.services.volumes.set_metadata(call.ctx, call.target, metadata, replace=replace)
    return {"metadata": stored}


def show(call: Call[Volume]) -> dict[str, Any]:
    return {"meta": one_item(call.target.metadata, call.params["key"])}


def update(call: Call[Volume]) -> dict[str, Any]:
    meta = call.body["meta"]
    match_key(meta, call.params["key"])
    _check_match(call)
    _write(call, meta, replace=False)
    return {"meta": meta}


def delete(call: Call[Volume]) -> None:
    call.services.volumes.delete_metadata(call.ctx, call.target, call.params["key"])


def one_item(metadata: Mapping[str, str], key: str) -> dict[str, str]:
    """The item of that key, alone; MetadataNotFound without it."""
    if key not in metadata:
        raise MetadataNotFound(id=key[:255])
    return {key: metadata[key]}


def match_key(item: Mapping[str, Any], key: str) -> None:
    """Refuse a body whose one key is not that of the URL."""
    if key not in item:
        raise faults.bad_request("Request body and URI mismatch.")

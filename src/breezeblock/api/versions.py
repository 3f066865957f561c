"""Requests about the service itself: its versions, its document, and whether it is well."""

from __future__ import annotations

from typing import Any

from breezeblock.api import faults, microversions
from breezeblock.api.call import Call

DOCUMENTATION = "https://docs.openstack.org/api-ref/block-storage/v3/"
MEDIA_TYPE = "application/vnd.openstack.volume+json;version=3"


def _v3(call: Call[None]) -> dict[str, Any]:
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": microversions.text(microversions.MAX),
        "min_version": microversions.text(microversions.MIN),
        "updated": "2023-08-31T00:00:00Z",
        "links": [
            {"rel": "describedby", "type": "text/html", "href": DOCUMENTATION},
            {"rel": "self", "href": f"{call.base}/v3/"},
        ],
        "media-types": [{"base": "application/json", "type": MEDIA_TYPE}],
    }


def versions(call: Call[None]) -> dict[str, Any]:
    return {"versions": [_v3(call)]}


def health(call: Call[None]) -> str:
    disable = call.tools.settings.disable_file
    if disable is not None and disable.exists():
        call.status = 503
        return "DISABLED BY FILE"
    return "OK"


def document(call: Call[None]) -> bytes:
    """The OpenAPI document of the version asked for, or the newest."""
    asked = call.query.get("microversion", "latest")
    try:
        return call.tools.document(microversions.parse(asked))
    except microversions.MalformedVersion as error:
        raise faults.bad_request(str(error)) from None
    except microversions.VersionNotServed as error:
        raise faults.Fault(406, str(error)) from None

"""The life of a volume with a worker behind the API, told in requests."""

from __future__ import annotations

from typing import Any

from tests.application import Application

from .conftest import PROJECT, Api


def test_life_of_a_volume(living: Api, application: Application) -> None:
    def made(kind: str, path: str, **fields: Any) -> str:
        answer = living("POST", f"/v3/{PROJECT}{path}", {kind: fields})
        assert answer.status_code in {200, 202}, answer.text
        application.settle()
        return str(answer.json[kind]["id"])

    def shown(kind: str, path: str) -> dict[str, Any]:
        answer = living("GET", f"/v3/{PROJECT}{path}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json[kind])

    volume = made("volume", "/volumes", size=1, name="first")
    assert shown("volume", f"/volumes/{volume}")["status"] == "available"
    snapshot = made("snapshot", "/snapshots", volume_id=volume)
    assert shown("snapshot", f"/snapshots/{snapshot}")["status"] == "available"
    clone = made("volume", "/volumes", snapshot_id=snapshot)
    assert shown("volume", f"/volumes/{clone}")["snapshot_id"] == snapshot

    larger = living("POST", f"/v3/volumes/{clone}/action", {"os-extend": {"new_size": "2"}})
    assert larger.status_code == 202
    application.settle()
    assert shown("volume", f"/volumes/{clone}")["size"] == 2

    connector = {"initiator": "iqn.2026-11.org.example:i", "host": "h", "ip": "192.0.2.1"}
    attachment = made("attachment", "/attachments", volume_uuid=clone, connector=connector)
    assert (
        shown("attachment", f"/attachments/{attachment}")["connection_info"]["attachment_id"]
        == attachment
    )
    done = living("POST", f"/v3/attachments/{attachment}/action", {"os-complete": None})
    assert done.status_code == 204
    attached = shown("volume", f"/volumes/{clone}")
    assert attached["status"] == "in-use"
    assert [item["attachment_id"] for item in attached["attachments"]] == [attachment]
    left = living("DELETE", f"/v3/attachments/{attachment}")
    assert (left.status_code, left.json) == (200, {"attachments": []})

    assert living("DELETE", f"/v3/volumes/{volume}").status_code == 400
    for path in (f"/volumes/{clone}", f"/volumes/{volume}?cascade=true"):
        deleted = living("DELETE", "/v3" + path.partition("?")[0],
                         query_string=path.partition("?")[2])  # fmt: skip
        assert deleted.status_code == 202, deleted.text
    application.settle()
    assert living("GET", "/v3/volumes").json["volumes"] == []
    assert living("GET", "/v3/snapshots").json["snapshots"] == []
    states = {item["state"] for item in living("GET", "/v3/operations").json["operations"]}
    assert states == {"done"}

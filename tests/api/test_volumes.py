"""Volumes over HTTP: create, list, page, change, metadata."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from .conftest import PROJECT, Api


def test_create_and_show(api: Api) -> None:
    body = {
        "volume": {
            "size": "2",
            "name": "  first ",
            "description": "two\nlines",
            "metadata": {"a": "b"},
        }
    }
    created = api("POST", f"/v3/{PROJECT}/volumes", body)
    assert created.status_code == 202
    volume = created.json["volume"]
    assert (volume["status"], volume["size"], volume["name"]) == ("creating", 2, "first")
    assert "os-vol-host-attr:host" not in volume
    shown = api("GET", f"/v3/{PROJECT}/volumes/{volume['id']}").json["volume"]
    assert shown["os-vol-tenant-attr:tenant_id"] == PROJECT
    assert {**shown, **volume, "updated_at": None} == {**shown, "updated_at": None}


@pytest.mark.parametrize(
    "volume",
    [
        {},
        {"size": 0},
        {"size": None},
        {"size": 1, "multiattach": True},
        {"size": 1, "imageRef": "x"},
        {"size": 1, "availability_zone": "mars"},
        {"size": 1, "colour": "red"},
        {"size": 1, "metadata": {"k": 1}},
    ],
)
def test_refused_creations_change_nothing(api: Api, volume: dict[str, Any]) -> None:
    assert api("POST", "/v3/volumes", {"volume": volume}).status_code == 400
    assert api("GET", "/v3/volumes").json["volumes"] == []
    assert api("GET", "/v3/operations").json["operations"] == []


def test_quota(api: Api) -> None:
    refused = api("POST", "/v3/volumes", {"volume": {"size": 101}})
    assert refused.status_code == 413
    assert refused.headers["retry-after"] == "0"
    assert refused.json["overLimit"]["retryAfter"] == "0"


def test_pages(api: Api) -> None:
    made = [api.volume(display_name=f"v{n}").id for n in range(5)]
    seen, path, query = [], f"/v3/{PROJECT}/volumes", "limit=2&sort=name:asc"
    while True:
        page = api("GET", path, query_string=query).json
        seen += [item["id"] for item in page["volumes"]]
        if "volumes_links" not in page:
            break
        (link,) = page["volumes_links"]
        assert link["rel"] == "next"
        query = link["href"].partition("?")[2]
        assert f"marker={seen[-1]}" in query
    assert seen == made
    assert api("GET", path, query_string="limit=0").json["volumes"] == []
    counted = api("GET", path, query_string="limit=1&with_count=true").json
    assert counted["count"] == 5
    assert api("GET", path, query_string="marker=x").status_code == 404


def test_filters(api: Api) -> None:
    red = api.volume(display_name="red", metadata={"k": "v"}, bootable=True, size=3)
    api.volume(display_name="blue", status="error")

    def found(query: str, **who: Any) -> list[str]:
        answer = api("GET", "/v3/volumes/detail", query_string=query, **who)
        assert answer.status_code == 200, answer.text
        return [item["name"] for item in answer.json["volumes"]]

    for query in (
        "name=red",
        "status=available",
        "metadata={'k':'v'}",
        "bootable=true",
        "size=3",
        "status=['available','in-use']",
        "name~=ed",
        f"id={red.id}",
        "host=here",
        "host=here%40one&name=red",
    ):
        expected = ["blue", "red"] if query == "host=here" else ["red"]
        assert found(query) == expected, query
    assert found("size=many") == []
    assert found("colour=red") == []
    assert found("created_at=gt:2020-01-01T00:00:00") == ["blue", "red"]
    assert found("created_at=lt:2020-01-01T00:00:00") == []
    assert found("colour=red", roles="reader", version="3.30") == ["blue", "red"]
    assert api("GET", "/v3/volumes?colour=red", roles="reader").status_code == 400


def test_totals(api: Api) -> None:
    api.volume(size=2, metadata={"k": "v"})
    api.volume(size=3, metadata={"k": "w"})
    totals = api("GET", "/v3/volumes/summary").json["volume-summary"]
    assert (totals["total_count"], totals["total_size"]) == (2, 5)
    assert sorted(totals["metadata"]["k"]) == ["v", "w"]
    older = api("GET", "/v3/volumes/summary", version="3.35").json["volume-summary"]
    assert "metadata" not in older


def test_update(api: Api) -> None:
    path = f"/v3/volumes/{api.volume(metadata={'a': 'b'}).id}"
    body = {"volume": {"name": " new ", "metadata": {"c": "d"}}}
    volume = api("PUT", path, body).json["volume"]
    assert volume["name"] == "new"
    assert volume["metadata"]["c"] == "d"
    assert api("PUT", path, {"volume": {"description": None}}).status_code == 200
    assert api("PUT", path, {"volume": {}}, version="3.52").status_code == 200
    assert api("PUT", path, {"volume": {}}).status_code == 400


def test_delete_flags(api: Api) -> None:
    volume = api.volume()
    path = f"/v3/volumes/{volume.id}"
    assert api("DELETE", path, query_string="cascade=maybe").status_code == 400
    assert api("DELETE", path, query_string="force=yes", roles="member").status_code == 403
    deleted = api("DELETE", path, query_string="cascade=True", roles="member")
    assert (deleted.status_code, deleted.content) == (202, b"")


def test_metadata(api: Api) -> None:
    path = f"/v3/volumes/{api.volume(metadata={'b': '2', 'a': '1'}).id}/metadata"
    read = api("GET", path)
    assert read.json == {"metadata": {"a": "1", "b": "2"}}
    tag = read.headers["etag"]
    assert tag == hashlib.md5(read.content, usedforsecurity=False).hexdigest()
    assert "etag" not in api("GET", path, version="3.14").headers
    stale = api("PUT", path, {"metadata": {}}, headers={"If-Match": "x"})
    assert stale.status_code == 412
    fresh = api("PUT", path, {"metadata": {"c": "3"}}, headers={"If-Match": tag})
    assert fresh.json == {"metadata": {"c": "3"}}
    assert api("POST", path, {"metadata": {"d": "4"}}).json["metadata"] == {"c": "3", "d": "4"}
    assert api("GET", f"{path}/c").json == {"meta": {"c": "3"}}
    assert api("PUT", f"{path}/c", {"meta": {"c": "5"}}).json == {"meta": {"c": "5"}}
    assert api("PUT", f"{path}/c", {"meta": {"d": "5"}}).status_code == 400
    assert api("DELETE", f"{path}/c").status_code == 200
    assert api("GET", f"{path}/c").status_code == 404
    assert api("DELETE", f"{path}/c").status_code == 404


def test_encryption(api: Api) -> None:
    path = f"/v3/volumes/{api.volume().id}/encryption"
    assert api("GET", path).json == {"encryption_key_id": None}
    assert api("GET", f"{path}/encryption_key_id").text == ""
    assert api("GET", f"{path}/colour").status_code == 404


def test_actions(api: Api) -> None:
    volume = api.volume()

    def act(action: str, value: Any, **who: Any) -> int:
        path = f"/v3/volumes/{volume.id}/action"
        return int(api("POST", path, {action: value}, **who).status_code)

    assert act("os-set_bootable", {"bootable": "yes"}) == 200
    assert act("os-update_readonly_flag", {"readonly": True}) == 202
    shown = api("GET", f"/v3/volumes/{volume.id}").json["volume"]
    assert shown["bootable"] == "true"
    assert shown["metadata"]["readonly"] == "True"
    assert act("os-reserve", None, roles="member") == 202
    assert act("os-reserve", None) == 400
    assert act("os-unreserve", {}) == 202
    assert act("os-reset_status", {"status": "ERROR"}, roles="member") == 403
    assert act("os-reset_status", {"status": "ERROR"}) == 202
    assert act("os-reset_status", {"status": "deleting"}) == 400
    assert act("os-reset_status", {}) == 400
    assert act("os-extend", {"new_size": 0}) == 400

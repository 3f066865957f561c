"""Snapshots, attachments, types, quotas and what the operator sees, over HTTP."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from .conftest import HOST, OTHER_PROJECT, POOL, PROJECT, Api


def test_snapshots(api: Api) -> None:
    volume = api.volume(display_name="v")
    body = {"snapshot": {"volume_id": volume.id, "name": " s ", "force": True}}
    created = api("POST", "/v3/snapshots", body)
    assert created.status_code == 202, created.text
    snapshot = created.json["snapshot"]
    assert (snapshot["name"], snapshot["status"], snapshot["size"]) == ("s", "creating", 1)
    path = f"/v3/snapshots/{snapshot['id']}"
    shown = api("GET", path).json["snapshot"]
    assert shown["os-extended-snapshot-attributes:project_id"] == PROJECT
    renamed = api("PUT", path, {"snapshot": {"name": "t"}}).json["snapshot"]
    assert renamed["name"] == "t"
    assert (
        api("GET", "/v3/snapshots/detail", query_string="name=t").json["snapshots"][0]["id"]
        == (snapshot["id"])
    )
    assert api("POST", f"{path}/metadata", {"metadata": {"a": "b"}}).json == {
        "metadata": {"a": "b"}
    }
    assert api("GET", f"{path}/metadata/a").json == {"meta": {"a": "b"}}
    assert api("DELETE", f"{path}/metadata/a").status_code == 200
    missing = {"snapshot": {"volume_id": None}}
    assert api("POST", "/v3/snapshots", missing).status_code == 404


@pytest.mark.parametrize(
    ("version", "force", "status"),
    [("3.65", None, 400), ("3.65", "yes", 202), ("3.66", None, 202), ("3.66", False, 400)],
)
def test_snapshots_of_volumes_in_use(api: Api, version: str, force: object, status: int) -> None:
    volume = api.volume(status="in-use", attach_status="attached")
    body = {"snapshot": {"volume_id": volume.id, **({} if force is None else {"force": force})}}
    assert api("POST", "/v3/snapshots", body, version=version).status_code == status


def test_attachments(api: Api) -> None:
    volume = api.volume()
    created = api("POST", "/v3/attachments", {"attachment": {"volume_uuid": volume.id}})
    assert created.status_code == 200, created.text
    attachment = created.json["attachment"]
    assert (attachment["status"], attachment["attach_mode"]) == ("reserved", "null")
    assert attachment["connection_info"] == {}
    listed = api("GET", "/v3/attachments", query_string=f"volume_id={volume.id}")
    assert [item["id"] for item in listed.json["attachments"]] == [attachment["id"]]
    assert api("GET", f"/v3/volumes/{volume.id}").json["volume"]["status"] == "reserved"
    empty: dict[str, Any] = {"attachment": {"connector": {}}}
    assert api("PUT", f"/v3/attachments/{attachment['id']}", empty).status_code == 400


def test_types(api: Api) -> None:
    body = {"volume_type": {"name": "gold", "extra_specs": {"multiattach": "<is> True", "a": "b"}}}
    gold = api("POST", "/v3/types", body).json["volume_type"]
    assert "qos_specs_id" not in gold
    assert api("POST", "/v3/types", body).status_code == 409
    path = f"/v3/types/{gold['id']}"
    as_user = api("GET", path, roles="reader").json["volume_type"]
    assert as_user["extra_specs"] == {"multiattach": "<is> True"}
    assert api("GET", path).json["volume_type"]["extra_specs"] == body["volume_type"]["extra_specs"]
    assert api("PUT", path, {"volume_type": {"description": "d"}}).status_code == 200
    assert api("PUT", path, {"volume_type": {"description": None}}).status_code == 400
    assert api("PUT", path, {"volume_type": {"name": " "}}).status_code == 400
    assert api("GET", "/v3/types/default").json["volume_type"]["name"] == "__DEFAULT__"
    specs = f"{path}/extra_specs"
    assert api("POST", specs, {"extra_specs": {"c": "d"}}).json == {"extra_specs": {"c": "d"}}
    assert api("PUT", f"{specs}/c", {"c": "e"}).json == {"c": "e"}
    assert api("PUT", f"{specs}/c", {"x": "e"}).status_code == 400
    assert api("GET", f"{specs}/c").json == {"c": "e"}
    assert api("GET", f"{specs}/c", roles="reader").status_code == 404
    assert api("DELETE", f"{specs}/c").status_code == 202
    assert api("GET", f"{path}/os-volume-type-access").status_code == 404
    assert api("DELETE", path).status_code == 202


def test_private_types(api: Api) -> None:
    body = {"volume_type": {"name": "own", "os-volume-type-access:is_public": False}}
    path = f"/v3/types/{api('POST', '/v3/types', body).json['volume_type']['id']}"
    user = partial(api, project=OTHER_PROJECT, roles="member,reader")
    assert user("GET", path).status_code == 404
    grant = {"addProjectAccess": {"project": OTHER_PROJECT}}
    assert api("POST", f"{path}/action", grant).status_code == 202
    assert api("POST", f"{path}/action", grant).status_code == 409
    assert user("GET", path).status_code == 200
    access = api("GET", f"{path}/os-volume-type-access").json["volume_type_access"]
    assert OTHER_PROJECT in {item["project_id"] for item in access}
    names = [t["name"] for t in api("GET", "/v3/types?is_public=none").json["volume_types"]]
    assert "own" in names
    assert api("GET", "/v3/types?is_public=maybe").status_code == 400
    revoke = {"removeProjectAccess": {"project": OTHER_PROJECT}}
    assert api("POST", f"{path}/action", revoke).status_code == 202
    assert user("GET", path).status_code == 404


def test_quotas(api: Api) -> None:
    path = f"/v3/os-quota-sets/{PROJECT}"
    quotas = api("GET", path).json["quota_set"]
    assert (quotas["id"], quotas["volumes"]) == (PROJECT, 10)
    used = api("GET", path, query_string="usage=True").json["quota_set"]
    assert used["volumes"] == {"limit": 10, "in_use": 0, "reserved": 0}
    changed = api("PUT", path, {"quota_set": {"volumes": "3", "tenant_id": PROJECT}})
    assert changed.json["quota_set"]["volumes"] == 3
    assert "id" not in changed.json["quota_set"]
    assert api("PUT", path, {"quota_set": {"colours": 3}}).status_code == 400
    assert api("PUT", path, {"quota_set": {"tenant_id": PROJECT}}).status_code == 200
    assert api("GET", f"{path}/defaults").json["quota_set"]["volumes"] == 10
    other = f"/v3/os-quota-sets/{OTHER_PROJECT}"
    assert api("GET", other, roles="reader").status_code == 403
    assert api("PUT", path, {"quota_set": {"volumes": 9}}, roles="member").status_code == 403
    assert api("DELETE", path).status_code == 200
    assert api("GET", path).json["quota_set"]["volumes"] == 10
    absolute = api("GET", "/v3/limits").json["limits"]["absolute"]
    assert (absolute["maxTotalVolumes"], absolute["totalVolumesUsed"]) == (10, 0)


def test_services(api: Api) -> None:
    (service,) = api("GET", "/v3/os-services").json["services"]
    assert (service["host"], service["state"], service["status"]) == (HOST, "up", "enabled")
    body = {"host": HOST, "binary": "cinder-volume", "disabled_reason": " broken "}
    switched = api("PUT", "/v3/os-services/disable-log-reason", body).json
    assert (switched["status"], switched["disabled_reason"]) == ("disabled", "broken")
    (service,) = api("GET", "/v3/os-services").json["services"]
    assert (service["status"], service["disabled_reason"]) == ("disabled", "broken")
    body = {"host": HOST, "service": "cinder-volume"}
    assert api("PUT", "/v3/os-services/enable", body).json["disabled"] is False
    assert api("PUT", "/v3/os-services/enable", {**body, "host": "x"}).status_code == 404


def test_pools_and_zones(api: Api) -> None:
    assert api("GET", "/v3/scheduler-stats/get_pools").json == {"pools": [{"name": POOL}]}
    (pool,) = api("GET", "/v3/scheduler-stats/get_pools?detail=1").json["pools"]
    assert pool["capabilities"]["storage_protocol"] == "iSCSI"
    assert api("GET", "/v3/scheduler-stats/get_pools?name=x").json == {"pools": []}
    assert api("GET", "/v3/scheduler-stats/get_pools?colour=x").status_code == 400
    assert api("GET", "/v3/scheduler-stats/get_pools?colour=x", version="3.27").status_code == 200
    assert api("GET", "/v3/os-availability-zone").json == {
        "availabilityZoneInfo": [{"zoneName": "nova", "zoneState": {"available": True}}]
    }
    assert api("GET", "/v3/capabilities/none@none").status_code == 404


def test_operations(api: Api) -> None:
    volume = api("POST", "/v3/volumes", {"volume": {"size": 1}}).json["volume"]
    (operation,) = api("GET", f"/v3/operations?resource_id={volume['id']}").json["operations"]
    assert (operation["resource_type"], operation["state"]) == ("volume", "queued")
    assert api("GET", f"/v3/operations/{operation['id']}").json == {"operation": operation}
    assert "payload" not in operation

"""``cinder`` with its own plug-in ``noauth``, against a service that believes everybody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.clients.commands import Program
from tests.clients.conftest import PROJECT, cinder_as
from tests.service import Service

from breezeblock.cli.block_storage import BlockStorage


@pytest.fixture
def volume(noauth_api: BlockStorage) -> Iterator[dict[str, Any]]:
    """A volume of 1 GiB called ``one``; the test may delete it."""
    created = noauth_api.create("volume", size=1, name="one", metadata={"made": "here"})
    yield noauth_api.wait("volume", created["id"], "available")
    listed = noauth_api.request("GET", "/volumes")["volumes"]
    if created["id"] in {left["id"] for left in listed}:
        noauth_api.request("DELETE", f"/volumes/{created['id']}?cascade=true")
        noauth_api.wait_gone("volume", created["id"])


def test_create_list_show_delete(cinder: Program, noauth_api: BlockStorage) -> None:
    created = cinder.properties(
        *("create", "1", "--name", "made", "--description", "by hand", "--metadata", "a=b"),
        *("--volume-type", "__DEFAULT__", "--availability-zone", "nova"),
    )
    assert created["name"] == "made"
    assert created["size"] == "1"
    assert created["user_id"] == "ann"
    assert created["metadata"] == "{'a': 'b'}"
    noauth_api.wait("volume", created["id"], "available")
    (listed,) = cinder.rows("list", "--name", "made")
    assert listed["ID"] == created["id"]
    assert listed["Status"] == "available"
    assert listed["Bootable"] == "false"
    shown = cinder.properties("show", "made")
    assert shown["os-vol-tenant-attr:tenant_id"] == PROJECT
    assert shown["description"] == "by hand"
    copied = cinder.properties("create", "--source-volid", created["id"], "--name", "copy", "2")
    assert copied["source_volid"] == created["id"]
    noauth_api.wait("volume", copied["id"], "available")
    rows = cinder.rows("list", "--sort", "size:desc", "--fields", "name,size", "--with-count")
    assert [(row["Name"], row["Size"]) for row in rows] == [("copy", "2"), ("made", "1")]
    (filtered,) = cinder.rows("list", "--filters", "name~=cop", "--limit", "5")
    assert filtered["ID"] == copied["id"]
    assert "accepted" in cinder.run("delete", "made", "copy")
    noauth_api.wait_gone("volume", created["id"])
    noauth_api.wait_gone("volume", copied["id"])


def test_change(cinder: Program, noauth_api: BlockStorage, volume: dict[str, Any]) -> None:
    identity = volume["id"]
    cinder.run("extend", "one", "2")
    noauth_api.wait("volume", identity, "available", lambda found: found["size"] == 2)
    cinder.run("rename", "one", "uno", "--description", "renamed")
    cinder.run("metadata", "uno", "set", "x=y", "z=1")
    assert cinder.properties("metadata-show", "uno") == {"made": "here", "x": "y", "z": "1"}
    cinder.run("metadata", "uno", "unset", "made")
    assert cinder.properties("metadata-update-all", "uno", "only=this") == {"only": "this"}
    cinder.run("set-bootable", "uno", "true")
    cinder.run("readonly-mode-update", "uno", "true")
    shown = cinder.properties("show", identity)
    assert shown["name"] == "uno"
    assert shown["description"] == "renamed"
    assert shown["bootable"] == "true"
    summary = cinder.properties("summary")
    assert summary["total_count"] == "1"
    assert summary["total_size"] == "2"
    cinder.run("reset-state", "--state", "error", "uno")
    assert cinder.properties("show", "uno")["status"] == "error"
    cinder.run("force-delete", "uno")
    noauth_api.wait_gone("volume", identity)


def test_snapshots(cinder: Program, noauth_api: BlockStorage, volume: dict[str, Any]) -> None:
    made = cinder.properties("snapshot-create", "one", "--name", "s1", "--metadata", "k=v")
    assert made["volume_id"] == volume["id"]
    noauth_api.wait("snapshot", made["id"], "available")
    (listed,) = cinder.rows("snapshot-list", "--volume-id", volume["id"])
    assert listed["Status"] == "available"
    cinder.run("snapshot-rename", "s1", "s2", "--description", "later")
    cinder.run("snapshot-metadata", "s2", "set", "more=x")
    assert cinder.properties("snapshot-metadata-show", "s2") == {"k": "v", "more": "x"}
    replaced = cinder.properties("snapshot-metadata-update-all", "s2", "a=b")
    assert replaced == {"metadata": "{'a': 'b'}"}
    shown = cinder.properties("snapshot-show", "s2")
    assert shown["description"] == "later"
    assert shown["os-extended-snapshot-attributes:progress"] == "100%"
    cinder.run("revert-to-snapshot", "s2")
    noauth_api.wait("volume", volume["id"], "available")
    cinder.run("snapshot-reset-state", "--state", "error", "s2")
    assert cinder.properties("snapshot-show", "s2")["status"] == "error"
    assert "snapshots" in cinder.refused("delete", "one")
    cinder.run("snapshot-delete", "s2")
    noauth_api.wait_gone("snapshot", made["id"])


def test_types_and_access(cinder: Program) -> None:
    (made,) = cinder.rows("type-create", "gold", "--is-public", "False", "--description", "best")
    assert made["Is_Public"] == "False"
    cinder.run("type-key", "gold", "set", "volume_backend_name=file")
    specs = {row["Name"]: row["extra_specs"] for row in cinder.rows("extra-specs-list")}
    assert specs["gold"] == "{'volume_backend_name': 'file'}"
    cinder.run("type-access-add", "--volume-type", "gold", "--project-id", "other")
    access = cinder.rows("type-access-list", "--volume-type", "gold")
    assert "other" in {row["Project_ID"] for row in access}
    other = cinder_as(cinder.service, "other")
    assert "gold" in {row["Name"] for row in other.rows("type-list")}
    cinder.run("type-access-remove", "--volume-type", "gold", "--project-id", "other")
    cinder.run("type-update", made["ID"], "--name", "golden")
    assert cinder.properties("type-show", "golden")["id"] == made["ID"]
    assert cinder.rows("type-default")[0]["Name"] == "__DEFAULT__"
    cinder.run("type-key", "golden", "unset", "volume_backend_name")
    cinder.run("type-delete", "golden")
    assert "golden" not in {row["Name"] for row in cinder.rows("type-list")}


def test_attachments(cinder: Program, noauth_api: BlockStorage, volume: dict[str, Any]) -> None:
    made = cinder.properties(
        *("attachment-create", "one", "--connect", "True", "--host", "here", "--ip", "127.0.0.1"),
        *("--initiator", "iqn.1994-05.org.debian:cinder", "--mountpoint", "/dev/vdb"),
        *("--mode", "rw"),
    )
    assert made["status"] == "attaching"
    assert made["volume_id"] == volume["id"]
    cinder.run("attachment-complete", made["id"])
    (listed,) = cinder.rows("attachment-list", "--volume-id", volume["id"])
    assert listed["Status"] == "attached"
    assert cinder.properties("attachment-show", made["id"])["attach_mode"] == "rw"
    assert cinder.properties("show", "one")["attachment_ids"] == f"['{made['id']}']"
    cinder.run("attachment-delete", made["id"])
    noauth_api.wait("volume", volume["id"], "available")
    reserved = cinder.properties("attachment-create", "one")
    assert reserved["status"] == "reserved"
    updated = cinder.properties(
        *("attachment-update", reserved["id"], "--host", "here", "--ip", "127.0.0.1"),
        *("--initiator", "iqn.1994-05.org.debian:cinder"),
    )
    assert updated["status"] == "attaching"
    cinder.run("attachment-delete", reserved["id"])
    noauth_api.wait("volume", volume["id"], "available")


def test_quotas(cinder: Program, volume: dict[str, Any]) -> None:
    assert cinder.properties("quota-defaults", PROJECT)["volumes"] == "10"
    assert cinder.properties("quota-update", "--volumes", "1", PROJECT)["volumes"] == "1"
    assert cinder.properties("quota-show", PROJECT)["volumes"] == "1"
    usage = {row["Type"]: row for row in cinder.rows("quota-usage", PROJECT)}
    assert (usage["volumes"]["In_use"], usage["volumes"]["Limit"]) == ("1", "1")
    assert usage["gigabytes"]["In_use"] == "1"
    limits = cinder.properties("absolute-limits")
    assert limits["maxTotalVolumes"] == limits["totalVolumesUsed"] == "1"
    assert "Quota exceeded for volumes: 1 requested, 1 of 1 used" in cinder.refused("create", "1")
    cinder.run("quota-delete", PROJECT)
    assert cinder.properties("quota-show", PROJECT)["volumes"] == "10"
    assert "Quota exceeded for gigabytes: 99999 requested" in cinder.refused("create", "99999")


def test_the_service_itself(cinder: Program) -> None:
    (service,) = cinder.rows("service-list", "--binary", "cinder-volume")
    assert (service["Status"], service["State"]) == ("enabled", "up")
    host = service["Host"]
    cinder.run("service-disable", host, "cinder-volume", "--reason", "cleaning")
    (service,) = cinder.rows("service-list", "--withreplication")
    assert (service["Status"], service["Disabled Reason"]) == ("disabled", "cleaning")
    cinder.run("service-enable", host, "cinder-volume")
    pools = cinder.properties("get-pools", "--detail")
    assert pools["name"] == f"{host}#file"
    assert pools["thin_provisioning_support"] == "True"
    assert cinder.properties("get-capabilities", host)["storage_protocol"] == "iSCSI"
    (zone,) = cinder.rows("availability-zone-list")
    assert zone == {"Name": "nova", "Status": "available"}
    (version,) = cinder.rows("api-version")
    assert (version["Min_version"], version["Version"]) == ("3.0", "3.71")
    assert "3.71" in cinder.run("version-list")
    assert "os-quota-sets" in {row["Alias"] for row in cinder.rows("list-extensions")}


def test_messages(cinder: Program, noauth_api: BlockStorage) -> None:
    cinder.run("type-create", "nowhere")
    cinder.run("type-key", "nowhere", "set", "volume_backend_name=gone")
    made = cinder.properties("create", "1", "--volume-type", "nowhere", "--name", "homeless")
    (listed,) = cinder.rows("message-list", "--resource_uuid", made["id"])
    shown = cinder.properties("message-show", listed["ID"])
    assert shown["message_level"] == "ERROR"
    assert shown["resource_uuid"] == made["id"]
    cinder.run("message-delete", listed["ID"])
    assert cinder.rows("message-list") == []
    cinder.run("delete", "homeless")
    noauth_api.wait_gone("volume", made["id"])
    cinder.run("type-delete", "nowhere")


@pytest.mark.parametrize("version", ["3.0", "3.27", "3.50", "3.71"])
def test_versions(
    noauth_service: Service, noauth_api: BlockStorage, volume: dict[str, Any], version: str
) -> None:
    """The columns of a list follow the version that is asked for."""
    cinder = cinder_as(noauth_service, PROJECT, version)
    (listed,) = cinder.rows("list")
    assert listed["ID"] == volume["id"]
    assert ("Consumes Quota" in listed) == (version == "3.71")
    shown = cinder.properties("show", "one")
    assert ("group_id" in shown) == (version != "3.0")
    assert ("service_uuid" in shown) == (version in ("3.50", "3.71"))
    assert ("volume_type_id" in shown) == (version == "3.71")


def test_what_cannot_be_is_said(cinder: Program, volume: dict[str, Any]) -> None:
    assert "'nope'" in cinder.refused("show", "nope")
    assert "size" in cinder.refused("create", "0")
    assert "must be larger than 1 GiB" in cinder.refused("extend", "one", "1")
    assert "unheard" in cinder.refused("create", "1", "--volume-type", "unheard")
    assert "nope" in cinder.refused("snapshot-create", "nope")


def test_cinder_by_openrc(cinder_by_openrc: Program, openstack: Program) -> None:
    """The function of openrc: the same user, so the same volumes as ``openstack`` shows."""
    made = cinder_by_openrc.properties("create", "1", "--name", "third", "--poll")
    (listed,) = cinder_by_openrc.rows("list", "--name", "third")
    assert listed["Status"] == "available"
    assert openstack.json("volume", "show", "third")["id"] == made["id"]
    assert cinder_by_openrc.properties("absolute-limits")["maxTotalVolumes"] == "10"
    project = openstack.json("volume", "show", "third")["os-vol-tenant-attr:tenant_id"]
    assert cinder_by_openrc.properties("quota-show", project)["volumes"] == "10"
    cinder_by_openrc.run("delete", "third")


def test_a_wrong_password_is_refused(http_basic_service: Service) -> None:
    wrong = Program(
        "cinder",
        http_basic_service,
        openrc=False,
        variables={
            "OS_AUTH_TYPE": "noauth",
            "OS_PROJECT_ID": "any",
            "CINDER_ENDPOINT": f"http://admin:wrong@127.0.0.1:{http_basic_service.port}/v3",
        },
    )
    assert "401" in wrong.refused("list")

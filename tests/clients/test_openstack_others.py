"""``openstack``: snapshots, types, attachments, and the administrator's view of the service.

Not here, because the client itself asks an identity or compute service first: ``quota``,
``limits``, ``volume type set --project`` and ``volume attachment create``.  The ``cinder`` command
does the same things without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.clients.commands import Program
from tests.service import Service

from breezeblock.cli.block_storage import BlockStorage

INITIATOR = "iqn.1994-05.org.debian:openstack"


@pytest.fixture
def volume(api: BlockStorage) -> Iterator[dict[str, Any]]:
    """A volume of 1 GiB that goes with all its snapshots."""
    created = api.create("volume", size=1, name="of-others")
    yield api.wait("volume", created["id"], "available")
    for left in api.request("GET", "/attachments")["attachments"]:
        api.delete("attachment", left["id"])
    api.wait("volume", created["id"], "available")
    api.request("DELETE", f"/volumes/{created['id']}?cascade=true")
    api.wait_gone("volume", created["id"])


def test_snapshots(openstack: Program, api: BlockStorage, volume: dict[str, Any]) -> None:
    created = openstack.json(
        *("volume", "snapshot", "create", "--volume", "of-others", "--description", "first look"),
        *("--property", "kept=yes", "snap"),
    )
    assert created["name"] == "snap"
    assert created["status"] == "creating"
    assert created["volume_id"] == volume["id"]
    api.wait("snapshot", created["id"], "available")
    (listed,) = openstack.json("volume", "snapshot", "list", "--long", "--volume", "of-others")
    assert listed["ID"] == created["id"]
    assert listed["Status"] == "available"
    assert listed["Size"] == 1
    assert listed["Properties"] == {"kept": "yes"}
    by_name = openstack.json(
        *("volume", "snapshot", "list", "--name", "snap", "--status", "available", "--limit", "1")
    )
    assert [snapshot["ID"] for snapshot in by_name] == [created["id"]]
    openstack.run(
        *("volume", "snapshot", "set", "--name", "shot", "--description", "second look"),
        *("--property", "more=also", "snap"),
    )
    shown = openstack.json("volume", "snapshot", "show", "shot")
    assert shown["id"] == created["id"]
    assert shown["description"] == "second look"
    assert shown["properties"] == {"kept": "yes", "more": "also"}
    openstack.run("volume", "snapshot", "unset", "--property", "kept", "shot")
    assert openstack.json("volume", "snapshot", "show", "shot")["properties"] == {"more": "also"}
    openstack.run("volume", "snapshot", "set", "--state", "error", "shot")
    assert openstack.json("volume", "snapshot", "show", "shot")["status"] == "error"
    openstack.run("volume", "snapshot", "delete", "shot")
    api.wait_gone("snapshot", created["id"])
    assert "shot" in openstack.refused("volume", "snapshot", "show", "shot")


def test_types(openstack: Program, api: BlockStorage) -> None:
    created = openstack.json(
        *("volume", "type", "create", "--private", "--description", "the best"),
        *("--property", "volume_backend_name=file", "gold"),
    )
    assert created["is_public"] is False
    assert created["properties"] == {"volume_backend_name": "file"}
    openstack.run("volume", "type", "set", "--name", "golden", "--property", "multiattach=", "gold")
    shown = openstack.json("volume", "type", "show", "golden")
    assert shown["id"] == created["id"]
    assert shown["description"] == "the best"
    assert shown["properties"] == {"volume_backend_name": "file", "multiattach": ""}
    openstack.run("volume", "type", "unset", "--property", "multiattach", "golden")
    (private,) = openstack.json("volume", "type", "list", "--private", "--long")
    assert private["Name"] == "golden"
    assert private["Properties"] == {"volume_backend_name": "file"}
    assert openstack.json("volume", "type", "list", "--default")[0]["Name"] == "__DEFAULT__"
    volume = openstack.json("volume", "create", "--size", "1", "--type", "golden", "shiny")
    assert volume["type"] == "golden"
    api.wait("volume", volume["id"], "available")
    assert created["id"] in openstack.refused("volume", "type", "delete", "golden")
    openstack.run("volume", "delete", "shiny")
    api.wait_gone("volume", volume["id"])
    openstack.run("volume", "type", "delete", "golden")
    assert "golden" not in {t["Name"] for t in openstack.json("volume", "type", "list")}


def test_attachments(openstack: Program, api: BlockStorage, volume: dict[str, Any]) -> None:
    made = api.create("attachment", volume_uuid=volume["id"])
    (listed,) = openstack.json("volume", "attachment", "list")
    assert listed["ID"] == made["id"]
    assert listed["Volume ID"] == volume["id"]
    assert listed["Status"] == "reserved"
    connected = openstack.json(
        *("volume", "attachment", "set", "--initiator", INITIATOR, "--ip", "127.0.0.1"),
        *("--host", "here", "--mountpoint", "/dev/vdb", made["id"]),
    )
    assert connected["Status"] == "attaching"
    properties = connected["Properties"]
    assert properties["driver_volume_type"] == "iscsi"
    assert properties["auth_method"] == "CHAP"
    assert properties["target_iqn"].endswith(f"volume-{volume['id']}")
    openstack.run("volume", "attachment", "complete", made["id"])
    shown = openstack.json("volume", "attachment", "show", made["id"])
    assert shown["Status"] == "attached"
    assert shown["Volume ID"] == volume["id"]
    (attached,) = openstack.json("volume", "list", "--status", "in-use")
    assert attached["Attached to"][0]["attachment_id"] == made["id"]
    openstack.run("volume", "attachment", "delete", made["id"])
    api.wait("volume", volume["id"], "available")
    assert openstack.json("volume", "attachment", "list") == []


def test_the_service_itself(openstack: Program) -> None:
    (zone,) = openstack.json("availability", "zone", "list", "--volume")
    assert zone == {"Zone Name": "nova", "Zone Status": "available"}
    (service,) = openstack.json("volume", "service", "list", "--service", "cinder-volume")
    assert service["Status"] == "enabled"
    assert service["State"] == "up"
    host = service["Host"]
    openstack.run(
        *("volume", "service", "set", "--disable", "--disable-reason", "cleaning"),
        *(host, "cinder-volume"),
    )
    (service,) = openstack.json("volume", "service", "list", "--long")
    assert service["Status"] == "disabled"
    assert service["Disabled Reason"] == "cleaning"
    openstack.run("volume", "service", "set", "--enable", host, "cinder-volume")
    assert openstack.json("volume", "service", "list")[0]["Status"] == "enabled"
    (pool,) = openstack.json("volume", "backend", "pool", "list", "--long")
    assert pool["Name"] == f"{host}#file"
    assert pool["Capabilities"]["storage_protocol"] == "iSCSI"
    capabilities = openstack.json("volume", "backend", "capability", "show", host)
    assert "thin_provisioning" in {c["Key"] for c in capabilities}
    extensions = openstack.json("extension", "list", "--volume")
    assert "os-quota-sets" in {e["Alias"] for e in extensions}


def test_messages_tell_why(openstack: Program, api: BlockStorage) -> None:
    """A volume that no pool can take: the error is on the volume, the reason in a message."""
    openstack.run("volume", "type", "create", "--property", "volume_backend_name=gone", "nowhere")
    volume = openstack.json("volume", "create", "--size", "1", "--type", "nowhere", "homeless")
    (message,) = openstack.json("volume", "message", "list")
    assert message["Resource UUID"] == volume["id"]
    assert message["Message Level"] == "ERROR"
    assert "volume_backend_name is 'file', not gone" in message["User Message"]
    # openstacksdk looks for the fields under a wrong key, so the client shows no more than this.
    assert openstack.json("volume", "message", "show", message["ID"])["ID"] == message["ID"]
    assert openstack.json("volume", "show", "homeless")["status"] == "error"
    openstack.run("volume", "message", "delete", message["ID"])
    assert openstack.json("volume", "message", "list") == []
    openstack.run("volume", "delete", "homeless")
    api.wait_gone("volume", volume["id"])
    openstack.run("volume", "type", "delete", "nowhere")


@pytest.mark.parametrize("path", ["/v3", "/v3/0123abcd"])
def test_without_any_authentication(noauth_service: Service, path: str) -> None:
    """The client's plug-in `none`, which knows an endpoint and nothing else."""
    variables = {
        "OS_AUTH_TYPE": "none",
        "OS_ENDPOINT": f"{noauth_service.url}{path}",
        "OS_VOLUME_API_VERSION": "3.71",
    }
    openstack = Program("openstack", noauth_service, openrc=False, variables=variables)
    name = f"none{len(path)}"
    made = openstack.json("volume", "create", "--size", "1", name)
    assert name in {row["Name"] for row in openstack.json("volume", "list")}
    openstack.run("volume", "delete", "--force", made["id"])

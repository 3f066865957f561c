"""``openstack volume ...`` from the openrc that ``breezeblock init`` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.clients.commands import Program

from breezeblock.cli.block_storage import BlockStorage


def found(api: BlockStorage, name: str) -> dict[str, Any]:
    """The only volume of that name."""
    (volume,) = api.request("GET", f"/volumes/detail?name={name}")["volumes"]
    return dict(volume)


@pytest.fixture
def volume(api: BlockStorage, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """A volume of 1 GiB named after the test; the test may delete it."""
    name = request.node.name.removeprefix("test_").replace("_", "-")
    created = api.create("volume", size=1, name=name, metadata={"made": "here"})
    yield api.wait("volume", created["id"], "available")
    for left in api.request("GET", f"/volumes?name={name}")["volumes"]:
        api.action("volume", left["id"], "os-force_delete")
        api.wait_gone("volume", left["id"])


def test_create_show_delete(openstack: Program, api: BlockStorage) -> None:
    created = openstack.json(
        *("volume", "create", "--size", "1", "--type", "__DEFAULT__", "--description", "the first"),
        *("--property", "colour=blue", "--property", "use=boot disk"),
        *("--availability-zone", "nova", "--bootable", "first"),
    )
    assert created["name"] == "first"
    assert created["description"] == "the first"
    assert created["size"] == 1
    assert created["status"] == "creating"
    assert created["type"] == "__DEFAULT__"
    assert created["availability_zone"] == "nova"
    assert created["properties"] == {"colour": "blue", "use": "boot disk"}
    api.wait("volume", created["id"], "available")
    shown = openstack.json("volume", "show", "first")
    assert shown["id"] == created["id"]
    assert shown["status"] == "available"
    assert shown["bootable"] is True
    assert shown["encrypted"] is False
    assert shown["multiattach"] is False
    assert shown["os-vol-host-attr:host"].endswith("@file#file")
    assert shown["user_id"] == "admin"
    assert openstack.run("volume", "delete", "first") == ""
    api.wait_gone("volume", created["id"])
    assert "No Volume found for first" in openstack.refused("volume", "show", "first")


def test_create_from_others(openstack: Program, api: BlockStorage, volume: dict[str, Any]) -> None:
    clone = openstack.json("volume", "create", "--source", volume["name"], "copied")
    assert clone["source_volid"] == volume["id"]
    assert clone["size"] == 1
    api.wait("volume", clone["id"], "available")
    openstack.run("volume", "snapshot", "create", "--volume", volume["name"], "base")
    (snapshot,) = api.request("GET", "/snapshots?name=base")["snapshots"]
    api.wait("snapshot", snapshot["id"], "available")
    larger = openstack.json("volume", "create", "--snapshot", "base", "--size", "2", "larger")
    assert larger["snapshot_id"] == snapshot["id"]
    assert larger["size"] == 2
    api.wait("volume", larger["id"], "available")
    openstack.run("volume", "delete", "copied", "larger")
    api.wait_gone("volume", clone["id"])
    api.wait_gone("volume", larger["id"])
    openstack.run("volume", "delete", "--cascade", volume["name"])
    api.wait_gone("volume", volume["id"])
    assert api.request("GET", "/snapshots?name=base")["snapshots"] == []


def test_set_and_unset(openstack: Program, api: BlockStorage, volume: dict[str, Any]) -> None:
    openstack.run(
        *("volume", "set", "--name", "renamed", "--description", "changed", "--size", "2"),
        *("--property", "more=than before", "--bootable", volume["id"]),
    )
    api.wait("volume", volume["id"], "available", lambda found: found["size"] == 2)
    shown = openstack.json("volume", "show", volume["id"])
    assert shown["name"] == "renamed"
    assert shown["description"] == "changed"
    assert shown["bootable"] is True
    assert shown["properties"] == {"made": "here", "more": "than before"}
    openstack.run("volume", "set", "--read-only", "--non-bootable", volume["id"])
    shown = openstack.json("volume", "show", volume["id"])
    assert shown["properties"]["readonly"] == "True"
    assert shown["bootable"] is False
    openstack.run("volume", "unset", "--property", "made", volume["id"])
    assert set(api.request("GET", f"/volumes/{volume['id']}/metadata")["metadata"]) == {"more"}
    openstack.run("volume", "set", "--no-property", "--property", "only=one", volume["id"])
    assert api.request("GET", f"/volumes/{volume['id']}/metadata")["metadata"] == {"only": "one"}
    openstack.run("volume", "set", "--state", "error", volume["id"])
    assert openstack.json("volume", "show", volume["id"])["status"] == "error"
    openstack.run("volume", "delete", "--force", volume["id"])
    api.wait_gone("volume", volume["id"])


def test_list_choices(openstack: Program, api: BlockStorage) -> None:
    made = []
    for number in range(3):
        fields = {"size": 1, "name": f"listed-{number}", "metadata": {"number": str(number)}}
        made.append(api.create("volume", **fields)["id"])
        api.wait("volume", made[-1], "available")
    newest_first = made[::-1]
    plain = openstack.json("volume", "list")
    assert [v["ID"] for v in plain if v["ID"] in made] == newest_first
    long = openstack.json("volume", "list", "--long", "--name", "listed-1")
    assert len(long) == 1
    assert long[0]["Type"] == "__DEFAULT__"
    assert long[0]["Bootable"] is False
    assert long[0]["Properties"] == {"number": "1"}
    by_property = openstack.json("volume", "list", "--property", "number=2")
    assert [v["ID"] for v in by_property] == [made[2]]
    assert openstack.json("volume", "list", "--status", "error") == []
    two = openstack.json("volume", "list", "--all-projects", "--limit", "2")
    rest = openstack.json("volume", "list", "--marker", two[-1]["ID"], "--limit", "1")
    assert [v["ID"] for v in (*two, *rest)] == [v["ID"] for v in plain[:3]]
    summary = openstack.json("volume", "summary", "--all-projects")
    assert summary["Total Count"] == len(plain)
    assert summary["Total Size"] == sum(v["Size"] for v in plain)
    assert set(summary["Metadata"]["number"]) == {"0", "1", "2"}
    openstack.run("volume", "delete", *made)
    for identity in made:
        api.wait_gone("volume", identity)


def test_revert(openstack: Program, api: BlockStorage, volume: dict[str, Any]) -> None:
    snapshot = api.create("snapshot", volume_id=volume["id"], name="before")
    api.wait("snapshot", snapshot["id"], "available")
    openstack.run("volume", "revert", "before")
    api.wait("volume", volume["id"], "available")
    finished = api.request("GET", f"/operations?resource_id={volume['id']}")["operations"]
    assert "revert" in finished[0]["kind"]
    assert finished[0]["state"] == "done"
    openstack.run("volume", "snapshot", "delete", "before")
    api.wait_gone("snapshot", snapshot["id"])


def test_what_cannot_be_is_said(
    openstack: Program, api: BlockStorage, volume: dict[str, Any]
) -> None:
    """Every refusal is in words that name what is wrong."""
    assert "size" in openstack.refused("volume", "create", "--size", "0", "empty")
    said = openstack.refused("volume", "create", "--size", "5000", "huge")
    assert "Quota exceeded for gigabytes: 5000 requested" in said
    said = openstack.refused("volume", "create", "--size", "1", "--type", "unheard", "none")
    assert "unheard" in said
    said = openstack.refused("volume", "create", "--size", "1", "--availability-zone", "moon", "x")
    assert "moon" in said
    assert "nothere" in openstack.refused("volume", "delete", "nothere")
    said = openstack.refused("volume", "set", "--size", "1", volume["id"])
    assert "New size must be greater than 1 GB" in said  # the client looks itself
    snapshot = api.create("snapshot", volume_id=volume["id"])
    api.wait("snapshot", snapshot["id"], "available")
    said = openstack.refused("volume", "delete", volume["id"])
    assert "snapshots" in said
    assert found(api, volume["name"])["status"] == "available"
    api.delete("snapshot", snapshot["id"])
    api.wait_gone("snapshot", snapshot["id"])

"""Another project's resources exist on no route, and roles count on every one: a walk over the
real route table."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from breezeblock.api import policies
from breezeblock.api.route import Prefix, Route
from breezeblock.api.routes import ROUTES
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.store import messages

from .conftest import OTHER_PROJECT, PROJECT, Api

DEFAULTS = {name: check for name, check, _ in policies.TABLE}


def _name(route: Route) -> str:
    return f"{route.method} {route.path} {route.action or ''}".strip()


def _path(route: Route, identity: str) -> str:
    return "/v3" + route.path.replace("{id}", identity).replace("{key}", "k")


def _body(route: Route) -> Any:
    if route.action is not None:
        return {route.action: {}}
    return {} if route.method in {"POST", "PUT"} else None


OWNED = ("/volumes/", "/snapshots/", "/attachments/", "/messages/", "/operations/")
owned = [r for r in ROUTES if "{id}" in r.path and r.path.startswith(OWNED)]
guarded = [r for r in ROUTES if r.policy is not None and r.prefix is Prefix.VERSION]


@pytest.fixture
def theirs(api: Api) -> dict[str, str]:
    """An id of every kind of resource, all of the other project."""
    volume = api.volume(project_id=OTHER_PROJECT, metadata={"k": "v"})
    created = api("POST", "/v3/volumes", {"volume": {"size": 1}}, project=OTHER_PROJECT)
    assert created.status_code == 202
    (operation,) = api("GET", "/v3/operations", project=OTHER_PROJECT).json["operations"]
    return {
        "volumes": volume.id,
        "snapshots": api.snapshot(volume, metadata={"k": "v"}).id,
        "attachments": api.attachment(volume).id,
        "operations": operation["id"],
        "messages": _message(api),
    }


def _message(api: Api) -> str:
    api.database.transact(
        lambda tx: messages.insert(
            tx,
            project_id=OTHER_PROJECT,
            request_id=None,
            resource_type="VOLUME",
            resource_id=str(uuid4()),
            action=Action.CREATE,
            detail=Detail.UNKNOWN,
            cause=None,
        )
    )
    listed = api("GET", "/v3/messages", project=OTHER_PROJECT).json["messages"]
    return str(listed[0]["id"])


@pytest.mark.parametrize("route", owned, ids=_name)
def test_other_projects_do_not_exist(api: Api, theirs: dict[str, str], route: Route) -> None:
    identity = theirs[route.path.split("/")[1]]
    path, body = _path(route, identity), _body(route)
    refused = api(route.method, path, body, roles="member,reader")
    assert refused.status_code == 404, refused.text
    assert refused.json["itemNotFound"]["code"] == 404
    # It is there, though: whoever it belongs to is told something else.
    found = api(route.method, path, body, project=OTHER_PROJECT, roles="reader")
    assert found.status_code != 404 or "key" in route.path or route.miss == 404


@pytest.mark.parametrize("route", owned, ids=_name)
@pytest.mark.parametrize("identity", ["x", "..", "%00", "a'b", "0" * 36, "é", str(uuid4())])
def test_what_is_no_id_is_not_found(api: Api, route: Route, identity: str) -> None:
    result = api(route.method, _path(route, identity), _body(route))
    assert result.status_code == 404, result.text


@pytest.mark.parametrize("route", guarded, ids=_name)
@pytest.mark.parametrize("roles", ["", "reader", "member,reader"])
def test_roles_decide(api: Api, route: Route, roles: str) -> None:
    volume = api.volume(metadata={"k": "v"})
    ids = {
        "volumes": volume.id,
        "snapshots": api.snapshot(volume).id,
        "attachments": api.attachment(volume).id,
        "types": "default",
        "capabilities": "here@one",
    }
    identity = ids.get(route.path.split("/")[1], str(uuid4()))
    result = api(route.method, _path(route, identity), _body(route), roles=roles)
    assert route.policy is not None
    allowed = {
        policies.ADMIN: set[str](),
        policies.READER: {"reader", "member,reader"},
        policies.MEMBER: {"member,reader"},
    }[DEFAULTS[route.policy]]
    if route.path.startswith(("/messages/", "/operations/")):
        assert result.status_code == 404
    elif roles in allowed:
        assert result.status_code != 403
    else:
        assert result.status_code == route.miss


def test_routes_do_not_exist_below_their_version(api: Api) -> None:
    for route in ROUTES:
        if route.since > 0:
            below = f"3.{route.since - 1}"
            result = api(route.method, _path(route, str(uuid4())), _body(route), version=below)
            assert result.status_code == 404, _name(route)


def test_lists_show_the_callers_project_only(api: Api) -> None:
    mine, other = api.volume(), api.volume(project_id=OTHER_PROJECT)

    def listed(query: str = "", **who: Any) -> set[str]:
        answer = api("GET", "/v3/volumes", query_string=query, **who)
        return {item["id"] for item in answer.json["volumes"]}

    assert listed() == {mine.id}
    assert listed("all_tenants=1") == {mine.id, other.id}
    assert listed("all_tenants=1", roles="reader") == {mine.id}
    assert listed(project=PROJECT, roles="reader") == {mine.id}

"""Another project's resources exist on no route, and roles count on every one: a walk over the
real route table."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from tests.stored import volume_type

from breezeblock.api import policies
from breezeblock.api.route import Prefix, Route
from breezeblock.api.routes import ROUTES
from breezeblock.domain.user_messages import Action, Detail
from breezeblock.store import messages, volume_types
from breezeblock.store.database import Transaction

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
of_types = [r for r in ROUTES if r.path.startswith("/types/{id}")]
lists = [r for r in ROUTES if {"limit", "marker"} <= {q.name for q in r.queries}]
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


def test_every_route_with_an_id_is_walked() -> None:
    """A new collection must say whose its resources are."""
    nobodys = ("/types/", "/extensions/", "/capabilities/", "/os-quota-sets/")
    for route in ROUTES:
        assert "{" not in route.path or route.path.startswith((*OWNED, *nobodys)), _name(route)


@pytest.fixture
def private_type(api: Api) -> str:
    """A private type that only the other project may use."""
    made = volume_type("private", is_public=False, extra_specs={"k": "v"})

    def work(tx: Transaction) -> None:
        volume_types.insert(tx, made)
        volume_types.grant(tx, made.id, OTHER_PROJECT)

    api.database.transact(work)
    return made.id


@pytest.mark.parametrize("route", of_types, ids=_name)
def test_private_types_do_not_exist_for_others(api: Api, private_type: str, route: Route) -> None:
    path, body = _path(route, private_type), _body(route)
    refused = api(route.method, path, body, roles="member,reader")
    assert refused.status_code == 404, refused.text
    found = api(route.method, path, body, project=OTHER_PROJECT, roles="member,reader")
    assert found.status_code != 404 or "{key}" in route.path


def test_private_types_are_not_listed_or_used_by_others(api: Api, private_type: str) -> None:
    for query in ("", "is_public=none", "is_public=false", "is_public=None", "all_tenants=1"):
        listed = api("GET", "/v3/types", query_string=query, roles="member,reader")
        assert private_type not in listed.text
    theirs = api("GET", "/v3/types", project=OTHER_PROJECT, roles="member,reader")
    assert private_type in theirs.text
    wanted = {"volume": {"size": 1, "volume_type": private_type}}
    assert api("POST", "/v3/volumes", wanted, roles="member,reader").status_code == 404


@pytest.mark.parametrize("version", ["3.30", "3.71"])
@pytest.mark.parametrize("route", lists, ids=_name)
def test_lists_tell_nothing_of_others(
    api: Api, theirs: dict[str, str], route: Route, version: str
) -> None:
    kind = route.path.split("/")[1]
    if kind == "types":
        return  # which belong to nobody; private ones have a test of their own
    foreign = theirs[kind]
    queries = [
        *("", "all_tenants=1", "all_tenants=1&with_count=1", "with_count=true", "limit=1"),
        *(f"project_id={OTHER_PROJECT}", f"all_tenants=1&project_id={OTHER_PROJECT}"),
        *(f"tenant_id={OTHER_PROJECT}", f"id={foreign}", "sort=project_id", "sort=id:asc"),
        *(f"volume_id={theirs['volumes']}", "metadata={'k': 'v'}", "name~=&all_tenants=yes"),
        *(f"resource_id={theirs['volumes']}", "state=queued", "status=available"),
    ]
    for query in queries:
        answer = api("GET", f"/v3{route.path}", query_string=query, version=version, roles="reader")
        assert answer.status_code in {200, 400}, answer.text
        assert not any(identity in answer.text for identity in theirs.values()), query
        if answer.status_code == 200:
            assert answer.json[kind] == []
            assert answer.json.get("count", 0) == 0
    path = f"/v3{route.path}"
    marked = api("GET", path, query_string=f"marker={foreign}", version=version, roles="reader")
    # The same as of an id that nobody has.
    unknown = api("GET", path, query_string=f"marker={uuid4()}", version=version, roles="reader")
    assert (marked.status_code, unknown.status_code) == (404, 404)


def test_summaries_count_the_callers_project_only(api: Api, theirs: dict[str, str]) -> None:
    for query in ("", "all_tenants=1", f"project_id={OTHER_PROJECT}", "metadata={'k': 'v'}"):
        answer = api("GET", "/v3/volumes/summary", query_string=query, roles="reader")
        if answer.status_code == 200:
            assert answer.json["volume-summary"]["total_count"] == 0
            assert not answer.json["volume-summary"].get("metadata")
    api.volume(metadata={"mine": "x"})
    mine = api("GET", "/v3/volumes/summary", query_string="metadata={'mine': 'x'}").json
    assert mine["volume-summary"]["total_count"] == 1
    assert mine["volume-summary"]["metadata"] == {"mine": ["x"]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/volumes", {"volume": {"source_volid": "volumes"}}),
        ("/volumes", {"volume": {"snapshot_id": "snapshots"}}),
        ("/snapshots", {"snapshot": {"volume_id": "volumes"}}),
        ("/attachments", {"attachment": {"volume_uuid": "volumes"}}),
    ],
)
def test_bodies_cannot_name_what_is_others(
    api: Api, theirs: dict[str, str], path: str, body: dict[str, dict[str, str]]
) -> None:
    ((kind, fields),) = body.items()
    named = {kind: {name: theirs[value] for name, value in fields.items()}}
    unknown = {kind: {name: str(uuid4()) for name in fields}}
    refused = api("POST", f"/v3{path}", named, roles="member,reader")
    assert refused.status_code == 404, refused.text
    assert api("POST", f"/v3{path}", unknown, roles="member,reader").status_code == 404


def test_limits_and_quotas_are_the_callers(api: Api, theirs: dict[str, str]) -> None:
    for query in ("", f"project_id={OTHER_PROJECT}", f"tenant_id={OTHER_PROJECT}"):
        answer = api("GET", "/v3/limits", query_string=query, roles="member,reader")
        assert answer.json["limits"]["absolute"]["totalVolumesUsed"] == 0
    for route in (r for r in ROUTES if r.path.startswith("/os-quota-sets/{id}")):
        body = {"quota_set": {"volumes": 1}} if route.method == "PUT" else None
        refused = api(route.method, _path(route, OTHER_PROJECT), body, roles="member,reader")
        assert refused.status_code == 403, _name(route)


def test_lists_show_the_callers_project_only(api: Api) -> None:
    mine, other = api.volume(), api.volume(project_id=OTHER_PROJECT)

    def listed(query: str = "", **who: Any) -> set[str]:
        answer = api("GET", "/v3/volumes", query_string=query, **who)
        return {item["id"] for item in answer.json["volumes"]}

    assert listed() == {mine.id}
    assert listed("all_tenants=1") == {mine.id, other.id}
    assert listed("all_tenants=1", roles="reader") == {mine.id}
    assert listed(project=PROJECT, roles="reader") == {mine.id}

"""What must hold for every row of the route table."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import pytest

from breezeblock.api import microversions, policies
from breezeblock.api.route import Prefix, Route
from breezeblock.api.routes import ROUTES
from breezeblock.api.routing import Router
from breezeblock.api.schemas.responses import RESPONSES

RULES = {name for name, _, _ in policies.BASE + policies.TABLE}
WRITES = {"POST", "PUT", "DELETE"}


def _name(route: Route) -> str:
    return f"{route.method} {route.path} {route.action or ''}".strip()


every_route = pytest.mark.parametrize("route", ROUTES, ids=_name)


@every_route
def test_policy_is_known(route: Route) -> None:
    assert route.policy is None or route.policy in RULES


@every_route
def test_writes_are_guarded(route: Route) -> None:
    # Quotas ask their policy themselves, with the project of the path as the target.
    if route.method in WRITES and not route.path.startswith("/os-quota-sets"):
        assert route.policy is not None


@every_route
def test_named_resources_are_loaded_through_a_service(route: Route) -> None:
    unowned = ("/os-quota-sets", "/capabilities", "/extensions")
    if "{id}" in route.path and not route.path.startswith(unowned):
        assert route.load is not None


@every_route
def test_versions_are_served_versions(route: Route) -> None:
    assert microversions.MIN <= route.since <= route.until <= microversions.MAX


@every_route
def test_body_schemas_cover_all_versions_of_the_route(route: Route) -> None:
    if route.bodies:
        for version in range(route.since, route.until + 1):
            serving = [b for b in route.bodies if b.since <= version <= b.until]
            assert len(serving) == 1, microversions.text(version)


@every_route
def test_bodies_are_read_by_writes_only(route: Route) -> None:
    assert bool(route.bodies) == (route.method in {"POST", "PUT"})


@every_route
def test_response_schema_is_known(route: Route) -> None:
    assert route.response is None or route.response in RESPONSES


def test_no_two_routes_answer_the_same_request() -> None:
    same = defaultdict(list)
    for route in ROUTES:
        same[(route.prefix, route.method, route.path, route.action)].append(route)
    for variants in same.values():
        variants.sort(key=lambda route: route.since)
        assert all(a.until < b.since for a, b in pairwise(variants))


def test_reads_of_volumes_hide_what_policy_refuses() -> None:
    for route in ROUTES:
        if route.load is not None and route.method == "GET":
            expected = 404 if route.path.startswith("/volumes/") else 403
            assert route.miss == expected, _name(route)


@every_route
def test_the_router_finds_the_route_with_and_without_a_project(route: Route) -> None:
    router = Router(ROUTES)
    path = route.path.replace("{id}", "some-id").replace("{key}", "some-key")
    project = "0123456789abcdef"
    prefixes: list[tuple[str, str | None]] = [("", None)]
    if route.prefix is Prefix.VERSION:
        prefixes = [("/v3", None)]
        if route.path != "/":
            prefixes.append((f"/v3/{project}", project))
    for prefix, found in prefixes:
        match = router.match(prefix + path)
        assert match is not None
        assert match.project == found
        assert match.endpoint.answers(route.method)
        if route.action is None:
            assert match.endpoint.route(route.method, route.since) is route
        else:
            assert match.endpoint.action(route.action, route.since) is route
        assert match.params.get("id", "some-id") == "some-id"
        assert set(match.params) == {n for n in ("id", "key") if f"{{{n}}}" in route.path}


@pytest.mark.parametrize(
    "path",
    [
        "/v2/volumes",
        "/v1",
        "/volumes",
        "/v3/volumes/",
        "/v3//volumes",
        "/v3/abc",
        "/v3/abc/",
        "/v3/abc/bogus",
        "/v3/volumes/a/b/c/d",
        "/v3/abc/def/volumes",
        "",
        "/v3/volumes/a\0b",
        "/v3/volumes/" + "x" * 2000,
    ],
)
def test_paths_without_a_route(path: str) -> None:
    match = Router(ROUTES).match(path)
    # A trailing slash means nothing, so this one is the list of volumes.
    assert (match is not None) == (path == "/v3/volumes/")

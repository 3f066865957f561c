"""Bad input on every route: nothing fails, nothing is told that should not be, and what is refused
changes nothing.

The tests share one service (`watched`), which judges every single answer; together they send the
number of requests that `test_enough_was_asked` wants.  What they send is the same in every run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks
from tests.application import Application, configured

from breezeblock.api.route import Prefix, Route
from breezeblock.api.routes import ROUTES

from . import strange
from .conftest import OTHER_PROJECT, PROJECT
from .watched import QUIET, Watched, watched

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ENOUGH = 20_000
DOCUMENTED, ANYTHING, NEARLY, ASKED = "documented", "anything", "nearly right", "queries"
JSON = "application/json"
WITH_BODY = [route for route in ROUTES if route.bodies]
WITH_QUERY = [route for route in ROUTES if route.queries and route.method == "GET"]


def examples(count: int) -> settings:
    """So many examples, the same ones in every run."""
    return settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One of everything, behind an API that is watched."""
    backends = {"one": {"fake_capacity_gb": 1_000_000_000}}
    application = Application(
        configured(tmp_path_factory.mktemp("fuzz"), {"DEFAULT": QUIET}, backends)
    )
    application.start_worker()
    with watched(application) as made:
        yield made
    application.close()


def _name(route: Route) -> str:
    return f"{route.method} {route.path} {route.action or ''}".strip()


def _kind(path: str) -> str:
    """The collection that a path is in."""
    return path.removeprefix("/v3").split("/")[1]


# ---- schemathesis over the document -------------------------------------------------------------

CHECKS: list[Callable[..., bool | None]] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_REFERENCES = {
    "volume_id": "volumes",
    "volume_uuid": "volumes",
    "source_volid": "volumes",
    "snapshot_id": "snapshots",
    "attachment_id": "attachments",
    "volume_type": "types",
}


def _fill(ids: Mapping[str, tuple[str, ...]], case: Case[Any], pick: int) -> None:
    """Let the case speak of what is there: in its path, and where its body names a resource."""
    if "id" in case.path_parameters:
        known = ids[_kind(case.path)]
        case.path_parameters["id"] = known[pick % len(known)]
    if "key" in case.path_parameters:
        case.path_parameters["key"] = "k"
    if isinstance(case.body, dict):
        case.body = {key: _referring(ids, value, pick) for key, value in case.body.items()}


def _referring(ids: Mapping[str, tuple[str, ...]], value: Any, pick: int) -> Any:
    if not isinstance(value, dict):
        return value
    filled = dict(value)
    for name in filled.keys() & _REFERENCES.keys():
        known = ids[_REFERENCES[name]]
        if isinstance(filled[name], str):
            filled[name] = known[pick % len(known)]
    return filled


@pytest.mark.parametrize("version", ["3.71", "3.27", "3.0"])
def test_what_the_document_describes(service: Watched, version: str) -> None:
    service.part = DOCUMENTED

    def versioned(environment: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        # Without it the answer is of version 3.0, which this document does not describe.
        environment.setdefault("HTTP_OPENSTACK_API_VERSION", f"volume {version}")
        return service(environment, start_response)

    document = schemathesis.openapi.from_wsgi(
        f"/openapi.json?microversion={version}", versioned, config=schemathesis.Config()
    )
    operations = [one.ok() for one in document.get_all_operations() if isinstance(one, Ok)]
    assert len(operations) > 50
    token = {"X-Auth-Token": f"user:{PROJECT}"}
    for operation in operations:
        cases = [operation.as_strategy(generation_mode=mode) for mode in GenerationMode]

        @examples(30)
        @given(case=st.one_of(cases), pick=st.integers(0, 11))
        def ask(case: Case[Any], pick: int) -> None:
            if pick:
                _fill(service.ids, case, pick)
            response = case.call(headers=token)
            case.validate_response(response, checks=CHECKS)

        ask()


# ---- anything at all, to every route ------------------------------------------------------------


@dataclass(frozen=True)
class Shot:
    """What is sent to every route; None stands for what is right."""

    identity: str | None
    key: str
    pick: int
    project: str | None
    version: str
    query: str
    kind: str
    headers: Mapping[str, str]
    body: bytes


def _now_and_then(strategy: strange.Strategy, usual: Any) -> strange.Strategy:
    return st.one_of(st.just(usual), st.just(usual), strategy)


SHOTS = st.builds(
    Shot,
    identity=_now_and_then(strange.PATH_IDS, None),
    key=_now_and_then(strange.PATH_IDS, "k"),
    pick=st.integers(0, 11),
    project=_now_and_then(st.one_of(st.just(PROJECT), strange.PATH_IDS), None),
    version=_now_and_then(strange.VERSIONS, "volume 3.71"),
    query=_now_and_then(strange.QUERIES, ""),
    kind=_now_and_then(strange.CONTENT_TYPES, JSON),
    headers=_now_and_then(strange.HEADERS, {}),
    body=_now_and_then(strange.BYTES, b"{}"),
)


def _path(service: Watched, route: Route, shot: Shot) -> str:
    path = route.path
    if "{id}" in path:
        known = service.ids[_kind(path)]
        path = path.replace("{id}", shot.identity or known[shot.pick % len(known)])
    project = "" if shot.project is None else f"/{shot.project}"
    prefix = "" if route.prefix is Prefix.ROOT else f"/v3{project}"
    return prefix + path.replace("{key}", shot.key)


@examples(150)
@given(shot=SHOTS)
def test_anything_on_every_route(service: Watched, shot: Shot) -> None:
    service.part = ANYTHING
    for route in ROUTES:
        body = shot.body
        if route.action is not None and shot.pick % 2:
            # Past the choice of the action.
            body = b'{"%s": %s}' % (route.action.encode(), body or b"null")
        headers = {
            "X-Auth-Token": f"user:{PROJECT}",
            "OpenStack-API-Version": shot.version,
            "Content-Type": shot.kind,
            "Content-Length": str(len(body)),
            **shot.headers,
        }
        path = _path(service, route, shot)
        service.send(route.method, path, query=shot.query, headers=headers, body=body)


# ---- nearly right -------------------------------------------------------------------------------


def _headers(version: int, roles: str | None, project: str = PROJECT) -> dict[str, str]:
    headers = {
        "X-Auth-Token": f"user:{project}",
        "OpenStack-API-Version": f"volume 3.{version}",
        "Content-Type": JSON,
    }
    return headers if roles is None else {**headers, "X-Roles": roles}


@pytest.mark.parametrize("route", WITH_BODY, ids=_name)
def test_bodies_that_are_nearly_right(service: Watched, route: Route) -> None:
    service.part = NEARLY
    known = service.ids.get(_kind(route.path), ("",))
    wrapped = [(max(one.since, route.since), one) for one in route.bodies]

    @examples(120)
    @given(data=st.data(), identity=st.sampled_from(known))
    def ask(data: st.DataObject, identity: str) -> None:
        version, schema = data.draw(st.sampled_from(wrapped))
        body = data.draw(strange.near(schema.schema))
        content = strange.encoded(body if route.action is None else {route.action: body})
        path = "/v3" + route.path.replace("{id}", identity).replace("{key}", "k")
        for newer, roles in ((version, None), (schema.until, "member,reader")):
            headers = {**_headers(newer, roles), "Content-Length": str(len(content))}
            service.send(route.method, path, headers=headers, body=content)

    ask()


@pytest.mark.parametrize("route", WITH_QUERY, ids=_name)
def test_queries(service: Watched, route: Route) -> None:
    service.part = ASKED
    known = service.ids.get(_kind(route.path), ("",))
    path = "/v3" + route.path.replace("{id}", known[0])
    names = [query.name for query in route.queries]

    @examples(60)
    @given(query=st.one_of(strange.pairs(names), strange.pairs(names), strange.QUERIES))
    def ask(query: str) -> None:
        for version in (0, 22, 30, 34, 60, 71):
            for roles in (None, "reader"):
                headers = _headers(version, roles)
                service.send("GET", path, query=query, headers=headers, body=b"")

    ask()


@pytest.mark.parametrize("route", WITH_QUERY, ids=_name)
def test_literals_in_queries(service: Watched, route: Route) -> None:
    """Every strange value under every name that the route knows."""
    service.part = ASKED
    known = service.ids.get(_kind(route.path), ("",))
    path = "/v3" + route.path.replace("{id}", known[0])
    for name in sorted({query.name for query in route.queries} | {"id", "name~", "sort_key"}):
        for value in strange.LITERALS:
            query = f"{strange.percent(name)}={strange.percent(value)}"
            service.send("GET", path, query=query, headers=_headers(71, None), body=b"")


@pytest.mark.parametrize("project", [PROJECT, OTHER_PROJECT])
def test_requests_are_judged_as_what_they_do(service: Watched, project: str) -> None:
    """The watch itself: an accepted request is seen, put back, and does not count as refused."""
    before = service.accepted[ANYTHING]
    service.part = ANYTHING
    content = b'{"volume": {"size": 1}}'
    headers = {**_headers(71, None, project), "Content-Length": str(len(content))}
    answer = service.send("POST", "/v3/volumes", headers=headers, body=content)
    assert answer.status == 202
    assert service.accepted[ANYTHING] == before + 1
    assert service.store.differences() == {}


def test_enough_was_asked(service: Watched, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f" {service.split()}")
    parts = {DOCUMENTED, ANYTHING, NEARLY, ASKED}
    if not parts <= service.sent.keys():
        pytest.skip("only some of the tests of this module were run")
    assert service.sent.total() >= ENOUGH, service.sent
    # Most of what is bad is refused, but what never gets anywhere proves little.
    assert all(service.accepted[part] > 100 for part in parts), service.accepted

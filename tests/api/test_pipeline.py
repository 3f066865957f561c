"""What happens to every request, whatever it asks for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, cast

import bcrypt
import falcon
import falcon.testing
import pytest
from tests.application import Application

from breezeblock.api import wsgi
from breezeblock.api.authentication.http_basic import HttpBasic, project_of

from .conftest import OTHER_PROJECT, PROJECT, Api

ID = "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"


def fault(result: falcon.testing.Result) -> tuple[str, int]:
    ((name, details),) = result.json.items()
    assert details["code"] == result.status_code
    return name, details["code"]


def test_every_answer_names_its_request(api: Api) -> None:
    for path in ("/", "/v3/volumes", "/v3/bogus", f"/v3/volumes/{ID}"):
        headers = api("GET", path).headers
        assert re.fullmatch(r"req-[0-9a-f-]{36}", headers["x-compute-request-id"])
        assert headers["x-openstack-request-id"] == headers["x-compute-request-id"]


@pytest.mark.parametrize(("asked", "served"), [(None, "3.0"), ("3.5", "3.5"), ("latest", "3.71")])
def test_the_version_is_echoed(api: Api, asked: str | None, served: str) -> None:
    for path in ("/v3/volumes", f"/v3/volumes/{ID}", "/v3/types"):
        headers = api("GET", path, version=asked).headers
        assert headers["openstack-api-version"] == f"volume {served}"
        assert headers["vary"] == "OpenStack-API-Version"


def test_versions_not_served(api: Api) -> None:
    result = api("GET", "/v3/volumes", version="3.72")
    assert fault(result) == ("computeFault", 406)
    assert result.headers["openstack-api-version"] == "volume 3.72"
    assert "3.71" in result.text


@pytest.mark.parametrize("header", ["volume 3", "volume", "compute 2.1"])
def test_malformed_versions(api: Api, header: str) -> None:
    result = api("GET", "/v3/volumes", version=None, headers={"OpenStack-API-Version": header})
    assert fault(result) == ("badRequest", 400)
    assert "openstack-api-version" not in result.headers
    assert "vary" not in result.headers


@pytest.mark.parametrize("path", ["/v3/bogus", "/v2/volumes", "/volumes", f"/v3/{PROJECT}/bogus"])
def test_unknown_paths_are_plain(api: Api, path: str) -> None:
    result = api("GET", path)
    assert result.status_code == 404
    assert result.headers["content-type"].startswith("text/plain")


def test_methods_of_other_versions_are_faults(api: Api) -> None:
    result = api("GET", "/v3/attachments", version="3.26")
    assert fault(result) == ("itemNotFound", 404)
    assert result.headers["openstack-api-version"] == "volume 3.26"
    assert api("GET", "/v3/attachments", version="3.27").status_code == 200


def test_methods_of_no_version_are_unknown(api: Api) -> None:
    assert api("PATCH", f"/v3/volumes/{ID}").headers["content-type"].startswith("text/plain")


def test_the_project_of_the_url_is_the_tokens(api: Api) -> None:
    assert api("GET", f"/v3/{PROJECT}/volumes").status_code == 200
    assert fault(api("GET", f"/v3/{OTHER_PROJECT}/volumes")) == ("badRequest", 400)
    assert api("GET", "/v3/not-hex/volumes").status_code == 404
    assert api("GET", "/v3/not-hex/volumes", project="not-hex").status_code == 200


def test_without_a_token_the_url_names_the_project(api: Api) -> None:
    volume = api.volume(project_id="cccc")
    path = f"/v3/cccc/volumes/{volume.id}"
    assert api.client.simulate_get(path).status_code == 200
    assert api.client.simulate_get("/v3/volumes").json == {"volumes": []}


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b'"\\ud800"', "application/json", 400),
        (b'{"volume": {"size": 1, "name": "\\u0000"}}', "application/json", 400),
        (b'{"volume": {"size": 1e400}}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 5000 + b"]" * 5000, "application/json", 400),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "application/json", 400),
        (b"<volume/>", "application/xml", 415),
        (b" " * 114689, "application/json", 413),
        (b'{"volume": {"size": 1}}', "application/json; charset=utf-8", 202),
        (b'{"volume": {"size": 1}}', "application/vnd.openstack.volume+json", 202),
        (b'{"volume": {"size": 1}}', "", 202),
    ],
)
def test_bodies(api: Api, body: bytes, content_type: str, status: int) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    result = api("POST", "/v3/volumes", headers=headers, raw=body)
    assert result.status_code == status, result.text


@pytest.mark.parametrize("body", [{}, {"os-extend": {}, "os-reserve": {}}, {"os-fly": {}}, [], 1])
def test_actions_have_one_known_key(api: Api, body: Any) -> None:
    volume = api.volume()
    result = api("POST", f"/v3/volumes/{volume.id}/action", body)
    assert fault(result) == ("badRequest", 400)


def test_actions_of_newer_versions_are_not_found(api: Api) -> None:
    volume = api.volume()
    path = f"/v3/volumes/{volume.id}/action"
    body = {"revert": {"snapshot_id": ID}}
    assert fault(api("POST", path, body, version="3.39")) == ("itemNotFound", 404)


@pytest.mark.parametrize(
    "query", ["name=%00", "limit=x", "sort=a:b:c", "%ff=1", "all_tenants=maybe"]
)
def test_bad_parameters(api: Api, query: str) -> None:
    assert fault(api("GET", "/v3/volumes", query_string=query)) == ("badRequest", 400)


def test_versions_need_no_token(api: Api) -> None:
    result = api.client.simulate_get("/")
    assert result.status_code == 300
    (version,) = result.json["versions"]
    assert (version["id"], version["version"], version["min_version"]) == ("v3.0", "3.71", "3.0")
    assert api("GET", "/v3/").status_code == 200


def test_health(api: Api) -> None:
    result = api.client.simulate_get("/healthcheck")
    assert (result.status_code, result.text) == (200, "OK")


def test_health_disabled_by_file(resting: Application, tmp_path: Path) -> None:
    conf = resting.settings.conf
    conf.set_override("backends", ["disable_by_file"], "healthcheck")
    conf.set_override("disable_by_file_path", str(tmp_path / "down"), "healthcheck")
    client = _client(resting, tmp_path)
    assert client.simulate_get("/healthcheck").status_code == 200
    (tmp_path / "down").touch()
    assert client.simulate_get("/healthcheck").status_code == 503


def test_the_document_needs_no_token(api: Api) -> None:
    result = api.client.simulate_get("/openapi.json")
    assert result.json["info"]["x-microversion"] == "3.71"
    older = api.client.simulate_get("/openapi.json", params={"microversion": "3.26"})
    assert "/v3/attachments" not in older.json["paths"]
    assert api.client.simulate_get("/openapi.json?microversion=9.9").status_code == 406
    assert api.client.simulate_get("/openapi.json?microversion=x").status_code == 400


def _client(resting: Application, tmp_path: Path) -> falcon.testing.TestClient:
    """A client of the application behind a password."""
    path = tmp_path / "htpasswd"
    digest = bcrypt.hashpw(b"secret", bcrypt.gensalt(rounds=4)).decode()
    path.write_text(f"admin:{digest}\n", encoding="utf-8")
    made = wsgi.create_application(
        resting.settings.conf, resting.services, HttpBasic(path, ["admin"])
    )
    return falcon.testing.TestClient(cast("falcon.App[Any, Any]", made))


def test_http_basic(resting: Application, tmp_path: Path) -> None:
    client = _client(resting, tmp_path)
    for path in ("/v3", "/v3/volumes", "/v3/bogus"):
        refused = client.simulate_get(path)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Basic")
        assert refused.headers["content-type"].startswith("text/plain")
    right = {"Authorization": "Basic YWRtaW46c2VjcmV0"}
    assert client.simulate_get("/v3/volumes", headers=right).status_code == 200
    project = project_of("admin")
    assert client.simulate_get(f"/v3/{project}/os-services", headers=right).status_code == 200


def test_links_lead_where_the_client_came_from(api: Api) -> None:
    volume = api.volume()

    def link(path: str, **headers: str) -> str:
        result = api("GET", f"{path}/volumes/{volume.id}", headers=headers)
        return str(result.json["volume"]["links"][0]["href"])

    assert link("/v3", Host="there:1") == f"http://there:1/v3/volumes/{volume.id}"
    through = {"X-Forwarded-Host": "inner, outer", "X-Forwarded-Proto": "https"}
    assert link(f"/v3/{PROJECT}", **through) == (f"https://outer/v3/{PROJECT}/volumes/{volume.id}")


def test_extensions(api: Api) -> None:
    aliases = [e["alias"] for e in api("GET", "/v3/extensions").json["extensions"]]
    assert len(aliases) == 32
    assert api("GET", f"/v3/extensions/{aliases[0]}").json["extension"]["alias"] == aliases[0]
    assert fault(api("GET", "/v3/extensions/none")) == ("itemNotFound", 404)


def test_faults_have_no_secrets_of_ours(api: Api) -> None:
    api.database.dispose()
    with api.database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE messages")
    result = api("GET", "/v3/messages")
    assert fault(result) == ("computeFault", 500)
    assert "messages" not in json.dumps(result.json)

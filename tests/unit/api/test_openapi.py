"""The OpenAPI document: complete, consistent, and valid where it is a schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from breezeblock.api import openapi
from breezeblock.api.routes import ROUTES

DRAFT2020 = "https://json-schema.org/draft/2020-12/schema"


def schemas(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        if isinstance(node.get("schema"), dict):
            yield node["schema"]
        for value in node.values():
            yield from schemas(value)
    elif isinstance(node, list):
        for value in node:
            yield from schemas(value)


@pytest.mark.parametrize("version", [0, 27, 53, 71])
def test_every_route_of_the_version_is_there(version: int) -> None:
    document = openapi.build(ROUTES, version)
    for route in ROUTES:
        path = route.prefix.value + route.path
        path = path if path == "/" else path.rstrip("/")
        operation = document["paths"].get(path, {}).get(route.method.lower())
        if not route.serves(version):
            continue
        assert operation is not None
        assert str(route.success) in operation["responses"]
        assert ("requestBody" in operation) == bool(route.bodies)
        if route.action is not None:
            assert f'"{route.action}"' in json.dumps(operation["requestBody"])


def test_newer_routes_are_not_in_older_documents() -> None:
    assert "/v3/attachments" not in openapi.build(ROUTES, 26)["paths"]
    assert "/v3/attachments" in openapi.build(ROUTES, 27)["paths"]


def test_operation_ids_are_unique() -> None:
    paths = openapi.build(ROUTES, 71)["paths"]
    ids = [op["operationId"] for item in paths.values() for op in item.values()]
    assert len(ids) == len(set(ids))


def test_references_lead_somewhere() -> None:
    document = openapi.build(ROUTES, 71)
    known = document["components"]["schemas"]
    for schema in schemas(document["paths"]):
        for reference in [schema, *schema.get("anyOf", ())]:
            if "$ref" in reference:
                assert reference["$ref"].removeprefix("#/components/schemas/") in known


def test_schemas_are_schemas() -> None:
    document = openapi.build(ROUTES, 71)
    for schema in [*schemas(document["paths"]), *document["components"]["schemas"].values()]:
        jsonschema_rs.meta.validate({"$schema": DRAFT2020, **schema})


def test_the_document_is_made_once() -> None:
    make = openapi.documents(ROUTES)
    assert make(71) is make(71)
    assert json.loads(make(27))["info"]["x-microversion"] == "3.27"

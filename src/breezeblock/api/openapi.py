"""The OpenAPI 3.1 document of the route table at one microversion."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

import breezeblock
from breezeblock.api import microversions
from breezeblock.api.route import Prefix, Route
from breezeblock.api.schemas.responses import FAULT, RESPONSES

JSON = "application/json"
PLAIN = "text/plain"

_REFUSALS: Mapping[int, str] = {
    400: "The request cannot be meant.",
    403: "Policy does not allow it.",
    404: "There is no such resource, or not at this microversion.",
    406: "The microversion is not served.",
    409: "The state of the resource stands against it.",
    412: "The resource has changed since it was read.",
    413: "The body is too large, or a quota would be exceeded.",
    415: "The body is no JSON.",
}
_DESCRIPTION = (
    "Block storage: the OpenStack Block Storage API v3, and operations, which are our own. "
    "Every path below /v3 is also served below /v3/{project_id}, with the caller's project."
)


def documents(routes: Sequence[Route]) -> Callable[[int], bytes]:
    """What makes the encoded document of a minor version; it is made once and kept, for it takes
    milliseconds and never changes."""
    return lru_cache(maxsize=8)(lambda version: msgspec.json.encode(build(routes, version)))


def build(routes: Iterable[Route], version: int) -> dict[str, Any]:
    """The document as an object."""
    served = [route for route in routes if route.serves(version)]
    paths: dict[str, dict[str, Any]] = {}
    by_operation: dict[tuple[str, str], list[Route]] = {}
    for route in served:
        by_operation.setdefault((_path(route), route.method), []).append(route)
    for (path, method), variants in by_operation.items():
        item = paths.setdefault(path, {})
        item[method.lower()] = _operation(path, variants, version)
    names = sorted({route.response for route in served if route.response})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Breezeblock",
            "version": breezeblock.__version__,
            "description": _DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "x-microversion": microversions.text(version),
        },
        "paths": paths,
        "components": {
            "schemas": {"Fault": FAULT, **{name: RESPONSES[name](version) for name in names}},
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"},
            },
        },
        "security": [{"basic": []}, {"token": []}],
    }


def _path(route: Route) -> str:
    path = route.prefix.value + route.path
    return path if path == "/" else path.rstrip("/")


def _operation(path: str, routes: Sequence[Route], version: int) -> dict[str, Any]:
    first = routes[0]
    operation: dict[str, Any] = {
        "operationId": _operation_id(first),
        "summary": first.summary if first.action is None else "Act on the resource.",
        "tags": [path.split("/")[2] if path.count("/") > 1 else "service"],
        "parameters": _parameters(path, first, version),
        "responses": _responses(routes),
    }
    body = _request_body(routes, version)
    if body is not None:
        operation["requestBody"] = body
    if first.open:
        operation["security"] = []
    return operation


def _operation_id(route: Route) -> str:
    module = route.handler.__module__.rsplit(".", 1)[-1]
    if route.action is not None:
        return f"{module}_action"
    where = "root_" if route.prefix is Prefix.ROOT else ""
    return f"{module}_{where}{route.handler.__name__}"


def _parameters(path: str, route: Route, version: int) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }
        for name in re.findall(r"{(\w+)}", path)
    ]
    parameters += [
        {"name": query.name, "in": "query", "required": False, "schema": dict(query.schema)}
        for query in route.queries
        if query.since <= version
    ]
    if not route.open:
        served = f"{microversions.SERVICE} {microversions.text(version)}"
        parameters.append(
            {
                "name": microversions.HEADER,
                "in": "header",
                # Optional on the wire, but without it this document would be another one.
                "required": version != microversions.MIN,
                "schema": {"type": "string", "enum": [served]},
            }
        )
    return parameters


def _request_body(routes: Sequence[Route], version: int) -> dict[str, Any] | None:
    schemas = []
    for route in routes:
        body = route.body_at(version)
        if body is None:
            continue
        if route.action is None:
            schemas.append(dict(body.schema))
        else:
            schemas.append(
                {
                    "type": "object",
                    "description": route.summary,
                    "properties": {route.action: dict(body.schema)},
                    "required": [route.action],
                    "additionalProperties": False,
                }
            )
    if not schemas:
        return None
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    return {"required": True, "content": {JSON: {"schema": schema}}}


def _responses(routes: Sequence[Route]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status in sorted({route.success for route in routes}):
        responses[str(status)] = _success([r for r in routes if r.success == status])
    if routes[0].open:
        responses["default"] = {"description": "It could not be answered.", **_content(FAULT_REF)}
        return responses
    responses["401"] = {
        "description": "Nobody known, or not with these credentials.",
        "content": {PLAIN: {"schema": {"type": "string"}}},
    }
    for status, description in _REFUSALS.items():
        responses[str(status)] = {"description": description, **_content(FAULT_REF)}
    responses["404"]["content"][PLAIN] = {"schema": {"type": "string"}}
    responses["default"] = {"description": "The service is at fault.", **_content(FAULT_REF)}
    return responses


FAULT_REF = {"$ref": "#/components/schemas/Fault"}


def _content(schema: Mapping[str, Any], kind: str = JSON) -> dict[str, Any]:
    return {"content": {kind: {"schema": dict(schema)}}}


def _success(routes: Sequence[Route]) -> dict[str, Any]:
    """The answer of these routes; where some of them, being actions, answer nothing, none is
    promised."""
    names = list(dict.fromkeys(route.response for route in routes))
    response: dict[str, Any] = {"description": "Done, or accepted."}
    if all(names):
        references = [{"$ref": f"#/components/schemas/{name}"} for name in names]
        schema = references[0] if len(references) == 1 else {"anyOf": references}
        response |= _content(schema, PLAIN if names == ["text"] else JSON)
    return response

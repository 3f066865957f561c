"""One request on its way through a handler."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import falcon

from breezeblock.api import faults
from breezeblock.api.enforcement import Policies
from breezeblock.api.filters import FilterTable
from breezeblock.api.settings import ApiSettings
from breezeblock.domain.context import RequestContext
from breezeblock.services.registry import Services

Target = TypeVar("Target")


@dataclass(frozen=True, slots=True)
class Tools:
    """What every call shares: made once for an application.

    ``document`` makes the OpenAPI document of a minor version, encoded.
    """

    services: Services
    policies: Policies
    settings: ApiSettings
    filters: FilterTable
    document: Callable[[int], bytes]


@dataclass(slots=True)
class Call(Generic[Target]):
    """A request after authentication, with what the pipeline has found out so far.

    ``project`` is the project segment of the URL, None when the URL had none.  ``target`` is the
    resource that the path names, ``body`` the validated body (of an action: its value).
    ``headers`` are added to the answer; ``status`` replaces the route's when a handler sets it.
    """

    ctx: RequestContext
    version: int
    params: Mapping[str, str]
    project: str | None
    request: falcon.Request
    tools: Tools
    target: Target
    body: Any = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    _query: dict[str, str] | None = None
    _base: str | None = None

    @property
    def services(self) -> Services:
        return self.tools.services

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; of a repeated one the last counts."""
        if self._query is None:
            self._query = parse_query(self.request.query_string)
        return self._query

    @property
    def base(self) -> str:
        """Scheme and host that links start with, without a slash at the end."""
        if self._base is None:
            self._base = self.tools.settings.public_endpoint or request_base(self.request)
        return self._base

    def allows(self, rule: str, project_id: str | None = None, user_id: str | None = None) -> bool:
        """Whether policy grants the caller ``rule`` on something of that project and user;
        without them, on something of the caller's own."""
        return self.tools.policies.allows(
            rule,
            self.ctx,
            project_id if project_id is not None else self.ctx.project_id,
            user_id if user_id is not None else self.ctx.user_id,
        )

    def require(self, rule: str, project_id: str | None = None, user_id: str | None = None) -> None:
        """Refuse with 403 what `allows` does not grant."""
        if not self.allows(rule, project_id, user_id):
            raise faults.Fault(403, f"Policy doesn't allow {rule} to be performed.")


def parse_query(query_string: str) -> dict[str, str]:
    """Name to value of a query string; NULs, which no database takes, are refused with 400."""
    if not query_string:
        return {}
    parsed = falcon.uri.parse_query_string(query_string, keep_blank=True, csv=False)
    query = {
        name: value[-1] if isinstance(value, list) else value for name, value in parsed.items()
    }
    for name, value in query.items():
        if "\0" in name or "\0" in value:
            raise faults.bad_request("Query parameters must not hold NUL characters.")
        if not name.isascii():
            raise faults.bad_request("Names of query parameters must be ASCII.")
    return query


def request_base(request: falcon.Request) -> str:
    """Where the client sent the request to, as far as proxies tell: their X-Forwarded-Host lists
    hosts from the client's side on, the peer's rule is to take the last."""
    forwarded = request.get_header("X-Forwarded-Host")
    host = forwarded.rsplit(",", 1)[-1].strip() if forwarded else request.netloc
    scheme = request.get_header("X-Forwarded-Proto") or request.scheme
    return f"{scheme}://{host}"

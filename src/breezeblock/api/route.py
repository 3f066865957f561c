"""What one route is: the row type of the table in `routes.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from breezeblock.api import microversions
from breezeblock.api.call import Call
from breezeblock.api.schemas.request import RequestSchema

Handler = Callable[[Call[Any]], Any]
Loader = Callable[[Call[Any]], Any]


class Prefix(Enum):
    """Where a route's path begins."""

    ROOT = ""
    VERSION = "/v3"


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter, described for the OpenAPI document; `handler` decides what is legal."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    since: int = microversions.MIN


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One thing a client can ask for.

    ``path`` starts below the version and the optional project.  ``since`` and ``until`` are the
    minor versions between which the route exists.  ``policy`` is asked before the handler runs,
    against the target that ``load`` found, or else the caller's own project.  ``miss`` is the
    status when it refuses.  ``bodies`` holds one schema for each range of versions; for an
    ``action`` the schema is that of the action's value.  ``response`` names a schema of
    `breezeblock.api.schemas.responses`.  ``open`` routes ask nobody who they are.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    prefix: Prefix = Prefix.VERSION
    action: str | None = None
    since: int = microversions.MIN
    until: int = microversions.MAX
    policy: str | None = None
    load: Loader | None = None
    miss: int = 403
    bodies: tuple[RequestSchema, ...] = ()
    queries: tuple[Query, ...] = ()
    success: int = 200
    response: str | None = None
    open: bool = False

    def serves(self, version: int) -> bool:
        """Whether the route exists at this minor version."""
        return self.since <= version <= self.until

    def body_at(self, version: int) -> RequestSchema | None:
        """The schema of the body at this minor version; None when a body is not looked at."""
        for body in self.bodies:
            if body.since <= version <= body.until:
                return body
        return None

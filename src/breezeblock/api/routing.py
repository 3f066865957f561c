"""From a URL to the routes of that path: a tree of path segments, made of the route table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from breezeblock.api.route import Prefix, Route

_Node = dict[str, "Branch"]
PARAMETER = "{}"
MAX_SEGMENT = 1024  # characters; longer than any id or key
MAX_PROJECT = 255  # characters of a project, as the database holds them


@dataclass(slots=True)
class Endpoint:
    """What can be done at one path: routes by method, in which several may differ by version, and
    actions by name."""

    methods: dict[str, list[Route]] = field(default_factory=dict)
    actions: dict[str, list[Route]] = field(default_factory=dict)

    def route(self, method: str, version: int) -> Route | None:
        """The route of this method at this version."""
        return _at(self.methods.get(method, ()), version)

    def action(self, name: str, version: int) -> Route | None:
        """The route of this action at this version."""
        return _at(self.actions.get(name, ()), version)

    def answers(self, method: str) -> bool:
        """Whether the method exists here in any version."""
        return method in self.methods or (method == "POST" and bool(self.actions))


def _at(routes: Iterable[Route], version: int) -> Route | None:
    for route in routes:
        if route.since <= version <= route.until:
            return route
    return None


@dataclass(slots=True)
class Branch:
    """The children of a segment: literal ones, and the parameter with its name."""

    children: _Node = field(default_factory=dict)
    parameter: str = ""
    endpoint: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A path that is known: its endpoint, its parameters, and the project if it had one."""

    endpoint: Endpoint
    params: dict[str, str]
    project: str | None


class Router:
    """Finds the endpoint of a path, with or without a project after the version."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._roots: dict[str, Endpoint] = {}
        self._tree = Branch()
        for route in routes:
            endpoint = self._endpoint(route)
            if route.action is None:
                endpoint.methods.setdefault(route.method, []).append(route)
            else:
                endpoint.actions.setdefault(route.action, []).append(route)

    def _endpoint(self, route: Route) -> Endpoint:
        if route.prefix is Prefix.ROOT:
            return self._roots.setdefault(route.path, Endpoint())
        branch = self._tree
        for segment in route.path.strip("/").split("/"):
            if not segment:
                continue
            name = segment[1:-1] if segment.startswith("{") else ""
            branch = branch.children.setdefault(PARAMETER if name else segment, Branch())
            branch.parameter = name
        if branch.endpoint is None:
            branch.endpoint = Endpoint()
        return branch.endpoint

    def match(self, path: str) -> Match | None:
        """The endpoint of ``path``; None for what no route is at.

        A trailing slash means nothing.  No collection has a name that could be a project's.
        """
        if len(path) > 1 and path[-1] == "/":
            path = path[:-1]
        root = self._roots.get(path)
        if root is not None:
            return Match(root, {}, None)
        segments = path.split("/")
        if len(segments) < 2 or segments[1] != "v3":
            return None
        params: dict[str, str] = {}
        if len(segments) == 2 or segments[2] in self._tree.children:
            endpoint = self._walk(segments[2:], params)
            return None if endpoint is None else Match(endpoint, params, None)
        project = segments[2]
        if len(segments) == 3 or not 0 < len(project) <= MAX_PROJECT or not project.isprintable():
            return None
        endpoint = self._walk(segments[3:], params)
        return None if endpoint is None else Match(endpoint, params, project)

    def _walk(self, segments: list[str], params: dict[str, str]) -> Endpoint | None:
        branch = self._tree
        for segment in segments:
            child = branch.children.get(segment)
            if child is None:
                child = branch.children.get(PARAMETER)
                if child is None or not segment or len(segment) > MAX_SEGMENT:
                    return None
                # No id or key holds control characters, and databases refuse NULs.
                if not segment.isprintable():
                    return None
                params[child.parameter] = segment
            branch = child
        return branch.endpoint

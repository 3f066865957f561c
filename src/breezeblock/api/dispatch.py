"""The way of every request: who asks, what for, whether they may, what with, and the answer.

authenticate -> find the path -> negotiate the version -> find the route
-> load the target -> ask policy -> read and validate the body -> handler -> encode
"""

from __future__ import annotations

import logging
from typing import Any
from uuid import uuid4

import falcon
import msgspec

from breezeblock.api import bodies, faults, microversions
from breezeblock.api.authentication.interface import Authenticator, DirectAnswer, Identity
from breezeblock.api.call import Call, Tools
from breezeblock.api.route import Route
from breezeblock.api.routing import Endpoint, Match, Router
from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import BreezeblockError

LOG = logging.getLogger(__name__)

JSON = "application/json"
TEXT = "text/plain; charset=UTF-8"
_VERSIONS = {
    minor: f"{microversions.SERVICE} {microversions.text(minor)}"
    for minor in range(microversions.MIN, microversions.MAX + 1)
}
_encode = msgspec.json.Encoder().encode


class Dispatcher:
    """The one sink of the Falcon application."""

    def __init__(self, router: Router, tools: Tools, authenticator: Authenticator) -> None:
        self._router = router
        self._tools = tools
        self._authenticator = authenticator

    def __call__(self, req: falcon.Request, resp: falcon.Response, **kwargs: Any) -> None:
        """Answer; whatever happens on the way becomes an answer too."""
        request_id = f"req-{uuid4()}"
        resp.set_header("x-compute-request-id", request_id)
        resp.set_header("x-openstack-request-id", request_id)
        try:
            self._answer(req, resp, request_id)
        except faults.PlainAnswer as answer:
            _plain(resp, answer.status, answer.text)
            resp.set_headers(dict(answer.headers))
        except faults.Fault as fault:
            _fault(resp, fault)
        except BreezeblockError as error:
            if error.status >= 500:
                LOG.error("%s %s failed [%s]: %s", req.method, req.path, request_id, error)
            _fault(resp, faults.of_error(error))
        except falcon.HTTPError as error:
            # Falcon's own refusals of headers it cannot read.
            _fault(resp, faults.Fault(error.status_code, error.title or "Bad req."))
        except Exception:
            LOG.exception("%s %s failed [%s]", req.method, req.path, request_id)
            _fault(resp, faults.Fault(500, faults.HIDDEN))

    def _answer(self, request: falcon.Request, response: falcon.Response, request_id: str) -> None:
        match = self._router.match(request.path)
        if match is not None:
            opened = match.endpoint.route(request.method, microversions.MAX)
            if opened is not None and opened.open:
                ctx = self._context(_NOBODY, "", request_id)
                self._run(self._call(request, match, ctx, microversions.MAX), response, opened)
                return
        identity = self._identify(request)
        if match is None or not match.endpoint.answers(request.method):
            raise _unknown()
        ctx = self._context(identity, identity.project_id or match.project or "admin", request_id)
        self._check_project_pattern(match, ctx)
        version = _negotiate(request, response)
        if match.project is not None and match.project != ctx.project_id:
            raise faults.bad_request("Malformed request URL: its project is not the token's.")
        call = self._call(request, match, ctx, version)
        self._run(call, response, self._route(call, match.endpoint))

    def _identify(self, request: falcon.Request) -> Identity:
        outcome = self._authenticator.authenticate(request.get_header)
        if isinstance(outcome, DirectAnswer):
            raise faults.PlainAnswer(outcome.status, outcome.text, outcome.headers)
        return outcome

    def _context(self, identity: Identity, project_id: str, request_id: str) -> RequestContext:
        admin = self._tools.policies.is_admin(identity.user_id, project_id, identity.roles)
        return RequestContext(
            user_id=identity.user_id,
            project_id=project_id,
            request_id=request_id,
            roles=identity.roles,
            is_admin=admin,
            service_roles=identity.service_roles,
        )

    def _check_project_pattern(self, match: Match, ctx: RequestContext) -> None:
        """The configured pattern says what a project looks like; the caller's own always does."""
        project = match.project
        if project is None or project == ctx.project_id:
            return
        if self._tools.settings.project_pattern.fullmatch(project) is None:
            raise _unknown()

    def _call(
        self, request: falcon.Request, match: Match, ctx: RequestContext, version: int
    ) -> Call[Any]:
        return Call(
            ctx=ctx,
            version=version,
            params=match.params,
            project=match.project,
            request=request,
            tools=self._tools,
            target=None,
        )

    def _run(self, call: Call[Any], response: falcon.Response, route: Route) -> None:
        if route.load is not None:
            call.target = route.load(call)
        _authorise(call, route)
        self._take_body(call, route)
        _success(response, call, route, route.handler(call))

    def _route(self, call: Call[Any], endpoint: Endpoint) -> Route:
        """The route of this method at this version; of an action, by the body's only key, whose
        value becomes the body."""
        method = call.request.method
        route = endpoint.route(method, call.version)
        if route is None and method == "POST" and endpoint.actions:
            body = bodies.read(call.request, self._tools.settings.max_body)
            if not isinstance(body, dict) or len(body) != 1:
                raise faults.bad_request("The body must be an object with one key, the action.")
            name, call.body = next(iter(body.items()))
            if name not in endpoint.actions:
                raise faults.bad_request(f"There is no such action: {name[:64]}")
            route = endpoint.action(name, call.version)
        if route is None:
            raise faults.Fault(
                404, f"Version {microversions.text(call.version)} has no such resource or action."
            )
        return route

    def _take_body(self, call: Call[Any], route: Route) -> None:
        if not route.bodies:
            return
        schema = route.body_at(call.version)
        if schema is None:
            raise faults.Fault(404, "This version has no such request.")
        if route.action is None:
            call.body = bodies.read(call.request, self._tools.settings.max_body)
            if call.body is bodies.MISSING:
                raise faults.bad_request("The request needs a body.")
        call.body = schema.check(call.body)


_NOBODY = Identity(user_id="", project_id="", roles=())


def _negotiate(request: falcon.Request, response: falcon.Response) -> int:
    """The version asked for; says in the headers of the answer which one it is."""
    try:
        version = microversions.negotiate(request.get_header(microversions.HEADER))
    except microversions.MalformedVersion as error:
        raise faults.bad_request(str(error)) from None
    except microversions.VersionNotServed as error:
        # The header repeats what was asked for, which the pattern of versions has vouched for.
        asked = f"{microversions.SERVICE} {error.requested}"
        headers = {microversions.HEADER: asked, "Vary": microversions.HEADER}
        raise faults.Fault(406, str(error), headers) from None
    response.set_header(microversions.HEADER, _VERSIONS[version])
    response.set_header("Vary", microversions.HEADER)
    return version


def _authorise(call: Call[Any], route: Route) -> None:
    if route.policy is None:
        return
    target = call.target
    # Types belong to nobody, and attachments to no user: the caller's own stands in.
    project = getattr(target, "project_id", None)
    user = getattr(target, "user_id", None)
    if call.allows(route.policy, project, user):
        return
    if route.miss == 404:
        raise faults.Fault(404, "The resource could not be found.")
    raise faults.Fault(403, f"Policy doesn't allow {route.policy} to be performed.")


def _success(response: falcon.Response, call: Call[Any], route: Route, result: Any) -> None:
    response.status = call.status or route.success
    for name, value in call.headers.items():
        response.set_header(name, value)
    if isinstance(result, str):
        response.content_type = TEXT
        response.data = result.encode()
    elif isinstance(result, bytes):
        response.content_type = JSON
        response.data = result
    elif result is not None:
        response.content_type = JSON
        response.data = _encode(result)


def _fault(response: falcon.Response, fault: faults.Fault) -> None:
    response.status = fault.status
    response.content_type = JSON
    response.data = faults.body(fault.status, fault.message, fault.headers.get("Retry-After"))
    response.set_headers(dict(fault.headers))


def _plain(response: falcon.Response, status: int, text: str) -> None:
    response.status = status
    response.content_type = TEXT
    response.data = text.encode()


def _unknown() -> faults.PlainAnswer:
    return faults.PlainAnswer(404, "404 Not Found\n\nThe resource could not be found.\n")

"""Everybody is who they say they are: for tests, and for machines that nobody else reaches.

The token is ``user:project``.  A token without a project acts in the project of the URL; without a
token it is the user admin who does.
"""

from __future__ import annotations

import re

from breezeblock.api.authentication.interface import DirectAnswer, Headers, Identity

DEFAULT = "admin"
ROLES = ("admin", "member", "reader")

# What a user or project can be called; the same goes into URLs, database columns and logs.
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,255}")


class NoAuth:
    """Believes the token; roles are all there are, unless ``X-Roles`` names fewer."""

    def authenticate(self, headers: Headers) -> Identity | DirectAnswer:
        token = headers("X-Auth-Token")
        if token is None:
            if headers("X-Auth-User") is not None:
                return _token(headers)
            return Identity(user_id=DEFAULT, project_id=None, roles=_roles(headers))
        user, _, project = token.partition(":")
        if not _NAME.fullmatch(user) or not _NAME.fullmatch(project or user):
            return DirectAnswer(status=401, text="The token must be user:project.\n")
        return Identity(
            user_id=user,
            # The client's `none` plugin sends a bare token and has the project in its endpoint.
            project_id=project or None,
            roles=_roles(headers),
            service_roles=("service",) if headers("X-Service-Token") else (),
        )


def _roles(headers: Headers) -> tuple[str, ...]:
    given = headers("X-Roles")
    if given is None:
        return ROLES
    return tuple(role.strip() for role in given.split(",") if role.strip())


def _token(headers: Headers) -> DirectAnswer:
    """What clients of old ask for first: a token and where to go with it."""
    user = headers("X-Auth-User") or DEFAULT
    project = headers("X-Auth-Project-Id") or DEFAULT
    if not _NAME.fullmatch(user) or not _NAME.fullmatch(project):
        return DirectAnswer(status=401, text="User and project must be plain names.\n")
    scheme = headers("X-Forwarded-Proto") or "http"
    url = f"{scheme}://{headers('Host') or 'localhost'}/v3/{project}"
    return DirectAnswer(
        status=204,
        headers={"X-Auth-Token": f"{user}:{project}", "X-Server-Management-Url": url},
    )

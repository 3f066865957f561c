"""Who asks: the identity a request carries through all layers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """The caller of a request.

    ``is_admin`` is decided once, by the policy rule ``context_is_admin``; queries use it to decide
    whether other projects' rows exist for this caller.  ``service_roles`` are the roles of a
    service token sent beside the user's.
    """

    user_id: str
    project_id: str
    request_id: str
    roles: tuple[str, ...] = ()
    is_admin: bool = False
    service_roles: tuple[str, ...] = ()

"""What every way of authentication answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

# The value of a request header by its name in any case, or None.
Headers = Callable[[str], str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who the caller is.  Without ``project_id`` the URL's project is the caller's."""

    user_id: str
    project_id: str | None
    roles: tuple[str, ...]
    service_roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectAnswer:
    """What the authenticator answers instead of letting the request in."""

    status: int
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


class Authenticator(Protocol):
    """A way of finding out who asks.  Used by all threads of a process at once."""

    def authenticate(self, headers: Headers) -> Identity | DirectAnswer:
        """Who sends these headers, or what to answer them; never raises for what a client sent."""

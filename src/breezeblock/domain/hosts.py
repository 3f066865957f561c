"""Backend addresses: ``host``, ``host@backend`` and ``host@backend#pool``."""

from __future__ import annotations


def service_host(address: str) -> str:
    """``host@backend`` of a pool's address: the name of the service, and of its queue."""
    return address.partition("#")[0]


def pool_name(address: str) -> str | None:
    """The pool's name in an address, or None."""
    return address.partition("#")[2] or None


def backend_name(address: str) -> str | None:
    """The backend section's name in an address, or None."""
    return service_host(address).partition("@")[2] or None


def matches(address: str | None, pattern: str) -> bool:
    """Whether ``address`` lies at or below ``pattern``, whichever level that names."""
    if address is None:
        return False
    if "#" in pattern:
        return address == pattern
    if "@" in pattern:
        return service_host(address) == pattern
    return address.partition("@")[0] == pattern

"""Addresses of hosts, backends and pools."""

from __future__ import annotations

import pytest

from breezeblock.domain import hosts


@pytest.mark.parametrize(
    ("address", "service", "backend", "pool"),
    [
        ("a@b#c", "a@b", "b", "c"),
        ("a@b", "a@b", "b", None),
        ("a", "a", None, None),
        ("a@b#c#d", "a@b", "b", "c#d"),
    ],
)
def test_parts(address: str, service: str, backend: str | None, pool: str | None) -> None:
    assert hosts.service_host(address) == service
    assert hosts.backend_name(address) == backend
    assert hosts.pool_name(address) == pool


@pytest.mark.parametrize(
    ("address", "pattern", "expected"),
    [
        ("a@b#c", "a@b#c", True),
        ("a@b#c", "a@b", True),
        ("a@b#c", "a", True),
        ("a@b#c", "a@b#d", False),
        ("a@bb#c", "a@b", False),
        ("aa@b#c", "a", False),
        ("a@b", "a@b#c", False),
        (None, "a", False),
    ],
)
def test_below(address: str | None, pattern: str, expected: bool) -> None:
    assert hosts.matches(address, pattern) is expected

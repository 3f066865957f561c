"""The rule that noauth is served to other machines only on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from breezeblock.config.auth import is_loopback, open_door
from breezeblock.config.settings import load


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback(address: str) -> None:
    assert is_loopback(address)


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "example.net"])
def test_beyond_loopback(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    ("strategy", "listen", "allowed", "refused"),
    [
        ("noauth", "127.0.0.1", False, False),
        ("noauth", "0.0.0.0", False, True),
        ("noauth_include_project_id", "10.1.1.1", False, True),
        ("noauth", "0.0.0.0", True, False),
        ("http_basic", "0.0.0.0", False, False),
        ("keystone", "0.0.0.0", False, False),
    ],
)
def test_noauth_stays_on_this_machine_unless_told(
    tmp_path: Path, strategy: str, listen: str, allowed: bool, refused: bool
) -> None:
    file = tmp_path / "a.conf"
    file.write_text(
        f"[DEFAULT]\nauth_strategy = {strategy}\nosapi_volume_listen = {listen}\n"
        f"[breezeblock]\nallow_noauth_beyond_loopback = {allowed}\n"
    )
    reason = open_door(load([file]).conf)
    assert (reason is not None) == refused
    if reason is not None:
        assert listen in reason and "http_basic" in reason

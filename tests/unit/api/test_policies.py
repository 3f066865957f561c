"""The rules of policy with real files, and that decisions do not outlive a change of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from oslo_config import cfg

from breezeblock.api import policies
from breezeblock.api.enforcement import Policies
from breezeblock.domain.context import RequestContext


class Clock:
    """A clock that stands until it is told to go on; seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make(tmp_path: Path, clock: Clock) -> Callable[..., Policies]:
    def factory(text: str | None = None, **options: object) -> Policies:
        if text is not None:
            (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
        conf = cfg.ConfigOpts()
        conf([], default_config_files=[], default_config_dirs=[])
        made = Policies(conf, clock)
        conf.set_override("policy_file", str(tmp_path / "policy.yaml"), "oslo_policy")
        for name, value in options.items():
            conf.set_override(name, value, "oslo_policy")
        return Policies(conf, clock) if text is not None or options else made

    return factory


def caller(*roles: str, project: str = "p1") -> RequestContext:
    return RequestContext(user_id="u", project_id=project, request_id="r", roles=roles)


def test_every_rule_has_one_row() -> None:
    names = [name for name, _, _ in policies.BASE + policies.TABLE]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", policies.TABLE, ids=lambda row: row[0])
def test_defaults(make: Callable[..., Policies], row: tuple[str, str, str]) -> None:
    name, default, _ = row
    decides = make()
    granted = {
        role: decides.allows(name, caller(*roles), "p1", "someone")
        for role, roles in {
            "none": (),
            "reader": ("reader",),
            "member": ("member", "reader"),
            "admin": ("admin",),
        }.items()
    }
    assert granted == {
        "none": False,
        "reader": default == policies.READER,
        "member": default in {policies.READER, policies.MEMBER},
        "admin": True,
    }
    other = decides.allows(name, caller("member", "reader", project="p2"), "p1", "someone")
    assert not other


def test_old_defaults_on_demand(make: Callable[..., Policies]) -> None:
    assert make(enforce_new_defaults=False).allows("volume:get", caller(), "p1", "u")
    assert not make(enforce_new_defaults=True).allows("volume:get", caller(), "p1", "u")


def test_unknown_rules_are_refused(make: Callable[..., Policies]) -> None:
    assert not make().allows("volume:fly", caller("admin"), "p1", "u")


def test_a_file_overrides_and_is_read_again(
    make: Callable[..., Policies], clock: Clock, tmp_path: Path
) -> None:
    decides = make('"volume:delete": "role:admin"\n')
    assert not decides.allows("volume:delete", caller("member"), "p1", "u")
    assert decides.allows("volume:create", caller("member"), "p1", "u")
    (tmp_path / "policy.yaml").write_text(
        '"volume:delete": "role:member"\n"volume:create": "!"\n', encoding="utf-8"
    )
    clock.now = 5.0
    assert decides.allows("volume:delete", caller("member"), "p1", "u")
    assert not decides.allows("volume:create", caller("member"), "p1", "u")


def test_who_is_administrator(make: Callable[..., Policies]) -> None:
    assert make().is_admin("u", "p", ("admin",))
    assert not make().is_admin("u", "p", ("member",))
    assert make('"context_is_admin": "role:boss"\n').is_admin("u", "p", ("boss",))

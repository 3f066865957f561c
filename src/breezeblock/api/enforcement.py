"""Decisions of policy: oslo.policy with a memory.

A rule is text that oslo.policy walks again on every question, some 20 microseconds each, and a
volume's view asks a handful.  A decision depends on nothing but the rule, the caller's identity
and the target's project and user, so it is remembered under exactly these; and only for a second,
after which oslo.policy looks whether its files have changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from oslo_config import cfg
from oslo_policy import policy as oslo_policy

from breezeblock.api import policies
from breezeblock.domain.context import RequestContext

LIFETIME = 1.0  # seconds a decision is remembered
CAPACITY = 20_000  # decisions remembered at most

_Key = tuple[str, str, str, tuple[str, ...], tuple[str, ...], str, str]


class Policies:
    """Answers whether a caller may do something."""

    def __init__(self, conf: cfg.ConfigOpts, clock: Callable[[], float] = time.monotonic) -> None:
        self._enforcer = oslo_policy.Enforcer(conf)
        # The old defaults differ on purpose; a line for each of them at every start helps nobody.
        self._enforcer.suppress_default_change_warnings = True
        self._enforcer.suppress_deprecation_warnings = True
        self._enforcer.register_defaults(policies.rules())
        self._enforcer.load_rules()
        self._clock = clock
        self._decisions: dict[_Key, bool] = {}
        self._expires = 0.0
        # The enforcer replaces its rules while it reloads them.
        self._lock = threading.Lock()

    def is_admin(self, user_id: str, project_id: str, roles: tuple[str, ...]) -> bool:
        """Whether these credentials make an administrator (rule ``context_is_admin``)."""
        return self._decide(
            ("context_is_admin", user_id, project_id, roles, (), project_id, user_id)
        )

    def allows(self, rule: str, ctx: RequestContext, project_id: str, user_id: str) -> bool:
        """Whether ``ctx`` may do ``rule`` to something that belongs to that project and user."""
        return self._decide(
            (rule, ctx.user_id, ctx.project_id, ctx.roles, ctx.service_roles, project_id, user_id)
        )

    def _decide(self, key: _Key) -> bool:
        if self._clock() >= self._expires:
            self._decisions = {}
            self._expires = self._clock() + LIFETIME
        decision = self._decisions.get(key)
        if decision is None:
            decision = self._enforce(key)
            if len(self._decisions) < CAPACITY:
                self._decisions[key] = decision
        return decision

    def _enforce(self, key: _Key) -> bool:
        rule, user, project, roles, service_roles, target_project, target_user = key
        credentials = {
            "user_id": user,
            "project_id": project,
            "roles": list(roles),
            "service_roles": list(service_roles),
            "is_admin_project": True,
        }
        target = {"project_id": target_project, "user_id": target_user}
        with self._lock:
            return bool(self._enforcer.enforce(rule, target, credentials))

"""What all services of a process share: the store, the engine's hints, and the operator's rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import InvalidConnector, OperationFailed
from breezeblock.operations import journal
from breezeblock.operations.record import Operation
from breezeblock.operations.states import DONE
from breezeblock.operations.waiting import wait_for_end
from breezeblock.operations.wakeup import Hints
from breezeblock.scheduling.placement import Scheduler
from breezeblock.services.turnstile import Turnstile
from breezeblock.store.database import Database, Transaction

RUNNING_AT_ONCE = 2
"""Requests of one process that run Python at the same time; more only stand in each other's way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The operator's settings that requests depend on, under their option names.

    ``quotas`` are the default limits by quota name.  ``response_timeout`` is how many seconds a
    request waits for the operation whose result it answers with.
    """

    default_volume_type: str = "__DEFAULT__"
    storage_availability_zone: str = "nova"
    default_availability_zone: str | None = None
    allow_availability_zone_fallback: bool = False
    cloned_volume_same_az: bool = True
    no_snapshot_gb_quota: bool = False
    service_down_time: int = 60
    response_timeout: float = 60.0
    quotas: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One process's way to the store and to the workers."""

    database: Database
    hints: Hints
    scheduler: Scheduler
    rules: Rules
    turnstile: Turnstile = field(default_factory=lambda: Turnstile(RUNNING_AT_ONCE))

    def start(self, tx: Transaction, ctx: RequestContext, request: journal.Request) -> str:
        """Append an operation; workers of this process hear of it after the commit."""
        tx.after_commit(self.hints.work.notify)
        return journal.append(tx, ctx, request)

    def wait(self, operation_id: str) -> Operation:
        """The finished operation.

        Raises OperationTimeout when it takes too long, InvalidConnector or OperationFailed when
        it failed.
        """
        with self.turnstile.aside():
            operation = wait_for_end(
                self.database, self.hints, operation_id, self.rules.response_timeout
            )
        if operation.state == DONE:
            return operation
        failure = operation.results.get("failure", {})
        if failure.get("kind") == InvalidConnector.symbol:
            raise InvalidConnector(failure["message"])
        raise OperationFailed(reason=operation.error or "The operation failed.")


def scope(ctx: RequestContext) -> str | None:
    """The project whose rows exist for the caller; None: all, for administrators."""
    return None if ctx.is_admin else ctx.project_id


def list_scope(ctx: RequestContext, *, all_projects: bool) -> str | None:
    """The project whose rows a list shows; administrators may ask for all."""
    return None if ctx.is_admin and all_projects else ctx.project_id

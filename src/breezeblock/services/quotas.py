"""Quota sets and absolute limits; usage is a sum over the rows, never a counter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from breezeblock.domain.context import RequestContext
from breezeblock.domain.errors import InvalidInput
from breezeblock.domain.quota import PER_TYPE, RESOURCES, UNLIMITED, Use, check, per_type
from breezeblock.services.deployment import Deployment, Rules
from breezeblock.store import quotas, volume_types
from breezeblock.store.database import Transaction


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """One resource's limit (-1: none), what is in use, and what is still in a passing state."""

    limit: int
    in_use: int
    reserved: int


class Quotas:
    """Requests about quota sets and limits."""

    def __init__(self, deployment: Deployment) -> None:
        self._database = deployment.database
        self._rules = deployment.rules

    def show(self, ctx: RequestContext, project_id: str) -> Mapping[str, QuotaUse]:
        """By quota name; volumes_<type>, snapshots_<type> and gigabytes_<type> for every type."""
        with self._database.read() as connection:
            limits = effective_limits(connection, self._rules, project_id)
            used = quotas.usage(
                connection, project_id, snapshot_gigabytes=not self._rules.no_snapshot_gb_quota
            )
        return {
            name: QuotaUse(limit, used.get(name, Use()).in_use, used.get(name, Use()).reserved)
            for name, limit in limits.items()
        }

    def defaults(self, ctx: RequestContext) -> Mapping[str, int]:
        with self._database.read() as connection:
            return _defaults(connection, self._rules)

    def update(
        self, ctx: RequestContext, project_id: str, limits: Mapping[str, int]
    ) -> Mapping[str, int]:
        """Set limits and return all of them.

        Raises InvalidInput for unknown names, and for a limit below what is used.
        """

        def work(tx: Transaction) -> Mapping[str, int]:
            known = _defaults(tx.connection, self._rules)
            unknown = [name for name in limits if name not in known]
            if unknown:
                raise InvalidInput(reason=f"{', '.join(unknown)} are not quotas.")
            quotas.lock(tx, project_id)
            used = quotas.usage(
                tx.connection, project_id, snapshot_gigabytes=not self._rules.no_snapshot_gb_quota
            )
            for name, limit in limits.items():
                total = used.get(name, Use()).total
                if limit != UNLIMITED and name != "per_volume_gigabytes" and limit < total:
                    raise InvalidInput(
                        reason=f"{name} cannot be limited to {limit}: {total} are in use."
                    )
            quotas.set_limits(tx, project_id, limits)
            return effective_limits(tx.connection, self._rules, project_id)

        return self._database.transact(work)

    def reset(self, ctx: RequestContext, project_id: str) -> None:
        self._database.transact(lambda tx: quotas.reset(tx, project_id))


def _defaults(connection: Connection, rules: Rules) -> dict[str, int]:
    limits = {name: rules.quotas.get(name, UNLIMITED) for name in RESOURCES}
    for type_name in volume_types.names(connection).values():
        for resource in PER_TYPE:
            limits[per_type(resource, type_name)] = UNLIMITED
    return limits


def effective_limits(connection: Connection, rules: Rules, project_id: str) -> dict[str, int]:
    """All limits of a project: its own where it has any, else the defaults."""
    own = quotas.limits(connection, project_id)
    return {name: own.get(name, limit) for name, limit in _defaults(connection, rules).items()}


def take(tx: Transaction, rules: Rules, project_id: str, wanted: Mapping[str, int]) -> None:
    """Make sure that ``wanted`` more fits; the rows to come in this transaction are what counts.

    The project's quota row stays locked until the transaction ends.  Raises OverQuota.
    """
    quotas.lock(tx, project_id)
    own = quotas.limits(tx.connection, project_id)
    limits = {name: own.get(name, rules.quotas.get(name, UNLIMITED)) for name in wanted}
    limited = {name for name, limit in limits.items() if limit != UNLIMITED}
    if not limited:
        return
    # Most projects have no limits by type, and then the plain totals will do.
    count = quotas.totals if limited <= set(PER_TYPE) else quotas.usage
    used = count(tx.connection, project_id, snapshot_gigabytes=not rules.no_snapshot_gb_quota)
    check(wanted, used, limits)


def per_volume_limit(connection: Connection, rules: Rules, project_id: str) -> int:
    """The largest volume, in GiB, that the project may have; -1: any."""
    own = quotas.limits(connection, project_id)
    name = "per_volume_gigabytes"
    return own.get(name, rules.quotas.get(name, UNLIMITED))

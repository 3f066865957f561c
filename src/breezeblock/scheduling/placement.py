"""``place()``: filter and weigh the pools, and take the winner's capacity, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from breezeblock.domain.errors import NoValidBackend
from breezeblock.domain.resources import Pool
from breezeblock.scheduling import filters, weighers
from breezeblock.scheduling.request import PlacementRequest
from breezeblock.store import pools, volumes
from breezeblock.store.clock import now
from breezeblock.store.database import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """The operator's rules of placement.

    ``service_down_time`` is the age in seconds of a heartbeat at which a backend counts as down.
    ``max_attempts`` is how many backends a create may try in all.
    """

    filters: tuple[filters.Filter, ...]
    weighers: tuple[weighers.Weigher, ...]
    service_down_time: int = 60
    max_attempts: int = 3

    def place(self, tx: Transaction, request: PlacementRequest) -> Pool:
        """The best pool for the request; its capacity is taken.

        Raises NoValidBackend, which says for each pool why not.
        """
        pools.lock(tx)
        candidates = pools.of_live_services(
            tx.connection, now() - timedelta(seconds=self.service_down_time)
        )
        request = _with_hinted_hosts(tx, request)
        refusals = {pool.name: self._refusal(pool, request) for pool in candidates}
        fitting = [pool for pool in candidates if refusals[pool.name] is None]
        if not fitting:
            raise NoValidBackend(reason=_explain(refusals))
        winner = weighers.ranked(fitting, request, self.weighers)[0]
        pools.consume(tx, winner.name, request.size)
        return winner

    def fits(self, tx: Transaction, pool_name: str, size: int, *, thin: bool) -> None:
        """Take ``size`` more GiB of the pool that a volume lives in.  Raises NoValidBackend."""
        pools.lock(tx)
        alive = pools.of_live_services(
            tx.connection, now() - timedelta(seconds=self.service_down_time)
        )
        pool = next((pool for pool in alive if pool.name == pool_name), None)
        if pool is None:
            raise NoValidBackend(reason=f"{pool_name} is down or disabled.")
        specs = {} if thin else {"provisioning:type": "thick"}
        refusal = filters.capacity_left(pool, PlacementRequest(size=size, extra_specs=specs))
        if refusal is not None:
            raise NoValidBackend(reason=f"{pool_name}: {refusal}.")
        pools.consume(tx, pool_name, size)

    def _refusal(self, pool: Pool, request: PlacementRequest) -> str | None:
        for rule in (*filters.ALWAYS, *self.filters):
            refusal = rule(pool, request)
            if refusal is not None:
                return refusal
        return None


def _with_hinted_hosts(tx: Transaction, request: PlacementRequest) -> PlacementRequest:
    named: list[str] = []
    for hint in ("same_host", "different_host"):
        value = request.hints.get(hint)
        named += [value] if isinstance(value, str) else list(value or ())
    if not named:
        return request
    return replace(request, hinted_hosts=volumes.hosts_of(tx.connection, named))


def _explain(refusals: dict[str, str | None]) -> str:
    if not refusals:
        return "no backend is up and enabled."
    return "; ".join(f"{name}: {reason}" for name, reason in refusals.items()) + "."

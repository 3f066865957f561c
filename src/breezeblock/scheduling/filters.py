"""Filters: each says why a pool cannot take a request, or that it can.

Names are those of ``scheduler_default_filters``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from breezeblock.domain import capacity
from breezeblock.domain.capabilities import mismatch
from breezeblock.domain.errors import InvalidInput
from breezeblock.domain.hosts import matches, service_host
from breezeblock.domain.resources import Pool
from breezeblock.scheduling.request import PlacementRequest

Filter = Callable[[Pool, PlacementRequest], str | None]


def availability_zone(pool: Pool, request: PlacementRequest) -> str | None:
    if request.availability_zone in (None, pool.availability_zone):
        return None
    return f"it is in zone {pool.availability_zone}, not in {request.availability_zone}"


def capacity_left(pool: Pool, request: PlacementRequest) -> str | None:
    try:
        factors = capacity.factors(
            pool.capabilities,
            allocated=pool.allocated_gb,
            consumed=pool.consumed_gb,
            thin=request.thin,
        )
    except (TypeError, ValueError):
        return "it reports no usable capacity"
    return capacity.shortage(pool.capabilities, factors, request.size)


def capabilities(pool: Pool, request: PlacementRequest) -> str | None:
    return mismatch(pool.capabilities, request.extra_specs)


def _hinted_backends(request: PlacementRequest, hint: str) -> set[str]:
    """``host@backend`` of the volumes that a hint names; unknown ones count as nowhere."""
    ids: Any = request.hints.get(hint)
    wanted = [ids] if isinstance(ids, str) else list(ids or ())
    hosts = (request.hinted_hosts.get(volume_id) for volume_id in wanted)
    return {service_host(host) if host else "" for host in hosts}


def same_backend(pool: Pool, request: PlacementRequest) -> str | None:
    wanted = _hinted_backends(request, "same_host")
    if not wanted or wanted == {pool.service_host}:
        return None
    return "the hint same_host names volumes elsewhere"


def different_backend(pool: Pool, request: PlacementRequest) -> str | None:
    if pool.service_host in _hinted_backends(request, "different_host"):
        return "the hint different_host names a volume here"
    return None


def not_tried(pool: Pool, request: PlacementRequest) -> str | None:
    return "it failed this request before" if pool.name in request.tried else None


def bound_backend(pool: Pool, request: PlacementRequest) -> str | None:
    if request.only_backend is None or matches(pool.name, request.only_backend):
        return None
    return f"the source lives on {request.only_backend}"


BY_NAME: Mapping[str, Filter] = {
    "AvailabilityZoneFilter": availability_zone,
    "CapacityFilter": capacity_left,
    "CapabilitiesFilter": capabilities,
    "SameBackendFilter": same_backend,
    "DifferentBackendFilter": different_backend,
    "IgnoreAttemptedHostsFilter": not_tried,
    "RetryFilter": not_tried,
}

ALWAYS: Sequence[Filter] = (bound_backend, not_tried, same_backend, different_backend)
"""Rules of a request that no configuration may switch off: a hint that is given is kept."""


def named(names: Sequence[str]) -> tuple[Filter, ...]:
    """The filters of a configured list.  Raises InvalidInput for an unknown name."""
    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise InvalidInput(
            reason=f"scheduler_default_filters names unknown filters: {', '.join(unknown)};"
            f" known are {', '.join(sorted(BY_NAME))}."
        )
    return tuple(BY_NAME[name] for name in names)

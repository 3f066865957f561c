"""Weighers: of the pools that can take a request, which takes it best.

Each weigher's values are normalised to 0-1 over the candidates and multiplied; the sums decide.
Names are those of ``scheduler_default_weighers``.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from breezeblock.domain import capacity
from breezeblock.domain.errors import InvalidInput
from breezeblock.domain.resources import Pool
from breezeblock.scheduling.request import PlacementRequest

Weigh = Callable[[Pool, PlacementRequest], float]


@dataclass(frozen=True, slots=True)
class Weigher:
    """A value of a pool and how much it counts; a negative multiplier prefers small values."""

    weigh: Weigh
    multiplier: float = 1.0


def virtual_free(pool: Pool, request: PlacementRequest) -> float:
    factors = capacity.factors(
        pool.capabilities,
        allocated=pool.allocated_gb,
        consumed=pool.consumed_gb,
        thin=request.thin,
    )
    return factors.virtual_free


def allocated(pool: Pool, request: PlacementRequest) -> float:
    return float(pool.allocated_gb + pool.consumed_gb)


def chance(pool: Pool, request: PlacementRequest) -> float:
    return random.random()  # noqa: S311 - placement, not secrecy


def volume_number(pool: Pool, request: PlacementRequest) -> float:
    return float(pool.capabilities.get("total_volumes") or 0)


def named(names: Sequence[str], multipliers: Mapping[str, float]) -> tuple[Weigher, ...]:
    """The weighers of a configured list, each with its multiplier by its name.

    Raises InvalidInput for an unknown name.
    """
    by_name: Mapping[str, Weigh] = {
        "CapacityWeigher": virtual_free,
        "AllocatedCapacityWeigher": allocated,
        "VolumeNumberWeigher": volume_number,
        "ChanceWeigher": chance,
    }
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InvalidInput(
            reason=f"scheduler_default_weighers names unknown weighers: {', '.join(unknown)};"
            f" known are {', '.join(sorted(by_name))}."
        )
    return tuple(Weigher(by_name[name], multipliers.get(name, 1.0)) for name in names)


def ranked(
    pools: Sequence[Pool], request: PlacementRequest, weighers: Sequence[Weigher]
) -> list[Pool]:
    """The pools, the best first."""
    totals = [0.0] * len(pools)
    for weigher in weighers:
        values = _bounded([weigher.weigh(pool, request) for pool in pools], weigher.multiplier)
        low, high = min(values, default=0.0), max(values, default=0.0)
        for place, value in enumerate(values):
            share = (value - low) / (high - low) if high > low else 0.0
            totals[place] += weigher.multiplier * share
    order = sorted(range(len(pools)), key=lambda place: -totals[place])
    return [pools[place] for place in order]


def _bounded(values: Sequence[float], multiplier: float) -> list[float]:
    """A pool that knows no bound is the last choice, whichever way the weigher looks."""
    finite = [value for value in values if math.isfinite(value)]
    worst = -1.0 if multiplier > 0 else max(finite, default=0.0) + 1
    return [value if math.isfinite(value) else worst for value in values]

"""Capacity and over-subscription arithmetic of pools (all figures in GiB).

Facts: a pool reports ``total_capacity_gb`` and ``free_capacity_gb`` as numbers, or as the words
``infinite`` or ``unknown``.  ``reserved_percentage`` of the total is never given away.  A thin
pool may promise ``max_over_subscription_ratio`` times what is left of its total.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

UNBOUNDED = ("infinite", "unknown")
AUTO_RATIO_WHEN_EMPTY = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """What a pool can still give.  ``virtual_free`` is infinite where the pool knows no bound."""

    total: float
    free: float
    reserved: float
    available: float
    provisioned: float
    virtual_free: float
    ratio: float
    thin: bool

    @property
    def bounded(self) -> bool:
        return math.isfinite(self.virtual_free)


def amount(value: Any) -> float:
    """A reported size as a number; ``infinite`` and ``unknown`` are infinity.

    Raises ValueError for what is neither a number nor one of the two words.
    """
    if value in UNBOUNDED:
        return math.inf
    if isinstance(value, bool) or value is None:
        raise ValueError(f"{value!r} is not a capacity")
    return float(value)


def over_subscription_ratio(value: Any, *, total: float, free: float, provisioned: float) -> float:
    """The ratio in force; ``auto`` follows how thin the pool has proved to be so far."""
    if str(value) != "auto":
        return float(value)
    if not math.isfinite(total) or not math.isfinite(free):
        return 1.0
    if provisioned == 0:
        return AUTO_RATIO_WHEN_EMPTY
    return round(1 + provisioned / (total - free + 1), 2)


def factors(
    capabilities: Mapping[str, Any], *, allocated: float, consumed: float, thin: bool
) -> Factors:
    """The arithmetic of one pool for one request.

    ``allocated`` is the size of its volumes at its last report, ``consumed`` what was placed
    since.  ``thin`` says whether the request may be provisioned thinly.
    """
    total = amount(capabilities.get("total_capacity_gb"))
    free = amount(capabilities.get("free_capacity_gb")) - consumed
    reported = capabilities.get("provisioned_capacity_gb")
    provisioned = float(allocated if reported is None else reported) + consumed
    thin = thin and bool(capabilities.get("thin_provisioning_support"))
    if not math.isfinite(total) or not math.isfinite(free):
        bound = math.inf
        return Factors(
            total=total,
            free=free,
            reserved=0.0,
            available=bound,
            provisioned=provisioned,
            virtual_free=bound,
            ratio=1.0,
            thin=thin,
        )
    reserved = math.floor(total * float(capabilities.get("reserved_percentage") or 0) / 100)
    usable = total - reserved
    if not thin:
        return Factors(
            total=total,
            free=free,
            reserved=reserved,
            available=usable,
            provisioned=provisioned,
            virtual_free=min(free, usable - provisioned),
            ratio=1.0,
            thin=False,
        )
    ratio = over_subscription_ratio(
        capabilities.get("max_over_subscription_ratio", 20.0),
        total=total,
        free=free,
        provisioned=provisioned,
    )
    available = usable * ratio
    return Factors(
        total=total,
        free=free,
        reserved=reserved,
        available=available,
        provisioned=provisioned,
        virtual_free=available - provisioned,
        ratio=ratio,
        thin=True,
    )


def shortage(capabilities: Mapping[str, Any], pool: Factors, size: float) -> str | None:
    """Why a pool cannot take ``size`` more; None when it can."""
    if size == 0:
        return None
    if not math.isfinite(pool.total) and float(capabilities.get("reserved_percentage") or 0) > 0:
        return "its total capacity is unknown, so its reserve cannot be kept"
    if not pool.bounded:
        return None
    if pool.available <= 0:
        return "it has no capacity" if pool.total <= 0 else "all of its capacity is reserved"
    if pool.thin and pool.ratio < 1:
        return f"its over-subscription ratio {pool.ratio:g} is below 1"
    if pool.thin and (pool.provisioned + size) / pool.available > pool.ratio:
        return f"its over-subscription ratio {pool.ratio:g} would be passed"
    if pool.virtual_free < size:
        return f"{size:g} GiB are wanted and {max(pool.virtual_free, 0):g} GiB are left"
    return None

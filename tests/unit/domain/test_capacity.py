"""Capacity and over-subscription: the worked examples of the field, and laws that always hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breezeblock.domain.capacity import (
    Factors,
    amount,
    factors,
    over_subscription_ratio,
    shortage,
)


def pool(**changes: Any) -> dict[str, Any]:
    return {
        "total_capacity_gb": 100,
        "free_capacity_gb": 100,
        "provisioned_capacity_gb": 0,
        "reserved_percentage": 0,
        "max_over_subscription_ratio": 1.0,
        "thin_provisioning_support": True,
    } | changes


def of(
    capabilities: dict[str, Any], *, thin: bool = True, allocated: float = 0, consumed: float = 0
) -> Factors:
    return factors(capabilities, allocated=allocated, consumed=consumed, thin=thin)


THIN = pool(reserved_percentage=10, max_over_subscription_ratio=2, provisioned_capacity_gb=100)
THICK = pool(thin_provisioning_support=False, free_capacity_gb=40, provisioned_capacity_gb=50)


def test_a_thin_pool_gives_what_its_ratio_leaves() -> None:
    found = of(THIN)
    assert (found.reserved, found.available, found.virtual_free) == (10, 180, 80)
    assert shortage(THIN, found, 50) is None
    assert shortage(THIN, found, 80) is None
    assert shortage(THIN, found, 100) == "100 GiB are wanted and 80 GiB are left"


def test_a_thick_pool_gives_what_is_free() -> None:
    found = of(THICK)
    assert (found.virtual_free, found.ratio, found.thin) == (40, 1.0, False)
    assert shortage(THICK, found, 40) is None
    assert shortage(THICK, found, 45) is not None


def test_a_thick_request_to_a_thin_pool_counts_as_thick() -> None:
    found = of(pool(max_over_subscription_ratio=20, provisioned_capacity_gb=70), thin=False)
    assert not found.thin
    assert found.virtual_free == 30


def test_the_automatic_ratio_follows_the_pool() -> None:
    ratio = over_subscription_ratio("auto", total=100, free=60, provisioned=30)
    assert ratio == 1.73
    assert over_subscription_ratio("auto", total=100, free=100, provisioned=0) == 20
    assert over_subscription_ratio("auto", total=math.inf, free=1, provisioned=3) == 1
    assert over_subscription_ratio("2.5", total=100, free=60, provisioned=30) == 2.5


def test_the_reserve_is_rounded_down() -> None:
    assert of(pool(total_capacity_gb=15, reserved_percentage=10)).reserved == 1


def test_what_was_placed_since_the_report_is_gone() -> None:
    assert of(pool(), consumed=30).virtual_free == 70
    assert of(THICK, consumed=30).virtual_free == 10


def test_allocation_stands_in_for_what_is_not_reported_as_provisioned() -> None:
    capabilities = pool(provisioned_capacity_gb=None)
    assert of(capabilities, allocated=25, consumed=5).provisioned == 30


def test_words_for_no_bound() -> None:
    assert amount("infinite") == amount("unknown") == math.inf
    assert amount("12.5") == 12.5
    for bad in (None, True, "much"):
        with pytest.raises(ValueError, match=r"much|not a capacity"):
            amount(bad)


@pytest.mark.parametrize("word", ["infinite", "unknown"])
def test_a_pool_without_bound_takes_everything(word: str) -> None:
    capabilities = pool(free_capacity_gb=word)
    found = of(capabilities)
    assert not found.bounded
    assert shortage(capabilities, found, 10**9) is None


@pytest.mark.parametrize("word", ["infinite", "unknown"])
def test_a_reserve_of_an_unknown_total_cannot_be_kept(word: str) -> None:
    capabilities = pool(total_capacity_gb=word)
    assert shortage(capabilities, of(capabilities), 1) is None
    capabilities["reserved_percentage"] = 5
    assert shortage(capabilities, of(capabilities), 1) is not None


def test_refusals_that_no_size_would_mend() -> None:
    empty = pool(total_capacity_gb=0, free_capacity_gb=0)
    assert shortage(empty, of(empty), 1) == "it has no capacity"
    kept = pool(reserved_percentage=100)
    assert shortage(kept, of(kept), 1) == "all of its capacity is reserved"
    small = pool(max_over_subscription_ratio=0.5)
    assert "below 1" in (shortage(small, of(small), 1) or "")


def test_nothing_always_fits() -> None:
    full = pool(free_capacity_gb=0, provisioned_capacity_gb=100)
    assert shortage(full, of(full), 0) is None
    assert shortage(full, of(full), 1) is not None


def test_the_ratio_of_what_is_provisioned_is_kept() -> None:
    over = pool(max_over_subscription_ratio=1.5, provisioned_capacity_gb=160)
    assert shortage(over, of(over), 1) is not None


@given(
    total=st.integers(1, 10**6),
    percent=st.integers(0, 100),
    provisioned=st.integers(0, 10**6),
    ratio=st.floats(1, 30),
    size=st.integers(1, 10**5),
    thin=st.booleans(),
)
def test_whoever_is_let_in_fits(
    total: int, percent: int, provisioned: int, ratio: float, size: int, thin: bool
) -> None:
    capabilities = pool(
        total_capacity_gb=total,
        free_capacity_gb=total,
        reserved_percentage=percent,
        provisioned_capacity_gb=provisioned,
        max_over_subscription_ratio=ratio,
        thin_provisioning_support=thin,
    )
    if shortage(capabilities, of(capabilities), size) is None:
        usable = total - math.floor(total * percent / 100)
        assert provisioned + size <= usable * (ratio if thin else 1) * (1 + 1e-9)

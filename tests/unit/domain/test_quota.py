"""Quota arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from breezeblock.domain.errors import OverQuota
from breezeblock.domain.quota import PER_TYPE, RESOURCES, UNLIMITED, Use, check, per_type


@given(
    wanted=st.integers(0, 50),
    in_use=st.integers(0, 50),
    reserved=st.integers(0, 50),
    limit=st.integers(-1, 100),
)
def test_a_request_passes_exactly_when_it_fits(
    wanted: int, in_use: int, reserved: int, limit: int
) -> None:
    fits = wanted == 0 or limit == UNLIMITED or in_use + reserved + wanted <= limit
    arguments = {"volumes": wanted}, {"volumes": Use(in_use, reserved)}, {"volumes": limit}
    if fits:
        check(*arguments)
        return
    with pytest.raises(OverQuota) as caught:
        check(*arguments)
    fields = {"resource": "volumes", "requested": wanted, "used": in_use + reserved, "limit": limit}
    assert caught.value.fields == fields


def test_one_that_does_not_fit_refuses_all() -> None:
    with pytest.raises(OverQuota, match="gigabytes_gold"):
        check(
            {"volumes": 1, per_type("gigabytes", "gold"): 5},
            {},
            {"volumes": 10, "gigabytes_gold": 4},
        )


def test_what_has_no_limit_is_not_limited() -> None:
    check({"volumes": 10**9}, {}, {})


def test_names() -> None:
    assert set(PER_TYPE) <= set(RESOURCES)
    assert per_type("volumes", "gold") == "volumes_gold"

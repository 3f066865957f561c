"""Each filter and each weigher on its own."""

from __future__ import annotations

import math
from typing import Any

import pytest
from tests.stored import capabilities

from breezeblock.config.scheduler import SCHEDULER_OPTIONS
from breezeblock.domain.errors import InvalidInput
from breezeblock.domain.resources import Pool
from breezeblock.scheduling import filters, weighers
from breezeblock.scheduling.request import PlacementRequest
from breezeblock.scheduling.weighers import Weigher, ranked


def pool(name: str = "here@one#p", *, zone: str = "nova", **fields: Any) -> Pool:
    """A pool; fields that are none of a pool's are its capabilities."""
    own = {key: fields.pop(key) for key in ("allocated_gb", "consumed_gb") if key in fields}
    return Pool(
        name=name,
        service_host=name.partition("#")[0],
        availability_zone=zone,
        capabilities=capabilities(**fields),
        **own,
    )


def request(size: int = 1, **fields: Any) -> PlacementRequest:
    return PlacementRequest(size=size, **fields)


ELSEWHERE = {"v1": "here@one#p", "v2": "here@two#p", "v3": None}

CASES: list[tuple[str, Pool, PlacementRequest, bool]] = [
    ("AvailabilityZoneFilter", pool(), request(), True),
    ("AvailabilityZoneFilter", pool(), request(availability_zone="nova"), True),
    ("AvailabilityZoneFilter", pool(), request(availability_zone="mars"), False),
    ("CapacityFilter", pool(), request(100), True),
    ("CapacityFilter", pool(), request(101), False),
    ("CapacityFilter", pool(consumed_gb=60), request(50), False),
    ("CapacityFilter", pool(free_capacity_gb=None), request(), False),
    ("CapacityFilter", pool(total_capacity_gb="some"), request(), False),
    ("CapacityFilter", pool(free_capacity_gb="unknown"), request(10**6), True),
    ("CapacityFilter", pool(reserved_percentage=100), request(1), False),
    (
        "CapacityFilter",
        pool(max_over_subscription_ratio=3, free_capacity_gb=50),
        request(250),
        True,
    ),
    (
        "CapacityFilter",
        pool(max_over_subscription_ratio=3, free_capacity_gb=50),
        request(60, extra_specs={"provisioning:type": "thick"}),
        False,
    ),
    ("CapabilitiesFilter", pool(ssd=True), request(extra_specs={"ssd": "<is> True"}), True),
    ("CapabilitiesFilter", pool(), request(extra_specs={"ssd": "<is> True"}), False),
    ("CapabilitiesFilter", pool(), request(extra_specs={"vendor:ssd": "yes"}), True),
    ("SameBackendFilter", pool(), request(), True),
    *(
        ("SameBackendFilter", pool(), request(hints={"same_host": ids}, hinted_hosts=ELSEWHERE), ok)
        for ids, ok in (
            ("v1", True),
            (["v1"], True),
            ([], True),
            (["v2"], False),
            (["v1", "v2"], False),
            (["v3"], False),
            (["unknown"], False),
        )
    ),
    *(
        (
            "DifferentBackendFilter",
            pool(),
            request(hints={"different_host": ids}, hinted_hosts=ELSEWHERE),
            ok,
        )
        for ids, ok in (("v1", False), (["v2"], True), (["v1", "v2"], False), (["unknown"], True))
    ),
    ("RetryFilter", pool(), request(tried=["here@one#p"]), False),
    ("IgnoreAttemptedHostsFilter", pool(), request(tried=["here@one#other"]), True),
]


@pytest.mark.parametrize(("name", "candidate", "wanted", "passes"), CASES)
def test_a_filter(name: str, candidate: Pool, wanted: PlacementRequest, passes: bool) -> None:
    refusal = filters.BY_NAME[name](candidate, wanted)
    assert (refusal is None) is passes, refusal
    assert passes or refusal


def test_every_filter_has_a_case() -> None:
    assert {name for name, *_ in CASES} == set(filters.BY_NAME)


@pytest.mark.parametrize(
    ("bound", "passes"),
    [(None, True), ("here@one", True), ("here@one#p", True), ("here@one#q", False), ("x@y", False)],
)
def test_a_copy_stays_with_its_source(bound: str | None, passes: bool) -> None:
    refusal = filters.bound_backend(pool(), request(only_backend=bound))
    assert (refusal is None) is passes


def default(name: str) -> Any:
    return next(option.default for option in SCHEDULER_OPTIONS if option.name == name)


def test_the_configured_names_are_known() -> None:
    assert len(filters.named(default("scheduler_default_filters"))) == 3
    assert len(weighers.named(default("scheduler_default_weighers"), {})) == 1
    with pytest.raises(InvalidInput, match="NoSuchFilter"):
        filters.named(["CapacityFilter", "NoSuchFilter"])
    with pytest.raises(InvalidInput, match="NoSuchWeigher"):
        weighers.named(["NoSuchWeigher"], {})


# ---- weighers --------------------------------------------------------------------------------

POOLS = (
    pool("a", free_capacity_gb=10, provisioned_capacity_gb=90, total_volumes=1, allocated_gb=5),
    pool("b", free_capacity_gb=90, provisioned_capacity_gb=10, total_volumes=9, allocated_gb=50),
    pool("c", free_capacity_gb=50, provisioned_capacity_gb=50, total_volumes=5, allocated_gb=20),
)


def order(name: str, multiplier: float, candidates: tuple[Pool, ...] = POOLS) -> str:
    chosen = weighers.named([name], {name: multiplier})
    return "".join(found.name for found in ranked(candidates, request(), chosen))


@pytest.mark.parametrize(
    ("name", "multiplier", "expected"),
    [
        ("CapacityWeigher", 1.0, "bca"),
        ("CapacityWeigher", -1.0, "acb"),
        ("CapacityWeigher", 0.0, "abc"),
        ("AllocatedCapacityWeigher", -1.0, "acb"),
        ("AllocatedCapacityWeigher", 1.0, "bca"),
        ("VolumeNumberWeigher", -1.0, "acb"),
    ],
)
def test_a_weigher(name: str, multiplier: float, expected: str) -> None:
    assert order(name, multiplier) == expected


@pytest.mark.parametrize("multiplier", [1.0, -1.0])
def test_a_pool_without_bound_is_the_last_choice(multiplier: float) -> None:
    unbounded = pool("u", free_capacity_gb="infinite")
    assert order("CapacityWeigher", multiplier, (unbounded, *POOLS))[-1] == "u"


def test_chance_gives_every_pool_a_chance() -> None:
    firsts = {order("ChanceWeigher", 1.0)[0] for _ in range(500)}
    assert firsts == {"a", "b", "c"}


def test_weighers_are_normalised_before_they_are_added() -> None:
    """One counts in thousands and the other in ones; both have the same say."""
    big = Weigher(lambda candidate, wanted: {"a": 0, "b": 9000, "c": 8000}[candidate.name])
    small = Weigher(lambda candidate, wanted: {"a": 0.0, "b": 0.0, "c": 0.3}[candidate.name])
    assert ranked(POOLS, request(), (big, small))[0].name == "c"


def test_without_a_difference_the_order_stays() -> None:
    same = Weigher(lambda candidate, wanted: math.inf)
    assert [found.name for found in ranked(POOLS, request(), (same,))] == ["a", "b", "c"]
    assert ranked((), request(), (same,)) == []

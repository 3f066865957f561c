"""The stats that placement works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from breezeblock.conformance.backend import pools_of, provisioned_gb
from breezeblock.conformance.bench import Bench, broken, is_plain
from breezeblock.drivers.interface import ExtendInUse, VolumeDriver


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_capacity(value: object) -> bool:
    return _is_number(value) or value in {"infinite", "unknown"}


def _is_ratio(value: object) -> bool:
    if value == "auto":
        return True
    try:
        return float(value) >= 1.0  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False


def _is_bool(value: object) -> bool:
    return isinstance(value, bool)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_Rule = tuple[Callable[[object], bool], str]

_IDENTITY: dict[str, _Rule] = {
    "volume_backend_name": (_is_text, "a string"),
    "vendor_name": (_is_text, "a string"),
    "driver_version": (_is_text, "a string"),
    "storage_protocol": (
        lambda value: _is_text(value) or _is_texts(value),
        "a string or a list of synonyms",
    ),
}
_REQUIRED: dict[str, _Rule] = {
    "pool_name": (_is_text, "a string"),
    "total_capacity_gb": (_is_capacity, "GiB, 'infinite' or 'unknown'"),
    "free_capacity_gb": (_is_capacity, "GiB, 'infinite' or 'unknown'"),
    "reserved_percentage": (
        lambda value: isinstance(value, int) and 0 <= value <= 100,
        "a whole number from 0 to 100",
    ),
    "QoS_support": (_is_bool, "a bool"),
}
_WHERE_PRESENT: dict[str, _Rule] = {
    "provisioned_capacity_gb": (_is_number_or_none, "GiB or None"),
    "allocated_capacity_gb": (_is_number, "GiB"),
    "max_over_subscription_ratio": (_is_ratio, "'auto' or a number of at least 1"),
    "filter_function": (_is_text_or_none, "a string or None"),
    "goodness_function": (_is_text_or_none, "a string or None"),
    "location_info": (_is_text_or_none, "a string or None"),
    "total_volumes": (_is_count, "a count"),
    "backend_state": (lambda value: value in {"up", "down"}, "'up' or 'down'"),
    "replication_targets": (_is_texts, "a list of backend ids"),
    **dict.fromkeys(
        (
            "thin_provisioning_support",
            "thick_provisioning_support",
            "multiattach",
            "online_extend_support",
            "replication_enabled",
            "consistencygroup_support",
            "consistent_group_snapshot_enabled",
            "cacheable",
            "shared_targets",
            "sparse_copy_volume",
        ),
        (_is_bool, "a bool"),
    ),
}


def _check(found: dict[str, Any], rules: dict[str, _Rule], *, required: bool) -> None:
    __tracebackhide__ = True
    for key, (accepts, description) in rules.items():
        if key not in found:
            if required:
                broken(f"the stats have {key}")
        elif not accepts(found[key]):
            broken(f"{key} is {description}", f"it is {found[key]!r}")


def test_identity(driver: VolumeDriver) -> None:
    stats = driver.get_volume_stats(refresh=True)
    is_plain(stats, "the stats are JSON")
    _check(stats, _IDENTITY, required=True)
    _check({k: v for k, v in stats.items() if k != "pools"}, _WHERE_PRESENT, required=False)


def test_pools(driver: VolumeDriver) -> None:
    pools = pools_of(driver.get_volume_stats(refresh=True))
    for pool in pools:
        _check(pool, _REQUIRED, required=True)
        _check(pool, _WHERE_PRESENT, required=False)
        total, free = pool["total_capacity_gb"], pool["free_capacity_gb"]
        thin = pool.get("thin_provisioning_support", False)
        # A pretending thin pool may count what is promised as taken.
        if _is_number(total) and _is_number(free) and free > total:
            broken("a pool has not more free than in total", f"{free} of {total} GiB")
        # None is an answer: placement then counts the volumes that the service knows.
        if thin and "provisioned_capacity_gb" not in pool:
            broken("a thin pool tells provisioned_capacity_gb, or None: placement needs it")
        if thin and pool.get("max_over_subscription_ratio") is None:
            broken("a thin pool tells max_over_subscription_ratio: placement needs it")
    names = [pool["pool_name"] for pool in pools]
    if len(set(names)) < len(names):
        broken("pools have names of their own", ", ".join(names))


def test_extending_in_use_is_told_as_it_is(driver: VolumeDriver) -> None:
    for pool in pools_of(driver.get_volume_stats(refresh=True)):
        told = pool.get("online_extend_support")
        able = isinstance(driver, ExtendInUse)
        if told is not None and told != able:
            broken(
                "online_extend_support says the same as the ability ExtendInUse",
                f"{told} and {able}",
            )


def test_stats_are_kept_until_refreshed(bench: Bench) -> None:
    driver = bench.driver
    before = dict(driver.get_volume_stats(refresh=True))
    bench.created()
    if driver.get_volume_stats() != before:
        broken("get_volume_stats without refresh returns what was last taken")


def test_sizes_are_gibibytes(bench: Bench) -> None:
    before = provisioned_gb(bench.driver)
    if before is None:
        pytest.skip("the backend does not tell provisioned_capacity_gb")
    volume = bench.created(2)
    grown = provisioned_gb(bench.driver)
    if grown is None or abs(grown - before - 2) > 0.1:
        broken("provisioned_capacity_gb counts GiB", f"2 GiB more, {before} became {grown}")
    bench.delete(volume)
    after = provisioned_gb(bench.driver)
    if after is None or abs(after - before) > 0.1:
        broken("provisioned_capacity_gb forgets deleted volumes", f"{before} became {after}")


def test_volume_is_in_a_pool_of_the_stats(bench: Bench) -> None:
    volume = bench.created()
    names = [pool["pool_name"] for pool in pools_of(bench.driver.get_volume_stats(refresh=True))]
    pool = bench.driver.get_pool(volume)
    if pool is not None and pool not in names:
        broken("get_pool returns a pool of the stats or None", f"{pool!r}, not of {names}")

"""What backends report, as the store keeps it."""

from __future__ import annotations

from typing import Any

import pytest

from breezeblock.worker import report

STATS: dict[str, Any] = {
    "volume_backend_name": "one",
    "vendor_name": "v",
    "driver_version": "1",
    "storage_protocol": "iSCSI",
}


def test_pools_inherit_what_the_backend_says_of_all() -> None:
    stats = STATS | {"pools": [{"pool_name": "a"}, {"pool_name": "b", "vendor_name": "w"}]}
    found = report.pools("h@one", stats, "")
    assert set(found) == {"h@one#a", "h@one#b"}
    assert found["h@one#a"]["vendor_name"] == "v"
    assert found["h@one#b"]["vendor_name"] == "w"
    assert all(pool["storage_protocol"] == ["iSCSI", "iscsi"] for pool in found.values())
    assert all("pools" not in pool for pool in found.values())


@pytest.mark.parametrize(
    ("stats", "name"),
    [
        (STATS, "h@one#one"),
        (STATS | {"pools": []}, "h@one#one"),
        (STATS | {"pool_name": "p"}, "h@one#p"),
        ({"storage_protocol": "ceph"}, "h@one#_pool0"),
    ],
)
def test_a_backend_without_pools_is_one(stats: dict[str, Any], name: str) -> None:
    assert list(report.pools("h@one", stats, "")) == [name]


def test_the_operator_adds_capabilities() -> None:
    found = report.pools("h@one", STATS, '{"tier": "gold", "vendor_name": "x"}')
    assert found["h@one#one"]["tier"] == "gold"
    assert found["h@one#one"]["vendor_name"] == "x"


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        ("fc", ["FC", "fibre_channel", "fc"]),
        ("NVMe-oF", ["NVMe-oF", "NVMeOF", "nvmeof"]),
        ("NVMe-TCP", "NVMe-TCP"),
        ("ceph", "ceph"),
        (None, None),
    ],
)
def test_protocols_have_synonyms(protocol: str | None, expected: Any) -> None:
    found = report.pools("h@one", {"storage_protocol": protocol}, "")
    assert found["h@one#_pool0"]["storage_protocol"] == expected


@pytest.mark.parametrize(
    ("stats", "expected"),
    [
        ({"storage_protocol": "iSCSI"}, True),
        ({"storage_protocol": "iSCSI", "shared_targets": False}, False),
        ({"storage_protocol": "ceph"}, False),
        ({"storage_protocol": "NVMe-oF"}, None),
    ],
)
def test_shared_targets(stats: dict[str, Any], expected: bool | None) -> None:
    assert report.shared_targets(stats) is expected

"""Capacity arithmetic, limits, names and addresses: what needs no cluster."""

from __future__ import annotations

import errno

import pytest

from breezeblock.drivers.rbd import names, qos
from breezeblock.drivers.rbd.cluster import Address
from breezeblock.drivers.rbd.consumers import ip
from breezeblock.drivers.rbd.errors import (
    MEANINGS,
    ClusterUnreachable,
    ImageMissing,
    InUse,
    NoSpace,
    RbdError,
    translated,
)
from breezeblock.drivers.rbd.stats import Usage, supports_qos


@pytest.mark.parametrize(
    ("usage", "free", "dynamic", "static"),
    [
        (Usage(stored=10, available=90, quota=0, raw=500), 90, 100, 500),
        (Usage(stored=10, available=90, quota=50, raw=500), 40, 50, 50),
        (Usage(stored=10, available=30, quota=50, raw=500), 30, 40, 50),
        (Usage(stored=60, available=30, quota=50, raw=500), 0, 60, 50),
    ],
)
def test_capacity(usage: Usage, free: int, dynamic: int, static: int) -> None:
    assert usage.free == free
    assert usage.total(dynamic=True) == dynamic
    assert usage.total(dynamic=False) == static


def test_limits() -> None:
    specs = {"consumer": "both", "total_iops_sec": 100, "read_bytes_sec_max": "", "foreign": 1}
    assert qos.options(specs) == {"rbd_qos_iops_limit": "100"}
    assert qos.options({**specs, "consumer": "front-end"}) == {}
    assert qos.options({"total_iops_sec_max": 5}) == {"rbd_qos_iops_burst": "5"}
    assert len(set(qos.OPTIONS.values())) == len(qos.OPTIONS) == 12
    assert [supports_qos(version) for version in ((1, 14, 9), (1, 15, 0))] == [False, True]


def test_names() -> None:
    assert names.deleted("volume-1") == "volume-1.deleted"
    assert names.undeleted("volume-1.deleted") == names.undeleted("volume-1") == "volume-1"
    assert names.CLONE_SNAPSHOT.fullmatch(names.clone_snapshot("volume-1"))
    backup = "backup.9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11.snap.1700000000.25"
    assert names.BACKUP_SNAPSHOT.fullmatch(backup)
    assert not names.BACKUP_SNAPSHOT.fullmatch("backup.mine.snap.1")
    assert not names.VOLUME.fullmatch("volume-9e2c9c5e-7d6d-4f0a-8a53-0d1b4e6f2a11.deleted")


def test_a_limit_for_every_call() -> None:
    for timeout, expected in ((-1, "60"), (0, "60"), (5, "5")):
        options = Address("", None, "ceph", timeout).ceph_options
        assert options["rados_osd_op_timeout"] == options["rados_mon_op_timeout"] == expected
        assert options["client_mount_timeout"] == expected
    assert str(Address("/c", None, "ceph")) == "cluster ceph by /c as client.admin"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.0.0.1:0/123", "10.0.0.1"),
        ("v1:10.0.0.1:0/123", "10.0.0.1"),
        ("[2001:db8::1]:0/5", "[2001:db8::1]"),
    ],
)
def test_hosts_of_clients(address: str, expected: str) -> None:
    assert ip(address) == expected


class _Refused(Exception):
    def __init__(self, code: int) -> None:
        super().__init__("words of Ceph")
        self.errno = code


@pytest.mark.parametrize(
    ("code", "kind", "transient"),
    [
        (errno.ENOENT, ImageMissing, False),
        (errno.EBUSY, InUse, False),
        (errno.ENOSPC, NoSpace, False),
        (errno.ETIMEDOUT, ClusterUnreachable, True),
        (-errno.ESHUTDOWN, ClusterUnreachable, True),
        (errno.EIO, RbdError, False),
        (0, RbdError, False),
    ],
)
def test_errors(code: int, kind: type[RbdError], transient: bool) -> None:
    found = translated(_Refused(code), "it could not be done")
    assert type(found) is kind
    assert found.transient is transient
    assert "it could not be done: words of Ceph" in str(found)


def test_every_meaning_has_a_symbol_of_its_own() -> None:
    kinds = {meaning.error for meaning in MEANINGS.values()}
    assert len({kind.symbol for kind in kinds}) == len(kinds)

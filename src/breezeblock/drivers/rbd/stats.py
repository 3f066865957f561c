"""What the pool can still take, in the words of the scheduler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from breezeblock.drivers.rbd.errors import PoolMissing, RbdError
from breezeblock.drivers.rbd.site import Site

_GIB = 1024**3
#: librbd's first release (its second number) that holds images to limits.
_QOS_SINCE = 15
_UNKNOWN: Mapping[str, Any] = {"total_capacity_gb": "unknown", "free_capacity_gb": "unknown"}


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of a pool: ``stored`` by its images, ``available`` to them, ``quota`` (0: none).

    ``raw`` is the size of all disks of the cluster.
    """

    stored: int
    available: int
    quota: int
    raw: int

    @property
    def free(self) -> int:
        """What can still be written: by the disks, and by the quota."""
        if not self.quota:
            return self.available
        return max(0, min(self.quota - self.stored, self.available))

    def total(self, *, dynamic: bool) -> int:
        """``dynamic``: used and free now; else the quota, or the cluster's size."""
        return self.stored + self.free if dynamic else self.quota or self.raw


def capacity(site: Site) -> dict[str, Any]:
    """Total, free and provisioned GiB of the pool, and whether it can be reached.

    A cluster that does not answer is ``down``, and ``up`` again when it does.
    """
    try:
        site.cluster.connect()
        usage = _usage(site)
        found: dict[str, Any] = {
            "total_capacity_gb": _gib(
                usage.total(dynamic=site.options.report_dynamic_total_capacity)
            ),
            "free_capacity_gb": _gib(usage.free),
            # None: the service counts the volumes it knows.
            "provisioned_capacity_gb": None,
            "backend_state": "up",
            "location_info": location(site),
        }
        if not site.options.rbd_exclusive_cinder_pool:
            found["provisioned_capacity_gb"] = _gib(site.images.provisioned())
        return found
    except RbdError as failure:
        return {
            **_UNKNOWN,
            "provisioned_capacity_gb": None,
            "backend_state": "down",
            "backend_state_reason": failure.message,
        }


def location(site: Site) -> str:
    """Where the pool is: ``<cluster>:<conf>:<fsid>:<user>:<pool>``."""
    address, fsid = site.cluster.address, site.cluster.fsid()
    return f"{address.name}:{address.conf}:{fsid}:{address.user}:{site.images.pool}"


def supports_qos(version: tuple[int, ...]) -> bool:
    """Whether librbd of this version holds images to limits."""
    return version[1] >= _QOS_SINCE


def _usage(site: Site) -> Usage:
    pool = site.images.pool
    report = site.cluster.ask("df")
    with site.images.looking(f"pool {pool} could not be looked up") as ioctx:
        opened = ioctx.get_pool_id()
    for one in report["pools"]:
        if one["name"] == pool:
            if one["id"] != opened:
                # Another pool has got the name meanwhile.
                site.cluster.renew()
            quota = site.cluster.ask("osd pool get-quota", pool=pool)
            figures = one["stats"]
            return Usage(
                stored=int(figures.get("stored", figures["bytes_used"])),
                available=int(figures["max_avail"]),
                quota=int(quota["quota_max_bytes"]),
                raw=int(report["stats"]["total_bytes"]),
            )
    raise PoolMissing(reason=f"{site.cluster.address} does not report on a pool {pool}.")


def _gib(count: float) -> float:
    return round(count / _GIB, 2)

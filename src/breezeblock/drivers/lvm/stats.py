"""What the group can still take, in the words of the scheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breezeblock.drivers.lvm.names import VOLUME
from breezeblock.drivers.lvm.report import GroupReport, LogicalVolume
from breezeblock.drivers.lvm.setup import pool_problem

_GIB = 1024**3


def capacity(report: GroupReport, *, pool: str | None, mirrors: int) -> dict[str, Any]:
    """Total, free and provisioned GiB of the group, and whether it can be written.

    ``pool`` names the thin pool that new volumes go to, None for thick ones.  With mirrors the
    room is that of what fits on disks of its own so many times.
    """
    volumes = [v for v in report.volumes.values() if VOLUME.fullmatch(v.name)]
    counted = {"total_volumes": len(volumes), "backend_state": "up"}
    if pool is not None:
        return {**counted, **_of_pool(report.find(pool), report)}
    if mirrors:
        total = mirrored_room([disk.size for disk in report.disks], mirrors + 1)
        free = mirrored_room([disk.free for disk in report.disks], mirrors + 1)
    else:
        total, free = report.size, report.free
    found: dict[str, Any] = {
        "total_capacity_gb": _gib(total),
        "free_capacity_gb": _gib(free),
        "provisioned_capacity_gb": _gib(total - free),
    }
    if report.missing_disks:
        found["backend_state"] = "down"
        found["backend_state_reason"] = (
            f"{report.missing_disks} disks of group {report.name} are missing: bring them back, "
            "or see vgreduce --removemissing"
        )
    return {**counted, **found}


def _of_pool(pool: LogicalVolume | None, report: GroupReport) -> dict[str, Any]:
    if pool is None:
        return {
            "total_capacity_gb": 0.0,
            "free_capacity_gb": 0.0,
            "provisioned_capacity_gb": 0.0,
            "backend_state": "down",
            "backend_state_reason": f"the thin pool of group {report.name} is gone",
        }
    promised = sum(v.size for v in report.volumes.values() if v.pool == pool.name)
    used = (pool.data_percent or 0.0) / 100
    found: dict[str, Any] = {
        "total_capacity_gb": _gib(pool.size),
        "free_capacity_gb": _gib(pool.size * (1 - used)),
        "provisioned_capacity_gb": _gib(promised),
        "thin_pool_data_percent": pool.data_percent,
        "thin_pool_metadata_percent": pool.metadata_percent,
    }
    if problem := pool_problem(pool):
        found["backend_state"] = "down"
        found["backend_state_reason"] = problem
    return found


def mirrored_room(room: Sequence[int], copies: int) -> int:
    """Bytes that fit ``copies`` times on disks of their own.

    The largest x for which the disks, none of them with more than x, hold ``copies`` times x.
    """
    disks = sorted(room)
    while len(disks) >= copies > 0:
        largest = disks[-1]
        rest = sum(disks[:-1])
        if copies == 1:
            return rest + largest
        # A disk larger than its share holds one whole copy, the others share the rest.
        if largest * (copies - 1) <= rest:
            return (rest + largest) // copies
        disks, copies = disks[:-1], copies - 1
    return 0


def _gib(count: float) -> float:
    return round(count / _GIB, 2)

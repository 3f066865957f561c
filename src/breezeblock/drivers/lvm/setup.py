"""Whether the group can be used as the options ask, and what new volumes are made of."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping

from breezeblock.drivers.io_priority import IoPriority
from breezeblock.drivers.lvm.errors import (
    LvmError,
    Misconfigured,
    PoolBroken,
    VolumeGroupMissing,
)
from breezeblock.drivers.lvm.report import GroupReport, LogicalVolume
from breezeblock.drivers.lvm.site import Site

LOG = logging.getLogger(__name__)

_GIB = 1024**3
#: The first release with thin volumes.
_THIN_SINCE = (2, 2, 95)
#: Percent of the free space that a new thin pool takes; the rest is for its metadata to grow.
_POOL_PERCENT = 95


def make_pool(site: Site, lvm_type: str) -> None:
    """Make the group's thin pool if it is wanted and missing.  Raises ``Misconfigured``."""
    report = _report(site)
    if site.pool not in report.volumes and _wants_thin(site, lvm_type, report):
        site.group.create_pool(site.pool, _POOL_PERCENT)


def check(site: Site, lvm_type: str) -> bool:
    """Look at the group and its pool; return whether new volumes are thin.

    ``lvm_type`` is ``thin``, ``default`` (thick) or ``auto``: thin if LVM can do it and the group
    has the pool already or nothing at all.  Raises ``Misconfigured``.
    """
    _check_options(site)
    report = _report(site)
    if report.missing_disks:
        LOG.error(
            "%s: %d disks of group %s are missing; see pvs and vgreduce(8)",
            *(site.backend, report.missing_disks, report.name),
        )
    if not _wants_thin(site, lvm_type, report):
        return False
    if site.pool not in report.volumes:
        raise Misconfigured(
            backend=site.backend,
            reason=f"group {report.name} has no thin pool {site.pool} yet. The service makes it "
            "when it starts; or set lvm_type = default",
        )
    _check_pool(site, report)
    return True


def _check_options(site: Site) -> None:
    if ionice := site.options.volume_clear_ionice:
        try:
            IoPriority.parse(ionice)
        except ValueError as failure:
            raise Misconfigured(
                backend=site.backend, reason=f"volume_clear_ionice = {ionice}: {failure}"
            ) from failure


def _report(site: Site) -> GroupReport:
    try:
        return site.group.report()
    except VolumeGroupMissing as failure:
        raise Misconfigured(
            backend=site.backend,
            reason=f"there is no volume group {site.group.name}. Make it "
            f"(vgcreate {site.group.name} DISK...), or set volume_group to one that is there",
        ) from failure


def _wants_thin(site: Site, lvm_type: str, report: GroupReport) -> bool:
    if lvm_type == "default":
        return False
    if site.mirrors:
        if lvm_type == "thin":
            raise Misconfigured(
                backend=site.backend,
                reason="lvm_mirrors needs thick volumes. Set lvm_type = default, or no mirrors",
            )
        return False
    if not supports_thin(site):
        if lvm_type == "thin":
            raise Misconfigured(
                backend=site.backend,
                reason="this LVM has no thin volumes. Install lvm2 2.02.95 or later, or set "
                "lvm_type = default",
            )
        return False
    own = [v for v in report.volumes.values() if v.is_public]
    return lvm_type == "thin" or site.pool in report.volumes or not own


def supports_thin(site: Site) -> bool:
    """Whether the installed LVM is new enough."""
    found = re.search(r"LVM version:\s+(\d+)\.(\d+)\.(\d+)", site.group.lvm.look("lvm", "version"))
    return found is not None and tuple(map(int, found.groups())) >= _THIN_SINCE


def _check_pool(site: Site, report: GroupReport) -> None:
    pool = report.volumes.get(site.pool)
    if pool is None or not pool.is_thin_pool:
        raise Misconfigured(
            backend=site.backend,
            reason=f"{report.name}/{site.pool} is no thin pool. Rename it (lvrename), or set "
            "lvm_type = default",
        )
    if not pool.attributes.zeroes:
        _complain_of_zeroing(site)
    if not pool.attributes.active:
        pool = _activated(site)
    if problem := pool_problem(pool):
        # What is there can still be read; the stats say that nothing new fits.
        LOG.error("%s: %s/%s: %s", site.backend, report.name, pool.name, problem)


def _complain_of_zeroing(site: Site) -> None:
    full = f"{site.group.name}/{site.pool}"
    told = (
        f"thin pool {full} does not zero its blocks, so that a volume shows what its blocks held "
        f"before. Run lvchange -Zy {full}"
    )
    if site.options.lvm_clear_new_volumes:
        raise Misconfigured(
            backend=site.backend, reason=f"{told}, or set lvm_clear_new_volumes = false"
        )
    LOG.warning("%s: %s", site.backend, told)


def _activated(site: Site) -> LogicalVolume:
    full = f"{site.group.name}/{site.pool}"
    try:
        site.group.lvm.change("lvchange", "-ay", full)
    except PoolBroken as failure:
        raise Misconfigured(
            backend=site.backend,
            reason=f"{failure.message} The pool's own record and LVM's differ, or it needs a "
            f"check. Nothing is changed by itself: see lvconvert --repair {full} and lvmthin(7)",
        ) from failure
    except LvmError as failure:
        raise Misconfigured(
            backend=site.backend, reason=f"thin pool {full} cannot be activated: {failure.message}"
        ) from failure
    return site.group.existing(site.pool)


def pool_problem(pool: LogicalVolume) -> str:
    """Why the thin pool can take nothing, and what helps; "" if it can."""
    if pool.attributes.problem:
        return pool.attributes.problem
    full: Mapping[str, tuple[float | None, str]] = {
        "data": (pool.data_percent, "lvextend, after vgextend if need be"),
        "metadata": (pool.metadata_percent, "lvextend --poolmetadatasize"),
    }
    for what, (percent, remedy) in full.items():
        if percent is not None and percent >= 100:
            return f"the thin pool is out of {what} space: extend it with {remedy}"
    return ""

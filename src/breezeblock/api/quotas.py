"""Requests about quotas and limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from breezeblock.api import faults, literals
from breezeblock.api.call import Call
from breezeblock.services.quotas import QuotaUse

IGNORED = frozenset({"id", "tenant_id"})
PROJECT_LIMITS_SINCE = 39

# Absolute limits: their names, and of what they are the limit or the use.
MAXIMA = {
    "maxTotalVolumes": "volumes",
    "maxTotalVolumeGigabytes": "gigabytes",
    "maxTotalSnapshots": "snapshots",
    "maxTotalBackups": "backups",
    "maxTotalBackupGigabytes": "backup_gigabytes",
}
USES = {
    "totalVolumesUsed": "volumes",
    "totalGigabytesUsed": "gigabytes",
    "totalSnapshotsUsed": "snapshots",
    "totalBackupsUsed": "backups",
    "totalBackupGigabytesUsed": "backup_gigabytes",
}


def _project(call: Call[Any]) -> str:
    """The project that the URL names.  There is no list of projects to look it up in, so any name
    will do that could be one."""
    project = call.params["id"]
    if len(project) > 255 or not project.isprintable():
        raise faults.Fault(404, "No such project.")
    return project


def show(call: Call[None]) -> dict[str, Any]:
    project = _project(call)
    call.require("volume_extension:quotas:show", project)
    usage = literals.boolean(call.query.get("usage", False), "usage")
    quotas = call.services.quotas.show(call.ctx, project)
    return {"quota_set": {"id": project, **{n: _value(q, usage) for n, q in quotas.items()}}}


def _value(quota: QuotaUse, usage: bool) -> int | dict[str, int]:
    if not usage:
        return quota.limit
    return {"limit": quota.limit, "in_use": quota.in_use, "reserved": quota.reserved}


def defaults(call: Call[None]) -> dict[str, Any]:
    project = _project(call)
    call.require("volume_extension:quotas:show", project)
    return {"quota_set": {"id": project, **call.services.quotas.defaults(call.ctx)}}


def update(call: Call[None]) -> dict[str, Any]:
    project = _project(call)
    call.require("volume_extension:quotas:update", project)
    asked = call.body["quota_set"]
    limits = {name: int(value) for name, value in asked.items() if name not in IGNORED}
    if not limits:
        current = call.services.quotas.show(call.ctx, project)
        return {"quota_set": {name: quota.limit for name, quota in current.items()}}
    return {"quota_set": dict(call.services.quotas.update(call.ctx, project, limits))}


def reset(call: Call[None]) -> None:
    project = _project(call)
    call.require("volume_extension:quotas:delete", project)
    call.services.quotas.reset(call.ctx, project)


def limits(call: Call[None]) -> dict[str, Any]:
    """The limits of the caller's project; an administrator may name another from 3.39 on."""
    project = call.ctx.project_id
    if call.ctx.is_admin and call.version >= PROJECT_LIMITS_SINCE:
        project = call.query.get("project_id") or call.query.get("tenant_id") or project
    quotas = call.services.quotas.show(call.ctx, project)
    absolute = {name: quotas[kind].limit for name, kind in MAXIMA.items() if kind in quotas}
    if call.allows("limits_extension:used_limits"):
        absolute |= _uses(quotas)
    return {"limits": {"rate": [], "absolute": absolute}}


def _uses(quotas: Mapping[str, QuotaUse]) -> dict[str, int]:
    return {
        name: quotas[kind].in_use + quotas[kind].reserved
        for name, kind in USES.items()
        if kind in quotas
    }

"""Requests about extensions: names that old clients look for before they use a part of the API."""

from __future__ import annotations

from typing import Any

from breezeblock.api import faults
from breezeblock.api.call import Call

# Alias, name, what it is.  The aliases are the interface; the sentences are ours.
EXTENSIONS: dict[str, tuple[str, str]] = {
    "OS-SCH-HNT": ("SchedulerHints", "Hints on where a volume is placed."),
    "backups": ("Backups", "Backups of volumes."),
    "capabilities": ("Capabilities", "What a backend can do."),
    "cgsnapshots": ("Cgsnapshots", "Snapshots of consistency groups."),
    "consistencygroups": ("Consistencygroups", "Consistency groups."),
    "encryption": ("VolumeEncryptionMetadata", "How volume types are encrypted."),
    "os-admin-actions": ("AdminActions", "Actions for administrators."),
    "os-availability-zone": ("AvailabilityZones", "Availability zones."),
    "os-extended-services": ("ExtendedServices", "More about services."),
    "os-extended-snapshot-attributes": (
        "ExtendedSnapshotAttributes",
        "Project and progress of snapshots.",
    ),
    "os-hosts": ("Hosts", "Hosts and what is on them."),
    "os-quota-class-sets": ("QuotaClasses", "Quotas of classes."),
    "os-quota-sets": ("Quotas", "Quotas of projects."),
    "os-services": ("Services", "Services."),
    "os-snapshot-actions": ("SnapshotActions", "Reports about snapshots."),
    "os-snapshot-manage": ("SnapshotManage", "Adopting snapshots."),
    "os-snapshot-unmanage": ("SnapshotUnmanage", "Letting go of snapshots."),
    "os-types-extra-specs": ("TypesExtraSpecs", "Extra specs of volume types."),
    "os-types-manage": ("TypesManage", "Management of volume types."),
    "os-used-limits": ("UsedLimits", "Usage beside the limits."),
    "os-vol-host-attr": ("VolumeHostAttribute", "The pool of a volume."),
    "os-vol-image-meta": ("VolumeImageMetadata", "Image properties of volumes."),
    "os-vol-mig-status-attr": ("VolumeMigStatusAttribute", "How migrations go."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "The project of a volume."),
    "os-volume-actions": ("VolumeActions", "Actions on volumes."),
    "os-volume-encryption-metadata": ("VolumeEncryptionMetadata", "How a volume is encrypted."),
    "os-volume-manage": ("VolumeManage", "Adopting volumes."),
    "os-volume-transfer": ("VolumeTransfer", "Handing volumes to other projects."),
    "os-volume-type-access": ("VolumeTypeAccess", "Who may use private volume types."),
    "os-volume-unmanage": ("VolumeUnmanage", "Letting go of volumes."),
    "qos-specs": ("Qos_specs_manage", "QoS specs."),
    "scheduler-stats": ("Scheduler_stats", "Pools and their capacity."),
}
UPDATED = "2023-08-31T00:00:00+00:00"


def _show(alias: str) -> dict[str, Any]:
    name, description = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": description,
        "updated": UPDATED,
        "links": [],
    }


def index(call: Call[None]) -> dict[str, Any]:
    return {"extensions": [_show(alias) for alias in EXTENSIONS]}


def show(call: Call[None]) -> dict[str, Any]:
    alias = call.params["id"]
    if alias not in EXTENSIONS:
        raise faults.Fault(404, f"Extension '{alias[:64]}' could not be found.")
    return {"extension": _show(alias)}

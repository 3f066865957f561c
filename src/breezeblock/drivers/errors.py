"""What a driver may raise.

A worker decides by class: ``VolumeIsBusy`` and ``SnapshotIsBusy`` put the resource back as it
was, ``TargetUpdateFailed`` is logged and tolerated, everything else fails the operation.  An
error whose ``transient`` is true is tried again first.
"""

from __future__ import annotations

from typing import Any

from breezeblock.domain.errors import BreezeblockError, InvalidConnector
from breezeblock.targets.errors import TargetError, TargetUpdateFailed

__all__ = [
    "BackendMisconfigured",
    "DeviceUnavailable",
    "InvalidConnector",
    "InvalidReplicationTarget",
    "ManageExistingAlreadyManaged",
    "ManageExistingInvalidReference",
    "ManageExistingVolumeTypeMismatch",
    "SnapshotIsBusy",
    "TargetError",
    "TargetUpdateFailed",
    "UnknownDriver",
    "VolumeBackendError",
    "VolumeDriverError",
    "VolumeIsBusy",
    "VolumeIsMissing",
]


class VolumeDriverError(BreezeblockError):
    """Base of what drivers raise."""

    symbol = "volume-driver-error"
    template = "The volume driver failed: {reason}"

    def __init__(
        self, message: str | None = None, *, transient: bool = False, **fields: Any
    ) -> None:
        super().__init__(message, **fields)
        self.transient = transient


class VolumeBackendError(VolumeDriverError):
    """The storage refused or failed; ``reason`` names cause and remedy."""

    symbol = "volume-backend-error"
    template = "The storage backend failed: {reason}"


class BackendMisconfigured(VolumeBackendError):
    """The backend cannot work with its configuration; found by ``check_for_setup_error``."""

    symbol = "backend-misconfigured"
    template = "Backend {backend} cannot be used: {reason}"


class UnknownDriver(BackendMisconfigured):
    """``volume_driver`` names no driver of this installation."""

    symbol = "unknown-driver"
    template = "Backend {backend}: volume_driver '{driver}' {reason}"


class VolumeIsMissing(VolumeBackendError):
    """The backend does not hold what the record says it holds."""

    symbol = "volume-missing-on-backend"
    template = (
        "{name} is not on backend {backend} any more. Restore it there, or delete the resource."
    )


class DeviceUnavailable(VolumeBackendError):
    """A volume was attached to this host, but its device cannot be used."""

    symbol = "device-unavailable"
    template = "The device {path} of a volume attached to this host cannot be used: {reason}"


class InvalidReplicationTarget(VolumeDriverError):
    """A failover names a site that is not configured, or the one in use."""

    symbol = "invalid-replication-target"
    template = "Replication target {target} cannot be used: {reason}"


class VolumeIsBusy(VolumeDriverError):
    """The volume is in a use that forbids this; it stays as it is."""

    symbol = "volume-is-busy"
    template = "Volume {name} is busy: {reason}"


class SnapshotIsBusy(VolumeDriverError):
    """Something still depends on the snapshot; it stays as it is."""

    symbol = "snapshot-is-busy"
    template = "Snapshot {name} is busy: {reason}"


class ManageExistingInvalidReference(VolumeDriverError):
    """What shall be managed is not named, not there, or not what it should be."""

    symbol = "manage-existing-invalid-reference"
    template = "{reference} cannot be managed: {reason}"


class ManageExistingAlreadyManaged(VolumeDriverError):
    """What shall be managed is a volume of the service already."""

    symbol = "manage-existing-already-managed"
    template = "{reference} is managed already. Choose another one, or unmanage it first."


class ManageExistingVolumeTypeMismatch(VolumeDriverError):
    """What shall be managed cannot be what the volume type asks for."""

    symbol = "manage-existing-volume-type-mismatch"
    template = "It does not fit the volume type: {reason}"

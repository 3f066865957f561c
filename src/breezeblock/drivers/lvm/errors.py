"""What LVM may refuse, as types: callers decide by class and never look at a program's words."""

from __future__ import annotations

from breezeblock.drivers.errors import BackendMisconfigured, VolumeBackendError


class LvmError(VolumeBackendError):
    """LVM refused or failed; ``reason`` holds its own words."""

    symbol = "lvm-error"


class LogicalVolumeMissing(LvmError):
    """There is no logical volume of that name in the group."""

    symbol = "lvm-logical-volume-missing"


class VolumeGroupMissing(LvmError):
    """There is no such volume group, or its disks are not there."""

    symbol = "lvm-volume-group-missing"


class NameTaken(LvmError):
    """A logical volume of that name is there already."""

    symbol = "lvm-name-taken"


class NoSpace(LvmError):
    """The group or the pool has no room for it."""

    symbol = "lvm-no-space"


class InUse(LvmError):
    """Somebody has the device open."""

    symbol = "lvm-in-use"


class OriginActive(LvmError):
    """A thick volume with snapshots can be resized only while it is inactive."""

    symbol = "lvm-origin-active"


class AlreadyThatLarge(LvmError):
    """An extension to a size that the volume has or exceeds."""

    symbol = "lvm-already-that-large"


class WrongKind(LvmError):
    """The verb does not fit what the logical volume is."""

    symbol = "lvm-wrong-kind"


class PoolBroken(LvmError):
    """The thin pool and LVM's metadata disagree, or the pool needs a check."""

    symbol = "lvm-pool-broken"


class Misconfigured(BackendMisconfigured):
    """The group cannot be used as the options ask."""

    symbol = "lvm-misconfigured"

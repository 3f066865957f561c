"""Names of logical volumes and of their devices."""

from __future__ import annotations

import re

from breezeblock.drivers.errors import VolumeBackendError

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
#: What LVM allows (lvm(8), VALID NAMES), less what programs would take for an option.
_VALID = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}")

VOLUME = re.compile(f"volume-({_UUID})")
SNAPSHOT = re.compile(f"_snapshot-({_UUID})")

#: Logical volumes that exist only while a verb runs; the id is the volume's the verb is on.
CLONE_SOURCE = "clone-snap-"
REVERTING = "revert-"
REVERTED = "reverted-"
MIGRATED = "migrated-"
TEMPORARY = re.compile(f"({CLONE_SOURCE}|{REVERTING}|{REVERTED}|{MIGRATED})({_UUID})")


def checked(name: str) -> str:
    """The name, if it is one.  Raises ``VolumeBackendError``."""
    if not _VALID.fullmatch(name):
        raise VolumeBackendError(reason=f"{name!r} is no name of a logical volume")
    return name


def of_snapshot(name: str) -> str:
    """The logical volume of the snapshot ``name``: LVM keeps names beginning so for itself."""
    return f"_{name}"


def id_in(volume_name: str) -> str:
    """``<id>`` of ``volume-<id>``."""
    return volume_name.partition("-")[2]


def mapper_path(group: str, name: str, layer: str = "") -> str:
    """The device-mapper node of a logical volume, or of a layer below it (``cow``, ``real``).

    ``-`` parts group, volume and layer, so that those within a name are doubled.
    """
    path = f"/dev/mapper/{_escaped(group)}-{_escaped(name)}"
    return f"{path}-{layer}" if layer else path


def device_path(group: str, name: str) -> str:
    """The node that udev makes: ``/dev/<group>/<volume>``."""
    return f"/dev/{group}/{name}"


def split_mapper_name(name: str) -> tuple[str, str, str] | None:
    """Group, volume and layer of a device-mapper name; None if it cannot be LVM's."""
    parts = [p.replace("\0", "-") for p in name.replace("--", "\0").split("-")]
    if len(parts) not in {2, 3} or not all(parts):
        return None
    return parts[0], parts[1], parts[2] if len(parts) == 3 else ""


def _escaped(name: str) -> str:
    return name.replace("-", "--")

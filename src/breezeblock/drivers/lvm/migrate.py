"""A volume moves to another volume group of this host.

The copy is complete under the volume's name before the source is touched.  What says that the
volume has moved is one change of name: the source becomes ``migrated-<id>``, and whatever is
interrupted after that has only that to remove.  Before it, everything is begun anew, because the
source could have been written between two tries.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from typing import Any

from breezeblock.drivers import block_device
from breezeblock.drivers.errors import VolumeBackendError, VolumeIsBusy, VolumeIsMissing
from breezeblock.drivers.lvm import kernel, names
from breezeblock.drivers.lvm.creation import Creation, Making
from breezeblock.drivers.lvm.errors import VolumeGroupMissing
from breezeblock.drivers.lvm.removal import Removal
from breezeblock.drivers.lvm.report import LogicalVolume
from breezeblock.drivers.lvm.site import Site

LOG = logging.getLogger(__name__)

_GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Location:
    """What a pool says of where it is: ``location_info`` of its stats."""

    driver: str
    hostname: str
    group: str
    lvm_type: str
    mirrors: int

    @classmethod
    def parse(cls, text: object) -> Location | None:
        """None if it is not this driver's."""
        parts = text.split(":") if isinstance(text, str) else []
        if len(parts) != 5 or not parts[4].isdigit():
            return None
        return cls(parts[0], parts[1], parts[2], parts[3], int(parts[4]))

    def __str__(self) -> str:
        return f"{self.driver}:{self.hostname}:{self.group}:{self.lvm_type}:{self.mirrors}"


def here(driver: str, group: str, *, thin: bool, mirrors: int) -> Location:
    """The location of a group of this host."""
    kind = "thin" if thin else "default"
    return Location(driver, socket.gethostname(), group, kind, mirrors)


def destination(host: dict[str, Any], own: Location) -> Location | None:
    """The group of this host that ``host`` offers; None if it is none, or another host's."""
    found = Location.parse(host.get("capabilities", {}).get("location_info"))
    if found is None or (found.driver, found.hostname) != (own.driver, own.hostname):
        return None
    return found


class Move:
    """Moves a volume from one group to another.  See the module."""

    def __init__(self, source: Site, target: Site) -> None:
        self._source = source
        self._target = target

    def move(self, name: str, size: int, *, thin: bool) -> bool:
        """Move it; false if there is no such group here.

        Raises ``VolumeIsBusy`` if it is open or has snapshots, ``VolumeIsMissing``.
        """
        if self._source.group.name == self._target.group.name:
            raise VolumeBackendError(
                reason=f"{name} is in group {self._source.group.name} already. Choose a backend "
                "of another group"
            )
        try:
            there = self._target.group.find(name)
        except VolumeGroupMissing:
            LOG.warning("group %s is not on this host", self._target.group.name)
            return False
        self._target.journal.prepare()
        found = self._source.group.find(name)
        if found is not None:
            self._refuse_if_busy(found)
            self._copy(found, size, there is not None, thin=thin)
            self._source.group.rename(name, self._left_behind(name))
        elif there is None:
            raise VolumeIsMissing(
                name=f"{self._source.group.name}/{name}", backend=self._source.backend
            )
        self.remove_left_behind(name)
        return True

    def _copy(self, found: LogicalVolume, size: int, half_made: bool, *, thin: bool) -> None:
        name = found.name
        if half_made:
            Removal(self._target).delete(name)
        self._target.journal.forget(name)

        def fill(made: Making) -> None:
            length = block_device.size(made.path)
            path = self._source.device(name)
            count = min(block_device.size(path), length)
            self._target.copy(path, made.path, count, reads_zeros=made.thin)
            if not made.thin:
                self._target.zero(made.path, count, length)

        try:
            Creation(self._target).make(name, max(size, found.size), fill, thin=thin)
        except Exception:
            LOG.warning("the move of %s failed, its copy is removed", name)
            Removal(self._target).delete(name)
            raise

    def remove_left_behind(self, name: str) -> None:
        """Clear and remove what the volume was before it moved."""
        Removal(self._source).delete(self._left_behind(name))

    def _left_behind(self, name: str) -> str:
        return names.MIGRATED + names.id_in(name)

    def _refuse_if_busy(self, found: LogicalVolume) -> None:
        if found.is_thick_origin:
            raise VolumeIsBusy(name=found.name, reason="it has snapshots. Delete them first")
        if found.attributes.open:
            by = ", ".join(kernel.holders(self._source.group.name, found.name)) or "somebody"
            raise VolumeIsBusy(
                name=found.name, reason=f"its device is held open by {by}. Detach or close it first"
            )

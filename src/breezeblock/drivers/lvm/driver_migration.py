"""The part of the driver that moves volumes, and takes over what was moved."""

from __future__ import annotations

import logging
from typing import Any

from breezeblock.domain.resources import Volume
from breezeblock.drivers.lvm.commands import Lvm
from breezeblock.drivers.lvm.errors import LogicalVolumeMissing, LvmError
from breezeblock.drivers.lvm.migrate import Move, destination, here
from breezeblock.drivers.lvm.site import Site
from breezeblock.drivers.lvm.volume_group import VolumeGroup
from breezeblock.targets.interface import ModelUpdate

LOG = logging.getLogger(__name__)

_GIB = 1024**3
_MOVABLE = frozenset({"available", "retyping", "maintenance"})


class DriverMigration:
    """See ``interface.MigrateVD``."""

    _site: Site
    _thin: bool

    def _lvm(self) -> Lvm:
        raise NotImplementedError

    def _site_of(self, group: VolumeGroup, mirrors: int) -> Site:
        raise NotImplementedError

    def migrate_volume(
        self,
        ctxt: object,
        volume: Volume,
        host: dict[str, Any],
        thin: bool = False,
        mirror_count: int = 0,
    ) -> tuple[bool, ModelUpdate | None]:
        """Move the volume to another group of this host; ``(False, None)`` if it is none.

        What it is made of there is the destination's own way; ``thin`` and ``mirror_count`` count
        if the destination says nothing.  Raises ``VolumeBackendError`` for its own group.
        """
        if volume.status not in _MOVABLE:
            return False, None
        own = here(
            "LVMVolumeDriver", self._site.group.name, thin=self._thin, mirrors=self._site.mirrors
        )
        there = destination(host, own)
        if there is None:
            return False, None
        thin = thin or there.lvm_type == "thin"
        mirrors = 0 if thin else mirror_count or there.mirrors
        target = self._site_of(VolumeGroup(there.group, self._lvm()), mirrors)
        moved = Move(self._site, target).move(volume.name, volume.size * _GIB, thin=thin)
        return moved, None

    def update_migrated_volume(
        self, ctxt: object, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate:
        """Give the new volume's logical volume the old one's name, unless it is in use.

        ``new_volume`` lies in this driver's group.
        """
        kept: ModelUpdate = {
            "_name_id": new_volume.name_id or new_volume.id,
            "provider_location": new_volume.provider_location,
        }
        if original_volume_status != "available":
            return kept
        group = self._site.group
        name = f"volume-{volume.id}"
        try:
            group.rename(new_volume.name, name)
        except LogicalVolumeMissing:
            if group.find(name) is None:
                raise
        except LvmError as failure:
            LOG.error("%s keeps its name: %s", new_volume.name, failure)
            return kept
        return {"_name_id": None, "provider_location": None}

    def retype(
        self,
        context: object,
        volume: Volume,
        new_type: Any,
        diff: dict[str, Any],
        host: dict[str, Any],
    ) -> bool:
        """Nothing of a type is kept in LVM."""
        return True

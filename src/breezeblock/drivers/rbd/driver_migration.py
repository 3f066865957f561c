"""The part of the driver that moves and retypes volumes, and takes over what was moved."""

from __future__ import annotations

import logging
from typing import Any

from breezeblock.domain.resources import Volume
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.rbd import qos
from breezeblock.drivers.rbd.errors import ImageMissing, NameTaken
from breezeblock.drivers.rbd.features import Features
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.migrate import Move, destination
from breezeblock.drivers.rbd.site import Site
from breezeblock.targets.interface import ModelUpdate

LOG = logging.getLogger(__name__)

_MOVABLE = frozenset({"available", "retyping", "maintenance", "in-use"})
_TRUE = "<is> true"


class DriverMigration:
    """See ``interface.MigrateVD``."""

    @property
    def site(self) -> Site:
        raise NotImplementedError

    def migrate_volume(
        self, context: object, volume: Volume, host: dict[str, Any]
    ) -> tuple[bool, ModelUpdate | None]:
        """Move the volume to another pool of this cluster; ``(False, None)`` if it is none.

        Raises ``VolumeBackendError`` for a volume in use that is to go to another pool.
        """
        if volume.status not in _MOVABLE:
            return False, None
        there = destination(host, self.site.cluster.fsid())
        if there is None:
            return False, None
        if there.pool == self.site.images.pool:
            return True, None
        if volume.status == "in-use":
            raise VolumeBackendError(
                reason=f"{volume.name} is in use and cannot move to the pool {there.pool}. Detach "
                "it first"
            )
        target = Images(self.site.cluster, there.pool)
        Move(self.site, target).move(volume.name, Features(self.site).of_new(volume))
        return True, None

    def update_migrated_volume(
        self, ctxt: object, volume: Volume, new_volume: Volume, original_volume_status: str
    ) -> ModelUpdate:
        """Give the new volume's image the old one's name, unless it is in use.

        ``new_volume`` lies in this driver's pool.
        """
        kept: ModelUpdate = {
            "_name_id": new_volume.name_id or new_volume.id,
            "provider_location": new_volume.provider_location,
        }
        if original_volume_status == "in-use":
            return kept
        name = f"volume-{volume.id}"
        try:
            self.site.images.rename(new_volume.name, name)
        except ImageMissing as failure:
            if not self.site.images.exists(name):
                LOG.error("%s keeps its name: %s", new_volume.name, failure)
                return kept
        except NameTaken as failure:
            LOG.error("%s keeps its name: %s", new_volume.name, failure)
            return kept
        return {"_name_id": None, "provider_location": new_volume.provider_location}

    def retype(
        self,
        context: object,
        volume: Volume,
        new_type: Any,
        diff: dict[str, Any],
        host: dict[str, Any],
    ) -> tuple[bool, ModelUpdate | None]:
        """Every type is possible; the image's features and limits follow it."""
        update: ModelUpdate | None = None
        before, after = (diff.get("extra_specs") or {}).get("multiattach", (None, None))
        if _is_true(after) and not _is_true(before):
            update = Features(self.site).allow_several_writers(volume)
        elif _is_true(before) and not _is_true(after):
            update = Features(self.site).allow_one_writer(volume)
        limits = diff.get("qos_specs") or {}
        if limits:
            with self.site.images.writing(volume.name) as image:
                qos.change(
                    image,
                    {key: old for key, (old, _) in limits.items()},
                    {key: new for key, (_, new) in limits.items()},
                )
        return True, update


def _is_true(value: object) -> bool:
    return str(value).strip().lower() == _TRUE

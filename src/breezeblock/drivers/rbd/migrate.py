"""A volume moves to another pool of the same cluster.

The copy is begun anew by every call until it is complete, because the source could have been
written between two tries; then the journal says that the source is to be removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from breezeblock.drivers.errors import VolumeBackendError, VolumeIsBusy, VolumeIsMissing
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.ancestry import Ancestry
from breezeblock.drivers.rbd.errors import ImageMissing
from breezeblock.drivers.rbd.images import Images, Shape
from breezeblock.drivers.rbd.journal import MIGRATE, REMOVE, Entry
from breezeblock.drivers.rbd.removal import Removal, is_own
from breezeblock.drivers.rbd.site import Site


@dataclass(frozen=True, slots=True)
class Location:
    """What a pool says of where it is: ``location_info`` of its stats."""

    cluster: str
    conf: str
    fsid: str
    user: str
    pool: str

    @classmethod
    def parse(cls, text: object) -> Location | None:
        """None if it is not this driver's."""
        parts = text.split(":") if isinstance(text, str) else []
        return cls(*parts) if len(parts) == 5 else None


def destination(host: dict[str, Any], fsid: str) -> Location | None:
    """The pool of the cluster ``fsid`` that ``host`` offers; None if it is none of it."""
    capabilities = host.get("capabilities", {})
    if capabilities.get("storage_protocol") not in {"ceph", None}:
        return None
    found = Location.parse(capabilities.get("location_info"))
    return found if found is not None and found.fsid == fsid else None


class Move:
    """Moves a volume from the pool of ``site`` to another one.  See the module."""

    def __init__(self, site: Site, target: Images) -> None:
        self._site = site
        self._source = site.images
        self._target = target

    def move(self, name: str, features: int) -> None:
        """Move it.  Raises ``VolumeIsBusy`` if it has snapshots, ``VolumeIsMissing``."""
        entry = self._site.journal.find(name)
        if entry is not None and entry.verb == REMOVE:
            # It is complete there, and its source half removed.
            Removal(self._site).delete_volume(name)
            return
        try:
            with self._source.reading(name) as image:
                self._refuse_snapshots(name, [one.name for one in image.snapshots()])
                id, above = image.id, Ancestry(self._source).references(image)
        except ImageMissing as failure:
            if self._target.exists(name):
                return
            raise VolumeIsMissing(
                name=f"{self._source.pool}/{name}", backend=self._site.backend
            ) from failure
        self._begin_anew(name, id, entry)
        self._copy(name, features)
        self._site.journal.write(Entry(name, REMOVE, above))
        Removal(self._site).delete_volume(name)

    def _refuse_snapshots(self, name: str, found: list[str]) -> None:
        kept = [one for one in found if one != names.clone_snapshot(name)]
        if kept:
            kind = "clones or backups" if all(map(is_own, kept)) else "snapshots"
            raise VolumeIsBusy(
                name=name,
                reason=f"it has {kind} ({', '.join(kept[:3])}), which stay in the pool "
                f"{self._source.pool}. Delete them first",
            )

    def _begin_anew(self, name: str, id: str, entry: Entry | None) -> None:
        if entry is not None and entry.verb == MIGRATE:
            Removal(self._site).drop_copy(entry)
            Ancestry(self._source).drop_snapshot(name, names.clone_snapshot(name))
        if self._target.exists(name):
            raise VolumeBackendError(
                reason=f"pool {self._target.pool} has an image {name} already. Rename or remove "
                "that (`rbd rename`, `rbd rm`)"
            )
        references = ((id, names.clone_snapshot(name)),)
        self._site.journal.write(Entry(name, MIGRATE, references, pool=self._target.pool))

    def _copy(self, name: str, features: int) -> None:
        snapshot = names.clone_snapshot(name)
        with self._source.writing(name) as image:
            image.create_snapshot(snapshot)
            image.protect(snapshot)
        self._target.clone(self._source, name, snapshot, name, Shape(self._site.order, features))
        with self._target.writing(name) as image:
            self._site.flatten(image)
        Ancestry(self._source).drop_snapshot(name, snapshot)

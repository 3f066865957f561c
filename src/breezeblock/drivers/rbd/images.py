"""The images of one pool: what librbd can do with them, with our errors.

Whatever changes anything goes through ``Pool.changing`` or ``Image._changing``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from breezeblock.drivers.rbd import consumers
from breezeblock.drivers.rbd.cluster import Cluster
from breezeblock.drivers.rbd.errors import ImageMissing
from breezeblock.drivers.rbd.image import Image
from breezeblock.drivers.rbd.long_call import LongCall
from breezeblock.drivers.rbd.pool import Pool


@dataclass(frozen=True, slots=True)
class Shape:
    """What a new image is made of: objects of ``2**order`` bytes, and librbd's feature bits."""

    order: int
    features: int


@dataclass(frozen=True, slots=True)
class TrashEntry:
    """An image in Ceph's trash; it may be removed after ``until`` (UTC)."""

    id: str
    name: str
    until: datetime


class Images(Pool):
    """See the module.  Methods raise ``RbdError``."""

    def __init__(self, cluster: Cluster, pool: str) -> None:
        super().__init__(cluster, pool)
        self._rbd = cluster.bindings.rbd

    # ---- what there is -------------------------------------------------------------------------

    def names(self) -> list[str]:
        """All images, half-made ones included."""
        with self.looking("the images could not be listed") as ioctx:
            return list(self._rbd.RBD().list(ioctx))

    def exists(self, name: str) -> bool:
        """Whether there is a whole image of that name."""
        try:
            with self.reading(name):
                return True
        except ImageMissing:
            return False

    def reading(
        self, name: str | None, *, id: str | None = None, snapshot: str | None = None
    ) -> Image:
        """A context with an image to look at; nobody else is disturbed by that."""
        return Image(self, name, id, snapshot, read_only=True)

    def writing(self, name: str | None, *, id: str | None = None) -> Image:
        """A context with an image to be changed, which is opened when it is first used.

        Until it is closed it counts as in use, and a killed process's is for another half a
        minute.
        """
        return Image(self, name, id, None, read_only=False)

    # ---- images --------------------------------------------------------------------------------

    def create(self, name: str, size: int, shape: Shape) -> None:
        """An empty image of ``size`` bytes."""
        with self.changing(f"{name} could not be created") as ioctx:
            self._rbd.RBD().create(
                ioctx, name, size, order=shape.order, old_format=False, features=shape.features
            )

    def clone(self, source: Images, parent: str, snapshot: str, name: str, shape: Shape) -> None:
        """An image on top of a protected snapshot, which may be in another pool."""
        action = f"{name} could not be cloned of {source.pool}/{parent}@{snapshot}"
        with source.looking(action) as there, self.changing(action) as ioctx:
            self._rbd.RBD().clone(
                there, parent, snapshot, ioctx, name, features=shape.features, order=shape.order
            )

    def rename(self, name: str, new_name: str) -> None:
        with self.changing(f"{name} could not be renamed to {new_name}") as ioctx:
            self._rbd.RBD().rename(ioctx, name, new_name)

    def remove(self, name: str, size: int = 0) -> None:
        """Remove an image, a half-made or half-removed one too; ``size`` is for the progress."""

        def remove() -> None:
            call = LongCall(size)
            with self.changing(f"{name} could not be removed") as ioctx, call.passing():
                self._rbd.RBD().remove(ioctx, name, on_progress=call)

        consumers.outlasting(self, name, remove)

    # ---- the trash -----------------------------------------------------------------------------

    def trash_move(self, name: str, delay: int) -> None:
        """Put an image into the trash for at least ``delay`` seconds."""

        def move() -> None:
            with self.changing(f"{name} could not be moved to the trash") as ioctx:
                self._rbd.RBD().trash_move(ioctx, name, delay)

        consumers.outlasting(self, name, move)

    def trash_remove(self, id: str) -> None:
        """Remove an image that is in the trash.  Raises ``NotAllowed`` if it is too early."""
        call = LongCall(0)
        action = f"image {id} could not be removed from the trash"
        with self.changing(action) as ioctx, call.passing():
            self._rbd.RBD().trash_remove(ioctx, id, force=False, on_progress=call)

    def trash(self) -> list[TrashEntry]:
        """What is in the trash because somebody deleted it."""
        with self.looking("the trash could not be listed") as ioctx:
            return [
                TrashEntry(one["id"], one["name"], one["deferment_end_time"])
                for one in self._rbd.RBD().trash_list(ioctx)
                if one["source"] == "USER"
            ]

    # ---- notes of the pool ---------------------------------------------------------------------

    def notes(self, prefix: str) -> dict[str, str]:
        """The pool's metadata whose keys begin so."""
        with self.looking("the pool's metadata could not be read") as ioctx:
            found = self._rbd.RBD().pool_metadata_list(ioctx)
            return {key: value for key, value in found if key.startswith(prefix)}

    def note(self, key: str) -> str | None:
        """One of the pool's metadata."""
        with self.looking("the pool's metadata could not be read") as ioctx:
            try:
                return str(self._rbd.RBD().pool_metadata_get(ioctx, key))
            except KeyError:
                return None

    def write_note(self, key: str, value: str) -> None:
        with self.changing("the pool's metadata could not be written") as ioctx:
            self._rbd.RBD().pool_metadata_set(ioctx, key, value)

    def remove_note(self, key: str) -> None:
        """Absent is success."""
        with self.changing("the pool's metadata could not be removed") as ioctx:
            try:
                self._rbd.RBD().pool_metadata_remove(ioctx, key)
            except KeyError:
                return

    # ---- the pool ------------------------------------------------------------------------------

    def provisioned(self) -> int:
        """Bytes of all images by their sizes."""
        with self.looking("the images could not be summed up") as ioctx:
            return int(self._rbd.RBD().pool_stats_get(ioctx)["image_provisioned_bytes"])

    def default_features(self) -> int:
        """The feature bits of new images by Ceph's configuration; layering if it has none."""
        with self.cluster.client("the default features could not be read") as client:
            return self.cluster.bindings.feature_bits(client.conf_get("rbd_default_features"))

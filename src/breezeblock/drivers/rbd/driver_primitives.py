"""The driver's small methods that tools of the field call by name; each is a door to a module."""

from __future__ import annotations

import os
from typing import Any

from breezeblock.domain.resources import Volume
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.ancestry import Ancestry
from breezeblock.drivers.rbd.bindings import Bindings
from breezeblock.drivers.rbd.creation import Creation, Origin
from breezeblock.drivers.rbd.errors import translating
from breezeblock.drivers.rbd.features import Features
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.location import ImageLocation
from breezeblock.drivers.rbd.monitors import Monitors
from breezeblock.drivers.rbd.removal import Removal
from breezeblock.drivers.rbd.settings import RbdDriverConfiguration
from breezeblock.drivers.rbd.site import Site

_GIB = 1024**3
#: What is known of the parent of an image: pool, image and snapshot.
_ParentNames = tuple[str | None, str | None, str | None]


class DriverPrimitives:
    """See the module."""

    _options: RbdDriverConfiguration
    _monitors: Monitors

    @property
    def site(self) -> Site:
        raise NotImplementedError

    @property
    def bindings(self) -> Bindings:
        raise NotImplementedError

    # ---- the cluster ---------------------------------------------------------------------------

    def RBDProxy(self) -> Any:
        """librbd's entry object: create, clone, rename, remove, list, trash."""
        return self.bindings.rbd.RBD()

    def _supports_layering(self) -> bool:
        """Whether this librbd can clone."""
        return hasattr(self.bindings.rbd, "RBD_FEATURE_LAYERING")

    def _ceph_args(self) -> list[str]:
        """Arguments that tell Ceph's programs the user and the configuration, where set."""
        found: list[str] = []
        if self._options.rbd_user:
            found += ["--id", self._options.rbd_user]
        if self._options.rbd_ceph_conf:
            found += ["--conf", self._options.rbd_ceph_conf]
        return found

    def _connect_to_rados(
        self, pool: str | None = None, remote: Any = None, timeout: int | None = None
    ) -> tuple[Any, Any]:
        """A connection and a pool that belong to the caller; the client is shut down on failure.

        ``remote``, a replication target, is for a later release.
        """
        cluster = self.site.cluster
        name = pool or self.site.images.pool
        client = cluster.opened(timeout)
        try:
            with translating(self.bindings, f"pool {name} could not be opened"):
                return client, client.open_ioctx(name)
        except BaseException:
            client.shutdown()
            raise

    def _disconnect_from_rados(self, client: Any, ioctx: Any) -> None:
        """Close the pool and the connection."""
        ioctx.close()
        client.shutdown()

    def _get_fsid(self) -> str:
        return self.site.cluster.fsid()

    def _get_mon_addrs(self) -> tuple[list[str], list[str]]:
        """Hosts and ports of the monitors."""
        return self._monitors.addresses()

    def _ensure_tmp_exists(self) -> None:
        """Create ``volume_tmp_dir``, if it is set."""
        if self._options.volume_tmp_dir:
            os.makedirs(self._options.volume_tmp_dir, mode=0o700, exist_ok=True)

    def _parse_location(self, location: str | None) -> tuple[str, str, str, str]:
        """fsid, pool, image and snapshot of ``rbd://...``.  Raises ``UnusableLocation``."""
        found = ImageLocation.parse(location)
        return found.fsid, found.pool, found.image, found.snapshot

    # ---- images --------------------------------------------------------------------------------

    def _flatten(self, pool: str, volume_name: str) -> None:
        """Make an image independent of its parent."""
        with Images(self.site.cluster, pool).writing(volume_name) as image:
            self.site.flatten(image)

    def _clone(self, volume: Volume, src_pool: str, src_image: str, src_snap: str) -> None:
        """Make the volume a clone of a protected snapshot; it has its size then."""
        origin = Origin(Images(self.site.cluster, src_pool), src_image, src_snap)
        features = Features(self.site).of_new(volume)
        Creation(self.site).clone(volume.name, 0, features, origin, flatten=False)

    def _resize(self, volume: Volume, **kwargs: int) -> None:
        """Give the image ``size`` bytes, else the volume's size."""
        with self.site.images.writing(volume.name) as image:
            image.resize(kwargs.get("size") or volume.size * _GIB)

    # ---- backups' snapshots --------------------------------------------------------------------

    def _get_backup_snaps(self, rbd_image: Any) -> list[dict[str, Any]]:
        """The snapshots of an opened ``rbd.Image`` that backups were read from."""
        return [
            snap for snap in rbd_image.list_snaps() if names.BACKUP_SNAPSHOT.fullmatch(snap["name"])
        ]

    def _delete_backup_snaps(self, client: Any, volume_name: str) -> None:
        """Remove them."""
        with self.site.images.writing(volume_name) as image:
            for one in image.snapshots():
                if names.BACKUP_SNAPSHOT.fullmatch(one.name):
                    Ancestry(self.site.images).drop(image, one.name)

    # ---- clones --------------------------------------------------------------------------------

    def _get_clone_depth(self, client: Any, volume_name: str, depth: int = 0) -> int:
        """How many images it hangs on, ``depth`` added.  Raises if that is too deep."""
        with self.site.images.reading(volume_name) as image:
            found = depth + Ancestry(self.site.images).depth(image)
        limit = self._options.rbd_max_clone_depth
        if found > limit:
            raise VolumeBackendError(
                reason=f"{volume_name} hangs on {found} images, more than the {limit} of "
                "rbd_max_clone_depth. Flatten it (`rbd flatten`)"
            )
        return found

    def _get_clone_info(
        self, volume: Any, volume_name: str, snap: str | None = None
    ) -> _ParentNames:
        """Pool, image and snapshot that an opened ``rbd.Image`` is a clone of.

        Three times None unless the snapshot was made for ``volume_name``, be that deleted or not.
        """
        wanted = names.clone_snapshot(names.undeleted(volume_name))
        try:
            if snap:
                volume.set_snap(snap)
            pool, parent, parent_snap = volume.parent_info()
        except self.bindings.rbd.ImageNotFound:
            return None, None, None
        finally:
            if snap:
                volume.set_snap(None)
        return (pool, parent, parent_snap) if parent_snap == wanted else (None, None, None)

    def _delete_clone_parent_refs(self, client: Any, parent_name: str, parent_snap: str) -> None:
        """Remove a clone's snapshot, and upwards what lived on for it alone."""
        with self.site.images.reading(parent_name) as parent:
            references = ((parent.id, parent_snap),)
        Removal(self.site).settle(f"above {parent_name}", references)

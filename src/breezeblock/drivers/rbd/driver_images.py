"""The part of the driver that moves bytes in and out: images, backups, copies on this host."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from breezeblock.domain.resources import Volume
from breezeblock.drivers.abilities import Backup
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.image_copy import BackupService, ImageService
from breezeblock.drivers.initiator import AttachedDevice
from breezeblock.drivers.local_attach import LocalAttach
from breezeblock.drivers.rbd.creation import Creation, Origin
from breezeblock.drivers.rbd.errors import RbdError, UnusableLocation, WrongArgument
from breezeblock.drivers.rbd.features import Features
from breezeblock.drivers.rbd.image import Image
from breezeblock.drivers.rbd.image_io import RBDImageIOWrapper, RBDImageMetadata
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.location import ImageLocation, urls
from breezeblock.drivers.rbd.site import Site
from breezeblock.targets.interface import ModelUpdate

LOG = logging.getLogger(__name__)

_GIB = 1024**3
#: Bytes that are read or written at a time.
_CHUNK = 8 * 1024**2
NO_KEY_MANAGER = "encrypted volumes need a key manager, which this release has not"


class _SparseWriter(RBDImageIOWrapper):
    """Leaves out what is all zeros: it takes no room then."""

    def write(self, data: Any) -> int:
        data = bytes(data)
        if data.strip(b"\0"):
            return super().write(data)
        self.rbd_image.write_zeroes(self.tell(), len(data))
        self._inc_offset(len(data))
        return len(data)


class DriverImages(LocalAttach):
    """See ``interface.CloneableImageVD`` and ``image_copy``."""

    @property
    def site(self) -> Site:
        raise NotImplementedError

    # ---- bytes on this host --------------------------------------------------------------------

    @contextmanager
    def attached(
        self, context: object, volume: Volume, *, remote: bool = False
    ) -> Iterator[AttachedDevice]:
        """A volume of this cluster is reached by librbd itself: its path is a file-like object."""
        if remote:
            with super().attached(context, volume, remote=True) as device:
                yield device
            return
        with self._opened(volume.name) as image:
            yield AttachedDevice(
                connection={
                    "driver_volume_type": "rbd",
                    "data": {"name": f"{self.site.images.pool}/{volume.name}"},
                },
                device={"type": "file", "path": RBDImageIOWrapper(self._metadata(image))},
                connector=None,
            )

    @contextmanager
    def _opened(self, name: str) -> Iterator[Image]:
        with self.site.images.writing(name) as image:
            with self.site.expecting(name):
                image.open()
            yield image

    def _metadata(self, image: Image) -> RBDImageMetadata:
        options = self.site.options
        return RBDImageMetadata(image, options.rbd_pool, options.rbd_user, options.rbd_ceph_conf)

    # ---- images --------------------------------------------------------------------------------

    def clone_image(
        self,
        context: object,
        volume: Volume,
        image_location: object,
        image_meta: Mapping[str, Any],
        image_service: ImageService,
    ) -> tuple[ModelUpdate | None, bool]:
        """Make the volume a clone of an image that is stored, raw, in the same cluster."""
        if volume.encrypted:
            return {}, False
        for url in urls(image_location):
            if self._is_cloneable(url, image_meta) and self._cloned(volume, url):
                remembered = Features(self.site).remembered(volume)
                return remembered or {"provider_location": None}, True
        return {}, False

    def _cloned(self, volume: Volume, url: str) -> bool:
        found = ImageLocation.parse(url)
        origin = Origin(Images(self.site.cluster, found.pool), found.image, found.snapshot)
        features = Features(self.site).of_new(volume)
        try:
            Creation(self.site).clone(
                volume.name, volume.size * _GIB, features, origin, flatten=False
            )
        except WrongArgument as failure:
            # Its snapshot is not protected, say.
            LOG.warning("%s is copied instead: %s", url, failure)
            return False
        return True

    def _is_cloneable(self, image_location: str | None, image_meta: Mapping[str, Any]) -> bool:
        """Whether it is a raw image in this cluster that this user can read."""
        try:
            found = ImageLocation.parse(image_location)
        except UnusableLocation as failure:
            LOG.debug("%s", failure)
            return False
        if found.fsid != self.site.cluster.fsid() or image_meta.get("disk_format") != "raw":
            return False
        try:
            images = Images(self.site.cluster, found.pool)
            with images.reading(found.image, snapshot=found.snapshot):
                return True
        except RbdError as failure:
            LOG.debug("%s", failure)
            return False

    def copy_image_to_volume(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        """Write the image's bytes to the volume, of which zeros take no room."""
        meta = image_service.show(context, image_id)
        if meta.get("disk_format") != "raw":
            raise VolumeBackendError(
                reason=f"image {image_id} has the disk format {meta.get('disk_format')}; only raw "
                "images can be written to a volume. Convert it"
            )
        if int(meta.get("size") or 0) > volume.size * _GIB:
            raise VolumeBackendError(
                reason=f"image {image_id} has {meta['size']} bytes, more than the volume's "
                f"{volume.size} GiB. Make a larger volume"
            )
        kind = RBDImageIOWrapper if disable_sparse else _SparseWriter
        with (
            self._opened(volume.name) as image,
            io.BufferedWriter(kind(self._metadata(image)), _CHUNK) as data,
        ):
            image_service.download(context, image_id, data)

    def copy_image_to_encrypted_volume(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        raise VolumeBackendError(reason=NO_KEY_MANAGER)

    def copy_volume_to_image(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_meta: Mapping[str, Any],
    ) -> None:
        """Store the volume's bytes as the image ``image_meta["id"]``."""
        with self._read(volume.name) as data:
            image_service.update(context, str(image_meta["id"]), image_meta, data)

    @contextmanager
    def _read(self, name: str) -> Iterator[io.BufferedReader]:
        """The bytes of a volume, without a claim on it."""
        with self.site.expecting(name), self.site.images.reading(name) as image:
            yield io.BufferedReader(RBDImageIOWrapper(self._metadata(image)), _CHUNK)

    # ---- backups -------------------------------------------------------------------------------

    def backup_volume(
        self, context: object, backup: Backup, backup_service: BackupService
    ) -> Mapping[str, Any] | None:
        """Feed the volume's bytes to a backup repository; what to remember of the backup."""
        with self.attached(context, backup.volume) as device:
            return backup_service.backup(backup, device.path)

    def restore_backup(
        self, context: object, backup: Backup, volume: Volume, backup_service: BackupService
    ) -> None:
        """Have a backup repository write its bytes into the volume."""
        with self.attached(context, volume) as device:
            backup_service.restore(backup, volume.id, device.path)
            device.path.flush()

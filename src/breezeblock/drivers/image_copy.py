"""How images and backups reach a volume and leave it: through its device on this host."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from breezeblock.domain.resources import Volume
from breezeblock.drivers.abilities import Backup
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.initiator import AttachedDevice
from breezeblock.targets.interface import ModelUpdate


class ImageService(Protocol):
    """The image service as a driver sees it."""

    def show(self, context: object, image_id: str) -> Mapping[str, Any]:
        """The image's record: ``disk_format``, ``container_format``, ``size``, ..."""

    def download(self, context: object, image_id: str, data: BinaryIO) -> None:
        """Write the image's bytes into ``data``."""

    def update(
        self, context: object, image_id: str, image_meta: Mapping[str, Any], data: BinaryIO
    ) -> None:
        """Store ``data`` as the image's bytes."""


class BackupService(Protocol):
    """A backup repository as a driver sees it."""

    def backup(self, backup: Backup, volume_file: BinaryIO) -> Mapping[str, Any] | None:
        """Store the bytes of ``volume_file``."""

    def restore(self, backup: Backup, volume_id: str, volume_file: BinaryIO) -> None:
        """Write the backup's bytes into ``volume_file``."""


class ImageCopy:
    """The part of a driver that moves whole volumes through files of this host."""

    if TYPE_CHECKING:
        # What the rest of the driver brings.
        def attached(
            self, context: object, volume: Volume
        ) -> AbstractContextManager[AttachedDevice]: ...

    def clone_image(
        self,
        context: object,
        volume: Volume,
        image_location: object,
        image_meta: Mapping[str, Any],
        image_service: ImageService,
    ) -> tuple[ModelUpdate | None, bool]:
        """Make the volume of an image without copying, if the image lies on this backend.

        Returns what to remember and whether it was done.
        """
        return None, False

    def copy_image_to_volume(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        """Write the image's bytes to the volume.  Raises ``VolumeBackendError``."""
        self._copy_image_data_to_volume(context, volume, image_service, image_id)

    def copy_image_to_encrypted_volume(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_id: str,
        disable_sparse: bool = False,
    ) -> None:
        """The same through the volume's encryption."""
        self._copy_image_data_to_volume(context, volume, image_service, image_id, encrypted=True)

    def _copy_image_data_to_volume(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_id: str,
        *,
        encrypted: bool = False,
    ) -> None:
        if encrypted:
            raise VolumeBackendError(
                reason="encrypted volumes need a key manager, which this release has not"
            )
        disk_format = image_service.show(context, image_id).get("disk_format")
        if disk_format != "raw":
            raise VolumeBackendError(
                reason=f"image {image_id} has the disk format {disk_format}; only raw images "
                "can be written to a volume. Convert it"
            )
        with self.attached(context, volume) as device, open(device.path, "r+b") as data:
            image_service.download(context, image_id, data)
            data.flush()

    def copy_volume_to_image(
        self,
        context: object,
        volume: Volume,
        image_service: ImageService,
        image_meta: Mapping[str, Any],
    ) -> None:
        """Store the volume's bytes as the image ``image_meta["id"]``."""
        with self.attached(context, volume) as device, open(device.path, "rb") as data:
            image_service.update(context, str(image_meta["id"]), image_meta, data)

    def backup_volume(
        self, context: object, backup: Backup, backup_service: BackupService
    ) -> Mapping[str, Any] | None:
        """Feed the volume's bytes to a backup repository; what to remember of the backup."""
        with self.attached(context, backup.volume) as device, open(device.path, "rb") as data:
            return backup_service.backup(backup, data)

    def restore_backup(
        self, context: object, backup: Backup, volume: Volume, backup_service: BackupService
    ) -> None:
        """Have a backup repository write its bytes into the volume."""
        with self.attached(context, volume) as device, open(device.path, "r+b") as data:
            backup_service.restore(backup, volume.id, data)
            data.flush()

    def clear_download(self, context: object, volume: Volume) -> None:
        """Remove what an interrupted image copy left behind."""

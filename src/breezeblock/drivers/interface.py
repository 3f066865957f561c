"""The contract between the service and a storage driver.

Names, arguments and answers are those that driver authors of the field know.  What differs: a
driver is a library.  It gets its options, its host name and an executor in the constructor, and
plain frozen records in every call; it returns what the service shall remember.  It has no
database, no global options and no threads of its own, and two drivers never share state.

A driver derives from ``VolumeDriver`` and overrides what its backend can do; the abilities the
service looks for are in ``abilities``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.abilities import (
    ExtendInUse,
    ListsOwnObjects,
    RevertToSnapshot,
    placeholder,
)
from breezeblock.drivers.base import BaseVD
from breezeblock.drivers.image_copy import ImageService
from breezeblock.drivers.optional import Host, OptionalConsistencyGroups
from breezeblock.drivers.settings import DriverConfiguration
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate

__all__ = [
    "BaseVD",
    "CloneableImageVD",
    "ConnectionInfo",
    "Connector",
    "DriverConfiguration",
    "ExtendInUse",
    "ListsOwnObjects",
    "ManageableSnapshotsVD",
    "ManageableVD",
    "MigrateVD",
    "ModelUpdate",
    "ProxyVD",
    "RevertToSnapshot",
    "VolumeDriver",
]

#: One row of a listing of what could be managed: ``reference``, ``size`` (GiB),
#: ``safe_to_manage``, ``reason_not_safe``, ``cinder_id``, ``extra_info``, and for snapshots
#: ``source_reference``.
Manageable = dict[str, Any]


class CloneableImageVD(ABC):
    """A backend that may hold images itself and make volumes of them at once."""

    @abstractmethod
    def clone_image(
        self,
        context: object,
        volume: Volume,
        image_location: object,
        image_meta: Mapping[str, Any],
        image_service: ImageService,
    ) -> tuple[ModelUpdate | None, bool]:
        """What to remember of the volume, and whether it was made of the image."""
        return None, False


class MigrateVD(ABC):
    """A backend that moves volumes between its pools by itself."""

    @abstractmethod
    def migrate_volume(
        self, context: object, volume: Volume, host: Host
    ) -> tuple[bool, ModelUpdate | None]:
        """Whether the volume is now on ``host``, and what to remember of it."""
        return False, None


class ManageableVD(ABC):
    """A backend whose existing volumes can be taken over."""

    @abstractmethod
    def manage_existing(self, volume: Volume, existing_ref: Any) -> ModelUpdate | None:
        """Take over what the backend has under ``existing_ref`` as ``volume``.

        Raises ``ManageExistingInvalidReference``, ``ManageExistingAlreadyManaged`` or
        ``ManageExistingVolumeTypeMismatch``.
        """

    @abstractmethod
    def manage_existing_get_size(self, volume: Volume, existing_ref: Any) -> int:
        """Its size in GiB, rounded up.  Raises ``ManageExistingInvalidReference``."""

    def get_manageable_volumes(
        self,
        cinder_volumes: Sequence[Volume],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Manageable]:
        """What could be taken over, and what is ours already (``cinder_volumes``)."""
        return []

    @abstractmethod
    def unmanage(self, volume: Volume) -> None:
        """Let go of the volume; its bytes stay."""


class ManageableSnapshotsVD(ABC):  # noqa: B024 - a backend may have any of these
    """A backend whose existing snapshots can be taken over."""

    def manage_existing_snapshot(self, snapshot: Snapshot, existing_ref: Any) -> ModelUpdate | None:
        """Take over what the backend has under ``existing_ref`` as ``snapshot``."""
        return None

    def manage_existing_snapshot_get_size(
        self, snapshot: Snapshot, existing_ref: Any
    ) -> int | None:
        """Its size in GiB, rounded up."""
        return None

    def get_manageable_snapshots(
        self,
        cinder_snapshots: Sequence[Snapshot],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Manageable]:
        """What could be taken over, and what is ours already (``cinder_snapshots``)."""
        return []

    def unmanage_snapshot(self, snapshot: Snapshot) -> None:
        """Let go of the snapshot; its bytes stay."""
        return


class VolumeDriver(
    BaseVD,
    CloneableImageVD,
    MigrateVD,
    ManageableVD,
    ManageableSnapshotsVD,
    OptionalConsistencyGroups,
):
    """The whole contract; whatever a driver does not override raises ``NotImplementedError``."""

    # ---- what every driver has to bring ------------------------------------------------------

    @placeholder
    def check_for_setup_error(self) -> None:
        raise NotImplementedError

    @placeholder
    def _collect_stats(self) -> dict[str, Any]:
        raise NotImplementedError

    @placeholder
    def create_volume(self, volume: Volume) -> ModelUpdate | None:
        raise NotImplementedError

    @placeholder
    def delete_volume(self, volume: Volume) -> None:
        raise NotImplementedError

    @placeholder
    def create_snapshot(self, snapshot: Snapshot) -> ModelUpdate | None:
        """Keep the volume's bytes as they are at one point in time, also while it is in use."""
        raise NotImplementedError

    @placeholder
    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Remove it; absent is success.  Raises ``SnapshotIsBusy``."""
        raise NotImplementedError

    @placeholder
    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> ModelUpdate | None:
        """Make a volume with the snapshot's bytes; it may be larger, the rest reads as zeros."""
        raise NotImplementedError

    @placeholder
    def local_path(self, volume: Volume) -> str:
        """Where this host reads and writes the volume's bytes."""
        raise NotImplementedError

    @placeholder
    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        raise NotImplementedError

    @placeholder
    def create_export(
        self, context: object, volume: Volume, connector: Connector | None
    ) -> ModelUpdate | None:
        raise NotImplementedError

    @placeholder
    def remove_export(self, context: object, volume: Volume) -> None:
        raise NotImplementedError

    @placeholder
    def remove_export_snapshot(self, context: object, snapshot: Snapshot) -> None:
        raise NotImplementedError

    @placeholder
    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        raise NotImplementedError

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool | None:
        return None

    def initialize_connection_snapshot(
        self, snapshot: Snapshot, connector: Connector, **kwargs: Any
    ) -> Any:
        return None

    # ---- what not every driver brings ----------------------------------------------------------

    @placeholder
    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        """See ``abilities.RevertToSnapshot``; without it the service copies."""
        raise NotImplementedError

    @placeholder
    def manage_existing(self, volume: Volume, existing_ref: Any) -> ModelUpdate | None:
        raise NotImplementedError

    @placeholder
    def manage_existing_get_size(self, volume: Volume, existing_ref: Any) -> int:
        raise NotImplementedError

    @placeholder
    def get_manageable_volumes(
        self,
        cinder_volumes: Sequence[Volume],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Manageable]:
        raise NotImplementedError

    def unmanage(self, volume: Volume) -> None:
        return

    @placeholder
    def manage_existing_snapshot(self, snapshot: Snapshot, existing_ref: Any) -> ModelUpdate | None:
        raise NotImplementedError

    @placeholder
    def manage_existing_snapshot_get_size(
        self, snapshot: Snapshot, existing_ref: Any
    ) -> int | None:
        raise NotImplementedError

    @placeholder
    def get_manageable_snapshots(
        self,
        cinder_snapshots: Sequence[Snapshot],
        marker: Any,
        limit: int,
        offset: int,
        sort_keys: Sequence[str],
        sort_dirs: Sequence[str],
    ) -> list[Manageable]:
        raise NotImplementedError

    def retype(
        self,
        context: object,
        volume: Volume,
        new_type: Any,
        diff: dict[str, Any],
        host: Host,
    ) -> bool | tuple[bool, ModelUpdate | None]:
        return False, None

    def migrate_volume(
        self, context: object, volume: Volume, host: Host
    ) -> tuple[bool, ModelUpdate | None]:
        return False, None

    def clone_image(
        self,
        context: object,
        volume: Volume,
        image_location: object,
        image_meta: Mapping[str, Any],
        image_service: ImageService,
    ) -> tuple[ModelUpdate | None, bool]:
        return None, False


class ProxyVD:
    """A mark: this driver stands before another one, ``driver``."""

"""Short-lived snapshots and clones that a backup reads instead of a volume in use.

The records made here are plain ones with ids derived from the backup's, so a backup that is
begun again after a crash finds what it made before, and the service knows what to remove.
"""

from __future__ import annotations

import dataclasses
import logging
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.abilities import Backup
from breezeblock.drivers.settings import DriverConfiguration
from breezeblock.targets.interface import ModelUpdate

LOG = logging.getLogger(__name__)

_Record = TypeVar("_Record", Volume, Snapshot)
_REMEMBERED = ("provider_id", "provider_location", "provider_auth")
_NAMESPACE = uuid.UUID("0c3f7f3e-5d0a-4c9e-9b1d-8f4a5f1e6a02")


class TemporaryCopies:
    """The part of a driver that makes them."""

    configuration: DriverConfiguration

    if TYPE_CHECKING:
        # What the rest of the driver brings.
        def create_snapshot(self, snapshot: Snapshot) -> ModelUpdate | None: ...
        def delete_snapshot(self, snapshot: Snapshot) -> None: ...
        def delete_volume(self, volume: Volume) -> None: ...
        def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate | None: ...
        def create_volume_from_snapshot(
            self, volume: Volume, snapshot: Snapshot
        ) -> ModelUpdate | None: ...

    def backup_use_temp_snapshot(self) -> bool:
        """Whether a volume in use is backed up through a snapshot rather than a clone."""
        return self.configuration.backup_use_temp_snapshot

    def get_backup_device(self, context: object, backup: Backup) -> tuple[Volume | Snapshot, bool]:
        """What a backup shall read, and whether that is a snapshot.

        The volume itself while nobody uses it; else a snapshot or a clone made for the backup,
        whose record (``consumes_quota`` False) the service removes afterwards.
        """
        if self.backup_use_temp_snapshot():
            return self._get_backup_volume_temp_snapshot(context, backup)
        return self._get_backup_volume_temp_volume(context, backup), False

    def _get_backup_volume_temp_volume(self, context: object, backup: Backup) -> Volume:
        options = {"id": str(uuid.uuid5(_NAMESPACE, f"{backup.id}/volume"))}
        if backup.snapshot is not None:
            return self._create_temp_volume_from_snapshot(
                context, backup.volume, backup.snapshot, options
            )
        if backup.previous_status == "in-use":
            return self._create_temp_cloned_volume(context, backup.volume, options)
        return backup.volume

    def _get_backup_volume_temp_snapshot(
        self, context: object, backup: Backup
    ) -> tuple[Volume | Snapshot, bool]:
        if backup.snapshot is not None:
            return backup.snapshot, True
        if backup.previous_status == "in-use":
            snapshot_id = str(uuid.uuid5(_NAMESPACE, f"{backup.id}/snapshot"))
            return self._create_temp_snapshot(context, backup.volume, snapshot_id), True
        return backup.volume, False

    def _create_temp_snapshot(
        self, context: object, volume: Volume, snapshot_id: str | None = None
    ) -> Snapshot:
        """A snapshot named ``backup-snap-<volume id>``; removed again if making it fails."""
        snapshot = Snapshot(
            id=snapshot_id or str(uuid.uuid4()),
            volume_id=volume.id,
            volume_name_id=volume.name_id,
            project_id=volume.project_id,
            user_id=volume.user_id,
            volume_size=volume.size,
            status="creating",
            display_name=f"backup-snap-{volume.id}",
            volume_type_id=volume.volume_type_id,
            host=volume.host,
            consumes_quota=False,
            encryption_key_id=volume.encryption_key_id,
        )
        return self._make(snapshot, self.create_snapshot, self.delete_snapshot)

    def _create_temp_volume(
        self, context: object, volume: Volume, volume_options: Mapping[str, Any] | None = None
    ) -> Volume:
        """The record of a volume like ``volume``, named ``backup-vol-<volume id>``."""
        return dataclasses.replace(
            volume,
            **{
                "id": str(uuid.uuid4()),
                "name_id": None,
                "display_name": f"backup-vol-{volume.id}",
                "status": "creating",
                "attach_status": "detached",
                "previous_status": None,
                "migration_status": None,
                "multiattach": False,
                "consumes_quota": False,
                "source_volid": volume.id,
                "snapshot_id": None,
                **dict.fromkeys(_REMEMBERED),
                "admin_metadata": {"temporary": "True"},
                **(volume_options or {}),
            },
        )

    def _create_temp_cloned_volume(
        self, context: object, volume: Volume, volume_options: Mapping[str, Any] | None = None
    ) -> Volume:
        """A clone of ``volume``; removed again if making it fails."""
        clone = self._create_temp_volume(context, volume, volume_options)
        return self._make(
            clone, lambda made: self.create_cloned_volume(made, volume), self.delete_volume
        )

    def _create_temp_volume_from_snapshot(
        self,
        context: object,
        volume: Volume,
        snapshot: Snapshot,
        volume_options: Mapping[str, Any] | None = None,
    ) -> Volume:
        """A volume with the snapshot's bytes; removed again if making it fails."""
        options = {
            "size": snapshot.volume_size,
            "source_volid": None,
            "snapshot_id": snapshot.id,
            **(volume_options or {}),
        }
        made = self._create_temp_volume(context, volume, options)
        return self._make(
            made,
            lambda record: self.create_volume_from_snapshot(record, snapshot),
            self.delete_volume,
        )

    def _make(
        self,
        record: _Record,
        create: Callable[[_Record], ModelUpdate | None],
        delete: Callable[[_Record], None],
    ) -> _Record:
        try:
            update = create(record)
        except Exception:
            try:
                delete(record)
            except Exception as failure:
                LOG.warning("the temporary %s may be left behind: %s", record.name, failure)
            raise
        fields: dict[str, Any] = {k: v for k, v in (update or {}).items() if k in _REMEMBERED}
        return dataclasses.replace(record, status="available", **fields)

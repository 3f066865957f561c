"""The embedded backend: a directory of sparse raw files, offered by iSCSI.

A snapshot or clone is a file of its own.  Where the file system shares blocks (XFS, btrfs) it
is made at once and atomically, whatever is written meanwhile.

Elsewhere (ext4) the bytes are copied, and the volume may be written while they are.  A copy that
was overtaken by a write is no image of any instant, so:

1. the data is copied while consumers go on;
2. if the file did not change meanwhile, that was the instant: done;
3. otherwise the copy is made equal once more, still with consumers going on.  It shows how long
   such a pass takes; longer than ``file_snapshot_pause_limit`` and the request is refused;
4. the consumers are paused (``Target.paused``: nothing in flight, nobody has the file open), the
   last differences are copied, the consumers go on.

Nothing an initiator was told is written can be missing, and no initiator sees an error.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers import extents
from breezeblock.drivers.errors import (
    BackendMisconfigured,
    VolumeBackendError,
    VolumeIsBusy,
    VolumeIsMissing,
)
from breezeblock.drivers.file_store import FileStore
from breezeblock.drivers.interface import (
    ConnectionInfo,
    Connector,
    DriverConfiguration,
    ExtendInUse,
    ListsOwnObjects,
    ModelUpdate,
    RevertToSnapshot,
    VolumeDriver,
)
from breezeblock.execution.command import Execute, run
from breezeblock.targets.interface import Target, TargetConfiguration
from breezeblock.targets.registry import create_target

LOG = logging.getLogger(__name__)

_GIB = 1024**3
#: How long to wait, in seconds, until a file's time stamp tells of every later write.
_SETTLE_SECONDS = 0.3


class FileConfiguration(DriverConfiguration, TargetConfiguration, Protocol):
    """The options of this driver."""

    @property
    def file_volumes_directory(self) -> str: ...
    @property
    def file_snapshot_pause_limit(self) -> int: ...
    @property
    def volume_clear(self) -> str: ...
    @property
    def volume_clear_size(self) -> int: ...


class FileDriver(VolumeDriver, RevertToSnapshot, ExtendInUse, ListsOwnObjects):
    """See the module."""

    VERSION = "1.0.0"

    def __init__(
        self,
        execute: Execute = run,
        *,
        configuration: FileConfiguration,
        host: str,
        target: Target | None = None,
        **kwargs: Any,
    ) -> None:
        """``target`` replaces the one that ``target_helper`` names."""
        super().__init__(execute, configuration=configuration, host=host, **kwargs)
        self._options = configuration
        self._target = target or create_target(configuration)
        self._store = FileStore(Path(configuration.file_volumes_directory), self.backend_name)
        # None: not tried yet on this file system.
        self._can_clone: bool | None = None

    # ---- life ------------------------------------------------------------------------------

    def do_setup(self, context: object) -> None:
        self._store.prepare()

    def check_for_setup_error(self) -> None:
        self._store.prepare()
        if not os.access(self._store.directory, os.R_OK | os.W_OK | os.X_OK):
            raise BackendMisconfigured(
                backend=self.backend_name,
                reason=f"{self._store.directory} may not be written by the service's user",
            )
        self._target.check_for_setup_error()

    def recover(self, unfinished: Collection[str] = ()) -> None:
        removed = self._store.recover(unfinished)
        if removed:
            LOG.info("%s: %d files of interrupted calls removed", self.backend_name, removed)
        self._target.restore()

    def _collect_stats(self) -> dict[str, Any]:
        # The place that is visited regularly: a daemon that died is brought back here.
        self._target.restore()
        space = os.statvfs(self._store.directory)
        provisioned = self._store.provisioned_bytes()
        volumes, _ = self._store.counts()
        pool = {
            "pool_name": self.backend_name,
            "total_capacity_gb": _gib(space.f_blocks * space.f_frsize),
            "free_capacity_gb": _gib(space.f_bavail * space.f_frsize),
            "provisioned_capacity_gb": _gib(provisioned),
            "reserved_percentage": self._options.reserved_percentage,
            "max_over_subscription_ratio": self._options.max_over_subscription_ratio,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "QoS_support": False,
            "multiattach": True,
            "online_extend_support": True,
            "total_volumes": volumes,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            "location_info": f"FileDriver:{self.host}:{self._store.directory}",
            "backend_state": "up",
        }
        return {
            "volume_backend_name": self.backend_name,
            "vendor_name": "Breezeblock",
            "driver_version": self.VERSION,
            "storage_protocol": self._target.storage_protocol,
            "shared_targets": False,
            "sparse_copy_volume": True,
            "replication_enabled": False,
            "pools": [pool],
        }

    def get_pool(self, volume: Volume) -> str:
        return self.backend_name

    # ---- volumes -----------------------------------------------------------------------------

    def create_volume(self, volume: Volume) -> None:
        self._guarded(
            lambda: self._store.make(
                volume.name, lambda fd, _: _resize_empty(fd, volume.size * _GIB)
            )
        )
        self._grow(volume.name, volume.size)

    def delete_volume(self, volume: Volume) -> None:
        self._remove(volume.name)

    def create_snapshot(self, snapshot: Snapshot) -> None:
        self._copy(snapshot.volume_name, snapshot.name, snapshot.volume_size)

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        self._remove(snapshot.name)

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        self._copy(snapshot.name, volume.name, volume.size)

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        self._copy(src_vref.name, volume.name, volume.size)

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        self._grow(volume.name, new_size)
        self._target.extend_target(volume, self.local_path(volume))

    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        path = self._existing(volume.name)

        def publish(rename: Callable[[], None]) -> None:
            # Whoever had the old file open would go on with it, so nobody may.
            with self._target.paused(volume.name, str(path)):
                rename()

        def fill(fd: int, checkpoint: Path) -> None:
            self._fill_from(snapshot.name, fd, checkpoint)
            wanted = max(path.stat().st_size, volume.size * _GIB)
            if os.fstat(fd).st_size < wanted:
                os.ftruncate(fd, wanted)

        self._guarded(lambda: self._store.replace(volume.name, fill, publish))

    def local_path(self, volume: Volume) -> str:
        return str(self._store.path(volume.name))

    def list_volume_names(self) -> set[str]:
        return self._store.names("volumes")

    def list_snapshot_names(self) -> set[str]:
        return self._store.names("snapshots")

    # ---- exports -----------------------------------------------------------------------------

    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        return self._target.ensure_export(volume, str(self._existing(volume.name)))

    def create_export(
        self, context: object, volume: Volume, connector: Connector | None
    ) -> ModelUpdate | None:
        return self._target.create_export(volume, str(self._existing(volume.name)))

    def remove_export(self, context: object, volume: Volume) -> None:
        self._target.remove_export(volume)

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        return self._target.initialize_connection(volume, connector)

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool:
        return self._target.terminate_connection(volume, connector, **kwargs)

    def validate_connector(self, connector: Connector) -> None:
        self._target.validate_connector(connector)

    # ---- files -------------------------------------------------------------------------------

    def _existing(self, name: str) -> Path:
        path = self._store.path(name)
        if not path.is_file():
            raise VolumeIsMissing(name=name, backend=self.backend_name)
        return path

    def _grow(self, name: str, size: int) -> None:
        """Make the file at least ``size`` GiB; the new part reads as zeros.  Never shrinks."""
        path = self._existing(name)
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            if os.fstat(fd).st_size < size * _GIB:
                self._guarded(lambda: os.ftruncate(fd, size * _GIB))
                os.fsync(fd)
                self._store.grew(name)
        finally:
            os.close(fd)

    def _remove(self, name: str) -> None:
        """Remove a file.

        The file system never shows a removed file's blocks to another file, so nothing has to
        be overwritten for the next volume's user.  What can still see them is a process that
        has the file open: with ``volume_clear`` other than ``none`` the file is emptied first
        (its first ``volume_clear_size`` MiB, 0 for all of it), which takes no writing either.
        """
        path = self._store.path(name)
        if self._options.volume_clear != "none":
            with suppress(FileNotFoundError):
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    limit = self._options.volume_clear_size * 1024**2
                    size = os.fstat(fd).st_size
                    if 0 < limit < size:
                        extents.punch(fd, 0, limit)
                    else:
                        os.ftruncate(fd, 0)
                finally:
                    os.close(fd)
        self._store.remove(name)

    def _copy(self, source: str, name: str, size: int) -> None:
        def fill(fd: int, checkpoint: Path) -> None:
            self._fill_from(source, fd, checkpoint)
            if os.fstat(fd).st_size < size * _GIB:
                os.ftruncate(fd, size * _GIB)

        self._guarded(lambda: self._store.make(name, fill))

    def _fill_from(self, name: str, copy: int, checkpoint: Path) -> None:
        """Make ``copy`` what the file ``name`` is at one instant of this call."""
        path = self._existing(name)
        source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if self._cloned(source, copy):
                return
            stamp = _settled_stamp(source)
            resumed = extents.resume_copy(source, name, copy, checkpoint)
            if stamp is None or resumed or extents.Stamp.of(source) != stamp:
                self._catch_up(name, path, source, copy)
        finally:
            os.close(source)

    def _cloned(self, source: int, copy: int) -> bool:
        if self._can_clone is not False:
            self._can_clone = extents.clone(source, copy)
        return self._can_clone

    def _catch_up(self, name: str, path: Path, source: int, copy: int) -> None:
        """The source may have been written while it was copied."""
        limit = self._options.file_snapshot_pause_limit
        exported = self._target.is_exported(name)
        if exported:
            started = time.monotonic()
            extents.reconcile(source, copy)
            needed = time.monotonic() - started
            if needed > limit:
                raise _too_busy(name, limit, f"it would take {needed:.0f} s")
        with self._target.paused(name, str(path)):
            deadline = time.monotonic() + limit if exported else None
            try:
                extents.reconcile(source, copy, deadline)
            except extents.OutOfTime:
                raise _too_busy(name, limit, "it took longer") from None

    def _guarded(self, action: Callable[[], object]) -> None:
        """Say in the field's words what the file system refused."""
        try:
            action()
        except OSError as failure:
            raise VolumeBackendError(
                reason=f"{self._store.directory}: {failure.strerror or failure}. Look at the "
                "space and the health of its file system"
            ) from failure


def _too_busy(name: str, limit: int, why: str) -> VolumeIsBusy:
    return VolumeIsBusy(
        name=name,
        reason=f"it is being written, and its consumers may be held back {limit} s at most for a "
        f"copy of one instant; {why}. Detach it, raise file_snapshot_pause_limit, or keep the "
        "volumes on XFS or btrfs, where no pause is needed",
    )


def _resize_empty(fd: int, size: int) -> None:
    os.ftruncate(fd, 0)
    os.ftruncate(fd, size)


def _settled_stamp(fd: int) -> extents.Stamp | None:
    """The file's stamp, once it is sure to tell of later writes; None if it is being written."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        stamp = extents.Stamp.of(fd)
        if stamp.is_settled():
            return stamp
        if time.monotonic() > deadline:
            return None
        time.sleep(0.02)


def _gib(count: int) -> float:
    return round(count / _GIB, 2)

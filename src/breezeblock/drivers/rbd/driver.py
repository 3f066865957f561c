"""The RBD driver: volumes are images of one Ceph pool, which consumers reach by themselves."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from breezeblock.config.rbd import RBD_OPTIONS
from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import BackendMisconfigured, VolumeBackendError
from breezeblock.drivers.interface import (
    ConnectionInfo,
    Connector,
    ExtendInUse,
    ListsOwnObjects,
    ModelUpdate,
    RevertToSnapshot,
    VolumeDriver,
)
from breezeblock.drivers.rbd import bindings, names, stats
from breezeblock.drivers.rbd.bindings import Bindings
from breezeblock.drivers.rbd.cluster import Address, cluster_at
from breezeblock.drivers.rbd.creation import Creation
from breezeblock.drivers.rbd.driver_adoption import DriverAdoption
from breezeblock.drivers.rbd.driver_images import NO_KEY_MANAGER, DriverImages
from breezeblock.drivers.rbd.driver_migration import DriverMigration
from breezeblock.drivers.rbd.driver_primitives import DriverPrimitives
from breezeblock.drivers.rbd.errors import (
    ImageMissing,
    LoginImpossible,
    Misconfigured,
    NotAllowed,
    PoolMissing,
)
from breezeblock.drivers.rbd.features import Features
from breezeblock.drivers.rbd.journal import CLONE
from breezeblock.drivers.rbd.monitors import Monitors
from breezeblock.drivers.rbd.recovery import Recovery
from breezeblock.drivers.rbd.removal import Removal
from breezeblock.drivers.rbd.reverting import Reverting
from breezeblock.drivers.rbd.settings import RbdDriverConfiguration
from breezeblock.drivers.rbd.site import Site
from breezeblock.drivers.rbd.trash import Purging
from breezeblock.execution.command import Execute, run

LOG = logging.getLogger(__name__)

_GIB = 1024**3
#: Bytes of a volume of size 0.
_SMALLEST = 100 * 1024**2


class RBDDriver(
    DriverAdoption,
    DriverMigration,
    DriverImages,
    DriverPrimitives,
    VolumeDriver,
    RevertToSnapshot,
    ExtendInUse,
    ListsOwnObjects,
):
    """See the module.  Nothing is connected to before ``check_for_setup_error``."""

    VERSION = "1.2.0"
    CI_WIKI_NAME: ClassVar[str] = "Cinder_Jenkins"
    SUPPORTS_ACTIVE_ACTIVE = True
    #: Where the configuration files of replication targets are.
    SYSCONFDIR: ClassVar[str] = "/etc/ceph/"

    def __init__(
        self,
        execute: Execute = run,
        *,
        configuration: RbdDriverConfiguration,
        host: str,
        cluster_name: str | None = None,
        active_backend_id: str | None = None,
        rados: ModuleType | None = None,
        rbd: ModuleType | None = None,
    ) -> None:
        """``rados`` and ``rbd`` replace the installed libraries."""
        super().__init__(
            execute,
            configuration=configuration,
            host=host,
            cluster_name=cluster_name,
            active_backend_id=active_backend_id,
        )
        self._options = configuration
        self._making = threading.Lock()
        self._bindings = Bindings(rados, rbd) if rados and rbd else None
        self._site: Site | None = None
        self._purging: Purging | None = None

    @staticmethod
    def get_driver_options() -> Sequence[Any]:
        return RBD_OPTIONS

    @property
    def bindings(self) -> Bindings:
        """Ceph's libraries.  Raises ``BackendMisconfigured`` if they are not installed."""
        if self._bindings is None:
            self._bindings = bindings.find(self.backend_name)
        return self._bindings

    @property
    def site(self) -> Site:
        """The pool that the options name."""
        with self._making:
            if self._site is None:
                cluster = cluster_at(self.bindings, self._address())
                self._monitors = Monitors(cluster)
                self._site = Site.of(
                    cluster, self._options.rbd_pool, self._options, self.backend_name, self.host
                )
            return self._site

    def _address(self) -> Address:
        options = self._options
        return Address(
            conf=options.rbd_ceph_conf,
            user=options.rbd_user,
            name=options.rbd_cluster_name,
            timeout=options.rados_connect_timeout,
            tries=options.rados_connection_retries,
            pause=options.rados_connection_interval,
        )

    # ---- life ------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        self._check_options()
        try:
            self.site.cluster.connect(tries=self._options.rados_connection_retries)
            # Reads something of the pool: the user may be let in, and to nothing.
            self.site.journal.entries()
        except (LoginImpossible, NotAllowed, PoolMissing) as failure:
            raise Misconfigured(backend=self.backend_name, reason=failure.message) from failure

    def _check_options(self) -> None:
        for name in ("rbd_cluster_name", "rbd_pool"):
            if not getattr(self._options, name):
                raise Misconfigured(backend=self.backend_name, reason=f"{name} is empty. Set it")
        if self._options.replication_device or self.active_backend_id:
            raise Misconfigured(
                backend=self.backend_name,
                reason="this release does not replicate RBD volumes yet. Remove replication_device",
            )
        self._keyring()

    def recover(self, unfinished: Collection[str] = ()) -> None:
        done = Recovery(self.site, unfinished).run()
        if done:
            LOG.info("%s: %d interrupted calls settled", self.backend_name, done)

    def set_initialized(self) -> None:
        super().set_initialized()
        options = self._options
        if options.enable_deferred_deletion and self._purging is None:
            self._purging = Purging(self, self.site, options.deferred_deletion_purge_interval)
            self._purging.start()

    def _update_volume_stats(self) -> None:
        """Take the stats now."""
        self._stats = self._collect_stats()
        self.pools = self._stats["pools"]

    def _collect_stats(self) -> dict[str, Any]:
        found = stats.capacity(self.site)
        pool = {
            "pool_name": self.backend_name,
            "reserved_percentage": self._options.reserved_percentage,
            "QoS_support": stats.supports_qos(self.RBDProxy().version()),
            "max_over_subscription_ratio": self._options.max_over_subscription_ratio,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            "multiattach": True,
            "online_extend_support": True,
            "replication_enabled": False,
            **found,
        }
        return {
            "volume_backend_name": self.backend_name,
            "vendor_name": "Open Source",
            "driver_version": self.VERSION,
            "storage_protocol": "ceph",
            "shared_targets": False,
            "sparse_copy_volume": True,
            "replication_enabled": False,
            "pools": [pool],
        }

    def get_pool(self, volume: Volume) -> str:
        return self.backend_name

    # ---- volumes -----------------------------------------------------------------------------

    def create_volume(self, volume: Volume) -> ModelUpdate | None:
        self._refuse_encrypted(volume)
        features = Features(self.site)
        Creation(self.site).create(
            volume.name, volume.size * _GIB or _SMALLEST, features.of_new(volume)
        )
        return features.remembered(volume)

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> ModelUpdate | None:
        self._refuse_encrypted(volume)
        features = Features(self.site)
        with self.site.expecting(f"{snapshot.volume_name}@{snapshot.name}"):
            Creation(self.site).from_snapshot(
                volume.name,
                volume.size * _GIB,
                features.of_new(volume),
                snapshot.volume_name,
                snapshot.name,
                flatten=self._options.rbd_flatten_volume_from_snapshot and volume.consumes_quota,
            )
        return features.remembered(volume)

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate | None:
        self._refuse_encrypted(volume)
        features = Features(self.site)
        with self.site.expecting(src_vref.name):
            Creation(self.site).of_volume(
                volume.name,
                volume.size * _GIB,
                features.of_new(volume),
                src_vref.name,
                # What a backup makes for itself does not live long.
                bounded=volume.consumes_quota,
            )
        return features.remembered(volume)

    def delete_volume(self, volume: Volume) -> None:
        Removal(self.site).delete_volume(volume.name)

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        with self.site.expecting(volume.name):
            Creation(self.site).grow(volume.name, new_size * _GIB)

    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        Reverting(self.site).revert(volume.name, snapshot.name, volume.size * _GIB)

    def snapshot_revert_use_temp_snapshot(self) -> bool:
        """An interrupted revert is completed: no copy of before is needed."""
        return False

    def _refuse_encrypted(self, volume: Volume) -> None:
        if volume.encrypted:
            raise VolumeBackendError(reason=NO_KEY_MANAGER)

    # ---- snapshots ---------------------------------------------------------------------------

    def create_snapshot(self, snapshot: Snapshot) -> None:
        with self.site.expecting(snapshot.volume_name):
            Creation(self.site).snapshot(snapshot.name, snapshot.volume_name)

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        Removal(self.site).delete_snapshot(snapshot.volume_name, snapshot.name)

    # ---- what there is -------------------------------------------------------------------------

    def list_volume_names(self) -> set[str]:
        unfinished = {
            entry.name
            for entry in self.site.journal.entries()
            if entry.verb == CLONE and not entry.flattening
        }
        found = self.site.images.names()
        return {name for name in found if names.VOLUME.fullmatch(name)} - unfinished

    def list_snapshot_names(self) -> set[str]:
        """Opens every image, some milliseconds each."""
        found: set[str] = set()
        for name in self.site.images.names():
            try:
                with self.site.images.reading(name) as image:
                    found |= {one.name for one in image.snapshots() if not one.in_trash}
            except ImageMissing:
                continue
        return {name for name in found if names.SNAPSHOT.fullmatch(name)}

    # ---- exports -----------------------------------------------------------------------------

    def create_export(
        self, context: object, volume: Volume, connector: Connector | None = None
    ) -> ModelUpdate | None:
        """Consumers reach the cluster by themselves: there is nothing to offer."""
        return None

    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        return None

    def remove_export(self, context: object, volume: Volume) -> None:
        """Nothing was offered."""

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        with self.site.expecting(volume.name), self.site.images.reading(volume.name):
            hosts, ports = self._get_mon_addrs()
        options = self._options
        data: dict[str, Any] = {
            "name": f"{options.rbd_pool}/{volume.name}",
            "hosts": hosts,
            "ports": ports,
            "cluster_name": options.rbd_cluster_name,
            "auth_enabled": options.rbd_user is not None,
            "auth_username": options.rbd_user,
            "secret_type": "ceph",
            "secret_uuid": options.rbd_secret_uuid or self.site.cluster.fsid(),
            "volume_id": volume.id,
            "discard": True,
        }
        keyring = self._keyring()
        if keyring is not None:
            data["keyring"] = keyring
        return {"driver_volume_type": "rbd", "data": data}

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool | None:
        """Nothing was given that could be taken back."""
        return None

    def _keyring(self) -> str | None:
        """The contents of ``rbd_keyring_conf``; None if it is not set."""
        path = self._options.rbd_keyring_conf
        if not path:
            return None
        try:
            text = Path(path).read_text()
        except OSError as failure:
            raise BackendMisconfigured(
                backend=self.backend_name,
                reason=f"rbd_keyring_conf {path} cannot be read: {failure.strerror}. Let the "
                "service's user read it, or unset the option",
            ) from failure
        if not text.strip():
            raise BackendMisconfigured(
                backend=self.backend_name,
                reason=f"rbd_keyring_conf {path} is empty. Write the keyring there, or unset it",
            )
        return text

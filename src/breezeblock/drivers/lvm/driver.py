"""The LVM driver: volumes are logical volumes of one group, offered by a target."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, ClassVar

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import VolumeIsMissing
from breezeblock.drivers.image_copy import ImageService
from breezeblock.drivers.initiator import AttachedDevice
from breezeblock.drivers.interface import (
    ConnectionInfo,
    Connector,
    ExtendInUse,
    ListsOwnObjects,
    ModelUpdate,
    RevertToSnapshot,
    VolumeDriver,
)
from breezeblock.drivers.lvm import names, setup, stats
from breezeblock.drivers.lvm.commands import Lvm
from breezeblock.drivers.lvm.creation import Creation
from breezeblock.drivers.lvm.driver_adoption import DriverAdoption
from breezeblock.drivers.lvm.driver_migration import DriverMigration
from breezeblock.drivers.lvm.growth import Growth
from breezeblock.drivers.lvm.journal import MAKE, Journal
from breezeblock.drivers.lvm.migrate import here
from breezeblock.drivers.lvm.recovery import Recovery
from breezeblock.drivers.lvm.removal import Removal
from breezeblock.drivers.lvm.revert import Revert
from breezeblock.drivers.lvm.settings import LvmDriverConfiguration
from breezeblock.drivers.lvm.site import Site
from breezeblock.drivers.lvm.volume_group import VolumeGroup
from breezeblock.execution.command import Completed, Execute, run
from breezeblock.targets.interface import Target
from breezeblock.targets.registry import create_target

LOG = logging.getLogger(__name__)

_GIB = 1024**3
#: Seconds that udev gets to make ``/dev/<group>/<volume>`` of an active volume.
_NODE_SECONDS = 30.0


class LVMVolumeDriver(
    DriverAdoption,
    DriverMigration,
    VolumeDriver,
    RevertToSnapshot,
    ExtendInUse,
    ListsOwnObjects,
):
    """See the module.

    What a new volume is made of (thick or thin) is decided at the start; what one that is there
    is made of, it says itself: a group may hold both.
    """

    VERSION = "3.0.0"
    CI_WIKI_NAME: ClassVar[str] = "Cinder_Jenkins"

    def __init__(
        self,
        execute: Execute = run,
        *,
        vg_obj: VolumeGroup | None = None,
        configuration: LvmDriverConfiguration,
        host: str,
        cluster_name: str | None = None,
        active_backend_id: str | None = None,
        target: Target | None = None,
    ) -> None:
        """``vg_obj`` replaces the group that ``volume_group`` names, ``target`` the target that
        ``target_helper`` names."""
        super().__init__(
            execute,
            configuration=configuration,
            host=host,
            cluster_name=cluster_name,
            active_backend_id=active_backend_id,
        )
        self._options = configuration
        self._target = target or self._create_target(configuration)
        group = vg_obj or VolumeGroup(configuration.volume_group, self._lvm())
        self._site = self._site_of(group, configuration.lvm_mirrors)
        self._thin = configuration.lvm_type == "thin"

    def _create_target(self, configuration: LvmDriverConfiguration) -> Target:
        return create_target(configuration)

    def _lvm(self) -> Lvm:
        def execute(*arguments: Any, **options: Any) -> Completed:
            # Asked for at every call: ``set_execute`` may have come in between.
            return self._execute(*arguments, **options)

        return Lvm(execute, self._options)

    def _site_of(self, group: VolumeGroup, mirrors: int) -> Site:
        journal = Journal(Path(self._options.state_path) / "lvm" / group.name)
        return Site(
            group, journal, self._options, self.backend_name, mirrors, lambda: self.throttle
        )

    @property
    def vg(self) -> VolumeGroup:
        """The volume group."""
        return self._site.group

    # ---- life ------------------------------------------------------------------------------

    def do_setup(self, context: object) -> None:
        self._site.journal.prepare()
        setup.make_pool(self._site, self._options.lvm_type)

    def check_for_setup_error(self) -> None:
        self._site.journal.prepare()
        self._thin = setup.check(self._site, self._options.lvm_type)
        self._target.check_for_setup_error()

    def recover(self, unfinished: Collection[str] = ()) -> None:
        done = Recovery(self._site, unfinished).run()
        if done:
            LOG.info("%s: %d interrupted calls settled", self.backend_name, done)
        self._target.restore()

    def _collect_stats(self) -> dict[str, Any]:
        # The place that is visited regularly: a daemon that died is brought back here.
        self._target.restore()
        thin, mirrors = self._thin, self._site.mirrors
        found = stats.capacity(
            self.vg.report(), pool=self._site.pool if thin else None, mirrors=mirrors
        )
        location = here("LVMVolumeDriver", self.vg.name, thin=thin, mirrors=mirrors)
        pool = {
            "pool_name": self.backend_name,
            "reserved_percentage": self._options.reserved_percentage,
            "location_info": str(location),
            "QoS_support": False,
            "max_over_subscription_ratio": self._options.max_over_subscription_ratio,
            "thin_provisioning_support": thin,
            "thick_provisioning_support": not thin,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            "multiattach": True,
            "online_extend_support": True,
            **found,
        }
        return {
            "volume_backend_name": self.backend_name,
            "vendor_name": "Open Source",
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
        Creation(self._site).create(volume.name, volume.size * _GIB, thin=self._thin)

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        source = names.of_snapshot(snapshot.name)
        with self._site.expecting(source):
            Creation(self._site).from_snapshot(
                volume.name, volume.size * _GIB, source, thin=self._thin
            )

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        with self._site.expecting(src_vref.name):
            Creation(self._site).clone(
                volume.name, volume.size * _GIB, src_vref.name, thin=self._thin
            )

    def delete_volume(self, volume: Volume) -> None:
        Removal(self._site).delete(volume.name)

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        path = self.vg.device_path(volume.name)

        def paused() -> AbstractContextManager[None]:
            return self._target.paused(volume.name, path)

        with self._site.expecting(volume.name):
            Growth(self._site).extend(volume.name, new_size * _GIB, paused)
        self._target.extend_target(volume, path)

    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        Revert(self._site).revert(volume.name, names.of_snapshot(snapshot.name), volume.size * _GIB)

    def local_path(self, volume: Volume, vg: str | None = None) -> str:
        """The device-mapper node; ``vg`` is the group if it is another one."""
        return names.mapper_path(vg or self.vg.name, volume.name)

    @contextmanager
    def attached(
        self, context: object, volume: Volume, *, remote: bool = False
    ) -> Iterator[AttachedDevice]:
        """A volume of this host is its own device, without a target in between."""
        if remote:
            with super().attached(context, volume, remote=True) as device:
                yield device
            return
        with self._site.expecting(volume.name):
            path = self._site.device(volume.name)
        yield AttachedDevice(
            connection={"driver_volume_type": "local", "data": {"device_path": path}},
            device={"type": "block", "path": path},
            connector=None,
        )

    def clone_image(
        self,
        context: object,
        volume: Volume,
        image_location: object,
        image_meta: Mapping[str, Any],
        image_service: ImageService,
    ) -> tuple[ModelUpdate | None, bool]:
        """Images are never in the group."""
        return None, False

    # ---- snapshots ---------------------------------------------------------------------------

    def create_snapshot(self, snapshot: Snapshot) -> None:
        with self._site.expecting(snapshot.volume_name):
            Creation(self._site).snapshot(names.of_snapshot(snapshot.name), snapshot.volume_name)

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        Removal(self._site).delete(names.of_snapshot(snapshot.name))

    # ---- what there is -------------------------------------------------------------------------

    def list_volume_names(self) -> set[str]:
        unfinished = self._site.journal.names(MAKE)
        found = self.vg.report().volumes
        return {name for name in found if names.VOLUME.fullmatch(name)} - unfinished

    def list_snapshot_names(self) -> set[str]:
        found = self.vg.report().volumes
        return {name[1:] for name in found if names.SNAPSHOT.fullmatch(name)}

    # ---- exports -----------------------------------------------------------------------------

    def create_export(
        self,
        context: object,
        volume: Volume,
        connector: Connector | None,
        vg: str | None = None,
    ) -> ModelUpdate | None:
        """Offer the volume; ``vg`` is its group if it is another one than the driver's."""
        return self._target.create_export(volume, self._exported_path(volume, vg))

    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        return self._target.ensure_export(volume, self._exported_path(volume))

    def remove_export(self, context: object, volume: Volume) -> None:
        self._target.remove_export(volume)

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        return self._target.initialize_connection(volume, connector)

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool:
        force: bool = kwargs.get("force", False)
        others: Sequence[Connector] = kwargs.get("others", ())
        return self._target.terminate_connection(volume, connector, force=force, others=others)

    def validate_connector(self, connector: Connector) -> None:
        self._target.validate_connector(connector)

    def _exported_path(self, volume: Volume, vg: str | None = None) -> str:
        """The node that is exported; the volume is activated first."""
        group = VolumeGroup(vg, self._lvm()) if vg and vg != self.vg.name else self.vg
        path = group.device_path(volume.name)
        if Path(path).exists():
            return path
        with self._site.expecting(volume.name):
            group.activate(volume.name)
        deadline = time.monotonic() + _NODE_SECONDS
        while not Path(path).exists():
            if time.monotonic() > deadline:
                raise VolumeIsMissing(name=path, backend=self.backend_name)
            time.sleep(0.05)
        return path

"""A backend without storage: it remembers names and sizes and answers at once.

For benchmarks of the service itself and for tests of its behaviour when a backend fails or is
slow.  Nothing survives the process; a volume it has never heard of is taken for one it holds.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Protocol

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers import progress
from breezeblock.drivers.errors import VolumeBackendError
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
from breezeblock.targets.fake import FakeTarget

LOG = logging.getLogger(__name__)

_GIB = 1024**3
#: A call that takes long looks so often, in seconds, whether it shall stop.
_SLICE_SECONDS = 0.05


class FakeConfiguration(DriverConfiguration, Protocol):
    """The options of this driver."""

    @property
    def fake_capacity_gb(self) -> int: ...
    @property
    def fake_delay(self) -> float: ...
    @property
    def fake_failures(self) -> list[str]: ...


class FakeVolumeDriver(VolumeDriver, RevertToSnapshot, ExtendInUse, ListsOwnObjects):
    """See the module.

    ``fake_failures`` lists methods that fail; ``<method>:<n>`` fails the first n calls with an
    error that may pass.  ``fake_delay`` is how long, in seconds, every change takes.
    """

    VERSION = "1.0.0"
    SUPPORTS_ACTIVE_ACTIVE = True
    SURVIVES_PROCESS = False

    def __init__(
        self,
        execute: Execute = run,
        *,
        configuration: FakeConfiguration,
        host: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(execute, configuration=configuration, host=host, **kwargs)
        self._options = configuration
        self._target = FakeTarget()
        self._lock = threading.Lock()
        self._volumes: dict[str, int] = {}
        self._snapshots: dict[str, int] = {}
        self._calls: dict[str, int] = {}

    def check_for_setup_error(self) -> None:
        self._perhaps_fail("check_for_setup_error")

    def _collect_stats(self) -> dict[str, Any]:
        with self._lock:
            provisioned = sum(self._volumes.values())
            count = len(self._volumes)
        capacity = self._options.fake_capacity_gb
        pool = {
            "pool_name": self.backend_name,
            "total_capacity_gb": capacity,
            "free_capacity_gb": capacity - provisioned,
            "provisioned_capacity_gb": provisioned,
            "reserved_percentage": self._options.reserved_percentage,
            "max_over_subscription_ratio": self._options.max_over_subscription_ratio,
            "thin_provisioning_support": True,
            "thick_provisioning_support": False,
            "QoS_support": False,
            "multiattach": True,
            "online_extend_support": True,
            "total_volumes": count,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
            "location_info": f"FakeVolumeDriver:{self.host}",
            "backend_state": "up",
        }
        return {
            "volume_backend_name": self.backend_name,
            "vendor_name": "Breezeblock",
            "driver_version": self.VERSION,
            "storage_protocol": self._target.storage_protocol,
            "shared_targets": False,
            "replication_enabled": False,
            "pools": [pool],
        }

    def get_pool(self, volume: Volume) -> str:
        return self.backend_name

    def create_volume(self, volume: Volume) -> None:
        self._act("create_volume", volume.name)
        self._put(self._volumes, volume.name, volume.size)

    def delete_volume(self, volume: Volume) -> None:
        self._act("delete_volume", volume.name)
        with self._lock:
            self._volumes.pop(volume.name, None)

    def create_snapshot(self, snapshot: Snapshot) -> None:
        self._act("create_snapshot", snapshot.name, copied=snapshot.volume_size)
        self._put(self._snapshots, snapshot.name, snapshot.volume_size)

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        self._act("delete_snapshot", snapshot.name)
        with self._lock:
            self._snapshots.pop(snapshot.name, None)

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        self._act("create_volume_from_snapshot", volume.name, copied=snapshot.volume_size)
        self._put(self._volumes, volume.name, volume.size)

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        self._act("create_cloned_volume", volume.name, copied=src_vref.size)
        self._put(self._volumes, volume.name, volume.size)

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        self._act("extend_volume", volume.name)
        self._put(self._volumes, volume.name, new_size)

    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        self._act("revert_to_snapshot", volume.name, copied=snapshot.volume_size)

    def local_path(self, volume: Volume) -> str:
        return f"/dev/fake/{volume.name}"

    def list_volume_names(self) -> set[str]:
        with self._lock:
            return set(self._volumes)

    def list_snapshot_names(self) -> set[str]:
        with self._lock:
            return set(self._snapshots)

    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        self._act("ensure_export", volume.name)
        return self._target.ensure_export(volume, self.local_path(volume))

    def create_export(
        self, context: object, volume: Volume, connector: Connector | None
    ) -> ModelUpdate | None:
        self._act("create_export", volume.name)
        return self._target.create_export(volume, self.local_path(volume))

    def remove_export(self, context: object, volume: Volume) -> None:
        self._act("remove_export", volume.name)

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self._act("initialize_connection", volume.name)
        return self._target.initialize_connection(volume, connector)

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool:
        self._act("terminate_connection", volume.name)
        return bool(kwargs.get("others"))

    def validate_connector(self, connector: Connector) -> None:
        self._target.validate_connector(connector)

    def _put(self, where: dict[str, int], name: str, size: int) -> None:
        with self._lock:
            where[name] = size

    def _act(self, method: str, name: str, copied: int = 0) -> None:
        """Log the call, take the time it shall take, fail if it shall fail."""
        LOG.debug("%s %s", method, name)
        listener = progress.current()
        total = copied * _GIB
        delay = self._options.fake_delay
        started = time.monotonic()
        listener.checkpoint()
        while (passed := time.monotonic() - started) < delay:
            listener.report(int(total * passed / delay), total)
            time.sleep(min(_SLICE_SECONDS, delay - passed))
            listener.checkpoint()
        self._perhaps_fail(method)
        listener.report(total, total)

    def _perhaps_fail(self, method: str) -> None:
        with self._lock:
            call = self._calls[method] = self._calls.get(method, 0) + 1
        for failure in self._options.fake_failures:
            failing, _, times = failure.partition(":")
            if failing == method and (not times or call <= int(times)):
                raise VolumeBackendError(
                    reason=f"{method} fails as fake_failures demands", transient=bool(times)
                )

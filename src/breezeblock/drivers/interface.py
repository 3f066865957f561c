"""The contract between the service and a storage driver.

Names, arguments and answers are those that driver authors of the field know.  What differs: a
driver is a library.  It gets its options, its host name and an executor in the constructor, and
plain frozen records in every call; it returns what the service shall remember.  It has no
database, no global options and no threads of its own, and two drivers never share state.

Every method that changes something is idempotent: it is called again after a crash, whether the
first call did nothing, half, or all of its work.

Abilities that not every backend has are the small classes at the end; the service finds them by
``isinstance``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar, Protocol

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.execution.command import Execute, run
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate

__all__ = [
    "BaseVD",
    "ConnectionInfo",
    "Connector",
    "DriverConfiguration",
    "ExtendInUse",
    "ListsOwnObjects",
    "ModelUpdate",
    "RevertToSnapshot",
    "VolumeDriver",
]


class DriverConfiguration(Protocol):
    """The options every driver reads: one attribute per option, in its backend's section."""

    @property
    def volume_backend_name(self) -> str | None: ...
    @property
    def reserved_percentage(self) -> int: ...
    @property
    def max_over_subscription_ratio(self) -> str: ...
    @property
    def filter_function(self) -> str | None: ...
    @property
    def goodness_function(self) -> str | None: ...


class BaseVD(ABC):
    """What every driver is, whatever it stores on."""

    #: The driver's own version, shown in its stats.
    VERSION: ClassVar[str] = "N/A"
    #: False: the service refuses to start it unless ``enable_unsupported_driver`` is set.
    SUPPORTED: ClassVar[bool] = True
    #: Whether several hosts may serve the same backend at once.
    SUPPORTS_ACTIVE_ACTIVE: ClassVar[bool] = False

    def __init__(
        self, configuration: DriverConfiguration, *, host: str, execute: Execute = run
    ) -> None:
        """Remember the settings; touch nothing.

        ``host`` is ``<host>@<backend>``.  ``execute`` runs programs (``execution.command.run``).
        """
        self.configuration = configuration
        self.host = host
        self._execute = execute
        self._stats: dict[str, Any] = {}
        self._initialized = False

    # ---- life ------------------------------------------------------------------------------

    def do_setup(self, context: object) -> None:  # noqa: B027 - optional
        """Prepare what the driver needs (directories, connections).  Called before the check."""

    @abstractmethod
    def check_for_setup_error(self) -> None:
        """Raise ``VolumeBackendError`` if the backend cannot work; its text says the remedy."""

    def set_initialized(self) -> None:
        """The service calls it when set-up, check and recovery are through."""
        self._initialized = True

    @property
    def initialized(self) -> bool:
        """False: the service refuses every operation of this backend."""
        return self._initialized

    @property
    def supported(self) -> bool:
        return self.SUPPORTED

    def get_version(self) -> str:
        return self.VERSION

    def recover(self, unfinished: Collection[str] = ()) -> None:  # noqa: B027 - optional
        """Remove what interrupted calls left behind and restore the exports.

        Called once at start after the check.  ``unfinished`` are the names
        (``volume-<id>``, ``snapshot-<id>``) of resources whose operation will go on; what
        belongs to them stays, so that a long copy resumes where it was.
        """

    # ---- what it can and has -----------------------------------------------------------------

    @property
    def backend_name(self) -> str:
        """``volume_backend_name``, else the backend part of the host name."""
        return self.configuration.volume_backend_name or self.host.rpartition("@")[2]

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """The backend's state, its capabilities and its pools; sizes in GiB.

        Taken anew when ``refresh`` is set or nothing is known yet, else as last taken.
        """
        if refresh or not self._stats:
            self._stats = self._collect_stats()
        return self._stats

    @abstractmethod
    def _collect_stats(self) -> dict[str, Any]:
        """Take the stats now.  Raises ``VolumeBackendError``."""

    def get_filter_function(self) -> str | None:
        return self.configuration.filter_function

    def get_goodness_function(self) -> str | None:
        return self.configuration.goodness_function

    def init_capabilities(self) -> dict[str, Any]:
        """The capabilities API's answer: standard properties and the vendor's own."""
        stats = self.get_volume_stats()
        properties: dict[str, Any] = {}
        for name, title in _STANDARD_PROPERTIES.items():
            properties[name] = {
                "title": title,
                "description": f"Sets {title}.",
                "type": "boolean",
            }
        vendor, prefix = self._init_vendor_properties()
        if prefix:
            prefix = prefix.replace(":", "_")
            properties.update({k: v for k, v in vendor.items() if k.startswith(f"{prefix}:")})
        return {
            "vendor_name": stats.get("vendor_name"),
            "volume_backend_name": stats.get("volume_backend_name"),
            "storage_protocol": stats.get("storage_protocol"),
            "driver_version": stats.get("driver_version"),
            "display_name": None,
            "description": None,
            "visibility": None,
            "properties": properties,
            "vendor_prefix": prefix,
        }

    def _init_vendor_properties(self) -> tuple[dict[str, Any], str | None]:
        """Properties named ``<prefix>:<name>`` of this backend, and the prefix."""
        return {}, None

    def get_pool(self, volume: Volume) -> str | None:
        """The pool ``volume`` lives in, for volumes whose record does not say."""
        return None

    # ---- volumes -----------------------------------------------------------------------------

    @abstractmethod
    def create_volume(self, volume: Volume) -> ModelUpdate | None:
        """Make an empty volume of ``volume.size`` GiB that reads as zeros."""

    @abstractmethod
    def delete_volume(self, volume: Volume) -> None:
        """Remove it; absent is success.  Raises ``VolumeIsBusy``."""

    # ---- exports -----------------------------------------------------------------------------

    @abstractmethod
    def ensure_export(self, context: object, volume: Volume) -> ModelUpdate | None:
        """Make sure that a volume in use is still offered (at start)."""

    @abstractmethod
    def create_export(
        self, context: object, volume: Volume, connector: Connector | None
    ) -> ModelUpdate | None:
        """Offer the volume; return ``provider_location`` and ``provider_auth`` to remember."""

    @abstractmethod
    def remove_export(self, context: object, volume: Volume) -> None:
        """Stop offering it; not offered is success."""

    @abstractmethod
    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        """What the consumer needs to reach the volume.

        ``volume`` is the record after ``create_export``'s answer was remembered.
        """

    @abstractmethod
    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool | None:
        """End a consumer's use.  ``force`` may be among the arguments.

        True: the export is still shared by others and stays; otherwise ``remove_export``
        follows.
        """

    def validate_connector(self, connector: Connector) -> None:  # noqa: B027 - optional
        """Raise ``InvalidConnector`` before anything is done for an unsuitable consumer."""


class VolumeDriver(BaseVD):
    """A driver with snapshots, clones and growth: what the service expects of each backend."""

    @abstractmethod
    def create_snapshot(self, snapshot: Snapshot) -> ModelUpdate | None:
        """Keep the volume's bytes as they are at one point in time, also while it is in use."""

    @abstractmethod
    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Remove it; absent is success.  Raises ``SnapshotIsBusy``."""

    @abstractmethod
    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> ModelUpdate | None:
        """Make a volume with the snapshot's bytes; it may be larger, the rest reads as zeros."""

    @abstractmethod
    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> ModelUpdate | None:
        """Make a volume with the source's bytes as of one point in time; it may be larger."""

    @abstractmethod
    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """Grow to ``new_size`` GiB; already that large is success.

        Raises ``TargetUpdateFailed`` if only its consumers do not see it yet.
        """

    @abstractmethod
    def local_path(self, volume: Volume) -> str:
        """Where this host reads and writes the volume's bytes."""


class RevertToSnapshot(ABC):
    """The backend itself can put a volume back to a snapshot of it."""

    @abstractmethod
    def revert_to_snapshot(self, context: object, volume: Volume, snapshot: Snapshot) -> None:
        """Make the volume's bytes those of the snapshot; a larger volume keeps its size.

        The volume is detached.  All or nothing: after a crash it is the old or the new.
        """


class ExtendInUse(ABC):  # noqa: B024 - a mark: the method is VolumeDriver's
    """``extend_volume`` may be called while the volume is attached."""


class ListsOwnObjects(ABC):
    """The backend can name what it holds of ours, so that orphans are found."""

    @abstractmethod
    def list_volume_names(self) -> set[str]:
        """The names (``volume-<id>``) of all volumes, finished ones only."""

    @abstractmethod
    def list_snapshot_names(self) -> set[str]:
        """The names (``snapshot-<id>``) of all snapshots, finished ones only."""


_STANDARD_PROPERTIES = {
    "thin_provisioning": "Thin Provisioning",
    "compression": "Compression",
    "qos": "QoS",
    "replication_enabled": "Replication",
}

"""What a driver says of itself: its stats, its pools and the capabilities document."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from breezeblock.drivers.settings import DriverConfiguration

_STANDARD_PROPERTIES = {
    "thin_provisioning": "Thin Provisioning",
    "compression": "Compression",
    "qos": "QoS",
    "replication_enabled": "Replication",
}
_CONSTRAINTS = ("enum", "default", "minimum", "maximum")


class CapabilityReport(ABC):
    """The part of a driver that the scheduler and the capabilities API ask."""

    VERSION: ClassVar[str] = "N/A"
    configuration: DriverConfiguration
    host: str

    def __init__(self) -> None:
        self._stats: dict[str, Any] = {}
        #: What ``init_capabilities`` made, empty before.
        self.capabilities: dict[str, Any] = {}
        #: The pools of the last stats.
        self.pools: list[dict[str, Any]] = []

    @property
    def backend_name(self) -> str:
        """``volume_backend_name``, else the backend part of the host name."""
        return self.configuration.volume_backend_name or self.host.rpartition("@")[2]

    # ---- stats -------------------------------------------------------------------------------

    def get_volume_stats(self, refresh: bool = False) -> dict[str, Any]:
        """The backend's state, its capabilities and its pools; sizes in GiB.

        Taken anew when ``refresh`` is set or nothing is known yet, else as last taken.
        """
        if refresh or not self._stats:
            self._stats = self._collect_stats()
            self.pools = self._stats.get("pools", [])
        return self._stats

    @abstractmethod
    def _collect_stats(self) -> dict[str, Any]:
        """Take the stats now.  Raises ``VolumeBackendError``."""

    def _update_pools_and_stats(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Stats out of ``data``: every pool named in ``self.pools`` gets an entry, or there is one.

        For drivers that know no capacities: such a pool offers nothing (total 0, all reserved).
        """
        names = [pool["pool_name"] for pool in self.pools] or [self.backend_name]
        return {
            "volume_backend_name": self.backend_name,
            "driver_version": self.VERSION,
            **data,
            "pools": [self._empty_pool(name) for name in names],
        }

    def _empty_pool(self, name: str) -> dict[str, Any]:
        return {
            "pool_name": name,
            "total_capacity_gb": 0,
            "free_capacity_gb": 0,
            "provisioned_capacity_gb": None,
            "reserved_percentage": 100,
            "QoS_support": False,
            "filter_function": self.get_filter_function(),
            "goodness_function": self.get_goodness_function(),
        }

    def get_filter_function(self) -> str | None:
        """The expression a pool must satisfy: the operator's, else the driver's own."""
        return self.configuration.filter_function or self.get_default_filter_function()

    def get_goodness_function(self) -> str | None:
        """The expression that rates a pool from 0 to 100: the operator's, else the driver's own."""
        return self.configuration.goodness_function or self.get_default_goodness_function()

    def get_default_filter_function(self) -> str | None:
        return None

    def get_default_goodness_function(self) -> str | None:
        return None

    # ---- the capabilities document -------------------------------------------------------------

    def init_capabilities(self) -> dict[str, Any]:
        """The capabilities API's answer: standard properties and the vendor's own.

        A colon in the vendor's prefix becomes an underscore; properties without the prefix are
        dropped.
        """
        stats = self.get_volume_stats()
        properties = self._init_standard_capabilities()
        vendor, prefix = self._init_vendor_properties()
        if prefix:
            prefix = prefix.replace(":", "_")
            properties.update({k: v for k, v in vendor.items() if k.startswith(f"{prefix}:")})
        told = ("vendor_name", "volume_backend_name", "storage_protocol", "driver_version")
        shown = ("display_name", "description", "visibility")
        self.capabilities = {
            **{name: stats.get(name) for name in told},
            **{name: stats.get(name) for name in shown},
            "properties": properties,
            "vendor_prefix": prefix,
        }
        return self.capabilities

    def _init_standard_capabilities(self) -> dict[str, Any]:
        """The properties that every backend's document has."""
        properties: dict[str, Any] = {}
        for name, title in _STANDARD_PROPERTIES.items():
            self._set_property(properties, name, title, f"Sets {title}.", "boolean")
        return properties

    def _init_vendor_properties(self) -> tuple[dict[str, Any], str | None]:
        """Properties named ``<prefix>:<name>`` of this backend, and the prefix."""
        return {}, None

    def get_prefixed_property(self, property: str) -> str | None:
        """``<vendor prefix>:<property>``; None while the driver has no prefix."""
        prefix = self.capabilities.get("vendor_prefix")
        return f"{prefix}:{property}" if prefix else None

    def _set_property(
        self,
        properties: dict[str, Any],
        entry: str,
        title: str,
        description: str,
        type: str,
        **kwargs: Any,
    ) -> None:
        """Add a property; of ``kwargs`` only enum, default, minimum and maximum are kept."""
        properties[entry] = {
            "title": title,
            "description": description,
            "type": type,
            **{name: kwargs[name] for name in _CONSTRAINTS if name in kwargs},
        }

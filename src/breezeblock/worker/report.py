"""What a backend tells the store: its pools, its capabilities, its abilities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from breezeblock.drivers.abilities import ABILITIES
from breezeblock.drivers.interface import VolumeDriver

_INHERITED = (
    "volume_backend_name",
    "vendor_name",
    "driver_version",
    "storage_protocol",
    "filter_function",
    "goodness_function",
)
_SYNONYMS = (
    ("iSCSI", "iscsi"),
    ("FC", "fibre_channel", "fc"),
    ("NFS", "nfs"),
    ("NVMe-oF", "NVMeOF", "nvmeof"),
)
"""Spellings of one protocol that a type's extra spec may use."""


def pools(
    service_host: str, stats: Mapping[str, Any], extra_capabilities: str
) -> dict[str, dict[str, Any]]:
    """Capabilities by pool address, out of a driver's stats.

    A backend without pools is one pool of its own name.  ``extra_capabilities`` is the operator's
    JSON object that is merged in.
    """
    extra: dict[str, Any] = json.loads(extra_capabilities or "{}")
    shared = {key: stats[key] for key in _INHERITED if key in stats}
    listed = stats.get("pools") or [
        {
            **stats,
            "pool_name": stats.get("pool_name") or stats.get("volume_backend_name") or "_pool0",
        }
    ]
    reported = {}
    for pool in listed:
        capabilities = {**shared, **pool, **extra}
        capabilities.pop("pools", None)
        capabilities["storage_protocol"] = _with_synonyms(capabilities.get("storage_protocol"))
        reported[f"{service_host}#{pool['pool_name']}"] = capabilities
    return reported


def _with_synonyms(protocol: Any) -> Any:
    for names in _SYNONYMS:
        if protocol in names:
            return list(names)
    return protocol


def shared_targets(stats: Mapping[str, Any]) -> bool | None:
    """The ``shared_targets`` field of volumes made on a backend with these stats."""
    if stats.get("shared_targets") is False:
        return False
    protocol = str(stats.get("storage_protocol"))
    if protocol.lower().startswith("nvme"):
        return None
    return protocol.lower() == "iscsi"


def document(driver: VolumeDriver) -> dict[str, Any]:
    """The capabilities document of a backend, and what the API asks before it accepts a request."""
    return {
        **driver.init_capabilities(),
        "abilities": {name: isinstance(driver, ability) for name, ability in ABILITIES.items()},
    }

"""What all iSCSI targets have in common: portals, locations, credentials, connection info."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from breezeblock.domain.resources import Volume
from breezeblock.targets.errors import TargetError
from breezeblock.targets.interface import ConnectionInfo, Connector, TargetConfiguration

_LOCATION = re.compile(r"(?P<portals>\S+),(?P<tid>\d+) (?P<iqn>\S+)(?: (?P<lun>\d+))?")


@dataclass(frozen=True, slots=True)
class Portals:
    """Where initiators connect: addresses (the first is the main one) and one port."""

    addresses: tuple[str, ...]
    port: int

    @property
    def each(self) -> tuple[str, ...]:
        """``ip:port`` of each, IPv6 addresses in brackets."""
        return tuple(
            f"[{a}]:{self.port}" if ":" in a and not a.startswith("[") else f"{a}:{self.port}"
            for a in self.addresses
        )

    def location(self, tid: int, iqn: str, lun: int) -> str:
        """``ip:port[;ip:port...],tid iqn lun``, the form every driver of the field stores."""
        return f"{';'.join(self.each)},{tid} {iqn} {lun}"


def portals_of(configuration: TargetConfiguration) -> Portals:
    """Where a backend with these options offers its volumes."""
    return Portals(
        (configuration.target_ip_address, *configuration.target_secondary_ip_addresses),
        configuration.target_port,
    )


@dataclass(frozen=True, slots=True)
class Location:
    """A parsed ``provider_location``."""

    portals: tuple[str, ...]
    iqn: str
    lun: int


def parse_location(volume: Volume, default_lun: int = 0) -> Location:
    """Where ``volume`` is offered.  Raises ``TargetError`` if its record does not say."""
    match = _LOCATION.fullmatch(volume.provider_location or "")
    if match is None:
        raise TargetError(reason=f"volume {volume.id} is not exported. Attach it anew")
    lun = default_lun if match["lun"] is None else int(match["lun"])
    return Location(tuple(match["portals"].split(";")), match["iqn"], lun)


def parse_auth(provider_auth: str | None) -> tuple[str, str] | None:
    """User and secret of ``CHAP <user> <secret>``, None if there is nothing of that form."""
    parts = (provider_auth or "").split()
    return (parts[1], parts[2]) if len(parts) == 3 and parts[0] == "CHAP" else None


def connection_info(
    volume: Volume, connector: Connector, kind: str = "iscsi", *, default_lun: int = 0
) -> ConnectionInfo:
    """What an initiator needs to log in and find the volume.

    ``kind`` is the ``driver_volume_type``, ``default_lun`` counts for a location without one.
    """
    location = parse_location(volume, default_lun)
    data: dict[str, Any] = {
        "target_discovered": False,
        "target_portal": location.portals[0],
        "target_iqn": location.iqn,
        "target_lun": location.lun,
        "volume_id": volume.id,
        "encrypted": volume.encrypted,
    }
    if len(location.portals) > 1 or connector.get("multipath"):
        count = len(location.portals)
        data["target_portals"] = list(location.portals)
        data["target_iqns"] = [location.iqn] * count
        data["target_luns"] = [location.lun] * count
    credentials = parse_auth(volume.provider_auth)
    if credentials is not None:
        data["auth_method"] = "CHAP"
        data["auth_username"], data["auth_password"] = credentials
    if volume.provider_geometry:
        physical, _, logical = volume.provider_geometry.partition(" ")
        data["physical_block_size"], data["logical_block_size"] = physical, logical or physical
    return {"driver_volume_type": kind, "data": data}

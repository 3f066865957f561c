"""What a host needs to reach a volume by NVMe-oF, in the two shapes of the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from breezeblock.targets.interface import ConnectionInfo
from breezeblock.targets.nvmet_kernel import Port

#: What the second shape calls RDMA.
_ROCE = "RoCEv2"


def location(ports: Sequence[Port], nqn: str, nsid: int) -> str:
    """``ip[,ip...]:port transport nqn nsid``, the form every driver of the field stores."""
    addresses = ",".join(port.address for port in ports)
    return f"{addresses}:{ports[0].service} {ports[0].transport} {nqn} {nsid}"


def connection_info(
    ports: Sequence[Port], nqn: str, nsid: int, uuid: str, version: int
) -> ConnectionInfo:
    """The connection information of ``version`` 1 (the first port only) or 2."""
    return {
        "driver_volume_type": "nvmeof",
        "data": _second(ports, nqn, nsid, uuid) if version == 2 else _first(ports[0], nqn, nsid),
    }


def _first(port: Port, nqn: str, nsid: int) -> dict[str, Any]:
    return {
        "target_portal": port.address,
        "target_port": port.service,
        "nqn": nqn,
        "transport_type": port.transport,
        # Text: initiators compare it with what sysfs says.
        "ns_id": str(nsid),
    }


def _second(ports: Sequence[Port], nqn: str, nsid: int, uuid: str) -> dict[str, Any]:
    return {
        "target_nqn": nqn,
        "vol_uuid": uuid,
        "portals": [
            (port.address, port.service, _ROCE if port.transport == "rdma" else port.transport)
            for port in ports
        ],
        "ns_id": str(nsid),
    }

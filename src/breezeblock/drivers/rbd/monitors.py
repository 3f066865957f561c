"""Where a cluster's monitors listen, for its clients."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import Any

from breezeblock.drivers.rbd.cluster import Cluster
from breezeblock.drivers.rbd.errors import RbdError

#: Seconds for which an answer is believed: monitors hardly ever move.
_BELIEVED_SECONDS = 60.0
#: ``[v1:]<ip>:<port>/<nonce>``, the ip in brackets if it is IPv6.
_ADDRESS = re.compile(r"(?:v[12]:)?(?P<host>\[[^\]]+\]|[^\[\]:]+):(?P<port>\d+)(?:/\d+)?")


class Monitors:
    """The monitors of one cluster, asked for now and then."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._asked_at = float("-inf")
        self._known: tuple[list[str], list[str]] = ([], [])

    def addresses(self) -> tuple[list[str], list[str]]:
        """Hosts and ports, in the order of the monitor map."""
        if time.monotonic() - self._asked_at > _BELIEVED_SECONDS:
            self._known = addresses_in(self._cluster.ask("mon dump"))
            self._asked_at = time.monotonic()
        hosts, ports = self._known
        return list(hosts), list(ports)


def parse_dump(text: str) -> tuple[list[str], list[str]]:
    """Hosts and ports of what ``ceph mon dump --format json`` prints.

    A line of words before the JSON ("dumped monmap epoch 1") is skipped.
    """
    return addresses_in(json.loads(text[text.index("{") :]))


def addresses_in(dump: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Hosts (IPv6 without brackets) and ports of a monitor map.  Raises ``RbdError``."""
    hosts, ports = [], []
    for monitor in dump["mons"]:
        found = _ADDRESS.fullmatch(monitor["addr"])
        if found is None:
            raise RbdError(
                reason=f"monitor {monitor.get('name')} has no address that is understood"
            )
        hosts.append(found["host"].strip("[]"))
        ports.append(found["port"])
    return hosts, ports

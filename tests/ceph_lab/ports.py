"""Ports that nobody listens at."""

from __future__ import annotations

import os
import socket

from tests.ceph_lab.failure import CephLabFailure

#: Below the ports that the kernel hands out to outgoing connections.
_FIRST, _LAST = 20000, 32000


def free_ports(count: int) -> int:
    """The first of ``count`` free ports in a row.  Raises ``CephLabFailure`` if there are none.

    Where the search begins depends on the process, so that two labs that start at once differ.
    """
    blocks = range(_FIRST, _LAST, count)
    start = os.getpid() % len(blocks)
    for place in range(len(blocks)):
        block = blocks[(start + place) % len(blocks)]
        if all(_is_free(port) for port in range(block, block + count)):
            return block
    raise CephLabFailure(f"no {count} free ports in a row between {_FIRST} and {_LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

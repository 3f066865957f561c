"""Who has an image open, and waiting for those that are dead."""

from __future__ import annotations

import time
from collections.abc import Callable

from breezeblock.drivers import progress
from breezeblock.drivers.rbd.errors import ImageMissing, InUse, Locked
from breezeblock.drivers.rbd.image import Image
from breezeblock.drivers.rbd.pool import Pool

#: Seconds after which Ceph forgets a client that died (``osd_client_watch_timeout``), and more.
_FORGOTTEN_AFTER = 35.0
_PAUSE = 0.5


def watchers(pool: Pool, name: str) -> list[str]:
    """The addresses of those who have it open for writing; nobody if it cannot be opened."""
    try:
        with Image(pool, name, None, None, read_only=True) as image:
            return image.watchers()
    except ImageMissing:
        return []


def outlasting(pool: Pool, name: str, action: Callable[[], None]) -> None:
    """Do what needs an image for itself, once killed processes of this host are forgotten.

    Ceph does not tell which are.  One on another host, or this one itself, is certainly alive:
    then ``InUse`` or ``Locked`` is raised at once.
    """
    deadline = time.monotonic() + _FORGOTTEN_AFTER
    while True:
        try:
            action()
            return
        except (InUse, Locked):
            if time.monotonic() > deadline or not _may_be_dead(pool, watchers(pool, name)):
                raise
        progress.current().checkpoint()
        time.sleep(_PAUSE)


def _may_be_dead(pool: Pool, addresses: list[str]) -> bool:
    with pool.cluster.client("the own address could not be found") as client:
        own = str(client.get_addrs())
    return all(ip(address) == ip(own) and address != own for address in addresses)


def ip(address: str) -> str:
    """The host of a client's address, ``[v2:]<ip>:<port>/<nonce>``."""
    return address.rpartition("/")[0].rpartition(":")[0].removeprefix("v1:").removeprefix("v2:")

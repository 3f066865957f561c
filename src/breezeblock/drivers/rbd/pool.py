"""One pool of a cluster, and the gate that every change in it goes through."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from breezeblock.drivers import progress
from breezeblock.drivers.rbd.cluster import Cluster


class Pool:
    """See the module.  ``pool`` is its name."""

    def __init__(self, cluster: Cluster, pool: str) -> None:
        self.cluster = cluster
        self.pool = pool

    @contextmanager
    def looking(self, action: str) -> Iterator[Any]:
        """The ``rados.Ioctx`` for what changes nothing; ``action`` is for errors."""
        with self.cluster.pool(self.pool, action) as ioctx:
            yield ioctx

    @contextmanager
    def changing(self, action: str) -> Iterator[Any]:
        """The ``rados.Ioctx`` for one call that changes something.

        Asks first whether this worker may still act: one that lost its lease changes nothing.
        """
        progress.current().checkpoint()
        with self.cluster.pool(self.pool, action) as ioctx:
            yield ioctx

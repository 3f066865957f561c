"""One pool of a cluster with all that the verbs on its images need."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from breezeblock.drivers.errors import VolumeIsMissing
from breezeblock.drivers.rbd.cluster import Cluster
from breezeblock.drivers.rbd.errors import ImageMissing
from breezeblock.drivers.rbd.image import Image
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.journal import Journal
from breezeblock.drivers.rbd.settings import RbdDriverConfiguration

_MIB_ORDER = 20


@dataclass(frozen=True)
class Site:
    """A pool, the journal of what is half made in it, and the options.

    ``flattening`` is held while an image is flattened.
    """

    images: Images
    journal: Journal
    options: RbdDriverConfiguration
    backend: str
    host: str
    flattening: AbstractContextManager[object]

    @classmethod
    def of(
        cls, cluster: Cluster, pool: str, options: RbdDriverConfiguration, backend: str, host: str
    ) -> Site:
        images = Images(cluster, pool)
        limit = options.rbd_concurrent_flatten_operations
        return cls(
            images,
            Journal(images, host),
            options,
            backend,
            host,
            threading.BoundedSemaphore(limit) if limit else nullcontext(),
        )

    @property
    def cluster(self) -> Cluster:
        return self.images.cluster

    @property
    def order(self) -> int:
        """An object of a new image has ``2**order`` bytes."""
        return _MIB_ORDER + self.options.rbd_store_chunk_size.bit_length() - 1

    @contextmanager
    def expecting(self, name: str) -> Iterator[None]:
        """Say of an image or snapshot that is not there what the operator can do about it."""
        try:
            yield
        except ImageMissing as failure:
            raise VolumeIsMissing(
                name=f"{self.images.pool}/{name}", backend=self.backend
            ) from failure

    def flatten(self, image: Image) -> None:
        """Make an image independent of its parent; not too many at once."""
        with self.flattening:
            image.flatten()

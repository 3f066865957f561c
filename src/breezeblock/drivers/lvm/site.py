"""One volume group of this host with all that the verbs on it need."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from breezeblock.drivers import block_copy, block_device, zeroing
from breezeblock.drivers.copy_cgroup import UNLIMITED, Throttle
from breezeblock.drivers.errors import VolumeIsMissing
from breezeblock.drivers.io_priority import IoPriority
from breezeblock.drivers.lvm.commands import LvmConfiguration
from breezeblock.drivers.lvm.errors import LogicalVolumeMissing
from breezeblock.drivers.lvm.journal import Journal
from breezeblock.drivers.lvm.volume_group import VolumeGroup

#: Seconds that udev gets to make the node of a volume that LVM has activated.
_NODE_SECONDS = 30.0


class SiteConfiguration(LvmConfiguration, Protocol):
    """The options that the verbs read."""

    @property
    def state_path(self) -> str: ...
    @property
    def volume_clear(self) -> str: ...
    @property
    def volume_clear_size(self) -> int: ...
    @property
    def volume_clear_ionice(self) -> str | None: ...
    @property
    def lvm_clear_new_volumes(self) -> bool: ...


def unlimited() -> Throttle:
    """No limit for copies."""
    return UNLIMITED


@dataclass(frozen=True, slots=True)
class Site:
    """A group, the journal of what is half made in it, and how bytes are written there.

    ``mirrors`` is the number of further copies of each new thick volume; ``throttle`` says how
    fast copies may be at the moment.
    """

    group: VolumeGroup
    journal: Journal
    options: SiteConfiguration
    backend: str
    mirrors: int = 0
    throttle: Callable[[], Throttle] = unlimited

    @property
    def pool(self) -> str:
        """The name of the group's thin pool."""
        return f"{self.group.name}-pool"

    @contextmanager
    def expecting(self, name: str) -> Iterator[None]:
        """Say of a logical volume that is not there what the operator can do about it."""
        try:
            yield
        except LogicalVolumeMissing as failure:
            raise VolumeIsMissing(
                name=f"{self.group.name}/{name}", backend=self.backend
            ) from failure

    def device(self, name: str) -> str:
        """The node of a volume, which is activated if need be."""
        self.group.activate(name)
        path = self.group.path(name)
        block_device.wait_for(path, _NODE_SECONDS)
        return path

    # ---- bytes ---------------------------------------------------------------------------------

    def zero(self, path: str, start: int, end: int) -> None:
        """Make a part of a new volume read as zeros, if the operator wants that."""
        if self.options.lvm_clear_new_volumes and end > start:
            zeroing.zero(path, start, end - start)

    @property
    def clears(self) -> bool:
        """Whether the bytes of thick volumes are overwritten before they are removed."""
        return self.options.volume_clear != "none"

    def clear(self, path: str) -> None:
        """Overwrite what is about to be removed, as far as ``volume_clear_size`` says."""
        limit = self.options.volume_clear_size * 1024**2
        size = block_device.size(path)
        ionice = self.options.volume_clear_ionice
        zeroing.zero(
            path,
            0,
            min(limit, size) if limit else size,
            priority=IoPriority.parse(ionice) if ionice else None,
        )

    def copy(
        self,
        source: str,
        destination: str,
        length: int,
        *,
        reads_zeros: bool,
        checkpoint: Path | None = None,
    ) -> None:
        """Copy bytes between two devices, see ``block_copy.copy``."""
        block_copy.copy(
            source,
            destination,
            length,
            destination_reads_zeros=reads_zeros,
            checkpoint=checkpoint,
            throttle=self.throttle(),
        )

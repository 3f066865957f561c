"""Volumes grow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from breezeblock.drivers import block_device
from breezeblock.drivers.errors import VolumeIsBusy
from breezeblock.drivers.lvm import kernel
from breezeblock.drivers.lvm.errors import InUse
from breezeblock.drivers.lvm.journal import EXTEND
from breezeblock.drivers.lvm.report import LogicalVolume
from breezeblock.drivers.lvm.site import Site


class Growth:
    """See the module.  Sizes are bytes."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._group = site.group
        self._journal = site.journal

    def extend(
        self, name: str, size: int, paused: Callable[[], AbstractContextManager[None]]
    ) -> None:
        """Grow to ``size``; that large already is success.  The new part reads as zeros.

        ``paused`` holds the consumers back where the volume has to be taken away for a moment
        (thick with snapshots).  Raises ``VolumeIsBusy`` if others than they hold it.
        """
        with self._journal.held(name):
            found = self._group.existing(name)
            if found.is_thin:
                self._group.extend(name, size)
            else:
                self._extend_thick(found, size, paused)

    def _extend_thick(
        self,
        found: LogicalVolume,
        size: int,
        paused: Callable[[], AbstractContextManager[None]],
    ) -> None:
        name = found.name
        entry = self._journal.find(name, EXTEND)
        if entry is None and found.size < size:
            # Until the entry is gone, all beyond the size it names is still to be zeroed.
            entry = self._journal.begin(name, EXTEND, size=found.size)
        if found.size < size:
            self._lvextend(found, size, paused)
        device = self._site.device(name)
        if entry is not None:
            self._site.zero(device, entry.size, block_device.size(device))
            self._journal.finish(name, EXTEND)

    def _lvextend(
        self,
        found: LogicalVolume,
        size: int,
        paused: Callable[[], AbstractContextManager[None]],
    ) -> None:
        if not found.is_thick_origin:
            self._group.extend(found.name, size, mirrored=found.is_mirrored)
            return
        with paused():
            try:
                self._group.deactivate(found.name)
                self._group.extend(found.name, size, mirrored=found.is_mirrored)
            except InUse as refused:
                by = ", ".join(kernel.holders(self._group.name, found.name)) or "somebody"
                raise VolumeIsBusy(
                    name=found.name,
                    reason=f"with thick snapshots it can grow only while nobody has it open, and "
                    f"{by} has. Detach it, or delete its snapshots",
                ) from refused
            finally:
                self._group.activate(found.name)

"""New volumes and snapshots.

What LVM makes in one command needs no journal: an empty thin volume, a snapshot.  What is filled
afterwards (a thick volume with zeros, a copy) is made under an entry of the journal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from breezeblock.drivers import block_device
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.lvm import kernel, names
from breezeblock.drivers.lvm.errors import LvmError, NameTaken, NoSpace
from breezeblock.drivers.lvm.journal import MAKE, Entry
from breezeblock.drivers.lvm.report import LogicalVolume
from breezeblock.drivers.lvm.site import Site

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Making:
    """A logical volume that is there and not filled yet.

    ``resumed``: an earlier call began to fill it.
    """

    path: str
    thin: bool
    resumed: bool
    checkpoint: Path


class Creation:
    """See the module.  Sizes are bytes; ``thin`` is what new volumes of blocks shall be."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._group = site.group
        self._journal = site.journal

    # ---- empty volumes -------------------------------------------------------------------------

    def create(self, name: str, size: int, *, thin: bool) -> None:
        """An empty volume that reads as zeros."""
        if thin and self._journal.find(name, MAKE) is None:
            try:
                self._group.create_thin(name, size, self._site.pool)
            except NameTaken:
                self._grow(name, size)
            return
        self.make(name, size, self._fill_with_zeros, thin=thin)

    def _fill_with_zeros(self, made: Making) -> None:
        if not made.thin:
            self._site.zero(made.path, 0, block_device.size(made.path))

    # ---- copies --------------------------------------------------------------------------------

    def from_snapshot(self, name: str, size: int, snapshot: str, *, thin: bool) -> None:
        """A volume with the bytes of a snapshot, of the snapshot's size or larger."""
        if self._group.is_thin(snapshot):
            self._share(name, size, snapshot)
            return

        def fill(made: Making) -> None:
            self._fill_from(snapshot, made, reads_zeros=made.thin)

        self.make(name, size, fill, thin=thin)

    def clone(self, name: str, size: int, source: str, *, thin: bool) -> None:
        """A volume with the bytes of another one at one instant, also while that is in use."""
        if self._group.is_thin(source):
            self._share(name, size, source)
            return
        snapshot = names.CLONE_SOURCE + names.id_in(name)

        def fill(made: Making) -> None:
            kept = self._take_clone_source(snapshot, source, resumed=made.resumed)
            # What another snapshot left in the volume may be anything but zeros.
            reads_zeros = made.thin and (kept or not made.resumed)
            self._fill_from(snapshot, made, reads_zeros=reads_zeros)

        self.make(name, size, fill, thin=thin)
        # An interrupted call may have left it behind a volume that is complete.
        if kernel.is_active(self._group.name, snapshot):
            self._group.remove(snapshot)

    def _take_clone_source(self, snapshot: str, source: str, *, resumed: bool) -> bool:
        """Snapshot the source; true if that of an interrupted call is there to go on with."""
        try:
            self._group.snapshot_thick(snapshot, source)
        except NameTaken:
            if resumed:
                return True
            self._group.remove(snapshot)
            self._group.snapshot_thick(snapshot, source)
        return False

    def _fill_from(self, source: str, made: Making, *, reads_zeros: bool) -> None:
        with self._site.expecting(source):
            path = self._site.device(source)
        size = block_device.size(made.path)
        length = min(block_device.size(path), size)
        self._site.copy(
            path, made.path, length, reads_zeros=reads_zeros, checkpoint=made.checkpoint
        )
        if not made.thin:
            self._site.zero(made.path, length, size)

    def _share(self, name: str, size: int, origin: str) -> None:
        """A thin volume on the blocks of another one."""
        try:
            self._group.snapshot_thin(name, origin, active=True)
        except NameTaken:
            LOG.info("%s is there already", name)
        self._grow(name, size)

    def _grow(self, name: str, size: int) -> None:
        """Give a thin volume its size; the new part reads as zeros."""
        if block_device.size(self._site.device(name)) < size:
            self._group.extend(name, size)

    # ---- the journalled way --------------------------------------------------------------------

    def make(self, name: str, size: int, fill: Callable[[Making], None], *, thin: bool) -> None:
        with self._journal.held(name):
            entry = self._journal.begin(name, MAKE)
            found = self._allocate(entry, size, thin=thin)
            if found is not None and entry.tag not in found.tags:
                # It was complete before this entry was written.
                self._journal.finish(name, MAKE)
                return
            made = Making(
                path=self._site.device(name),
                thin=thin if found is None else found.is_thin,
                resumed=found is not None,
                checkpoint=self._journal.checkpoint(name, MAKE),
            )
            fill(made)
            self._journal.finish(name, MAKE)

    def _allocate(self, entry: Entry, size: int, *, thin: bool) -> LogicalVolume | None:
        """Have LVM make the volume; what is there under its name, if something is."""
        try:
            if thin:
                self._group.create_thin(entry.name, size, self._site.pool, tags=[entry.tag])
            else:
                self._group.create_thick(
                    entry.name, size, mirrors=self._site.mirrors, tags=[entry.tag]
                )
        except NameTaken:
            return self._group.existing(entry.name)
        except NoSpace:
            self._journal.finish(entry.name, MAKE)
            raise
        return None

    # ---- snapshots -----------------------------------------------------------------------------

    def snapshot(self, name: str, origin: str) -> None:
        """Keep the bytes of a volume as of one instant, also while it is in use."""
        thin = self._group.is_thin(origin)
        for last in (False, True):
            try:
                self._take(name, origin, thin=thin)
                return
            except NameTaken:
                if self._is_snapshot(name, origin):
                    return
            except NoSpace:
                raise
            except LvmError as failure:
                if last:
                    raise
                LOG.warning("snapshot %s of %s is tried again: %s", name, origin, failure)
        raise VolumeBackendError(
            reason=f"{self._group.name}/{name} is there and no snapshot of {origin}. Rename or "
            "remove it (lvrename, lvremove)"
        )

    def _take(self, name: str, origin: str, *, thin: bool) -> None:
        if thin:
            self._group.snapshot_thin(name, origin, active=False)
        else:
            self._group.snapshot_thick(name, origin)

    def _is_snapshot(self, name: str, origin: str) -> bool:
        """Whether what is there is the snapshot; what LVM left half made is removed."""
        found = self._group.find(name)
        if found is not None and not (found.is_thin or found.is_thick_snapshot):
            LOG.warning("%s was left half made and is removed", name)
            self._group.remove(name)
            return False
        return found is not None and found.origin in {origin, ""}

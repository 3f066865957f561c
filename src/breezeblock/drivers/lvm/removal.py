"""Volumes and snapshots are removed, their bytes overwritten first if the operator wants it."""

from __future__ import annotations

from breezeblock.drivers.errors import SnapshotIsBusy, VolumeIsBusy
from breezeblock.drivers.lvm import kernel, names
from breezeblock.drivers.lvm.errors import LogicalVolumeMissing
from breezeblock.drivers.lvm.journal import MAKE
from breezeblock.drivers.lvm.report import LogicalVolume
from breezeblock.drivers.lvm.site import Site


class Removal:
    """See the module.

    A thin volume's blocks are never shown to another (the pool zeroes them), so that only
    thick ones are overwritten.
    """

    def __init__(self, site: Site) -> None:
        self._site = site
        self._group = site.group

    def delete(self, name: str) -> None:
        """Remove it; absent is success.  Raises ``VolumeIsBusy`` or ``SnapshotIsBusy``."""
        if self._site.journal.find(name, MAKE) is None:
            self.delete_held(name)
            return
        # Whoever was making it leaves it when it hears that it lost its lease.
        with self._site.journal.held(name):
            self.delete_held(name)

    def delete_held(self, name: str) -> None:
        """The same by one who holds the journal's lock on it."""
        self.drop_temporaries(name)
        if not self._site.clears or self._is_thin_or_missing(name):
            self._group.remove(name)
        else:
            self._clear_and_remove(name)
        self._site.journal.forget(name)

    def drop_temporaries(self, name: str) -> None:
        """Remove what an interrupted verb on the volume left behind beside it."""
        if not names.VOLUME.fullmatch(name):
            return
        for prefix in (names.CLONE_SOURCE, names.REVERTING):
            temporary = prefix + names.id_in(name)
            if kernel.is_active(self._group.name, temporary):
                self._group.remove(temporary)
        old = names.REVERTED + names.id_in(name)
        if kernel.is_active(self._group.name, old):
            self._group.remove(old)

    def _is_thin_or_missing(self, name: str) -> bool:
        try:
            return self._group.is_thin(name)
        except LogicalVolumeMissing:
            return True

    def _clear_and_remove(self, name: str) -> None:
        found = self._group.find(name)
        if found is not None and not found.is_thin:
            self._refuse_if_busy(found)
            device = self._site.device(name)
            if found.is_thick_snapshot:
                # Below the snapshot: through it one would change the snapshot, not clear it.
                device = f"{device}-cow"
            self._site.clear(device)
        self._group.remove(name)

    def _refuse_if_busy(self, found: LogicalVolume) -> None:
        """Before a byte is overwritten: ``lvremove`` would refuse too late."""
        if found.is_thick_origin:
            raise VolumeIsBusy(name=found.name, reason="it has snapshots. Delete them first")
        if found.attributes.open:
            busy = SnapshotIsBusy if found.is_thick_snapshot else VolumeIsBusy
            by = ", ".join(kernel.holders(self._group.name, found.name)) or "somebody"
            raise busy(
                name=found.name,
                reason=f"its device is held open by {by}. Detach or close it first",
            )

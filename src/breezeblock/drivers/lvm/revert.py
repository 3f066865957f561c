"""A volume gets the bytes of one of its snapshots back.

Thick: LVM merges the snapshot into its origin and consumes it by that, so it is taken anew
afterwards.  From the activation on the volume shows the snapshot's bytes, the copying goes on
behind it.

Thin: a new volume on the snapshot's blocks takes the volume's name.  The old volume keeps its
bytes under another name until then, so that there is always one or the other.
"""

from __future__ import annotations

import logging
import time

from breezeblock.drivers import block_device, progress, zeroing
from breezeblock.drivers.errors import VolumeBackendError, VolumeIsBusy, VolumeIsMissing
from breezeblock.drivers.lvm import kernel, names
from breezeblock.drivers.lvm.errors import InUse, LogicalVolumeMissing, LvmError, NameTaken
from breezeblock.drivers.lvm.journal import REVERT
from breezeblock.drivers.lvm.report import LogicalVolume
from breezeblock.drivers.lvm.site import Site

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.5
_TRIES = 3
#: LVM's own watcher of a merge may have died with the host or been killed.
_NUDGE_SECONDS = 30.0


class Revert:
    """See the module.  Both ways may be called again at any point of themselves."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._group = site.group
        self._journal = site.journal

    def revert(self, name: str, snapshot: str, size: int) -> None:
        """Make the bytes of volume ``name`` those of ``snapshot``; it keeps its size.

        Raises ``VolumeIsBusy`` if somebody has it open.
        """
        with self._journal.held(name):
            for rest in range(_TRIES - 1, -1, -1):
                try:
                    self._revert(name, snapshot, size)
                    return
                except (LogicalVolumeMissing, NameTaken) as surprise:
                    # A command of a killed worker may still have come in between.
                    if not rest:
                        raise self._explained(surprise, name, snapshot) from surprise
                    LOG.info("the revert of %s is begun anew: %s", name, surprise)

    def _revert(self, name: str, snapshot: str, size: int) -> None:
        self.finish_swap(name)
        found = self._group.existing(name)
        self._refuse_if_open(found)
        if found.is_thin:
            self._swap(found, snapshot, size)
        else:
            self._merge(found, snapshot)
            self._group.activate(name)

    def _explained(self, surprise: LvmError, name: str, snapshot: str) -> VolumeBackendError:
        if isinstance(surprise, NameTaken):
            return surprise
        missing = name if self._group.find(name) is None else snapshot
        return VolumeIsMissing(name=f"{self._group.name}/{missing}", backend=self._site.backend)

    def _refuse_if_open(self, found: LogicalVolume) -> None:
        if found.attributes.open:
            by = ", ".join(kernel.holders(self._group.name, found.name)) or "somebody"
            raise VolumeIsBusy(
                name=found.name, reason=f"its device is held open by {by}. Detach or close it first"
            )

    # ---- thin ------------------------------------------------------------------------------

    def _swap(self, found: LogicalVolume, snapshot: str, size: int) -> None:
        name = found.name
        new = names.REVERTING + names.id_in(name)
        try:
            self._group.snapshot_thin(new, snapshot, active=True)
        except NameTaken:
            # Of which snapshot an interrupted call made it is not known.
            self._group.remove(new)
            self._group.snapshot_thin(new, snapshot, active=True)
        wanted = max(size, found.size)
        if block_device.size(self._site.device(new)) < wanted:
            self._group.extend(new, wanted)
        self._group.rename(name, names.REVERTED + names.id_in(name))
        self._group.rename(new, name)
        self._group.remove(names.REVERTED + names.id_in(name))

    def finish_swap(self, name: str) -> None:
        """Complete the change of names of an interrupted call; nothing begun is success."""
        new, old = names.REVERTING + names.id_in(name), names.REVERTED + names.id_in(name)
        group = self._group.name
        if kernel.is_active(group, name) and not kernel.is_active(group, old):
            return
        volumes = self._group.report().volumes
        if name not in volumes:
            if new in volumes:
                self._group.rename(new, name)
            elif old in volumes:
                # Without the new one, the old one is the volume.
                self._group.rename(old, name)
                return
        if old in volumes:
            self._group.remove(old)

    # ---- thick -----------------------------------------------------------------------------

    def _merge(self, found: LogicalVolume, snapshot: str) -> None:
        self._finish_other_merge(found.name, snapshot)
        kept = self._group.find(snapshot)
        if kept is not None and not kept.merging:
            self._check(kept, found.name)
            self._journal.begin(found.name, REVERT, size=kept.origin_size, snapshot=snapshot)
            self._start(found.name, snapshot)
        elif self._begun_with(found.name, snapshot):
            self._group.resume_merge(found.name)
        else:
            raise VolumeIsMissing(name=f"{self._group.name}/{snapshot}", backend=self._site.backend)
        self._wait(found.name, snapshot)
        self.take_again(found.name, snapshot)

    def _finish_other_merge(self, name: str, snapshot: str) -> None:
        """LVM merges one snapshot of a volume at a time."""
        entry = self._journal.find(name, REVERT)
        if entry is not None and entry.snapshot != snapshot:
            self._group.resume_merge(name)
            self._wait(name, entry.snapshot)
            self.take_again(name, entry.snapshot)

    def _begun_with(self, name: str, snapshot: str) -> bool:
        entry = self._journal.find(name, REVERT)
        return entry is not None and entry.snapshot == snapshot

    def _check(self, kept: LogicalVolume, origin: str) -> None:
        if kept.attributes.problem:
            raise VolumeBackendError(reason=f"{kept.name}: {kept.attributes.problem}")
        if not kept.is_thick_snapshot or kept.origin != origin:
            raise VolumeBackendError(reason=f"{kept.name} is no snapshot of {origin}")

    def _start(self, name: str, snapshot: str) -> None:
        try:
            # Merged while inactive: nobody can open it between the check and the merge.
            self._group.deactivate(name)
            self._group.merge(snapshot)
        except InUse as refused:
            raise VolumeIsBusy(
                name=name, reason="it or one of its snapshots is held open. Close it first"
            ) from refused
        finally:
            self._group.activate(name)

    def _wait(self, name: str, snapshot: str) -> None:
        """Return when the merge is through; ``progress.checkpoint`` ends the waiting only."""
        listener = progress.current()
        nudged = time.monotonic()
        while (left := self._group.find(snapshot)) is not None and left.merging:
            origin = self._group.existing(name)
            if origin.attributes.problem:
                raise VolumeBackendError(
                    reason=f"{name}: {origin.attributes.problem}", transient=True
                )
            percent = left.data_percent or 0.0
            listener.report(int(origin.size * (100 - percent) / 100), origin.size)
            listener.checkpoint()
            if time.monotonic() - nudged > _NUDGE_SECONDS:
                self._group.resume_merge(name)
                nudged = time.monotonic()
            time.sleep(_POLL_SECONDS)

    def take_again(self, name: str, snapshot: str) -> None:
        """The merge has consumed the snapshot; the volume's bytes are still the snapshot's."""
        self._clear_growth(name)
        try:
            self._group.snapshot_thick(snapshot, name)
        except NameTaken:
            LOG.info("snapshot %s is there again", snapshot)
        self._journal.finish(name, REVERT)

    def _clear_growth(self, name: str) -> None:
        """What the volume grew by after the snapshot is none of the snapshot's bytes: zeros."""
        entry = self._journal.find(name, REVERT)
        if entry is None or not entry.size:
            return
        device = self._site.device(name)
        size = block_device.size(device)
        if size > entry.size:
            zeroing.zero(device, entry.size, size - entry.size)

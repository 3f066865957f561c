"""Volumes and snapshots are removed, and what nobody needs any more without them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from breezeblock.drivers.errors import SnapshotIsBusy, VolumeIsBusy
from breezeblock.drivers.rbd import consumers, names
from breezeblock.drivers.rbd.ancestry import Ancestry
from breezeblock.drivers.rbd.errors import HasSnapshots, ImageMissing, InUse, NameTaken, RbdError
from breezeblock.drivers.rbd.image import Child, Image, SnapshotOfImage
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.journal import MIGRATE, REMOVE, Entry, Reference
from breezeblock.drivers.rbd.site import Site

LOG = logging.getLogger(__name__)

#: In a reference: the image itself is looked at, no snapshot of it.
_NO_SNAPSHOT = ""


class Removal:
    """See the module."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._images = site.images
        self._ancestry = Ancestry(site.images)

    # ---- volumes -------------------------------------------------------------------------------

    def delete_volume(self, name: str) -> None:
        """Remove it; absent is success.  Raises ``VolumeIsBusy``.

        An image with clones lives on as ``<name>.deleted``.
        """
        entry = self._site.journal.find(name)
        if entry is not None and entry.verb == MIGRATE:
            self.drop_copy(entry)
        left = entry.references if entry is not None else None
        try:
            with self._images.reading(name) as image:
                found = image.snapshots()
                size, id, references = image.size(), image.id, self._ancestry.references(image)
        except ImageMissing:
            # Nothing, or what an interrupted call left of it.
            self._remove(name, 0)
            self.settle(name, left)
            return
        if self._is_needed(name, found):
            # The last clone may go before it has its new name, and does not know then.
            left = ((id, _NO_SNAPSHOT), *(left or ()))
            self._site.journal.write(Entry(name, REMOVE, left))
            self._live_on(name, id)
            self.settle(name, left)
        elif self._site.options.enable_deferred_deletion:
            self._to_trash(name)
            self.settle(name, left)
        else:
            if references:
                left = references + (left or ())
                self._site.journal.write(Entry(name, REMOVE, left))
            self._remove(name, size)
            self.settle(name, left)

    def complete(self, entry: Entry) -> None:
        """Remove what an interrupted removal left of an image; one that is whole stays."""
        if not self._images.exists(entry.name):
            self._remove(entry.name, 0)
        self.settle(entry.name, entry.references)

    def settle(self, name: str, references: tuple[Reference, ...] | None) -> None:
        """Let go of what it hung on, and finish its entry; None: it has none."""
        if references is None:
            return
        self._ancestry.release(references, self._noting(name))
        self._site.journal.finish(name)

    def _noting(self, name: str) -> Callable[[tuple[Reference, ...]], object]:
        return lambda left: self._site.journal.write(Entry(name, REMOVE, left))

    def _live_on(self, name: str, id: str) -> None:
        try:
            self._images.rename(name, names.deleted(name))
        except NameTaken:
            # An image of that name was deleted before.
            self._images.rename(name, names.deleted(f"{name}.{id}"))

    def drop_copy(self, entry: Entry) -> None:
        """Remove the half-made copy of a migration in the other pool."""
        other = Images(self._site.cluster, entry.pool)
        try:
            other.remove(entry.name)
        except ImageMissing as failure:
            LOG.debug("%s", failure)

    # ---- its snapshots -------------------------------------------------------------------------

    def _is_needed(self, name: str, found: list[SnapshotOfImage]) -> bool:
        """Whether clones hang on it; what is left of backups and clones is removed.

        Raises ``VolumeIsBusy`` if it has snapshots of users.
        """
        mine = [one for one in found if not one.internal]
        foreign = [one.name for one in mine if not one.in_trash and not is_own(one.name)]
        if foreign:
            shown = ", ".join(foreign[:3])
            raise VolumeIsBusy(name=name, reason=f"it has snapshots ({shown}). Delete them first")
        own = [one.name for one in mine if not one.in_trash]
        if not own:
            return bool(mine)
        with self._images.writing(name) as image:
            for one in own:
                self._ancestry.drop(image, one)
            # One that something hangs on stays, by its name or in the trash.
            return any(not one.internal for one in image.snapshots())

    # ---- the image itself ----------------------------------------------------------------------

    def _remove(self, name: str, size: int) -> None:
        with self._refusing(name):
            self._images.remove(name, size)

    def _to_trash(self, name: str) -> None:
        with self._refusing(name):
            self._images.trash_move(name, self._site.options.deferred_deletion_delay)

    @contextmanager
    def _refusing(self, name: str) -> Iterator[None]:
        try:
            yield
        except ImageMissing as failure:
            LOG.debug("%s", failure)
        except HasSnapshots as failure:
            raise VolumeIsBusy(
                name=name, reason="it has got a snapshot. Delete that first"
            ) from failure
        except InUse as failure:
            by = ", ".join(consumers.watchers(self._images, name)) or "somebody"
            raise VolumeIsBusy(
                name=name,
                reason=f"it is open at {by} (see `rbd status {self._images.pool}/{name}`). Detach "
                "or close it there; a consumer that crashed is forgotten within half a "
                "minute: then delete it again",
            ) from failure

    # ---- snapshots -----------------------------------------------------------------------------

    def delete_snapshot(self, volume: str, snapshot: str) -> None:
        """Remove it; absent is success.  What was made of it gets bytes of its own if need be.

        Raises ``SnapshotIsBusy``.
        """
        try:
            with self._images.writing(volume) as image:
                if image.is_protected(snapshot):
                    self._unprotect(image, snapshot)
                image.remove_snapshot(snapshot)
        except ImageMissing as failure:
            LOG.info("%s", failure)
        except InUse as failure:
            raise SnapshotIsBusy(
                name=snapshot,
                reason="something was made of it meanwhile. Delete it again",
                transient=True,
            ) from failure

    def _unprotect(self, image: Image, snapshot: str) -> None:
        try:
            image.unprotect(snapshot)
        except InUse:
            self._flatten_children(image, snapshot)
            image.unprotect(snapshot)

    def _flatten_children(self, image: Image, snapshot: str) -> None:
        seen = "what was made of it"
        try:
            for child in image.children(snapshot):
                seen = f"{child.pool}/{child.image}"
                LOG.info("%s gets bytes of its own, for snapshot %s goes", seen, snapshot)
                self._flatten_child(child)
        except RbdError as failure:
            raise SnapshotIsBusy(
                name=snapshot,
                reason=f"{seen} hangs on it and cannot get bytes of its own: {failure.message} "
                "Flatten (`rbd flatten`) or delete that first",
                transient=failure.transient,
            ) from failure

    def _flatten_child(self, child: Child) -> None:
        try:
            with Images(self._site.cluster, child.pool).writing(None, id=child.id) as clone:
                self._site.flatten(clone)
        except ImageMissing as failure:
            LOG.debug("%s", failure)


def is_own(snapshot: str) -> bool:
    """Whether a snapshot was made by this service for itself: of a clone or a backup."""
    return bool(
        names.CLONE_SNAPSHOT.fullmatch(snapshot) or names.BACKUP_SNAPSHOT.fullmatch(snapshot)
    )

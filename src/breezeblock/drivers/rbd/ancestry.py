"""What images hang on: the clones' snapshots, and the images that live on for them.

A clone D of S hangs on ``S@D.clone_snap``.  When S is deleted before D it is renamed
``S.deleted`` and goes with the last of its clones, as do the images that it hung on itself.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from breezeblock.drivers import progress
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.errors import HasSnapshots, ImageMissing, InUse, WrongArgument
from breezeblock.drivers.rbd.image import Image, Parent
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.journal import Reference

LOG = logging.getLogger(__name__)

#: No chain is as long: whatever looks so is a fault.
_LONGEST = 1000
#: Seconds that a call may have an image open to remove one of its snapshots, and between looks.
_OPEN_SECONDS = 10.0
_PAUSE = 0.05


class Ancestry:
    """The chains of one pool's images."""

    def __init__(self, images: Images) -> None:
        self._images = images

    # ---- looking -------------------------------------------------------------------------------

    def depth(self, image: Image) -> int:
        """How many images it hangs on, one on another, by clones of volumes."""
        parent = self._kept_parent(image)
        depth = 0
        while parent is not None:
            depth += 1
            if depth > _LONGEST:
                raise VolumeBackendError(
                    reason=f"{image.name} hangs on more than {_LONGEST} images. Flatten it "
                    "(`rbd flatten`)"
                )
            with self._images.reading(None, id=parent.id) as above:
                parent = self._kept_parent(above)
        return depth

    def references(self, image: Image) -> tuple[Reference, ...]:
        """What may be needed by nobody any more when the image is gone: at most one.

        The parent may be deleted at any moment, so it does not matter whether it is by now.
        """
        parent = image.parent()
        if parent is None or parent.pool != self._images.pool:
            return ()
        # A user's snapshot keeps its image from being deleted.
        is_users = names.SNAPSHOT.fullmatch(parent.snapshot)
        if is_users and not names.is_deleted(parent.image):
            return ()
        return ((parent.id, parent.snapshot),)

    def _kept_parent(self, image: Image) -> Parent | None:
        """What the image hangs on, if that was made or kept for clones; else None."""
        parent = image.parent()
        if parent is None or parent.pool != self._images.pool:
            return None
        made_for_clones = names.CLONE_SNAPSHOT.fullmatch(parent.snapshot)
        return parent if made_for_clones or names.is_deleted(parent.image) else None

    # ---- letting go ----------------------------------------------------------------------------

    def release(
        self, references: Sequence[Reference], note: Callable[[tuple[Reference, ...]], object]
    ) -> None:
        """Remove these snapshots, the images that lived on for them alone, and so on upwards.

        What something else hangs on stays.  All of a chain may be deleted at the same time, by
        several workers: each looks at an image after it has done its own part there, so that the
        last of them finds that nobody needs it.  ``note`` is told what is left to do before an
        image goes that hangs on another itself.
        """
        left = list(references)
        while left:
            id, snapshot = left[0]
            self._drop(id, snapshot)
            unneeded = self._unneeded(id)
            if unneeded is not None:
                name, size, above = unneeded
                if above:
                    left[1:1] = above
                    note(tuple(left))
                LOG.info("%s has no clones any more and is removed", name)
                self._remove(name, size)
            del left[0]

    def _drop(self, id: str, snapshot: str) -> None:
        if not names.CLONE_SNAPSHOT.fullmatch(snapshot):
            return
        try:
            with self._images.writing(None, id=id) as image:
                self.drop(image, snapshot)
        except ImageMissing as failure:
            LOG.debug("%s", failure)

    def _unneeded(self, id: str) -> tuple[str, int, tuple[Reference, ...]] | None:
        """Name, size and references of a deleted image that nothing hangs on; else None."""
        try:
            with self._images.reading(None, id=id) as image:
                name = image.current_name()
                if not names.is_deleted(name) or image.snapshots():
                    return None
                return name, image.size(), self.references(image)
        except ImageMissing:
            # Another call removed it, and notes what is above it.
            return None

    def _remove(self, name: str, size: int) -> None:
        """Remove it; another call at the same image, which has it open, is let finish."""
        deadline = time.monotonic() + _OPEN_SECONDS
        while True:
            try:
                self._images.remove(name, size)
                return
            except ImageMissing:
                return
            except HasSnapshots as failure:
                LOG.info("%s", failure)
                return
            except InUse:
                if time.monotonic() > deadline:
                    raise
            progress.current().checkpoint()
            time.sleep(_PAUSE)

    def drop_snapshot(self, name: str, snapshot: str) -> None:
        """Remove a clone's snapshot from its source; absent is success."""
        try:
            with self._images.writing(name) as image:
                self.drop(image, snapshot)
        except ImageMissing as failure:
            LOG.debug("%s", failure)

    def drop(self, image: Image, snapshot: str) -> None:
        """Remove a snapshot unless something hangs on it; absent is success."""
        if snapshot not in {one.name for one in image.snapshots() if not one.in_trash}:
            return
        try:
            if image.is_protected(snapshot):
                image.unprotect(snapshot)
            image.remove_snapshot(snapshot)
        except InUse as failure:
            LOG.info("something still hangs on it: %s", failure)
        except (ImageMissing, WrongArgument) as failure:
            # Another call was quicker.
            LOG.debug("%s", failure)

"""What images hang on: the clones' snapshots, and the images that live on for them.

A clone D of S hangs on ``S@D.clone_snap``.  When S is deleted before D it is renamed
``S.deleted`` and goes with the last of its clones, as do the images that it hung on itself.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.errors import HasSnapshots, ImageMissing, InUse, WrongArgument
from breezeblock.drivers.rbd.image import Image, Parent
from breezeblock.drivers.rbd.images import Images
from breezeblock.drivers.rbd.journal import Reference

LOG = logging.getLogger(__name__)

#: No chain is as long: whatever looks so is a fault.
_LONGEST = 1000


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
        """What nobody needs any more when the image is gone, unless others hang on it too."""
        found: list[Reference] = []
        parent = self._kept_parent(image)
        while parent is not None and len(found) < _LONGEST:
            found.append((parent.id, parent.snapshot))
            if not names.is_deleted(parent.image):
                break
            with self._images.reading(None, id=parent.id) as above:
                parent = self._kept_parent(above)
        return tuple(found)

    def whole_line(self, references: tuple[Reference, ...]) -> tuple[Reference, ...]:
        """The same, and what the last one's image hangs on if that was deleted since."""
        if not references:
            return references
        try:
            with self._images.reading(None, id=references[-1][0]) as image:
                if names.is_deleted(image.current_name()):
                    return references + self.references(image)
        except ImageMissing as failure:
            LOG.debug("%s", failure)
        return references

    def _kept_parent(self, image: Image) -> Parent | None:
        """What the image hangs on, if that was made or kept for clones; else None."""
        parent = image.parent()
        if parent is None or parent.pool != self._images.pool:
            return None
        made_for_clones = names.CLONE_SNAPSHOT.fullmatch(parent.snapshot)
        return parent if made_for_clones or names.is_deleted(parent.image) else None

    # ---- letting go ----------------------------------------------------------------------------

    def release(self, references: Sequence[Reference]) -> None:
        """Remove these snapshots, and the images that lived on for them alone.

        What something else hangs on stays, and all above it.
        """
        for id, snapshot in references:
            try:
                with self._images.writing(None, id=id) as image:
                    self.drop(image, snapshot)
                    name, size = image.current_name(), image.size()
                    is_needed = not names.is_deleted(name) or image.snapshots()
            except ImageMissing:
                # An earlier call removed it and did not come to those above.
                continue
            if is_needed:
                return
            LOG.info("%s has no clones any more and is removed", name)
            try:
                self._images.remove(name, size)
            except ImageMissing:
                continue
            except HasSnapshots as failure:
                LOG.info("%s", failure)
                return

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

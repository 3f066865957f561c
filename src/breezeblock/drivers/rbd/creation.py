"""New volumes, empty or as clones, and snapshots.

librbd makes an image in several steps, and a clone in more: what is interrupted is recognised (a
name without an image behind it, an entry of the journal) and made anew.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace

from breezeblock.drivers import progress
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.ancestry import Ancestry
from breezeblock.drivers.rbd.errors import ImageMissing, InUse, NameTaken, RbdError
from breezeblock.drivers.rbd.images import Images, Shape
from breezeblock.drivers.rbd.journal import CLONE, Entry
from breezeblock.drivers.rbd.removal import Removal
from breezeblock.drivers.rbd.site import Site

LOG = logging.getLogger(__name__)

#: Seconds that another call, which is at the same image now, gets to finish it.
_GRACE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Origin:
    """The snapshot that a clone is made of.

    ``id`` is set if the snapshot is made for this clone alone: that of ``image``, which the
    snapshot is removed from when the clone does not hang on it any more.  ``size`` is its bytes,
    0 if they are not known.
    """

    images: Images
    image: str
    snapshot: str
    id: str = ""
    size: int = 0


class Creation:
    """See the module.  Sizes are bytes, ``features`` librbd's bits."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._images = site.images

    # ---- empty volumes -------------------------------------------------------------------------

    def create(self, name: str, size: int, features: int) -> None:
        """An empty volume that reads as zeros; what is there under its name is kept."""
        shape = Shape(self._site.order, features)
        try:
            self._images.create(name, size, shape)
            return
        except NameTaken:
            LOG.info("%s is there already", name)
        if self._is_whole(name):
            self.grow(name, size)
            return
        LOG.warning("%s was left half made and is made anew", name)
        self._images.remove(name)
        self._images.create(name, size, shape)

    def _is_whole(self, name: str) -> bool:
        """Whether there is an image behind a name; another call may be at making it."""
        deadline = time.monotonic() + _GRACE_SECONDS
        while not self._images.exists(name):
            progress.current().checkpoint()
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def grow(self, name: str, size: int) -> None:
        """Make it at least that large; the new part reads as zeros."""
        with self._images.reading(name) as image:
            if image.size() >= size:
                return
        with self._images.writing(name) as image:
            image.resize(size)

    # ---- clones --------------------------------------------------------------------------------

    def from_snapshot(
        self, name: str, size: int, features: int, source: str, snapshot: str, *, flatten: bool
    ) -> None:
        """A volume with the bytes of a snapshot of ``source``."""
        self.clone(name, size, features, Origin(self._images, source, snapshot), flatten=flatten)

    def of_volume(self, name: str, size: int, features: int, source: str, *, bounded: bool) -> None:
        """A volume with the bytes of another one at one instant, also while that is in use.

        ``bounded``: it gets bytes of its own where the chain of clones would become too long.
        """
        limit = self._site.options.rbd_max_clone_depth
        with self._images.reading(source) as image:
            snapshot = names.clone_snapshot(name)
            origin = Origin(self._images, source, snapshot, image.id, image.size())
            flatten = limit <= 0 or (bounded and Ancestry(self._images).depth(image) >= limit)
        self.clone(name, size, features, origin, flatten=flatten)

    def clone(self, name: str, size: int, features: int, origin: Origin, *, flatten: bool) -> None:
        """A volume with the bytes of ``origin``, of its size or larger.

        ``flatten``: with bytes of its own.
        """
        entry = self._site.journal.find(name)
        if entry is not None and entry.verb != CLONE:
            # Of an earlier volume of that name.
            Removal(self._site).complete(entry)
            entry = None
        if entry is None and self._images.exists(name):
            # An earlier call did it all.
            self.grow(name, size)
            return
        is_new = entry is None
        if entry is None:
            references = ((origin.id, origin.snapshot),) if origin.id else ()
            entry = Entry(name, CLONE, references, origin.snapshot)
        self._site.journal.take_over(entry)
        if is_new or not self.is_whole(entry):
            self._clone_anew(entry, Shape(self._site.order, features), origin)
        if flatten or entry.flattening:
            self._flatten(entry)
        if origin.size < size:
            self.grow(name, size)
        self._site.journal.finish(name)

    def is_whole(self, entry: Entry) -> bool:
        """Whether librbd has finished the clone that an entry is about."""
        try:
            with self._images.reading(entry.name) as image:
                parent = image.parent()
        except ImageMissing:
            return False
        if parent is None:
            return entry.flattening
        return parent.snapshot == entry.snapshot

    def _clone_anew(self, entry: Entry, shape: Shape, origin: Origin) -> None:
        name, snapshot = entry.name, origin.snapshot
        try:
            if origin.id:
                self.snapshot(snapshot, origin.image, origin.images)
            try:
                self._images.clone(origin.images, origin.image, snapshot, name, shape)
            except NameTaken:
                LOG.warning("%s was left half made and is made anew", name)
                self._images.remove(name)
                self._images.clone(origin.images, origin.image, snapshot, name, shape)
        except RbdError as failure:
            if not failure.transient:
                self._take_back(entry)
            raise

    def _take_back(self, entry: Entry) -> None:
        try:
            Removal(self._site).settle(entry.name, entry.references)
        except RbdError as failure:
            LOG.warning("what is left of %s goes with the next start: %s", entry.name, failure)

    def _flatten(self, entry: Entry) -> None:
        if not entry.flattening:
            self._site.journal.write(replace(entry, flattening=True))
        with self._images.writing(entry.name) as image:
            if image.parent() is not None:
                self._site.flatten(image)
        Ancestry(self._images).release(
            entry.references,
            lambda left: self._site.journal.write(replace(entry, references=left, flattening=True)),
        )

    # ---- snapshots -----------------------------------------------------------------------------

    def snapshot(self, name: str, volume: str, images: Images | None = None) -> None:
        """Keep the bytes of a volume as of one instant, also while it is in use.

        The snapshot is protected, so that it can be cloned.  ``images`` is the pool if it is
        another one.
        """
        with (images or self._images).writing(volume) as image:
            try:
                image.create_snapshot(name)
            except NameTaken:
                LOG.info("%s has a snapshot %s already", volume, name)
            try:
                image.protect(name)
            except InUse:
                # librbd says so when it is protected already.
                if not image.is_protected(name):
                    raise

"""A volume takes back the bytes of one of its snapshots.

librbd copies them in place, object by object: an entry of the journal says so meanwhile, and the
next start completes what was interrupted.
"""

from __future__ import annotations

from breezeblock.drivers.errors import VolumeIsMissing
from breezeblock.drivers.rbd import consumers
from breezeblock.drivers.rbd.journal import REVERT, Entry
from breezeblock.drivers.rbd.site import Site


class Reverting:
    """See the module."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def revert(self, name: str, snapshot: str, size: int) -> None:
        """Make its bytes those of the snapshot; a larger volume (``size`` bytes) stays so."""
        with self._site.expecting(name), self._site.images.reading(name) as image:
            if snapshot not in {one.name for one in image.snapshots() if not one.in_trash}:
                raise VolumeIsMissing(
                    name=f"{self._site.images.pool}/{name}@{snapshot}", backend=self._site.backend
                )
            size = max(size, image.size())
        self.finish(self._site.journal.write(Entry(name, REVERT, snapshot=snapshot, size=size)))

    def finish(self, entry: Entry) -> None:
        """Do what an entry says, which may have been begun."""
        consumers.outlasting(self._site.images, entry.name, lambda: self._roll_back(entry))
        self._site.journal.finish(entry.name)

    def _roll_back(self, entry: Entry) -> None:
        with self._site.images.writing(entry.name) as image:
            image.roll_back(entry.snapshot)
            if image.size() < entry.size:
                image.resize(entry.size)

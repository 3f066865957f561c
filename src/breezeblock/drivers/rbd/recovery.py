"""What interrupted calls of this host left in the pool is completed or removed, at start.

Only what an entry of the journal names is touched, so that another host's work goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from breezeblock.drivers.errors import VolumeDriverError
from breezeblock.drivers.rbd.creation import Creation
from breezeblock.drivers.rbd.errors import ImageMissing
from breezeblock.drivers.rbd.journal import CLONE, MIGRATE, REMOVE, REVERT, Entry
from breezeblock.drivers.rbd.removal import Removal
from breezeblock.drivers.rbd.reverting import Reverting
from breezeblock.drivers.rbd.site import Site
from breezeblock.drivers.rbd.trash import Trash

LOG = logging.getLogger(__name__)


class Recovery:
    """See the module.  ``unfinished`` names volumes whose verbs will be called again."""

    def __init__(self, site: Site, unfinished: Collection[str]) -> None:
        self._site = site
        self._unfinished = unfinished

    def run(self) -> int:
        """Do it; return how many things were completed or removed."""
        done = 0
        for entry in self._site.journal.own_entries():
            if entry.name in self._unfinished:
                continue
            try:
                self._settle(entry)
                done += 1
            except VolumeDriverError as failure:
                # One that cannot be mended does not keep the backend from starting.
                LOG.error("%s: %s is left as it is: %s", self._site.backend, entry.name, failure)
        return done

    def _settle(self, entry: Entry) -> None:
        if id := Trash.id_in(entry):
            Trash(self._site).remove(id)
            return
        if entry.verb == REMOVE:
            Removal(self._site).complete(entry)
            return
        if entry.verb == REVERT:
            self._settle_revert(entry)
        elif entry.verb == MIGRATE and self._site.images.exists(entry.name):
            Removal(self._site).drop_copy(entry)
        elif entry.verb == CLONE:
            self._settle_clone(entry)
        Removal(self._site).settle(entry.name, entry.references)

    def _settle_revert(self, entry: Entry) -> None:
        try:
            Reverting(self._site).finish(entry)
        except ImageMissing as failure:
            LOG.info("there is nothing left to revert: %s", failure)

    def _settle_clone(self, entry: Entry) -> None:
        """A clone that is whole stays: whether it is wanted is not known here."""
        if Creation(self._site).is_whole(entry):
            return
        try:
            self._site.images.remove(entry.name)
            LOG.info("%s was never finished and is removed", entry.name)
        except ImageMissing as failure:
            LOG.debug("%s", failure)

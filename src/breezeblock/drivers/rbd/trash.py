"""Deleted volumes that wait in Ceph's trash are removed when their time has come."""

from __future__ import annotations

import logging
import threading
import weakref
from datetime import UTC, datetime

from breezeblock.drivers.errors import VolumeDriverError
from breezeblock.drivers.rbd import names
from breezeblock.drivers.rbd.ancestry import Ancestry
from breezeblock.drivers.rbd.errors import HasSnapshots, ImageMissing, InUse, NotAllowed
from breezeblock.drivers.rbd.journal import REMOVE, Entry
from breezeblock.drivers.rbd.site import Site

LOG = logging.getLogger(__name__)

#: Entries are named by the image's id: there may be another volume of its name by now.
_ENTRY = "trash "


class Trash:
    """The trash of one pool."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._images = site.images

    def purge(self) -> int:
        """Remove what may be removed by now; how many images that were."""
        now = datetime.now(UTC).replace(tzinfo=None)
        return sum(
            self.remove(entry.id)
            for entry in self._images.trash()
            if names.VOLUME.fullmatch(entry.name) and entry.until <= now
        )

    def remove(self, id: str) -> bool:
        """Remove one image, if its time has come, and what lived on for it; whether it is gone."""
        name = _ENTRY + id
        entry = self._site.journal.find(name)
        references = entry.references if entry is not None else ()
        try:
            with self._images.reading(None, id=id) as image:
                references = Ancestry(self._images).references(image)
        except ImageMissing as failure:
            LOG.info("it was left half removed: %s", failure)
        try:
            if references:
                self._site.journal.write(Entry(name, REMOVE, references))
            self._images.trash_remove(id)
        except NotAllowed as failure:
            LOG.debug("it is too early: %s", failure)
            return False
        except (InUse, HasSnapshots) as failure:
            LOG.warning("it stays in the trash: %s", failure)
            return False
        except ImageMissing as failure:
            LOG.debug("another one was quicker: %s", failure)
        if references:
            Ancestry(self._images).release(
                references, lambda left: self._site.journal.write(Entry(name, REMOVE, left))
            )
            self._site.journal.finish(name)
        return True

    @staticmethod
    def id_in(entry: Entry) -> str | None:
        """The image in the trash that an entry of the journal is about."""
        return entry.name.removeprefix(_ENTRY) if entry.name.startswith(_ENTRY) else None


class Purging:
    """Looks into the trash again and again, in a thread that ends with its owner."""

    def __init__(self, owner: object, site: Site, interval: float) -> None:
        self._interval = interval
        self._site = site
        self._ended = threading.Event()
        weakref.finalize(owner, self._ended.set)
        self._thread = threading.Thread(target=self._run, name="trash", daemon=True)

    def start(self) -> None:
        """Begin, if it has not begun."""
        if not self._thread.is_alive() and not self._ended.is_set():
            self._thread.start()

    def stop(self) -> None:
        """End soon."""
        self._ended.set()

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                Trash(self._site).purge()
            except VolumeDriverError as failure:
                LOG.warning("the trash could not be looked at: %s", failure)
            except Exception:
                LOG.exception("the trash could not be looked at")

"""What is half made in a pool, written down in the pool's own metadata before it is begun.

An entry is named by the image its verb is about.  Whoever takes the work over finds it there, on
any host; at a start a host looks only at its own (``host``), because others may be at theirs.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

from breezeblock.drivers.rbd.images import Images

CLONE = "clone"
REMOVE = "remove"
REVERT = "revert"
MIGRATE = "migrate"

_PREFIX = "breezeblock."


#: A snapshot that an image hangs on: the id of the image that has it, and its name.
Reference = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Entry:
    """The unfinished work on the image ``name``.

    ``references`` are the snapshots to be let go of afterwards, the nearest first.
    ``snapshot`` is the one that is cloned or reverted to, ``size`` the bytes the image shall have,
    ``pool`` where a migration goes.  ``flattening``: a clone lacks nothing but its parent's bytes.
    """

    name: str
    verb: str
    references: tuple[Reference, ...] = ()
    snapshot: str = ""
    size: int = 0
    pool: str = ""
    flattening: bool = False
    host: str = ""


class Journal:
    """The entries of one pool."""

    def __init__(self, images: Images, host: str) -> None:
        self._images = images
        self._host = host

    def find(self, name: str) -> Entry | None:
        """The entry of an image; one that cannot be read counts as none."""
        return _parsed(name, self._images.note(_PREFIX + name))

    def entries(self) -> list[Entry]:
        """All of them, other hosts' too."""
        found = self._images.notes(_PREFIX).items()
        parsed = (_parsed(key.removeprefix(_PREFIX), value) for key, value in found)
        return [entry for entry in parsed if entry is not None]

    def own_entries(self) -> list[Entry]:
        """Those that this host wrote."""
        return [entry for entry in self.entries() if entry.host == self._host]

    def write(self, entry: Entry) -> Entry:
        """Write it down as this host's; it takes the place of an earlier one of the same image."""
        entry = replace(entry, host=self._host)
        self._images.write_note(_PREFIX + entry.name, json.dumps(asdict(entry)))
        return entry

    def take_over(self, entry: Entry) -> None:
        """Make another host's entry this one's, so that its next start leaves it alone."""
        if entry.host != self._host:
            self.write(entry)

    def finish(self, name: str) -> None:
        """The work is done."""
        self._images.remove_note(_PREFIX + name)


def _parsed(name: str, text: str | None) -> Entry | None:
    if text is None:
        return None
    try:
        known = {**json.loads(text), "name": name}
        known["references"] = tuple((id, snapshot) for id, snapshot in known["references"])
        return Entry(**known)
    except (ValueError, TypeError, KeyError):
        return None

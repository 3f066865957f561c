"""What is half made, written down before it is begun.

A logical volume is there as soon as ``lvcreate`` is through, but it is not finished: a thick one
holds what its blocks held before, a copy is still to be filled.  So an entry is written first and
removed when the object is complete.  Entry and object: incomplete.  No entry, but the object:
complete.  No extra LVM command is needed to mark either.

Layout, ``<state_path>/lvm/<group>/``::

    <object>.<verb>             one entry, JSON
    <object>.<verb>.checkpoint  how far its copy is
    <object>.lock               held while somebody works at the object
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from breezeblock.drivers.lvm.errors import LvmError
from breezeblock.execution.durable import make_private_directory, sync_directory, write_atomically
from breezeblock.execution.filelock import LockTimeout, lock

#: Seconds to wait for a worker that lost its lease to leave an object.
_LOCK_SECONDS = 60.0

MAKE = "make"
EXTEND = "extend"
REVERT = "revert"
_VERBS = (MAKE, EXTEND, REVERT)


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of unfinished work on the logical volume ``name``.

    ``tag`` is put on a volume that is created under this entry, so that it can be told from one
    that was there, complete, before.  ``size`` is its size in bytes before an extension, or that of
    the ``snapshot`` that it is being reverted to.
    """

    name: str
    verb: str
    tag: str
    size: int = 0
    snapshot: str = ""


class Journal:
    """The entries of one volume group.  Safe to use from several threads and processes."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare(self) -> None:
        """Create the directory."""
        try:
            make_private_directory(self._directory)
        except OSError as failure:
            raise LvmError(
                reason=f"{self._directory} cannot be made: {failure.strerror}. Make state_path a "
                "directory that the service's user owns"
            ) from failure

    @contextmanager
    def held(self, name: str, timeout: float = _LOCK_SECONDS) -> Iterator[None]:
        """Work at ``name`` alone.  Raises a transient ``LvmError`` if another one does."""
        try:
            with lock(self._directory / f"{name}.lock", timeout):
                yield
        except LockTimeout:
            raise LvmError(
                reason=f"another worker is still at {name}. It is tried again", transient=True
            ) from None

    def find(self, name: str, verb: str) -> Entry | None:
        """The entry of a verb on ``name``; one that cannot be read counts as none."""
        try:
            return Entry(**json.loads(self._path(name, verb).read_bytes()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def begin(self, name: str, verb: str, *, size: int = 0, snapshot: str = "") -> Entry:
        """Write the entry down, durably, unless it is there already; return it."""
        found = self.find(name, verb)
        if found is not None:
            return found
        entry = Entry(name, verb, f"making-{secrets.token_hex(4)}", size, snapshot)
        self.checkpoint(name, verb).unlink(missing_ok=True)
        write_atomically(self._path(name, verb), json.dumps(asdict(entry)).encode())
        return entry

    def finish(self, name: str, verb: str) -> None:
        """The work is done: remove the entry, durably."""
        self.checkpoint(name, verb).unlink(missing_ok=True)
        self._path(name, verb).unlink(missing_ok=True)
        sync_directory(self._directory)

    def forget(self, name: str) -> None:
        """The object is gone: so is all its unfinished work."""
        for entry in self.entries():
            if name in {entry.name, entry.snapshot}:
                self.finish(entry.name, entry.verb)

    def checkpoint(self, name: str, verb: str) -> Path:
        """Where the copy of an entry notes how far it is."""
        return self._directory / f"{name}.{verb}.checkpoint"

    def entries(self) -> list[Entry]:
        """All unfinished work."""
        found = []
        for path in sorted(self._directory.iterdir()):
            name, _, verb = path.name.rpartition(".")
            if verb in _VERBS and not name.startswith("."):
                entry = self.find(name, verb)
                if entry is not None:
                    found.append(entry)
        return found

    def names(self, verb: str) -> set[str]:
        """The objects with unfinished work of one verb."""
        return {
            path.name.removesuffix(f".{verb}") for path in self._directory.glob(f"[!.]*.{verb}")
        }

    def _path(self, name: str, verb: str) -> Path:
        return self._directory / f"{name}.{verb}"

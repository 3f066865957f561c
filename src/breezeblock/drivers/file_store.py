"""A directory of raw files: names, atomic creation, and what is counted of them.

Layout::

    layout.json     what this directory is: {"version": 1, "format": "raw"}
    volumes/        one sparse file per volume, its size the volume's
    snapshots/      one per snapshot
    partial/        files being made, and how far they are; renamed into place when complete

The format is written down once and never guessed from a file's content, which belongs to the
volume's user and may pretend to be anything.  Files are 0600, directories 0700.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from breezeblock.drivers import progress
from breezeblock.drivers.errors import BackendMisconfigured, VolumeBackendError
from breezeblock.execution.durable import (
    make_private_directory,
    sync_directory,
    write_atomically,
)
from breezeblock.execution.filelock import LockTimeout, acquire, is_same_file

_LAYOUT = {"version": 1, "format": "raw"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,200}")
_SNAPSHOT_PREFIX = "snapshot-"
#: Seconds to wait for a fenced worker to leave a file it was making.
_LOCK_SECONDS = 30.0
#: Every so many looks at the sizes all files are looked at, not only new ones.
_FULL_LOOK = 30


class FileStore:
    """See the module.  Safe to use from several threads and processes."""

    def __init__(self, directory: Path, backend: str) -> None:
        self.directory = directory
        self._backend = backend
        self._partial = directory / "partial"
        self._places = {kind: directory / kind for kind in ("volumes", "snapshots")}
        self._sizes: dict[str, dict[str, int]] = {kind: {} for kind in self._places}
        self._looks = 0

    # ---- set-up --------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Create what is missing.  Raises ``BackendMisconfigured``."""
        try:
            for directory in (self.directory, self._partial, *self._places.values()):
                make_private_directory(directory)
            layout = self.directory / "layout.json"
            if not layout.exists():
                write_atomically(layout, json.dumps(_LAYOUT).encode())
            found = json.loads(layout.read_bytes())
        except (OSError, ValueError) as failure:
            raise BackendMisconfigured(
                backend=self._backend,
                reason=f"{self.directory} cannot be used: {failure}. Make it a directory that "
                "the service's user owns",
            ) from failure
        if found != _LAYOUT:
            raise BackendMisconfigured(
                backend=self._backend,
                reason=f"{layout} says {found}, this release knows {_LAYOUT}. Use the release "
                "that wrote it, or another directory",
            )

    def recover(self, unfinished: Collection[str]) -> int:
        """Remove what nobody will finish from ``partial``; return how many files."""
        keep = set(unfinished)
        removed = 0
        for entry in list(self._partial.iterdir()):
            if entry.name.lstrip(".").partition(".")[0] not in keep and _is_nobodys(entry):
                entry.unlink(missing_ok=True)
                removed += 1
        return removed

    # ---- names ---------------------------------------------------------------------------------

    def path(self, name: str) -> Path:
        """Where the finished file of that name is.  Raises ``VolumeBackendError``."""
        if not _NAME.fullmatch(name):
            raise VolumeBackendError(reason=f"{name!r} is no name of a volume or snapshot")
        kind = "snapshots" if name.startswith(_SNAPSHOT_PREFIX) else "volumes"
        return self._places[kind] / name

    def names(self, kind: str) -> set[str]:
        """All finished files of a kind (``volumes`` or ``snapshots``)."""
        return set(os.listdir(self._places[kind]))

    # ---- making and removing -------------------------------------------------------------------

    def make(self, name: str, fill: Callable[[int, Path], None]) -> bool:
        """Make the file ``name`` unless it is there; false if it was.

        ``fill`` gets the open partial file (maybe with what an interrupted call left) and where
        to keep its checkpoint.  The file appears under its name when it is complete and on disk.
        """
        final = self.path(name)
        with self._being_made(name, lambda: not final.exists()) as (fd, partial):
            if fd is None:
                return False
            fill(fd, self.checkpoint_path(partial.name))
            self._publish(fd, partial, final)
        return True

    def replace(
        self,
        name: str,
        fill: Callable[[int, Path], None],
        publishing: Callable[[Callable[[], None]], None],
    ) -> None:
        """Put a new file in the place of ``name``, at once and whole.

        ``publishing`` is handed the last step and runs it (within a pause, for example).
        """
        final = self.path(name)
        with self._being_made(f"{name}.new", lambda: True) as (fd, partial):
            if fd is None:
                return
            new = fd
            fill(new, self.checkpoint_path(partial.name))
            os.fsync(new)
            publishing(lambda: self._publish(new, partial, final))

    def remove(self, name: str) -> None:
        """Remove a file and what was begun under its name; absent is success."""
        final = self.path(name)
        for leftover in self._leftovers(name):
            leftover.unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            final.unlink()
            sync_directory(final.parent)

    def checkpoint_path(self, partial_name: str) -> Path:
        return self._partial / f"{partial_name}.checkpoint"

    def _leftovers(self, name: str) -> list[Path]:
        made = [self._partial / name, self._partial / f"{name}.new"]
        return [*made, *(self.checkpoint_path(path.name) for path in made)]

    @contextmanager
    def _being_made(
        self, name: str, wanted: Callable[[], bool]
    ) -> Iterator[tuple[int | None, Path]]:
        """The locked partial file of that name; None when it is not ``wanted`` any more."""
        partial = self._partial / name
        deadline = time.monotonic() + _LOCK_SECONDS
        while wanted():
            fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                acquire(fd, deadline)
                # Whoever held it may have finished or removed it.
                if not is_same_file(fd, partial):
                    continue
                if wanted():
                    yield fd, partial
                else:
                    partial.unlink(missing_ok=True)
                    yield None, partial
                return
            except LockTimeout as busy:
                raise VolumeBackendError(
                    reason=f"another worker is still making {name}", transient=True
                ) from busy
            finally:
                os.close(fd)
        yield None, partial

    def _publish(self, fd: int, partial: Path, final: Path) -> None:
        os.fchmod(fd, 0o600)
        os.fsync(fd)
        progress.current().checkpoint()
        os.rename(partial, final)
        sync_directory(final.parent)
        self.checkpoint_path(partial.name).unlink(missing_ok=True)

    # ---- counting ------------------------------------------------------------------------------

    def provisioned_bytes(self) -> int:
        """The sum of the sizes of all files.

        Asked every minute or so, with maybe 100,000 files: only names are listed (some 50 ms),
        and a size is looked up when its name is new.  What grew meanwhile under another worker
        is seen at every thirtieth call, which looks at all.
        """
        self._looks += 1
        for kind, place in self._places.items():
            known = {} if self._looks % _FULL_LOOK == 0 else self._sizes[kind]
            sizes: dict[str, int] = {}
            with os.scandir(place) as entries:
                for entry in entries:
                    size = known.get(entry.name)
                    if size is None:
                        with suppress(FileNotFoundError):
                            size = entry.stat(follow_symlinks=False).st_size
                    sizes[entry.name] = size or 0
            self._sizes[kind] = sizes
        return sum(sum(sizes.values()) for sizes in self._sizes.values())

    def grew(self, name: str) -> None:
        """Look the size of ``name`` up again at the next count."""
        self._sizes["volumes"].pop(name, None)

    def counts(self) -> tuple[int, int]:
        """How many volumes and snapshots there were at the last count."""
        return len(self._sizes["volumes"]), len(self._sizes["snapshots"])


def _is_nobodys(path: Path) -> bool:
    """Whether no process is making this file."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as failure:
        return failure.errno != errno.ENOENT
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True

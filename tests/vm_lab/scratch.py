"""The directory of a running guest: sockets, scratch disks, console."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PREFIX = "breezeblock-vm-"
#: Seconds in which a new directory may still be without its lock.
_YOUNG = 60.0


@contextmanager
def scratch_directory(prefix: str = _PREFIX) -> Iterator[Path]:
    """A directory in ``$TMPDIR``, removed afterwards; its name begins with ``prefix``.

    Its owner holds a lock on it, so that what a killed owner left behind is known by its free
    lock and is removed by the next.
    """
    _remove_stale(prefix)
    directory = Path(tempfile.mkdtemp(prefix=prefix))
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(lock)


def _remove_stale(prefix: str) -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        try:
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue
        try:
            if time.time() - os.fstat(lock).st_mtime > _YOUNG:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(directory, ignore_errors=True)
        except OSError:
            continue
        finally:
            os.close(lock)

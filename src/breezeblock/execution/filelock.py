"""A lock on a name, held across processes and let go by the kernel when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_POLL_SECONDS = 0.01


class LockTimeout(Exception):
    """Somebody else held the lock for all of the time given."""


@contextmanager
def lock(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock named ``path`` for the block; wait ``timeout`` seconds for it at most.

    The file is removed at the end, so that locks of names long gone do not pile up.  Raises
    ``LockTimeout``.
    """
    deadline = time.monotonic() + timeout
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            acquire(fd, deadline)
            # Its last holder may have removed the file between our open and our lock.
            if not is_same_file(fd, path):
                continue
            try:
                yield
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(path)
            return
        finally:
            os.close(fd)


def acquire(fd: int, deadline: float) -> None:
    """Lock an open file until it is closed.  ``deadline`` is by the monotonic clock."""
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockTimeout from None
            time.sleep(_POLL_SECONDS)


def is_same_file(fd: int, path: Path) -> bool:
    """Whether ``path`` still names the file that is open as ``fd``."""
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

"""A long call of librbd's tells how far it is, and can be stopped."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager

from breezeblock.drivers import progress

#: Seconds between two looks at whether the work may go on.
_EVERY_SECONDS = 0.25


class LongCall:
    """librbd's progress callback for a call that moves ``size`` bytes.

    librbd calls it from threads of its own, where an exception would only be printed: what a
    checkpoint raises is kept, the call is cancelled, and ``passing`` raises it for the caller.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._progress = progress.current()
        self._looked_at = float("-inf")
        self._stopped_by: BaseException | None = None

    def __call__(self, done: int, total: int) -> int:
        """Told by librbd: ``done`` of ``total`` objects.  Negative: stop."""
        if self._stopped_by is not None:
            return -errno.ECANCELED
        if time.monotonic() - self._looked_at < _EVERY_SECONDS:
            return 0
        self._looked_at = time.monotonic()
        try:
            self._progress.checkpoint()
            self._progress.report(self._size * done // total if total else 0, self._size)
        except BaseException as stop:
            self._stopped_by = stop
            return -errno.ECANCELED
        return 0

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around the call: what stopped it is raised instead of librbd's words for it."""
        try:
            yield
        finally:
            if self._stopped_by is not None:
                raise self._stopped_by

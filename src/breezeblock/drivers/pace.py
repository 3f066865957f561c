"""Keeping a rate of bytes without the kernel's help."""

from __future__ import annotations

import time

from breezeblock.drivers import progress

_MIB = 1024 * 1024
_MOST_PIECE = 64 * _MIB
#: Seconds slept at a time: a stop is heard in between.
_NAP_SECONDS = 0.5


class Pace:
    """Lets bytes pass at ``bytes_per_second`` (0: all at once).

    Time not used is not saved up, so the rate holds over every stretch of the copy.
    """

    def __init__(self, bytes_per_second: int) -> None:
        self._rate = bytes_per_second
        self._due = time.monotonic()

    @property
    def piece_bytes(self) -> int:
        """A size of pieces that passes in about half a second, in whole MiB."""
        if not self._rate:
            return _MOST_PIECE
        return min(max(self._rate // 2 // _MIB, 1) * _MIB, _MOST_PIECE)

    def wait(self, count: int) -> None:
        """Return when ``count`` more bytes may pass.  ``progress.checkpoint`` may raise."""
        if not self._rate:
            return
        self._due = max(self._due, time.monotonic()) + count / self._rate
        while (rest := self._due - time.monotonic()) > 0:
            progress.current().checkpoint()
            time.sleep(min(rest, _NAP_SECONDS))

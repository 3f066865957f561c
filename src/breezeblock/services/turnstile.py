"""How many requests of a process run Python at the same time.

Python's lock lets one thread run at a time, and threads that ask for it in vain slow the one that
has it.  Measured with 32 connections and GET of a volume: 1,600 to 1,900 requests a second with 32
threads at once, 3,000 to 3,600 with 2, and 3,800 to 4,300 with 1, which would let one slow commit
hold up everybody.  Yet requests that wait for a backend must not keep others out.  So a request
passes the turnstile to run, and steps aside to wait.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turnstile:
    """Lets ``places`` threads through at a time; the others wait without asking for the lock."""

    def __init__(self, places: int) -> None:
        self._free = threading.Semaphore(places)
        self._thread = threading.local()

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Hold a place for the block."""
        with self._free:
            self._thread.inside = True
            try:
                yield
            finally:
                self._thread.inside = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Give the place up for the block, to wait; a thread that holds none just waits."""
        if not getattr(self._thread, "inside", False):
            yield
            return
        self._free.release()
        self._thread.inside = False
        try:
            yield
        finally:
            self._free.acquire()
            self._thread.inside = True

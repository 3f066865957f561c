"""Hints between threads of one process that something may be there to do.

A hint is never needed for correctness: whoever waits also polls, so a lost one costs delay, never
work.
"""

from __future__ import annotations

import threading


class Wakeup:
    """A counter that waiters watch; ``notify`` raises it and wakes them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._count = 0

    @property
    def count(self) -> int:
        """Take this before looking, and wait for more than it afterwards: no hint is missed."""
        with self._changed:
            return self._count

    def notify(self) -> None:
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def wait(self, seen: int, timeout: float) -> None:
        """Return when the counter passes ``seen``, or after ``timeout`` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != seen, timeout)


class Hints:
    """The two things that can be waited for: work to claim, and an operation's end."""

    def __init__(self) -> None:
        self.work = Wakeup()
        self.done = Wakeup()

"""How a long copy inside a driver tells how far it is, and hears that it must stop.

A driver has no database and no idea of operations.  The worker that runs a step puts a
``Progress`` into the context (``using``); the copy asks for ``current()``.  Without a worker
(tests, tools) the null object answers.

A copy calls both methods at least once per ``CHUNK_BYTES`` or second, ``checkpoint`` BEFORE it
writes the next piece: a worker that lost its lease must not write any more, because another
worker may by now be at the same file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

#: The most a copy moves between two reports, in bytes.
CHUNK_BYTES = 64 * 1024 * 1024


class Progress(Protocol):
    """What a worker offers to the step it runs."""

    def report(self, bytes_done: int, bytes_total: int) -> None:
        """Tell how many bytes of how many are done.  Cheap: the worker thins it out."""

    def checkpoint(self) -> None:
        """Return if the work may go on.

        Raises whatever the worker chose (lease lost, stop requested).  The driver lets it pass
        through and leaves behind what a later call can resume or remove.
        """


class NoProgress:
    """Nobody is listening, nothing stops us."""

    def report(self, bytes_done: int, bytes_total: int) -> None:
        """Do nothing."""

    def checkpoint(self) -> None:
        """Do nothing."""


_NO_PROGRESS = NoProgress()
_current: ContextVar[Progress | None] = ContextVar("breezeblock_driver_progress", default=None)


def current() -> Progress:
    """The progress of the running step, or one that does nothing."""
    return _current.get() or _NO_PROGRESS


@contextmanager
def using(progress: Progress) -> Iterator[None]:
    """Make ``progress`` the current one for the block (of this thread and context only)."""
    token = _current.set(progress)
    try:
        yield
    finally:
        _current.reset(token)

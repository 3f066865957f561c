"""Numbers that are not given out twice, kept in a file.

A consumer that was cut off remembers what it knew under a number (a LUN, a subsystem's name).  If
the number means another volume when it comes back, it may write there.  So a number comes round
again only after all others have been used.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path

from breezeblock.execution.durable import make_private_directory, write_atomically
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets.errors import TargetError

_LOCK_SECONDS = 30.0


class NumberSeries:
    """1 to ``limit`` in turn.  Safe to use from threads and processes."""

    def __init__(self, path: Path, limit: int) -> None:
        self._path = path
        self._limit = limit

    def take(self, used: Container[int]) -> int:
        """The next number that is not in ``used``; durable when this returns.

        Raises ``TargetError`` if none is left.
        """
        make_private_directory(self._path.parent)
        try:
            with lock(self._path.with_name(f".{self._path.name}.lock"), _LOCK_SECONDS):
                return self._take(used)
        except LockTimeout as busy:
            raise TargetError(
                reason=f"{self._path} is locked for too long", transient=True
            ) from busy

    def _take(self, used: Container[int]) -> int:
        last = self._last()
        for step in range(1, self._limit + 1):
            number = (last + step - 1) % self._limit + 1
            if number not in used:
                write_atomically(self._path, f"{number}\n".encode())
                return number
        raise TargetError(reason=f"all {self._limit} numbers of {self._path.name} are in use")

    def _last(self) -> int:
        try:
            return int(self._path.read_text())
        except FileNotFoundError:
            return 0
        except ValueError as failure:
            raise TargetError(
                reason=f"{self._path} does not hold a number. Write into it one that is higher "
                "than all in use"
            ) from failure

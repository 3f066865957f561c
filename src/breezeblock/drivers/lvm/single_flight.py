"""One run for all who ask at the same time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

_Answer = TypeVar("_Answer")


class SingleFlight(Generic[_Answer]):
    """Shares the answer of a slow question among threads.

    An answer is never older than the question: who asks while a run is under way waits for the
    next one, and shares that with all who wait.
    """

    def __init__(self, ask: Callable[[], _Answer]) -> None:
        self._ask = ask
        self._changed = threading.Condition()
        self._running = False
        self._started = 0
        self._finished = 0
        self._answer: _Answer | None = None
        #: How many threads wait for a run to end.
        self.waiting = 0

    def get(self) -> _Answer:
        """The answer of a run that began after this call; what it raised is the runner's alone."""
        with self._changed:
            wanted = self._started + 1
            while self._running and self._finished < wanted:
                self.waiting += 1
                self._changed.wait()
                self.waiting -= 1
            if self._finished >= wanted and self._answer is not None:
                return self._answer
            self._running = True
            self._started += 1
            mine = self._started
        return self._run(mine)

    def _run(self, mine: int) -> _Answer:
        answer: _Answer | None = None
        try:
            answer = self._ask()
            return answer
        finally:
            with self._changed:
                self._running = False
                if answer is not None:
                    self._finished, self._answer = mine, answer
                self._changed.notify_all()

"""A copy in a process of its own, so that a cgroup can slow it down.

The request (``CopyRequest`` as JSON) comes by standard input; the answers go to standard output,
one JSON object a line: ``done`` and ``total`` in bytes, at the end ``written`` or ``error``.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time

from breezeblock.drivers import copy_pipeline, progress
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.pace import Pace

_PR_SET_PDEATHSIG = 1
_REPORT_SECONDS = 0.5


class _Lines:
    """Tells progress by lines.  Who asked for the copy stops it by killing this process."""

    def __init__(self) -> None:
        self._next = 0.0

    def report(self, bytes_done: int, bytes_total: int) -> None:
        now = time.monotonic()
        if now >= self._next or bytes_done == bytes_total:
            self._next = now + _REPORT_SECONDS
            _tell(done=bytes_done, total=bytes_total)

    def checkpoint(self) -> None:
        """Nothing to ask."""


def _tell(**answer: object) -> None:
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


def _die_with(parent: int) -> None:
    """prctl(2): once the service is gone another worker may copy to the same place."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def main() -> int:
    """Serve one request; the exit code is 0, or 1 after ``error``."""
    _die_with(os.getppid())
    # Nothing is read before the request arrives, which is when the cgroup holds this process.
    request = copy_pipeline.CopyRequest(**json.loads(sys.stdin.buffer.read()))
    with progress.using(_Lines()):
        try:
            written = copy_pipeline.run(request, Pace(0))
        except VolumeBackendError as failure:
            _tell(error=failure.fields["reason"], transient=failure.transient)
            return 1
    _tell(written=written)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Kills a verb: at a moment of its work, or whenever.

The verb runs in a forked child with a driver of its own.  Its moments are before and after
every external command, and every ``progress.checkpoint()``.  The child sends itself SIGKILL at the
moment it was told to, so nothing of Python runs any more; a command that has ended has
done its work, one that was to follow never begins.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from breezeblock.conformance.backend import Backend
from breezeblock.drivers import progress
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.execution.command import Completed, SecretFile, run

#: Seconds that a verb may take.
_LIMIT = 600.0
_ARMED = b"!"

Verb = Callable[[VolumeDriver], object]


class VerbFailed(Exception):
    """The child raised instead of dying or finishing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended.

    ``moments`` were passed (all of the verb's, if it was not ``killed``), the last one ``at``;
    ``seconds`` is what the verb took.
    """

    killed: bool
    moments: int = 0
    at: str = ""
    seconds: float = 0.0


def interrupted(backend: Backend, verb: Verb, moment: int) -> Outcome:
    """Run ``verb`` and kill it at its ``moment``-th moment; 0 lets it finish.

    Raises ``VerbFailed``.
    """
    return _Child(backend, verb, moment).end()


def interrupted_after(backend: Backend, verb: Verb, seconds: float) -> Outcome:
    """Run ``verb`` and kill it after some time, if it takes so long."""
    child = _Child(backend, verb, 0)
    child.wait_until_armed()
    time.sleep(seconds)
    child.kill()
    return child.end()


class _Trap:
    """Counts moments, and dies at one."""

    def __init__(self, deadly: int, pipe: int) -> None:
        self.armed = False
        self.moments = 0
        self._deadly = deadly
        self._pipe = pipe

    def execute(self, command: Sequence[str | SecretFile], **options: Any) -> Completed:
        """``run`` with a moment before and one after."""
        shown = " ".join(part for part in command[:4] if isinstance(part, str))
        self._reach(f"before {shown}")
        try:
            return run(command, **options)
        finally:
            self._reach(f"after {shown}")

    def report(self, bytes_done: int, bytes_total: int) -> None:
        """Nobody is listening."""

    def checkpoint(self) -> None:
        self._reach("at a checkpoint")

    def _reach(self, where: str) -> None:
        if not self.armed:
            return
        self.moments += 1
        if self.moments == self._deadly:
            tell(self._pipe, {"moments": self.moments, "at": where})
            os.kill(os.getpid(), signal.SIGKILL)


def tell(pipe: int, message: dict[str, Any]) -> None:
    """Write one line."""
    os.write(pipe, json.dumps(message).encode() + b"\n")


class _Child:
    """A process that runs the verb."""

    def __init__(self, backend: Backend, verb: Verb, moment: int) -> None:
        self._pipe, writing = os.pipe()
        self._output = b""
        self._deadline = time.monotonic() + _LIMIT
        with warnings.catch_warnings():
            # Threads of a client library do not matter: the child makes its own driver.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._pid = os.fork()
        if self._pid == 0:
            os.close(self._pipe)
            _live(backend, verb, moment, writing)
        os.close(writing)

    def wait_until_armed(self) -> None:
        """Return when the driver is ready and the verb about to begin, or it has failed before."""
        while _ARMED not in self._output and self._more():
            pass

    def kill(self) -> None:
        """Kill it, if it has not ended; it is not reaped before ``end``."""
        os.kill(self._pid, signal.SIGKILL)

    def end(self) -> Outcome:
        """Wait for its end.  Raises ``VerbFailed``."""
        while self._more():
            pass
        os.close(self._pipe)
        _, status = os.waitpid(self._pid, 0)
        lines = self._output.replace(_ARMED, b"").splitlines()
        told: dict[str, Any] = json.loads(lines[-1]) if lines else {}
        if "error" in told:
            raise VerbFailed(told["error"])
        return Outcome(killed=os.WIFSIGNALED(status), **told)

    def _more(self) -> bool:
        """Read what comes; false at the end."""
        left = max(0.0, self._deadline - time.monotonic())
        if not select.select([self._pipe], [], [], left)[0]:
            self.kill()
        found = os.read(self._pipe, 65536)
        self._output += found
        return bool(found)


def _live(backend: Backend, verb: Verb, moment: int, pipe: int) -> None:
    """The child's whole life; never returns."""
    try:
        trap = _Trap(moment, pipe)
        driver = backend.set_up(trap.execute)
        driver.set_initialized()
        os.write(pipe, _ARMED)
        trap.armed = True
        started = time.monotonic()
        with progress.using(trap):
            verb(driver)
        tell(pipe, {"moments": trap.moments, "seconds": time.monotonic() - started})
    except BaseException:
        tell(pipe, {"error": traceback.format_exc()})
    finally:
        # Not sys.exit: pytest's own end belongs to the parent.
        os._exit(0)

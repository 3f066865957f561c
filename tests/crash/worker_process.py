"""Worker processes for the crash tests: real ones, that can be told where to die.

They come from a fork server that has imported everything and opened nothing, so that one costs
some milliseconds and shares no database handle with the test.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from breezeblock.cli.assembly import assemble
from breezeblock.config.settings import load
from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.operations.runner import Point
from breezeblock.worker.host import WorkerHost

ARMED = "armed"
REACHED = "reached"
RELEASED = "released"

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.crash.worker_process"])


@dataclass(frozen=True, slots=True)
class Trap:
    """Where a worker dies in an operation of ``kind``; or, if not ``deadly``, where it waits.

    With ``failing`` set, that step fails right after its effect, so that the operation is undone;
    the death then comes at an undo point.
    """

    kind: str
    step: str
    point: Point
    failing: str | None = None
    deadly: bool = True

    def __str__(self) -> str:
        failure = f"-after-{self.failing}-failed" if self.failing else ""
        return f"{self.kind}-{self.step}-{self.point.value}{failure}"


class Trapper:
    """An engine observer that springs a trap once it is armed."""

    def __init__(self, trap: Trap | None, state: Path) -> None:
        self._trap = trap
        self._state = state

    def __call__(self, kind: str, step: str, point: Point) -> None:
        trap = self._trap
        if trap is None or kind != trap.kind or not (self._state / ARMED).exists():
            return
        if trap.failing == step and point is Point.EFFECT:
            raise VolumeBackendError(reason="the test says so")
        if (step, point) == (trap.step, trap.point):
            (self._state / REACHED).touch()
            if trap.deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            while not (self._state / RELEASED).exists():
                time.sleep(0.001)


class WorkerProcess:
    """A worker of the service that a configuration file describes."""

    def __init__(self, config_file: Path, trap: Trap | None = None) -> None:
        self._process = _context.Process(target=_run, args=(config_file, trap), daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def ended(self, seconds: float) -> bool:
        """Whether it is dead within so many seconds."""
        self._process.join(seconds)
        return self._process.exitcode is not None

    def kill(self) -> None:
        if self._process.is_alive():
            self._process.kill()
        self._process.join()

    def pause(self) -> None:
        """Stop the whole process; returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            time.sleep(0.001)

    def resume(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


def _run(config_file: Path, trap: Trap | None) -> None:
    logging.basicConfig(filename=config_file.with_suffix(".log"), level=logging.INFO)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settings = load([config_file])
    process = assemble(settings)
    deployment = process.deployment
    host = WorkerHost(
        settings,
        deployment.database,
        deployment.scheduler,
        deployment.hints,
        observer=Trapper(trap, config_file.parent),
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    host.start()
    ended.wait()
    host.stop(10.0)

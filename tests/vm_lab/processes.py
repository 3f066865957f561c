"""The programs on the host that make a guest; none outlives the lab."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.vm_lab.failure import LabFailure

PACKAGES = {"qemu-system-x86_64": "qemu-system-x86", "setpriv": "util-linux"}


class Processes:
    """Children that are killed at the end, or by the kernel when their parent is."""

    def __init__(self) -> None:
        self._running: list[subprocess.Popen[bytes]] = []

    def start(
        self, command: Sequence[str], log: Path, descriptors: Sequence[int] = ()
    ) -> subprocess.Popen[bytes]:
        """Start a program; its output goes to ``log``."""
        with log.open("wb") as out:
            try:
                child = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "KILL", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    pass_fds=descriptors,
                    # Ctrl-C is for the lab; what it started ends with it, not before.
                    start_new_session=True,
                )
            except FileNotFoundError as failure:
                raise LabFailure(f"{failure}: run ./test vm once") from failure
        self._running.append(child)
        return child

    def end(self) -> None:
        """Kill all that is left."""
        for child in self._running:
            if child.poll() is None:
                child.kill()
        for child in self._running:
            child.wait()

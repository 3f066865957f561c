"""The host's end of a session in a guest: start it, and hand out what it says of each test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.vm_lab.boot import KEPT, ROOT
from tests.vm_lab.hardware import Hardware
from tests.vm_lab.profiles import Share

#: Seconds one test gets in a guest, unless it is marked with another timeout.
TEST_SECONDS = 600.0
#: Seconds more after which a test that did not even end by its timeout ends its guest.
_MARGIN = 60.0
_LOG_LINES = 250


class Remote:
    """A guest that runs its share of the tests.

    ``run`` blocks until the guest's end and belongs into a thread; ``messages`` may be asked
    from another one for each test, in any order.
    """

    def __init__(self, share: Share, options: Sequence[str], longest: float) -> None:
        self._share = share
        self._options = options
        self._silence = longest + _MARGIN
        self._news = threading.Condition()
        self._reports: dict[str, list[dict[str, Any]]] = {}
        self._finished: set[str] = set()
        self._running: str | None = None
        self._lab: subprocess.Popen[str] | None = None
        self._stopped = False
        self._told = False
        self._ended: str | None = None
        self.log = KEPT / f"{share.name}.log"

    def run(self) -> None:
        """Run the guest to its end; never raises."""
        try:
            ended = self._run()
        except OSError as failure:
            ended = str(failure)
        with self._news:
            self._ended = ended
            self._news.notify_all()

    def stop(self) -> None:
        """End the guest, or do not let it begin."""
        with self._news:
            self._stopped = True
            if self._lab is not None:
                self._lab.terminate()

    def messages(self, nodeid: str) -> Iterator[dict[str, Any]]:
        """The serialized reports of a test, each as it comes."""
        handed = 0
        while True:
            with self._news:
                reports = self._reports.setdefault(nodeid, [])
                while len(reports) == handed and not self._is_over(nodeid):
                    self._news.wait()
                new = reports[handed:]
            yield from new
            handed += len(new)
            if not new:
                return

    def lack(self, nodeid: str) -> str | None:
        """Why a test did not come to its end; nothing if it did. The first is told all."""
        if nodeid in self._finished:
            return None
        if self._told:
            return (
                f"not run: the guest '{self._share.name}' ended in {self._running or 'its start'}"
            )
        self._told = True
        log = self.log.read_text(errors="replace") if self.log.exists() else ""
        tail = "\n".join(log.splitlines()[-_LOG_LINES:])
        return f"the guest '{self._share.name}' ended before the test did: {self._ended}\n{tail}"

    def _is_over(self, nodeid: str) -> bool:
        return nodeid in self._finished or self._ended is not None

    def _run(self) -> str:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        command = [
            *("setpriv", "--pdeathsig", "TERM"),  # not even a killed pytest leaves a guest behind
            *(sys.executable, "-m", "tests.vm_lab", *lab_options(self._share.profile.hardware)),
            *("--timeout", "86400", "--silence", f"{self._silence:.0f}", "--"),
            *(sys.executable, "-m", "tests.vm_lab.session", *self._options, "--"),
            *(test.nodeid for test in self._share.tests),
        ]
        with self._news:
            if self._stopped:
                return "stopped"
            self._lab = self._start(command)
        with self._lab as lab:
            assert lab.stdout is not None
            for line in lab.stdout:
                self._take(line)
        return f"exit status {lab.returncode}"

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        with self.log.open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=_environment(),
                start_new_session=True,  # Ctrl-C reaches pytest, which then stops its guests
            )

    def _take(self, line: str) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return  # torn off by the guest's end
        with self._news:
            match message:
                case {"started": str(nodeid)}:
                    self._running = nodeid
                case {"finished": str(nodeid)}:
                    self._finished.add(nodeid)
                case {"report": {"nodeid": str(nodeid)} as report}:
                    self._reports.setdefault(nodeid, []).append(report)
            self._news.notify_all()


def lab_options(hardware: Hardware) -> list[str]:
    """The lab's options for a piece of hardware."""
    options = [f"--disk={size:g}" for size in hardware.disks]
    options += [f"--module={module}" for module in hardware.modules]
    options += [f"--mem={hardware.memory}", f"--cpus={hardware.cpus}"]
    options += [f"--cgroup={hardware.cgroup}"]
    return options + ["--nic-pair"] * hardware.nic_pair


def _environment() -> dict[str, str]:
    """Little of the host's, so that tests find the same in every guest."""
    kept = {
        name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ
    }
    return kept | {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "VIRTUAL_ENV": str(Path(sys.prefix)),
    }

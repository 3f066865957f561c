"""One daemon of a cluster as a process: started, paused, continued, ended, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.ceph_lab.failure import CephLabFailure
from tests.ceph_lab.layout import Layout

#: Seconds that a daemon has to end when it is asked to.
_GRACE_SECONDS = 15.0
_LOOK_SECONDS = 0.02
#: Lines of a log that a failure shows.
_LINES = 15


class Daemon:
    """``kind`` is ``mon``, ``mgr`` or ``osd``, ``name`` such as ``0``.

    Its pid is in a file, so that another process than its starter finds it too.
    """

    def __init__(self, layout: Layout, kind: str, name: str) -> None:
        self.kind = kind
        self.entity = f"{kind}.{name}"
        self._layout = layout
        self._command = [f"ceph-{kind}", "-c", str(layout.conf), "-i", name]
        self._pid_file = layout.run / f"{self.entity}.pid"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, *, outlive: bool) -> None:
        """Start it unless it runs.

        The kernel kills it when the process that started it ends, however that comes, unless it
        is to ``outlive`` it.
        """
        if self.pid() is not None:
            return
        self._forget()
        guard = [] if outlive else ["setpriv", "--pdeathsig", "KILL"]
        with self.output.open("ab") as out:
            try:
                self._child = subprocess.Popen(
                    [*guard, *self._command, "-f"],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    # The manager has a Python of its own, which dies in a directory that is gone
                    # and must not be led to our modules.
                    cwd="/",
                    env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"},
                    # Ctrl-C is for the lab; its daemons end with it, not before.
                    start_new_session=True,
                )
            except FileNotFoundError as failure:
                raise CephLabFailure(f"{failure}: run ./test ceph once") from failure
        self._pid_file.write_text(str(self._child.pid))

    def pid(self) -> int | None:
        """Its number while it runs; a number that another process has got is not taken for it."""
        try:
            pid = int(self._pid_file.read_text())
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if str(self._layout.conf).encode() in arguments else None

    def send(self, number: signal.Signals) -> None:
        """Send a signal.  Raises ``CephLabFailure`` if it does not run."""
        pid = self.pid()
        if pid is None:
            raise CephLabFailure(f"{self.entity} does not run")
        _send(pid, number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, by force if it does not end in time; nothing happens if it does not run."""
        pid = self.pid()
        if pid is not None:
            # What is paused hears the first when it hears the second.
            for sent in (number, signal.SIGCONT):
                _send(pid, sent)
            if not self._ended():
                _send(pid, signal.SIGKILL)
                if not self._ended():
                    raise CephLabFailure(f"{self.entity} (pid {pid}) cannot be killed")
        self._forget()

    def _ended(self) -> bool:
        limit = time.monotonic() + _GRACE_SECONDS
        while self.pid() is not None:
            if time.monotonic() > limit:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def _forget(self) -> None:
        self._pid_file.unlink(missing_ok=True)
        if self._child is not None:
            self._child.wait()
            self._child = None

    @property
    def output(self) -> Path:
        """What it writes that is not in its log: how it was refused, mostly."""
        return self._layout.logs / f"{self.entity}.out"

    def state(self) -> str:
        """Whether it runs, and the end of its logs if not; for the text of a failure."""
        if self.pid() is not None:
            return f"{self.entity} runs"
        ends = []
        for log in (self.output, self._layout.logs / f"{self.entity}.log"):
            if log.exists():
                ends += log.read_text(errors="replace").splitlines()[-_LINES:]
        return "\n    ".join([f"{self.entity} does not run:", *ends])


def _send(pid: int, number: signal.Signals) -> None:
    # Whoever has ended by itself meanwhile needs no signal.
    with suppress(ProcessLookupError):
        os.kill(pid, number)

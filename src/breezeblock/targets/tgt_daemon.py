"""A tgtd of our own: started when it is missing, found again after a restart of the service.

The daemon outlives the service on purpose: attached volumes keep working while the service is
restarted or updated.  It is known by its pid together with its start time (a pid alone may have
been given to somebody else) and by the socket it answers on.
"""

from __future__ import annotations

import hashlib
import logging
import os
import signal
import stat
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from breezeblock.execution.command import start_daemon
from breezeblock.execution.durable import make_private_directory, write_atomically
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets.errors import TargetError, TargetUnavailable
from breezeblock.targets.tgt_protocol import NO_ISER, SYSTEM_SOCKET, TgtdClient, TgtdError

LOG = logging.getLogger(__name__)

#: A unix socket's path has 108 bytes; tgtd appends a dot and the control port.
_MAX_SOCKET_PATH = 98
#: MiB of memory that tgtd pins per RDMA device: 512 KiB for each request that is worked on at
#: once; those beyond wait.  Its own default is 1024.
_ISER_POOL_MIB = 256
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TgtDaemonSettings:
    """How the daemon shall run.

    ``portals`` are ``ip:port`` (IPv6 in brackets).  ``io_threads`` is the number of threads per
    volume: as many of its requests are worked on at once.  ``iser`` says that iSER is needed:
    tgtd takes up RDMA devices only when it begins.
    """

    state_path: Path
    portals: tuple[str, ...]
    control_port: int = 0
    managed: bool = True
    io_threads: int = 8
    iser: bool = False


class TgtDaemon:
    """Starts, finds and stops the daemon; with ``managed`` false it only finds the system's."""

    def __init__(self, settings: TgtDaemonSettings) -> None:
        self._settings = settings
        self._directory = settings.state_path / "tgtd"
        self._pid_file = self._directory / "pid"
        if settings.managed:
            self.socket_path = str(_socket_directory(self._directory) / "socket")
        else:
            self.socket_path = SYSTEM_SOCKET
        self.client = TgtdClient(self.socket_path, settings.control_port)

    def ensure_running(self) -> bool:
        """Make sure that a daemon answers; true if it had to be started.

        It listens on all portals then, also if it was started with others.  Raises
        ``TargetUnavailable``.
        """
        if not self._settings.managed:
            self.client.ping()
            return False
        if self._listens():
            return False
        make_private_directory(self._directory)
        make_private_directory(Path(self.socket_path).parent)
        try:
            with lock(self._directory / "start.lock", timeout=3 * _START_SECONDS):
                if self._answers():
                    self._listen()
                    return False
                self._start()
                return True
        except LockTimeout as busy:
            raise TargetUnavailable(
                reason="another process has been starting tgtd for too long", transient=True
            ) from busy

    def require_iser(self) -> None:
        """Raise ``TargetUnavailable`` unless the daemon serves iSER.

        A daemon of ours that nobody uses is ended, so that the next start may find the device.
        """
        if self.client.has_driver("iser"):
            return
        if self._settings.managed:
            # Refused while it has targets.
            with suppress(TgtdError):
                self.client.shut_down()
        raise TargetUnavailable(reason=NO_ISER)

    def identity(self) -> str:
        """Names this run of the daemon: another answer means that it was restarted.

        Raises ``TargetUnavailable``.
        """
        pid = self.client.peer_pid()
        return f"{pid} {_start_time(pid)}"

    def pid(self) -> int | None:
        """The process of our daemon, None if it does not run.  Never somebody else's."""
        try:
            recorded = self._pid_file.read_text().split()
        except FileNotFoundError:
            return None
        if len(recorded) != 2 or not recorded[0].isdigit():
            return None
        pid = int(recorded[0])
        return pid if _start_time(pid) == recorded[1] and _is_tgtd(pid) else None

    def stop(self) -> bool:
        """End our daemon; true if one ran.  What it exported stays on record.

        What initiators were told is written is safe: it is in the files already, and the
        daemon's end does not touch the page cache.
        """
        pid = self.pid()
        if pid is None:
            return False
        # tgtd ignores SIGTERM and refuses a polite end while it has targets.
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + _STOP_SECONDS
        while _start_time(pid) is not None and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.01)
        self._pid_file.unlink(missing_ok=True)
        directory = Path(self.socket_path).parent
        if directory != self._directory:
            # The short way to a socket lies outside of state_path: leave nothing there.
            for left in directory.glob("socket.*"):
                left.unlink(missing_ok=True)
            directory.rmdir()
        return True

    def _listens(self) -> bool:
        """Whether the daemon runs and has all portals."""
        try:
            return set(self._settings.portals) <= set(self.client.portals())
        except (TargetUnavailable, TgtdError):
            return False

    def _listen(self) -> None:
        """Open the portals that are missing.

        tgtd says nothing of an address that it does not get; so its list is looked at.
        """
        there = set(self.client.portals())
        for portal in self._settings.portals:
            if portal not in there:
                with suppress(TgtdError):
                    self.client.add_portal(portal)
        missing = set(self._settings.portals) - set(self.client.portals())
        if missing:
            raise TargetUnavailable(
                reason=f"tgtd cannot listen on {', '.join(sorted(missing))}. Choose a free "
                f"target_port, or stop what uses it ({self._directory / 'log'} has more)"
            )

    def _answers(self) -> bool:
        try:
            self.client.ping()
        except (TargetUnavailable, TgtdError):
            return False
        return True

    def _start(self) -> None:
        settings = self._settings
        stale = self.pid()
        if stale is not None:
            LOG.warning("tgtd (pid %d) runs but does not answer; ending it", stale)
            self.stop()
            make_private_directory(Path(self.socket_path).parent)
        log_path = self._directory / "log"
        child = start_daemon(
            [
                *("tgtd", "-f"),
                *("-C", str(settings.control_port)),
                *("-t", str(settings.io_threads)),
                *("--iscsi", f"portal={settings.portals[0]}"),
                *(("--iser", f"pool_sz_mb={_ISER_POOL_MIB}") if settings.iser else ()),
            ],
            log_path=str(log_path),
            environment={"TGT_IPC_SOCKET": self.socket_path},
        )
        write_atomically(self._pid_file, f"{child.pid} {_start_time(child.pid)}\n".encode())
        self._wait_until_it_answers(child, log_path)
        try:
            self._listen()
        except TargetUnavailable:
            self.stop()
            raise
        LOG.info("tgtd runs as pid %d on %s", child.pid, ", ".join(settings.portals))

    def _wait_until_it_answers(self, child: subprocess.Popen[bytes], log_path: Path) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            if child.poll() is not None:
                raise TargetUnavailable(
                    reason=f"tgtd ended at once with code {child.returncode}: "
                    f"{_last_line(log_path)}"
                )
            if time.monotonic() > deadline:
                self.stop()
                raise TargetUnavailable(reason="tgtd started but never answered")
            time.sleep(0.005)
        # The daemon is no child to be waited for; it may outlive this process.
        child.returncode = 0


def _socket_directory(preferred: Path) -> Path:
    """``preferred``, or a short private directory if a socket's path there would be too long."""
    if len(os.fsencode(preferred)) + len("/socket") <= _MAX_SOCKET_PATH:
        return preferred
    digest = hashlib.sha256(os.fsencode(preferred)).hexdigest()[:12]
    short = Path(tempfile.gettempdir()) / f"breezeblock-{os.getuid()}-{digest}"
    short.mkdir(mode=0o700, exist_ok=True)
    found = short.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise TargetError(
            reason=f"{short} is not a private directory of ours. Remove it, or choose a shorter "
            "state_path"
        )
    return short


def _start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since boot; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] == "Z" else fields[19]


def _is_tgtd(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip() == "tgtd"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _reap(pid: int) -> None:
    """Collect the daemon if this very process started it."""
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "no message"

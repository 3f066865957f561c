"""A real Ceph cluster of one node: a monitor, a manager and an osd.

with Cluster(Path("/tmp/lab")) as ceph:      # three seconds later
    ceph.ask_rbd("ls", "volumes")
    with ceph.paused("osd"): ...
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.ceph_lab.configuration import POOLS
from tests.ceph_lab.daemon import Daemon
from tests.ceph_lab.failure import CephLabFailure
from tests.ceph_lab.formation import form
from tests.ceph_lab.layout import Layout
from tests.ceph_lab.monitor import connected

from breezeblock.execution.command import run

#: Seconds that a command of the tests may take.
COMMAND_SECONDS = 60.0


class Cluster:
    """The cluster in ``directory``, whether it is new, runs or was stopped.

    Everything of it is below that directory and listens at 127.0.0.1.  Its daemons end with the
    process that started them, whatever becomes of that, unless they are to ``outlive`` it.  As a
    context it is started, and removed at the end.
    """

    #: What there is; ``client.cinder`` may use the pools by the profile ``rbd``.
    pools = POOLS
    users = ("admin", "cinder")

    def __init__(self, directory: Path, *, outlive: bool = False) -> None:
        self._layout = Layout(directory)
        self._outlive = outlive
        names = {"mon": "a", "mgr": "x", "osd": "0"}
        self._daemons = {kind: Daemon(self._layout, kind, name) for kind, name in names.items()}

    def __enter__(self) -> Self:
        with ExitStack() as on_failure:
            on_failure.callback(self.remove)
            self.start()
            on_failure.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()

    # ---- its life ------------------------------------------------------------------------------

    def start(self) -> None:
        """Make it if it is new, start what does not run, and return when it serves.

        Raises ``CephLabFailure``, also for a directory that holds something else.
        """
        try:
            if not self._layout.formed.exists():
                self._make_room()
                form(self._layout, self._daemons["mon"], self.pools, outlive=self._outlive)
            for daemon in self._daemons.values():
                daemon.start(outlive=self._outlive)
            with connected(self._layout, self._monitor_runs) as monitor:
                monitor.wait_until_clean()
                monitor.prepare_pools(self.pools)
        except CephLabFailure as failure:
            states = "\n".join(daemon.state() for daemon in self._daemons.values())
            raise CephLabFailure(f"{failure}\n{states}") from failure

    def stop(self) -> None:
        """End the daemons in order; the data stay, and ``start`` goes on with them."""
        # An osd says goodbye to its monitor.
        for kind in ("osd", "mgr", "mon"):
            self._daemons[kind].end()

    def remove(self) -> None:
        """Kill the daemons and remove the directory, if it is a cluster's."""
        for daemon in self._daemons.values():
            daemon.end(signal.SIGKILL)
        if self._layout.sign.exists():
            shutil.rmtree(self._layout.directory)

    def _make_room(self) -> None:
        """An empty directory of ours, also after a start that was cut short."""
        directory = self._layout.directory
        if self._layout.sign.exists():
            self.remove()
        directory.mkdir(parents=True, exist_ok=True)
        if any(directory.iterdir()):
            raise CephLabFailure(f"{directory} holds something else: take an empty directory")
        self._layout.sign.touch()

    def _monitor_runs(self) -> bool:
        return self._daemons["mon"].pid() is not None

    # ---- outages -------------------------------------------------------------------------------

    def pause(self, kind: str) -> None:
        """Make a daemon (``mon``, ``mgr``, ``osd``) hang: it keeps its connections, and is mute."""
        self._daemons[kind].send(signal.SIGSTOP)

    def resume(self, kind: str) -> None:
        """Let it go on."""
        self._daemons[kind].send(signal.SIGCONT)

    @contextmanager
    def paused(self, *kinds: str) -> Iterator[None]:
        """Daemons that hang for the block."""
        try:
            for kind in kinds:
                self.pause(kind)
            yield
        finally:
            for kind in kinds:
                self.resume(kind)

    def kill(self, kind: str) -> None:
        """Kill a daemon; ``start`` brings it back."""
        self._daemons[kind].end(signal.SIGKILL)

    def pids(self) -> dict[str, int]:
        """The process of each daemon that runs."""
        found = {kind: daemon.pid() for kind, daemon in self._daemons.items()}
        return {kind: pid for kind, pid in found.items() if pid is not None}

    # ---- for those who use it ------------------------------------------------------------------

    @property
    def conf(self) -> Path:
        """``ceph.conf``, which names the keyrings of its users too."""
        return self._layout.conf

    @cached_property
    def fsid(self) -> str:
        """The cluster's id."""
        return self._layout.formed.read_text()

    def keyring(self, user: str = "cinder") -> Path:
        """The keyring of one of ``users``."""
        return self._layout.keyring(user)

    def secret(self, user: str = "cinder") -> str:
        """The key itself, which nobody may show."""
        found = re.search(r"key = (\S+)", self.keyring(user).read_text())
        assert found is not None
        return found[1]

    def monitor_command(self, prefix: str, **arguments: object) -> Any:
        """What the administrator's command, such as ``osd dump``, answers."""
        with connected(self._layout, self._monitor_runs) as monitor:
            return monitor.command(prefix, **arguments)

    def run_rbd(self, *arguments: str, user: str = "cinder") -> str:
        """What the command ``rbd`` writes.  Raises ``CommandError`` if it fails."""
        command = ["rbd", "-c", str(self.conf), "--id", user, *arguments]
        return run(command, timeout=COMMAND_SECONDS).text

    def ask_rbd(self, *arguments: str, user: str = "cinder") -> Any:
        """The parsed answer of one of its questions: ``("snap", "ls", "--all", "volumes/x")``."""
        return json.loads(self.run_rbd(*arguments, "--format", "json", user=user))

    def url(self, image: str, user: str = "cinder") -> str:
        """QEMU's address of ``pool/image`` or ``pool/image@snapshot``."""
        return f"rbd:{image}:id={user}:conf={self.conf}"

    def qemu_io(self, image: str, *commands: str, user: str = "cinder") -> str:
        """What ``qemu-io`` says to its commands (``write -P 7 0 1M``, ``read -P 7 0 1M``).

        Snapshots are opened for reading.  Raises ``CommandError`` also where bytes differ from
        what a ``read -P`` expects.
        """
        options = ["-r"] if "@" in image else []
        options += [part for command in commands for part in ("-c", command)]
        return run(
            ["qemu-io", "-f", "raw", *options, self.url(image, user)], timeout=COMMAND_SECONDS
        ).text

"""``ietadm``, and what the kernel's part of IET shows in ``/proc/net/iet``.  Source: ietadm(8).

``ietadm`` takes an account only as an argument, and ``ietd`` reads its file only when it starts.
So while an account is set (some milliseconds) its secret stands on the command line of
``ietadm``, where users of the machine can see it unless ``/proc`` is mounted with ``hidepid=2``.
It is handed over by ``xargs``, so that it is at least in no log and in no error of ours.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from breezeblock.execution.command import CommandError, CommandFailed, Execute
from breezeblock.targets.errors import TargetError, TargetUnavailable

_TIMEOUT = 30.0
#: Codes it ends with: a negative errno as one byte.
NOT_FOUND = 256 - 2
BUSY = 256 - 16
EXISTS = 256 - 17
#: xargs says so when the program it ran failed.
_XARGS_FAILED = 123


@dataclass(frozen=True, slots=True)
class Unit:
    """One logical unit of a target."""

    iotype: str
    path: str


@dataclass(frozen=True, slots=True)
class Connection:
    """One initiator's connection into a target."""

    session: int
    connection: int
    initiator: str


@dataclass(frozen=True, slots=True)
class IetTarget:
    """A target as the kernel has it."""

    tid: int
    iqn: str
    units: dict[int, Unit]


class Ietadm:
    """Commands to IET; ``proc`` is where its state is shown."""

    def __init__(self, execute: Execute, proc: Path) -> None:
        self._execute = execute
        self._proc = proc

    def targets(self) -> dict[str, IetTarget]:
        """All targets by name.  Raises ``TargetUnavailable``."""
        found = {}
        for tid, iqn, body in self._show("volume"):
            units = {
                int(lun): Unit(iotype, path)
                for lun, iotype, path in re.findall(
                    r"^\s+lun:(\d+) .*?iotype:(\S+) .*?path:(.*)$", body, re.MULTILINE
                )
            }
            found[iqn] = IetTarget(tid, iqn, units)
        return found

    def connections(self, iqn: str) -> list[Connection]:
        """Who is connected to a target."""
        found = []
        for _, name, body in self._show("session"):
            if name == iqn:
                for part in re.split(r"^\s+(?=sid:)", body, flags=re.MULTILINE)[1:]:
                    head = re.match(r"sid:(\d+) initiator:(\S+)", part)
                    if head:
                        ids = re.findall(r"cid:(\d+)", part)
                        found += [Connection(int(head[1]), int(cid), head[2]) for cid in ids]
        return found

    def _show(self, what: str) -> list[tuple[int, str, str]]:
        """tid, name and further lines of each target."""
        try:
            text = (self._proc / what).read_text()
        except OSError as failure:
            raise TargetUnavailable(
                reason=f"{self._proc / what}: {failure.strerror}. Load the module iscsi_trgt and "
                "start ietd",
                transient=True,
            ) from failure
        blocks = re.split(r"^(?=tid:)", text, flags=re.MULTILINE)
        heads = ((re.match(r"tid:(\d+) name:(\S+)", block), block) for block in blocks)
        return [(int(head[1]), head[2], block) for head, block in heads if head]

    # ---- changes -------------------------------------------------------------------------------

    def new_target(self, tid: int, iqn: str) -> bool:
        """Make an empty target; false if the tid or the name is taken."""
        return not self._run("new", f"--tid={tid}", "--params", f"Name={iqn}", accept=(0, EXISTS))

    def delete_target(self, tid: int) -> bool:
        """Remove a target; false while it has sessions."""
        accept = (0, NOT_FOUND, BUSY)
        return self._run("delete", f"--tid={tid}", accept=accept) != BUSY

    def new_unit(self, tid: int, lun: int, parameters: str) -> None:
        """Open a path as a logical unit; one that is there is left alone."""
        self._run("new", f"--tid={tid}", f"--lun={lun}", "--params", parameters, accept=(0, EXISTS))

    def delete_unit(self, tid: int, lun: int) -> None:
        """Close a logical unit; unknown is success."""
        self._run("delete", f"--tid={tid}", f"--lun={lun}", accept=(0, NOT_FOUND))

    def delete_connection(self, tid: int, connection: Connection) -> None:
        """Cut a connection, its session with the last one; gone meanwhile is success."""
        self._run(
            "delete",
            f"--tid={tid}",
            f"--sid={connection.session}",
            f"--cid={connection.connection}",
            accept=(0, NOT_FOUND),
        )

    def new_account(self, tid: int, user: str, secret: str) -> None:
        """Demand an account of whoever logs in; one of that name is left as it is."""
        words = ["--op", "new", f"--tid={tid}", "--user", "--params"]
        words.append(f"IncomingUser={user},Password={secret}")
        try:
            done = self._execute(
                ["xargs", "-0", "ietadm"],
                stdin="\0".join(words).encode(),
                timeout=_TIMEOUT,
                accept=(0, _XARGS_FAILED),
            )
        except CommandError as failure:
            raise _unavailable(failure) from failure
        said = done.stderr.strip()
        if done.exit_code and not said.endswith(f" {EXISTS - 256}"):
            raise TargetError(
                reason=f"ietadm did not take the account: {said.replace(secret, '...')}",
                transient=True,
            )

    def _run(self, op: str, *arguments: str, accept: Sequence[int] = (0,)) -> int:
        try:
            done = self._execute(
                ["ietadm", "--op", op, *arguments], timeout=_TIMEOUT, accept=accept
            )
        except CommandFailed as failure:
            raise TargetError(reason=str(failure), transient=True) from failure
        except CommandError as failure:
            raise _unavailable(failure) from failure
        return done.exit_code


def _unavailable(failure: CommandError) -> TargetUnavailable:
    return TargetUnavailable(reason=str(failure), transient=failure.transient)

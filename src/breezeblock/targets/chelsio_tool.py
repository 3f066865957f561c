"""``iscsictl`` of Chelsio's iSCSI target.  Source: its iscsictl(8) and chiscsi.conf(5).

A target is started from a file of its own (``-f``), with the globals of the machine's
``chiscsi.conf`` (``-x``); its account is in that file and never on a command line.
"""

from __future__ import annotations

import re
from pathlib import Path

from breezeblock.execution.command import CommandError, CommandFailed, Execute
from breezeblock.targets.errors import TargetError, TargetUnavailable

_TIMEOUT = 60.0
_ANY_EXIT_CODE = range(256)


class Iscsictl:
    """Commands to the Chelsio target."""

    def __init__(self, execute: Execute, globals_file: Path) -> None:
        self._execute = execute
        self._globals = globals_file

    def check(self) -> None:
        """Raise ``TargetError`` unless the kernel's part answers."""
        self._run("-g")

    def device(self, iqn: str) -> str | None:
        """The path behind an active target, None if it is not active."""
        try:
            done = self._execute(
                ["iscsictl", "-c", f"target={iqn}"], timeout=_TIMEOUT, accept=_ANY_EXIT_CODE
            )
        except CommandError as failure:
            raise _unavailable(failure) from failure
        found = re.search(r"^\s*TargetDevice=([^,\s]+)", done.text, re.MULTILINE)
        return found[1] if found else None

    def start(self, iqn: str, file: Path) -> None:
        """Start a target as its file says; an active one takes on what has changed there."""
        self._run("-S", f"target={iqn}", "-f", str(file), "-x", str(self._globals))

    def stop(self, iqn: str) -> None:
        """End a target, its sessions with it."""
        self._run("-s", f"target={iqn}")

    def _run(self, *arguments: str) -> str:
        try:
            return self._execute(["iscsictl", *arguments], timeout=_TIMEOUT).text
        except CommandFailed as failure:
            raise TargetError(reason=str(failure), transient=True) from failure
        except CommandError as failure:
            raise _unavailable(failure) from failure


def _unavailable(failure: CommandError) -> TargetUnavailable:
    return TargetUnavailable(reason=str(failure), transient=failure.transient)

"""``scstadmin``: the one module that runs it.  Source: scstadmin(1), scst.conf(5).

What is there is learnt from ``-write_config``, what is new is made by ``-config`` with the new
parts alone: without ``-force`` it adds and never removes.  So a CHAP secret travels in a file that
only the child can open, and one call makes a whole export.  ``scstadmin`` reports many failures
with a warning and success, so whoever changes something looks at the result.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from breezeblock.execution.command import CommandError, Execute, SecretFile
from breezeblock.execution.durable import make_private_directory
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets import scst_config
from breezeblock.targets.errors import TargetError, TargetUnavailable

_TIMEOUT = 60.0
_LOCK_SECONDS = 120.0
_ANY_EXIT_CODE = range(256)


class Scstadmin:
    """Commands to SCST, one at a time: a walk through its tree meets no other's half-made parts.

    ``directory`` is private and takes the passing dumps; ``conf`` is what the machine's start
    reads.
    """

    def __init__(self, execute: Execute, directory: Path, conf: Path) -> None:
        self._execute = execute
        self._directory = directory
        self._conf = conf

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold others back for the block.  Raises ``TargetError``."""
        make_private_directory(self._directory)
        try:
            with lock(self._directory / ".scstadmin.lock", _LOCK_SECONDS):
                yield
        except LockTimeout as busy:
            raise TargetError(reason="another worker is at SCST", transient=True) from busy

    def drivers(self) -> set[str]:
        """The target drivers of the loaded modules."""
        return set(self._run("-list_driver").split())

    def read(self) -> scst_config.Entry:
        """What SCST offers now."""
        make_private_directory(self._directory)
        dump = self._directory / ".present.conf"
        self._dump(dump)
        try:
            return scst_config.parse(dump.read_text())
        finally:
            dump.unlink(missing_ok=True)

    def add(self, entries: list[scst_config.Entry]) -> None:
        """Make what is missing of these; what is there stays."""
        text = scst_config.render(entries)
        self._run("-noprompt", "-config", SecretFile(text.encode()))

    def change(self, *arguments: str) -> None:
        """Run one changing command without being asked back."""
        self._run("-noprompt", *arguments)

    def save(self) -> None:
        """Let the machine's next start bring all this back."""
        self._dump(self._conf)

    def _dump(self, path: Path) -> None:
        # scstadmin truncates a file that is there: its mode stays, and it holds secrets.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        self._run("-write_config", str(path))

    def _run(self, *arguments: str | SecretFile) -> str:
        try:
            done = self._execute(["scstadmin", *arguments], timeout=_TIMEOUT, accept=_ANY_EXIT_CODE)
        except CommandError as failure:
            raise TargetUnavailable(reason=str(failure), transient=failure.transient) from failure
        if done.exit_code != 0:
            raise TargetError(
                reason=f"scstadmin {_shown(arguments)} ended with {done.exit_code}: "
                f"{_complaint(done.text, done.stderr)}",
                transient=True,
            )
        return done.text


def _shown(arguments: tuple[str | SecretFile, ...]) -> str:
    return " ".join(a if isinstance(a, str) else "<configuration>" for a in arguments)


def _complaint(stdout: str, stderr: str) -> str:
    """The last of what it said, without accounts: it complains on standard output."""
    lines = [line.strip() for line in (stdout + "\n" + stderr).splitlines()]
    kept = [line for line in lines if line and "User" not in line and line != "All done."]
    return " / ".join(kept[-3:]) or "no message"

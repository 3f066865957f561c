"""IET's files, which belong to the operator; only what is between our own marks is ours.

Sources: ietd.conf(5), the comments of initiators.allow and initiators.deny.  ``ietd`` reads the
two lists at every login and takes the first line that names the target, so our lines go on top.
It reads ``ietd.conf`` when it starts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from breezeblock.execution.durable import write_atomically
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets.errors import TargetError

_LOCK_SECONDS = 30.0


class MarkedFile:
    """A text file with one block of ours per name.  Safe to use from threads and processes."""

    def __init__(self, path: Path, *, on_top: bool = False, secret: bool = False) -> None:
        self.path = path
        self._on_top = on_top
        self._secret = secret

    def put(self, name: str, lines: list[str]) -> None:
        """Let the block ``name`` hold these lines; durable when this returns."""
        with self._locked():
            present = self._read()
            rest = _without(present, name)
            block = [_begin(name), *lines, _end(name)]
            wanted = block + rest if self._on_top else rest + block
            if _block(present, name) != lines:
                self._write(wanted)

    def remove(self, name: str) -> None:
        """Remove the block ``name``; unknown is success."""
        with self._locked():
            present = self._read()
            rest = _without(present, name)
            if rest != present:
                self._write(rest)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            with lock(self.path.with_name(f".{self.path.name}.lock"), _LOCK_SECONDS):
                yield
        except LockTimeout as busy:
            raise TargetError(
                reason=f"{self.path} is locked for too long", transient=True
            ) from busy
        except FileNotFoundError as failure:
            raise TargetError(reason=f"{self.path.parent} does not exist. Install IET") from failure

    def _read(self) -> list[str]:
        return self.path.read_text().splitlines() if self.path.exists() else []

    def _write(self, lines: list[str]) -> None:
        """Owner and mode stay, but with secrets within, the others lose what rights they had."""
        owner = self.path.stat() if self.path.exists() else None
        text = "".join(f"{line}\n" for line in lines)
        mode = stat.S_IMODE(owner.st_mode) if owner else 0o600
        write_atomically(self.path, text.encode(), mode & 0o660 if self._secret else mode)
        if owner is not None and (owner.st_uid, owner.st_gid) != (os.getuid(), os.getgid()):
            os.chown(self.path, owner.st_uid, owner.st_gid)


def _begin(name: str) -> str:
    return f"# breezeblock: begin {name}"


def _end(name: str) -> str:
    return f"# breezeblock: end {name}"


def _block(lines: list[str], name: str) -> list[str] | None:
    if _begin(name) not in lines or _end(name) not in lines:
        return None
    return lines[lines.index(_begin(name)) + 1 : lines.index(_end(name))]


def _without(lines: list[str], name: str) -> list[str]:
    if _block(lines, name) is None:
        return lines
    return lines[: lines.index(_begin(name))] + lines[lines.index(_end(name)) + 1 :]

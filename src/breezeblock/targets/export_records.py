"""What a target remembers of its exports across restarts: one JSON file each.

A kernel target forgets everything at a reboot, and what a killed call left half-made has to be
told from what is right.  The record says what is to be offered and is written first; making the
target equal to it is then a matter of looking.  Records hold CHAP secrets: files are 0600, their
directory 0700.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from breezeblock.execution.durable import (
    make_private_directory,
    sync_directory,
    write_atomically,
)
from breezeblock.execution.filelock import LockTimeout, lock
from breezeblock.targets.errors import TargetError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,240}")
#: Seconds to wait for another worker at the same export (it may be within a pause).
LOCK_SECONDS = 90.0


class ExportRecords:
    """The records of one target in ``directory``.  Safe to use from threads and processes."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def prepare(self) -> None:
        """Create the directory, or make it private."""
        make_private_directory(self.directory)
        make_private_directory(self.directory / ".locks")

    def read(self, name: str) -> dict[str, Any] | None:
        """What is remembered of ``name``; None if nothing.  Raises ``TargetError`` on nonsense."""
        path = self._path(name)
        try:
            record = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as failure:
            raise _spoilt(path) from failure
        if not isinstance(record, dict):
            raise _spoilt(path)
        return record

    def write(self, name: str, record: Mapping[str, Any]) -> None:
        """Remember ``record``; durable when this returns."""
        self.prepare()
        write_atomically(self._path(name), json.dumps(record, indent=1, sort_keys=True).encode())

    def remove(self, name: str) -> None:
        """Forget ``name``; unknown is success."""
        path = self._path(name)
        if path.exists():
            path.unlink(missing_ok=True)
            sync_directory(self.directory)

    def names(self) -> list[str]:
        """Everything that is remembered."""
        if not self.directory.is_dir():
            return []
        return sorted(path.stem for path in self.directory.glob("*.json"))

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """One worker at a time at one export.  Raises ``TargetError``."""
        self.prepare()
        try:
            with lock(self.directory / ".locks" / _checked(name), LOCK_SECONDS):
                yield
        except LockTimeout as busy:
            raise TargetError(
                reason=f"another worker is at the export of {name}", transient=True
            ) from busy

    def _path(self, name: str) -> Path:
        return self.directory / f"{_checked(name)}.json"


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise TargetError(reason=f"{name!r} is no name of an export")
    return name


def _spoilt(path: Path) -> TargetError:
    return TargetError(
        reason=f"{path} is not a record of an export. Remove it; the volume is exported anew "
        "when it is next attached"
    )

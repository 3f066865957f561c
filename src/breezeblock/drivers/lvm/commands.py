"""The one module that runs LVM's programs (lvm(8)) and dmsetup(8).

LVM takes the group's lock for every command, so that two commands never meet, and a command
that was begun is finished even if the service dies: its programs run in sessions of their own.
What a program says is turned into a type here, by exit code and pattern, in one table.

A command does not read disks that are volumes of this very host, attached to it (``loopback``):
their requests may wait for the command itself, and what is on them is their users'.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from breezeblock.drivers.errors import VolumeBackendError
from breezeblock.drivers.lvm import errors, loopback
from breezeblock.drivers.lvm.errors import LvmError
from breezeblock.execution.command import (
    CommandError,
    CommandFailed,
    CommandTimedOut,
    Completed,
    Execute,
)

LOG = logging.getLogger(__name__)

#: Seconds for a command that only looks.  It may have to wait for one that changes something.
_REPORT_SECONDS = 300.0
#: Seconds for one that changes something.  To kill it midway can leave devices suspended, so this
#: is far beyond what it takes, also behind a queue of others that hold the group's lock.
_CHANGE_SECONDS = 1200.0
#: A crash of LVM's (segmentation fault) as a shell and as the kernel report it.
_CRASHED = frozenset({139, -11})
#: Exit codes of lvm(8): 3 wrong arguments, 5 the command failed.
_REFUSED = frozenset({3, 5})

#: What a refusal means; the first pattern found in standard error counts.
_MEANINGS: Sequence[tuple[re.Pattern[str], type[LvmError]]] = [
    (re.compile(pattern, re.IGNORECASE), error)
    for pattern, error in (
        (r"volume group \S+ not found|cannot process volume group", errors.VolumeGroupMissing),
        (r"already exists in volume group", errors.NameTaken),
        (r"transaction_?id|needs_check|check of pool .* failed", errors.PoolBroken),
        (r"insufficient (free|suitable|allocatable)|not enough|no space|cannot create new thin "
         r"volume, free space|reached threshold|device_space|out of data", errors.NoSpace),
        (r"resized only while inactive", errors.OriginActive),
        (r"matches existing size|not larger than existing", errors.AlreadyThatLarge),
        (r"\bin use\b|contains a filesystem|is used by another device", errors.InUse),
        (r"either size or extents with snapshots|is invalid on LV|not permitted on LV|"
         r"cannot be (applied|resized)", errors.WrongKind),
        (r"failed to find logical volume|logical volume \S+ not found|origin LV \S+ not found|"
         r"existing logical volume .* not found|pool \S+ not found",
         errors.LogicalVolumeMissing),
    )
]  # fmt: skip


class LvmConfiguration(Protocol):
    """The options that say how LVM is called."""

    @property
    def lvm_conf_file(self) -> str | None: ...
    @property
    def lvm_suppress_fd_warnings(self) -> bool: ...
    @property
    def num_shell_tries(self) -> int: ...


class Lvm:
    """Runs LVM's programs for one backend."""

    def __init__(self, execute: Execute, options: LvmConfiguration) -> None:
        self._execute = execute
        self._tries = max(1, options.num_shell_tries)
        self._environment = environment(options)
        self._own_filter: str | None = None

    def look(self, *command: str, missing_is_fine: bool = False) -> str:
        """Run a command that changes nothing; return its standard output.

        ``missing_is_fine``: what it names may be missing, then its output says so.
        """
        try:
            return self._run(command, _REPORT_SECONDS).text
        except errors.LogicalVolumeMissing:
            if missing_is_fine:
                return ""
            raise

    def change(self, *command: str) -> str:
        """Run a command that changes something; return its standard output."""
        return self._run(command, _CHANGE_SECONDS).text

    def plain(self, *command: str, accept: Sequence[int] = (0,)) -> Completed:
        """Run a program beside LVM (``dmsetup``, ``udevadm``).  Raises ``LvmError``."""
        try:
            return self._execute(command, timeout=_REPORT_SECONDS, accept=accept)
        except CommandError as failure:
            raise LvmError(reason=str(failure), transient=failure.transient) from failure

    def _run(self, command: Sequence[str], timeout: float) -> Completed:
        hidden = loopback.patterns()
        return self._try(self._hiding(command, hidden) if hidden else command, timeout)

    def _hiding(self, command: Sequence[str], hidden: Sequence[str]) -> Sequence[str]:
        """The command with an option that hides these disks, beside what the operator hides."""
        if self._own_filter is None:
            answer = self._execute(
                ["lvmconfig", "devices/filter"],
                timeout=_REPORT_SECONDS,
                accept=(0, 5),  # 5: there is none
                environment=self._environment,
            )
            self._own_filter = answer.text.partition("=[")[2].strip().rstrip("]")
        rejected = ",".join(f'"r|^{path}$|"' for path in hidden)
        filters = f"{rejected},{self._own_filter}" if self._own_filter else rejected
        return with_setting(command, f"devices{{filter=[{filters}]}}")

    def _try(self, command: Sequence[str], timeout: float) -> Completed:
        for rest in range(self._tries - 1, -1, -1):
            try:
                return self._execute(command, timeout=timeout, environment=self._environment)
            except CommandFailed as failure:
                if failure.exit_code not in _CRASHED or not rest:
                    raise meaning(failure) from failure
                LOG.warning("%s crashed and is run again", command[0])
                time.sleep(0.1)
            except CommandTimedOut as late:
                raise LvmError(
                    reason=f"{late}. See whether a device is suspended (dmsetup info) or a disk "
                    "does not answer",
                    transient=True,
                ) from late
            except CommandError as failure:
                raise LvmError(reason=f"{failure}. Install lvm2") from failure
        raise AssertionError("unreachable")


def with_setting(command: Sequence[str], setting: str) -> list[str]:
    """The command with one more setting of lvm.conf(5); LVM takes ``--config`` only once."""
    words = list(command)
    if "--config" in words:
        at = words.index("--config") + 1
        words[at] = f"{words[at]} {setting}"
        return words
    return [*words, "--config", setting]


def environment(options: LvmConfiguration) -> Mapping[str, str]:
    """What LVM's programs get told by their environment (lvm(8), ENVIRONMENT VARIABLES)."""
    found: dict[str, str] = {}
    if options.lvm_conf_file and Path(options.lvm_conf_file).is_file():
        found["LVM_SYSTEM_DIR"] = str(Path(options.lvm_conf_file).parent)
    if options.lvm_suppress_fd_warnings:
        found["LVM_SUPPRESS_FD_WARNINGS"] = "1"
    return found


def meaning(failure: CommandFailed) -> VolumeBackendError:
    """The type of a refusal; ``LvmError`` for one that is not in the table."""
    words = " ".join(
        line.strip()
        for line in failure.stderr.splitlines()
        if line.strip() and not re.match(r"\s*(WARNING:|File descriptor )", line)
    )
    if failure.exit_code in _REFUSED:
        for pattern, error in _MEANINGS:
            if pattern.search(words):
                return error(reason=f"LVM says: {words}")
    return LvmError(
        reason=f"'{failure.command}' ended with {failure.exit_code}: {words or 'no words'}"
    )

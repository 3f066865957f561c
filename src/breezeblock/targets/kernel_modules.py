"""The kernel's side of a target: configfs mounted, modules loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from breezeblock.execution.command import CommandError, Execute
from breezeblock.targets.configfs import MOUNT_POINT
from breezeblock.targets.errors import TargetError

_LOADED = Path("/sys/module")
_SECONDS = 30.0


def require_modules(execute: Execute, modules: Sequence[str]) -> None:
    """Load what is missing of ``modules``.

    Raises ``TargetError``, which names the first that cannot be had, and the remedy.
    """
    for module in modules:
        if not (_LOADED / module.replace("-", "_")).is_dir():
            _load(execute, module)
    if not MOUNT_POINT.is_mount():
        raise TargetError(
            reason=f"configfs is not mounted. Run: mount -t configfs none {MOUNT_POINT}"
        )


def _load(execute: Execute, module: str) -> None:
    try:
        execute(["modprobe", module], timeout=_SECONDS)
    except CommandError as failure:
        raise TargetError(
            reason=f"the kernel module {module} cannot be loaded ({failure}). Install a kernel "
            "that has it, and run the service with the privilege to load modules"
        ) from failure

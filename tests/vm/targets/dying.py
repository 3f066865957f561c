"""Calls that are killed between any two changes of the kernel's state."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from breezeblock.targets.configfs import Configfs

_KILLED = 9
#: What a walk need not look into.
_DULL = ("statistics", "fabric_statistics", "alua", "param", "attrib", "ana_groups", "referrals")


class DyingConfigfs(Configfs):
    """Ends the process with its n-th change, done or not yet done."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.left = -1

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            os._exit(_KILLED)

    def make(self, path: Path) -> bool:
        new = super().make(path)
        self._count()
        return new

    def remove(self, path: Path) -> None:
        super().remove(path)
        self._count()

    def write(self, path: Path, value: str) -> None:
        super().write(path, value)
        self._count()

    def link(self, link: Path, target: Path) -> None:
        super().link(link, target)
        self._count()

    def unlink(self, link: Path) -> None:
        super().unlink(link)
        self._count()


def killed_everywhere(
    kernel: DyingConfigfs,
    verb: Callable[[], object],
    undo: Callable[[], object],
    check: Callable[[], None],
) -> int:
    """Kill ``verb`` after its first, second, ... change; call it again, ``check``, ``undo``.

    Returns after how many changes it is done.
    """
    for number in range(1, 200):
        child = os.fork()
        if child == 0:
            kernel.left = number
            try:
                verb()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        verb()
        check()
        undo()
        if os.waitstatus_to_exitcode(status) != _KILLED:
            return number - 1
    raise AssertionError("it never ends")


def tree(*roots: Path) -> dict[str, str]:
    """What the kernel has below these directories: objects, relations and telling attributes."""
    found: dict[str, str] = {}
    for root in roots:
        for directory, names, files in os.walk(root):
            names[:] = [name for name in names if name not in _DULL]
            found[directory] = "object"
            for name in files + names:
                path = Path(directory, name)
                if path.is_symlink():
                    found[str(path)] = os.readlink(path).rpartition("/config/")[2]
                elif name in ("enable", "userid", "password", "device_path", "udev_path"):
                    found[str(path)] = path.read_text()
    return found

"""I/O priorities, as ``ionice(1)`` names them and ``ioprio_set(2)`` takes them.

Linux honours them with the BFQ and mq-deadline schedulers.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import platform
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from breezeblock.drivers.errors import VolumeBackendError

_CLASSES = {"none": 0, "realtime": 1, "best-effort": 2, "idle": 3}
_CLASS_SHIFT = 13
_WHO_PROCESS = 1
_MIDDLE_LEVEL = 4
#: machine -> system call numbers of ioprio_set and ioprio_get.
_CALLS = {
    "x86_64": (251, 252),
    "aarch64": (30, 31),
    "riscv64": (30, 31),
    "loongarch64": (30, 31),
    "ppc64le": (273, 274),
    "s390x": (282, 283),
}

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class IoPriority:
    """A scheduling class (0 none, 1 real time, 2 best effort, 3 idle) and its level, 0 to 7."""

    scheduling_class: int
    level: int

    @classmethod
    def parse(cls, arguments: str) -> IoPriority:
        """What ``ionice`` understands by ``arguments``, such as ``-c3`` or ``-c 2 -n 7``.

        Raises ``ValueError`` in words for the operator.
        """
        parser = _Parser(add_help=False)
        parser.add_argument("-c", "--class", dest="scheduling_class", default="best-effort")
        parser.add_argument("-n", "--classdata", dest="level", type=int)
        parser.add_argument("-t", "--ignore", action="store_true")
        given = parser.parse_args(shlex.split(arguments))
        named = given.scheduling_class.lower()
        number = _CLASSES.get(named, int(named) if named in {"0", "1", "2", "3"} else None)
        if number is None:
            raise ValueError(f"'{named}' is no I/O class: give 0 to 3 or one of {list(_CLASSES)}")
        if number in {0, 3}:
            # These classes have no levels; ionice ignores one that is given.
            return cls(number, 0)
        level = _MIDDLE_LEVEL if given.level is None else given.level
        if not 0 <= level <= 7:
            raise ValueError(f"{level} is no level of an I/O class: give 0 (first) to 7 (last)")
        return cls(number, level)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Give the calling thread this priority for the block.

        Raises ``VolumeBackendError`` if the kernel refuses (real time takes privileges).
        """
        calls = _CALLS.get(platform.machine())
        if calls is None:
            raise VolumeBackendError(
                reason=f"I/O priorities are not known for {platform.machine()}: "
                "unset volume_clear_ionice"
            )
        set_number, get_number = calls
        before = _call(get_number, _WHO_PROCESS, 0)
        _call(set_number, _WHO_PROCESS, 0, self.scheduling_class << _CLASS_SHIFT | self.level)
        try:
            yield
        finally:
            # "None" carries no level; what get answers for it is made from the nice value.
            _call(set_number, _WHO_PROCESS, 0, before if before >> _CLASS_SHIFT else 0)


def _call(number: int, *arguments: int) -> int:
    result: int = _libc.syscall(number, *arguments)
    if result < 0:
        raise VolumeBackendError(
            reason=f"the I/O priority could not be set: {os.strerror(ctypes.get_errno())}; "
            "change volume_clear_ionice, or let the service run as root"
        )
    return result


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(f"not arguments of ionice: {message}")

"""A cgroup around one copy that limits the bytes per second of its devices.

Both versions of the kernel's interface are known (Documentation/admin-guide: cgroup-v2.rst
``io.max``, cgroup-v1/blkio-controller.rst ``blkio.throttle.*_bps_device``).  Below the cgroup that
the operator names every copy has one of its own, so each has the whole limit, and its limits
go away with it.  One that a killed process left behind is removed by the next copy.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from breezeblock.drivers.block_device import disk_number

LOG = logging.getLogger(__name__)

_ROOT = Path("/sys/fs/cgroup")
#: Seconds for the kernel to let go of a cgroup whose last process has just ended.
_EMPTY_SECONDS = 2.0
_TRIES = 3

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Throttle:
    """The limit of a copy: reading and writing get ``bytes_per_second`` each, 0 is no limit.

    ``cgroup`` is a path below the mount point of the I/O controller.
    """

    bytes_per_second: int
    cgroup: str = "cinder-volume-copy"


UNLIMITED = Throttle(0)


@contextmanager
def throttled(throttle: Throttle, *paths: str) -> Iterator[Path | None]:
    """A cgroup in which the disks of ``paths`` (devices or files) are limited.

    None: there can be none here; the caller has to keep the pace itself.  A process
    is put into it by ``cgroup=`` of ``execution.command.stream``.  Raises ``VolumeBackendError``
    if a path is not there.
    """
    disks = {disk_number(path) for path in paths}
    group: Path | None = None
    try:
        group = _made(throttle, {disk for disk in disks if disk}) if None not in disks else None
    except (OSError, ValueError) as refused:
        _warn_once(throttle.cgroup, str(refused))
    try:
        yield group
    finally:
        if group is not None:
            _remove(group)
            _remove_if_empty(group.parent)


def _made(throttle: Throttle, disks: set[str]) -> Path:
    root, is_v2 = _controller()
    named = root / throttle.cgroup.strip("/")
    if ".." in named.parts or named == root:
        raise ValueError(f"volume_copy_blkio_cgroup_name '{throttle.cgroup}' is no cgroup's name")
    group = named / f"{os.getpid()}-{next(_numbers)}"
    _make_below(root, group, is_v2)
    _sweep(named)
    try:
        _limit(group, disks, throttle.bytes_per_second, is_v2)
    except OSError:
        _remove(group)
        raise
    return group


def _controller() -> tuple[Path, bool]:
    """Where cgroups that limit I/O are made, and whether they are of version 2."""
    controllers = _ROOT / "cgroup.controllers"
    if controllers.exists() and "io" in controllers.read_text().split():
        return _ROOT, True
    if (_ROOT / "blkio").is_dir():
        return _ROOT / "blkio", False
    raise OSError(errno.ENODEV, "the kernel has no I/O controller for cgroups")


def _make_below(root: Path, group: Path, is_v2: bool) -> None:
    steps = [*reversed(group.relative_to(root).parents), group.relative_to(root)][1:]
    for attempt in range(_TRIES):
        try:
            for step in steps:
                if is_v2:
                    _hand_down_io((root / step).parent)
                (root / step).mkdir(exist_ok=True)
        except FileNotFoundError:
            # Another copy's end removed the named cgroup as it was empty.
            if attempt == _TRIES - 1:
                raise
        else:
            return


def _hand_down_io(parent: Path) -> None:
    switch = parent / "cgroup.subtree_control"
    if "io" not in switch.read_text().split():
        switch.write_text("+io")


def _limit(group: Path, disks: set[str], rate: int, is_v2: bool) -> None:
    # The kernel takes one device with every write.
    for disk in disks:
        if is_v2:
            (group / "io.max").write_text(f"{disk} rbps={rate} wbps={rate}")
        else:
            for direction in ("read", "write"):
                file = group / f"blkio.throttle.{direction}_bps_device"
                file.write_text(f"{disk} {rate}")


def _sweep(named: Path) -> None:
    """Remove what processes left behind that are gone."""
    for group in named.iterdir():
        pid = group.name.partition("-")[0]
        if group.is_dir() and pid.isdigit() and not Path("/proc", pid).exists():
            _remove_if_empty(group)


def _remove(group: Path) -> None:
    deadline = time.monotonic() + _EMPTY_SECONDS
    while not _remove_if_empty(group):
        if time.monotonic() > deadline:
            LOG.warning("the cgroup %s could not be removed; the next copy tries again", group)
            return
        time.sleep(0.02)


def _remove_if_empty(group: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        try:
            group.rmdir()
        except OSError as refused:
            if refused.errno in {errno.EBUSY, errno.ENOTEMPTY}:
                return False
            raise
    return True


@functools.cache
def _warn_once(name: str, reason: str) -> None:
    LOG.warning(
        "the cgroup %s cannot be made: %s. Throttled copies keep their pace by themselves",
        name,
        reason,
    )

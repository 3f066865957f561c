"""What the kernel knows of a logical volume's device, without asking LVM: no process, no lock.

Linux shows a device-mapper device's parts in ``/sys/class/block/dm-N/slaves`` and its name in
``dm/name`` (Documentation/ABI/testing/sysfs-block-dm).  LVM puts a layer ``-tpool`` below thin
volumes, ``-real`` below a thick volume that has snapshots, and ``-cow`` beside a thick snapshot.
"""

from __future__ import annotations

import os
from pathlib import Path

from breezeblock.drivers.lvm.names import mapper_path

_SYSFS = Path("/sys/class/block")
_CHANGING = frozenset({"lvcreate", "lvremove", "lvextend", "lvrename", "lvchange", "lvconvert"})


def is_active(group: str, name: str) -> bool:
    """Whether the volume has a device node."""
    return os.path.exists(mapper_path(group, name))


def is_thin(group: str, name: str) -> bool | None:
    """Whether an active volume is thin; None if it is not active."""
    device = _device(mapper_path(group, name))
    if device is None:
        return None
    try:
        parts = [
            (_SYSFS / part / "dm/name").read_text().strip()
            for part in os.listdir(_SYSFS / device / "slaves")
            if part.startswith("dm-")
        ]
    except OSError:
        return None
    return any(part.endswith("-tpool") for part in parts)


def is_thick_snapshot(group: str, name: str) -> bool:
    """Whether it is the active thick snapshot of something."""
    return os.path.exists(mapper_path(group, name, "cow"))


def holders(group: str, name: str) -> list[str]:
    """Who holds the volume open, as far as it shows: devices above it, and processes."""
    device = _device(mapper_path(group, name))
    if device is None:
        return []
    try:
        above = [f"device {_title(one)}" for one in os.listdir(_SYSFS / device / "holders")]
    except OSError:
        above = []
    return above + _processes(f"/dev/{device}")


def running_commands(group: str) -> set[int]:
    """The processes of LVM commands that change something in the group."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if os.path.basename(words[0]) in _CHANGING and any(
            word == group or word.startswith(f"{group}/") for word in words
        ):
            found.add(int(pid))
    return found


def _device(path: str) -> str | None:
    """``dm-N`` behind a device-mapper node."""
    try:
        return os.path.basename(os.path.realpath(path, strict=True))
    except OSError:
        return None


def _title(device: str) -> str:
    try:
        return (_SYSFS / device / "dm/name").read_text().strip()
    except OSError:
        return device


def _processes(node: str) -> list[str]:
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with os.scandir(f"/proc/{pid}/fd") as descriptors:
                if any(os.readlink(one.path) == node for one in descriptors):
                    found.append(f"{Path(f'/proc/{pid}/comm').read_text().strip()} (pid {pid})")
        except OSError:
            continue
    return found

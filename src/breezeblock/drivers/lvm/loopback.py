"""Disks of this host that are logical volumes of this very host, by way of a target.

On a host that attaches volumes of its own (a single machine, or a copy through the target) LVM
would read them like any disk.  While their target is paused their requests wait, and a command
that the pause is for would wait with them; and whatever a user wrote there, for example a physical
volume of a group of the same name, is none of LVM's business here.

Such a disk is known by its serial number or UUID, which is the volume's id for every target of
ours.  All is read from sysfs: nothing is asked of the disk itself.  The ids that were seen are kept
for the life of the process: a volume that is taken away for a moment stays a volume of this host.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_SYSTEM = Path("/sys")
_DEVICES = Path("/dev")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PLAIN = re.compile(r"[\w/.:@-]+")
#: The SCSI page that holds the serial number: four bytes, then its text.
_PAGE_80_HEADER = 4


#: Ids of volumes that were active on this host since the process began.
_seen: set[str] = set()


def patterns(system: Path = _SYSTEM, devices: Path = _DEVICES) -> list[str]:
    """Regular expressions of the paths of such disks, also of multipath devices over them."""
    _seen.update(_own_volumes(devices))
    if not _seen:
        return []
    blocks = system / "block"
    found = {entry for entry in os.listdir(blocks) if _identity(blocks / entry) in _seen}
    found |= {
        entry
        for entry in os.listdir(blocks)
        if entry.startswith("dm-") and found & _names(blocks / entry / "slaves")
    }
    # A dot stands for any character, which does no harm; escaped ones would be read by two parsers.
    return sorted(path for path in _paths(found, devices) if _PLAIN.fullmatch(path))


def _own_volumes(devices: Path) -> set[str]:
    """Ids of the active logical volumes, which device-mapper names with hyphens doubled."""
    names = (name.replace("--", "-") for name in _names(devices / "mapper"))
    return {match[0] for name in names if (match := _UUID.search(name))}


def _identity(block: Path) -> str:
    """The serial number (SCSI) or UUID (NVMe) of a disk."""
    try:
        return (block / "uuid").read_text().strip()
    except OSError:
        pass
    try:
        page = (block / "device" / "vpd_pg80").read_bytes()
    except OSError:
        return ""
    # Padded by blanks, or ended by a zero byte.
    return page[_PAGE_80_HEADER:].decode("ascii", "replace").strip(" \0")


def _paths(found: set[str], devices: Path) -> Iterator[str]:
    """All names of these devices: LVM goes by any of them."""
    for name in found:
        yield str(devices / name)
    for directory in (devices / "disk", devices / "mapper"):
        for link in directory.rglob("*") if directory.is_dir() else ():
            if link.is_symlink() and os.path.basename(os.path.realpath(link)) in found:
                yield str(link)


def _names(directory: Path) -> set[str]:
    try:
        return set(os.listdir(directory))
    except OSError:
        return set()

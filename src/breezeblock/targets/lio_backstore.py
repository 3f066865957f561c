"""LIO's backstores: a volume's block device or file, opened by the kernel.

Each has an HBA of its own, as rtslib has it (two volumes whose numbers meet share one, which
does no harm): ``core/iblock_<number>/<volume>`` or ``core/fileio_<number>/<volume>``.
"""

from __future__ import annotations

import logging
import os
import stat
import zlib
from contextlib import suppress
from dataclasses import dataclass
from errno import ENOTEMPTY
from pathlib import Path

from breezeblock.targets.configfs import Configfs, ConfigfsError
from breezeblock.targets.errors import TargetError

LOG = logging.getLogger(__name__)

_KINDS = ("iblock", "fileio")
_SECTOR = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstore:
    """What a volume's backstore has to be.

    ``serial`` becomes the unit's serial number, and its hexadecimal digits the unit's NAA
    identifier; a volume's id keeps those of all volumes apart.  ``write_cache`` is for files
    only: without it every write is on disk when it is answered.  A device has its own cache
    and flushes.  ``discard`` tells consumers that discarded blocks are given back.
    """

    name: str
    path: str
    serial: str
    write_cache: bool = True
    discard: bool = False


class Backstores:
    """The backstores in the kernel."""

    def __init__(self, kernel: Configfs) -> None:
        self._kernel = kernel
        self._core = kernel.root / "core"

    def open(self, wanted: Backstore) -> Path:
        """Make the kernel open it; return its directory.

        One that is open and right stays; a wrong one is closed first, which the kernel refuses
        while it is exported.  Raises ``TargetError``.
        """
        kind, size = _look(wanted.path)
        device = self._device(kind, wanted.name)
        if not self.is_right(wanted):
            self.close(wanted.name)
            self._kernel.make(device.parent)
            self._kernel.make(device)
            self._kernel.write(device / "control", _control(kind, wanted, size))
            self._kernel.write(device / "udev_path", wanted.path)
            self._kernel.write(device / "wwn" / "vpd_unit_serial", wanted.serial)
            self._kernel.write(device / "enable", "1")
        if wanted.discard:
            self._offer_discard(device)
        return device

    def is_right(self, wanted: Backstore) -> bool:
        """Whether it is open with this path and serial number (its size is not looked at)."""
        device = self.find(wanted.name)
        return (
            device is not None
            and self._kernel.read(device / "enable") == "1"
            and self._kernel.read(device / "udev_path") == wanted.path
            and (self._kernel.read(device / "wwn/vpd_unit_serial") or "").endswith(wanted.serial)
        )

    def find(self, name: str) -> Path | None:
        """The directory of a volume's backstore, open or half-made."""
        devices = (self._device(kind, name) for kind in _KINDS)
        return next((device for device in devices if self._kernel.exists(device)), None)

    def grow(self, wanted: Backstore) -> None:
        """Let the kernel see the present size (it looks at a device's by itself)."""
        kind, size = _look(wanted.path)
        if kind == "fileio":
            self._kernel.write(self._device(kind, wanted.name) / "control", f"fd_dev_size={size}")

    def close(self, name: str) -> None:
        """Let go of the volume's data; not open is success."""
        for kind in _KINDS:
            device = self._device(kind, name)
            if self._kernel.exists(device.parent):
                self._kernel.remove(device)
                try:
                    self._kernel.remove(device.parent)
                except ConfigfsError as refused:
                    if refused.code != ENOTEMPTY:
                        raise

    def _device(self, kind: str, name: str) -> Path:
        return self._core / f"{kind}_{zlib.crc32(name.encode()) >> 1}" / name

    def _offer_discard(self, device: Path) -> None:
        # A device that cannot discard says so here; the volume is usable without.
        with suppress(ConfigfsError):
            for attribute in ("emulate_tpu", "emulate_tpws"):
                self._kernel.set(device / "attrib" / attribute, "1")
            return
        LOG.warning("%s cannot give discarded blocks back", device.name)


def _look(path: str) -> tuple[str, int]:
    """The kind of backstore for ``path``, and its size in bytes."""
    if "," in path or "\n" in path:
        raise TargetError(reason=f"the kernel cannot open {path!r}")
    try:
        status = os.stat(path)
    except OSError as failure:
        raise TargetError(reason=f"{path}: {failure.strerror}") from failure
    kind = "iblock" if stat.S_ISBLK(status.st_mode) else "fileio"
    return kind, status.st_size // _SECTOR * _SECTOR


def _control(kind: str, wanted: Backstore, size: int) -> str:
    if kind == "iblock":
        return f"udev_path={wanted.path}"
    cached = ",fd_buffered_io=1" if wanted.write_cache else ""
    return f"fd_dev_name={wanted.path},fd_dev_size={size}{cached}"

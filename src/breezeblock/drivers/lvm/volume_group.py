"""The verbs on one volume group, each one LVM command in the normal case.

A verb acts first and looks only when LVM refuses: a look costs as much as the deed.  All are
idempotent where that can be told from the outside; what cannot is the journal's.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable

from breezeblock.drivers.errors import SnapshotIsBusy, VolumeIsBusy
from breezeblock.drivers.lvm import kernel, report
from breezeblock.drivers.lvm.commands import Lvm
from breezeblock.drivers.lvm.errors import (
    AlreadyThatLarge,
    InUse,
    LogicalVolumeMissing,
    LvmError,
    NameTaken,
)
from breezeblock.drivers.lvm.names import SNAPSHOT, checked, device_path, mapper_path
from breezeblock.drivers.lvm.report import GroupReport, LogicalVolume
from breezeblock.drivers.lvm.single_flight import SingleFlight

LOG = logging.getLogger(__name__)

_TIB = 1024**4
#: From this size on a mirror's regions are made larger, so that its log stays small.
_LARGE_MIRROR = 3 * _TIB // 2
_PATIENT = ("--config", "activation{retry_deactivation=1}")
_MORE_PATIENT = ("--config", "activation{retry_deactivation=1} devices{ignore_suspended_devices=1}")


class VolumeGroup:
    """See the module.  Safe to use from several threads and processes.  Sizes are bytes."""

    def __init__(self, name: str, lvm: Lvm) -> None:
        self.name = name
        self.lvm = lvm
        self._flight: SingleFlight[GroupReport] = SingleFlight(self._take_report)
        self._lock = threading.Lock()
        # Which volumes are thin, for those that are inactive and so unknown to the kernel.
        self._thin: dict[str, bool] = {}

    # ---- looking -------------------------------------------------------------------------------

    def report(self) -> GroupReport:
        """The whole group, as of a moment within this call.  Raises ``VolumeGroupMissing``."""
        return self._flight.get()

    def _take_report(self) -> GroupReport:
        found = report.parse_group(
            self.lvm.look(
                *("lvm", "fullreport", *report.FORM),
                *("--configreport", "vg", "-o", report.VG_COLUMNS),
                *("--configreport", "lv", "-o", report.LV_COLUMNS),
                *("--configreport", "pv", "-o", report.PV_COLUMNS),
                *("--configreport", "pvseg", "-o,", "--configreport", "seg", "-o,"),
                self.name,
            )
        )
        with self._lock:
            self._thin = {v.name: v.is_thin for v in found.volumes.values() if v.is_public}
        return found

    def find(self, name: str) -> LogicalVolume | None:
        """One logical volume; None if there is none of that name."""
        text = self.lvm.look(
            *("lvs", *report.FORM, "-o", report.LV_COLUMNS, self._full(name)),
            missing_is_fine=True,
        )
        found = next((v for v in report.parse_volumes(text) if v.name == name), None)
        if found is not None:
            self._note(name, thin=found.is_thin)
        return found

    def existing(self, name: str) -> LogicalVolume:
        """One logical volume.  Raises ``LogicalVolumeMissing``."""
        found = self.find(name)
        if found is None:
            raise LogicalVolumeMissing(reason=f"{self._full(name)} is not there")
        return found

    def is_thin(self, name: str) -> bool:
        """Whether it is thin, by the cheapest way to know.  Raises ``LogicalVolumeMissing``."""
        seen = kernel.is_thin(self.name, name)
        if seen is None:
            with self._lock:
                seen = self._thin.get(name)
        return self.existing(name).is_thin if seen is None else seen

    def path(self, name: str) -> str:
        """The node through which this host reads and writes a volume."""
        return mapper_path(self.name, name)

    def _full(self, name: str) -> str:
        return f"{self.name}/{checked(name)}"

    def _note(self, name: str, *, thin: bool) -> None:
        with self._lock:
            self._thin[name] = thin

    # ---- making --------------------------------------------------------------------------------

    def create_thick(
        self, name: str, size: int, *, mirrors: int = 0, tags: Iterable[str] = ()
    ) -> None:
        """Make a volume of blocks of its own; what they held before shows.  Raises ``NameTaken``.

        ``mirrors`` is the number of further copies, on disks of their own.  They are not
        synchronised: whoever makes the volume writes all of it.
        """
        kind = mirror_arguments(size, mirrors) if mirrors else ()
        # Nothing is wiped by LVM: the caller clears all of it, and signatures with it.
        self.lvm.change(
            *("lvcreate", "-y", "-Wn", "-Zn", *kind, *_tagged(tags)),
            *("-n", checked(name), "-L", f"{size}b", self.name),
        )
        self._note(name, thin=False)

    def create_thin(self, name: str, size: int, pool: str, tags: Iterable[str] = ()) -> None:
        """Make an empty volume in a thin pool.  Raises ``NameTaken``."""
        self.lvm.change(
            *("lvcreate", "-y", "-T", "-V", f"{size}b", "-n", checked(name), *_tagged(tags)),
            self._full(pool),
        )
        self._note(name, thin=True)

    def create_pool(self, pool: str, percent: int) -> None:
        """Make a thin pool of so much of the free space; there already is success."""
        try:
            self.lvm.change(
                *("lvcreate", "-y", "-Zy", "-T", "-l", f"{percent}%FREE", self._full(pool))
            )
        except NameTaken:
            LOG.info("thin pool %s is there already", self._full(pool))

    def snapshot_thick(self, name: str, origin: str) -> None:
        """Keep a thick volume's bytes.  Raises ``NameTaken``.

        Its room is that for all of the origin to change, so that it never becomes invalid; for
        that LVM needs somewhat more than the origin's size (lvcreate(8), 100%ORIGIN).
        """
        self.lvm.change(
            *("lvcreate", "-y", "-s", "-l", "100%ORIGIN", "-n", checked(name)), self._full(origin)
        )
        self._note(name, thin=False)

    def snapshot_thin(self, name: str, origin: str, *, active: bool) -> None:
        """Make a thin volume that shares the origin's blocks.  Raises ``NameTaken``.

        ``active``: it gets a device, now and whenever the group is activated.
        """
        self.lvm.change(
            *("lvcreate", "-y", "-s", "-kn" if active else "-ky", "-n", checked(name)),
            self._full(origin),
        )
        self._note(name, thin=True)

    # ---- changing ------------------------------------------------------------------------------

    def extend(self, name: str, size: int, *, mirrored: bool = False) -> bool:
        """Grow to ``size``; false if it is that large already.

        Raises ``OriginActive`` for an active thick volume with snapshots.
        """
        unsynchronised = ("--nosync",) if mirrored else ()
        try:
            self.lvm.change("lvextend", "-y", *unsynchronised, "-L", f"{size}b", self._full(name))
        except AlreadyThatLarge:
            return False
        return True

    def rename(self, name: str, new_name: str) -> None:
        """Raises ``LogicalVolumeMissing`` or ``NameTaken``."""
        self.lvm.change("lvrename", self.name, checked(name), checked(new_name))
        with self._lock:
            if name in self._thin:
                self._thin[new_name] = self._thin.pop(name)

    def activate(self, name: str) -> None:
        """Give it a device; has one is success."""
        if not kernel.is_active(self.name, name):
            self.lvm.change("lvchange", "-ay", "-K", self._full(name))

    def deactivate(self, name: str) -> None:
        """Take its device, and its thick snapshots' devices, away.  Raises ``InUse``."""
        self.lvm.change("lvchange", *_PATIENT, "-an", self._full(name))

    def merge(self, snapshot: str) -> None:
        """Let a thick snapshot flow back when its inactive origin is activated the next time."""
        self.lvm.change("lvconvert", "-y", "--merge", self._full(snapshot))

    def resume_merge(self, origin: str) -> None:
        """Activate the origin and have LVM watch the merge to its end, in the background."""
        self.lvm.change("lvchange", "-ay", "-K", "--poll", "y", self._full(origin))

    # ---- removing ------------------------------------------------------------------------------

    def remove(self, name: str) -> None:
        """Remove it; absent is success.

        A thick volume with snapshots would take them along, so LVM is asked, under its own lock,
        to remove only one without.  Raises ``VolumeIsBusy`` or ``SnapshotIsBusy``.
        """
        busy = SnapshotIsBusy if SNAPSHOT.fullmatch(name) else VolumeIsBusy
        try:
            removed = self._without_holders(name, lambda config: self._remove(name, config))
        except LogicalVolumeMissing:
            removed = True
        except InUse as refused:
            by = ", ".join(kernel.holders(self.name, name)) or "somebody who does not show"
            raise busy(
                name=name, reason=f"its device is held open by {by}. Detach or close it first"
            ) from refused
        if not removed:
            raise busy(name=name, reason="it has snapshots. Delete them first")
        with self._lock:
            self._thin.pop(name, None)

    def _remove(self, name: str, config: tuple[str, ...]) -> bool:
        said = self.lvm.change(
            *("lvremove", "-y", *config, "-S", "lv_role!={thickorigin}", self._full(name))
        )
        return "successfully removed" in said

    def _without_holders(self, name: str, action: Callable[[tuple[str, ...]], bool]) -> bool:
        """Do it again when udev, which opens devices for a moment, has let go."""
        try:
            return action(_PATIENT)
        except InUse:
            LOG.info("%s is held open; trying again when udev has settled", name)
            self.lvm.plain("udevadm", "settle", "--timeout=30", accept=(0, 1))
            return action(_MORE_PATIENT)
        except LogicalVolumeMissing:
            raise
        except LvmError as failure:
            LOG.warning("%s could not be removed (%s); trying once more", name, failure)
            return action(_MORE_PATIENT)

    def device_path(self, name: str) -> str:
        """The node under which a volume is exported."""
        return device_path(self.name, name)


def mirror_arguments(size: int, mirrors: int) -> tuple[str, ...]:
    """How ``lvcreate`` is told of mirrors (lvmraid(7)).

    From 1.5 TiB on the regions have a power of two of MiB that is at least the size in TiB.
    """
    arguments: tuple[str, ...] = ("--type", "raid1", "-m", str(mirrors), "--nosync")
    if size >= _LARGE_MIRROR:
        region = 1
        while region * _TIB < size:
            region *= 2
        arguments += ("-R", f"{region}m")
    return arguments


def _tagged(tags: Iterable[str]) -> tuple[str, ...]:
    return tuple(part for tag in tags for part in ("--addtag", tag))

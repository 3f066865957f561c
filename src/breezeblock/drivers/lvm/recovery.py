"""What interrupted calls left in the group is completed or removed, at start.

Only what carries a name or an entry of ours is touched.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from functools import partial

from breezeblock.drivers import block_device
from breezeblock.drivers.errors import VolumeDriverError
from breezeblock.drivers.lvm import kernel, names
from breezeblock.drivers.lvm.errors import LvmError
from breezeblock.drivers.lvm.journal import EXTEND, MAKE, Entry
from breezeblock.drivers.lvm.removal import Removal
from breezeblock.drivers.lvm.report import GroupReport
from breezeblock.drivers.lvm.revert import Revert
from breezeblock.drivers.lvm.site import Site

LOG = logging.getLogger(__name__)

#: Seconds that commands of killed workers get to end.
_COMMAND_SECONDS = 30.0


class Recovery:
    """See the module.  ``unfinished`` names logical volumes whose verbs will be called again."""

    def __init__(self, site: Site, unfinished: Collection[str]) -> None:
        self._site = site
        self._group = site.group
        self._journal = site.journal
        self._unfinished = {
            names.of_snapshot(name) if name.startswith("snapshot-") else name for name in unfinished
        }

    def run(self) -> int:
        """Do it; return how many things were completed or removed."""
        self._journal.prepare()
        self._await_commands()
        report = self._remove_stale_devices()
        done = 0
        for entry in self._journal.entries():
            if not {entry.name, entry.snapshot} & self._unfinished:
                done += self._guarded(entry.name, partial(self._settle, entry, report))
        for name in sorted(report.volumes):
            found = names.TEMPORARY.fullmatch(name)
            if found and f"volume-{found[2]}" not in self._unfinished:
                volume = f"volume-{found[2]}"
                done += self._guarded(name, partial(self._settle_temporary, name, volume))
        return done

    def _await_commands(self) -> None:
        """A killed worker's commands go on without it; what they do must not come as a surprise."""
        running = kernel.running_commands(self._group.name)
        deadline = time.monotonic() + _COMMAND_SECONDS
        # One that watches a merge may take hours: it surprises nobody.
        while running and time.monotonic() < deadline:
            time.sleep(0.1)
            running &= kernel.running_commands(self._group.name)

    def _guarded(self, name: str, action: Callable[[], None]) -> int:
        """One thing that cannot be mended does not keep the backend from starting."""
        try:
            action()
        except VolumeDriverError as failure:
            LOG.error("%s: %s is left as it is: %s", self._site.backend, name, failure)
            return 0
        return 1

    # ---- entries -------------------------------------------------------------------------------

    def _settle(self, entry: Entry, report: GroupReport) -> None:
        with self._journal.held(entry.name, timeout=0):
            found = report.find(entry.name)
            if found is None:
                self._journal.finish(entry.name, entry.verb)
            elif entry.verb == MAKE:
                if entry.tag in found.tags:
                    LOG.info("%s was never finished and is removed", entry.name)
                    Removal(self._site).delete_held(entry.name)
                self._journal.finish(entry.name, MAKE)
            elif entry.verb == EXTEND:
                device = self._site.device(entry.name)
                self._site.zero(device, entry.size, block_device.size(device))
                self._journal.finish(entry.name, EXTEND)
            else:
                self._settle_merge(entry, report)

    def _settle_merge(self, entry: Entry, report: GroupReport) -> None:
        kept = report.find(entry.snapshot)
        if kept is not None and kept.merging:
            # It goes on by itself now; the entry says that the snapshot is to be taken again.
            self._group.resume_merge(entry.name)
        elif kept is None:
            Revert(self._site).take_again(entry.name, entry.snapshot)
        else:
            self._group.activate(entry.name)
            self._journal.finish(entry.name, entry.verb)

    # ---- names ---------------------------------------------------------------------------------

    def _settle_temporary(self, name: str, volume: str) -> None:
        if name.startswith((names.REVERTED, names.REVERTING)):
            Revert(self._site).finish_swap(volume)
            if name.startswith(names.REVERTING) and self._group.find(name) is not None:
                self._group.remove(name)
            return
        LOG.info("%s was left behind and is removed", name)
        Removal(self._site).delete(name)

    # ---- devices -------------------------------------------------------------------------------

    def _remove_stale_devices(self) -> GroupReport:
        """Devices of volumes of ours that LVM does not know any more, and suspended ones.

        Returns the report that it is known from.
        """
        before = self._devices()
        # The report waits for commands that are still running: what they are at is not stale.
        report = self._group.report()
        after = self._devices() if before else {}
        for device in sorted(before.keys() & after.keys()):
            parts = names.split_mapper_name(device)
            if parts is None or parts[0] != self._group.name or not _is_ours(parts[1]):
                continue
            if before[device].suspended and after[device].suspended:
                LOG.warning("device %s was left suspended and is resumed", device)
                self._dmsetup("resume", device)
            if parts[1] not in report.volumes and not after[device].open:
                LOG.warning("device %s was left behind and is removed", device)
                self._dmsetup("remove", device)
        return report

    def _devices(self) -> dict[str, _Device]:
        columns = ("-c", "--noheadings", "--separator", "|", "-o", "name,open,suspended")
        # It fails when a device goes away while it lists; what it has listed is right.
        said = self._group.lvm.plain("dmsetup", "info", *columns, accept=(0, 1)).text
        found = {}
        for line in said.splitlines():
            parts = line.strip().split("|")
            if len(parts) == 3:
                found[parts[0]] = _Device(open=parts[1] != "0", suspended=parts[2] == "Suspended")
        return found

    def _dmsetup(self, verb: str, device: str) -> None:
        try:
            self._group.lvm.plain("dmsetup", verb, device)
        except LvmError as failure:
            LOG.error("%s: %s", self._site.backend, failure)


class _Device:
    """A device-mapper device."""

    def __init__(self, *, open: bool, suspended: bool) -> None:
        self.open = open
        self.suspended = suspended


def _is_ours(name: str) -> bool:
    return any(p.fullmatch(name) for p in (names.VOLUME, names.SNAPSHOT, names.TEMPORARY))

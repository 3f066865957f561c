"""One volume in SCST: a device on its path, and its place in a target.

``put`` makes SCST equal to what is wanted, whatever is there, and looks whether it did: first
everything goes that contradicts, then one additive configuration brings what is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from breezeblock.targets.errors import TargetError
from breezeblock.targets.scst_config import Entry
from breezeblock.targets.scst_tool import Scstadmin

_DRIVER = "iscsi"
#: The one group of a target that belongs to one volume.
_GROUP = "consumers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What SCST shall offer; ``name`` is the device's and the volume's."""

    name: str
    iqn: str
    lun: int
    path: str
    handler: str
    user: str
    secret: str = field(repr=False)
    initiators: tuple[str, ...] = ()

    @property
    def account(self) -> str:
        """As the attribute ``IncomingUser`` has it."""
        return f"{self.user} {self.secret}"


class ScstExports:
    """Exports in targets of one volume each, or (``shared``) in one target for all."""

    def __init__(self, tool: Scstadmin, *, shared: bool) -> None:
        self._tool = tool
        self._shared = shared

    def luns(self, iqn: str) -> set[int]:
        """The numbers that are in use in a target."""
        with self._tool.locked():
            target = _target(self._tool.read(), iqn)
        return {lun for place in _places(target) for lun in place.luns()}

    def put(self, wanted: Wanted) -> bool:
        """Offer it; true if something had to be done.  Raises ``TargetError``."""
        with self._tool.locked():
            present = self._tool.read()
            if self._is_right(present, wanted):
                return False
            self._clear(present, wanted)
            self._tool.add(self._entries(wanted))
            if not self._is_right(self._tool.read(), wanted):
                raise TargetError(
                    reason="SCST did not take the configuration. Its messages are in the kernel's "
                    "log",
                    transient=True,
                )
            self._tool.save()
        return True

    def take_away(self, wanted: Wanted) -> None:
        """Stop offering it and close its path; what is not there is success."""
        with self._tool.locked():
            present = self._tool.read()
            self._leave_target(present, wanted)
            self._close_device(present, wanted.name)
            self._tool.save()

    def resync(self, wanted: Wanted) -> None:
        """Take the present size of the path; initiators are told."""
        with self._tool.locked():
            if _device(self._tool.read(), wanted.name) is not None:
                self._tool.change("-resync_dev", wanted.name)

    # ---- looking -------------------------------------------------------------------------------

    def _is_right(self, present: Entry, wanted: Wanted) -> bool:
        target = _target(present, wanted.iqn)
        if not _is_device_right(present, wanted) or target is None:
            return False
        accounts = target.values("IncomingUser")
        return (
            target.values("enabled") == {"1"}
            and (wanted.account in accounts if self._shared else accounts == {wanted.account})
            and self._is_placed_right(target, wanted)
        )

    def _is_placed_right(self, target: Entry, wanted: Wanted) -> bool:
        if wanted.name in target.luns().values():
            return False
        groups = self._groups(wanted)
        for group in target.all("GROUP"):
            numbers = {n for n, device in group.luns().items() if device == wanted.name}
            asked = groups.pop(group.argument, None)
            if numbers != ({wanted.lun} if asked is not None else set()):
                return False
            if asked is not None and group.values("INITIATOR") != asked:
                return False
        return not groups

    def _groups(self, wanted: Wanted) -> dict[str, set[str]]:
        """The groups that hold the volume, with their initiators."""
        if self._shared:
            return {initiator: {initiator} for initiator in wanted.initiators}
        return {_GROUP: set(wanted.initiators)}

    def _entries(self, wanted: Wanted) -> list[Entry]:
        device = Entry("DEVICE", wanted.name, [Entry("filename", wanted.path)])
        target = Entry("TARGET", wanted.iqn, [Entry("IncomingUser", wanted.account)])
        for name, initiators in self._groups(wanted).items():
            group = target.add("GROUP", name, Entry("LUN", f"{wanted.lun} {wanted.name}"))
            for initiator in sorted(initiators):
                group.add("INITIATOR", initiator)
        target.add("enabled", "1")
        return [
            Entry("HANDLER", wanted.handler, [device]),
            Entry("TARGET_DRIVER", _DRIVER, [Entry("enabled", "1"), target]),
        ]

    # ---- clearing ------------------------------------------------------------------------------

    def _clear(self, present: Entry, wanted: Wanted) -> None:
        """Remove what contradicts; what fits stays, with the sessions that use it."""
        target = _target(present, wanted.iqn)
        if not _is_device_right(present, wanted, or_missing=True):
            self._leave_target(present, wanted)
            self._close_device(present, wanted.name)
        elif target is not None and not self._shared and self._is_foreign(target, wanted):
            self._remove_target(wanted.iqn)
        elif target is not None:
            self._clear_places(target, wanted)

    @staticmethod
    def _is_foreign(target: Entry, wanted: Wanted) -> bool:
        """Another account, or LUNs for everybody, in the target of one volume."""
        return bool(target.values("IncomingUser") - {wanted.account} or target.luns())

    def _clear_places(self, target: Entry, wanted: Wanted) -> None:
        groups = self._groups(wanted)
        self._remove_luns(target, None, wanted.name)
        for group in target.all("GROUP"):
            asked = groups.get(group.argument)
            holds = {n for n, device in group.luns().items() if device == wanted.name}
            if asked is None or holds - {wanted.lun}:
                self._leave_group(target, group, wanted.name)
            elif group.values("INITIATOR") - asked:
                for initiator in sorted(group.values("INITIATOR") - asked):
                    self._in_group(target, group, "-rem_init", initiator)

    def _leave_target(self, present: Entry, wanted: Wanted) -> None:
        target = _target(present, wanted.iqn)
        if target is None:
            return
        if not self._shared:
            self._remove_target(wanted.iqn)
            return
        self._remove_luns(target, None, wanted.name)
        for group in target.all("GROUP"):
            self._leave_group(target, group, wanted.name)

    def _leave_group(self, target: Entry, group: Entry, device: str) -> None:
        """Take a volume out of a group; the predefined target's last one takes the group along."""
        left = self._remove_luns(target, group, device)
        if self._shared and not left and device in group.luns().values():
            for initiator in sorted(group.values("INITIATOR")):
                self._in_group(target, group, "-rem_init", initiator)
            place = ("-driver", _DRIVER, "-target", target.argument)
            self._tool.change("-rem_group", group.argument, *place)

    def _remove_luns(self, target: Entry, group: Entry | None, device: str) -> int:
        """Remove a device's numbers from a place; return how many others are left there."""
        place = target if group is None else group
        left = 0
        for lun, there in place.luns().items():
            if there != device:
                left += 1
            elif group is None:
                driver = ("-driver", _DRIVER, "-target", target.argument)
                self._tool.change("-rem_lun", str(lun), *driver)
            else:
                self._in_group(target, group, "-rem_lun", str(lun))
        return left

    def _in_group(self, target: Entry, group: Entry, command: str, what: str) -> None:
        place = ("-driver", _DRIVER, "-target", target.argument, "-group", group.argument)
        self._tool.change(command, what, *place)

    def _remove_target(self, iqn: str) -> None:
        self._tool.change("-disable_target", iqn, "-driver", _DRIVER)
        self._tool.change("-rem_target", iqn, "-driver", _DRIVER)

    def _close_device(self, present: Entry, name: str) -> None:
        found = _device(present, name)
        if found is not None:
            self._tool.change("-close_dev", name, "-handler", found[0])


def _device(present: Entry, name: str) -> tuple[str, set[str]] | None:
    """Handler and path of a device."""
    for handler in present.all("HANDLER"):
        device = handler.find("DEVICE", name)
        if device is not None:
            return handler.argument, device.values("filename")
    return None


def _is_device_right(present: Entry, wanted: Wanted, *, or_missing: bool = False) -> bool:
    found = _device(present, wanted.name)
    return or_missing if found is None else found == (wanted.handler, {wanted.path})


def _target(present: Entry, iqn: str) -> Entry | None:
    driver = present.find("TARGET_DRIVER", _DRIVER)
    return driver.find("TARGET", iqn) if driver else None


def _places(target: Entry | None) -> Iterator[Entry]:
    """Where a target has LUNs: for everybody, and for its groups."""
    if target is not None:
        yield target
        yield from target.all("GROUP")

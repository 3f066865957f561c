"""LIO's iSCSI targets: one per volume, with one portal group whose LUN 0 is the volume.

Access: CHAP is always demanded, and only initiators with an ACL get that far.  A portal group is
enabled when everything about it is right and disabled before anything of it is taken away, so
there is no moment in which a login finds less than the whole.

Sessions: disabling a portal group ends them and waits for what is in flight; removing an ACL
ends those of its initiator.  Initiators that meet a disabled group try again until their
``replacement_timeout``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from breezeblock.targets.configfs import Configfs
from breezeblock.targets.lio_backstore import Backstore, Backstores

LUN = 0
#: Attributes of every portal group: CHAP demanded, nobody without an ACL, not even to look.
_CLOSED = {
    "authentication": "1",
    "generate_node_acls": "0",
    "cache_dynamic_acls": "0",
    "demo_mode_discovery": "0",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class IscsiExport:
    """One volume offered by LIO; the fields are those of its record."""

    name: str
    iqn: str
    path: str
    serial: str
    user: str
    secret: str = field(repr=False)
    portals: tuple[str, ...]
    iser: bool = False
    write_cache: bool = True
    discard: bool = False
    initiators: tuple[str, ...] = ()

    @property
    def backstore(self) -> Backstore:
        return Backstore(
            name=self.name,
            path=self.path,
            serial=self.serial,
            write_cache=self.write_cache,
            discard=self.discard,
        )

    def record(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> IscsiExport:
        lists = {key: tuple(record[key]) for key in ("portals", "initiators")}
        return cls(**{**record, **lists})


class IscsiTargets:
    """The iSCSI targets in the kernel."""

    def __init__(self, kernel: Configfs) -> None:
        self._kernel = kernel
        self._backstores = Backstores(kernel)
        self._fabric = kernel.root / "iscsi"

    def is_offered(self, export: IscsiExport) -> bool:
        """Whether it is enabled, which is the last step of ``offer``."""
        return self._kernel.read(self._group(export.iqn) / "enable") == "1" and (
            self._lun_link(export).exists()
        )

    def offer(self, export: IscsiExport) -> None:
        """Make the kernel offer ``export``; what is right already stays as it is."""
        group, link = self._group(export.iqn), self._lun_link(export)
        for directory in (self._fabric, group.parent, group):
            self._kernel.make(directory)
        if not (self._kernel.exists(link) and self._backstores.is_right(export.backstore)):
            self.close(export.iqn, export.name)
            for attribute, value in _CLOSED.items():
                self._kernel.set(group / "attrib" / attribute, value)
            device = self._backstores.open(export.backstore)
            self._kernel.make(link.parent)
            self._kernel.link(link, device)
        self._set_portals(group, export)
        self.confine(export)
        for initiator in export.initiators:
            self.allow(export, initiator)
        self._kernel.set(group / "enable", "1")

    def allow(self, export: IscsiExport, initiator: str) -> None:
        """Let ``initiator`` log in with the export's credentials."""
        group = self._group(export.iqn)
        acl = group / "acls" / initiator
        self._kernel.make(acl)
        self._kernel.set(acl / "auth" / "userid", export.user)
        self._kernel.set(acl / "auth" / "password", export.secret)
        mapped = acl / f"lun_{LUN}"
        self._kernel.make(mapped)
        self._kernel.link(mapped / export.name, group / "lun" / f"lun_{LUN}")

    def confine(self, export: IscsiExport) -> None:
        """Refuse all but the export's initiators, and end the others' sessions."""
        acls = self._group(export.iqn) / "acls"
        for stranger in set(self._kernel.names(acls)) - set(export.initiators):
            self._refuse(export.iqn, stranger)

    def _refuse(self, iqn: str, initiator: str) -> None:
        acl = self._group(iqn) / "acls" / initiator
        mapped = acl / f"lun_{LUN}"
        for link in self._kernel.links(mapped):
            self._kernel.unlink(link)
        self._kernel.remove(mapped)
        self._kernel.remove(acl)

    def close(self, iqn: str, name: str) -> None:
        """Let nobody in, end all sessions and let go of the volume's data.

        The target and its portals stay: an initiator that finds no target there gives up at
        once, one that finds a disabled one tries again.
        """
        group = self._group(iqn)
        if self._kernel.exists(group):
            self._kernel.set(group / "enable", "0")
            for initiator in self._kernel.names(group / "acls"):
                self._refuse(iqn, initiator)
            lun = group / "lun" / f"lun_{LUN}"
            for link in self._kernel.links(lun):
                self._kernel.unlink(link)
            self._kernel.remove(lun)
        self._backstores.close(name)

    def withdraw(self, iqn: str, name: str) -> None:
        """Take everything of an export away, sessions too; unknown is success."""
        self.close(iqn, name)
        group = self._group(iqn)
        for portal in self._kernel.names(group / "np"):
            self._kernel.remove(group / "np" / portal)
        self._kernel.remove(group)
        self._kernel.remove(group.parent)

    def grow(self, export: IscsiExport) -> None:
        self._backstores.grow(export.backstore)

    def _set_portals(self, group: Path, export: IscsiExport) -> None:
        for stray in set(self._kernel.names(group / "np")) - set(export.portals):
            self._kernel.remove(group / "np" / stray)
        for portal in export.portals:
            self._kernel.make(group / "np" / portal)
            if export.iser:
                self._kernel.set(group / "np" / portal / "iser", "1")

    def _group(self, iqn: str) -> Path:
        return self._fabric / iqn / "tpgt_1"

    def _lun_link(self, export: IscsiExport) -> Path:
        return self._group(export.iqn) / "lun" / f"lun_{LUN}" / export.name

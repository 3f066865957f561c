"""tcm_fc in configfs: LUNs of shared targets, mapped in initiators' ACLs."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from breezeblock.targets.configfs import Configfs
from breezeblock.targets.lio_backstore import Backstore, Backstores
from breezeblock.targets.lio_fc_ports import colon_wwpn


@dataclass(frozen=True, slots=True)
class LunExport:
    """One volume offered at the ports ``wwpns`` under the number ``lun``."""

    backstore: Backstore
    lun: int
    wwpns: tuple[str, ...]
    initiators: tuple[str, ...]


class FibreChannelFabric:
    """The LUNs and ACLs in the kernel."""

    def __init__(self, kernel: Configfs) -> None:
        self._kernel = kernel
        self._backstores = Backstores(kernel)
        self._fabric = kernel.root / "fc"

    def is_offered(self, export: LunExport) -> bool:
        """Whether every initiator has it mapped, which is the last step of ``offer``."""
        return self._backstores.is_right(export.backstore) and all(
            self._kernel.exists(self._lun_link(wwpn, export))
            and all(
                self._kernel.exists(self._mapping(wwpn, initiator, export) / export.backstore.name)
                for initiator in export.initiators
            )
            for wwpn in export.wwpns
        )

    def admit(self, wwpns: Iterable[str], initiators: Collection[str]) -> None:
        """Be a target at the ports ``wwpns``, to which ``initiators`` can log in."""
        self._kernel.make(self._fabric)
        for wwpn in wwpns:
            group = self._group(wwpn)
            self._kernel.make(group.parent)
            self._kernel.make(group)
            for initiator in initiators:
                self._kernel.make(_acl(group, initiator))

    def offer(self, export: LunExport) -> None:
        """Make the kernel offer ``export``; what is right already stays as it is."""
        if not self._backstores.is_right(export.backstore):
            self.close(export)
        device = self._backstores.open(export.backstore)
        self.admit(export.wwpns, export.initiators)
        for wwpn in export.wwpns:
            link = self._lun_link(wwpn, export)
            self._kernel.make(link.parent)
            self._kernel.link(link, device)
        self.confine(export)
        self._map(export)

    def confine(self, export: LunExport) -> None:
        """Show it to nobody but its initiators."""
        wanted = {
            self._mapping(wwpn, initiator, export)
            for wwpn in export.wwpns
            for initiator in export.initiators
        }
        for lun in self._luns(export):
            for mapping in set(self._mappings(lun)) - wanted:
                self._unmap(mapping)

    def close(self, export: LunExport) -> None:
        """Show it to nobody and let go of its data; unknown is success."""
        for lun in self._luns(export):
            for mapping in self._mappings(lun):
                self._unmap(mapping)
            self._unmap(lun)
        self._backstores.close(export.backstore.name)

    def used_luns(self) -> set[int]:
        """The LUNs that are there at any port, whoever made them."""
        return {
            int(name.removeprefix("lun_"))
            for group in self._groups()
            for name in self._kernel.names(group / "lun")
        }

    def grow(self, export: LunExport) -> None:
        self._backstores.grow(export.backstore)

    def _map(self, export: LunExport) -> None:
        for wwpn in export.wwpns:
            lun = self._lun_link(wwpn, export).parent
            for initiator in export.initiators:
                mapping = self._mapping(wwpn, initiator, export)
                self._kernel.make(mapping)
                self._kernel.link(mapping / export.backstore.name, lun)

    def _unmap(self, lun: Path) -> None:
        for link in self._kernel.links(lun):
            self._kernel.unlink(link)
        self._kernel.remove(lun)

    def _luns(self, export: LunExport) -> list[Path]:
        """Its LUN at every port, also at one that the options no longer name."""
        everywhere = (group / "lun" / f"lun_{export.lun}" for group in self._groups())
        return [lun for lun in everywhere if self._is_of(export, lun)]

    def _is_of(self, export: LunExport, lun: Path) -> bool:
        # One without a link is half-made; one with another is somebody else's.
        return self._kernel.exists(lun) and all(
            link.name == export.backstore.name for link in self._kernel.links(lun)
        )

    def _mappings(self, lun: Path) -> list[Path]:
        """Where initiators see ``lun``."""
        acls = lun.parent.parent / "acls"
        mappings = (acls / initiator / lun.name for initiator in self._kernel.names(acls))
        return [mapping for mapping in mappings if self._kernel.exists(mapping)]

    def _groups(self) -> list[Path]:
        # Beside the ports there is a file, ``version``.
        names = self._kernel.names(self._fabric)
        return [self._fabric / name / "tpgt_1" for name in names if ":" in name]

    def _group(self, wwpn: str) -> Path:
        return self._fabric / colon_wwpn(wwpn) / "tpgt_1"

    def _lun_link(self, wwpn: str, export: LunExport) -> Path:
        return self._group(wwpn) / "lun" / f"lun_{export.lun}" / export.backstore.name

    def _mapping(self, wwpn: str, initiator: str, export: LunExport) -> Path:
        return _acl(self._group(wwpn), initiator) / f"lun_{export.lun}"


def _acl(group: Path, initiator: str) -> Path:
    return group / "acls" / colon_wwpn(initiator)

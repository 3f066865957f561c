"""tcm_fc in configfs: LUNs of shared targets, mapped in initiators' ACLs."""

from __future__ import annotations

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

    def offer(self, export: LunExport) -> None:
        """Make the kernel offer ``export``; what is right already stays as it is."""
        if not self._backstores.is_right(export.backstore):
            self.close(export)
        device = self._backstores.open(export.backstore)
        self._kernel.make(self._fabric)
        for wwpn in export.wwpns:
            group = self._group(wwpn)
            self._kernel.make(group.parent)
            self._kernel.make(group)
            link = self._lun_link(wwpn, export)
            self._kernel.make(link.parent)
            self._kernel.link(link, device)
        self.confine(export)
        self._map(export)

    def confine(self, export: LunExport) -> None:
        """Show it to nobody but its initiators."""
        wanted = {colon_wwpn(initiator) for initiator in export.initiators}
        for wwpn in export.wwpns:
            acls = self._group(wwpn) / "acls"
            for other in set(self._kernel.names(acls)) - wanted:
                self._unmap(acls / other / f"lun_{export.lun}")

    def _map(self, export: LunExport) -> None:
        for wwpn in export.wwpns:
            for initiator in export.initiators:
                self._kernel.make(self._group(wwpn) / "acls" / colon_wwpn(initiator))
                mapping = self._mapping(wwpn, initiator, export)
                self._kernel.make(mapping)
                lun = self._lun_link(wwpn, export).parent
                self._kernel.link(mapping / export.backstore.name, lun)

    def close(self, export: LunExport) -> None:
        """Show it to nobody and let go of its data; unknown is success."""
        for wwpn in self._kernel.names(self._fabric):
            acls = self._fabric / wwpn / "tpgt_1" / "acls"
            lun = self._fabric / wwpn / "tpgt_1" / "lun" / f"lun_{export.lun}"
            if self._kernel.exists(lun):
                for initiator in self._kernel.names(acls):
                    self._unmap(acls / initiator / f"lun_{export.lun}")
                self._unmap(lun)
        self._backstores.close(export.backstore.name)

    def grow(self, export: LunExport) -> None:
        self._backstores.grow(export.backstore)

    def _unmap(self, lun: Path) -> None:
        for link in self._kernel.links(lun):
            self._kernel.unlink(link)
        self._kernel.remove(lun)

    def _group(self, wwpn: str) -> Path:
        return self._fabric / colon_wwpn(wwpn) / "tpgt_1"

    def _lun_link(self, wwpn: str, export: LunExport) -> Path:
        return self._group(wwpn) / "lun" / f"lun_{export.lun}" / export.backstore.name

    def _mapping(self, wwpn: str, initiator: str, export: LunExport) -> Path:
        return self._group(wwpn) / "acls" / colon_wwpn(initiator) / f"lun_{export.lun}"

"""iSCSI and iSER by LIO, the kernel's own target.

Nothing of targetcli or of its ``saveconfig.json`` is used: the records in ``volumes_dir/lio`` are
what comes back after a reboot, and targets that others set up stay as they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

from breezeblock.domain.resources import Volume
from breezeblock.execution import command
from breezeblock.execution.command import Execute
from breezeblock.targets import chap, iscsi
from breezeblock.targets.configfs import MOUNT_POINT, Configfs
from breezeblock.targets.errors import TargetCreateFailed, TargetError, TargetRemoveFailed
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.interface import (
    ConnectionInfo,
    Connector,
    ModelUpdate,
    TargetConfiguration,
)
from breezeblock.targets.kernel_modules import require_modules
from breezeblock.targets.kernel_target import KernelTarget, not_exported
from breezeblock.targets.lio_iscsi import LUN, IscsiExport, IscsiTargets

CONFIGFS = MOUNT_POINT / "target"
_MODULES = ("target_core_mod", "target_core_iblock", "target_core_file", "iscsi_target_mod")
#: Stands in the location's place of the target id, which LIO does not have.
_TID = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LioSettings:
    """What a backend wants of its exports."""

    portals: iscsi.Portals
    target_prefix: str
    iser: bool = False
    write_cache: bool = True
    discard: bool = False
    account: tuple[str, str] | None = dataclasses.field(default=None, repr=False)


class LioAdm(KernelTarget):
    """See the module."""

    def __init__(
        self,
        settings: LioSettings,
        records: ExportRecords,
        kernel: Configfs,
        execute: Execute = command.run,
    ) -> None:
        super().__init__(records)
        self.storage_protocol = "iSER" if settings.iser else "iSCSI"
        self._settings = settings
        self._targets = IscsiTargets(kernel)
        self._execute = execute

    def _prepare(self) -> None:
        modules = (*_MODULES, "ib_isert") if self._settings.iser else _MODULES
        require_modules(self._execute, modules)

    # ---- exports -----------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        with failing_as(TargetCreateFailed, volume.name), self._records.locked(volume.name):
            export = self._wanted(volume, path)
            self._records.write(volume.name, export.record())
            self._targets.offer(export)
        return {
            "provider_location": self._settings.portals.location(_TID, export.iqn, LUN),
            "provider_auth": f"CHAP {export.user} {export.secret}",
        }

    def remove_export(self, volume: Volume) -> None:
        name = volume.name
        with failing_as(TargetRemoveFailed, name), self._records.locked(name):
            record = self._records.read(name)
            iqn = IscsiExport.of(record).iqn if record else self._iqn(volume)
            self._targets.withdraw(iqn, name)
            # Last: if this is interrupted, the next call still knows the target's name.
            self._records.remove(name)

    def _wanted(self, volume: Volume, path: str) -> IscsiExport:
        """What is to be offered; what consumers know of it already stays."""
        settings, record = self._settings, self._records.read(volume.name)
        known = IscsiExport.of(record) if record else None
        user, secret = chap.choose(volume, record, settings.account)
        return IscsiExport(
            name=volume.name,
            iqn=known.iqn if known else self._iqn(volume),
            path=path,
            serial=volume.name_id or volume.id,
            user=user,
            secret=secret,
            portals=settings.portals.each,
            iser=settings.iser,
            write_cache=settings.write_cache,
            discard=settings.discard,
            initiators=known.initiators if known else (),
        )

    def _iqn(self, volume: Volume) -> str:
        return self._settings.target_prefix + volume.name

    # ---- consumers ---------------------------------------------------------------------------

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        info = iscsi.connection_info(volume, connector, "iser" if self._settings.iser else "iscsi")
        initiator = str(connector["initiator"])
        with self._records.locked(volume.name):
            export = self._export(volume.name)
            if initiator not in export.initiators:
                export = self._remember(export, (*export.initiators, initiator))
            self._targets.allow(export, initiator)
        return info

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        with self._records.locked(volume.name):
            if self.is_exported(volume.name):
                self._dismiss(self._export(volume.name), connector, others)
        return connector is not None and bool(others)

    def _dismiss(
        self, export: IscsiExport, connector: Connector | None, others: Sequence[Connector]
    ) -> None:
        staying = {str(other.get("initiator")) for other in others}
        leaving = set(export.initiators) if connector is None else {connector.get("initiator")}
        remaining = tuple(i for i in export.initiators if i in staying or i not in leaving)
        # First the record: a restart in between must not let it in again.
        self._targets.confine(self._remember(export, remaining))

    def _remember(self, export: IscsiExport, initiators: tuple[str, ...]) -> IscsiExport:
        changed = dataclasses.replace(export, initiators=initiators)
        self._records.write(export.name, changed.record())
        return changed

    def _export(self, name: str) -> IscsiExport:
        record = self._records.read(name)
        if record is None:
            raise not_exported(name)
        try:
            return IscsiExport.of(record)
        except (KeyError, TypeError) as failure:
            raise TargetError(
                reason=f"the record of the export of {name} is not one of LIO's"
            ) from failure

    # ---- the kernel's side -------------------------------------------------------------------

    def _is_offered(self, name: str) -> bool:
        return self._targets.is_offered(self._export(name))

    def _offer(self, name: str) -> None:
        self._targets.offer(self._export(name))

    def _hold_back(self, name: str) -> None:
        self._targets.close(self._export(name).iqn, name)

    def _grow(self, name: str) -> None:
        self._targets.grow(self._export(name))


class LioConfiguration(TargetConfiguration, chap.ChapConfiguration, Protocol):
    """The options of this target."""

    @property
    def iscsi_write_cache(self) -> str: ...
    @property
    def report_discard_supported(self) -> bool: ...


def create(configuration: TargetConfiguration) -> LioAdm:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(LioConfiguration, configuration)
    settings = LioSettings(
        portals=iscsi.portals_of(options),
        target_prefix=options.target_prefix,
        iser=options.target_protocol == "iser",
        write_cache=options.iscsi_write_cache != "off",
        discard=options.report_discard_supported,
        account=chap.configured(options),
    )
    return LioAdm(settings, ExportRecords(Path(options.volumes_dir) / "lio"), Configfs(CONFIGFS))

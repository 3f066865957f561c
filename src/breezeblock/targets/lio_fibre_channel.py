"""Fibre channel by LIO's tcm_fc.

A port (WWPN) of this machine is one target that all volumes share, each with a LUN of its own.
An initiator keeps what it knew under a LUN, so LUNs come round again only after all others were
used.  Initiators see the LUNs that are mapped in their ACL, and nothing without one.

An initiator asks whether a port is a target when it logs in, and tcm_fc says no to one without an
ACL.  Linux's libfc keeps that answer until the port has been away for its ``dev_loss_tmo``.  So
the targets, and the ACLs of the initiators known beforehand, are made when the service starts: a
later attachment only maps a LUN.  ACLs stay when their last LUN goes: the next volume then needs
no new login.  An ACL without LUNs shows nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution import command
from breezeblock.execution.command import Execute
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
from breezeblock.targets.lio_backstore import Backstore
from breezeblock.targets.lio_fc_fabric import FibreChannelFabric, LunExport
from breezeblock.targets.lio_fc_ports import FibreChannelPorts, plain_wwpn
from breezeblock.targets.number_series import NumberSeries

CONFIGFS = MOUNT_POINT / "target"
_MODULES = ("target_core_mod", "target_core_iblock", "target_core_file", "tcm_fc")
#: The highest LUN that every initiator can address.
MAX_LUN = 16383


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FibreChannelSettings:
    """What a backend wants of its exports.

    ``wwpns`` are ports of this machine; empty means all that can serve.  ``initiators`` are ports
    of consumers that may log in before they have a volume.
    """

    wwpns: tuple[str, ...] = ()
    initiators: tuple[str, ...] = ()
    write_cache: bool = True
    discard: bool = False


class LioFibreChannel(KernelTarget):
    """See the module."""

    storage_protocol = "FC"

    def __init__(
        self,
        settings: FibreChannelSettings,
        records: ExportRecords,
        kernel: Configfs,
        ports: FibreChannelPorts,
        execute: Execute = command.run,
    ) -> None:
        super().__init__(records)
        self._settings = settings
        self._ports = ports
        self._fabric = FibreChannelFabric(kernel)
        self._execute = execute
        self._luns = NumberSeries(records.directory / "last-lun", MAX_LUN)

    def _prepare(self) -> None:
        require_modules(self._execute, _MODULES)
        self._fabric.admit(self._wwpns(), self._settings.initiators)

    def restore(self) -> int:
        self._prepare()  # without a volume too: initiators log in before
        return super().restore()

    def validate_connector(self, connector: Connector) -> None:
        for key in ("wwpns", "wwnns"):
            if not connector.get(key):
                raise InvalidConnector(missing=key)

    def are_same_connector(self, one: Connector, other: Connector) -> bool:
        return bool(set(_initiators(one)) & set(_initiators(other)))

    # ---- exports -----------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate | None:
        name = volume.name
        with failing_as(TargetCreateFailed, name), self._records.locked(name):
            known = self._records.read(name) or {}
            record = {
                "lun": known.get("lun") or self._next_lun(),
                "initiators": known.get("initiators", []),
                "wwpns": list(self._wwpns()),
                "path": path,
                "serial": volume.name_id or volume.id,
                "write_cache": self._settings.write_cache,
                "discard": self._settings.discard,
            }
            self._records.write(name, record)
            self._fabric.offer(_export(name, record))
        return None

    def remove_export(self, volume: Volume) -> None:
        name = volume.name
        with failing_as(TargetRemoveFailed, name), self._records.locked(name):
            record = self._records.read(name)
            if record is not None:
                self._fabric.close(_export(name, record))
                # Last: if this is interrupted, the next call still knows the LUN.
                self._records.remove(name)

    def _next_lun(self) -> int:
        # What another worker has taken and not yet recorded is safe: it comes round again last.
        records = map(self._records.read, self._records.names())
        recorded = {record["lun"] for record in records if record}
        return self._luns.take(recorded | self._fabric.used_luns())

    def _wwpns(self) -> tuple[str, ...]:
        """The ports to offer volumes at.  Raises ``TargetError`` if there are none."""
        found = self._settings.wwpns or self._ports.serving()
        if not found:
            raise TargetError(
                reason="no fibre channel port of this machine can be a target of the kernel's "
                "tcm_fc. Bring one up, or name it in fc_target_wwpns"
            )
        return found

    # ---- consumers ---------------------------------------------------------------------------

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        name, initiators = volume.name, _initiators(connector)
        with self._records.locked(name):
            record = self._record(name)
            known = record["initiators"]
            record["initiators"] = known + [i for i in initiators if i not in known]
            self._records.write(name, record)
            self._fabric.offer(_export(name, record))
        return {
            "driver_volume_type": "fibre_channel",
            "data": {
                "target_discovered": True,
                "target_lun": record["lun"],
                "target_wwn": record["wwpns"],
                "initiator_target_map": {i: record["wwpns"] for i in initiators},
            },
        }

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        name = volume.name
        staying = {initiator for other in others for initiator in _initiators(other)}
        with self._records.locked(name):
            if self.is_exported(name):
                record = self._record(name)
                known = record["initiators"]
                leaving = set(known if connector is None else _initiators(connector)) - staying
                # First the record: a restart in between must not let it in again.
                record["initiators"] = [i for i in known if i not in leaving]
                self._records.write(name, record)
                self._fabric.confine(_export(name, record))
        return connector is not None and bool(others)

    # ---- the kernel's side -------------------------------------------------------------------

    def _record(self, name: str) -> dict[str, Any]:
        record = self._records.read(name)
        if record is None:
            raise not_exported(name)
        return record

    def _is_offered(self, name: str) -> bool:
        return self._fabric.is_offered(_export(name, self._record(name)))

    def _offer(self, name: str) -> None:
        self._fabric.offer(_export(name, self._record(name)))

    def _hold_back(self, name: str) -> None:
        raise TargetError(
            reason="fibre channel initiators cannot be held back. Detach the volume first"
        )

    def _grow(self, name: str) -> None:
        self._fabric.grow(_export(name, self._record(name)))


def _export(name: str, record: Mapping[str, Any]) -> LunExport:
    return LunExport(
        backstore=Backstore(
            name=name,
            path=record["path"],
            serial=record["serial"],
            write_cache=record["write_cache"],
            discard=record["discard"],
        ),
        lun=record["lun"],
        wwpns=tuple(record["wwpns"]),
        initiators=tuple(record["initiators"]),
    )


def _initiators(connector: Connector) -> list[str]:
    return [plain_wwpn(wwpn) for wwpn in connector.get("wwpns") or ()]


class FibreChannelConfiguration(TargetConfiguration, Protocol):
    """The options of this target."""

    @property
    def fc_target_wwpns(self) -> list[str]: ...
    @property
    def fc_initiator_wwpns(self) -> list[str]: ...
    @property
    def iscsi_write_cache(self) -> str: ...
    @property
    def report_discard_supported(self) -> bool: ...


def create(configuration: TargetConfiguration) -> LioFibreChannel:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(FibreChannelConfiguration, configuration)
    settings = FibreChannelSettings(
        wwpns=tuple(map(plain_wwpn, options.fc_target_wwpns)),
        initiators=tuple(map(plain_wwpn, options.fc_initiator_wwpns)),
        write_cache=options.iscsi_write_cache != "off",
        discard=options.report_discard_supported,
    )
    records = ExportRecords(Path(options.volumes_dir) / "fibre-channel")
    return LioFibreChannel(settings, records, Configfs(CONFIGFS), FibreChannelPorts())

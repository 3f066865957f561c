"""NVMe over fabrics by nvmet, the kernel's own target: TCP or RDMA.

Each volume has a subsystem of its own, or (``lvm_share_target``) each host has one with all its
volumes in it.  Only hosts with an attachment may connect.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from breezeblock.domain.resources import Volume
from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetCreateFailed, TargetError, TargetRemoveFailed
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.interface import (
    ConnectionInfo,
    Connector,
    ModelUpdate,
    TargetConfiguration,
)
from breezeblock.targets.kernel_target import not_exported
from breezeblock.targets.nvmet_connection import location
from breezeblock.targets.nvmet_kernel import (
    Namespace,
    Port,
    Subsystem,
    ports_of_record,
    ports_record,
    serial_of,
)
from breezeblock.targets.nvmet_shared import NvmetShared
from breezeblock.targets.nvmet_target import CONFIGFS, NvmetSettings, NvmetTarget

_TRANSPORTS = {"nvmet_tcp": "tcp", "nvmet_rdma": "rdma"}


class NVMET(NvmetTarget):
    """A subsystem for each volume."""

    # ---- exports -----------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        settings = self._settings
        with failing_as(TargetCreateFailed, volume.name), self._records.locked(volume.name):
            known = self._records.read(volume.name) or {}
            record: dict[str, Any] = {
                "nqn": known.get("nqn") or self._nqn(volume),
                "nsid": known.get("nsid") or settings.first_nsid,
                "hosts": known.get("hosts") or [],
                "uuid": volume.name_id or volume.id,
                "path": path,
                "ports": ports_record(settings.ports),
            }
            self._records.write(volume.name, record)
            self._nvmet.offer(_subsystem(record))
        return {"provider_location": location(settings.ports, record["nqn"], record["nsid"])}

    def remove_export(self, volume: Volume) -> None:
        name = volume.name
        with failing_as(TargetRemoveFailed, name), self._records.locked(name):
            known = self._records.read(name)
            self._nvmet.withdraw(known["nqn"] if known else self._nqn(volume))
            # Last: if this is interrupted, the next call still knows the subsystem's name.
            self._records.remove(name)

    def _nqn(self, volume: Volume) -> str:
        return f"nqn.{self._settings.target_prefix}-{volume.id}"

    # ---- consumers ---------------------------------------------------------------------------

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        host = str(connector["nqn"])
        with self._records.locked(volume.name):
            record = self._record(volume.name)
            if host not in record["hosts"]:
                record["hosts"].append(host)
                self._records.write(volume.name, record)
            self._nvmet.allow(record["nqn"], host)
        return self._info(record["nqn"], record["nsid"], record["uuid"])

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        staying = {other.get("nqn") for other in others}
        with self._records.locked(volume.name):
            if self.is_exported(volume.name):
                record = self._record(volume.name)
                hosts = record["hosts"]
                leaving = set(hosts) if connector is None else {connector.get("nqn")}
                # First the record: a restart in between must not let it in again.
                record["hosts"] = [h for h in hosts if h in staying or h not in leaving]
                self._records.write(volume.name, record)
                self._nvmet.confine(_subsystem(record))
        return connector is not None and bool(others)

    # ---- the kernel's side -------------------------------------------------------------------

    def _record(self, name: str) -> dict[str, Any]:
        record = self._records.read(name)
        if record is None:
            raise not_exported(name)
        return record

    def _is_offered(self, name: str) -> bool:
        return self._nvmet.is_offered(_subsystem(self._record(name)))

    def _offer(self, name: str) -> None:
        self._nvmet.offer(_subsystem(self._record(name)))

    def _hold_back(self, name: str) -> None:
        record = self._record(name)
        self._nvmet.disconnect(record["nqn"])
        self._nvmet.close_namespace(record["nqn"], record["nsid"])

    def _grow(self, name: str) -> None:
        record = self._record(name)
        self._nvmet.grow_namespace(record["nqn"], record["nsid"])


def _subsystem(record: Mapping[str, Any]) -> Subsystem:
    return Subsystem(
        nqn=record["nqn"],
        serial=serial_of(record["uuid"]),
        namespaces={record["nsid"]: Namespace(record["path"], record["uuid"])},
        hosts=record["hosts"],
        ports=ports_of_record(record),
    )


class NvmetConfiguration(TargetConfiguration, Protocol):
    """The options of this target."""

    @property
    def nvmet_port_id(self) -> int: ...
    @property
    def nvmet_ns_id(self) -> int: ...
    @property
    def nvmeof_conn_info_version(self) -> int: ...


def create(configuration: TargetConfiguration) -> NvmetTarget:
    """The entry point: ``configuration`` has this target's options.  Raises ``TargetError``."""
    options = cast(NvmetConfiguration, configuration)
    settings = _settings(options)
    records = ExportRecords(Path(options.volumes_dir) / "nvmet")
    kind = NvmetShared if options.lvm_share_target else NVMET
    return kind(settings, records, Configfs(CONFIGFS))


def _settings(options: NvmetConfiguration) -> NvmetSettings:
    transport = _TRANSPORTS.get(options.target_protocol)
    if transport is None:
        raise TargetError(
            reason=f"nvmet does not speak target_protocol '{options.target_protocol}'. "
            f"It speaks: {', '.join(_TRANSPORTS)}"
        )
    addresses = (options.target_ip_address, *options.target_secondary_ip_addresses)
    if len(addresses) > 1 and options.nvmeof_conn_info_version < 2:
        raise TargetError(
            reason="target_secondary_ip_addresses cannot be told to hosts in the first version "
            "of the connection information. Set nvmeof_conn_info_version to 2"
        )
    return NvmetSettings(
        ports=tuple(
            Port(number, address.strip("[]"), str(options.target_port), transport)
            for number, address in enumerate(addresses, options.nvmet_port_id)
        ),
        target_prefix=options.target_prefix,
        first_nsid=options.nvmet_ns_id,
        info_version=options.nvmeof_conn_info_version,
    )

"""NVMe over fabrics with one subsystem for each host, which holds all volumes of that host.

A volume enters a host's subsystem when a connection is initialised, and leaves it at the
termination; the subsystem goes with its last volume.  Namespace ids come round again only after
all others were used: a host that is late to notice a volume's end must not find another volume
under its number.

Locks are taken in the order volume, host.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.execution import command
from breezeblock.execution.command import Execute
from breezeblock.targets.configfs import Configfs
from breezeblock.targets.errors import TargetCreateFailed, TargetRemoveFailed
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate
from breezeblock.targets.kernel_target import not_exported
from breezeblock.targets.number_series import NumberSeries
from breezeblock.targets.nvmet_kernel import (
    MAX_NAMESPACES,
    Namespace,
    Subsystem,
    ports_of_record,
    ports_record,
    serial_of,
)
from breezeblock.targets.nvmet_target import NvmetSettings, NvmetTarget


class NvmetShared(NvmetTarget):
    """See the module.  A volume's record has its path, a host's record who is in its subsystem."""

    shared_target_support = True

    def __init__(
        self,
        settings: NvmetSettings,
        records: ExportRecords,
        kernel: Configfs,
        execute: Execute = command.run,
    ) -> None:
        super().__init__(settings, records, kernel, execute)
        self._hosts = ExportRecords(records.directory / "hosts")

    def validate_connector(self, connector: Connector) -> None:
        super().validate_connector(connector)
        if not connector.get("host"):
            raise InvalidConnector(missing="host")

    # ---- exports -----------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        """Remember where the volume is; it is mapped when a host asks for it."""
        name = volume.name
        with failing_as(TargetCreateFailed, name), self._held(name):
            self._records.write(name, {"path": path, "uuid": volume.name_id or volume.id})
            self._offer(name)
        return {"provider_location": path}

    def remove_export(self, volume: Volume) -> None:
        name = volume.name
        with failing_as(TargetRemoveFailed, name), self._records.locked(name):
            for host in self._holders(name):
                self._take_from(host, name)
            self._records.remove(name)

    # ---- consumers ---------------------------------------------------------------------------

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        host = str(connector["host"])
        with self._records.locked(volume.name):
            export = self._records.read(volume.name)
            if export is None:
                raise not_exported(volume.name)
            with self._hosts.locked(host):
                record = self._hosts.read(host) or {"namespaces": {}}
                record.setdefault("nqn", f"nqn.{self._settings.target_prefix}-{host}")
                record["hosts"] = [str(connector["nqn"])]
                record["ports"] = ports_record(self._settings.ports)
                if volume.name not in record["namespaces"]:
                    used = set(record["namespaces"].values())
                    record["namespaces"][volume.name] = self._next_nsid(host, used)
                self._hosts.write(host, record)
                self._nvmet.offer(self._subsystem(record))
        return self._info(record["nqn"], record["namespaces"][volume.name], export["uuid"])

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        name = volume.name
        staying = {other.get("host") for other in others}
        with self._records.locked(name):
            for host in self._holders(name):
                left = connector is None or (host == connector.get("host") and host not in staying)
                if left:
                    self._take_from(host, name)
        return connector is not None and bool(others)

    # ---- hosts -------------------------------------------------------------------------------

    def _holders(self, name: str) -> list[str]:
        """The hosts that have the volume."""
        return [
            host
            for host in self._hosts.names()
            if name in (self._hosts.read(host) or {}).get("namespaces", {})
        ]

    def _records_of_holders(self, name: str) -> list[dict[str, Any]]:
        records = map(self._hosts.read, self._holders(name))
        return [record for record in records if record is not None]

    def _take_from(self, host: str, name: str) -> None:
        with self._hosts.locked(host):
            record = self._hosts.read(host)
            if record is None or name not in record["namespaces"]:
                return
            if len(record["namespaces"]) == 1:
                self._nvmet.withdraw(record["nqn"])
                self._hosts.remove(host)
                return
            # The record last: if this is interrupted, the next call still knows what has to go.
            self._nvmet.drop_namespace(record["nqn"], record["namespaces"].pop(name))
            self._hosts.write(host, record)

    def _next_nsid(self, host: str, used: set[int]) -> int:
        first = self._settings.first_nsid
        series = NumberSeries(self._hosts.directory / f".nsid-{host}", MAX_NAMESPACES - first + 1)
        return series.take({nsid - first + 1 for nsid in used}) + first - 1

    def _subsystem(self, record: dict[str, Any]) -> Subsystem:
        namespaces = {}
        for name, nsid in record["namespaces"].items():
            export = self._records.read(name)
            if export is not None:
                namespaces[nsid] = Namespace(export["path"], export["uuid"])
        return Subsystem(
            nqn=record["nqn"],
            serial=serial_of(str(uuid5(NAMESPACE_URL, record["nqn"]))),
            namespaces=namespaces,
            hosts=record["hosts"],
            ports=ports_of_record(record),
        )

    # ---- the kernel's side -------------------------------------------------------------------

    def _is_offered(self, name: str) -> bool:
        return all(
            self._nvmet.is_offered(self._subsystem(record))
            for record in self._records_of_holders(name)
        )

    def _offer(self, name: str) -> None:
        for record in self._records_of_holders(name):
            self._nvmet.offer(self._subsystem(record))

    @contextmanager
    def _held(self, name: str) -> Iterator[None]:
        """The volume, and all hosts that have it: their other volumes wait with it."""
        with ExitStack() as stack:
            stack.enter_context(self._records.locked(name))
            for host in self._holders(name):
                stack.enter_context(self._hosts.locked(host))
            yield

    def _hold_back(self, name: str) -> None:
        for record in self._records_of_holders(name):
            self._nvmet.disconnect(record["nqn"])
            self._nvmet.close_namespace(record["nqn"], record["namespaces"][name])

    def _grow(self, name: str) -> None:
        for record in self._records_of_holders(name):
            self._nvmet.grow_namespace(record["nqn"], record["namespaces"][name])

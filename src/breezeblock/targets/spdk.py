"""NVMe over fabrics by SPDK's ``nvmf_tgt``: one subsystem per volume.

SPDK forgets everything when it ends, so every export is recorded and ``restore`` puts it back.

Access: a subsystem admits the hosts whose attachments are open and nobody else.  SPDK's password
travels in the header of a request, never on a command line.

Consumers in use: SPDK has no call that holds requests back.  Taking a namespace or a listener
away fails them, or leaves it to each host's settings how long they wait.  ``paused`` therefore
works while no host is admitted, and says so otherwise.  Growth needs no pause: SPDK tells the
hosts that the namespace has changed.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.targets.errors import (
    TargetCreateFailed,
    TargetError,
    TargetRemoveFailed,
    TargetUpdateFailed,
)
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.failing import failing_as
from breezeblock.targets.interface import (
    ConnectionInfo,
    Connector,
    ModelUpdate,
    TargetConfiguration,
)
from breezeblock.targets.number_series import NumberSeries
from breezeblock.targets.nvmet_connection import connection_info
from breezeblock.targets.nvmet_kernel import Port
from breezeblock.targets.recorded_target import UnpausableTarget
from breezeblock.targets.spdk_rpc import SpdkClient, SpdkEndpoint
from breezeblock.targets.spdk_subsystem import Listener, SpdkSubsystems, Wanted

LOG = logging.getLogger(__name__)

_TRANSPORTS = {"nvmet_tcp": "tcp", "nvmet_rdma": "rdma"}
_LOCATION = re.compile(r"(?P<portal>\S+:\d+) (?P<transport>\S+) (?P<nqn>\S+) (?P<nsid>\d+)")
_SERIAL_LENGTH = 20
_MOST_SUBSYSTEMS = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpdkSettings:
    """What a backend wants of its exports.

    ``prefix`` begins every subsystem's NQN; ``namespace`` is the id each volume has in its own
    subsystem; ``version`` (1 or 2) is the shape of connection info.
    """

    prefix: str
    namespace: int
    version: int
    directory: Path


class SpdkNvmf(UnpausableTarget):
    """See the module."""

    storage_protocol = "NVMe-oF"
    secondary_ip_support = False
    TOOL = "SPDK"
    CONSUMERS = "hosts"

    def __init__(self, settings: SpdkSettings, client: SpdkClient, listener: Listener) -> None:
        super().__init__(ExportRecords(settings.directory))
        self._settings = settings
        self._listener = listener
        self._subsystems = SpdkSubsystems(client, listener)
        self._numbers = NumberSeries(settings.directory / "last-subsystem", _MOST_SUBSYSTEMS)

    # ---- set-up --------------------------------------------------------------------------------

    def check_for_setup_error(self) -> None:
        self._records.prepare()
        self._subsystems.nqns()

    def restore(self) -> int:
        return self._restore_each(self._restore_one)

    def _restore_one(self, name: str) -> bool:
        with self._records.locked(name):
            record = self._records.read(name)
            if record is None or self._subsystems.is_right(_wanted(name, record)):
                return False
            self._put(name, record)
        return True

    # ---- exports -------------------------------------------------------------------------------

    def create_export(self, volume: Volume, path: str) -> ModelUpdate:
        with failing_as(TargetCreateFailed, volume.name), self._records.locked(volume.name):
            record = self._record(volume, path)
            self._records.write(volume.name, record)
            self._put(volume.name, record)
        return {"provider_location": self._location(record), "provider_id": record["nqn"]}

    def remove_export(self, volume: Volume) -> None:
        with failing_as(TargetRemoveFailed, volume.name), self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is not None:
                self._withdraw(volume.name, record)
                self._records.remove(volume.name)

    # ---- consumers -----------------------------------------------------------------------------

    def validate_connector(self, connector: Connector) -> None:
        if not connector.get("nqn"):
            raise InvalidConnector(missing="nqn")

    def are_same_connector(self, one: Connector, other: Connector) -> bool:
        return bool(one.get("nqn")) and one.get("nqn") == other.get("nqn")

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        host = str(connector["nqn"])
        self._change_hosts(volume, lambda hosts: sorted({*hosts, host}), needed=True)
        return self._connection_info(volume)

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        stay = {str(other["nqn"]) for other in others if other.get("nqn")}
        gone = None if connector is None else connector.get("nqn")

        def without(hosts: list[str]) -> list[str]:
            if connector is None:
                return []
            return [host for host in hosts if host != gone or host in stay]

        self._change_hosts(volume, without, needed=False)
        return connector is not None and bool(others)

    def _change_hosts(
        self, volume: Volume, change: Callable[[list[str]], list[str]], *, needed: bool
    ) -> None:
        with self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is None:
                if needed:
                    raise TargetError(reason=f"volume {volume.id} is not exported. Attach it anew")
                return
            record["hosts"] = change(record["hosts"])
            self._records.write(volume.name, record)
            if needed:
                self._put(volume.name, record)
            elif record["nqn"] in self._subsystems.nqns():
                self._subsystems.put_hosts(_wanted(volume.name, record))

    # ---- changes under consumers ---------------------------------------------------------------

    def extend_target(self, volume: Volume, path: str) -> None:
        with failing_as(TargetUpdateFailed, volume.name), self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is not None and record["nqn"] in self._subsystems.nqns():
                self._subsystems.rescan(volume.name)

    def _admitted(self, record: dict[str, Any]) -> Sequence[str]:
        hosts: list[str] = record["hosts"]
        return hosts

    def _withdraw(self, name: str, record: dict[str, Any]) -> None:
        self._subsystems.take_away(record["nqn"], name)

    def _put(self, name: str, record: dict[str, Any]) -> None:
        self._subsystems.put(_wanted(name, record))

    # ---- records -------------------------------------------------------------------------------

    def _record(self, volume: Volume, path: str) -> dict[str, Any]:
        known = self._records.read(volume.name)
        identity = volume.name_id or volume.id
        return {
            "nqn": known["nqn"] if known else self._nqn(volume),
            "path": path,
            "uuid": identity,
            "serial": identity.replace("-", "")[:_SERIAL_LENGTH],
            "namespace": self._settings.namespace,
            "hosts": known["hosts"] if known else [],
        }

    def _nqn(self, volume: Volume) -> str:
        """The NQN the volume had before, if nobody else has it, else a new one."""
        ours = {
            record["nqn"] for name in self._records.names() if (record := self._records.read(name))
        }
        start = f"{self._settings.prefix}:cnode"
        had = volume.provider_id or ""
        if had.startswith(start) and had not in ours:
            return had
        ends = (nqn.removeprefix(start) for nqn in ours | self._subsystems.nqns())
        return f"{start}{self._numbers.take({int(end) for end in ends if end.isdecimal()})}"

    def _location(self, record: dict[str, Any]) -> str:
        address, port = self._listener.address, self._listener.port
        shown = f"[{address}]" if ":" in address else address
        return f"{shown}:{port} {self._listener.transport} {record['nqn']} {record['namespace']}"

    def _connection_info(self, volume: Volume) -> ConnectionInfo:
        match = _LOCATION.fullmatch(volume.provider_location or "")
        if match is None:
            raise TargetError(reason=f"volume {volume.id} is not exported. Attach it anew")
        address, _, service = match["portal"].rpartition(":")
        port = Port(0, address.strip("[]"), service, match["transport"])
        uuid = volume.name_id or volume.id
        return connection_info(
            [port], match["nqn"], int(match["nsid"]), uuid, self._settings.version
        )


def _wanted(name: str, record: dict[str, Any]) -> Wanted:
    return Wanted(name=name, **{**record, "hosts": tuple(record["hosts"])})


class SpdkConfiguration(TargetConfiguration, Protocol):
    """The options of this target."""

    @property
    def spdk_rpc_ip(self) -> str | None: ...
    @property
    def spdk_rpc_port(self) -> int: ...
    @property
    def spdk_rpc_username(self) -> str | None: ...
    @property
    def spdk_rpc_password(self) -> str | None: ...
    @property
    def spdk_rpc_protocol(self) -> str: ...
    @property
    def spdk_max_queue_depth(self) -> int: ...
    @property
    def nvmet_ns_id(self) -> int: ...
    @property
    def nvmeof_conn_info_version(self) -> int: ...
    @property
    def driver_ssl_cert_verify(self) -> bool: ...
    @property
    def driver_ssl_cert_path(self) -> str | None: ...


def nqn_prefix(target_prefix: str) -> str:
    """What NQNs begin with: ``target_prefix`` as one of NVMe's names, which begin with ``nqn.``."""
    prefix = target_prefix.rstrip(":")
    if prefix.startswith("iqn."):
        prefix = f"nqn.{prefix.removeprefix('iqn.')}"
    if not prefix.startswith("nqn."):
        raise TargetError(
            reason=f"target_prefix '{target_prefix}' makes no NVMe name. Let it begin with "
            "nqn.<year>-<month>.<your domain backwards>"
        )
    return prefix


def create(configuration: TargetConfiguration) -> SpdkNvmf:
    """The entry point: ``configuration`` has this target's options."""
    options = cast(SpdkConfiguration, configuration)
    if not options.spdk_rpc_ip:
        raise TargetError(reason="set spdk_rpc_ip to the address of SPDK's RPC proxy")
    endpoint = SpdkEndpoint(
        address=options.spdk_rpc_ip,
        port=options.spdk_rpc_port,
        user=options.spdk_rpc_username or "",
        password=options.spdk_rpc_password or "",
        tls=options.spdk_rpc_protocol == "https",
        verify=options.driver_ssl_cert_verify,
        authorities=options.driver_ssl_cert_path,
    )
    listener = Listener(
        transport=_TRANSPORTS[options.target_protocol],
        address=options.target_ip_address,
        port=options.target_port,
        queue_depth=options.spdk_max_queue_depth,
    )
    settings = SpdkSettings(
        prefix=nqn_prefix(options.target_prefix),
        namespace=options.nvmet_ns_id,
        version=options.nvmeof_conn_info_version,
        directory=Path(options.volumes_dir) / "spdk",
    )
    return SpdkNvmf(settings, SpdkClient(endpoint), listener)

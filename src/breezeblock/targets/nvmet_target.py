"""What nvmet's volumes have in common, with subsystems of their own and in shared ones."""

from __future__ import annotations

import dataclasses

from breezeblock.domain.errors import InvalidConnector
from breezeblock.execution import command
from breezeblock.execution.command import Execute
from breezeblock.targets.configfs import MOUNT_POINT, Configfs
from breezeblock.targets.export_records import ExportRecords
from breezeblock.targets.interface import ConnectionInfo, Connector
from breezeblock.targets.kernel_modules import require_modules
from breezeblock.targets.kernel_target import KernelTarget
from breezeblock.targets.nvmet_connection import connection_info
from breezeblock.targets.nvmet_kernel import NvmetKernel, Port

CONFIGFS = MOUNT_POINT / "nvmet"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NvmetSettings:
    """What a backend wants of its exports."""

    ports: tuple[Port, ...]
    target_prefix: str
    first_nsid: int = 10
    info_version: int = 1


class NvmetTarget(KernelTarget):
    """What volumes with subsystems of their own and in shared ones have in common."""

    storage_protocol = "NVMe-oF"

    def __init__(
        self,
        settings: NvmetSettings,
        records: ExportRecords,
        kernel: Configfs,
        execute: Execute = command.run,
    ) -> None:
        super().__init__(records)
        self._settings = settings
        self._nvmet = NvmetKernel(kernel)
        self._execute = execute

    def _prepare(self) -> None:
        transport = self._settings.ports[0].transport
        require_modules(self._execute, ("nvmet", f"nvmet-{transport}"))

    def validate_connector(self, connector: Connector) -> None:
        if not connector.get("nqn"):
            raise InvalidConnector(missing="nqn")

    def are_same_connector(self, one: Connector, other: Connector) -> bool:
        return bool(one.get("nqn")) and one.get("nqn") == other.get("nqn")

    def _info(self, nqn: str, nsid: int, uuid: str) -> ConnectionInfo:
        settings = self._settings
        return connection_info(settings.ports, nqn, nsid, uuid, settings.info_version)

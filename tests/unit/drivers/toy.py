"""Drivers small enough to see through: what the base brings, and a record of the calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.backend_options import backend_options

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.errors import DeviceUnavailable
from breezeblock.drivers.initiator import AttachedDevice, Initiator
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.execution.command import CommandFailed, Completed
from breezeblock.targets.interface import ConnectionInfo, Connector, ModelUpdate

VOLUME = Volume(id="v1", project_id="p", user_id="u", size=2, status="in-use", host="h@b#b")
SNAPSHOT = Snapshot(
    id="s1", volume_id="v1", project_id="p", user_id="u", volume_size=2, status="available"
)
CONNECTOR = {"initiator": "iqn.1993-08.org.debian:01:test", "host": "here", "ip": "127.0.0.1"}


class Commands:
    """An executor that remembers what was asked and fails as often as it is told."""

    def __init__(self, failures: int = 0, stderr: str = "busy") -> None:
        self.run: list[tuple[str, ...]] = []
        self._failures = failures
        self._stderr = stderr

    def __call__(self, command: Any, **_: Any) -> Completed:
        self.run.append(tuple(command))
        if self._failures:
            self._failures -= 1
            raise CommandFailed(command[0], 5, self._stderr)
        return Completed(0, b"", "")


class Attacher(Initiator):
    """An initiator without a kernel; ``refuse`` makes the device unreadable."""

    def __init__(self, calls: list[str], refuse: str = "") -> None:
        self._calls = calls
        self._refuse = refuse

    def properties(self) -> dict[str, Any]:
        return dict(CONNECTOR)

    def connect(
        self, connection: Mapping[str, Any], *, keyring: str | None = None
    ) -> AttachedDevice:
        self._calls.append("connect")
        if self._refuse == "connect":
            raise DeviceUnavailable(path="/dev/nothing", reason="refused")
        return AttachedDevice(connection, {"path": "/dev/nothing"}, None)

    def disconnect(self, attached: AttachedDevice, *, force: bool = False) -> None:
        self._calls.append("disconnect, forced" if force else "disconnect")
        if self._refuse == "disconnect":
            raise DeviceUnavailable(path="/dev/nothing", reason="it is open")


class ToyDriver(VolumeDriver):
    """Remembers its calls; ``failing`` names a verb that fails."""

    def __init__(self, failing: str = "", refuse: str = "", **options: object) -> None:
        super().__init__(Commands(), configuration=backend_options(**options), host="h@quick")
        self.calls: list[str] = []
        self.failing = failing
        self._refuse = refuse

    def initiator(self) -> Initiator:
        return Attacher(self.calls, self._refuse)

    def _collect_stats(self) -> dict[str, Any]:
        self.calls.append("stats")
        return self._update_pools_and_stats({"vendor_name": "Toys", "storage_protocol": "iSCSI"})

    def check_for_setup_error(self) -> None:
        """It cannot fail."""

    def create_snapshot(self, snapshot: Snapshot) -> ModelUpdate:
        self._act("create_snapshot")
        return {"provider_location": "there"}

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        self._act("delete_snapshot")

    def delete_volume(self, volume: Volume) -> None:
        self._act("delete_volume")

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        self._act("create_cloned_volume")

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        self._act("create_volume_from_snapshot")

    def create_export(
        self, context: object, volume: Volume, connector: Connector | None
    ) -> ModelUpdate:
        self._act("create_export")
        return {"provider_location": "127.0.0.1:3260,1 iqn.x 1", "provider_auth": "CHAP u s"}

    def remove_export(self, context: object, volume: Volume) -> None:
        self._act("remove_export")

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self._act("initialize_connection")
        assert volume.provider_location
        return {"driver_volume_type": "iscsi", "data": {}}

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> bool | None:
        self._act("terminate_connection")
        return None

    def create_export_snapshot(
        self, context: object, snapshot: Snapshot, connector: Connector | None
    ) -> ModelUpdate:
        self._act("create_export_snapshot")
        return {"provider_location": "there"}

    def initialize_connection_snapshot(
        self, snapshot: Snapshot, connector: Connector, **kwargs: Any
    ) -> ConnectionInfo:
        self._act("initialize_connection_snapshot")
        return {"driver_volume_type": "iscsi", "data": {}}

    def remove_export_snapshot(self, context: object, snapshot: Snapshot) -> None:
        self._act("remove_export_snapshot")

    def terminate_connection_snapshot(
        self, snapshot: Snapshot, connector: Connector | None, **kwargs: Any
    ) -> None:
        self._act("terminate_connection_snapshot")

    def _act(self, verb: str) -> None:
        self.calls.append(verb)
        if verb == self.failing:
            raise RuntimeError(f"{verb} fails")

"""iSCSI targets whose records list the initiators that are admitted, one by one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from breezeblock.domain.errors import InvalidConnector
from breezeblock.domain.resources import Volume
from breezeblock.targets import iscsi
from breezeblock.targets.errors import TargetError
from breezeblock.targets.interface import ConnectionInfo, Connector
from breezeblock.targets.recorded_target import UnpausableTarget

#: A tool may take other signs for patterns (``*``, ``?``, ``!``) or for the end of a word.
_INITIATOR = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")


class InitiatorListTarget(UnpausableTarget):
    """A record's ``initiators`` are those with an attachment; nobody else is let in."""

    def validate_connector(self, connector: Connector) -> None:
        super().validate_connector(connector)
        if not _INITIATOR.fullmatch(str(connector["initiator"])):
            raise InvalidConnector("The connector's initiator is no iSCSI name.")

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        self.validate_connector(connector)
        initiator = str(connector["initiator"])
        with self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is None:
                raise TargetError(reason=f"volume {volume.id} is not exported. Attach it anew")
            self._admit(volume.name, record, sorted({*record["initiators"], initiator}))
        return iscsi.connection_info(volume, connector)

    def terminate_connection(
        self,
        volume: Volume,
        connector: Connector | None,
        *,
        force: bool = False,
        others: Sequence[Connector] = (),
    ) -> bool:
        stay = {other.get("initiator") for other in others}
        with self._records.locked(volume.name):
            record = self._records.read(volume.name)
            if record is not None:
                gone = None if connector is None else connector.get("initiator")
                left = [i for i in record["initiators"] if i != gone or i in stay]
                self._admit(volume.name, record, [] if connector is None else left)
        return connector is not None and bool(others)

    def _admit(self, name: str, record: dict[str, Any], initiators: list[str]) -> None:
        record["initiators"] = initiators
        self._records.write(name, record)
        self._put(name, record)

    def _admitted(self, record: dict[str, Any]) -> Sequence[str]:
        names: list[str] = record["initiators"]
        return names

"""iSCSI and iSER drivers without a backend, for tests of what stands above a driver.

What would be executed is only logged, every volume is answered for.
"""

from __future__ import annotations

import logging
from typing import Any, cast

from breezeblock.domain.resources import Snapshot, Volume
from breezeblock.drivers.protocols import ISCSIDriver, ISERDriver
from breezeblock.execution.command import Completed, Execute
from breezeblock.targets.interface import ConnectionInfo, Connector

LOG = logging.getLogger(__name__)

_LOCATION = {"target_portal": "127.0.0.1:3260", "target_lun": 1, "target_discovered": False}


def fake_execute(cmd: Any, *_args: Any, **_kwargs: Any) -> Completed:
    """Log the command; it succeeds without output."""
    LOG.debug("fake execute: %s", cmd)
    return Completed(0, b"", "")


class _Pretending(ISCSIDriver):
    """The verbs, without anything behind them."""

    SURVIVES_PROCESS = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.set_execute(cast(Execute, fake_execute))

    #: What runs the driver's programs.
    fake_execute = staticmethod(fake_execute)

    def check_for_setup_error(self) -> None:
        """There is nothing that could be wrong."""

    def create_volume(self, volume: Volume) -> None:
        """Nothing is stored."""

    def delete_volume(self, volume: Volume) -> None:
        """Nothing was stored."""

    def create_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing is stored."""

    def delete_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing was stored."""

    def create_volume_from_snapshot(self, volume: Volume, snapshot: Snapshot) -> None:
        """Nothing is stored."""

    def create_cloned_volume(self, volume: Volume, src_vref: Volume) -> None:
        """Nothing is stored."""

    def extend_volume(self, volume: Volume, new_size: int) -> None:
        """Nothing grows."""

    def local_path(self, volume: Volume) -> str:
        return f"/dev/fake/{volume.name}"

    def ensure_export(self, context: object, volume: Volume) -> None:
        """Nothing is offered."""

    def create_export(self, context: object, volume: Volume, connector: Connector | None) -> None:
        """Nothing is offered."""

    def remove_export(self, context: object, volume: Volume) -> None:
        """Nothing was offered."""

    def initialize_connection(self, volume: Volume, connector: Connector) -> ConnectionInfo:
        return {
            "driver_volume_type": self._volume_type(),
            "data": {
                **_LOCATION,
                "target_iqn": f"iqn.2010-10.org.openstack:{volume.name}",
                "volume_id": volume.id,
            },
        }

    def terminate_connection(
        self, volume: Volume, connector: Connector | None, **kwargs: Any
    ) -> None:
        """Nobody was connected."""


class FakeISCSIDriver(_Pretending):
    """See the module."""

    def _volume_type(self) -> str:
        return "iscsi"


class FakeISERDriver(_Pretending, ISERDriver):
    """See the module."""

    def _volume_type(self) -> str:
        return "iser"

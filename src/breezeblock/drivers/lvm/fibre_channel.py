"""The LVM driver offering its volumes by fibre channel."""

from __future__ import annotations

from breezeblock.drivers.lvm.driver import LVMVolumeDriver
from breezeblock.drivers.lvm.settings import LvmDriverConfiguration
from breezeblock.drivers.protocols import FibreChannelDriver
from breezeblock.targets.interface import Connector, Target
from breezeblock.targets.registry import create_fibre_channel_target


class LVMFibreChannelDriver(LVMVolumeDriver, FibreChannelDriver):
    """The same volumes; ``target_helper`` and ``target_protocol`` mean nothing here."""

    def _create_target(self, configuration: LvmDriverConfiguration) -> Target:
        return create_fibre_channel_target(configuration)

    def validate_connector(self, connector: Connector) -> None:
        FibreChannelDriver.validate_connector(self, connector)
        self._target.validate_connector(connector)

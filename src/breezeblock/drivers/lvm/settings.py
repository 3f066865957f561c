"""The options of the LVM driver, one attribute each."""

from __future__ import annotations

from typing import Protocol

from breezeblock.drivers.interface import DriverConfiguration
from breezeblock.drivers.lvm.site import SiteConfiguration
from breezeblock.targets.interface import TargetConfiguration


class LvmDriverConfiguration(DriverConfiguration, TargetConfiguration, SiteConfiguration, Protocol):
    """See ``config.lvm`` for what each means."""

    @property
    def volume_group(self) -> str: ...
    @property
    def lvm_mirrors(self) -> int: ...
    @property
    def lvm_type(self) -> str: ...

"""How a driver copies whole volumes through this host, at the pace the operator allows."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from breezeblock.domain.resources import Volume
from breezeblock.drivers import block_copy
from breezeblock.drivers.copy_cgroup import UNLIMITED, Throttle
from breezeblock.drivers.initiator import AttachedDevice
from breezeblock.drivers.settings import DriverConfiguration

_GIB = 1024**3


class VolumeCopy:
    """The part of a driver that copies; ``throttle`` holds for every copy it makes."""

    configuration: DriverConfiguration
    throttle: Throttle = UNLIMITED

    if TYPE_CHECKING:
        # What the rest of the driver brings.
        def attached(
            self, context: object, volume: Volume, *, remote: bool = False
        ) -> AbstractContextManager[AttachedDevice]: ...

    def set_throttle(self) -> None:
        """Hold copies to ``volume_copy_bps_limit`` from now on, in bytes a second; 0 lets go.

        A control group that cannot be made is only warned of: the copy then keeps the pace
        itself.
        """
        options = self.configuration
        self.throttle = Throttle(
            options.volume_copy_bps_limit, options.volume_copy_blkio_cgroup_name
        )

    def copy_volume_data(
        self, context: object, src_vol: Volume, dest_vol: Volume, remote: str | None = None
    ) -> None:
        """Copy the bytes of one volume to another, both attached to this host.

        ``remote`` says which belong to other hosts' backends: ``src``, ``dest`` or ``both``.
        """
        with (
            self.attached(context, src_vol, remote=remote in ("src", "both")) as source,
            self.attached(context, dest_vol, remote=remote in ("dest", "both")) as destination,
        ):
            block_copy.copy(
                source.path,
                destination.path,
                src_vol.size * _GIB,
                destination_reads_zeros=False,
                throttle=self.throttle,
            )

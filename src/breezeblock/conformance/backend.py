"""The backend under test: drivers of it, started as a worker starts them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from breezeblock.config.settings import Settings
from breezeblock.domain.context import RequestContext
from breezeblock.drivers.interface import VolumeDriver
from breezeblock.drivers.registry import create_driver
from breezeblock.execution.command import Execute, run

#: Who calls: the service itself.
CONTEXT = RequestContext(user_id="", project_id="", request_id="", is_admin=True)


class Backend:
    """One backend section of a configuration."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self.configuration = settings.backends[name]
        self.host = settings.service_host(name)

    def create(self, execute: Execute = run) -> VolumeDriver:
        """A driver that has not been started."""
        return create_driver(
            self.configuration.volume_driver, self.configuration, host=self.host, execute=execute
        )

    def set_up(self, execute: Execute = run) -> VolumeDriver:
        """A driver that is ready, short of recovery."""
        driver = self.create(execute)
        driver.do_setup(CONTEXT)
        driver.check_for_setup_error()
        return driver

    def started(self, unfinished: Collection[str] = ()) -> VolumeDriver:
        """A driver after a start at which the operations of ``unfinished`` will go on."""
        driver = self.set_up()
        driver.recover(unfinished)
        driver.set_initialized()
        return driver


def pools_of(stats: dict[str, Any]) -> list[dict[str, Any]]:
    """The pools of a driver's stats; stats without pools are one pool."""
    return stats.get("pools") or [
        {**stats, "pool_name": stats.get("pool_name") or stats.get("volume_backend_name")}
    ]


def provisioned_gb(driver: VolumeDriver) -> float | None:
    """What all volumes and snapshots take by their sizes, GiB; None if it is not told."""
    sizes = [
        pool.get("provisioned_capacity_gb")
        for pool in pools_of(driver.get_volume_stats(refresh=True))
    ]
    numbers = [size for size in sizes if isinstance(size, int | float)]
    return float(sum(numbers)) if len(numbers) == len(sizes) else None


def room_gb(driver: VolumeDriver) -> float:
    """How much may be provisioned in the first pool, GiB; infinite where that is thin."""
    pool = pools_of(driver.get_volume_stats(refresh=True))[0]
    free = pool["free_capacity_gb"]
    if pool.get("thin_provisioning_support") or not isinstance(free, int | float):
        return float("inf")
    return float(free)

"""A process put together out of its settings: store, rules, services, worker."""

from __future__ import annotations

from dataclasses import dataclass

from breezeblock.config.settings import Settings
from breezeblock.operations.wakeup import Hints
from breezeblock.scheduling import filters, weighers
from breezeblock.scheduling.placement import Scheduler
from breezeblock.services.deployment import Deployment, Rules
from breezeblock.services.registry import Services
from breezeblock.store.database import Database

_MULTIPLIERS = {
    "CapacityWeigher": "capacity_weight_multiplier",
    "AllocatedCapacityWeigher": "allocated_capacity_weight_multiplier",
    "VolumeNumberWeigher": "volume_number_multiplier",
}


@dataclass(frozen=True, slots=True)
class Process:
    """What an API and a worker of one process share."""

    settings: Settings
    deployment: Deployment

    @property
    def services(self) -> Services:
        return Services.of(self.deployment)


def assemble(settings: Settings) -> Process:
    """Build it; nothing is started, and the schema is taken as it is."""
    deployment = Deployment(
        database=open_database(settings),
        hints=Hints(),
        scheduler=scheduler_of(settings),
        rules=rules_of(settings),
    )
    return Process(settings, deployment)


def open_database(settings: Settings) -> Database:
    options = settings.conf.database
    return Database(
        options.connection,
        pool_size=options.max_pool_size,
        max_overflow=options.max_overflow,
        synchronous=options.sqlite_synchronous,
    )


def scheduler_of(settings: Settings) -> Scheduler:
    """The rules of placement.  Raises InvalidInput for an unknown filter or weigher."""
    conf = settings.conf
    multipliers = {name: conf[option] for name, option in _MULTIPLIERS.items()}
    return Scheduler(
        filters=filters.named(conf.scheduler_default_filters),
        weighers=weighers.named(conf.scheduler_default_weighers, multipliers),
        service_down_time=conf.service_down_time,
        max_attempts=conf.scheduler_max_attempts,
    )


def rules_of(settings: Settings) -> Rules:
    conf = settings.conf
    return Rules(
        default_volume_type=conf.default_volume_type,
        storage_availability_zone=conf.storage_availability_zone,
        default_availability_zone=conf.default_availability_zone,
        allow_availability_zone_fallback=conf.allow_availability_zone_fallback,
        cloned_volume_same_az=conf.cloned_volume_same_az,
        no_snapshot_gb_quota=conf.no_snapshot_gb_quota,
        service_down_time=conf.service_down_time,
        response_timeout=conf.rpc_response_timeout,
        quotas={
            "volumes": conf.quota_volumes,
            "snapshots": conf.quota_snapshots,
            "gigabytes": conf.quota_gigabytes,
            "per_volume_gigabytes": conf.per_volume_size_limit,
            "backups": conf.quota_backups,
            "backup_gigabytes": conf.quota_backup_gigabytes,
            "groups": conf.quota_groups,
        },
    )

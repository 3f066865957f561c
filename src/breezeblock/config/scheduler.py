"""Options of placement: which pools may take a volume, and which is preferred."""

from __future__ import annotations

from oslo_config import cfg

SCHEDULER_OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "scheduler_default_filters",
        default=["AvailabilityZoneFilter", "CapacityFilter", "CapabilitiesFilter"],
        help="Filters a pool must pass when a request names none.",
    ),
    cfg.ListOpt(
        "scheduler_default_weighers",
        default=["CapacityWeigher"],
        help="Weighers that rank the pools which passed.",
    ),
    cfg.StrOpt(
        "scheduler_weight_handler",
        default="cinder.scheduler.weights.OrderedHostWeightHandler",
        help="How the winner is drawn from the ranking: the best one (Ordered...), or at "
        "random in proportion to the weights (Stochastic...).",
    ),
    cfg.IntOpt(
        "scheduler_max_attempts",
        default=3,
        min=1,
        help="Backends that are tried, in all, before a creation fails.",
    ),
    cfg.IntOpt(
        "scheduler_driver_init_wait_time",
        default=60,
        min=1,
        help="Seconds a creation waits for a first backend after the service has started.",
    ),
    cfg.FloatOpt(
        "capacity_weight_multiplier",
        default=1.0,
        help="Weight of free capacity: above zero spreads volumes, below zero stacks them.",
    ),
    cfg.FloatOpt(
        "allocated_capacity_weight_multiplier",
        default=-1.0,
        help="Weight of allocated capacity: below zero spreads volumes, above zero stacks them.",
    ),
    cfg.FloatOpt(
        "volume_number_multiplier",
        default=-1.0,
        help="Weight of the number of volumes: below zero spreads them, above zero stacks them.",
    ),
]


def groups() -> dict[str, list[cfg.Opt]]:
    """The options of this module by section."""
    return {"DEFAULT": SCHEDULER_OPTIONS}

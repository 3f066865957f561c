"""Options of the services that do the work: heartbeats, periodic work, retries."""

from __future__ import annotations

from oslo_config import cfg

WORKER_OPTIONS: list[cfg.Opt] = [
    cfg.ListOpt(
        "enabled_backends",
        help="Backend sections this service serves. Unset means one embedded backend, `file`: "
        "a directory of files, exported by tgt.",
    ),
    cfg.StrOpt("cluster", help="Name of the active-active cluster this host belongs to."),
    cfg.IntOpt(
        "report_interval", default=10, min=1, help="Seconds between heartbeats of a service."
    ),
    cfg.IntOpt(
        "service_down_time",
        default=60,
        min=1,
        help="Seconds after its last heartbeat that a service counts as down.",
    ),
    cfg.IntOpt(
        "periodic_interval",
        default=60,
        min=1,
        help="Seconds between runs of the periodic housekeeping.",
    ),
    cfg.IntOpt(
        "periodic_fuzzy_delay",
        default=60,
        min=0,
        help="Longest random delay, seconds, of the first housekeeping, so that services "
        "started together spread.",
    ),
    cfg.BoolOpt(
        "enable_new_services",
        default=True,
        help="A service seen for the first time may be given volumes at once.",
    ),
    cfg.IntOpt(
        "migration_create_volume_timeout_secs",
        default=300,
        min=1,
        help="Seconds a migration waits for its destination volume.",
    ),
    cfg.IntOpt(
        "reinit_driver_count",
        default=3,
        min=0,
        help="Further attempts to start a driver that failed to start (after 1, 2, 4 ... s).",
    ),
    cfg.IntOpt(
        "backend_stats_polling_interval",
        default=60,
        min=3,
        help="Seconds between a backend's reports of its capacity.",
    ),
    cfg.IntOpt(
        "rpc_response_timeout",
        default=60,
        min=1,
        help="Seconds a request waits for work whose result it answers with, such as attaching.",
    ),
    cfg.StrOpt(
        "zoning_mode",
        choices=["fabric"],
        help="Zone fibre channel fabrics on attach and detach.",
    ),
    cfg.ListOpt(
        "reserved_image_namespaces",
        default=[],
        help="Prefixes of image properties that an upload never sends.",
    ),
]

OWN_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "api_processes",
        default=1,
        min=1,
        help="API processes of `breezeblock serve`. With 1 the API lives in the process of "
        "the worker; with more, that many processes stand beside it on the same port.",
    ),
    cfg.IntOpt(
        "api_threads",
        default=32,
        min=1,
        help="Requests that one API process answers at the same time. Those that wait for a "
        "backend (attach, terminate) hold one each.",
    ),
    cfg.IntOpt(
        "worker_threads",
        default=8,
        min=1,
        help="Operations that one worker process runs at the same time.",
    ),
    cfg.FloatOpt(
        "operation_lease",
        default=30.0,
        min=0.5,
        help="Seconds a worker owns an operation without renewing it. Longest time until "
        "another host takes up the work of one that died.",
    ),
    cfg.FloatOpt(
        "operation_poll_interval",
        default=0.5,
        min=0.01,
        help="Longest time, seconds, between two looks for new operations when no hint comes.",
    ),
    cfg.IntOpt(
        "operation_retention",
        default=604800,
        min=0,
        help="Seconds a finished operation can still be shown.",
    ),
    cfg.IntOpt(
        "event_retention",
        default=7776000,
        min=0,
        help="Seconds the record of a removed resource is kept.",
    ),
    cfg.FloatOpt(
        "shutdown_grace",
        default=10.0,
        min=0.0,
        help="Seconds a stopping service waits for steps to end before it hands over.",
    ),
]

TGT_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt(
        "tgt_control_port",
        default=0,
        min=0,
        max=32767,
        help="Control port (not a TCP port) of the tgtd to use. One that we run has a socket of "
        "its own below state_path; one that we do not run is the distribution's at 0.",
    ),
    cfg.IntOpt(
        "tgt_io_threads",
        default=8,
        min=1,
        help="Requests to one volume that our tgtd works on at the same time.",
    ),
    cfg.BoolOpt(
        "tgt_daemon_managed",
        default=True,
        help="Run a tgtd of our own, with a control socket that only this service can reach. "
        "Off means the machine's own tgtd, which somebody else starts.",
    ),
]


def groups() -> dict[str, list[cfg.Opt]]:
    """The options of this module by section."""
    return {"DEFAULT": WORKER_OPTIONS, "breezeblock": [*OWN_OPTIONS, *TGT_OPTIONS]}

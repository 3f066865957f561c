"""Options of quotas: the limits of a project that has none of its own.  -1 means no limit."""

from __future__ import annotations

from oslo_config import cfg

QUOTA_OPTIONS: list[cfg.Opt] = [
    cfg.IntOpt("quota_volumes", default=10, min=-1, help="Volumes in a project."),
    cfg.IntOpt("quota_snapshots", default=10, min=-1, help="Snapshots in a project."),
    cfg.IntOpt(
        "quota_gigabytes",
        default=1000,
        min=-1,
        help="GiB of volumes in a project, and of snapshots unless no_snapshot_gb_quota.",
    ),
    cfg.IntOpt("quota_backups", default=10, min=-1, help="Backups in a project."),
    cfg.IntOpt("quota_backup_gigabytes", default=1000, min=-1, help="GiB of backups in a project."),
    cfg.IntOpt("quota_groups", default=10, min=-1, help="Groups in a project."),
    cfg.IntOpt("per_volume_size_limit", default=-1, min=-1, help="Largest volume, GiB."),
    cfg.BoolOpt(
        "use_default_quota_class",
        default=True,
        help="Limits of the quota class `default` take the place of the options above.",
    ),
    cfg.BoolOpt(
        "no_snapshot_gb_quota",
        default=False,
        help="Snapshots do not count against the gigabytes of a project.",
    ),
]


def groups() -> dict[str, list[cfg.Opt]]:
    """The options of this module by section."""
    return {"DEFAULT": QUOTA_OPTIONS}
